"""verl's FSDP engine without FSDP: its micro-batches, losses, optimizer and schedule, on one unsharded module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from verl.utils import tensordict_utils
from verl.workers.engine import EngineRegistry
from verl.workers.engine.fsdp.transformer_impl import FSDPEngineWithLMHead

STATE = "cpu_engine.pt"


@EngineRegistry.register(model_type="language_model", backend=["fsdp", "fsdp2"], device="cpu")
class CpuEngineWithLMHead(FSDPEngineWithLMHead):  # type: ignore[misc]
    """Keeps model, optimizer, schedule and random state in one file a checkpoint."""

    def _build_fsdp_module(self, module: torch.nn.Module) -> torch.nn.Module:
        self._autocast_dtype, self.scaler = torch.float32, None
        return module

    def forward_backward_batch(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        return super().forward_backward_batch(_ragged_in_length(data), *args, **kwargs)

    def to(self, device: str, model: bool = True, optimizer: bool = True, grad: bool = True) -> None: ...

    def get_per_tensor_param(self, **kwargs: Any) -> tuple[Iterator[tuple[str, torch.Tensor]], None]:
        return iter(self.module.state_dict().items()), None

    def save_checkpoint(self, local_path: str, *args: Any, **kwargs: Any) -> None:
        Path(local_path).mkdir(parents=True, exist_ok=True)
        state = {
            "model": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.lr_scheduler.state_dict(),
            "random": torch.get_rng_state(),
        }
        torch.save(state, Path(local_path) / STATE)

    def load_checkpoint(self, local_path: str | None, *args: Any, **kwargs: Any) -> None:
        if local_path is None:
            return
        state = torch.load(Path(local_path) / STATE, weights_only=True)
        self.module.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.lr_scheduler.load_state_dict(state["schedule"])
        torch.set_rng_state(state["random"])


def _ragged_in_length(data: Any) -> Any:
    """Position ids (batch x 4 x length) as verl cuts them. Those of equally long sequences come ragged in the 4."""
    positions = data["position_ids"]
    if positions.is_nested and len(positions.values()) == positions.offsets()[-1]:
        alike = positions.values().unflatten(0, (len(positions), -1))
        data["position_ids"] = tensordict_utils.nested_tensor_from_tensor_list(list(alike.unbind(0)), ragged_idx=2)
    return data


_select = tensordict_utils.index_select_tensor_dict


def _select_repaired(batch: Any, indices: Any) -> Any:
    return _select(_ragged_in_length(batch), indices)


tensordict_utils.index_select_tensor_dict = _select_repaired  # mini-batches are cut before the engine sees them
