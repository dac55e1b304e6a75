"""Group statistics that all workers of a server share, exactly, in bounded space: a SQLite file, written in group commits."""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from math import sqrt
from pathlib import Path
from typing import Any

from .rollouts import Rollout

BINS = 20
MAX_BYTES = 256 << 20
FOLD_EVERY = 256  # rollouts
MAX_WAITING = 100_000  # rollouts
LOCKED_SECONDS = 10  # how long a file that somebody has locked is waited for
FLAT = 1e-9  # a group whose scores differ by less gives no gradient

ROUNDING = 1e-12  # a variance below this is the rounding of sums

_SCHEMA = """
CREATE TABLE IF NOT EXISTS open_group (seq INTEGER PRIMARY KEY, key TEXT UNIQUE, task TEXT, level TEXT);
CREATE TABLE IF NOT EXISTS rollout (
    seq INTEGER, id TEXT, score REAL, exact REAL, parsed TEXT, blind INTEGER, PRIMARY KEY (seq, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS closed_group (
    task TEXT, level TEXT, size INTEGER, hits INTEGER, flat INTEGER, flat_exact INTEGER, groups INTEGER, score REAL,
    squares REAL, within REAL, exact REAL, unparseable INTEGER, blind INTEGER, blind_known INTEGER,
    PRIMARY KEY (task, level, size, hits, flat, flat_exact)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS closed_bin (
    task TEXT, level TEXT, bin INTEGER, rollouts INTEGER, PRIMARY KEY (task, level, bin)) WITHOUT ROWID;
"""
_GROUPS = f"""
SELECT task, level, count(*) AS size, sum(exact = 1) AS hits, max(score) - min(score) < {FLAT} AS flat,
    sum(exact = 1) IN (0, count(*)) AS flat_exact, 1 AS groups, sum(score) AS score, sum(score * score) AS squares,
    sum(score * score) - sum(score) * sum(score) / count(*) AS within, sum(exact) AS exact,
    sum(parsed = '') AS unparseable, coalesce(sum(blind), 0) AS blind, count(blind) AS blind_known
FROM open_group JOIN rollout USING (seq) WHERE seq <= ? GROUP BY seq"""
_BINS = f"""
SELECT task, level, min({BINS - 1}, max(0, CAST(score * {BINS} AS INTEGER))) AS bin, count(*) AS rollouts
FROM open_group JOIN rollout USING (seq) WHERE seq <= ? GROUP BY 1, 2, 3"""
_FOLD = (
    f"""INSERT INTO closed_group SELECT task, level, size, hits, flat, flat_exact, sum(groups), sum(score), sum(squares),
        sum(within), sum(exact), sum(unparseable), sum(blind), sum(blind_known) FROM ({_GROUPS}) GROUP BY 1, 2, 3, 4, 5, 6
    ON CONFLICT DO UPDATE SET groups = groups + excluded.groups, score = score + excluded.score,
        squares = squares + excluded.squares, within = within + excluded.within, exact = exact + excluded.exact,
        unparseable = unparseable + excluded.unparseable, blind = blind + excluded.blind,
        blind_known = blind_known + excluded.blind_known""",
    f"""INSERT INTO closed_bin {_BINS} ON CONFLICT DO UPDATE SET rollouts = rollouts + excluded.rollouts""",
    "DELETE FROM rollout WHERE seq <= ?",
    "DELETE FROM open_group WHERE seq <= ?",
)
_ALL_GROUPS = f"SELECT * FROM closed_group UNION ALL SELECT * FROM ({_GROUPS})"
_ALL_BINS = f"SELECT task, level, bin, sum(rollouts) FROM (SELECT * FROM closed_bin UNION ALL {_BINS}) GROUP BY 1, 2, 3"
_ANSWERS = """
SELECT task, level, parsed, max(rollouts), sum(rollouts) FROM (
    SELECT task, level, parsed, count(*) AS rollouts FROM open_group JOIN rollout USING (seq)
    WHERE parsed <> '' GROUP BY 1, 2, 3) GROUP BY 1, 2"""
_LAST = 1 << 62


