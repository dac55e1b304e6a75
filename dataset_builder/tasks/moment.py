"""Moment: a clip was cut from a video and altered; when in the video does it stand?

Video 1: <video> Video 2: <video> … When does video 2 stand in video 1?   ->   14.5-26.2
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from random import Random

from .anomalies import ANOMALIES
from .answers import Answer, Chance, Interval
from .base import ANSWER_TAG, Plan, Task
from .edits import CLIP, EditList, Effect, OutputClip, unedited
from .errors import Unsolvable, UsageError
from .levels import Knob, Params
from .statistics import ClipStats, mirrored, without_colour
from .stretches import ALIGN, aligned, difference, first_solvable, seconds, share_of

PLACES_TRIED = 16
FOREIGN = 1 / 3  # share of its length by which another place is away if their IoU is below 0.5
COLOURS = frozenset({"grayscale", "channel_swap", "saturation"})  # after which only brightness can be compared
ALTERATIONS = ("mirror", "grayscale", "channel_swap", "zoom_in", "blur", "saturation")


class Moment(Task):
    """Find a short clip in a long video."""

    name = "moment"
    version = 1
    ability = "temporal_grounding"
    answer = Interval
    answer_format = "start-end in seconds, 14.5-26.2"
    in_suite = True
    knobs = (
        Knob("share", (1 / 4, 1 / 6, 1 / 8, 1 / 12), "length of the clip, as a share of the video", 0.02, 0.5),
        Knob("alterations", (1, 1, 2, 3), "effects on the clip", 0, len(ALTERATIONS)),
        Knob("strength", (0.6, 0.7, 0.85, 1.0), "strength of effects that have degrees", 0.05, 1.0),
        Knob("min_change", (6.0, 5.0, 4.0, 3.0), "grey levels by which every other place differs, at least", 1.0, 100.0),
        ALIGN,
    )

    def min_frames(self, params: Params) -> int:
        return 3 * int(params["align"])

    def guess_space(self, params: Params, times: Sequence[float]) -> Sequence[float]:
        return times

    def chance(self, params: Params, frames: int) -> Chance:
        if frames < self.min_frames(params):
            raise UsageError(f"clips of {frames} frames are too short for these parameters")
        return _chance(frames, _length(params, frames), params["align"])

    def blind(self, params: Params, times: tuple[float, ...], end: float) -> Interval:
        guess = self.chance(params, len(times)).blind
        assert isinstance(guess, Interval)
        ends = (*times, end)
        return Interval(round(ends[int(guess.start)], 3), round(ends[int(guess.end)], 3))

    def contradiction(self, answer: Answer, edits: EditList, times: Sequence[Sequence[float]], question: str) -> str:
        assert isinstance(answer, Interval)
        start, end = edits.clips[1].frames[0][1], edits.clips[1].frames[-1][1] + 1
        ends = seconds(times[0], (start, end))
        return "" if (answer.start, answer.end) == ends else f"the clip stands at {ends[0]}-{ends[1]}"

    def plan(self, clip: ClipStats, rng: Random, params: Params, donor: ClipStats | None = None) -> Plan:
        if clip.frames < self.min_frames(params):
            raise Unsolvable(f"{clip.frames} frames are too few for a clip within a video")
        return first_solvable(lambda: _plan(clip, rng, params), PLACES_TRIED)


def _length(params: Params, frames: int) -> int:
    align = params["align"]
    return min(share_of(frames, params["share"], align), aligned(frames - 2 * align, align))


def _starts(frames: int, length: int, align: int) -> range:
    return range(align, frames - align - length + 1, align)


def _plan(clip: ClipStats, rng: Random, params: Params) -> Plan:
    length = _length(params, clip.frames)
    starts = _starts(clip.frames, length, params["align"])
    start = rng.choice(starts)
    names = rng.sample(ALTERATIONS, params["alterations"])
    pictures = [clip.signature(frame) for frame in range(clip.frames)]
    if COLOURS.intersection(names):
        pictures = list(map(without_colour, pictures))
    others = [other for other in starts if abs(other - start) >= FOREIGN * length]
    if any(difference(pictures[start:][:length], pictures[other:][:length]) < params["min_change"] for other in others):
        raise Unsolvable("another place looks alike")
    if "mirror" in names:
        flipped = [mirrored(clip.signature(frame)) for frame in range(start, start + length)]
        flipped = list(map(without_colour, flipped)) if COLOURS.intersection(names) else flipped
        if any(difference(flipped, pictures[other:][:length]) < params["min_change"] for other in others):
            raise Unsolvable("another place looks alike in a mirror")
    effects = tuple(Effect(name, 0, length, ANOMALIES[name].parameter(params["strength"])) for name in names)
    frames = tuple((CLIP, index) for index in range(start, start + length))
    part = OutputClip(frames, effects=effects)  # its clock is the video's first, so that its times say nothing
    altered = " and then altered as a whole" if names else ""
    question = (
        f"Video 1: <video>\nVideo 2: <video>\nVideo 2 was cut out of video 1{altered}. When in video 1 does it start and end, in "
        f"seconds from the beginning of video 1? Answer as start-end, for example 3.5-8.0. {ANSWER_TAG}"
    )
    answer = Interval(*seconds(clip.times, (start, start + length)))
    return Plan(question, answer, EditList((OutputClip(unedited(clip.frames)), part)))


@lru_cache(maxsize=64)
def _chance(frames: int, length: int, align: int) -> Chance:
    return Interval.chance([(start, start + length) for start in _starts(frames, length, align)], frames)


TASK = Moment()
