"""The folder through which a server's workers share counts and statistics."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import shutil
import tempfile
from pathlib import Path

from .settings import Settings


def shared_folder(settings: Settings) -> Path:
    """`stats_dir`, else a temporary folder that all workers of one server find, and no other server."""
    if settings.stats_dir is not None:
        settings.stats_dir.mkdir(parents=True, exist_ok=True)
        return settings.stats_dir
    parent = multiprocessing.parent_process()
    if parent is None:
        folder = Path(tempfile.mkdtemp(prefix="videossr-serve-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder
    # workers that uvicorn itself started have their parent in common; it outlives each of them
    folder = Path(tempfile.gettempdir()) / f"videossr-serve-{os.getuid()}-{parent.pid}-{_started(parent.pid)}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _started(pid: int | None) -> str:
    """When a process began, as Linux counts it: process ids come round again."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return "0"
