"""Who may import whom, held by importing each part in a process where the rest is forbidden."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

GUARD = """
import sys
class Guard:
    def find_spec(self, name, path, target=None):
        top = name.partition(".")[0]
        if top in {forbidden!r}.split():
            raise ImportError("forbidden here: " + name)
sys.meta_path.insert(0, Guard())
import importlib
for name in {modules!r}.split():
    importlib.import_module(name)
print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""

HEAVY = "numpy torch datasets cv2 av pyarrow fsspec pandas transformers torchcodec fastapi pydantic httpx"


def imported(modules: str, forbidden: str) -> set[str]:
    program = GUARD.format(modules=modules, forbidden=forbidden)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_tasks_need_the_standard_library_alone() -> None:
    tops = imported("dataset_builder dataset_builder.tasks dataset_builder.tasks.grounding dataset_builder.cli", HEAVY)
    assert tops - set(sys.stdlib_module_names) - {"__main__", "dataset_builder"} <= _present_at_start()


def _present_at_start() -> set[str]:
    """What an interpreter of this environment loads by itself."""
    return imported("sys", "")


def test_building_needs_neither_server_nor_torch() -> None:
    imported(
        "dataset_builder.build dataset_builder.demo dataset_builder.validate dataset_builder.preview",
        "fastapi uvicorn torch torchcodec eval trainer tests",
    )
    imported("dataset_builder.builder", "fastapi uvicorn eval trainer tests reward_service")


def test_worker_processes_start_without_datasets() -> None:
    imported("dataset_builder.build dataset_builder.work", "datasets torch")


def test_solvers_see_tasks_and_effects_only() -> None:
    imported("eval.solvers", "datasets pyarrow torch fastapi tests trainer")


LOWER_TO_HIGHER = ["tasks", "errors sampling identity", "clip", "effects shapes video mp4", "stats render sources", "cache presets", "spec",
                   "dealing questions", "schema report", "work", "build builder preview", "validate", "demo cli"]  # fmt: skip


@pytest.mark.parametrize("floor", range(len(LOWER_TO_HIGHER)))
def test_no_floor_imports_a_higher_one(floor: int) -> None:
    import ast

    higher = {name for names in LOWER_TO_HIGHER[floor + 1 :] for name in names.split()}
    for module in LOWER_TO_HIGHER[floor].split():
        package = ROOT / "dataset_builder" / module
        for path in sorted(package.rglob("*.py")) if package.is_dir() else [package.with_suffix(".py")]:
            found = set()
            for node in ast.parse(path.read_text()).body:  # what is imported at the top, not where it is used
                if isinstance(node, ast.ImportFrom) and node.level:
                    found |= {(node.module or "").partition(".")[0]} if node.module else {alias.name for alias in node.names}
            assert not found & higher, f"{path.name} imports {found & higher}"
