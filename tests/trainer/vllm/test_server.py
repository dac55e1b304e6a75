"""A vLLM server and transformers give the tiny model's next token the same probabilities."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText

from dataset_builder import qwen_video

from ...vllm_server import vllm_serving


def test_a_server_answers_as_transformers_does(model: Path, processor: Any, tmp_path: Path) -> None:
    rng, times = np.random.default_rng(0), [0.0, 0.41, 2.037, 2.6, 3.1]
    buffers = [io.BytesIO() for _ in times]
    for buffer in buffers:
        Image.fromarray(rng.integers(0, 255, (64, 96, 3), dtype=np.uint8)).save(buffer, "JPEG")
    frames = torch.from_numpy(np.stack([np.array(Image.open(buffer)) for buffer in buffers])).permute(0, 3, 1, 2)
    encoded = ",".join(base64.b64encode(buffer.getvalue()).decode() for buffer in buffers)
    content = [
        {"type": "video_url", "video_url": {"url": f"data:video/jpeg;base64,{encoded}"}},
        {"type": "text", "text": "What?"},
    ]
    with vllm_serving(model, tmp_path, "--max-model-len=2048") as url:
        reply = httpx.post(
            f"{url}/chat/completions", timeout=300, trust_env=False,
            json={
                "model": "tiny", "messages": [{"role": "user", "content": content}], "max_tokens": 1, "temperature": 0,
                "logprobs": True, "top_logprobs": 20, "return_token_ids": True,
                "media_io_kwargs": {"video": {"num_frames": -1, **qwen_video.metadata(times)}}, "mm_processor_kwargs": {"do_resize": False},
            },
        ).json()  # fmt: skip
    chat = [{"role": "user", "content": [{"type": "video"}, content[1]]}]
    text = processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    inputs = processor(
        text=[text], videos=[frames], video_metadata=[qwen_video.metadata(times)], do_sample_frames=False, do_resize=False, return_tensors="pt"
    )  # fmt: skip
    assert reply["prompt_token_ids"] == inputs["input_ids"][0].tolist()
    with torch.inference_mode():
        logits = AutoModelForImageTextToText.from_pretrained(model, dtype=torch.float32).eval()(**inputs).logits[0, -1]
    expected = torch.log_softmax(logits, -1).topk(20).values.tolist()
    found = sorted((token["logprob"] for token in reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"]), reverse=True)
    assert found == pytest.approx(expected, abs=1e-4)
