"""The service on a Ray cluster: `serve run reward_service.cluster:app`.

Settings come from the environment (`VIDEOSSR_SERVE_…`) of the driver that deploys it. Replicas of one node share their
statistics; `VIDEOSSR_SERVE_WORKERS` is the number of replicas.
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


def deployment(settings: Settings | None = None) -> Any:
    """A Ray Serve application of the service."""
    settings = settings or Settings()
    if settings.stats_dir is None:
        folder = Path(tempfile.gettempdir()) / f"videossr-serve-ray-{uuid.uuid4().hex}"
        settings = settings.model_copy(update={"stats_dir": folder})
    environment = settings.environment()

    def build() -> RewardApp:
        os.environ.update(environment)
        from .app import create_app

        return create_app(Settings())

    replica = serve.deployment(name="videossr-rewards", num_replicas=settings.workers, max_ongoing_requests=512)
    return replica(serve.ingress(build)()).bind()


def __getattr__(name: str) -> Any:
    """`app`, made when it is first asked for."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return deployment()
