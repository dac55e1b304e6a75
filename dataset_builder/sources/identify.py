"""Identifies each source's content: from memory if its stamp has not changed, else by reading the file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace

from ..errors import UnusableVideo
from ..progress import Progress, no_progress
from .memory import ContentMemory
from .read import file_stamp, read_content, reading
from .source import Content, Source
from .stores import StorageOptions, open_store, remote_stamp, store_errors

_REMEMBER_EVERY = 64  # videos to read between two writes to the memory
_READERS = 4  # threads; hashing releases the GIL

ContentReader = Callable[[Sequence[Source], bool, "StorageOptions | None"], Iterable[Content]]
"""(sources, with_length, options) -> their contents in the same order; `pixels` only if `with_length`."""


def read_contents(sources: Sequence[Source], with_length: bool, options: StorageOptions | None = None) -> Iterator[Content]:
    """`read_content` of each source, in order, several files at a time."""
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
    """Add fingerprints to sources, and lengths with `with_length`: from memory if possible, else by `read`.

    Does not drop sources of the same content; `drop_repeats` does.

    Args:
        options: storage options for remote sources.
        remote: whether to read remote files too; otherwise they only get a stamp.
        progress: called with (files identified, files in all).

    Raises:
        BuildError: if a file cannot be read now.
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
    """The sources without repeated content, and the others: {name of the repeat: name of the source that stays}.

    Args:
        first: sources of earlier splits to drop too, as {fingerprint: name}; sources that stay are added to it.
        where: prefix of the names that are added to `first`.
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
