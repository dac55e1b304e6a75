"""One frame as an array, and as a JPEG."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

JPEG_QUALITY = 90

Frame = npt.NDArray[Any]
"""uint8, height x width x 3, RGB."""


def encode_jpeg(frame: Frame) -> bytes:
    """A frame as a JPEG file; raises ValueError if OpenCV cannot encode an array of this shape."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ValueError(f"OpenCV could not write a frame of shape {frame.shape} as JPEG")
    return data.tobytes()


def decode_jpeg(data: bytes) -> Frame:
    """Decode a JPEG file; raises ValueError if it is not one."""
    frame = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    if frame is None:
        raise ValueError("not a JPEG that OpenCV can read")
    return frame
