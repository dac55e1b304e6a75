"""The folder that caches sampled clips between builds.

One file per clip, named by a hash of everything the clip depends on. Files are written under a temporary name and renamed, so
builds can share the folder. Above the size limit, the least recently used clips are removed.
"""

from __future__ import annotations

import os
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..errors import UnusableVideo
from ..tasks.errors import UsageError
from .clip import Clip
from .clip_file import read_clip, write_clip

ABANDONED_SECONDS = 3600  # a temporary file older than this was left by a killed process


@dataclass(frozen=True)
class ClipCache:
    """A cache folder (None caches nothing) and its size limit in bytes."""

    folder: Path | None
    limit: int

    @classmethod
    def of(cls, folder: str | None = None, gb: float | None = None) -> ClipCache:
        """The cache for a user's settings; raises UsageError if the size limit is no positive number.

        Args:
            folder: default VIDEOSSR_CLIP_CACHE, then ~/.cache/videossr; "" for no cache.
            gb: size limit in GB; default VIDEOSSR_CLIP_CACHE_GB, then 20.
        """
        chosen = folder if folder is not None else os.environ.get("VIDEOSSR_CLIP_CACHE", "~/.cache/videossr")
        size = gb if gb is not None else os.environ.get("VIDEOSSR_CLIP_CACHE_GB", "20")
        try:
            limit = float(size)
        except ValueError:
            limit = 0.0
        if not limit > 0:
            raise UsageError(f"clip_cache_gb={size!r} is not allowed; allowed: a number of GB above 0")
        return cls(Path(chosen).expanduser() if chosen else None, int(limit * 1e9))

    def read(self, key: str, fingerprint: str) -> Clip | UnusableVideo | None:
        """The cached clip, or the reason why the video gives none; None if the key is not cached."""
        return read_clip(self._path(key), fingerprint) if self.folder else None

    def write(self, key: str, clip: Clip | UnusableVideo) -> int:
        """Cache a clip, or the reason why there is none; returns the bytes written."""
        if not self.folder:
            return 0
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                write_clip(file, clip)
            size = os.path.getsize(temporary)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        return size

    def evict(self) -> None:
        """Remove the least recently used clips above the limit, and temporary files of killed processes."""
        if not self.folder:
            return
        for temporary in self.folder.glob("*/.*.tmp"):
            with suppress(FileNotFoundError):
                if time.time() - temporary.stat().st_mtime > ABANDONED_SECONDS:
                    temporary.unlink()
        clips = []
        for path in self.folder.glob("*/*.clip"):
            with suppress(FileNotFoundError):  # another build has just evicted it
                stat = path.stat()
                clips.append((stat.st_mtime_ns, stat.st_size, path))
        total = sum(size for _, size, _ in clips)
        for _, size, path in sorted(clips, key=lambda clip: clip[0]):
            if total <= self.limit:
                break
            path.unlink(missing_ok=True)
            total -= size

    def _path(self, key: str) -> Path:
        assert self.folder
        return self.folder / key[:2] / f"{key}.clip"
