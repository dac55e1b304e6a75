"""Contours: flat patches with the outline of a circle, square or triangle that neither neighbouring frame has."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from dataset_builder.media.frame import Frame
from dataset_builder.tasks.counting import SHAPES, ShapeCounts

from .shown import Shown

FLAT = 14  # grey levels within 3 x 3 pixels, in the channel that varies most
MIN_RADIUS = 5.0  # pixels, of a shape without its edge
ONE_COLOUR = 4.0  # standard deviation within a shape
SOLID = 0.9  # share of its convex hull that a shape fills
FIT = 0.85  # share of the smallest circle or square around it that a shape fills
TRIANGLE_AT_MOST = 1.45
IN_TRIANGLE = 0.75
NEW = 35.0  # colour distance between a shape and what stood there before and after
EDGE = 45.0  # colour distance between a shape and what lies around it
RING = 4  # pixels from a shape's flat part to what lies around it


def solve(question: str, videos: Sequence[Shown]) -> ShapeCounts:
    (video,) = videos
    frames = [cv2.medianBlur(frame, 3) for frame in video.frames]
    kinds: list[str] = []
    for at, frame in enumerate(frames):
        kinds += _shapes(frame, [frames[k] for k in (at - 1, at + 1) if 0 <= k < len(frames)])
    return ShapeCounts(tuple(kinds.count(kind) for kind in SHAPES))


def _shapes(frame: Frame, neighbours: list[Frame]) -> list[str]:
    gradient = cv2.morphologyEx(frame, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).max(axis=2)
    count, labels, figures, _ = cv2.connectedComponentsWithStats((gradient < FLAT).astype(np.uint8), connectivity=4)
    found = []
    for label in range(1, count):
        left, top, width, height, area = figures[label]
        if area < MIN_RADIUS**2 or max(width, height) > 0.7 * min(frame.shape[:2]):
            continue
        window = np.s_[max(0, top - RING) : top + height + RING, max(0, left - RING) : left + width + RING]
        mask = (labels[window] == label).astype(np.uint8)
        kind = _kind(mask)
        if kind and _stands_out(frame[window], [other[window] for other in neighbours], mask):
            found.append(kind)
    return found


def _kind(mask: Frame) -> str | None:
    """Which shape's outline a patch has, if any."""
    contours, _ = cv2.findContours(cv2.copyMakeBorder(mask, 2, 2, 2, 2, cv2.BORDER_CONSTANT), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)  # fmt: skip
    hull = cv2.convexHull(max(contours, key=cv2.contourArea))
    area = cv2.contourArea(hull)
    _, radius = cv2.minEnclosingCircle(hull)
    if radius < MIN_RADIUS or mask.sum() < SOLID * area:
        return None
    _, sides, _ = cv2.minAreaRect(hull)
    if area / (np.pi * radius * radius) >= FIT:
        return "circle"
    if area / max(sides) ** 2 >= FIT:
        return "square"
    # an equilateral triangle reaches its circle, a little more than fills it once its corners are blurred away
    filled = area / (3 * np.sqrt(3) / 4 * radius * radius)
    return "triangle" if FIT <= filled <= TRIANGLE_AT_MOST and _in_triangle(hull, area) else None


def _in_triangle(hull: Frame, area: float) -> bool:
    around, _ = cv2.minEnclosingTriangle(hull)
    return area / around >= IN_TRIANGLE


def _stands_out(patch: Frame, others: list[Frame], mask: Frame) -> bool:
    """Of one colour that is neither around the patch nor in its place on the neighbouring frames."""
    inside = patch[mask > 0].astype(np.int16)
    colour = inside.mean(axis=0)
    if inside.std(axis=0).max() > ONE_COLOUR:
        return False
    around = cv2.dilate(mask, np.ones((2 * RING + 1,) * 2, np.uint8)) - cv2.dilate(mask, np.ones((2 * RING - 1,) * 2, np.uint8))
    ring = np.linalg.norm(patch[around > 0] - colour, axis=1)
    if len(ring) == 0 or (ring > EDGE).mean() < 0.9:
        return False
    return all(np.linalg.norm(inside - other[mask > 0], axis=1).mean() > NEW for other in others)
