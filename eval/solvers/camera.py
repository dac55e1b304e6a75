"""Camera by optical flow: the strongest of pan and zoom in each of the equally long moves."""

from __future__ import annotations

import re
from collections.abc import Sequence

from dataset_builder.media.measure import measure
from dataset_builder.tasks.camera import CameraMoves
from dataset_builder.tasks.stretches import aligned

from .shown import DecodedVideo


def solve(question: str, videos: Sequence[DecodedVideo]) -> CameraMoves:
    """The moves, from the flow between neighbouring frames."""
    (video,) = videos
    match = re.search(r"makes (\d+) moves", question)
    assert match
    count = int(match[1])
    stats = measure(video.frames, video.times, video.times[-1] + 1, "")
    frames = aligned(len(video.frames) / count, 2)
    moves = []
    for start in range(1, count * frames + 1, frames):
        across, along, apart = (sum(flow[start : start + frames]) for flow in (stats.pan_x, stats.pan_y, stats.zoom))
        strongest = max((across, along, apart), key=abs)
        if strongest == across:
            moves.append("left" if across > 0 else "right")
        elif strongest == along:
            moves.append("up" if along > 0 else "down")
        else:
            moves.append("in" if apart > 0 else "out")
    return CameraMoves(tuple(moves))
