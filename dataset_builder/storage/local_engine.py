"""Makes shards in processes of this machine."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ..errors import BuildError
from ..progress import Progress
from ..questions.job import Job
from ..questions.report import Report
from ..questions.row import features
from ..sources.identify import read_contents
from ..sources.source import Content, Source
from ..sources.stores import StorageOptions
from .folder import Folder
from .shards import Shard, by_cost, make_shard


@dataclass(frozen=True)
class LocalEngine:
    """`workers` processes of this machine; with one worker, this process does the work."""

    workers: int = 1

    @property
    def wants_length(self) -> bool:
        return self.workers > 1

    def read_contents(self, sources: Sequence[Source], with_length: bool, options: StorageOptions | None) -> Iterable[Content]:
        return read_contents(sources, with_length, options)

    def make_shards(self, shards: Sequence[Shard], job: Job, folder: Folder, progress: Progress) -> Iterator[Report]:
        total = sum(shard.items for shard in shards)
        run = self._run_here if self.workers == 1 or len(shards) == 1 else self._run_in_processes
        yield from run(shards, job, folder, progress, total)
        progress(total, total)

    def _run_here(self, shards: Sequence[Shard], job: Job, folder: Folder, progress: Progress, total: int) -> Iterator[Report]:
        done = 0

        def count(items: int) -> None:
            nonlocal done
            done += items
            progress(done, total)

        schema = features(job.spec.video_format).arrow_schema
        for shard in shards:
            yield make_shard(shard, job, folder, schema, count)

    def _run_in_processes(
        self, shards: Sequence[Shard], job: Job, folder: Folder, progress: Progress, total: int
    ) -> Iterator[Report]:
        # spawned, not forked: pyarrow's threads do not survive a fork
        context = multiprocessing.get_context("spawn")
        counter = context.Value("q", 0)
        with ProcessPoolExecutor(self.workers, context, _start_worker, (job, folder, counter)) as pool:
            for _ in range(self.workers):
                pool.submit(os.getpid)  # starts the processes while the next line imports datasets
            schema = features(job.spec.video_format).arrow_schema
            waiting = {pool.submit(_make_shard, shard, schema) for shard in by_cost(shards, job)}
            try:
                while waiting:
                    finished, waiting = wait(waiting, timeout=0.3, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in finished)
                    progress(min(counter.value, total), total)
            except BrokenProcessPool:
                cause = "a worker process died (killed, or out of memory)"
                raise BuildError(f"{cause}; run the same command again to continue") from None
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


_worker: tuple[Job, Folder, Any] | None = (
    None  # set once per worker process: the job lists every video and is too large to send with each shard
)


def _start_worker(job: Job, folder: Folder, counter: Any) -> None:
    global _worker
    _worker = job, folder, counter


def _make_shard(shard: Shard, schema: pa.Schema) -> Report:
    assert _worker
    job, folder, counter = _worker

    def count(items: int) -> None:
        with counter.get_lock():
            counter.value += items

    return make_shard(shard, job, folder, schema, count)
