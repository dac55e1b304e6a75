"""What a format of rows costs in training: bytes a row, and processor time from the row to the model's input, by verl's own reader
and a Qwen3-VL processor. Needs VIDEOSSR_VERL_PYTHON, which `make bench-formats` sets.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
from pathlib import Path

from dataset_builder import exports
from dataset_builder.build import build
from dataset_builder.exports.base import export
from dataset_builder.finished import Build
from dataset_builder.spec import BuildSpec
from tests.footage import videos_folder

READER = Path(__file__).parents[1] / "real_clients" / "verl_dataset.py"
ROWS = 24


def measure(video_format: str, folder: Path) -> tuple[float, float]:
    """Bytes a row, and milliseconds of processor time a row."""
    build(
        BuildSpec("mixed", seed=3, difficulty="easy", samples=ROWS, video_format=video_format), videos_folder(), folder / "rows"
    )
    export(Build.read(folder / "rows"), folder / "export", exports.get("verl"))
    size = sum(path.stat().st_size for path in (folder / "export").rglob("*") if path.is_file())
    reader = [os.environ["VIDEOSSR_VERL_PYTHON"], str(READER), str(folder / "export" / "train.parquet")]
    done = subprocess.run(reader, check=True, capture_output=True, text=True, cwd=folder)
    seconds = [row["seconds"] for row in json.loads(done.stdout.splitlines()[-1])]
    return size / ROWS, statistics.median(seconds) * 1000


def main() -> None:
    print(f"{'rows':6} {'kB a row':>9} {'ms to the input':>16}")
    for video_format in ("mp4", "jpeg"):
        with tempfile.TemporaryDirectory() as folder:
            size, ms = measure(video_format, Path(folder))
        print(f"{video_format:6} {size / 1000:9.0f} {ms:16.0f}")


if __name__ == "__main__":
    main()
