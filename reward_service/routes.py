"""The scoring routes, as ASGI: what a training step waits for bypasses what FastAPI and pydantic cost."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from itertools import count
from time import perf_counter
from typing import Any

from . import auth
from .body import Disconnected
from .errors import ErrorBody, Refusal
from .items import Error, Fault
from .json_body import decode, encode, too_deep
from .protocols.base import Call, Protocol
from .service import Service

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = tuple[tuple[bytes, bytes], ...]
ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

OBSERVED = re.compile(r"/ng-rollout/[^/]*(?=/)")  # what NeMo Gym puts before its paths when it is observed
_prefix = os.urandom(6).hex()
_numbers = count(1)
log = logging.getLogger("reward_service.access")


class ScoringRoutes:
    """Answers the protocols' paths, and passes all else on to another ASGI application."""

    def __init__(self, app: ASGIApp, service: Service, protocols: Iterable[Protocol]) -> None:
        self._app = app
        self._service = service
        self._tokens = service.settings.bearer_tokens
        self._paths = {path: p for p in protocols for path in (p.path, *p.aliases) if "{" not in path}
        templates = ((alias, p) for p in protocols for alias in p.aliases if "{" in alias)
        self._templates = [(re.compile(alias.replace("{task}", "([^/]+)")), p) for alias, p in templates]
        self._default = Call(mode=service.settings.mode)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        protocol = task = None
        path = ""
        if scope["type"] != "lifespan":
            path = _local(scope)
            if path.startswith("/ng-rollout/"):
                path = OBSERVED.sub("", path, count=1)
                scope = {**scope, "path": scope.get("root_path", "") + path}
            if scope["type"] == "http":
                protocol, task = self._find(path)
        if protocol is None:
            await self._pass_on(path, scope, receive, send)
        else:
            await self._serve(protocol, task, scope, receive, send)

    async def _pass_on(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """To FastAPI; but not without a token, where tokens are asked for."""
        tokens = self._tokens
        if tokens and scope["type"] in ("http", "websocket") and path not in auth.OPEN_PATHS:
            try:
                auth.check(_header(scope, b"authorization"), tokens)
            except Refusal as refusal:
                if scope["type"] == "websocket":
                    await send({"type": "websocket.close", "code": 1008, "reason": str(refusal)})
                else:
                    await _send(send, refusal.status, encode(refusal.body), _HEADERS[401])
                return
        await self._app(scope, self._service.bodies.bounded(receive) if scope["type"] == "http" else receive, send)

    def _find(self, path: str) -> tuple[Protocol | None, str | None]:
        if (found := self._paths.get(path)) is not None:
            return found, None
        for pattern, protocol in self._templates:
            if match := pattern.fullmatch(path):
                return protocol, match[1]
        head, _, task = path.rpartition("/")
        return (self._paths.get(head), task) if task else (None, None)

    async def _serve(self, protocol: Protocol, task: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        metrics = self._service.metrics
        status, headers = 499, _NONE  # unless there is somebody to answer
        unread = False
        metrics.in_flight += 1
        try:
            request_id = (_header(scope, b"x-request-id") or f"{_prefix}-{next(_numbers):x}")[:128]
            try:
                body = await self._answer(protocol, task, scope, receive)
                status = 200
            except Refusal as refusal:
                status, body = refusal.status, encode(refusal.body)
                headers = _HEADERS.get(status, _NONE)
                unread = refusal.body.error.type in _UNREAD
                log.info("refused", extra={"request_id": request_id, "route": protocol.name, "status": status,
                                           "error": refusal.body.error.message[:500]})  # fmt: skip
            except Disconnected:
                return
            except RecursionError:
                status, body = 400, encode(too_deep().body)
            except Exception:  # whatever it is, the trainer learns that it was not scored, and the log why
                status = 500
                log.exception("failed", extra={"request_id": request_id, "route": protocol.name})
                body = encode(ErrorBody(Error("internal", f"a fault of the server, logged under request {request_id}")))
            if self._service.draining.begun:
                headers = (*headers, _CLOSE)
            headers = ((b"x-request-id", request_id.encode("latin-1")), *headers)
            await _send(send, status, body, headers, self._service.bodies.discard(receive) if unread else None)
        finally:
            metrics.in_flight -= 1
            seconds = perf_counter() - started
            metrics.answered(protocol.name, status, seconds)
            if log.isEnabledFor(logging.DEBUG):
                log.debug(
                    "answered", extra={"request_id": request_id, "route": protocol.name, "status": status, "seconds": seconds}
                )

    async def _answer(self, protocol: Protocol, task: str | None, scope: Scope, receive: Receive) -> bytes:
        if self._tokens:
            auth.check(_header(scope, b"authorization"), self._tokens)
        if scope["method"] != "POST":
            raise Refusal(405, "method_not_allowed", f"{scope['method']} is not allowed; POST to {scope['path']}")
        length = encoding = b""
        for name, value in scope["headers"]:
            if name == b"content-length":
                length = value
            elif name == b"content-encoding":
                encoding = value
        if encoding not in (b"", b"identity"):
            raise Refusal(415, "unsupported_encoding", "the body is encoded; send it plain")
        declared = int(length) if length else None
        body = await self._service.bodies.read(receive, declared)
        call = self._call(task, scope["query_string"])
        request = protocol.decode(body) if protocol.decode else decode(body, protocol.request)
        items = protocol.read(request, call)
        results = await self._service.score(items, getattr(request, "mode", None) or call.mode)
        faults = [(index, result.error) for index, result in enumerate(results) if isinstance(result, Fault)]
        if faults and (not protocol.partial or len(faults) == len(results)):
            raise _refused(faults)
        return encode(protocol.write(request, results, call))

    def _call(self, task: str | None, query_string: bytes) -> Call:
        return Call.read(task, query_string, self._default.mode) if task or query_string else self._default


_NONE: Headers = ()
_CLOSE = (b"connection", b"close")
_HEADERS: dict[int, Headers] = {
    401: ((b"www-authenticate", b"Bearer"),),
    405: ((b"allow", b"POST"),),
    # the rest of such a body is not read
    408: (_CLOSE,),
    413: (_CLOSE,),
    415: (_CLOSE,),
}
_UNREAD = ("body_too_large", "unsupported_encoding")


_OURS = {"time_limit": 503, "internal": 500}  # faults that may pass


async def _send(send: Send, status: int, body: bytes, headers: Headers, rest: Awaitable[None] | None = None) -> None:
    """Reply; and then read the rest of the request, as a connection closed before would take the reply along."""
    plain = ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": [*plain, *headers]})
    if rest is not None:
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await rest
        body = b""
    await send({"type": "http.response.body", "body": body})


def _refused(faults: list[tuple[int, Error]]) -> Refusal:
    """A reply that holds nothing but faults: 422, which trainers do not try again, unless all of them are ours."""
    first = faults[0][1]
    status = _OURS.get(first.type, 422) if all(error.type in _OURS for _, error in faults) else 422
    errors: list[dict[str, Any]] = [{"index": k, "type": error.type, "message": error.message} for k, error in faults]
    return Refusal(status, first.type, f"item {faults[0][0]}: {first.message}", errors)


def _local(scope: Scope) -> str:
    """The path without the prefix under which the application is mounted."""
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(f"{root}/") else path


def _header(scope: Scope, name: bytes) -> str | None:
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return None
