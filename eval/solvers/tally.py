"""Tally by contours, as counting: the shapes of each pair of frames that stood before the asked times."""

from __future__ import annotations

import re
from collections.abc import Sequence

import cv2

from dataset_builder.tasks.tally import CountsAtTimes

from .counting import find_shapes
from .shown import DecodedVideo


def solve(question: str, videos: Sequence[DecodedVideo]) -> CountsAtTimes:
    """The number of shapes of the asked kind in the pairs of frames before each time."""
    (video,) = videos
    match = re.search(r"How many (\w+)s have appeared by ([0-9.]+), ([0-9.]+) and ([0-9.]+) seconds", question)
    assert match
    frames = [cv2.medianBlur(frame, 3) for frame in video.frames[::2]]
    counts = [0, 0, 0]
    for k, frame in enumerate(frames):
        found = find_shapes(frame, [frames[n] for n in (k - 1, k + 1) if 0 <= n < len(frames)]).count(match[1])
        for at in range(3):
            counts[at] += found if video.times[2 * k] < float(match[at + 2]) else 0
    return CountsAtTimes(tuple(counts))
