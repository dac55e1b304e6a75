"""The scoring routes, as plain ASGI, to avoid the overhead of FastAPI and pydantic in a training step."""

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

NG_ROLLOUT_PREFIX = re.compile(r"/ng-rollout/[^/]*(?=/)")  # NeMo Gym's path prefix with observability on
_request_id_prefix = os.urandom(6).hex()
_request_numbers = count(1)
log = logging.getLogger("reward_service.access")


class ScoringRoutes:
    """An ASGI application that answers the protocols' paths, and forwards all others to `app`."""

    def __init__(self, app: ASGIApp, service: Service, protocols: Iterable[Protocol]) -> None:
        self._app = app
        self._service = service
        self._tokens = service.settings.bearer_tokens
        self._paths = {path: p for p in protocols for path in (p.path, *p.aliases) if "{" not in path}
        templates = ((alias, p) for p in protocols for alias in p.aliases if "{" in alias)
        self._templates = [(re.compile(alias.replace("{task}", "([^/]+)")), p) for alias, p in templates]
        self._default_call = Call(mode=service.settings.mode)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        protocol = task = None
        path = ""
        if scope["type"] != "lifespan":
            path = _path_below_mount(scope)
            if path.startswith("/ng-rollout/"):
                path = NG_ROLLOUT_PREFIX.sub("", path, count=1)
                scope = {**scope, "path": scope.get("root_path", "") + path}
            if scope["type"] == "http":
                protocol, task = self._match(path)
        if protocol is None:
            await self._forward(path, scope, receive, send)
        else:
            await self._serve(protocol, task, scope, receive, send)

    async def _forward(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request to FastAPI, after checking its token unless the path is open."""
        tokens = self._tokens
        if tokens and scope["type"] in ("http", "websocket") and path not in auth.OPEN_PATHS:
            try:
                auth.check_token(_header(scope, b"authorization"), tokens)
            except Refusal as refusal:
                if scope["type"] == "websocket":
                    await send({"type": "websocket.close", "code": 1008, "reason": str(refusal)})
                else:
                    await _send(send, refusal.status, encode(refusal.body), _HEADERS[401])
                return
        await self._app(scope, self._service.bodies.limit_time(receive) if scope["type"] == "http" else receive, send)

    def _match(self, path: str) -> tuple[Protocol | None, str | None]:
        if (protocol := self._paths.get(path)) is not None:
            return protocol, None
        for pattern, protocol in self._templates:
            if match := pattern.fullmatch(path):
                return protocol, match[1]
        head, _, task = path.rpartition("/")
        return (self._paths.get(head), task) if task else (None, None)

    async def _serve(self, protocol: Protocol, task: str | None, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        metrics = self._service.metrics
        status, headers = 499, _NO_HEADERS  # recorded if the client disconnects
        body_is_unread = False
        metrics.in_flight += 1
        try:
            request_id = (_header(scope, b"x-request-id") or f"{_request_id_prefix}-{next(_request_numbers):x}")[:128]
            try:
                body = await self._answer(protocol, task, scope, receive)
                status = 200
            except Refusal as refusal:
                status, body = refusal.status, encode(refusal.body)
                headers = _HEADERS.get(status, _NO_HEADERS)
                body_is_unread = refusal.body.error.type in _UNREAD_BODY_ERRORS
                log.info("refused", extra={"request_id": request_id, "route": protocol.name, "status": status,
                                           "error": refusal.body.error.message[:500]})  # fmt: skip
            except Disconnected:
                return
            except RecursionError:
                status, body = 400, encode(too_deep().body)
            except Exception:  # the trainer gets an error, never a score; the log has the traceback
                status = 500
                log.exception("failed", extra={"request_id": request_id, "route": protocol.name})
                body = encode(ErrorBody(Error("internal", f"an error of the server, logged under request {request_id}")))
            if self._service.draining.begun:
                headers = (*headers, _CLOSE)
            headers = ((b"x-request-id", request_id.encode("latin-1")), *headers)
            await _send(send, status, body, headers, self._service.bodies.discard(receive) if body_is_unread else None)
        finally:
            metrics.in_flight -= 1
            seconds = perf_counter() - started
            metrics.record_request(protocol.name, status, seconds)
            if log.isEnabledFor(logging.DEBUG):
                log.debug(
                    "answered", extra={"request_id": request_id, "route": protocol.name, "status": status, "seconds": seconds}
                )

    async def _answer(self, protocol: Protocol, task: str | None, scope: Scope, receive: Receive) -> bytes:
        if self._tokens:
            auth.check_token(_header(scope, b"authorization"), self._tokens)
        if scope["method"] != "POST":
            raise Refusal(405, "method_not_allowed", f"{scope['method']} is not allowed; POST to {scope['path']}")
        length = encoding = b""
        for name, value in scope["headers"]:
            if name == b"content-length":
                length = value
            elif name == b"content-encoding":
                encoding = value
        if encoding not in (b"", b"identity"):
            raise Refusal(415, "unsupported_encoding", "the body is compressed; send it without content-encoding")
        content_length = int(length) if length else None
        body = await self._service.bodies.read(receive, content_length)
        call = self._call(task, scope["query_string"])
        request = protocol.decode(body) if protocol.decode else decode(body, protocol.request)
        items = protocol.read(request, call)
        results = await self._service.score(items, getattr(request, "mode", None) or call.mode)
        faults = [(index, result.error) for index, result in enumerate(results) if isinstance(result, Fault)]
        if faults and (not protocol.partial or len(faults) == len(results)):
            raise _make_refusal(faults)
        return encode(protocol.write(request, results, call))

    def _call(self, task: str | None, query_string: bytes) -> Call:
        return Call.read(task, query_string, self._default_call.mode) if task or query_string else self._default_call


_NO_HEADERS: Headers = ()
_CLOSE = (b"connection", b"close")
_HEADERS: dict[int, Headers] = {
    401: ((b"www-authenticate", b"Bearer"),),
    405: ((b"allow", b"POST"),),
    # the rest of these bodies is not read, so the connection cannot be reused
    408: (_CLOSE,),
    413: (_CLOSE,),
    415: (_CLOSE,),
}
_UNREAD_BODY_ERRORS = ("body_too_large", "unsupported_encoding")
_SERVER_ERRORS = {"time_limit": 503, "internal": 500}  # errors of the server, not of the item


async def _send(send: Send, status: int, body: bytes, headers: Headers, discard: Awaitable[None] | None = None) -> None:
    """Send a reply, then await `discard`, which reads the rest of the request: closing earlier would lose the reply."""
    content_headers = ((b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": [*content_headers, *headers]})
    if discard is not None:
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await discard
        body = b""
    await send({"type": "http.response.body", "body": body})


def _make_refusal(faults: list[tuple[int, Error]]) -> Refusal:
    """The error reply if items failed: 422, which trainers do not retry, unless every error is the server's (500 or 503)."""
    first = faults[0][1]
    status = _SERVER_ERRORS.get(first.type, 422) if all(error.type in _SERVER_ERRORS for _, error in faults) else 422
    errors: list[dict[str, Any]] = [{"index": k, "type": error.type, "message": error.message} for k, error in faults]
    return Refusal(status, first.type, f"item {faults[0][0]}: {first.message}", errors)


def _path_below_mount(scope: Scope) -> str:
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
