"""The store of sampled clips, and the sources behind it."""

from __future__ import annotations

import errno
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import fsspec
import pytest

from dataset_builder.errors import BuildError, SourceChanged, UnusableVideo
from dataset_builder.media import clip_store
from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.media.clip_store import ClipStore
from dataset_builder.media.sampling import Sampling
from dataset_builder.questions.identity import dataset_id
from dataset_builder.questions.spec import BuildSpec
from dataset_builder.sources import find as finding
from dataset_builder.sources import fingerprint as fingerprints
from dataset_builder.sources import identify as identification
from dataset_builder.sources.find import find_videos, list_videos
from dataset_builder.sources.identify import drop_repeats, identify, tell_apart
from dataset_builder.sources.memory import ContentMemory
from dataset_builder.sources.read import file_stamp, read_content
from dataset_builder.sources.source import Content, Source

SMALL = Sampling(8, 64 * 64)


def store(folder: Path | None, limit: int = 10**9, *, with_h264: bool = False, sampling: Sampling = SMALL) -> ClipStore:
    return ClipStore(ClipCache(folder, limit), sampling, with_h264=with_h264)


def identified(folder: Path, memory: Path | None = None) -> list[Source]:
    return identify(find_videos(folder), ContentMemory(memory))


@pytest.fixture
def videos_copy(footage: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    for name in ("pan_right", "round_trip", "sunrise"):
        shutil.copy(footage / f"{name}.mp4", folder)
    return folder


@pytest.fixture
def no_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_store, "make_clip", lambda *_: pytest.fail("decoded a source video"))


