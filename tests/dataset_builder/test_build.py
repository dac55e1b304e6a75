"""Builds on disk: complete, or resumable; never doubled or half-written."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from dataset_builder.errors import BuildError, SourceChanged
from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.media.sampling import Sampling
from dataset_builder.questions.report import Report
from dataset_builder.questions.row import render_row
from dataset_builder.questions.spec import BuildSpec
from dataset_builder.storage import shards as sharding
from dataset_builder.storage.build import BuildProgress, build
from dataset_builder.storage.local_engine import LocalEngine
from dataset_builder.storage.summary import MANIFEST, SUMMARY
from dataset_builder.storage.validate import validate
from dataset_builder.tasks import UsageError
from tests.footage import SHARED, has_shared

ROOT = Path(__file__).resolve().parents[2]
SPEC = BuildSpec("videossr-30k", seed=5, samples=60, max_pixels=128 * 128)


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharding, "ROWS_PER_SHARD", 13)


def shards(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("data/*"))}


def rows(folder: Path) -> list[dict[str, Any]]:
    return [row for path in sorted(folder.glob("data/*.parquet")) for row in pq.read_table(path).to_pylist()]


@pytest.mark.usefixtures("small_shards")
def test_a_build_is_complete_and_datasets_reads_it(footage: Path, tmp_path: Path, clip_cache: str) -> None:
    out = tmp_path / "out"
    report = build(SPEC, footage, out, cache=ClipCache.of(clip_cache))
    assert report.rows.total() == 60
    assert not report.missing
    summary = json.loads((out / SUMMARY).read_text())
    assert summary["finished"]
    assert summary["rows"] == 60
    assert len((out / MANIFEST).read_text().splitlines()) == 8
    assert len(shards(out)) == 5
    loaded = load_dataset(str(out), split="train", cache_dir=str(tmp_path / "hf"))
    assert [row["extra_info"]["index"] for row in loaded] == list(range(60))
    assert loaded[0]["videos"][0].metadata.num_frames
    assert not validate(out).faults


@pytest.mark.usefixtures("small_shards")
def test_the_same_build_is_the_same_to_the_byte(footage: Path, tmp_path: Path, clip_cache: str) -> None:
    build(SPEC, footage, tmp_path / "one", cache=ClipCache.of(clip_cache))
    build(SPEC, footage, tmp_path / "two", cache=ClipCache.of(""), engine=LocalEngine(2))
    assert shards(tmp_path / "one") == shards(tmp_path / "two")
    import dataset_builder  # noqa: F401 - registers

    loaded = load_dataset(
        "videossr",
        "videossr-30k",
        seed=5,
        samples=60,
        max_pixels=128 * 128,
        data_dir=str(footage),
        split="train",
        cache_dir=str(tmp_path),
        clip_cache=clip_cache,
    )
    assert loaded.data.table.column("extra_info").to_pylist() == [row["extra_info"] for row in rows(tmp_path / "one")]
    assert loaded.data.table.column("videos").to_pylist() == [row["videos"] for row in rows(tmp_path / "one")]


@pytest.mark.usefixtures("small_shards")
def test_a_rerun_makes_only_what_is_missing(
    footage: Path, tmp_path: Path, clip_cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    first = build(SPEC, footage, out, cache=ClipCache.of(clip_cache))
    before = shards(out)
    lost, damaged, *_ = sorted(out.glob("data/*.parquet"))
    lost.unlink()
    damaged.write_bytes(damaged.read_bytes()[:1000])
    (out / "data" / f"{lost.name}.{'9' * 32}.tmp").write_bytes(b"left by a killed process")
    made = []
    make_rows = sharding.make_rows
    monkeypatch.setattr(sharding, "make_rows", lambda units, *more: made.append(units) or make_rows(units, *more))
    second = build(SPEC, footage, out, cache=ClipCache.of(clip_cache))
    assert len(made) == 2
    assert shards(out) == before
    assert second.to_dict() == first.to_dict()


KILLED = """
import os, signal, sys
from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.storage.build import BuildProgress, build
from dataset_builder.storage.local_engine import LocalEngine
from tests.dataset_builder.test_build import SPEC, sharding
sharding.ROWS_PER_SHARD = 13
build(SPEC, sys.argv[1], sys.argv[2], cache=ClipCache.of(sys.argv[3]), engine=LocalEngine(int(sys.argv[4])),
    progress=BuildProgress(rows=lambda done, total: done < 20 or os.killpg(0, signal.SIGKILL)))
