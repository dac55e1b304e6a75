"""Reads a finished build: for export, push and other later steps."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from ..tasks import UsageError
from .folder import Folder
from .shards import ROWS_PER_GROUP
from .summary import Summary


@dataclass(frozen=True)
class Build:
    """A finished build: its folder, local or in a store, and its `build.json`."""

    folder: Folder
    summary: Summary

    @classmethod
    def read(cls, place: str | os.PathLike[str]) -> Build:
        """Open a build by folder or fsspec URL; raises UsageError if there is none, or if it is unfinished."""
        folder = Folder.of(place)
        summary = Summary.read(folder)
        if summary is None:
            raise UsageError(f"{str(place)!r} holds no build; `videossr build … --out {place}` makes one")
        if not summary.finished:
            raise UsageError(f"the build in {str(place)!r} is not finished; run its command again")
        return cls(folder, summary)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.summary.rows

    @property
    def video_format(self) -> str:
        """`mp4` or `jpeg`."""
        return str(self.summary.spec["video_format"])

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows in order, ROWS_PER_GROUP at a time."""
        for shard in self.summary.shards:
            with self.folder.open(shard["file"]) as file, pq.ParquetFile(file) as parquet:
                yield from parquet.iter_batches(ROWS_PER_GROUP)
