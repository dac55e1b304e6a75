"""Formats of trainers, one for each module here that ends in `EXPORT = …`: `videossr export NAME BUILD --out DIR`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from ..tasks.errors import UsageError, nearest
from .base import Export


@cache
def _registry() -> dict[str, Export]:
    modules = (importlib.import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__))
    exports = [module.EXPORT for module in modules if hasattr(module, "EXPORT")]
    return {export.name: export for export in exports}


def names() -> list[str]:
    return sorted(_registry())


def get(name: str) -> Export:
    """The export of this name; raises UsageError, which lists the names, if there is none."""
    try:
        return _registry()[name]
    except KeyError:
        raise UsageError(f"export={name!r} is unknown; {nearest(name, names())}") from None
