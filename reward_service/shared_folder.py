"""The folder through which a server's workers share counts and statistics."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import shutil
import stat
import tempfile
from pathlib import Path

from .settings import Settings

PREFIX = "videossr-serve"


def shared_folder(settings: Settings) -> Path:
    """`stats_dir`, else a temporary folder that all workers of one server find, and no other server.

    Its name says which process it goes with; what others, who could not tidy up, have left is removed.

    Raises:
        PermissionError: if the folder's name is taken by somebody else.
    """
    if settings.stats_dir is not None:
        settings.stats_dir.mkdir(parents=True, exist_ok=True)
        return settings.stats_dir
    _sweep()
    parent = multiprocessing.parent_process()
    if parent is None:
        folder = Path(tempfile.mkdtemp(prefix=f"{_name(os.getpid())}-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder
    # workers that uvicorn itself started have their parent in common; it outlives each of them
    folder = Path(tempfile.gettempdir()) / _name(parent.pid or 0)
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise PermissionError(f"{folder} belongs to somebody else; name another folder with --stats-dir")
    return folder


def _name(pid: int) -> str:
    return f"{_prefix()}{pid}-{_started(pid)}"


def _prefix() -> str:
    """Of this user, and of this space of process ids: containers may share a folder, and each has its own process 1."""
    try:
        space = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        space = 0
    return f"{PREFIX}-{os.getuid()}-{space}-"


def _sweep() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_prefix()}*"):
        pid = folder.name.removeprefix(_prefix()).partition("-")[0]
        if pid.isdigit() and not f"{folder.name}-".startswith(f"{_name(int(pid))}-"):
            shutil.rmtree(folder, ignore_errors=True)


def _started(pid: int) -> str:
    """When a process began, as Linux counts it: process ids come round again. "0" if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return "0"
