"""Footage as cameras, recorders and players have it: turned, mirrored, with pixels that are not square, wrong clocks."""

from __future__ import annotations

import itertools
import os
import socket
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataset_builder.errors import UnusableVideo
from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.media.clock import repair_clock
from dataset_builder.media.decode import sample
from dataset_builder.media.frame import Frame
from dataset_builder.media.sampling import Sampling
from dataset_builder.questions.spec import BuildSpec
from dataset_builder.sources.find import find_videos
from dataset_builder.storage.build import build

SAMPLING = Sampling(frames=8, share=1.0)


def film(
    path: Path,
    size: tuple[int, int] = (256, 128),
    frames: int = 24,
    codec: str = "libx264",
    set_up: Callable[[Any], None] = lambda stream: None,
    **container: Any,
) -> Path:
    """A grey film with a red corner at the top left, so that every turn and mirroring of it shows."""
    with av.open(str(path), "w", **container) as output:
        stream = output.add_stream(codec, rate=24, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        set_up(stream)
        for k in range(frames):
            picture = np.full((size[1], size[0], 3), 100 + 4 * (k % 8), np.uint8)
            picture[: size[1] // 4, : size[0] // 4] = (255, 0, 0)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        output.mux(stream.encode(None))
    return path


def corner(frame: Frame) -> str:
    """Where the red corner is."""
    rows, columns = np.nonzero(frame[:, :, 0].astype(int) - frame[:, :, 1] > 100)
    vertical = "top" if rows.mean() < frame.shape[0] / 2 else "bottom"
    return f"{vertical} {'left' if columns.mean() < frame.shape[1] / 2 else 'right'}"


# a, b, c, d: a stored pixel (x, y) is shown at (a x + c y, b x + d y)
SHOWN = {
    "as stored": ((1, 0, 0, 1), "top left", (128, 256)),
    "mirrored": ((-1, 0, 0, 1), "top right", (128, 256)),
    "upside down": ((1, 0, 0, -1), "bottom left", (128, 256)),
    "turned by 180 degrees": ((-1, 0, 0, -1), "bottom right", (128, 256)),
    "turned clockwise": ((0, 1, -1, 0), "top right", (256, 128)),
    "turned counterclockwise": ((0, -1, 1, 0), "bottom left", (256, 128)),
    "transposed": ((0, 1, 1, 0), "top left", (256, 128)),
    "transposed and turned": ((0, -1, -1, 0), "bottom right", (256, 128)),
}


@pytest.mark.parametrize("name", SHOWN)
def test_the_whole_display_matrix_is_honoured(name: str, tmp_path: Path) -> None:
    (a, b, c, d), where, shape = SHOWN[name]
    data = bytearray(film(tmp_path / "film.mp4").read_bytes())
    header = data.index(b"tkhd")
    start = header + 4 + 4 + (32 if data[header + 4] else 20) + 8 + 8
    data[start : start + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    frame = sample(bytes(data), SAMPLING).frames[0]
    assert (corner(frame), frame.shape[:2]) == (where, shape)


@pytest.mark.parametrize(
    ("size", "aspect", "shape"),
    [((144, 192), Fraction(2), (192, 320)), ((192, 96), Fraction(1, 2), (192, 192)), ((256, 128), 1, (128, 256))],
)
def test_pixels_that_are_not_square(size: tuple[int, int], aspect: Fraction, shape: tuple[int, int], tmp_path: Path) -> None:
    def set_aspect(stream: Any) -> None:
        stream.codec_context.sample_aspect_ratio = aspect

    frame = sample(str(film(tmp_path / "film.mkv", size, set_up=set_aspect)), SAMPLING).frames[0]
    assert frame.shape[1] / frame.shape[0] == pytest.approx(size[0] * aspect / size[1], rel=0.25)
    assert frame.shape[:2] == shape


@pytest.mark.parametrize(("characteristics", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_refused_by_name(characteristics: int, name: str, tmp_path: Path) -> None:
    def set_transfer(stream: Any) -> None:
        stream.codec_context.color_trc = characteristics

    with pytest.raises(UnusableVideo, match=rf"is HDR \({name}\)"):
        sample(str(film(tmp_path / "film.mp4", set_up=set_transfer)), SAMPLING)


@pytest.mark.parametrize("mode", ["exact", "keyframe"])
@pytest.mark.parametrize(("codec", "container"), [("libx264", "h264"), ("libx265", "hevc")])
def test_streams_without_time_stamps(codec: str, container: str, mode: str, tmp_path: Path) -> None:
    path = film(tmp_path / f"film.{container}", codec=codec, format=container)
    sampled = sample(str(path), Sampling(frames=8, share=1.0, mode=mode))  # type: ignore[arg-type]
    assert sampled.times == pytest.approx([k * 23 / 7 / 25 for k in range(8)], abs=0.041)  # 25 unless told


def test_a_picture_that_changes_size_is_refused(tmp_path: Path) -> None:
    parts = [film(tmp_path / f"{k}.ts", size, format="mpegts") for k, size in enumerate([(256, 128), (128, 256)])]
    data = b"".join(part.read_bytes() for part in parts)
    with pytest.raises(UnusableVideo, match="changes size"):
        sample(data, SAMPLING)


INCREASING = st.lists(st.integers(1, 1000), min_size=20, max_size=200).map(
    lambda steps: [sum(steps[:k]) for k in range(len(steps))]
)


@given(INCREASING)
def test_a_right_clock_stays(stamps: list[int]) -> None:
    assert repair_clock(stamps) == stamps


@given(INCREASING, st.data())
def test_a_few_wrong_stamps_move_no_other(stamps: list[int], data: st.DataObject) -> None:
    few = len(stamps) // 20
    inner = st.integers(few + 1, len(stamps) - few - 2)  # of two stamps at an end, none is known to be the right one
    wrong = data.draw(st.sets(inner, max_size=few))
    told: list[int | None] = [
        data.draw(st.sampled_from([None, -5, stamps[-1] * 9])) if k in wrong else s for k, s in enumerate(stamps)
    ]
    repaired = repair_clock(told)
    assert repaired is not None
    assert all(b > a for a, b in itertools.pairwise(repaired))
    moved = [k for k, stamp in enumerate(stamps) if repaired[k] != stamp]
    assert set(moved) <= wrong


def test_one_repeated_stamp_in_a_steady_clock_is_interpolated() -> None:
    steady = [100 * k for k in range(300)]
    assert repair_clock([*steady[:150], steady[149], *steady[151:]]) == steady
    assert repair_clock([None if k % 2 else stamp for k, stamp in enumerate(steady)]) == steady


def test_a_clock_that_starts_again_is_given_up() -> None:
    assert repair_clock([*range(0, 5000, 100), *range(0, 9000, 100)]) is None
    assert repair_clock([None] * 100) is None
    assert repair_clock([None] * 60 + list(range(40))) is None
    assert repair_clock([]) is None


def make_special_file(path: Path, kind: str) -> None:
    if kind == "a link to nothing":
        path.symlink_to("/nowhere/x.mp4")
    elif kind == "a link to itself":
        path.symlink_to(path.name)
    elif kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))


@pytest.mark.parametrize(
    ("kind", "reason"),
    [("a link to nothing", "leads nowhere"), ("a link to itself", "leads nowhere"), ("a pipe", "pipe"), ("a socket", "socket")],
)
def test_special_files_are_left_out_by_name(kind: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    film(tmp_path / "in" / "good.mp4", frames=48)
    make_special_file(tmp_path / "in" / "x.mp4", kind)
    spec = BuildSpec("counting", frames=16)
    report = build(spec, tmp_path / "in", tmp_path / "out", cache=ClipCache.of(""))
    assert reason in report.unusable["x.mp4"]
    assert report.rows.total() == 1


def test_a_folder_that_cannot_be_read_and_unknown_extensions_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "in"
    (folder / "closed").mkdir(parents=True)
    (folder / "closed.mp4").mkdir()
    video = film(folder / "good.mp4", frames=48).read_bytes()
    (folder / "film.xyz").write_bytes(video)
    (folder / "notes.txt").write_text("no film")
    scandir = os.scandir

    def deny(path: Any = ".") -> Any:  # as root, a closed folder can be read
        if os.fspath(path).endswith(("closed", "closed.mp4")):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", deny)
    report = build(BuildSpec("counting", frames=16), folder, tmp_path / "out", cache=ClipCache.of(""))
    assert [source.name for source in find_videos(folder)] == ["closed", "closed.mp4", "film.xyz", "good.mp4"]
    assert report.unusable == {
        "closed": "cannot be read: permission denied",
        "closed.mp4": "cannot be read: permission denied",
        "film.xyz": "holds video, but its extension is not known",
    }


def encrypted(data: bytes) -> bytes:
    return data.replace(b"avc1", b"encv", 2)


@pytest.mark.parametrize(("name", "damage"), [("encrypted", encrypted), ("cut in its index", lambda data: data[:370])])
@pytest.mark.parametrize("with_length", [False, True])
def test_a_codec_without_a_decoder_ends_no_build(
    name: str, damage: Callable[[bytes], bytes], with_length: bool, tmp_path: Path
) -> None:
    from dataset_builder.sources.length import pixels_to_decode

    data = film(tmp_path / "film.mp4", options={"movflags": "faststart"}).read_bytes()
    if with_length:
        assert pixels_to_decode(damage(data)) == 0
    else:
        with pytest.raises(UnusableVideo):
            sample(damage(data), SAMPLING)


def test_faults_of_the_machine_are_not_the_videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of reading must not leave a good video out; FFmpeg's own EIO and EPERM are those of a damaged video."""

    class Failing:
        def __init__(self, path: str, mode: str) -> None:
            self._file = open(path, mode)  # noqa: SIM115

        def __enter__(self) -> Failing:
            return self

        def __exit__(self, *error: object) -> None:
            self._file.close()

        def read(self, size: int) -> bytes:
            if self._file.tell() > 1000:
                raise OSError(5, "Input/output error")
            return self._file.read(min(size, 512))

        def seek(self, *where: int) -> int:
            return self._file.seek(*where)

        def tell(self) -> int:
            return self._file.tell()

    path = film(tmp_path / "film.mp4")
    monkeypatch.setattr("dataset_builder.media.container.open", Failing, raising=False)
    with pytest.raises(OSError, match="Input/output"):
        sample(str(path), SAMPLING)
