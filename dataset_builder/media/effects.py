"""The pixel effects, by the names of `tasks.anomalies`, and blanks. Each keeps the frame's shape."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np

from .frame import Frame

cv2.setNumThreads(1)  # the builder runs one process per core

_NOISE_MARGIN = 128  # pixels

PixelEffect = Callable[[Frame, float, int, int], Frame]
"""(frame, the effect's parameter, output position, seed) -> frame."""


def apply_effect(name: str, frame: Frame, parameter: float, position: int, seed: int) -> Frame:
    """Apply a pixel effect to one frame."""
    return EFFECTS[name](frame, parameter, position, seed)


def _grayscale(frame: Frame, share: float, position: int, seed: int) -> Frame:
    grey = cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return _mix(frame, grey, share)


def _invert(frame: Frame, parameter: float, position: int, seed: int) -> Frame:
    return cv2.bitwise_not(frame)


def _channel_swap(frame: Frame, share: float, position: int, seed: int) -> Frame:
    return _mix(frame, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), share)


def _mix(frame: Frame, changed: Frame, share: float) -> Frame:
    return changed if share >= 1 else cv2.addWeighted(frame, 1 - share, changed, share, 0)


def _rotate(degrees: float) -> PixelEffect:
    def effect(frame: Frame, parameter: float, position: int, seed: int) -> Frame:
        if degrees == 180:
            return cv2.rotate(frame, cv2.ROTATE_180)
        height, width = frame.shape[:2]
        return _warp(frame, -degrees, max(width / height, height / width))  # scaled up so that no border shows

    return effect


def _zoom(frame: Frame, scale: float, position: int, seed: int) -> Frame:
    return _warp(frame, 0, scale)


def _warp(frame: Frame, degrees: float, scale: float) -> Frame:
    height, width = frame.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, scale)
    if scale < 1:
        frame = cv2.GaussianBlur(frame, (0, 0), 0.4 / scale)
    return cv2.warpAffine(frame, matrix, (width, height), flags=cv2.INTER_LINEAR)


def _mirror(frame: Frame, parameter: float, position: int, seed: int) -> Frame:
    return cv2.flip(frame, 1)


def _blur(frame: Frame, share: float, position: int, seed: int) -> Frame:
    return cv2.GaussianBlur(frame, (0, 0), share * min(frame.shape[:2]))


def _saturation(frame: Frame, factor: float, position: int, seed: int) -> Frame:
    grey = cv2.cvtColor(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return cv2.addWeighted(frame, factor, grey, 1 - factor, 0)


def _flicker(frame: Frame, swing: float, position: int, seed: int) -> Frame:
    gain = 1 + swing if position // 2 % 2 else 1 - swing
    return cv2.convertScaleAbs(frame, alpha=gain)


def _noise(frame: Frame, deviation: float, position: int, seed: int) -> Frame:
    height, width = frame.shape[:2]
    field = _noise_field(height, width)
    down, right = np.random.default_rng((seed, position)).integers(0, _NOISE_MARGIN, 2)
    grain = field[down : down + height, right : right + width] * np.float32(deviation)
    return cv2.add(frame, grain, dtype=cv2.CV_8U)


@lru_cache(maxsize=8)
def _noise_field(height: int, width: int) -> np.ndarray:
    """Standard normal noise, larger than a frame. Each frame takes a crop, which is far cheaper than new noise."""
    return np.random.default_rng(0).standard_normal((height + _NOISE_MARGIN, width + _NOISE_MARGIN, 3), dtype=np.float32)


def _blank(frame: Frame, parameter: float, position: int, seed: int) -> Frame:
    return np.full_like(frame, 128)


EFFECTS: dict[str, PixelEffect] = {
    "grayscale": _grayscale,
    "invert": _invert,
    "channel_swap": _channel_swap,
    "rotate_90": _rotate(90),
    "rotate_180": _rotate(180),
    "rotate_270": _rotate(270),
    "noise": _noise,
    "zoom_in": _zoom,
    "zoom_out": _zoom,
    "mirror": _mirror,
    "blur": _blur,
    "saturation": _saturation,
    "flicker": _flicker,
    "blank": _blank,
}
