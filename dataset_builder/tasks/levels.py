"""Difficulty: one number in [0, 1], which each task maps to its parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import UsageError, nearest

LEVELS: dict[str, float] = {"easy": 0.0, "medium": 1 / 3, "hard": 2 / 3, "extreme": 1.0}

Params = dict[str, Any]


@dataclass(frozen=True)
class Level:
    """A difficulty: its value in [0, 1] and its display name."""

    value: float
    name: str

    @classmethod
    def of(cls, difficulty: str | float | Level) -> Level:
        """Read `easy | medium | hard | extreme` or a number in [0, 1]; raises UsageError for anything else."""
        if isinstance(difficulty, Level):
            return difficulty
        if isinstance(difficulty, str) and difficulty in LEVELS:
            return cls(LEVELS[difficulty], difficulty)
        if not isinstance(difficulty, bool):
            try:
                value = float(difficulty)
            except (TypeError, ValueError):
                pass
            else:
                if 0.0 <= value <= 1.0:
                    names = {knot: name for name, knot in LEVELS.items()}
                    return cls(value, names.get(value, f"{value:.3g}"))
        raise UsageError(f"difficulty={difficulty!r} is not a level; allowed: {', '.join(LEVELS)}, or a number in [0, 1]")


@dataclass(frozen=True)
class Knob:
    """One parameter of a task: its value at each named level, and the allowed values of overrides.

    Between two levels, numbers are interpolated (integers rounded); other types keep the value of the lower level. `choices`
    lists the allowed texts of a knob of type text or tuple of texts.
    """

    name: str
    values: tuple[Any, Any, Any, Any]
    doc: str
    lowest: float | None = None
    highest: float | None = None
    choices: tuple[str, ...] | None = None

    def at(self, level: Level) -> Any:
        """The value at a level."""
        position = level.value * 3
        left = min(int(position + 1e-9), 2)
        share = min(max(position - left, 0.0), 1.0)
        low, high = self.values[left], self.values[left + 1]
        if isinstance(low, bool) or not isinstance(low, (int, float)):
            return high if share > 1 - 1e-9 else low
        value = low + (high - low) * share
        return round(value) if isinstance(low, int) else round(value, 6)

    def read(self, value: Any) -> Any:
        """Check an override, which may be text from a command line; raises UsageError naming what is allowed."""
        kind = type(self.values[0])
        try:
            if kind is bool:
                parsed: Any = {"true": True, "1": True, "false": False, "0": False}[str(value).lower()]
            elif kind is tuple:
                parts = value.split(",") if isinstance(value, str) else value
                parsed = tuple(str(part).strip() for part in parts)
                if not parsed or any(self.choices and part not in self.choices for part in parsed):
                    raise ValueError
            elif isinstance(value, bool):
                raise ValueError
            else:
                parsed = kind(value)
                if kind is int and parsed != float(value):
                    raise ValueError
            if self.choices and kind is str and parsed not in self.choices:
                raise ValueError
            below = self.lowest is not None and not parsed >= self.lowest
            if below or (self.highest is not None and not parsed <= self.highest):
                raise ValueError
        except (KeyError, TypeError, ValueError, OverflowError):
            raise UsageError(f"{self.name}={value!r} is not allowed; allowed: {self.allowed()}") from None
        return parsed

    def allowed(self) -> str:
        """The allowed values of an override, in words."""
        kind = type(self.values[0])
        if kind is bool:
            return "true or false"
        if kind is tuple:
            return f"one or several of {', '.join(self.choices or ())}"
        if kind is str:
            return f"one of {', '.join(self.choices)}" if self.choices else "text"
        name = "an integer" if kind is int else "a number"
        low, high = self.lowest, self.highest
        if low is not None and high is not None:
            return f"{name} from {low:g} to {high:g}"
        return f"{name} of at least {low:g}" if low is not None else name


def resolve(knobs: Sequence[Knob], level: Level, overrides: Mapping[str, Any]) -> Params:
    """All parameters of a task at a level, with overrides by name; raises UsageError for a bad name or value."""
    names = [knob.name for knob in knobs]
    for name in overrides:
        if name not in names:
            raise UsageError(f"{name}={overrides[name]!r} is not a parameter of this task; {nearest(name, names)}")
    return {k.name: k.read(overrides[k.name]) if k.name in overrides else k.at(level) for k in knobs}
