"""The input of a solver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dataset_builder.media.frame import Frame
from dataset_builder.tasks import Answer


@dataclass(frozen=True)
class DecodedVideo:
    """One video: its T frames, each (height, width, 3) uint8, and their T times in seconds."""

    frames: Sequence[Frame]
    times: Sequence[float]


Solver = Callable[[str, Sequence[DecodedVideo]], Answer]
"""(question, videos) -> answer."""
