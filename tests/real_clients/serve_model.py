"""Serves a checkpoint as vLLM would: frames as the request says, through its processor; prints the base URL, and runs until its input ends."""

import sys

from trainer.cpu.torchvision import make_importable

make_importable()

import cv2
import numpy as np
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor
from transformers.video_utils import VideoMetadata

from tests.chat_server import Asked, Behaviour, serving_chat

processor = AutoProcessor.from_pretrained(sys.argv[1])
model = AutoModelForImageTextToText.from_pretrained(sys.argv[1], dtype=torch.float32).eval()


def answer(asked: Asked) -> tuple[str, str]:
    parts = [{"type": "text", "text": value} if kind == "text" else {"type": kind} for kind, value in asked.parts]
    text = processor.apply_chat_template([{"role": "user", "content": parts}], add_generation_prompt=True, tokenize=False)
    videos, metadata = [], []
    for frames, times in asked.videos:
        shown = [cv2.imdecode(np.frombuffer(frame, np.uint8), cv2.IMREAD_COLOR_RGB) for frame in frames]
        videos.append(torch.from_numpy(np.stack(shown)).permute(0, 3, 1, 2))
        numbers = [round(1000 * time) for time in times]
        metadata.append(VideoMetadata(total_num_frames=numbers[-1] + 1, fps=1000.0, frames_indices=numbers))
    inputs = processor(
        text=[text], videos=videos, video_metadata=metadata, do_sample_frames=False, do_resize=False, return_tensors="pt"
    )
    with torch.inference_mode():
        made = model.generate(**inputs, max_new_tokens=asked.body["max_tokens"], do_sample=False)
    length = inputs["input_ids"].shape[1]
    return processor.tokenizer.decode(made[0][length:], skip_special_tokens=True), processor.tokenizer.decode(
        inputs["input_ids"][0]
    )


with serving_chat(Behaviour(answer, model="tiny-qwen3-vl")) as url:
    print(url, flush=True)
    sys.stdin.read()
