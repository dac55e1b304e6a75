"""Exports, as the trainers' own readers see them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from dataset_builder import exports
from dataset_builder.cli import main
from dataset_builder.exports.base import export
from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.questions.spec import BuildSpec
from dataset_builder.storage.build import build
from dataset_builder.storage.stored_build import Build
from tests.real_clients.test_real_clients import run

Made = dict[str, tuple[Build, list[dict[str, Any]]]]


@pytest.fixture(scope="module")
def built(footage: Path, clip_cache: str, tmp_path_factory: pytest.TempPathFactory) -> Made:
    """The same questions as MP4 and as JPEG rows."""
    made = {}
    for video_format in ("mp4", "jpeg"):
        folder = tmp_path_factory.mktemp(video_format)
        build(BuildSpec("mixed", seed=5, samples=9, video_format=video_format), footage, folder, cache=ClipCache.of(clip_cache))
        rows = [row for path in sorted(folder.glob("data/*.parquet")) for row in pq.read_table(path).to_pylist()]
        made[video_format] = (Build.read(folder), rows)
    return made


@pytest.fixture(scope="module")
def seen_by_verl(built: Made, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What verl makes of the rows, by their format."""
    paths = [export(made, tmp_path_factory.mktemp("verl"), exports.get("verl")) for made, _ in built.values()]
    return dict(zip(built, run("VIDEOSSR_VERL_PYTHON", "verl_dataset.py", *map(str, paths)), strict=True))


