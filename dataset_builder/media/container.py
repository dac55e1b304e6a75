"""Opens a video file for reading."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import BinaryIO

import av

from ..errors import UnusableVideo
from ..sources.read import Video

av.logging.set_level(av.logging.PANIC)  # errors are raised anyway; FFmpeg's log lines would garble progress bars


@contextmanager
def opened(video: Video) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """The container and its best video stream, decoded by one thread; raises UnusableVideo if it has none."""
    with _file(video) as file, av.open(file, "r", metadata_errors="replace") as container:
        stream = container.streams.best("video")
        if not isinstance(stream, av.VideoStream):
            raise UnusableVideo("has no video stream")
        if stream.codec_context is None:
            raise UnusableVideo("is encrypted, or of a codec without a decoder")
        stream.thread_type = "NONE"
        stream.codec_context.thread_count = 1
        yield container, stream


def pixel_aspect(stream: av.VideoStream) -> Fraction:
    """Width of a stored pixel by its height."""
    return stream.sample_aspect_ratio or Fraction(1)


def _file(video: Video) -> BinaryIO:
    if isinstance(video, bytes):
        return io.BytesIO(video)
    return open(video, "rb") if isinstance(video, str) else video()
