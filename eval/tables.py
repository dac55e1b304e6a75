"""Results as tables: Markdown for people, CSV and plain values for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isnan
from typing import Any

from . import paper
from .bootstrap import Estimate
from .results import Column, Results

_SHORT = {"counting": "count", "grounding_": "", "channel_swap": "channel", "rotate_180": "rotate", "zoom_out": "zoom out"}


def percent(value: float | None) -> str:
    return "–" if value is None or isnan(value) else f"{100 * value:.1f}"


def with_interval(found: Estimate) -> str:
    """`24.9 [24.3, 25.5]`, in percent."""
    if found.low is None or found.high is None:
        return percent(found.mean)
    return f"{percent(found.mean)} [{percent(found.low)}, {percent(found.high)}]"


def short(column: str) -> str:
    """A column's name for a table's head."""
    for name, brief in _SHORT.items():
        column = column.replace(name, brief)
    return column.replace("_", " ")


def detail(found: Results) -> tuple[list[str], list[list[str]]]:
    """Head and rows of one run's own table, a row a column of the benchmark; values in percent."""
    others = list(dict.fromkeys(name for column in (*found.columns, found.overall) for name in column.others))
    head = [
        "column",
        "metric",
        "value [95 %]",
        "chance",
        "above chance",
        *others,
        "asked",
        "failed",
        "unparsed",
        "failed as 0",
        "parsed alone",
    ]
    columns = [*found.columns, found.overall] if len(found.columns) > 1 else [found.overall]
    return head, [_row(column, others) for column in columns]


def _row(column: Column, others: Sequence[str]) -> list[str]:
    beside = [percent(column.others.get(name)) for name in others]
    counts = [str(column.asked), str(column.failed), str(column.unparsed)]
    values = [with_interval(column.value), percent(column.chance), percent(column.above_chance)]
    return [column.name, column.metric, *values, *beside, *counts, percent(column.of_all), percent(column.released)]


def side_by_side(runs: Sequence[Results], *, with_paper: bool) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a table with a row a run, the floor below them, then the paper's rows; values in percent."""
    names = list(dict.fromkeys(column.name for found in runs for column in found.columns))
    several = len(names) > 1
    head = ["model", *([short(name) for name in names] if several else []), "overall [95 %]"]
    rows = []
    for found in runs:
        cells = [percent(column.value.mean) if column else "–" for column in map(found.column, names)] if several else []
        rows.append([found.label, *cells, with_interval(found.overall.value)])
    floor = runs[0]
    cells = [percent(column.chance) if column else "–" for column in map(floor.column, names)] if several else []
    rows.append(["best blind answer", *cells, percent(floor.overall.chance)])
    if with_paper:
        for model, values in paper.VIUBENCH.items():
            told = dict(zip(paper.COLUMNS, values, strict=False))
            rows.append(
                [f"paper: {model}", *(f"{told[name]:.1f}" if name in told else "–" for name in names), f"{values[-1]:.1f}"]
            )
    return head, rows


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table whose columns stand below each other in plain text too."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (head, *rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(head))]

    def line(row: Sequence[str]) -> str:
        first, *rest = (
            cell.ljust(width) if at == 0 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return f"| {' | '.join([first, *rest])} |"

    rule = "|" + "|".join(("-" * (width + 2)) if at == 0 else "-" * (width + 1) + ":" for at, width in enumerate(widths)) + "|"
    return "\n".join([line(cells[0]), rule, *map(line, cells[1:])])


def to_csv(runs: Sequence[Results]) -> str:
    """One line a run and column, values as shares."""
    others = list(dict.fromkeys(name for found in runs for column in (*found.columns, found.overall) for name in column.others))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["model", "column", "metric", "value", "low", "high", "chance", "above_chance", "asked", "failed", "unparsed", "failed_as_0", "parsed_alone", *others])  # fmt: skip
    for found in runs:
        for one in (*found.columns, found.overall):
            figures = [one.value.mean, one.value.low, one.value.high, one.chance, one.above_chance]
            counts = [one.asked, one.failed, one.unparsed]
            writer.writerow(
                [
                    found.label,
                    one.name,
                    one.metric,
                    *figures,
                    *counts,
                    one.of_all,
                    one.released,
                    *(one.others.get(name, "") for name in others),
                ]
            )
    return buffer.getvalue()


def to_dict(found: Results) -> Mapping[str, Any]:
    """For JSON, null where there is no value."""
    columns = [_plain(column) for column in found.columns]
    return {
        "model": found.label,
        "overall": _plain(found.overall),
        "columns": columns,
        "failures": dict(found.failures),
        "notes": list(found.notes),
    }


def _plain(column: Column) -> dict[str, Any]:
    held = {**asdict(column), "above_chance": column.above_chance}
    if isnan(column.value.mean):
        held |= {"value": None, "above_chance": None}
    return held
