"""The client that all trainers' adapters share: batches, retries, failover; a score or an exception, never a made-up 0."""

from __future__ import annotations

import asyncio
import json
import os
import random
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, fields
from math import isnan
from typing import Any, TypeVar

import httpx

T = TypeVar("T")
ENV_PREFIX = "VIDEOSSR_REWARD_"
MAX_PAUSE = 8.0
RETRIED = (408, 429)  # and all from 500 up
EXTRA = ("chance", "level", "level_name", "blind_answer")  # what the service reads of a row's extra_info


class RewardError(RuntimeError):
    """No score could be had."""


class RewardRefused(RewardError):
    """The service refuses the item or the request: trying again would not help."""


class _TooLarge(RewardRefused):
    """The request has too many items, or too long ones; fewer may pass."""


class RewardUnavailable(RewardError):
    """No server gave an answer in time."""


@dataclass(frozen=True)
class ClientSettings:
    """How to reach the service. Each field is also `VIDEOSSR_REWARD_…` in the environment.

    Attributes:
        url: base URL of the service, or several, comma-separated.
        token: bearer token; "" for none.
        mode: smooth, strict or above_chance; "" as the server is set.
        timeout: seconds that one request may take.
        deadline: seconds after which a call gives up, retries and all.
        attempts: requests for one call, the first among them. As they are, an outage of 30 s costs no score.
        backoff: seconds before the second attempt; doubles from one to the next, up to 8 s, with jitter.
        batch: most items in one request.
        linger: seconds that a call waits for others to share its request.
        connections: most connections at once.
        trip: seconds of nothing but failures after which calls fail at once, without waiting.
        cooldown: seconds after which a failing server is tried again.
    """

    url: str = "http://127.0.0.1:8000"
    token: str = field(default="", repr=False)
    mode: str = ""
    timeout: float = 30.0
    deadline: float = 120.0
    attempts: int = 12
    backoff: float = 0.5
    batch: int = 64
    linger: float = 0.002
    connections: int = 16
    trip: float = 60.0
    cooldown: float = 2.0

    @classmethod
    def read(cls, **given: Any) -> ClientSettings:
        """Settings as given, else from the environment, else their defaults.

        Raises:
            ValueError: naming the setting that is unknown or not allowed.
        """
        kinds: dict[str, Any] = {one.name: type(one.default) for one in fields(cls)}
        if unknown := set(given) - set(kinds):
            raise ValueError(f"{unknown.pop()} is no setting of the reward client; allowed: {', '.join(kinds)}")
        values = {name: os.environ[ENV_PREFIX + name.upper()] for name in kinds if ENV_PREFIX + name.upper() in os.environ}
        values |= {name: value for name, value in given.items() if value is not None}
        try:
            settings = cls(**{name: kinds[name](value) for name, value in values.items()})
        except (TypeError, ValueError) as error:
            raise ValueError(f"a setting of the reward client is no number: {error}") from None
        for address in settings.urls:
            try:
                known = httpx.URL(address).scheme in ("http", "https")
            except httpx.InvalidURL:
                known = False
            if not known:
                raise ValueError(f"url={address!r} is no address of a server; send it as http://host:8000")
        if not settings.urls:
            raise ValueError("url='' names no server; send it as http://host:8000, several comma-separated")
        return settings

    @property
    def urls(self) -> tuple[str, ...]:
        return tuple(url.strip().rstrip("/") for url in self.url.split(",") if url.strip())


def item(
    data_source: str,
    response: Any,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    group: Any = None,
    id: Any = None,
) -> dict[str, Any]:
    """An item for `/v1/score`, of whatever types a trainer holds: numpy scalars become plain ones.

    Of `extra_info` only that goes along which the service reads.
    """
    extra = {key: _plain(extra_info[key]) for key in EXTRA if extra_info and extra_info.get(key) is not None}
    made = {"data_source": str(data_source), "response": _text(response), "ground_truth": _text(ground_truth)}
    return {
        **made,
        **({"extra_info": extra} if extra else {}),
        **({} if group is None else {"group": str(_plain(group))}),
        **({} if id is None else {"id": str(_plain(id))}),
    }


