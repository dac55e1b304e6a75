"""Proof that training works, without a GPU: verl's training loop improves a tiny model with rewards over HTTP.

    python -m trainer.proof --out proof

A randomly initialized Qwen3-VL first learns the answer format from random answers. Then GRPO raises its mean reward.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

from dataset_builder import tasks

from .launch import ROOT, prepare_environment

MIN_RISE = 0.1  # of the mean reward from the first steps to the last, for the proof to succeed
EDGE_STEPS = 5  # number of first and of last steps that are averaged
WARM_UP_QUESTIONS = 64


@dataclass(frozen=True)
class Recipe:
    """Task, model and hyperparameters of a proof run.

    Attributes:
        task: name of a registered task.
        overrides: task parameters to override, by name.
        frames, max_pixels: frames per video, and pixels per frame; small, for the tiny model.
        warm_up: number of supervised steps on random answers.
        shuffled: draw the random answers from the right answers of all questions, rather than from all well-formed answers.
        steps: number of GRPO steps.
        batch, n: questions per step, rollouts per question.
        updates: weight updates per step.
        kl, grad_clip: KL is larger and clipping tighter than for a real model, as a tiny one soon forgets the answer format.
        hidden, layers: the model's width and depth.
        more: further settings, as on the command line of `python -m trainer`.
    """

    task: str = "counting"
    difficulty: float = 0.0
    overrides: Mapping[str, Any] = field(default_factory=dict)
    frames: int = 4
    max_pixels: int = 64 * 64
    warm_up: int = 400
    shuffled: bool = False
    steps: int = 36
    batch: int = 8
    n: int = 8
    updates: int = 2
    lr: float = 6e-4
    kl: float = 0.01
    grad_clip: float = 0.3
    hidden: int = 128
    layers: int = 2
    curriculum: bool = False
    more: tuple[str, ...] = ()

    def settings(self) -> list[str]:
        """Settings for `trainer.configuration.make_config`."""
        per_update = self.batch // self.updates
        rollouts = per_update * self.n
        return [
            f"preset={self.task}", f"data.videossr.overrides={json.dumps(dict(self.overrides)).replace(chr(34), '')}", f"steps={self.steps}", f"difficulty={self.difficulty}",
            f"data.videossr.samples={max(self.steps * self.batch * 2, WARM_UP_QUESTIONS)}", f"data.videossr.frames={self.frames}",
            f"data.videossr.max_pixels={self.max_pixels}", f"data.videossr.curriculum={self.curriculum}",
            f"data.train_batch_size={self.batch}", "data.max_prompt_length=1024", "data.max_response_length=16",
            f"actor_rollout_ref.rollout.n={self.n}", f"actor_rollout_ref.actor.ppo_mini_batch_size={per_update}",
            f"actor_rollout_ref.actor.ppo_micro_batch_size_per_gpu={rollouts}",
            f"actor_rollout_ref.ref.log_prob_micro_batch_size_per_gpu={rollouts}",
            f"actor_rollout_ref.rollout.log_prob_micro_batch_size_per_gpu={rollouts}",
            f"actor_rollout_ref.actor.optim.lr={self.lr}", "actor_rollout_ref.actor.optim.lr_warmup_steps=5",
            f"actor_rollout_ref.actor.kl_loss_coef={self.kl}", f"actor_rollout_ref.actor.optim.clip_grad={self.grad_clip}",
            "trainer.save_freq=-1", "trainer.logger=[file]", *self.more,
        ]  # fmt: skip


DEFAULT = Recipe()
# must end above the blind baseline, so the model has to use the video: the anomaly is in one of three places, and an answer
# without the video is right one time in three. The warm-up draws from all questions' right answers, because random intervals
# hit too rarely. It is short, because a model that has long answered without the video is slow to start using it
LONG = Recipe(
    task="grounding", frames=10, warm_up=120, shuffled=True, steps=150, batch=16, lr=4e-4,
    overrides={"effects": "invert", "max_share": 0.2},
)  # fmt: skip


@dataclass(frozen=True)
class Curve:
    """Metrics of one seed's run, one value per step."""

    seed: int
    reward: tuple[float, ...]
    above_chance: tuple[float, ...]
    answered: tuple[float, ...]
    level: tuple[float, ...]

    @property
    def rise(self) -> float:
        """Mean reward of the last `EDGE_STEPS` steps minus that of the first."""
        return fmean(self.reward[-EDGE_STEPS:]) - fmean(self.reward[:EDGE_STEPS])


