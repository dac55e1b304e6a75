from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

# before datasets or huggingface_hub are imported: nothing of the user's is read or written, and nothing is asked of the Hub
_HOME = tempfile.mkdtemp(prefix="videossr-tests-")
os.environ["HF_HOME"] = _HOME
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["VIDEOSSR_CLIP_CACHE"] = os.path.join(_HOME, "clips")

import pytest
from hypothesis import settings

from tests import footage as footage_choice
from tests.servers import Server, serving

settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")


def pytest_report_header() -> str:
    if footage_choice.has_shared():
        return f"videos: the real clips in {footage_choice.SHARED.name}/"
    return (
        "videos: rendered sample footage, as there are no shared clips beside the project; tests of broken files are left out"
    )


@pytest.fixture(scope="session")
def clip_cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One store of sampled clips for all test processes."""
    return str(tmp_path_factory.getbasetemp().parent / "clips")


@pytest.fixture(scope="session")
def videos() -> Path:
    """The real clips where they are, else rendered ones."""
    return footage_choice.videos_folder()


@pytest.fixture(scope="session")
def footage() -> Path:
    """Eight rendered clips: small, and the same everywhere."""
    return footage_choice.rendered_folder()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A reward service with its default settings."""
    with serving(tmp_path_factory.mktemp("serve")) as running:
        yield running
