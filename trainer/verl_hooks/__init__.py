"""All that touches verl's internals, on GPUs and CPUs alike; `trainer.cpu` holds what only a CPU needs.

verl imports this package in every process, through `actor_rollout_ref.model.external_lib`.
"""

from . import equal_lengths, pixels, vllm_prompt  # noqa: F401
