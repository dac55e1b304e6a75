"""Compare by trial: which way of making the clip from the reference gives pictures nearest to it."""

from __future__ import annotations

from collections.abc import Sequence

from dataset_builder.tasks.answers import Labels

from .shown import DecodedVideo
from .thumbnails import thumbnails


def solve(question: str, videos: Sequence[DecodedVideo]) -> Labels:
    """The letter of the best kind for each clip."""
    reference, *clips = (thumbnails(video.frames) for video in videos)
    half = len(reference) // 2
    kinds = {
        "it shows the same": reference,
        "it is turned upside down": reference[:, ::-1, ::-1],
        "it is mirrored left to right": reference[:, :, ::-1],
        "it is played backwards": reference[::-1],
        "its second half comes first": [*reference[half:], *reference[:half]],
    }
    letters = {line[3:]: line[0] for line in question.split("\n") if line[1:3] == ": "}
    answer = []
    for clip in clips:
        costs = {kind: float(abs(clip - made).mean()) for kind, made in kinds.items() if kind in letters}
        kind = min(costs, key=costs.__getitem__)
        elsewhere = letters.get("it is from another part of the video", "")
        others = sorted(costs.values())
        answer.append(elsewhere if elsewhere and costs[kind] > max(0.12, 0.6 * others[1]) else letters[kind])
    return Labels(tuple(answer))
