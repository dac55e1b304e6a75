"""A stretch of time: `14.5-26.2`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar, Self

from .base import Answer, Chance
from .reading import Unparseable

TIME = re.compile(r"[0-9]{1,12}(?::[0-5][0-9]){0,2}(?:\.[0-9]{1,12})?|\.[0-9]{1,12}")
TIME_UNITS = frozenset({"s", "sec", "secs", "second", "seconds", "time"})


@dataclass(frozen=True)
class Interval(Answer):
    """A stretch of time in seconds, e.g. `14.5-26.2`. Smooth: intersection over union. Exact: IoU of at least 0.5."""

    start: float
    end: float
    value: ClassVar[re.Pattern[str]] = TIME
    labels: ClassVar[tuple[str, ...]] = ("start", "end")
    units: ClassVar[frozenset[str]] = TIME_UNITS

    def parts(self) -> list[str]:
        return [trim(self.start), trim(self.end)]

    def format(self) -> str:
        return "-".join(self.parts())

    @classmethod
    def from_parts(cls, parts: Sequence[str]) -> Self:
        if len(parts) != 2:
            raise Unparseable(f"{len(parts)} times, 2 wanted: start and end")
        start, end = map(to_seconds, parts)
        if end <= start:
            raise Unparseable(f"the interval ends at {trim(end)}, not after its start at {trim(start)}")
        return cls(start, end)

    def score(self, truth: Interval) -> tuple[float, float, str]:
        iou = self.iou(truth)
        return iou, float(iou >= 0.5), f"IoU {iou:.3f}"

    def iou(self, other: Interval) -> float:
        overlap = min(self.end, other.end) - max(self.start, other.start)
        union = max(self.end, other.end) - min(self.start, other.start)
        return max(0.0, overlap / union) if overlap > 0 else 0.0

    def guess(self, rng: Random, space: Sequence[float]) -> Interval:
        """Between two of the video's frame times `space`, in seconds."""
        start, end = sorted(rng.sample(list(space), 2))
        return Interval(start, end)

    @staticmethod
    def chance(spans: Sequence[tuple[float, float]], frames: int) -> Chance:
        """The best constant interval for equally likely spans (start, end in frames)."""
        best, exact = (0.0, Interval(0, frames)), 0.0
        step = max(1, frames // 24)
        for start in range(0, frames, step):
            for end in range(start + step, frames + 1, step):
                total = hits = 0.0
                for s, e in spans:
                    overlap = (end if end < e else e) - (start if start > s else s)
                    if overlap > 0:
                        iou = overlap / (end - start + e - s - overlap)
                        total += iou
                        hits += iou >= 0.5
                if total > best[0]:
                    best = (total, Interval(start, end))
                exact = max(exact, hits)
        return Chance(best[0] / len(spans), exact / len(spans), best[1])


def to_seconds(time: str) -> float:
    """The seconds of a time such as `26.2`, `1:26.2` or `0:01:26`."""
    seconds = 0.0
    for part in time.split(":"):
        seconds = 60 * seconds + float(part)
    return seconds


def trim(seconds: float) -> str:
    """Seconds as text, to the millisecond: `26.2`."""
    return f"{seconds:.3f}".rstrip("0").rstrip(".") or "0"
