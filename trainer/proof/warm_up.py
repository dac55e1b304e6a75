"""A short supervised warm-up on random answers: the model learns the answer format, but nothing that raises the reward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import torch

from ..data.dataset import VideoSSRDataset
from ..data.frames import Video

Question = dict[str, Any]


async def warm_up(
    folder: Path,
    questions: Sequence[Question],
    data: Any,
    answer: Callable[[Question, Random], str],
    *,
    steps: int,
    batch: int = 16,
    lr: float = 1e-3,
    seed: int = 0,
    progress: Callable[[int, int, float], None] = lambda step, steps, loss: None,
) -> float:
    """Train a checkpoint and save it in place. Returns the last loss, in nats per token.

    Args:
        folder: the checkpoint's folder.
        questions: items of a `VideoSSRDataset`.
        data: verl's `data` section.
        answer: draws a random target reply to a question.
        progress: called with (steps completed, steps, loss).
    """
    from transformers import AutoModelForImageTextToText, AutoProcessor

    rng = Random(seed)
    torch.manual_seed(seed)
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32, attn_implementation="sdpa").train()
    processor = AutoProcessor.from_pretrained(folder)
    videos = [
        (await VideoSSRDataset.process_multi_modal_info(question["raw_prompt"], data.image_patch_size, data))[1]
        for question in questions
    ]
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    loss = torch.tensor(0.0)
    for step in range(steps):
        indices = [rng.randrange(len(questions)) for _ in range(batch)]
        replies = [answer(questions[index], rng) for index in indices]
        prompts = [questions[index]["raw_prompt"] for index in indices]
        inputs = _inputs(processor, prompts, [videos[index] for index in indices], replies)
        loss = model(**inputs).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        progress(step + 1, steps, float(loss.detach()))
    model.eval().save_pretrained(folder)
    return float(loss.detach())


def _inputs(
    processor: Any, prompts: Sequence[Any], videos: Sequence[list[Video] | None], replies: Sequence[str]
) -> dict[str, Any]:
    """Left-padded model inputs (batch x length). The labels are the replies with their end token, and -100 elsewhere."""
    texts = [processor.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False) for prompt in prompts]
    targets = [f"{reply}{processor.tokenizer.eos_token}" for reply in replies]
    flat_videos = [video for prompt_videos in videos for video in prompt_videos or ()]
    inputs = processor(
        text=[text + target for text, target in zip(texts, targets, strict=True)], videos=[frames for frames, _ in flat_videos],
        video_metadata=[metadata for _, metadata in flat_videos], do_sample_frames=False, return_tensors="pt", padding=True,
        padding_side="left",
    )  # fmt: skip
    labels = torch.full_like(inputs["input_ids"], -100)
    for row, target in enumerate(targets):
        length = len(processor.tokenizer(target)["input_ids"])
        labels[row, -length:] = inputs["input_ids"][row, -length:]
    return {**inputs, "labels": labels}
