"""The Python clients against real services: right scores or exceptions, whatever happens to the servers."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dataset_builder import tasks
from reward_service.clients import ClientSettings, RewardClient, RewardError, RewardRefused, RewardUnavailable, item
from tests.servers import ROOT, Server, count_rollouts, free_port, serving

from .test_serve import SLOW_TASK

COUNTING = tasks.get("counting")


def counting(k: int, **names: Any) -> dict[str, Any]:
    return item("videossr/counting", f"<answer>{k % 10},1,4</answer>", "3,1,4", {"level_name": "hard"}, **names)


def expected(k: int) -> float:
    return COUNTING.score(f"{k % 10},1,4", "3,1,4").score


@contextmanager
def client(*urls: str, **settings: Any) -> Iterator[RewardClient]:
    made = RewardClient(url=",".join(urls), **settings)
    yield made
    made.close()


class Flaky(BaseHTTPRequestHandler):
    """Answers with the statuses it is told to, then scores everything 0.5."""

    protocol_version = "HTTP/1.1"
    statuses: list[int]
    seen: list[Any]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.seen.append(body)
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 0:  # hang up
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        results = [
            {"score": 0.5, "exact": 0.0, "above_chance": 0.0, "parsed": "", "reason": "", "task": "t"} for _ in body["items"]
        ]
        reply = json.dumps({"results": results} if status == 200 else {"error": {"type": "t", "message": "told to"}}).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def flaky(*statuses: int) -> Iterator[tuple[str, list[Any]]]:
    handler = type("Told", (Flaky,), {"statuses": list(statuses), "seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_port}", handler.seen
        http.shutdown()


def test_scores_come_back_in_order(server: Server) -> None:
    with client(server.url) as rewards:
        results = rewards.score([counting(k) for k in range(500)])
    assert [result["score"] for result in results if isinstance(result, dict)] == [expected(k) for k in range(500)]


def test_one_bad_item_is_one_error(server: Server) -> None:
    with client(server.url) as rewards:
        good, bad, alone = *rewards.score([counting(3), item("count", "1", "1")]), *rewards.score([item("count", "1", "1")])
    assert isinstance(good, dict)
    for one in (bad, alone):
        assert isinstance(one, RewardRefused)
        assert "did you mean 'counting'" in str(one)


@pytest.mark.parametrize("status", [0, 408, 429, 500, 502, 503, 504, 529])
def test_passing_faults_are_tried_again(status: int) -> None:
    with flaky(status, status) as (url, seen), client(url, backoff=0.01) as rewards:
        [result] = rewards.score([counting(1)])
    assert isinstance(result, dict)
    assert result["score"] == 0.5
    assert len(seen) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_refusals_are_not_tried_again(status: int) -> None:
    with flaky(status) as (url, seen), client(url) as rewards:
        [result] = rewards.score([counting(1)])
    assert isinstance(result, RewardRefused)
    assert "told to" in str(result)
    assert len(seen) == 1


def test_batches_that_are_too_large_are_split(tmp_path: Path) -> None:
    with serving(tmp_path, max_body_bytes=20_000, max_batch=10) as server, client(server.url) as rewards:
        long = [item("counting", "x" * 3000 + f"<answer>{k % 10},1,4</answer>", "3,1,4") for k in range(50)]
        results = rewards.score([*long, item("counting", "x" * 30_000, "3,1,4")])
    assert [result["score"] for result in results[:-1] if isinstance(result, dict)] == [expected(k) for k in range(50)]
    assert isinstance(results[-1], RewardRefused)
    assert "20000 bytes" in str(results[-1])


def test_a_step_of_long_responses_is_scored(tmp_path: Path) -> None:
    """64 responses of 30,000 characters are 12 MB as JSON, more than a server takes in a request."""
    long = [item("counting", "想" * 30_000 + f"<answer>{k % 10},1,4</answer>", "3,1,4") for k in range(64)]
    for limits in ({}, {"max_body_bytes": 1_000_000}):
        with serving(tmp_path, **limits) as server, client(server.url, attempts=1) as rewards:
            results = rewards.score(long)
        assert [result["score"] for result in results if isinstance(result, dict)] == [expected(k) for k in range(64)]


def test_faults_of_a_scorer_are_no_faults_of_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_task.py").write_text(SLOW_TASK)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}")
    settings = {"imports": "slow_task", "item_seconds": 0.1}
    with serving(tmp_path, **settings) as server, client(server.url, backoff=0.01, trip=0.0, cooldown=60) as rewards:
        for others in ([], [counting(1)], [item("counting", "1", "bad truth")]):
            results = rewards.score([item("slow", "fault", "3,1,4"), item("slow", "loop", "3,1,4"), *others])
            assert [type(result) for result in results[:2]] == [RewardUnavailable] * 2
            assert ["internal" in str(results[0]), "time_limit" in str(results[1])] == [True, True]
        assert isinstance(results[2], RewardRefused)
        [good] = rewards.score([counting(1)])
        assert isinstance(good, dict)


def test_attempts_and_deadline_are_bounds() -> None:
    with flaky(*[500] * 50) as (url, seen):
        with client(url, attempts=3, backoff=0.01) as rewards:
            assert isinstance(rewards.score([counting(1)])[0], RewardUnavailable)
        assert len(seen) == 3
        with client(url, attempts=1000, backoff=0.2, deadline=0.5) as rewards:
            started = time.monotonic()
            assert isinstance(rewards.score([counting(1)])[0], RewardUnavailable)
            assert time.monotonic() - started < 10


def test_a_hung_server_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with client(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2, attempts=2, backoff=0.01) as rewards:
            [result] = rewards.score([counting(1)])
    assert isinstance(result, RewardUnavailable)
    assert "Timeout" in str(result)


@contextmanager
def dripping() -> Iterator[str]:
    """A server that answers a byte at a time, for ever."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            link, _ = listener.accept()
            with link, suppress(OSError):
                link.sendall(b"HTTP/1.1 200 OK\r\n")
                while True:
                    link.sendall(b"x: y\r\n")
                    time.sleep(0.05)

        for _ in range(4):
            threading.Thread(target=drip, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(("bounds", "message"), [({"timeout": 0.3, "attempts": 2}, "2 attempts"), ({"deadline": 0.5}, "0.5 s")])
def test_a_dripping_server_is_given_up(bounds: dict[str, Any], message: str) -> None:
    with dripping() as url, client(url, backoff=0.01, **bounds) as rewards:
        [result] = rewards._submit([counting(1)]).result(timeout=20)
    assert isinstance(result, RewardUnavailable)
    assert message in str(result)


def test_waiting_for_a_connection_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_task.py").write_text(SLOW_TASK)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}")
    with serving(tmp_path, imports="slow_task") as server, client(server.url, connections=1, timeout=1, batch=5) as rewards:
        results = rewards.score([item("slow", "tenth", "3,1,4")] * 30)
    assert [result["score"] for result in results if isinstance(result, dict)] == [1] * 30


