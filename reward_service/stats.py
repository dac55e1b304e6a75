"""Group statistics shared by all workers of a server: exact, in bounded space, in a SQLite file written in group commits."""

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
MAX_QUEUED = 100_000  # rollouts
LOCK_TIMEOUT_SECONDS = 10  # how long to wait for a locked file
ZERO_VARIANCE_EPS = 1e-9  # a group whose scores differ by less has no gradient

VARIANCE_EPS = 1e-12  # a smaller variance is a rounding error of the sums

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
SELECT task, level, count(*) AS size, sum(exact = 1) AS hits, max(score) - min(score) < {ZERO_VARIANCE_EPS} AS flat,
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
_MAX_SEQ = 1 << 62


class GroupStats:
    """Rollouts by group, in a file that several processes may share, or in memory for one process.

    `record` returns once its rollouts are committed, so that a killed worker loses no rollout that it has answered. If the
    disk hangs, it waits at most `commit_timeout` seconds. For rollouts that cannot be committed, `on_lost` is called with
    their number and the error.
    A rollout id counts once in a group. Only the newest `max_groups` groups accept rollouts; older groups are folded into
    sums.
    """

    def __init__(
        self,
        path: Path | None = None,
        max_groups: int | None = None,
        on_lost: Callable[[int, Exception], None] = lambda rollouts, error: None,
        commit_timeout: float = 60,
        fold_every: int = FOLD_EVERY,
    ) -> None:
        self._max_groups = max_groups
        self._on_lost = on_lost
        self._commit_timeout = commit_timeout
        self._db = self._read_db = _connect(path)
        with _lock_file(path):
            if path is not None:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = OFF")  # survives a killed process; a power cut may lose data
                self._read_db = _connect(path)  # so that a slow read does not block writes
            self._db.executescript(_SCHEMA)
        self._rollouts_since_fold = 0
        self._fold_every = fold_every
        self._write_executor = ThreadPoolExecutor(1, "group-stats-writer")
        self._read_executor = ThreadPoolExecutor(1, "group-stats-reader")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._queue: list[Rollout] = []
        self._commit_done: asyncio.Future[None] | None = None
        self._writer: asyncio.Task[None] | None = None

    async def record(self, rollouts: Sequence[Rollout]) -> None:
        """Commit rollouts, in one transaction with those of concurrent callers. Reports a failure to `on_lost`."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # the queue of an ended loop is kept
            self._loop, self._writer, self._commit_done = loop, None, None
        if len(self._queue) + len(rollouts) > MAX_QUEUED:
            self._on_lost(len(rollouts), TimeoutError(f"{len(self._queue)} others wait for the disk"))
            return
        self._queue.extend(rollouts)
        if self._commit_done is None:
            self._commit_done = loop.create_future()  # one timer for all callers of a transaction
            self._timeout_timer = loop.call_later(self._commit_timeout, _mark_done, self._commit_done)
        commit_done = self._commit_done
        if self._writer is None:
            self._writer = loop.create_task(self._write_queue())
        await asyncio.shield(commit_done)

    async def _write_queue(self) -> None:
        loop = asyncio.get_running_loop()
        while self._commit_done is not None:
            rollouts, commit_done, timer = self._queue, self._commit_done, self._timeout_timer
            self._queue, self._commit_done = [], None
            try:
                await loop.run_in_executor(self._write_executor, self.write, rollouts)
            except Exception as error:  # scoring continues; `on_lost` logs the error
                self._on_lost(len(rollouts), error)
            timer.cancel()
            _mark_done(commit_done)
        self._writer = None

    def write(self, rollouts: Iterable[Rollout]) -> None:
        """Commit rollouts in one transaction.

        Raises:
            sqlite3.Error: if the transaction failed; then no rollout was written.
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
            self._rollouts_since_fold += len(rows)
            if self._rollouts_since_fold >= self._fold_every:
                self._rollouts_since_fold = 0
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
            last_folded = last - self._max_groups
        elif size - free > MAX_BYTES:
            last_folded = (first + last) // 2
        else:
            return
        for statement in _FOLD:
            self._db.execute(statement, (last_folded,))

    async def summarize_async(self) -> dict[str, Any]:
        """Run `summarize` in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._read_executor, self.summarize)

    def summarize(self) -> dict[str, Any]:
        """`{task: {level: {…}}}`: mean, std, zero-variance groups, hits per group, unparseable answers, blind answers."""
        db = self._read_db
        db.execute("BEGIN")
        try:
            groups = db.execute(_ALL_GROUPS, (_MAX_SEQ,)).fetchall()
            bins = db.execute(_ALL_BINS, (_MAX_SEQ,)).fetchall()
            answers = db.execute(_ANSWERS).fetchall()
        finally:
            db.execute("COMMIT")
        tasks: dict[str, dict[str, Any]] = {}
        for task, level in sorted({(row[0], row[1]) for row in groups}):
            rows = [row[2:] for row in groups if row[:2] == (task, level)]
            histogram = [0] * BINS
            for index, count in ((row[2], row[3]) for row in bins if row[:2] == (task, level)):
                histogram[index] = count
            top_answer = next(((row[2], row[3] / row[4]) for row in answers if row[:2] == (task, level)), ("", None))
            tasks.setdefault(task, {})[level] = _summarize_level(rows, histogram, top_answer)
        return tasks

    async def wait_for_writer(self, seconds: float) -> None:
        """Wait at most `seconds` for the running write."""
        if self._writer is not None:
            await asyncio.wait({self._writer}, timeout=seconds)

    def close(self) -> None:
        """Finish running writes and close the file."""
        self._write_executor.shutdown()
        self._read_executor.shutdown()
        self._read_db.close()
        self._db.close()


def _mark_done(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _connect(path: Path | None) -> sqlite3.Connection:
    return sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False, timeout=LOCK_TIMEOUT_SECONDS)


@contextmanager
def _lock_file(path: Path | None) -> Iterator[None]:
    """Hold a file lock. SQLite fails at once if several processes switch a new file to write-ahead logging."""
    if path is None:
        yield
        return
    with path.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _summarize_level(rows: list[tuple[Any, ...]], histogram: list[int], top_answer: tuple[str, float | None]) -> dict[str, Any]:
    rollouts = sum(size * groups for size, _, _, _, groups, *_ in rows)
    sums = (sum(row[column] for row in rows) for column in range(5, 12))
    total, squares, within, exact, unparseable, blind, blind_known = sums
    multi_rollout_rows = [row for row in rows if row[0] > 1]
    groups = sum(row[4] for row in multi_rollout_rows)
    hits: dict[str, list[int]] = {}
    for size, hit_count, _, _, group_count, *_ in multi_rollout_rows:
        hits.setdefault(str(size), [0] * (size + 1))[hit_count] += group_count
    mean = total / rollouts
    return {
        "rollouts": rollouts,
        "groups": groups,
        "mean": mean,
        "std": _to_std(squares / rollouts - mean * mean),
        "within_group_std": _to_std(within / rollouts),
        "exact": exact / rollouts,
        "zero_variance": _ratio(sum(row[4] for row in multi_rollout_rows if row[2]), groups),
        "zero_variance_strict": _ratio(sum(row[4] for row in multi_rollout_rows if row[3]), groups),
        "unparseable": unparseable / rollouts,
        "blind": _ratio(blind, blind_known),
        "top_answer": top_answer[0],
        "top_answer_share": top_answer[1],
        "hits": hits,
        "histogram": histogram,
    }


def _to_std(variance: float) -> float:
    return sqrt(variance) if variance > VARIANCE_EPS else 0.0


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
