"""How busy the evaluator keeps a server, what planning VIUBench costs, and its memory: `make bench-eval`."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import psutil

from eval.backends.chat import Chat, ChatSettings
from eval.benchmarks import VIUBENCH
from eval.benchmarks.generated import from_videos
from eval.frames import Frames
from eval.runner import Progress, run
from eval.sample import Benchmark
from tests.benchmarks.table import Table
from tests.footage import videos_folder

LATENCY = 4.0  # seconds of an answer: 16 a second at 64 in flight, what one large GPU may give
IN_FLIGHT = 64
ROUNDS = 20


def planning(cache: str, table: Table) -> Benchmark:
    """Plan the 2,700 questions with no clip kept, then with the benchmark kept."""
    spec = VIUBENCH.spec(0, max_pixels=256 * 256)
    spent = []
    for _ in range(2):
        start = time.perf_counter()
        benchmark = from_videos(spec, videos_folder(), cache)
        spent.append(time.perf_counter() - start)
    table.add("planning VIUBench again, of the time that it took first", spent[1] / spent[0], "≤", 0.1)
    table.add(f"planning 2,700 questions from {benchmark.facts['videos']} videos", spent[0], unit="s")
    return benchmark


def serving(benchmark: Benchmark, cache: str, table: Table) -> None:
    """Ask a server that takes a fixed time; whatever is above that is the evaluator's."""
    process = psutil.Process()
    subset = replace(
        benchmark, samples=benchmark.samples[:: len(benchmark.samples) // (ROUNDS * IN_FLIGHT)][: ROUNDS * IN_FLIGHT]
    )
    memory: list[tuple[int, float]] = []

    def record_memory(progress: Progress) -> None:
        memory.append((progress.done, process.memory_info().rss / 1e6))

    server = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.slow_server", str(LATENCY)], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout
    try:
        chat = Chat(ChatSettings("slow", server.stdout.readline().strip()))
        start, spent = time.perf_counter(), time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            frames, out = Frames(subset.sampling, cache), Path(folder) / "run"
            asyncio.run(run(subset, chat, frames, out, in_flight=IN_FLIGHT, on_progress=record_memory))
        wall, cpu = time.perf_counter() - start, time.process_time() - spent
    finally:
        server.terminate()
        server.wait()
    number = len(subset.samples)
    table.add("a question", 1000 * cpu / number, unit="ms CPU")
    table.add(
        f"time outside the model, {IN_FLIGHT} questions in flight",
        100 * (1 - number / IN_FLIGHT * LATENCY / wall),
        "≤",
        5,
        unit="%",
    )
    early = max(rss for done, rss in memory if done <= number // 4)
    table.add(
        "memory, most against that of the first quarter", max(rss for _, rss in memory) / early, "≤", 1.1, f"{early:.0f} MB"
    )


def main() -> None:
    table = Table(
        "make bench-eval", f"The evaluator against a server that takes {LATENCY:g} s an answer; VIUBench planned from videos."
    )
    with tempfile.TemporaryDirectory() as cache:
        benchmark = planning(cache, table)
        serving(benchmark, cache, table)
    table.save()


if __name__ == "__main__":
    main()
