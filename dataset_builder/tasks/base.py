"""The base class of tasks: pure functions from a clip's statistics, a seeded generator and parameters to a Plan."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from random import Random
from typing import Any, ClassVar

from .answers import Answer, Chance, Score
from .answers.reading import MAX_ANSWER_LENGTH, Unparseable
from .edits import EditList
from .errors import UsageError
from .levels import Knob, Level, Params, resolve
from .statistics import ClipStats

PLACEHOLDER = "<video>"  # stands for one video in a question
ANSWER_TAG = "Give only the answer, inside <answer></answer>."


@dataclass(frozen=True)
class Plan:
    """One question.

    Attributes:
        question: its text, with a `<video>` for each output clip.
        answer: the ground truth.
        edits: the edit list that makes its videos.
        proven: whether, by the clip's statistics, every other answer that was compared fits worse.
    """

    question: str
    answer: Answer
    edits: EditList
    proven: bool = True

    @property
    def content(self) -> tuple[str, str, str]:
        """Equal for two questions about a clip that ask the same; ignores noise seeds."""
        clips = tuple(
            replace(clip, effects=tuple(replace(effect, seed=0) for effect in clip.effects)) for clip in self.edits.clips
        )
        return self.question, self.answer.format(), EditList(clips).to_json()


class Task(ABC):
    """A kind of question. One subclass, one file; `TASK = …` at its end puts it in the registry.

    Attributes:
        name: its name in the registry, in rows and in the reward service.
        version: increase it whenever the same seed plans something else.
        ability: the ability that it trains, for the row.
        answer: the answer type.
        answer_format: the answer's form with an example, for listings.
        knobs: its parameters at each level.
        in_mixed, in_suite: whether the presets `mixed` and `suite` include it.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    ability: ClassVar[str]
    answer: ClassVar[type[Answer]]
    answer_format: ClassVar[str]
    knobs: ClassVar[tuple[Knob, ...]]
    in_mixed: ClassVar[bool] = False
    in_suite: ClassVar[bool] = False

    @abstractmethod
    def plan(self, clip: ClipStats, rng: Random, params: Params, donor: ClipStats | None = None) -> Plan:
        """Make one question from one clip, with `rng` as the only source of randomness.

        Raises:
            Unsolvable: if a bounded number of attempts gave no answerable question.
        """

    @abstractmethod
    def chance(self, params: Params, frames: int) -> Chance:
        """The blind baseline at these parameters, for clips of this many frames."""

    def min_frames(self, params: Params) -> int:
        """Minimum number of frames of a clip at these parameters."""
        return 2

    def wants_donor(self, params: Params) -> bool:
        """Whether planning may use frames of another video."""
        return False

    def guess_space(self, params: Params, times: Sequence[float]) -> Any:
        """The argument of `Answer.guess`: frame times for intervals, the largest count for counts."""
        return None

    def params(self, difficulty: str | float | Level, overrides: Mapping[str, Any] | None = None) -> Params:
        """All parameters at a difficulty; raises UsageError naming the field, the value and what is allowed."""
        params = resolve(self.knobs, Level.of(difficulty), overrides or {})
        self.check(params)
        return params

    def check(self, params: Params) -> None:  # noqa: B027 - most tasks accept every combination
        """Raise UsageError for parameters that do not fit together."""

    def blind(self, params: Params, times: tuple[float, ...], end: float) -> Answer:
        """The best constant answer for a clip with these times."""
        return self.chance(params, len(times)).blind

    def contradiction(self, answer: Answer, edits: EditList, times: Sequence[Sequence[float]], question: str) -> str:
        """How the edits contradict the answer; "" if they do not, or if the task has no check.

        Args:
            times: for each video, the seconds at which its frames are shown.
            question: the question's text.
        """
        return ""

    def read_truth(self, ground_truth: str) -> Answer:
        """Read a ground truth as stored in a row; raises UsageError if it is not an answer of this task."""
        if not isinstance(ground_truth, str):
            raise UsageError(f"ground_truth={ground_truth!r} is no text; send it as stored in the row")
        if len(ground_truth) > MAX_ANSWER_LENGTH:
            raise UsageError(f"ground_truth has {len(ground_truth)} characters; allowed: {MAX_ANSWER_LENGTH}")
        try:
            return _read(self.answer, ground_truth)  # cached, as the rollouts of a group share it
        except Unparseable as error:
            raise UsageError(f"ground_truth={ground_truth!r} is no answer of task {self.name!r}: {error}") from None

    def score(self, response: str, ground_truth: str, chance: float | None = None) -> Score:
        """Score a model's whole response.

        Args:
            response: any text; without exactly one answer it scores 0, and `reason` says why.
            ground_truth: as stored in the row.
            chance: the row's blind baseline, for `above_chance`; default: the baseline of the medium level at 48 frames.

        Raises:
            UsageError: if the ground truth is malformed.
        """
        truth = self.read_truth(ground_truth)
        baseline = self._default_baseline(truth) if chance is None else chance
        smooth, exact, parsed = 0.0, 0.0, ""
        try:
            answer = self.answer.parse(response)
            smooth, exact, reason = answer.score(truth)
            parsed = answer.format()
        except Unparseable as error:
            reason = f"unparseable: {error}"
        # a baseline of 1 (jigsaw of two clips) cannot be exceeded
        above = (smooth - baseline) / (1 - baseline) if baseline < 1 else smooth - 1
        return Score(smooth, exact, above, parsed, reason, self.name)

    def _default_baseline(self, truth: Answer) -> float:
        return self._medium_baseline

    @cached_property
    def _medium_baseline(self) -> float:
        return self.chance(self.params("medium"), 48).smooth


@lru_cache(maxsize=4096)
def _read(answer: type[Answer], text: str) -> Answer:
    return answer.read_truth(text.strip())


def item_rng(task: Task, fingerprint: str, seed: int, index: int) -> Random:
    """The random generator of one item; independent of machine, process and order."""
    key = f"{task.name}\0{task.version}\0{fingerprint}\0{seed}\0{index}".encode()
    return Random(int.from_bytes(hashlib.blake2b(key, digest_size=16).digest(), "big"))
