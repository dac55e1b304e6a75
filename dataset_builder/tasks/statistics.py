"""Statistics of a clip: all that planning knows about its pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import sub

SIGNATURE_SIDE = 8  # a frame's signature: mean RGB of an 8 x 8 grid
SIGNATURE_BYTES = SIGNATURE_SIDE * SIGNATURE_SIDE * 3
GRID_SIDE = 16  # background colour: mean RGB and spread of a 16 x 16 grid
CELL_BYTES = 4


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
        left, right = self.signature(one), (of or self).signature(other)
        return float(sum(map(abs, map(sub, left, right))) / SIGNATURE_BYTES)

    def cells(self, frame: int, x: float, y: float, radius: float) -> list[tuple[int, int, int, int]]:
        """(red, green, blue, spread) of every background cell that a circle's bounding box touches."""
        cells, columns = [], _span(x, radius, self.width)
        for row in _span(y, radius, self.height):
            for column in columns:
                at = ((frame * GRID_SIDE + row) * GRID_SIDE + column) * CELL_BYTES
                red, green, blue, spread = self.background[at : at + CELL_BYTES]
                cells.append((red, green, blue, spread))
        return cells


def _span(centre: float, radius: float, size: int) -> range:
    first = int((centre - radius) / size * GRID_SIDE)
    last = int((centre + radius) / size * GRID_SIDE)
    return range(max(0, first), min(GRID_SIDE - 1, last) + 1)
