"""Decoding: the frames of a full linear decode, at their true times."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from dataset_builder.demo.footage import FPS, SHOTS
from dataset_builder.errors import UnusableVideo
from dataset_builder.media import decode as video_module
from dataset_builder.media.decode import sample
from dataset_builder.media.frame import Frame
from dataset_builder.media.geometry import output_size
from dataset_builder.media.sampling import SIDE, Sampling
from dataset_builder.sources.find import find_videos
from tests.footage import SHARED, has_shared, videos_folder

VIDEOS = [Path(source.url) for source in find_videos(videos_folder())]
needs_shared = pytest.mark.skipif(not has_shared(), reason="needs the shared clips beside the project")


def full_decode(video: Path) -> tuple[list[float], list[av.VideoFrame]]:
    """Every frame of the best stream and its time since the first; by count and rate where the stream's times are disordered."""
    with av.open(str(video), "r", metadata_errors="replace") as container:
        stream = container.streams.best("video")
        assert isinstance(stream, av.VideoStream)
        frames = list(container.decode(stream))
        stamps = [frame.pts for frame in frames]
        if None in stamps or stamps != sorted(set(stamps)):
            return [float(k / Fraction(stream.average_rate)) for k in range(len(frames))], frames
        return [float((pts - stamps[0]) * stream.time_base) for pts in stamps], frames


@pytest.mark.parametrize("video", VIDEOS, ids=lambda video: video.name)
def test_frames_and_times_are_those_of_a_full_decode(video: Path) -> None:
    frames = 48 if "fire_rot180" not in video.name else 16
    taken = sample(str(video), Sampling(frames))
    times, decoded = full_decode(video)
    # each sampled time is that of one frame, no two are the same, and they are even to within a frame
    indices = [int(np.argmin([abs(time - t) for t in times])) for time in taken.times]
    assert [times[k] for k in indices] == pytest.approx(list(taken.times), abs=2e-3)
    assert indices == sorted(set(indices))
    assert 0.04 * times[-1] <= taken.times[0] <= 0.1 * times[-1] + 0.1
    assert 0.9 * times[-1] - 0.2 <= taken.times[-1] <= 0.96 * times[-1] + 0.1
    step = (taken.times[-1] - taken.times[0]) / (frames - 1)
    longest = max(b - a for a, b in pairwise(times))
    gaps = np.diff(taken.times)
    assert gaps.max() <= step + 2 * longest
    for frame, k in zip(taken.frames, indices, strict=True):
        assert np.array_equal(frame, _scaled(decoded[k], frame))


def _scaled(source: av.VideoFrame, like: Frame) -> Frame:
    """The frame as the project scales it, turned upright independently of it."""
    from dataset_builder.media.geometry import _SCALING

    turns = {0: 0, 90: 1, -90: 3, 180: 2, -180: 2}[round(source.rotation)]
    height, width = like.shape[:2] if turns % 2 == 0 else like.shape[1::-1]
    scaled = source.reformat(width, height, "rgb24", interpolation=_SCALING).to_ndarray()
    return np.rot90(scaled, turns)


@pytest.mark.parametrize("frames", [2, 3, 47, 120])
def test_any_number_of_frames(frames: int, footage: Path) -> None:
    taken = sample(str(footage / "pan_right.mp4"), Sampling(frames))
    assert len(taken.frames) == len(taken.times) == frames
    assert taken.end > taken.times[-1]


@needs_shared
def test_768_frames_of_a_long_clip() -> None:
    taken = sample(str(SHARED / "videos/person_long_static.mp4"), Sampling(768, 64 * 64))
    assert len(taken.frames) == 768
    assert list(taken.times) == sorted(set(taken.times))


def test_bytes_serve_as_a_path_does(footage: Path) -> None:
    path = footage / "pan_right.mp4"
    one, other = sample(str(path), Sampling(8)), sample(path.read_bytes(), Sampling(8))
    assert one.times == other.times
    assert all(map(np.array_equal, one.frames, other.frames))


