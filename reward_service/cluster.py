"""The service on a Ray cluster: `serve run reward_service.cluster:app`.

Settings come from the environment (`VIDEOSSR_SERVE_…`) of the driver. `VIDEOSSR_SERVE_WORKERS` is the number of replicas.
Replicas on one node share their statistics.
"""

from __future__ import annotations

import os
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray import serve

from .settings import Settings

if TYPE_CHECKING:
    from .app import RewardApp


def make_application(settings: Settings | None = None) -> Any:
    """Build the Ray Serve application; settings default to the environment."""
    settings = settings or Settings()
    if settings.stats_dir is None:
        folder = Path(tempfile.gettempdir()) / f"videossr-serve-ray-{uuid.uuid4().hex}"
        settings = settings.model_copy(update={"stats_dir": folder})
    environment = settings.environment()

    def build_app() -> RewardApp:
        os.environ.update(environment)
        from .app import create_app

        return create_app(Settings())

    deployment = serve.deployment(name="videossr-rewards", num_replicas=settings.workers, max_ongoing_requests=512)
    return deployment(serve.ingress(build_app)()).bind()


def __getattr__(name: str) -> Any:
    """Build `app` on access, as an import must not need settings."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return make_application()
