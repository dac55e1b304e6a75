"""Trainers' wire formats. Each module here that ends in `PROTOCOL = …` is served."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from .base import Protocol


@cache
def protocols() -> tuple[Protocol, ...]:
    """All protocols, by name."""
    modules = (importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    found = [module.PROTOCOL for module in modules if hasattr(module, "PROTOCOL")]
    return tuple(sorted(found, key=lambda protocol: protocol.name))
