"""Reads a source and tells three errors apart: a bad video, a failing machine, a file that changed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import stat
from collections.abc import Iterator
from typing import BinaryIO

from ..errors import BuildError, SourceChanged, UnusableVideo
from .length import pixels_to_decode
from .source import Content, Source
from .stores import StorageOptions, open_store, store_errors

_BLOCK = 1 << 22


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
    """A file's hash, and its length if asked for; empty if the file is unreadable or gone (decoding reports that later).

    Raises:
        BuildError: if the file cannot be read now.
    """
    try:
        with reading(source), _open(source, options) as file:
            file_hash = _hash(file)
            file.seek(0)
            return Content(file_hash, pixels_to_decode(file) if with_length else None)
    except (UnusableVideo, SourceChanged):
        return Content()


def check_unchanged(source: Source) -> None:
    """Raise SourceChanged if a local file has changed since it was identified; also raises as `reading`."""
    if source.is_remote or not source.fingerprint:
        return
    with reading(source):
        unchanged = file_stamp(source.url) == source.stamp or fingerprint(source.url) == source.fingerprint
    if not unchanged:
        raise _changed(source)


def open_source(source: Source, options: StorageOptions | None = None) -> tuple[str | bytes, str]:
    """(path, or bytes of a remote source; fingerprint). Raises as `reading`."""
    with reading(source):
        if not source.is_remote:
            return source.url, source.fingerprint or fingerprint(source.url)
        with store_errors(source.url, FileNotFoundError, PermissionError):
            fs, path = open_store(source.url, options)
            data: bytes = fs.cat_file(path)
    data_hash = fingerprint(data)
    if source.fingerprint and data_hash != source.fingerprint:
        raise _changed(source)
    return data, data_hash


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


def fingerprint(video: str | bytes) -> str:
    """The hash of a file's content; takes a path or the file's bytes."""
    with io.BytesIO(video) if isinstance(video, bytes) else open(video, "rb") as file:
        return _hash(file)


def _open(source: Source, options: StorageOptions | None) -> BinaryIO:
    if not source.is_remote:
        return open(source.url, "rb")
    with store_errors(source.url, FileNotFoundError, PermissionError):
        fs, path = open_store(source.url, options)
        file: BinaryIO = fs.open(path, "rb")
        return file


def _hash(file: BinaryIO) -> str:
    digest = hashlib.blake2b(digest_size=16)
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _changed(source: Source) -> SourceChanged:
    return SourceChanged(f"{source.name} changed while the build was running; run it again")
