"""The videos of a question that is not stored: rendered from its sources and its edit list on access."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from ..media.clip import Clip
from ..media.clip_store import ClipStore
from ..media.frame import Frame
from ..media.render import RenderedClip, render
from ..sources.source import Source
from ..tasks.edits import EditList
from .maker import Question


@dataclass(frozen=True)
class LiveVideos:
    """Videos that are rendered from their edit list.

    Attributes:
        source, donor: fields of `Source`; donor is None if the edits use one video only.
        edits: the edit list as JSON.
    """

    source: dict[str, Any]
    donor: dict[str, Any] | None
    edits: str

    @classmethod
    def of(cls, question: Question) -> LiveVideos:
        """The videos of a planned question."""
        donor = _identified(question.donor, question.donor_clip) if question.donor and question.donor_clip else None
        return cls(_identified(question.source, question.clip), donor, question.plan.edits.to_json())

    def frames(self, store: ClipStore | None) -> list[list[Frame]]:
        """Every frame of every video.

        Raises:
            ValueError: if the store is None.
            UnusableVideo, SourceChanged, BuildError: as `ClipStore.clip`.
        """
        return [video.frames() for video in self._render(store)]

    def jpegs(self, store: ClipStore | None) -> list[list[bytes]]:
        """The same as JPEGs; unedited frames come exactly as the store holds them. Raises as `frames`."""
        return [video.jpegs() for video in self._render(store)]

    def _render(self, store: ClipStore | None) -> tuple[RenderedClip, ...]:
        if store is None:
            raise ValueError("live questions are rendered from sampled clips: pass a ClipStore")
        donor = store.clip(Source(**self.donor)) if self.donor else None
        return render(store.clip(Source(**self.source)), EditList.from_json(self.edits), donor)


def _identified(source: Source, clip: Clip) -> dict[str, Any]:
    """The fields of a source with the fingerprint of its clip; one that was not identified before has no certain stamp."""
    return asdict(source if source.fingerprint else replace(source, fingerprint=clip.stats.fingerprint, stamp=""))
