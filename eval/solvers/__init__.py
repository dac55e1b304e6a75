"""Classical vision solvers, a file a task. Their input is what a model sees: the decoded videos and the question, not the recipe.

They show that the questions can be answered from the pixels, and serve as a baseline.
"""

from __future__ import annotations

import importlib
import pkgutil

from .shown import DecodedVideo, Solver

__all__ = ["SOLVERS", "DecodedVideo", "Solver"]

_MODULES = [importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
SOLVERS: dict[str, Solver] = {m.__name__.rpartition(".")[2]: m.solve for m in _MODULES if hasattr(m, "solve")}
"""By task name."""