class GroupStats:
    """Rollouts by group, in a file that several processes may share (or in memory, for one).

    `record` returns when its rollouts are committed: what was answered is counted, though the process be killed. It does not
    wait longer than `patience` seconds, should the disk hang. Those that cannot be committed are passed to `on_lost`, as their
    number and the reason.
    A rollout with the id of one before it in its group is counted once. The last `max_groups` groups take late members;
    older ones live on in sums.
    """

    def __init__(
        self,
        path: Path | None = None,
        max_groups: int | None = None,
        on_lost: Callable[[int, Exception], None] = lambda rollouts, error: None,
        patience: float = 60,
        fold_every: int = FOLD_EVERY,
    ) -> None:
        self._max_groups = max_groups
        self._on_lost = on_lost
        self._patience = patience
        self._db = self._reader = _connect(path)
        with _alone(path):
            if path is not None:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = OFF")  # outlives a killed process; a power cut may lose it
                self._reader = _connect(path)  # reading, which may take a while, keeps no writer waiting
            self._db.executescript(_SCHEMA)
        self._unfolded = 0
        self._fold_every = fold_every
        self._thread = ThreadPoolExecutor(1, "group-stats-writer")
        self._reading = ThreadPoolExecutor(1, "group-stats-reader")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[Rollout] = []
        self._committed: asyncio.Future[None] | None = None
        self._writer: asyncio.Task[None] | None = None

    async def record(self, rollouts: Sequence[Rollout]) -> None:
        """Commit these, if they can be; those of concurrent callers go along in one transaction."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # what an ended loop has left undone is taken along
            self._loop, self._writer, self._committed = loop, None, None
        if len(self._waiting) + len(rollouts) > MAX_WAITING:
            self._on_lost(len(rollouts), TimeoutError(f"{len(self._waiting)} others wait for the disk"))
            return
        self._waiting.extend(rollouts)
        if self._committed is None:
            self._committed = loop.create_future()  # one timer for all who wait together costs next to nothing
            self._hurry = loop.call_later(self._patience, _settle, self._committed)
        committed = self._committed
        if self._writer is None:
            self._writer = loop.create_task(self._write_waiting())
        await asyncio.shield(committed)

    async def _write_waiting(self) -> None:
        loop = asyncio.get_running_loop()
        while self._committed is not None:
            rollouts, committed, hurry = self._waiting, self._committed, self._hurry
            self._waiting, self._committed = [], None
            try:
                await loop.run_in_executor(self._thread, self.write, rollouts)
            except Exception as error:  # whatever it is, scoring goes on, and the log will say so
                self._on_lost(len(rollouts), error)
            hurry.cancel()
            _settle(committed)
        self._writer = None

    def write(self, rollouts: Iterable[Rollout]) -> None:
        """Commit these in one transaction.

        Raises:
            sqlite3.Error: if they could not be; then none of them was.
        """
        rows = list(rollouts)
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            groups = {row.group: row for row in rows}
            db.executemany(
                "INSERT OR IGNORE INTO open_group (key, task, level) VALUES (?, ?, ?)",
                [(row.group, row.task, row.level) for row in groups.values()],
            )
            db.executemany(
                "INSERT OR IGNORE INTO rollout SELECT seq, ?, ?, ?, ?, ? FROM open_group WHERE key = ?",
                [(row.id, row.score, row.exact, row.parsed, row.blind, row.group) for row in rows],
            )
            self._unfolded += len(rows)
            if self._unfolded >= self._fold_every:
                self._unfolded = 0
                self._fold()
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise

    def _fold(self) -> None:
        if self._max_groups is None:
            return
        first, last = self._db.execute("SELECT min(seq), max(seq) FROM open_group").fetchone()
        size = self._db.execute("SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").fetchone()[0]
        free = self._db.execute("SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size").fetchone()[0]
        if last - first + 1 > self._max_groups * 1.05 + 1:
            upto = last - self._max_groups
        elif size - free > MAX_BYTES:
            upto = (first + last) // 2
        else:
            return
        for statement in _FOLD:
            self._db.execute(statement, (upto,))

    async def summary(self) -> dict[str, Any]:
        """`summarize`, off the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self._reading, self.summarize)

    def summarize(self) -> dict[str, Any]:
        """`{task: {level: {…}}}`: mean, spread, groups without variance, hits in a group, unparseable and blind answers."""
        db = self._reader
        db.execute("BEGIN")
        try:
            groups = db.execute(_ALL_GROUPS, (_LAST,)).fetchall()
            bins = db.execute(_ALL_BINS, (_LAST,)).fetchall()
            answers = db.execute(_ANSWERS).fetchall()
        finally:
            db.execute("COMMIT")
        tasks: dict[str, dict[str, Any]] = {}
        for task, level in sorted({(row[0], row[1]) for row in groups}):
            rows = [row[2:] for row in groups if row[:2] == (task, level)]
            histogram = [0] * BINS
            for where, number in ((row[2], row[3]) for row in bins if row[:2] == (task, level)):
                histogram[where] = number
            top = next(((row[2], row[3] / row[4]) for row in answers if row[:2] == (task, level)), ("", None))
            tasks.setdefault(task, {})[level] = _level(rows, histogram, top)
        return tasks

    async def finish(self, seconds: float) -> None:
        """Wait for what is being written."""
        if self._writer is not None:
            await asyncio.wait({self._writer}, timeout=seconds)

    def close(self) -> None:
        self._thread.shutdown()
        self._reading.shutdown()
        self._reader.close()
        self._db.close()


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _connect(path: Path | None) -> sqlite3.Connection:
    return sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False, timeout=LOCKED_SECONDS)


@contextmanager
def _alone(path: Path | None) -> Iterator[None]:
    """One process at a time: SQLite does not wait where several turn a new file to its write-ahead log."""
    if path is None:
        yield
        return
    with path.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _level(rows: list[tuple[Any, ...]], histogram: list[int], top: tuple[str, float | None]) -> dict[str, Any]:
    rollouts = sum(size * groups for size, _, _, _, groups, *_ in rows)
    total, squares, within, exact, unparseable, blind, known = (sum(row[column] for row in rows) for column in range(5, 12))
    several = [row for row in rows if row[0] > 1]
    groups = sum(row[4] for row in several)
    hits: dict[str, list[int]] = {}
    for size, hit, _, _, number, *_ in several:
        hits.setdefault(str(size), [0] * (size + 1))[hit] += number
    mean = total / rollouts
    return {
        "rollouts": rollouts,
        "groups": groups,
        "mean": mean,
        "std": _root(squares / rollouts - mean * mean),
        "within_group_std": _root(within / rollouts),
        "exact": exact / rollouts,
        "zero_variance": _share(sum(row[4] for row in several if row[2]), groups),
        "zero_variance_strict": _share(sum(row[4] for row in several if row[3]), groups),
        "unparseable": unparseable / rollouts,
        "blind": _share(blind, known),
        "top_answer": top[0],
        "top_answer_share": top[1],
        "hits": hits,
        "histogram": histogram,
    }


def _root(variance: float) -> float:
    return sqrt(variance) if variance > ROUNDING else 0.0


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
