"""Builds on disk: Parquet shards, a manifest of the videos and a summary. A rerun makes only the shards that are missing.

A shard is written aside and renamed, and carries a digest of all that it depends on: so it is there whole, or not at all,
and is made anew if anything behind it changed.
"""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from typing import Any

import pyarrow as pa
from filelock import FileLock, Timeout

from .errors import BuildError
from .identity import VERSION, code_digest, codec_versions, dataset_id
from .progress import Progress, silent
from .report import Report
from .schema import features
from .shards import DATA, Shard, finished_report, in_good_order, make_shard, plan_shards
from .sources import Reader, read_contents
from .spec import BuildSpec
from .target import Target
from .work import Work, folder_work

SPLIT = "train"
ENGINES = ("local", "ray")
SUMMARY = "build.json"
MANIFEST = "manifest.jsonl"
LOCK = ".lock"


def build(
    spec: BuildSpec,
    videos: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    workers: int = 1,
    engine: str = "local",
    address: str | None = None,
    force: bool = False,
    clip_cache: str | None = None,
    clip_cache_gb: float | None = None,
    progress: Progress = silent,
    so_far: Callable[[Report], None] = lambda report: None,
    reading: Progress = silent,
) -> Report:
    """Build a dataset into a folder, or finish one that was interrupted.

    Args:
        spec: what to build.
        videos: a folder, local or of any store that fsspec knows (`s3://bucket/clips`).
        out: the build's folder, likewise: `data/*.parquet`, which `datasets.load_dataset(out)` reads, `manifest.jsonl`,
            `build.json`.
        workers: processes; with Ray, how many shards are made at a time, 1 for as many as the cluster has processors.
        engine: `local` or `ray`.
        address: the Ray cluster's, `auto` for the one of this machine; None starts one here.
        force: replace another build that stands in `out`.
        so_far: called with the report of all finished shards whenever there is one more.
        reading: called with (videos whose content is known, videos in all), before the first row.

    Raises:
        ValueError: for bad arguments, no videos, or a folder that holds something else.
        BuildError: if it stopped half-way, or no question could be made.
        OSError: if `out` cannot be written to.
    """
    if workers < 1:
        raise ValueError(f"workers={workers!r} is not allowed; allowed: an integer from 1")
    if engine not in ENGINES:
        raise ValueError(f"engine={engine!r} is unknown; allowed: {', '.join(ENGINES)}")
    target = Target.of(out)
    with _alone(target):
        held = _held(target, spec, force)  # before the videos are read, which may take long
        read: Reader = read_contents
        if engine == "ray":
            from . import cluster

            cluster.connect(address)
            read = cluster.read_contents
        with_length = workers > 1 or engine == "ray"
        work, repeated = folder_work(
            spec, videos, SPLIT, clip_cache, clip_cache_gb, read=read, with_length=with_length, progress=reading
        )
        return _build(work, target, repeated, held, workers, engine, force, progress, so_far)


def build_work(work: Work, out: str | os.PathLike[str], *, workers: int = 1, progress: Progress = silent) -> Report:
    """`build`, of sources that are known already, by processes of this machine."""
    target = Target.of(out)
    with _alone(target):
        held = _held(target, work.spec, force=False)
        return _build(work, target, {}, held, workers, "local", False, progress, lambda report: None)


def _build(
    work: Work, target: Target, repeated: Mapping[str, str], held: Mapping[str, Any], workers: int, engine: str, force: bool,
    progress: Progress, so_far: Callable[[Report], None],
) -> Report:  # fmt: skip
    shards = plan_shards(work)
    _claim(target, work, shards, held, force)
    report = Report(repeated=dict(repeated))

    def add(values: dict[str, Any]) -> None:
        report.update(Report.from_dict(values))
        so_far(report)

    if engine == "ray":
        from . import cluster

        cluster.make_shards(shards, work, target, workers, progress, add)
    else:
        _make_shards(shards, work, target, workers, progress, add)
    report.check()
    _finish(target, work, shards, report)
    return report


def _finish(target: Target, work: Work, shards: Sequence[Shard], report: Report) -> None:
    """Write the manifest and the summary, and remove what an earlier list of videos left."""
    target.remove(*set(target.names(f"{DATA}/")) - {shard.name for shard in shards})
    lines = [json.dumps({"name": source.name, "fingerprint": source.fingerprint}) for source in work.sources]
    target.write_text(MANIFEST, "\n".join(lines) + "\n")
    target.write_text(SUMMARY, json.dumps(_summary(work, shards, report), indent=2) + "\n")


