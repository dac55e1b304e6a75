"""The raw videos: where they are, what they are called, and the hash of their content that every question is seeded by."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any, BinaryIO

import fsspec

from .errors import BuildError, SourceChanged, UnusableVideo
from .length import pixels_to_decode
from .progress import Progress, silent

VIDEO_EXTENSIONS = (
    ".3g2", ".3gp", ".asf", ".avi", ".divx", ".f4v", ".flv", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mkv", ".mov", ".mp4", ".mpeg",
    ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv", ".y4m",
)  # fmt: skip
_BLOCK = 1 << 22
# what file systems and stores say of a file's state, each in its own words; its size alone says too little
_REMOTE_MARKS = (
    "ETag", "etag", "blob_id", "sha256", "Content-MD5", "mtime", "LastModified", "last_modified", "Last-Modified", "created",
)  # fmt: skip
_REMEMBER = 64  # videos read before what was learned is kept
_READERS = 4  # hashing leaves Python to other threads


@dataclass(frozen=True)
class Source:
    """One raw video.

    Attributes:
        name: its path below the folder it was found in; how reports and rows call it.
        url: absolute path, or fsspec URL.
        stamp: what the file system says of its state; equal stamps mean equal content.
        fingerprint: hash of its content; "" for remote files until read, and for what cannot be read.
        pixels: its length, as `pixels_to_decode`; None where nobody asked for it.
    """

    name: str
    url: str
    stamp: str = ""
    fingerprint: str = ""
    pixels: int | None = None

    @property
    def is_remote(self) -> bool:
        return "://" in self.url


@dataclass(frozen=True)
class Content:
    """What a file's content says of it: `Source.fingerprint` and `Source.pixels`."""

    fingerprint: str = ""
    pixels: int | None = None


Reader = Callable[[Sequence[Source], bool], Iterable[Content]]
"""Reads the contents of files in turn; their lengths too, where that is asked for."""


def find_videos(folder: str | os.PathLike[str]) -> list[Source]:
    """Every video below a folder, by extension, sorted by name; hidden files and folders are left out.

    Raises:
        ValueError: if the folder does not exist or holds no video.
    """
    if "://" in str(folder):
        return _find_remote(str(folder))
    root = Path(folder).expanduser().resolve()
    if not root.is_dir():
        raise ValueError(f"videos={str(folder)!r} is no folder; give a folder of video files")
    found: list[str] = []
    seen: set[str] = set()
    for parent, folders, files in os.walk(root, followlinks=True):
        real = os.path.realpath(parent)
        folders[:] = [] if real in seen else sorted(name for name in folders if not name.startswith("."))
        if real in seen:
            continue
        seen.add(real)
        # a folder with a video's extension is named in the report like any other file that cannot be used
        found += [os.path.join(parent, name) for name in [*files, *folders] if _is_video(name)]
    if not found:
        raise ValueError(f"videos={str(folder)!r} holds no video; known extensions: {' '.join(VIDEO_EXTENSIONS)}")
    return sorted((Source(_readable(os.path.relpath(path, root)), path) for path in found), key=lambda s: s.name)


def _find_remote(folder: str) -> list[Source]:
    try:
        fs, root = fsspec.core.url_to_fs(folder)
        paths = fs.find(root)
    except Exception as error:  # each store's library has its own
        raise ValueError(f"videos={folder!r} cannot be listed: {str(error) or type(error).__name__}") from error
    root = root.rstrip("/")
    named = {path.removeprefix(root).lstrip("/"): path for path in paths}
    shown = {name: path for name, path in named.items() if not any(part.startswith(".") for part in name.split("/"))}
    found = [Source(_readable(name), fs.unstrip_protocol(path)) for name, path in shown.items() if _is_video(name)]
    if not found:
        raise ValueError(f"videos={folder!r} holds no video; known extensions: {' '.join(VIDEO_EXTENSIONS)}")
    return sorted(found, key=lambda source: source.name)


