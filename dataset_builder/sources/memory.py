"""Remembers file contents between builds, so that a large folder is read only once."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

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

    @contextlib.contextmanager
    def _connect(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(sqlite3.connect(str(self._path), timeout=60)) as database, database:
                yield database
        except sqlite3.OperationalError as error:  # disk full, read-only, or locked for a minute
            raise OSError(f"{self._path} cannot be used: {error}; make room, or give another clip_cache") from error

    def recall(self, sources: Iterable[Source]) -> dict[str, Content]:
        """The remembered contents of sources whose stamp is unchanged, by URL."""
        if not self._path:
            return {}
        contents = {}
        query = "SELECT fingerprint, pixels, version FROM contents WHERE path = ? AND stamp = ?"
        with self._connect() as database:
            for source in sources:
                if source.stamp and (row := database.execute(query, (os.fsencode(source.url), source.stamp)).fetchone()):
                    contents[source.url] = Content(*row)
        return contents

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
