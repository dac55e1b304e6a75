"""The interface of answer types: canonical text, parser, score against the truth, and uniform guess."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from .reading import answer_text


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
    """An answer. `str(answer)` is its canonical text."""

    @abstractmethod
    def format(self) -> str:
        """The canonical text, which `read` reads back."""

    @classmethod
    @abstractmethod
    def read(cls, text: str) -> Answer:
        """Parse a text that is nothing but an answer; raises Unparseable."""

    @abstractmethod
    def score(self, truth: Any) -> tuple[float, float, str]:
        """(smooth, exact, reason) of this answer against the truth, of the same type."""

    @abstractmethod
    def guess(self, rng: Random, space: Any) -> Answer:
        """A uniformly random answer of the same form as this one; `space` is `Task.guess_space`."""

    @classmethod
    def parse(cls, response: str) -> Answer:
        """Find and parse the answer in a whole response; raises Unparseable if there is none, or more than one."""
        return cls.read(answer_text(response))

    def __str__(self) -> str:
        return self.format()
