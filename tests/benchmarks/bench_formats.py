"""What a format of rows costs in training: bytes a row, and processor time from the row to the model's input, by verl's own reader
and a Qwen3-VL processor. Needs VIDEOSSR_VERL_PYTHON, which `make bench-formats` sets.
"""

from __future__ import annotations

import base64
import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from dataset_builder import exports
from dataset_builder.exports.base import export
from dataset_builder.questions.spec import BuildSpec
from dataset_builder.storage.build import build
from dataset_builder.storage.stored_build import Build
from tests.benchmarks.table import Table
from tests.footage import videos_folder

ROOT = Path(__file__).parents[2]
READER = ROOT / "tests/real_clients/verl_dataset.py"
ROWS = 24


def make(video_format: str, folder: Path) -> Path:
    """An export of that build, as its Parquet file."""
    spec = BuildSpec("mixed", seed=3, difficulty="easy", samples=ROWS, video_format=video_format)
    build(spec, videos_folder(), folder / "rows")
    return export(Build.read(folder / "rows"), folder / "export", exports.get("verl"))


def to_files(path: Path, folder: Path) -> Path:
    """JPEG rows whose frames are files beside them, instead of data URIs."""
    rows = pq.read_table(path)
    videos = rows["videos"].to_pylist()
    (folder / "frames").mkdir()
    for at, video in enumerate(video for row in videos for video in row):
        for number, uri in enumerate(video["video"]):
            file = folder / "frames" / f"{at}-{number}.jpg"
            file.write_bytes(base64.b64decode(uri.partition(",")[2]))
            video["video"][number] = str(file)
    column = pa.array(videos, rows.schema.field("videos").type)
    pq.write_table(rows.set_column(rows.schema.get_field_index("videos"), "videos", column), folder / "train.parquet")
    return folder / "train.parquet"


def measure(path: Path) -> tuple[float, float]:
    """Bytes a row, and milliseconds of processor time a row."""
    size = sum(file.stat().st_size for file in path.parent.rglob("*") if file.is_file())
    reader = [os.environ["VIDEOSSR_VERL_PYTHON"], str(READER), str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(reader, check=True, capture_output=True, text=True, cwd=path.parent, env=environment)
    [rows] = json.loads(done.stdout.splitlines()[-1])
    seconds = [row["seconds"] for row in rows]
    return size / ROWS, statistics.median(seconds) * 1000


def main() -> None:
    table = Table(
        "make bench-formats",
        "What a format of rows costs in training, by verl's own reader and a Qwen3-VL processor: medians of 24 rows.",
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        jpeg = make("jpeg", folder / "jpeg")
        (folder / "files").mkdir()
        rows = {"mp4": make("mp4", folder / "mp4"), "jpeg, URIs": jpeg, "jpeg, files": to_files(jpeg, folder / "files")}
        for kind, path in rows.items():
            size, ms = measure(path)
            table.add(f"{kind}: a row", size / 1000, unit="kB")
            table.add(f"{kind}: from the row to the model's input", ms, unit="ms CPU")
    table.save()


if __name__ == "__main__":
    main()
