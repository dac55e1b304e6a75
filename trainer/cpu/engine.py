"""verl's FSDP engine without FSDP: same micro-batches, losses, optimizer and schedule, but on one unsharded module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from verl.workers.engine import EngineRegistry
from verl.workers.engine.fsdp.transformer_impl import FSDPEngineWithLMHead

STATE_FILE = "cpu_engine.pt"


@EngineRegistry.register(model_type="language_model", backend=["fsdp", "fsdp2"], device="cpu")
class CpuEngineWithLMHead(FSDPEngineWithLMHead):  # type: ignore[misc]
    """Saves model, optimizer, schedule and random state in one file per checkpoint."""

    def _build_fsdp_module(self, module: torch.nn.Module) -> torch.nn.Module:
        self._autocast_dtype, self.scaler = torch.float32, None
        return module

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
        torch.save(state, Path(local_path) / STATE_FILE)

    def load_checkpoint(self, local_path: str | None, *args: Any, **kwargs: Any) -> None:
        if local_path is None:
            return
        state = torch.load(Path(local_path) / STATE_FILE, weights_only=True)
        self.module.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.lr_scheduler.load_state_dict(state["schedule"])
        torch.set_rng_state(state["random"])
