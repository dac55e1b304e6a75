"""The making of questions: each is a function of the spec, the list of sources and its own item, and of nothing before it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from .cache import ClipStore
from .clip import Clip
from .dealing import Item, Unit
from .errors import UnusableVideo
from .render import RenderedClip, render
from .sources import Source
from .spec import BuildSpec, PreparedPortion
from .tasks import Plan, Unsolvable, item_rng
from .tasks.answers import Answer

DONORS_TRIED = 3


@dataclass(frozen=True)
class Question:
    """A planned question with everything that a row tells of it.

    Attributes:
        donor: the other video that frames are taken from, if any.
    """

    item: Item
    portion: PreparedPortion
    source: Source
    clip: Clip
    plan: Plan
    donor: Source | None
    donor_clip: Clip | None

    @cached_property
    def videos(self) -> tuple[RenderedClip, ...]:
        """Rendered when they are first asked for."""
        return render(self.clip, self.plan.edits, self.donor_clip)

    @property
    def blind(self) -> Answer:
        """The best constant answer."""
        stats = self.clip.stats
        return self.portion.task.blind(self.portion.params, stats.times, stats.end)


@dataclass(frozen=True)
class Refusal:
    """Why an item gave no question from one source. `portion` is "" where the video itself cannot be used."""

    source: str
    portion: str
    reason: str


def make_questions(unit: Unit, spec: BuildSpec, sources: Sequence[Source], store: ClipStore) -> Iterator[Question | Refusal]:
    """Make a unit's questions, each after the refusals on the way to it.

    Raises:
        SourceChanged: if a video is not what it was when the build began.
    """
    for item in unit.items:
        portion = spec.portions[item.portion]
        for attempt, at in enumerate((unit.source, *item.others)):
            draw = item.draw if attempt == 0 else item.draw_elsewhere
            made: Question | Refusal
            try:
                made = _make(item, draw, portion, at, spec, sources, store)
            except Unsolvable as refusal:
                made = Refusal(sources[at].name, portion.name, str(refusal))
            except UnusableVideo as refusal:
                made = Refusal(sources[at].name, "", str(refusal))
            yield made
            if isinstance(made, Question):
                break


def _make(
    item: Item, draw: int, portion: PreparedPortion, at: int, spec: BuildSpec, sources: Sequence[Source], store: ClipStore
) -> Question:
    clip = store.clip(sources[at])
    content = clip.stats.fingerprint
    found = _donor(draw, at, content, spec, sources, store) if portion.task.wants_donor(portion.params) else None
    rng = item_rng(portion.task, content, spec.seed, draw)
    plan = portion.task.plan(clip.stats, rng, portion.params, found[1].stats if found else None)
    donor, donor_clip = found if found and plan.edits.needs_donor else (None, None)
    return Question(item, portion, sources[at], clip, plan, donor, donor_clip)


def _donor(
    draw: int, at: int, content: str, spec: BuildSpec, sources: Sequence[Source], store: ClipStore
) -> tuple[Source, Clip] | None:
    """Another video, by chance but always the same; None if the first few cannot be used."""
    others = len(sources) - 1
    for attempt in range(DONORS_TRIED if others else 0):
        key = f"donor\0{content}\0{spec.seed}\0{draw}\0{attempt}".encode()
        step = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") % others
        other = sources[(at + 1 + step) % len(sources)]
        try:
            return other, store.clip(other)
        except UnusableVideo:
            continue
    return None
