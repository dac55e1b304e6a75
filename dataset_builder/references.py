"""The videos of a question by reference: as a row of a build holds them, or as the edit list that they are rendered from."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import av
import pyarrow.parquet as pq

from .cache import ClipStore
from .clip import Frame, decode_jpeg, encode_jpeg
from .render import RenderedClip, render
from .sources import Source
from .tasks.edits import EditList


@dataclass(frozen=True)
class StoredVideos:
    """The videos of one row of a build."""

    file: str
    row_group: int
    row: int  # within the group

    def frames(self, store: ClipStore | None) -> list[list[Frame]]:
        """Every frame of every video."""
        return [_decode(video) for video in self._read()]

    def jpegs(self, store: ClipStore | None) -> list[list[bytes]]:
        """The same as JPEGs: the row's own, unless it holds MP4s."""
        return [
            [image["bytes"] for image in video] if isinstance(video, list) else [encode_jpeg(frame) for frame in _decode(video)]
            for video in self._read()
        ]

    def _read(self) -> list[Any]:
        with pq.ParquetFile(self.file) as file:
            videos: list[Any] = file.read_row_group(self.row_group, ["videos"])["videos"][self.row].as_py()
        return videos


@dataclass(frozen=True)
class LiveVideos:
    """Videos that are rendered from their edit list.

    Attributes:
        source, donor: fields of `Source`; donor is None where one video is enough.
        edits: the edit list as JSON.
    """

    source: dict[str, Any]
    donor: dict[str, Any] | None
    edits: str

    def frames(self, store: ClipStore | None) -> list[list[Frame]]:
        """Every frame of every video.

        Raises:
            ValueError: without a store of clips.
            UnusableVideo, SourceChanged, BuildError: as `ClipStore.clip`.
        """
        return [video.frames() for video in self._render(store)]

    def jpegs(self, store: ClipStore | None) -> list[list[bytes]]:
        """The same as JPEGs; frames that no edit touched as the store holds them."""
        return [video.jpegs() for video in self._render(store)]

    def _render(self, store: ClipStore | None) -> tuple[RenderedClip, ...]:
        if store is None:
            raise ValueError("live questions are rendered from kept clips; data.videossr.clip_cache says where")
        donor = store.clip(Source(**self.donor)) if self.donor else None
        return render(store.clip(Source(**self.source)), EditList.from_json(self.edits), donor)


def _decode(video: Any) -> list[Frame]:
    if isinstance(video, list):
        return [decode_jpeg(image["bytes"]) for image in video]
    with av.open(io.BytesIO(video["bytes"]), "r") as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
