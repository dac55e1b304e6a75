"""verl's training loop on a CPU, with failing reward requests, a reward server that dies, and a run that is killed and resumed."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import fmean
from typing import Any

import httpx
import psutil
import pytest
import torch

from dataset_builder import tasks
from trainer.data.curriculum import Curriculum, CurriculumSettings
from trainer.proof.model import make_model
from trainer.proof.recipe import DEFAULT

from ..servers import Server, serving, stats
from .runs import start, steps, wait_for_steps

RECIPE = replace(DEFAULT, warm_up=30, batch=4, n=4, updates=1, curriculum=True)
LEVELS = CurriculumSettings(start=0.5, groups=4, jitter=0)  # a level that moves at each step
MANAGER = (
    "reward.reward_manager.source=importlib",
    "reward.reward_manager.name=RemoteRewardManager",
    "reward.reward_manager.module.path=pkg://reward_service.clients.verl_manager",
)


class Faulty(BaseHTTPRequestHandler):
    """A proxy in front of a service. It rejects 20 % of the requests and does not answer 10 %."""

    upstream: str
    rng: random.Random
    outcomes: list[str]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        draw = self.rng.random()
        self.outcomes.append("failed" if draw < 0.2 else "hung" if draw < 0.3 else "ok")
        if draw < 0.2:
            self._reply(503, b'{"error": {"type": "busy", "message": "injected"}}')
        elif draw < 0.3:
            time.sleep(4)  # longer than the client's timeout
        else:
            reply = httpx.post(self.upstream + self.path, content=body, headers={"content-type": "application/json"})
            self._reply(reply.status_code, reply.content)

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
    outcomes: list[str] = []
    handler = type("Handler", (Faulty,), {"upstream": upstream, "rng": random.Random(1), "outcomes": outcomes})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", outcomes
    server.shutdown()


def kill_all(root: subprocess.Popen[bytes]) -> None:
    """Kill verl's and Ray's processes at once, as if the machine had been switched off."""
    processes = [psutil.Process(root.pid), *psutil.Process(root.pid).children(recursive=True)]
    for process in processes:
        try:
            process.send_signal(signal.SIGKILL)
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(processes, timeout=30)


def rollouts(folder: Path, step: int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "rollouts" / f"{step}.jsonl").read_text().splitlines()]


def questions(folder: Path, step: int) -> list[str]:
    return sorted({rollout["input"] + rollout["gts"] for rollout in rollouts(folder, step)})


def settings(folder: Path, footage: Path, cache: str, urls: str) -> list[str]:
    return [
        f"data=live:{footage}", f"model={folder / 'model'}", f"reward_url={urls}", f"out={folder / 'checkpoints'}", "seed=1",
        f"data.videossr.clip_cache={cache}", *RECIPE.settings(), "trainer.save_freq=2",
        f"data.videossr.levels={json.dumps(asdict(LEVELS)).replace(chr(34), '')}",
        f"trainer.rollout_data_dir={folder / 'rollouts'}", "reward.custom_reward_function.reward_kwargs.timeout=1",
    ]  # fmt: skip


def above_chance(score: float, level: float) -> float:
    task = tasks.get(RECIPE.task)
    baseline = task.chance(task.params(level), RECIPE.frames).smooth
    return (score - baseline) / (1 - baseline)


def check_scores(folder: Path, step: int) -> None:
    """Each rollout's reward is the task's own score, so that no failed request became a reward of 0."""
    step_rollouts = rollouts(folder, step)
    assert len(step_rollouts) == RECIPE.batch * RECIPE.n, "rollouts were lost, though retries can score them all"
    for rollout in step_rollouts:
        score = tasks.get(RECIPE.task).score(rollout["output"], rollout["gts"])
        assert abs(rollout["score"] - score.score) < 1e-6


def groups(server: Server) -> int:
    return sum(level["groups"] for run in stats(server).values() for level in run.get("counting", {}).values())


def run_with_faults(folder: Path, footage: Path, cache: str, server: Server, other: Server) -> list[str]:
    with faulty(server.url) as (unreliable_url, outcomes):
        run_settings = settings(folder, footage, cache, f"{unreliable_url},{other.url}")
        make_model(folder / "model", RECIPE, run_settings, seed=1)
        process = start([*run_settings, "steps=8"], folder, "first")
        wait_for_steps(1, process, folder, "first")
        other.process.kill()  # one of the two servers dies during the run
        wait_for_steps(3, process, folder, "first")
        kill_all(process)
    return outcomes


def test_training_survives_faults_and_resumes_after_a_kill(tmp_path: Path, footage: Path, clip_cache: str) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with serving(tmp_path / "a") as server:
        with serving(tmp_path / "b") as other:
            outcomes = run_with_faults(tmp_path, footage, clip_cache, server, other)
        assert {"failed", "hung", "ok"} <= set(outcomes), outcomes
        for step in (1, 2, 3):
            check_scores(tmp_path, step)
        asked_before = [questions(tmp_path, step) for step in (1, 2, 3)]
        assert asked_before[0] != asked_before[1] != asked_before[2] != asked_before[0]
        before = steps(tmp_path, "first")
        checkpoint = torch.load(tmp_path / "checkpoints" / "global_step_2" / "data.pt", weights_only=False)
        groups_before = groups(server)
        process = start([*settings(tmp_path, footage, clip_cache, server.url), *MANAGER, "steps=4"], tmp_path, "second")
        assert process.wait(300) == 0, (tmp_path / "second.log").read_text()[-3000:]
        assert groups(server) - groups_before == 2 * RECIPE.batch, "the manager sends each rollout's group"
    after = steps(tmp_path, "second")
    assert len(after) == 2, "the run resumes with step 3"
    assert questions(tmp_path, 3) == asked_before[2], "step 3 has the same questions as before the kill"
    assert questions(tmp_path, 4) not in asked_before
    levels = [step["curriculum/counting/level"] for step in before[:2]] + [step["curriculum/counting/level"] for step in after]
    assert json.dumps(checkpoint).count('"levels"') == 1, "the curriculum is in the checkpoint"
    curriculum = Curriculum(LEVELS, ["counting"])
    for number, (step, level) in enumerate(zip([*before[:2], *after], levels, strict=True), 1):
        old_level = curriculum.level("counting")
        assert step["portion/counting/level"] == pytest.approx(old_level), "questions have the curriculum's level"
        seen: dict[str, list[float]] = defaultdict(list)
        for rollout in rollouts(tmp_path, number):
            seen[rollout["input"] + rollout["gts"]].append(above_chance(rollout["score"], old_level))
        mean_reward = fmean(reward for group in seen.values() for reward in group)
        assert step["portion/counting/above_chance"] == pytest.approx(mean_reward, abs=1e-4)
        curriculum.step({"counting": list(seen.values())})
        assert level == pytest.approx(curriculum.level("counting")), "the curriculum has seen each group's rewards"
    assert len(set(levels)) > 1
    assert {"data/seconds_waited", "portion/counting/with_variance", "actor/kl_loss"} <= set(after[0])
    check_scores(tmp_path, 4)
