"""The proof: verl's real loop, on real questions, with rewards over HTTP, makes a tiny model better. No GPU.

    python -m trainer.proof --out proof

A random Qwen3-VL first learns the form of answers, from random ones; then GRPO lifts the reward above that start.
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

RISE = 0.1  # of the mean reward, from the first steps to the last: what counts as learned
ENDS = 5  # steps
WARM_QUESTIONS = 64


@dataclass(frozen=True)
class Recipe:
    """What a proof run trains, and how.

    Attributes:
        task: one of the registry's.
        overrides: of its parameters, by name.
        frames, max_pixels: of its videos; small, as the model is.
        warm_up: supervised steps on random answers.
        shuffled: whether those are right answers of other questions, which say as little of this one, rather than any of the form.
        steps: of GRPO.
        batch, n: questions a step, rollouts a question.
        updates: of the weights, a step.
        kl, grad_clip: larger and smaller than for a real model, which does not forget the form of answers in a step.
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
        """For `trainer.configuration.make_config`."""
        per_update = self.batch // self.updates
        rollouts = per_update * self.n
        return [
            f"preset={self.task}", f"data.videossr.overrides={json.dumps(dict(self.overrides)).replace(chr(34), '')}", f"steps={self.steps}", f"difficulty={self.difficulty}",
            f"data.videossr.samples={max(self.steps * self.batch * 2, WARM_QUESTIONS)}", f"data.videossr.frames={self.frames}",
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
# ends above the best blind constant, which takes looking: the anomaly has three places, and whoever does not look hits one in
# three. Its warm-up draws right answers of other questions, as any interval of any length would leave too few hits, and is no
# longer than the form takes: a model that has answered blindly for long is slow to look
LONG = Recipe(
    task="grounding", frames=10, warm_up=120, shuffled=True, steps=150, batch=16, lr=4e-4,
    overrides={"effects": "invert", "max_share": 0.2},
)  # fmt: skip


@dataclass(frozen=True)
class Curve:
    """One seed's run: a value for each step."""

    seed: int
    reward: tuple[float, ...]
    above_chance: tuple[float, ...]
    answered: tuple[float, ...]
    level: tuple[float, ...]

    @property
    def rise(self) -> float:
        """How much the mean of the last steps is above that of the first."""
        return fmean(self.reward[-ENDS:]) - fmean(self.reward[:ENDS])


def prove(
    recipe: Recipe,
    seeds: Sequence[int],
    out: Path,
    videos: Path | None = None,
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> list[Curve]:
    """Train once a seed; leaves `curve.png` and `curve.json` in `out`.

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

            def show(step: int, what: str = f"seed {seed}", before: int = number * recipe.steps) -> None:
                progress(before + step, total, what)

            run = out / f"seed-{seed}"
            given = [f"data=live:{videos}", f"model={run / 'model'}", f"reward_url={url}", f"seed={seed}"]
            places = [f"out={run / 'checkpoints'}", f"data.videossr.clip_cache={out / 'clips'}"]
            settings = [*given, *places, *recipe.settings()]
            loss = make_model(run / "model", recipe, settings, seed)
            show(0, f"seed {seed} knows the form (loss {loss:.2f})")
            curves.append(_train(settings, run, seed, show))
    (out / "curve.json").write_text(json.dumps({"recipe": asdict(recipe), "curves": [asdict(one) for one in curves]}, indent=2))
    plot(curves, recipe, out / "curve.png")
    return curves


def make_model(folder: Path, recipe: Recipe, settings: Sequence[str], seed: int) -> float:
    """A tiny model that answers in the right form, at random; gives its loss."""
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
    live = LiveQuestions(data.spec, videos, cache=data.cache)  # not measured: its words are to be learned from them
    questions = [live[at] for at in range(WARM_QUESTIONS)]

    answer = random_answer(task, questions, recipe.shuffled)
    texts = [f"{part['text']}{answer(question, rng)}" for question in questions for part in question["raw_prompt"][-1]["content"] if "text" in part]  # fmt: skip
    make_tiny_model(folder, [*texts, "<0.5 seconds>user assistant"], hidden=recipe.hidden, layers=recipe.layers, seed=seed)
    return asyncio.run(warm_up(folder, questions, config.data, answer, steps=recipe.warm_up, seed=seed))


def random_answer(
    task: tasks.Task, questions: Sequence[dict[str, Any]], shuffled: bool
) -> Callable[[dict[str, Any], Random], str]:
    """What the warm-up says to a question: a guess in the right form, or the right answer of any question."""

    def answer(question: dict[str, Any], rng: Random) -> str:
        asked = rng.choice(questions) if shuffled else question
        said = task.read_truth(asked["reward_model"]["ground_truth"])
        if not shuffled:
            info = question["extra_info"]
            said = said.guess(rng, task.guess_space(json.loads(info["params"]), info["frame_times"][0]))
        return f"<answer>{said.format()}</answer>"

    return answer


def _train(settings: Sequence[str], run: Path, seed: int, progress: Callable[[int], None]) -> Curve:
    log, metrics = run / "train.log", run / "metrics.jsonl"
    with log.open("wb") as told:
        process = subprocess.Popen(
            [sys.executable, "-m", "trainer", "--cpu", *settings], cwd=ROOT, stdout=told, stderr=told,
            env={**os.environ, "VERL_FILE_LOGGER_PATH": str(metrics)},
        )  # fmt: skip
        try:
            while process.poll() is None:
                time.sleep(0.5)
                progress(len(metrics.read_text().splitlines()) if metrics.exists() else 0)
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait()
    if process.returncode:
        raise RuntimeError(f"training with seed {seed} ended with exit code {process.returncode}; its log is {log}")
    return read_curve(metrics, seed)


def read_curve(metrics: Path, seed: int) -> Curve:
    """What verl's file logger wrote."""
    steps = [json.loads(line)["data"] for line in metrics.read_text().splitlines()]

    def each(name: str) -> tuple[float, ...]:
        return tuple(fmean(value for key, value in step.items() if key.startswith("portion/") and key.endswith(f"/{name}")) for step in steps)  # fmt: skip

    return Curve(seed, each("score"), each("above_chance"), each("answered"), each("level"))


@contextmanager
def reward_service(log: Path) -> Iterator[str]:
    """A service of this checkout on loopback; gives its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as told:
        process = subprocess.Popen(
            [sys.executable, "-m", "dataset_builder.cli", "serve", "--port", str(port)], cwd=ROOT, stdout=told, stderr=told
        )
        try:
            _wait_until_ready(url, process, log)
            yield url
        finally:
            process.terminate()
            process.wait()


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the reward service did not start; its log is {log}")


def plot(curves: Sequence[Curve], recipe: Recipe, path: Path) -> None:
    """Rewards by step, with the start and the best blind answer."""
    from matplotlib.figure import Figure

    task = tasks.get(recipe.task)
    floor = task.chance(task.params(recipe.difficulty, recipe.overrides), recipe.frames).smooth
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    for curve in curves:
        axes.plot(range(1, len(curve.reward) + 1), _smoothed(curve.reward), label=f"seed {curve.seed}: +{curve.rise:.2f}")
        axes.plot(range(1, len(curve.reward) + 1), curve.reward, color=axes.lines[-1].get_color(), alpha=0.2)
    start = fmean(value for curve in curves for value in curve.reward[:ENDS])
    axes.axhline(start, color="gray", linestyle=":", label="random answers in the right form")
    axes.axhline(floor, color="black", linestyle="--", label="best answer without looking")
    axes.set(
        title=f"{recipe.task}: GRPO on a CPU, rewards over HTTP",
        xlabel="training step",
        ylabel="mean smooth reward",
        ylim=(0, 1),
    )
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=120)


def _smoothed(values: Sequence[float], width: int = 5) -> list[float]:
    return [fmean(values[max(0, at - width + 1) : at + 1]) for at in range(len(values))]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m trainer.proof", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("proof"), help="folder for models, logs and the curve")
    parser.add_argument("--videos", type=Path, help="a folder of videos; rendered sample footage without it")
    parser.add_argument("--seeds", default="0,1,2", help="one run each (default: 0,1,2)")
    parser.add_argument("--task", choices=tasks.names(), help=f"default: {DEFAULT.task}; with --long {LONG.task}")
    parser.add_argument("--steps", type=int, help="training steps")
    parser.add_argument("--curriculum", action="store_true", help="levels follow the rewards, instead of staying")
    parser.add_argument(
        "--long", action="store_true", help="for longer, at a question that takes looking: when are the colours inverted"
    )
    given = parser.parse_args(arguments)
    prepare_environment(cpu=True)
    from tqdm import tqdm

    from .cpu.torchvision import make_importable

    make_importable()
    base = LONG if given.long else DEFAULT
    recipe = Recipe(
        **{**asdict(base), "task": given.task or base.task, "steps": given.steps or base.steps, "curriculum": given.curriculum}
    )
    seeds = [int(seed) for seed in given.seeds.split(",")]
    with tqdm(total=len(seeds) * recipe.steps, unit="step", desc="train") as bar:

        def show(done: int, total: int, what: str) -> None:
            if done > bar.n or what != bar.desc.removesuffix(": "):  # it is called twice a second, and a log is no terminal
                bar.set_description(what)
                bar.update(done - bar.n)

        curves = prove(recipe, seeds, given.out.absolute(), given.videos and given.videos.absolute(), show)
    for curve in curves:
        print(
            f"seed {curve.seed}: mean reward {fmean(curve.reward[:ENDS]):.3f} in the first {ENDS} steps, "
            f"{fmean(curve.reward[-ENDS:]):.3f} in the last: {curve.rise:+.3f}"
        )
    print(f"curve: {given.out / 'curve.png'} and curve.json")
    return 0 if all(curve.rise >= RISE for curve in curves) else 1


if __name__ == "__main__":
    sys.exit(main())
