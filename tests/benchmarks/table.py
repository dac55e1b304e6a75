"""Figures against what the project aims at, printed as they come."""

from __future__ import annotations

import json
from pathlib import Path


class Table:
    """A benchmark's lines."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, float, str, float, str]] = []

    def add(self, name: str, value: float, sign: str, aim: float, detail: str = "") -> None:
        """One line; `sign` is ≤ or ≥."""
        met = value <= aim if sign == "≤" else value >= aim
        self.rows.append((name, value, sign, aim, detail))
        print(f"{'ok ' if met else 'NOT'} {name:82} {value:9.2f}  {sign} {aim:<7g} {detail}", flush=True)

    def write(self, path: Path) -> None:
        names = ("name", "value", "sign", "aim", "detail")
        path.write_text(json.dumps([dict(zip(names, row, strict=True)) for row in self.rows], indent=2))