"""


@pytest.mark.usefixtures("small_shards")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_build_goes_on(footage: Path, tmp_path: Path, clip_cache: str, workers: int) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    build(SPEC, footage, whole, cache=ClipCache.of(clip_cache))
    program = [sys.executable, "-c", KILLED, str(footage), str(out), clip_cache, str(workers)]
    killed = subprocess.run(program, cwd=ROOT, start_new_session=True, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not json.loads((out / SUMMARY).read_text())["finished"]
    assert any("not finished" in fault for _, fault in validate(out).faults)
    build(SPEC, footage, out, cache=ClipCache.of(clip_cache), engine=LocalEngine(workers))
    assert shards(out) == shards(whole)


def test_a_killed_worker_is_told(footage: Path, tmp_path: Path, clip_cache: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharding, "ROWS_PER_SHARD", 5)
    killed = []

    def kill_one(done: int, total: int) -> None:
        if done and not killed:
            mine = subprocess.run(
                ["pgrep", "-P", str(os.getpid()), "-f", "spawn_main"], capture_output=True, text=True, check=False
            ).stdout.split()
            killed.extend(mine[:1])
            os.kill(int(mine[0]), signal.SIGKILL)

    with pytest.raises(BuildError, match=r"a worker process died.*run the same command again"):
        build(
            replace(SPEC, samples=400),
            footage,
            tmp_path / "out",
            cache=ClipCache.of(clip_cache),
            engine=LocalEngine(2),
            progress=BuildProgress(rows=kill_one),
        )
    assert killed


@pytest.mark.usefixtures("small_shards")
def test_a_video_that_goes_away_stops_the_build_and_a_rerun_does_without(footage: Path, tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    shutil.copytree(footage, videos)
    spec = BuildSpec("counting", per_video=5)

    def remove(done: int, total: int) -> None:
        (videos / "zoom_in_town.mp4").unlink(missing_ok=True)

    with pytest.raises(SourceChanged, match=r"zoom_in_town\.mp4 vanished"):
        build(spec, videos, tmp_path / "out", cache=ClipCache.of(""), progress=BuildProgress(rows=remove))
    finished = shards(tmp_path / "out")
    assert finished
    assert all(name.endswith(".parquet") for name in finished)
    build(spec, videos, tmp_path / "out", cache=ClipCache.of(""))
    assert not validate(tmp_path / "out").faults
    assert [row["extra_info"]["index"] for row in rows(tmp_path / "out")] == list(range(35))


@pytest.mark.usefixtures("small_shards")
def test_added_videos_make_no_stale_rows(footage: Path, tmp_path: Path, clip_cache: str) -> None:
    some, out = tmp_path / "some", tmp_path / "out"
    shutil.copytree(footage, some)
    (some / "pan_right.mp4").unlink()
    build(SPEC, some, out, cache=ClipCache.of(clip_cache))
    shutil.copy(footage / "pan_right.mp4", some)
    build(SPEC, some, out, cache=ClipCache.of(clip_cache))
    build(SPEC, some, tmp_path / "fresh", cache=ClipCache.of(clip_cache))
    assert shards(out) == shards(tmp_path / "fresh")


def test_a_full_disk_is_told_and_leaves_nothing_half_written(
    footage: Path, tmp_path: Path, clip_cache: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from dataset_builder.cli import main

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    command = ["build", "counting", "--videos", str(footage), "--out", str(tmp_path / "out"), "--clip-cache", clip_cache]
    with monkeypatch.context() as patch:
        patch.setattr(pq.ParquetWriter, "write_table", full)
        assert main(command) == 1
    assert "no space left" in capsys.readouterr().err
    assert not shards(tmp_path / "out")
    assert main(command) == 0


def test_other_builds_are_not_overwritten(footage: Path, tmp_path: Path, clip_cache: str) -> None:
    out = tmp_path / "out"
    build(BuildSpec("counting", seed=1), footage, out, cache=ClipCache.of(clip_cache))
    with pytest.raises(ValueError, match=r"holds another build \(seed=1\).*--force"):
        build(BuildSpec("counting", seed=2), footage, out, cache=ClipCache.of(clip_cache))
    build(BuildSpec("counting", seed=2), footage, out, cache=ClipCache.of(clip_cache), force=True)
    assert {row["extra_info"]["seed"] for row in rows(out)} == {2}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("")
    with pytest.raises(ValueError, match="is not empty and holds no build"):
        build(SPEC, footage, tmp_path / "mine", force=True, cache=ClipCache.of(clip_cache))


def test_two_builds_do_not_share_a_folder(footage: Path, tmp_path: Path, clip_cache: str) -> None:
    def again(done: int, total: int) -> None:
        with pytest.raises(BuildError, match="another build is writing"):
            build(SPEC, footage, tmp_path / "out", cache=ClipCache.of(clip_cache))

    build(BuildSpec("counting"), footage, tmp_path / "out", cache=ClipCache.of(clip_cache), progress=BuildProgress(rows=again))


def test_validation_finds_what_is_wrong(footage: Path, tmp_path: Path, clip_cache: str) -> None:
    out = tmp_path / "out"
    build(BuildSpec("counting"), footage, out, cache=ClipCache.of(clip_cache))
    (path,) = out.glob("data/*.parquet")
    table = pq.read_table(path)

    def faults(change: Any) -> str:
        changed = table.to_pylist()
        change(changed[0])
        pq.write_table(type(table).from_pylist(changed, table.schema), path)
        return " ".join(fault for _, fault in validate(out).faults)

    assert faults(lambda row: None) == ""
    assert "no answer of task" in faults(lambda row: row["reward_model"].update(ground_truth="many"))
    assert "placeholders" in faults(lambda row: row["prompt"][0].update(content="no video here"))
    assert "other times" in faults(lambda row: row["extra_info"]["frame_times"][0].__setitem__(3, 0.5))
    assert "were drawn" in faults(lambda row: row["reward_model"].update(ground_truth="9,9,9"))
    assert "Invalid data" in faults(lambda row: row["videos"][0].update(bytes=b"broken"))
    assert "unknown" in faults(lambda row: row.update(data_source="videossr/other"))
    path.write_bytes(path.read_bytes()[:1000])
    [(where, fault)] = validate(out).faults
    assert where == f"data/{path.name}"
    assert "cannot be read; run the build command again" in fault
    path.unlink()
    assert any("is missing" in fault for _, fault in validate(out).faults)


def test_a_finished_build_is_not_lost_to_other_videos(footage: Path, tmp_path: Path, clip_cache: str) -> None:
    some, out = tmp_path / "some", tmp_path / "out"
    some.mkdir()
    for name in ("pan_right.mp4", "sunrise.mp4"):
        shutil.copy(footage / name, some)
    build(SPEC, footage, out, cache=ClipCache.of(clip_cache))
    before = {**shards(out), SUMMARY: (out / SUMMARY).read_bytes()}
    with pytest.raises(ValueError, match=r"finished build that also uses '.*' and 5 more.*--force"):
        build(SPEC, some, out, cache=ClipCache.of(clip_cache))
    seen = []

    def look(done: int, total: int) -> None:
        seen.append(json.loads((out / SUMMARY).read_text()))

    build(SPEC, footage, out, cache=ClipCache.of(clip_cache), progress=BuildProgress(rows=look))
    assert all(summary["finished"] for summary in seen)  # others may read it meanwhile
    assert {**shards(out), SUMMARY: (out / SUMMARY).read_bytes()} == before
    build(SPEC, some, out, cache=ClipCache.of(clip_cache), force=True)
    assert len((out / MANIFEST).read_text().splitlines()) == 2
    (out / SUMMARY).write_text('{"spec"')
    with pytest.raises(ValueError, match=r"build\.json in .* is damaged"):
        build(SPEC, footage, out, cache=ClipCache.of(clip_cache))


def test_a_kill_at_the_very_beginning_is_no_other_build(footage: Path, tmp_path: Path, clip_cache: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / f"{SUMMARY}.{'a' * 32}.tmp").write_text("{")
    build(BuildSpec("counting"), footage, out, cache=ClipCache.of(clip_cache))
    assert not list(out.glob("*.tmp"))


def test_a_rows_videos_are_rendered_again_from_its_recipe(footage: Path, tmp_path: Path, clip_cache: str) -> None:
    build(BuildSpec("grounding", frames=24), footage, tmp_path / "out", cache=ClipCache.of(clip_cache))
    row = rows(tmp_path / "out")[0]
    video = str(footage / row["extra_info"]["source"])
    [rendered] = render_row(row, video, sampling=Sampling(24))
    assert rendered.mp4() == row["videos"][0]["bytes"]
    with pytest.raises(UsageError, match="give the `sampling` of the row's build"):
        render_row(row, video)
    with pytest.raises(UsageError, match="video is not the file that this row was made from"):
        render_row(row, b"another file")


def test_the_report_adds_up() -> None:
    one, other = Report(), Report()
    one.rows["a"], other.rows["a"] = 1, 2
    one.planned["a"], other.planned["a"] = 2, 2
    other.unusable["x.mp4"] = "is too short"
    one.update(other)
    assert one.missing == {"a": 1}
    assert Report.from_dict(json.loads(json.dumps(one.to_dict()))) == one
    assert "x.mp4" in one.table()


BAD = {
    "all_black.mp4": None,  # usable: shapes can be counted on it
    "audio_only.mp4": "has no video stream",
    "corrupt_middle.mkv": "is corrupt",
    "corrupt_middle.mp4": "cannot be decoded",
    "decord_corrupted.mp4": "frames in its middle",
    "dir_named.mp4": "is a directory",
    "empty.mp4": "cannot be decoded",
    "frames_47.mp4": "42 frames in its middle 90%, 48 wanted",
    "lfs_pointer.mp4": "cannot be decoded",
    "moov_missing.mp4": "cannot be decoded",
    "no_duration.webm": None,
    "one_frame.mp4": "1 frames in its middle",
    "real_upstream_broken_h264.mp4": None,
    "text.mp4": "cannot be decoded",
    "truncated_faststart.mp4": "",
    "truncated_moov_end_or_cut.mp4": "",
    "wrong_extension_mkv.mp4": None,
}


@pytest.mark.skipif(not has_shared(), reason="needs the broken files beside the project")
@pytest.mark.parametrize("sampling", ["exact", "keyframe"])
def test_broken_files_are_skipped_with_their_reasons(tmp_path: Path, sampling: str) -> None:
    if sampling == "keyframe":  # none of them has enough keyframes
        with pytest.raises(BuildError, match="no question could be made") as caught:
            build(BuildSpec("counting", sampling=sampling), SHARED / "videos_bad", tmp_path / "out", cache=ClipCache.of(""))
        assert all(name in str(caught.value) for name in BAD)
        return
    report = build(BuildSpec("counting", sampling=sampling), SHARED / "videos_bad", tmp_path / "out", cache=ClipCache.of(""))
    assert set(BAD) == {path.name for path in (SHARED / "videos_bad").iterdir()}
    used = {row["extra_info"]["source"] for row in rows(tmp_path / "out")}
    assert used | set(report.unusable) | set(report.duplicates) == set(BAD)
    assert not used & set(report.unusable)
    assert not validate(tmp_path / "out").faults
    for name, reason in BAD.items():
        if reason is None:
            assert name in used
        elif reason:
            assert reason in report.unusable[name]
