"""For `external_lib`: the CPU engine, but verl hands vLLM its own prompts. The control of `test_run.py`."""

from verl.workers.rollout import utils

from trainer.cpu import backends  # noqa: F401
from trainer.verl_hooks import vllm_prompt

vllm_prompt.use(vllm_prompt.verls_collapse)
assert utils.qwen2_5_vl_dedup_image_tokens is vllm_prompt.verls_collapse
