"""VideoSSR: verifiable video questions from raw videos.

Importing this package makes `datasets.load_dataset("videossr", …)` work, whichever of the two is imported first, and
loads nothing: the rest comes when it is used.
"""

from __future__ import annotations

import importlib
from typing import Any

from .registration import register

_MODULES = {
    "BuildSpec": "questions.spec",
    "EditList": "tasks",
    "VideoSSR": "builder",
    "VideoSSRConfig": "builder",
    "build": "storage.build",
    "render_row": "questions.row",
}

__all__ = list(_MODULES)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


register()
