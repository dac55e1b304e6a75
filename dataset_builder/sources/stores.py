"""Remote stores, through fsspec: opening one with the user's options, and what it says of a file's state."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import fsspec

StorageOptions = Mapping[str, Any]
"""Keyword arguments of an fsspec file system; or, by protocol (`{"s3": {…}}`), those of several, as datasets passes them."""

# what file systems and stores say of a file's state, each in its own words; its size alone says too little
_STATE_KEYS = (
    "ETag", "etag", "blob_id", "sha256", "Content-MD5", "mtime", "LastModified", "last_modified", "Last-Modified", "created",
)  # fmt: skip


def open_store(url: str, options: StorageOptions | None = None) -> tuple[Any, str]:
    """The file system of a URL, and the path within it.

    Raises:
        whatever the store's library raises; each has its own errors.
    """
    fs, path = fsspec.core.url_to_fs(url, **_for_protocol(url, options or {}))
    return fs, path


def remote_stamp(info: Mapping[str, Any]) -> str:
    """`Source.stamp` from what a store says of a file, in a listing or by itself."""
    state = [str(info[key]) for key in _STATE_KEYS if info.get(key)]
    if not state:  # then nobody can say whether it is still the same
        state = [f"seen {time.time_ns()}"]
    return ":".join([str(info.get("size")), *state])


def _for_protocol(url: str, options: StorageOptions) -> dict[str, Any]:
    """Those under the URL's protocol, else all that are under none; as datasets takes them."""
    own = options.get(url.partition("://")[0])
    if isinstance(own, Mapping):
        return dict(own)
    return {name: value for name, value in options.items() if name not in fsspec.available_protocols()}
