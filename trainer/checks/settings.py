"""Settings that verl would ignore, or reject only after it has reserved GPUs."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO

from omegaconf import DictConfig, OmegaConf

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


ROLLOUTS = ("vllm", "transformers")  # the second is `trainer.cpu`'s
# keys that verl 0.9.1 takes, and then reads nowhere, or only in the dataset that ours replaces
IGNORED: Mapping[str, str] = {
    "actor_rollout_ref.actor.freeze_vision_tower": "actor_rollout_ref.model.lora_rank with target_modules trains parts of a model",
    "algorithm.filter_groups": "use trainer.v1.sampler.sampler_kwargs.filter_groups_metric=exact",
    **{
        f"data.{name}": "our dataset has no use for it"
        for name in (
            "prompt_key", "reward_fn_key", "image_key", "video_key", "truncation", "return_raw_input_ids", "return_raw_chat",
            "return_full_prompt", "return_multi_modal_inputs", "filter_overlong_prompts_workers",
        )
    },
}  # fmt: skip


def refused_keys(settings: Sequence[str]) -> list[str]:
    """Messages about `key=value` settings whose keys verl 0.9.1 no longer has, or ignores."""
    keys = [setting.lstrip("+~").partition("=")[0] for setting in settings]
    ignored = [
        f"{key} would be ignored: {why}"
        for key in keys
        for name, why in IGNORED.items()
        if key == name or key.startswith(f"{name}.")
    ]
    faults = [
        f"{key} is a key of an earlier verl, and would be ignored; use {new}"
        for key in keys
        for old, new in LEGACY.items()
        if key == old or key.startswith(f"{old}.")
    ]
    if any(setting.lstrip("+").startswith("actor_rollout_ref.rollout.mode=sync") for setting in settings):
        faults.append("actor_rollout_ref.rollout.mode=sync no longer exists in verl 0.9.1; remove it")
    return faults + ignored


def settings_faults(config: DictConfig) -> Iterator[str]:
    """Yield what verl would ignore, or reject only later."""
    yield from _batch_faults(config)
    yield from _rollout_faults(config)
    yield from _sampler_faults(config)
    if config.trainer.test_freq > 0 or config.trainer.val_before_train:
        if config.data.val_files == config.data.train_files:
            yield "validation on the training questions says nothing; set val_data= to another build, or trainer.test_freq=-1"
        elif str(config.data.val_files).startswith(LIVE):
            yield "live questions cannot be validated on, as each is used only once; set val_data= to a build, or trainer.test_freq=-1"
    try:
        _validate(config)
    except (AssertionError, ValueError) as error:
        yield f"verl rejects the configuration: {error}"


def _batch_faults(config: DictConfig) -> Iterator[str]:
    gpus, batch, mini = (
        config.trainer.n_gpus_per_node * config.trainer.nnodes,
        config.data.train_batch_size,
        config.actor_rollout_ref.actor.ppo_mini_batch_size,
    )
    rollouts = batch * config.actor_rollout_ref.rollout.n
    if rollouts % gpus:
        yield f"data.train_batch_size x rollout.n = {rollouts} rollouts cannot be split evenly over {gpus} GPUs; change one of them"
    if batch % mini:
        yield f"actor_rollout_ref.actor.ppo_mini_batch_size={mini} must divide data.train_batch_size={batch}"
    longest = config.data.max_prompt_length + config.data.max_response_length
    for key in ("rollout.max_model_len", "actor.ppo_max_token_len_per_gpu"):
        if (tokens := OmegaConf.select(config.actor_rollout_ref, key)) < longest:
            yield f"actor_rollout_ref.{key}={tokens} must be {longest} or more, which the longest prompt and response have"


def _rollout_faults(config: DictConfig) -> Iterator[str]:
    rollout = config.actor_rollout_ref.rollout
    if rollout.name not in ROLLOUTS:
        yield (
            f"actor_rollout_ref.rollout.name={rollout.name} is not allowed; allowed: {', '.join(ROLLOUTS)}; sglang makes one "
            "video of all clips of a question"
        )
    if rollout.n < 2:
        yield "actor_rollout_ref.rollout.n must be 2 or more: GRPO learns from the differences within a group"


def _sampler_faults(config: DictConfig) -> Iterator[str]:
    from ..verl_hooks.sampler import SETTINGS

    if config.trainer.v1.trainer_mode != "sync":
        yield "trainer.v1.trainer_mode must be sync: the sampler and the curriculum need the rewards of each step before the next"
    if not config.trainer.v1.sampler.sync_refill_failed_groups:
        yield "trainer.v1.sampler.sync_refill_failed_groups must be True: groups that lost their rewards must be replaced"
    for name in config.trainer.v1.sampler.sampler_kwargs:
        if name not in SETTINGS:
            yield f"trainer.v1.sampler.sampler_kwargs.{name} is unknown; allowed: {', '.join(SETTINGS)}"


def _validate(config: DictConfig) -> None:
    """Run verl's own checks, which verl itself runs only after starting Ray."""
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import validate_config

    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")
        validate_config(config=config, use_reference_policy=need_reference_policy(config), use_critic=need_critic(config))
