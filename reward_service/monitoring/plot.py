"""The bimodality plot: the share of groups without gradient, with strict and with smooth rewards."""

from collections import Counter
from pathlib import Path
from typing import Any

from dataset_builder.tasks import UsageError

NO_GRADIENT, GRADIENT, SMOOTH = "#c0504d", "#9bbb59", "#4f81bd"  # colors


def plot(runs: dict[str, dict[str, dict[str, Any]]], path: Path) -> None:
    """Plot the hits per group and the smooth scores for each task of each run of `Statistics.summary`.

    With strict rewards, groups with no or only hits have no gradient. The suffix of `path` is the format, e.g. `.png`. Raises
    UsageError if no group has several rollouts, ValueError if matplotlib does not know the format.
    """
    from matplotlib.figure import Figure

    rows = [
        (f"{run} {task}".strip(), list(levels.values()))
        for run, by_task in runs.items()
        for task, levels in by_task.items()
        if any(level["hits"] for level in levels.values())
    ]
    if not rows:
        raise UsageError("nothing to plot: no group has several rollouts")
    figure = Figure(figsize=(9, 2.9 * len(rows)), layout="constrained")
    for (strict, smooth), (title, levels) in zip(figure.subplots(len(rows), 2, squeeze=False), rows, strict=True):
        size, hits = _hits_of_main_size(levels)
        colors = [NO_GRADIENT if k in (0, size) else GRADIENT for k in range(size + 1)]
        strict.bar(range(size + 1), [100 * count / sum(hits) for count in hits], color=colors)
        flat, ticks = (hits[0] + hits[-1]) / sum(hits), range(0, size + 1, max(1, size // 8))
        strict.set(
            title=f"{title}, strict: {flat:.0%} without gradient", xlabel=f"hits of {size}", ylabel="groups, %", xticks=ticks
        )
        scores = [sum(column) for column in zip(*(level["histogram"] for level in levels), strict=True)]
        centers = [(k + 0.5) / len(scores) for k in range(len(scores))]
        smooth.bar(centers, [100 * count / sum(scores) for count in scores], width=0.9 / len(scores), color=SMOOTH)
        groups = sum(level["groups"] for level in levels)
        flat = sum(level["zero_variance"] * level["groups"] for level in levels if level["groups"]) / groups
        smooth.set(title=f"{title}, smooth: {flat:.0%}", xlabel="score", ylabel="rollouts, %", xlim=(0, 1))
    figure.savefig(path, dpi=110)


def _hits_of_main_size(levels: list[dict[str, Any]]) -> tuple[int, list[int]]:
    """The most frequent group size, and the number of its groups with 0, 1, … hits."""
    by_size: dict[int, Counter[int]] = {}
    for level in levels:
        for size, counts in level["hits"].items():
            by_size.setdefault(int(size), Counter()).update(dict(enumerate(counts)))
    size, hits = max(by_size.items(), key=lambda entry: entry[1].total())
    return size, [hits[k] for k in range(size + 1)]
