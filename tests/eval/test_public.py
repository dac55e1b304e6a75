"""The public benchmarks: annotation files that are read, lmms-eval's commands and results, and the table beside the paper's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dataset_builder import tasks
from dataset_builder.media.clip_cache import ClipCache
from dataset_builder.storage.build import build
from eval.__main__ import main
from eval.benchmarks import VIUBENCH
from eval.benchmarks.questions import from_file
from eval.public.convert import FORMATS, convert
from eval.public.lmms import command, find_faults, read_score
from eval.public.lmms_tasks import write_tasks
from eval.public.suite import FRAMES, PAPER, SUITES, Converted, LmmsTask, PublicBenchmark

from ..chat_server import Asked, Behaviour, prompt_of, serving_chat
from .conftest import SIZE

FILES: dict[str, Any] = {
    "qvhighlights": '{"qid": 5, "query": "A dog runs.", "duration": 150, "vid": "sunrise_60.0_210.0", "relevant_windows": [[8, 12], [24, 34]], "saliency_scores": [[1, 2, 3]]}\n',
    "activitynet": {"v_sunrise": {"duration": 10.5, "timestamps": [[0.28, 11.0], [3, 4], [10.6, 10.9]], "sentences": [" All of it. ", "A bit.", "After the end."]}},
    "tacos": {"sunrise.avi": {"timestamps": [[147, 294]], "sentences": ["She cuts."], "fps": 29.4, "num_frames": 882}},
    "aotbench": [{"qa_idx": 3, "video_name": "films/sunrise.mp4", "question": "Forward or not?\nA. Forward\nB. Backward", "ans": "B"}],
    "cvbench": [
        {"id": 1, "task_type": "counting", "video_1": "0/sunrise.mp4", "video_2": "0/pan_right.mp4", "video_3": None, "video_4": None, "question": "Both?", "options": ["Yes.", "No."], "answer": "No"},
        {"id": 2, "task_type": "order", "video_1": "0/sunrise.mp4", "video_2": "0/pan_right.mp4", "video_3": None, "video_4": None, "question": "Which?", "options": ["A. one thing, B. two things, C. three"], "answer": "C"},
    ],
}  # fmt: skip


def annotations(folder: Path, name: str) -> Path:
    path = folder / f"{name}.json"
    content = FILES[name]
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_annotation_files_become_questions(name: str, tmp_path: Path, footage: Path) -> None:
    entries, left_out = convert(name, annotations(tmp_path, name))
    questions = tmp_path / "questions.json"
    questions.write_text(json.dumps(entries))
    for folder in ("films", "0"):
        (tmp_path / folder).symlink_to(footage, target_is_directory=True)
    for path in footage.iterdir():
        (tmp_path / path.name).symlink_to(path)
    [kind] = {one.runner.kind for one in PAPER if isinstance(one.runner, Converted) and one.runner.format == name}
    benchmark = from_file(questions, kind, tmp_path, max_pixels=64 * 64, frames=4)
    truths = {sample.id: sample.truth for sample in benchmark.samples}
    expected = {
        "qvhighlights": {},
        "activitynet": {},
        "tacos": {"sunrise-0": "5-10"},
        "aotbench": {"aotbench-3": "B"},
        "cvbench": {"id-1": "B", "id-2": "C"},
    }[name]
    assert truths == expected
    assert left_out == (1 if name == "activitynet" else 0)
    if name == "qvhighlights":
        assert benchmark.missing == ("sunrise_60.0_210.0",)
        assert entries[0]["answer"] == [[8, 12], [24, 34]]
    if name == "activitynet":
        assert [(entry["question"], entry["answer"]) for entry in entries] == [
            ("All of it.", [[0.28, 10.5]]),
            ("A bit.", [[3, 4]]),
        ]
    if name == "cvbench":
        assert [len(sample.videos["sources"]) for sample in benchmark.samples] == [2, 2]
        assert dict(benchmark.samples[1].info["options"]) == {"A": "one thing,", "B": "two things,", "C": "three"}


@pytest.mark.parametrize("name", FORMATS)
def test_other_files_are_refused_in_a_line(name: str, tmp_path: Path) -> None:
    for text in ("[1]", '{"a": {"b": 1}}', "{", "3"):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(ValueError, match=f"is no annotation file of {name}: ") as refused:
            convert(name, tmp_path / "x.json")
        assert "\n" not in str(refused.value)


def test_the_table_holds_the_papers_sixteen() -> None:
    assert len(PAPER) == len({one.name for one in PAPER}) == 16
    assert sum(isinstance(one.runner, LmmsTask) for one in PAPER) == 11
    assert all(len(one.paper) == len(FRAMES) for one in PAPER)
    assert all(trained > base for one in PAPER for base, trained in one.paper), "as the paper reports"


@pytest.mark.parametrize("benchmark", [one for suite in SUITES.values() for one in suite], ids=lambda one: one.name)
def test_our_tasks_that_train_a_benchmark_exist(benchmark: PublicBenchmark) -> None:
    assert set(filter(None, benchmark.trains.split(", "))) <= set(tasks.names())


@pytest.mark.parametrize("task", [one.runner for one in PAPER if isinstance(one.runner, LmmsTask)], ids=lambda task: task.name)
def test_scores_are_found_where_lmms_eval_leaves_them(task: LmmsTask, tmp_path: Path) -> None:
    names = [f"{task.prefix}one", f"{task.prefix}two"] if task.prefix else [task.name]
    value: Any = [40.0, 30.0, 20.0] if task.index is not None else 40.0 / task.scale
    scores = {name: {"alias": name, f"{task.metric},none": value, f"{task.metric}_stderr,none": "N/A"} for name in names}
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "20261121_100000_results.json").write_text(json.dumps({"results": {**scores, task.name + " ": {" ": " "}}}))
    (folder / f"20261121_100000_samples_{names[0]}.jsonl").write_text(json.dumps({"filtered_resps": ["B"]}) + "\n")
    assert read_score(task, tmp_path) == pytest.approx(40)
    (folder / f"20261121_100000_samples_{names[-1]}.jsonl").write_text(
        json.dumps({"filtered_resps": ["[LMMS_EVAL_REQUEST_FAILED after 5 retries] x"]}) + "\n"
    )
    with pytest.raises(RuntimeError, match="1 requests failed, which lmms-eval scores as wrong answers"):
        read_score(task, tmp_path)


def test_nothing_is_run_without_being_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["public", "--out", str(tmp_path / "public")]) == 0
    stdout = capsys.readouterr().out
    assert "| Video-MME " in stdout
    assert "66.0 → 66.7" in stdout
    assert "--tasks videomme" in stdout
    assert f"python -m eval convert tacos FILE --out {tmp_path}/public/MODEL-48-frames-262144-pixels/TACoS.json" in stdout
    assert not (tmp_path / "public").exists()


def run_public(out: Path, lmms_python: str) -> list[str]:
    """The command, with a server that nobody runs."""
    flags = {"--model": "tiny", "--base-url": "http://127.0.0.1:9/v1", "--out": str(out), "--lmms-python": lmms_python}
    return ["public", *(word for pair in flags.items() for word in pair), "--run"]


def test_what_is_missing_is_a_line_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_HOME", raising=False)
    command = run_public(tmp_path, sys.executable)
    assert main([*command, "--only", "MVBench,TACoS"]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert any(line.startswith("eval: lmms-eval: ") and "has no lmms-eval; " in line for line in lines)
    assert any("HF_HOME is not set" in line for line in lines)
    assert "eval: TACoS: its annotation file and videos are not named; --questions tacos=FILE,VIDEOS" in lines
    assert main([*command, "--only", "TACoS", "--questions", f"tacos={annotations(tmp_path, 'tacos')},{tmp_path}"]) == 1
    assert "none of its 1 videos was found" in capsys.readouterr().err
    assert main([*command, "--only", "TACoS", "--questions", "taco=a,b"]) == 2
    assert "did you mean 'tacos'" in capsys.readouterr().err
    for wrong, message in (
        (("--only", "MVBnch"), "did you mean 'MVBench'"),
        (("--suite", "papers"), "did you mean 'paper'"),
        (("--questions", "x"), "allowed: FORMAT=FILE,VIDEOS"),
    ):
        assert main([*command, "--only", "TACoS", *wrong]) in (1, 2)
        assert message in capsys.readouterr().err


STAND_IN = """#!/usr/bin/env python3
import json, pathlib, sys
if sys.argv[1] == "-c":
    print(pathlib.Path(sys.argv[0]).with_name("package"))
    sys.exit()
