"""The service on a local Ray."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.servers import ROOT, free_port

pytestmark = pytest.mark.slow

GOOD = {"task": "counting", "ground_truth": "3,1,4", "response": "3,1,5"}
DEPLOY = """
import sys
import ray
from ray import serve
ray.init(num_cpus=3, include_dashboard=False, log_to_driver=False)
serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
from reward_service.ray_serve import build
serve.run(build({"replicas": "2"}))

port = sys.argv[1]

@ray.remote
def score(answer):
    import asyncio
    from reward_service.clients.verl import compute_score
    url = f"http://127.0.0.1:{port}"
    return asyncio.run(compute_score("videossr/counting", answer, "3,1,4", {}, url=url))["score"]

print("in ray workers:", *ray.get([score.remote(f"3,1,{k}") for k in range(1, 5)]), flush=True)
import time
while True:
    time.sleep(1)
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    pytest.importorskip("ray.serve")
    port = free_port()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "RAY_USAGE_STATS_ENABLED": "0",
        "VIDEOSSR_SERVE_MAX_BATCH": "9",
    }
    with (tmp_path / "log").open("w") as log:
        driver = subprocess.Popen([sys.executable, "-c", DEPLOY, str(port)], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)  # fmt: skip
    assert driver.stdout is not None
    said = driver.stdout.readline()
    assert said.startswith("in ray workers: 0.75"), said + (tmp_path / "log").read_text()[-3000:]
    assert [float(score) for score in said.split()[3:]] == pytest.approx([1 - k / 12 for k in (3, 2, 1, 0)], abs=1e-5)
    yield f"http://127.0.0.1:{port}"
    driver.send_signal(signal.SIGINT)
    try:
        driver.wait(30)
    except subprocess.TimeoutExpired:
        driver.kill()


def test_replicas_score(cluster: str) -> None:
    for k in range(40):
        reply = httpx.post(cluster + "/v1/score", json={"items": [{**GOOD, "group": k // 8, "id": k}]}, timeout=30)
        assert reply.json()["results"][0]["score"] == pytest.approx(1 - 1 / 12, abs=1e-5), reply.text
    assert httpx.post(cluster + "/slime/countin", json={"response": "1", "label": "3,1,4"}).status_code == 422
    assert httpx.post(cluster + "/v1/score", json={"items": [GOOD] * 10}).status_code == 413
    counts: dict[str, int] = {}
    for _ in range(30):  # each replica counts for itself
        summary = httpx.get(cluster + "/v1/stats", timeout=30).json()
        counts[summary["process"]] = summary["runs"].get("", {}).get("counting", {}).get("unknown", {}).get("rollouts", 0)
    assert sum(counts.values()) == 40
    assert "videossr_items_total" in httpx.get(cluster + "/metrics").text
