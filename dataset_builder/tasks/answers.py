"""Typed answers. A task picks a type and has its parser, its smooth reward, its exact hit and its chance floor."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import factorial
from typing import Any, ClassVar

from .parsing import Unparseable, answer_text

EPSILON = 1e-6  # keeps the relative count error finite at a true count of 0


@dataclass(frozen=True)
class Score:
    """What a response earns. The same keys for every task and every outcome.

    Attributes:
        score: the smooth value in [0, 1].
        exact: the strict value in [0, 1].
        above_chance: `score` rescaled so that the best blind answer is 0 and a perfect one 1; negative below chance.
        parsed: the answer as understood, or "" when the response holds none.
        reason: one short sentence.
        task: the task's name.
    """

    score: float
    exact: float
    above_chance: float
    parsed: str
    reason: str
    task: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Chance:
    """The best that answering without looking can reach on average, and the constant answer that reaches it.

    Attributes:
        smooth: expected smooth score of `blind`, the best constant for it.
        exact: expected strict score of the best constant for that.
        blind: the constant answer; an Interval here is in frames, not seconds.
    """

    smooth: float
    exact: float
    blind: Answer


class Answer(ABC):
    """An answer's value. `str(answer)` is its canonical text, which `parse` reads back."""

    @abstractmethod
    def format(self) -> str: ...

    @classmethod
    @abstractmethod
    def read(cls, text: str) -> Answer:
        """Read an answer that stands alone in `text`.

        Raises:
            Unparseable: saying what is wrong.
        """

    @abstractmethod
    def score(self, truth: Any) -> tuple[float, float, str]:
        """(smooth, exact, reason) of this answer against the truth, of the same type."""

    @classmethod
    def parse(cls, response: str) -> Answer:
        """Find and read the one answer in a whole response.

        Raises:
            Unparseable: if there is none, or more than one.
        """
        return cls.read(answer_text(response))

    def __str__(self) -> str:
        return self.format()


# texts come with single spaces; no two neighbours in a pattern can match the same character, so matching is linear
_NUMBER = r"(?:(\d{1,4}):)?(\d{1,12}(?:\.\d{1,12})?|\.\d{1,12}) ?(?:seconds|second|secs|sec|s)?"
_INTERVAL = re.compile(
    rf"(?:from |between )?[\[(]? ?{_NUMBER} ?(?:-{{1,2}}|to|until|and|,|~|;) ?{_NUMBER} ?[\])]?", re.IGNORECASE
)
_LIST_SEPARATOR = re.compile(r" ?[,;/] ?| ")
_ORDER_SEPARATOR = re.compile(r" ?(?:->|[,;>\-→]) ?| ")
_PAIR_SEPARATOR = re.compile(r" ?(?:[,;] ?)?\band\b ?| ?[,;] ?")
_CLIP_WORD = re.compile(r"\bclips? ?", re.IGNORECASE)


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

    @staticmethod
    def chance(spans: Sequence[tuple[float, float]], frames: int) -> Chance:
        """The best constant interval against spans (start, end in frames) that are equally likely."""
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


