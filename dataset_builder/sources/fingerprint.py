"""The fingerprint of a file's content: a hash of its size and of a few blocks spread over it, so that no large file is read whole."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterable
from typing import Any, BinaryIO

_BLOCK = 1 << 15
_BLOCKS = 8
WHOLE = _BLOCK * _BLOCKS  # bytes; a file up to this size is read in full


def fingerprint(video: str | bytes | BinaryIO) -> str:
    """The fingerprint of a path, of a file's bytes, or of an open file."""
    if isinstance(video, bytes):
        return fingerprint(io.BytesIO(video))
    if isinstance(video, str):
        with open(video, "rb", buffering=0) as file:
            return fingerprint(file)
    size = video.seek(0, os.SEEK_END)
    return _hash(size, (_read(video, start, end) for start, end in _ranges(size)))


def remote_fingerprint(fs: Any, path: str, size: int) -> str:
    """The fingerprint of a file in a store, read by ranges, several at a time where the store can."""
    (first, *rest) = _ranges(size)
    head = fs.cat_file(path, start=first[0], end=first[1])
    if len(head) != first[1] - first[0]:  # a web server that sends whole files
        return fingerprint(head)
    if not getattr(fs, "async_impl", False):  # such as archives, which must not be opened for each block
        with fs.open(path, "rb") as file:
            return fingerprint(file)
    starts, ends = [start for start, _ in rest], [end for _, end in rest]
    return _hash(size, [head, *fs.cat_ranges([path] * len(rest), starts, ends, on_error="raise")])


def _ranges(size: int) -> list[tuple[int, int]]:
    if size <= WHOLE:
        return [(0, size)]
    starts = [(size - _BLOCK) * k // (_BLOCKS - 1) for k in range(_BLOCKS)]
    return [(start, start + _BLOCK) for start in starts]


def _read(file: BinaryIO, start: int, end: int) -> bytes:
    file.seek(start)
    return file.read(end - start)


def _hash(size: int, blocks: Iterable[bytes]) -> str:
    digest = hashlib.blake2b(size.to_bytes(8, "big"), digest_size=16)
    for block in blocks:
        digest.update(block)
    return digest.hexdigest()
