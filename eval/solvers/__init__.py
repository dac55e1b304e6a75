"""Classical solvers: they see what a model sees, the decoded videos and the question, and nothing of the recipe.

They are the proof that the questions can be answered from the pixels, and a baseline to hold models against.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dataset_builder.tasks import Answer


@dataclass(frozen=True)
class Shown:
    """One video as shown: T frames (uint8, height x width x 3, RGB), their times and the end in seconds."""

    frames: Sequence[np.ndarray]
    times: Sequence[float]


Solver = Callable[[str, Sequence[Shown]], Answer]
"""(question, videos) -> answer."""


def solver_for(task: str) -> Solver:
    """The solver of a task.

    Raises:
        KeyError: if the task has none.
    """
    from . import counting, grounding, jigsaw

    return {"counting": counting.solve, "grounding": grounding.solve, "jigsaw": jigsaw.solve}[task]
