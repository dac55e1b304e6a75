"""Difficulty that follows the model: each portion's level moves to where the rollouts of a group differ most.

GRPO learns from the differences within a group. They are largest where half of a group's rollouts stand above the middle of its
rewards: where most do, questions are too easy, where few do, too hard. The mean reward alone would not show that, as partial
credit lifts it, and by how much differs from task to task. Rewards are `above_chance`: 0 is the blind baseline's, 1 a perfect answer's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from random import Random
from statistics import fmean, pstdev
from typing import Any

from dataset_builder.tasks import UsageError


@dataclass(frozen=True)
class CurriculumSettings:
    """How levels move.

    Attributes:
        start: first level of every portion, in [0, 1].
        low, high: mean rewards below and above which questions are too hard, or too easy, however the rollouts differ.
        spread: standard deviation of the rewards from which on a group's rollouts differ.
        gain: level change per unit of the share of rollouts above the middle, from a half on.
        most: largest level change of one move.
        groups: number of groups of a portion that are looked at before its level moves.
        jitter: each question's level lies at most this far from the portion's.
    """

    start: float = 0.0
    low: float = 0.1
    high: float = 0.9
    spread: float = 0.05
    gain: float = 0.3
    most: float = 0.1
    groups: int = 8
    jitter: float = 0.05

    def __post_init__(self) -> None:
        """Raises: UsageError: if a setting is not allowed."""
        for name, value in asdict(self).items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
                raise UsageError(f"data.videossr.levels.{name}={value!r} is not allowed; allowed: a number")
        if not 0 <= self.start <= 1:
            raise UsageError(f"data.videossr.levels.start={self.start} is not allowed; allowed: 0 to 1")
        if not self.low < self.high:
            raise UsageError(f"data.videossr.levels.low={self.low} is not allowed; it must be below high={self.high}")
        if self.gain <= 0 or self.most <= 0 or self.groups < 1 or self.spread < 0 or self.jitter < 0:
            raise UsageError("data.videossr.levels: gain, most and groups must be above 0, spread and jitter 0 or above")


@dataclass(frozen=True)
class Group:
    """What is kept of a group's rewards: their mean, whether they differ, and the share of rollouts above their middle."""

    mean: float
    differs: bool
    upper: float

    @classmethod
    def of(cls, rewards: Sequence[float], spread: float) -> Group:
        middle = (min(rewards) + max(rewards)) / 2
        return cls(fmean(rewards), pstdev(rewards) > spread, fmean(reward > middle for reward in rewards))


class Curriculum:
    """The levels of all portions. They depend only on the rewards of each step, not on their order within the step."""

    def __init__(self, settings: CurriculumSettings, portions: Sequence[str]) -> None:
        self.settings = settings
        self._levels = {name: float(settings.start) for name in portions}
        self._groups: dict[str, list[Group]] = {name: [] for name in portions}  # since the level last moved

    def level(self, portion: str) -> float:
        """The portion's current level, in [0, 1]."""
        return self._levels[portion]

    def question_level(self, portion: str, number: int) -> float:
        """The level of a portion's question, in [0, 1]: the portion's, moved by a draw that depends on `number` alone."""
        jitter = self.settings.jitter * Random(f"{portion}\0{number}").uniform(-1, 1)
        return round(min(1.0, max(0.0, self._levels[portion] + jitter)), 4)

    def step(self, rewards: Mapping[str, Sequence[Sequence[float]]]) -> dict[str, float]:
        """Update the levels after a training step.

        Args:
            rewards: the rewards of each group of the step, by portion.

        Returns:
            Metrics to log: the level of every portion.

        Raises:
            UsageError: if a portion is unknown or a reward is not finite.
        """
        for portion in sorted(rewards):
            if portion not in self._levels:
                raise UsageError(f"portion={portion!r} is unknown; allowed: {', '.join(sorted(self._levels))}")
            for group in rewards[portion]:
                if not all(map(isfinite, group)):
                    raise UsageError(f"the rewards of {portion} are {list(group)}; allowed: finite numbers")
            self._groups[portion] += [Group.of(group, self.settings.spread) for group in sorted(map(sorted, rewards[portion]))]
            if len(self._groups[portion]) >= self.settings.groups:
                self._move(portion)
                self._groups[portion] = []
        return {f"curriculum/{portion}/level": level for portion, level in self._levels.items()}

    def _move(self, portion: str) -> None:
        most = self.settings.most
        change = max(-most, min(most, _change(self._groups[portion], self.settings)))
        self._levels[portion] = round(min(1.0, max(0.0, self._levels[portion] + change)), 4)

    def state_dict(self) -> dict[str, Any]:
        """Settings, levels and pending groups, for a checkpoint."""
        return {
            "settings": asdict(self.settings),
            "levels": dict(self._levels),
            "seen": {portion: [asdict(group) for group in groups] for portion, groups in self._groups.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore levels and pending groups, not settings. Portions that the state lacks keep their level."""
        for portion, level in state["levels"].items():
            if portion in self._levels:
                self._levels[portion] = float(level)
                self._groups[portion] = [Group(**group) for group in state["seen"][portion]]


def _change(groups: Sequence[Group], settings: CurriculumSettings) -> float:
    """How far a level should move: up where questions are too easy, down where they are too hard."""
    mean, differing = fmean(group.mean for group in groups), [group for group in groups if group.differs]
    if 2 * len(differing) < len(groups):  # what the few show says little
        share = 1 - 2 * len(differing) / len(groups)
        return settings.most * (share if mean > settings.high else -share)
    outside = max(mean - settings.high, 0.0) + min(mean - settings.low, 0.0)
    return settings.gain * (fmean(group.upper for group in differing) - 0.5) + outside
