"""The interface between the runner and whatever answers questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..sample import Sample, Video


class AnswerError(Exception):
    """This question got no response. It counts as failed, not as wrong; the message says why.

    `transient`: the cause is the server's state, so that the next question may fail too.
    """

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


class BackendError(RuntimeError):
    """The backend cannot answer any question, or its responses would not be valid; the message says what to do."""


@dataclass(frozen=True)
class Reply:
    """A backend's response to one question.

    Attributes:
        text: the whole response.
        usage: `prompt_tokens` and `completion_tokens`, where known.
        seen: facts about the request: `markers` (result of the check of frame times in the prompt), `times_moved_by` (seconds),
            `cut_off` (the response reached the token limit).
    """

    text: str
    usage: Mapping[str, int] = field(default_factory=dict)
    seen: Mapping[str, Any] = field(default_factory=dict)


class Backend(Protocol):
    """Answers questions."""

    @property
    def needs_videos(self) -> bool:
        """Whether `answer` needs the videos; if not, it gets an empty list."""

    @property
    def label(self) -> str:
        """Its name in tables."""

    @property
    def protocol(self) -> Mapping[str, Any]:
        """The settings that its responses depend on, as JSON values; a run is resumed only under the same protocol."""

    async def check(self) -> None:
        """Raises: BackendError: if it cannot answer at all."""

    async def answer(self, sample: Sample, videos: Sequence[Video], draw: int = 0) -> Reply:
        """The response of this number to a question. Raises: AnswerError, BackendError."""

    async def close(self) -> None: ...
