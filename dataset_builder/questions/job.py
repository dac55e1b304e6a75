"""What a build has to do, and the loop that turns it into rows in any engine."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..media.clip_cache import ClipCache
from ..media.clip_store import ClipStore
from ..progress import Progress, no_progress
from ..sources.find import find_videos
from ..sources.identify import ContentReader, drop_repeats, identify, read_contents, tell_apart
from ..sources.memory import ContentMemory
from ..sources.source import Source
from ..sources.stores import StorageOptions
from ..tasks.errors import UsageError
from .dealing import Deal, Unit, deal
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

    def units(self) -> Deal:
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
    at_once: bool = False,
    progress: Progress = no_progress,
) -> tuple[Job, Report]:
    """The job for a folder of videos, and a report of the files that it leaves out: duplicates, and no video files.

    Args:
        at_once: whether to identify local videos only when a question needs them; the questions are the same.
        read: reads files whose content is not remembered from an earlier build.
        with_length: whether to read the videos' lengths too, by which several workers balance their load.
        progress: called with (videos whose content is known, videos in all).

    Raises:
        UsageError: if there is no video file.
    """
    memory = ContentMemory(cache.folder)
    found = find_videos(videos)
    if at_once and not any(source.is_remote for source in found):
        found = tell_apart(found, memory)
    else:
        found = identify(found, memory, read=read, with_length=with_length, progress=progress)
    sources, left_out = select_sources(found)
    return Job(spec, split, tuple(sources), cache), left_out


def select_sources(
    identified: Sequence[Source], first: dict[str, str] | None = None, where: str = ""
) -> tuple[list[Source], Report]:
    """The sources to ask about, and a report of the others; `first` and `where` as in `drop_repeats`.

    Raises:
        UsageError: if no source is left that could be a video.
    """
    faults = {source.name: source.fault for source in identified if source.fault}
    if len(faults) == len(identified):
        raise UsageError(f"there is no video file: {', '.join(f'{name} {fault}' for name, fault in list(faults.items())[:3])}")
    sources, duplicates = drop_repeats((source for source in identified if not source.fault), first, where)
    return sources, Report(duplicates=duplicates, unusable=faults)


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