class RewardClient:
    """Scores items on one or several servers. Thread-safe; usable from any event loop, several ones, or none.

    Requests run on a thread of the client's own, so that connections outlive the loops of callers (ms-swift starts one for
    each batch). Calls that arrive together share requests.
    """

    def __init__(self, settings: ClientSettings | None = None, **given: Any) -> None:
        self.settings = settings or ClientSettings.read(**given)
        self._lock = threading.Lock()
        self._engine: _Engine | None = None

    def score(self, items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | RewardError]:
        """Score items, as `item` makes them; for each its score, or the error that kept it from one."""
        return self._submit(items).result()

    async def score_async(self, items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | RewardError]:
        """`score`, without blocking the running event loop."""
        return await asyncio.wrap_future(self._submit(items))

    def close(self) -> None:
        """Close connections. A later call opens new ones."""
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is not None and engine.pid == os.getpid():
            engine.stop()

    def __getstate__(self) -> dict[str, Any]:
        return {"settings": self.settings}  # connections stay here; the copy opens its own

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["settings"])  # type: ignore[misc]

    def _submit(self, items: Sequence[Mapping[str, Any]]) -> Future[list[dict[str, Any] | RewardError]]:
        with self._lock:
            if self._engine is None or self._engine.pid != os.getpid():  # a fork has no threads of its parent
                self._engine = _Engine(self.settings)
            return self._engine.submit(items)


@dataclass
class _Server:
    """One server's recent history."""

    url: str
    failing_since: float | None = None
    retry_at: float = 0.0

    def succeeded(self) -> None:
        self.failing_since = None
        self.retry_at = 0.0

    def failed(self, now: float, cooldown: float) -> None:
        self.failing_since = self.failing_since or now
        self.retry_at = now + cooldown


