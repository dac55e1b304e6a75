"""Classical vision solvers. Their input is what a model sees: the decoded videos and the question, not the recipe.

They show that the questions can be answered from the pixels, and serve as a baseline.
"""

from __future__ import annotations

from . import counting, grounding, jigsaw
from .shown import DecodedVideo, Solver

__all__ = ["SOLVERS", "DecodedVideo", "Solver"]

SOLVERS: dict[str, Solver] = {"counting": counting.solve, "grounding": grounding.solve, "jigsaw": jigsaw.solve}
"""By task name."""
