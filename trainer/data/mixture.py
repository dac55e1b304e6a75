"""Weights of portions that follow what they teach.

GRPO learns from groups whose rewards differ, and a portion teaches as long as the model gets better at it. Under a curriculum
that shows in its level before it shows in its reward, so the performance of a group is the sum of both. Over a portion's last
groups, older half against newer half:

    teaching = share of groups whose rewards differ x rise of the mean performance
    weight   = base weight x (floor + (1 - floor) x teaching / mean teaching of all portions)

`floor` keeps every portion in view: one that cannot be learned yet is noticed when it can.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from random import Random
from statistics import fmean
from typing import Any

from dataset_builder.tasks import UsageError

Group = tuple[float, bool]
"""A group of rollouts: level + mean reward above chance, and whether its rewards differ."""


@dataclass(frozen=True)
class MixtureSettings:
    """How weights move.

    Attributes:
        floor: share of its base weight that a portion keeps whatever it teaches, in (0, 1].
        groups: number of a portion's last groups that count; before half of them are there, its weight is the mean one.
    """

    floor: float = 0.1
    groups: int = 64

    def __post_init__(self) -> None:
        """Raises: UsageError: if a setting is not allowed."""
        if not 0 < self.floor <= 1:
            raise UsageError(f"data.videossr.mixture.floor={self.floor!r} is not allowed; allowed: above 0, at most 1")
        if self.groups < 4:
            raise UsageError(f"data.videossr.mixture.groups={self.groups!r} is not allowed; allowed: 4 and more")


class Mixture:
    """The weights of all portions. They depend only on the groups of each step, not on their order within the step."""

    def __init__(self, settings: MixtureSettings, weights: Mapping[str, float]) -> None:
        self.settings = settings
        self._base = {portion: weight / sum(weights.values()) for portion, weight in weights.items()}
        self._groups: dict[str, deque[Group]] = {portion: deque(maxlen=settings.groups) for portion in weights}

    def weights(self) -> dict[str, float]:
        """The share of each portion among the next questions; they sum to 1."""
        seen = {
            name: self._teaching(groups) for name, groups in self._groups.items() if 2 * len(groups) >= self.settings.groups
        }
        mean = fmean(seen.values()) if seen else 0.0
        if not mean:
            return dict(self._base)
        floor = self.settings.floor
        shares = {name: base * (floor + (1 - floor) * seen.get(name, mean) / mean) for name, base in self._base.items()}
        return {name: share / sum(shares.values()) for name, share in shares.items()}

    @staticmethod
    def _teaching(groups: Sequence[Group]) -> float:
        performance = [value for value, _ in groups]
        half = len(performance) // 2
        rise = fmean(performance[half:]) - fmean(performance[:half])
        return fmean(differ for _, differ in groups) * max(0.0, rise)

    def pick(self, rng: Random) -> str:
        """A portion, drawn by the weights."""
        weights = self.weights()
        return rng.choices(list(weights), list(weights.values()))[0]

    def step(self, groups: Mapping[str, Sequence[Group]]) -> dict[str, float]:
        """Take in a training step's groups by portion; returns metrics to log: the weight of every portion.

        Raises:
            UsageError: if a portion is unknown or a performance is not finite.
        """
        for portion, members in groups.items():
            if portion not in self._groups:
                raise UsageError(f"portion={portion!r} is unknown; allowed: {', '.join(sorted(self._groups))}")
            if not all(isfinite(value) for value, _ in members):
                raise UsageError(f"the groups of {portion} are {list(members)}; allowed: finite numbers")
            self._groups[portion].extend(sorted(members))
        return {f"mixture/{portion}/weight": weight for portion, weight in self.weights().items()}

    def state_dict(self) -> dict[str, Any]:
        """The groups that count, for a checkpoint."""
        return {portion: [list(group) for group in groups] for portion, groups in self._groups.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore the groups. Portions that the state lacks begin anew."""
        for portion, groups in state.items():
            if portion in self._groups:
                self._groups[portion].extend((float(value), bool(differ)) for value, differ in groups)
