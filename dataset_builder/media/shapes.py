"""Draws shapes: filled, anti-aliased, at sub-pixel positions."""

from __future__ import annotations

from collections.abc import Iterator
from math import cos, pi, sin

import cv2
import numpy as np

from ..tasks.edits import Shape, Track
from .frame import Frame

_SHIFT = 4  # fractional bits of OpenCV's coordinates
_INSIDE = 0.8  # radius of a shape within its rim
_CORNERS = {"square": 4, "triangle": 3}
_UPRIGHT = {"circle": 0.0, "square": pi / 4, "triangle": -pi / 2}


def draw_shape(frame: Frame, shape: Shape) -> None:
    """Draw onto the frame in place."""
    scale = 1 << _SHIFT
    if shape.kind == "circle":
        centre = (round(shape.x * scale), round(shape.y * scale))
        cv2.circle(frame, centre, round(shape.radius * scale), shape.colour, cv2.FILLED, cv2.LINE_AA, _SHIFT)
        return
    corners = _CORNERS[shape.kind]
    angles = [shape.angle + 2 * pi * corner / corners for corner in range(corners)]
    points = [(shape.x + shape.radius * cos(angle), shape.y + shape.radius * sin(angle)) for angle in angles]
    cv2.fillConvexPoly(frame, np.round(np.array(points) * scale).astype(np.int32), shape.colour, cv2.LINE_AA, _SHIFT)


def track_shapes(track: Track) -> Iterator[tuple[int, list[Shape]]]:
    """For each position of a track, the shapes to draw there: the rim, then what is within."""
    layers = [(1.0, track.colour)] if track.rim is None else [(1.0, track.rim), (_INSIDE, track.colour)]
    for at, (x, y) in enumerate(track.points, track.start):
        yield at, [Shape(track.kind, at, x, y, track.radius * share, _UPRIGHT[track.kind], colour) for share, colour in layers]
