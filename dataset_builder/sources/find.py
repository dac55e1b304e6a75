"""Finds videos below a folder or a URL, or in a list of URLs."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path
from urllib.parse import urlsplit

from ..tasks.errors import UsageError
from .source import Source
from .stores import StorageOptions, naming_hop, open_store, remote_stamp

VIDEO_EXTENSIONS = (
    ".264", ".265", ".3g2", ".3gp", ".amv", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".h264", ".h265", ".hevc", ".ivf",
    ".m2t", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mk3d", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".mxf", ".nut", ".obu", ".ogm",
    ".ogv", ".qt", ".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv", ".wtv", ".y4m",
)  # fmt: skip
_LOOKED_INTO = 1000  # files of unknown extensions, beside videos there may be millions
# how files of the common containers begin, or go on after four bytes
_BEGINNINGS = (
    b"\x1aE\xdf\xa3",
    b"FLV\x01",
    b"GIF8",
    b"0&\xb2u\x8ef\xcf\x11",
    b"\x00\x00\x01\xba",
    b"\x00\x00\x01\xb3",
    b"YUV4MPEG2",
)
_CONTINUATIONS = (b"ftypisom", b"ftypmp4", b"ftypqt", b"ftypavc1", b"ftypM4V", b"ftyp3g", b"ftypiso", b"moov", b"mdat")


def find_videos(folder: str | os.PathLike[str], options: StorageOptions | None = None) -> list[Source]:
    """Every video below a folder, by file extension, sorted by name, without hidden files and folders.

    Local files that hold video under another extension (of the first thousand that have one), and folders that cannot be read, are
    sources with a `fault`.

    Raises:
        UsageError: if the folder does not exist, cannot be listed, or holds no video.
    """
    sources = _find_remote(str(folder), options) if "://" in str(folder) else _find_local(folder)
    if all(source.fault for source in sources):
        reason = f"; {sources[0].name} {sources[0].fault}" if sources else ""
        raise UsageError(f"videos={str(folder)!r} holds no video{reason}; known extensions: {' '.join(VIDEO_EXTENSIONS)}")
    return sorted(sources, key=lambda source: source.name)


def list_videos(urls: Iterable[str]) -> list[Source]:
    """Sources for paths and URLs, sorted by name (the path below their common folder); other files get a `fault`.

    Raises:
        UsageError: if none is a video.
    """
    paths = sorted(set(map(str, urls)))
    if not paths:
        raise UsageError("data_files name no file; see the pattern, and whether its store needs storage_options or a token")
    if not any(map(_is_video, paths)):
        raise UsageError(f"data_files name no video; known extensions: {' '.join(VIDEO_EXTENSIONS)}")
    parts = [naming_hop(path).split("/") for path in paths]
    folders = zip(*(own[:-1] for own in parts), strict=False)
    shared = sum(1 for _ in takewhile(lambda each: len(set(each)) == 1, folders))
    return [
        Source(_printable("/".join(own[shared:])), path, fault="" if _is_video(path) else "has no video extension")
        for own, path in zip(parts, paths, strict=True)
    ]


def _find_local(folder: str | os.PathLike[str]) -> list[Source]:
    unescaped = re.sub(r"\[([*?[])\]", r"\1", str(folder))  # of `glob.escape`, which other builders of datasets need
    root = Path(folder if os.path.isdir(folder) else unescaped).expanduser().resolve()
    if not root.is_dir():
        raise UsageError(f"videos={str(folder)!r} is no folder; give a folder of video files (patterns go into data_files)")
    faults: dict[str, str] = {}
    paths: list[str] = []
    below = len(os.path.join(root, ""))
    visited: set[str] = set()  # symbolic links may form cycles
    looked_into = 0

    def name_folder(error: OSError) -> None:
        faults[error.filename] = f"cannot be read: {(error.strerror or str(error)).lower()}"

    for parent, folders, files in os.walk(root, onerror=name_folder, followlinks=True):
        real = os.path.realpath(parent)
        if real in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        # a folder with a video extension is listed too, so that the report names it as unusable
        videos = {name for name in [*files, *folders] if _is_video(name)}
        paths += [os.path.join(parent, name) for name in [*files, *folders] if name in videos]
        unknown = [os.path.join(parent, name) for name in files if not (name.startswith(".") or name in videos)]
        del unknown[max(0, _LOOKED_INTO - looked_into) :]
        looked_into += len(unknown)
        faults |= {path: "holds video, but its extension is not known" for path in unknown if _begins_as_video(path)}
    return [Source(_printable(path[below:]), path, fault=faults.get(path, "")) for path in dict.fromkeys([*paths, *faults])]


def _begins_as_video(path: str) -> bool:
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return False
        with open(path, "rb") as file:
            head = file.read(16)
    except OSError:
        return False
    return head.startswith(_BEGINNINGS) or head[4:].startswith(_CONTINUATIONS) or (head[:4], head[8:12]) == (b"RIFF", b"AVI ")


def _find_remote(folder: str, options: StorageOptions | None) -> list[Source]:
    try:
        fs, root = open_store(folder, options)
        listing = fs.find(root, detail=True)
    except Exception as error:  # each store's library raises its own errors
        raise UsageError(f"videos={folder!r} cannot be listed: {str(error) or type(error).__name__}") from error
    root, hop = root.rstrip("/"), naming_hop(folder)
    sources = []
    for path, info in listing.items():
        name = path.removeprefix(root).lstrip("/")
        if _is_video(name) and not any(part.startswith(".") for part in name.split("/")):
            url = folder.replace(hop, fs.unstrip_protocol(path), 1)
            sources.append(Source(_printable(name), url, remote_stamp(info)))
    return sources


def _is_video(name: str) -> bool:
    path = name
    if "://" in name:  # without the query of a signed URL
        hop = urlsplit(naming_hop(name))
        path = hop.path or hop.netloc
    return not os.path.basename(path).startswith(".") and os.path.splitext(path)[1].lower() in VIDEO_EXTENSIONS


def _printable(name: str) -> str:
    """A file name as valid text, even if its bytes are not UTF-8."""
    return os.fsencode(name).decode("utf-8", "replace")
