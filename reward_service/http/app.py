"""The application: scoring routes, documentation, statistics, health checks and the live page."""

import logging
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.routing import Mount

from dataset_builder import tasks
from dataset_builder.version import VERSION

from ..protocols import protocols
from ..protocols.messages import Refusal
from ..service import Service
from ..settings import Settings
from .middleware import BodyLimits, TokenAuth
from .openapi import make_document
from .scoring_routes import scoring_routes

FOLDER = Path(__file__).parent  # of page.html, and docs.html, as Swagger's page loads scripts from the internet
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:"
TITLE = "VideoSSR reward service"
NO_TELEMETRY: Any = dict.fromkeys(("tracing", "metrics", "logs"), False)  # asking for it costs more than scoring
DESCRIPTION = (
    "Smooth, verifiable rewards for questions about videos. A failed item gets an error, never a 0. Every path may begin with "
    "`/run/NAME`, which tells the rollouts of several training runs apart."
)
# before every path: the name of a training run, or what NeMo Gym adds with its observability on
PREFIXES = ("/run/{run}", "/ng-rollout/{rollout}")

log = logging.getLogger("reward_service")


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the service as an ASGI application: `uvicorn --factory reward_service.http.app:create_app`.

    `settings` default to the environment. Raises UsageError if a module of `imports` cannot be imported.
    """
    settings = settings or Settings()
    service = Service(settings)
    app = FastAPI(title=TITLE, version=VERSION, description=DESCRIPTION, docs_url=None, redoc_url=None, telemetry=NO_TELEMETRY)
    app.state.service = service
    app.openapi = partial(make_document, app)  # type: ignore[method-assign]
    app.add_middleware(BodyLimits, max_bytes=settings.max_body_bytes, seconds=settings.body_seconds)
    if settings.bearer_tokens:
        app.add_middleware(TokenAuth, tokens=settings.bearer_tokens)
    _add_error_replies(app)
    further_routes = APIRouter()
    for protocol in protocols():
        if protocol.routes is not None:
            for prefix in ("", f"/{protocol.name}", f"/{protocol.name}/{{task}}"):
                further_routes.include_router(protocol.routes, prefix=prefix, include_in_schema="{" not in prefix)
    routes = [*scoring_routes(service), *further_routes.routes]
    app.router.routes[:0] = [*routes, *(Mount(prefix, routes=routes) for prefix in PREFIXES)]  # matched first
    _add_pages(app, service)
    return app


def _add_pages(app: FastAPI, service: Service) -> None:
    @app.get("/v1/stats", summary="Group statistics by run, task and level; `process` says whose")
    async def stats() -> Response:
        return Response(service.monitor.summary(), media_type="application/json")

    @app.get("/v1/tasks", summary="The tasks: answer formats and blind baselines")
    async def listing() -> dict[str, Any]:
        return {name: _describe_task(tasks.get(name)) for name in tasks.names()}

    @app.get("/metrics", summary="Prometheus metrics", response_class=Response)
    async def prometheus() -> Response:
        return Response(generate_latest(service.monitor.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    async def page(request: Request) -> Response:
        file = "docs.html" if request.url.path.endswith("/docs") else "page.html"
        return HTMLResponse((FOLDER / file).read_text(), headers={"content-security-policy": POLICY})

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok"})  # it has scored a truth of each task at its start

    for path, endpoint in (("/", page), ("/docs", page), ("/healthz", health), ("/readyz", health)):
        app.add_route(path, endpoint, include_in_schema=False)


def _describe_task(task: tasks.Task) -> dict[str, Any]:
    baselines = {level: task.chance(task.params(level), 48).smooth for level in tasks.LEVELS}
    return {"version": task.version, "answer_format": task.answer_format, "ability": task.ability, "chance": baselines}


def _add_error_replies(app: FastAPI) -> None:
    """Answer every exception in this form. The traceback of a fault is in the log of uvicorn."""

    @app.exception_handler(Exception)
    async def fault(request: Request, error: Exception) -> Response:
        return Refusal(500, "internal", "an error of the server; its log has the traceback").reply()

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        return Refusal(422, "invalid_request", f"{first['msg']} - at {'.'.join(map(str, first['loc']))}").reply()

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        if not isinstance(error, Refusal):
            message = f"{request.method} {request.url.path}: {error.detail}; the routes are listed at /docs"
            error = Refusal(error.status_code, "http", message, headers=error.headers)
        log.info("refused", extra={"path": request.url.path, "status": error.status_code, "error": error.detail[:500]})
        return error.reply()
