"""Jigsaw: the video is cut into clips and these are shuffled; in which order must they be played?

Clip 1: <video> … Clip 6: <video> … In which order …?   ->   341562
"""

from __future__ import annotations

from functools import lru_cache
from random import Random

from .answers import Answer, Chance, Order
from .base import ANSWER_TAG, Plan, Task, Unsolvable
from .clip_stats import ClipStats
from .edits import CLIP, EditList, OutputClip
from .levels import Knob, Params

MIN_CLIP_FRAMES = 2
MIN_RIVAL_LEAD = 1.0  # grey levels by which a clear join beats every other join
MIN_RIVAL_RATIO = 1.2


class Jigsaw(Task):
    name = "jigsaw"
    version = 1
    ability = "temporal_ordering"
    answer = Order
    answer_format = "clip numbers in order, 341562 (comma-separated from 10 clips up)"
    knobs = (
        Knob("clips", (6, 7, 8, 12), "clips to put in order", 2, 64),
        Knob("clear_joins", (0.8, 0.75, 0.7, 0.5), "least share of joins that the pictures on both sides give away", 0.0, 1.0),
    )

    def min_frames(self, params: Params) -> int:
        return MIN_CLIP_FRAMES * int(params["clips"])

    def chance(self, params: Params, frames: int) -> Chance:
        return _chance(params["clips"])

    def _default_floor(self, truth: Answer) -> float:
        assert isinstance(truth, Order)
        return _chance(len(truth.items)).smooth

    def plan(self, clip: ClipStats, rng: Random, params: Params, donor: ClipStats | None = None) -> Plan:
        count = params["clips"]
        length = clip.frames // count
        if length < MIN_CLIP_FRAMES:
            raise Unsolvable(f"{clip.frames} frames are too few for {count} clips")
        length -= length % 2
        first = (clip.frames - count * length) // 4 * 2
        segments = [range(first + k * length, first + (k + 1) * length) for k in range(count)]
        _check_joins(clip, segments, params["clear_joins"])
        shown = list(range(count))  # shown[k]: the segment that is shown as clip k + 1
        while shown == sorted(shown):
            rng.shuffle(shown)
        outputs = tuple(
            OutputClip(tuple((CLIP, index) for index in segments[segment]), clock=segments[segment][0]) for segment in shown
        )
        answer = Order(tuple(shown.index(segment) + 1 for segment in range(count)))
        return Plan(_question(count), answer, EditList(outputs))


def _question(count: int) -> str:
    listing = "\n".join(f"Clip {k}: <video>" for k in range(1, count + 1))
    form = "separated by commas, for example 3,1,2" if count > 9 else "without spaces, for example 312"
    return (
        f"{listing}\nThese {count} clips were cut from one video and shuffled. In which order must they be played to show the "
        f"video as it was? Answer with the clip numbers, first to last, {form} if there were three. {ANSWER_TAG}"
    )


def _check_joins(clip: ClipStats, segments: list[range], least: float) -> None:
    """Refuse footage whose pictures do not show what follows what: too static, or cut at the joins."""
    joins = len(segments) - 1
    clear = static = 0
    for k in range(joins):
        last, following = segments[k][-1], segments[k + 1]
        true = clip.distance(last, following[0])
        rivals = [clip.distance(last, other[0]) for j, other in enumerate(segments) if j not in (k, k + 1)]
        rival = min([*rivals, clip.distance(following[-1], segments[k][0])])
        clear += rival >= true + MIN_RIVAL_LEAD and rival >= MIN_RIVAL_RATIO * true
        static += rival < 2 * MIN_RIVAL_LEAD
    if clear < least * joins:
        raise Unsolvable("too static: the clips look alike" if static else "the pictures do not show which clip follows")


@lru_cache(maxsize=64)
def _chance(count: int) -> Chance:
    return Order.chance(count)


TASK = Jigsaw()
