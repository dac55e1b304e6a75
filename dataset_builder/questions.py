"""From sources and a spec to questions: which video gives which, and the making of each. Nothing here keeps count or order:
every question is a function of the spec, the list of sources and its own item."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .cache import ClipStore
from .clip import Clip
from .render import RenderedClip, render
from .sources import Source
from .spec import BuildSpec, PreparedPortion
from .tasks import Plan, Unsolvable, item_rng
from .tasks.answers import Answer
from .video import UnusableVideo

OTHER_VIDEOS_TRIED = 15  # for a question that its own video does not give, where the total is fixed
DONORS_TRIED = 3


@dataclass(frozen=True)
class Item:
    """One question to make.

    Attributes:
        number: its place among all items of the build.
        portion: index among the spec's portions.
        index: which of its video's questions of this portion it is.
        others: indices of further sources to try if the video gives no such question.
    """

    number: int
    portion: int
    index: int
    others: tuple[int, ...] = ()


@dataclass(frozen=True)
class Unit:
    """All items of one source: the piece of work that is never split, so that each video is decoded once."""

    source: int
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Question:
    """A finished question with everything that a row tells of it."""

    item: Item
    portion: PreparedPortion
    source: Source
    clip: Clip
    plan: Plan
    videos: tuple[RenderedClip, ...]
    donor: str  # fingerprint of the other video, "" without one

    @property
    def blind(self) -> Answer:
        """The best constant answer."""
        stats = self.clip.stats
        return self.portion.task.blind(self.portion.params, stats.times, stats.end)


@dataclass(frozen=True)
class Refusal:
    """Why an item gave no question from one source. `task` is "" where the video itself cannot be used."""

    source: str
    task: str
    reason: str


def work_units(spec: BuildSpec, sources: int) -> list[Unit]:
    """Deal the items out to this many sources, in their order.

    Without a fixed total every source gets `per_video` items of each portion. With one, a portion's items go round the
    sources, each portion starting where the one before stopped, and an item that its source refuses is offered to others.
    """
    items: list[list[Item]] = [[] for _ in range(sources)]
    dealt: list[tuple[int, int, int, tuple[int, ...]]] = []
    turn = 0
    for portion, count in enumerate(spec.counts(sources)):
        for k in range(count):
            source, index = (turn + k) % sources, k // sources
            dealt.append((source, portion, index, _others(source, k, sources) if spec.total is not None else ()))
        turn += count if spec.total is not None else 0
    for number, (source, portion, index, others) in enumerate(sorted(dealt)):
        items[source].append(Item(number, portion, index, others))
    return [Unit(source, tuple(own)) for source, own in enumerate(items) if own]


def _others(source: int, k: int, sources: int) -> tuple[int, ...]:
    """Some of the other sources, beginning somewhere else for every k."""
    rest = sources - 1
    return tuple((source + 1 + (k + step) % rest) % sources for step in range(min(OTHER_VIDEOS_TRIED, rest)))


def make_questions(unit: Unit, spec: BuildSpec, sources: Sequence[Source], store: ClipStore) -> Iterator[Question | Refusal]:
    """Make a unit's questions, each after the refusals on the way to it.

    Raises:
        SourceChanged: if a video is not what it was when the build began.
    """
    for item in unit.items:
        portion = spec.portions[item.portion]
        for attempt, at in enumerate((unit.source, *item.others)):
            # away from its own video an item takes an index that no item of that video has
            index = item.index if attempt == 0 else 10**9 + item.number
            try:
                yield _make(item, index, portion, at, spec, sources, store)
            except Unsolvable as refusal:
                yield Refusal(sources[at].name, portion.name, str(refusal))
                continue
            except UnusableVideo as refusal:
                yield Refusal(sources[at].name, "", str(refusal))
                continue
            break


def _make(
    item: Item, index: int, portion: PreparedPortion, at: int, spec: BuildSpec, sources: Sequence[Source], store: ClipStore
) -> Question:
    clip = store.clip(sources[at])
    content = clip.stats.fingerprint
    donor = _donor(item, at, content, spec, sources, store) if portion.task.wants_donor(portion.params) else None
    rng = item_rng(portion.task, content, spec.seed, index)
    plan = portion.task.plan(clip.stats, rng, portion.params, donor.stats if donor else None)
    used = donor if plan.edits.needs_donor else None
    videos = render(clip, plan.edits, used)
    return Question(item, portion, sources[at], clip, plan, videos, used.stats.fingerprint if used else "")


def _donor(item: Item, at: int, content: str, spec: BuildSpec, sources: Sequence[Source], store: ClipStore) -> Clip | None:
    """Another video, by chance but always the same; None if the first few cannot be used."""
    others = len(sources) - 1
    for attempt in range(DONORS_TRIED if others else 0):
        key = f"donor\0{content}\0{spec.seed}\0{item.index}\0{attempt}".encode()
        step = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") % others
        try:
            return store.clip(sources[(at + 1 + step) % len(sources)])
        except UnusableVideo:
            continue
    return None
