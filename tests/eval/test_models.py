"""A real Qwen3-VL, if a tiny one of random weights: in process by transformers, and behind a server, with the same answers."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from eval.backends.local import Local
from eval.run import Run

from ..servers import ROOT
from .conftest import SMALL

SCRIPTS = ROOT / "tests" / "real_clients"


def python() -> str:
    path = os.environ.get("VIDEOSSR_VERL_PYTHON")
    if not path:
        pytest.skip("VIDEOSSR_VERL_PYTHON does not name a Python with transformers; `make test` sets one up")
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny-qwen3-vl"
    subprocess.run([python(), "-m", "trainer.cpu.tiny_model", str(folder)], cwd=ROOT, check=True, capture_output=True)
    return folder


@contextmanager
def served(model: Path) -> Iterator[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [python(), SCRIPTS / "serve_model.py", str(model)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert process.stdin
    assert process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait(timeout=30)


def evaluate(program: list[str | Path], footage: Path, clip_cache: str, out: Path, *more: str) -> Run:
    command = [
        *program,
        "viubench",
        "--videos",
        str(footage),
        *SMALL,
        "--clip-cache",
        clip_cache,
        "--max-tokens",
        "12",
        "--out",
        str(out),
        *more,
    ]
    done = subprocess.run(
        command, cwd=out.parent, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return Run.read(out)


@pytest.mark.slow
def test_in_process_and_behind_a_server_it_says_the_same(model: Path, footage: Path, clip_cache: str, tmp_path: Path) -> None:
    local = evaluate([python(), SCRIPTS / "local_model.py"], footage, clip_cache, tmp_path / "local", "--model", str(model))
    with served(model) as url:
        remote = evaluate(
            [sys.executable, "-m", "eval"],
            footage,
            clip_cache,
            tmp_path / "remote",
            "--model",
            "tiny-qwen3-vl",
            "--base-url",
            url,
        )
    assert local.benchmark.hash == remote.benchmark.hash
    for sample in local.benchmark.samples:
        here, there = local.response(sample), remote.response(sample)
        assert here
        assert there
        assert here.seen["markers"] == "24 as sent"
        if len(sample.videos["times"]) == 1:  # those of several clips are asked at shared times
            assert here.text == there.text
            assert here.usage["completion_tokens"] > 0
    assert {one.seen["markers"] for one in remote.responses.values() if "markers" in one.seen} == {"24 as sent"}
    assert len({one.text for one in local.responses.values()}) > 3, "it sees different videos"


def test_a_text_only_model_is_asked_without_videos(model: Path, footage: Path, clip_cache: str, tmp_path: Path) -> None:
    run = evaluate(
        [python(), SCRIPTS / "local_model.py"], footage, clip_cache, tmp_path / "run", "--model", str(model), "--form", "text"
    )
    assert run.label.endswith("/tiny-qwen3-vl (text only)")
    counting = {one.text for one in run.responses.values() if one.id.startswith("counting")}
    assert len(counting) == 1, "the same words, the same answer"


def test_other_weights_in_the_folder_are_another_model(model: Path, footage: Path, clip_cache: str, tmp_path: Path) -> None:
    def protocol_values() -> list[str]:
        return [str(path) for path in Local(str(mine)).protocol.values()]

    mine = tmp_path / "model"
    mine.mkdir()
    for path in model.iterdir():
        (mine / path.name).write_bytes(path.read_bytes())
    before = protocol_values()
    assert protocol_values() == before
    weights = mine / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[::-1])
    os.utime(weights, (1, 1))
    assert protocol_values() != before


def test_a_model_that_is_none_is_told(footage: Path, clip_cache: str, tmp_path: Path) -> None:
    command = [
        python(),
        SCRIPTS / "local_model.py",
        "viubench",
        "--videos",
        str(footage),
        *SMALL,
        "--clip-cache",
        clip_cache,
        "--model",
        str(tmp_path / "none"),
        "--json",
    ]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "cannot be loaded" in done.stderr.splitlines()[-1]
