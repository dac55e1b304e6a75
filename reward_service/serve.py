"""`videossr serve`: the service under uvicorn, with any number of workers."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from types import FrameType
from typing import NoReturn

import uvicorn
from pydantic import ValidationError

from dataset_builder.tasks import UsageError

from .logs import log_config
from .settings import Settings
from .shared_folder import shared_folder

BACKLOG = 4096  # connections not yet accepted: a training step opens hundreds at once


def read_settings(arguments: Sequence[str]) -> Settings:
    """Settings from flags, and from the environment where no flag is given.

    Raises:
        UsageError: naming each setting that is not allowed.
    """
    try:
        return Settings(_cli_parse_args=list(arguments))
    except ValidationError as error:
        raise UsageError("; ".join(f"{one['loc'][0]}={one['input']!r}: {one['msg']}" for one in error.errors())) from None


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; then finish what is in progress.

    Raises:
        UsageError: if a module of `imports` cannot be imported. Workers would find out by themselves, and uvicorn start one
            after the other.
    """
    for module in settings.import_names:
        try:
            import_module(module)
        except ImportError as error:
            raise UsageError(f"imports={module!r}: {error}; it has to be on PYTHONPATH") from None
    _allow_connections()
    signal.signal(signal.SIGTERM, _end)  # uvicorn, when it has ended, raises the signal again for whoever was there before
    settings = settings.model_copy(update={"stats_dir": shared_folder(settings)})  # made here, it goes with this process
    os.environ.update(settings.environment())  # the workers' way to them
    uvicorn.run(
        "reward_service.app:app",
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.drain_seconds,
        backlog=BACKLOG,
        ws_max_size=settings.max_body_bytes,
        access_log=False,
        server_header=False,
        log_config=log_config(settings.log_level),
    )


def _end(signum: int, frame: FrameType | None) -> NoReturn:
    sys.exit(0)


def _allow_connections() -> None:
    """Let the process hold as many connections as the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
