"""Plots: several runs with their intervals, and the gain of one run over another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from . import paper
from .compare import Comparison
from .results import OVERALL, Column, Results
from .tables import BLIND_BASELINE, short_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#2f6db3", "#c0504d", "#5b9a3c", "#8064a2", "#d08a2e", "#2a9d9d", "#7f7f7f")
BASELINE_GREY = "#b0b0b0"
PAPER = {"paper: Qwen3-VL-8B": ("Qwen3-VL-8B", "o"), "paper: VideoSSR-8B": ("VideoSSR-8B", "D")}


def plot_runs(runs: Sequence[Results], file: Path | IO[bytes], *, with_paper: bool) -> None:
    """Write a PNG: for each column one point per run, with its 95 % interval, and the blind baseline as a line."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(column.name for results in runs for column in results.columns))
    names = [*names, OVERALL] if len(names) > 1 else [OVERALL]
    figure = Figure(figsize=(max(5, 1.25 * len(names) + 2.5), 4.2), layout="constrained")
    axes: Axes = figure.subplots()
    for index, name in enumerate(names):
        column = _column(runs[0], name)
        if column:
            label = BLIND_BASELINE if index == 0 else "_"
            left, right = index - 0.4, index + 0.4
            axes.hlines(100 * column.chance, left, right, color=BASELINE_GREY, linewidth=6, alpha=0.6, label=label, zorder=1)
    for number, results in enumerate(runs):
        _plot_points(axes, results, names, (number + 0.5) / len(runs) * 0.7 - 0.35, COLOURS[number % len(COLOURS)])
    if with_paper:
        for label, (model, marker) in PAPER.items():
            values = dict(zip((*paper.COLUMNS, OVERALL), paper.VIUBENCH[model], strict=True))
            axes.plot([index for index, name in enumerate(names) if name in values], [values[name] for name in names if name in values],
                      marker, color="black", markerfacecolor="none", markersize=7, label=label, zorder=2)  # fmt: skip
    axes.set_xticks(range(len(names)), [short_name(name) for name in names], rotation=30 if len(names) > 4 else 0)
    axes.set(ylabel="%", ylim=(-2, 102), xlim=(-0.6, len(names) - 0.4))
    axes.grid(axis="y", alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    figure.savefig(file, dpi=110, format="png")


def _plot_points(axes: Axes, results: Results, names: Sequence[str], shift: float, colour: str) -> None:
    points = [(index + shift, column.value) for index, name in enumerate(names) if (column := _column(results, name))]
    x, means = [place for place, _ in points], [100 * value.mean for _, value in points]
    below = [100 * (value.mean - value.ends[0]) for _, value in points]
    above = [100 * (value.ends[1] - value.mean) for _, value in points]
    axes.errorbar(x, means, yerr=[below, above], fmt="s", markersize=5, capsize=2, color=colour, label=results.label, zorder=3)


def _column(results: Results, name: str) -> Column | None:
    return results.overall if name == OVERALL else results.column(name)


def plot_comparison(comparison: Comparison, file: Path | IO[bytes]) -> None:
    """Write a PNG: the gain of the second run over the first in each column, with its 95 % interval."""
    from matplotlib.figure import Figure

    columns = [*comparison.columns, comparison.overall] if len(comparison.columns) > 1 else [comparison.overall]
    figure = Figure(figsize=(7, 1.2 + 0.42 * len(columns)), layout="constrained")
    axes: Axes = figure.subplots()
    for y, column in enumerate(reversed(columns)):
        colour = {"better": COLOURS[2], "worse": COLOURS[1]}.get(column.verdict, COLOURS[6])
        mean, (low, high) = column.gain.mean, column.gain.ends
        reach = [[100 * (mean - low)], [100 * (high - mean)]]
        axes.errorbar(100 * mean, y, xerr=reach, fmt="s", capsize=3, color=colour)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(columns)), [short_name(column.column) for column in reversed(columns)])
    axes.set_xlabel(f"gain of {comparison.second} over {comparison.first}, points (95 % interval over source videos)")
    axes.grid(axis="x", alpha=0.3)
    figure.savefig(file, dpi=110, format="png")
