"""The wire formats of trainers. The service serves each module here that defines `PROTOCOL`."""

import importlib
import pkgutil
from functools import cache

from .base import Protocol


@cache
def protocols() -> tuple[Protocol, ...]:
    """All protocols, sorted by name."""
    modules = (importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    return tuple(
        sorted((module.PROTOCOL for module in modules if hasattr(module, "PROTOCOL")), key=lambda protocol: protocol.name)
    )