@dataclass(frozen=True)
class Counts(Answer):
    """A count for each class, e.g. `3,1,4`. Subclasses name their classes, in the singular, in `labels`.

    Smooth (paper, counting reward): the mean over classes of max(0, 1 - |y' - y| / (y + eps)), 1 where both are 0.
    Exact: the mean over classes of equality.
    """

    values: tuple[int, ...]
    labels: ClassVar[tuple[str, ...]] = ()

    def format(self) -> str:
        return ",".join(map(str, self.values))

    @classmethod
    def read(cls, text: str) -> Counts:
        want = len(cls.labels)
        bare = _LIST_SEPARATOR.split(text)
        numbers = bare if all(map(str.isdecimal, bare)) else cls._labelled(text)
        if len(numbers) != want:
            raise Unparseable(f"{len(numbers)} counts, {want} wanted: {', '.join(cls.labels)}")
        if any(len(number) > 9 for number in numbers):
            raise Unparseable("a count of more than 9 digits")
        return cls(tuple(map(int, numbers)))

    @classmethod
    def _labelled(cls, text: str) -> list[str]:
        """Read `circles: 3, squares: 1, …` or `3 circles, 1 square and …`, each class once, in any order."""
        found: dict[str, str] = {}
        for part in _PAIR_SEPARATOR.split(text):
            words = part.replace(":", " ").replace("=", " ").split()
            number = next((word for word in words if word.isdecimal()), None)
            label = next((word.lower().removesuffix("s") for word in words if not word.isdecimal()), None)
            if len(words) != 2 or number is None or label not in cls.labels:
                raise Unparseable(f"not {len(cls.labels)} counts of the form {','.join('3' for _ in cls.labels)}")
            if label in found:
                raise Unparseable(f"{label} is counted twice")
            found[label] = number
        if set(found) != set(cls.labels):
            raise Unparseable(f"counts for {', '.join(found)}, wanted: {', '.join(cls.labels)}")
        return [found[label] for label in cls.labels]

    def score(self, truth: Counts) -> tuple[float, float, str]:
        pairs = list(zip(self.values, truth.values, strict=True))
        smooth = sum(_relative(guess, true) for guess, true in pairs) / len(pairs)
        right = sum(guess == true for guess, true in pairs)
        return smooth, right / len(pairs), f"{right} of {len(pairs)} counts right"

    @classmethod
    def chance(cls, distribution: Sequence[float]) -> Chance:
        """The best constant count, every class having the distribution P(count = i) = distribution[i]."""
        top = len(distribution)

        def smooth(guess: int) -> float:
            return sum(p * _relative(guess, true) for true, p in enumerate(distribution))

        best = max(range(top), key=smooth)
        return Chance(smooth(best), max(distribution), cls((best,) * len(cls.labels)))


@dataclass(frozen=True)
class Order(Answer):
    """A permutation of 1..n, e.g. `341562`; comma-separated from 10 up.

    Smooth: 1 - sum over items of |position - true position| / floor(n^2 / 2). Exact: equality.
    """

    items: tuple[int, ...]

    def format(self) -> str:
        return ("," if len(self.items) > 9 else "").join(map(str, self.items))

    @classmethod
    def read(cls, text: str) -> Order:
        groups = _ORDER_SEPARATOR.split(_CLIP_WORD.sub("", text))
        if not all(map(str.isdecimal, groups)):
            raise Unparseable("not one order of the form 312")
        numbers = list(groups[0]) if len(groups) == 1 else groups
        items = [int(number) for number in numbers if len(number) <= 4]
        if len(numbers) < 2 or sorted(items) != list(range(1, len(numbers) + 1)):
            raise Unparseable(f"not each of 1 to {len(numbers)} once")
        return cls(tuple(items))

    def score(self, truth: Order) -> tuple[float, float, str]:
        size = len(truth.items)
        if len(self.items) != size:
            raise Unparseable(f"an order of {len(self.items)} clips, {size} wanted")
        place = {item: position for position, item in enumerate(self.items)}
        moved = sum(abs(place[item] - position) for position, item in enumerate(truth.items))
        right = sum(place[item] == position for position, item in enumerate(truth.items))
        return 1 - moved / (size * size // 2), float(self == truth), f"{right} of {size} clips in place"

    @staticmethod
    def chance(size: int) -> Chance:
        """The best constant order, the truth being any order but the identity with equal probability.

        A random order's expected displacement is (n^2 - 1) / 3. The reversed order gains most from the missing
        identity, against which it scores 0.
        """
        mean = 1 - (size * size - 1) / 3 / (size * size // 2)
        orders = factorial(size)
        return Chance(mean * orders / (orders - 1), 1 / (orders - 1), Order(tuple(range(size, 0, -1))))


def _relative(guess: int, true: int) -> float:
    return 1.0 if guess == true else max(0.0, 1 - abs(guess - true) / (true + EPSILON))


def _trim(seconds: float) -> str:
    return f"{seconds:.3f}".rstrip("0").rstrip(".") or "0"
