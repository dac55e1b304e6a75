"""verl's dataset of stored and live questions: frames, frame times and prompt lengths."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from dataset_builder.media.sampling import Sampling
from dataset_builder.sources.source import Source
from dataset_builder.storage.stored_build import Build
from dataset_builder.tasks.edits import EditList
from trainer.data import frames
from trainer.data.dataset import VideoSSRDataset
from trainer.data.live import LiveQuestions
from trainer.data.prompt_length import prompt_tokens
from trainer.data.spread import spread

from ..hub_server import Repo, serving
from ..servers import ROOT
from .conftest import data_config

LIVE = ("preset=mixed", "data.videossr.samples=12", "data.videossr.overrides={jigsaw.clips: 3}", "seed=3")


def process(question: dict[str, Any], config: Any, processor: Any) -> Any:
    """Process a prompt as the agent loop does. Returns (model inputs, videos)."""
    from verl.utils.tokenizer import build_multimodal_processor_inputs

    prompt = question["raw_prompt"]
    _, videos, _ = asyncio.run(VideoSSRDataset.process_multi_modal_info(prompt, 16, config))
    text = processor.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)
    return build_multimodal_processor_inputs(processor, text=[text], videos=videos), videos


def check_inputs(question: dict[str, Any], config: Any, processor: Any) -> None:
    info = question["extra_info"]
    inputs, videos = process(question, config, processor)
    ids = inputs["input_ids"][0]
    prompt_times = [float(time) for time in re.findall(r"<([\d.]+) seconds>", processor.tokenizer.decode(ids))]
    even = [[*times, *times[-1:]] if len(times) % 2 else times for times in info["frame_times"]]  # an odd frame is doubled
    pair_times = [(times[index] + times[index + 1]) / 2 for times in even for index in range(0, len(times), 2)]
    assert prompt_times == pytest.approx(pair_times, abs=0.06)
    assert [list(video.shape) for video, _ in videos] == [
        [len(times), 3, info["height"], info["width"]] for times in info["frame_times"]
    ]
    sizes = [[rows * 16, columns * 16] for _, rows, columns in inputs["video_grid_thw"].tolist()]
    assert sizes == [[info["height"], info["width"]]] * len(videos), "the processor must not resize frames again"
    assert len(ids) == prompt_tokens(processor, question["raw_prompt"], info["height"], info["width"])


def test_stored_rows_reach_the_model_with_their_times(built: Path, processor: Any) -> None:
    config = data_config(str(built))
    dataset = VideoSSRDataset(str(built), processor.tokenizer, config, processor)
    rows = [row for batch in Build.read(built).batches() for row in batch.to_pylist()]
    assert len(dataset) == len(rows) == 9
    for index, row in enumerate(rows):
        question = dataset[index]
        assert question["data_source"] == row["data_source"]
        assert question["reward_model"] == row["reward_model"]
        assert len(json.dumps(question["raw_prompt"])) < 4000, "prompts are stored with every rollout"
        check_inputs(question, config, processor)


def test_long_prompts_are_left_out(built: Path, processor: Any, capsys: pytest.CaptureFixture[str]) -> None:
    dataset = VideoSSRDataset(str(built), processor.tokenizer, data_config(str(built)), processor)
    questions = [dataset[index] for index in range(len(dataset))]
    lengths = sorted(
        prompt_tokens(processor, question["raw_prompt"], question["extra_info"]["height"], question["extra_info"]["width"])
        for question in questions
    )
    config = data_config(str(built), f"data.max_prompt_length={lengths[3]}")
    count = len(VideoSSRDataset(str(built), processor.tokenizer, config, processor))
    assert count == sum(length <= lengths[3] for length in lengths) < 9
    assert f"{9 - count} of 9 prompts are longer than" in capsys.readouterr().err


def test_samples_are_spread_over_portions_and_sources(built: Path, processor: Any) -> None:
    def chosen(seed: int) -> list[tuple[str, str]]:
        dataset = VideoSSRDataset(
            str(built), processor.tokenizer, data_config(str(built), f"seed={seed}"), processor, max_samples=3
        )
        infos = [dataset[index]["extra_info"] for index in range(len(dataset))]
        return [(info["portion"], info["source"]) for info in infos]

    assert len({portion for portion, _ in chosen(0)}) == 3
    assert chosen(0) == chosen(0)
    assert len({tuple(chosen(seed)) for seed in range(4)}) > 1
    places = [(portion, source) for portion in "aab" for source in "xyz" for _ in range(5)]
    assert sorted(places[index] for index in spread(places, 6, 0)) == [
        (portion, source) for portion in "ab" for source in "xyz"
    ]
    assert spread(places, 100, 0) == list(range(45))


def live(footage: Path, clip_cache: str, processor: Any, *more: str) -> tuple[VideoSSRDataset, Any]:
    config = data_config(f"live:{footage}", *LIVE, f"data.videossr.clip_cache={clip_cache}", *more)
    return VideoSSRDataset(f"live:{footage}", processor.tokenizer, config, processor), config


def test_live_questions_reach_the_model_with_their_times(footage: Path, clip_cache: str, processor: Any) -> None:
    dataset, config = live(footage, clip_cache, processor)
    names = {dataset[index]["data_source"] for index in range(12)}
    assert names == {"videossr/counting", "videossr/grounding", "videossr/jigsaw"}
    for index in range(6):
        check_inputs(dataset[index], config, processor)


def to_text(question: dict[str, Any]) -> str:
    text = json.dumps([question["raw_prompt"], question["reward_model"], question["extra_info"]], sort_keys=True)
    return re.sub(r'"stamp": "[^"]*"', '"stamp": ""', text)  # of the file; a new file has none yet


def test_live_questions_are_reproducible_and_never_repeat(footage: Path, clip_cache: str, processor: Any) -> None:
    first, _ = live(footage, clip_cache, processor)
    texts = [to_text(first[index % 12]) for index in range(36)]  # three epochs
    assert len(set(texts)) == 36
    assert len({json.loads(text)[2]["index"] for text in texts}) == 36
    second, _ = live(footage, clip_cache, processor)
    assert [to_text(second[index % 12]) for index in range(20)] == texts[:20]
    resumed, _ = live(footage, clip_cache, processor)
    resumed.load_state_dict(second.state_dict())
    assert [to_text(resumed[index % 12]) for index in range(20, 36)] == texts[20:]


def test_unusable_videos_do_not_stop_training(clip_cache: str, processor: Any, footage: Path, tmp_path: Path) -> None:
    """A static video, which gives no jigsaw question, a broken one, and one that is deleted during training."""
    videos = tmp_path / "videos"
    videos.mkdir()
    for path in sorted(footage.iterdir()):
        shutil.copy(path, videos)
    (videos / "broken.mp4").write_bytes(b"no video")
    _write_static(videos / "a_static.mp4")
    more = ("preset=jigsaw", "data.videossr.samples=null", "data.videossr.overrides={clips: 3}")
    dataset, _ = live(videos, clip_cache, processor, *more)
    deleted = sorted(videos.iterdir())[-1]
    deleted.unlink()
    sources = [dataset[index]["extra_info"]["source"] for index in range(len(dataset))]
    assert len(sources) == 10
    assert set(sources) <= {path.name for path in footage.iterdir()} - {deleted.name}
    questions = dataset.questions
    assert isinstance(questions, LiveQuestions)
    assert len(questions.rejections) >= 3, questions.rejections


def _write_static(path: Path) -> None:
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 128, 64, "yuv420p"
        picture = av.VideoFrame.from_ndarray(np.full((64, 128, 3), 90, np.uint8))
        for _ in range(60):
            file.mux(stream.encode(picture))
        file.mux(stream.encode())


def test_levels_change_the_questions_and_are_resumed(footage: Path, clip_cache: str, processor: Any) -> None:
    dataset, _ = live(footage, clip_cache, processor, "data.videossr.levels={groups: 1, most: 0.5, jitter: 0}")
    questions = dataset.questions
    assert isinstance(questions, LiveQuestions)
    assert questions.curriculum is not None
    first = dataset[0]["extra_info"]
    assert first["level"] == 0
    questions.curriculum.step({name: [[1.0, 1.0]] for name in questions.portions})
    state = dataset.state_dict()
    second = dataset[1]
    assert second["extra_info"]["level"] == questions.curriculum.level(second["extra_info"]["portion"]) == 0.5
    resumed, _ = live(footage, clip_cache, processor, "data.videossr.levels={groups: 1, most: 0.5, jitter: 0}")
    resumed.load_state_dict(json.loads(json.dumps(state)))
    assert to_text(resumed[1]) == to_text(second)
    other, _ = live(footage, clip_cache, processor, "seed=4")
    with pytest.raises(ValueError, match="of other questions"):
        other.load_state_dict(state)


def test_the_portion_that_teaches_is_asked_most_also_when_resumed(footage: Path, clip_cache: str, processor: Any) -> None:
    dataset, _ = live(footage, clip_cache, processor)
    questions = dataset.questions
    assert isinstance(questions, LiveQuestions)
    assert questions.mixture is not None
    for step in range(64):
        questions.mixture.step({name: [(step / 64 if name == "counting" else 0.5, True)] for name in questions.portions})
    state = json.loads(json.dumps(dataset.state_dict()))
    asked = [dataset[index] for index in range(12)]
    assert sum(question["data_source"] == "videossr/counting" for question in asked) >= 9
    assert len({to_text(question) for question in asked}) == 12
    resumed, _ = live(footage, clip_cache, processor)
    resumed.load_state_dict(state)
    assert [to_text(resumed[index]) for index in range(12)] == [to_text(question) for question in asked]
    fixed, _ = live(footage, clip_cache, processor, "data.videossr.mixture=false")
    assert isinstance(fixed.questions, LiveQuestions)
    assert fixed.questions.mixture is None


def test_live_frames_equal_those_of_a_build(footage: Path, clip_cache: str, processor: Any, tmp_path: Path) -> None:
    from dataset_builder.media.clip_cache import ClipCache
    from dataset_builder.media.clip_store import ClipStore
    from dataset_builder.media.render import render

    dataset, config = live(footage, clip_cache, processor)
    question = dataset[0]
    _, videos = process(question, config, processor)
    content = question["raw_prompt"][-1]["content"]
    [reference] = [part["video"] for part in content if part["type"] == "video" and part["video"]["number"] == 0]
    store = ClipStore(ClipCache.of(clip_cache), Sampling(8, 8192), with_h264=False)
    source = Source(**reference["source"])
    donor = store.clip(Source(**reference["donor"])) if reference["donor"] else None
    rendered = render(store.clip(source), EditList.from_json(reference["edits"]), donor)
    assert np.array_equal(videos[0][0].permute(0, 2, 3, 1).numpy(), np.stack(rendered[0].frames()))


def test_rollouts_of_a_prompt_share_one_decode(built: Path, processor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    config = data_config(str(built))
    question = VideoSSRDataset(str(built), processor.tokenizer, config, processor)[4]
    calls: list[int] = []
    read_frames = frames.StoredVideos.frames
    monkeypatch.setattr(frames.StoredVideos, "frames", lambda self, store: [calls.append(1), read_frames(self, store)][1])

    async def rollouts() -> Any:
        prompt = question["raw_prompt"]
        return await asyncio.gather(*(VideoSSRDataset.process_multi_modal_info(prompt, 16, config) for _ in range(8)))

    frames._frame_cache.cache_clear()
    results = asyncio.run(rollouts())
    assert len(calls) == 1
    assert all((videos[0][0] == results[0][1][0][0]).all() for _, videos, _ in results)


@pytest.mark.parametrize(
    ("data", "settings", "message"),
    [
        ("nowhere", (), "neither a folder nor"),
        ("live:nowhere", ("preset=counting",), "no folder"),
        ("live:{footage}", ("preset=nothing",), "preset='nothing' is unknown"),
        ("live:{footage}", ("preset=viubench", "data.videossr.frames=48"), "fixes its levels"),
        ("live:{footage}", ("preset=counting", "data.shuffle=True"), "random order"),
        ("live:{footage}", ("preset=counting", "data.dataloader_num_workers=2"), "follow the rewards"),
        ("live:{footage}", ("data.videossr.frame=3",), "data.videossr.frame is unknown; allowed: preset, seed"),
        (
            "live:{footage}",
            ("preset=counting", "data.videossr.levels={lowest: 1}"),
            "levels.lowest is unknown; allowed: start, low",
        ),
        ("live:{footage}", ("preset=counting", "data.videossr.levels={low: 2}"), "data.videossr.levels.low=2 is not allowed"),
        ("live:{footage}", ("data.videossr.difficulty=brutal",), "brutal"),
    ],
)
def test_bad_data_raises_a_one_line_error(
    footage: Path, processor: Any, data: str, settings: tuple[str, ...], message: str
) -> None:
    name = data.format(footage=footage)
    config = data_config(name, *settings)
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        VideoSSRDataset(name, processor.tokenizer, config, processor)[0]
    assert "\n" not in str(error.value)


def test_rows_come_from_the_hub(built: Path, tmp_path: Path) -> None:
    program = "import sys; from trainer.data.stored import StoredQuestions; print(*(q['index'] for q in StoredQuestions(sys.argv[1])))"

    def print_indices(name: str, endpoint: str, token: str = "hf_mine") -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "HF_ENDPOINT": endpoint, "HF_TOKEN": token, "HF_HOME": str(tmp_path / token)}
        environment["HF_HUB_DISABLE_XET"] = "1"
        return subprocess.run(
            [sys.executable, "-c", program, name],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    with serving() as hub:
        hub.repos["me/tiny"] = Repo(private=True)
        files = {path.relative_to(built).as_posix(): path.read_bytes() for path in built.rglob("*") if path.is_file()}
        hub.repos["me/tiny"].commit({**files, "README.md": b"---\nlicense: mit\n---\n"})
        present = print_indices("me/tiny", hub.endpoint)
        missing = print_indices("me/nothing", hub.endpoint)
    assert present.stdout.split() == [
        str(row["extra_info"]["index"]) for batch in Build.read(built).batches() for row in batch.to_pylist()
    ], present.stderr[-1000:]
    assert "UsageError: data='me/nothing' is not a local folder, nor a dataset on the Hub" in missing.stderr.splitlines()[-1]
