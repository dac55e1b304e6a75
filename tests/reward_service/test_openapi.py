"""The OpenAPI document, and a fuzzer that takes it at its word."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from reward_service.protocols import protocols
from tests.servers import Server

pytestmark = pytest.mark.slow


def test_every_protocol_is_documented_with_its_example(server: Server) -> None:
    document = server.get("/openapi.json").json()
    for protocol in protocols():
        operation = document["paths"][protocol.path]["post"]
        assert operation["requestBody"]["content"]["application/json"]["example"] == protocol.example
        assert operation["responses"]["422"]["content"]["application/json"]["schema"]["$ref"].endswith("/ErrorBody")
    assert {"Item", "Scored", "Fault", "ErrorBody"} <= document["components"]["schemas"].keys()


def test_schemathesis_finds_no_fault(server: Server) -> None:
    """All of its checks, on every operation; but for the one that takes any string for a task or a truth that exists."""
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"), "run", server.url + "/openapi.json",
            "--exclude-checks", "positive_data_acceptance", "--max-examples", "20", "--seed", "1",
        ],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:]
    assert "passed" in done.stdout