def listed_videos(urls: Iterable[str]) -> list[Source]:
    """Sources for given paths and URLs, sorted by name: their path below the folder they share."""
    paths = sorted({str(url) for url in urls if _is_video(str(url))})
    folders = [path.split("/")[:-1] for path in paths]
    shared = sum(1 for _ in takewhile(lambda parts: len(set(parts)) == 1, zip(*folders, strict=False)))
    named = [Source(_readable("/".join(path.split("/")[shared:])), path) for path in paths]
    if not named:
        raise ValueError(f"data_files name no video; known extensions: {' '.join(VIDEO_EXTENSIONS)}")
    return named


def _is_video(name: str) -> bool:
    return not os.path.basename(name).startswith(".") and os.path.splitext(name)[1].lower() in VIDEO_EXTENSIONS


def _readable(name: str) -> str:
    """A file name as text that can be written down, even if its bytes are no UTF-8."""
    return os.fsencode(name).decode("utf-8", "replace")


def fingerprint(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _file_fingerprint(path: str) -> str:
    with open(path, "rb") as file:
        return _content_hash(file)


def _content_hash(file: BinaryIO) -> str:
    digest = hashlib.blake2b(digest_size=16)
    while block := file.read(_BLOCK):
        digest.update(block)
    return digest.hexdigest()


def _file_stamp(path: str) -> str:
    # the change time moves with every write, even where the modification time is put back
    stat = os.stat(path)
    return f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}:{stat.st_ino}"


def read_contents(sources: Sequence[Source], with_length: bool) -> Iterator[Content]:
    """As `read_content`, in turn, some files at a time."""
    with ThreadPoolExecutor(_READERS) as readers:
        try:
            yield from readers.map(lambda source: read_content(source, with_length), sources)
        finally:
            readers.shutdown(cancel_futures=True)


def identify(
    sources: Iterable[Source],
    memory: ContentMemory,
    storage_options: Mapping[str, Any] | None = None,
    *,
    read: Reader = read_contents,
    with_length: bool = False,
    remote: bool = True,
    progress: Progress = silent,
) -> list[Source]:
    """Give files their fingerprints, and lengths if asked to: those that were read before from memory, others by `read`.

    Files of the same content as one before them are left in: `distinct` drops them.

    Args:
        remote: whether remote files are read, too; else their stamp is all that is known of them, now and at every later call.
        progress: called with how many files are known, and how many there are.

    Raises:
        BuildError: if a file could not be read this time.
    """
    stamped = [_stamped(source, storage_options) for source in sources]
    wanted = [source for source in stamped if remote or not source.is_remote]
    found = memory.recall(source for source in wanted if source.stamp)
    if with_length:
        found = {url: content for url, content in found.items() if content.pixels is not None}
    unknown = [source for source in wanted if source.url not in found]
    fresh: list[Source] = []
    try:
        for source, content in zip(unknown, read(unknown, with_length), strict=True):
            found[source.url] = content
            if content.fingerprint:
                fresh.append(replace(source, **asdict(content)))
            if len(fresh) == _REMEMBER:
                memory.remember(fresh)
                fresh = []
            progress(len(found), len(wanted))
    finally:
        memory.remember(fresh)
    return [replace(source, **asdict(found.get(source.url, Content()))) for source in stamped]


def _stamped(source: Source, storage_options: Mapping[str, Any] | None) -> Source:
    if source.is_remote:
        return replace(source, stamp=_remote_stamp(source.url, storage_options))
    try:
        return replace(source, stamp=_file_stamp(source.url))
    except OSError:  # said again, with its reason, when the video is opened
        return source


def read_content(source: Source, with_length: bool) -> Content:
    """A file's hash, and its length if asked for; empty if it is nothing to read, which is said when the video is opened.

    Raises:
        BuildError: if it could not be read this time.
    """
    try:
        with reading(source), fsspec.open(source.url, "rb") if source.is_remote else open(source.url, "rb") as file:
            found = _content_hash(file)
            file.seek(0)
            return Content(found, pixels_to_decode(file) if with_length else None)
    except (UnusableVideo, SourceChanged):
        return Content()


def distinct(sources: Iterable[Source]) -> tuple[list[Source], dict[str, str]]:
    """The sources without repeated content, and for each one left out the name of the one that stays."""
    first: dict[str, str] = {}
    kept, repeated = [], {}
    for source in sources:
        if source.fingerprint and source.fingerprint in first:
            repeated[source.name] = first[source.fingerprint]
            continue
        first[source.fingerprint] = source.name
        kept.append(source)
    return kept, repeated