@pytest.fixture(scope="module")
def seen_by_trl(built: Made, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What TRL makes of the rows, by their format."""
    paths = [export(made, tmp_path_factory.mktemp("trl"), exports.get("trl")) for made, _ in built.values()]
    cache = str(tmp_path_factory.mktemp("cache"))
    return dict(zip(built, run("VIDEOSSR_TRL_PYTHON", "trl_dataset.py", cache, *map(str, paths)), strict=True))


def pairs(times: list[float]) -> list[float]:
    """When Qwen3-VL shows its frames, which it merges in pairs."""
    return [(a + b) / 2 for a, b in zip(times[::2], times[1::2], strict=True)]


@pytest.mark.parametrize("video_format", ["mp4", "jpeg"])
def test_verl_shows_every_frame_at_its_time(built: Made, seen_by_verl: dict[str, Any], video_format: str) -> None:
    (_, rows), shown = built[video_format], seen_by_verl[video_format]
    assert len(shown) == len(rows)
    for row, seen in zip(rows, shown, strict=True):
        info = row["extra_info"]
        assert seen["index"] == info["index"]
        assert seen["data_source"] == row["data_source"]
        assert seen["ground_truth"] == row["reward_model"]["ground_truth"]
        assert seen["shapes"] == [[len(times), 3, info["height"], info["width"]] for times in info["frame_times"]]
        wanted = [time for times in info["frame_times"] for time in pairs(times)]
        # verl tells the model a rate and no times; frames are the source's nearest to an even grid
        spans = zip(info["frame_times"], info["end_times"], strict=True)
        uneven = max(abs(time - k * end / len(times)) for times, end in spans for k, time in enumerate(times))
        assert uneven < 0.1
        assert seen["times"] == pytest.approx(wanted, abs=0.051 + uneven)
        assert seen["pads"] == sum(t * h * w // 4 for t, h, w in seen["grids"])


def test_verl_shows_the_same_pictures_from_both_formats(seen_by_verl: dict[str, Any]) -> None:
    for mp4, jpeg in zip(seen_by_verl["mp4"], seen_by_verl["jpeg"], strict=True):
        assert mp4["first"] == pytest.approx(jpeg["first"], abs=3)
        assert mp4["tokens"] == jpeg["tokens"]


@pytest.mark.parametrize("video_format", ["mp4", "jpeg"])
def test_trl_shows_every_frame_behind_its_time(built: Made, seen_by_trl: dict[str, Any], video_format: str) -> None:
    (_, rows), shown = built[video_format], seen_by_trl[video_format]
    for row, seen in zip(rows, shown, strict=True):
        info = row["extra_info"]
        assert seen["ground_truth"] == row["reward_model"]["ground_truth"]
        assert seen["sizes"] == [[info["width"], info["height"]]]
        assert len(seen["grids"]) == sum(map(len, info["frame_times"]))
        assert seen["times"] == pytest.approx([time for times in info["frame_times"] for time in times], abs=0.006)
        question = seen["question"].removeprefix("<|im_start|>user\n")
        for times in info["frame_times"]:  # the text around the frames is the row's
            frames = "".join(f"<{time:.2f} seconds>*" for time in times)
            assert frames in question
            question = question.replace(frames, "<video>", 1)
        assert question.startswith(row["prompt"][-1]["content"] + "<|im_end|>")


def test_rows_have_one_form_without_nulls(built: Made, tmp_path: Path) -> None:
    for name in exports.names():
        for video_format, (build_made, rows) in built.items():
            table = pq.read_table(export(build_made, tmp_path / name / video_format, exports.get(name)))
            assert table.num_rows == len(rows)
            assert {row["extra_info"]["task"] for row in table.select(["extra_info"]).to_pylist()} == {
                "counting",
                "grounding",
                "jigsaw",
            }
            assert all(column.null_count == 0 for column in table.flatten().flatten().columns)


@pytest.mark.parametrize("trainer", ["verl", "trl"])
@pytest.mark.parametrize("video_format", ["jpeg", "mp4"])
def test_any_number_of_workers_writes_the_same_bytes(built: Made, tmp_path: Path, trainer: str, video_format: str) -> None:
    how, (build_made, _) = exports.get(trainer), built[video_format]
    exported = []
    for workers in (1, 3):
        exported.append(export(build_made, tmp_path / "out", how, workers=workers).read_bytes())
        shutil.rmtree(tmp_path / "out")
    assert exported[0] == exported[1]
    with pytest.raises(ValueError, match="workers=0"):
        export(build_made, tmp_path / "out", how, workers=0)


def test_a_rerun_leaves_what_is_there(built: Made, tmp_path: Path) -> None:
    build_made, _ = built["jpeg"]
    path = export(build_made, tmp_path, exports.get("verl"))
    before = path.stat().st_mtime_ns
    assert export(build_made, tmp_path, exports.get("verl")).stat().st_mtime_ns == before
    path.unlink()  # as if killed before the end
    assert export(build_made, tmp_path, exports.get("verl")).exists()
    with pytest.raises(ValueError, match="--force"):
        export(built["mp4"][0], tmp_path, exports.get("verl"))
    with pytest.raises(ValueError, match="--force"):
        export(build_made, tmp_path, exports.get("trl"))
    assert export(built["mp4"][0], tmp_path, exports.get("verl"), force=True).exists()


def test_no_force_removes_what_is_no_export(built: Any, tmp_path: Path) -> None:
    build = built["mp4"][0]
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(ValueError, match="holds no export"):
        export(build, tmp_path, exports.get("verl"), force=True)
    for place in (build.folder.path, build.folder.path / "data", build.folder.path.parent):
        with pytest.raises(ValueError, match="lie within each other"):
            export(build, place, exports.get("verl"), force=True)


def test_the_command_teaches(
    built: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str], footage: Path, clip_cache: str
) -> None:
    folder = built["jpeg"][0].folder
    assert main(["export", "verl", str(folder), "--out", str(tmp_path / "v")]) == 0
    assert "data.train_files=" in capsys.readouterr().out
    for arguments, message in (
        (["verll", str(folder)], "allowed: trl, verl; did you mean 'verl'?"),
        (["verl", str(tmp_path / "nothing")], "holds no build"),
    ):
        assert main(["export", *arguments, "--out", str(tmp_path / "w")]) == 2
        assert message in capsys.readouterr().err
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "build.json").write_text(json.dumps({"spec": {}, "finished": False}))
    assert main(["export", "verl", str(tmp_path / "half"), "--out", str(tmp_path / "w")]) == 2
    assert "not finished" in capsys.readouterr().err
    build(
        BuildSpec("counting", samples=2, sampling="keyframe", frames=2),
        footage,
        tmp_path / "key",
        cache=ClipCache.of(clip_cache),
    )
    assert main(["export", "verl", str(tmp_path / "key"), "--out", str(tmp_path / "w")]) == 2
    assert "uneven times" in capsys.readouterr().err
