"""Points in time: `3.2,7.9`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random
from statistics import fmean, median
from typing import ClassVar, Self

from .base import Answer, Chance
from .interval import TIME, TIME_UNITS, to_seconds, trim
from .reading import Unparseable

_TRUTH = re.compile(r"(.+) ±([0-9.]+) ±([0-9.]+)")


@dataclass(frozen=True)
class Instants(Answer):
    """Rising points in time in seconds, e.g. `3.2,7.9`.

    Smooth: matched in order, each pair is worth max(0, 1 - |t' - t| / tolerance); the best sum over the larger number of
    instants. Exact: the same number of instants, each within `pair` of the truth. The ground truth holds both limits:
    `3.2,7.9 ±0.5 ±1.5`.

    Attributes:
        pair: seconds of a pair of frames, which models merge; only in truths.
        tolerance: seconds off at which an instant earns nothing; only in truths.
    """

    times: tuple[float, ...]
    pair: float = field(default=0.0, compare=False)
    tolerance: float = field(default=0.0, compare=False)
    value: ClassVar[re.Pattern[str]] = TIME
    units: ClassVar[frozenset[str]] = TIME_UNITS | {"jump", "jumps"}

    def parts(self) -> list[str]:
        return list(map(trim, self.times))

    def ground_truth(self) -> str:
        return f"{self.format()} ±{trim(self.pair)} ±{trim(self.tolerance)}"

    @classmethod
    def from_parts(cls, parts: Sequence[str]) -> Self:
        times = tuple(map(to_seconds, parts))
        if any(later <= earlier for earlier, later in pairwise(times)):
            raise Unparseable("the times do not rise")
        return cls(times)

    @classmethod
    def read_truth(cls, text: str) -> Self:
        truth = _TRUTH.fullmatch(text)
        if not truth:
            raise Unparseable("it needs its two limits, as in 3.2,7.9 ±0.5 ±1.5")
        pair, tolerance = float(truth[2]), float(truth[3])
        if not 0 < pair <= tolerance:
            raise Unparseable("its limits are not above 0 and rising")
        return cls(cls.read(truth[1]).times, pair, tolerance)

    def score(self, truth: Instants) -> tuple[float, float, str]:
        best = [0.0] * (len(truth.times) + 1)
        for time in self.times:
            row = [0.0]
            for k, true in enumerate(truth.times):
                worth = max(0.0, 1 - abs(time - true) / truth.tolerance)
                row.append(max(best[k] + worth, best[k + 1], row[k]))
            best = row
        size = len(truth.times)
        close = len(self.times) == size and all(
            abs(time - true) <= truth.pair + 1e-6 for time, true in zip(self.times, truth.times, strict=True)
        )
        return best[-1] / max(len(self.times), size), float(close), f"{best[-1]:.2f} of {size} instants matched"

    def guess(self, rng: Random, space: Sequence[float]) -> Instants:
        """As many of the video's frame times `space`, in seconds."""
        return Instants(tuple(sorted(rng.sample(list(space), len(self.times)))))

    @staticmethod
    def chance(samples: Sequence[tuple[int, ...]], pair: float, tolerance: float) -> Chance:
        """The best constant instants, if the truth is uniform among these, in frames; found by local search."""
        truths = [Instants(sample, pair, tolerance) for sample in samples]

        def smooth(guess: tuple[float, ...]) -> float:
            return fmean(Instants(guess).score(truth)[0] for truth in truths)

        best: tuple[float, ...] = tuple(median(column) for column in zip(*samples, strict=True))
        score, improved = smooth(best), True
        far = max(2, round(tolerance / 2))
        while improved:
            improved = False
            for at in range(len(best)):
                for step in (-far, -1, 1, far):
                    guess = tuple(sorted((*best[:at], best[at] + step, *best[at + 1 :])))
                    if len(set(guess)) == len(guess) and guess[0] >= 0 and (value := smooth(guess)) > score + 1e-9:
                        best, score, improved = guess, value, True
        exact = fmean(Instants(best).score(truth)[1] for truth in truths)
        return Chance(score, exact, Instants(best, pair, tolerance))
