"""Makes "videossr" a name that `datasets.load_dataset` knows, without importing datasets.

datasets looks its packaged builders up in a table and reads no entry points. So the builder is entered into that table: at once
if datasets is already loaded, otherwise as soon as it is. datasets would also search `data_dir`, or else the current folder, for
the names of splits, dozens of times; our builder finds its videos itself, so for this name it searches nothing.
"""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType

NAME = "videossr"
_LOADING_MODULE = "datasets.load"


def register() -> None:
    """Enter the builder, now or when datasets is imported."""
    loading = sys.modules.get(_LOADING_MODULE)
    if loading is not None:
        _enter(loading)
    elif not any(isinstance(finder, _AfterDatasets) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterDatasets())


def _enter(loading: ModuleType) -> None:
    factory = loading.PackagedDatasetModuleFactory
    if NAME in loading._PACKAGED_DATASETS_MODULES:
        return
    # the second value is a hash for the cache folder's name; the config id already identifies the rows
    loading._PACKAGED_DATASETS_MODULES[NAME] = (f"{__package__}.builder", NAME)
    usual = factory.get_module

    def get_module(self: Any) -> Any:
        if self.name == NAME:
            self.data_files = _literal(self.data_files) if self.data_files is not None else loading.DataFilesDict()
        return usual(self)

    factory.get_module = get_module


def _literal(data_files: Any) -> Any:
    """`data_files` with the paths of existing local files escaped, as brackets in them are patterns to datasets."""
    if isinstance(data_files, dict):
        return {split: _literal(files) for split, files in data_files.items()}
    if isinstance(data_files, (list, tuple)):
        return [_literal(file) for file in data_files]
    return glob.escape(data_files) if isinstance(data_files, str) and os.path.isfile(data_files) else data_files


class _AfterDatasets:
    """Import hook: waits for the module that loads datasets, lets it load as usual, then enters the builder."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name != _LOADING_MODULE:
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
