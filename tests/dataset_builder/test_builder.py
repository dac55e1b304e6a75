"""`load_dataset("videossr", …)`, as a user of datasets meets it."""

from __future__ import annotations

import glob
import json
import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, ClassVar

import datasets
import fsspec
import pytest
from datasets import load_dataset
from fsspec.implementations.memory import MemoryFileSystem

import dataset_builder  # noqa: F401 - registers "videossr"
from dataset_builder.media import clip_store
from dataset_builder.questions.presets import preset_names
from dataset_builder.sources import fingerprint as fingerprints
from dataset_builder.sources.find import find_videos
from dataset_builder.sources.identify import identify
from dataset_builder.sources.memory import ContentMemory
from dataset_builder.tasks import UsageError
from tests.hub_server import serving

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def load(tmp_path: Path, clip_cache: str) -> Any:
    """load_dataset with a cache of its own."""

    def call(*args: Any, **more: Any) -> Any:
        return load_dataset(
            "videossr", *args, **{"cache_dir": str(tmp_path / "hf"), "clip_cache": clip_cache, "split": "train", **more}
        )

    return call


def plain(rows: Any, video_format: str = "mp4") -> list[dict[str, Any]]:
    """Rows with their videos as bytes."""
    feature: Any = datasets.Video(decode=False) if video_format == "mp4" else datasets.List(datasets.Image(decode=False))
    return list(rows.cast_column("videos", datasets.List(feature)))


