"""A short supervised warm-up on random answers: a model learns the form of answers, and nothing that pays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import torch

from .data.dataset import VideoSSRDataset
from .data.frames import Video

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
    progress: Callable[[int, int, float], None] = lambda done, steps, loss: None,
) -> float:
    """Train a checkpoint in its folder; gives the last loss, in nats a token.

    Args:
        questions: items of a `VideoSSRDataset`.
        data: verl's `data` section.
        answer: what the model is to say to a question, by chance.
        progress: called with (steps done, steps, loss).
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
        chosen = [rng.randrange(len(questions)) for _ in range(batch)]
        replies = [answer(questions[at], rng) for at in chosen]
        inputs = _inputs(processor, [questions[at]["raw_prompt"] for at in chosen], [videos[at] for at in chosen], replies)
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
    """Padded inputs whose labels are the replies with their end."""
    texts = [processor.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False) for prompt in prompts]
    ends = [f"{reply}{processor.tokenizer.eos_token}" for reply in replies]
    flat = [video for own in videos for video in own or ()]
    made = processor(
        text=[text + end for text, end in zip(texts, ends, strict=True)], videos=[frames for frames, _ in flat],
        video_metadata=[told for _, told in flat], do_sample_frames=False, return_tensors="pt", padding=True, padding_side="left",
    )  # fmt: skip
    labels = torch.full_like(made["input_ids"], -100)
    for row, end in enumerate(ends):
        length = len(processor.tokenizer(end)["input_ids"])
        labels[row, -length:] = made["input_ids"][row, -length:]
    return {**made, "labels": labels}
