"""Who may import whom, held by importing each part in a process where the rest is forbidden."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
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
        "dataset_builder.storage.build dataset_builder.demo.tour dataset_builder.storage.validate dataset_builder.commands.preview",
        "fastapi uvicorn torch torchcodec eval trainer tests",
    )
    imported("dataset_builder.builder", "fastapi uvicorn eval trainer tests reward_service")


def test_worker_processes_start_without_datasets() -> None:
    imported("dataset_builder.storage.build dataset_builder.questions.job", "datasets torch")


def test_solvers_see_tasks_and_effects_only() -> None:
    imported("eval.solvers", "datasets pyarrow torch fastapi tests trainer")


def test_evaluating_needs_no_model_library_before_a_model() -> None:
    names = "eval.__main__ eval.runner eval.report eval.backends.baselines eval.benchmarks.generated eval.benchmarks.questions eval.public.commands"
    imported(names, "torch transformers openai datasets fastapi matplotlib jinja2 inspect_ai reward_service trainer tests")
    imported("eval.backends.chat", "torch transformers datasets fastapi reward_service trainer tests")


def test_the_service_needs_tasks_and_nothing_heavy() -> None:
    heavy = HEAVY.replace(" fastapi pydantic httpx", "")
    imported(
        "reward_service.http.app reward_service.serve reward_service.monitoring.diagnose",
        f"{heavy} httpx ray matplotlib eval trainer tests",
    )
    modules = "dataset_builder.storage.build dataset_builder.builder dataset_builder.media.decode dataset_builder.media.clip"
    assert not imported("reward_service.http.app", heavy) & set(modules.split())


def test_clients_need_httpx_and_nothing_of_the_server() -> None:
    server = "fastapi starlette uvicorn pydantic pydantic_settings msgspec prometheus_client dataset_builder"
    names = " ".join(f"reward_service.clients.{name}" for name in ("client", "verl", "trl", "swift"))
    imported(names, f"{server} numpy torch datasets eval trainer tests")


# The rooms of each package, lower to higher: a room imports itself and lower ones. A room is a folder, or a file beside them.
ROOMS = {
    "dataset_builder": [
        "tasks",
        "errors identity progress qwen_video version",
        "sources",
        "media",
        "questions",
        "storage",
        "builder exports gallery",
        "demo hub",
        "commands",
        "cli",
    ],
    "reward_service": [
        "completion scoring settings",
        "protocols",
        "monitoring",
        "service",
        "http",
        "ray_serve serve",
        "commands",
    ],
    "trainer": [
        "data launch",
        "verl_hooks",
        "cpu",
        "config",
        "checks",
        "proof",
        "__main__",
    ],
    "eval": [
        "solvers reading paper intervals protocols",
        "sample",
        "frames marks clocks",
        "backends benchmarks run",
        "runner results",
        "tables",
        "compare",
        "plots",
        "report publish arguments",
        "public",
        "__main__",
    ],
}
OUTSIDE = {"__init__", "__pycache__", "clients", "examples", "registration", "videossr"}

# What a package may import of the others, wherever in a file the import stands.
FOREIGN = {
    "dataset_builder": (),
    "reward_service": ("dataset_builder.tasks", "dataset_builder.version"),
    "reward_service/clients": (),
    "eval": ("dataset_builder", "reward_service"),
    "trainer": ("dataset_builder", "reward_service"),
}


@pytest.mark.parametrize(
    ("package", "floor"), [(package, floor) for package, rooms in ROOMS.items() for floor in range(len(rooms))]
)
def test_no_room_imports_a_higher_one(package: str, floor: int) -> None:
    higher = {name for rooms in ROOMS[package][floor + 1 :] for name in rooms.split()}
    for room in ROOMS[package][floor].split():
        for path in _files(package, room):
            imported = {name[1] for name in _imports(path, anywhere=False) if name[0] == package and len(name) > 1}
            assert not imported & higher, f"{path.relative_to(ROOT)} imports {imported & higher}"


@pytest.mark.parametrize("package", ROOMS)
def test_every_module_has_its_room(package: str) -> None:
    rooms = {name for names in ROOMS[package] for name in names.split()} | OUTSIDE
    modules = {path.stem for path in (ROOT / package).iterdir() if path.suffix == ".py" or path.is_dir()}
    assert modules <= rooms, f"{modules - rooms} stand in no room"


@pytest.mark.parametrize("place", FOREIGN)
def test_packages_import_of_each_other_what_the_contract_says(place: str) -> None:
    own = place.partition("/")[0]
    for path in sorted((ROOT / place).rglob("*.py")):
        for name in _imports(path, anywhere=True):
            if name[0] in ROOMS and name[0] != own:
                assert ".".join(name).startswith(FOREIGN[place]), f"{path.relative_to(ROOT)} imports {'.'.join(name)}"


@pytest.mark.parametrize("room", ROOMS["dataset_builder"][0].split() + ROOMS["dataset_builder"][2:6])
def test_modules_of_a_room_form_no_circle(room: str) -> None:
    graph: dict[str, set[str]] = {}
    for path in _files("dataset_builder", room):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        imports = {".".join(parts[:depth]) for parts in _imports(path, anywhere=False) for depth in range(2, len(parts) + 1)}
        graph[name] = imports - {name}
    TopologicalSorter({name: imports & set(graph) for name, imports in graph.items()}).prepare()  # raises CycleError


def _files(package: str, room: str) -> list[Path]:
    folder = ROOT / package / room
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


def _imports(path: Path, anywhere: bool) -> Iterator[tuple[str, ...]]:
    """The modules that a file imports, as their parts: at its top, or anywhere; of `from a import b`, a.b."""
    here = path.relative_to(ROOT).with_suffix("").parts
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree) if anywhere else tree.body:
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = (*(here[: len(here) - node.level] if node.level else ()), *(node.module or "").split("."))
            yield from ((*filter(None, base), alias.name) for alias in node.names)


def test_imports_are_seen_wherever_they_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    path = tmp_path / "package" / "inner" / "module.py"
    path.parent.mkdir(parents=True)
    path.write_text(
        "from ..one import x\nfrom .. import two\nimport package.three\nfrom package.four import y\nfrom .near import z\n"
        "def later():\n    import package.five\n"
    )
    top = {name[1] for name in _imports(path, anywhere=False)}
    assert top == {"one", "two", "three", "four", "inner"}
    assert {name[1] for name in _imports(path, anywhere=True)} == top | {"five"}