def test_long_videos_are_read_twice(footage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(footage / "pan_right.mp4")
    once = {mode: sample(path, Sampling(8, mode=mode)) for mode in ("exact", "keyframe")}
    monkeypatch.setattr(video_module, "KEPT_BYTES", 1000)
    for mode, taken in once.items():
        again = sample(path, Sampling(8, mode=mode))
        assert again.times == taken.times
        assert all(map(np.array_equal, again.frames, taken.frames))


def test_frames_show_the_right_moment(tmp_path: Path) -> None:
    """A video whose brightness tells the time, with B-frames and an uneven rate."""
    path = tmp_path / "clock.mp4"
    moments = [k * 0.1 + (0.05 if k % 3 == 0 else 0) for k in range(45)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=20, options={"bf": "3", "g": "30", "crf": "1"})
        stream.width, stream.height, stream.pix_fmt, stream.time_base = 64, 64, "yuv420p", Fraction(1, 1000)
        stream.codec_context.time_base = Fraction(1, 1000)
        for k, moment in enumerate(moments):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 20 + 5 * k, np.uint8), "rgb24")
            frame.pts, frame.time_base = round(moment * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    taken = sample(str(path), Sampling(30))
    start = moments[0]
    for frame, time in zip(taken.frames, taken.times, strict=True):
        k = min(range(45), key=lambda j: abs(moments[j] - start - time))
        assert abs(float(frame.mean()) - (20 + 5 * k)) <= 2


def test_keyframes_come_at_their_own_times(footage: Path) -> None:
    taken = sample(str(footage / "pan_right.mp4"), Sampling(48, mode="keyframe"))
    times, _ = full_decode(footage / "pan_right.mp4")
    assert len(taken.frames) in range(4, 48, 2)
    assert all(min(abs(t - time) for time in times) < 2e-3 for t in taken.times)
    assert all(min(abs(t * FPS - 12 * k) for k in range(13)) < 0.1 for t in taken.times)  # every 12th frame is one


@needs_shared
@pytest.mark.parametrize(("name", "shape"), [("d_dashcam_rot90.mp4", (320, 192)), ("fire_rot180_short.mp4", (192, 320)), ("skatedog_fragmented_portrait.mp4", (320, 192))])  # fmt: skip
def test_rotation_metadata_is_honoured(name: str, shape: tuple[int, int]) -> None:
    taken = sample(str(SHARED / "videos" / name), Sampling(16))
    assert taken.frames[0].shape[:2] == shape
    if name == "d_dashcam_rot90.mp4":  # the same film, lying: its sky is at the top, so here it is on one side
        flat = sample(str(SHARED / "videos/dashcam_540p.mp4"), Sampling(16))
        assert np.abs(np.rot90(flat.frames[3]).astype(int) - taken.frames[3]).mean() < 3


@pytest.mark.parametrize(
    ("width", "height", "max_pixels", "size"),
    [(1280, 720, 65536, (320, 192)), (640, 480, 65536, (256, 192)), (1080, 1920, 65536, (192, 320)), (100, 100, 65536, (128, 128)), (1920, 1080, 512 * 512, (640, 384)), (5000, 50, 65536, (1024, 64))],
)  # fmt: skip
def test_output_sizes(width: int, height: int, max_pixels: int, size: tuple[int, int]) -> None:
    assert output_size(width, height, max_pixels) == size
    assert size[0] % SIDE == size[1] % SIDE == 0


@pytest.mark.parametrize(("content", "reason"), [(b"", "cannot be decoded"), (b"no video " * 500, "cannot be decoded")])
def test_what_is_no_video(content: bytes, reason: str) -> None:
    with pytest.raises(UnusableVideo, match=reason):
        sample(content, Sampling(8))


def test_too_short_a_video(footage: Path) -> None:
    with pytest.raises(UnusableVideo, match=r"\d+ frames in its middle 90%, 500 wanted"):
        sample(str(footage / "pan_right.mp4"), Sampling(500))


def test_the_footage_is_all_there(footage: Path) -> None:
    assert sorted(path.stem for path in footage.glob("*.mp4")) == sorted(shot.name for shot in SHOTS)
