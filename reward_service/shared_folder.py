"""The folder in which the workers of a server share counts and statistics."""

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


def get_shared_folder(settings: Settings) -> Path:
    """Create and return `stats_dir`, or else a temporary folder that all workers of this server share.

    The temporary folder's name holds the process that owns it. Folders of processes that no longer exist are removed.

    Raises:
        PermissionError: if the folder belongs to another user.
    """
    if settings.stats_dir is not None:
        settings.stats_dir.mkdir(parents=True, exist_ok=True)
        return settings.stats_dir
    _remove_stale_folders()
    parent = multiprocessing.parent_process()
    if parent is None:
        folder = Path(tempfile.mkdtemp(prefix=f"{_folder_name(os.getpid())}-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder
    # workers started by uvicorn have the same parent, which outlives each of them
    folder = Path(tempfile.gettempdir()) / _folder_name(parent.pid or 0)
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o022:
        raise PermissionError(f"{folder} belongs to another user; choose another folder with --stats-dir")
    return folder


def _folder_name(pid: int) -> str:
    return f"{_name_prefix()}{pid}-{_process_start(pid)}"


def _name_prefix() -> str:
    """Holds user and process-id namespace, as containers may share a temporary folder, and each has a process 1."""
    try:
        namespace = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        namespace = 0
    return f"{PREFIX}-{os.getuid()}-{namespace}-"


def _remove_stale_folders() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{_name_prefix()}*"):
        pid = folder.name.removeprefix(_name_prefix()).partition("-")[0]
        if pid.isdigit() and not f"{folder.name}-".startswith(f"{_folder_name(int(pid))}-"):
            shutil.rmtree(folder, ignore_errors=True)


def _process_start(pid: int) -> str:
    """The start time of a process in clock ticks since boot, as process ids are reused. "0" if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return "0"
