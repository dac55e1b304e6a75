"""Difficulty that follows the model: each portion's level moves so that its mean reward stays in a band.

A group of rollouts teaches by the differences within it: where all are right, or all no better than blind, there are none.
The reward is `above_chance`, 0 for the best blind answer and 1 for a perfect one, so that one band fits every task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from statistics import fmean
from typing import Any

from dataset_builder.tasks import UsageError


@dataclass(frozen=True)
class CurriculumSettings:
    """How levels move.

    Attributes:
        start: every portion's first level, in [0, 1].
        low, high: the band of mean rewards in which a level stays.
        gain: levels moved for a mean reward of 1 beyond the band; a step towards 0 below it, towards 1 above.
        most: the most a level moves at once.
        groups: so many groups of a portion are seen before its level moves.
    """

    start: float = 0.0
    low: float = 0.3
    high: float = 0.6
    gain: float = 0.5
    most: float = 0.1
    groups: int = 8

    def __post_init__(self) -> None:
        """Raises: ValueError: naming the setting that is not allowed."""
        for name in ("start", "low", "high", "gain", "most"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
                raise UsageError(f"data.videossr.levels.{name}={value!r} is not allowed; allowed: a number")
        if not 0 <= self.start <= 1:
            raise UsageError(f"data.videossr.levels.start={self.start} is not allowed; allowed: 0 to 1")
        if not self.low < self.high:
            raise UsageError(f"data.videossr.levels.low={self.low} is not allowed; it must be below high={self.high}")
        if self.gain <= 0 or self.most <= 0 or self.groups < 1:
            raise UsageError("data.videossr.levels: gain, most and groups must be above 0")


class Curriculum:
    """The levels of all portions. A function of the rewards it was told, in whatever order within a step."""

    def __init__(self, settings: CurriculumSettings, portions: Sequence[str]) -> None:
        self.settings = settings
        self._levels = {name: float(settings.start) for name in portions}
        self._seen: dict[str, list[float]] = {name: [] for name in portions}

    def level(self, portion: str) -> float:
        return self._levels[portion]

    def step(self, rewards: Mapping[str, Sequence[float]]) -> dict[str, float]:
        """Tell the mean reward of each group of a training step, by portion; gives what is logged of it.

        Raises:
            UsageError: for a portion it does not know, or a reward that is no number.
        """
        told: dict[str, float] = {}
        for portion in sorted(rewards):
            if portion not in self._levels:
                raise UsageError(f"portion={portion!r} is unknown; allowed: {', '.join(sorted(self._levels))}")
            if not all(map(isfinite, rewards[portion])):
                raise UsageError(f"the rewards of {portion} are {list(rewards[portion])}; allowed: finite numbers")
            self._seen[portion] += sorted(rewards[portion])
            if len(self._seen[portion]) >= self.settings.groups:
                self._move(portion, fmean(self._seen[portion]))
                self._seen[portion] = []
        for portion, level in self._levels.items():
            told[f"curriculum/{portion}/level"] = level
        return told

    def _move(self, portion: str, mean: float) -> None:
        beyond = max(mean - self.settings.high, 0.0) + min(mean - self.settings.low, 0.0)
        moved = max(-self.settings.most, min(self.settings.most, self.settings.gain * beyond))
        self._levels[portion] = round(min(1.0, max(0.0, self._levels[portion] + moved)), 4)

    def state_dict(self) -> dict[str, Any]:
        return {
            "settings": asdict(self.settings),
            "levels": dict(self._levels),
            "seen": {k: list(v) for k, v in self._seen.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another stopped; its settings stay behind. Portions it did not know keep their level."""
        for portion, level in state["levels"].items():
            if portion in self._levels:
                self._levels[portion] = float(level)
                self._seen[portion] = list(state["seen"][portion])
