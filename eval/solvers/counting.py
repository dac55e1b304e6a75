"""Counting by contours: flat patches shaped like a circle, square or triangle that are absent from both neighbouring frames."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from dataset_builder.media.frame import Frame
from dataset_builder.tasks.counting import SHAPES, ShapeCounts

from .shown import DecodedVideo

MAX_GRADIENT = 14  # grey levels within 3 x 3 pixels, in the channel that varies most
MIN_RADIUS = 5.0  # pixels, without the shape's edge
MAX_COLOUR_STD = 4.0  # within a shape
MIN_SOLIDITY = 0.9  # area of a shape, as a share of its convex hull
MIN_FIT = 0.85  # area of a shape, as a share of its smallest enclosing circle or square
MAX_TRIANGLE_FIT = 1.45
MIN_TRIANGLE_SHARE = 0.75  # area of a triangle, as a share of its smallest enclosing triangle
MIN_CHANGE = 35.0  # colour distance between a shape and the same pixels of the neighbouring frames
MIN_CONTRAST = 45.0  # colour distance between a shape and its surroundings
RING = 4  # pixels from a shape's flat part to its surroundings


def solve(question: str, videos: Sequence[DecodedVideo]) -> ShapeCounts:
    """The number of inserted shapes of each kind, over all frames."""
    (video,) = videos
    frames = [cv2.medianBlur(frame, 3) for frame in video.frames]
    kinds: list[str] = []
    for index, frame in enumerate(frames):
        kinds += find_shapes(frame, [frames[k] for k in (index - 1, index + 1) if 0 <= k < len(frames)])
    return ShapeCounts(tuple(kinds.count(kind) for kind in SHAPES))


def find_shapes(frame: Frame, neighbours: list[Frame]) -> list[str]:
    """The kinds of all shapes in a frame."""
    gradient = cv2.morphologyEx(frame, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).max(axis=2)
    count, labels, boxes, _ = cv2.connectedComponentsWithStats((gradient < MAX_GRADIENT).astype(np.uint8), connectivity=4)
    kinds = []
    for label in range(1, count):
        left, top, width, height, area = boxes[label]
        if area < MIN_RADIUS**2 or max(width, height) > 0.7 * min(frame.shape[:2]):
            continue
        window = np.s_[max(0, top - RING) : top + height + RING, max(0, left - RING) : left + width + RING]
        mask = (labels[window] == label).astype(np.uint8)
        kind = _classify(mask)
        if kind and _stands_out(frame[window], [other[window] for other in neighbours], mask):
            kinds.append(kind)
    return kinds


def _classify(mask: Frame) -> str | None:
    """The shape of a patch, from its outline; None if it is no circle, square or triangle."""
    contours, _ = cv2.findContours(cv2.copyMakeBorder(mask, 2, 2, 2, 2, cv2.BORDER_CONSTANT), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)  # fmt: skip
    hull = cv2.convexHull(max(contours, key=cv2.contourArea))
    area = cv2.contourArea(hull)
    _, radius = cv2.minEnclosingCircle(hull)
    if radius < MIN_RADIUS or mask.sum() < MIN_SOLIDITY * area:
        return None
    _, sides, _ = cv2.minAreaRect(hull)
    if area / (np.pi * radius * radius) >= MIN_FIT:
        return "circle"
    if area / max(sides) ** 2 >= MIN_FIT:
        return "square"
    # area relative to the equilateral triangle in the enclosing circle; above 1 when the corners are blurred away
    fit = area / (3 * np.sqrt(3) / 4 * radius * radius)
    return "triangle" if MIN_FIT <= fit <= MAX_TRIANGLE_FIT and _fills_triangle(hull, area) else None


def _fills_triangle(hull: Frame, area: float) -> bool:
    enclosing_area, _ = cv2.minEnclosingTriangle(hull)
    return area / enclosing_area >= MIN_TRIANGLE_SHARE


def _stands_out(patch: Frame, others: list[Frame], mask: Frame) -> bool:
    """Whether a patch has one colour that differs from its surroundings and from the same place in the neighbouring frames."""
    inside = patch[mask > 0].astype(np.int16)
    colour = inside.mean(axis=0)
    if inside.std(axis=0).max() > MAX_COLOUR_STD:
        return False
    ring = cv2.dilate(mask, np.ones((2 * RING + 1,) * 2, np.uint8)) - cv2.dilate(mask, np.ones((2 * RING - 1,) * 2, np.uint8))
    distances = np.linalg.norm(patch[ring > 0] - colour, axis=1)
    if len(distances) == 0 or (distances > MIN_CONTRAST).mean() < 0.9:
        return False
    return all(np.linalg.norm(inside - other[mask > 0], axis=1).mean() > MIN_CHANGE for other in others)
