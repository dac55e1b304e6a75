"""Who may import whom, held by importing each part in a process where the rest is forbidden."""

from __future__ import annotations

import ast
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


LOWER_TO_HIGHER = ["tasks", "errors sampling identity", "clip", "effects length shapes video mp4", "stats render sources", "cache presets", "spec references",
                   "dealing questions", "schema report", "target work", "shards", "build builder preview", "cluster finished validate footage", "exports hub", "demo cli"]  # fmt: skip


SERVICE_LOWER_TO_HIGHER = ["items time_limit logs draining completion", "settings errors rollouts scoring", "auth json_body body stats metrics shared_folder",
                           "service", "protocols", "openapi routes", "app", "serve cluster diagnose plot"]  # fmt: skip
TRAINER_LOWER_TO_HIGHER = [
    "versions curriculum",
    "data",
    "sampler vllm_prompt warm_up cpu launch",
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
        inside = folder.is_dir()
        for path in sorted(folder.rglob("*.py")) if inside else [folder.with_suffix(".py")]:
            found = set()
            for node in ast.parse(path.read_text()).body:  # what is imported at the top, not where it is used
                if isinstance(node, ast.ImportFrom) and node.level == (2 if inside and package != "dataset_builder" else 1):
                    found |= {(node.module or "").partition(".")[0]} if node.module else {alias.name for alias in node.names}
            assert not found & higher, f"{path.name} imports {found & higher}"


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
