"""The making of questions: each is a function of the spec, the list of sources and its own item, and of nothing before it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

from ..errors import UnusableVideo
from ..identity import digest
from ..media.clip import Clip
from ..media.clip_store import ClipStore
from ..media.render import RenderedClip, render
from ..sources.source import Source
from ..tasks import Plan, Unsolvable, item_rng
from ..tasks.answers import Answer
from .dealing import Item, Unit, earlier_draws
from .spec import BuildSpec, PreparedPortion

DONORS_TRIED = 3
REDRAWS = 12  # of a question that the same video is asked in an earlier item
SOURCES_REMEMBERED = 64
_REDRAW_STEP = 10**13  # above every draw


@dataclass(frozen=True)
class Question:
    """A planned question with everything that a row tells of it.

    Attributes:
        donor: the other video that frames are taken from, if any.
        is_repeat: whether its video is asked the very same in an earlier item, as nothing else was found.
        is_fallback: whether it was made from another source than the item's own.
    """

    item: Item
    portion: PreparedPortion
    source: Source
    clip: Clip
    plan: Plan
    donor: Source | None
    donor_clip: Clip | None
    is_repeat: bool = False
    is_fallback: bool = False

    @cached_property
    def videos(self) -> tuple[RenderedClip, ...]:
        """Rendered when they are first asked for."""
        return render(self.clip, self.plan.edits, self.donor_clip)

    @property
    def blind(self) -> Answer:
        """The best constant answer."""
        stats = self.clip.stats
        return self.portion.task.blind(self.portion.params, stats.times, stats.end)

    @property
    def content(self) -> str:
        """A hash of what is asked of which video; equal for questions that are the same but for their row."""
        return digest(self.clip.stats.fingerprint, *self.plan.content)


@dataclass(frozen=True)
class Refusal:
    """Why an item gave no question from one source. `portion` is "" where the video itself cannot be used."""

    source: str
    portion: str
    reason: str


class QuestionMaker:
    """Makes the questions of a spec from a list of sources.

    What it remembers only saves work: contents of planned questions, so that no video is asked the same twice.
    """

    def __init__(self, spec: BuildSpec, sources: Sequence[Source], store: ClipStore) -> None:
        self.spec, self.sources, self.store = spec, sources, store
        self._planned: dict[tuple[int, int], dict[int, str]] = {}  # contents by draw, for each portion and source

    def make(self, unit: Unit) -> Iterator[Question | Refusal]:
        """A unit's questions, each after the refusals on the way to it.

        Raises:
            SourceChanged: if a video is not what it was when the build began.
        """
        for item in unit.items:
            for source in (unit.source, *item.alternatives):
                draw = item.draw if source == unit.source else item.fallback_draw
                result = self._attempt(item, source, draw)
                yield result
                if isinstance(result, Question):
                    break

    def draw(self, item: Item, source: int, draw: int) -> Question:
        """One draw of a source's questions, whether or not it is another draw's, too.

        Raises:
            Unsolvable: if this video gives no such question.
            UnusableVideo: if it gives no clip.
            BuildError: if it could not be read, or changed.
        """
        portion = self.spec.portions[item.portion]
        clip = self.store.clip(self.sources[source])
        fingerprint = clip.stats.fingerprint
        donor = self._donor(source, fingerprint, draw) if portion.task.wants_donor(portion.params) else None
        rng = item_rng(portion.task, fingerprint, self.spec.seed, draw)
        plan = portion.task.plan(clip.stats, rng, portion.params, donor[1].stats if donor else None)
        donor_source, donor_clip = donor if donor and plan.edits.needs_donor else (None, None)
        return Question(item, portion, self.sources[source], clip, plan, donor_source, donor_clip)

    def _attempt(self, item: Item, source: int, draw: int) -> Question | Refusal:
        name = self.sources[source].name
        try:
            return self._distinct(item, source, draw)
        except Unsolvable as refusal:
            return Refusal(name, self.spec.portions[item.portion].name, str(refusal))
        except UnusableVideo as refusal:
            return Refusal(name, "", str(refusal))

    def _distinct(self, item: Item, source: int, draw: int) -> Question:
        """A draw's question; drawn again while it is that of an earlier draw, as often as allowed."""
        if len(self._planned) > SOURCES_REMEMBERED:
            self._planned.clear()
        planned = self._planned.setdefault((item.portion, source), {})
        for earlier in earlier_draws(self.spec, item.portion, draw, len(self.sources)):
            if earlier not in planned:
                with suppress(Unsolvable):
                    self._draw_again(item, source, earlier, planned)
        return self._draw_again(item, source, draw, planned)

    def _draw_again(self, item: Item, source: int, draw: int, planned: dict[int, str]) -> Question:
        asked = {content for earlier, content in planned.items() if earlier < draw}
        planned[draw] = ""  # until it is known
        question = first = self.draw(item, source, draw)
        for attempt in range(1, REDRAWS + 1):
            if question.content not in asked:
                break
            with suppress(Unsolvable):
                question = self.draw(item, source, draw + attempt * _REDRAW_STEP)
        is_repeat = question.content in asked
        planned[draw] = question.content
        return replace(first if is_repeat else question, is_repeat=is_repeat, is_fallback=draw == item.fallback_draw)

    def _donor(self, source: int, fingerprint: str, draw: int) -> tuple[Source, Clip] | None:
        """Another video, by chance but always the same; None if the first few cannot be used."""
        others = len(self.sources) - 1
        for attempt in range(DONORS_TRIED if others else 0):
            key = f"donor\0{fingerprint}\0{self.spec.seed}\0{draw}\0{attempt}".encode()
            step = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") % others
            other = self.sources[(source + 1 + step) % len(self.sources)]
            try:
                return other, self.store.clip(other)
            except UnusableVideo:
                continue
        return None
