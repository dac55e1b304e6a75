"""The interface of answer types: canonical text, parser, score against the truth, and uniform guess."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from random import Random
from typing import Any, ClassVar, Self

from .reading import answer_text, read_parts


@dataclass(frozen=True)
class Score:
    """The score of a response. The same keys for every task and every outcome.

    Attributes:
        score: the smooth value in [0, 1].
        exact: the strict value in [0, 1].
        above_chance: `score` rescaled so that the blind baseline is 0 and a perfect answer 1; negative below the baseline.
        parsed: the answer as parsed, or "" if the response has none.
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
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Chance:
    """The blind baseline: what the best constant answer scores on average, and that answer.

    Attributes:
        smooth: expected smooth score of `blind`, the constant answer that maximises it.
        exact: expected strict score of the constant answer that maximises the strict score.
        blind: the constant answer; an Interval here is in frames, not seconds.
    """

    smooth: float
    exact: float
    blind: Answer


class Answer(ABC):
    """An answer of one or several parts. `str(answer)` is its canonical text.

    Attributes:
        value: what the text of one part looks like.
        labels: names of the parts, in the singular, if parts may be labelled: `circles: 3, squares: 1`.
        units: words that may stand beside a part: `14.5 seconds`, `clip 3`.
    """

    value: ClassVar[re.Pattern[str]]
    labels: ClassVar[tuple[str, ...]] = ()
    units: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def parts(self) -> list[str]:
        """The canonical text of each part."""

    def format(self) -> str:
        """The canonical text, which `read` reads back."""
        return ",".join(self.parts())

    @classmethod
    @abstractmethod
    def from_parts(cls, parts: Sequence[str]) -> Self:
        """The answer with these parts, each of which matches `value`; raises Unparseable if they form none."""

    @classmethod
    def read(cls, text: str) -> Self:
        """Parse a text that is nothing but an answer; raises Unparseable."""
        return cls.from_parts(read_parts(text, cls.value, cls.labels, cls.units))

    def ground_truth(self) -> str:
        """The text of a truth in a row, which `read_truth` reads back."""
        return self.format()

    @classmethod
    def read_truth(cls, text: str) -> Self:
        """Parse a ground truth; raises Unparseable."""
        return cls.read(text)

    @abstractmethod
    def score(self, truth: Any) -> tuple[float, float, str]:
        """(smooth, exact, reason) of this answer against the truth, of the same type."""

    @abstractmethod
    def guess(self, rng: Random, space: Any) -> Answer:
        """A uniformly random answer of the same form as this one; `space` is `Task.guess_space`."""

    @classmethod
    def parse(cls, response: str) -> Self:
        """Find and parse the answer in a whole response; raises Unparseable if there is none, or more than one."""
        return cls.read(answer_text(response))

    def __str__(self) -> str:
        return self.format()