def test_a_server_that_failed_once_is_asked_again() -> None:
    with flaky(503) as (one, first), flaky() as (other, second):
        with client(one, other, backoff=0.01, cooldown=0.1) as rewards:
            for _ in range(30):
                assert isinstance(rewards.score([counting(1)])[0], dict)
                time.sleep(0.02)
        assert len(first) > 5
        assert len(second) > 5


def test_closing_finishes_what_waits() -> None:
    with flaky() as (url, _), client(url, linger=5) as rewards:
        waiting = rewards._submit([counting(1)])
        rewards.close()
        assert isinstance(waiting.result(timeout=5)[0], dict)


def test_closing_as_a_call_ends_strands_nobody() -> None:
    with client(f"http://127.0.0.1:{free_port()}", attempts=1, linger=0) as rewards:
        for k in range(300):
            waiting = rewards._submit([counting(1)])
            time.sleep(k % 10 / 5000)
            rewards.close()
            assert isinstance(waiting.result(timeout=10)[0], RewardUnavailable)


def test_a_pause_is_no_outage() -> None:
    """A call that failed long ago says nothing of now: what comes at once after a pause is all sent."""
    with flaky(500) as (url, _), client(url, attempts=1, batch=8, trip=0.2, cooldown=0.05) as rewards:
        assert isinstance(rewards.score([counting(1)])[0], RewardUnavailable)
        time.sleep(0.5)
        assert all(isinstance(result, dict) for result in rewards.score([counting(k) for k in range(64)]))