class _Engine:
    """The thread that sends requests."""

    def __init__(self, settings: ClientSettings) -> None:
        self.pid = os.getpid()
        self._settings = settings
        self._servers = [_Server(url) for url in settings.urls]
        self._next = random.randrange(len(self._servers))
        self._waiting: list[tuple[Mapping[str, Any], asyncio.Future[dict[str, Any] | RewardError]]] = []
        self._sending: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._http: httpx.AsyncClient | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="videossr-rewards", daemon=True)
        self._thread.start()

    def submit(self, items: Sequence[Mapping[str, Any]]) -> Future[list[dict[str, Any] | RewardError]]:
        return asyncio.run_coroutine_threadsafe(self._enqueue(items), self._loop)

    def stop(self) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _close(self) -> None:
        if self._sending:
            await asyncio.wait(self._sending)
        if self._http is not None:
            await self._http.aclose()

    async def _enqueue(self, items: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | RewardError]:
        # an id makes a repeated request count once in the statistics
        items = [{**one, "id": uuid.uuid4().hex} if "group" in one and "id" not in one else one for one in items]
        results = [self._loop.create_future() for _ in items]
        if not self._waiting:
            self._loop.call_later(self._settings.linger, self._flush)
        self._waiting.extend(zip(items, results, strict=True))
        if len(self._waiting) >= self._settings.batch:
            self._flush()
        return list(await asyncio.gather(*results))

    def _flush(self) -> None:
        size = self._settings.batch
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), size):
            task = self._loop.create_task(self._send(waiting[start : start + size]))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send(self, batch: list[tuple[Mapping[str, Any], asyncio.Future[dict[str, Any] | RewardError]]]) -> None:
        outcomes: Sequence[dict[str, Any] | RewardError]
        try:
            outcomes = await self._request([item for item, _ in batch])
        except _TooLarge as error:
            if len(batch) > 1:
                half = len(batch) // 2
                await asyncio.gather(self._send(batch[:half]), self._send(batch[half:]))
                return
            outcomes = [error]
        except RewardError as error:
            outcomes = [error] * len(batch)
        except Exception as error:  # a fault of ours must reach the callers, who would wait for ever
            outcomes = [RewardError(f"{type(error).__name__}: {error}")] * len(batch)
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if not future.done():
                future.set_result(outcome)

    async def _request(self, items: list[Mapping[str, Any]]) -> list[dict[str, Any] | RewardError]:
        settings = self._settings
        # in ASCII: a response may hold half a surrogate pair, which UTF-8 has not
        body = json.dumps({"items": items, **({"mode": settings.mode} if settings.mode else {})}).encode()
        started = time.monotonic()
        give_up = started + settings.deadline
        last, limit = "no attempt", f"{settings.attempts} attempts"
        for attempt in range(settings.attempts):
            if attempt:
                pause = random.uniform(0.5, 1) * min(MAX_PAUSE, settings.backoff * 2 ** (attempt - 1))
                if time.monotonic() + pause >= give_up:
                    limit = f"{settings.deadline:g} s, the deadline,"
                    break
                await asyncio.sleep(pause)
            server = self._choose()
            left = give_up - time.monotonic()
            try:
                response = await self._client().post(
                    f"{server.url}/v1/score",
                    content=body,
                    headers={"content-type": "application/json"},
                    timeout=httpx.Timeout(min(settings.timeout, max(left, 0.001)), connect=min(5.0, settings.timeout)),
                )
            except httpx.TransportError as error:
                last = f"{server.url}: {type(error).__name__} {error}".strip()
            else:
                if response.status_code < 500 and response.status_code not in RETRIED:
                    server.succeeded()
                    return _outcomes(response, len(items))
                last = f"{server.url}: HTTP {response.status_code} {response.text[:200]}"
            server.failed(time.monotonic(), settings.cooldown)
        raise RewardUnavailable(f"no score within {limit} ({time.monotonic() - started:.1f} s in all); last: {last}")

    def _choose(self) -> _Server:
        """The next server that works; else the one whose turn to be tried again comes first.

        Raises:
            RewardUnavailable: if all have failed for long, and none is due.
        """
        now = time.monotonic()
        for _ in self._servers:
            self._next = (self._next + 1) % len(self._servers)
            if self._servers[self._next].failing_since is None:
                return self._servers[self._next]
        soonest = min(self._servers, key=lambda server: server.retry_at)
        long = all(now - (server.failing_since or now) > self._settings.trip for server in self._servers)
        if long and soonest.retry_at > now:
            raise RewardUnavailable(
                f"all servers have failed for {self._settings.trip:g} s: {', '.join(self._settings.urls)}; "
                f"next try in {soonest.retry_at - now:.1f} s"
            )
        soonest.retry_at = now + self._settings.cooldown  # others wait for how this one goes
        return soonest

    def _client(self) -> httpx.AsyncClient:
        if self._http is None:
            limits = httpx.Limits(max_connections=self._settings.connections, keepalive_expiry=60)
            headers = {"authorization": f"Bearer {self._settings.token}"} if self._settings.token else {}
            # a proxy of the environment is for the world outside, not for a cluster's own servers
            self._http = httpx.AsyncClient(limits=limits, headers=headers, trust_env=False)
        return self._http


def _outcomes(response: httpx.Response, number: int) -> list[dict[str, Any] | RewardError]:
    try:
        body = response.json()
    except ValueError:
        raise RewardRefused(f"{response.url}: HTTP {response.status_code}, no JSON: {response.text[:200]}") from None
    if response.status_code == 200 and isinstance(body, dict) and len(body.get("results", ())) == number:
        return [_outcome(result) for result in body["results"]]
    if response.status_code == 422 and len(body.get("errors", ())) == number:  # each item is refused, for its own reason
        return [_refused(error) for error in body["errors"]]
    message = body.get("error", {}).get("message", body) if isinstance(body, dict) else body
    kind = _TooLarge if response.status_code == 413 else RewardRefused
    raise kind(f"{response.url}: HTTP {response.status_code}: {message}")


def _outcome(result: dict[str, Any]) -> dict[str, Any] | RewardError:
    return _refused(result["error"]) if "error" in result else result


def _refused(error: Mapping[str, Any]) -> RewardRefused:
    return RewardRefused(f"{error.get('type')}: {error.get('message')}")


def _plain(value: Any) -> Any:
    """A numpy scalar's value; NaN, which JSON has not, as None."""
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        value = value.item()
    return None if isinstance(value, float) and isnan(value) else value


def _text(value: Any) -> str:
    value = _plain(value)
    return value if isinstance(value, str) else str(value)
