"""The service on Ray: `serve run reward_service.ray_serve:build replicas=4`. Each replica has statistics of its own."""

from typing import Any

from ray import serve

from .http.app import create_app
from .settings import Settings


def build(arguments: dict[str, str] | None = None) -> Any:
    """The Ray Serve application, with settings from the environment; `replicas` is the number of processes."""
    settings = Settings()  # the driver's: replicas may have another environment
    replicas = int((arguments or {}).get("replicas", 1))
    deployment = serve.deployment(name="videossr-rewards", num_replicas=replicas, max_ongoing_requests=512)
    return deployment(serve.ingress(lambda: create_app(settings))()).bind()
