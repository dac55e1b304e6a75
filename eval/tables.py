"""Results as tables: Markdown to read, CSV and JSON for programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isnan
from typing import Any

from . import paper
from .intervals import Estimate
from .results import Column, Results

BLIND_BASELINE = "blind baseline"
_SHORT = {"counting": "count", "grounding_": "", "channel_swap": "channel", "rotate_180": "rotate", "zoom_out": "zoom out"}
_COUNTS = ("asked", "failed", "unparsed", "beyond")


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
    columns = [*results.columns, results.overall] if len(results.columns) > 1 else [results.overall]
    others = list(dict.fromkeys(name for column in columns for name in column.others))
    counts = [name for name in _COUNTS if name != "beyond" or results.overall.beyond]
    titles = ["beyond its clock" if name == "beyond" else name for name in counts]
    header = [
        "column",
        "metric, reading",
        "value [95 %]",
        "chance",
        "above chance",
        *others,
        *titles,
        "failed as 0",
        "parsed alone",
    ]
    return header, [_row(column, others, counts) for column in columns]


def _row(column: Column, others: Sequence[str], counts: Sequence[str]) -> list[str]:
    values = [column.chance, column.above_chance, *(column.others.get(name) for name in others)]
    return [
        column.name,
        f"{column.metric}, {column.reading}",
        with_interval(column.value),
        *map(percent, values),
        *(str(getattr(column, name)) for name in counts),
        percent(column.of_all),
        percent(column.released),
    ]


def side_by_side(runs: Sequence[Results], *, with_paper: bool) -> tuple[list[str], list[list[str]]]:
    """(header, rows): one row for each run, then the blind baseline, then the paper's rows; values in percent."""
    names = list(dict.fromkeys(column.name for results in runs for column in results.columns))
    shown = names if len(names) > 1 else []
    header = ["model", *map(short_name, shown), "overall [95 %]"]
    rows = []
    for results in runs:
        cells = [percent(column.value.mean) if column else "–" for column in map(results.column, shown)]
        rows.append([results.label, *cells, with_interval(results.overall.value)])
    cells = [percent(column.chance) if column else "–" for column in map(runs[0].column, shown)]
    rows.append([BLIND_BASELINE, *cells, percent(runs[0].overall.chance)])
    if with_paper:
        rows += [[f"paper: {model}", *(f"{value:.1f}" for value in values)] for model, values in paper.VIUBENCH.items()]
    return header, rows


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, padded so that its columns also line up as plain text."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [[row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])] for row in cells]
    rules = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in (lines[0], rules, *lines[1:]))


def to_csv(runs: Sequence[Results]) -> str:
    """CSV with one line for each column of each run; values in [0, 1]."""
    lines = []
    for results in runs:
        for fields in map(_to_dict, (*results.columns, results.overall)):
            value, others, name = fields.pop("value") or {}, fields.pop("others"), fields.pop("name")
            metric, reading = fields.pop("metric"), fields.pop("reading")
            named = {
                "model": results.label,
                "column": name,
                "metric": metric,
                "reading": reading,
                "value": value.pop("mean", None),
            }
            lines.append({**named, **value, **fields, **others})
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(dict.fromkeys(name for line in lines for name in line)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return buffer.getvalue()


def to_dict(results: Results) -> Mapping[str, Any]:
    """Results for JSON; null where there is no value."""
    named = {"model": results.label, "overall": _to_dict(results.overall), "columns": list(map(_to_dict, results.columns))}
    return {**named, "failures": dict(results.failures), "notes": list(results.notes)}


def _to_dict(column: Column) -> dict[str, Any]:
    fields = {**asdict(column), "above_chance": column.above_chance}
    if isnan(column.value.mean):
        fields |= {"value": None}
    return {name: None if isinstance(value, float) and isnan(value) else value for name, value in fields.items()}
