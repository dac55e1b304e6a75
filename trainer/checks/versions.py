"""Checks that the installed packages have versions that work together."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from packaging.specifiers import SpecifierSet

REQUIRED: Mapping[str, str] = {
    "verl": "==0.9.1",
    "transformers": ">=5.9,<5.11",
    "tensordict": ">=0.8,!=0.9.0,<=0.10.0",
    "TransferQueue": ">=0.1.10",
    "ray": ">=2.41",
    "qwen_vl_utils": ">=0.0.14",
    "cachetools": "",  # verl imports it without declaring it
}
TRANSFORMERS_OF_VLLM: Mapping[str, str] = {"0.31.0": ">=5.10,<5.11", "0.24.0": ">=5.9,<5.10"}
"""The versions of vLLM that work with verl 0.9.1, and what each wants of transformers: they read video prompts alike."""
KNOWN_GOOD = (
    "vllm 0.31.0, torch 2.13.0, transformers 5.10.4, tensordict 0.10.0, ray 2.60.0, verl 0.9.1; or verl's own vllm 0.24.0, torch 2.11.0, "
    "transformers 5.9.0"
)


def version_faults(rollout: str, attention: str) -> list[str]:
    """Messages about packages that are missing or have the wrong version; empty if all fit.

    Args:
        rollout: `actor_rollout_ref.rollout.name`.
        attention: `attn_implementation` of the trained model.
    """
    faults = [fault for name, required in REQUIRED.items() if (fault := _fault(name, required))]
    if rollout == "vllm":
        faults += _vllm_faults()
    if attention == "flash_attention_2" and not find_spec("flash_attn") and not find_spec("kernels"):
        faults.append(
            "flash_attn, which verl needs here, is not installed; run `pip install flash-attn --no-build-isolation` or set "
            "+actor_rollout_ref.model.override_config.attn_implementation=sdpa"
        )
    if find_spec("trl") and not find_spec("trl.experimental.ppo"):
        faults.append(f"trl {version('trl')} is installed, which breaks verl 0.9.1; install it in another environment")
    return faults


def _vllm_faults() -> list[str]:
    try:
        installed = version("vllm").partition("+")[0]
    except PackageNotFoundError:
        return [f"vllm is not installed; run `pip install vllm=={next(iter(TRANSFORMERS_OF_VLLM))}`"]
    if installed not in TRANSFORMERS_OF_VLLM:
        return [
            f"vllm {installed} is installed, {' or '.join(TRANSFORMERS_OF_VLLM)} is required; these work together: {KNOWN_GOOD}"
        ]
    fault = _fault("transformers", TRANSFORMERS_OF_VLLM[installed])
    return [f"beside vllm {installed}: {fault}"] if fault else []


def _fault(name: str, required: str) -> str:
    """What is wrong with an installed package; "" if nothing is."""
    try:
        installed = version(name).partition("+")[0]
    except PackageNotFoundError:
        return f"{name} is not installed; run `pip install '{name}{required}'`"
    if installed in SpecifierSet(required, prereleases=True):
        return ""
    return f"{name} {installed} is installed, {required} is required; these work together: {KNOWN_GOOD}"