def run_proof(
    recipe: Recipe,
    seeds: Sequence[int],
    out: Path,
    videos: Path | None = None,
    progress: Callable[[int, int, str], None] = lambda step, total, message: None,
) -> list[Curve]:
    """Train once per seed, and write `curve.png` and `curve.json` to `out`.

    Args:
        videos: folder of videos; None renders sample footage.
        progress: called with (steps completed, steps of all seeds, message).

    Raises:
        RuntimeError: if a run fails; its log is in `out`.
    """
    out.mkdir(parents=True, exist_ok=True)
    if videos is None:
        from dataset_builder.demo.footage import render_footage

        videos = out / "videos"
        render_footage(videos)
    curves = []
    total = len(seeds) * recipe.steps
    with reward_service(out / "service.log") as url:
        for number, seed in enumerate(seeds):

            def report(step: int, message: str = f"seed {seed}", offset: int = number * recipe.steps) -> None:
                progress(offset + step, total, message)

            folder = out / f"seed-{seed}"
            settings = [
                f"data=live:{videos}", f"model={folder / 'model'}", f"reward_url={url}", f"seed={seed}",
                f"out={folder / 'checkpoints'}", f"data.videossr.clip_cache={out / 'clips'}", *recipe.settings(),
            ]  # fmt: skip
            loss = make_model(folder / "model", recipe, settings, seed)
            report(0, f"seed {seed}: warm-up finished (loss {loss:.2f})")
            curves.append(_train(settings, folder, seed, report))
    result = {"recipe": asdict(recipe), "curves": [asdict(curve) for curve in curves]}
    (out / "curve.json").write_text(json.dumps(result, indent=2))
    plot(curves, recipe, out / "curve.png")
    return curves


def make_model(folder: Path, recipe: Recipe, settings: Sequence[str], seed: int) -> float:
    """Write a tiny model that gives random answers in the right format. Returns the warm-up's last loss, in nats per token."""
    from omegaconf import OmegaConf

    from .configuration import make_config
    from .cpu.tiny_model import make_tiny_model
    from .data.live import LiveQuestions
    from .data.settings import LIVE, DataSettings
    from .warm_up import warm_up

    config = make_config(settings, cpu=True)
    task = tasks.get(recipe.task)
    rng = Random(f"texts\0{seed}")
    data = DataSettings.of(OmegaConf.to_container(config.data.videossr))
    videos = config.data.train_files.removeprefix(LIVE)
    live = LiveQuestions(data.spec, videos, cache=data.cache)  # no length limit: the tokenizer is trained on these questions
    questions = [live[index] for index in range(WARM_UP_QUESTIONS)]

    answer = random_answer(task, questions, recipe.shuffled)
    texts = [f"{part['text']}{answer(question, rng)}" for question in questions for part in question["raw_prompt"][-1]["content"] if "text" in part]  # fmt: skip
    make_tiny_model(folder, [*texts, "<0.5 seconds>user assistant"], hidden=recipe.hidden, layers=recipe.layers, seed=seed)
    return asyncio.run(warm_up(folder, questions, config.data, answer, steps=recipe.warm_up, seed=seed))


def random_answer(
    task: tasks.Task, questions: Sequence[dict[str, Any]], shuffled: bool
) -> Callable[[dict[str, Any], Random], str]:
    """A function that draws a warm-up reply: a guess in the right format or, if `shuffled`, any question's right answer."""

    def draw_reply(question: dict[str, Any], rng: Random) -> str:
        source = rng.choice(questions) if shuffled else question
        answer = task.read_truth(source["reward_model"]["ground_truth"])
        if not shuffled:
            info = question["extra_info"]
            answer = answer.guess(rng, task.guess_space(json.loads(info["params"]), info["frame_times"][0]))
        return f"<answer>{answer.format()}</answer>"

    return draw_reply


def _train(settings: Sequence[str], folder: Path, seed: int, report: Callable[[int], None]) -> Curve:
    log, metrics = folder / "train.log", folder / "metrics.jsonl"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "trainer", "--cpu", *settings], cwd=ROOT, stdout=output, stderr=output,
            env={**os.environ, "VERL_FILE_LOGGER_PATH": str(metrics)},
        )  # fmt: skip
        try:
            while process.poll() is None:
                time.sleep(0.5)
                report(len(metrics.read_text().splitlines()) if metrics.exists() else 0)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait()
    if process.returncode:
        raise RuntimeError(f"training with seed {seed} ended with exit code {process.returncode}; its log is {log}")
    return read_curve(metrics, seed)


