"""Shells: equal discs stand in a row and change places; where is each at the end?

5 equal discs … numbered 1 to 5 from left to right … Which numbers stand there at the end?   ->   31524
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations
from math import ceil, pi, sin
from random import Random
from typing import ClassVar

from .answers import Answer, Chance, Order
from .base import ANSWER_TAG, Plan, Task
from .edits import EditList, OutputClip, unedited
from .errors import Unsolvable
from .levels import Knob, Params
from .moves import MIN_RADIUS, Point, disc, ease
from .statistics import ClipStats
from .stretches import ALIGN, aligned

GAP = 3.0  # pixels between discs, and between a disc and the border
MAX_STEP = 0.5  # of the distance between two places: the farthest that a disc moves from frame to frame


class Places(Order):
    """The numbers of discs from left to right."""

    units: ClassVar[frozenset[str]] = frozenset({"disc", "discs"})


class Shells(Task):
    """Keep track of things that look the same."""

    name = "shells"
    version = 1
    ability = "tracking"
    answer = Places
    answer_format = "numbers of the discs from left to right, 31524"
    in_suite = True
    knobs = (
        Knob("discs", (3, 4, 5, 6), "discs in the row", 3, 7),
        Knob("swaps", (3, 4, 5, 5), "times that two discs change places", 1, 24),
        Knob("reach", (1, 1, 2, 2), "places over which two discs change, at most", 1, 2),
        Knob("size", (0.09, 0.08, 0.07, 0.06), "radius, as a share of the short side, at most", 0.02, 0.12),
        ALIGN,
    )

    def min_frames(self, params: Params) -> int:
        return int(params["align"] * (2 + params["swaps"] * self._pairs(params)))

    @staticmethod
    def _pairs(params: Params) -> int:
        """Least length of a swap in multiples of `align`, at which no disc moves too far from frame to frame."""
        reach: int = min(params["reach"], params["discs"] - 1)
        return ceil(pi / 2 * reach / MAX_STEP / int(params["align"]))

    def chance(self, params: Params, frames: int) -> Chance:
        return _chance(params["discs"], params["swaps"], params["reach"])

    def contradiction(self, answer: Answer, edits: EditList, times: Sequence[Sequence[float]], question: str) -> str:
        tracks = edits.clips[0].tracks
        starts = sorted(range(len(tracks)), key=lambda k: tracks[k].points[0][0])
        ends = sorted(range(len(tracks)), key=lambda k: tracks[k].points[-1][0])
        order = Order(tuple(starts.index(k) + 1 for k in ends))
        return "" if answer.parts() == order.parts() else f"the discs end as {order.format()}"

    def plan(self, clip: ClipStats, rng: Random, params: Params, donor: ClipStats | None = None) -> Plan:
        count, align = params["discs"], params["align"]
        frames = aligned((clip.frames - 2 * align) / params["swaps"], align)  # of one swap
        if clip.frames < self.min_frames(params):
            raise Unsolvable(f"{clip.frames} frames are too few for {params['swaps']} swaps")
        spacing = clip.width / count
        radius = min(params["size"] * min(clip.width, clip.height), (spacing - GAP) / 2 - 1, clip.height / 6 - GAP)
        if radius < MIN_RADIUS:
            raise Unsolvable(f"the picture of {clip.width} x {clip.height} is too small for {count} discs")
        rise = 2 * radius + GAP  # of a disc that passes others
        y = rng.uniform(rise + radius + GAP, clip.height - rise - radius - GAP)
        swaps, order = _draw(rng, count, params["swaps"], params["reach"])
        paths: list[list[Point]] = [[((k + 0.5) * spacing, y)] * align for k in range(count)]
        row = list(range(count))  # row[place]: the disc that stands there
        for one, other in swaps:
            for place, disc_number in enumerate(row):
                to, bend = {one: (other, -rise), other: (one, rise)}.get(place, (place, 0.0))
                for k in range(1, frames + 1):
                    x = (place + (to - place) * ease(k / frames) + 0.5) * spacing
                    paths[disc_number].append((x, y + bend * sin(pi * ease(k / frames))))
            row[one], row[other] = row[other], row[one]
        tracks = tuple(disc(path + path[-1:] * (clip.frames - len(path)), radius) for path in paths)
        question = (
            f"<video>\n{count} equal discs, white with a black rim, stand in a row on this video and then change places, two at a "
            f"time. Number them 1 to {count} from left to right as they stand at the beginning. Which numbers stand there at the "
            f"end, from left to right? Answer without spaces, for example 21 if there were two. {ANSWER_TAG}"
        )
        answer = Places(tuple(number + 1 for number in order))
        return Plan(question, answer, EditList((OutputClip(unedited(clip.frames), tracks=tracks),)))


def _pairs_within(count: int, reach: int) -> list[tuple[int, int]]:
    return [(one, other) for one, other in combinations(range(count), 2) if other - one <= reach]


def _draw(rng: Random, count: int, swaps: int, reach: int) -> tuple[list[tuple[int, int]], list[int]]:
    """Swaps of places, each uniform, and the row of discs after them, which is not the first one."""
    while True:
        drawn = [rng.choice(_pairs_within(count, reach)) for _ in range(swaps)]
        row = list(range(count))
        for one, other in drawn:
            row[one], row[other] = row[other], row[one]
        if row != sorted(row):
            return drawn, row


@lru_cache(maxsize=64)
def _chance(count: int, swaps: int, reach: int) -> Chance:
    first = tuple(range(1, count + 1))
    rows = {first: 1.0}
    pairs = _pairs_within(count, reach)
    for _ in range(swaps):
        after: dict[tuple[int, ...], float] = {}
        for row, probability in rows.items():
            for one, other in pairs:
                swapped = list(row)
                swapped[one], swapped[other] = swapped[other], swapped[one]
                after[tuple(swapped)] = after.get(tuple(swapped), 0.0) + probability / len(pairs)
        rows = after
    kept = {row: probability for row, probability in rows.items() if row != first}
    return Order.chance_of({row: probability / sum(kept.values()) for row, probability in kept.items()})


TASK = Shells()
