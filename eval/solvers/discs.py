"""Finds white discs with a black rim."""

from __future__ import annotations

import cv2
import numpy as np

from dataset_builder.media.frame import Frame

MIN_WHITE = 200
MAX_BLACK = 75
Disc = tuple[float, float, float]
"""Centre x and y, and radius of the white part; pixels."""


def find_discs(frame: Frame) -> list[tuple[float, Disc]]:
    """(quality, disc) of what looks like one, the best first; quality is the share of the rim that is dark."""
    white = (frame.min(axis=2) > MIN_WHITE).astype(np.uint8)
    count, _, boxes, _centres = cv2.connectedComponentsWithStats(white, connectivity=4)
    found = []
    for label in range(1, count):
        left, top, width, height, area = boxes[label]
        if min(width, height) < 5 or max(width, height) > 1.35 * min(width, height) or area < 0.6 * width * height:
            continue
        x, y = left + (width - 1) / 2, top + (height - 1) / 2
        radius = (width + height) / 4
        angles = np.linspace(0, 2 * np.pi, 32, endpoint=False)
        rim = 1.12 * radius + 0.5
        columns = np.clip(np.round(x + rim * np.cos(angles)).astype(int), 0, frame.shape[1] - 1)
        rows = np.clip(np.round(y + rim * np.sin(angles)).astype(int), 0, frame.shape[0] - 1)
        dark = float((frame[rows, columns].max(axis=1) < MAX_BLACK + 60).mean())
        if dark > 0.6:
            found.append((dark, (x, y, radius)))
    return sorted(found, reverse=True)
