"""The folder of a build: local, or in any store that fsspec supports, such as `s3://bucket/path`."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import fsspec

from ..sources.stores import store_errors

_TEMPORARY = re.compile(r"\.[0-9a-f]{32}\.tmp$")


@dataclass(frozen=True)
class Folder:
    """A folder in which files appear completely or not at all, even if several processes write the same file."""

    url: str  # absolute path, or fsspec URL

    @classmethod
    def of(cls, place: str | os.PathLike[str]) -> Folder:
        """Takes a path, `file://…`, or the URL of a store."""
        text = os.fspath(place)
        if "://" in text and not text.startswith(("file://", "local://")):
            return cls(text.rstrip("/"))
        return cls(str(Path(text.split("://", 1)[-1]).expanduser().absolute()))

    @property
    def is_remote(self) -> bool:
        """Whether the folder is in a store."""
        return "://" in self.url

    @property
    def path(self) -> Path:
        """The path of a local folder."""
        return Path(self.url)

    def __str__(self) -> str:
        return self.url

    def names(self, inside: str = "") -> list[str]:
        """The sorted paths of all complete files, relative to the folder, that start with `inside`."""
        if self.is_remote:
            with store_errors(self.url):
                fs, root = self._fs()
                fs.invalidate_cache()
                names = [path.removeprefix(root).lstrip("/") for path in fs.find(root)]
        else:
            names = self._local_names()
        return sorted(name for name in names if name.startswith(inside) and not _TEMPORARY.search(name))

    def _local_names(self) -> list[str]:
        return [path.relative_to(self.url).as_posix() for path in self.path.rglob("*") if path.is_file()]

    def read_text(self, name: str) -> str | None:
        """A file's text; None if the file does not exist."""
        try:
            with self.open(name) as file:
                return file.read().decode()
        except FileNotFoundError:
            return None

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """Open a file for reading in parts."""
        if not self.is_remote:
            with open(self.path / name, "rb") as file:
                yield file
            return
        fs, root = self._fs()
        fs.invalidate_cache()
        with store_errors(self.url, FileNotFoundError):
            remote = fs.open(f"{root}/{name}", "rb")
        with remote:
            yield remote

    def write_text(self, name: str, text: str) -> None:
        """Write a small file, completely or not at all."""
        with self.writing(name) as path:
            Path(path).write_text(text)

    @contextmanager
    def writing(self, name: str) -> Iterator[str]:
        """Gives a path to write to. The file appears in the folder only if the block ends without an error."""
        if self.is_remote:
            with tempfile.TemporaryDirectory(prefix="videossr-") as folder:
                path = os.path.join(folder, os.path.basename(name))
                yield path
                with store_errors(self.url):
                    fs, root = self._fs()
                    fs.put_file(path, f"{root}/{name}")  # stores write a file completely or not at all
            return
        final = self.path / name
        final.parent.mkdir(parents=True, exist_ok=True)
        temporary = f"{final}.{uuid4().hex}.tmp"  # process ids repeat in containers that share a disk
        try:
            yield temporary
            os.replace(temporary, final)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def remove(self, *names: str) -> None:
        """Remove files by name; a local folder ignores names that do not exist."""
        for name in names:
            if self.is_remote:
                with store_errors(self.url):
                    fs, root = self._fs()
                    fs.rm_file(f"{root}/{name}")
            else:
                (self.path / name).unlink(missing_ok=True)

    def remove_unfinished(self) -> None:
        """Remove temporary files of killed processes. No other process may be writing."""
        if not self.is_remote:
            self.remove(*(name for name in self._local_names() if _TEMPORARY.search(name)))

    def _fs(self) -> tuple[Any, str]:
        fs, root = fsspec.core.url_to_fs(self.url)
        return fs, root.rstrip("/")
