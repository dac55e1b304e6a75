from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

from dataset_builder import tasks
from dataset_builder.cli import main
from dataset_builder.media.mp4 import read_mp4

ROOT = Path(__file__).resolve().parents[2]


def test_tasks_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks"]) == 0
    text = capsys.readouterr().out
    assert main(["tasks", "--json"]) == 0
    listing = json.loads(capsys.readouterr().out)
    assert sorted(listing) == tasks.names()
    for name, task in listing.items():
        assert name in text
        assert all(knob["name"] in text and set(knob["values"]) == set(tasks.LEVELS) for knob in task["knobs"])
        assert list(task["chance"]) == list(tasks.LEVELS)


@pytest.mark.parametrize("task", ["grounding", "counting", "jigsaw"])
def test_a_preview_is_a_picture_and_clips(
    task: str, footage: Path, tmp_path: Path, clip_cache: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "preview",
        task,
        "--videos",
        str(footage),
        "--seed",
        "7",
        "--difficulty",
        "hard",
        "--out",
        str(tmp_path),
        "--clip-cache",
        clip_cache,
    ]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert "answer: " in told
    (sheet,) = tmp_path.glob("*.png")
    picture = cv2.imread(str(sheet))
    assert picture.shape[0] > 400
    assert picture.std() > 20
    clips = sorted(tmp_path.glob("*.mp4"))
    assert len(clips) == (8 if task == "jigsaw" else 1)
    frames, times = read_mp4(clips[0].read_bytes())
    assert len(frames) == len(times) > 1
    assert main([*command, "--number", "10000"]) == 1


def test_build_and_validate(footage: Path, tmp_path: Path, clip_cache: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "out")
    command = [
        "build",
        "mixed",
        "--videos",
        str(footage),
        "--out",
        out,
        "--set",
        "jigsaw.clips=5",
        "--frames",
        "32",
        "--clip-cache",
        clip_cache,
    ]
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"]["jigsaw"] >= 5
    assert main(command) == 0
    assert "jigsaw" in capsys.readouterr().out
    assert main(["validate", out]) == 0
    assert main(["validate", out, "--json"]) == 0
    told = capsys.readouterr().out
    assert json.loads(told[told.index("\n{") :])["faults"] == []
    next((tmp_path / "out" / "data").glob("*.parquet")).unlink()
    assert main(["validate", out]) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--difficulty", "brutal"], "difficulty='brutal'"),
        (["--set", "clips"], "NAME=VALUE"),
        (["--set", "clips=1"], "clips='1' is not allowed; allowed: an integer from 2 to 64"),
        (["--videos", "nowhere"], "'nowhere' is no folder"),
        (["--workers", "0"], "workers=0"),
    ],
)
def test_wrong_arguments_are_one_line_and_exit_code_two(
    arguments: list[str], told: str, footage: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", "jigsaw", "--videos", str(footage), "--out", str(tmp_path / "out"), *arguments]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.strip().splitlines()[-1].startswith("videossr: ")
    assert not (tmp_path / "out").exists()


def test_defaults_are_the_same_wherever_a_build_begins() -> None:
    from dataset_builder.builder import VideoSSRConfig
    from dataset_builder.cli import _parser
    from dataset_builder.commands.arguments import spec_of
    from dataset_builder.questions.spec import BuildSpec

    given = _parser().parse_args(["build", "mixed", "--videos", "clips", "--out", "out"])
    assert spec_of(given) == VideoSSRConfig(name="mixed").spec() == BuildSpec("mixed")


def test_help_has_examples() -> None:
    for command in ([], ["build"], ["preview"], ["validate"], ["tasks"], ["demo"]):
        done = subprocess.run(
            [sys.executable, "-m", "dataset_builder.cli", *command, "--help"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "example" in done.stdout
        assert "videossr " in done.stdout


def test_a_build_that_falls_short_says_so(tmp_path: Path, clip_cache: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Footage in which nothing moves gives no jigsaw."""
    import av
    import numpy as np

    videos = tmp_path / "videos"
    videos.mkdir()
    with av.open(str(videos / "still.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
        for _ in range(80):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((64, 128, 3), 90, np.uint8), "rgb24")))
        container.mux(stream.encode(None))
    assert (
        main(
            [
                "build",
                "videossr-30k",
                "--samples",
                "12",
                "--videos",
                str(videos),
                "--out",
                str(tmp_path / "out"),
                "--clip-cache",
                clip_cache,
            ]
        )
        == 1
    )
    told = capsys.readouterr()
    assert "the build is short" in told.err
    assert "too static" in told.out


def test_the_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--out", str(tmp_path / "demo")]) == 0
    page = (tmp_path / "demo" / "index.html").read_text()
    assert page.count("<article>") == 12
    for link in ("src='page/", 'src="page/'):
        for part in page.split(link)[1:]:
            assert (tmp_path / "demo" / "page" / part.partition(link[4])[0]).exists()
    assert "right answer" in capsys.readouterr().out


def test_a_fault_of_the_program_is_no_wrong_argument(footage: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ValueError that is not about what the user gave keeps its traceback."""

    def broken(*_: object) -> None:
        raise ValueError("math domain error")

    monkeypatch.setattr(type(tasks.get("counting")), "plan", broken)
    with pytest.raises(ValueError, match="math domain error"):
        main(["build", "counting", "--videos", str(footage), "--out", str(tmp_path / "out"), "--clip-cache", ""])
