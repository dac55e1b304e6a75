"""Splits a build for the Hub into a folder of Parquet files per portion, so that each portion can be loaded by name."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..questions.row import features
from ..storage.shards import DATA, ROWS_PER_GROUP
from ..storage.stored_build import Build

ROWS_PER_FILE = 500  # about 300 MB


@dataclass(frozen=True)
class RowDigest:
    """Digests to compare two rows by.

    Attributes:
        portion, index: identify the row.
        text: hash of everything but the videos.
        videos: hash of the videos' bytes.
    """

    portion: str
    index: int
    text: str
    videos: str


def digest_row(row: dict[str, Any]) -> RowDigest:
    """The digests of a row whose videos are bytes."""
    info = row["extra_info"]
    text = json.dumps({key: value for key, value in row.items() if key != "videos"}, sort_keys=True)
    videos = hashlib.blake2b(digest_size=16)
    for video in row["videos"]:
        for part in [video] if isinstance(video, dict) else video:
            videos.update(len(part["bytes"]).to_bytes(8, "big") + part["bytes"])
    text_digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return RowDigest(info["portion"], info["index"], text_digest, videos.hexdigest())


def file_names(build: Build) -> dict[str, list[str]]:
    """The repository's data files in order, by portion."""
    names = {}
    for portion, rows in build.summary.report["rows"].items():
        count = math.ceil(rows / ROWS_PER_FILE)
        names[portion] = [f"{DATA}/{portion}/train-{k:05d}-of-{count:05d}.parquet" for k in range(count)]
    return names


@dataclass
class _OpenFile:
    """The file of a portion that is being written."""

    names: Iterator[str]
    name: str = ""
    writer: pq.ParquetWriter | None = None
    rows: int = 0
    waiting: list[pa.RecordBatch] = field(default_factory=list)
    waiting_rows: int = 0


def cut_files(build: Build, folder: Path) -> Iterator[tuple[str, Path]]:
    """Write the data files; yields (name in the repository, path), and the caller may then remove the file.

    Holds only a few rows of each portion in memory. The same build always gives the same files.
    """
    schema = features(build.video_format).arrow_schema
    portions = {portion: _OpenFile(iter(names)) for portion, names in file_names(build).items()}
    for batch in build.batches():
        row_portions = pc.struct_field(batch["extra_info"], "portion")
        for portion in pc.unique(row_portions).to_pylist():
            rest = batch.filter(pc.equal(row_portions, portion))
            while rest.num_rows:
                part = portions[portion]
                piece = rest.slice(0, min(ROWS_PER_GROUP - part.waiting_rows, ROWS_PER_FILE - part.rows - part.waiting_rows))
                rest = rest.slice(piece.num_rows)
                part.waiting.append(piece)
                part.waiting_rows += piece.num_rows
                full = part.rows + part.waiting_rows == ROWS_PER_FILE
                if full or part.waiting_rows == ROWS_PER_GROUP:
                    _write(part, folder, schema)
                if full:
                    yield _close(part, folder)
    for part in portions.values():
        if part.waiting_rows:
            _write(part, folder, schema)
        if part.writer is not None:
            yield _close(part, folder)


def _write(part: _OpenFile, folder: Path, schema: pa.Schema) -> None:
    if part.writer is None:
        part.name = next(part.names)
        path = folder / part.name
        path.parent.mkdir(parents=True, exist_ok=True)
        part.writer = pq.ParquetWriter(path, schema, compression="snappy", use_dictionary=False, write_statistics=False)
    part.writer.write_table(pa.Table.from_batches(part.waiting).cast(schema))
    part.rows += part.waiting_rows
    part.waiting, part.waiting_rows = [], 0


def _close(part: _OpenFile, folder: Path) -> tuple[str, Path]:
    assert part.writer is not None
    part.writer.close()
    part.writer, part.rows = None, 0
    return part.name, folder / part.name
