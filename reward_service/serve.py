"""`videossr serve`: runs the service under uvicorn."""

import resource
import signal
import sys
from collections.abc import Sequence

import uvicorn
from pydantic import ValidationError

from dataset_builder.tasks import UsageError

from .http.app import create_app
from .monitoring.logs import log_config
from .settings import Settings

KEEP_ALIVE_SECONDS = 120  # longer than any client keeps an idle connection
BACKLOG = 4096  # connections waiting to be accepted: a training step opens hundreds at once


def read_settings(args: Sequence[str]) -> Settings:
    """Read settings from command-line flags, else from the environment; raises UsageError that names each wrong one."""
    try:
        return Settings(_cli_parse_args=list(args))
    except ValidationError as error:
        details = error.errors()
        raise UsageError("; ".join(f"{item['loc'][0]}={item['input']!r}: {item['msg']}" for item in details)) from None


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then finish running requests; raises UsageError as `create_app` does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a connection is an open file
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises the signal again when it has ended
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.drain_seconds,
        backlog=BACKLOG,
        ws_max_size=settings.max_body_bytes,
        access_log=settings.log_level == "debug",
        server_header=False,
        log_config=log_config(settings.log_level),
    )
