"""The size and the orientation of sampled frames."""

from __future__ import annotations

from functools import lru_cache
from math import log

import av
import numpy as np
from av.video.reformatter import Interpolation

from ..errors import UnusableVideo
from .frame import Frame
from .sampling import SIDE

_SCALING = Interpolation.AREA | Interpolation.BITEXACT  # bit-exact: the same on every CPU


def scale(frame: av.VideoFrame, max_pixels: int) -> Frame:
    """A decoded frame as an upright RGB array at the output geometry; raises UnusableVideo if it is corrupt."""
    if frame.is_corrupt:
        raise UnusableVideo("is corrupt where frames are taken")
    turns = round(frame.rotation / 90) % 4
    upright = (frame.height, frame.width) if turns % 2 else (frame.width, frame.height)
    width, height = output_size(*upright, max_pixels)
    if turns % 2:
        width, height = height, width
    scaled = frame.reformat(width, height, "rgb24", interpolation=_SCALING, threads=1).to_ndarray()
    return np.ascontiguousarray(np.rot90(scaled, turns)) if turns else scaled


@lru_cache(maxsize=256)
def output_size(width: int, height: int, max_pixels: int) -> tuple[int, int]:
    """Multiples of 64 that trade off aspect ratio against size; never enlarges past the next multiple of 64."""

    def loss(size: tuple[int, int]) -> float:
        return abs(log(size[0] * height / (size[1] * width))) + 0.25 * log(max_pixels / (size[0] * size[1]))

    wide, high = -(-width // SIDE) * SIDE, -(-height // SIDE) * SIDE
    widths = range(SIDE, min(wide, max_pixels // SIDE) + 1, SIDE)
    sizes = [(w, h) for w in widths for h in range(SIDE, min(high, max_pixels // w) + 1, SIDE)]
    return min(sizes, key=loss)
