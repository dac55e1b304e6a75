"""verl 0.9.1's RLHFDataset reads exports, and a Qwen3-VL processor makes its input. Prints what the model would see, as JSON."""

import asyncio
import json
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from trainer.cpu.tiny_model import make_processor

import verl
from omegaconf import OmegaConf
from transformers import Qwen3VLConfig
from verl.utils import hf_processor, hf_tokenizer
from verl.utils.dataset.rl_dataset import RLHFDataset
from verl.utils.tokenizer import build_multimodal_processor_inputs

with tempfile.TemporaryDirectory() as name:
    make_processor(Path(name))
    Qwen3VLConfig().save_pretrained(name)  # by which verl knows whose processor it is
    processor, tokenizer = hf_processor(name), hf_tokenizer(name)
defaults = OmegaConf.load(Path(verl.__file__).parent / "trainer/config/data/legacy_data.yaml")
assert OmegaConf.is_dict(defaults)
config = OmegaConf.create(OmegaConf.to_container(defaults, resolve=False))
settings = {
    "max_prompt_length": 8192,
    "image_patch_size": 16,
    "filter_overlong_prompts": False,
    "tool_config_path": None,
    "function_tool_path": None,
}
config = OmegaConf.merge(config, settings)


def show(path: str) -> list[dict[str, Any]]:
    dataset = RLHFDataset(path, tokenizer, config, processor)
    found: list[dict[str, Any]] = []
    for k in range(len(dataset)):
        row = dataset[k]
        messages = row["raw_prompt"]
        start = time.process_time()
        images, videos, _ = asyncio.run(RLHFDataset.process_multi_modal_info(messages, 16, config))
        text = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
        inputs = build_multimodal_processor_inputs(processor, text=[text], images=images, videos=videos)
        seconds = time.process_time() - start
        shown = tokenizer.decode(inputs["input_ids"][0])
        found.append(
            {
                "index": row["extra_info"]["index"],
                "data_source": row["data_source"],
                "ground_truth": row["reward_model"]["ground_truth"],
                "shapes": [list(video[0].shape) for video in videos],
                "first": [video[0][0].float().mean().item() for video in videos],
                "times": [float(time) for time in re.findall(r"<([\d.]+) seconds>", shown)],
                "pads": shown.count("<|video_pad|>"),
                "grids": inputs["video_grid_thw"].tolist(),
                "seconds": seconds,
                "tokens": len(inputs["input_ids"][0]),
            }
        )
    return found


print(json.dumps([show(path) for path in sys.argv[1:]]))
