"""The folder in which sampled clips are kept from one build to the next.

One file a clip, named by all that it depends on; written aside and renamed, so that builds can share the folder. Above its
size limit the clips that were not used for longest go.
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

ABANDONED_SECONDS = 3600  # after which nobody is still writing a clip


@dataclass(frozen=True)
class ClipCache:
    """Where clips are kept, and how many bytes of them at most.

    Attributes:
        folder: None keeps none.
        limit: most bytes in the folder.
    """

    folder: Path | None
    limit: int

    @classmethod
    def of(cls, folder: str | None = None, gb: float | None = None) -> ClipCache:
        """The cache that a user asks for.

        Args:
            folder: else VIDEOSSR_CLIP_CACHE, else a folder of the user's; "" for none.
            gb: its size limit in GB, else VIDEOSSR_CLIP_CACHE_GB, else 20.

        Raises:
            UsageError: if the limit is no positive number.
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
        """The clip, or the reason why there is none, under a key; None if neither is kept."""
        return read_clip(self._path(key), fingerprint) if self.folder else None

    def write(self, key: str, clip: Clip | UnusableVideo) -> int:
        """Keep a clip; returns the bytes written."""
        if not self.folder:
            return 0
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                write_clip(file, clip)
            size = os.path.getsize(aside)
            os.replace(aside, path)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise
        return size

    def evict(self) -> None:
        """Remove what is above the limit, and what killed processes have left."""
        if not self.folder:
            return
        for aside in self.folder.glob("*/.*.tmp"):
            with suppress(FileNotFoundError):
                if time.time() - aside.stat().st_mtime > ABANDONED_SECONDS:
                    aside.unlink()
        clips = []
        for path in self.folder.glob("*/*.clip"):
            with suppress(FileNotFoundError):  # another build's eviction was faster
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
