"""What runs look like beside each other: intervals, comparisons, the page; and the command line that makes them."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from eval.__main__ import main
from eval.compare import Difference
from eval.intervals import Estimate

from .conftest import SMALL


def evaluate(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    output = capsys.readouterr()
    return code, output.out, output.err


@pytest.fixture(scope="module")
def runs(footage: Path, clip_cache: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for baseline in ("uniform", "solver"):
        command = [
            "viubench",
            "--videos",
            str(footage),
            "--baseline",
            baseline,
            *SMALL,
            "--clip-cache",
            clip_cache,
            "--out",
            str(folder / baseline),
        ]
        done = subprocess.run([sys.executable, "-m", "eval", *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "27 questions, hash" in done.stderr
        assert "| overall " in done.stdout
    return folder


def test_a_comparison_is_of_pairs(runs: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, stdout, _ = evaluate(
        capsys, "compare", str(runs / "uniform"), str(runs / "solver"), "--plot", str(tmp_path / "gain.png"), "--json"
    )
    values = json.loads(stdout)
    assert code == 0
    assert (tmp_path / "gain.png").stat().st_size > 5000
    assert values["overall"]["pairs"] == 27
    assert values["overall"]["gain"]["low"] > 0.3
    assert values["overall"]["gain"]["mean"] == pytest.approx(values["overall"]["second"] - values["overall"]["first"])
    _, table, _ = evaluate(capsys, "compare", str(runs / "solver"), str(runs / "solver"))
    assert re.search(r"overall .*\+0\.0 \[-\d+\.\d, \+\d+\.\d\] \| +1\.000 \| +no clear difference", table)


def test_the_page_stands_alone(runs: Path, capsys: pytest.CaptureFixture[str], clip_cache: str, tmp_path: Path) -> None:
    code, _, _ = evaluate(
        capsys,
        "report",
        str(runs / "uniform"),
        str(runs / "solver"),
        "--out",
        str(tmp_path / "report.html"),
        "--clip-cache",
        clip_cache,
    )
    assert code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.csv", "report.html", "report.md", "report.png"]
    page = (tmp_path / "report.html").read_text()
    assert not re.search(r'(?:src|href)="(?!data:)', page), "it loads nothing"
    assert page.count("data:image/jpeg;base64,") >= 9 * 2, "a worst and a best answer a column, with their frames"
    assert "paper: VideoSSR-8B" in page
    words = (tmp_path / "report.md").read_text()
    assert all(model in words for model in ("| uniform", "| solver", "| blind baseline", "| paper: Random"))
    lines = list(csv.DictReader((tmp_path / "report.csv").open()))
    assert len(lines) == 2 * 10
    assert {line["asked"] for line in lines if line["column"] != "overall"} == {"3"}


def test_what_is_no_run_is_left_out(runs: Path, capsys: pytest.CaptureFixture[str], clip_cache: str, tmp_path: Path) -> None:
    (tmp_path / "gain.png").write_bytes(b"x")
    code, _, stderr = evaluate(
        capsys,
        "report",
        str(tmp_path / "gain.png"),
        str(runs / "uniform"),
        "--out",
        str(tmp_path / "report.html"),
        "--clip-cache",
        clip_cache,
    )
    assert code == 1
    assert "eval: left out: " in stderr
    assert "| uniform" in (tmp_path / "report.md").read_text()


def test_few_videos_give_no_verdict(runs: Path) -> None:
    few = Difference("x", "score", 0.1, 0.9, Estimate(0.8, 0.7, 0.9, groups=3), 0.001, 30)
    assert few.verdict == "too few videos to say"
    assert replace(few, gain=replace(few.gain, groups=25)).verdict == "better"


def test_a_page_without_the_videos_says_so(runs: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("run.json", "samples.jsonl", "responses.jsonl"):
        text = (runs / "uniform" / name).read_text()
        (moved / name).write_text(re.sub(r'"url": "[^"]*/', '"url": "/nowhere/', text))
    code, _, _ = evaluate(
        capsys, "report", str(moved), "--out", str(tmp_path / "report.html"), "--clip-cache", str(tmp_path / "empty")
    )
    assert code == 0
    assert "No picture: " in (tmp_path / "report.html").read_text()


def test_scores_are_told_again(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, stdout, _ = evaluate(capsys, "score", str(runs / "solver"), "--json")
    assert code == 0
    values = json.loads(stdout)
    assert values["overall"]["value"]["low"] <= values["overall"]["value"]["mean"] <= values["overall"]["value"]["high"]
    assert len(values["columns"]) == 9


def test_a_frozen_benchmark_is_held_to_its_hash(
    runs: Path, footage: Path, clip_cache: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    frozen = json.loads((runs / "uniform" / "run.json").read_text())["benchmark"]["hash"]
    command = [
        "viubench",
        "--videos",
        str(footage),
        "--baseline",
        "blind",
        *SMALL,
        "--clip-cache",
        clip_cache,
        "--expect",
        frozen,
    ]
    assert evaluate(capsys, *command, "--out", str(tmp_path / "a"))[0] == 0
    code, _, stderr = evaluate(capsys, *command, "--seed", "1", "--out", str(tmp_path / "b"))
    assert code == 2
    assert f"expect={frozen}, but these questions have the hash" in stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("viubench", "--baseline", "blind"), "give either --videos, --data or --original"),
        (("viubench", "--videos", "{footage}"), "give either --model or --baseline"),
        (
            ("viubench", "--videos", "{footage}", "--baseline", "blnd"),
            "baseline='blnd' is not allowed; allowed: uniform, blind, whole, solver; did you mean",
        ),
        (("viubench", "--videos", "nowhere", "--baseline", "blind"), "videos='nowhere' is no folder"),
        (("viubench", "--data", "nowhere", "--baseline", "blind"), "'nowhere' holds no build"),
        (("viubench", "--videos", "{footage}", "--baseline", "blind", "--frames", "1"), "frames=1 is not allowed"),
        (("vqa", "nowhere.json", "--videos", "{footage}", "--baseline", "blind"), "questions='nowhere.json' cannot be read"),
        (("score", "nowhere"), "'nowhere' holds no run"),
        (("report", "nowhere"), "there is no run to report"),
        (
            ("viubench", "--data", "{footage}", "--seed", "3", "--baseline", "blind"),
            "seed=3 is not allowed with --data, which fixes it",
        ),
        (
            ("viubench", "--videos", "{footage}", "--model", "x", "--temperature", "0.5"),
            "temperature=0.5 is not allowed without --base-url",
        ),
        (
            ("viubench", "--videos", "{footage}", "--model", "x", "--form", "vidoe"),
            "form='vidoe' is not allowed; allowed: video, images, text; did",
        ),
    ],
)
def test_wrong_arguments_are_told_in_a_line(
    arguments: tuple[str, ...],
    message: str,
    footage: Path,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, stderr = evaluate(capsys, *(one.format(footage=footage) for one in arguments))
    assert code == 2
    assert stderr.splitlines()[-1].startswith(f"eval: {message}")


def test_the_environment_gives_flags(
    footage: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, clip_cache: str, tmp_path: Path
) -> None:
    for name, value in {
        "VIDEOS": str(footage),
        "BASELINE": "blind",
        "PER_COLUMN": "2",
        "MAX_PIXELS": "16384",
        "CLIP_CACHE": clip_cache,
        "OUT": str(tmp_path / "run"),
    }.items():
        monkeypatch.setenv(f"VIDEOSSR_EVAL_{name}", value)
    code, stdout, _ = evaluate(capsys, "viubench", "--json")
    assert code == 0
    assert json.loads(stdout)["overall"]["asked"] == 18
    assert (tmp_path / "run" / "run.json").exists()
