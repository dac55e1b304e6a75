"""The scoring routes: plain Starlette, as FastAPI's own cost more than the scoring."""

from dataclasses import dataclass
from time import perf_counter

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ..protocols import protocols
from ..protocols.base import Call, Protocol
from ..protocols.messages import Refusal, decode, encode, refusing_depth
from ..scoring.items import Fault
from ..service import Service


def scoring_routes(service: Service) -> list[Route]:
    """A route for each path of each protocol, the native one first."""
    ordered = sorted(protocols(), key=lambda protocol: protocol.name != "native")
    endpoints = [(path, ScoringEndpoint(protocol, service)) for protocol in ordered for path in protocol.all_paths]
    return [Route(path, endpoint, methods=["POST"]) for path, endpoint in endpoints]


@dataclass(frozen=True)
class ScoringEndpoint:
    """An ASGI application that scores the requests of one protocol."""

    protocol: Protocol
    service: Service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = perf_counter()
        metrics = self.service.monitor.metrics
        status = 499  # recorded if the client disconnects
        metrics.in_flight.inc()
        try:
            reply = await self._answer(Request(scope, receive))
            status = 200
            headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(reply))]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": reply})
        except ClientDisconnect:
            return
        except HTTPException as error:
            status = error.status_code
            raise
        except Exception:
            status = 500
            raise
        finally:
            metrics.in_flight.dec()
            metrics.seconds.labels(self.protocol.name, str(status)).observe(perf_counter() - started)

    async def _answer(self, request: Request) -> bytes:
        protocol, settings = self.protocol, self.service.settings
        body = await request.body()
        call = Call.read(request, settings.mode)
        content = protocol.decode(body) if protocol.decode else decode(body, protocol.request)
        with refusing_depth():
            items = protocol.read(content, call)
        mode, run = (getattr(content, key, None) or getattr(call, key) for key in ("mode", "run"))
        results = await self.service.score(items, mode, run)
        faults = [(index, result.error) for index, result in enumerate(results) if isinstance(result, Fault)]
        if faults and (not protocol.partial or len(faults) == len(results)):
            index, first = faults[0]
            # 422, which trainers do not retry, unless every error is the server's
            status = 500 if all(error.type == "internal" for _, error in faults) else 422
            errors = [{"index": index, "type": error.type, "message": error.message} for index, error in faults]
            raise Refusal(status, first.type, f"item {index}: {first.message}", errors=errors)
        with refusing_depth():
            return encode(protocol.write(content, results, call))
