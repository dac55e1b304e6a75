"""The loading script, where datasets still runs scripts: `make test` sets up an environment with datasets 3.6 for it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.questions.spec import BuildSpec
from dataset_builder.storage.build import build

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PYTHON = os.environ.get("VIDEOSSR_DATASETS3_PYTHON")

PROGRAM = """
import json, sys
from datasets import Video, __version__, load_dataset
rows = load_dataset("dataset_builder/videossr.py", "mixed", trust_remote_code=True, data_dir=sys.argv[1], seed=7, split="train",
    cache_dir=sys.argv[2], clip_cache=sys.argv[3])
rows = rows.cast_column("videos", [Video(decode=False)])
print(json.dumps([__version__, [row["extra_info"]["recipe"] for row in rows], [len(row["videos"][0]["bytes"]) for row in rows]]))
"""


@pytest.mark.skipif(not PYTHON, reason="`make test` names an interpreter with datasets 3.6")
def test_the_script_gives_the_same_rows(footage: Path, tmp_path: Path, clip_cache: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    command = [str(PYTHON), "-c", PROGRAM, str(footage), str(tmp_path / "hf"), clip_cache]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    version, recipes, sizes = json.loads(done.stdout.splitlines()[-1])
    assert version.startswith("3.6")
    build(BuildSpec("mixed", seed=7), footage, tmp_path / "out", cache=ClipCache.of(clip_cache))
    (path,) = (tmp_path / "out").glob("data/*.parquet")
    rows = pq.read_table(path).to_pylist()
    assert recipes == [row["extra_info"]["recipe"] for row in rows]
    assert sizes == [len(row["videos"][0]["bytes"]) for row in rows]
