"""A benchmark's figures: printed as they come, then written into BENCHMARKS.md, ratios first."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tests.footage import has_shared

PAGE = Path(__file__).resolve().parents[2] / "BENCHMARKS.md"
RATIOS = ("×", "%")


@dataclass(frozen=True)
class Figure:
    """One line. `aim` is text as `≥ 2`, or "" for a figure that is only reported."""

    name: str
    value: float
    unit: str
    aim: str
    met: bool
    detail: str


class Table:
    """The figures of one benchmark.

    Args:
        command: what runs it, as `make bench-build`; the name of its section.
        about: what is measured, in a sentence or two.
    """

    def __init__(self, command: str, about: str) -> None:
        self._command, self._about = command, about
        self._figures: list[Figure] = []

    def add(self, name: str, value: float, sign: str = "", aim: float = 0.0, detail: str = "", *, unit: str = "×") -> None:
        """A figure; `sign` is ≤ or ≥ where there is an aim."""
        met = value <= aim if sign == "≤" else value >= aim if sign == "≥" else True
        figure = Figure(name, value, unit, f"{sign} {aim:g}" if sign else "", met, detail)
        self._figures.append(figure)
        print(f"{'ok ' if met else 'NOT'} {name:82} {_number(value):>9} {unit:5} {figure.aim:8} {detail}", flush=True)

    def save(self) -> None:
        """Put the table into BENCHMARKS.md, where the last one of this command stood, or at the end."""
        ordered = sorted(self._figures, key=lambda figure: figure.unit not in RATIOS)
        lines = ["| what | measured | aim | |", "|---|---|---|---|"]
        for one in ordered:
            aim = one.aim if one.met else f"{one.aim}, **missed**"
            lines.append(f"| {one.name} | {_number(one.value)} {one.unit} | {aim} | {one.detail} |")
        begin, end = f"<!-- {self._command} -->", f"<!-- end of {self._command} -->"
        footage = "the 25 test clips" if has_shared() else "rendered footage"
        where = f"{date.today()}, {platform.machine()}, {footage}"
        section = "\n".join([begin, f"## `{self._command}`", "", f"{self._about} ({where})", "", *lines, end])
        page = PAGE.read_text()
        if begin in page:
            page = re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: section, page, flags=re.S)
        else:
            page = f"{page.rstrip()}\n\n{section}\n"
        PAGE.write_text(page)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
