"""One form for all errors: `{"error": {"type", "message"}, "errors": […]}`."""

import logging

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from ..protocols.messages import Refusal, encode

log = logging.getLogger("reward_service.access")


def add_error_replies(app: FastAPI) -> None:
    """Answer every exception in this form. The traceback of a fault is in the log of uvicorn."""

    @app.exception_handler(Exception)
    async def fault(request: Request, error: Exception) -> Response:
        return error_reply(Refusal(500, "internal", "an error of the server; its log has the traceback"))

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return error_reply(Refusal(422, "invalid_request", f"{first['msg']} - at {'.'.join(map(str, first['loc']))}"))

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        if not isinstance(error, Refusal):
            message = f"{request.method} {request.url.path}: {error.detail}; the routes are listed at /docs"
            error = Refusal(error.status_code, "http", message, headers=error.headers)
        log.info("refused", extra={"path": request.url.path, "status": error.status_code, "error": error.detail[:500]})
        return error_reply(error)


def error_reply(refusal: Refusal) -> Response:
    """The reply to a refused request."""
    return Response(encode(refusal.body), refusal.status_code, refusal.headers, "application/json")
