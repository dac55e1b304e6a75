"""Tiles: the picture was cut into tiles and shuffled, alike in all frames; where does each belong?

The picture is cut into 2 x 2 tiles … Which tile belongs at each place?   ->   2413
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations
from random import Random
from typing import ClassVar, Self

from .answers import Answer, Chance, Order
from .base import ANSWER_TAG, Plan, Task
from .edits import EditList, OutputClip, unedited
from .errors import Unsolvable
from .levels import Knob, Params
from .statistics import STILL_SIDE, STILLS, ClipStats, mean_difference

MIN_TILE = 24  # pixels
EACH, COARSE, FIRST, LAST = slice(None), slice(1, None, 3), slice(0, 1), slice(-1, None)  # of a tile's rows and columns


class TileOrder(Order):
    """The numbers of tiles, place by place; also as rows, `24` and `13`."""

    units: ClassVar[frozenset[str]] = frozenset({"tile", "tiles"})

    @classmethod
    def from_parts(cls, parts: Sequence[str]) -> Self:
        rows = len(parts) > 1 and all(len(part) == len(parts) for part in parts)
        return super().from_parts(["".join(parts)] if rows else parts)


class Tiles(Task):
    """Put a picture together."""

    name = "tiles"
    version = 1
    ability = "spatial_ordering"
    answer = TileOrder
    answer_format = "numbers of the tiles, row by row, 2413 (comma-separated from 10 up)"
    in_suite = True
    knobs = (
        Knob("grid", (2, 2, 3, 4), "tiles along each side", 2, 4),
        Knob("margin", (0.3, 0.15, 0.08, 0.03), "least share of a seam by which any other arrangement joins worse", 0.0, 10.0),
        Knob("min_change", (8.0, 6.0, 4.0, 3.0), "grey levels by which any two tiles differ, at least", 0.0, 100.0),
    )

    def chance(self, params: Params, frames: int) -> Chance:
        return Order.chance(params["grid"] ** 2)

    def _default_baseline(self, truth: Answer) -> float:
        return Order.chance(len(truth.parts())).smooth

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
    """Raise Unsolvable if two tiles look alike, or if the picture would join as smoothly in another arrangement.

    The true arrangement is compared with every one that swaps two tiles, two rows or two columns, or shifts rows or columns.
    """
    tiles = range(side * side)
    size = STILL_SIDE // side
    all_rows = [range(size * (tile // side), size * (tile // side + 1)) for tile in tiles]
    all_columns = [range(size * (tile % side), size * (tile % side + 1)) for tile in tiles]
    inner, left, right, top, bottom = (
        [_colours(clip, rows[down], columns[along]) for rows, columns in zip(all_rows, all_columns, strict=True)]
        for down, along in ((COARSE, COARSE), (EACH, FIRST), (EACH, LAST), (FIRST, EACH), (LAST, EACH))
    )
    for one, other in combinations(tiles, 2):
        if mean_difference(inner[one], inner[other]) < params["min_change"]:
            raise Unsolvable("two tiles look alike")
    across = [[mean_difference(one, other) for other in left] for one in right]
    down = [[mean_difference(one, other) for other in top] for one in bottom]
    beside = [(place, place + 1) for place in tiles if (place + 1) % side]
    below = [(place, place + side) for place in tiles[:-side]]

    def cost(shown: Sequence[int]) -> float:
        """The change of colours at all seams, with tile shown[k] at place k."""
        return sum(across[shown[a]][shown[b]] for a, b in beside) + sum(down[shown[a]][shown[b]] for a, b in below)

    true, rival = cost(tiles), min(map(cost, _rearranged(side)))
    if rival <= true or rival < true * (1 + 4 * params["margin"] / (len(beside) + len(below))):
        raise Unsolvable("the tiles would join as well in another arrangement")


@cache
def _rearranged(side: int) -> tuple[tuple[int, ...], ...]:
    tiles = tuple(range(side * side))
    orders = [list(range(side))[k:] + list(range(side))[:k] for k in range(1, side)]
    for one, other in combinations(range(side), 2):
        orders.append([{one: other, other: one}.get(k, k) for k in range(side)])
    rows = [tuple(side * row + column for row in order for column in range(side)) for order in orders]
    columns = [tuple(side * row + column for row in range(side) for column in order) for order in orders]
    swaps = [tuple({one: other, other: one}.get(k, k) for k in tiles) for one, other in combinations(tiles, 2)]
    return tuple(dict.fromkeys([*swaps, *rows, *columns]))


def _colours(clip: ClipStats, rows: Sequence[int], columns: Sequence[int]) -> bytes:
    """The colours of these rows and columns of the clip's stills."""
    starts = [((still * STILL_SIDE + row) * STILL_SIDE + c) * 3 for still in range(STILLS) for row in rows for c in columns]
    return b"".join(clip.stills[start : start + 3] for start in starts)


TASK = Tiles()
