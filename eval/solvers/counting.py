"""Contours: flat patches with the outline of a circle, square or triangle that neither neighbouring frame has."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from dataset_builder.clip import Frame
from dataset_builder.tasks.counting import SHAPES, ShapeCounts

from .shown import Shown

FLAT = 14  # grey levels within 3 x 3 pixels, in the channel that varies most
MIN_RADIUS = 5.0  # pixels, of a shape without its edge
ONE_COLOUR = 4.0  # standard deviation within a shape
SOLID = 0.9  # share of its convex hull that a shape fills
FIT = 0.85  # share of the smallest circle, square or triangle around it that a shape fills
NEW = 24.0  # grey levels by which a shape differs from what stood there before and after
EDGE = 30.0  # grey levels by which what lies around a shape differs from it
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
    fits = {
        "circle": area / (np.pi * radius * radius),
        "square": area / max(sides) ** 2,
        "triangle": area / (3 * np.sqrt(3) / 4 * radius * radius),  # an equilateral one reaches its circle
    }
    fits["triangle"] = min(fits["triangle"], 1 / fits["triangle"])
    kind = max(fits, key=lambda name: fits[name])
    return kind if fits[kind] >= FIT else None


def _stands_out(patch: Frame, others: list[Frame], mask: Frame) -> bool:
    """Of one colour that is neither around the patch nor in its place on the neighbouring frames."""
    inside = patch[mask > 0].astype(np.int16)
    colour = inside.mean(axis=0)
    if inside.std(axis=0).max() > ONE_COLOUR:
        return False
    around = cv2.dilate(mask, np.ones((2 * RING + 1,) * 2, np.uint8)) - cv2.dilate(mask, np.ones((2 * RING - 1,) * 2, np.uint8))
    ring = np.abs(patch[around > 0] - colour).max(axis=1)
    if len(ring) == 0 or (ring > EDGE).mean() < 0.9:
        return False
    return all(np.abs(inside - other[mask > 0]).mean(axis=0).max() > NEW for other in others)