def read_curve(metrics: Path, seed: int) -> Curve:
    """Read the metrics file of verl's file logger; each value is a mean over portions."""
    steps = [json.loads(line)["data"] for line in metrics.read_text().splitlines()]

    def values(name: str) -> tuple[float, ...]:
        return tuple(fmean(value for key, value in step.items() if key.startswith("portion/") and key.endswith(f"/{name}")) for step in steps)  # fmt: skip

    return Curve(seed, values("score"), values("above_chance"), values("answered"), values("level"))


@contextmanager
def reward_service(log: Path) -> Iterator[str]:
    """Run this checkout's reward service on a free local port. Gives its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dataset_builder.cli", "serve", "--port", str(port)], cwd=ROOT, stdout=output, stderr=output
        )
        try:
            _wait_until_ready(url, process, log)
            yield url
        finally:
            process.terminate()
            process.wait()


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path, timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the reward service did not start; its log is {log}")


def plot(curves: Sequence[Curve], recipe: Recipe, path: Path) -> None:
    """Plot the mean reward by step, with the mean of the first steps and the blind baseline."""
    from matplotlib.figure import Figure

    task = tasks.get(recipe.task)
    baseline = task.chance(task.params(recipe.difficulty, recipe.overrides), recipe.frames).smooth
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    for curve in curves:
        axes.plot(range(1, len(curve.reward) + 1), _moving_average(curve.reward), label=f"seed {curve.seed}: +{curve.rise:.2f}")
        axes.plot(range(1, len(curve.reward) + 1), curve.reward, color=axes.lines[-1].get_color(), alpha=0.2)
    start = fmean(value for curve in curves for value in curve.reward[:EDGE_STEPS])
    axes.axhline(start, color="gray", linestyle=":", label="random answers in the right format")
    axes.axhline(baseline, color="black", linestyle="--", label="blind baseline (best constant answer)")
    axes.set(
        title=f"{recipe.task}: GRPO on a CPU, rewards over HTTP",
        xlabel="training step",
        ylabel="mean smooth reward",
        ylim=(0, 1),
    )
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=120)


def _moving_average(values: Sequence[float], width: int = 5) -> list[float]:
    return [fmean(values[max(0, end - width) : end]) for end in range(1, len(values) + 1)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the proof. Returns 0 if every seed's reward rises by `MIN_RISE`, else 1."""
    parser = argparse.ArgumentParser("python -m trainer.proof", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("proof"), help="folder for models, logs and the curve")
    parser.add_argument("--videos", type=Path, help="a folder of videos (default: rendered sample footage)")
    parser.add_argument("--seeds", default="0,1,2", help="seeds, one run each (default: 0,1,2)")
    parser.add_argument("--task", choices=tasks.names(), help=f"default: {DEFAULT.task}; with --long {LONG.task}")
    parser.add_argument("--steps", type=int, help="number of training steps")
    parser.add_argument("--curriculum", action="store_true", help="let the level follow the rewards")
    parser.add_argument(
        "--long", action="store_true", help="train longer, on a task that needs the video: find when its colours are inverted"
    )
    args = parser.parse_args(arguments)
    prepare_environment(cpu=True)
    from tqdm import tqdm

    from .cpu.torchvision import make_importable

    make_importable()
    base = LONG if args.long else DEFAULT
    recipe = Recipe(
        **{**asdict(base), "task": args.task or base.task, "steps": args.steps or base.steps, "curriculum": args.curriculum}
    )
    seeds = [int(seed) for seed in args.seeds.split(",")]
    with tqdm(total=len(seeds) * recipe.steps, unit="step", desc="train") as bar:

        def show_progress(step: int, total: int, message: str) -> None:
            if step > bar.n or message != bar.desc.removesuffix(": "):  # redraw only on changes, to keep log files short
                bar.set_description(message)
                bar.update(step - bar.n)

        curves = run_proof(recipe, seeds, args.out.absolute(), args.videos and args.videos.absolute(), show_progress)
    for curve in curves:
        first, last = fmean(curve.reward[:EDGE_STEPS]), fmean(curve.reward[-EDGE_STEPS:])
        edges = f"{first:.3f} in the first {EDGE_STEPS} steps, {last:.3f} in the last"
        print(f"seed {curve.seed}: mean reward {edges}: {curve.rise:+.3f}")
    print(f"curve: {args.out / 'curve.png'} and curve.json")
    return 0 if all(curve.rise >= MIN_RISE for curve in curves) else 1


if __name__ == "__main__":
    sys.exit(main())
