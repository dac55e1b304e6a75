"""Which content each source has: from memory where its stamp has not changed, else by reading it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

from ..progress import Progress, no_progress
from .memory import ContentMemory
from .read import file_stamp, read_content
from .source import Content, Source
from .stores import StorageOptions, open_store, remote_stamp

_REMEMBER_EVERY = 64  # videos read before what was learned is kept
_READERS = 4  # hashing leaves Python to other threads

ContentReader = Callable[[Sequence[Source], bool, "StorageOptions | None"], Iterable[Content]]
"""Reads the contents of files in turn; their lengths too, where that is asked for."""


def read_contents(sources: Sequence[Source], with_length: bool, options: StorageOptions | None = None) -> Iterator[Content]:
    """As `read_content`, in turn, some files at a time."""
    with ThreadPoolExecutor(_READERS) as readers:
        try:
            yield from readers.map(lambda source: read_content(source, with_length, options), sources)
        finally:
            readers.shutdown(cancel_futures=True)


def identify(
    sources: Iterable[Source],
    memory: ContentMemory,
    options: StorageOptions | None = None,
    *,
    read: ContentReader = read_contents,
    with_length: bool = False,
    remote: bool = True,
    progress: Progress = no_progress,
) -> list[Source]:
    """Give sources their fingerprints, and lengths if asked to: those that were read before from memory, others by `read`.

    Sources of the same content as one before them are left in: `drop_repeats` drops them.

    Args:
        options: of the stores that remote sources lie in.
        remote: whether remote files are read, too; else their stamp is all that is known of them, now and at every later call.
        progress: called with how many files are known, and how many there are.

    Raises:
        BuildError: if a file could not be read this time.
    """
    stamped = [_with_stamp(source, options) for source in sources]
    to_read = [source for source in stamped if remote or not source.is_remote]
    contents = memory.recall(to_read)
    if with_length:
        contents = {url: content for url, content in contents.items() if content.pixels is not None}
    unknown = [source for source in to_read if source.url not in contents]
    fresh: list[Source] = []
    try:
        for source, content in zip(unknown, read(unknown, with_length, options), strict=True):
            contents[source.url] = content
            if content.fingerprint:
                fresh.append(replace(source, **asdict(content)))
            if len(fresh) == _REMEMBER_EVERY:
                memory.remember(fresh)
                fresh = []
            progress(len(contents), len(to_read))
    finally:
        memory.remember(fresh)
    return [replace(source, **asdict(contents.get(source.url, Content()))) for source in stamped]


def drop_repeats(
    sources: Iterable[Source], first: dict[str, str] | None = None, where: str = ""
) -> tuple[list[Source], dict[str, str]]:
    """The sources without repeated content, and for each one left out the name of the one that stays.

    Args:
        first: the sources of earlier splits, by fingerprint, whose content is not used again; those that stay are added.
        where: put before the names that are added to `first`.
    """
    first = {} if first is None else first
    distinct, repeats = [], {}
    for source in sources:
        if source.fingerprint and source.fingerprint in first:
            repeats[source.name] = first[source.fingerprint]
            continue
        first[source.fingerprint] = where + source.name
        distinct.append(source)
    return distinct, repeats


def _with_stamp(source: Source, options: StorageOptions | None) -> Source:
    if source.is_remote:
        return source if source.stamp else replace(source, stamp=_stored_stamp(source.url, options))
    try:
        return replace(source, stamp=file_stamp(source.url))
    except OSError:  # said again, with its reason, when the video is opened
        return source


def _stored_stamp(url: str, options: StorageOptions | None) -> str:
    fs, path = open_store(url, options)
    return remote_stamp(fs.info(path))