@contextlib.contextmanager
def reading(source: Source) -> Iterator[None]:
    """Tells apart what can go wrong in reading a source.

    Raises:
        UnusableVideo: if it is nothing that can be read, or not allowed.
        SourceChanged: if it is not there any more.
        BuildError: if it could not be read this time.
    """
    try:
        yield
    except (IsADirectoryError, PermissionError) as error:
        raise UnusableVideo(f"cannot be read: {(error.strerror or str(error)).lower()}") from error
    except FileNotFoundError:
        raise SourceChanged(f"{source.name} vanished while the build was running; run it again") from None
    except OSError as error:
        raise BuildError(f"{source.name} could not be read: {error.strerror or error}; run the same command again") from error


def check_unchanged(source: Source) -> None:
    """Make sure that a local file is still what it was when it was identified; raises SourceChanged if not, or as `reading`."""
    if source.is_remote or not source.fingerprint:
        return
    with reading(source):
        same = _file_stamp(source.url) == source.stamp or _file_fingerprint(source.url) == source.fingerprint
    if not same:
        raise SourceChanged(f"{source.name} changed while the build was running; run it again")


def open_source(source: Source, storage_options: Mapping[str, Any] | None = None) -> tuple[str | bytes, str]:
    """A source's path, or its bytes if it is remote; and its fingerprint. Raises as `reading`."""
    with reading(source):
        if not source.is_remote:
            return source.url, source.fingerprint or _file_fingerprint(source.url)
        fs, path = fsspec.core.url_to_fs(source.url, **(storage_options or {}))
        data: bytes = fs.cat_file(path)
    found = fingerprint(data)
    if source.fingerprint and found != source.fingerprint:
        raise SourceChanged(f"{source.name} changed while the build was running; run it again")
    return data, found


def _remote_stamp(url: str, storage_options: Mapping[str, Any] | None) -> str:
    fs, path = fsspec.core.url_to_fs(url, **(storage_options or {}))
    info = fs.info(path)
    marks = [str(info[mark]) for mark in _REMOTE_MARKS if info.get(mark)]
    if not marks:  # then nobody can say whether it is still the same
        marks = [f"seen {time.time_ns()}"]
    return ":".join([str(info.get("size")), *marks])


class ContentMemory:
    """Remembers the contents of files whose stamp has not changed, so that a large folder is read once.

    Kept in one SQLite file, which several processes may share; without a folder, remembers nothing. A damaged file is begun
    anew.

    Raises:
        OSError: from any method, if the file cannot be written or read.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / "fingerprints.sqlite" if folder else None
        if self._path:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._begin()
            except sqlite3.DatabaseError:  # no database; what is wrong with the disk is an OSError by now
                self._path.unlink()
                self._begin()

    def _begin(self) -> None:
        with self._connected() as database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS contents (path BLOB PRIMARY KEY, stamp TEXT, fingerprint TEXT, pixels INTEGER)"
            )

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(sqlite3.connect(str(self._path), timeout=60)) as database, database:
                yield database
        except sqlite3.OperationalError as error:  # full, read-only, locked for a minute
            raise OSError(f"{self._path} cannot be used: {error}; make room, or give another clip_cache") from error

    def recall(self, sources: Iterable[Source]) -> dict[str, Content]:
        """The contents of those that are remembered with their present stamp, by URL."""
        if not self._path:
            return {}
        found = {}
        with self._connected() as database:
            for source in sources:
                key = (os.fsencode(source.url), source.stamp)
                query = "SELECT fingerprint, pixels FROM contents WHERE path = ? AND stamp = ?"
                if row := database.execute(query, key).fetchone():
                    found[source.url] = Content(*row)
        return found

    def content_of(self, source: Source) -> str:
        """The fingerprint of one that was stamped; "" if it is not remembered."""
        found = self.recall([source]) if source.stamp else {}
        return found[source.url].fingerprint if found else ""

    def remember(self, sources: Iterable[Source]) -> None:
        rows = [(os.fsencode(source.url), source.stamp, source.fingerprint, source.pixels) for source in sources]
        if self._path and rows:
            with self._connected() as database:
                database.executemany("INSERT OR REPLACE INTO contents VALUES (?, ?, ?, ?)", rows)
