"""The bimodality plot: how strict rewards leave groups without gradient, where smooth ones do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dataset_builder.tasks import UsageError

FLAT, VARIED, SMOOTH = "#c0504d", "#9bbb59", "#4f81bd"


def plot(tasks: dict[str, dict[str, Any]], path: Path) -> None:
    """For each task: hits in a group (strict; groups of all or none have no gradient), and the scores (smooth).

    Args:
        tasks: as `GroupStats.summarize` gives them.
        path: a file whose ending says its format, as `.png` or `.svg`.

    Raises:
        UsageError: if no group has several rollouts, or the format is unknown.
    """
    from matplotlib.figure import Figure

    shown = {task: found for task, levels in tasks.items() if (found := _hits(levels)) is not None}
    if not shown:
        raise UsageError("nothing to plot: no group has several rollouts")
    figure = Figure(figsize=(9, 2.9 * len(shown)), layout="constrained")
    grid = figure.subplots(len(shown), 2, squeeze=False)
    for row, (task, (size, hits)) in zip(grid, shown.items(), strict=True):
        total = sum(hits)
        shares = [100 * number / total for number in hits]
        row[0].bar(range(size + 1), shares, color=[FLAT if k in (0, size) else VARIED for k in range(size + 1)])
        row[0].set(
            title=f"{task}: strict",
            xlabel=f"hits in a group of {size}",
            ylabel="groups, %",
            xticks=range(0, size + 1, max(1, size // 8)),
        )
        row[0].text(
            0.5,
            0.95,
            f"{shares[0] + shares[-1]:.0f} % without gradient",
            color=FLAT,
            ha="center",
            va="top",
            transform=row[0].transAxes,
        )
        scores = [sum(column) for column in zip(*(level["histogram"] for level in tasks[task].values()), strict=True)]
        edges = [(k + 0.5) / len(scores) for k in range(len(scores))]
        row[1].bar(edges, [100 * number / sum(scores) for number in scores], width=0.9 / len(scores), color=SMOOTH)
        flat = _pooled(tasks[task], "zero_variance")
        row[1].set(title=f"{task}: smooth", xlabel="score", ylabel="rollouts, %", xlim=(0, 1))
        row[1].text(
            0.5,
            0.95,
            f"{100 * flat:.0f} % of groups without gradient",
            color=SMOOTH,
            ha="center",
            va="top",
            transform=row[1].transAxes,
        )
    figure.savefig(path, dpi=110)


def _hits(levels: dict[str, Any]) -> tuple[int, list[int]] | None:
    """The most frequent group size, and how many groups of it have 0, 1, … hits."""
    sizes: dict[int, list[int]] = {}
    for level in levels.values():
        for size, numbers in level["hits"].items():
            known = sizes.setdefault(int(size), [0] * len(numbers))
            sizes[int(size)] = [a + b for a, b in zip(known, numbers, strict=True)]
    return max(sizes.items(), key=lambda entry: sum(entry[1])) if sizes else None


def _pooled(levels: dict[str, Any], key: str) -> float:
    groups = sum(level["groups"] for level in levels.values())
    return sum(level[key] * level["groups"] for level in levels.values() if level["groups"]) / groups if groups else 0.0
