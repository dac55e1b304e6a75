"""A sampled clip: the frames of one video that all its questions use."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..sources.read import Video
from ..tasks.statistics import ClipStats
from .decode import sample
from .frame import Frame, decode_jpeg, encode_jpeg
from .measure import measure
from .mp4 import encode_pictures
from .sampling import Sampling


@dataclass(frozen=True)
class Clip:
    """T sampled frames at their output geometry.

    Attributes:
        jpegs: the frames. Edits start from the decoded JPEGs, so that fresh and cached clips give the same pixels.
        source_times: seconds since the start of the source video, length T.
        stats: what is visible; also holds fingerprint, geometry and the times that rows use.
        h264: the same frames as independent H.264 pictures, or None if not encoded yet.
    """

    jpegs: tuple[bytes, ...]
    source_times: tuple[float, ...]
    stats: ClipStats
    h264: tuple[bytes, ...] | None = None

    def frame(self, index: int) -> Frame:
        """One frame, decoded: uint8, height x width x 3, RGB."""
        return decode_jpeg(self.jpegs[index])

    def with_h264(self) -> Clip:
        """The same clip with its H.264 pictures, encoded now if it has none."""
        return self if self.h264 else replace(self, h264=tuple(encode_pictures(enumerate(self.jpegs))))


def make_clip(video: Video, fingerprint: str, sampling: Sampling) -> Clip:
    """Sample a video and measure what is visible in it.

    Args:
        video: a local path, the file's bytes, or what opens it.
        fingerprint: hash of the file's content.

    Raises:
        UnusableVideo: if the file is no video, is broken where frames are taken, or has too few frames.
        OSError: if the file cannot be read.
    """
    sampled = sample(video, sampling)
    stats = measure(sampled.frames, sampled.times, sampled.end, fingerprint)
    return Clip(tuple(map(encode_jpeg, sampled.frames)), sampled.times, stats)
