"""Grounding by change points: frame differences that vanish when the anomaly is applied to the neighbouring frame."""

from __future__ import annotations

from collections.abc import Sequence

import cv2

from dataset_builder.media.effects import apply_effect
from dataset_builder.media.frame import Frame
from dataset_builder.tasks.anomalies import ANOMALIES, DEFAULT_MIX, PIXEL_EFFECTS
from dataset_builder.tasks.answers import Interval

from .shown import DecodedVideo

MAX_SHARE = 0.4  # of the video's frames, for an anomaly
STRENGTHS = (1.0, 0.75, 0.5)


def solve(question: str, videos: Sequence[DecodedVideo]) -> Interval:
    """The interval, in seconds, that the anomaly named in the question explains best; without a name, all anomalies are tried."""
    (video,) = videos
    names = [name for name in PIXEL_EFFECTS if ANOMALIES[name].phrase in question]
    thumbnails = [cv2.resize(frame, (48, 32), interpolation=cv2.INTER_AREA) for frame in video.frames]
    _, start, end = max(
        _best_interval(thumbnails, name, ANOMALIES[name].parameter(strength))
        for name in names or DEFAULT_MIX
        for strength in (STRENGTHS if ANOMALIES[name].graded else (1.0,))
    )
    return Interval(video.times[start], video.times[end])


def _best_interval(thumbnails: list[Frame], name: str, parameter: float) -> tuple[float, int, int]:
    """(gain, start, end) with the highest gain: how much of the frame difference at both ends the anomaly explains."""
    edited = [apply_effect(name, thumbnail, parameter, index, 0) for index, thumbnail in enumerate(thumbnails)]
    pairs = range(1, len(thumbnails))
    plain = [_difference(thumbnails[k - 1], thumbnails[k]) for k in pairs]
    start_gains = [difference - _difference(edited[k - 1], thumbnails[k]) for k, difference in zip(pairs, plain, strict=True)]
    end_gains = [difference - _difference(thumbnails[k - 1], edited[k]) for k, difference in zip(pairs, plain, strict=True)]
    longest = max(2, round(len(thumbnails) * MAX_SHARE))
    return max(
        (min(start_gains[start - 1], end_gains[end - 1]), start, end)
        for start in range(1, len(thumbnails) - 1)
        for end in range(start + 1, min(start + longest, len(thumbnails) - 1) + 1)
    )


def _difference(first: Frame, second: Frame) -> float:
    """Mean absolute difference of two frames, in grey levels."""
    return cv2.norm(first, second, cv2.NORM_L1) / first.size
