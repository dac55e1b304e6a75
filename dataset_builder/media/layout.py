"""Moves pixels without changing them: a frame cropped, scaled to another geometry, or cut into tiles."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt

import cv2
import numpy as np

from ..tasks.edits import View
from .frame import Frame


def cover(frame: Frame, width: int, height: int) -> Frame:
    """Scale a frame to fill this geometry and crop what exceeds it."""
    if frame.shape[:2] == (height, width):
        return frame
    scale = max(width / frame.shape[1], height / frame.shape[0])
    big = cv2.resize(frame, (round(frame.shape[1] * scale), round(frame.shape[0] * scale)), interpolation=cv2.INTER_AREA)
    top, left = (big.shape[0] - height) // 2, (big.shape[1] - width) // 2
    return big[top : top + height, left : left + width].copy()


def crop(frame: Frame, view: View) -> Frame:
    """The part of a frame that a view shows, scaled up to the frame's size; at sub-pixel places, so that it moves smoothly."""
    height, width = frame.shape[:2]
    x, y, size = view
    left, top = (x - size / 2) * width, (y - size / 2) * height
    matrix = np.array([[size, 0, left + (size - 1) / 2], [0, size, top + (size - 1) / 2]])  # pixel centres, output to input
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(frame, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def rearrange(frame: Frame, tiles: Sequence[int]) -> Frame:
    """A frame whose square grid shows tile tiles[k] at place k, row by row; tiles may differ in size by a pixel."""
    side = isqrt(len(tiles))
    rows, columns = ([round(k * length / side) for k in range(side + 1)] for length in frame.shape[:2])
    picture = np.empty_like(frame)
    for place, tile in enumerate(tiles):
        (row, column), (from_row, from_column) = divmod(place, side), divmod(tile, side)
        target = picture[rows[row] : rows[row + 1], columns[column] : columns[column + 1]]
        source = frame[rows[from_row] : rows[from_row + 1], columns[from_column] : columns[from_column + 1]]
        target[:] = source if source.shape == target.shape else cv2.resize(source, target.shape[1::-1])
    return picture
