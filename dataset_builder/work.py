"""The work of a build: what there is to do, and the one loop that turns it into rows, whoever runs it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .cache import ClipStore, clip_cache_folder, clip_cache_limit
from .dealing import Unit, deal
from .progress import Progress, silent
from .questions import Question, Refusal, make_questions
from .report import Report
from .schema import to_row
from .sources import ContentMemory, Reader, Source, distinct, find_videos, identify, read_contents
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

    def units(self) -> list[Unit]:
        return deal(self.spec, len(self.sources))

    def store(self) -> ClipStore:
        return ClipStore(
            clip_cache_folder(self.clip_cache),
            clip_cache_limit(self.clip_cache_gb),
            self.spec.clip_sampling,
            with_h264=self.spec.video_format == "mp4",
            storage_options=self.storage_options,
        )


def folder_work(
    spec: BuildSpec,
    videos: str | os.PathLike[str],
    split: str,
    clip_cache: str | None = None,
    clip_cache_gb: float | None = None,
    *,
    read: Reader = read_contents,
    with_length: bool = False,
    progress: Progress = silent,
) -> tuple[Work, dict[str, str]]:
    """The work on a folder of videos; and the files left out, with the name of the one that has the same content.

    Args:
        read: reads the contents that are not remembered.
        with_length: whether to learn how long the videos are, by which many workers share them out.
        progress: called with (videos whose content is known, videos in all).

    Raises:
        ValueError: if there is no video.
    """
    memory = ContentMemory(clip_cache_folder(clip_cache))
    sources, repeated = distinct(identify(find_videos(videos), memory, read=read, with_length=with_length, progress=progress))
    return Work(spec, split, tuple(sources), clip_cache, clip_cache_gb), repeated


def each_question(work: Work, units: Iterable[Unit] | None = None) -> Iterator[Question | Refusal]:
    """The questions of these units, or of all, in their order, each after the refusals on the way to it.

    Raises:
        SourceChanged: if a video is not what it was when the build began.
    """
    store = work.store()
    for unit in work.units() if units is None else units:
        yield from make_questions(unit, work.spec, work.sources, store)


def make_rows(units: Iterable[Unit], work: Work, report: Report) -> Iterator[dict[str, Any]]:
    """The rows of these units in their order; what is left out goes into the report."""
    units = list(units)
    for unit in units:
        report.expect(unit, work.spec)
    for made in each_question(work, units):
        if isinstance(made, Refusal):
            report.add(made)
        else:
            report.made[made.portion.name] += 1
            yield to_row(made, work.spec, work.split)
