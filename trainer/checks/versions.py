"""Checks that the installed packages have versions that work together."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from packaging.specifiers import SpecifierSet

REQUIRED: Mapping[str, str] = {
    "verl": "==0.9.1",
    "transformers": ">=5.10,<5.11",  # earlier processors format video prompts differently
    "tensordict": ">=0.8,!=0.9.0,<=0.10.0",
    "TransferQueue": ">=0.1.10",
    "ray": ">=2.41",
    "qwen_vl_utils": ">=0.0.14",
    "cachetools": "",  # verl imports it without declaring it
}
WITH_VLLM: Mapping[str, str] = {"vllm": "==0.31.0"}  # later versions need transformers >= 5.16.1, earlier ones < 5.10
KNOWN_GOOD = "vllm 0.31.0, torch 2.13.0, transformers 5.10.4, tensordict 0.10.0, ray 2.60.0, verl 0.9.1"


def version_faults(rollout: str, attention: str) -> list[str]:
    """Messages about packages that are missing or have the wrong version; empty if all fit.

    Args:
        rollout: `actor_rollout_ref.rollout.name`.
        attention: `attn_implementation` of the trained model.
    """
    faults = []
    for name, required in {**REQUIRED, **(WITH_VLLM if rollout == "vllm" else {})}.items():
        try:
            installed = version(name)
        except PackageNotFoundError:
            faults.append(f"{name} is not installed; run `pip install '{name}{required}'`")
            continue
        if installed.partition("+")[0] not in SpecifierSet(required, prereleases=True):
            faults.append(f"{name} {installed} is installed, {required} is required; these work together: {KNOWN_GOOD}")
    if attention == "flash_attention_2" and not find_spec("flash_attn") and not find_spec("kernels"):
        faults.append(
            "flash_attn, which verl needs here, is not installed; run `pip install flash-attn --no-build-isolation` or set "
            "+actor_rollout_ref.model.override_config.attn_implementation=sdpa actor_rollout_ref.model.use_remove_padding=False"
        )
    if find_spec("trl") and not find_spec("trl.experimental.ppo"):
        faults.append(f"trl {version('trl')} is installed, which breaks verl 0.9.1; install it in another environment")
    return faults
