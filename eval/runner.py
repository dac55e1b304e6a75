"""Asks every question that has no answer yet, so many at a time, and writes down each answer as it comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import TextIO

from dataset_builder.errors import BuildError, UnusableVideo
from dataset_builder.tasks import UsageError

from .backends.base import Backend, Failed, Unusable
from .frames import Frames
from .marks import mark
from .run import Response, key_of, opened, write_line
from .sample import Benchmark, Sample

FAILURES_IN_A_ROW = 20


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        done: samples that have an answer or have failed, those of earlier starts too.
        failed: those without an answer.
        score: the mean of the answers so far.
        asked: questions of this start, and what they cost.
    """

    total: int
    done: int = 0
    failed: int = 0
    answered: int = 0
    points: float = 0.0
    asked: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def score(self) -> float:
        return self.points / self.answered if self.answered else 0.0

    def add(self, sample: Sample, response: Response) -> None:
        self.done += 1
        if response.text is None:
            self.failed += 1
        else:
            self.answered += 1
            self.points += mark(sample, response.text).values[sample.metric]
        self.prompt_tokens += response.usage.get("prompt_tokens", 0)
        self.completion_tokens += response.usage.get("completion_tokens", 0)


async def run(
    benchmark: Benchmark,
    backend: Backend,
    frames: Frames,
    folder: Path,
    *,
    in_flight: int = 64,
    label: str | None = None,
    told: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """Ask what has no answer yet; what failed before is asked again.

    Args:
        folder: the run's; made if it is not there.
        in_flight: questions that are asked at a time.
        label: how tables call the run; None for the backend's own.
        told: called after each.

    Raises:
        UsageError: if the folder holds another run, or there is nothing to ask at a time.
        Unusable: if nothing can be answered; the answers until then stand.
    """
    if in_flight < 1:
        raise UsageError(f"in_flight={in_flight} is not allowed; allowed: an integer from 1")
    with opened(folder, benchmark, label or backend.label, backend.protocol) as (known, file):
        progress = Progress(len(benchmark.samples))
        waiting = []
        for sample in benchmark.samples:
            key = key_of(sample, backend.protocol)
            found = known.get(key)
            if found is not None and found.text is not None:
                progress.add(sample, found)
            else:
                waiting.append((found is not None, key, sample))
        told(progress)
        if waiting:
            await backend.check()
            waiting.sort(key=itemgetter(0))  # what failed before comes last
            await _Asking(backend, frames, file, progress, told).all([(key, sample) for _, key, sample in waiting], in_flight)
    return progress


def ask(
    benchmark: Benchmark,
    backend: Backend,
    folder: Path,
    *,
    in_flight: int = 64,
    label: str | None = None,
    clip_cache: str | None = None,
    told: Callable[[Progress], None] = lambda progress: None,
) -> Progress:
    """`run`, from a program that is not asynchronous; the backend is closed."""

    async def all_of_it() -> Progress:
        try:
            return await run(
                benchmark, backend, Frames(benchmark.sampling, clip_cache), folder, in_flight=in_flight, label=label, told=told
            )
        finally:
            await backend.close()

    return asyncio.run(all_of_it())


class _Asking:
    """One start of a run."""

    def __init__(
        self, backend: Backend, frames: Frames, file: TextIO, progress: Progress, told: Callable[[Progress], None]
    ) -> None:
        self._backend, self._frames, self._file = backend, frames, file
        self._progress, self._told = progress, told
        self._failures = 0

    async def all(self, waiting: list[tuple[str, Sample]], in_flight: int) -> None:
        """Raises: Unusable, or what else came up first."""
        left = iter(waiting)

        async def work() -> None:
            for key, sample in left:  # shared: each takes the next one
                self._note(sample, await self._ask(key, sample))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(in_flight, len(waiting))):
                    group.create_task(work())
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None

    async def _ask(self, key: str, sample: Sample) -> Response:
        start = time.perf_counter()
        try:
            videos = await asyncio.to_thread(self._frames.of, sample) if self._backend.needs_videos else []
            reply = await self._backend.answer(sample, videos)
            self._failures = 0
        except (UnusableVideo, BuildError) as error:
            return Response(key, sample.id, None, f"{sample.info.get('source', 'its video')}: {error}")
        except Failed as error:
            self._failures = self._failures + 1 if error.transient else 0
            if self._failures >= FAILURES_IN_A_ROW:
                raise Unusable(f"{self._failures} questions in a row failed, the last with: {error}; a rerun goes on") from None
            return Response(key, sample.id, None, str(error), round(time.perf_counter() - start, 3))
        except OSError as error:
            raise Unusable(f"{sample.id}: {error}; a rerun goes on") from error
        seen = {**reply.seen, "frames_width_height": [video.geometry for video in videos]} if videos else reply.seen
        return Response(key, sample.id, reply.text, "", round(time.perf_counter() - start, 3), reply.usage, seen)

    def _note(self, sample: Sample, response: Response) -> None:
        self._file.write(write_line(response))
        self._file.flush()
        self._progress.asked += 1
        self._progress.add(sample, response)
        self._told(self._progress)
