"""What every answer type has: its canonical text, a reader, a score against the truth, and a uniform guess."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

from .reading import answer_text


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
        """Plain values."""
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
    def format(self) -> str:
        """The canonical text, which `read` reads back."""

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

    @abstractmethod
    def guess(self, rng: Random, space: Any) -> Answer:
        """An answer of this one's form, uniformly by chance: what somebody says who knows the form and nothing else.

        Args:
            space: what is drawn from, as `Task.guess_space` gives it.
        """

    @classmethod
    def parse(cls, response: str) -> Answer:
        """Find and read the one answer in a whole response.

        Raises:
            Unparseable: if there is none, or more than one.
        """
        return cls.read(answer_text(response))

    def __str__(self) -> str:
        return self.format()
