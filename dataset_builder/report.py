"""What a build left out, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .dealing import Unit
from .errors import BuildError
from .questions import Refusal
from .spec import BuildSpec


@dataclass
class Report:
    """Counts over a build; reports of its pieces add up with `update`.

    Attributes:
        made: rows by portion.
        wanted: items by portion.
        refused: attempts at a question that failed, by (portion, reason).
        unusable: videos by name, with the reason.
        repeated: videos left out because their content is that of another, by name.
    """

    made: Counter[str] = field(default_factory=Counter)
    wanted: Counter[str] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    unusable: dict[str, str] = field(default_factory=dict)
    repeated: dict[str, str] = field(default_factory=dict)

    def expect(self, unit: Unit, spec: BuildSpec) -> None:
        self.wanted.update(spec.portions[item.portion].name for item in unit.items)

    def add(self, refusal: Refusal) -> None:
        if refusal.portion:
            for reason in refusal.reason.split("; "):
                self.refused[refusal.portion, reason] += 1
        else:
            self.unusable[refusal.source] = refusal.reason

    def update(self, other: Report) -> None:
        self.made.update(other.made)
        self.wanted.update(other.wanted)
        self.refused.update(other.refused)
        self.unusable.update(other.unusable)
        self.repeated.update(other.repeated)

    @property
    def missing(self) -> dict[str, int]:
        """Items that no video gave, by portion."""
        return {name: count - self.made[name] for name, count in sorted(self.wanted.items()) if count > self.made[name]}

    def check(self) -> None:
        """Raise BuildError if nothing was made."""
        if not self.made.total():
            raise BuildError(f"no question could be made:\n{self.table()}")

    @property
    def left_out(self) -> bool:
        """Whether anything was refused or not used."""
        return bool(self.refused or self.unusable or self.repeated)

    def to_dict(self) -> dict[str, Any]:
        return {
            "made": dict(sorted(self.made.items())),
            "wanted": dict(sorted(self.wanted.items())),
            "refused": [[name, reason, count] for (name, reason), count in sorted(self.refused.items())],
            "unusable": dict(sorted(self.unusable.items())),
            "repeated": dict(sorted(self.repeated.items())),
        }

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Report:
        return cls(
            made=Counter(values["made"]),
            wanted=Counter(values["wanted"]),
            refused=Counter({(name, reason): count for name, reason, count in values["refused"]}),
            unusable=dict(values["unusable"]),
            repeated=dict(values["repeated"]),
        )

    def table(self) -> str:
        """The report as text, for a terminal."""
        lines = _table(
            ("portion", "rows", "of"), ((name, self.made[name], count) for name, count in sorted(self.wanted.items()))
        )
        if self.refused:
            refused = sorted(self.refused.items(), key=lambda entry: (entry[0][0], -entry[1], entry[0][1]))
            lines += ["", *_table(("refused", "times", "why"), ((name, count, reason) for (name, reason), count in refused))]
        left_out = [*self.unusable.items(), *((name, f"same content as {other}") for name, other in self.repeated.items())]
        if left_out:
            lines += ["", *_table(("video not used", "why"), sorted(left_out))]
        return "\n".join(lines)


def _table(head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> list[str]:
    cells = [head, *(tuple(map(str, row)) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(head))]
    rule = tuple("-" * width for width in widths)
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (head, rule, *cells[1:])
    ]
