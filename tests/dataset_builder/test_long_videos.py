"""Videos of ten minutes and more: frames near keyframes, parts of remote files, and memory."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from dataset_builder.errors import BuildError
from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.media.clip_store import ClipStore
from dataset_builder.media.decode import sample
from dataset_builder.media.sampling import Sampling
from dataset_builder.sources import read
from dataset_builder.sources.find import find_videos, list_videos
from dataset_builder.sources.identify import identify
from dataset_builder.sources.memory import ContentMemory
from tests.file_server import serving_files

RATE, SECONDS, KEYS = 5, 600, 40  # frames a second, length, frames from one keyframe to the next


@pytest.fixture(scope="module", params=["mp4", "mkv"])
def film(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten minutes, each frame of a grey of its own, with noise for some megabytes."""
    noise = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("long") / f"film.{request.param}"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=RATE, options={"g": str(KEYS), "sc_threshold": "0", "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for k in range(RATE * SECONDS):
            picture = np.full((64, 64, 3), 30 + k % 200, np.uint8)
            picture[:24, :24] = noise.integers(0, 255, (24, 24, 3))
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        output.mux(stream.encode(None))
    return path


def every_frame(path: Path) -> dict[float, Any]:
    share = RATE * SECONDS
    whole = sample(str(path), Sampling(share, 64 * 64, share=1.0))
    return dict(zip(whole.times, whole.frames, strict=True))


@pytest.mark.parametrize("frames", [16, 48])
def test_snapped_frames_are_near_even_times_and_true(film: Path, frames: int) -> None:
    exact, snapped = (sample(str(film), Sampling(frames, 64 * 64, mode)) for mode in ("exact", "snap"))
    spacing = (exact.times[-1] - exact.times[0]) / (frames - 1)
    shifts = np.subtract(snapped.times, np.linspace(snapped.times[0], snapped.times[-1], frames)) / spacing
    assert np.abs(shifts).max() <= 0.26
    assert snapped.times[0] == pytest.approx(exact.times[0], abs=2 / RATE)
    assert snapped.times[-1] == pytest.approx(exact.times[-1], abs=2 / RATE)
    frame_at = every_frame(film)
    assert all(np.array_equal(frame_at[time], frame) for time, frame in zip(snapped.times, snapped.frames, strict=True))
    assert sum(round(time * RATE) % KEYS == 0 for time in snapped.times) > frames / 3  # keyframes


def test_where_keyframes_are_rarer_than_wanted_times_snap_is_exact(film: Path) -> None:
    dense = {mode: sample(str(film), Sampling(600, 64 * 64, mode)).times for mode in ("exact", "snap")}
    assert dense["snap"] == dense["exact"]


def test_decoded_pictures_are_freed_at_once(film: Path) -> None:
    gc.collect()
    gc.disable()
    try:
        sample(str(film), Sampling(48, 64 * 64))
        assert sum(isinstance(kept, av.VideoFrame) for kept in gc.get_objects()) < 4
    finally:
        gc.enable()


def test_large_remote_files_are_read_by_ranges(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read, "IN_MEMORY", 1000)
    monkeypatch.setattr(read, "REMOTE_BLOCK", 1 << 14)
    store = ClipStore(ClipCache(None, 1), Sampling(4, 64 * 64, "snap"), with_h264=False)
    with serving_files(film.parent) as server:
        sources = list_videos([f"{server.url}/{film.name}?signed=1"]), find_videos(film.parent)
        [remote], [local] = (identify(each, ContentMemory(None)) for each in sources)
        assert remote.fingerprint == local.fingerprint
        server.ranges.clear()
        assert store.clip(remote) == store.clip(local)
        assert sum(end - start for start, end, _ in server.ranges) < film.stat().st_size / 2
        server.broken = True
        with pytest.raises(BuildError, match="500"):  # no fault of the video
            ClipStore(ClipCache(None, 1), Sampling(8, 64 * 64), with_h264=False).clip(remote)
