"""Which videos tests and benchmarks use: the shared real clips where they lie beside the project, else rendered footage."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

SHARED = Path(__file__).resolve().parents[2] / "shared"


def has_shared() -> bool:
    return (SHARED / "videos").is_dir()


@cache
def rendered_folder() -> Path:
    """The sample footage, rendered once a process."""
    from dataset_builder.demo.footage import render_footage

    folder = Path(tempfile.mkdtemp(prefix="videossr-footage-"))
    render_footage(folder)
    return folder


def videos_folder() -> Path:
    """The real clips, or the rendered ones where those are missing."""
    return SHARED / "videos" if has_shared() else rendered_folder()
