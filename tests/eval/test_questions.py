"""Questions from files: what is read, what is error, and how intervals are scored."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from eval.backends.baselines import Baseline
from eval.benchmarks.questions import from_file
from eval.frames import Frames
from eval.marks import score_response
from eval.results import score_run
from eval.run import Run
from eval.runner import run
from eval.sample import Benchmark

CHOICE = {"video": "pan_right", "question": "What moves?\nA. The view\nB. Nothing", "answer": "A"}
SPAN = {"video": "pan_right.mp4", "question": "the view moves", "answer": "1.5 - 4"}


def read(folder: Path, kind: str, entries: list[Any], footage: Path, **more: Any) -> Benchmark:
    path = folder / "questions.json"
    path.write_text(json.dumps(entries, indent=1))
    return from_file(path, kind, footage, max_pixels=64 * 64, frames=6, **more)


def test_videos_are_found_by_name_and_shown_whole(tmp_path: Path, footage: Path, clip_cache: str) -> None:
    benchmark = read(
        tmp_path, "vqa", [CHOICE, {**CHOICE, "video": ["pan_right.mp4", "sunrise"]}], footage, clip_cache=clip_cache
    )
    first, second = benchmark.samples
    [video] = Frames(benchmark.sampling, clip_cache).of(first)
    assert len(video.times) == 6
    assert video.times[0] == 0
    assert video.times[-1] > 7.5, "frames come from the whole video"
    assert first.question.startswith("<video>\nWhat moves?\nA. The view\nB. Nothing\nAnswer with")
    assert second.question.startswith("<video>\n<video>\nWhat moves?")
    assert len(Frames(benchmark.sampling, clip_cache).of(second)) == 2
    assert (first.truth, first.blind, first.chance) == ("A", "A", 1.0)
    assert score_response(first, "(A)").values == {"accuracy": 1.0}
    assert score_response(first, "B. Nothing").values == {"accuracy": 0.0}
    assert score_response(first, "no idea").reason == "unparseable: chooses no option"


def test_options_may_stand_apart_and_lines_may_be_objects(tmp_path: Path, footage: Path) -> None:
    path = tmp_path / "questions.jsonl"
    entry = {
        "video": "pan_right",
        "question": "What moves?",
        "options": ["The view", "Nothing"],
        "answer": "Nothing",
        "column": "motion",
        "id": 7,
    }
    path.write_text(
        json.dumps(entry) + "\n\n" + json.dumps({**entry, "options": ["A. The view", "B. Nothing"], "id": 8}) + "\n"
    )
    one, two = from_file(path, "vqa", footage, prompt="Look. {question}").samples
    assert one.question == two.question == "<video>\nLook. What moves?\nA. The view\nB. Nothing"
    assert (one.truth, one.column, one.id) == ("B", "motion", "7")


def test_intervals_are_scored_against_the_best_of_several(tmp_path: Path, footage: Path) -> None:
    one, several = read(tmp_path, "vtg", [SPAN, {**SPAN, "answer": [[0, 1], [4.0, 6.0]]}], footage).samples
    recalls = {"R@0.3": 1.0, "R@0.5": 1.0, "R@0.7": 1.0}
    assert score_response(one, "<answer>2-4</answer>").values == {"iou": 0.8, "strict": 0.8, **recalls}
    sentence = score_response(one, "The event 'the view moves' happens in the 1.5 - 4 seconds.")
    assert sentence.values == {"iou": 1.0, "strict": 0.0, **recalls}, "rewards are for the form that is asked for"
    iou = pytest.approx(0.6)
    assert score_response(several, "from 4 to 5.2 seconds").values == {"iou": iou, "strict": iou, **recalls, "R@0.7": 0.0}


def test_both_denominators_are_told(tmp_path: Path, footage: Path, clip_cache: str) -> None:
    broken = tmp_path / "videos"
    broken.mkdir()
    (broken / "good.mp4").write_bytes((footage / "pan_right.mp4").read_bytes())
    (broken / "bad.mp4").write_bytes(b"no video")
    entries = [{**CHOICE, "video": name} for name in ("good", "good.mp4", "bad", "gone", "gone")]
    benchmark = read(tmp_path, "vqa", entries, broken)
    assert benchmark.missing == ("gone",)
    assert len(benchmark.samples) == 3

    class Half(Baseline):
        needs_videos = True

        async def answer(self, sample: Any, videos: Any, draw: int = 0) -> Any:
            reply = await Baseline("blind").answer(sample, videos)
            return reply if sample.id == benchmark.samples[0].id else type(reply)("I do not know")

    asyncio.run(run(benchmark, Half("blind"), Frames(benchmark.sampling, clip_cache), tmp_path / "run"))
    results = score_run(Run.read(tmp_path / "run"))
    assert (results.overall.asked, results.overall.failed, results.overall.unparsed) == (3, 1, 1)
    assert results.overall.value.mean == 0.5
    assert results.overall.of_all == pytest.approx(1 / 3)
    assert results.overall.released == 1.0, "the released scripts leave out whatever does not parse"
    [reason] = results.failures
    assert reason.startswith("bad: cannot be decoded")


def test_the_best_constant_interval_is_the_blind_baseline(tmp_path: Path, footage: Path, clip_cache: str) -> None:
    spans = [[0, 4], [0, 4], [0, 8], [6, 8]]
    benchmark = read(tmp_path, "vtg", [{**SPAN, "answer": span, "duration": 8} for span in spans], footage)
    assert {(sample.blind, sample.chance) for sample in benchmark.samples} == {("0-4", (1 + 1 + 0.5 + 0) / 4)}
    asyncio.run(run(benchmark, Baseline("blind"), Frames(benchmark.sampling, clip_cache), tmp_path / "run"))
    assert score_run(Run.read(tmp_path / "run")).overall.above_chance == pytest.approx(0)


@pytest.mark.parametrize(
    ("kind", "entries", "message"),
    [
        (
            "vqa",
            [CHOICE, {"video": "pan_right", "question": "?"}],
            "question 2: field 'answer' is missing; there are video, question",
        ),
        (
            "vqa",
            [CHOICE, {**CHOICE, "answer": "F"}],
            "question 2, field 'answer': 'F' is no option: there is no option F; there are A, B",
        ),
        ("vqa", [{**CHOICE, "video": 3}], "question 1, field 'video': 3 is neither"),
        ("vqa", [{**CHOICE, "question": " "}], "question 1, field 'question': ' ' is no text"),
        ("vqa", ["text"], "question 1: 'text' is no object"),
        ("vtg", [{**SPAN, "answer": "soon"}], "question 1, field 'answer': 'soon' is no interval"),
        ("vtg", [{**SPAN, "answer": [5, 2]}], "the interval ends at 2, not after its start at 5"),
        ("vqa", [], "holds no question"),
        ("vqa", [{**CHOICE, "id": "a"}, {**CHOICE, "id": "a"}], "question 2, field 'id': 'a' is also the id of question 1"),
        ("vqa", [{**CHOICE, "options": {"A": "x"}}], "question 1, field 'options'"),
        ("vqa", [{**CHOICE, "question": "<video> or <video>? A. x B. y"}], "has 2 <video> for 1 videos"),
        ("vtg", [{**SPAN, "duration": "long"}], "question 1, field 'duration': 'long' is no number"),
        ("vtg", [{**SPAN, "duration": float("nan")}], "field 'duration': nan is no number"),
    ],
)
def test_wrong_entries_are_named_by_number_and_field(
    tmp_path: Path, footage: Path, kind: str, entries: list[Any], message: str
) -> None:
    with pytest.raises(ValueError, match=r"questions\.json") as error:
        read(tmp_path, kind, entries, footage)
    assert message in str(error.value)


@pytest.mark.parametrize(("text", "message"), [('[{"video": 1,\n}', "line 2: no JSON"), ("\xff", "no UTF-8"), ("", "no question"), ("[", "line 1: no JSON"), ("[] []", "Extra data"), ("{}\n{", "line 2: no JSON")])  # fmt: skip
def test_broken_files_are_named_by_line(tmp_path: Path, footage: Path, text: str, message: str) -> None:
    path = tmp_path / "questions.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"questions\.json") as error:
        from_file(path, "vqa", footage)
    assert message in str(error.value)


def test_prompts_and_folders_are_checked(tmp_path: Path, footage: Path) -> None:
    with pytest.raises(ValueError, match="a text with"):
        read(tmp_path, "vqa", [CHOICE], footage, prompt="What?")
    with pytest.raises(ValueError, match="is no folder"):
        read(tmp_path, "vqa", [CHOICE], tmp_path / "nowhere")


def test_names_are_found_but_not_guessed(tmp_path: Path, footage: Path) -> None:
    for place in ("a/clip.mp4", "b/clip.mp4", "deep/down/s01.e02.mp4", "deep/s01.mp4"):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes((footage / "sunrise.mp4").read_bytes())
    benchmark = read(
        tmp_path, "vqa", [{**CHOICE, "video": name} for name in ("a/clip", "s01.e02", "s01", "c/clip.mp4")], tmp_path
    )
    assert [Path(sample.videos["sources"][0]["url"]).relative_to(tmp_path).as_posix() for sample in benchmark.samples] == [
        "a/clip.mp4",
        "deep/down/s01.e02.mp4",
        "deep/s01.mp4",
    ]
    assert benchmark.missing == ("c/clip.mp4",)
    with pytest.raises(ValueError, match=r"video='clip' is the name of several files: a/clip\.mp4, b/clip\.mp4; give its path"):
        read(tmp_path, "vqa", [{**CHOICE, "video": "clip"}], tmp_path)


def test_short_videos_give_what_they_have(tmp_path: Path, footage: Path, clip_cache: str) -> None:
    path = tmp_path / "questions.json"
    path.write_text(json.dumps([CHOICE]))
    benchmark = from_file(path, "vqa", footage, frames=4000, max_pixels=64 * 64, clip_cache=clip_cache)
    [video] = Frames(benchmark.sampling, clip_cache).of(benchmark.samples[0])
    assert 48 < len(video.times) < 4000


def test_blind_baselines_are_per_column(tmp_path: Path, footage: Path) -> None:
    entries = [{**CHOICE, "column": "one", "answer": letter} for letter in "AAB"] + [
        {**CHOICE, "column": "two", "answer": letter} for letter in "BB"
    ]
    entries.append({**CHOICE, "column": "two", "answer": "A", "video": "gone"})
    samples = read(tmp_path, "vqa", entries, footage).samples
    assert {(sample.column, sample.blind, round(sample.chance, 3)) for sample in samples} == {
        ("one", "A", 0.667),
        ("two", "B", 1.0),
    }
    assert [sample.id for sample in samples] == ["00001", "00002", "00003", "00004", "00005"]


def test_one_question_alone_is_a_file(tmp_path: Path, footage: Path) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text("\ufeff" + json.dumps(CHOICE))
    assert len(from_file(path, "vqa", footage).samples) == 1
