"""Difficulty that follows the model: each portion's level moves so that its mean reward stays in a band.

GRPO learns from reward differences within a group of rollouts. There are none if all rollouts are right, or all no better
than the blind baseline. The reward is `above_chance`: 0 at the blind baseline, 1 for a perfect answer, for every task.
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
        start: first level of every portion, in [0, 1].
        low, high: band of mean rewards in which a level does not move. Below it the level falls, above it the level rises.
        gain: level change per unit of mean reward outside the band.
        most: largest level change of one move.
        groups: number of groups of a portion that are averaged before its level moves.
    """

    start: float = 0.0
    low: float = 0.3
    high: float = 0.6
    gain: float = 0.5
    most: float = 0.1
    groups: int = 8

    def __post_init__(self) -> None:
        """Raises: UsageError: if a setting is not allowed."""
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
    """The levels of all portions. They depend only on the rewards of each step, not on their order within the step."""

    def __init__(self, settings: CurriculumSettings, portions: Sequence[str]) -> None:
        self.settings = settings
        self._levels = {name: float(settings.start) for name in portions}
        self._rewards: dict[str, list[float]] = {name: [] for name in portions}  # since the level last moved

    def level(self, portion: str) -> float:
        """The portion's current level, in [0, 1]."""
        return self._levels[portion]

    def step(self, rewards: Mapping[str, Sequence[float]]) -> dict[str, float]:
        """Update the levels after a training step.

        Args:
            rewards: mean reward of each group of the step, by portion.

        Returns:
            Metrics to log: the level of every portion.

        Raises:
            UsageError: if a portion is unknown or a reward is not finite.
        """
        for portion in sorted(rewards):
            if portion not in self._levels:
                raise UsageError(f"portion={portion!r} is unknown; allowed: {', '.join(sorted(self._levels))}")
            if not all(map(isfinite, rewards[portion])):
                raise UsageError(f"the rewards of {portion} are {list(rewards[portion])}; allowed: finite numbers")
            self._rewards[portion] += sorted(rewards[portion])
            if len(self._rewards[portion]) >= self.settings.groups:
                self._move(portion, fmean(self._rewards[portion]))
                self._rewards[portion] = []
        return {f"curriculum/{portion}/level": level for portion, level in self._levels.items()}

    def _move(self, portion: str, mean_reward: float) -> None:
        excess = max(mean_reward - self.settings.high, 0.0) + min(mean_reward - self.settings.low, 0.0)  # 0 within the band
        change = max(-self.settings.most, min(self.settings.most, self.settings.gain * excess))
        self._levels[portion] = round(min(1.0, max(0.0, self._levels[portion] + change)), 4)

    def state_dict(self) -> dict[str, Any]:
        """Settings, levels and pending rewards, for a checkpoint."""
        return {
            "settings": asdict(self.settings),
            "levels": dict(self._levels),
            "seen": {portion: list(rewards) for portion, rewards in self._rewards.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore levels and pending rewards, not settings. Portions that the state lacks keep their level."""
        for portion, level in state["levels"].items():
            if portion in self._levels:
                self._levels[portion] = float(level)
                self._rewards[portion] = list(state["seen"][portion])
