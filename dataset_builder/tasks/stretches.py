"""Stretches of a video: their lengths and places, their times in an answer, and whether a change shows in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from .anomalies import ANOMALIES
from .base import Plan
from .errors import Unsolvable
from .levels import Knob
from .statistics import ClipStats, mean_difference

ALIGN = Knob("align", (2, 2, 2, 2), "stretches begin and end on multiples of this many frames", 1, 16)


def aligned(frames: float, align: int) -> int:
    """The largest multiple of `align` that is at most this many frames."""
    return int(frames // align) * align


def share_of(frames: int, share: float, align: int) -> int:
    """The multiple of `align` nearest to a share of the frames; at least one."""
    return align * max(1, round(share * frames / align))


def spread(lengths: Sequence[int], frames: int, gap: int, align: int, rng: Random) -> list[tuple[int, int]]:
    """Places for stretches of these lengths in order, with at least `gap` frames around each; uniform over all.

    Raises:
        Unsolvable: if they do not fit.
    """
    free = (frames - sum(lengths) - gap * (len(lengths) + 1)) // align
    if free < 0:
        raise Unsolvable(f"{frames} frames are too few for {len(lengths)} stretches")
    cuts = sorted(rng.sample(range(free + len(lengths)), len(lengths)))
    places, at = [], 0
    for k, (cut, length) in enumerate(zip(cuts, lengths, strict=True)):
        start = at + gap + align * (cut - (cuts[k - 1] + 1 if k else 0))
        places.append((start, start + length))
        at = start + length
    return places


def seconds(times: Sequence[float], positions: Sequence[int]) -> tuple[float, ...]:
    """The times of these positions with one decimal, or as many, up to three, as identify each frame."""
    for digits in (1, 2, 3):
        rounded = tuple(round(times[position], digits) for position in positions)
        if all(frame_at(times, time) == position for time, position in zip(rounded, positions, strict=True)):
            break
    return rounded


def frame_at(times: Sequence[float], time: float) -> int:
    """The frame with the nearest time."""
    return min(range(len(times)), key=lambda frame: abs(times[frame] - time))


def check_visible(clip: ClipStats, effect: str, start: int, end: int, params: Mapping[str, Any]) -> None:
    """Raise Unsolvable if a pixel effect changes these frames too little, or less than the motion at its ends.

    Args:
        params: `strength`, `min_change` and `clearness`.
    """
    share = ANOMALIES[effect].share(params["strength"])
    change = [share * value for value in clip.visibility[effect][start:end]]
    if min(change) < params["min_change"]:
        raise Unsolvable("hardly changes this shot")
    clearness = params["clearness"]
    if change[0] < clearness * clip.motion[start] or change[-1] < clearness * clip.motion[end]:
        raise Unsolvable("lost in the motion")


def difference(one: Sequence[bytes], other: Sequence[bytes]) -> float:
    """Mean difference of two equally long lists of signatures, position by position, in grey levels; of at most 12 positions."""
    pairs = list(zip(one, other, strict=True))
    pairs = pairs[:: len(pairs) // 12 + 1]
    return sum(mean_difference(a, b) for a, b in pairs) / len(pairs)


def first_solvable(attempt: Callable[[], Plan], number: int) -> Plan:
    """The first plan that `attempt` does not refuse; raises its last Unsolvable after this many calls."""
    for _ in range(number):
        try:
            return attempt()
        except Unsolvable as error:
            refusal = error
    raise refusal
