"""Identifies each source's content: from memory if its stamp has not changed, else by reading the file."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from ..progress import Progress, no_progress
from .memory import ContentMemory
from .read import read_content, read_end, with_stamp
from .source import Content, Source
from .stores import StorageOptions

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
    recalled = _recalled(sources, memory, options, remote)
    unknown = [
        source
        for source in recalled
        if not source.fault
        and (remote or not source.is_remote)
        and (not source.fingerprint or (with_length and source.pixels is None))
    ]
    identified: dict[str, Source] = {}
    fresh: list[Source] = []

    def keep() -> None:
        identified.update((source.url, source) for source in memory.remember(fresh))
        fresh.clear()

    done = len(recalled) - len(unknown)
    try:
        for source, content in zip(unknown, read(unknown, with_length, options), strict=True):
            done += 1
            if content.fingerprint:
                fresh.append(replace(source, fingerprint=content.fingerprint, pixels=content.pixels))
            if len(fresh) == _REMEMBER_EVERY:
                keep()
            progress(done, len(recalled))
    finally:
        keep()
    return [identified.get(source.url, source) for source in recalled]


def tell_apart(sources: Iterable[Source], memory: ContentMemory, options: StorageOptions | None = None) -> list[Source]:
    """The sources with a stamp, and those that may repeat another with a fingerprint: `drop_repeats` then drops what it would
    drop if all were identified, yet next to nothing has been read. Remote files are taken to be different.

    Raises:
        BuildError: if a file cannot be read now.
    """
    recalled = _recalled(sources, memory, options, remote=False)
    by_size = _grouped(recalled, lambda source: "" if source.is_remote or source.fault else source.size)
    by_size.pop("", None)
    unsure = [group for group in by_size.values() if len(group) > 1 and not all(source.fingerprint for source in group)]
    ends = memory.ends([source for group in unsure for source in group], read_end)
    by_end = _grouped((source for group in unsure for source in group), lambda source: (source.size, ends[source.url]))
    alike = [source for group in by_end.values() if len(group) > 1 for source in group]
    identified = {source.url: source for source in identify(alike, memory, options)}
    return [identified.get(source.url, source) for source in recalled]


def _recalled(sources: Iterable[Source], memory: ContentMemory, options: StorageOptions | None, remote: bool) -> list[Source]:
    """The sources with their stamps, and what is remembered of their contents, of remote ones only with `remote`."""
    stamped = [source if source.fingerprint else with_stamp(source, options) for source in sources]
    contents = memory.recall(source for source in stamped if remote or not source.is_remote)
    return [_with(source, contents[source.url]) if source.url in contents else source for source in stamped]


def _with(source: Source, content: Content) -> Source:
    return Source(
        source.name, source.url, source.stamp, content.fingerprint, content.pixels, source.fault, content.version
    )  # quicker than `replace`


def _grouped(sources: Iterable[Source], key: Callable[[Source], Any]) -> dict[Any, list[Source]]:
    groups: dict[Any, list[Source]] = defaultdict(list)
    for source in sources:
        groups[key(source)].append(source)
    return groups


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
        if source.fingerprint:
            first[source.fingerprint] = where + source.name
        distinct.append(source)
    return distinct, repeats
