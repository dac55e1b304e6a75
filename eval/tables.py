"""Results as tables: Markdown to read, CSV and JSON for programs."""

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

BLIND_BASELINE = "blind baseline"
_SHORT = {"counting": "count", "grounding_": "", "channel_swap": "channel", "rotate_180": "rotate", "zoom_out": "zoom out"}


def percent(value: float | None) -> str:
    """`24.9` for 0.249; a dash for None or NaN."""
    return "–" if value is None or isnan(value) else f"{100 * value:.1f}"


def with_interval(estimate: Estimate) -> str:
    """`24.9 [24.3, 25.5]`, in percent."""
    if estimate.low is None or estimate.high is None:
        return percent(estimate.mean)
    return f"{percent(estimate.mean)} [{percent(estimate.low)}, {percent(estimate.high)}]"


def short_name(column: str) -> str:
    """A column's name as a table header."""
    for name, short in _SHORT.items():
        column = column.replace(name, short)
    return column.replace("_", " ")


def run_table(results: Results) -> tuple[list[str], list[list[str]]]:
    """(header, rows) of one run, one row for each column of the benchmark; values in percent."""
    others = list(dict.fromkeys(name for column in (*results.columns, results.overall) for name in column.others))
    header = [
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
    columns = [*results.columns, results.overall] if len(results.columns) > 1 else [results.overall]
    return header, [_row(column, others) for column in columns]


def _row(column: Column, others: Sequence[str]) -> list[str]:
    other_values = [percent(column.others.get(name)) for name in others]
    counts = [str(column.asked), str(column.failed), str(column.unparsed)]
    values = [with_interval(column.value), percent(column.chance), percent(column.above_chance)]
    return [column.name, column.metric, *values, *other_values, *counts, percent(column.of_all), percent(column.released)]


def side_by_side(runs: Sequence[Results], *, with_paper: bool) -> tuple[list[str], list[list[str]]]:
    """(header, rows): one row for each run, then the blind baseline, then the paper's rows; values in percent."""
    names = list(dict.fromkeys(column.name for results in runs for column in results.columns))
    several = len(names) > 1
    header = ["model", *([short_name(name) for name in names] if several else []), "overall [95 %]"]
    rows = []
    for results in runs:
        cells = [percent(column.value.mean) if column else "–" for column in map(results.column, names)] if several else []
        rows.append([results.label, *cells, with_interval(results.overall.value)])
    cells = [percent(column.chance) if column else "–" for column in map(runs[0].column, names)] if several else []
    rows.append([BLIND_BASELINE, *cells, percent(runs[0].overall.chance)])
    if with_paper:
        for model, values in paper.VIUBENCH.items():
            by_column = dict(zip(paper.COLUMNS, values, strict=False))
            cells = [f"{by_column[name]:.1f}" if name in by_column else "–" for name in names]
            rows.append([f"paper: {model}", *cells, f"{values[-1]:.1f}"])
    return header, rows


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, padded so that its columns also line up as plain text."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (header, *rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(header))]

    def line(row: Sequence[str]) -> str:
        first, *rest = (
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        return f"| {' | '.join([first, *rest])} |"

    rules = [("-" * (width + 2)) if index == 0 else "-" * (width + 1) + ":" for index, width in enumerate(widths)]
    return "\n".join([line(cells[0]), f"|{'|'.join(rules)}|", *map(line, cells[1:])])


def to_csv(runs: Sequence[Results]) -> str:
    """CSV with one line for each column of each run; values in [0, 1]."""
    columns = [(results.label, column) for results in runs for column in (*results.columns, results.overall)]
    others = list(dict.fromkeys(name for _, column in columns for name in column.others))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["model", "column", "metric", "value", "low", "high", "chance", "above_chance", "asked", "failed", "unparsed", "failed_as_0", "parsed_alone", *others])  # fmt: skip
    for label, column in columns:
        values = [column.value.mean, column.value.low, column.value.high, column.chance, column.above_chance]
        counts = [column.asked, column.failed, column.unparsed]
        other_values = [column.others.get(name, "") for name in others]
        writer.writerow([label, column.name, column.metric, *values, *counts, column.of_all, column.released, *other_values])
    return buffer.getvalue()


def to_dict(results: Results) -> Mapping[str, Any]:
    """Results for JSON; null where there is no value."""
    columns = [_column_dict(column) for column in results.columns]
    return {
        "model": results.label,
        "overall": _column_dict(results.overall),
        "columns": columns,
        "failures": dict(results.failures),
        "notes": list(results.notes),
    }


def _column_dict(column: Column) -> dict[str, Any]:
    fields = {**asdict(column), "above_chance": column.above_chance}
    if isnan(column.value.mean):
        fields |= {"value": None, "above_chance": None}
    return fields
