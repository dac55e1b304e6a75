"""A number: `7`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Self

from .base import Answer, Chance
from .reading import Unparseable


@dataclass(frozen=True)
class Number(Answer):
    """A whole number, e.g. `7`. Smooth: max(0, 1 - |y' - y| / max(1, y)). Exact: equality."""

    number: int
    value: ClassVar[re.Pattern[str]] = re.compile(r"[0-9]{1,9}")
    units: ClassVar[frozenset[str]] = frozenset({"time", "times", "play", "plays"})

    def parts(self) -> list[str]:
        return [str(self.number)]

    @classmethod
    def from_parts(cls, parts: Sequence[str]) -> Self:
        if len(parts) != 1:
            raise Unparseable(f"{len(parts)} numbers, 1 wanted")
        return cls(int(parts[0]))

    def score(self, truth: Number) -> tuple[float, float, str]:
        error = abs(self.number - truth.number)
        return max(0.0, 1 - error / max(1, truth.number)), float(error == 0), f"off by {error}"

    def guess(self, rng: Random, space: Sequence[int]) -> Number:
        """One of the numbers in `space`."""
        return Number(rng.choice(space))

    @staticmethod
    def chance(numbers: Sequence[int]) -> Chance:
        """The best constant number, if the truth is uniform among these."""

        def smooth(guess: int) -> float:
            return sum(Number(guess).score(Number(number))[0] for number in numbers) / len(numbers)

        best = max(range(max(numbers) + 1), key=smooth)
        return Chance(smooth(best), max(map(numbers.count, numbers)) / len(numbers), Number(best))
