"""A count for each of several classes: `3,1,4`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from operator import eq
from random import Random
from typing import ClassVar, Self

from .base import Answer, Chance
from .reading import Unparseable

EPSILON = 1e-6  # keeps the relative count error finite at a true count of 0


@dataclass(frozen=True)
class Counts(Answer):
    """A count for each class, e.g. `3,1,4`. Subclasses list the names of their classes, in the singular, in `labels`.

    Smooth (paper, counting reward): the mean over classes of max(0, 1 - |y' - y| / (y + eps)), 1 where both are 0.
    Exact: the mean over classes of equality.
    """

    values: tuple[int, ...]
    value: ClassVar[re.Pattern[str]] = re.compile(r"[0-9]{1,9}")

    def parts(self) -> list[str]:
        return list(map(str, self.values))

    @classmethod
    def from_parts(cls, parts: Sequence[str]) -> Self:
        if len(parts) != len(cls.labels):
            raise Unparseable(f"{len(parts)} counts, {len(cls.labels)} wanted: {', '.join(cls.labels)}")
        return cls(tuple(map(int, parts)))

    def score(self, truth: Counts) -> tuple[float, float, str]:
        size = len(truth.values)
        smooth = sum(map(_relative, self.values, truth.values)) / size
        right = sum(map(eq, self.values, truth.values))
        return smooth, right / size, f"{right} of {size} counts right"

    def guess(self, rng: Random, space: int) -> Counts:
        """Each count is uniform from 1 to `space`, the largest possible count."""
        return type(self)(tuple(rng.randint(1, space) for _ in self.values))

    @classmethod
    def chance(cls, *distributions: Sequence[float]) -> Chance:
        """The best constant counts, if P(count = i) = distribution[i]; one distribution a class, or one for all."""
        bests = [_best_count(distribution) for distribution in distributions]
        values = tuple(best for best, _ in bests) * (len(cls.labels) // len(bests))
        exact = sum(map(max, distributions)) / len(bests)
        return Chance(sum(smooth for _, smooth in bests) / len(bests), exact, cls(values))


def _best_count(distribution: Sequence[float]) -> tuple[int, float]:
    """The count of the highest expected smooth score, and that score."""

    def smooth(guess: int) -> float:
        return sum(p * _relative(guess, true) for true, p in enumerate(distribution))

    best = max(range(len(distribution)), key=smooth)
    return best, smooth(best)


def _relative(guess: int, true: int) -> float:
    return 1.0 if guess == true else max(0.0, 1 - abs(guess - true) / (true + EPSILON))
