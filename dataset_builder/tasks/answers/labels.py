"""One letter for each of several parts: `B,A,D`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import perm
from operator import eq
from random import Random
from typing import ClassVar, Self

from .base import Answer, Chance
from .reading import Unparseable

LETTERS = "ABCDEFGH"


@dataclass(frozen=True)
class Labels(Answer):
    """A letter for each part, e.g. `B,A,D`, or `BAD`. Smooth: the share of parts that are right. Exact: all are right."""

    letters: tuple[str, ...]
    value: ClassVar[re.Pattern[str]] = re.compile(r"[a-h]{1,16}", re.IGNORECASE)
    units: ClassVar[frozenset[str]] = frozenset(
        {"clip", "clips", "gap", "gaps", "candidate", "candidates", "stretch", "stretches"}
    )

    def parts(self) -> list[str]:
        return list(self.letters)

    @classmethod
    def from_parts(cls, parts: Sequence[str]) -> Self:
        letters = tuple(parts[0] if len(parts) == 1 else parts[:])
        if any(len(letter) != 1 for letter in letters):
            raise Unparseable("not one letter for each part")
        return cls(tuple(map(str.upper, letters)))

    def score(self, truth: Labels) -> tuple[float, float, str]:
        size = len(truth.letters)
        if len(self.letters) != size:
            raise Unparseable(f"{len(self.letters)} letters, {size} wanted")
        right = sum(map(eq, self.letters, truth.letters))
        return right / size, float(right == size), f"{right} of {size} letters right"

    def guess(self, rng: Random, space: int) -> Labels:
        """Each letter is uniform among the first `space`."""
        return Labels(tuple(rng.choice(LETTERS[:space]) for _ in self.letters))

    @staticmethod
    def chance(parts: int, options: int, distinct: bool) -> Chance:
        """The best constant letters, if each part's letter is uniform among the options, and all differ if `distinct`."""
        cases = perm(options, parts) if distinct else options**parts
        return Chance(1 / options, 1 / cases, Labels(tuple(LETTERS[k % options] for k in range(parts))))
