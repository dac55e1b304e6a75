"""Symbols in order: `left,up,left`."""

from __future__ import annotations

import re
from collections import abc
from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar, Self

from .base import Answer, Chance
from .reading import Unparseable

SAMPLES = 200  # sequences by which constant answers are compared


@dataclass(frozen=True)
class Sequence(Answer):
    """Symbols in order, e.g. `left,up,left`. Subclasses list their words in `symbols`.

    Smooth: 1 - edit distance / length of the truth. Exact: equality. A longer answer than the truth is none.
    """

    items: tuple[str, ...]
    symbols: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.value = re.compile("|".join(cls.symbols), re.IGNORECASE)

    def parts(self) -> list[str]:
        return list(self.items)

    @classmethod
    def from_parts(cls, parts: abc.Sequence[str]) -> Self:
        return cls(tuple(map(str.lower, parts)))

    def score(self, truth: Sequence) -> tuple[float, float, str]:
        if len(self.items) > len(truth.items):  # more words would pay
            raise Unparseable(f"{len(self.items)} words, {len(truth.items)} wanted")
        edits = _edit_distance(self.items, truth.items)
        return 1 - edits / len(truth.items), float(edits == 0), f"{edits} edits from the truth"

    def guess(self, rng: Random, space: None = None) -> Sequence:
        """As many symbols, each uniform."""
        return type(self)(tuple(rng.choice(self.symbols) for _ in self.items))

    @classmethod
    def chance(cls, samples: abc.Sequence[tuple[str, ...]], exact: float) -> Chance:
        """The best constant sequence, if the truth is uniform among these, all of one length; grown symbol by symbol.

        A constant sequence may be shorter than the truth, as what is missing costs no more than what is wrong.

        Args:
            exact: probability of the most frequent truth.
        """
        length = len(samples[0])
        few = samples[:: len(samples) // SAMPLES + 1]

        def smooth(guess: tuple[str, ...], truths: abc.Sequence[tuple[str, ...]] = few) -> float:
            return 1 - sum(_edit_distance(guess, truth) for truth in truths) / len(truths) / length

        grown: tuple[str, ...] = ()
        best = grown
        for _ in range(length):
            grown = max(((*grown[:at], s, *grown[at:]) for at in range(len(grown) + 1) for s in cls.symbols), key=smooth)
            best = max(best, grown, key=smooth)
        for at in range(len(best)):
            best = max(((*best[:at], symbol, *best[at + 1 :]) for symbol in (best[at], *cls.symbols)), key=smooth)
        return Chance(smooth(best, samples), exact, cls(best))


def _edit_distance(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """Fewest insertions, deletions and replacements (Levenshtein)."""
    row = list(range(len(other) + 1))
    for at, symbol in enumerate(one, 1):
        diagonal, row[0] = row[0], at
        for k, another in enumerate(other, 1):
            diagonal, row[k] = row[k], min(row[k] + 1, row[k - 1] + 1, diagonal + (symbol != another))
    return row[-1]
