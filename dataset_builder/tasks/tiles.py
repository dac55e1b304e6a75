"""Tiles: the picture was cut into tiles and shuffled, alike in all frames; where does each belong?

The picture is cut into 2 x 2 tiles … Which tile belongs at each place?   ->   2413
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from operator import sub
from random import Random
from typing import ClassVar

from .answers import Answer, Chance, Order
from .base import ANSWER_TAG, Plan, Task
from .edits import EditList, OutputClip, unedited
from .errors import Unsolvable
from .levels import Knob, Params
from .statistics import CELL_BYTES, GRID_SIDE, ClipStats

FRAMES_COMPARED = 2
MIN_TILE = 24  # pixels
SHARES = (0.125, 0.375, 0.625, 0.875)  # places along a tile's side that are compared with those of other tiles
FIRST, LAST = 0.01, 0.98  # places at a tile's edges


class TileOrder(Order):
    """The numbers of tiles, place by place."""

    units: ClassVar[frozenset[str]] = frozenset({"tile", "tiles"})


class Tiles(Task):
    """Put a picture together."""

    name = "tiles"
    version = 1
    ability = "spatial_ordering"
    answer = TileOrder
    answer_format = "numbers of the tiles, row by row, 2413 (comma-separated from 10 up)"
    in_suite = True
    knobs = (
        Knob("grid", (2, 2, 3, 4), "tiles along each side", 2, 6),
        Knob("margin", (0.3, 0.15, 0.08, 0.03), "least share by which any swap of two tiles joins worse", 0.0, 10.0),
        Knob("min_change", (8.0, 6.0, 4.0, 3.0), "grey levels by which any two tiles differ, at least", 0.0, 100.0),
    )

    def chance(self, params: Params, frames: int) -> Chance:
        return _chance(params["grid"] ** 2)

    def _default_baseline(self, truth: Answer) -> float:
        return _chance(len(truth.parts())).smooth

    def contradiction(self, answer: Answer, edits: EditList, times: Sequence[Sequence[float]], question: str) -> str:
        shown = edits.clips[0].tiles
        order = Order(tuple(shown.index(tile) + 1 for tile in range(len(shown))))
        return "" if answer.parts() == order.parts() else f"the tiles belong as {order.format()}"

    def plan(self, clip: ClipStats, rng: Random, params: Params, donor: ClipStats | None = None) -> Plan:
        side = params["grid"]
        if clip.frames < self.min_frames(params):
            raise Unsolvable(f"{clip.frames} frames are too few")
        if min(clip.width, clip.height) < MIN_TILE * side:
            raise Unsolvable(f"the picture of {clip.width} x {clip.height} is too small for {side} x {side} tiles")
        _check_tiles(clip, side, params)
        shown = list(range(side * side))  # shown[place]: the tile that is seen there
        while shown == sorted(shown):
            rng.shuffle(shown)
        answer = TileOrder(tuple(shown.index(tile) + 1 for tile in range(side * side)))
        numbers = "separated by commas, for example 3,1,2" if side * side > 9 else "without spaces, for example 312"
        question = (
            f"<video>\nThe picture of this video was cut into {side} x {side} tiles, which were shuffled, alike in all frames. Number "
            f"the tiles 1 to {side * side} as they are seen, row by row from the top left. Which tile belongs at each place, row by "
            f"row from the top left? Answer with the numbers {numbers} if there were three. {ANSWER_TAG}"
        )
        return Plan(question, answer, EditList((OutputClip(unedited(clip.frames), tiles=tuple(shown)),)))


def _check_tiles(clip: ClipStats, side: int, params: Params) -> None:
    """Raise Unsolvable if two tiles look alike, or if the tiles would join as smoothly with two of them swapped."""
    tiles = range(side * side)
    inner = [_colours(clip, side, tile, [(x, y) for x in SHARES for y in SHARES]) for tile in tiles]
    for one, other in combinations(tiles, 2):
        if _difference(inner[one], inner[other]) < params["min_change"]:
            raise Unsolvable("two tiles look alike")
    left, right = ([_colours(clip, side, tile, [(x, y) for y in SHARES]) for tile in tiles] for x in (FIRST, LAST))
    top, bottom = ([_colours(clip, side, tile, [(x, y) for x in SHARES]) for tile in tiles] for y in (FIRST, LAST))
    across = [(place, place + 1) for place in tiles if (place + 1) % side]
    down = [(place, place + side) for place in tiles[:-side]]

    def cost(shown: Sequence[int], places: set[int]) -> float:
        """The change of colours at all seams that touch these places, with tile shown[k] at place k."""
        seams = [_difference(right[shown[a]], left[shown[b]]) for a, b in across if a in places or b in places]
        return sum(seams) + sum(_difference(bottom[shown[a]], top[shown[b]]) for a, b in down if a in places or b in places)

    true = list(tiles)
    seam = cost(true, set(true)) / (len(across) + len(down))
    for one, other in combinations(true, 2):
        swapped = true[:]
        swapped[one], swapped[other] = other, one
        if cost(swapped, {one, other}) - cost(true, {one, other}) < params["margin"] * 4 * seam:
            raise Unsolvable("two tiles join as well when they are swapped")


def _colours(clip: ClipStats, side: int, tile: int, places: Sequence[tuple[float, float]]) -> bytes:
    """Mean colours at places of a tile, x and y from 0 to 1, in the frames that are compared."""
    row, column = divmod(tile, side)
    cells = [int((row + y) / side * GRID_SIDE) * GRID_SIDE + int((column + x) / side * GRID_SIDE) for x, y in places]
    frames = [clip.frames * (2 * k + 1) // (2 * FRAMES_COMPARED) for k in range(FRAMES_COMPARED)]
    starts = [(frame * GRID_SIDE**2 + cell) * CELL_BYTES for frame in frames for cell in cells]
    return b"".join(clip.background[start : start + 3] for start in starts)


def _difference(one: bytes, other: bytes) -> float:
    return float(sum(map(abs, map(sub, one, other)))) / len(one)


@lru_cache(maxsize=64)
def _chance(count: int) -> Chance:
    return Order.chance(count)


TASK = Tiles()
