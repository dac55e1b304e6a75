"""Converts a build to the format of a trainer, a few rows at a time."""

from __future__ import annotations

import json
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from ..progress import Progress, no_progress
from ..storage.stored_build import Build
from ..tasks import UsageError

Row = dict[str, Any]
DATA = "train.parquet"
_MARK = "export.json"


@dataclass(frozen=True)
class Export:
    """The format of one trainer.

    Attributes:
        name: its name on the command line.
        schema: (build) -> the columns.
        convert: (rows of the build, folder, schema) -> rows of the export; may write files into the folder.
        check: raises UsageError for builds that the trainer cannot use.
        howto: one line that says how to use the export.
    """

    name: str
    schema: Callable[[Build], pa.Schema]
    convert: Callable[[pa.RecordBatch, Path, pa.Schema], pa.Table]
    check: Callable[[Build], None]
    howto: str


def export(
    build: Build,
    out: str | os.PathLike[str],
    how: Export,
    force: bool = False,
    progress: Progress = no_progress,
    workers: int = 1,
) -> Path:
    """Write `out/train.parquet` and return its path; keeps a finished export of the same build.

    Any number of `workers` (processes) writes the same bytes.

    Raises:
        UsageError: if the trainer cannot use the build, or `out` holds something else.
    """
    how.check(build)
    if workers < 1:
        raise UsageError(f"workers={workers} is not allowed; give the number of processes, at least 1")
    if "://" in str(out):
        raise UsageError(f"out={str(out)!r} is in a store; exports are written to a local folder")
    folder = Path(out)
    if not build.folder.is_remote:
        source, target = build.folder.path.resolve(), folder.resolve()
        if source == target or source in target.parents or target in source.parents:
            raise UsageError(f"out={str(folder)!r} and the build {str(source)!r} lie within each other; give another folder")
    mark = {"export": how.name, "build": build.summary.identity, "version": build.summary.version}
    if folder.exists() and any(folder.iterdir()):
        existing = json.loads((folder / _MARK).read_text()) if (folder / _MARK).exists() else None
        if existing == mark and (folder / DATA).exists():
            return folder / DATA
        if existing is None:
            raise UsageError(f"out={str(folder)!r} is not empty and holds no export; give another folder")
        if existing != mark and not force:
            raise UsageError(f"out={str(folder)!r} holds another export; give another folder, or --force to replace it")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).write_text(json.dumps(mark))
    temporary = folder / f"{DATA}.{os.getpid()}.tmp"
    _write(build, temporary, how, folder, progress, workers)
    os.replace(temporary, folder / DATA)
    return folder / DATA


def _write(build: Build, path: Path, how: Export, folder: Path, progress: Progress, workers: int) -> None:
    schema = how.schema(build)
    done = 0
    # JPEG and H.264 data does not compress further
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False, write_statistics=False) as writer:
        for table in _convert(build, how, folder, schema, workers):
            writer.write_table(table)
            done += table.num_rows
            progress(done, build.rows)


def _convert(build: Build, how: Export, folder: Path, schema: pa.Schema, workers: int) -> Iterator[pa.Table]:
    """The converted batches in order; with several workers, a few of them at a time."""
    if workers == 1:
        yield from (how.convert(rows, folder, schema) for rows in build.batches())
        return
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        running: deque[Future[pa.Table]] = deque()
        for rows in build.batches():
            running.append(pool.submit(how.convert, rows, folder, schema))
            if len(running) > 2 * workers:
                yield running.popleft().result()
        yield from (table.result() for table in running)


def from_zero(offsets: pa.Array) -> pa.Array:
    """A list array's offsets shifted to start at 0; those of a slice need not."""
    return pa.compute.subtract(offsets, offsets[0])
