"""Which video gives which question. Nothing here keeps count or order: the deal is a function of the spec and the number of
sources, so that any worker can be handed any piece of it."""

from __future__ import annotations

from dataclasses import dataclass

from .spec import BuildSpec

OTHER_VIDEOS_TRIED = 15  # for a question that its own video does not give, where the total is fixed
_AWAY = 10**9  # draws of questions made away from their own video start here


@dataclass(frozen=True)
class Item:
    """One question to make.

    Attributes:
        index: its number among all items of the build; the row's index.
        portion: index among the spec's portions.
        draw: which of its video's questions of this task it is; seeds its generator.
        others: indices of further sources to try if the video gives no such question.
    """

    index: int
    portion: int
    draw: int
    others: tuple[int, ...] = ()

    @property
    def draw_elsewhere(self) -> int:
        """The draw to use with another source, which no item of that source has."""
        return _AWAY + self.index


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
    own: list[list[tuple[int, int, tuple[int, ...]]]] = [[] for _ in range(sources)]
    siblings = [[k for k, other in enumerate(spec.portions) if other.task is portion.task] for portion in spec.portions]
    turn = 0
    for portion, count in enumerate(spec.counts(sources)):
        same = siblings[portion]
        for k in range(count):
            draw = k // sources * len(same) + same.index(portion)
            others = _others((turn + k) % sources, k, sources) if spec.total is not None else ()
            own[(turn + k) % sources].append((portion, draw, others))
        turn += count if spec.total is not None else 0
    units, index = [], 0
    for source, entries in enumerate(own):
        items = tuple(Item(index + place, *entry) for place, entry in enumerate(entries))
        index += len(items)
        if items:
            units.append(Unit(source, items))
    return units


def _others(source: int, k: int, sources: int) -> tuple[int, ...]:
    """Some of the other sources, beginning somewhere else for every k."""
    rest = sources - 1
    return tuple((source + 1 + (k + step) % rest) % sources for step in range(min(OTHER_VIDEOS_TRIED, rest)))
