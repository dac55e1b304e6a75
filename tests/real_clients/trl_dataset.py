"""TRL 1.16 prepares exports' prompts, and a Qwen3-VL processor makes its input. Prints what the model would see, as JSON."""

import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from trainer.cpu.tiny_model import make_processor

from datasets import load_dataset
from transformers import AutoProcessor
from trl.data_utils import is_conversational, prepare_multimodal_messages

with tempfile.TemporaryDirectory() as name:
    make_processor(Path(name))
    processor = AutoProcessor.from_pretrained(name)


def show(path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for row in load_dataset("parquet", data_files=path, split="train", cache_dir=sys.argv[1]):
        assert is_conversational(row)
        messages = prepare_multimodal_messages(row["prompt"], images=row["images"])
        inputs = processor.apply_chat_template(
            conversation=[messages], add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt"
        )
        shown = processor.tokenizer.decode(inputs["input_ids"][0])
        found.append(
            {
                "data_source": row["data_source"],
                "ground_truth": row["ground_truth"],
                "sizes": sorted({image.size for image in row["images"]}),
                "grids": inputs["image_grid_thw"].tolist(),
                "times": [float(time) for time in re.findall(r"<([\d.]+) seconds>", shown)],
                "question": re.sub(r"<\|vision_start\|>(<\|image_pad\|>)+<\|vision_end\|>", "*", shown),
            }
        )
    return found


print(json.dumps([show(path) for path in sys.argv[2:]]))
