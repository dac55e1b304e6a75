"""Operating the service: settings, limits, logs, tokens, slow and silent clients, draining."""

from __future__ import annotations

import asyncio
import base64
import json
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from dataset_builder.cli import main
from reward_service.monitoring.diagnose import diagnose
from reward_service.serve import read_settings
from reward_service.settings import Settings
from tests.servers import ROOT, Server, free_port, serving, wait_until_ready

GOOD = {"task": "counting", "ground_truth": "3,1,4", "response": "3,1,5"}
SLOW_TASK = '''
"""Tasks that go wrong, for the tests of the service."""
import time
from dataclasses import replace
from dataset_builder.tasks import register, get

class Slow(type(get("counting"))):
    name = "slow"
    def score(self, response, ground_truth, chance=None):
        if response == "fault":
            raise KeyError("oops")
        if response in ("tenth", "slow"):
            time.sleep(0.1 if response == "tenth" else 1.1)
            response = "3,1,4"
        scored = super().score(response, ground_truth, chance)
        return replace(scored, score=float("nan")) if response == "0,0,0" else scored

register(Slow())
'''


def test_settings_have_one_name_in_three_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDEOSSR_SERVE_MAX_BATCH", "7")
    monkeypatch.setenv("VIDEOSSR_SERVE_TOKENS", "a, b")
    settings = read_settings(["--port", "9", "--max-body-bytes=2000"])
    assert (settings.port, settings.max_body_bytes, settings.max_batch, settings.bearer_tokens) == (9, 2000, 7, (b"a", b"b"))
    assert Settings(max_batch=3).max_batch == 3
    assert "b" not in repr(settings.tokens)


