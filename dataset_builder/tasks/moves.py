"""Discs that move over a video: white with a black rim, so that they stand out from anything."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, pi

from .edits import Track

WHITE, BLACK = (255, 255, 255), (0, 0, 0)
DISC = "a white disc with a black rim"
MIN_RADIUS = 5.0  # pixels, below which a rim does not show

Point = tuple[float, float]


def disc(points: Sequence[Point], radius: float) -> Track:
    """A disc that is at these points, one a frame, from the first frame on."""
    rounded = tuple((round(x, 2), round(y, 2)) for x, y in points)
    return Track("circle", 0, rounded, round(radius, 2), WHITE, BLACK)


def ease(share: float) -> float:
    """How much of a move is done after a share of its time: slow at both ends."""
    return (1 - cos(pi * share)) / 2
