"""Whether a card's memory holds what vLLM and training keep there. Estimates, from the checkpoint's configuration alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from omegaconf import DictConfig

from dataset_builder.tasks import UsageError
from dataset_builder.tasks.errors import nearest

CARDS: Mapping[str, float] = {"H200": 140, "H100": 79.2, "A100": 79.2, "A100-40": 39.5, "L40S": 44.4, "A6000": 47.5, "4090": 23.5}  # fmt: skip
"""GiB that a card offers."""
_TRAINED = 16  # bytes of a trained weight: itself, its gradient and Adam's two moments, in float32
_SERVED = 2  # bytes of a weight or a cached number in vLLM: bfloat16
_GIB = float(1 << 30)


@dataclass(frozen=True)
class Model:
    """What memory depends on: the number of weights, and the bytes that one token takes in vLLM's cache."""

    weights: int
    cached_per_token: int

    @classmethod
    def of(cls, path: str) -> Model:
        """Read a checkpoint's configuration; no weights are loaded."""
        import torch
        from transformers import AutoConfig, AutoModelForImageTextToText

        config = AutoConfig.from_pretrained(path)
        with torch.device("meta"):
            model: Any = AutoModelForImageTextToText.from_config(config)
        text = config.get_text_config()
        kinds = getattr(text, "layer_types", None) or ["full_attention"] * text.num_hidden_layers
        layers = sum(kind == "full_attention" for kind in kinds)  # linear attention caches no tokens
        head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        cached = 2 * layers * text.num_key_value_heads * head * _SERVED
        return cls(sum(weight.numel() for weight in model.parameters()), cached)


def card_memory(name: str | None) -> float | None:
    """GiB of the named card, or of the one in this machine; None if neither is known.

    Raises:
        UsageError: if the name is not one of `CARDS`.
    """
    if name is not None:
        if name.upper() not in CARDS:
            raise UsageError(f"card={name!r} is unknown; {nearest(name, list(CARDS))}")
        return CARDS[name.upper()]
    import torch

    return torch.cuda.get_device_properties(0).total_memory / _GIB if torch.cuda.is_available() else None


def memory_faults(config: DictConfig, model: Model, card: float) -> Iterator[str]:
    """Yield what does not fit on a card of `card` GiB."""
    rollout, actor = config.actor_rollout_ref.rollout, config.actor_rollout_ref.actor
    share = rollout.gpu_memory_utilization * card
    weights = _SERVED * model.weights / rollout.tensor_model_parallel_size / _GIB
    request = rollout.max_model_len * model.cached_per_token / rollout.tensor_model_parallel_size / _GIB
    if weights + request > share:
        yield (
            f"vLLM would not start: of {card:.0f} GiB it may take {share:.1f} (gpu_memory_utilization={rollout.gpu_memory_utilization}), "
            f"but the weights take {weights:.1f} and one request of max_model_len={rollout.max_model_len} tokens {request:.1f}; lower "
            "actor_rollout_ref.rollout.max_model_len, or raise gpu_memory_utilization or tensor_model_parallel_size"
        )
    offloads = actor.fsdp_config.param_offload and actor.fsdp_config.optimizer_offload
    if config.actor_rollout_ref.model.lora_rank or offloads:
        return
    cards = config.trainer.nnodes * config.trainer.n_gpus_per_node
    trained = _TRAINED * model.weights / cards / _GIB
    if trained > card:
        yield (
            f"training would not start: weights, gradients and Adam's moments take {trained:.0f} GiB on each of {cards} cards of "
            f"{card:.0f}; use more cards, recipe=lora, or recipe=small"
        )
