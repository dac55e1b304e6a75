"""Reads a build and writes it as a trainer wants it, a few rows at a time."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from ..finished import Build
from ..progress import Progress, silent

Row = dict[str, Any]
DATA = "train.parquet"
_MARK = "export.json"


@dataclass(frozen=True)
class Export:
    """How one trainer's rows are made.

    Attributes:
        name: how the command line calls it.
        schema: the columns, for a build.
        convert: rows of the build to rows of the export, in that schema; it may write files into the folder given.
        check: refuses builds that the trainer could not use; raises ValueError.
        howto: one line that says how to use it.
    """

    name: str
    schema: Callable[[Build], pa.Schema]
    convert: Callable[[pa.RecordBatch, Path, pa.Schema], pa.Table]
    check: Callable[[Build], None]
    howto: str


def export(build: Build, out: str | os.PathLike[str], how: Export, force: bool = False, progress: Progress = silent) -> Path:
    """Write `out/train.parquet`; a rerun that finds the same build there leaves it.

    Raises:
        ValueError: if the trainer could not use the build, or `out` holds something else.
    """
    how.check(build)
    folder = Path(out)
    ours, its = build.folder.resolve(), folder.resolve()
    if ours == its or ours in its.parents or its in ours.parents:
        raise ValueError(f"out={str(folder)!r} and the build {str(build.folder)!r} lie within each other; give another folder")
    mark = {"export": how.name, "build": build.summary["identity"], "videossr": build.summary["videossr"]}
    if folder.exists() and any(folder.iterdir()):
        held = json.loads((folder / _MARK).read_text()) if (folder / _MARK).exists() else None
        if held == mark and (folder / DATA).exists():
            return folder / DATA
        if held is None:
            raise ValueError(f"out={str(folder)!r} is not empty and holds no export; give another folder")
        if held != mark and not force:
            raise ValueError(f"out={str(folder)!r} holds another export; give another folder, or --force to replace it")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / _MARK).write_text(json.dumps(mark))
    aside = folder / f"{DATA}.{os.getpid()}.tmp"
    _write(build, aside, how, folder, progress)
    os.replace(aside, folder / DATA)
    return folder / DATA


def _write(build: Build, path: Path, how: Export, folder: Path, progress: Progress) -> None:
    schema = how.schema(build)
    done = 0
    # pictures do not get smaller by compression
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False, write_statistics=False) as writer:
        for rows in build.batches():
            writer.write_table(how.convert(rows, folder, schema))
            done += rows.num_rows
            progress(done, build.rows)


def from_zero(offsets: pa.Array) -> pa.Array:
    """A list array's offsets, which need not begin at 0 in a slice."""
    return pa.compute.subtract(offsets, offsets[0])
