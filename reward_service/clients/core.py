"""The HTTP client of all trainer adapters: batching, retries, failover. An item gets a score or an error, never a made-up 0."""

from __future__ import annotations

import asyncio
import json
import os
import random
import threading
import uuid
import weakref
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Any

import httpx

from .errors import RewardError, RewardRefused, RewardUnavailable
from .servers import Servers
from .settings import ClientSettings

MAX_BACKOFF = 8.0  # seconds
MAX_BODY_BYTES = 4 << 20  # half of the server's default limit
RETRY_STATUSES = (408, 429)  # and every status from 500 up
TRANSIENT_ERRORS = ("time_limit", "internal")  # item errors that are worth another attempt
ITEM_ATTEMPTS = 3
CLOSE_POLL_SECONDS = 0.01  # how often `_close` checks whether requests are still running

Outcome = dict[str, Any] | RewardError


class RewardClient:
    """Scores items on one or several servers. Thread-safe and fork-safe; works with any number of event loops, or none.

    Requests run on a background thread, so that connections outlive the event loops of callers (ms-swift starts one loop for
    each batch). Calls that arrive together share requests.
    """

    def __init__(self, settings: ClientSettings | None = None, **overrides: Any) -> None:
        self.settings = settings or ClientSettings.read(**overrides)
        self._locks: dict[int, threading.Lock] = {}  # by process id: a fork may copy a lock that is held
        self._engine: _Engine | None = None
        self._release: weakref.finalize[Any, RewardClient] | None = None

    def score(self, items: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        """Score items built by `item`. Returns, in order, a result dict (with `score`) or a RewardError for each."""
        return self._submit(items).result()

    async def score_async(self, items: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        """Like `score`, without blocking the running event loop."""
        return await asyncio.wrap_future(self._submit(items))

    def close(self) -> None:
        """Finish running requests, then close connections. A later call opens new ones."""
        with self._lock():
            engine, self._engine = self._engine, None
            if self._release is not None:
                self._release.detach()
        if engine is not None:
            engine.stop()

    def __getstate__(self) -> dict[str, Any]:
        return {"settings": self.settings}  # connections cannot be pickled; the copy opens its own

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["settings"])  # type: ignore[misc]

    def _submit(self, items: Sequence[Mapping[str, Any]]) -> Future[list[Outcome]]:
        encoded = [_encode(item) for item in items]
        with self._lock():
            if self._engine is None or self._engine.pid != os.getpid():  # threads do not survive a fork
                self._engine = _Engine(self.settings)
                self._release = weakref.finalize(self, self._engine.release)
                self._release.atexit = False
            return self._engine.submit(encoded)

    def _lock(self) -> threading.Lock:
        return self._locks.setdefault(os.getpid(), threading.Lock())


@dataclass(eq=False)
class _Pending:
    """An item that is queued or being sent."""

    body: bytes
    outcome: asyncio.Future[Outcome]
    attempts: int = 0


class _TooLarge(RewardRefused):
    """The request is too large. A request with fewer items may be accepted."""


class _TransientError(RewardUnavailable):
    """The server failed to score the item for a reason that may not recur."""


class _Engine:
    """The background thread that sends requests, with its event loop."""

    def __init__(self, settings: ClientSettings) -> None:
        self.pid = os.getpid()
        self._settings = settings
        self._servers = Servers(settings.urls, settings.trip, settings.cooldown)
        self._connection_slots = asyncio.Semaphore(settings.connections)
        self._queue: list[_Pending] = []
        self._send_tasks: set[asyncio.Task[None]] = set()
        self._active_calls: set[asyncio.Task[Any] | None] = set()
        self._loop = asyncio.new_event_loop()
        self._http: httpx.AsyncClient | None = None
        self._thread = threading.Thread(target=self._run, name="videossr-rewards", daemon=True)
        self._thread.start()

    def submit(self, bodies: Sequence[bytes | RewardError]) -> Future[list[Outcome]]:
        return asyncio.run_coroutine_threadsafe(self._enqueue(bodies), self._loop)

    def stop(self) -> None:
        self.release()
        if self.pid == os.getpid():
            self._thread.join()

    def release(self) -> None:
        """Tell the thread to end once running requests are finished."""
        if self.pid == os.getpid():
            asyncio.run_coroutine_threadsafe(self._close(), self._loop)

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    async def _close(self) -> None:
        try:
            self._flush()
            while self._send_tasks or self._active_calls:
                await asyncio.sleep(CLOSE_POLL_SECONDS)
            if self._http is not None:
                await self._http.aclose()
        finally:
            self._loop.call_soon(self._loop.stop)

    async def _enqueue(self, bodies: Sequence[bytes | RewardError]) -> list[Outcome]:
        call = asyncio.current_task()
        self._active_calls.add(call)
        try:
            return await self._await_outcomes(bodies)
        finally:
            self._loop.call_soon(self._active_calls.discard, call)  # after the caller has its result

    async def _await_outcomes(self, bodies: Sequence[bytes | RewardError]) -> list[Outcome]:
        pending = [_Pending(body, self._loop.create_future()) for body in bodies if isinstance(body, bytes)]
        if pending and not self._queue:
            self._loop.call_later(self._settings.linger, self._flush)
        self._queue.extend(pending)
        if len(self._queue) >= self._settings.batch:
            self._flush()
        outcomes = iter(await asyncio.gather(*(entry.outcome for entry in pending)))
        return [next(outcomes) if isinstance(body, bytes) else body for body in bodies]

    def _flush(self) -> None:
        pending, self._queue = self._queue, []
        for batch in _split_into_batches(pending, self._settings.batch):
            task = self._loop.create_task(self._send(batch, self._loop.time() + self._settings.deadline))
            self._send_tasks.add(task)
            task.add_done_callback(partial(self._finish_batch, batch))

    def _finish_batch(self, batch: Sequence[_Pending], task: asyncio.Task[None]) -> None:
        self._send_tasks.discard(task)
        error = task.exception()  # a bug in this client must reach the callers, who would else wait forever
        for entry in batch:
            if error is not None and not entry.outcome.done():
                entry.outcome.set_exception(error)

    async def _send(self, batch: Sequence[_Pending], deadline_at: float) -> None:
        """Send a batch and set the outcome of each entry; `deadline_at` is in loop time."""
        try:
            outcomes = await self._request(batch, deadline_at)
        except _TooLarge as error:
            if len(batch) > 1:
                half = len(batch) // 2
                await asyncio.gather(self._send(batch[:half], deadline_at), self._send(batch[half:], deadline_at))
                return
            outcomes = [error]
        except RewardError as error:
            outcomes = [type(error)(*error.args) for _ in batch]
        retries = []
        time_left = self._loop.time() + self._settings.backoff < deadline_at
        max_attempts = min(ITEM_ATTEMPTS, self._settings.attempts)
        for entry, outcome in zip(batch, outcomes, strict=True):
            entry.attempts += 1
            if isinstance(outcome, _TransientError) and time_left and entry.attempts < max_attempts:
                retries.append(entry)
            elif not entry.outcome.done():
                entry.outcome.set_result(RewardUnavailable(*outcome.args) if isinstance(outcome, _TransientError) else outcome)
        if retries:
            await asyncio.sleep(self._settings.backoff)
            await self._send(retries, deadline_at)

    async def _request(self, batch: Sequence[_Pending], deadline_at: float) -> list[Outcome]:
        """Send the batch until a server answers; returns one outcome for each entry.

        Raises:
            RewardRefused: if the server refuses the whole request.
            RewardUnavailable: if no server answers within `attempts` and `deadline`.
        """
        settings = self._settings
        mode = f',"mode":"{settings.mode}"'.encode() if settings.mode else b""
        body = b'{"items":[%s]%s}' % (b",".join(entry.body for entry in batch), mode)
        last = "no attempt"
        try:
            async with asyncio.timeout_at(deadline_at):
                for attempt in range(settings.attempts):
                    if attempt:
                        await asyncio.sleep(random.uniform(0.5, 1) * min(MAX_BACKOFF, settings.backoff * 2 ** (attempt - 1)))
                    async with self._connection_slots:  # outside the timeout: waiting for a slot is no server failure
                        server = self._servers.choose(self._loop.time())
                        try:
                            async with asyncio.timeout(settings.timeout):
                                response = await self._post(f"{server.url}/v1/score", body)
                        except (httpx.RequestError, TimeoutError) as error:
                            last = f"{server.url}: {type(error).__name__} {error}".strip()
                            server.record_failure(self._loop.time())
                            continue
                    outcomes = _read_outcomes(response, len(batch))
                    if outcomes is None and (response.status_code >= 500 or response.status_code in RETRY_STATUSES):
                        last = f"{server.url}: HTTP {response.status_code} {response.text[:200]}"
                        server.record_failure(self._loop.time())
                        continue
                    server.record_success()
                    if outcomes is None:
                        raise _make_refusal(response)
                    return outcomes
        except TimeoutError:
            raise RewardUnavailable(f"no score within {settings.deadline:g} s, the deadline; last: {last}") from None
        raise RewardUnavailable(f"no score within {settings.attempts} attempts; last: {last}")

    async def _post(self, url: str, body: bytes) -> httpx.Response:
        if self._http is None:
            headers = {"content-type": "application/json"}
            if self._settings.token:
                headers["authorization"] = f"Bearer {self._settings.token}"
            self._http = httpx.AsyncClient(
                limits=httpx.Limits(max_connections=None, keepalive_expiry=60),
                timeout=httpx.Timeout(None, connect=5.0),
                headers=headers,
                trust_env=False,  # HTTP_PROXY is meant for the internet, not for servers of the cluster
            )
        return await self._http.post(url, content=body)


def _encode(item: Mapping[str, Any]) -> bytes | RewardError:
    if "group" in item and "id" not in item:
        item = {**item, "id": uuid.uuid4().hex}  # a retried request then counts once in the statistics
    try:
        return json.dumps(item).encode()  # ASCII, as UTF-8 cannot encode half a surrogate pair
    except (TypeError, ValueError) as error:
        return RewardRefused(f"the item cannot be encoded as JSON: {error}; build it with item()")


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


def _read_outcomes(response: httpx.Response, count: int) -> list[Outcome] | None:
    """The outcomes of `count` items; None if the reply does not list one for each item."""
    try:
        body = response.json()
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    if response.status_code == 200:
        results = body.get("results")
        outcomes = [_read_result(result) for result in results] if isinstance(results, list) else []
    else:
        errors = body.get("errors")  # present if every item was refused, each with its own reason
        outcomes = [_read_error(error) for error in errors] if isinstance(errors, list) else []
    return outcomes if len(outcomes) == count and count else None


def _read_result(result: Any) -> Outcome:
    if isinstance(result, dict):
        if isinstance(result.get("error"), dict):
            return _read_error(result["error"])
        score = result.get("score")
        if isinstance(score, (int, float)) and isfinite(score):
            return result
    return RewardRefused(f"the reply holds no score: {result!r:.200}")


def _read_error(error: Any) -> RewardError:
    kind, message = (error.get("type"), error.get("message")) if isinstance(error, dict) else (None, error)
    return (_TransientError if kind in TRANSIENT_ERRORS else RewardRefused)(f"{kind}: {message}")


def _make_refusal(response: httpx.Response) -> RewardRefused:
    try:
        message = response.json()["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = f"not the reply of a reward service: {response.text[:200]}"
    kind = _TooLarge if response.status_code == 413 else RewardRefused
    return kind(f"{response.url}: HTTP {response.status_code}: {message}")
