"""Sends the items of calls that run at the same time in one event loop: batches, retries, and changes servers."""

import asyncio
import json
import random
import ssl
import uuid
from collections.abc import Coroutine, Mapping, Sequence
from functools import partial
from time import monotonic
from typing import Any

import httpx

from .replies import Outcome, RewardError, RewardRefused, RewardUnavailable, TooLarge, read_reply, retry_after
from .servers import Server, Servers
from .settings import ClientSettings

MAX_BACKOFF = 8.0  # seconds
MAX_BODY_BYTES = 4 << 20  # half of the server's default limit
_Pending = tuple[bytes, asyncio.Future[Outcome]]  # an item that is queued or being sent


class Session:
    """Connections and a queue for the calls of one event loop, while there are any."""

    def __init__(self, settings: ClientSettings, servers: Servers, tls: ssl.SSLContext) -> None:
        self.calls = 0
        self._settings = settings
        self._servers = servers
        options = {"run": settings.run} | ({"mode": settings.mode} if settings.mode else {})
        self._tail = json.dumps(options)[1:].encode()  # a request's JSON after its items
        self._loop = asyncio.get_running_loop()
        self._slots = asyncio.Semaphore(settings.connections)
        # without the environment: HTTP_PROXY is meant for the internet, not for servers of the cluster
        self._connect = partial(httpx.AsyncClient, verify=tls, timeout=httpx.Timeout(None, connect=5.0), trust_env=False)
        self._idle: list[httpx.AsyncClient] = []  # at most one for each slot, with a connection to each server
        self._queue: list[_Pending] = []
        self._tasks: set[asyncio.Task[Any]] = set()  # batches, and connections that are being closed

    async def score(self, items: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        """Send items, together with those of other calls."""
        bodies = [_encode(item) for item in items]
        pending = [(body, self._loop.create_future()) for body in bodies if isinstance(body, bytes)]
        if pending and not self._queue:
            self._loop.call_later(self._settings.linger, self._flush)
        self._queue.extend(pending)
        if len(self._queue) >= self._settings.batch:
            self._flush()
        outcomes = iter(await asyncio.gather(*(outcome for _, outcome in pending)))
        return [next(outcomes) if isinstance(body, bytes) else body for body in bodies]

    async def close(self) -> None:
        """Close all connections. Only requests that nobody waits for can still be running."""
        self._queue = []
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *(http.aclose() for http in self._idle), return_exceptions=True)

    def _flush(self) -> None:
        """Send the queue, in requests of at most `batch` items, and of at most MAX_BODY_BYTES unless of a single item."""
        batches: list[list[_Pending]] = []
        free = 0  # bytes that the last batch can still take
        for item, outcome in self._queue:
            if not batches or len(batches[-1]) == self._settings.batch or len(item) > free:
                batches.append([])
                free = MAX_BODY_BYTES
            batches[-1].append((item, outcome))
            free -= len(item) + 1
        self._queue = []
        for batch in batches:
            self._start(self._deliver(batch, self._loop.time() + self._settings.deadline))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, batch: Sequence[_Pending], deadline_at: float) -> None:
        """Send a batch and set the outcome of each item; `deadline_at` is in loop time."""
        try:
            outcomes = await self._request(batch, deadline_at)
        except RewardError as error:
            if isinstance(error, TooLarge) and len(batch) > 1:
                half = len(batch) // 2
                self._start(self._deliver(batch[:half], deadline_at))
                self._start(self._deliver(batch[half:], deadline_at))
                return
            outcomes = [type(error)(*error.args) for _ in batch]
        except Exception as error:  # a bug of this client must not leave callers waiting
            outcomes = [RewardUnavailable(f"the client failed: {error!r}") for _ in batch]
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if not future.done():
                future.set_result(outcome)

    async def _request(self, batch: Sequence[_Pending], deadline_at: float) -> list[Outcome]:
        """Send a batch until a server answers. Raises RewardRefused for the whole request, and RewardUnavailable."""
        settings, last = self._settings, "no attempt"
        body = b'{"items":[%s],%s' % (b",".join(item for item, _ in batch), self._tail)
        try:
            async with asyncio.timeout_at(deadline_at):
                for attempt in range(settings.attempts):
                    if attempt:
                        await asyncio.sleep(random.uniform(0.5, 1) * min(MAX_BACKOFF, settings.backoff * 2 ** (attempt - 1)))
                    server = self._servers.choose()
                    await asyncio.sleep(max(0.0, server.not_before - monotonic()))
                    try:
                        outcomes = read_reply(await self._post(server, body), len(batch))
                        server.failures = 0
                        return outcomes
                    except (httpx.HTTPError, TimeoutError) as error:
                        if _is_certificate_error(error):
                            message = f"{server.url}: {error}; name its authority with `ca` or SSL_CERT_FILE"
                            raise RewardRefused(message) from None
                        last = f"{server.url}: {type(error).__name__} {error}".strip()
                        self._servers.record_failure(server, retry_after(error))
        except TimeoutError:
            raise RewardUnavailable(f"no score within {settings.deadline:g} s, the deadline; last: {last}") from None
        raise RewardUnavailable(f"no score within {settings.attempts} attempts; last: {last}")

    async def _post(self, server: Server, body: bytes) -> httpx.Response:
        headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {server.token}"} if server.token else {})
        async with self._slots:
            http = self._idle.pop() if self._idle else self._connect()
            try:
                async with asyncio.timeout(self._settings.timeout):
                    response = await http.post(f"{server.url}/v1/score", content=body, headers=headers)
            except BaseException:
                self._start(http.aclose())  # a connection that was cut off would stay open
                raise
            self._idle.append(http)
            return response


def _encode(item: Mapping[str, Any]) -> bytes | RewardRefused:
    if "group" in item and "id" not in item:
        item = {**item, "id": uuid.uuid4().hex}  # a retried request then counts once in the statistics
    try:
        return json.dumps(item).encode()  # ASCII, as UTF-8 cannot encode half a surrogate pair
    except (TypeError, ValueError, RecursionError) as error:
        return RewardRefused(f"the item cannot be encoded as JSON: {error}; build it with item()")


def _is_certificate_error(error: BaseException | None) -> bool:
    while error and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None
