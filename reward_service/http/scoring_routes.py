"""The scoring routes: plain Starlette, as FastAPI's own cost more than the scoring."""

import logging
import os
from dataclasses import dataclass
from itertools import count
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

_request_id_prefix = os.urandom(6).hex()
_request_numbers = count(1)
log = logging.getLogger("reward_service.access")


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
        request = Request(scope, receive)
        request_id = request.headers.get("x-request-id", "")[:128] or f"{_request_id_prefix}-{next(_request_numbers):x}"
        metrics.in_flight.inc()
        try:
            reply = await self._answer(request)
            status = 200
            headers = [
                (b"content-type", b"application/json"),
                (b"content-length", b"%d" % len(reply)),
                (b"x-request-id", request_id.encode("latin-1")),
            ]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": reply})
        except ClientDisconnect:
            return
        except RecursionError:
            raise too_deep() from None
        except HTTPException as error:
            status = error.status_code
            error.headers = {"x-request-id": request_id, **(error.headers or {})}
            raise
        except Exception:
            status = 500
            raise
        finally:
            metrics.in_flight.dec()
            seconds = perf_counter() - started
            metrics.seconds.labels(self.protocol.name, str(status)).observe(seconds)
            if log.isEnabledFor(logging.DEBUG):
                details = {"request_id": request_id, "route": self.protocol.name, "status": status, "seconds": seconds}
                log.debug("answered", extra=details)

    async def _answer(self, request: Request) -> bytes:
        protocol, settings = self.protocol, self.service.settings
        body = await request.body()
        call = Call.read(request, settings.mode)
        content = protocol.decode(body) if protocol.decode else decode(body, protocol.request)
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
        return encode(protocol.write(content, results, call))
