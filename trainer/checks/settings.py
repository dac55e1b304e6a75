"""Settings that verl would ignore, or reject only after it has reserved GPUs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO

from omegaconf import DictConfig

from ..data.settings import LIVE

# keys of earlier verl versions, which verl 0.9.1 rejects or silently ignores, and their replacements
LEGACY: Mapping[str, str] = {
    "custom_reward_function": "reward.custom_reward_function",
    "reward_model.reward_manager": "reward.reward_manager.name",
    "reward_model.launch_reward_fn_async": "nothing: each rollout is scored as soon as it ends",
    "reward_model.enable": "reward.reward_model.enable",
    "data.sampler": "trainer.v1.sampler.custom_sampler",
    "data.datagen": "data.custom_cls",
    "actor_rollout_ref.rollout.engine_kwargs.vllm.disable_mm_preprocessor_cache": "actor_rollout_ref.rollout.engine_kwargs.vllm.mm_processor_cache_gb=0",
}  # fmt: skip


def legacy_faults(settings: Sequence[str]) -> list[str]:
    """Messages about `key=value` settings whose keys verl 0.9.1 no longer has."""
    keys = [setting.lstrip("+~").partition("=")[0] for setting in settings]
    faults = [
        f"{key} is a key of an earlier verl, and would be ignored; use {new}"
        for key in keys
        for old, new in LEGACY.items()
        if key == old or key.startswith(f"{old}.")
    ]
    if any(setting.lstrip("+").startswith("actor_rollout_ref.rollout.mode=sync") for setting in settings):
        faults.append("actor_rollout_ref.rollout.mode=sync no longer exists in verl 0.9.1; remove it")
    return faults


def settings_faults(config: DictConfig) -> Iterator[str]:
    gpus = config.trainer.n_gpus_per_node * config.trainer.nnodes
    rollouts = config.data.train_batch_size * config.actor_rollout_ref.rollout.n
    if rollouts % gpus:
        yield f"data.train_batch_size x rollout.n = {rollouts} rollouts cannot be split evenly over {gpus} GPUs; change one of them"
    if config.actor_rollout_ref.rollout.n < 2:
        yield "actor_rollout_ref.rollout.n must be 2 or more: GRPO learns from the differences within a group"
    if config.trainer.v1.trainer_mode != "sync":
        yield "trainer.v1.trainer_mode must be sync: the sampler and the curriculum need the rewards of each step before the next"
    if not config.trainer.v1.sampler.sync_refill_failed_groups:
        yield "trainer.v1.sampler.sync_refill_failed_groups must be True: groups that lost their rewards must be replaced"
    if (config.algorithm.get("filter_groups") or {}).get("enable"):
        yield "algorithm.filter_groups has no effect with our sampler; use trainer.v1.sampler.sampler_kwargs.filter_groups_metric=exact"
    from ..verl_hooks.sampler import SETTINGS

    for name in config.trainer.v1.sampler.sampler_kwargs:
        if name not in SETTINGS:
            yield f"trainer.v1.sampler.sampler_kwargs.{name} is unknown; allowed: {', '.join(SETTINGS)}"
    has_validation = config.trainer.test_freq > 0 or config.trainer.val_before_train
    if has_validation and str(config.data.val_files).startswith(LIVE):
        yield "live questions cannot be validated on, as each one is used only once; set val_data= to a build, or trainer.test_freq=-1"
    try:
        _validate(config)
    except (AssertionError, ValueError) as error:
        yield f"verl rejects the configuration: {error}"


def _validate(config: DictConfig) -> None:
    """Run verl's own checks, which verl itself runs only after starting Ray."""
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import validate_config

    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")
        validate_config(config=config, use_reference_policy=need_reference_policy(config), use_critic=need_critic(config))
