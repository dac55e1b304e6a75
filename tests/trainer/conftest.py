"""Fixtures of the trainer's tests, which are skipped where verl is not installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from dataset_builder.media.clip_cache import ClipCache

if find_spec("verl") is None:  # `make test` runs them in the environment that has verl
    collect_ignore_glob = ["test_*.py"]
else:
    from trainer.launch import prepare_environment

    prepare_environment(cpu=True)
    from trainer.cpu.torchvision import make_importable

    make_importable()

SMALL = ("data.max_prompt_length=4096", "data.train_batch_size=2")
SMALL_LIVE = ("data.videossr.frames=8", "data.videossr.max_pixels=8192")


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from trainer.cpu.tiny_model import make_tiny_model

    folder = tmp_path_factory.mktemp("model")
    make_tiny_model(folder, hidden=64)
    return folder


@pytest.fixture(scope="session")
def processor(model: Path) -> Any:
    from verl.utils import hf_processor

    return hf_processor(str(model))


@pytest.fixture(scope="session", params=["mp4", "jpeg"])
def built(request: pytest.FixtureRequest, footage: Path, clip_cache: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build of three tasks, with 8 frames per video."""
    from dataset_builder.questions.spec import BuildSpec
    from dataset_builder.storage.build import build

    folder = tmp_path_factory.mktemp("built")
    spec = BuildSpec(
        "mixed", seed=3, samples=9, frames=8, max_pixels=8192, video_format=request.param, overrides={"jigsaw.clips": 3}
    )
    build(spec, footage, folder, cache=ClipCache.of(clip_cache))
    return folder


def data_config(data: str, *more: str) -> Any:
    """verl's `data` section."""
    from trainer.config.compose import make_config

    live = SMALL_LIVE if data.startswith("live:") else ()
    settings = [f"data={data}", "model=none", "reward_url=http://127.0.0.1:9", *SMALL, *live, *more]
    return make_config(settings, cpu=True).data
