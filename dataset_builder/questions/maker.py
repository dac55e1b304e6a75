"""Makes questions. Each depends only on the spec, the list of sources and its item, not on the questions before it."""

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
REDRAWS = 12  # when an earlier item already asks the same question of the video
PAIRS_REMEMBERED = 64  # of portion and source
_REDRAW_STEP = 10**13  # larger than every draw number


@dataclass(frozen=True)
class Question:
    """A planned question with everything that its row needs.

    Attributes:
        donor: the other video that frames are taken from, if any.
        is_repeat: whether an earlier item asks the same of the same video, because no other question was found.
        is_fallback: whether it was made from an alternative source.
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
        """Rendered on first access."""
        return render(self.clip, self.plan.edits, self.donor_clip)

    @property
    def blind(self) -> Answer:
        """The best constant answer."""
        stats = self.clip.stats
        return self.portion.task.blind(self.portion.params, stats.times, stats.end)

    @property
    def content(self) -> str:
        """A hash of the source video and the question; repeats have equal hashes."""
        return digest(self.clip.stats.fingerprint, *self.plan.content)


@dataclass(frozen=True)
class Refusal:
    """Why a source gave no question for an item. `portion` is "" if the video itself is unusable."""

    source: str
    portion: str
    reason: str


class QuestionMaker:
    """Makes the questions of a spec from a list of sources.

    It remembers the contents of planned questions to avoid repeats. This only saves work: the results do not depend on it.
    """

    def __init__(self, spec: BuildSpec, sources: Sequence[Source], store: ClipStore) -> None:
        self.spec, self.sources, self.store = spec, sources, store
        self._planned: dict[tuple[int, int], dict[int, str]] = {}  # contents by draw, for each portion and source

    def make(self, unit: Unit) -> Iterator[Question | Refusal]:
        """A unit's questions, each after its refusals; raises BuildError if a video cannot be read or has changed."""
        for item in unit.items:
            for source in (unit.source, *item.alternatives):
                draw = item.draw if source == unit.source else item.fallback_draw
                result = self._attempt(item, source, draw)
                yield result
                if isinstance(result, Question):
                    break

    def draw(self, item: Item, source: int, draw: int) -> Question:
        """Plan the question of one draw of a source; it may repeat the question of another draw.

        Raises:
            Unsolvable: if this video gives no such question.
            UnusableVideo: if the video gives no clip.
            BuildError: if the video cannot be read or has changed.
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
        """A draw's question; drawn again, up to REDRAWS times, while it repeats an earlier draw of this source."""
        if len(self._planned) > PAIRS_REMEMBERED:
            self._planned.clear()
        planned = self._planned.setdefault((item.portion, source), {})
        for earlier in earlier_draws(self.spec, item.portion, draw, len(self.sources)):
            if earlier not in planned:
                with suppress(Unsolvable):
                    self._draw_distinct(item, source, earlier, planned)
        return self._draw_distinct(item, source, draw, planned)

    def _draw_distinct(self, item: Item, source: int, draw: int, planned: dict[int, str]) -> Question:
        earlier_contents = {content for earlier, content in planned.items() if earlier < draw}
        is_fallback = draw == item.fallback_draw
        if not is_fallback:  # which fallbacks other workers make is not known here, so none of them counts
            planned[draw] = ""  # stays if this draw gives no question
        question = first = self.draw(item, source, draw)
        for attempt in range(1, REDRAWS + 1):
            if question.content not in earlier_contents:
                break
            with suppress(Unsolvable):
                question = self.draw(item, source, draw + attempt * _REDRAW_STEP)
        is_repeat = question.content in earlier_contents
        if not is_fallback:
            planned[draw] = question.content
        return replace(first if is_repeat else question, is_repeat=is_repeat, is_fallback=is_fallback)

    def _donor(self, source: int, fingerprint: str, draw: int) -> tuple[Source, Clip] | None:
        """Another video, chosen by a seeded hash; None if the first few are unusable."""
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
