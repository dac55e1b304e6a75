"""Stopping, going on, failing: nothing is lost, nothing asked twice, and what failed is not wrong."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import isnan
from pathlib import Path
from typing import Any

import pytest

from eval.backends.base import AnswerError, BackendError, Reply
from eval.frames import Frames
from eval.results import score_run
from eval.run import RESPONSES, Run, open_run
from eval.runner import FAILURES_IN_A_ROW, Progress, run
from eval.sample import Benchmark, Sample, Video
from eval.tables import markdown, run_table, to_dict

from ..servers import ROOT


class Scripted:
    """Answers by a function, and counts."""

    needs_videos = False
    label = "scripted"

    def __init__(self, reply: Callable[[Sample], str], **protocol: Any) -> None:
        self._reply = reply
        self.protocol = {"say": "so", **protocol}
        self.asked: list[str] = []
        self.most_at_a_time = self._now = 0

    async def check(self) -> None: ...

    async def answer(self, sample: Sample, videos: Sequence[Video], draw: int = 0) -> Reply:
        self._now += 1
        self.most_at_a_time = max(self.most_at_a_time, self._now)
        await asyncio.sleep(0)
        self._now -= 1
        self.asked.append(sample.id)
        return Reply(self._reply(sample), {"prompt_tokens": 3, "completion_tokens": 2})

    async def close(self) -> None: ...


def ask(benchmark: Benchmark, backend: Any, folder: Path, in_flight: int = 4) -> Progress:
    return asyncio.run(run(benchmark, backend, Frames(benchmark.sampling), folder, in_flight=in_flight))


def truth(sample: Sample) -> str:
    return f"<answer>{sample.truth}</answer>"


def test_every_question_is_asked_once_and_scored(small: Benchmark, tmp_path: Path) -> None:
    right = Scripted(truth)
    progress = ask(small, right, tmp_path / "run")
    assert sorted(right.asked) == sorted(sample.id for sample in small.samples)
    assert 1 < right.most_at_a_time <= 4
    assert (progress.done, progress.failed, progress.score) == (27, 0, 1.0)
    assert (progress.prompt_tokens, progress.completion_tokens) == (81, 54)
    results = score_run(Run.read(tmp_path / "run"))
    assert [column.value.mean for column in results.columns] == [1.0] * 9
    assert results.overall.above_chance == 1.0


def test_a_stopped_run_goes_on(small: Benchmark, tmp_path: Path) -> None:
    stops = Scripted(truth)

    def stop_at_ten(sample: Sample) -> str:
        if len(stops.asked) > 10:
            raise BackendError("the server is gone")
        return truth(sample)

    stops._reply = stop_at_ten
    with pytest.raises(BackendError, match="gone"):
        ask(small, stops, tmp_path / "run")
    before = (tmp_path / "run" / RESPONSES).read_text().splitlines()
    assert 0 < len(before) < 27
    path = tmp_path / "run" / RESPONSES
    path.write_text("\n".join(before) + "\n" + before[0][: len(before[0]) // 2])  # killed while it wrote a line
    goes_on = Scripted(truth)
    progress = ask(small, goes_on, tmp_path / "run")
    assert len(goes_on.asked) == 27 - len(before) == progress.requests
    lines = path.read_text().splitlines()
    assert lines[: len(before)] == before
    assert len({json.loads(line)["id"] for line in lines}) == len(lines) == 27
    assert ask(small, Scripted(truth), tmp_path / "run").requests == 0


def test_failures_are_no_wrong_answers_and_are_asked_again(small: Benchmark, tmp_path: Path) -> None:
    failing = {sample.id for sample in small.samples[::5]}

    def fails(sample: Sample) -> str:
        if sample.id in failing:
            raise AnswerError("500 from the server")
        return truth(sample)

    progress = ask(small, Scripted(fails), tmp_path / "run")
    assert (progress.failed, progress.score) == (len(failing), 1.0)
    results = score_run(Run.read(tmp_path / "run"))
    assert results.overall.failed == len(failing)
    assert results.overall.value.mean == 1.0
    assert results.overall.of_all == pytest.approx(1 - len(failing) / 27, abs=0.01)
    assert results.failures == {"500 from the server": len(failing)}
    again = Scripted(truth)
    assert ask(small, again, tmp_path / "run").failed == 0
    assert set(again.asked) == failing
    assert score_run(Run.read(tmp_path / "run")).overall.failed == 0


def test_a_dead_server_ends_the_run(small: Benchmark, tmp_path: Path) -> None:
    def fails(sample: Sample) -> str:
        raise AnswerError("no connection", transient=True)

    dead = Scripted(fails)
    with pytest.raises(
        BackendError,
        match=f"{FAILURES_IN_A_ROW} questions in a row failed; the last error: no connection; run the same command",
    ):
        ask(small, dead, tmp_path / "run")
    assert len(dead.asked) < 27


def test_another_run_in_the_folder_is_refused(small: Benchmark, tmp_path: Path) -> None:
    ask(small, Scripted(truth), tmp_path / "run")
    with pytest.raises(ValueError, match=r"holds a run with other settings \(temperature=None\)"):
        ask(small, Scripted(truth, temperature=1), tmp_path / "run")
    other = replace(small, samples=tuple(replace(sample, question="?") for sample in small.samples))
    with pytest.raises(ValueError, match="holds answers to other questions"):
        ask(other, Scripted(truth), tmp_path / "run")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").touch()
    with pytest.raises(ValueError, match="is not empty and holds no run"):
        ask(small, Scripted(truth), tmp_path / "other")


def test_a_run_may_grow(small: Benchmark, tmp_path: Path) -> None:
    ask(replace(small, samples=small.samples[:5]), Scripted(truth), tmp_path / "run")
    assert ask(small, Scripted(truth), tmp_path / "run").requests == 22
    assert ask(replace(small, samples=small.samples[:5]), Scripted(truth), tmp_path / "run").requests == 0
    assert len(Run.read(tmp_path / "run").benchmark.samples) == 5


def test_two_processes_do_not_ask_the_same(small: Benchmark, tmp_path: Path) -> None:
    first_process = open_run(tmp_path / "run", small, "scripted", Scripted(truth).protocol)
    with first_process, pytest.raises(ValueError, match="another process is writing there"):
        ask(small, Scripted(truth), tmp_path / "run")
    assert ask(small, Scripted(truth), tmp_path / "run").requests == 27


def test_spoilt_lines_are_asked_again_and_damaged_files_named(small: Benchmark, tmp_path: Path) -> None:
    ask(small, Scripted(truth), tmp_path / "run")
    path = tmp_path / "run" / RESPONSES
    lines = path.read_text().splitlines()
    path.write_text(
        "\n".join([lines[0][:30], *lines[1:], json.dumps({**json.loads(lines[1]), "text": None, "error": "x"})]) + "\n"
    )
    results = score_run(Run.read(tmp_path / "run"))
    assert results.overall.failed == 1, "a failure does not undo an answer"
    assert results.notes == ("1 lines of responses.jsonl cannot be read; their questions count as not asked",)
    assert ask(small, Scripted(truth), tmp_path / "run").requests == 1
    (tmp_path / "run" / "run.json").write_text("{")
    for look in (lambda: Run.read(tmp_path / "run"), lambda: ask(small, Scripted(truth), tmp_path / "run")):
        with pytest.raises(ValueError, match=r"run\.json is damaged"):
            look()


def test_a_column_without_answers_leaves_no_overall(small: Benchmark, tmp_path: Path) -> None:
    def fails(sample: Sample) -> str:
        if sample.column.startswith("jigsaw"):
            raise AnswerError("too many clips")
        return truth(sample)

    ask(small, Scripted(fails), tmp_path / "run")
    results = score_run(Run.read(tmp_path / "run"))
    assert len(results.columns) == 9
    assert isnan(results.overall.value.mean), "a mean of seven columns is none of nine"
    assert results.overall.of_all == pytest.approx(7 / 9)
    text = json.dumps(to_dict(results), allow_nan=False)
    assert json.loads(text)["overall"]["value"] is None
    assert "| overall" in markdown(*run_table(results))


def test_faults_that_nobody_thought_of_end_the_run_in_a_line(small: Benchmark, tmp_path: Path) -> None:
    def fails(sample: Sample) -> str:
        raise OSError(28, "No space left on device")

    with pytest.raises(BackendError, match=r"counting_easy-\d+: .*No space left on device; run the same command to continue"):
        ask(small, Scripted(fails), tmp_path / "run")


def test_answers_are_scored_anew_from_what_is_written(small: Benchmark, tmp_path: Path) -> None:
    ask(small, Scripted(truth), tmp_path / "run")
    path = tmp_path / "run" / RESPONSES
    path.write_text(
        "".join(json.dumps({**json.loads(line), "text": "I see nothing"}) + "\n" for line in path.read_text().splitlines())
    )
    results = score_run(Run.read(tmp_path / "run"))
    assert (results.overall.value.mean, results.overall.unparsed) == (0, 27)


def test_ctrl_c_leaves_what_is_there(footage: Path, clip_cache: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "eval", "viubench", "--videos", str(footage), "--baseline", "solver", "--per-column", "40",
               "--max-pixels", "16384", "--clip-cache", clip_cache, "--out", str(tmp_path / "run"), "--in-flight", "2"]  # fmt: skip
    reset_sigint = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # background processes ignore it
    process = subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        preexec_fn=reset_sigint,  # noqa: PLW1509 - no lock is taken
    )  # fmt: skip
    path = tmp_path / "run" / RESPONSES
    while process.poll() is None and not (path.exists() and len(path.read_bytes().splitlines()) > 5):
        pass
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "interrupted; run the same command to continue" in stderr
    written = len(path.read_text().splitlines())
    assert 5 < written < 360
    assert score_run(Run.read(tmp_path / "run")).overall.failed == 360 - written, "an unfinished run can be looked at"
