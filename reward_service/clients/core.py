"""The client that all trainers' adapters share: batches, retries, failover; a score or an exception, never a made-up 0."""

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

MAX_PAUSE = 8.0
MAX_BODY = 4 << 20  # half of what a server takes at first
RETRIED = (408, 429)  # and all from 500 up
PASSING = ("time_limit", "internal")  # faults of an item that are not the item's
ITEM_ATTEMPTS = 3
CLOSING = 0.01  # seconds between looks at what is still under way

Outcome = dict[str, Any] | RewardError


class RewardClient:
    """Scores items on one or several servers. Thread-safe; usable from any event loop, several ones, or none; after a fork.

    Requests run on a thread of the client's own, so that connections outlive the loops of callers (ms-swift starts one for
    each batch). Calls that arrive together share requests.
    """

    def __init__(self, settings: ClientSettings | None = None, **given: Any) -> None:
        self.settings = settings or ClientSettings.read(**given)
        self._locks: dict[int, threading.Lock] = {}  # by process: a fork may have copied a locked one
        self._engine: _Engine | None = None
        self._release: weakref.finalize[Any, RewardClient] | None = None

    def score(self, items: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        """Score items, as `item` makes them; for each its score, or the error that kept it from one."""
        return self._submit(items).result()

    async def score_async(self, items: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        """`score`, without blocking the running event loop."""
        return await asyncio.wrap_future(self._submit(items))

    def close(self) -> None:
        """Finish what is under way, and close connections. A later call opens new ones."""
        with self._lock():
            engine, self._engine = self._engine, None
            if self._release is not None:
                self._release.detach()
        if engine is not None:
            engine.stop()

    def __getstate__(self) -> dict[str, Any]:
        return {"settings": self.settings}  # connections stay here; the copy opens its own

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["settings"])  # type: ignore[misc]

    def _submit(self, items: Sequence[Mapping[str, Any]]) -> Future[list[Outcome]]:
        encoded = [_encode(one) for one in items]
        with self._lock():
            if self._engine is None or self._engine.pid != os.getpid():  # a fork has no threads of its parent
                self._engine = _Engine(self.settings)
                self._release = weakref.finalize(self, self._engine.release)
                self._release.atexit = False
            return self._engine.submit(encoded)

    def _lock(self) -> threading.Lock:
        return self._locks.setdefault(os.getpid(), threading.Lock())


@dataclass(eq=False)
class _Pending:
    """An item on its way."""

    body: bytes
    outcome: asyncio.Future[Outcome]
    attempts: int = 0


class _TooLarge(RewardRefused):
    """The request has too many items, or too long ones; fewer may pass."""


class _Passing(RewardUnavailable):
    """The server could not score the item this time, through no fault of the item."""


class _Engine:
    """The thread that sends requests."""

    def __init__(self, settings: ClientSettings) -> None:
        self.pid = os.getpid()
        self._settings = settings
        self._servers = Servers(settings.urls, settings.trip, settings.cooldown)
        self._slots = asyncio.Semaphore(settings.connections)
        self._waiting: list[_Pending] = []
        self._sending: set[asyncio.Task[None]] = set()
        self._calls: set[asyncio.Task[Any] | None] = set()
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
        """Let the thread end when it has finished what is under way."""
        if self.pid == os.getpid():
            asyncio.run_coroutine_threadsafe(self._close(), self._loop)

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    async def _close(self) -> None:
        try:
            self._flush()
            while self._sending or self._calls:
                await asyncio.sleep(CLOSING)
            if self._http is not None:
                await self._http.aclose()
        finally:
            self._loop.call_soon(self._loop.stop)

    async def _enqueue(self, bodies: Sequence[bytes | RewardError]) -> list[Outcome]:
        call = asyncio.current_task()
        self._calls.add(call)
        try:
            return await self._outcomes(bodies)
        finally:
            self._loop.call_soon(self._calls.discard, call)  # once the caller has been told

    async def _outcomes(self, bodies: Sequence[bytes | RewardError]) -> list[Outcome]:
        pending = [_Pending(body, self._loop.create_future()) for body in bodies if isinstance(body, bytes)]
        if pending and not self._waiting:
            self._loop.call_later(self._settings.linger, self._flush)
        self._waiting.extend(pending)
        if len(self._waiting) >= self._settings.batch:
            self._flush()
        outcomes = iter(await asyncio.gather(*(one.outcome for one in pending)))
        return [next(outcomes) if isinstance(body, bytes) else body for body in bodies]

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for batch in _batches(waiting, self._settings.batch):
            task = self._loop.create_task(self._send(batch, self._loop.time() + self._settings.deadline))
            self._sending.add(task)
            task.add_done_callback(partial(self._sent, batch))

    def _sent(self, batch: Sequence[_Pending], task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        error = task.exception()  # a fault of ours reaches the callers, who would wait for ever
        for one in batch:
            if error is not None and not one.outcome.done():
                one.outcome.set_exception(error)

    async def _send(self, batch: Sequence[_Pending], give_up: float) -> None:
        """Give each of a batch its outcome."""
        try:
            outcomes = await self._request(batch, give_up)
        except _TooLarge as error:
            if len(batch) > 1:
                half = len(batch) // 2
                await asyncio.gather(self._send(batch[:half], give_up), self._send(batch[half:], give_up))
                return
            outcomes = [error]
        except RewardError as error:
            outcomes = [type(error)(*error.args) for _ in batch]
        again = []
        in_time = self._loop.time() + self._settings.backoff < give_up
        for one, outcome in zip(batch, outcomes, strict=True):
            one.attempts += 1
            if isinstance(outcome, _Passing) and in_time and one.attempts < min(ITEM_ATTEMPTS, self._settings.attempts):
                again.append(one)
            elif not one.outcome.done():
                one.outcome.set_result(RewardUnavailable(*outcome.args) if isinstance(outcome, _Passing) else outcome)
        if again:
            await asyncio.sleep(self._settings.backoff)
            await self._send(again, give_up)

    async def _request(self, batch: Sequence[_Pending], give_up: float) -> list[Outcome]:
        """Ask servers until one answers.

        Raises:
            RewardRefused: if it refuses the request as a whole.
            RewardUnavailable: if none answers within the bounds.
        """
        settings = self._settings
        mode = f',"mode":"{settings.mode}"'.encode() if settings.mode else b""
        body = b'{"items":[%s]%s}' % (b",".join(one.body for one in batch), mode)
        last = "no attempt"
        try:
            async with asyncio.timeout_at(give_up):
                for attempt in range(settings.attempts):
                    if attempt:
                        await asyncio.sleep(random.uniform(0.5, 1) * min(MAX_PAUSE, settings.backoff * 2 ** (attempt - 1)))
                    async with self._slots:  # to wait for one is no fault of a server
                        server = self._servers.choose(self._loop.time())
                        try:
                            async with asyncio.timeout(settings.timeout):
                                response = await self._post(f"{server.url}/v1/score", body)
                        except (httpx.RequestError, TimeoutError) as error:
                            last = f"{server.url}: {type(error).__name__} {error}".strip()
                            server.failed(self._loop.time())
                            continue
                    outcomes = _each(response, len(batch))
                    if outcomes is None and (response.status_code >= 500 or response.status_code in RETRIED):
                        last = f"{server.url}: HTTP {response.status_code} {response.text[:200]}"
                        server.failed(self._loop.time())
                        continue
                    server.succeeded()
                    if outcomes is None:
                        raise _refusal(response)
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
                trust_env=False,  # a proxy of the environment is for the world outside, not for a cluster's own servers
            )
        return await self._http.post(url, content=body)


def _encode(item: Mapping[str, Any]) -> bytes | RewardError:
    if "group" in item and "id" not in item:
        item = {**item, "id": uuid.uuid4().hex}  # a repeated request counts once in the statistics
    try:
        return json.dumps(item).encode()  # in ASCII: a response may hold half a surrogate pair, which UTF-8 has not
    except (TypeError, ValueError) as error:
        return RewardRefused(f"the item cannot be sent: {error}; make it with item()")


def _batches(pending: Sequence[_Pending], most: int) -> Iterator[list[_Pending]]:
    """In order; each of no more than `most` items, and of MAX_BODY bytes if it has more than one item."""
    batch: list[_Pending] = []
    size = 0
    for one in pending:
        if batch and (len(batch) == most or size + len(one.body) > MAX_BODY):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += len(one.body) + 1
    if batch:
        yield batch


def _each(response: httpx.Response, number: int) -> list[Outcome] | None:
    """Each item's outcome; None if the reply does not speak of each."""
    try:
        body = response.json()
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    if response.status_code == 200:
        found = body.get("results")
        outcomes = [_outcome(result) for result in found] if isinstance(found, list) else []
    else:
        found = body.get("errors")  # every item is refused, for its own reason
        outcomes = [_fault(error) for error in found] if isinstance(found, list) else []
    return outcomes if len(outcomes) == number and number else None


def _outcome(result: Any) -> Outcome:
    if isinstance(result, dict):
        if isinstance(result.get("error"), dict):
            return _fault(result["error"])
        score = result.get("score")
        if isinstance(score, (int, float)) and isfinite(score):
            return result
    return RewardRefused(f"the reply holds no score: {result!r:.200}")


def _fault(error: Any) -> RewardError:
    kind, message = (error.get("type"), error.get("message")) if isinstance(error, dict) else (None, error)
    return (_Passing if kind in PASSING else RewardRefused)(f"{kind}: {message}")


def _refusal(response: httpx.Response) -> RewardRefused:
    try:
        message = response.json()["error"]["message"]
    except (ValueError, KeyError, TypeError):
        message = f"no reply of a reward service: {response.text[:200]}"
    kind = _TooLarge if response.status_code == 413 else RewardRefused
    return kind(f"{response.url}: HTTP {response.status_code}: {message}")
