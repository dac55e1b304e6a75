"""Questions as the model will see them: sizes and times of frames, lengths of prompts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig

from dataset_builder import qwen_video
from dataset_builder.errors import BuildError

from ..data.dataset import VideoSSRDataset
from ..data.live import LiveQuestions
from ..data.prompt_length import prompt_tokens
from .run_folder import resume_faults

CHECKED_QUESTIONS = 8


def load_processor(config: DictConfig, faults: list[str]) -> Any:
    """Load the model's processor. Returns None if that fails; appends to `faults`."""
    from transformers import AutoConfig, AutoProcessor

    path = str(config.actor_rollout_ref.model.path)
    try:
        model_type = AutoConfig.from_pretrained(path).model_type
        processor = AutoProcessor.from_pretrained(path)
    except (OSError, ValueError, KeyError) as error:
        first_line = str(error).strip().splitlines()[0]
        faults.append(
            f"model={path!r} cannot be loaded: {first_line}; use a checkpoint folder or the name of a model on the Hub"
        )
        return None
    if not hasattr(processor, "video_processor"):
        faults.append(f"model={path!r} ({model_type}) has no video processor; use a Qwen3-VL model")
        return None
    patch = processor.video_processor.patch_size
    if config.data.image_patch_size != patch:
        faults.append(f"data.image_patch_size={config.data.image_patch_size}, but the model's is {patch}; set it to {patch}")
    return processor


def data_faults(config: DictConfig, processor: Any) -> Iterator[str]:
    for name in dict.fromkeys((str(config.data.train_files), str(config.data.val_files))):
        try:
            dataset = VideoSSRDataset(name, processor.tokenizer, config.data, processor)
            if len(dataset) < config.data.train_batch_size and name == config.data.train_files:
                yield f"data={name!r} has {len(dataset)} questions, fewer than data.train_batch_size={config.data.train_batch_size}"
                return
            if name == config.data.train_files:
                yield from resume_faults(config, len(dataset))
            try:
                questions = [dataset[index] for index in range(min(CHECKED_QUESTIONS, len(dataset)))]
            finally:
                if isinstance(dataset.questions, LiveQuestions):
                    dataset.questions.close()
            for question in questions:
                yield from _question_faults(question, config, processor)
        except (ValueError, BuildError, OSError) as error:
            yield str(error)


def _question_faults(question: dict[str, Any], config: DictConfig, processor: Any) -> Iterator[str]:
    """Process one question's prompt as verl's agent loop does, and check frame sizes, frame times and prompt length."""
    info, prompt = question["extra_info"], question["raw_prompt"]
    name = f"question {info['index']} ({info['portion']})"
    _, videos, _ = asyncio.run(VideoSSRDataset.process_multi_modal_info(prompt, config.data.image_patch_size, config.data))
    videos = videos or []
    if len(videos) != len(info["frame_times"]):
        yield f"{name} has {len(info['frame_times'])} videos, but its prompt has places for {len(videos)}; build it again"
        return
    text = processor.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)
    inputs = processor(
        text=[text], videos=[frames for frames, _ in videos], video_metadata=[metadata for _, metadata in videos],
        do_sample_frames=False, return_tensors="pt",
    )  # fmt: skip
    ids = inputs["input_ids"][0]
    patch = processor.video_processor.patch_size
    for (frames, _), (_, rows, columns) in zip(videos, inputs["video_grid_thw"].tolist(), strict=True):
        if (rows * patch, columns * patch) != tuple(frames.shape[-2:]):
            yield f"{name} is resized from {tuple(frames.shape[-2:])} to {(rows * patch, columns * patch)}; set data.videossr.max_pixels to a size that the processor keeps"
    if fault := qwen_video.times_fault(processor.tokenizer.decode(ids), info["frame_times"]):
        yield f"{name}: {fault}; is this a Qwen3-VL processor?"
    expected_tokens = prompt_tokens(processor, prompt, info["height"], info["width"])
    if len(ids) != expected_tokens:
        yield f"{name} has {len(ids)} tokens, {expected_tokens} were expected; is this a Qwen3-VL processor?"
    if len(ids) > config.data.max_prompt_length:
        yield f"{name} has {len(ids)} tokens; raise data.max_prompt_length={config.data.max_prompt_length}"
