"""Builds Parquet shards, a manifest of the videos and a summary. A rerun makes only the missing shards."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..media.clip_cache import ClipCache
from ..progress import Progress, no_progress
from ..questions.identity import dataset_id
from ..questions.job import Job, folder_job
from ..questions.report import Report
from ..questions.spec import BuildSpec
from ..tasks import UsageError
from .engine import Engine
from .folder import Folder
from .local_engine import LocalEngine
from .lock import LOCK, locked
from .shards import DATA, Shard, finished_report, plan_shards
from .summary import Summary, plain_spec, read_manifest, write_manifest

SPLIT = "train"


@dataclass(frozen=True)
class BuildProgress:
    """Callbacks of a build.

    Attributes:
        videos: (videos identified, videos in all), before the first row.
        rows: (items finished, items in all).
        report: the report of all finished shards, after each shard.
    """

    videos: Progress = no_progress
    rows: Progress = no_progress
    report: Callable[[Report], None] = lambda report: None


def build(
    spec: BuildSpec,
    videos: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    engine: Engine | None = None,
    cache: ClipCache | None = None,
    force: bool = False,
    progress: BuildProgress | None = None,
) -> Report:
    """Build a dataset into a folder, or finish one that was interrupted.

    Args:
        spec: what to build.
        videos: a folder, local or in any store that fsspec supports (`s3://bucket/clips`).
        out: the build's folder, local or in a store. Gets `data/*.parquet`, which `datasets.load_dataset(out)` reads,
            `manifest.jsonl` and `build.json`.
        engine: default: this process.
        cache: the cache of sampled clips; default: the user's.
        force: replace another build in `out`.

    Raises:
        UsageError: for bad arguments, no videos, or an `out` that holds something else.
        BuildError: if the build stopped halfway, or no question could be made.
        OSError: if `out` cannot be written to.
    """
    engine, progress = engine or LocalEngine(), progress or BuildProgress()
    folder = Folder.of(out)
    with locked(folder):
        previous = _previous(folder, spec, force)  # checked before the videos are read, which may take long
        job, report = folder_job(
            spec, videos, SPLIT, cache or ClipCache.of(),
            read=engine.read_contents, with_length=engine.wants_length, progress=progress.videos,
        )  # fmt: skip
        if not force:
            _check_same_videos(folder, previous, job)
        return _build(job, folder, report, previous, engine, progress)


def build_job(
    job: Job, out: str | os.PathLike[str], *, engine: Engine | None = None, progress: Progress = no_progress
) -> Report:
    """`build` for sources that are already identified."""
    folder = Folder.of(out)
    with locked(folder):
        previous = _previous(folder, job.spec, force=False)
        _check_same_videos(folder, previous, job)
        return _build(job, folder, Report(), previous, engine or LocalEngine(), BuildProgress(rows=progress))


def _build(
    job: Job, folder: Folder, report: Report, previous: Summary | None, engine: Engine, progress: BuildProgress
) -> Report:
    shards = plan_shards(job)
    _begin(folder, job, shards, previous)
    for shard_report in engine.make_shards(shards, job, folder, progress.rows):
        report.update(shard_report)
        progress.report(report)
    report.check()
    folder.remove_unfinished()  # of workers that were killed on the way
    folder.remove(*set(folder.names(f"{DATA}/")) - {shard.name for shard in shards})  # left from an earlier list of videos
    write_manifest(folder, job.sources)
    Summary.of(job, shards, report).write(folder)
    return report


def _previous(folder: Folder, spec: BuildSpec, force: bool) -> Summary | None:
    """The summary of the build in a folder, finished or not; None if the folder is empty.

    Raises:
        UsageError: if it holds something else, or another build without `force`.
    """
    summary = Summary.read(folder)
    if summary is None:
        if any(name != LOCK for name in folder.names()):
            raise UsageError(f"out={folder.url!r} is not empty and holds no build; give another folder")
        return None
    requested = plain_spec(spec)
    if summary.spec != requested and not force:
        existing = {name: summary.spec.get(name) for name in requested}
        other = ", ".join(f"{name}={value!r}" for name, value in existing.items() if value != requested[name])
        raise UsageError(f"out={folder.url!r} holds another build ({other}); give another folder, or --force to replace it")
    return summary


def _check_same_videos(folder: Folder, previous: Summary | None, job: Job) -> None:
    """Refuse to replace a finished build if some of its videos are missing now."""
    if previous is None or not previous.finished:
        return
    missing = sorted({line["name"] for line in read_manifest(folder)} - {source.name for source in job.sources})
    if missing:
        names = f"{missing[0]!r} and {len(missing) - 1} more" if len(missing) > 1 else repr(missing[0])
        raise UsageError(
            f"out={folder.url!r} holds a finished build that also uses {names}, not among these videos; "
            "give another folder, or --force to replace it"
        )


def _begin(folder: Folder, job: Job, shards: Sequence[Shard], previous: Summary | None) -> None:
    """Mark the folder as this build and unfinished, unless it is finished. Shards of the same spec stay; each is checked later."""
    requested = plain_spec(job.spec)
    folder.remove_unfinished()
    same = previous and previous.finished and previous.identity == dataset_id(job.spec, {job.split: job.sources})
    if not (same and all(finished_report(shard, folder) is not None for shard in shards)):
        Summary(requested).write(folder)  # before shards go: a kill here leaves no finished build without them
    if previous and previous.spec != requested:
        folder.remove(*folder.names(f"{DATA}/"))
