"""Classical solvers: they see what a model sees, the decoded videos and the question, and nothing of the recipe.

They are the proof that the questions can be answered from the pixels, and a baseline to hold models against.
"""

from __future__ import annotations

from . import counting, grounding, jigsaw
from .shown import Shown, Solver

__all__ = ["SOLVERS", "Shown", "Solver"]

SOLVERS: dict[str, Solver] = {"counting": counting.solve, "grounding": grounding.solve, "jigsaw": jigsaw.solve}
"""By task name."""
