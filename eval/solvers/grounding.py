"""Change points: where the picture jumps, and jumps no more once the anomaly is put onto the frame before."""

from __future__ import annotations

from collections.abc import Sequence

import cv2

from dataset_builder.media.effects import apply_effect
from dataset_builder.media.frame import Frame
from dataset_builder.tasks.anomalies import ANOMALIES, DEFAULT_MIX, PIXEL_EFFECTS
from dataset_builder.tasks.answers import Interval

from .shown import Shown

LONGEST_SHARE = 0.4  # an anomaly is the smaller part of a video
STRENGTHS = (1.0, 0.75, 0.5)


def solve(question: str, videos: Sequence[Shown]) -> Interval:
    (video,) = videos
    named = [name for name in PIXEL_EFFECTS if ANOMALIES[name].phrase in question]
    thumbs = [cv2.resize(frame, (48, 32), interpolation=cv2.INTER_AREA) for frame in video.frames]
    _, start, end = max(
        _best_stretch(thumbs, name, ANOMALIES[name].parameter(strength))
        for name in named or DEFAULT_MIX
        for strength in (STRENGTHS if ANOMALIES[name].graded else (1.0,))
    )
    return Interval(video.times[start], video.times[end])


def _best_stretch(thumbs: list[Frame], name: str, parameter: float) -> tuple[float, int, int]:
    """(gain, start, end): how much of the jumps at both ends the anomaly explains, for the best pair of ends."""
    altered = [apply_effect(name, thumb, parameter, at, 0) for at, thumb in enumerate(thumbs)]
    pairs = range(1, len(thumbs))
    plain = [_difference(thumbs[k - 1], thumbs[k]) for k in pairs]
    enter = [jump - _difference(altered[k - 1], thumbs[k]) for k, jump in zip(pairs, plain, strict=True)]
    leave = [jump - _difference(thumbs[k - 1], altered[k]) for k, jump in zip(pairs, plain, strict=True)]
    longest = max(2, round(len(thumbs) * LONGEST_SHARE))
    return max(
        (min(enter[start - 1], leave[end - 1]), start, end)
        for start in range(1, len(thumbs) - 1)
        for end in range(start + 1, min(start + longest, len(thumbs) - 1) + 1)
    )


def _difference(one: Frame, other: Frame) -> float:
    return cv2.norm(one, other, cv2.NORM_L1) / one.size
