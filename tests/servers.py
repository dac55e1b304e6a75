"""Real reward services on loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Server:
    """A running service: base URL, process, and log file."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    def post(self, path: str, body: Any, **kwargs: Any) -> httpx.Response:
        return httpx.post(self.url + path, json=body, timeout=30, trust_env=False, **kwargs)

    def get(self, path: str, **kwargs: Any) -> httpx.Response:
        return httpx.get(self.url + path, timeout=30, trust_env=False, **kwargs)

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


def free_port() -> int:
    """A port of loopback that nobody has; below those that the system gives to whoever asks for any, Ray's workers among them."""
    draw = SystemRandom()
    while True:
        with suppress(OSError), socket.socket() as probe:
            port = draw.randrange(20_000, 32_000)
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def serving(folder: Path, port: int = 0, **settings: Any) -> Iterator[Server]:
    """Run `videossr serve` with these settings until the block ends."""
    port = port or free_port()
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
    log = folder / f"serve-{port}.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "dataset_builder.cli", "serve", f"--port={port}", *flags],
            cwd=ROOT, stderr=out, env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        )  # fmt: skip
    server = Server(f"http://127.0.0.1:{port}", process, log)
    try:
        wait_until_ready(server)
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_ready(server: Server, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server.process.poll() is not None:
            raise RuntimeError(f"the service ended: {server.log.read_text()[-2000:]}")
        try:
            if server.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.02)
    raise RuntimeError(f"the service does not answer: {server.log.read_text()[-2000:]}")


def count_rollouts(server: Server) -> int:
    return sum(level["rollouts"] for run in stats(server).values() for levels in run.values() for level in levels.values())


def stats(server: Server) -> Any:
    """The statistics of the server, by run, task and level."""
    return server.get("/v1/stats").json()["runs"]
