"""Finds videos below a folder or a URL, or in a list of URLs."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path

from ..tasks.errors import UsageError
from .source import Source
from .stores import StorageOptions, open_store, remote_stamp

VIDEO_EXTENSIONS = (
    ".3g2", ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mkv", ".mov", ".mp4", ".mpeg",
    ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv", ".y4m",
)  # fmt: skip


def find_videos(folder: str | os.PathLike[str], options: StorageOptions | None = None) -> list[Source]:
    """Every video below a folder, by file extension, sorted by name, without hidden files and folders.

    Raises:
        UsageError: if the folder does not exist, cannot be listed, or holds no video.
    """
    sources = _find_remote(str(folder), options) if "://" in str(folder) else _find_local(folder)
    if not sources:
        raise UsageError(f"videos={str(folder)!r} holds no video; known extensions: {' '.join(VIDEO_EXTENSIONS)}")
    return sorted(sources, key=lambda source: source.name)


def list_videos(urls: Iterable[str]) -> list[Source]:
    """Sources for paths and URLs, sorted by name (the path below their common folder); raises UsageError if none is a video."""
    paths = sorted({str(url) for url in urls if _is_video(str(url))})
    if not paths:
        raise UsageError(f"data_files name no video; known extensions: {' '.join(VIDEO_EXTENSIONS)}")
    folders = [path.split("/")[:-1] for path in paths]
    shared = sum(1 for _ in takewhile(lambda parts: len(set(parts)) == 1, zip(*folders, strict=False)))
    return [Source(_printable("/".join(path.split("/")[shared:])), path) for path in paths]


def _find_local(folder: str | os.PathLike[str]) -> list[Source]:
    root = Path(folder).expanduser().resolve()
    if not root.is_dir():
        raise UsageError(f"videos={str(folder)!r} is no folder; give a folder of video files")
    paths: list[str] = []
    visited: set[str] = set()  # symbolic links may form cycles
    for parent, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(parent)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        # a folder with a video extension is listed too, so that the report names it as unusable
        paths += [os.path.join(parent, name) for name in [*files, *folders] if _is_video(name)]
    return [Source(_printable(os.path.relpath(path, root)), path) for path in paths]


def _find_remote(folder: str, options: StorageOptions | None) -> list[Source]:
    try:
        fs, root = open_store(folder, options)
        listing = fs.find(root, detail=True)
    except Exception as error:  # each store's library raises its own errors
        raise UsageError(f"videos={folder!r} cannot be listed: {str(error) or type(error).__name__}") from error
    root = root.rstrip("/")
    sources = []
    for path, info in listing.items():
        name = path.removeprefix(root).lstrip("/")
        if _is_video(name) and not any(part.startswith(".") for part in name.split("/")):
            sources.append(Source(_printable(name), fs.unstrip_protocol(path), remote_stamp(info)))
    return sources


def _is_video(name: str) -> bool:
    return not os.path.basename(name).startswith(".") and os.path.splitext(name)[1].lower() in VIDEO_EXTENSIONS


def _printable(name: str) -> str:
    """A file name as valid text, even if its bytes are not UTF-8."""
    return os.fsencode(name).decode("utf-8", "replace")
