"""Jigsaw: the video is cut into clips and these are shuffled; in which order must they be played?

Clip 1: <video> … Clip 6: <video> … In which order …?   ->   341562
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import combinations, pairwise
from random import Random

from .answers import Answer, Chance, Order
from .base import ANSWER_TAG, Plan, Task
from .edits import CLIP, EditList, OutputClip
from .errors import Unsolvable
from .levels import Knob, Params
from .statistics import ClipStats

MIN_CLIP_FRAMES = 2
STATIC = 1.0  # mean grey levels per join; below this, any order joins smoothly


class Jigsaw(Task):
    """Put shuffled clips in order (paper, temporal jigsaw task)."""

    name = "jigsaw"
    version = 1
    ability = "temporal_ordering"
    answer = Order
    answer_format = "clip numbers in order, 341562 (comma-separated from 10 clips up)"
    in_mixed = in_suite = True
    knobs = (
        Knob("clips", (6, 7, 8, 12), "clips to put in order", 2, 64),
        Knob("margin", (0.05, 0.0, -0.03, -0.1), "least margin, as a share, by which other orders join worse", -1.0, 10.0),
    )

    def min_frames(self, params: Params) -> int:
        return MIN_CLIP_FRAMES * int(params["clips"])

    def chance(self, params: Params, frames: int) -> Chance:
        return _chance(params["clips"])

    def _default_baseline(self, truth: Answer) -> float:
        assert isinstance(truth, Order)
        return _chance(len(truth.items)).smooth

    def contradiction(self, answer: Answer, edits: EditList, times: Sequence[Sequence[float]], question: str) -> str:
        first_frames = [clip.frames[0][1] for clip in edits.clips]
        order = Order(tuple(k + 1 for k in sorted(range(len(first_frames)), key=first_frames.__getitem__)))
        return "" if answer == order else f"the clips are in order as {order.format()}"

    def plan(self, clip: ClipStats, rng: Random, params: Params, donor: ClipStats | None = None) -> Plan:
        count = params["clips"]
        length = clip.frames // count
        if length < MIN_CLIP_FRAMES:
            raise Unsolvable(f"{clip.frames} frames are too few for {count} clips")
        length -= length % 2
        first = (clip.frames - count * length) // 4 * 2
        segments = [range(first + k * length, first + (k + 1) * length) for k in range(count)]
        proven = _check_order(clip, segments, params["margin"])
        segment_of = list(range(count))  # segment_of[k]: the segment that is shown as clip k + 1
        while segment_of == sorted(segment_of):
            rng.shuffle(segment_of)
        outputs = tuple(
            OutputClip(tuple((CLIP, index) for index in segments[segment]), clock=segments[segment][0])
            for segment in segment_of
        )
        answer = Order(tuple(segment_of.index(segment) + 1 for segment in range(count)))
        return Plan(_question(count), answer, EditList(outputs), proven)


def _question(count: int) -> str:
    listing = "\n".join(f"Clip {k}: <video>" for k in range(1, count + 1))
    form = "separated by commas, for example 3,1,2" if count > 9 else "without spaces, for example 312"
    return (
        f"{listing}\nThese {count} clips were cut from one video and shuffled. In which order must they be played to show the "
        f"video as it was? Answer with the clip numbers, first to last, {form} if there were three. {ANSWER_TAG}"
    )


def _check_order(clip: ClipStats, segments: list[range], margin: float) -> bool:
    """Whether the true order joins best of all compared orders; raises Unsolvable if the pictures do not show the order.

    The cost of an order is the sum of its joins, from each clip's last picture to the next clip's first. The true order is
    compared with every order that is one swap, one move of a clip, one reversal of a run or one rotation away.
    """
    count = len(segments)
    join = [[clip.distance(one[-1], other[0]) for other in segments] for one in segments]

    def cost(order: list[int]) -> float:
        return sum(join[one][other] for one, other in pairwise(order))

    true = list(range(count))
    best = cost(true)
    rival = min(map(cost, _neighbours(true)))
    if rival < STATIC * (count - 1):
        raise Unsolvable("too static: the clips look alike")
    if rival < (1 + margin) * best:
        raise Unsolvable("the pictures do not show which clip follows")
    return rival >= best


def _neighbours(order: list[int]) -> Iterator[list[int]]:
    for i, j in combinations(range(len(order)), 2):
        yield [*order[:i], order[j], *order[i + 1 : j], order[i], *order[j + 1 :]]  # swap
        yield [*order[:i], *order[i + 1 : j + 1], order[i], *order[j + 1 :]]  # move back
        yield [*order[:i], order[j], *order[i:j], *order[j + 1 :]]  # move forward
        yield [*order[:i], *order[i : j + 1][::-1], *order[j + 1 :]]  # reversal
    for k in range(1, len(order)):
        yield [*order[k:], *order[:k]]  # rotation


@lru_cache(maxsize=64)
def _chance(count: int) -> Chance:
    return Order.chance(count)


TASK = Jigsaw()