out = pathlib.Path(sys.argv[sys.argv.index("--output_path") + 1]) / "model"
task = sys.argv[sys.argv.index("--tasks") + 1]
if task == "lvbench":
    out.mkdir()
    (out / "20261121_100000_results.json").write_text(json.dumps({"results": {"lvbench": {"lvbench_score,none": 0.415}}}))
else:
    print("DatasetNotFoundError: it is not there")
"""


def task_files(package: Path) -> None:
    """As those of lmms-eval: a group whose tasks share a template, and a task."""
    folder = package / "tasks" / "mvbench"
    folder.mkdir(parents=True)
    (folder / "_template").write_text("metric_list:\n  - metric: mvbench_accuracy # in percent\n    aggregation: mean\n")
    (folder / "mvbench.yaml").write_text("group: mvbench\ntask:\n  - mvbench_one\n")
    (folder / "mvbench_one.yaml").write_text('task: "mvbench_one"\ninclude: _template\n')
    (folder / "lvbench.yaml").write_text("task: lvbench\nmetric_list:\n  - metric: lvbench_score\n  - metric: other\n")


def test_names_of_tasks_and_metrics_are_held_against_the_installed_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    python = tmp_path / "python"
    python.write_text(STAND_IN)
    python.chmod(0o755)
    task_files(tmp_path / "package")
    right = [LmmsTask("mvbench", "mvbench_accuracy", 1, "", "mvbench_"), LmmsTask("lvbench", "lvbench_score", 1, "")]
    assert not list(find_faults(str(python), right))
    [metric, task] = find_faults(str(python), [replace(right[1], metric="score"), replace(right[1], name="lvbench2")])
    assert metric.startswith("lvbench: no metric score; this lmms-eval knows its metrics lvbench_score, other")
    assert "lvbench2: no metric lvbench_score; this lmms-eval has no such task" in task


def test_the_real_lmms_eval_has_all_tasks_and_metrics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    runners = [one.runner for suite in SUITES.values() for one in suite]
    assert not list(find_faults(lmms_python(), [runner for runner in runners if isinstance(runner, LmmsTask)]))


def lmms_python() -> str:
    path = os.environ.get("VIDEOSSR_LMMS_PYTHON")
    if not path:
        pytest.skip("VIDEOSSR_LMMS_PYTHON does not name a Python with lmms-eval; `make test` sets one up")
    return path


def test_what_one_benchmark_lacks_keeps_no_other_from_being_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    python = tmp_path / "python"
    python.write_text(STAND_IN)
    python.chmod(0o755)
    task_files(tmp_path / "package")
    assert main([*run_public(tmp_path / "out", str(python)), "--only", "TACoS,MVBench,LVBench", "--json"]) == 1
    output = json.loads(capsys.readouterr().out)
    assert [row["score"] for row in output["benchmarks"]] == [None, None, pytest.approx(41.5)]
    assert [fault.partition(":")[0] for fault in output["faults"]] == ["TACoS", "MVBench"]
    assert "is OpenGVLab/MVBench available" in output["faults"][1]
    assert "DatasetNotFoundError" in output["faults"][1]


def test_converted_benchmarks_are_run_and_stand_beside_the_papers(
    footage: Path, clip_cache: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(asked: Asked) -> tuple[str, str]:
        return ("B" if "Both" in asked.text else "C" if "Which" in asked.text else "<answer>5-8</answer>"), prompt_of(asked)

    behaviour = Behaviour(answer)
    (tmp_path / "0").symlink_to(footage, target_is_directory=True)
    files = [
        f"--questions={name}={annotations(tmp_path, name)},{tmp_path if name == 'cvbench' else footage}"
        for name in ("tacos", "cvbench")
    ]
    with serving_chat(behaviour) as url:
        command = [
            "public",
            "--model",
            "tiny",
            "--base-url",
            url,
            "--out",
            str(tmp_path / "public"),
            "--only",
            "TACoS,CVBench",
            "--max-pixels",
            "4096",
            "--clip-cache",
            clip_cache,
        ]
        assert main([*command, *files, "--run"]) == 0
        assert "| 60.0 |" in " ".join(capsys.readouterr().out.split())
    assert main([*command, "--json"]) == 0, "a later table takes what is there"
    assert [row["score"] for row in json.loads(capsys.readouterr().out)["benchmarks"]] == [
        pytest.approx(60),
        pytest.approx(100),
    ]
    assert main([*command, "--json", "--model", "other"]) == 0
    assert [row["score"] for row in json.loads(capsys.readouterr().out)["benchmarks"]] == [None, None], (
        "which are another model's"
    )
    assert {kind for asked in behaviour.asked if not asked.videos for kind, _ in asked.parts} == {"text", "image"}


@pytest.fixture(scope="module")
def built(footage: Path, clip_cache: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("viubench") / "built"
    build(VIUBENCH.spec(0, max_pixels=SIZE, per_column=2), footage, folder, cache=ClipCache.of(clip_cache))
    return folder


def test_viubench_becomes_tasks_of_lmms_eval(built: Path, tmp_path: Path) -> None:
    import datasets

    names = write_tasks(built, tmp_path / "tasks")
    assert len(names) == 9
    assert sorted(path.name for path in (tmp_path / "tasks").iterdir()) == sorted(
        ["_shared_yaml", "utils.py", "viubench.yaml", *(f"{name}.yaml" for name in names)]
    )
    functions: dict[str, Any] = {}
    exec(compile((tmp_path / "tasks" / "utils.py").read_text(), "utils.py", "exec"), functions)
    rows = datasets.load_dataset(
        "parquet", data_files=str(built / "data" / "*.parquet"), split="train", cache_dir=str(tmp_path / "cache")
    )
    counting = functions["counting_easy"](rows)
    assert len(counting) == 2
    doc = counting[0]
    [message] = functions["doc_to_messages"](doc)
    assert sum(part["type"] == "image" for part in message["content"]) == len(functions["doc_to_visual"](doc)) == 48
    assert message["content"][0] == {"type": "text", "text": "<0.0 seconds>"}
    right = functions["process_results"](doc, [f"<answer>{functions['doc_to_target'](doc)}</answer>"])
    assert right["viubench"]["score"] == 1.0
    wrong = functions["process_results"](doc, ["I do not know"])
    assert functions["mean_percent"]([right["viubench"], wrong["viubench"]]) == 50.0


def test_lmms_eval_runs_those_tasks(built: Path, tmp_path: Path) -> None:
    python = lmms_python()
    write_tasks(built, tmp_path / "tasks")
    with serving_chat(Behaviour(lambda asked: ("<answer>0-1000</answer>", ""))) as url:
        line = command(python, "viubench", tmp_path / "out", tmp_path / "tasks", model="tiny", base_url=url, nframes=48)
        environment = {**os.environ, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "OPENAI_API_KEY": "EMPTY"}
        subprocess.run(line, check=True, capture_output=True, env=environment, cwd=tmp_path)
    score = read_score(LmmsTask("viubench", "viubench", 1.0, ""), tmp_path / "out")
    assert score is not None
    assert 0 < score < 5, "an interval of many seconds holds the anomaly, and little of it"


def test_mp4_builds_are_not_handed_to_lmms_eval(footage: Path, clip_cache: str, tmp_path: Path) -> None:
    from dataset_builder.questions.spec import BuildSpec

    build(BuildSpec("counting", samples=1, max_pixels=SIZE), footage, tmp_path / "built", cache=ClipCache.of(clip_cache))
    with pytest.raises(ValueError, match="build it with --video-format jpeg"):
        write_tasks(tmp_path / "built", tmp_path / "tasks")
