"""The live page in a real browser, where one is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from .servers import serving

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


def test_charts_appear(tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no chromium here")
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
        server.post("/v1/score", {"items": items})
        done = subprocess.run(
            [browser, *QUIET, f"--user-data-dir={tmp_path / 'profile'}", server.url + "/"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        page = done.stdout
    assert "80 items, mean 0.833" in page
    assert "groups by hits of 8" in page
    assert page.count("<rect") == 9 + 20
    assert "<option>jigsaw</option>" in page
    assert "src=" not in page, "the page needs nothing from elsewhere"
