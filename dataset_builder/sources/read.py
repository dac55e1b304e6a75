"""Reads a source and tells three errors apart: a bad video, a failing machine, a file that changed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any, BinaryIO, cast

from ..errors import BuildError, SourceChanged, UnusableVideo
from .fingerprint import fingerprint, remote_fingerprint
from .length import pixels_to_decode
from .source import Content, Source
from .stores import StorageOptions, open_store, remote_stamp, store_errors

Video = str | bytes | Callable[[], BinaryIO]
"""A local path, a file's bytes, or what opens a file for reading in parts."""

IN_MEMORY = 32 << 20  # bytes; larger remote files are read by ranges
_END = 1 << 12  # bytes
REMOTE_BLOCK = 1 << 20  # bytes a request


@contextlib.contextmanager
def reading(source: Source) -> Iterator[None]:
    """Converts the errors of reading a source.

    Raises:
        UnusableVideo: if it has a `fault`, is a folder, or may not be read.
        SourceChanged: if it no longer exists.
        BuildError: for any other OSError.
    """
    if source.fault:
        raise UnusableVideo(source.fault)
    try:
        yield
    except (IsADirectoryError, PermissionError) as error:
        raise UnusableVideo(f"cannot be read: {(error.strerror or str(error)).lower()}") from error
    except FileNotFoundError:
        raise SourceChanged(f"{source.name} vanished while the build was running; run it again") from None
    except OSError as error:
        raise BuildError(f"{source.name} could not be read: {error.strerror or error}; run the same command again") from error


def read_content(source: Source, with_length: bool, options: StorageOptions | None = None) -> Content:
    """A file's fingerprint, and its length if asked for; empty if the file is unreadable or gone (decoding reports that later).

    Raises:
        BuildError: if the file cannot be read now.
    """
    try:
        with reading(source):
            content = fingerprint(source.url) if not source.is_remote else _remote_fingerprint(source, options)
            if not with_length:
                return Content(content)
            with open_file(source, options) as file:
                return Content(content, pixels_to_decode(file))
    except (UnusableVideo, SourceChanged):
        return Content()


def check_unchanged(source: Source) -> None:
    """Raise SourceChanged if a local file has changed since it was identified; also raises as `reading`."""
    if source.is_remote or not source.fingerprint:
        return
    with reading(source):
        now = replace(source, stamp=file_stamp(source.url))
        unchanged = now.stamp == source.stamp or (fingerprint(source.url) == source.fingerprint and now.state == source.state)
    if not unchanged:
        raise changed(source)


def open_source(source: Source, options: StorageOptions | None = None) -> Video:
    """What a decoder can read: a path; of remote sources the bytes, or what opens a large one.

    Raises:
        SourceChanged: if a remote source is not the one that was identified.
        others: as `reading`.
    """
    with reading(source):
        if not source.is_remote:
            open_file(source).close()
            return source.url
        with store_errors(source.url, FileNotFoundError, PermissionError):
            fs, path = open_store(source.url, options)
            size = _size(source, fs, path)
            by_ranges = size is not None and size > IN_MEMORY and _is_seekable(source, options)
            video: Video = partial(open_file, source, options) if by_ranges else fs.cat_file(path)
            now = fingerprint(video) if isinstance(video, bytes) else remote_fingerprint(fs, path, size or 0)
    if now != source.fingerprint:
        raise changed(source)
    return video


def read_end(source: Source) -> bytes:
    """A hash of the last bytes of a local file, which tell most files of one size apart; empty if it cannot be read."""
    try:
        with open(source.url, "rb", buffering=0) as file:
            file.seek(max(0, int(source.size) - _END))
            return hashlib.blake2b(file.read(_END), digest_size=16).digest()
    except OSError:
        return b""


def with_stamp(source: Source, options: StorageOptions | None = None) -> Source:
    """The source with the stamp that its file has now, or its `fault`; remote ones keep a stamp that they have."""
    if source.is_remote:
        if source.stamp:
            return source
        with reading(source), store_errors(source.url, FileNotFoundError, PermissionError):
            fs, path = open_store(source.url, options)
            return replace(source, stamp=remote_stamp(fs.info(path)))
    try:
        return replace(source, stamp=file_stamp(source.url))
    except UnusableVideo as error:
        return replace(source, fault=str(error))
    except OSError:  # opening the video raises it again, with its reason
        return source


def file_stamp(path: str) -> str:
    """`Source.stamp` of a local file.

    Raises:
        UnusableVideo: if it is no regular file: a link to nothing or to itself, a pipe, a socket, a device.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        if error.errno == errno.ELOOP or os.path.islink(path):
            raise UnusableVideo("is a link that leads nowhere") from None
        raise
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):  # reading a folder says that it is one
        raise UnusableVideo("is a pipe, socket or device, no file")
    # ctime changes with every write, even if a tool resets mtime
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ctime_ns}:{status.st_ino}"


def open_file(source: Source, options: StorageOptions | None = None) -> BinaryIO:
    """Open a source for reading in parts; the errors of a store's library are OSErrors."""
    if not source.is_remote:
        return open(source.url, "rb")
    with store_errors(source.url, FileNotFoundError, PermissionError):
        fs, path = open_store(source.url, options)
        return cast(BinaryIO, io.BufferedReader(_RemoteFile(source.url, fs.open(path, "rb", block_size=REMOTE_BLOCK))))


def changed(source: Source) -> SourceChanged:
    """The error for a file whose content is not the one that was identified."""
    return SourceChanged(f"{source.name} changed while the build was running; run it again")


class _RemoteFile(io.RawIOBase):
    """A file of a store, whose library's errors become OSErrors: they are the network's, not the video's."""

    def __init__(self, url: str, file: Any) -> None:
        self._url, self._file = url, file

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with store_errors(self._url):
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        with store_errors(self._url):
            return int(self._file.seek(offset, whence))

    def close(self) -> None:
        self._file.close()
        super().close()


def _is_seekable(source: Source, options: StorageOptions | None) -> bool:
    """Whether the store can give parts of the file; some web servers only send it whole."""
    try:
        with open_file(source, options) as file:
            return file.seek(1) == 1
    except OSError:
        return False


def _remote_fingerprint(source: Source, options: StorageOptions | None) -> str:
    with store_errors(source.url, FileNotFoundError, PermissionError):
        fs, path = open_store(source.url, options)
        size = _size(source, fs, path)
        return fingerprint(fs.cat_file(path)) if size is None else remote_fingerprint(fs, path, size)


def _size(source: Source, fs: Any, path: str) -> int | None:
    size = source.size or fs.info(path).get("size")
    return int(size) if size not in (None, "None") else None