def test_the_deadline_holds_for_faults_of_a_scorer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_task.py").write_text(SLOW_TASK)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}")
    with serving(tmp_path, imports="slow_task") as server, client(server.url, deadline=5, backoff=60) as rewards:
        [result] = rewards._submit([item("slow", "fault", "3,1,4")]).result(timeout=30)
    assert "internal" in str(result)


def test_clients_that_are_forgotten_leave_no_thread() -> None:
    with flaky() as (url, _):
        before = threading.active_count()
        for _ in range(20):
            RewardClient(url=url).score([counting(1)])
        assert eventually(lambda: threading.active_count() < before + 20)


FORKS = """
import os, sys, threading
from reward_service.clients import RewardClient
rewards = RewardClient(url=sys.argv[1])
item = {"task": "counting", "ground_truth": "3,1,4", "response": "3,1,4"}
assert rewards.score([item])[0]["score"] == 1
done = threading.Event()

def submit():
    while not done.is_set():
        rewards._submit([]).result(timeout=20)

threading.Thread(target=submit, daemon=True).start()
children = []
for _ in range(8):
    child = os.fork()
    if not child:
        os._exit(0 if rewards.score([item])[0]["score"] == 1 else 1)
    children.append(child)
ended = [os.waitpid(child, 0)[1] for child in children]
done.set()
assert rewards.score([item])[0]["score"] == 1
print(*ended)
"""


def test_forks_score_whatever_other_threads_do(server: Server) -> None:
    # in a process of its own: this one may have threads of libraries that do not outlive a fork
    program = [sys.executable, "-c", FORKS, server.url]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["0"] * 8, done.stderr


def test_an_item_that_cannot_be_sent_is_its_own_error(server: Server) -> None:
    with client(server.url) as rewards:
        bad, good = rewards.score([{**counting(1), "group": object()}, counting(2)])
    assert isinstance(bad, RewardRefused)
    assert isinstance(good, dict)


@pytest.mark.parametrize(
    ("response", "truth"), [(None, "3,1,4"), (float("nan"), "3,1,4"), (b"3,1,4", "3,1,4"), ("3,1,4", None)]
)
def test_what_is_no_text_is_not_scored_as_text(response: Any, truth: Any) -> None:
    with pytest.raises(ValueError, match="send"):
        item("counting", response, truth)


def test_a_dead_server_fails_over_to_a_living_one(server: Server) -> None:
    with client(f"http://127.0.0.1:{free_port()}", server.url, backoff=0.01, batch=4) as rewards:
        for start in range(0, 80, 8):
            results = rewards.score([counting(start + k) for k in range(8)])
            assert [result["score"] for result in results if isinstance(result, dict)] == [
                expected(start + k) for k in range(8)
            ]


def test_the_circuit_fails_fast_and_closes_again(tmp_path: Path) -> None:
    port = free_port()
    with client(f"http://127.0.0.1:{port}", attempts=3, backoff=0.01, trip=0.0, cooldown=0.3) as rewards:
        assert isinstance(rewards.score([counting(1)])[0], RewardUnavailable)
        [fast] = rewards.score([counting(1)])
        assert isinstance(fast, RewardUnavailable)
        assert "have failed for" in str(fast)
        with serving(tmp_path, port=port):
            time.sleep(0.4)
            assert isinstance(rewards.score([counting(1)])[0], dict)


def test_concurrent_calls_share_requests() -> None:
    with flaky() as (url, seen), client(url, linger=0.05) as rewards:

        async def calls() -> None:
            await asyncio.gather(*(rewards.score_async([counting(k)]) for k in range(128)))

        asyncio.run(calls())
    assert sorted(len(body["items"]) for body in seen) == [64, 64]


def test_event_loops_threads_and_processes(server: Server) -> None:
    with client(server.url) as rewards:
        for k in range(3):  # as ms-swift: a new loop for each batch
            [result] = asyncio.run(rewards.score_async([counting(k)]))
            assert isinstance(result, dict)
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda k: rewards.score([counting(k)])[0], range(64)))
        assert [result["score"] for result in results if isinstance(result, dict)] == [expected(k) for k in range(64)]
        copy = pickle.loads(pickle.dumps(rewards))
        assert isinstance(copy.score([counting(1)])[0], dict)
        copy.close()


