"""One build at a time in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from filelock import FileLock, Timeout

from ..errors import BuildError
from .folder import Folder

LOCK = ".lock"


@contextmanager
def locked(folder: Folder) -> Iterator[None]:
    """Keep other builds out of a local folder; raises BuildError if another build is writing there.

    The lock ends with this process, even if it is killed. Stores have no locks: builds that race there write the same shards.
    """
    if folder.is_remote:
        yield
        return
    existed = folder.path.exists()
    folder.path.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder.path / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise BuildError(f"another build is writing to {folder.url!r}; wait for it, or give another folder") from None
    try:
        yield
    finally:
        (folder.path / LOCK).unlink(missing_ok=True)
        lock.release()
        if not existed:
            with suppress(OSError):  # not empty, as expected
                folder.path.rmdir()
