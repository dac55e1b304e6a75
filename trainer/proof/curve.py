"""The curve of a proof run: read from verl's metrics, and plotted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from dataset_builder import tasks

from .recipe import Recipe

EDGE_STEPS = 5  # number of first and of last steps that are averaged


@dataclass(frozen=True)
class Curve:
    """Metrics of one seed's run, one value per step.

    `difference` is that between the probabilities which rollouts sampled from and those which training computes, in the mean.
    """

    seed: int
    reward: tuple[float, ...]
    above_chance: tuple[float, ...]
    answered: tuple[float, ...]
    level: tuple[float, ...]
    difference: tuple[float, ...]

    @property
    def rise(self) -> float:
        """Mean reward of the last `EDGE_STEPS` steps minus that of the first."""
        return fmean(self.reward[-EDGE_STEPS:]) - fmean(self.reward[:EDGE_STEPS])


def read_curve(metrics: Path, seed: int) -> Curve:
    """Read the metrics file of verl's file logger; each value is a mean over portions."""
    steps = [json.loads(line)["data"] for line in metrics.read_text().splitlines()]

    def values(name: str) -> tuple[float, ...]:
        return tuple(fmean(value for key, value in step.items() if key.startswith("portion/") and key.endswith(f"/{name}")) for step in steps)  # fmt: skip

    difference = tuple(step["training/rollout_probs_diff_mean"] for step in steps)
    return Curve(seed, values("score"), values("above_chance"), values("answered"), values("level"), difference)


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
