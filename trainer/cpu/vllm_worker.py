"""verl's extension of vLLM's workers, on a CPU: weights stay as they are loaded, so that new ones can be loaded over them.

vLLM packs the weights of linear layers for oneDNN on a CPU, and leaves nothing to load others into.
"""

from __future__ import annotations

from typing import Any

import torch
from verl.workers.rollout.vllm_rollout.utils import vLLMColocateWorkerExtension
from vllm.model_executor.layers import linear, utils, vocab_parallel_embedding


def _keep_weights(layer: Any, remove_weight: bool) -> None:
    layer.cpu_linear = torch.nn.functional.linear


for _module in (utils, linear, vocab_parallel_embedding):
    _module.dispatch_cpu_unquantized_gemm = _keep_weights


class CpuWorkerExtension(vLLMColocateWorkerExtension):  # type: ignore[misc]
    """verl's own; vLLM imports this module for it."""
