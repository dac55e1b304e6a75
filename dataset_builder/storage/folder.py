"""The folder of a build: a local one, or one of any store that fsspec knows, as `s3://bucket/path`."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import fsspec

_ASIDE = ".tmp"


@dataclass(frozen=True)
class Folder:
    """A folder. Files appear in it whole or not at all, whoever else writes the same.

    Attributes:
        url: absolute path, or fsspec URL.
    """

    url: str

    @classmethod
    def of(cls, place: str | os.PathLike[str]) -> Folder:
        """A path, `file://…`, or the URL of a store."""
        text = os.fspath(place)
        if "://" in text and not text.startswith(("file://", "local://")):
            return cls(text.rstrip("/"))
        return cls(str(Path(text.split("://", 1)[-1]).expanduser().absolute()))

    @property
    def is_remote(self) -> bool:
        """Whether it lies in a store."""
        return "://" in self.url

    @property
    def path(self) -> Path:
        """Of a local one."""
        return Path(self.url)

    def __str__(self) -> str:
        return self.url

    def names(self, inside: str = "") -> list[str]:
        """All files, by their path below the folder."""
        if self.is_remote:
            with _store_errors(self.url):
                fs, root = self._fs()
                fs.invalidate_cache()
                names = [path.removeprefix(root).lstrip("/") for path in fs.find(root)]
        else:
            names = [path.relative_to(self.url).as_posix() for path in self.path.rglob("*") if path.is_file()]
        return sorted(name for name in names if name.startswith(inside))

    def read_text(self, name: str) -> str | None:
        """A file's text; None if there is no such file."""
        try:
            with self.open(name) as file:
                return file.read().decode()
        except FileNotFoundError:
            return None

    @contextmanager
    def open(self, name: str) -> Iterator[BinaryIO]:
        """A file to read, parts of it at a time."""
        if not self.is_remote:
            with open(self.path / name, "rb") as file:
                yield file
            return
        fs, root = self._fs()
        fs.invalidate_cache()
        with _store_errors(self.url, FileNotFoundError):
            opened = fs.open(f"{root}/{name}", "rb")
        with opened as remote:
            yield remote

    def write_text(self, name: str, text: str) -> None:
        """Write a small file, whole or not at all."""
        with self.writing(name) as path:
            Path(path).write_text(text)

    @contextmanager
    def writing(self, name: str) -> Iterator[str]:
        """A path to write to. When the block ends well, the file stands in the folder; else nothing does."""
        if self.is_remote:
            with tempfile.TemporaryDirectory(prefix="videossr-") as folder:
                path = os.path.join(folder, os.path.basename(name))
                yield path
                with _store_errors(self.url):
                    fs, root = self._fs()
                    fs.put_file(path, f"{root}/{name}")  # which a store does whole or not at all
            return
        final = self.path / name
        final.parent.mkdir(parents=True, exist_ok=True)
        aside = f"{final}.{uuid4().hex}{_ASIDE}"  # process ids repeat in containers that share a disk
        try:
            yield aside
            os.replace(aside, final)
        except BaseException:
            Path(aside).unlink(missing_ok=True)
            raise

    def remove(self, *names: str) -> None:
        """Remove files by their names; of a local folder, those that are not there are passed over."""
        for name in names:
            if self.is_remote:
                with _store_errors(self.url):
                    fs, root = self._fs()
                    fs.rm_file(f"{root}/{name}")
            else:
                (self.path / name).unlink(missing_ok=True)

    def remove_unfinished(self) -> None:
        """What a process that was killed has left aside; no other may be writing."""
        if not self.is_remote:
            self.remove(*(name for name in self.names() if name.endswith(_ASIDE)))

    def _fs(self) -> tuple[Any, str]:
        fs, root = fsspec.core.url_to_fs(self.url)
        return fs, root.rstrip("/")


@contextmanager
def _store_errors(url: str, *passing: type[Exception]) -> Iterator[None]:
    """A store's own errors, of which each library has others, as OSError."""
    try:
        yield
    except passing:
        raise
    except Exception as error:
        raise OSError(f"{url} cannot be used: {str(error) or type(error).__name__}") from error
