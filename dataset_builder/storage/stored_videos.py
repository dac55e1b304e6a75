"""A reference to the videos of one row of a build, which are read on access."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from ..media.clip_store import ClipStore
from ..media.frame import Frame, encode_jpeg
from ..questions.row import decode_video
from .folder import Folder


@dataclass(frozen=True)
class StoredVideos:
    """The videos of one row of a build.

    Attributes:
        folder: the build's folder, as path or URL.
        shard: file name relative to the folder.
        row: index within the row group.
    """

    folder: str
    shard: str
    row_group: int
    row: int

    def frames(self, store: ClipStore | None) -> list[list[Frame]]:
        """Every frame of every video."""
        return [decode_video(video) for video in self._read()]

    def jpegs(self, store: ClipStore | None) -> list[list[bytes]]:
        """The same as JPEGs: as stored, or encoded from the row's MP4s."""
        return [
            [image["bytes"] for image in video]
            if isinstance(video, list)
            else [encode_jpeg(frame) for frame in decode_video(video)]
            for video in self._read()
        ]

    def _read(self) -> list[Any]:
        with Folder.of(self.folder).open(self.shard) as file, pq.ParquetFile(file) as parquet:
            videos: list[Any] = parquet.read_row_group(self.row_group, ["videos"])["videos"][self.row].as_py()
        return videos
