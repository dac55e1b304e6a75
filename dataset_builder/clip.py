"""A sampled clip: the frames of one video that every task on it is made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .tasks.clip_stats import ClipStats

JPEG_QUALITY = 90

Frame = npt.NDArray[Any]
"""uint8, height x width x 3, RGB."""


@dataclass(frozen=True)
class Clip:
    """T sampled frames at their output geometry.

    Attributes:
        jpegs: the frames. What tasks edit is what these decode to, whether or not the clip came from the cache.
        source_times: seconds since the start of the source video, length T.
        stats: what is visible; also holds fingerprint, geometry and the times that rows use.
        h264: the same frames as H.264 pictures that stand alone, or None if not made yet.
    """

    jpegs: tuple[bytes, ...]
    source_times: tuple[float, ...]
    stats: ClipStats
    h264: tuple[bytes, ...] | None = None

    def frame(self, index: int) -> Frame:
        return decode_jpeg(self.jpegs[index])


def encode_jpeg(frame: Frame) -> bytes:
    done, data = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ValueError(f"OpenCV could not write a frame of shape {frame.shape} as JPEG")
    return data.tobytes()


def decode_jpeg(data: bytes) -> Frame:
    frame = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if frame is None:
        raise ValueError("not a JPEG that OpenCV can read")
    return frame
