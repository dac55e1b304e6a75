"""Other people's tasks and commands: of installed packages, by entry points; of modules, by --imports."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from dataset_builder import tasks
from dataset_builder.tasks import Task, UsageError

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
COMMAND = """
def add(commands):
    parser = commands.add_parser("greet", help="say hello")
    parser.set_defaults(command=run)

def run(args):
    print("hello", args.imports)
    return 0
"""


def example() -> str:
    """The task that CONTRIBUTING.md gives as an example."""
    [text] = re.findall(r"```python\n(.*?TASK = .*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.S)
    return str(text)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with an installed package that adds the task `halves` and the command `greet`."""
    folder = tmp_path / "site"
    (folder / "halves-1.dist-info").mkdir(parents=True)
    (folder / "halves-1.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: halves\nVersion: 1\n")
    (folder / "halves-1.dist-info" / "entry_points.txt").write_text(
        "[videossr.tasks]\nhalves = halves:TASK\n[videossr.commands]\ngreet = greeting\n"
    )
    (folder / "halves.py").write_text(example())
    (folder / "greeting.py").write_text(COMMAND)
    return folder


def run(*arguments: str, path: Path, code: int = 0, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": f"{path}{os.pathsep}{ROOT}", **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr[-3000:]
    return done.stdout + done.stderr


def videossr(*arguments: str, path: Path, code: int = 0, **environment: str) -> str:
    return run("-m", "dataset_builder.cli", *arguments, path=path, code=code, **environment)


def test_an_installed_package_adds_a_task_to_every_command(footage: Path, site: Path, tmp_path: Path, clip_cache: str) -> None:
    assert "halves" in json.loads(videossr("tasks", "--json", path=site))
    choices = ("--videos", str(footage), "--clip-cache", clip_cache, "--frames", "16", "--max-pixels", "16384")
    videossr("preview", "halves", *choices, "--out", str(tmp_path / "preview"), path=site)
    videossr("build", "halves", *choices, "--workers", "2", "--per-video", "13", "--out", str(tmp_path / "out"), path=site)
    assert "104 rows, 0 faults" in videossr("validate", str(tmp_path / "out"), path=site)
    program = (
        "import dataset_builder, datasets; rows = datasets.load_dataset('videossr', 'halves', num_proc=2, split='train', "
        f"data_dir={str(footage)!r}, cache_dir={str(tmp_path / 'hf')!r}, clip_cache={clip_cache!r}, frames=16, max_pixels=16384); print('rows:', len(rows))"
    )
    assert "rows: 8" in run("-c", program, path=site)
    item = '{"items": [{"task": "halves", "ground_truth": "21", "response": "21"}]}'
    program = (
        "from fastapi.testclient import TestClient\nfrom reward_service.http.app import create_app\n"
        f"with TestClient(create_app()) as client:\n    print(client.post('/v1/score', content={item!r}).json())"
    )
    assert "'score': 1.0" in run("-c", program, path=site)


def test_an_installed_package_adds_a_command(site: Path) -> None:
    assert "say hello" in videossr("--help", path=site)
    assert "hello mine" in videossr("greet", "--imports", "mine", path=site)


def test_a_broken_package_is_named(site: Path) -> None:
    (site / "halves.py").write_text("import nowhere")
    (site / "greeting.py").write_text("import nowhere")
    assert "the subcommand 'greet' cannot be loaded" in videossr("--help", path=site)
    assert "the task 'halves' of the package 'halves' cannot be loaded" in videossr("tasks", path=site, code=2)


def test_a_module_that_is_named_registers_its_task_in_workers_too(footage: Path, tmp_path: Path, clip_cache: str) -> None:
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "own_tasks.py").write_text(f"{example()}\n\nfrom dataset_builder.tasks import register\n\nregister(TASK)\n")
    command = (
        "build", "halves", "--imports", "own_tasks", "--videos", str(footage), "--workers", "2", "--per-video", "13",
        "--clip-cache", clip_cache, "--frames", "16", "--max-pixels", "16384", "--out", str(tmp_path / "out"),
    )  # fmt: skip
    videossr(*command, path=folder)
    assert sum(pq.read_metadata(path).num_rows for path in (tmp_path / "out" / "data").iterdir()) == 104
    assert "halves" in videossr("tasks", "--imports", "own_tasks", path=folder)
    assert "halves" in videossr("tasks", path=folder, VIDEOSSR_IMPORTS="own_tasks")
    told = videossr("tasks", "--imports", "nowhere", path=folder, code=2)
    assert "imports='nowhere': No module named 'nowhere'; it has to be on PYTHONPATH" in told


def test_the_example_is_tidy(tmp_path: Path) -> None:
    """It passes `make lint`."""
    (tmp_path / "halves.py").write_text(example())
    for check in (("ruff", "check"), ("ruff", "format", "--check"), ("mypy",)):
        command = [
            sys.executable,
            "-m",
            *check,
            "--config-file" if check == ("mypy",) else "--config",
            str(ROOT / "pyproject.toml"),
        ]
        done = subprocess.run([*command, str(tmp_path / "halves.py")], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_two_tasks_of_one_name_are_refused() -> None:
    class Other(type(tasks.get("jigsaw"))):  # type: ignore[misc]
        pass

    with pytest.raises(UsageError, match="two tasks are called 'jigsaw'"):
        tasks.register(Other())
    with pytest.raises(UsageError, match="is no task"):
        tasks.register("jigsaw")  # type: ignore[arg-type]
    assert isinstance(tasks.get("jigsaw"), Task)
