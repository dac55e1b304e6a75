"""Assigns items to videos: a function of the spec and the number of sources, so any worker can make any part."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

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


@dataclass(frozen=True)
class Deal(Sequence[Unit]):
    """The units of a build in the order of the sources, each worked out when it is asked for: a plan of any size takes no memory.

    Attributes:
        sources: number of sources.
        counts: number of items, by portion.
        starts: the source that gets a portion's first item; the others go round from there.
        draws: (first draw number, distance to the next) at one source, by portion.
        has_alternatives: whether an item that its source cannot give is tried on other sources.
    """

    sources: int
    counts: tuple[int, ...]
    starts: tuple[int, ...]
    draws: tuple[tuple[int, int], ...]
    has_alternatives: bool

    def __len__(self) -> int:
        return min(self.sources, self.items)

    @property
    def items(self) -> int:
        """Number of items."""
        return sum(self.counts)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        source = range(len(self))[index]
        first = self._items_before(source)
        return Unit(source, tuple(Item(first + k, *entry) for k, entry in enumerate(self._entries(source))))

    def between(self, start: int, stop: int) -> Iterator[Unit]:
        """The units of the items with these indices; the first and the last may be parts."""
        for unit in map(self.__getitem__, self.sources_between(start, stop)):
            yield Unit(unit.source, tuple(item for item in unit.items if start <= item.index < stop))

    def sources_between(self, start: int, stop: int) -> range:
        """The sources of the items with these indices, of which there is at least one."""
        first, last = (bisect_right(range(len(self)), index, key=self._items_before) - 1 for index in (start, stop - 1))
        return range(first, last + 1)

    def _entries(self, source: int) -> Iterator[tuple[int, int, tuple[int, ...]]]:
        """(portion, draw, alternatives) of the items of a source."""
        for portion, (count, start, (first, step)) in enumerate(zip(self.counts, self.starts, self.draws, strict=True)):
            for k in range((source - start) % self.sources, count, self.sources):
                alternatives = _alternatives(source, k, self.sources) if self.has_alternatives else ()
                yield portion, first + k // self.sources * step, alternatives

    def _items_before(self, source: int) -> int:
        """Number of items of the sources before this one."""
        number = 0
        for count, start in zip(self.counts, self.starts, strict=True):
            rounds, rest = divmod(count, self.sources)
            end = start + rest  # the last round goes from `start` to here, past the last source to the first
            number += rounds * source + max(0, min(source, end) - start) + max(0, min(source, end - self.sources))
        return number


def deal(spec: BuildSpec, sources: int) -> Deal:
    """Assign items to this many sources.

    Without a fixed total, every source gets `per_video` items of each portion. With one, items go round the sources, each
    portion starting where the previous one stopped, and an item that its source cannot give is tried on other sources.
    """
    counts = spec.counts(sources)
    fixed = spec.total is not None
    starts = [before % sources if fixed else 0 for before in accumulate(counts[:-1], initial=0)]
    draws = [_draws(spec, portion, 2) for portion in range(len(counts))]
    return Deal(sources, tuple(counts), tuple(starts), tuple((each.start, each.step) for each in draws), fixed)


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
