"""The one loop that turns work into rows, for the HuggingFace builder and for builds on disk alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .cache import ClipStore, clip_cache_folder, clip_cache_limit
from .questions import Refusal, Unit, make_questions
from .report import Report
from .schema import to_row
from .sources import Source
from .spec import BuildSpec


@dataclass(frozen=True)
class Work:
    """What every worker process is told, beside its units.

    Attributes:
        spec: what to build.
        split: the split that the rows belong to.
        sources: all of its videos, whichever units a worker gets; not a list, whose elements datasets would deal out.
        clip_cache, clip_cache_gb: where sampled clips are kept, as in `clip_cache_folder` and `clip_cache_limit`.
        storage_options: for remote sources, passed to fsspec.
    """

    spec: BuildSpec
    split: str
    sources: tuple[Source, ...]
    clip_cache: str | None = None
    clip_cache_gb: float | None = None
    storage_options: Mapping[str, Any] = field(default_factory=dict)

    def store(self) -> ClipStore:
        return ClipStore(
            clip_cache_folder(self.clip_cache),
            clip_cache_limit(self.clip_cache_gb),
            self.spec.clip_sampling,
            with_h264=self.spec.video_format == "mp4",
            storage_options=self.storage_options,
        )


def make_rows(units: Iterable[Unit], work: Work, report: Report) -> Iterator[dict[str, Any]]:
    """The rows of these units in their order; what is left out goes into the report.

    Raises:
        SourceChanged: if a video is not what it was when the build began.
    """
    store = work.store()
    for unit in units:
        report.expect(unit, work.spec)
        for made in make_questions(unit, work.spec, work.sources, store):
            if isinstance(made, Refusal):
                report.add(made)
            else:
                report.made[made.portion.name] += 1
                yield to_row(made, work.spec, work.split)
