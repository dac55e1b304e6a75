"""The Python clients against real services: right scores or exceptions, whatever happens to the servers."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import pickle
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import psutil
import pytest

from dataset_builder import tasks
from reward_service.clients import ClientSettings, RewardClient, RewardError, RewardRefused, RewardUnavailable, item, trl
from tests.servers import ROOT, Server, free_port, serving, stats

from .test_serve import SLOW_TASK

COUNTING = tasks.get("counting")


def counting(k: int, **names: Any) -> dict[str, Any]:
    return item("videossr/counting", f"<answer>{k % 10},1,4</answer>", "3,1,4", {"level_name": "hard"}, **names)


def expected(k: int) -> float:
    return COUNTING.score(f"{k % 10},1,4", "3,1,4").score


def client(*urls: str, **settings: Any) -> RewardClient:
    return RewardClient(url=",".join(urls), **settings)


class Reply(NamedTuple):
    """A reply that no reward service writes; status 0 hangs up."""

    status: int
    body: bytes = b"<html>an ingress speaks</html>"
    headers: Mapping[str, str] = {}


class Flaky(BaseHTTPRequestHandler):
    """Answers with these statuses, in the service's form, or replies; then scores everything 0.5."""

    protocol_version = "HTTP/1.1"
    replies: list[int | Reply]
    seen: list[Any]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.seen.append(body)
        reply = self.replies.pop(0) if self.replies else 200
        if isinstance(reply, int):
            results = [{"reward": 0.5} for _ in body["items"]]
            error = {"error": {"type": "t", "message": "told to"}, "errors": []}
            reply = Reply(reply, json.dumps({"results": results} if reply == 200 else error).encode())
        if reply.status == 0:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_response(reply.status)
        for name, value in {"content-length": str(len(reply.body)), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def flaky(*replies: int | Reply, context: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[Any]]]:
    handler = type("Told", (Flaky,), {"replies": list(replies), "seen": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        if context:
            http.socket = context.wrap_socket(http.socket, server_side=True)
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http{'s' if context else ''}://127.0.0.1:{http.server_port}", handler.seen
        http.shutdown()


def test_scores_come_back_in_order(server: Server) -> None:
    rewards = client(server.url)
    results = rewards.score([counting(k) for k in range(500)])
    assert [result["score"] for result in results if isinstance(result, dict)] == [expected(k) for k in range(500)]


def test_one_bad_item_is_one_error(server: Server) -> None:
    rewards = client(server.url)
    good, bad, alone = *rewards.score([counting(3), item("count", "1", "1")]), *rewards.score([item("count", "1", "1")])
    assert isinstance(good, dict)
    for one in (bad, alone):
        assert isinstance(one, RewardRefused)
        assert "did you mean 'counting'" in str(one)


@pytest.mark.parametrize("status", [0, 408, 429, 500, 502, 503, 504, 529])
def test_passing_faults_are_tried_again(status: int) -> None:
    with flaky(status, status) as (url, seen):
        rewards = client(url, backoff=0.01)
        [result] = rewards.score([counting(1)])
    assert isinstance(result, dict)
    assert result["reward"] == 0.5
    assert len(seen) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
def test_refusals_are_not_tried_again(status: int) -> None:
    with flaky(status) as (url, seen):
        rewards = client(url)
        [result] = rewards.score([counting(1)])
    assert isinstance(result, RewardRefused)
    assert "told to" in str(result)
    assert len(seen) == 1


def test_batches_that_are_too_large_are_split(tmp_path: Path) -> None:
    with serving(tmp_path, max_body_bytes=20_000, max_batch=10) as server:
        rewards = client(server.url)
        long = [item("counting", "x" * 3000 + f"<answer>{k % 10},1,4</answer>", "3,1,4") for k in range(50)]
        results = rewards.score([*long, item("counting", "x" * 30_000, "3,1,4")])
    assert [result["score"] for result in results[:-1] if isinstance(result, dict)] == [expected(k) for k in range(50)]
    assert isinstance(results[-1], RewardRefused)
    assert "20000 bytes" in str(results[-1])


def test_a_step_of_long_responses_is_scored(tmp_path: Path) -> None:
    """64 responses of 30,000 characters are 12 MB as JSON, more than a server takes in a request."""
    long = [item("counting", "想" * 30_000 + f"<answer>{k % 10},1,4</answer>", "3,1,4") for k in range(64)]
    for limits in ({}, {"max_body_bytes": 1_000_000}):
        with serving(tmp_path, **limits) as server:
            rewards = client(server.url, attempts=1)
            results = rewards.score(long)
        assert [result["score"] for result in results if isinstance(result, dict)] == [expected(k) for k in range(64)]


def test_attempts_and_deadline_are_bounds() -> None:
    with flaky(*[500] * 50) as (url, seen):
        rewards = client(url, attempts=3, backoff=0.01)
        assert isinstance(rewards.score([counting(1)])[0], RewardUnavailable)
        assert len(seen) == 3
        rewards = client(url, attempts=1000, backoff=0.2, deadline=0.5)
        started = time.monotonic()
        assert isinstance(rewards.score([counting(1)])[0], RewardUnavailable)
        assert time.monotonic() - started < 10


def test_a_hung_server_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        rewards = client(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2, attempts=2, backoff=0.01)
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
    with dripping() as url:
        rewards = client(url, backoff=0.01, **bounds)
        [result] = rewards.score([counting(1)])
    assert isinstance(result, RewardUnavailable)
    assert message in str(result)


def test_waiting_for_a_connection_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_task.py").write_text(SLOW_TASK)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}")
    with serving(tmp_path, imports="slow_task") as server:
        rewards = client(server.url, connections=1, timeout=1, batch=5)
        results = rewards.score([item("slow", "tenth", "3,1,4")] * 30)
    assert [result["score"] for result in results if isinstance(result, dict)] == [1] * 30


def test_a_server_that_failed_once_is_asked_again() -> None:
    with flaky(503) as (one, first), flaky() as (other, second):
        rewards = client(one, other, backoff=0.01, cooldown=0.1)
        for _ in range(30):
            assert isinstance(rewards.score([counting(1)])[0], dict)
            time.sleep(0.02)
        assert len(first) > 5
        assert len(second) > 5


FORKS = """
import os, sys, threading
from reward_service.clients import RewardClient
rewards = RewardClient(url=sys.argv[1])
item = {"task": "counting", "ground_truth": "3,1,4", "response": "3,1,4"}
assert rewards.score([item])[0]["score"] == 1
done = threading.Event()

def submit():
    while not done.is_set():
        rewards.score([item])

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
    rewards = client(server.url)
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
    rewards = client(f"http://127.0.0.1:{free_port()}", server.url, backoff=0.01, batch=4)
    for start in range(0, 80, 8):
        results = rewards.score([counting(start + k) for k in range(8)])
        assert [result["score"] for result in results if isinstance(result, dict)] == [expected(start + k) for k in range(8)]


def test_concurrent_calls_share_requests() -> None:
    with flaky() as (url, seen):
        rewards = client(url, linger=0.05)

        async def calls() -> None:
            await asyncio.gather(*(rewards.score_async([counting(k)]) for k in range(128)))

        asyncio.run(calls())
    assert sorted(len(body["items"]) for body in seen) == [64, 64]


def test_event_loops_threads_and_processes(server: Server) -> None:
    rewards = client(server.url)
    for k in range(3):  # as ms-swift: a new loop for each batch
        [result] = asyncio.run(rewards.score_async([counting(k)]))
        assert isinstance(result, dict)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda k: rewards.score([counting(k)])[0], range(64)))
    assert [result["score"] for result in results if isinstance(result, dict)] == [expected(k) for k in range(64)]
    copy = pickle.loads(pickle.dumps(rewards))
    assert isinstance(copy.score([counting(1)])[0], dict)


def test_numpy_values_and_odd_texts_go_through(server: Server) -> None:
    extra = {
        "chance": np.float32(0.25),
        "level": np.float64(0.5),
        "level_name": np.str_("hard"),
        "num_turns": np.int64(2),
        "recipe": object(),
    }
    rewards = client(server.url)
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
    assert (settings.addresses, settings.attempts) == ((("http://a:1", ""), ("http://b:2", "")), 4)


def test_tokens_are_sent_and_not_shown(tmp_path: Path) -> None:
    with serving(tmp_path, tokens="other,secret") as guarded:
        rewards = client(guarded.url, token="secret")
        assert isinstance(rewards.score([counting(1)])[0], dict)
        assert "secret" not in repr(rewards.settings)
        rewards = client(guarded.url)
        [refused] = rewards.score([counting(1)])
    assert isinstance(refused, RewardRefused)
    assert "Authorization" in str(refused)


def test_one_of_two_servers_killed_in_mid_run_costs_no_score(tmp_path: Path) -> None:
    with serving(tmp_path) as one, serving(tmp_path) as other:
        rewards = client(one.url, other.url, batch=8, backoff=0.1)
        threading.Timer(0.3, one.process.kill).start()
        results: list[Any] = []
        for start in range(0, 5000, 500):
            results += rewards.score([counting(start + k) for k in range(500)])
            time.sleep(0.1)
    assert [result["score"] for result in results] == [expected(k) for k in range(5000)]


def test_all_servers_killed_is_an_exception(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        rewards = client(server.url, batch=8, attempts=2, backoff=0.01)
        threading.Timer(0.1, server.process.kill).start()
        results: list[Any] = []
        for start in range(0, 3000, 500):
            results += rewards.score([counting(start + k) for k in range(500)])
            time.sleep(0.05)
    for k, result in enumerate(results):
        assert isinstance(result, RewardUnavailable) or result["score"] == expected(k)
    assert any(isinstance(result, RewardError) for result in results)


INGRESS = Reply(404)
FOREIGN = [
    INGRESS,
    Reply(403),
    Reply(200),
    Reply(204, b""),
    Reply(200, b'{"results": [{"reward": true}]}'),
    Reply(200, b'{"results": []}'),
    Reply(400, b'{"error": {"message": "this is another service", "type": "BadRequestError"}}'),
    Reply(404, b'{"detail": "Not Found"}'),
    Reply(308, b"", {"location": "https://rewards.example/v1/score"}),
    Reply(200, b"[" * 100_000 + b"]" * 100_000),
    Reply(200, b"{}", {"content-encoding": "gzip"}),
    Reply(400, b"{}", {"content-type": "application/json; charset=utf-99"}),
]


@pytest.mark.parametrize("reply", FOREIGN, ids=lambda reply: f"{reply.status} {reply.body[:30]!r}")
def test_a_foreign_reply_is_no_verdict(reply: Reply) -> None:
    with flaky(reply, reply) as (url, seen):
        [result] = client(url, backoff=0.01).score([counting(1)])
        assert isinstance(result, dict)
        assert len(seen) == 3
    with flaky(*[reply] * 500) as (url, _), flaky() as (good, _):
        results = client(url, good, batch=1, backoff=0.01).score([counting(k) for k in range(40)])
    assert [result["reward"] for result in results if isinstance(result, dict)] == [0.5] * 40


def test_a_redirect_is_named() -> None:
    with flaky(*[Reply(308, b"", {"location": "https://rewards.example/v1/score"})] * 2) as (url, _):
        [result] = client(url, attempts=2, backoff=0.01).score([counting(1)])
    assert isinstance(result, RewardUnavailable)
    assert "to https://rewards.example/v1/score, not from a reward service" in str(result)


@pytest.mark.parametrize("is_date", [False, True])
def test_retry_after_is_a_lower_bound(is_date: bool) -> None:
    header = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True) if is_date else "1"
    with flaky(Reply(503, headers={"retry-after": header})) as (url, _):
        started = time.monotonic()
        assert isinstance(client(url, backoff=0.01).score([counting(1)])[0], dict)
        assert time.monotonic() - started > 0.9


def test_an_ingress_that_finds_a_request_too_large_gets_smaller_ones() -> None:
    with flaky(Reply(413), Reply(413)) as (url, seen):
        results = client(url, connections=1).score([counting(k) for k in range(8)])
    assert all(isinstance(result, dict) for result in results)
    assert sorted(len(body["items"]) for body in seen) == [2, 2, 4, 4, 8]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that signs itself, as a private authority's."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "key", "-out", tmp_path / "ca.pem",
         "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True,
    )  # fmt: skip
    return tmp_path / "ca.pem"


def test_a_private_authority(certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, tmp_path / "key")
    with flaky(context=context) as (url, seen):
        started = time.monotonic()
        [refused] = client(url).score([counting(1)])
        assert isinstance(refused, RewardRefused)
        assert "SSL_CERT_FILE" in str(refused)
        assert time.monotonic() - started < 5, "a certificate error is not tried again"
        assert isinstance(client(url, ca=str(certificate)).score([counting(1)])[0], dict)
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert isinstance(client(url).score([counting(1)])[0], dict)
        monkeypatch.delenv("SSL_CERT_FILE")
        (tmp_path / "authorities").mkdir()
        name = subprocess.run(
            ["openssl", "x509", "-hash", "-noout", "-in", certificate], capture_output=True, text=True, check=True
        )
        (tmp_path / "authorities" / f"{name.stdout.strip()}.0").write_bytes(certificate.read_bytes())
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "authorities"))
        assert isinstance(client(url).score([counting(1)])[0], dict)
    assert len(seen) == 3
    with pytest.raises(ValueError, match=r"ca='/nowhere\.pem'"):
        client(url, ca="/nowhere.pem")


def test_certificates_are_checked_however_the_url_is_written(certificate: Path, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, tmp_path / "key")
    with flaky(context=context) as (url, seen):
        assert isinstance(client(url.replace("https", "HTTPS")).score([counting(1)])[0], RewardRefused)
    assert not seen


def test_calls_that_are_cancelled_leave_no_connection(server: Server) -> None:
    async def cancel() -> int:
        process = psutil.Process()
        before = len(process.net_connections())
        call = asyncio.create_task(client(server.url, linger=0.05).score_async([counting(1)]))
        await asyncio.sleep(0.01)
        call.cancel()
        await asyncio.sleep(0.3)
        return len(process.net_connections()) - before

    assert asyncio.run(cancel()) == 0


def test_a_token_in_the_url_is_sent_and_never_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown = []
    port = free_port()
    url = f"http://any:s3cret%2541@127.0.0.1:{port}"
    shown += [repr(client(url).settings), repr(client(url, attempts=1).score([counting(1)]))]
    with serving(tmp_path, port=port, tokens="s3cret%41"):
        assert isinstance(client(url).score([counting(1)])[0], dict)
        [refused] = client(url.replace("cret", "cret-wrong")).score([counting(1)])
        assert isinstance(refused, RewardRefused)
        shown.append(str(refused))
    with flaky(500) as (failing, _):
        [failed] = client(failing.replace("//", "//any:s3cret@"), attempts=1).score([counting(1)])
        shown.append(str(failed))
    with pytest.raises(ValueError, match="server address") as error:
        client("http://any:s3cret@host:port")
    assert "s3cret" not in "".join([*shown, str(error.value), caplog.text])


AT_EXIT = """
import atexit, sys, threading
from reward_service.clients import RewardClient
rewards = RewardClient(url=sys.argv[1], attempts=1)
item = {"task": "counting", "ground_truth": "3,1,4", "response": "3,1,4"}
atexit.register(lambda: print(type(rewards.score([item])[0]).__name__))
class Late:
    def __del__(self):
        print(type(rewards.score([item])[0]).__name__)
late = Late()
"""


def test_at_the_interpreters_exit_there_is_a_score_or_an_error(server: Server) -> None:
    program = [sys.executable, "-c", AT_EXIT, server.url]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split()[0] == "dict", done.stderr
    assert done.stdout.split()[1] in ("dict", "RewardUnavailable"), done.stderr


def test_an_item_that_is_nested_too_deeply_is_its_own_error(server: Server) -> None:
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]
    bad, good = client(server.url).score([{**counting(1), "extra_info": nested}, counting(2)])
    assert isinstance(bad, RewardRefused)
    assert isinstance(good, dict)


def test_connections_that_are_cut_off_are_closed() -> None:
    """A server that accepts and is silent; timeouts of 20 ms."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as silent:
        rewards = client(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.02, attempts=3, backoff=0.001, batch=1)

        async def rounds() -> int:
            process = psutil.Process()
            before = len(process.net_connections())
            keeps_the_session = asyncio.create_task(rewards.score_async([counting(k) for k in range(200)]))
            for _ in range(6):
                await rewards.score_async([counting(k) for k in range(64)])
            await keeps_the_session
            return len(process.net_connections()) - before

        assert asyncio.run(rounds()) <= 0


LAUNCH = "from reward_service.clients import ClientSettings; print(ClientSettings().run)"
LAUNCHER = f"import subprocess, sys; [subprocess.run([sys.executable, '-c', {LAUNCH!r}]) for _ in range(2)]"


def launch(program: str, **environment: str) -> list[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")} | environment
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_a_run_is_named_once_for_each_launch() -> None:
    (first,), (again,) = launch(LAUNCH), launch(LAUNCH)
    assert first != again
    ranks, ranks_again = launch(LAUNCHER, LOCAL_RANK="0"), launch(LAUNCHER, LOCAL_RANK="0")
    assert ranks[0] == ranks[1] != ranks_again[0]
    assert launch(LAUNCHER, LOCAL_RANK="1", TORCHELASTIC_RUN_ID="job9") == ["job9", "job9"]
    assert launch(LAUNCH, SLURM_STEP_ID="2", SLURM_JOB_ID="77") == ["77.2.0"]
    assert launch(LAUNCH, VIDEOSSR_REWARD_RUN="mine", LOCAL_RANK="0") != ["mine"], "only `read` reads the environment"
    assert ClientSettings.read(run="mine").run == "mine"
    with pytest.raises(ValueError, match="is not a name"):
        ClientSettings(run='a"b')


@pytest.mark.parametrize("named", [True, False])
def test_runs_of_trl_are_told_apart(named: bool, tmp_path: Path) -> None:
    """The same data, steps and prompts, in one process: 10 groups of each run, and no group of both."""
    with serving(tmp_path) as server:
        for run, answer in (("one", "3,1,4"), ("other", "9,9,9")):
            reward = trl.reward_function(url=server.url, **({"run": run} if named else {}))
            for step in range(10):
                rows = {"data_source": ["videossr/counting"] * 4, "ground_truth": ["3,1,4"] * 4}
                extra = [{"index": 100 + step, "split": "train", "level_name": "easy"}] * 4
                state = SimpleNamespace(global_step=step)
                reward(prompts=[""] * 4, completions=[answer] * 4, trainer_state=state, extra_info=extra, **rows)
        runs = stats(server)
    assert [run["counting"]["easy"]["hits"] for run in runs.values()] == [{"4": [10, 0, 0, 0, 0]}, {"4": [0, 0, 0, 0, 10]}]
    assert list(runs) == ["other", "one"] or not named
