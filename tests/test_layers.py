"""Who may import whom, held by importing each part in a process where the rest is forbidden."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
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


def test_evaluating_needs_no_model_library_before_a_model() -> None:
    names = "eval.__main__ eval.runner eval.report eval.backends.baselines eval.benchmarks.viubench eval.benchmarks.questions eval.public.commands"
    imported(names, "torch transformers openai datasets fastapi matplotlib jinja2 inspect_ai reward_service trainer tests")
    imported("eval.backends.chat", "torch transformers datasets fastapi reward_service trainer tests")


def test_the_service_needs_tasks_and_nothing_heavy() -> None:
    heavy = HEAVY.replace(" fastapi pydantic httpx", "")
    imported(
        "reward_service.app reward_service.serve reward_service.diagnose", f"{heavy} httpx ray matplotlib eval trainer tests"
    )
    modules = "dataset_builder.build dataset_builder.builder dataset_builder.video dataset_builder.clip"
    assert not imported("reward_service.app", heavy) & set(modules.split())


def test_clients_need_httpx_and_nothing_of_the_server() -> None:
    server = "fastapi starlette uvicorn pydantic pydantic_settings msgspec prometheus_client dataset_builder"
    names = " ".join(f"reward_service.clients.{name}" for name in ("core", "verl", "trl", "swift"))
    imported(names, f"{server} numpy torch datasets eval trainer tests")


def test_a_lambda_function_needs_msgspec_alone() -> None:
    imported(
        "reward_service.protocols.aws", "fastapi starlette uvicorn prometheus_client httpx numpy pydantic_settings pydantic"
    )


LOWER_TO_HIGHER = ["tasks", "errors sampling identity progress", "clip", "effects length shapes video mp4", "stats render sources", "cache presets", "spec references",
                   "dealing questions", "schema report", "target work", "shards", "build builder preview", "cluster finished validate footage", "exports hub", "demo", "commands", "cli"]  # fmt: skip


SERVICE_LOWER_TO_HIGHER = ["items time_limit logs draining completion", "settings errors rollouts scoring", "auth json_body body stats metrics shared_folder",
                           "service", "protocols", "openapi routes", "app", "serve cluster diagnose plot"]  # fmt: skip
TRAINER_LOWER_TO_HIGHER = [
    "versions curriculum",
    "data",
    "sampler vllm_prompt warm_up cpu launch run_folder",
    "configuration",
    "preflight",
    "proof __main__",
]
EVAL_LOWER_TO_HIGHER = [
    "solvers choice paper bootstrap",
    "sample",
    "frames marks",
    "backends benchmarks run",
    "runner results",
    "tables",
    "compare",
    "plots",
    "report publish progress_bar arguments",
    "public",
    "__main__",
]
FLOORS = [
    *(("dataset_builder", LOWER_TO_HIGHER, floor) for floor in range(len(LOWER_TO_HIGHER))),
    *(("reward_service", SERVICE_LOWER_TO_HIGHER, floor) for floor in range(len(SERVICE_LOWER_TO_HIGHER))),
    *(("trainer", TRAINER_LOWER_TO_HIGHER, floor) for floor in range(len(TRAINER_LOWER_TO_HIGHER))),
    *(("eval", EVAL_LOWER_TO_HIGHER, floor) for floor in range(len(EVAL_LOWER_TO_HIGHER))),
]


@pytest.mark.parametrize(("package", "floors", "floor"), FLOORS)
def test_no_floor_imports_a_higher_one(package: str, floors: list[str], floor: int) -> None:
    higher = {name for names in floors[floor + 1 :] for name in names.split()}
    for module in floors[floor].split():
        folder = ROOT / package / module
        for path in sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]:
            found = set(_imported_of(package, path))
            assert not found & higher, f"{path.relative_to(ROOT)} imports {found & higher}"


def _imported_of(package: str, path: Path) -> Iterator[str]:
    """The modules just below the package that a file imports at its top, not where it uses them."""
    here = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.parse(path.read_text()).body:
        names: list[tuple[str, ...]] = []
        if isinstance(node, ast.Import):
            names = [tuple(alias.name.split(".")) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = (*(here[: len(here) - node.level] if node.level else ()), *(node.module or "").split("."))
            base = tuple(filter(None, base))
            names = [(*base, alias.name) for alias in node.names]
        yield from (name[1] for name in names if name[0] == package and len(name) > 1)


def test_imports_are_seen_wherever_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    path = tmp_path / "package" / "inner" / "module.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "from ..one import x\nfrom .. import two\nimport package.three\nfrom package.four import y\nfrom .near import z\n"
    )
    assert set(_imported_of("package", path)) == {"one", "two", "three", "four", "inner"}


@pytest.mark.parametrize("package", ["dataset_builder", "reward_service", "trainer", "eval"])
def test_every_module_has_its_floor(package: str) -> None:
    floors = {
        "dataset_builder": LOWER_TO_HIGHER,
        "reward_service": SERVICE_LOWER_TO_HIGHER,
        "trainer": TRAINER_LOWER_TO_HIGHER,
        "eval": EVAL_LOWER_TO_HIGHER,
    }[package]
    known = {name for names in floors for name in names.split()} | {
        "clients",
        "config",
        "examples",
        "registration",
        "videossr",
        "__init__",
        "__pycache__",
    }
    found = {path.stem for path in (ROOT / package).iterdir() if path.suffix == ".py" or path.is_dir()}
    assert found <= known, f"{found - known} stand on no floor"
