"""What a build made, what it left out, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from typing import Any

from ..errors import BuildError
from .dealing import Unit
from .maker import Question, Refusal
from .spec import BuildSpec


@dataclass
class Report:
    """Counts over a build; `update` adds up the reports of its shards.

    Attributes:
        planned: items by portion.
        rows: rows by portion.
        refused: failed attempts at a question, by (portion, reason).
        repeated: questions asked twice of the same video because no other was found, by portion.
        unproven: questions whose clip does not rule out every other answer, by portion.
        unusable: videos by name, with the reason.
        duplicates: videos left out, by name, with the name of the video of the same content.
        fallbacks: content hashes of the other questions made from an alternative source, by portion; may hold repeats.
    """

    planned: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    repeated: Counter[str] = field(default_factory=Counter)
    unproven: Counter[str] = field(default_factory=Counter)
    unusable: dict[str, str] = field(default_factory=dict)
    duplicates: dict[str, str] = field(default_factory=dict)
    fallbacks: dict[str, list[str]] = field(default_factory=dict)

    def expect(self, unit: Unit, spec: BuildSpec) -> None:
        """Count the items of a unit as planned."""
        self.planned.update(spec.portions[item.portion].name for item in unit.items)

    def add(self, result: Question | Refusal) -> None:
        """Count a question that was made, or an attempt that failed."""
        if isinstance(result, Question):
            name = result.portion.name
            self.rows[name] += 1
            self.repeated[name] += result.is_repeat
            self.unproven[name] += not result.plan.proven
            if result.is_fallback and not result.is_repeat:
                self.fallbacks.setdefault(name, []).append(result.content)
        elif result.portion:
            for reason in result.reason.split("; "):
                self.refused[result.portion, reason] += 1
        else:
            self.unusable[result.source] = result.reason

    def update(self, other: Report) -> None:
        """Add the counts of another report."""
        for mine, others in zip(self._counters(), other._counters(), strict=True):
            mine.update(others)
        self.unusable.update(other.unusable)
        self.duplicates.update(other.duplicates)
        for name, contents in other.fallbacks.items():
            self.fallbacks.setdefault(name, []).extend(contents)

    def _counters(self) -> tuple[Counter[Any], ...]:
        return self.planned, self.rows, self.refused, self.repeated, self.unproven

    @property
    def repeats(self) -> dict[str, int]:
        """Questions asked twice of the same video, by portion."""
        fallback_repeats = {name: len(contents) - len(set(contents)) for name, contents in self.fallbacks.items()}
        counts = {name: self.repeated[name] + fallback_repeats.get(name, 0) for name in sorted(self.rows)}
        return {name: count for name, count in counts.items() if count}

    @property
    def missing(self) -> dict[str, int]:
        """Number of items that no video could give, by portion."""
        return {name: count - self.rows[name] for name, count in sorted(self.planned.items()) if count > self.rows[name]}

    def check(self) -> None:
        """Raise BuildError if the build has no row."""
        if not self.rows.total():
            raise BuildError(f"no question could be made:\n{self.table()}")

    @property
    def has_remarks(self) -> bool:
        """Whether anything was refused, repeated or not used."""
        return bool(self.refused or self.unusable or self.duplicates or self.repeats or self.missing)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, from which `from_dict` makes the report again."""
        values = {each.name: dict(sorted(getattr(self, each.name).items())) for each in fields(self)}
        return {**values, "refused": [[name, reason, count] for (name, reason), count in values["refused"].items()]}

    def summary(self) -> dict[str, Any]:
        """The same for people and scripts: `repeated` counts all repeats, and `fallbacks`, which only `update` needs, is gone."""
        values = {**self.to_dict(), "repeated": self.repeats, "unproven": {k: n for k, n in sorted(self.unproven.items()) if n}}
        del values["fallbacks"]
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Report:
        refused = {(name, reason): count for name, reason, count in values["refused"]}
        counts: dict[str, Any] = {name: Counter(values[name]) for name in ("planned", "rows", "repeated", "unproven")}
        others: dict[str, Any] = {name: dict(values[name]) for name in ("unusable", "duplicates", "fallbacks")}
        return cls(refused=Counter(refused), **counts, **others)

    def table(self) -> str:
        """The report as text, for a terminal."""
        remarks = {"asked twice": self.repeats, "unproven": +self.unproven}
        columns = [name for name, counts in remarks.items() if counts]
        rows = [
            (name, self.rows[name], count, *(remarks[column].get(name, 0) for column in columns))
            for name, count in sorted(self.planned.items())
        ]
        lines = _table(("portion", "rows", "of", *columns), rows)
        if self.refused:
            refused = sorted(self.refused.items(), key=lambda entry: (entry[0][0], -entry[1], entry[0][1]))
            lines += ["", *_table(("refused", "times", "why"), ((name, count, reason) for (name, reason), count in refused))]
        left_out = [*self.unusable.items(), *((name, f"same content as {other}") for name, other in self.duplicates.items())]
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
