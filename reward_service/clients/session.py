"""Sends the items of calls that run at the same time in one event loop: batches, retries, and changes servers."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any, NamedTuple

import httpx

from .errors import RewardError, RewardRefused, RewardUnavailable
from .replies import Outcome, ServerFailure, TooLarge, read_reply
from .servers import Server, Servers
from .settings import ClientSettings

MAX_BACKOFF = 8.0  # seconds
MAX_BODY_BYTES = 4 << 20  # half of the server's default limit


class _Pending(NamedTuple):
    """An item that is queued or being sent."""

    body: bytes
    outcome: asyncio.Future[Outcome]


class Session:
    """Connections and a queue for the calls of one event loop, while there are any."""

    def __init__(self, settings: ClientSettings, servers: Servers) -> None:
        self.calls = 0
        self._settings = settings
        self._servers = servers
        self._tail = "".join(
            f',"{key}":"{value}"' for key, value in (("mode", settings.mode), ("run", settings.run)) if value
        ).encode()
        self._tls = settings.tls_context()
        self._loop = asyncio.get_running_loop()
        self._slots = asyncio.Semaphore(settings.connections)
        self._idle: list[httpx.AsyncClient] = []  # at most one for each slot, with a connection to each server
        self._queue: list[_Pending] = []
        self._tasks: set[asyncio.Task[Any]] = set()  # batches, and connections that are being closed

    async def score(self, bodies: Sequence[bytes | RewardError]) -> list[Outcome]:
        """Send encoded items, together with those of other calls. An item that is an error already is returned as it is."""
        pending = [_Pending(body, self._loop.create_future()) for body in bodies if isinstance(body, bytes)]
        if pending and not self._queue:
            self._loop.call_later(self._settings.linger, self._flush)
        self._queue.extend(pending)
        if len(self._queue) >= self._settings.batch:
            self._flush()
        outcomes = iter(await asyncio.gather(*(entry.outcome for entry in pending)))
        return [next(outcomes) if isinstance(body, bytes) else body for body in bodies]

    async def close(self) -> None:
        """Close all connections. Only requests that nobody waits for can still be running."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *(http.aclose() for http in self._idle), return_exceptions=True)

    def _flush(self) -> None:
        pending, self._queue = self._queue, []
        for batch in _split_into_batches(pending, self._settings.batch):
            self._start(self._deliver(batch))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, batch: Sequence[_Pending]) -> None:
        outcomes = await self._score([entry.body for entry in batch], self._loop.time() + self._settings.deadline)
        for entry, outcome in zip(batch, outcomes, strict=True):
            if not entry.outcome.done():
                entry.outcome.set_result(outcome)

    async def _score(self, batch: Sequence[bytes], deadline_at: float) -> list[Outcome]:
        """The outcome of each item; `deadline_at` is in loop time."""
        try:
            return await self._request_until(batch, deadline_at)
        except TooLarge as error:
            if len(batch) == 1:
                return [RewardRefused(*error.args)]
            half = len(batch) // 2
            halves = (self._score(part, deadline_at) for part in (batch[:half], batch[half:]))
            first, second = await asyncio.gather(*halves)
            return first + second
        except RewardError as error:
            return [type(error)(*error.args) for _ in batch]
        except Exception as error:  # a bug of this client must not leave callers waiting
            return [RewardUnavailable(f"the client failed: {error!r}") for _ in batch]

    async def _request_until(self, batch: Sequence[bytes], deadline_at: float) -> list[Outcome]:
        """Send a batch until a server answers.

        Raises:
            RewardRefused: if the service refuses the whole request.
            RewardUnavailable: if no server answers within `attempts` and `deadline`.
        """
        settings, last = self._settings, "no attempt"
        body = b'{"items":[%s]%s}' % (b",".join(batch), self._tail)
        try:
            async with asyncio.timeout_at(deadline_at):
                for attempt in range(settings.attempts):
                    if attempt:
                        await asyncio.sleep(random.uniform(0.5, 1) * min(MAX_BACKOFF, settings.backoff * 2 ** (attempt - 1)))
                    server = self._servers.choose()
                    await asyncio.sleep(max(0.0, server.not_before - monotonic()))
                    try:
                        outcomes = read_reply(await self._post(server, body), len(batch))
                    except (httpx.RequestError, TimeoutError, ServerFailure) as error:
                        if _is_certificate_error(error):
                            raise RewardRefused(
                                f"{server.url}: {error}; name its authority with `ca` or SSL_CERT_FILE"
                            ) from None
                        last = f"{server.url}: {type(error).__name__} {error}".strip()
                        self._servers.record_failure(server, getattr(error, "retry_after", 0.0))
                    else:
                        server.failures = 0
                        return outcomes
        except TimeoutError:
            raise RewardUnavailable(f"no score within {settings.deadline:g} s, the deadline; last: {last}") from None
        raise RewardUnavailable(f"no score within {settings.attempts} attempts; last: {last}")

    async def _post(self, server: Server, body: bytes) -> httpx.Response:
        headers = {"content-type": "application/json"}
        if server.token:
            headers["authorization"] = f"Bearer {server.token}"
        async with self._connection() as http, asyncio.timeout(self._settings.timeout):
            return await http.post(f"{server.url}/v1/score", content=body, headers=headers)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[httpx.AsyncClient]:
        """An HTTP client with connections of its own, closed after a failure: one that is cut off would stay open."""
        async with self._slots:
            # without the environment: HTTP_PROXY is meant for the internet, not for servers of the cluster
            http = self._idle.pop() if self._idle else httpx.AsyncClient(
                verify=self._tls, timeout=httpx.Timeout(None, connect=5.0), trust_env=False
            )  # fmt: skip
            try:
                yield http
            except BaseException:
                self._start(http.aclose())
                raise
            self._idle.append(http)


def _split_into_batches(pending: Sequence[_Pending], max_items: int) -> Iterator[list[_Pending]]:
    """Split in order: at most `max_items` entries each, and at most MAX_BODY_BYTES bytes unless it is a single entry."""
    batch: list[_Pending] = []
    size = 0
    for entry in pending:
        if batch and (len(batch) == max_items or size + len(entry.body) > MAX_BODY_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += len(entry.body) + 1
    if batch:
        yield batch


def _is_certificate_error(error: BaseException | None) -> bool:
    return error is not None and (
        isinstance(error, ssl.SSLCertVerificationError) or _is_certificate_error(error.__cause__ or error.__context__)
    )
