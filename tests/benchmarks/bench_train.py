"""What rewards over HTTP and live questions cost a training step: `make bench-train`. Runs where verl is installed.

A step is the paper's: 64 questions of 48 frames, 512 rollouts; its length is that of 16 hours for 30,000 questions.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from dataset_builder import tasks
from reward_service.clients.verl import compute_score
from tests.benchmarks import timed_rewards
from tests.benchmarks.pixels import pixels
from tests.benchmarks.table import Table
from tests.footage import videos_folder
from tests.servers import serving
from trainer.cpu.torchvision import make_importable
from trainer.launch import ROOT, prepare_environment
from trainer.proof.model import make_model
from trainer.proof.recipe import DEFAULT

QUESTIONS, ROLLOUTS = 64, 8
STEP = 16 * 3600 / (30_000 / QUESTIONS)  # seconds
ROUNDS = 5
TRAINED = 3  # steps of verl on this machine


def rewards() -> dict[str, float]:
    """Seconds from 512 rollouts that end at once to the last of their rewards, over HTTP and in this process."""
    answers = [("counting", "3,1,4"), ("grounding", "14.5-26.2"), ("jigsaw", "341562")]
    calls = [(*answers[k % 3], f"I see it.\n<answer>{answers[k % 3][1]}</answer>") for k in range(QUESTIONS * ROLLOUTS)]
    here = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        assert all(tasks.get(name).score(response, truth).score == 1 for name, truth, response in calls)
        here.append(time.perf_counter() - start)

    async def remotely(url: str) -> list[float]:
        spent = []
        for _ in range(ROUNDS + 1):  # the first opens the connections
            start = time.perf_counter()
            made = await asyncio.gather(
                *(compute_score(tasks.PREFIX + name, response, truth, url=url) for name, truth, response in calls)
            )
            spent.append(time.perf_counter() - start)
            assert all(one["score"] == 1 for one in made)
        return spent[1:]

    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as service:
        remote = asyncio.run(remotely(service.url))
    return {"http": median(remote), "in_process": median(here)}


def steps_of_verl(videos: Path, folder: Path) -> dict[str, tuple[float, float]]:
    """(from the last rollout's end to the last reward, whole step), seconds, of a real step of 512 rollouts on the CPU."""
    recipe = replace(DEFAULT, batch=QUESTIONS, n=ROLLOUTS, steps=TRAINED, warm_up=50)
    log = folder / "rewards"
    found = {}
    with serving(folder) as service:
        for name in ("over_http", "in_process"):
            given = [
                f"data=live:{videos}", f"model={folder / 'model'}", f"reward_url={service.url}", f"out={folder / name}",
                f"data.videossr.clip_cache={folder / 'clips'}", *recipe.settings(),
                "reward.custom_reward_function.path=pkg://tests.benchmarks.timed_rewards",
                f"reward.custom_reward_function.name={name}",
            ]  # fmt: skip
            if not (folder / "model").exists():
                make_model(folder / "model", recipe, given, seed=0)
            log.unlink(missing_ok=True)
            metrics = folder / f"{name}.jsonl"
            told = {timed_rewards.LOG: str(log), "VERL_FILE_LOGGER_PATH": str(metrics)}
            with (folder / f"{name}.log").open("wb") as output:
                subprocess.run(
                    [sys.executable, "-m", "trainer", "--cpu", *given], cwd=ROOT, stdout=output, stderr=output, check=True,
                    env={**os.environ, **told},
                )  # fmt: skip
            calls = [json.loads(line) for line in log.read_text().splitlines()]
            of_steps = [calls[at : at + QUESTIONS * ROLLOUTS] for at in range(0, len(calls), QUESTIONS * ROLLOUTS)]
            waits = [max(end for _, end in step) - max(start for start, _ in step) for step in of_steps]
            lengths = [json.loads(line)["data"]["timing_s/step"] for line in metrics.read_text().splitlines()]
            found[name] = median(waits), median(lengths)
    return found


def live() -> dict[str, float]:
    """CPU seconds to plan and to render a live question, and what a step waits for, the very first too, in wall seconds."""
    from trainer.config.compose import make_config
    from trainer.cpu.tiny_model import make_tiny_model
    from trainer.data.dataset import VideoSSRDataset

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_tiny_model(folder / "model")
        from verl.utils import hf_processor

        processor = hf_processor(str(folder / "model"))
        given = [f"data=live:{videos_folder()}", f"model={folder / 'model'}", "reward_url=http://localhost:9"]
        data = make_config([*given, f"data.videossr.clip_cache={folder / 'clips'}", "data.videossr.samples=512"], cpu=True).data
        dataset = VideoSSRDataset(data.train_files, processor.tokenizer, data, processor)
        start = time.perf_counter()
        for at in range(QUESTIONS):
            dataset[at]
        first = time.perf_counter() - start
        start, cpu = time.perf_counter(), time.process_time()
        questions = [dataset[at] for at in range(QUESTIONS, 2 * QUESTIONS)]
        planned = time.process_time() - cpu
        waited = time.perf_counter() - start

        async def shown() -> Any:
            return [await VideoSSRDataset.process_multi_modal_info(one["raw_prompt"], 16, data) for one in questions]

        cpu = time.process_time()
        asyncio.run(shown())
        rendered = time.process_time() - cpu
    return {"first_step": first, "step": waited, "plan": planned / QUESTIONS, "render": rendered / QUESTIONS}


def main() -> None:
    make_importable()
    table = Table(
        "make bench-train",
        f"What rewards and live questions cost a training step of the paper's size, of {STEP:.0f} s and 64 questions × 8 rollouts.",
    )
    reward = rewards()
    for name, seconds in (("over HTTP", reward["http"]), ("in process", reward["in_process"])):
        table.add(
            f"rewards of 512 rollouts that end at once, {name}, of a step",
            100 * seconds / STEP,
            "≤",
            1,
            f"{seconds:.3f} s",
            unit="%",
        )
    prepare_environment(cpu=True)
    before, after = pixels()
    detail = f"{1000 * after.seconds:.0f} of {1000 * before.seconds:.0f} ms CPU"
    table.add(
        "processing a rollout's pixels in the agent loop, of verl's own way", after.seconds / before.seconds, "≤", 0.33, detail
    )
    detail = f"{after.size / 1e6:.1f} of {before.size / 1e6:.1f} MB"
    table.add("a rollout's pixels on their way to training, of verl's own", after.size / before.size, "≤", 0.5, detail)
    with tempfile.TemporaryDirectory() as folder:
        for name, (waited, step) in steps_of_verl(videos_folder(), Path(folder)).items():
            what = f"verl's own step: from the last of 512 rollouts to the last reward, {name.replace('_', ' ')}"
            table.add(what, 100 * waited / step, "≤", 1, f"{waited:.3f} s of {step:.0f} s", unit="%")
    cost = live()
    table.add(
        "the trainer waits for 64 live questions, of a step",
        100 * cost["step"] / STEP,
        "≤",
        1,
        f"{cost['step']:.2f} s",
        unit="%",
    )
    rate = 1 / (cost["plan"] + cost["render"])
    needed = f"a step needs {QUESTIONS / STEP:.2f}"
    table.add("live questions of 48 frames, planned and rendered", rate, detail=needed, unit="a second and core")
    table.add("planning one", 1000 * cost["plan"], unit="ms CPU")
    table.add("rendering one", 1000 * cost["render"], unit="ms CPU")
    table.add("the very first 64, whose videos are not decoded yet", cost["first_step"], unit="s")
    table.save()


if __name__ == "__main__":
    main()
