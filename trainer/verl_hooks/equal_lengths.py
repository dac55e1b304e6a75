"""Lets verl 0.9.1 take batches whose sequences all have the same length.

Position ids of Qwen3-VL are nested tensors (batch x 4 x length). Where all lengths are equal they arrive ragged in the dimension
of size 4, and verl's slicing, which expects them ragged in the length, fails.
"""

from __future__ import annotations

from typing import Any

from verl.utils import tensordict_utils
from verl.workers.engine.fsdp.transformer_impl import FSDPEngine

_select = tensordict_utils.index_select_tensor_dict
_forward_backward_batch = FSDPEngine.forward_backward_batch


def make_length_ragged(data: Any) -> Any:
    """Make nested position ids ragged in the length. Returns `data`, which it changes."""
    positions = data["position_ids"]
    if positions.is_nested and len(positions.values()) == positions.offsets()[-1]:
        dense = positions.values().unflatten(0, (len(positions), -1))
        data["position_ids"] = tensordict_utils.nested_tensor_from_tensor_list(list(dense.unbind(0)), ragged_idx=2)
    return data


def _select_from_repaired(batch: Any, indices: Any) -> Any:
    return _select(make_length_ragged(batch), indices)


def _run_repaired(self: Any, data: Any, *args: Any, **kwargs: Any) -> Any:
    return _forward_backward_batch(self, make_length_ragged(data), *args, **kwargs)


tensordict_utils.index_select_tensor_dict = _select_from_repaired  # verl cuts mini-batches before it calls the engine
FSDPEngine.forward_backward_batch = _run_repaired