def test_wrong_settings_teach(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--port", "many"]) == 2
    assert "port='many'" in capsys.readouterr().err
    assert main(["serve", "--mode", "best", "--max-batch", "0"]) == 2
    assert "max_batch" in capsys.readouterr().err
    assert main(["serve", "--tokens", " ,"]) == 2
    assert "no token" in capsys.readouterr().err
    assert main(["serve", "--imports", "nosuch"]) == 2
    assert "imports='nosuch'" in capsys.readouterr().err


def test_bodies_and_batches_are_bounded(tmp_path: Path) -> None:
    with serving(tmp_path, max_body_bytes=20_000, max_batch=4) as server:
        assert server.post("/v1/score", {"items": [GOOD] * 5}).status_code == 413
        too_large = server.post("/v1/score", {"items": [{**GOOD, "response": "x" * 30_000}]})
        assert (too_large.status_code, too_large.json()["error"]["type"]) == (413, "body_too_large")
        chunked = httpx.post(server.url + "/v1/score", content=iter([b"x" * 1000] * 30))
        assert chunked.status_code == 413
        assert server.post("/reset", {"x": "y" * 30_000}).status_code == 413


def test_a_task_that_fails_costs_only_its_item(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_task.py").write_text(SLOW_TASK)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}")
    with serving(tmp_path, imports="slow_task") as server:
        items = [{**GOOD, "task": "slow", "response": text} for text in ("fault", "3,1,4", "0,0,0", "slow")]
        fault, good, not_finite, slow = server.post("/v1/score", {"items": items}).json()["results"]
        assert good["score"] == slow["score"] == 1
        assert fault["error"]["type"] == not_finite["error"]["type"] == "internal"
        assert "oops" not in str(fault)
        for text in ("fault", "0,0,0"):
            assert server.post("/slime/slow", {"response": text, "label": "3,1,4"}).status_code == 500
    assert any("oops" in event.get("traceback", "") for event in server.events())
    assert any(event["event"].startswith("task is slow") and event["seconds"] > 1 for event in server.events())


def test_tokens(tmp_path: Path) -> None:
    with serving(tmp_path, tokens="first,second") as server:

        def status(path: str, header: str | None, method: str = "GET") -> int:
            link = HTTPConnection(server.url.removeprefix("http://"))  # httpx would not send some of these
            link.request(method, path, b'{"items": []}', {} if header is None else {"authorization": header.encode("latin-1")})
            return link.getresponse().status

        for path, method in (
            ("/v1/score", "POST"),
            ("/v1/stats", "GET"),
            ("/metrics", "GET"),
            ("/slime", "POST"),
            ("/reset", "POST"),
        ):
            for header in (None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic first", "Bearer ünicode"):
                assert status(path, header, method) == 401
            assert status(path, "Bearer second", method) != 401
            assert status(path, "bearer first", method) != 401
            for name, passes in (
                ("any:second", True),
                (":first", True),
                ("second", False),
                ("any:wrong", False),
                ("any:", False),
            ):
                basic = f"Basic {base64.b64encode(name.encode()).decode()}"
                assert (status(path, basic, method) != 401) is passes
            assert status(path, "Basic %%%", method) == 401
        assert [status(path, None) for path in ("/", "/healthz", "/readyz")] == [200, 200, 200]
        assert [status(path, None, "HEAD") for path in ("/", "/healthz", "/readyz")] == [200, 200, 200]
        with pytest.raises(ConnectionError):
            asyncio.run(_open_socket(server))


def test_tokens_are_bytes(tmp_path: Path) -> None:
    with serving(tmp_path, tokens="tök") as server:
        assert server.get("/v1/tasks", headers={"authorization": "Bearer tök".encode()}).status_code == 200
        assert server.get("/v1/tasks", headers={"authorization": "Bearer tok"}).status_code == 401


async def _open_socket(server: Server) -> None:
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus

    try:
        async with connect(server.url.replace("http", "ws") + "/ws"):
            pass
    except InvalidStatus as error:
        raise ConnectionError(str(error)) from None


def test_without_tokens_any_header_passes(server: Server) -> None:
    assert server.post("/v1/score", {"items": [GOOD]}, headers={"authorization": ""}).status_code == 200


def test_logs_are_json_without_text(tmp_path: Path) -> None:
    secret = "the model's words"
    with serving(tmp_path, log_level="debug") as server:
        for task in ("x", "counting"):
            server.post("/v1/score", {"items": [{**GOOD, "task": task, "response": secret}]})
    answered = [event["event"].partition("POST ")[2] for event in server.events() if event["logger"] == "uvicorn.access"]
    assert [line for line in answered if line] == ['/v1/score HTTP/1.1" 422', '/v1/score HTTP/1.1" 200']
    assert "is unknown" in next(event["error"] for event in server.events() if event["event"] == "refused")
    assert secret not in server.log.read_text()


def connection(server: Server) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


HALF = b'POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"items"'


def test_half_sent_bodies_end_in_time_and_stall_nobody(tmp_path: Path) -> None:
    with serving(tmp_path, body_seconds=0.5) as server:
        other = connection(server)
        other.sendall(HALF.replace(b"/v1/score", b"/reset"))
        assert b" 408 " in other.recv(4096)
        slow = [connection(server) for _ in range(50)]
        for one in slow:
            one.sendall(HALF)
        assert server.post("/v1/score", {"items": [GOOD]}).status_code == 200
        for one in slow:
            assert b" 408 " in one.recv(4096)
            one.close()


def test_a_thousand_idle_connections_stall_nobody(server: Server) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    idle = [connection(server) for _ in range(1024)]
    for one in idle[::4]:
        one.sendall(HALF)
    replies = [server.post("/v1/score", {"items": [GOOD]}).status_code for _ in range(20)]
    last = idle[-1]
    body = json.dumps({"items": [GOOD]}).encode()
    last.sendall(b"POST /v1/score HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    assert b" 200 OK" in last.recv(4096)
    for one in idle:
        one.close()
    assert replies == [200] * 20


def test_clients_that_leave_do_no_harm(server: Server) -> None:
    for sent in (b"", HALF, HALF[:20], b"\x00\xff\r\n\r\n"):
        gone = connection(server)
        gone.sendall(sent)
        gone.close()
    assert server.post("/v1/score", {"items": [GOOD]}).status_code == 200


def test_a_long_batch_lets_others_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scoring gives way between items: short requests are answered while a batch of 2 s is under way."""
    (tmp_path / "slow_task.py").write_text(SLOW_TASK)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}")
    with serving(tmp_path, imports="slow_task") as server:
        done: list[Any] = []
        batch = {"items": [{**GOOD, "task": "slow", "response": "tenth"}] * 20}
        thread = threading.Thread(target=lambda: done.append(server.post("/v1/score", batch).json()))
        thread.start()
        time.sleep(0.2)
        for _ in range(3):
            assert server.post("/v1/score", {"items": [GOOD]}).status_code == 200
        assert not done
        thread.join()
        assert [result["score"] for result in done[0]["results"]] == [1] * 20


def test_sigterm_finishes_what_is_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_task.py").write_text(SLOW_TASK)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}")
    with serving(tmp_path, imports="slow_task") as server:
        replies: list[Any] = []

        def send() -> None:
            replies.append(server.post("/v1/score", {"items": [{**GOOD, "task": "slow", "response": "tenth"}] * 10}).json())

        threads = [threading.Thread(target=send) for _ in range(4)]
        for thread in threads:
            thread.start()
        while "videossr_in_flight_requests 4.0" not in server.get("/metrics").text:
            time.sleep(0.05)
        server.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join()
        assert server.process.wait(20) in (0, -signal.SIGTERM)
    assert [[result["score"] for result in reply["results"]] for reply in replies] == [[1] * 10] * 4


def test_the_app_runs_under_plain_uvicorn_with_workers(tmp_path: Path) -> None:
    """Each process has statistics of its own, and says so."""
    port = free_port()
    log = tmp_path / "log"
    command = ["-m", "uvicorn", "--factory", "reward_service.http.app:create_app", f"--port={port}", "--workers=2"]
    counts: dict[str, int] = {}
    with log.open("wb") as out, subprocess.Popen([sys.executable, *command], cwd=ROOT, stderr=out, stdout=out) as process:
        try:
            server = Server(f"http://127.0.0.1:{port}", process, log)
            wait_until_ready(server)
            for k in range(60):
                server.post("/v1/score", {"items": [{**GOOD, "group": 1, "id": k}]}, headers={"connection": "close"})
            for _ in range(30):
                summary = server.get("/v1/stats", headers={"connection": "close"}).json()
                counts[summary["process"]] = sum(run["counting"]["unknown"]["rollouts"] for run in summary["runs"].values())
        finally:
            process.terminate()
    assert len(counts) == 2
    assert sum(counts.values()) == 60


def test_a_killed_server_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a process that holds the port, nor a file; only the rollout log, which a new server continues."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    port, rollouts = free_port(), tmp_path / "rollouts.jsonl"
    for number in (1, 2):
        with serving(tmp_path, port=port, rollout_log=rollouts) as server:
            assert not psutil.Process(server.process.pid).children(recursive=True)
            server.post("/v1/score", {"items": [{**GOOD, "group": k // 4, "id": k} for k in range(8 * number)]})
            server.process.kill()
            server.process.wait()
    assert not list((tmp_path / "temporary").iterdir())
    [(_, tasks)] = diagnose(rollouts).runs.items()
    assert (tasks["counting"]["unknown"]["rollouts"], tasks["counting"]["unknown"]["groups"]) == (16, 4)


def test_a_full_disk_costs_no_reward(tmp_path: Path) -> None:
    with serving(tmp_path, rollout_log="/dev/full") as server:
        assert server.post("/v1/score", {"items": [{**GOOD, "group": 1}]}).status_code == 200
    assert any(event["event"] == "rollouts not logged" and event["rollouts"] == 1 for event in server.events())


def test_a_port_in_use_is_said(server: Server) -> None:
    port = server.url.rsplit(":", 1)[1]
    done = subprocess.run(
        [sys.executable, "-m", "dataset_builder.cli", "serve", "--port", port],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "address already in use" in done.stderr


def test_too_many_items_are_refused_without_waiting(tmp_path: Path) -> None:
    with serving(tmp_path, max_batch=4) as server:
        assert server.post("/v1/score", {"items": [GOOD] * 5}).status_code == 413
        assert "videossr_in_flight_requests 0.0" in server.get("/metrics").text
