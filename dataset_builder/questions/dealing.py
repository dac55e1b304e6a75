"""Assigns items to videos: a function of the spec and the number of sources, so any worker can make any part."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .spec import BuildSpec

ALTERNATIVES = 15  # other videos to try when a video gives no such question and the total is fixed
_FALLBACK_DRAWS = 10**9  # draw numbers for items made from an alternative source start here


@dataclass(frozen=True)
class Item:
    """One question to make.

    Attributes:
        index: number among all items of the build; becomes the row's index.
        portion: index among the spec's portions.
        draw: number among the questions of this task for this video; seeds the item's generator.
        alternatives: indices of other sources to try if the video gives no such question.
    """

    index: int
    portion: int
    draw: int
    alternatives: tuple[int, ...] = ()

    @property
    def fallback_draw(self) -> int:
        """The draw number to use with an alternative source; no item of that source has the same."""
        return _FALLBACK_DRAWS + self.index


@dataclass(frozen=True)
class Unit:
    """Items of one source, made together so that the video is decoded once."""

    source: int
    items: tuple[Item, ...]


def deal(spec: BuildSpec, sources: int) -> list[Unit]:
    """Assign items to this many sources; returns the units in the order of the sources.

    Without a fixed total, every source gets `per_video` items of each portion. With one, items go round the sources, each
    portion starting where the previous one stopped, and an item that its source cannot give is tried on other sources.
    """
    entries_by_source: list[list[tuple[int, int, tuple[int, ...]]]] = [[] for _ in range(sources)]
    turn = 0
    for portion, count in enumerate(spec.counts(sources)):
        draws = _draws(spec, portion, math.ceil(count / sources))
        for k in range(count):
            source = (turn + k) % sources
            alternatives = _alternatives(source, k, sources) if spec.total is not None else ()
            entries_by_source[source].append((portion, draws[k // sources], alternatives))
        turn += count if spec.total is not None else 0
    units, index = [], 0
    for source, entries in enumerate(entries_by_source):
        items = tuple(Item(index + offset, *entry) for offset, entry in enumerate(entries))
        index += len(items)
        if items:
            units.append(Unit(source, items))
    return units


def earlier_draws(spec: BuildSpec, portion: int, draw: int, sources: int) -> Sequence[int]:
    """The source's own draws of this portion that this draw must not repeat: earlier ones; for a fallback, all."""
    draws = _draws(spec, portion, math.ceil(spec.counts(sources)[portion] / sources))
    return draws if draw >= _FALLBACK_DRAWS else [earlier for earlier in draws if earlier < draw]


def _draws(spec: BuildSpec, portion: int, count: int) -> range:
    """The draw numbers of a portion at one source. Portions of the same task take turns, so that none shares a number."""
    siblings = [k for k, other in enumerate(spec.portions) if other.task is spec.portions[portion].task]
    return range(siblings.index(portion), count * len(siblings), len(siblings))


def _alternatives(source: int, k: int, sources: int) -> tuple[int, ...]:
    """Some of the other sources, starting at a different one for every k."""
    rest = sources - 1
    return tuple((source + 1 + (k + step) % rest) % sources for step in range(min(ALTERNATIVES, rest)))