def test_a_clip_is_decoded_once(videos_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (source, *_) = identified(videos_copy)
    fresh = store(tmp_path / "clips").clip(source)
    monkeypatch.setattr(clip_store, "make_clip", lambda *_: pytest.fail("decoded a source video"))
    kept = store(tmp_path / "clips").clip(source)
    assert kept == fresh
    moved = tmp_path / "moved.mp4"
    shutil.move(source.url, moved)
    (renamed,) = identify([Source("moved.mp4", str(moved))], ContentMemory(None))
    assert store(tmp_path / "clips").clip(renamed) == fresh
    with_pictures = store(tmp_path / "clips", with_h264=True).clip(renamed)
    assert with_pictures.h264
    assert with_pictures.jpegs == fresh.jpegs


def test_other_samplings_are_other_clips(videos_copy: Path, tmp_path: Path) -> None:
    (source, *_) = identified(videos_copy)
    samplings = [SMALL, Sampling(10, 64 * 64), Sampling(8, 128 * 64), Sampling(8, 64 * 64, "keyframe")]
    clips = [store(tmp_path / "clips", sampling=sampling).clip(source) for sampling in samplings]
    assert len({clip.jpegs for clip in clips}) == 4


def test_a_damaged_entry_is_made_again(videos_copy: Path, tmp_path: Path) -> None:
    (source, *_) = identified(videos_copy)
    fresh = store(tmp_path / "clips").clip(source)
    (entry,) = (tmp_path / "clips").glob("*/*.clip")
    for damage in (b"", b"garbage", entry.read_bytes()[:500]):
        entry.write_bytes(damage)
        assert store(tmp_path / "clips").clip(source) == fresh


def test_that_a_video_is_unusable_is_remembered_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "videos" / "broken.mp4"
    broken.parent.mkdir()
    broken.write_bytes(b"no video at all")
    (source,) = identified(broken.parent)
    with pytest.raises(UnusableVideo, match="cannot be decoded"):
        store(tmp_path / "clips").clip(source)
    monkeypatch.setattr(clip_store, "make_clip", lambda *_: pytest.fail("decoded a source video"))
    with pytest.raises(UnusableVideo, match="cannot be decoded"):
        store(tmp_path / "clips").clip(source)


def test_a_passing_trouble_is_an_error_and_not_remembered(
    videos_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source, *_) = identified(videos_copy)

    def trouble(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(clip_store, "make_clip", trouble)
        with pytest.raises(BuildError, match=f"{source.name} could not be read: Too many open files"):
            store(tmp_path / "clips").clip(source)
    assert store(tmp_path / "clips").clip(source).jpegs


def test_the_folder_stays_below_its_limit(videos_copy: Path, tmp_path: Path) -> None:
    sources = identified(videos_copy)
    store(tmp_path / "one").clip(sources[0])
    size = sum(path.stat().st_size for path in (tmp_path / "one").glob("*/*.clip"))
    bounded = store(tmp_path / "clips", limit=int(2.5 * size))
    for source in sources * 2:
        bounded.clip(source)
    kept = list((tmp_path / "clips").glob("*/*"))
    assert 1 <= len(kept) <= 2
    assert sum(path.stat().st_size for path in kept) <= 2.5 * size


def _load(folder: str, clips: str) -> list[bytes]:
    return [store(Path(clips)).clip(source).jpegs[0] for source in identified(Path(folder))]


def test_builds_can_share_the_folder(videos_copy: Path, tmp_path: Path) -> None:
    with ProcessPoolExecutor(2) as pool:
        runs = [pool.submit(_load, str(videos_copy), str(tmp_path / "clips")) for _ in range(4)]
        first, *others = [run.result() for run in runs]
    assert all(other == first for other in others)
    assert not list((tmp_path / "clips").glob("*/.*"))


def test_a_changed_or_vanished_file_is_an_error(videos_copy: Path, tmp_path: Path) -> None:
    one, two, three = identified(videos_copy)
    Path(one.url).unlink()
    shutil.copy(three.url, two.url)
    os.utime(three.url)  # touched, but the same
    with pytest.raises(SourceChanged, match=f"{one.name} vanished"):
        store(None).clip(one)
    with pytest.raises(SourceChanged, match=f"{two.name} changed"):
        store(None).clip(two)
    assert store(None).clip(three)


def test_fingerprints_follow_content_alone(videos_copy: Path, tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    before = {source.name: source.fingerprint for source in identified(videos_copy, memory)}
    first, second, _ = sorted(videos_copy.iterdir())
    stat = first.stat()
    first.write_bytes(second.read_bytes()[: stat.st_size].ljust(stat.st_size, b"\0"))
    os.utime(first, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    os.utime(second)
    after = {source.name: source.fingerprint for source in identified(videos_copy, memory)}
    assert after[first.name] != before[first.name]  # same size, same modification time
    assert after[second.name] == before[second.name]


@pytest.fixture
def large(footage: Path, tmp_path: Path) -> Path:
    """A video that is too large to be read in full, in a folder of its own."""
    path = tmp_path / "large" / "film.mp4"
    path.parent.mkdir()
    box = (1 << 20).to_bytes(4, "big") + b"free" + bytes((1 << 20) - 8)
    path.write_bytes((footage / "sunrise.mp4").read_bytes() + box)
    return path


def test_large_files_are_known_by_blocks(large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = 0

    def counted(file: BinaryIO, start: int, end: int) -> bytes:
        nonlocal read
        file.seek(start)
        read += len(data := file.read(end - start))
        return data

    monkeypatch.setattr(fingerprints, "_read", counted)
    (source,) = identified(large.parent)
    assert 0 < read <= 512 << 10 < large.stat().st_size
    large.rename(large.with_name("renamed.mp4"))
    assert identified(large.parent)[0].fingerprint == source.fingerprint
    data = large.with_name("renamed.mp4").read_bytes()
    memory = fsspec.filesystem("memory")
    memory.pipe("/large/film.mp4", data)
    assert identify([Source("a", "memory://large/film.mp4")], ContentMemory(None))[0].fingerprint == source.fingerprint
    for other in (data[:-1] + b"x", b"x" + data[1:], data + b"\0"):
        assert fingerprints.fingerprint(other) != source.fingerprint


def change_middle(path: Path) -> None:
    """Change a byte where the fingerprint does not look."""
    data = bytearray(path.read_bytes())
    data[300 << 10] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(1, 1))


def test_a_changed_middle_is_noticed_by_the_time_of_the_change(large: Path, tmp_path: Path) -> None:
    memory = tmp_path / "memory"
    (before,) = identified(large.parent, memory)
    change_middle(large)
    with pytest.raises(SourceChanged, match=r"film\.mp4 changed"):
        store(memory).clip(before)
    (after,) = identified(large.parent, memory)
    assert (after.fingerprint, after.version) != (before.fingerprint, before.version)
    assert after.fingerprint == before.fingerprint  # the same questions, about other frames
    assert clip_store.clip_key(after, SMALL) != clip_store.clip_key(before, SMALL)
    assert dataset_id(BuildSpec(), {"train": [after]}) != dataset_id(BuildSpec(), {"train": [before]})
    os.chmod(large, 0o600)
    assert identified(large.parent, memory)[0].version == after.version


def test_only_files_of_one_size_and_end_are_read_to_tell_them_apart(
    videos_copy: Path, large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, end in (("a", b""), ("b", b""), ("c", b"x")):  # a and b are the same, c is only as large
        data = large.read_bytes()
        (videos_copy / f"{name}.mp4").write_bytes(data[: len(data) - len(end)] + end)
    read: list[str] = []
    monkeypatch.setattr(
        identification, "read_content", lambda source, *more: read.append(source.name) or read_content(source, *more)
    )
    told_apart = tell_apart(find_videos(videos_copy), ContentMemory(None))
    assert sorted(read) == ["a.mp4", "b.mp4"]
    kept, repeated = drop_repeats(told_apart)
    assert repeated == {"b.mp4": "a.mp4"}
    assert [source.name for source in kept] == [source.name for source in drop_repeats(identified(videos_copy))[0]]


def test_files_are_read_once(videos_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = identified(videos_copy, tmp_path / "memory")
    monkeypatch.setattr(identification, "read_content", lambda source, *_: pytest.fail(f"read {source.name} again"))
    assert identified(videos_copy, tmp_path / "memory") == first


def test_lengths_are_read_when_they_are_asked_for(videos_copy: Path, tmp_path: Path) -> None:
    def lengths(with_length: bool) -> list[int | None]:
        return [source.pixels for source in identify(find_videos(videos_copy), memory, with_length=with_length)]

    memory = ContentMemory(tmp_path / "memory")
    assert lengths(False) == [None] * 3
    (videos_copy / "broken.mp4").write_bytes(b"no video")
    measured = lengths(True)
    assert measured[0] == 0  # nothing can be decoded there, and nobody need look again
    assert all(measured[1:])
    assert lengths(False) == measured


def test_what_is_found_in_a_folder(footage: Path, tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    (folder / "folder.mp4").mkdir()
    for name in ("b_test.mp4", "deep/er/A.MKV", ".hidden/c.mp4", ".d.mp4", "train-e.webm"):
        shutil.copy(footage / "pan_right.mp4", folder / name)
    (folder / "notes.txt").write_text("no video")
    os.symlink(folder, folder / "deep" / "round", target_is_directory=True)
    Path(os.fsdecode(os.fsencode(folder) + b"/odd_\xff.mp4")).write_bytes(b"x")
    names = [source.name for source in find_videos(folder)]
    assert names == ["b_test.mp4", "deep/er/A.MKV", "folder.mp4", "odd_\ufffd.mp4", "train-e.webm"]
    kept, repeated = drop_repeats(identified(folder, tmp_path / "memory"))
    assert repeated == {"deep/er/A.MKV": "b_test.mp4", "train-e.webm": "b_test.mp4"}
    assert [source.name for source in kept] == ["b_test.mp4", "folder.mp4", "odd_\ufffd.mp4"]
    with pytest.raises(UnusableVideo, match="is a directory"):
        store(None).clip(kept[1])


def test_of_many_other_files_a_few_are_looked_into(videos_copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finding, "_LOOKED_INTO", 3)
    looked: list[str] = []
    monkeypatch.setattr(finding, "_begins_as_video", lambda path: bool(looked.append(path)))
    for folder in ("a", "b"):
        (videos_copy / folder).mkdir()
        for k in range(4):
            (videos_copy / folder / f"{k}.jpg").write_bytes(b"x")
    assert len(find_videos(videos_copy)) == 3
    assert len(looked) == 3


def test_folders_without_videos(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is no folder"):
        find_videos(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"holds no video; known extensions: .*\.mp4"):
        find_videos(tmp_path)


def test_listed_videos_are_named_below_what_they_share() -> None:
    urls = [
        "hf://datasets/me/clips@main/a/one.mp4",
        "hf://datasets/me/clips@main/b/two.webm",
        "hf://datasets/me/clips@main/b/readme.md",
        "https://host/signed.mp4?signature=a/b.c",
    ]
    listed = list_videos(urls[:3])
    assert [(source.name, source.is_remote) for source in listed] == [
        ("a/one.mp4", True),
        ("b/readme.md", True),
        ("b/two.webm", True),
    ]
    assert [source.fault for source in listed] == ["", "has no video extension", ""]
    assert not list_videos(urls[3:])[0].fault
    assert list_videos(["/data/x/one.mp4"])[0].name == "one.mp4"


@pytest.mark.parametrize("value", ["lots", 0, -1, float("nan")])
def test_a_wrong_limit_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="clip_cache_gb="):
        ClipCache.of("", value)  # type: ignore[arg-type]


def test_a_damaged_memory_is_begun_anew_and_a_full_disk_is_told(videos_copy: Path, tmp_path: Path) -> None:
    folder = tmp_path / "memory"
    first = identified(videos_copy, folder)
    (folder / "contents.sqlite").write_bytes(b"nothing like a database" * 100)
    assert identified(videos_copy, folder) == first
    (folder / "contents.sqlite").unlink()
    (folder / "contents.sqlite").mkdir()
    with pytest.raises(OSError, match=r"contents\.sqlite cannot be used: .*; make room, or give another clip_cache"):
        identified(videos_copy, folder)


def test_what_was_read_is_kept_when_a_later_file_fails(
    videos_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flaky(source: Source, with_length: bool, options: object) -> Content:
        if source.name == "sunrise.mp4":
            raise BuildError("sunrise.mp4 could not be read: the network is down")
        return read_content(source, with_length)

    monkeypatch.setattr(identification, "read_content", flaky)
    with pytest.raises(BuildError, match="network is down"):  # and is not left out of the dataset
        identified(videos_copy, tmp_path / "memory")
    monkeypatch.setattr(identification, "read_content", lambda source, *_: pytest.fail(f"read {source.name} again"))
    stored = ContentMemory(tmp_path / "memory")
    names = [
        Path(url).name
        for url in stored.recall(replace(source, stamp=file_stamp(source.url)) for source in find_videos(videos_copy))
    ]
    assert names == ["pan_right.mp4", "round_trip.mp4"]


def test_web_servers_that_say_when_a_file_changed_are_believed(tmp_path: Path) -> None:
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    site = tmp_path / "site"
    site.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        source = Source("a.mp4", f"http://127.0.0.1:{server.server_port}/a.mp4")
        found = []
        for at, content in enumerate((b"one", b"one", b"two")):
            (site / "a.mp4").write_bytes(content)
            os.utime(site / "a.mp4", (at // 2 * 60, at // 2 * 60))
            found.append(identify([source], ContentMemory(tmp_path / "memory"))[0])
        server.shutdown()
    assert found[0] == found[1]
    assert found[0].fingerprint != found[2].fingerprint
