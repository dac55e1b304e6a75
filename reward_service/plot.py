"""The bimodality plot: the share of groups without gradient, with strict and with smooth rewards."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dataset_builder.tasks import UsageError

NO_GRADIENT, GRADIENT, SMOOTH = "#c0504d", "#9bbb59", "#4f81bd"  # colors


def plot(tasks: dict[str, dict[str, Any]], path: Path) -> None:
    """For each task, plot the hits per group (strict; groups with none or all have no gradient) and the smooth scores.

    Args:
        tasks: the result of `GroupStats.summarize`.
        path: the file to write; its suffix is the format, e.g. `.png` or `.svg`.

    Raises:
        UsageError: if no group has several rollouts.
        ValueError: if matplotlib does not know the format.
    """
    from matplotlib.figure import Figure

    hits_by_task = {task: entry for task, levels in tasks.items() if (entry := _hits_of_main_size(levels)) is not None}
    if not hits_by_task:
        raise UsageError("nothing to plot: no group has several rollouts")
    figure = Figure(figsize=(9, 2.9 * len(hits_by_task)), layout="constrained")
    grid = figure.subplots(len(hits_by_task), 2, squeeze=False)
    for row, (task, (size, hits)) in zip(grid, hits_by_task.items(), strict=True):
        total = sum(hits)
        percentages = [100 * count / total for count in hits]
        colors = [NO_GRADIENT if k in (0, size) else GRADIENT for k in range(size + 1)]
        row[0].bar(range(size + 1), percentages, color=colors)
        row[0].set(
            title=f"{task}: strict",
            xlabel=f"hits in a group of {size}",
            ylabel="groups, %",
            xticks=range(0, size + 1, max(1, size // 8)),
        )
        row[0].text(
            0.5,
            0.95,
            f"{percentages[0] + percentages[-1]:.0f} % without gradient",
            color=NO_GRADIENT,
            ha="center",
            va="top",
            transform=row[0].transAxes,
        )
        scores = [sum(column) for column in zip(*(level["histogram"] for level in tasks[task].values()), strict=True)]
        centers = [(k + 0.5) / len(scores) for k in range(len(scores))]
        row[1].bar(centers, [100 * count / sum(scores) for count in scores], width=0.9 / len(scores), color=SMOOTH)
        zero_variance = _mean_over_groups(tasks[task], "zero_variance")
        row[1].set(title=f"{task}: smooth", xlabel="score", ylabel="rollouts, %", xlim=(0, 1))
        row[1].text(
            0.5,
            0.95,
            f"{100 * zero_variance:.0f} % of groups without gradient",
            color=SMOOTH,
            ha="center",
            va="top",
            transform=row[1].transAxes,
        )
    figure.savefig(path, dpi=110)


def _hits_of_main_size(levels: dict[str, Any]) -> tuple[int, list[int]] | None:
    """The most frequent group size, and the number of its groups with 0, 1, … hits."""
    hits_by_size: dict[int, list[int]] = {}
    for level in levels.values():
        for size, counts in level["hits"].items():
            total = hits_by_size.setdefault(int(size), [0] * len(counts))
            hits_by_size[int(size)] = [a + b for a, b in zip(total, counts, strict=True)]
    return max(hits_by_size.items(), key=lambda entry: sum(entry[1])) if hits_by_size else None


def _mean_over_groups(levels: dict[str, Any], key: str) -> float:
    groups = sum(level["groups"] for level in levels.values())
    return sum(level[key] * level["groups"] for level in levels.values() if level["groups"]) / groups if groups else 0.0
