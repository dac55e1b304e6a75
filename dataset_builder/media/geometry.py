"""The size and the orientation of sampled frames."""

from __future__ import annotations

import struct
from fractions import Fraction
from functools import lru_cache
from math import log
from typing import Any

import av
import numpy as np
from av.sidedata.sidedata import SideDataContainer
from av.video.reformatter import Interpolation

from ..errors import UnusableVideo
from .frame import Frame
from .sampling import SIDE

_SQUARE = Fraction(1)
_HDR = {16: "PQ", 18: "HLG"}  # by transfer characteristics, ITU-T H.273
_SCALING = Interpolation.AREA | Interpolation.BITEXACT  # bit-exact: the same on every CPU


def scale(frame: av.VideoFrame, max_pixels: int, pixel_aspect: Fraction = _SQUARE) -> Frame:
    """A decoded frame as players show it: an upright RGB array at the output geometry.

    Fields of interlaced video stay woven: scaling to a few hundred lines averages them.

    Args:
        pixel_aspect: width of a stored pixel by its height.

    Raises:
        UnusableVideo: if the frame is corrupt, or HDR, whose brightness has no place in 8 bits without grading.
    """
    if frame.is_corrupt:
        raise UnusableVideo("is corrupt where frames are taken")
    if frame.color_trc in _HDR:
        raise UnusableVideo(f"is HDR ({_HDR[frame.color_trc]}); convert it to SDR")
    across_x, across_y, down_x, down_y = _display_matrix(frame)
    transposed = abs(across_y) + abs(down_x) > abs(across_x) + abs(down_y)
    shown = round(frame.width * max(pixel_aspect, _SQUARE)), round(frame.height / min(pixel_aspect, _SQUARE))
    width, height = output_size(*(reversed(shown) if transposed else shown), max_pixels)
    if transposed:
        width, height = height, width
    scaled = frame.reformat(width, height, "rgb24", interpolation=_SCALING, threads=1).to_ndarray()
    if transposed:
        scaled, mirrored, upside_down = scaled.transpose(1, 0, 2), down_x < 0, across_y < 0
    else:
        mirrored, upside_down = across_x < 0, down_y < 0
    return np.ascontiguousarray(scaled[:: -1 if upside_down else 1, :: -1 if mirrored else 1])


def _display_matrix(frame: av.VideoFrame) -> tuple[int, int, int, int]:
    """Where a stored pixel (x, y) is shown, up to a shift: at (a x + c y, b x + d y); returns a, b, c, d."""
    # not frame.side_data: that and the frame would keep each other, and a decoded picture, until the next garbage collection
    data: Any = SideDataContainer(frame).get("DISPLAYMATRIX")  # type: ignore[call-arg]
    if data is None:
        return 1, 0, 0, 1
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(data))
    return a, b, c, d


@lru_cache(maxsize=256)
def output_size(width: int, height: int, max_pixels: int) -> tuple[int, int]:
    """Multiples of 64 that trade off aspect ratio against size; never enlarges past the next multiple of 64."""

    def loss(size: tuple[int, int]) -> float:
        return abs(log(size[0] * height / (size[1] * width))) + 0.25 * log(max_pixels / (size[0] * size[1]))

    wide, high = -(-width // SIDE) * SIDE, -(-height // SIDE) * SIDE
    widths = range(SIDE, min(wide, max_pixels // SIDE) + 1, SIDE)
    sizes = [(w, h) for w in widths for h in range(SIDE, min(high, max_pixels // w) + 1, SIDE)]
    return min(sizes, key=loss)
