"""What a build has to do, and the loop that turns it into rows in any engine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from ..media.clip_cache import ClipCache
from ..media.clip_store import ClipStore
from ..progress import Progress, no_progress
from ..sources.find import find_videos
from ..sources.identify import ContentReader, drop_repeats, identify, read_contents
from ..sources.memory import ContentMemory
from ..sources.source import Source
from ..sources.stores import StorageOptions
from .dealing import Unit, deal
from .maker import Question, QuestionMaker, Refusal
from .report import Report
from .row import to_row
from .spec import BuildSpec


@dataclass(frozen=True)
class Job:
    """What every worker process needs besides its units.

    Attributes:
        spec: what to build.
        split: the split that the rows belong to.
        sources: all videos of the split, whichever units a worker gets; a tuple, as datasets splits lists among workers.
        cache: the cache of sampled clips.
        options: storage options for remote sources.
    """

    spec: BuildSpec
    split: str
    sources: tuple[Source, ...]
    cache: ClipCache
    options: StorageOptions = field(default_factory=dict)

    def units(self) -> list[Unit]:
        """All items, grouped by source."""
        return deal(self.spec, len(self.sources))

    def store(self) -> ClipStore:
        """A store for the clips that the items need."""
        with_h264 = self.spec.video_format == "mp4"
        return ClipStore(self.cache, self.spec.clip_sampling, with_h264=with_h264, options=self.options)


def folder_job(
    spec: BuildSpec,
    videos: str | os.PathLike[str],
    split: str,
    cache: ClipCache,
    *,
    read: ContentReader = read_contents,
    with_length: bool = False,
    progress: Progress = no_progress,
) -> tuple[Job, dict[str, str]]:
    """The job for a folder of videos, and its duplicates: {file left out: file of the same content that stays}.

    Args:
        read: reads files whose content is not remembered from an earlier build.
        with_length: whether to read the videos' lengths too, by which several workers balance their load.
        progress: called with (videos whose content is known, videos in all).

    Raises:
        UsageError: if there is no video.
    """
    memory = ContentMemory(cache.folder)
    identified = identify(find_videos(videos), memory, read=read, with_length=with_length, progress=progress)
    sources, duplicates = drop_repeats(identified)
    return Job(spec, split, tuple(sources), cache), duplicates


def make_questions(job: Job, units: Iterable[Unit] | None = None) -> Iterator[Question | Refusal]:
    """The questions of these units (default: all) in order, each after its refusals; raises as `QuestionMaker.make`."""
    maker = QuestionMaker(job.spec, job.sources, job.store())
    for unit in job.units() if units is None else units:
        yield from maker.make(unit)


def make_rows(units: Iterable[Unit], job: Job, report: Report) -> Iterator[dict[str, Any]]:
    """The rows of these units in order; counts every question and refusal in the report."""
    units = list(units)
    for unit in units:
        report.expect(unit, job.spec)
    for result in make_questions(job, units):
        report.add(result)
        if isinstance(result, Question):
            yield to_row(result, job.spec, job.split)
