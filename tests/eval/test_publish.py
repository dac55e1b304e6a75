"""Runs as others read them."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from huggingface_hub import parse_eval_result_entries

from eval.__main__ import main
from eval.backends.baselines import Baseline
from eval.frames import Frames
from eval.results import score_run
from eval.run import RESPONSES, Run
from eval.runner import run
from eval.sample import Benchmark

from ..servers import ROOT


@pytest.fixture(scope="module")
def done(small: Benchmark, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with one failure."""
    folder = tmp_path_factory.mktemp("run") / "blind"
    asyncio.run(run(small, Baseline("blind"), Frames(small.sampling), folder))
    lines = (folder / RESPONSES).read_text().splitlines()
    failed = {**json.loads(lines[0]), "text": None, "error": "the server answers 500"}
    (folder / RESPONSES).write_text("\n".join([json.dumps(failed), *lines[1:]]) + "\n")
    return folder


def test_the_hub_reads_results_and_benchmark(done: Path, tmp_path: Path) -> None:
    assert main(["export", "hub", str(done), "--dataset", "me/viubench", "--out", str(tmp_path)]) == 0
    card = yaml.safe_load((tmp_path / "eval.yaml").read_text())
    entries = parse_eval_result_entries(yaml.safe_load((tmp_path / ".eval_results" / "viubench.yaml").read_text()))
    results = score_run(Run.read(done))
    assert {"name", "description", "evaluation_framework", "tasks"} <= set(card)
    assert (
        [task["id"] for task in card["tasks"]]
        == [entry.task_id for entry in entries]
        == ["overall", *(column.name for column in results.columns)]
    )
    assert entries[0].dataset_id == "me/viubench"
    assert entries[0].value == pytest.approx(100 * results.overall.value.mean, abs=0.01)
    assert "1 of 27 failed" in str(entries[0].notes)
    assert results.overall.failed == 1


def test_a_wrong_dataset_is_refused(done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "hub", str(done), "--dataset", "viubench", "--out", str(tmp_path)]) == 2
    assert "allowed: owner/name" in capsys.readouterr().err


def test_inspect_reads_its_log(done: Path, tmp_path: Path) -> None:
    python = os.environ.get("VIDEOSSR_INSPECT_PYTHON")
    if not python:
        pytest.skip("VIDEOSSR_INSPECT_PYTHON does not name a Python with inspect-ai; `make test` sets one up")
    script = ROOT / "tests" / "real_clients" / "read_inspect_log.py"
    process = subprocess.run(
        [python, script, str(done), str(tmp_path / "a.eval")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr[-2000:]
    log = json.loads(process.stdout.splitlines()[-1])
    results = score_run(Run.read(done))
    assert log["status"] == "error", "as one question has no answer"
    assert log["scores"]["overall"]["mean_of_columns"] == pytest.approx(results.overall.value.mean)
    assert log["scores"]["counting_easy"]["chance"] == pytest.approx(results.columns[0].chance)
    assert len(log["samples"]) == 27
    assert [error for *_, error in log["samples"] if error] == ["the server answers 500"]


def test_without_inspect_it_says_what_is_missing(done: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "inspect", str(done), "--out", str(tmp_path / "a.eval")]) == 2
    assert "`pip install inspect-ai` installs it" in capsys.readouterr().err
