"""verl's real loop on a CPU: with rewards that fail, servers that die, and a run that is killed and gone on with."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import fmean
from typing import Any

import httpx
import psutil
import pytest
import torch

from dataset_builder import tasks
from trainer.proof import DEFAULT, make_model

from ..servers import ROOT, Server, serving

# levels move at each step, by how much tells what mean they were told
RECIPE = replace(DEFAULT, warm_up=30, batch=4, n=4, updates=1, curriculum=True)
LEVELS = "data.videossr.levels={groups: 4, low: -3.0, high: -2.0, gain: 0.02, most: 1.0}"
MANAGER = (
    "reward.reward_manager.source=importlib",
    "reward.reward_manager.name=RemoteRewardManager",
    "reward.reward_manager.module.path=pkg://reward_service.clients.verl_manager",
)


class Faulty(BaseHTTPRequestHandler):
    """In front of a service: every third request is refused, or never answered."""

    upstream: str
    chance: random.Random
    seen: list[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        fate = self.chance.random()
        self.seen.append("failed" if fate < 0.2 else "hung" if fate < 0.3 else "well")
        if fate < 0.2:
            self._reply(503, b'{"error": {"type": "busy", "message": "injected"}}')
        elif fate < 0.3:
            time.sleep(4)  # longer than the client's timeout
        else:
            answer = httpx.post(self.upstream + self.path, content=body, headers={"content-type": "application/json"})
            self._reply(answer.status_code, answer.content)

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self._reply(200, b"{}")

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def faulty(upstream: str) -> Iterator[tuple[str, list[str]]]:
    seen: list[str] = []
    handler = type("Handler", (Faulty,), {"upstream": upstream, "chance": random.Random(1), "seen": seen})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()


def start(settings: list[str], folder: Path, name: str) -> subprocess.Popen[bytes]:
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "trainer", "--cpu", *settings],
            cwd=ROOT, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, "VERL_FILE_LOGGER_PATH": str(folder / f"{name}.jsonl")},
        )  # fmt: skip


def steps(folder: Path, name: str) -> list[dict[str, Any]]:
    path = folder / f"{name}.jsonl"
    return [json.loads(line)["data"] for line in path.read_text().splitlines()] if path.exists() else []


def wait_for(number: int, running: subprocess.Popen[bytes], folder: Path, name: str) -> None:
    end = time.monotonic() + 300
    while len(steps(folder, name)) < number:
        assert running.poll() is None, (folder / f"{name}.log").read_text()[-3000:]
        assert time.monotonic() < end
        time.sleep(0.2)


def kill_all(running: subprocess.Popen[bytes]) -> None:
    """As if the machine had been switched off: verl's processes and Ray's."""
    family = [psutil.Process(running.pid), *psutil.Process(running.pid).children(recursive=True)]
    for process in family:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(family, timeout=30)


def rollouts(folder: Path, step: int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "rollouts" / f"{step}.jsonl").read_text().splitlines()]


def questions(folder: Path, step: int) -> list[str]:
    return sorted({one["input"] + one["gts"] for one in rollouts(folder, step)})


def settings(folder: Path, footage: Path, cache: str, urls: str) -> list[str]:
    return [
        f"data=live:{footage}", f"model={folder / 'model'}", f"reward_url={urls}", f"out={folder / 'checkpoints'}", "seed=1",
        f"data.videossr.clip_cache={cache}", *RECIPE.settings(), LEVELS, "trainer.save_freq=2",
        f"trainer.rollout_data_dir={folder / 'rollouts'}", "reward.custom_reward_function.reward_kwargs.timeout=1",
    ]  # fmt: skip


def above_chance(score: float, level: float) -> float:
    task = tasks.get(RECIPE.task)
    floor = task.chance(task.params(level), RECIPE.frames).smooth
    return (score - floor) / (1 - floor)


def check_scores(folder: Path, step: int) -> None:
    """What training learned from is what the task itself says of each rollout: no fault became a 0."""
    made = rollouts(folder, step)
    assert len(made) == RECIPE.batch * RECIPE.n, "rollouts were lost, though each can be scored in the end"
    for one in made:
        score = tasks.get(RECIPE.task).score(one["output"], one["gts"])
        assert abs(one["score"] - score.score) < 1e-6


def groups(server: Server) -> int:
    return sum(level["groups"] for level in server.get("/v1/stats").json()["tasks"].get("counting", {}).values())


def run_with_faults(folder: Path, footage: Path, cache: str, server: Server, other: Server) -> list[str]:
    with faulty(server.url) as (unreliable, seen):
        given = settings(folder, footage, cache, f"{unreliable},{other.url}")
        make_model(folder / "model", RECIPE, given, seed=1)
        running = start([*given, "steps=8"], folder, "first")
        wait_for(1, running, folder, "first")
        other.process.kill()  # one server of two dies in mid-run
        wait_for(3, running, folder, "first")
        kill_all(running)
    return seen


def test_training_survives_faults_and_goes_on_after_a_kill(tmp_path: Path, footage: Path, clip_cache: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with serving(tmp_path / "a") as server:
        with serving(tmp_path / "b") as other:
            seen = run_with_faults(tmp_path, footage, clip_cache, server, other)
        assert {"failed", "hung", "well"} <= set(seen), seen
        for step in (1, 2, 3):
            check_scores(tmp_path, step)
        asked = [questions(tmp_path, step) for step in (1, 2, 3)]
        assert asked[0] != asked[1] != asked[2] != asked[0]
        before = steps(tmp_path, "first")
        saved = torch.load(tmp_path / "checkpoints" / "global_step_2" / "data.pt", weights_only=False)
        known = groups(server)
        running = start([*settings(tmp_path, footage, clip_cache, server.url), *MANAGER, "steps=4"], tmp_path, "second")
        assert running.wait(300) == 0, (tmp_path / "second.log").read_text()[-3000:]
        assert groups(server) - known == 2 * RECIPE.batch, "the manager tells which rollouts belong together"
    after = steps(tmp_path, "second")
    assert len(after) == 2, "it goes on with step 3"
    assert questions(tmp_path, 3) == asked[2], "step 3 asks what it asked before the kill"
    assert questions(tmp_path, 4) not in asked
    levels = [step["curriculum/counting/level"] for step in before[:2]] + [step["curriculum/counting/level"] for step in after]
    assert json.dumps(saved).count('"levels"') == 1, "the curriculum is in the checkpoint"
    was = 0.0
    for number, (step, level) in enumerate(zip([*before[:2], *after], levels, strict=True), 1):
        assert step["portion/counting/level"] == pytest.approx(was), "questions have the level that rewards led to"
        told = [above_chance(one["score"], was) for one in rollouts(tmp_path, number)]
        assert step["portion/counting/above_chance"] == pytest.approx(fmean(told), abs=1e-4)
        assert level == pytest.approx(was + 0.02 * (fmean(told) + 2), abs=2e-4)
        was = level
    assert {"data/seconds_waited", "portion/counting/with_variance", "actor/kl_loss"} <= set(after[0])
    check_scores(tmp_path, 4)
