"""Small grey copies of frames, compared without regard to brightness and contrast."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from dataset_builder.media.frame import Frame


def thumbnails(frames: Sequence[Frame], width: int = 24, height: int = 16) -> np.ndarray:
    """Grey thumbnails of mean 0 and deviation 1: (frames, height, width)."""
    small = [
        cv2.cvtColor(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY) for frame in frames
    ]
    grey = np.stack(small).astype(np.float32)
    normal: np.ndarray = (grey - grey.mean(axis=(1, 2), keepdims=True)) / (grey.std(axis=(1, 2), keepdims=True) + 3)
    return normal


def colours(frames: Sequence[Frame], width: int = 24, height: int = 16) -> np.ndarray:
    """Colour thumbnails: (frames, height, width, 3), in grey levels."""
    small = [cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in frames]
    return np.stack(small).astype(np.float32)