def test_numpy_values_and_odd_texts_go_through(server: Server) -> None:
    extra = {
        "chance": np.float32(0.25),
        "level": np.float64(0.5),
        "level_name": np.str_("hard"),
        "num_turns": np.int64(2),
        "recipe": object(),
    }
    with client(server.url) as rewards:
        [result, cut] = rewards.score(
            [
                item("counting", np.str_("3,1,4"), "3,1,4", extra, np.int64(3)),
                item("counting", "\ud83d 3,1,4", "3,1,4", {"level": float("nan")}),
            ]
        )
    assert isinstance(result, dict)
    assert result["score"] == 1
    assert isinstance(cut, dict)


def test_settings_teach() -> None:
    with pytest.raises(ValueError, match=r"timout is not a setting .* timeout"):
        RewardClient(timout=3)
    with pytest.raises(ValueError, match="not a number"):
        RewardClient(timeout="soon")
    for wrong in (
        {"batch": 0},
        {"attempts": 0},
        {"connections": -1},
        {"timeout": 0},
        {"linger": -1},
        {"deadline": float("nan")},
    ):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))}=.* is not allowed"):
            RewardClient(**wrong)
    with pytest.raises(ValueError, match="smooth, strict, above_chance"):
        RewardClient(mode="best")
    for url in ("localhost:8000", "http://a:port", "", "http://a:1,ftp://b"):
        with pytest.raises(ValueError, match="http://host:8000"):
            RewardClient(url=url)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEOSSR_REWARD_URL", "http://a:1, http://b:2/")
    monkeypatch.setenv("VIDEOSSR_REWARD_ATTEMPTS", "9")
    settings = ClientSettings.read(attempts=4)
    assert (settings.urls, settings.attempts) == (("http://a:1", "http://b:2"), 4)


def test_tokens_are_sent_and_not_shown(tmp_path: Path) -> None:
    with serving(tmp_path, tokens="other,secret") as guarded:
        with client(guarded.url, token="secret") as rewards:
            assert isinstance(rewards.score([counting(1)])[0], dict)
            assert "secret" not in repr(rewards.settings)
        with client(guarded.url) as rewards:
            [refused] = rewards.score([counting(1)])
    assert isinstance(refused, RewardRefused)
    assert "Authorization" in str(refused)


def eventually(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + 20
    while not holds() and time.monotonic() < end:
        time.sleep(0.05)
    return holds()


def test_a_worker_killed_in_mid_run_costs_no_score(tmp_path: Path) -> None:
    with serving(tmp_path, workers=2) as server, client(server.url, batch=8, backoff=0.2, attempts=10) as rewards:
        victim = server.workers()[0]
        threading.Timer(0.3, os.kill, (victim, signal.SIGKILL)).start()
        results: list[Any] = []
        for start in range(0, 5000, 500):
            results += rewards.score([counting(start + k, group=(start + k) // 8) for k in range(500)])
            time.sleep(0.1)
        assert [result["score"] for result in results] == [expected(k) for k in range(5000)]
        # what was tried again is counted once; the killed worker's share is not lost
        assert count_rollouts(server) == 5000
        assert eventually(lambda: len(server.workers()) == 3), "no worker took the place of the killed one"


def test_one_of_two_servers_killed_in_mid_run_costs_no_score(tmp_path: Path) -> None:
    with serving(tmp_path) as one, serving(tmp_path) as other, client(one.url, other.url, batch=8, backoff=0.1) as rewards:
        threading.Timer(0.3, one.process.kill).start()
        results: list[Any] = []
        for start in range(0, 5000, 500):
            results += rewards.score([counting(start + k) for k in range(500)])
            time.sleep(0.1)
    assert [result["score"] for result in results] == [expected(k) for k in range(5000)]


def test_all_servers_killed_is_an_exception(tmp_path: Path) -> None:
    with serving(tmp_path) as server, client(server.url, batch=8, attempts=2, backoff=0.01) as rewards:
        threading.Timer(0.1, server.process.kill).start()
        results: list[Any] = []
        for start in range(0, 3000, 500):
            results += rewards.score([counting(start + k) for k in range(500)])
            time.sleep(0.05)
    for k, result in enumerate(results):
        assert isinstance(result, RewardUnavailable) or result["score"] == expected(k)
    assert any(isinstance(result, RewardError) for result in results)
