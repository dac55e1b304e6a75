"""An order: `341562`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import factorial
from random import Random

from .base import Answer, Chance
from .reading import Unparseable

_ORDER_SEPARATOR = re.compile(r" ?(?:->|[,;>\-→]) ?| ")
_CLIP_WORD = re.compile(r"\bclips? ?", re.IGNORECASE)


@dataclass(frozen=True)
class Order(Answer):
    """A permutation of 1..n, e.g. `341562`; comma-separated from 10 up.

    Smooth: 1 - sum over items of |position - true position| / floor(n^2 / 2). Exact: equality.
    """

    items: tuple[int, ...]

    def format(self) -> str:
        return ("," if len(self.items) > 9 else "").join(map(str, self.items))

    @classmethod
    def read(cls, text: str) -> Order:
        groups = _ORDER_SEPARATOR.split(_CLIP_WORD.sub("", text))
        if not all(map(str.isdecimal, groups)):
            raise Unparseable("not one order of the form 312")
        numbers = list(groups[0]) if len(groups) == 1 else groups
        items = [int(number) for number in numbers if len(number) <= 4]
        if len(numbers) < 2 or sorted(items) != list(range(1, len(numbers) + 1)):
            raise Unparseable(f"not each of 1 to {len(numbers)} once")
        return cls(tuple(items))

    def score(self, truth: Order) -> tuple[float, float, str]:
        size = len(truth.items)
        if len(self.items) != size:
            raise Unparseable(f"an order of {len(self.items)} clips, {size} wanted")
        place = {item: position for position, item in enumerate(self.items)}
        moved = sum(abs(place[item] - position) for position, item in enumerate(truth.items))
        right = sum(place[item] == position for position, item in enumerate(truth.items))
        return 1 - moved / (size * size // 2), float(self == truth), f"{right} of {size} clips in place"

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
