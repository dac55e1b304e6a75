from __future__ import annotations

from pathlib import Path

import pytest

from eval.benchmarks import VIUBENCH
from eval.benchmarks.generated import from_videos
from eval.sample import Benchmark

SIZE = 128 * 128
SMALL = ("--max-pixels", str(SIZE), "--per-column", "3")


@pytest.fixture(scope="session")
def small(footage: Path, clip_cache: str) -> Benchmark:
    """27 questions on rendered footage."""
    return from_videos(VIUBENCH.spec(0, max_pixels=SIZE, per_column=3), footage, clip_cache)
