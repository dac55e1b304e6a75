"""A finished build on disk, as everything that comes after building reads it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from .build import SUMMARY
from .shards import ROWS_PER_GROUP


@dataclass(frozen=True)
class Build:
    """A finished build on disk.

    Attributes:
        folder: where it stands.
        summary: what its `build.json` says.
    """

    folder: Path
    summary: Mapping[str, Any]

    @classmethod
    def read(cls, folder: str | os.PathLike[str]) -> Build:
        """Open a build.

        Raises:
            ValueError: if the folder holds none, or one that is not finished.
        """
        path = Path(folder)
        try:
            summary = json.loads((path / SUMMARY).read_text())
        except FileNotFoundError:
            raise ValueError(f"{str(path)!r} holds no build; `videossr build … --out {path}` makes one") from None
        if not summary.get("finished"):
            raise ValueError(f"the build in {str(path)!r} is not finished; run its command again")
        return cls(path, summary)

    @property
    def rows(self) -> int:
        return int(self.summary["rows"])

    @property
    def video_format(self) -> str:
        return str(self.summary["spec"]["video_format"])

    def batches(self) -> Iterator[pa.RecordBatch]:
        """All rows in order, a few at a time."""
        for shard in self.summary["shards"]:
            with pq.ParquetFile(self.folder / shard["file"]) as file:
                yield from file.iter_batches(ROWS_PER_GROUP)
