"""Damaged videos of many formats: each is sampled or refused by name; none crashes, hangs, or is taken for a fault of the machine."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from dataset_builder.errors import UnusableVideo
from dataset_builder.media.decode import sample
from dataset_builder.media.sampling import Sampling
from dataset_builder.sources.length import pixels_to_decode
from tests.footage import SHARED
from tests.servers import ROOT

pytestmark = pytest.mark.slow

FILES = int(os.environ.get("VIDEOSSR_FUZZ_FILES", "2000"))
SECONDS = 300  # for all files; ten times what they take
# container, codec, pixel format
FORMATS = (
    ("mp4", "libx264", "yuv420p"), ("mp4", "libx265", "yuv420p"), ("mp4", "mpeg4", "yuv420p"), ("mov", "libx264", "yuv444p"),
    ("mov", "mjpeg", "yuvj420p"), ("matroska", "libx264", "yuv420p"), ("matroska", "libvpx-vp9", "yuv420p"), ("webm", "libvpx", "yuv420p"),
    ("avi", "mpeg4", "yuv420p"), ("avi", "libx264", "yuv420p"), ("mpegts", "libx264", "yuv420p"), ("mpegts", "mpeg2video", "yuv420p"),
    ("flv", "flv", "yuv420p"), ("3gp", "mpeg4", "yuv420p"), ("mpeg", "mpeg1video", "yuv420p"), ("nut", "ffv1", "yuv420p"),
    ("h264", "libx264", "yuv420p"), ("hevc", "libx265", "yuv420p"), ("gif", "gif", "rgb8"), ("asf", "wmv2", "yuv420p"),
    ("yuv4mpegpipe", "wrapped_avframe", "yuv420p"),
)  # fmt: skip


def film(path: Path, container: str, codec: str, pixels: str) -> bytes:
    """A second of a moving square."""
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 96, 64, pixels
        for k in range(24):
            picture = np.full((64, 96, 3), 90, np.uint8)
            picture[10:40, 3 * k : 3 * k + 20] = (250, 20 * (k % 10), 30)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        output.mux(stream.encode(None))
    return path.read_bytes()


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Bytes changed, a part lost, repeated or overwritten; near the headers as often as anywhere."""
    result = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        end = len(result) if rng.random() < 0.5 else min(len(result), 600)
        if not end:
            break
        at = rng.randrange(end)
        length = rng.choice((1, 1, 4, 40, 400))
        match rng.randrange(5):
            case 0:
                result[at : at + length] = rng.randbytes(length)
            case 1:
                del result[at : at + length]
            case 2:
                result[at:at] = result[at : at + length]
            case 3:
                result[at : at + length] = rng.choice((b"\x00", b"\xff", b"\x7f")) * length
            case 4:
                del result[at:]
    return bytes(result)


def sample_damaged(folder: Path, count: int) -> None:
    """Sample `count` damaged files; each is kept while it is at work, so that one that crashes is found in the folder."""
    rng = random.Random(1)
    films = [film(folder / f"{k}.film", *form) for k, form in enumerate(FORMATS)]
    films += [path.read_bytes()[: 1 << 20] for path in sorted((SHARED / "videos_bad").glob("*")) if path.is_file()]
    refused = 0
    for number in range(count):
        data = damaged(films[number % len(films)], rng)
        (folder / "at-work").write_bytes(data)
        mode = ("exact", "keyframe", "snap")[number % 3]
        try:
            sample(data, Sampling(frames=8, share=1.0, mode=mode))  # type: ignore[arg-type]
        except UnusableVideo:
            refused += 1
        assert pixels_to_decode(data) >= 0
    print(count, refused)


def test_damaged_files_cost_only_themselves(tmp_path: Path) -> None:
    program = f"from pathlib import Path; from tests.dataset_builder.test_fuzz import sample_damaged; sample_damaged(Path({str(tmp_path)!r}), {FILES})"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, f"{tmp_path / 'at-work'}: {done.stderr[-3000:]}"
    count, refused = map(int, done.stdout.split())
    assert count == FILES
    assert 0 < refused < FILES, "some damage is not seen, some cannot be missed"
