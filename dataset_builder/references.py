"""The videos of a question by reference: as a row of a build holds them, or as the edit list that they are rendered from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow.parquet as pq

from .cache import ClipStore
from .clip import Frame, decode_jpeg, encode_jpeg
from .mp4 import read_mp4
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
        return [decode_video(video) for video in self._read()]

    def jpegs(self, store: ClipStore | None) -> list[list[bytes]]:
        """The same as JPEGs: the row's own, unless it holds MP4s."""
        return [
            [image["bytes"] for image in video]
            if isinstance(video, list)
            else [encode_jpeg(frame) for frame in decode_video(video)]
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
            raise ValueError("live questions are rendered from sampled clips: give the store of them")
        donor = store.clip(Source(**self.donor)) if self.donor else None
        return render(store.clip(Source(**self.source)), EditList.from_json(self.edits), donor)


def decode_video(video: Any) -> list[Frame]:
    """The frames of one of a row's `videos`, in either format."""
    return [decode_jpeg(image["bytes"]) for image in video] if isinstance(video, list) else read_mp4(video["bytes"])[0]
