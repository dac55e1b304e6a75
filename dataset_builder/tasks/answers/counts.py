"""A count for each of several classes: `3,1,4`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from .base import Answer, Chance
from .reading import Unparseable

EPSILON = 1e-6  # keeps the relative count error finite at a true count of 0
_LIST_SEPARATOR = re.compile(r" ?[,;/] ?| ")
_PAIR_SEPARATOR = re.compile(r" ?(?:[,;] ?)?\band\b ?| ?[,;] ?")


@dataclass(frozen=True)
class Counts(Answer):
    """A count for each class, e.g. `3,1,4`. Subclasses list the names of their classes, in the singular, in `labels`.

    Smooth (paper, counting reward): the mean over classes of max(0, 1 - |y' - y| / (y + eps)), 1 where both are 0.
    Exact: the mean over classes of equality.
    """

    values: tuple[int, ...]
    labels: ClassVar[tuple[str, ...]] = ()

    def format(self) -> str:
        return ",".join(map(str, self.values))

    @classmethod
    def read(cls, text: str) -> Counts:
        classes = len(cls.labels)
        bare = _LIST_SEPARATOR.split(text)
        numbers = bare if all(map(str.isdecimal, bare)) else cls._labelled(text)
        if len(numbers) != classes:
            raise Unparseable(f"{len(numbers)} counts, {classes} wanted: {', '.join(cls.labels)}")
        if any(len(number) > 9 for number in numbers):
            raise Unparseable("a count of more than 9 digits")
        return cls(tuple(map(int, numbers)))

    @classmethod
    def _labelled(cls, text: str) -> list[str]:
        """Read `circles: 3, squares: 1, …` or `3 circles, 1 square and …`, each class once, in any order."""
        by_label: dict[str, str] = {}
        for part in _PAIR_SEPARATOR.split(text):
            words = part.replace(":", " ").replace("=", " ").split()
            number = next((word for word in words if word.isdecimal()), None)
            label = next((word.lower().removesuffix("s") for word in words if not word.isdecimal()), None)
            if len(words) != 2 or number is None or label not in cls.labels:
                raise Unparseable(f"not {len(cls.labels)} counts of the form {','.join('3' for _ in cls.labels)}")
            if label in by_label:
                raise Unparseable(f"{label} is counted twice")
            by_label[label] = number
        if set(by_label) != set(cls.labels):
            raise Unparseable(f"counts for {', '.join(by_label)}, wanted: {', '.join(cls.labels)}")
        return [by_label[label] for label in cls.labels]

    def score(self, truth: Counts) -> tuple[float, float, str]:
        pairs = list(zip(self.values, truth.values, strict=True))
        smooth = sum(_relative(guess, true) for guess, true in pairs) / len(pairs)
        right = sum(guess == true for guess, true in pairs)
        return smooth, right / len(pairs), f"{right} of {len(pairs)} counts right"

    def guess(self, rng: Random, space: int) -> Counts:
        """Each count is uniform from 1 to `space`, the largest possible count."""
        return type(self)(tuple(rng.randint(1, space) for _ in self.values))

    @classmethod
    def chance(cls, distribution: Sequence[float]) -> Chance:
        """The best constant counts, if P(count = i) = distribution[i] for every class."""
        top = len(distribution)

        def smooth(guess: int) -> float:
            return sum(p * _relative(guess, true) for true, p in enumerate(distribution))

        best = max(range(top), key=smooth)
        return Chance(smooth(best), max(distribution), cls((best,) * len(cls.labels)))


def _relative(guess: int, true: int) -> float:
    return 1.0 if guess == true else max(0.0, 1 - abs(guess - true) / (true + EPSILON))
