"""What a solver is given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dataset_builder.media.frame import Frame
from dataset_builder.tasks import Answer


@dataclass(frozen=True)
class Shown:
    """One video as shown: its T frames, and their times in seconds."""

    frames: Sequence[Frame]
    times: Sequence[float]


Solver = Callable[[str, Sequence[Shown]], Answer]
"""(question, videos) -> answer."""
