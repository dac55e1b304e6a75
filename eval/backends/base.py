"""What the runner asks of whoever answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ..sample import Sample, Video


class Failed(Exception):
    """No answer could be had to this question: which is no wrong answer. The message says why.

    Attributes:
        transient: whether it is the server's state, so that the next question may well fail too.
    """

    def __init__(self, why: str, *, transient: bool = False) -> None:
        super().__init__(why)
        self.transient = transient


class Unusable(RuntimeError):
    """No answer can be had to any question, or none that would mean something; the message says what to do."""


@dataclass(frozen=True)
class Reply:
    """An answer.

    Attributes:
        text: the whole response.
        usage: tokens of the prompt and of the response, where known.
        seen: what is known of what the model saw: `markers`, the times in its prompt.
    """

    text: str
    usage: Mapping[str, int] = field(default_factory=dict)
    seen: Mapping[str, Any] = field(default_factory=dict)


class Backend(Protocol):
    """Answers questions."""

    @property
    def needs_videos(self) -> bool: ...

    @property
    def label(self) -> str:
        """How tables call it."""

    @property
    def protocol(self) -> Mapping[str, Any]:
        """All that its answers depend on besides the question; part of the fingerprint that resuming goes by."""

    async def check(self) -> None:
        """Raises: Unusable: if it cannot answer at all."""

    async def answer(self, sample: Sample, videos: Sequence[Video]) -> Reply:
        """Raises: Failed, Unusable."""

    async def close(self) -> None: ...
