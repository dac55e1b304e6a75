"""Measures a clip on small copies of its frames: motion, colours, and how much each effect would change it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from itertools import pairwise

import cv2
import numpy as np

from ..tasks.anomalies import ANOMALIES, PIXEL_EFFECTS
from ..tasks.statistics import GRID_SIDE, SIGNATURE_SIDE, STILL_SIDE, STILLS, ClipStats
from .effects import apply_effect
from .frame import Frame

MEASURED = {
    "fields": [field.name for field in fields(ClipStats)],
    "grids": [SIGNATURE_SIDE, GRID_SIDE, STILL_SIDE, STILLS],
    "effects": {name: ANOMALIES[name].parameter(1.0) for name in PIXEL_EFFECTS},
}
"""Everything outside this folder that the measurements depend on; part of the clip cache's key."""

THUMB_SCALE = 4  # integer factors, possible as sides are multiples of 64, are by far the fastest
TINY_SCALE = 8


def measure(frames: Sequence[Frame], times: Sequence[float], end: float, fingerprint: str) -> ClipStats:
    """Measure T frames of one geometry.

    Args:
        frames: T arrays, uint8, height x width x 3.
        times: seconds; the times in the result start at 0.
        end: seconds at which the last frame stops being shown.
        fingerprint: hash of the source file's content.
    """
    height, width = frames[0].shape[:2]
    thumbs = [_shrunk(frame, THUMB_SCALE) for frame in frames]
    tiny = [_shrunk(thumb, TINY_SCALE // THUMB_SCALE) for thumb in thumbs]
    motion = [0.0, *(_difference(a, b) for a, b in pairwise(tiny))]
    pan_x, pan_y, zoom = _camera(tiny)
    return ClipStats(
        fingerprint=fingerprint,
        width=width,
        height=height,
        times=tuple(round(time - times[0], 3) for time in times),
        end=round(end - times[0], 3),
        motion=tuple(motion),
        pan_x=pan_x,
        pan_y=pan_y,
        zoom=zoom,
        visibility={name: _visibility(name, tiny) for name in PIXEL_EFFECTS},
        signatures=b"".join(_grid(thumb, SIGNATURE_SIDE).tobytes() for thumb in tiny),
        stills=b"".join(_grid(frames[_still_at(k, len(frames))], STILL_SIDE).tobytes() for k in range(STILLS)),
        background=b"".join(map(_background, thumbs)),
    )


def _still_at(number: int, frames: int) -> int:
    return frames * (2 * number + 1) // (2 * STILLS)


def _camera(frames: Sequence[Frame]) -> tuple[tuple[float, ...], ...]:
    """The camera's pan and zoom between neighbouring frames: medians of a dense optical flow, over all and over halves."""
    greys = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    height, width = greys[0].shape
    size = np.array((width, height), np.float32)
    moves = [(0.0, 0.0, 0.0)]
    for one, other in pairwise(greys):
        flow = (
            cv2.calcOpticalFlowFarneback(one, other, np.zeros((height, width, 2), np.float32), 0.5, 2, 9, 2, 5, 1.1, 0) / size
        )
        across, along = flow[..., 0], flow[..., 1]
        apart = np.median(across[:, width // 2 :]) - np.median(across[:, : width // 2])
        apart += np.median(along[height // 2 :]) - np.median(along[: height // 2])
        moves.append((float(np.median(across)), float(np.median(along)), float(apart) / 2))
    return tuple(tuple(round(value, 4) for value in column) for column in zip(*moves, strict=True))


def _visibility(name: str, frames: Sequence[Frame]) -> tuple[float, ...]:
    full = ANOMALIES[name].parameter(1.0)
    return tuple(_difference(frame, apply_effect(name, frame, full, at, 0)) for at, frame in enumerate(frames))


def _shrunk(frame: Frame, factor: int) -> Frame:
    height, width = frame.shape[:2]
    return cv2.resize(frame, (width // factor, height // factor), interpolation=cv2.INTER_AREA)


def _difference(one: Frame, other: Frame) -> float:
    return round(cv2.norm(one, other, cv2.NORM_L1) / one.size, 3)


def _grid(frame: Frame, side: int) -> Frame:
    return cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA)


def _background(thumb: Frame) -> bytes:
    """For each of 16 x 16 cells: mean red, green, blue, and the standard deviation of the grey level."""
    grey = cv2.cvtColor(thumb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    size = (GRID_SIDE, GRID_SIDE)
    centre = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    square = cv2.resize(grey * grey, size, interpolation=cv2.INTER_AREA)
    spread = np.sqrt(np.maximum(square - centre * centre, 0)).round().astype(np.uint8)
    return np.dstack([_grid(thumb, GRID_SIDE), spread]).tobytes()
