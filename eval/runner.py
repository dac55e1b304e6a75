"""Asks every question that has no response yet, several at a time, and appends each response to the run as it arrives."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from operator import itemgetter
from pathlib import Path
from typing import Any

from dataset_builder.commands.progress_bar import progress_bar
from dataset_builder.errors import BuildError, UnusableVideo
from dataset_builder.tasks import UsageError

from .backends.base import AnswerError, Backend, BackendError
from .frames import Frames
from .marks import score_response
from .run import Response, open_run, response_key
from .sample import Benchmark, Sample

FAILURES_IN_A_ROW = 20


@dataclass
class Progress:
    """How far a run is.

    Attributes:
        total: questions, times the responses to each.
        done: those with a response or a failure, those of earlier starts included.
        failed: those without a response.
        score_sum: the sum of the others' values.
        requests: questions asked since this start.
        prompt_tokens, completion_tokens: of all responses.
    """

    total: int
    done: int = 0
    failed: int = 0
    score_sum: float = 0.0
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def score(self) -> float:
        """The mean value of the responses so far."""
        return self.score_sum / max(1, self.done - self.failed)

    def add(self, sample: Sample, response: Response) -> None:
        self.done += 1
        if response.text is None:
            self.failed += 1
        else:
            self.score_sum += score_response(sample, response.text).values[sample.metric]
        self.prompt_tokens += response.usage.get("prompt_tokens", 0)
        self.completion_tokens += response.usage.get("completion_tokens", 0)


async def run(
    benchmark: Benchmark, backend: Backend, frames: Frames, folder: Path, *, in_flight: int = 64, label: str | None = None,
    draws: int = 1, clock: str = "", on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Progress:  # fmt: skip
    """Ask every question that has no response yet; failed questions are asked again.

    Args:
        folder: the run's folder; created if needed.
        in_flight: number of concurrent questions.
        label: the run's name in tables; None for the backend's label.
        draws, clock: as in `open_run`.
        on_progress: called once at the start, then after each question.

    Raises:
        UsageError: if the folder holds another run, or `in_flight` is below 1.
        BackendError: if the backend cannot answer; responses received before are kept.
    """
    if in_flight < 1:
        raise UsageError(f"in_flight={in_flight} is not allowed; allowed: an integer from 1")
    with open_run(folder, benchmark, label or backend.label, backend.protocol, draws=draws, clock=clock) as (responses, file):
        progress = Progress(len(benchmark.samples) * draws)
        waiting = []
        for sample, draw in product(benchmark.samples, range(draws)):
            key = response_key(sample, backend.protocol, draw)
            response = responses.get(key)
            if response is not None and response.text is not None:
                progress.add(sample, response)
            else:
                waiting.append((response is not None, key, sample, draw))
        on_progress(progress)
        if not waiting:
            return progress
        await backend.check()
        queue = iter(sorted(waiting, key=itemgetter(0)))  # questions that failed before come last
        asker = _Asker(backend, frames)

        async def work() -> None:
            for _, key, sample, draw in queue:  # one iterator, shared by all workers
                response = await asker.ask(key, sample, draw)
                file.write(response.to_line())
                file.flush()
                progress.requests += 1
                progress.add(sample, response)
                on_progress(progress)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(in_flight, len(waiting))):
                    group.create_task(work())
        except BaseExceptionGroup as errors:
            raise errors.exceptions[0] from None
    return progress


def ask(benchmark: Benchmark, backend: Backend, folder: Path, *, clip_cache: str | None = None, **settings: Any) -> Progress:
    """`run` for synchronous callers, with a progress bar; closes the backend at the end."""

    async def run_and_close() -> Progress:
        try:
            with progress_bar(benchmark.name, "questions") as bar:

                def show(progress: Progress) -> None:
                    bar(progress.done, progress.total)
                    tokens = f"{(progress.prompt_tokens + progress.completion_tokens) / 1e6:.1f}M"
                    bar.note(failed=progress.failed, score=f"{100 * progress.score:.1f}", tokens=tokens)

                return await run(
                    benchmark, backend, Frames(benchmark.sampling, clip_cache), folder, on_progress=show, **settings
                )
        finally:
            await backend.close()

    return asyncio.run(run_and_close())


class _Asker:
    """Asks one question after another; raises BackendError once many in a row have failed."""

    def __init__(self, backend: Backend, frames: Frames) -> None:
        self._backend, self._frames, self._failures = backend, frames, 0

    async def ask(self, key: str, sample: Sample, draw: int) -> Response:
        start = time.perf_counter()
        try:
            videos = await asyncio.to_thread(self._frames.of, sample) if self._backend.needs_videos else []
            reply = await self._backend.answer(sample, videos, draw)
            self._failures = 0
        except (UnusableVideo, BuildError) as error:
            return Response(key, sample.id, None, f"{sample.info.get('source', 'its video')}: {error}")
        except AnswerError as error:
            self._failures = self._failures + 1 if error.transient else 0
            if self._failures >= FAILURES_IN_A_ROW:
                message = f"{self._failures} questions in a row failed; the last error: {error}"
                raise BackendError(f"{message}; run the same command to continue") from None
            return Response(key, sample.id, None, str(error), round(time.perf_counter() - start, 3))
        except OSError as error:
            raise BackendError(f"{sample.id}: {error}; run the same command to continue") from error
        seen = {**reply.seen, "frames_width_height": [video.geometry for video in videos]} if videos else reply.seen
        return Response(key, sample.id, reply.text, "", round(time.perf_counter() - start, 3), reply.usage, seen)
