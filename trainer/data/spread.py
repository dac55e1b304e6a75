"""Chooses some of many questions, so that all portions and sources are among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from random import Random


def spread(places: Sequence[tuple[str, str]], count: int, seed: int) -> list[int]:
    """Indices of `count` questions, in order: as many of each portion, and in it of each source, as can be.

    Args:
        places: each question's portion and source.
    """
    order = list(range(len(places)))
    Random(f"spread\0{seed}").shuffle(order)
    order = _take_turns(order, places)
    order = _take_turns(order, [portion for portion, _ in places])
    return sorted(order[:count])


def _take_turns(order: Sequence[int], keys: Sequence[Hashable]) -> list[int]:
    """First one index of each key, then a second one of each, and so on."""
    seen: Counter[Hashable] = Counter()
    turns = {}
    for index in order:
        turns[index] = seen[keys[index]]
        seen[keys[index]] += 1
    return sorted(order, key=turns.__getitem__)
