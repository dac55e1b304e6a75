"""Builds on disk: Parquet shards, a manifest of the videos and a summary. A rerun makes only the shards that are missing.

A shard is written aside and renamed, and carries a digest of all that it depends on: so it is there whole, or not at all,
and is made anew if anything behind it changed.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from .dealing import Item, Unit
from .errors import BuildError
from .identity import VERSION, code_digest, codec_versions, dataset_id, digest
from .report import Report
from .schema import features
from .spec import BuildSpec
from .work import Work, folder_work, make_rows

SPLIT = "train"
ROWS_PER_SHARD = 100
ROWS_PER_GROUP = 25  # some 15 MB: what the Hub's viewer reads at once
SUMMARY = "build.json"
MANIFEST = "manifest.jsonl"
LOCK = ".lock"
_METADATA = b"videossr"

Progress = Callable[[int, int], None]
"""Called now and then with (rows worked off, rows in all)."""


@dataclass(frozen=True)
class Shard:
    """One file of the build, `data/train-0000i-of-0000n.parquet`."""

    path: str
    units: tuple[Unit, ...]
    digest: str

    @property
    def items(self) -> int:
        return sum(len(unit.items) for unit in self.units)


def build(
    spec: BuildSpec,
    videos: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    workers: int = 1,
    force: bool = False,
    clip_cache: str | None = None,
    clip_cache_gb: float | None = None,
    progress: Progress = lambda done, total: None,
) -> Report:
    """Build a dataset into a folder, or finish one that was interrupted.

    Args:
        spec: what to build.
        videos: a folder.
        out: the build's folder: `data/*.parquet`, which `datasets.load_dataset(out)` reads, `manifest.jsonl`, `build.json`.
        workers: processes.
        force: replace another build that stands in `out`.

    Raises:
        ValueError: for bad arguments, or no videos.
        BuildError: if it stopped half-way, or no question could be made.
    """
    if workers < 1:
        raise ValueError(f"workers={workers!r} is not allowed; allowed: an integer from 1")
    work, repeated = folder_work(spec, videos, SPLIT, clip_cache, clip_cache_gb)
    return build_work(work, out, repeated, workers=workers, force=force, progress=progress)


def build_work(
    work: Work,
    out: str | os.PathLike[str],
    repeated: Mapping[str, str],
    *,
    workers: int = 1,
    force: bool = False,
    progress: Progress = lambda done, total: None,
) -> Report:
    """`build`, of sources that are known already; `repeated` are those that were left out."""
    folder = Path(out)
    with _alone(folder):
        _claim(folder, work.spec, force)
        shards = plan_shards(work, folder)
        try:
            report = _make_shards(shards, work, workers, progress)
        except BrokenProcessPool:
            raise BuildError("a worker process died, killed or out of memory; run the same command again to go on") from None
        report.repeated.update(repeated)
        report.check()
        _finish(folder, work, shards, report)
    return report


def _finish(folder: Path, work: Work, shards: Sequence[Shard], report: Report) -> None:
    """Write the manifest and the summary, and remove what an earlier list of videos left."""
    for stale in {str(path) for path in folder.glob("data/*.parquet")} - {shard.path for shard in shards}:
        os.unlink(stale)
    lines = [json.dumps({"name": source.name, "fingerprint": source.fingerprint}) for source in work.sources]
    _write_text(folder / MANIFEST, "\n".join(lines) + "\n")
    _write_text(folder / SUMMARY, json.dumps(_summary(work, shards, report), indent=2) + "\n")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other builds out of the folder. The lock goes with this process, however that ends."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BuildError(f"another build is writing to {str(folder)!r}; wait for it, or give another folder") from None
    try:
        yield
    finally:
        (folder / LOCK).unlink(missing_ok=True)
        lock.release()


def plan_shards(work: Work, folder: Path) -> list[Shard]:
    """Cut the work into shards of so many items; the same for any number of workers."""
    pieces = list(_cut(work.units(), ROWS_PER_SHARD))
    uses_donors = any(portion.task.wants_donor(portion.params) for portion in work.spec.portions)
    shards = []
    for number, units in enumerate(pieces):
        name = f"{work.split}-{number:05d}-of-{len(pieces):05d}.parquet"
        behind = work.sources if uses_donors else [work.sources[at] for at in _involved(units)]
        items = [_told(work, unit.source, item) for unit in units for item in unit.items]
        key = digest(dataset_id(work.spec, {work.split: behind}), items)
        shards.append(Shard(str(folder / "data" / name), units, key))
    return shards


def _told(work: Work, source: int, item: Item) -> list[Any]:
    """An item in words that do not depend on how many sources there are."""
    offered = [work.sources[at].name for at in (source, *item.others)]
    return [item.index, item.portion, item.draw, offered]


def _involved(units: Sequence[Unit]) -> list[int]:
    """Every source that may give one of these units' questions."""
    return sorted({at for unit in units for item in unit.items for at in (unit.source, *item.others)})


