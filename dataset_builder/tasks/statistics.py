"""Statistics of a clip: all that planning knows about its pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import itemgetter, sub

SIGNATURE_SIDE = 8  # a frame's signature: mean RGB of an 8 x 8 grid
SIGNATURE_BYTES = SIGNATURE_SIDE * SIGNATURE_SIDE * 3
GRID_SIDE = 16  # background colour: mean RGB and spread of a 16 x 16 grid
CELL_BYTES = 4
STILLS, STILL_SIDE = 2, 48  # small copies of frames, of a side that 2, 3 and 4 divide


@dataclass(frozen=True)
class ClipStats:
    """Statistics of the T sampled frames of one clip, at its output geometry. Differences are in grey levels, 0-255.

    Attributes:
        fingerprint: hash of the source file's content.
        width, height: output pixels.
        times: seconds since the first sampled frame, to the millisecond; length T.
        end: seconds at which the last frame stops being shown.
        motion: mean absolute difference between a frame and the one before; motion[0] is 0; length T.
        pan_x, pan_y, zoom: how the camera moves the picture from the frame before to each frame, as shares of the picture: to the
            right, down, and at its edges outwards; the first is 0; length T each.
        visibility: for each pixel effect, how much it changes each frame at full strength; length T each.
        signatures: T x 8 x 8 x 3 bytes, mean colour on a coarse grid, for comparing frames.
        stills: 2 x 48 x 48 x 3 bytes, the frames at a quarter and three quarters, in small.
        background: T x 16 x 16 x 4 bytes, mean colour and spread of each cell.
    """

    fingerprint: str
    width: int
    height: int
    times: tuple[float, ...]
    end: float
    motion: tuple[float, ...]
    pan_x: tuple[float, ...]
    pan_y: tuple[float, ...]
    zoom: tuple[float, ...]
    visibility: Mapping[str, tuple[float, ...]]
    signatures: bytes
    stills: bytes
    background: bytes

    @property
    def frames(self) -> int:
        """T, the number of sampled frames."""
        return len(self.times)

    def signature(self, frame: int) -> bytes:
        """Mean colours of a frame: 8 x 8 x 3 bytes."""
        return self.signatures[frame * SIGNATURE_BYTES : (frame + 1) * SIGNATURE_BYTES]

    def distance(self, one: int, other: int, *, of: ClipStats | None = None) -> float:
        """Mean absolute difference between the signatures of two frames; the second may be another clip's."""
        return mean_difference(self.signature(one), (of or self).signature(other))

    def cells(self, frame: int, x: float, y: float, radius: float) -> list[tuple[int, int, int, int]]:
        """(red, green, blue, spread) of every background cell that a circle's bounding box touches."""
        cells, columns = [], _span(x, radius, self.width)
        for row in _span(y, radius, self.height):
            for column in columns:
                at = ((frame * GRID_SIDE + row) * GRID_SIDE + column) * CELL_BYTES
                red, green, blue, spread = self.background[at : at + CELL_BYTES]
                cells.append((red, green, blue, spread))
        return cells


def mean_difference(one: bytes, other: bytes) -> float:
    """Mean absolute difference of two equally long strings of bytes, such as signatures."""
    return float(sum(map(abs, map(sub, one, other))) / len(one))


def mirrored(signature: bytes) -> bytes:
    """The signature of the frame mirrored left to right."""
    return bytes(_MIRRORED(signature))


def upside_down(signature: bytes) -> bytes:
    """The signature of the frame turned by 180 degrees."""
    return bytes(_UPSIDE_DOWN(signature))


def without_colour(signature: bytes) -> bytes:
    """The brightness of each cell of a signature."""
    red, green, blue = signature[::3], signature[1::3], signature[2::3]
    return bytes((299 * r + 587 * g + 114 * b) // 1000 for r, g, b in zip(red, green, blue, strict=True))


_CELLS = [(row, column) for row in range(SIGNATURE_SIDE) for column in range(SIGNATURE_SIDE)]
_MIRRORED = itemgetter(*(3 * (SIGNATURE_SIDE * r + SIGNATURE_SIDE - 1 - c) + k for r, c in _CELLS for k in range(3)))
_UPSIDE_DOWN = itemgetter(*(3 * (len(_CELLS) - 1 - SIGNATURE_SIDE * r - c) + k for r, c in _CELLS for k in range(3)))


def _span(centre: float, radius: float, size: int) -> range:
    first = int((centre - radius) / size * GRID_SIDE)
    last = int((centre + radius) / size * GRID_SIDE)
    return range(max(0, first), min(GRID_SIDE - 1, last) + 1)
