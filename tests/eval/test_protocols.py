"""How answers are read and counted: leniently beside strictly, by the paper's protocol, over several responses, and on a clock."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from eval.__main__ import main
from eval.backends.base import Reply
from eval.benchmarks.original import from_original
from eval.benchmarks.questions import from_file
from eval.clocks import CLOCKS, is_beyond
from eval.compare import compare
from eval.frames import Frames
from eval.marks import score_response
from eval.protocols import PAPER
from eval.reading import find_interval
from eval.results import Results, score_run
from eval.run import Run
from eval.runner import run
from eval.sample import Benchmark, Sample
from eval.tables import markdown, run_table

from ..chat_server import Asked, Behaviour, prompt_of, serving_chat
from .conftest import SMALL
from .test_questions import CHOICE, SPAN, read
from .test_runner import Scripted, truth


@pytest.mark.parametrize(
    "response",
    [
        "The event 'she sits down' happens in the 24.3 - 30.4 seconds.", "between 24.3 and 30.4 seconds", "30.4s to 24.3s", "24.3 – 30.4",
        "It starts at 24.3 seconds and ends at 30.4 seconds.", '{"start": 24.3, "end": 30.4}', "Start time: 24.3 s, end time: 30.4 s",
        "from 0:24.3 until 0:30.4", "She sits down at **24.3-30.4**.", "The event 'a 10-15 year old runs' happens in the 24.3 - 30.4 seconds.",
        "<think>1-2 or 3-4 seconds?</think>\nBetween 24.3 and 30.4.", "24.3 to 30.4 seconds, so 24.3 - 30.4 seconds.",
    ],
)  # fmt: skip
def test_an_interval_is_found_in_a_sentence(response: str) -> None:
    assert find_interval(response).format() == "24.3-30.4"


@pytest.mark.parametrize(
    ("response", "message"),
    [
        ("<think>it is 24.3 - 30.4 seconds", "cut off in its thought"),
        ("24.3-30.4 or 50-60", "2 intervals"),
        ("at 24.3 seconds", "no intervals"),
        ("1, 2, 3", "no intervals"),
        ("24.3-24.3", "no intervals"),
        ("", "empty"),
    ],
)
def test_what_names_no_single_interval_is_no_answer(response: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        find_interval(response)


def test_viubench_has_the_lenient_value_beside_the_strict_one(small: Benchmark) -> None:
    grounding = next(sample for sample in small.samples if sample.column == "grounding_mirror")
    start, end = grounding.truth.split("-")
    said = score_response(grounding, f"The video is mirrored between {start} and {end} seconds, as the text shows.")
    assert said.values == {"score": 0.0, "exact": 0.0, "lenient": 1.0}
    counting = small.samples[0]
    assert score_response(counting, counting.truth).values["lenient"] == 1.0


def scored(benchmark: Benchmark, backend: Any, folder: Path, **settings: Any) -> Results:
    asyncio.run(run(benchmark, backend, Frames(benchmark.sampling), folder, **settings))
    return score_run(Run.read(folder))


def test_the_papers_protocol_asks_reads_and_counts_as_its_scripts(tmp_path: Path, footage: Path) -> None:
    three = [CHOICE, CHOICE, {**CHOICE, "video": "sunrise"}]
    benchmark = read(tmp_path, "vqa", three, footage, protocol=PAPER)
    for sample in benchmark.samples:
        [video] = Frames(benchmark.sampling).of(sample)
        assert len(video.times) == min(6, 2 * round(video.times[-1]) // 2 * 2)
        assert video.geometry[1] * video.geometry[2] >= PAPER.min_pixels, "smaller frames are enlarged"
    replies = iter(["A dog, so B", "(A)", "B"])
    results = scored(benchmark, Scripted(lambda sample: next(replies)), tmp_path / "run")
    assert results.overall.value.mean == 0.5, "its first character is all that counts, and what is none counts nowhere"
    assert (results.overall.asked, results.overall.unparsed, results.overall.reading) == (3, 1, "paper")
    assert results.notes[0].startswith("protocol paper")
    assert "accuracy, paper" in markdown(*run_table(results))
    [span] = read(tmp_path, "vtg", [SPAN], footage, protocol=PAPER).samples
    assert "The event 'the view moves' happens in the <start time> - <end time> seconds." in span.question
    assert score_response(span, "in the 4 - 1.5 seconds, or 6-7").values["iou"] == 1.0, "the first pair, in whichever order"
    ours = scored(read(tmp_path, "vqa", three, footage), Scripted(lambda sample: "A"), tmp_path / "ours")
    assert compare(results, results, mean_of_columns=False).overall.first == 0.5, "as its table says"
    with pytest.raises(ValueError, match="compare runs of one protocol"):
        compare(ours, results, mean_of_columns=False)


def test_the_papers_rate_is_capped(tmp_path: Path, footage: Path) -> None:
    path = tmp_path / "questions.json"
    path.write_text(json.dumps([CHOICE]))
    [sample] = from_file(path, "vqa", footage, protocol=PAPER).samples
    assert sample.videos["frames"] == [24], "two a second of twelve seconds"
    assert sample.info["protocol"] == "paper"


def test_several_responses_give_a_mean_and_pass_at_k(small: Benchmark, tmp_path: Path) -> None:
    class Sometimes(Scripted):
        async def answer(self, sample: Sample, videos: Any, draw: int = 0) -> Reply:
            self.asked.append(f"{sample.id}/{draw}")
            return Reply(truth(sample) if draw == 1 else "no idea")

    counting = replace(small, samples=small.samples[:6])
    once = Sometimes(truth)
    assert scored(counting, once, tmp_path / "run").overall.value.mean == 0.0
    results = scored(counting, again := Sometimes(truth), tmp_path / "run", draws=4)
    assert len(again.asked) == 18, "the first responses are there already"
    assert results.overall.asked == 24
    assert results.overall.value.mean == pytest.approx(0.25)
    assert results.overall.others["pass@2"] == 0.5
    assert results.overall.others["pass@4"] == 1.0
    assert "pass@2 | pass@4" in " ".join(markdown(*run_table(results)).split())
    comparison = compare(results, scored(counting, Scripted(truth), tmp_path / "right"), mean_of_columns=True)
    assert (comparison.overall.pairs, comparison.overall.first, comparison.overall.second) == (6, pytest.approx(0.25), 1.0)


def test_several_responses_are_drawn_with_seeds(
    small: Benchmark, footage: Path, clip_cache: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    behaviour = Behaviour(lambda asked: ("3,3,3", prompt_of(asked)))
    with serving_chat(behaviour) as url:
        command = ["viubench", "--videos", str(footage), *SMALL, "--clip-cache", clip_cache, "--out", str(tmp_path / "run"),
                   "--model", "tiny", "--base-url", url, "--limit", "2", "--samples", "3"]  # fmt: skip
        assert main(command) == 2
        assert "samples=3 is not allowed at temperature 0" in capsys.readouterr().err
        assert main([*command, "--temperature", "0.7"]) == 0
    assert sorted(asked.body["seed"] for asked in behaviour.asked) == [0, 0, 1, 1, 2, 2]
    assert "pass@2" in capsys.readouterr().out


def test_answers_beyond_a_models_clock_are_counted_apart(small: Benchmark, tmp_path: Path) -> None:
    spans = {
        name: [one for one in small.samples if one.column == "grounding_mirror" and not is_beyond(one, name, 48)]
        for name in CLOCKS
    }
    assert [len(spans[name]) for name in ("frames", "first-of-2", "none")] == [3, 3, 0]
    assert not is_beyond(small.samples[0], "none", 48), "a count is no time"
    cuts = replace(
        small.samples[0], info={"task": "cuts"}, truth="3.2,7.9 ±0.5 ±1.5", videos={"times": [[0.2 * k for k in range(48)]]}
    )
    assert [is_beyond(cuts, name, 48) for name in ("frames", "seconds", "none")] == [False, False, True]
    results = scored(small, Scripted(truth), tmp_path / "run", clock="none")
    assert results.overall.beyond == 15
    assert [column.beyond for column in results.columns] == [0, 0, 3, 3, 3, 3, 3, 0, 0]
    assert "clock none: 15 answers are times that the model was not shown" in results.notes[0]
    assert "beyond its clock" in markdown(*run_table(results))


def original_file(folder: Path, name: str = "rows.json") -> Path:
    """Rows as the authors' scripts write them, with their frames."""
    for video, size in (("v1", 6), ("v2", 8)):
        (folder / "frames" / video).mkdir(parents=True, exist_ok=True)
        for k in range(size):
            picture = np.full((96, 160, 3), 20 * k, np.uint8)
            cv2.imwrite(str(folder / "frames" / video / f"{k}.jpg"), picture)

    def shown(video: str, frames: range) -> dict[str, Any]:
        return {"video": [f"/data/train/{video}/{k}.jpg" for k in frames], "sample_fps": 2.0, "max_pixels": 65536}

    def row(source: str, question: str, videos: list[dict[str, Any]], answer: Any, **info: Any) -> dict[str, Any]:
        system = {"role": "system", "content": "Based on this video, provide the answer directly."}
        prompt = [system, {"role": "user", "content": question}]
        return {"data_source": source, "prompt": prompt, "videos": videos, "reward_model": {"style": "rule", "ground_truth": answer}, "extra_info": info}  # fmt: skip

    rows = [
        row("grounding", "<video>\nWhen is it mirrored?", [shown("v1", range(6))], "[1.0, 2.0]", perturbation_type="mirror", video_id="v1"),
        row("counting", "<video>\nHow many?", [shown("v2", range(8))], {"circle": 3, "square": 1, "triangle": 4}),
        row("shuffled", "Clip 1: <video>\nClip 2: <video>\nIn which order?", [shown("v2", range(4)), shown("v2", range(4, 8))], "21"),
    ]  # fmt: skip
    (folder / name).write_text(json.dumps(rows) if name.endswith("json") else "\n".join(map(json.dumps, rows)))
    return folder / name


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl"])
def test_the_authors_files_are_read_with_their_frames(name: str, tmp_path: Path) -> None:
    benchmark = from_original(original_file(tmp_path, name), tmp_path / "frames", 128 * 128)
    facts = {sample.column: (sample.truth, sample.metric, sample.group) for sample in benchmark.samples}
    assert facts == {
        "grounding_mirror": ("1-2", "score", "v1"),
        "counting": ("3,1,4", "exact", "v2"),
        "jigsaw": ("21", "exact", "v2"),
    }
    shown = [Frames(benchmark.sampling).of(sample) for sample in benchmark.samples]
    assert [[len(video.times) for video in videos] for videos in shown] == [[6], [8], [4, 4]]
    assert shown[0][0].times == (0.0, 0.5, 1.0, 1.5, 2.0, 2.5)
    assert shown[0][0].geometry[1:] == (192, 64) or shown[0][0].geometry[1] * shown[0][0].geometry[2] <= 128 * 128
    assert scored(benchmark, Scripted(truth), tmp_path / "run").overall.value.mean == 1.0


