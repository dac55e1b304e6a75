"""What a kept clip and a finished build depend on: the code of whole folders, whatever the files in them are called."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dataset_builder.media import measure
from dataset_builder.media.clip_store import clip_key
from dataset_builder.media.sampling import Sampling
from dataset_builder.sources.source import Source

ROOT = Path(__file__).resolve().parents[2]

DIGESTS = """
import json
from dataset_builder.media.clip_store import clip_key
from dataset_builder.media.sampling import Sampling
from dataset_builder.sources.source import Source
from dataset_builder.questions.identity import row_code_digest
print(json.dumps([clip_key(Source("a.mp4", "/a.mp4", fingerprint="content"), Sampling()), row_code_digest()]))
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package, to edit."""
    return Path(shutil.copytree(ROOT / "dataset_builder", tmp_path / "dataset_builder"))


def digests(package: Path) -> tuple[str, str]:
    """(what names a kept clip, what stands for the code of rows) of this copy."""
    environment = {**os.environ, "PYTHONPATH": str(package.parent)}
    done = subprocess.run(
        [sys.executable, "-c", DIGESTS], cwd=package.parent, env=environment, capture_output=True, text=True, check=True
    )
    clip, rows = json.loads(done.stdout)
    return clip, rows


def edit(path: Path) -> None:
    path.write_text(path.read_text() + "\n# edited\n")


@pytest.mark.parametrize(
    ("name", "changes_clips", "changes_rows"),
    [
        ("media/decode.py", True, True),
        ("tasks/jigsaw.py", False, True),
        ("questions/dealing.py", False, True),
        ("sources/find.py", False, False),
        ("storage/shards.py", False, False),
        ("registration.py", False, False),
        ("hub/card.py", False, False),
    ],
)
def test_an_edit_makes_new_what_depends_on_the_folder(
    package: Path, name: str, changes_clips: bool, changes_rows: bool
) -> None:
    before = digests(package)
    edit(package / name)
    after = digests(package)
    assert (after[0] != before[0], after[1] != before[1]) == (changes_clips, changes_rows)


def test_a_module_that_is_moved_and_then_edited_serves_no_stale_clip(package: Path) -> None:
    moved = package / "media" / "codecs" / "geometry.py"
    moved.parent.mkdir()
    (moved.parent / "__init__.py").write_text("")
    shutil.move(package / "media" / "geometry.py", moved)
    moved.write_text(moved.read_text().replace("from .", "from ..").replace("from ...errors", "from ...errors"))
    for user in ("decode", "snap"):
        path = package / "media" / f"{user}.py"
        path.write_text(path.read_text().replace("from .geometry", "from .codecs.geometry"))
    before = digests(package)
    edit(moved)
    after = digests(package)
    assert after[0] != before[0]
    assert after[1] != before[1]


def test_what_is_measured_is_part_of_a_clips_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def named(**changes: Any) -> str:
        from dataset_builder.media import clip_store

        monkeypatch.setattr(clip_store, "MEASURED", {**measure.MEASURED, **changes})
        return clip_key(Source("a.mp4", "/a.mp4", fingerprint="content"), Sampling())

    assert named() != named(effects={**measure.MEASURED["effects"], "blur": 0.03})
    assert named() == named()
