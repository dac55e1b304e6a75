"""Which video gives which question: a function of the spec and the number of sources, so that any worker can be handed any
piece of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .spec import BuildSpec

ALTERNATIVES = 15  # other videos to try for a question that its own video does not give, where the total is fixed
_FALLBACK_DRAWS = 10**9  # draws from a video that is not the item's own start here


@dataclass(frozen=True)
class Item:
    """One question to make.

    Attributes:
        index: its number among all items of the build; the row's index.
        portion: index among the spec's portions.
        draw: which of its video's questions of this task it is; seeds its generator.
        alternatives: indices of further sources to try if the video gives no such question.
    """

    index: int
    portion: int
    draw: int
    alternatives: tuple[int, ...] = ()

    @property
    def fallback_draw(self) -> int:
        """The draw to use with an alternative source; no item of that source has it."""
        return _FALLBACK_DRAWS + self.index


@dataclass(frozen=True)
class Unit:
    """Items of one source, that are made together so that the video is decoded once."""

    source: int
    items: tuple[Item, ...]


def deal(spec: BuildSpec, sources: int) -> list[Unit]:
    """Deal the items out to this many sources, in their order.

    Without a fixed total every source gets `per_video` items of each portion. With one, a portion's items go round the
    sources, each portion starting where the one before stopped, and an item that its source refuses is offered to others.
    """
    dealt: list[list[tuple[int, int, tuple[int, ...]]]] = [[] for _ in range(sources)]
    turn = 0
    for portion, count in enumerate(spec.counts(sources)):
        draws = _draws(spec, portion, math.ceil(count / sources))
        for k in range(count):
            source = (turn + k) % sources
            alternatives = _alternatives(source, k, sources) if spec.total is not None else ()
            dealt[source].append((portion, draws[k // sources], alternatives))
        turn += count if spec.total is not None else 0
    units, index = [], 0
    for source, entries in enumerate(dealt):
        items = tuple(Item(index + place, *entry) for place, entry in enumerate(entries))
        index += len(items)
        if items:
            units.append(Unit(source, items))
    return units


def earlier_draws(spec: BuildSpec, portion: int, draw: int, sources: int) -> Sequence[int]:
    """The draws of the same source and portion whose questions this draw must not repeat; for a fallback, all of them."""
    draws = _draws(spec, portion, math.ceil(spec.counts(sources)[portion] / sources))
    return draws if draw >= _FALLBACK_DRAWS else [earlier for earlier in draws if earlier < draw]


def _draws(spec: BuildSpec, portion: int, count: int) -> range:
    """The draws that one source gives to a portion: portions of the same task take turns, so that none has another's."""
    siblings = [k for k, other in enumerate(spec.portions) if other.task is spec.portions[portion].task]
    return range(siblings.index(portion), count * len(siblings), len(siblings))


def _alternatives(source: int, k: int, sources: int) -> tuple[int, ...]:
    """Some of the other sources, beginning somewhere else for every k."""
    rest = sources - 1
    return tuple((source + 1 + (k + step) % rest) % sources for step in range(min(ALTERNATIVES, rest)))
