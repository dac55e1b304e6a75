"""Runs as others read them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import parse_eval_result_entries

from eval.__main__ import main
from eval.backends.baselines import Baseline
from eval.frames import Frames
from eval.results import score_run
from eval.run import RESPONSES, Run
from eval.runner import run
from eval.sample import Benchmark

from ..chat_server import Behaviour, serving_chat
from ..servers import ROOT
from .conftest import SIZE


@pytest.fixture(scope="module")
def done(small: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with one failure."""
    folder = tmp_path_factory.mktemp("run") / "blind"
    asyncio.run(run(small, Baseline("blind"), Frames(small.sampling), folder))
    lines = (folder / RESPONSES).read_text().splitlines()
    failed = {**json.loads(lines[0]), "text": None, "error": "the server answers 500"}
    (folder / RESPONSES).write_text("\n".join([json.dumps(failed), *lines[1:]]) + "\n")
    return folder


def test_the_hub_reads_results_and_benchmark(done: Path, tmp_path: Path) -> None:
    assert main(["export", "hub", str(done), "--dataset", "me/viubench", "--out", str(tmp_path)]) == 0
    card = yaml.safe_load((tmp_path / "eval.yaml").read_text())
    entries = parse_eval_result_entries(yaml.safe_load((tmp_path / ".eval_results" / "viubench.yaml").read_text()))
    results = score_run(Run.read(done))
    assert {"name", "description", "evaluation_framework", "tasks"} <= set(card)
    assert (
        [task["id"] for task in card["tasks"]]
        == [entry.task_id for entry in entries]
        == ["overall", *(column.name for column in results.columns)]
    )
    assert entries[0].dataset_id == "me/viubench"
    assert entries[0].value == pytest.approx(100 * results.overall.value.mean, abs=0.01)
    assert "1 of 27 failed" in str(entries[0].notes)
    assert results.overall.failed == 1


def test_a_wrong_dataset_is_refused(done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "hub", str(done), "--dataset", "viubench", "--out", str(tmp_path)]) == 2
    assert "allowed: owner/name" in capsys.readouterr().err


def inspect_python() -> str:
    python = os.environ.get("VIDEOSSR_INSPECT_PYTHON")
    if not python:
        pytest.skip("VIDEOSSR_INSPECT_PYTHON does not name a Python with inspect-ai; `make test` sets one up")
    return python


def run_python(*arguments: str | Path, **environment: str) -> str:
    """What a program in inspect-ai's environment prints."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    done = subprocess.run(
        [inspect_python(), *arguments], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
    return done.stdout


def read_log(path: Path, *runs: Path) -> Any:
    return json.loads(run_python(ROOT / "tests" / "real_clients" / "read_inspect_log.py", path, *runs).splitlines()[-1])


def test_a_run_becomes_an_inspect_log(done: Path, tmp_path: Path) -> None:
    log = read_log(tmp_path / "a.eval", done)
    column = score_run(Run.read(done)).columns[1]
    assert log["model"] == "blind"
    assert log["scores"][column.name] == pytest.approx(column.value.mean)
    assert log["scores"][f"{column.name} chance"] == pytest.approx(column.chance)
    assert len(log["samples"]) == 27
    assert [error for *_, error in log["samples"] if error] == ["RuntimeError('the server answers 500')"]


def test_inspect_runs_viubench_as_its_own_task(footage: Path, clip_cache: str, tmp_path: Path) -> None:
    behaviour = Behaviour(lambda asked: ("<answer>3,3,3</answer>" if "How many" in asked.text else "0-1000", ""))
    flags = {"videos": footage, "per_column": 2, "max_pixels": SIZE, "clip_cache": clip_cache}
    settings = [word for name, value in flags.items() for word in ("-T", f"{name}={value}")]
    with serving_chat(behaviour) as url:
        run_python(
            "-m", "inspect_ai", "eval", "eval/publish/inspect_task.py@viubench", *settings, "--model", "openai-api/here/tiny",
            "--model-base-url", url, "--log-dir", tmp_path, "--no-log-images", "--display", "none", HERE_API_KEY="none",
        )  # fmt: skip
    [path] = tmp_path.glob("*.eval")
    log = read_log(path)
    assert len(log["samples"]) == len(behaviour.asked) == 18
    assert 0 < log["scores"]["grounding_mirror"] < 0.1, "an interval of many seconds holds the anomaly, and little of it"
    assert log["scores"]["jigsaw_easy"] == 0
    assert log["scores"]["overall chance"] > log["scores"]["overall"] > 0
    kinds = [kind for kind, _ in behaviour.asked[0].parts if kind != "text"]
    assert kinds == ["image"] * 48


def test_without_inspect_it_says_what_is_missing(done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "inspect", str(done), "--out", str(tmp_path / "a.eval")]) == 2
    assert "`pip install inspect-ai` installs it" in capsys.readouterr().err
