"""The live page in a real browser, where one is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from reward_service.protocols import protocols
from tests.servers import Server, serving

pytestmark = pytest.mark.slow

QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    "--virtual-time-budget=4000",
    "--dump-dom",
]


def shown(url: str, profile: Path) -> str:
    """The page as a browser has it once its scripts have run."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium here")
    done = subprocess.run(
        [browser, *QUIET, f"--user-data-dir={profile}", url], capture_output=True, text=True, timeout=120, check=False
    )
    assert "src=" not in done.stdout, "a page needs nothing from elsewhere"
    return done.stdout


def test_every_format_is_documented(server: Server, tmp_path: Path) -> None:
    page = shown(server.url + "/docs", tmp_path)
    for protocol in protocols():
        assert f"<code>{protocol.path}</code>" in page
    assert "curl http://127.0.0.1" in page


def test_charts_appear(tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        items = [
            {
                "task": "counting",
                "ground_truth": "3,1,4",
                "response": f"3,1,{k % 8}",
                "group": k // 8,
                "extra_info": {"level_name": "hard"},
            }
            for k in range(80)
        ]
        for run in ("first", "second"):
            server.post("/v1/score", {"items": items, "run": run})
        page = shown(server.url + "/", tmp_path / "profile")
    assert "counting: 160 items, mean 0.833" in page
    assert page.index("run second") < page.index("run first")
    assert "groups by hits of 8" in page
    assert page.count("<rect") == 2 * (9 + 20)
    assert "<option>jigsaw</option>" in page
