"""Makes "videossr" a name that `datasets.load_dataset` knows, without importing datasets.

datasets looks its packaged builders up in a table and reads no entry points. So the builder is entered into that table: at once
if datasets is already loaded, otherwise as soon as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType

NAME = "videossr"
_TABLE_MODULE = "datasets.packaged_modules"


def register() -> None:
    """Enter the builder, now or when datasets is imported."""
    table = sys.modules.get(_TABLE_MODULE)
    if table is not None:
        _enter(table)
    elif not any(isinstance(finder, _AfterDatasets) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterDatasets())


def _enter(table: ModuleType) -> None:
    # the second value is a hash for the cache folder's name; the config id already identifies the rows
    table._PACKAGED_DATASETS_MODULES[NAME] = (f"{__package__}.builder", NAME)


class _AfterDatasets:
    """Import hook: waits for the module with the table, lets it load as usual, then enters the builder."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != _TABLE_MODULE:
            return None
        import importlib.util

        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _Entering(spec.loader)  # type: ignore[assignment]
        return spec


class _Entering:
    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        _enter(module)