def test_the_authors_files_are_evaluated_by_a_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = original_file(tmp_path)
    command = ["viubench", "--original", str(file), "--baseline", "blind", "--out", str(tmp_path / "run")]
    assert main([*command, "--frames", str(tmp_path / "frames"), "--protocol", "paper", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["overall"]["asked"] == 3
    for more, message in (
        ((), "--original needs --frames"),
        (("--frames", str(tmp_path)), "give the folder that holds v1/"),
        (("--frames", str(tmp_path), "--seed", "1"), "seed=1 is not allowed with --original"),
    ):
        assert main([*command, *more]) == 2
        assert message in capsys.readouterr().err
    file.write_text(json.dumps([{"data_source": "colours"}]))
    assert main([*command, "--frames", str(tmp_path / "frames")]) == 2
    assert "row 0: no row of the released data: data_source='colours'" in capsys.readouterr().err


def test_a_thought_that_the_prompt_opens_is_no_answer(small: Benchmark, tmp_path: Path, clip_cache: str) -> None:
    from .test_chat import ask

    def thinks(asked: Asked) -> tuple[str, str]:
        return "It must be 3,3,3. Or <answer>1,1,1</answer>?", prompt_of(asked) + "<|im_start|>assistant\n<think>\n"

    with serving_chat(Behaviour(thinks)) as url:
        ask(replace(small, samples=small.samples[:2]), url, tmp_path / "run", clip_cache)
    assert score_run(Run.read(tmp_path / "run")).overall.unparsed == 2


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--protocol", "papr"), "protocol='papr' is not allowed; allowed: ours, paper; did you mean 'paper'"),
        (("--protocol", "paper", "--max-tokens", "9"), "max_tokens=9 is not allowed with --protocol paper"),
        (("--clock", "second"), "clock='second' is not allowed; allowed: frames, seconds"),
        (("--clock", "none", "--form", "images"), "clock='none' is not allowed with --form images"),
        (("--frames", "many"), "frames='many' is not allowed; allowed: an integer"),
    ],
)
def test_wrong_flags_are_told(flags: tuple[str, ...], message: str, footage: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["viubench", "--videos", str(footage), *SMALL, "--baseline", "blind", *flags]) == 2
    assert message in capsys.readouterr().err
