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
    "ETag", "etag", "blob_id", "CRC", "sha256", "Content-MD5", "mtime", "LastModified", "last_modified", "Last-Modified", "created",
)  # fmt: skip


def open_store(url: str, options: StorageOptions | None = None) -> tuple[Any, str]:
    """The file system of a URL, and the path within it. Each store's library raises its own errors."""
    fs, path = fsspec.core.url_to_fs(url, **_by_protocol(url, options or {}))
    return fs, path


def naming_hop(url: str) -> str:
    """The part of a chained URL that names the file: `zip://a.mp4` of `zip://a.mp4::https://host/clips.zip`."""
    return next((hop for hop in url.split("::") if "://" in hop), url)


def remote_stamp(info: Mapping[str, Any]) -> str:
    """`Source.stamp` from a store's file info."""
    state = [str(info[key]) for key in _STATE_KEYS if info.get(key)]
    if not state:  # no version known: treat the file as changed every time
        state = [f"seen {time.time_ns()}"]
    return ":".join([str(info.get("size")), *state])


def _by_protocol(url: str, options: StorageOptions) -> dict[str, Any]:
    """For each store of a chained URL the options under its protocol, else all that are not under any, as in datasets."""
    shared = {name: value for name, value in options.items() if name not in fsspec.available_protocols()}
    protocols = (hop.partition("://")[0] if "://" in hop else "file" if "/" in hop else hop for hop in url.split("::"))
    return {protocol: dict(options.get(protocol, shared)) for protocol in protocols}


@contextmanager
def store_errors(url: str, *passing: type[Exception]) -> Iterator[None]:
    """Convert the errors of a store's library to OSError, except the `passing` ones."""
    try:
        yield
    except passing:
        raise
    except Exception as error:
        raise OSError(f"{url} cannot be used: {str(error) or type(error).__name__}") from error
