"""Which versions work together."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from packaging.specifiers import SpecifierSet

NEEDED: Mapping[str, str] = {
    "verl": "==0.9.1",
    "transformers": ">=5.10,<5.11",  # earlier processors write a video's prompt otherwise
    "tensordict": ">=0.8,!=0.9.0,<=0.10.0",
    "TransferQueue": ">=0.1.10",
    "ray": ">=2.41",
    "qwen_vl_utils": ">=0.0.14",
    "cachetools": "",  # verl imports it and does not say so
}
WITH_VLLM: Mapping[str, str] = {"vllm": "==0.31.0"}  # later ones want transformers from 5.16.1, earlier ones below 5.10
KNOWN_GOOD = "vllm 0.31.0, torch 2.13.0, transformers 5.10.4, tensordict 0.10.0, ray 2.60.0, verl 0.9.1"


def version_faults(rollout: str, attention: str) -> list[str]:
    """What of this environment does not fit, a line each.

    Args:
        rollout: `actor_rollout_ref.rollout.name`.
        attention: `attn_implementation` of the trained model.
    """
    faults = []
    for name, wanted in {**NEEDED, **(WITH_VLLM if rollout == "vllm" else {})}.items():
        try:
            found = version(name)
        except PackageNotFoundError:
            faults.append(f"{name} is not installed; `pip install '{name}{wanted}'`")
            continue
        if found.partition("+")[0] not in SpecifierSet(wanted, prereleases=True):
            faults.append(f"{name} {found} is installed, {wanted} is needed; these fit together: {KNOWN_GOOD}")
    if attention == "flash_attention_2" and not find_spec("flash_attn") and not find_spec("kernels"):
        faults.append(
            "flash_attn is not installed, which verl asks for; `pip install flash-attn --no-build-isolation`, or set "
            "+actor_rollout_ref.model.override_config.attn_implementation=sdpa actor_rollout_ref.model.use_remove_padding=False"
        )
    if find_spec("trl") and not find_spec("trl.experimental.ppo"):
        faults.append(f"trl {version('trl')} is installed, on which verl 0.9.1 breaks; keep it in another environment")
    return faults
