"""Flashes by colour: the frame in which most pixels newly have a listed colour."""

from __future__ import annotations

import re
from collections.abc import Sequence

import cv2
import numpy as np

from dataset_builder.tasks.flashes import PALETTE, ColourOrder

from .shown import DecodedVideo

MAX_DISTANCE = 38.0  # between a pixel and the colour


def solve(question: str, videos: Sequence[DecodedVideo]) -> ColourOrder:
    """The listed colours by the frame in which each covers the largest spot that is not there most of the time."""
    (video,) = videos
    names = re.findall(r"\d+ (\w+)[,?]", question.partition("colours appear: ")[2].partition("?")[0] + "?")
    starts = [_appears(video.frames, PALETTE[name]) for name in names]
    return ColourOrder(tuple(k + 1 for k in sorted(range(len(names)), key=starts.__getitem__)))


def _appears(frames: Sequence[np.ndarray], colour: tuple[int, int, int]) -> int:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    near = [np.linalg.norm(frame.astype(np.int16) - np.array(colour), axis=2) < MAX_DISTANCE for frame in frames]
    often = np.mean(near, axis=0) > 0.3
    spots = [cv2.morphologyEx((mask & ~often).astype(np.uint8), cv2.MORPH_OPEN, kernel) for mask in near]
    areas = [_largest(spot) for spot in spots]
    return int(np.argmax(areas))


def _largest(mask: np.ndarray) -> float:
    """Area of the largest round spot."""
    count, _, boxes, _ = cv2.connectedComponentsWithStats(mask)
    best = 0.0
    for label in range(1, count):
        _, _, width, height, area = boxes[label]
        if area > 0.6 * width * height and max(width, height) < 1.4 * min(width, height):
            best = max(best, float(area))
    return best
