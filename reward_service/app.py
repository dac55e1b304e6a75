"""The application: scoring routes in front, and behind them FastAPI with documentation, statistics, health and the live page."""

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

LAST_WRITE_SECONDS = 12  # longer than a locked file is waited for
PAGE = Path(__file__).with_name("page.html")
DOCS = Path(__file__).with_name("docs.html")  # Swagger's page would load its scripts from elsewhere
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:"
DESCRIPTION = "Smooth, verifiable rewards for questions about videos. `score` is the reward; a fault is an error, never a 0."


def __getattr__(name: str) -> Any:
    """`app`, made when it is first asked for: `uvicorn reward_service.app:app`."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()["app"] = made = create_app()
    return made


class RewardApp(FastAPI):
    """A FastAPI application whose scoring routes are answered before its own machinery begins."""

    scoring: ScoringRoutes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.scoring(scope, receive, send)

    async def pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(scope, receive, send)


def create_app(settings: Settings | None = None) -> RewardApp:
    """The service as an ASGI application. Settings come from the environment where none are given.

    Mounted in another application, it scores, but without its lifespan nobody watches over slow bodies: enter
    `app.router.lifespan_context(app)` in the outer one's.
    """
    settings = settings or Settings()
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.open()
        service.draining.watch()
        watch = asyncio.create_task(service.watch())
        yield
        watch.cancel()
        await service.stats.finish(LAST_WRITE_SECONDS)
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
    app.scoring = ScoringRoutes(app.pass_on, service, protocols())
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    _add_pages(app, service)
    app.include_router(nemo_gym.router())
    app.include_router(openenv.router(service))
    _document(app)
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
        return {"tasks": await service.stats.summary(), "items": await asyncio.to_thread(service.metrics.items)}

    @app.get("/v1/tasks", summary="The tasks: answer formats and blind floors")
    async def listing() -> dict[str, Any]:
        return {name: _described(name) for name in tasks.names()}

    @app.get("/metrics", summary="Prometheus metrics, of all workers", response_class=Response)
    async def prometheus() -> Response:
        service.metrics.sample()
        return Response(await asyncio.to_thread(service.metrics.text), media_type=metrics.TEXT)

    @app.get("/healthz", summary="Whether the process runs")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/readyz", summary="Whether it can score", responses={503: {"description": "It cannot; says why"}})
    async def readyz() -> JSONResponse:
        try:
            if service.draining.begun:
                raise RuntimeError("the server has been told to end")
            service.check()
        except Exception as error:  # whatever it is, no traffic should come here
            return JSONResponse({"status": "not ready", "error": str(error)}, 503)
        return JSONResponse({"status": "ready"})

    for path, endpoint in (("/", page), ("/docs", docs), ("/healthz", healthz), ("/readyz", readyz)):
        app.head(path, include_in_schema=False)(endpoint)


def _described(name: str) -> dict[str, Any]:
    task = tasks.get(name)
    floors = {level: task.chance(task.params(level), 48).smooth for level in tasks.LEVELS}
    return {"version": task.version, "answer_format": task.answer_format, "ability": task.ability, "chance": floors}


def _document(app: FastAPI) -> None:
    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = add_protocols(FastAPI.openapi(app), protocols())
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = f"{request.method} {request.url.path}: {error.detail}; the routes are listed at /docs"
    return _error(error.status_code, "http", message, error.headers)


async def _invalid(request: Request, error: Exception) -> Response:
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
