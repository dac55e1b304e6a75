"""Writes a checkpoint of a Qwen3-VL, or Qwen3.5, with about two million random weights, with its tokenizer and processor.

python -m trainer.cpu.tiny_model FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from .torchvision import make_importable

make_importable()

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers  # noqa: E402
from transformers import (  # noqa: E402
    PreTrainedTokenizerFast,
    Qwen2VLImageProcessor,
    Qwen3_5Config,
    Qwen3_5ForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
)
from transformers.models.qwen3_vl.video_processing_qwen3_vl import Qwen3VLVideoProcessor  # noqa: E402

END, PAD = "<|im_end|>", "<|endoftext|>"
VISION = ("<|vision_start|>", "<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>")
VOCABULARY_SIZE = 512
HEAD = 32  # the narrowest head of attention that vLLM's CPU kernels take
NORMALIZATION = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}  # Qwen3-VL's, for images as for videos
CHAT = """{%- for message in messages %}<|im_start|>{{ message.role }}
{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content -%}
{%- if part.type == 'video' %}<|vision_start|><|video_pad|><|vision_end|>
{%- elif part.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>
{%- else %}{{ part.text }}{% endif -%}
{%- endfor %}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def make_tiny_model(
    folder: Path, texts: Iterable[str] = (), *, hidden: int = 128, layers: int = 2, seed: int = 0, family: str = "qwen3_vl"
) -> None:
    """Write the checkpoint to a folder.

    Args:
        texts: texts to train the tokenizer on; without any it is a byte tokenizer.
        hidden: width of the language model and of the vision encoder.
        layers: number of layers of the language model.
        family: `qwen3_vl`, or `qwen3_5`, whose first layers are linear attention; both have the same processor.
    """
    tokenizer = make_processor(folder, texts)
    ids = dict(zip((END, PAD, *VISION), tokenizer.convert_tokens_to_ids([END, PAD, *VISION]), strict=True))
    rope = {
        "rope_type": "default", "rope_theta": 10000.0, "mrope_section": [HEAD // 4, HEAD // 8, HEAD // 8], "mrope_interleaved": True,
    }  # fmt: skip
    text = {
        "vocab_size": len(tokenizer), "hidden_size": hidden, "intermediate_size": 2 * hidden, "num_hidden_layers": layers,
        "num_attention_heads": hidden // HEAD, "num_key_value_heads": hidden // HEAD, "head_dim": HEAD, "max_position_embeddings": 32768,
        "rope_parameters": rope, "pad_token_id": ids[PAD], "eos_token_id": ids[END],
    }  # fmt: skip
    linear = {
        "layer_types": ["linear_attention"] * (layers - 1) + ["full_attention"], "linear_key_head_dim": 16, "linear_value_head_dim": 16,
        "linear_num_key_heads": 2, "linear_num_value_heads": 2, "rope_parameters": {**rope, "partial_rotary_factor": 1.0},
    }  # fmt: skip
    vision = {
        "depth": 2, "hidden_size": hidden, "intermediate_size": 2 * hidden, "num_heads": hidden // 16, "patch_size": 16,
        "out_hidden_size": hidden, "num_position_embeddings": 64,
    }  # fmt: skip
    tokens = {
        "image_token_id": ids["<|image_pad|>"], "video_token_id": ids["<|video_pad|>"], "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"], "tie_word_embeddings": False,
    }  # fmt: skip
    torch.manual_seed(seed)
    model: Any
    if family == "qwen3_5":
        model = Qwen3_5ForConditionalGeneration(
            Qwen3_5Config(text_config={**text, **linear}, vision_config={**vision, "deepstack_visual_indexes": []}, **tokens)
        )
    else:
        model = Qwen3VLForConditionalGeneration(
            Qwen3VLConfig(text_config=text, vision_config={**vision, "deepstack_visual_indexes": [0, 1]}, **tokens)
        )
    model.generation_config.eos_token_id = ids[END]
    model.generation_config.pad_token_id = ids[PAD]
    model.save_pretrained(folder)


def make_processor(folder: Path, texts: Iterable[str] = ()) -> PreTrainedTokenizerFast:
    """Write only the processor with its tokenizer. Returns the tokenizer."""
    tokenizer = _tokenizer(texts)
    sizes = {"patch_size": 16, "temporal_patch_size": 2, "merge_size": 2}
    images = Qwen2VLImageProcessor(**sizes, **NORMALIZATION, size={"shortest_edge": 4096, "longest_edge": 16777216})
    videos = Qwen3VLVideoProcessor(**NORMALIZATION, size={"shortest_edge": 4096, "longest_edge": 25165824})
    Qwen3VLProcessor(image_processor=images, tokenizer=tokenizer, video_processor=videos, chat_template=CHAT).save_pretrained(
        folder
    )
    return tokenizer


def _tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    core = Tokenizer(models.BPE())
    digits = pre_tokenizers.Split(Regex(r"\d"), "isolated")  # one token per digit, as in Qwen's tokenizer
    core.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    core.decoder = decoders.ByteLevel()
    special = [PAD, "<|im_start|>", END, *VISION]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core.train_from_iterator(
        texts,
        trainers.BpeTrainer(vocab_size=VOCABULARY_SIZE, special_tokens=special, initial_alphabet=alphabet, show_progress=False),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core, eos_token=END, pad_token=PAD, extra_special_tokens=list(VISION), chat_template=CHAT
    )


if __name__ == "__main__":
    make_tiny_model(Path(sys.argv[1]))