@contextmanager
def _alone(target: Target) -> Iterator[None]:
    """Keep other builds out of a local folder. The lock goes with this process, however that ends.

    Stores have no locks: there, builds that race make the same shards.
    """
    if target.is_remote:
        yield
        return
    was_there = target.folder.exists()
    target.folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(target.folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BuildError(f"another build is writing to {target.url!r}; wait for it, or give another folder") from None
    try:
        yield
    finally:
        (target.folder / LOCK).unlink(missing_ok=True)
        lock.release()
        if not was_there:
            with suppress(OSError):  # there is something in it, as there should be
                target.folder.rmdir()


def _make_shards(
    shards: Sequence[Shard],
    work: Work,
    target: Target,
    workers: int,
    progress: Progress,
    add: Callable[[dict[str, Any]], None],
) -> None:
    """Make shards here, in so many processes; `add` gets the report of each."""
    total = sum(shard.items for shard in shards)
    done = 0

    def count(rows: int) -> None:
        nonlocal done
        done += rows
        progress(done, total)

    if workers == 1 or len(shards) == 1:
        schema = features(work.spec.video_format).arrow_schema
        for shard in shards:
            add(make_shard(shard, work, target, schema, count))
        progress(total, total)
        return
    # spawned, not forked: pyarrow's threads do not survive a fork
    context = multiprocessing.get_context("spawn")
    counter = context.Value("q", 0)
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_share, initargs=(work, target, counter)) as pool:
        for _ in range(workers):
            pool.submit(os.getpid)  # so that the processes start while the next line imports datasets
        schema = features(work.spec.video_format).arrow_schema
        waiting: set[Future[dict[str, Any]]] = {
            pool.submit(_make_shard, shard, schema) for shard in in_good_order(shards, work)
        }
        try:
            while waiting:
                finished, waiting = wait(waiting, timeout=0.3, return_when=FIRST_COMPLETED)
                for future in finished:
                    add(future.result())
                progress(min(counter.value, total), total)
        except BrokenProcessPool:
            raise BuildError("a worker process died, killed or out of memory; run the same command again to go on") from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    progress(total, total)


_shared: tuple[Work, Target, Any] | None = None  # set once in each worker process by `_share`: the work names every video


def _share(work: Work, target: Target, counter: Any) -> None:
    global _shared
    _shared = work, target, counter


def _make_shard(shard: Shard, schema: pa.Schema) -> dict[str, Any]:
    assert _shared
    work, target, counter = _shared

    def count(rows: int) -> None:
        with counter.get_lock():
            counter.value += rows

    return make_shard(shard, work, target, schema, count)


def _held(target: Target, spec: BuildSpec, force: bool) -> Mapping[str, Any]:
    """The summary of the build that stands in a folder, finished or not; none if it is empty.

    Raises:
        ValueError: if it holds something else, or another build and that is not to be replaced.
    """
    text = target.read_text(SUMMARY)
    if text is None:
        if any(name != LOCK for name in target.names()):
            raise ValueError(f"out={target.url!r} is not empty and holds no build; give another folder")
        return {}
    try:
        held = json.loads(text)
        told = held["spec"]
    except (json.JSONDecodeError, KeyError, TypeError):
        raise ValueError(f"{SUMMARY} in {target.url!r} is damaged; give another folder, or remove this one") from None
    wanted = _plain(spec)
    if told != wanted and not force:
        other = ", ".join(f"{name}={told.get(name)!r}" for name in wanted if told.get(name) != wanted[name])
        raise ValueError(f"out={target.url!r} holds another build ({other}); give another folder, or --force to replace it")
    return dict(held)


def _plain(spec: BuildSpec) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(spec.to_dict()))
    return plain


def _claim(target: Target, work: Work, shards: Sequence[Shard], held: Mapping[str, Any], force: bool) -> None:
    """Say that the folder is this build's, and not finished, unless it is. Shards that stay are checked one by one."""
    wanted = _plain(work.spec)
    if held.get("finished") and not force:
        lines = (target.read_text(MANIFEST) or "").splitlines()
        gone = sorted({json.loads(line)["name"] for line in lines} - {source.name for source in work.sources})
        if gone:
            told = f"{gone[0]!r} and {len(gone) - 1} more" if len(gone) > 1 else repr(gone[0])
            raise ValueError(
                f"out={target.url!r} holds a finished build that also uses {told}, not found among these videos; "
                "give another folder, or --force to replace it"
            )
    target.remove_unfinished()
    if held and held["spec"] != wanted:
        target.remove(*target.names(f"{DATA}/"))
    of_this = held.get("finished") and held.get("identity") == dataset_id(work.spec, {work.split: work.sources})
    if not (of_this and all(finished_report(shard, target) is not None for shard in shards)):
        target.write_text(SUMMARY, json.dumps({"spec": wanted, "finished": False}, indent=2) + "\n")


def _summary(work: Work, shards: Sequence[Shard], report: Report) -> dict[str, Any]:
    spec = work.spec
    portions = {}
    for portion in spec.portions:
        chance = portion.task.chance(portion.params, spec.frames)
        portions[portion.name] = {
            "task": portion.task.name,
            "task_version": portion.task.version,
            "level": portion.level.name,
            "params": portion.params,
            "metric": portion.metric,
            "chance": round(chance.smooth, 4),
            "chance_exact": round(chance.exact, 4),
        }
    return {
        "identity": dataset_id(spec, {work.split: work.sources}),
        "spec": spec.to_dict(),
        "finished": True,
        "rows": sum(report.made.values()),
        "videossr": VERSION,
        "code": code_digest(),
        "codecs": codec_versions(),
        "portions": portions,
        "report": report.to_dict(),
        "shards": [{"file": shard.name, "digest": shard.digest} for shard in shards],
    }
