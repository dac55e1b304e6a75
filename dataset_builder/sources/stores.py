"""Remote stores through fsspec: opens one with the user's options, and reads a file's stamp."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import fsspec

StorageOptions = Mapping[str, Any]
"""Keyword arguments of an fsspec file system, or of several by protocol (`{"s3": {…}}`), as datasets passes them."""

# the names under which file systems and stores report a file's version; the size alone is not enough
_STATE_KEYS = (
    "ETag", "etag", "blob_id", "sha256", "Content-MD5", "mtime", "LastModified", "last_modified", "Last-Modified", "created",
)  # fmt: skip


def open_store(url: str, options: StorageOptions | None = None) -> tuple[Any, str]:
    """The file system of a URL, and the path within it. Each store's library raises its own errors."""
    fs, path = fsspec.core.url_to_fs(url, **_for_protocol(url, options or {}))
    return fs, path


def remote_stamp(info: Mapping[str, Any]) -> str:
    """`Source.stamp` from a store's file info."""
    state = [str(info[key]) for key in _STATE_KEYS if info.get(key)]
    if not state:  # no version known: treat the file as changed every time
        state = [f"seen {time.time_ns()}"]
    return ":".join([str(info.get("size")), *state])


def _for_protocol(url: str, options: StorageOptions) -> dict[str, Any]:
    """The options under the URL's protocol, else all that are not under any protocol, as in datasets."""
    protocol_options = options.get(url.partition("://")[0])
    if isinstance(protocol_options, Mapping):
        return dict(protocol_options)
    return {name: value for name, value in options.items() if name not in fsspec.available_protocols()}


@contextmanager
def store_errors(url: str, *passing: type[Exception]) -> Iterator[None]:
    """Convert the errors of a store's library to OSError, except the `passing` ones."""
    try:
        yield
    except passing:
        raise
    except Exception as error:
        raise OSError(f"{url} cannot be used: {str(error) or type(error).__name__}") from error
