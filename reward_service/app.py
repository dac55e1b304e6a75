"""The application: the scoring routes, then FastAPI with documentation, statistics, health checks and the live page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from dataset_builder import tasks

from . import metrics
from .errors import ErrorBody
from .items import Error
from .json_body import encode
from .openapi import add_protocols
from .protocols import nemo_gym, openenv, protocols
from .routes import ScoringRoutes
from .service import Service
from .settings import Settings

if TYPE_CHECKING:
    app: RewardApp

FINAL_WRITE_SECONDS = 12  # longer than the lock timeout of the statistics file
PAGE = Path(__file__).with_name("page.html")
DOCS = Path(__file__).with_name("docs.html")  # instead of Swagger's page, which loads scripts from the internet
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:"
DESCRIPTION = (
    "Smooth, verifiable rewards for questions about videos. `score` is the reward; a failed item gets an error, never a 0."
)


def __getattr__(name: str) -> Any:
    """Build `app` on first access: `uvicorn reward_service.app:app`."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()["app"] = application = create_app()
    return application


class RewardApp(FastAPI):
    """A FastAPI application that hands each request to the scoring routes first."""

    scoring: ScoringRoutes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.scoring(scope, receive, send)

    async def forward(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request with FastAPI."""
        await super().__call__(scope, receive, send)


def create_app(settings: Settings | None = None) -> RewardApp:
    """Build the service as an ASGI application. Settings default to the environment.

    If you mount it in another application, enter `app.router.lifespan_context(app)` in that application's lifespan.
    Without it, scoring works, but slow request bodies are not timed out.
    """
    settings = settings or Settings()
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.open()
        service.draining.install()
        monitor = asyncio.create_task(service.monitor())
        yield
        monitor.cancel()
        await service.stats.wait_for_writer(FINAL_WRITE_SECONDS)
        service.close()

    app = RewardApp(
        title="VideoSSR reward service",
        version=_version(),
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        max_body_size=settings.max_body_bytes,
    )
    app.state.service = service
    app.scoring = ScoringRoutes(app.forward, service, protocols())
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    _add_pages(app, service)
    app.include_router(nemo_gym.router())
    app.include_router(openenv.router(service))
    _add_openapi(app)
    return app


def _add_pages(app: FastAPI, service: Service) -> None:
    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def page() -> HTMLResponse:
        return HTMLResponse(PAGE.read_text(), headers={"content-security-policy": POLICY})

    @app.get("/docs", response_class=HTMLResponse, include_in_schema=False)
    async def docs() -> HTMLResponse:
        return HTMLResponse(DOCS.read_text(), headers={"content-security-policy": POLICY})

    @app.get("/v1/stats", summary="Group statistics by task and level, of all workers")
    async def stats() -> dict[str, Any]:
        return {"tasks": await service.stats.summarize_async(), "items": await asyncio.to_thread(service.metrics.item_counts)}

    @app.get("/v1/tasks", summary="The tasks: answer formats and blind baselines")
    async def listing() -> dict[str, Any]:
        return {name: _describe_task(name) for name in tasks.names()}

    @app.get("/metrics", summary="Prometheus metrics, of all workers", response_class=Response)
    async def prometheus() -> Response:
        service.metrics.publish_gauges()
        return Response(await asyncio.to_thread(service.metrics.exposition), media_type=metrics.CONTENT_TYPE)

    @app.get("/healthz", summary="Whether the process runs")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", summary="Whether it can score", responses={503: {"description": "It cannot; `error` says why"}})
    async def readyz() -> JSONResponse:
        try:
            if service.draining.begun:
                raise RuntimeError("the server is shutting down")
            service.check_ready()
        except Exception as error:  # after any error, no traffic should come here
            return JSONResponse({"status": "not ready", "error": str(error)}, 503)
        return JSONResponse({"status": "ready"})

    for path, endpoint in (("/", page), ("/docs", docs), ("/healthz", healthz), ("/readyz", readyz)):
        app.head(path, include_in_schema=False)(endpoint)


def _describe_task(name: str) -> dict[str, Any]:
    task = tasks.get(name)
    baselines = {level: task.chance(task.params(level), 48).smooth for level in tasks.LEVELS}
    return {"version": task.version, "answer_format": task.answer_format, "ability": task.ability, "chance": baselines}


def _add_openapi(app: FastAPI) -> None:
    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = add_protocols(FastAPI.openapi(app), protocols())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path}: {error.detail}; the routes are listed at /docs"
    return _error(error.status_code, "http", message, error.headers)


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return _error(422, "invalid_request", f"{first['msg']} - at {where}")


def _error(status: int, kind: str, message: str, headers: Any = None) -> Response:
    return Response(encode(ErrorBody(Error(kind, message))), status, headers, "application/json")


def _version() -> str:
    try:
        return version("videossr")
    except PackageNotFoundError:  # a checkout that is not installed
        return "0"
