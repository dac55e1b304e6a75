"""A stretch of time: `14.5-26.2`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from .base import Answer, Chance
from .reading import Unparseable

# input has single spaces only; neighbours in a pattern never match the same character, so matching takes linear time
_NUMBER = r"(?:(\d{1,4}):)?(\d{1,12}(?:\.\d{1,12})?|\.\d{1,12}) ?(?:seconds|second|secs|sec|s)?"
_INTERVAL = re.compile(
    rf"(?:from |between )?[\[(]? ?{_NUMBER} ?(?:-{{1,2}}|to|until|and|,|~|;) ?{_NUMBER} ?[\])]?", re.IGNORECASE
)


@dataclass(frozen=True)
class Interval(Answer):
    """A stretch of time in seconds, e.g. `14.5-26.2`. Smooth: intersection over union. Exact: IoU of at least 0.5."""

    start: float
    end: float

    def format(self) -> str:
        return f"{_trim(self.start)}-{_trim(self.end)}"

    @classmethod
    def read(cls, text: str) -> Interval:
        match = _INTERVAL.fullmatch(text)
        if not match:
            raise Unparseable("not one interval of the form 12.3-45.6")
        start = float(match[2]) + 60 * float(match[1] or 0)
        end = float(match[4]) + 60 * float(match[3] or 0)
        if end <= start:
            raise Unparseable(f"the interval ends at {_trim(end)}, not after its start at {_trim(start)}")
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


def _trim(seconds: float) -> str:
    return f"{seconds:.3f}".rstrip("0").rstrip(".") or "0"
