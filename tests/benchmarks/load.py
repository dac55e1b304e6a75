"""A load generator: requests from many connections at once, each request's time taken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from time import perf_counter

CONTENT_LENGTH = b"content-length:"


@dataclass(frozen=True)
class Load:
    """How a load went: seconds in all, and of each request, sorted."""

    seconds: float
    latencies: tuple[float, ...]

    def percentile(self, share: float) -> float:
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))]


def request(path: str, body: bytes, keep_alive: bool = True) -> bytes:
    """The bytes of a POST."""
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return (head + ("" if keep_alive else "Connection: close\r\n") + "\r\n").encode() + body


def run(port: int, requests: Iterable[bytes], connections: int, keep_alive: bool = True) -> Load:
    """Send all requests; each connection waits for an answer before its next request, or opens anew for each."""
    return asyncio.run(_run(port, iter(requests), connections, keep_alive))


async def _run(port: int, requests: Iterator[bytes], connections: int, keep_alive: bool) -> Load:
    latencies: list[float] = []
    started = perf_counter()
    await asyncio.gather(*(_connection(port, requests, latencies, keep_alive) for _ in range(connections)))
    return Load(perf_counter() - started, tuple(sorted(latencies)))


async def _connection(port: int, requests: Iterator[bytes], latencies: list[float], keep_alive: bool) -> None:
    loop = asyncio.get_running_loop()
    while True:
        finished = loop.create_future()
        await loop.create_connection(lambda: _Client(requests, latencies, keep_alive, finished), "127.0.0.1", port)  # noqa: B023
        if not await finished:
            return


class _Client(asyncio.Protocol):
    def __init__(
        self, requests: Iterator[bytes], latencies: list[float], keep_alive: bool, finished: asyncio.Future[bool]
    ) -> None:
        self._requests = requests
        self._latencies = latencies
        self._keep_alive = keep_alive
        self._finished = finished
        self._received = b""
        self._started = perf_counter()  # the connection is part of a request's time

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def _send(self) -> None:
        message = next(self._requests, None)
        if message is None:
            self._finish(more=False)
        else:
            self._transport.write(message)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().split(CONTENT_LENGTH, 1)[1].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        if b" 200 " not in head[:16]:
            raise RuntimeError(f"the server answers {self._received[:300]!r}")
        now = perf_counter()
        self._latencies.append(now - self._started)
        self._received = b""
        if self._keep_alive:
            self._started = now
            self._send()
        else:
            self._finish(more=True)

    def _finish(self, more: bool) -> None:
        self._transport.close()
        if not self._finished.done():
            self._finished.set_result(more)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._finished.done():
            self._finished.set_exception(error or ConnectionError("the server hung up"))
