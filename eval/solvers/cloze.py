"""Cloze by continuity: the candidates whose ends differ least from the frames beside the gaps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, permutations

from dataset_builder.tasks.answers import Labels
from dataset_builder.tasks.answers.labels import LETTERS

from .shown import DecodedVideo
from .thumbnails import colours

MAX_BLANK = 3.0  # grey levels of deviation within a blank frame


def solve(question: str, videos: Sequence[DecodedVideo]) -> Labels:
    """The assignment of candidates to gaps of lowest total difference at the joins."""
    video, *candidates = videos
    frames = colours(video.frames)
    blank = frames.std(axis=(1, 2, 3)) < MAX_BLANK
    runs = [list(run) for is_blank, run in groupby(range(len(frames)), key=lambda k: bool(blank[k])) if is_blank]
    ends = [colours([clip.frames[0], clip.frames[-1]]) for clip in candidates]
    cost = [
        [
            float(abs(frames[run[0] - 1] - first).mean() + abs(last - frames[min(run[-1] + 1, len(frames) - 1)]).mean())
            for first, last in ends
        ]
        for run in runs
    ]
    best = min(permutations(range(len(ends)), len(runs)), key=lambda order: sum(cost[k][n] for k, n in enumerate(order)))
    return Labels(tuple(LETTERS[k] for k in best))
