"""The gallery: every task at every level, on pages that need no other file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dataset_builder import tasks
from dataset_builder.cli import main
from dataset_builder.tasks import LEVELS

pytestmark = pytest.mark.slow


def test_every_task_has_a_page_that_works_offline(footage: Path, tmp_path: Path, clip_cache: str) -> None:
    videos = tmp_path / "videos"
    videos.mkdir()
    for path in sorted(footage.iterdir())[:3]:
        (videos / path.name).symlink_to(path)
    assert main(["gallery", "--videos", str(videos), "--out", str(tmp_path / "out"), "--clip-cache", clip_cache]) == 0
    index = (tmp_path / "out/index.html").read_text()
    assert index.count("<tr>") == 1 + len(tasks.names()) * len(LEVELS)
    for name in tasks.names():
        page = (tmp_path / "out" / f"{name}.html").read_text()
        asked = re.findall(rf"<h2>{name}, (\w+)</h2>", page)
        refused = re.findall(rf">{name}</a></td><td>(\w+)</td><td>3 of 3</td>", index)
        assert sorted([*asked, *refused]) == sorted(LEVELS)
        links = re.findall(r"(?:src|href)=[\"']([^\"']{0,40})", page)
        assert all(link.startswith(("data:", "index.html")) for link in links)
        assert page.count("<video") >= len(asked)


def test_no_videos_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gallery", "--videos", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "no video" in capsys.readouterr().err