@pytest.fixture
def few(footage: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "few"
    folder.mkdir()
    for name in ("pan_right", "round_trip", "sunrise"):
        shutil.copy(footage / f"{name}.mp4", folder)
    return folder


@pytest.mark.parametrize("config", ["mixed", "viubench"])
def test_rows_do_not_depend_on_processes_or_streaming(load: Any, footage: Path, config: str) -> None:
    choice = {
        "data_dir": str(footage),
        "seed": 7,
        "max_pixels": 128 * 128,
        **({"samples": 30} if config == "viubench" else {"difficulty": "hard"}),
    }
    one = load(config, **choice)
    two = load(config, **choice, num_proc=2, download_mode="force_redownload")
    streamed = load(config, **choice, streaming=True)
    assert one._fingerprint == two._fingerprint
    first = plain(one)
    assert len(first) == (30 if config == "viubench" else 24)
    assert first == plain(two) == plain(streamed)
    assert first != plain(load(config, **{**choice, "seed": 8}))


def test_rows_are_what_they_say(load: Any, footage: Path) -> None:
    rows = load("mixed", data_dir=str(footage), seed=1, system_prompt="Look closely.")
    assert set(rows.features) == {"data_source", "prompt", "videos", "ability", "reward_model", "extra_info"}
    for row in rows:
        info = row["extra_info"]
        assert [message["role"] for message in row["prompt"]] == ["system", "user"]
        assert row["prompt"][1]["content"].count("<video>") == len(row["videos"]) == len(info["frame_times"])
        for video, times, end in zip(row["videos"], info["frame_times"], info["end_times"], strict=True):
            assert len(video) == len(times)
            assert video.get_frames_in_range(0, len(video)).pts_seconds.tolist() == times
            assert video.metadata.duration_seconds == pytest.approx(end)
        assert json.loads(info["recipe"])["clips"]
        assert json.loads(info["params"])
        assert None not in info.values()
    table = rows.data.table
    assert all(table.column(name).null_count == 0 for name in table.column_names)
    assert table.column("extra_info").combine_chunks().flatten()[0].null_count == 0


def test_jpeg_rows(load: Any, footage: Path) -> None:
    rows = load("mixed", data_dir=str(footage), video_format="jpeg", frames=16, difficulty="easy", max_pixels=128 * 128)
    for row in plain(rows, "jpeg"):
        for video, times in zip(row["videos"], row["extra_info"]["frame_times"], strict=True):
            assert len(video) == len(times)
            assert all(image["bytes"].startswith(b"\xff\xd8") for image in video)


def test_configurations_and_slices(load: Any, footage: Path) -> None:
    assert datasets.get_dataset_config_names("videossr") == preset_names()
    assert len(load("counting", data_dir=str(footage), split="train[:50%]")) == 4
    assert len(load(data_dir=str(footage))) == 24  # "mixed" unless named
    builder = datasets.load_dataset_builder("videossr", "jigsaw", data_dir=str(footage))
    assert "jigsaw" in builder.info.description


def test_streams_resume_and_split(load: Any, footage: Path) -> None:
    from datasets.distributed import split_dataset_by_node

    stream = load("counting", data_dir=str(footage), streaming=True)
    rows = iter(stream)
    seen = [next(rows)["extra_info"]["index"] for _ in range(3)]
    state = stream.state_dict()
    again = load("counting", data_dir=str(footage), streaming=True)
    again.load_state_dict(state)
    rest = [row["extra_info"]["index"] for row in again]
    assert seen + rest == list(range(8))
    nodes = [[row["extra_info"]["index"] for row in split_dataset_by_node(stream, rank, 2)] for rank in (0, 1)]
    assert sorted(nodes[0] + nodes[1]) == list(range(8))


@pytest.mark.parametrize("first", ["datasets", "dataset_builder"])
def test_either_import_may_come_first(first: str, footage: Path, tmp_path: Path, clip_cache: str) -> None:
    second = {"datasets": "dataset_builder", "dataset_builder": "datasets"}[first]
    call = f"datasets.load_dataset('videossr', 'counting', data_dir={str(footage)!r}, cache_dir={str(tmp_path)!r}, clip_cache={clip_cache!r})"
    program = f"import {first}; import {second}; print({call}['train'].num_rows)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "8", done.stderr


def test_what_makes_a_cached_dataset_stale(load: Any, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def where(folder: Path = few, **more: Any) -> str:
        return str(Path(load("counting", data_dir=str(folder), **more).cache_files[0]["filename"]).parent)

    start = where()
    os.utime(few / "sunrise.mp4")
    (few / "notes.txt").write_text("stray")
    moved = tmp_path / "elsewhere" / "moved"
    shutil.copytree(few, moved)
    monkeypatch.chdir(few.parent)
    assert {where(), where(moved), where(Path("few"))} == {start}
    assert where(seed=1) != start
    assert where(difficulty="hard") != start
    assert where(overrides={"max_frames": 2}) != start
    stat = (few / "sunrise.mp4").stat()
    changed = bytearray((few / "sunrise.mp4").read_bytes())
    changed[-1] ^= 1
    (few / "sunrise.mp4").write_bytes(changed)
    os.utime(few / "sunrise.mp4", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert where() != start


def test_a_renamed_video_gives_the_same_tasks(load: Any, few: Path) -> None:
    def tasks_by_content() -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for row in load("mixed", data_dir=str(few), streaming=True):
            found.setdefault(row["extra_info"]["fingerprint"], []).append(row["extra_info"]["recipe"])
        return found

    before = tasks_by_content()
    (few / "sunrise.mp4").rename(few / "a_first_now.mp4")
    assert tasks_by_content() == before


def test_names_that_look_like_splits_lose_nothing(load: Any, few: Path) -> None:
    (few / "val").mkdir()
    (few / "pan_right.mp4").rename(few / "park_test.mp4")
    (few / "sunrise.mp4").rename(few / "val" / "dev-cam.mp4")
    rows = load("counting", data_dir=str(few), split=None)
    assert list(rows) == ["train"]
    assert [row["extra_info"]["source"] for row in plain(rows["train"])] == [
        "park_test.mp4",
        "round_trip.mp4",
        "val/dev-cam.mp4",
    ]


def test_listed_files_and_their_splits(load: Any, few: Path) -> None:
    files = {"train": [str(few / "pan_right.mp4"), str(few / "sunrise.mp4")], "test": str(few / "round*.mp4")}
    rows = load("counting", data_files=files, split=None)
    assert {split: len(own) for split, own in rows.items()} == {"train": 2, "test": 1}
    assert plain(rows["test"])[0]["extra_info"]["split"] == "test"


def test_folders_that_are_not_asked_for_are_not_listed_and_data_dir_once(
    load: Any, few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    listed: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path=".": listed.append(os.path.abspath(path)) or scandir(path))
    assert len(list(load("counting", data_files=[str(few / "sunrise.mp4")], streaming=True))) == 1
    assert datasets.get_dataset_config_names("videossr")
    assert str(tmp_path / "here") not in listed
    listed.clear()
    assert len(list(load("counting", data_dir=str(few), streaming=True))) == 3
    assert listed.count(str(few)) == 1


@pytest.mark.parametrize("folder", ["clips [2024]", "what?", "a*b", "{1,2}"])
def test_wildcards_in_names_stand_for_themselves(load: Any, few: Path, tmp_path: Path, folder: str) -> None:
    few.rename(tmp_path / folder)
    film = tmp_path / folder / "sunrise [dQw4].mp4"
    (tmp_path / folder / "sunrise.mp4").rename(film)
    for given in (str(tmp_path / folder), glob.escape(str(tmp_path / folder))):
        assert len(list(load("counting", data_dir=given, streaming=True))) == 3
    for named in (str(film), [str(film)], {"train": str(film)}):
        assert [row["extra_info"]["source"] for row in plain(load("counting", data_files=named))] == [film.name]


def test_a_pattern_as_folder_is_refused_with_the_way_round(load: Any, few: Path) -> None:
    with pytest.raises(ValueError, match=r"is no folder; .*data_files"):
        load("counting", data_dir=f"{few.parent}/*")


def test_streamed_rows_need_no_other_video_to_be_read(load: Any, few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(few / "sunrise.mp4", few / "twin.mp4")
    whole = plain(load("mixed", data_dir=str(few)))
    opened: set[str] = set()
    read = fingerprints._read
    monkeypatch.setattr(fingerprints, "_read", lambda file, *at: opened.add(file.name) or read(file, *at))
    rows = iter(load("mixed", data_dir=str(few), streaming=True, clip_cache=""))
    assert next(rows)["extra_info"]["source"] == "pan_right.mp4"
    assert {Path(name).name for name in opened} == {"pan_right.mp4", "sunrise.mp4", "twin.mp4"}  # twins by their size and end
    rows = load("mixed", data_dir=str(few), streaming=True, clip_cache="")
    assert [row["extra_info"] for row in rows] == [row["extra_info"] for row in whole]


def test_no_videos_named_is_an_error(load: Any, few: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(few)
    with pytest.raises(ValueError, match=r"data_dir='\.'"):
        load("counting")
    assert len(load("counting", data_dir=".")) == 3
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "a.txt").write_text("x")
    with pytest.raises(ValueError, match="holds no video"):
        load("counting", data_dir=str(tmp_path / "empty"))


def test_files_elsewhere(load: Any, few: Path) -> None:
    """Any fsspec file system: here the memory of this process."""
    import fsspec

    memory = fsspec.filesystem("memory")
    for path in sorted(few.iterdir()):
        memory.pipe(f"/clips/{path.name}", path.read_bytes())
    rows = plain(load("mixed", data_files="memory://clips/*.mp4", streaming=True))
    local = plain(load("mixed", data_dir=str(few), streaming=True))
    assert [row["videos"] for row in rows] == [row["videos"] for row in local]
    assert [row["extra_info"]["source"] for row in rows] == [row["extra_info"]["source"] for row in local]


class Guarded(MemoryFileSystem):  # type: ignore[misc]
    """Files that are to be had with a password alone."""

    protocol = "guarded"
    asked: ClassVar[list[str]] = []

    def __init__(self, password: str = "", **more: Any) -> None:
        super().__init__(**more)
        self.allowed = password == "open sesame"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        stripped: str = super()._strip_protocol(path.replace("guarded://", "memory://"))
        return stripped

    def _check(self) -> None:
        if not self.allowed:
            raise PermissionError("password")

    def ls(self, path: str, detail: bool = True, **more: Any) -> Any:
        self._check()
        return super().ls(path, detail, **more)

    def info(self, path: str, **more: Any) -> Any:
        self._check()
        self.asked.append(path)
        return super().info(path, **more)

    def cat_file(self, path: str, *more: Any, **most: Any) -> Any:
        self._check()
        return super().cat_file(path, *more, **most)


@pytest.fixture
def guarded(few: Path) -> dict[str, Any]:
    """Options that open the store with the three videos."""
    fsspec.register_implementation("guarded", Guarded, clobber=True)
    store = Guarded("open sesame")
    for path in sorted(few.iterdir()):
        store.pipe(f"/guarded/{path.name}", path.read_bytes())
    return {"password": "open sesame"}


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("by_protocol", [False, True])
def test_storage_options_reach_listing_and_reading(
    load: Any, guarded: dict[str, Any], by_protocol: bool, streaming: bool
) -> None:
    options = {"guarded": guarded, "s3": {"key": "another store's"}} if by_protocol else guarded
    rows = load("counting", storage_options=options, streaming=streaming, data_files="guarded://guarded/*.mp4")
    assert [row["extra_info"]["source"] for row in plain(rows)] == ["pan_right.mp4", "round_trip.mp4", "sunrise.mp4"]


def test_a_listing_that_tells_all_is_not_asked_again(guarded: dict[str, Any]) -> None:
    sources = find_videos("guarded://guarded", guarded)
    Guarded.asked.clear()
    identified = identify(sources, ContentMemory(None), guarded, remote=False)
    assert all(source.stamp for source in identified)
    assert not Guarded.asked


def test_a_video_that_two_splits_hold_stays_in_the_first(load: Any, few: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.copy(few / "sunrise.mp4", few / "sunset.mp4")
    files = {"train": str(few / "sun*.mp4"), "test": str(few / "*.mp4")}
    with caplog.at_level(logging.WARNING, "dataset_builder.builder"):
        rows = load("counting", data_files=files, split=None)
    contents = {split: {own["extra_info"][k]["fingerprint"] for k in range(len(own))} for split, own in rows.items()}
    assert {split: len(own) for split, own in contents.items()} == {"train": 1, "test": 2}
    assert not contents["train"] & contents["test"]
    assert "same content as train: sunrise.mp4" in caplog.text
    with pytest.raises(UsageError, match="split 'test' holds only videos that earlier splits hold"):
        load("counting", data_files={"train": str(few / "*.mp4"), "test": str(few / "sun*.mp4")}, split=None)


def test_what_was_learned_of_remote_files_changes_no_row(load: Any, few: Path, tmp_path: Path) -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    for name in ("a", "b"):  # twins, which only their content tells
        memory.pipe(f"/twins/{name}.mp4", (few / "sunrise.mp4").read_bytes())
    choice = {"data_files": "memory://twins/*.mp4", "clip_cache": str(tmp_path / "clips")}
    first = load("counting", **choice)
    again = load("counting", **choice)
    assert plain(again) == plain(first) == plain(load("counting", streaming=True, **choice))
    assert again.cache_files == first.cache_files


@pytest.mark.parametrize("private", [False, True])
def test_files_on_the_hub(few: Path, tmp_path: Path, clip_cache: str, private: bool) -> None:
    """`data_files="hf://…"` with the real client, against a Hub on loopback; the token of a private one reaches the reader."""
    repo = tmp_path / "repo"
    shutil.copytree(few, repo / "clips" / "deep")
    program = f"""
import dataset_builder, datasets
choice = dict(data_files="hf://datasets/me/clips/**/*.mp4", split="train", cache_dir={str(tmp_path / "hf")!r}, clip_cache={clip_cache!r}, token={"hf_mine" if private else None!r})
streamed = [row["extra_info"]["source"] for row in datasets.load_dataset("videossr", "counting", streaming=True, **choice)]
loaded = datasets.load_dataset("videossr", "counting", num_proc=2, **choice)["extra_info"]
print(streamed, [row["source"] for row in loaded])
"""
    with serving(me__clips=repo) as hub:
        hub.repos["me/clips"].private = private
        known = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        environment = {**known, "HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "home")}
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
    names = ["pan_right.mp4", "round_trip.mp4", "sunrise.mp4"]
    assert done.stdout.strip() == f"{names} {names}", done.stderr[-3000:]


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ({"seed": -1}, "seed=-1"),
        ({"difficulty": "hardly"}, "difficulty='hardly'"),
        ({"overrides": {"clips": 1}}, "clips=1"),
        ({"video_format": "gif"}, "video_format='gif'"),
        ({"clip_cache_gb": -1}, "clip_cache_gb=-1"),
        ({"frames": 4}, "frames=4 is not allowed; .* needs at least"),
        ({"sede": 1}, "sede"),
    ],
)
def test_bad_choices_are_told_before_anything_is_decoded(
    load: Any, footage: Path, choice: dict[str, Any], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clip_store, "make_clip", lambda *_: pytest.fail("decoded a source video"))
    with pytest.raises(ValueError, match=told):
        load("mixed", data_dir=str(footage), **choice)


def test_an_unknown_configuration_names_the_others(load: Any, footage: Path) -> None:
    with pytest.raises(ValueError, match=r"'mixt' not found.*mixed"):
        load("mixt", data_dir=str(footage))


def test_what_is_left_out_is_told(load: Any, few: Path, caplog: pytest.LogCaptureFixture) -> None:
    (few / "broken.mp4").write_bytes(b"nothing")
    shutil.copy(few / "sunrise.mp4", few / "twin.mp4")
    with caplog.at_level(logging.WARNING, "dataset_builder.builder"):
        assert len(load("counting", data_dir=str(few), num_proc=2)) == 3
    assert "broken.mp4" in caplog.text
    assert "same content as sunrise.mp4" in caplog.text


def test_nothing_usable_is_an_error_and_streams_go_on(load: Any, few: Path, tmp_path: Path) -> None:
    (few / "a_broken.mp4").write_bytes(b"nothing")
    assert len(list(load("counting", data_dir=str(few), streaming=True))) == 3
    lonely = tmp_path / "lonely"
    lonely.mkdir()
    (lonely / "broken.mp4").write_bytes(b"nothing")
    with pytest.raises(Exception, match=r"no question could be made|generating the dataset") as caught:
        load("counting", data_dir=str(lonely))
    assert "broken.mp4" in str(caught.value) + str(caught.value.__cause__)
