"""Remembers file contents between builds, so that a large folder is read only once."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from .source import Content, Source


class ContentMemory:
    """Remembers the contents of files whose stamp has not changed; without a folder, remembers nothing.

    Stored in one SQLite file, which several processes may share; a damaged file is replaced by an empty one.

    Raises:
        OSError: from any method, if the file cannot be written or read.
    """

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / "contents.sqlite" if folder else None
        if self._path:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._create_table()
            except sqlite3.DatabaseError:  # the file is no database; _connect turns disk errors into OSError
                self._path.unlink()
                self._create_table()

    def _create_table(self) -> None:
        with self._connect() as database:
            database.execute(
                "CREATE TABLE IF NOT EXISTS contents "
                "(path BLOB PRIMARY KEY, stamp TEXT, fingerprint TEXT, pixels INTEGER, version TEXT)"
            )
            database.execute("CREATE TABLE IF NOT EXISTS ends (path BLOB PRIMARY KEY, stamp TEXT, end BLOB)")

    @contextlib.contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(sqlite3.connect(str(self._path), timeout=60)) as database, database:
                yield database
        except sqlite3.OperationalError as error:  # disk full, read-only, or locked for a minute
            raise OSError(f"{self._path} cannot be used: {error}; make room, or give another clip_cache") from error

    def recall(self, sources: Iterable[Source]) -> dict[str, Content]:
        """The remembered contents of sources whose stamp is unchanged, by URL."""
        return {url: Content(*values) for url, values in self._recall("contents", "fingerprint, pixels, version", sources)}

    def ends(self, sources: Sequence[Source], read: Callable[[Source], bytes]) -> dict[str, bytes]:
        """What `read` gives for each source, by URL; remembered too."""
        ends = {url: values[0] for url, values in self._recall("ends", "end", sources)}
        fresh = {source.url: read(source) for source in sources if source.url not in ends}
        if self._path:
            rows = [
                (os.fsencode(each.url), each.stamp, fresh[each.url]) for each in sources if each.url in fresh and each.stamp
            ]
            with self._connect() as database:
                database.executemany("INSERT OR REPLACE INTO ends VALUES (?, ?, ?)", rows)
        return ends | fresh

    def _recall(self, table: str, columns: str, sources: Iterable[Source]) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """(URL, values) of the sources that a table holds with the stamp that they have."""
        if not self._path:
            return
        rest = iter(sources)
        with self._connect() as database:
            while some := list(islice(rest, 500)):
                asked = {os.fsencode(source.url): source for source in some if source.stamp}
                query = f"SELECT path, stamp, {columns} FROM {table} WHERE path IN ({', '.join('?' * len(asked))})"
                for path, stamp, *values in database.execute(query, list(asked)):
                    if stamp == asked[path].stamp:
                        yield asked[path].url, tuple(values)

    def remember(self, sources: Iterable[Source]) -> list[Source]:
        """Store the contents of these sources, replacing older entries; returns the sources with their `version`."""
        if not self._path:
            return list(sources)
        query = "SELECT stamp, version FROM contents WHERE path = ? AND fingerprint = ?"
        remembered = []
        with self._connect() as database:
            for source in sources:
                path, version = os.fsencode(source.url), source.version
                if row := database.execute(query, (path, source.fingerprint)).fetchone():
                    version = row[1] if replace(source, stamp=row[0]).state == source.state else source.state
                values = (path, source.stamp, source.fingerprint, source.pixels, version)
                database.execute("INSERT OR REPLACE INTO contents VALUES (?, ?, ?, ?, ?)", values)
                remembered.append(replace(source, version=version))
        return remembered
