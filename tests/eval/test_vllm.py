"""A real vLLM server with a tiny Qwen3-VL: every frame arrives as sent, and the model reads what it reads in process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from dataset_builder.questions.spec import BuildSpec
from eval.__main__ import main
from eval.backends.base import BackendError
from eval.backends.chat import Chat, ChatSettings
from eval.backends.messages import check_prompt, media_io_settings, message_content
from eval.benchmarks.generated import from_videos
from eval.frames import Frames
from eval.run import Run
from eval.runner import Progress, run
from eval.sample import Benchmark, Video

from ..servers import ROOT
from .conftest import SIZE, SMALL
from .test_questions import CHOICE, SPAN

pytestmark = pytest.mark.slow

SCRIPTS = ROOT / "tests" / "real_clients"
FLAGS = ("--dtype", "float32", "--enforce-eager", "--max-model-len", "16384", "--max-num-seqs", "8", "--trust-request-mm-kwargs",
         "--limit-mm-per-prompt", '{"video": 16}', "--served-model-name", "tiny")  # fmt: skip


def python() -> Path:
    path = os.environ.get("VIDEOSSR_VLLM_PYTHON")
    if not path:
        pytest.skip("VIDEOSSR_VLLM_PYTHON does not name a Python with vLLM; `make test` sets one up")
    return Path(path)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    subprocess.run([python(), "-m", "trainer.cpu.tiny_model", str(folder)], cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def server(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """(base URL, process)"""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = str(held.getsockname()[1])
    environment = {"VLLM_CPU_KVCACHE_SPACE": "1", "OMP_NUM_THREADS": "2", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "HF_HUB_OFFLINE": "1",
                   "VLLM_NO_USAGE_STATS": "1", "TOKENIZERS_PARALLELISM": "false"}  # fmt: skip
    log = tmp_path_factory.mktemp("vllm") / "log.txt"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [python().with_name("vllm"), "serve", model, "--host", "127.0.0.1", "--port", port, *FLAGS],
            env={**os.environ, **environment}, stdout=file, stderr=file, start_new_session=True,
        )  # fmt: skip
    try:
        for _ in range(1200):
            assert process.poll() is None, log.read_text()[-3000:]
            try:
                httpx.get(f"http://127.0.0.1:{port}/health", timeout=5).raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1", process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(timeout=60)


@pytest.fixture(scope="module")
def viubench(server: tuple[str, Any], footage: Path, clip_cache: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "viubench"
    command = ["viubench", "--videos", str(footage), *SMALL, "--per-column", "1", "--clip-cache", clip_cache]
    assert main([*command, "--model", "tiny", "--base-url", server[0], "--max-tokens", "8", "--out", str(out)]) == 0
    return Run.read(out)


def test_viubench_is_answered_with_every_frame_seen(viubench: Run) -> None:
    responses = list(viubench.responses.values())
    assert len(responses) == 9
    assert all(response.text is not None for response in responses)
    assert {response.seen["markers"] for response in responses if "markers" in response.seen} == {"24 as sent"}


@pytest.mark.parametrize(("kind", "entry"), [("vqa", CHOICE), ("vtg", SPAN)])
@pytest.mark.parametrize("protocol", ["ours", "paper"])
def test_questions_of_files_are_answered(
    kind: str, entry: Any, protocol: str, server: tuple[str, Any], footage: Path, clip_cache: str, tmp_path: Path
) -> None:
    (tmp_path / "questions.json").write_text(json.dumps([entry]))
    command = [
        kind,
        str(tmp_path / "questions.json"),
        "--videos",
        str(footage),
        "--max-pixels",
        "16384",
        "--clip-cache",
        clip_cache,
    ]
    out = tmp_path / "run"
    assert main([*command, "--model", "tiny", "--base-url", server[0], "--protocol", protocol, "--out", str(out)]) == 0
    [response] = Run.read(out).responses.values()
    assert response.seen["markers"] == {"ours": "24 as sent", "paper": "12 as sent"}[protocol]


def test_every_task_of_the_suite_is_answered(server: tuple[str, Any], footage: Path, clip_cache: str, tmp_path: Path) -> None:
    whole = from_videos(BuildSpec("suite", max_pixels=SIZE, video_format="jpeg"), footage, clip_cache)
    one_each = replace(whole, samples=tuple({sample.column: sample for sample in whole.samples}.values()))
    assert len(one_each.samples) >= 14, "of a rendered video the camera may move by itself"
    chat = Chat(ChatSettings("tiny", server[0], max_tokens=4))
    progress = asyncio.run(run(one_each, chat, Frames(one_each.sampling, clip_cache), tmp_path / "run", in_flight=4))
    assert (progress.done, progress.failed) == (len(one_each.samples), 0)
    checks = {response.seen.get("markers", "as sent") for response in Run.read(tmp_path / "run").responses.values()}
    assert all(check.endswith("as sent") for check in checks), checks


def ask(url: str, asked: Run, videos: list[Video], **more: Any) -> Any:
    """One bare request, as the evaluator sends it."""
    [sample] = asked.benchmark.samples
    body = {
        "model": "tiny", "max_tokens": 1, "temperature": 0, "logprobs": True, "return_token_ids": True,
        "messages": [{"role": "user", "content": message_content(sample, videos, "video")}],
        "media_io_kwargs": media_io_settings(videos), "mm_processor_kwargs": {"do_resize": False}, **more,
    }  # fmt: skip
    return httpx.post(f"{url}/chat/completions", json=body, timeout=300).raise_for_status().json()


def single(whole: Run, name: str) -> Run:
    samples = tuple(sample for sample in whole.benchmark.samples if sample.id == name)
    return replace(whole, benchmark=replace(whole.benchmark, samples=samples))


def test_prompts_and_first_tokens_are_those_in_process(
    server: tuple[str, Any], model: Path, viubench: Run, clip_cache: str
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "VIDEOSSR_CLIP_CACHE": clip_cache}
    done = subprocess.run(
        [python(), SCRIPTS / "first_tokens.py", model, viubench.folder],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    expected = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(expected) == 7
    for name, ids, best in expected:
        one = single(viubench, name)
        reply = ask(server[0], one, Frames(one.benchmark.sampling, clip_cache).of(one.benchmark.samples[0]))
        assert reply["prompt_token_ids"] == ids
        assert reply["choices"][0]["logprobs"]["content"][0]["logprob"] == pytest.approx(best, abs=1e-4)


def test_frames_that_the_server_resizes_or_drops_are_noticed(server: tuple[str, Any], viubench: Run, clip_cache: str) -> None:
    url = server[0]
    one = single(viubench, viubench.benchmark.samples[0].id)
    [video] = videos = Frames(one.benchmark.sampling, clip_cache).of(one.benchmark.samples[0])

    def prompt(**more: Any) -> str:
        body = {"model": "tiny", "tokens": ask(url, one, videos, **more)["prompt_token_ids"]}
        return str(httpx.post(f"{url.removesuffix('/v1')}/detokenize", json=body, timeout=60).json()["prompt"])

    assert check_prompt(prompt(), videos, "") == "24 as sent"
    with pytest.raises(BackendError, match="pairs of frames where 24 were sent"):
        check_prompt(prompt(media_io_kwargs={"video": {"num_frames": 16}}), videos, "")
    smaller = {"size": {"shortest_edge": 32 * 32 * 48, "longest_edge": 64 * 64 * 48}}
    with pytest.raises(BackendError, match="they were resized"):
        check_prompt(prompt(mm_processor_kwargs=smaller), videos, "")
    assert video.geometry[0] == 48


def test_a_server_that_dies_in_mid_run_ends_it(
    server: tuple[str, subprocess.Popen[bytes]],
    small: Benchmark,
    clip_cache: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, process = server
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.02)

    def kill(progress: Progress) -> None:
        if progress.done == 3 and process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            threading.Thread(target=process.wait, daemon=True).start()

    many = replace(small, samples=tuple(replace(sample, id=f"{sample.id}-{k}") for k in range(2) for sample in small.samples))
    chat = Chat(ChatSettings("tiny", url, max_tokens=4, timeout=60))
    frames = Frames(small.sampling, clip_cache)
    with pytest.raises(BackendError, match=r"questions in a row failed.*run the same command to continue"):
        asyncio.run(run(many, chat, frames, tmp_path / "run", in_flight=2, on_progress=kill))
    kept = [response for response in Run.read(tmp_path / "run").responses.values() if response.text is not None]
    assert len(kept) >= 3
