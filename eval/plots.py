"""Plots: runs beside each other with their intervals, and the gains of one over another."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from . import paper
from .compare import Comparison
from .results import OVERALL, Column, Results
from .tables import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = ("#2f6db3", "#c0504d", "#5b9a3c", "#8064a2", "#d08a2e", "#2a9d9d", "#7f7f7f")
FLOOR = "#b0b0b0"
PAPER = {"paper: Qwen3-VL-8B": ("Qwen3-VL-8B", "o"), "paper: VideoSSR-8B": ("VideoSSR-8B", "D")}


def plot_runs(runs: Sequence[Results], to: Path | IO[bytes], *, with_paper: bool) -> None:
    """A group of points for each column, one a run, with 95 % intervals; the floor of blind answers as a line."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(column.name for found in runs for column in found.columns))
    names = [*names, OVERALL] if len(names) > 1 else [OVERALL]
    figure = Figure(figsize=(max(5, 1.25 * len(names) + 2.5), 4.2), layout="constrained")
    axes: Axes = figure.subplots()
    for at, name in enumerate(names):
        column = _column(runs[0], name)
        if column:
            label = "best blind answer" if at == 0 else "_"
            axes.hlines(100 * column.chance, at - 0.4, at + 0.4, color=FLOOR, linewidth=6, alpha=0.6, label=label, zorder=1)
    for number, found in enumerate(runs):
        _points(axes, found, names, (number + 0.5) / len(runs) * 0.7 - 0.35, COLOURS[number % len(COLOURS)])
    if with_paper:
        for label, (model, shape) in PAPER.items():
            told = dict(zip((*paper.COLUMNS, OVERALL), paper.VIUBENCH[model], strict=True))
            axes.plot([at for at, name in enumerate(names) if name in told], [told[name] for name in names if name in told],
                      shape, color="black", markerfacecolor="none", markersize=7, label=label, zorder=2)  # fmt: skip
    axes.set_xticks(range(len(names)), [short(name) for name in names], rotation=30 if len(names) > 4 else 0)
    axes.set(ylabel="%", ylim=(-2, 102), xlim=(-0.6, len(names) - 0.4))
    axes.grid(axis="y", alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    figure.savefig(to, dpi=110, format="png")


def _points(axes: Axes, found: Results, names: Sequence[str], shift: float, colour: str) -> None:
    known = [(at, column) for at, name in enumerate(names) if (column := _column(found, name))]
    means = [100 * column.value.mean for _, column in known]
    low = [
        100 * (column.value.mean - (column.value.mean if column.value.low is None else column.value.low)) for _, column in known
    ]
    high = [
        100 * ((column.value.mean if column.value.high is None else column.value.high) - column.value.mean)
        for _, column in known
    ]
    places = [at + shift for at, _ in known]
    axes.errorbar(places, means, yerr=[low, high], fmt="s", markersize=5, capsize=2, color=colour, label=found.label, zorder=3)


def _column(found: Results, name: str) -> Column | None:
    return found.overall if name == OVERALL else found.column(name)


def plot_comparison(found: Comparison, to: Path | IO[bytes]) -> None:
    """The gain of the second run in each column, with its interval, against 0."""
    from matplotlib.figure import Figure

    shown = [*found.columns, found.overall] if len(found.columns) > 1 else [found.overall]
    figure = Figure(figsize=(7, 1.2 + 0.42 * len(shown)), layout="constrained")
    axes: Axes = figure.subplots()
    for at, one in enumerate(reversed(shown)):
        colour = {"better": COLOURS[2], "worse": COLOURS[1]}.get(one.verdict, COLOURS[6])
        low, high = (one.gain.mean if end is None else end for end in (one.gain.low, one.gain.high))
        axes.errorbar(100 * one.gain.mean, at, xerr=[[100 * (one.gain.mean - low)], [100 * (high - one.gain.mean)]],
                      fmt="s", capsize=3, color=colour)  # fmt: skip
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(shown)), [short(one.column) for one in reversed(shown)])
    axes.set_xlabel(f"gain of {found.second} over {found.first}, points (95 % interval over source videos)")
    axes.grid(axis="x", alpha=0.3)
    figure.savefig(to, dpi=110, format="png")
