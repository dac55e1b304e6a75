"""Trainers' real client code against a real service, each in the environment that `make test` sets up for it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from math import isnan
from pathlib import Path
from typing import Any

import pytest

from dataset_builder import exports
from dataset_builder.exports.base import export
from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.questions.spec import BuildSpec
from dataset_builder.storage.build import build
from dataset_builder.storage.stored_build import Build

from tests.servers import ROOT, Server, count_rollouts, serving, stats

SCRIPTS = Path(__file__).parent
SMOOTH = pytest.approx(1 - 1 / 12, abs=1e-5)


def run(environment: str, script: str, *arguments: str) -> Any:
    """The last line that a script prints. It runs in a folder of its own, as some trainers leave files where they run."""
    python = os.environ.get(environment)
    if not python:
        pytest.skip(f"{environment} does not name a Python with these clients; `make test` sets one up")
    # litellm, which eval-protocol imports, would fetch a list of prices, and stumble over itself where it cannot
    environment_of = {**os.environ, "PYTHONPATH": str(ROOT), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [python, SCRIPTS / script, *arguments],
            cwd=folder, capture_output=True, text=True, timeout=120, check=False, env=environment_of,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_openrlhf(server: Server) -> None:
    found = run("VIDEOSSR_CLIENTS_PYTHON", "openrlhf_client.py", server.url)
    assert [one["rewards"][0] for one in found] == [pytest.approx(1 - abs(4 - k) / 12, abs=1e-5) for k in range(4)]


def test_openenv(server: Server) -> None:
    began, right, near, state, error, jigsaw = run("VIDEOSSR_CLIENTS_PYTHON", "openenv_client.py", server.url)
    assert began[0]["prompt"] == "How many?"
    assert began[1:] == [None, False]
    assert right == ["3,1,4", 1.0, True]
    assert near == ["3,1,5", SMOOTH, True]
    assert state == {"episode_id": "e1", "step_count": 2}
    assert "VALIDATION_ERROR" in error
    assert jigsaw == ["312", 1.0, True]


def test_eval_protocol(server: Server) -> None:
    found = run("VIDEOSSR_CLIENTS_PYTHON", "eval_protocol_client.py", server.url)
    assert found == [[SMOOTH, "2 of 3 counts right", pytest.approx(2 / 3), True]] * 2


def test_nemo_gym_starts_the_service() -> None:
    seeded, reply, metrics = run("VIDEOSSR_CLIENTS_PYTHON", "nemo_gym_client.py", sys.executable)
    assert seeded == 200
    assert reply["reward"] == metrics["mean/reward"] == SMOOTH
    assert reply["responses_create_params"] == {"input": []}


def test_verifiers_with_a_token(tmp_path: Path) -> None:
    with serving(tmp_path, tokens="secret") as guarded:
        reward, metrics = run("VIDEOSSR_VERIFIERS_PYTHON", "verifiers_client.py", guarded.url, "secret")
    assert reward == SMOOTH
    assert metrics["exact"] == pytest.approx(2 / 3)


def test_verl_with_function_and_manager(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        by_function, refused, by_manager, refused_again = run("VIDEOSSR_VERL_PYTHON", "verl_manager.py", service.url)
        [runs] = stats(service).values()
    assert [score for score, _ in by_function] == [pytest.approx(1 - min(4, abs(4 - k)) / 12, abs=1e-5) for k in range(8)]
    assert by_manager == by_function
    assert all(keys == ["above_chance", "exact", "parsed", "reason", "score", "task"] for _, keys in by_function)
    assert "3 wanted" in refused
    assert refused_again == refused
    assert (runs["counting"]["hard"]["rollouts"], runs["counting"]["hard"]["groups"]) == (
        8,
        2,
    )  # the function knows of no groups, the manager does


def test_trls_reward_step(tmp_path: Path) -> None:
    with serving(tmp_path) as service:
        whole, with_a_fault, raised = run("VIDEOSSR_TRL_PYTHON", "trl_rewards.py", service.url)
        [runs] = stats(service).values()
    rewards, metrics = whole
    assert [row[0] for row in rewards] == [pytest.approx(1 - abs(4 - k) / 12, abs=1e-5) for k in range(4)]
    assert metrics == {"videossr/failed": 1, "videossr/exact": 1, "videossr/above_chance": 1}
    assert isnan(with_a_fault[0][1][0]), "an item without a score is left out, which TRL does with NaN"
    assert "3 wanted" in raised, "beside another reward it would count as 0"
    assert runs["counting"]["hard"]["groups"] == 1


def test_trl_trains(footage: Path, clip_cache: str, tmp_path: Path) -> None:
    """The example as it stands: three steps of a tiny model."""
    spec = BuildSpec("mixed", samples=6, frames=8, max_pixels=4096, video_format="jpeg", overrides={"jigsaw.clips": 2})
    build(spec, footage, tmp_path / "build", cache=ClipCache.of(clip_cache))
    data = export(Build.read(tmp_path / "build"), tmp_path / "rows", exports.get("trl"))
    python = os.environ.get("VIDEOSSR_TRL_PYTHON")
    if not python:
        pytest.skip("VIDEOSSR_TRL_PYTHON is not set; `make test` sets it")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    subprocess.run([python, "-m", "trainer.cpu.tiny_model", str(tmp_path / "model")], cwd=ROOT, env=environment, check=True)
    with serving(tmp_path) as service:
        done = subprocess.run(
            [python, "trainer/examples/trl_grpo.py", "--cpu", "--data", str(data), "--model", str(tmp_path / "model"), "--reward-url", service.url,
             "--steps", "3", "--prompts", "2", "--rollouts", "2", "--completion-length", "8", "--out", str(tmp_path / "out")],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        counted = count_rollouts(service)
    assert done.returncode == 0, done.stderr[-3000:]
    assert counted == 3 * 2 * 2, "every completion of three steps was scored"


def test_the_examples_know_their_trainers_flags() -> None:
    python = os.environ.get("VIDEOSSR_CLIENTS_PYTHON")
    if not python:
        pytest.skip("VIDEOSSR_CLIENTS_PYTHON is not set; `make test` sets it")
    [source] = Path(python).parents[1].glob("lib/python*/site-packages/openrlhf/cli/train_ppo_ray.py")
    command = (ROOT / "trainer" / "examples" / "openrlhf.sh").read_text().partition("python -m openrlhf")[2]
    flags = set(re.findall(r"--[a-z_.]+", command))
    assert flags
    assert flags <= set(re.findall(r'"(--[a-z_.]+)"', source.read_text()))
