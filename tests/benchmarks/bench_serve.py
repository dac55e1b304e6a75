"""Speed of the reward service, side by side in one run: `python -m tests.benchmarks.bench_serve`.

Servers run on one core, the load generator on another. Rates are per CPU second of the server, so that it does not matter
how fast the generator is. Prints a table against what the project aims at.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
import timeit
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from statistics import median

import psutil

from dataset_builder import tasks
from reward_service.clients import RewardClient
from tests.benchmarks.load import Load, request, run
from tests.benchmarks.table import Table
from tests.servers import ROOT, free_port

SERVER_CORE, CLIENT_CORE = 0, 1
THINKING = "I look at the frames one after another and compare each with the next. " * 25  # a response of about 2 kB
QUESTIONS = (("counting", "3,1,4", "3,1,5"), ("grounding", "14.5-26.2", "13-25.5"), ("jigsaw", "341562", "341526"))
PLAIN = ["-m", "uvicorn", "tests.benchmarks.plain_server:app", "--no-access-log", "--log-level=warning"]
OURS = ["-m", "dataset_builder.cli", "serve", "--log-level=warning"]


def items(number: int, start: int = 0, grouped: bool = False) -> list[dict[str, object]]:
    made: list[dict[str, object]] = []
    for k in range(start, start + number):
        task, truth, answer = QUESTIONS[k % 3]
        made.append(
            {
                "task": task,
                "ground_truth": truth,
                "response": f"{THINKING}<answer>{answer}</answer>",
                "extra_info": {"chance": 0.3, "level": 0.5},
                **({"group": f"g{k // 8}", "id": f"r{k}"} if grouped else {}),
            }
        )
    return made


def requests(number: int, batch: int, grouped: bool = False, keep_alive: bool = True) -> list[bytes]:
    bodies = (json.dumps({"items": items(batch, k * batch, grouped)}).encode() for k in range(number))
    return [request("/v1/score", body, keep_alive) for body in bodies]


@contextmanager
def server(arguments: list[str]) -> Iterator[tuple[int, psutil.Process, float]]:
    """A server on its core: port, process, and seconds until its first answer."""
    port = free_port()
    started = time.perf_counter()
    process = subprocess.Popen(
        ["taskset", "-c", str(SERVER_CORE), sys.executable, *arguments, f"--port={port}"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    while True:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/docs").close()
            break
        except OSError:
            time.sleep(0.01)
    try:
        yield port, psutil.Process(process.pid), time.perf_counter() - started
    finally:
        process.terminate()
        process.wait()


def rate(arguments: list[str], sent: list[bytes], connections: int, batch: int) -> tuple[float, Load]:
    """Items a server's CPU second, and how the load went."""
    with server(arguments) as (port, process, _):
        run(port, sent[: max(10, len(sent) // 20)], connections)
        before = _cpu(process)
        load = run(port, sent, connections)
        return len(sent) * batch / (_cpu(process) - before), load


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def compare_rates(table: Table, rounds: int) -> None:
    for name, batch, number, connections, aim in (("single items", 1, 8000, 32, 1.8), ("batches of 64", 64, 400, 8, 1.5)):
        sent, grouped = requests(number, batch), requests(number, batch, grouped=True)
        pairs, alone = [], []
        for _ in range(rounds):  # one beside the other, as the machine's own speed changes
            alone.append(in_process())
            pairs.append((rate(OURS, sent, connections, batch), rate(PLAIN, sent, connections, batch)))
        ours, plain = (median(pair[side][0] for pair in pairs) for side in (0, 1))
        p99 = median(pair[0][1].percentile(0.99) for pair in pairs)
        table.add(f"{name}, a CPU second, against plain FastAPI", median(a[0] / b[0] for a, b in pairs), "≥", aim,
                  f"{ours:.0f} / {plain:.0f}, p99 {p99 * 1000:.1f} ms")  # fmt: skip
        with_groups = median(rate(OURS, grouped, connections, batch)[0] for _ in range(rounds))
        table.add("… with group statistics, which the plain server has not", with_groups / plain, "≥", 1, f"{with_groups:.0f}")
        if batch > 1:
            shares = [pair[0][0] / bare for pair, bare in zip(pairs, alone, strict=True)]
            table.add(
                "batches against scoring the same items in process",
                median(shares),
                "≥",
                0.6,
                f"{ours:.0f} / {median(alone):.0f}",
            )


def in_process() -> float:
    """Items a CPU second of the bare scorer."""
    made = [(tasks.get(str(one["task"])), str(one["response"]), str(one["ground_truth"])) for one in items(64 * 100)]
    rates = []
    for _ in range(5):
        before = time.process_time()
        for task, response, truth in made:
            task.score(response, truth, 0.3)
        rates.append(len(made) / (time.process_time() - before))
    return median(rates)


def measure_steps(table: Table, rounds: int) -> None:
    """One verl step: 64 prompts of 8 rollouts, each a call of its own, all at once."""
    for keep_alive in (True, False):
        sent = requests(512, 1, grouped=True, keep_alive=keep_alive)
        with server(OURS) as (port, _, _):
            run(port, sent, 64, keep_alive)
            loads = [run(port, sent, 512, keep_alive) for _ in range(2 * rounds + 1)]
        seconds = median(load.seconds for load in loads)
        name = f"512 calls at once, each on a connection of its own{'' if keep_alive else ', without keep-alive'}"
        note = f"p99 {median(load.percentile(0.99) for load in loads) * 1000:.0f} ms, with group statistics"
        table.add(name, seconds, "≤", 0.25, note, unit="s")
    with server(OURS) as (port, _, _):
        seconds = median(client_step(port) for _ in range(2 * rounds + 1))
    table.add("512 calls at once through the Python client", seconds, "≤", 0.25, unit="s")


def client_step(port: int) -> float:
    """Seconds for a step's calls, each with one item, on one event loop."""
    client = RewardClient(url=f"http://127.0.0.1:{port}")

    async def step() -> float:
        started = time.perf_counter()
        outcomes = await asyncio.gather(*(client.score_async([one]) for one in items(512, grouped=True)))
        assert all(isinstance(outcome, dict) for [outcome] in outcomes)
        return time.perf_counter() - started

    return asyncio.run(step())


def measure_statistics(table: Table) -> None:
    """A look at 20,000 groups while items arrive, and memory while groups come and go."""
    look = b"GET /v1/stats HTTP/1.1\r\nHost: bench\r\n\r\n"
    with server(OURS) as (port, process, _):
        resident = []
        for start in range(0, 300_000, 100_000):
            bodies = (json.dumps({"items": items(64, k, grouped=True)}).encode() for k in range(start, start + 100_000, 64))
            run(port, [request("/v1/score", body) for body in bodies], 8)
            resident.append(process.memory_info().rss)
        [score] = requests(1, 1)
        run(port, [score, look] * 20, 1)
        costs = []
        for sent in ([score, look] * 200, [score] * 200):
            before = _cpu(process)
            run(port, sent, 1)
            costs.append((_cpu(process) - before) / 200)
    table.add("a look at the live page's statistics with 20,000 groups", 1000 * (costs[0] - costs[1]), "≤", 5, unit="ms CPU")
    table.add("resident after 300,000 grouped rollouts against 200,000", resident[2] / resident[1], "≤", 1.1,
              f"{resident[2] / 1e6:.0f} MB")  # fmt: skip


def measure_the_rest(table: Table) -> None:
    with server(OURS) as (port, process, seconds):
        table.add("cold start", seconds, "≤", 2, unit="s")
        run(port, requests(200, 64, grouped=True), 8)
        table.add("resident after 12,800 items", process.memory_info().rss / 1e6, "≤", 100, unit="MB")
    for task, truth, answer in QUESTIONS:
        cost = _microseconds(partial(tasks.get(task).score, answer, truth), 5000)
        table.add(f"scoring a short {task} answer", cost, "≤", 20, unit="µs")
    for text in ("a ", "<answer>", "</answer>", "<think>", "\\boxed{", "１", "1-"):
        score = tasks.get("grounding").score
        short, long = (_microseconds(partial(score, text * (size // len(text)), "1-2"), 5) for size in (100_000, 1_000_000))
        table.add(f"scoring 1 MB of {text!r} against 0.1 MB", long / short, "≤", 15, f"{long / 1000:.2f} ms")


def _microseconds(call: Callable[[], object], number: int) -> float:
    return min(timeit.repeat(call, number=number, repeat=5)) / number * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    os.sched_setaffinity(0, {CLIENT_CORE})
    table = Table(
        "make bench-serve",
        "The reward service on one core, the load on the other; responses of 2 kB. `Plain` is FastAPI and pydantic around the same scorer.",
    )
    compare_rates(table, args.rounds)
    measure_steps(table, args.rounds)
    measure_statistics(table)
    measure_the_rest(table)
    table.save()


if __name__ == "__main__":
    main()
