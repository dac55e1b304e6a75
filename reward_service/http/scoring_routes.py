"""The scoring routes: plain Starlette, as FastAPI's own cost more than the scoring."""

from dataclasses import dataclass
from time import perf_counter

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ..protocols import protocols
from ..protocols.base import Call, Protocol
from ..protocols.messages import Refusal, decode, encode, too_deep
from ..scoring.items import Fault
from ..service import Service


def scoring_routes(service: Service) -> list[Route]:
    """A route for each path of each protocol, the native one first."""
    ordered = sorted(protocols(), key=lambda protocol: protocol.name != "native")
    call = Call(mode=service.settings.mode)
    endpoints = [(path, ScoringEndpoint(protocol, service, call)) for protocol in ordered for path in protocol.all_paths]
    return [Route(path, endpoint, methods=["POST"]) for path, endpoint in endpoints]


@dataclass(frozen=True)
class ScoringEndpoint:
    """An ASGI application that scores the requests of one protocol."""

    protocol: Protocol
    service: Service
    plain_call: Call  # of a URL without parameters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        metrics = self.service.monitor.metrics
        status = 500  # recorded for whatever is not foreseen
        metrics.in_flight += 1
        try:
            reply = await self._answer(Request(scope), await _read_body(receive))
            status = 200
            headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(reply))]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": reply})
        except ClientDisconnect:
            status = 499
        except (HTTPException, RecursionError) as error:
            refusal = error if isinstance(error, HTTPException) else too_deep()
            status = refusal.status_code
            raise refusal from None
        finally:
            metrics.in_flight -= 1
            metrics.seconds(self.protocol.name, str(status)).observe(perf_counter() - started)

    async def _answer(self, request: Request, body: bytes) -> bytes:
        protocol, has_parameters = self.protocol, request.scope["query_string"] or request.path_params
        call = Call.read(request, self.plain_call.mode) if has_parameters else self.plain_call
        content = protocol.decode(body) if protocol.decode else decode(body, protocol.request)
        items = protocol.read(content, call)
        mode, run = getattr(content, "mode", None) or call.mode, getattr(content, "run", None) or call.run
        results = await self.service.score(items, mode, run)
        faults = [(index, result.error) for index, result in enumerate(results) if isinstance(result, Fault)]
        if faults and (not protocol.partial or len(faults) == len(results)):
            index, first = faults[0]
            # 422, which trainers do not retry, unless every error is the server's
            status = 500 if all(error.type == "internal" for _, error in faults) else 422
            errors = [{"index": index, "type": error.type, "message": error.message} for index, error in faults]
            raise Refusal(status, first.type, f"item {index}: {first.message}", errors=errors)
        return encode(protocol.write(content, results, call))


async def _read_body(receive: Receive) -> bytes:
    body = bytearray()
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)
    raise ClientDisconnect
