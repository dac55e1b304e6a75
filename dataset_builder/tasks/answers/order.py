"""An order: `341562`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import factorial
from random import Random
from typing import ClassVar, Self

from .base import Answer, Chance
from .reading import Unparseable


@dataclass(frozen=True)
class Order(Answer):
    """A permutation of 1..n, e.g. `341562`; comma-separated from 10 up.

    Smooth: 1 - sum over items of |position - true position| / floor(n^2 / 2). Exact: equality.
    """

    items: tuple[int, ...]
    value: ClassVar[re.Pattern[str]] = re.compile(r"[0-9]{1,40}")
    units: ClassVar[frozenset[str]] = frozenset({"clip", "clips"})

    def parts(self) -> list[str]:
        return list(map(str, self.items))

    def format(self) -> str:
        return ("," if len(self.items) > 9 else "").join(self.parts())

    @classmethod
    def from_parts(cls, parts: Sequence[str]) -> Self:
        numbers = list(map(int, parts[0] if len(parts) == 1 else parts))
        if len(numbers) < 2 or sorted(numbers) != list(range(1, len(numbers) + 1)):
            raise Unparseable(f"not each of 1 to {len(numbers)} once")
        return cls(tuple(numbers))

    def score(self, truth: Order) -> tuple[float, float, str]:
        size = len(truth.items)
        if len(self.items) != size:
            raise Unparseable(f"an order of {len(self.items)} items, {size} wanted")
        place = {item: position for position, item in enumerate(self.items)}
        moved = sum(abs(place[item] - position) for position, item in enumerate(truth.items))
        right = sum(place[item] == position for position, item in enumerate(truth.items))
        return 1 - moved / (size * size // 2), float(self == truth), f"{right} of {size} items in place"

    def guess(self, rng: Random, space: None = None) -> Order:
        return Order(tuple(rng.sample(self.items, len(self.items))))

    @staticmethod
    def chance(size: int) -> Chance:
        """The best constant order, if the truth is uniform over all orders except the identity.

        A random order's expected displacement is (n^2 - 1) / 3. The reversed order gains most from excluding the
        identity, against which it would score 0.
        """
        mean = 1 - (size * size - 1) / 3 / (size * size // 2)
        orders = factorial(size)
        return Chance(mean * orders / (orders - 1), 1 / (orders - 1), Order(tuple(range(size, 0, -1))))

    @staticmethod
    def chance_of(distribution: Mapping[tuple[int, ...], float]) -> Chance:
        """The best constant order, if these are the probabilities of the truths; compares all orders, so for few items."""
        size = len(next(iter(distribution)))
        at = [[0.0] * size for _ in range(size)]  # at[item - 1][position]: how often the item stands there
        for items, probability in distribution.items():
            for position, item in enumerate(items):
                at[item - 1][position] += probability
        moved = [[sum(p * abs(k - position) for k, p in enumerate(row)) for position in range(size)] for row in at]

        def distance(items: tuple[int, ...]) -> float:
            return sum(moved[item - 1][position] for position, item in enumerate(items))

        best = min(permutations(range(1, size + 1)), key=distance)
        return Chance(1 - distance(best) / (size * size // 2), max(distribution.values()), Order(best))