def _cut(units: Sequence[Unit], rows: int) -> Iterator[tuple[Unit, ...]]:
    piece: list[Unit] = []
    room = rows
    for unit in units:
        items = unit.items
        while items:
            piece.append(replace(unit, items=items[:room]))
            taken, items = len(items[:room]), items[room:]
            room -= taken
            if room == 0:
                yield tuple(piece)
                piece, room = [], rows
    if piece:
        yield tuple(piece)


def make_shard(shard: Shard, work: Work, schema: pa.Schema, count: Callable[[int], None] = lambda rows: None) -> dict[str, Any]:
    """Make one shard unless it is there; safe to repeat, and to race with another process.

    Args:
        schema: `features(…).arrow_schema`, which tells datasets what the columns are.
        count: called with the rows worked off since the last call.

    Returns:
        Its report as plain values.
    """
    found = finished_report(shard)
    if found is not None:
        count(shard.items)
        return found
    Path(shard.path).parent.mkdir(parents=True, exist_ok=True)
    aside = f"{shard.path}.{os.getpid()}.tmp"
    report = Report()
    try:
        with pq.ParquetWriter(aside, schema, compression="snappy", use_dictionary=False, write_statistics=False) as writer:
            group: list[dict[str, Any]] = []
            for row in make_rows(shard.units, work, report):
                group.append(row)
                count(1)
                if len(group) == ROWS_PER_GROUP:
                    writer.write_table(pa.Table.from_pylist(group, schema))
                    group = []
            if group:
                writer.write_table(pa.Table.from_pylist(group, schema))
            stored = {"digest": shard.digest, "report": report.to_dict()}
            writer.add_key_value_metadata({_METADATA: json.dumps(stored).encode()})
        os.replace(aside, shard.path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
    return report.to_dict()


def finished_report(shard: Shard) -> dict[str, Any] | None:
    """The report of a shard that stands complete and up to date; else None."""
    try:
        stored = pq.read_metadata(shard.path).metadata
    except (FileNotFoundError, pa.ArrowInvalid):
        return None
    told = json.loads((stored or {}).get(_METADATA, b"{}"))
    return told.get("report") if told.get("digest") == shard.digest else None


def _make_shards(shards: Sequence[Shard], work: Work, workers: int, progress: Progress) -> Report:
    total = sum(shard.items for shard in shards)
    report = Report()
    done = 0

    def count(rows: int) -> None:
        nonlocal done
        done += rows
        progress(done, total)

    if workers == 1 or len(shards) == 1:
        schema = features(work.spec.video_format).arrow_schema
        for shard in shards:
            report.update(Report.from_dict(make_shard(shard, work, schema, count)))
        progress(total, total)
        return report
    # spawned, not forked: pyarrow's threads do not survive a fork
    context = multiprocessing.get_context("spawn")
    counter = context.Value("q", 0)
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_share, initargs=(counter,)) as pool:
        for _ in range(workers):
            pool.submit(os.getpid)  # so that the processes start while the next line imports datasets
        schema = features(work.spec.video_format).arrow_schema
        largest_first = sorted(shards, key=lambda shard: -sum(work.sources[unit.source].size for unit in shard.units))
        waiting: set[Future[dict[str, Any]]] = {pool.submit(_make_shard, shard, work, schema) for shard in largest_first}
        try:
            while waiting:
                finished, waiting = wait(waiting, timeout=0.3, return_when=FIRST_COMPLETED)
                for future in finished:
                    report.update(Report.from_dict(future.result()))
                progress(min(counter.value, total), total)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    progress(total, total)
    return report


_counter: Any = None  # set once in each worker process by `_share`


def _share(counter: Any) -> None:
    global _counter
    _counter = counter


def _make_shard(shard: Shard, work: Work, schema: pa.Schema) -> dict[str, Any]:
    def count(rows: int) -> None:
        with _counter.get_lock():
            _counter.value += rows

    return make_shard(shard, work, schema, count)


def _claim(folder: Path, spec: BuildSpec, force: bool) -> None:
    """Take a folder for this build, or refuse one that holds something else. Shards that stay are checked one by one."""
    summary = folder / SUMMARY
    wanted = json.loads(json.dumps(spec.to_dict()))
    if summary.exists():
        held = json.loads(summary.read_text())["spec"]
        if held == wanted:
            for left in folder.glob("data/*.tmp"):  # half-written by a process that was killed
                left.unlink(missing_ok=True)
        elif not force:
            other = ", ".join(f"{name}={held.get(name)!r}" for name in wanted if held.get(name) != wanted[name])
            raise ValueError(
                f"out={str(folder)!r} holds another build ({other}); give another folder, or --force to replace it"
            )
        else:
            shutil.rmtree(folder / "data", ignore_errors=True)
    elif any(path.name != LOCK for path in folder.iterdir()):
        raise ValueError(f"out={str(folder)!r} is not empty and holds no build; give another folder")
    _write_text(summary, json.dumps({"spec": wanted, "finished": False}, indent=2) + "\n")


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
        "shards": [{"file": f"data/{Path(shard.path).name}", "digest": shard.digest} for shard in shards],
    }


def _write_text(path: Path, text: str) -> None:
    aside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    aside.write_text(text)
    os.replace(aside, path)
