"""Questions over HTTP: exact frames at their times, checked in the prompt that the server made of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dataset_builder.tasks.base import PLACEHOLDER
from eval.backends.base import AnswerError, BackendError
from eval.backends.chat import Chat, ChatSettings
from eval.backends.messages import align_times, media_io_settings
from eval.frames import Frames
from eval.results import score_run
from eval.run import Run
from eval.runner import Progress, run
from eval.sample import Benchmark, Sample

from ..chat_server import Asked, Behaviour, prompt_of, serving_chat


def says(text: str) -> Callable[[Asked], tuple[str, str]]:
    return lambda asked: (text, prompt_of(asked))


def ask(benchmark: Benchmark, url: str, folder: Path, clip_cache: str, **more: Any) -> Progress:
    chat = Chat(ChatSettings(**{"model": "tiny", "base_url": url, "timeout": 20.0, **more}))

    async def run_and_close() -> Progress:
        try:
            return await run(benchmark, chat, Frames(benchmark.sampling, clip_cache), folder, in_flight=8)
        finally:
            await chat.close()

    return asyncio.run(run_and_close())


def sample_of(benchmark: Benchmark, asked: Asked, frames: Frames) -> Sample:
    """The one that has these pictures."""
    jpegs = [frame for video, _ in asked.videos for frame in video]
    [match] = [sample for sample in benchmark.samples if [jpeg for video in frames.of(sample) for jpeg in video.jpegs] == jpegs]
    return match


def test_every_frame_arrives_at_its_time(small: Benchmark, tmp_path: Path, clip_cache: str) -> None:
    behaviour = Behaviour(says("<answer>3,3,3</answer>"))
    with serving_chat(behaviour) as url:
        progress = ask(small, url, tmp_path / "run", clip_cache)
    assert progress.failed == 0
    assert len(behaviour.asked) == len(small.samples)
    sent = sorted(sorted(frame for frames, _ in asked.videos for frame in frames) for asked in behaviour.asked)
    frames = Frames(small.sampling, clip_cache)
    assert sent == sorted(sorted(frame for video in frames.of(sample) for frame in video.jpegs) for sample in small.samples)
    for asked in behaviour.asked:
        sample = sample_of(small, asked, frames)
        for (_, times), own in zip(asked.videos, sample.videos["times"], strict=True):
            assert times == pytest.approx(own, abs=0.001 if len(asked.videos) == 1 else 0.1)
    responses = Run.read(tmp_path / "run").responses.values()
    assert all(one.seen["frames_width_height"][0][0] in (48, 8, 6) for one in responses), "what was shown is written down"
    checks = [response.seen["markers"] for response in responses if "markers" in response.seen]
    assert set(checks) == {"24 as sent"}
    assert 3 <= len(checks) < len(small.samples), "until it was so once for each shape"


def test_words_and_videos_keep_their_order(small: Benchmark, tmp_path: Path, clip_cache: str) -> None:
    jigsaw = replace(small, samples=tuple(sample for sample in small.samples if sample.column == "jigsaw_easy")[:1])
    behaviour = Behaviour(says("123456"))
    with serving_chat(behaviour) as url:
        ask(jigsaw, url, tmp_path / "run", clip_cache, system="Be brief.")
    [asked] = behaviour.asked
    assert asked.body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert (asked.body["temperature"], asked.body["max_tokens"]) == (0.0, 2048)
    content = "".join(value if kind == "text" else PLACEHOLDER for kind, value in asked.parts)
    assert "".join(content.split()) == "".join(jigsaw.samples[0].question.split())


def test_videos_of_different_lengths_share_a_step(small: Benchmark, tmp_path: Path, clip_cache: str) -> None:
    [video] = Frames(small.sampling, clip_cache).of(small.samples[0])
    long, short = (replace(video, jpegs=video.jpegs[:n], times=tuple(0.25 * k for k in range(n))) for n in (7, 4))
    assert [one.times for one in align_times([long, short])] == [long.times, short.times]
    assert media_io_settings([long, short]) == {"video": {"num_frames": -1, "fps": 4.0}}
    with pytest.raises(AnswerError, match="frames at different times"):
        align_times([long, replace(short, times=tuple(0.5 * k for k in range(4)))])


def test_dropped_frames_end_the_run(small: Benchmark, tmp_path: Path, clip_cache: str) -> None:
    def forgets(asked: Asked) -> tuple[str, str]:
        return "3,3,3", prompt_of(Asked([("video", (frames[:32], times[:32])) for frames, times in asked.videos], asked.body))

    def other_times(asked: Asked) -> tuple[str, str]:
        return "3,3,3", prompt_of(
            Asked([("video", (frames, list(range(len(frames))))) for frames, _ in asked.videos], asked.body)
        )

    for answer, message in (
        (forgets, "saw 16 pairs of frames where 24 were sent"),
        (other_times, r"prompt says 0\.5 s for a pair of frames at"),
    ):
        with serving_chat(Behaviour(answer)) as url, pytest.raises(BackendError, match=message):
            ask(small, url, tmp_path / message[:6], clip_cache)
        assert not Run.read(tmp_path / message[:6]).responses, "no answer to other frames than were sent is kept"


def test_a_server_that_lets_requests_set_nothing_says_what_to_do(small: Benchmark, tmp_path: Path, clip_cache: str) -> None:
    with serving_chat(Behaviour(says("1"), refuses=True)) as url:
        with pytest.raises(BackendError, match="start vLLM with --trust-request-mm-kwargs, or use --form images"):
            ask(small, url, tmp_path / "run", clip_cache)
        assert ask(small, url, tmp_path / "images", clip_cache, form="images").failed == 0


def test_frames_as_images_stand_behind_their_times(small: Benchmark, tmp_path: Path, clip_cache: str) -> None:
    one = replace(small, samples=small.samples[:1])
    behaviour = Behaviour(says("3,3,3"))
    with serving_chat(behaviour) as url:
        ask(one, url, tmp_path / "run", clip_cache, form="images")
    [asked] = behaviour.asked
    [video] = Frames(one.sampling, clip_cache).of(one.samples[0])
    assert [value for kind, value in asked.parts if kind == "image"] == list(video.jpegs)
    assert all(f"<{time:.1f} seconds>" in asked.text for time in video.times)
    assert Run.read(tmp_path / "run").label == "tiny (frames as images)"


def test_text_alone_shows_nothing(small: Benchmark, tmp_path: Path, clip_cache: str) -> None:
    behaviour = Behaviour(says("3,3,3"))
    with serving_chat(behaviour) as url:
        ask(small, url, tmp_path / "run", clip_cache, form="text")
    assert {kind for asked in behaviour.asked for kind, _ in asked.parts} == {"text"}


def test_faults_are_retried_then_told_apart_from_wrong_answers(
    small: Benchmark, tmp_path: Path, clip_cache: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.02)
    with serving_chat(Behaviour(says("3,3,3"), faults=lambda number: (503, 0, 0)[number % 3])) as url:
        assert ask(small, url, tmp_path / "shaky", clip_cache, form="text").failed == 0
    counting = replace(small, samples=small.samples[:6])
    with serving_chat(Behaviour(says("3,3,3"), faults=lambda number: 400 if number == 2 else 0)) as url:
        assert ask(counting, url, tmp_path / "bad", clip_cache, form="text").failed == 1
    results = score_run(Run.read(tmp_path / "bad"))
    assert results.failures == {"the server answers 400: something broke": 1}


def test_what_cannot_work_is_said_before_anything_is_asked(small: Benchmark, tmp_path: Path, clip_cache: str) -> None:
    with (
        serving_chat(Behaviour(says("1"), model="Qwen/Qwen3-VL-8B-Instruct")) as url,
        pytest.raises(
            BackendError, match=r"model='Qwen/Qwen3-VL-8B' is not served at .*did you mean 'Qwen/Qwen3-VL-8B-Instruct'"
        ),
    ):
        ask(small, url, tmp_path / "a", clip_cache, model="Qwen/Qwen3-VL-8B")
    with pytest.raises(BackendError, match="cannot be reached"):
        ask(small, "http://127.0.0.1:9/v1", tmp_path / "b", clip_cache)
    with pytest.raises(ValueError, match="base_url='host:8000' is not allowed"):
        Chat(ChatSettings("tiny", "host:8000"))
    with pytest.raises(ValueError, match="form='movie' is not allowed"):
        ChatSettings("tiny", "http://host:8000/v1", form="movie")


def test_a_thought_that_was_cut_off_is_a_wrong_answer(small: Benchmark, tmp_path: Path, clip_cache: str) -> None:
    counting = replace(small, samples=small.samples[:6])
    behaviour = Behaviour(
        says("3,3,3"),
        reply=lambda reply: {
            **reply,
            "choices": [{"index": 0, "finish_reason": "length", "message": {"role": "assistant", "content": None}}],
        },
    )
    with serving_chat(behaviour) as url:
        assert ask(counting, url, tmp_path / "run", clip_cache, form="text").failed == 0
    results = score_run(Run.read(tmp_path / "run"))
    assert results.columns[0].value.mean == 0
    assert results.overall.unparsed == 6
    assert "6 answers were cut off" in results.notes[0]


@pytest.mark.parametrize("reply", [None, [], {"choices": []}, {"choices": None}, {"choices": [{"index": 0, "finish_reason": "stop", "message": None}]}, {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": [{"type": "text"}]}}]}, "<html>"])  # fmt: skip
def test_replies_that_are_none_are_failures(small: Benchmark, tmp_path: Path, clip_cache: str, reply: Any) -> None:
    one = replace(small, samples=small.samples[:2])
    with serving_chat(Behaviour(says("3,3,3"), reply=lambda _: reply)) as url:
        assert ask(one, url, tmp_path / "run", clip_cache, form="text").failed == 2
    with pytest.raises(ValueError, match="holds no answer: 2 × the server"):
        score_run(Run.read(tmp_path / "run"))


def test_a_server_that_keeps_its_prompt_to_itself_is_told_of(small: Benchmark, tmp_path: Path, clip_cache: str) -> None:
    one = replace(small, samples=small.samples[:2])
    for prompt, message in (("", "the server does not return its prompt"), ("How many?", "the model's prompts hold no times")):
        with serving_chat(Behaviour(lambda asked, prompt=prompt: ("3,3,3", prompt))) as url:  # type: ignore[misc]
            ask(one, url, tmp_path / message[:10], clip_cache)
        assert score_run(Run.read(tmp_path / message[:10])).notes == (f"it is not known whether all frames arrived: {message}",)


def test_questions_that_a_server_cannot_take_do_not_end_the_run(small: Benchmark, tmp_path: Path, clip_cache: str) -> None:
    with serving_chat(Behaviour(says("3,3,3"), faults=lambda number: 400 if number < 24 else 0)) as url:
        assert ask(small, url, tmp_path / "run", clip_cache, form="text").failed == 24
        assert ask(small, url, tmp_path / "run", clip_cache, form="text").failed == 0
