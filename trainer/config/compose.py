"""Composes a run's configuration from verl's defaults, grpo.yaml, cpu.yaml (with --cpu) and the command line, in this order."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dataset_builder.tasks import Level, UsageError
from dataset_builder.tasks.errors import nearest

from ..data.settings import LIVE
from ..launch import python_path

CONFIG_FOLDER = Path(__file__).parent
RECIPES = sorted(path.stem for path in (CONFIG_FOLDER / "recipes").glob("*.yaml"))
SHORT_NAMES = {
    "data": "data.train_files",
    "val_data": "data.val_files",
    "model": "actor_rollout_ref.model.path",
    "reward_url": "reward.custom_reward_function.reward_kwargs.url",
    "preset": "data.videossr.preset",
    "difficulty": "data.videossr.difficulty",
    "seed": "data.seed",
    "steps": "trainer.total_training_steps",
    "out": "trainer.default_local_dir",
}
_WRITTEN_PATHS = ("data.videossr.clip_cache", "trainer.rollout_data_dir", "trainer.validation_data_dir")
# a folder here, or a name on the Hub
_READ_PATHS = (
    "actor_rollout_ref.model.path", "actor_rollout_ref.model.tokenizer_path", "actor_rollout_ref.model.hf_config_path",
    "actor_rollout_ref.model.lora_adapter_path", "trainer.resume_from_path",
)  # fmt: skip
INTEGERS = ("seed", "steps")
_VLLM = "actor_rollout_ref.rollout.name=vllm"
ENVIRONMENT = {"reward_url": "VIDEOSSR_REWARD_URL"}
# sections that verl's own configuration does not define
OUR_SECTIONS = ("data.videossr", "reward.custom_reward_function.reward_kwargs", "trainer.v1.sampler.sampler_kwargs")
# sections in which verl accepts any key
_FREE_FORM_SECTIONS = (
    "actor_rollout_ref.model.override_config",
    "actor_rollout_ref.rollout.engine_kwargs",
    # in verl's dataclasses, though not in its yaml
    "actor_rollout_ref.rollout.enable_sleep_mode",
    "actor_rollout_ref.rollout.agent.agent_loop_manager_class",
    "ray_kwargs.ray_init",
    "hydra",
)


def make_config(settings: Sequence[str], *, cpu: bool = False) -> DictConfig:
    """Compose the configuration of a run.

    Args:
        settings: `key=value` strings; a key is one of `SHORT_NAMES`, any verl key, or `recipe`, with one of `RECIPES` or several.
        cpu: whether to add the settings of `trainer.cpu`.

    Raises:
        UsageError: if a setting is missing, unknown or not allowed.
    """
    values = {name: os.environ[variable] for name, variable in ENVIRONMENT.items() if os.environ.get(variable)}
    verl_overrides = []
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"{setting!r} is not allowed; allowed: key=value, like data=DIR or actor_rollout_ref.rollout.n=4")
        if key in SHORT_NAMES or key == "recipe":
            values[key] = value
        else:  # keys in our sections are checked by the code that reads them
            verl_overrides.append(f"++{setting.lstrip('+')}" if _is_ours(key) else setting)
    for name in ("data", "model", "reward_url"):
        if not values.get(name):
            raise UsageError(f"{name}=… is missing; `python -m trainer --help` has examples")
    overlays = [_recipe(name) for name in values.pop("recipe", "").split(",") if name]
    overlays += ["cpu.yaml", *(["cpu_vllm.yaml"] if _VLLM in verl_overrides else [])] if cpu else []
    overrides = [f"++{key}={value}" for name in overlays for key, value in _flat_yaml(name)]
    if values["data"].startswith(LIVE):
        overrides.append("data.shuffle=False")
    else:
        _refuse_live_settings(settings, values["data"])
    if "steps" in values:  # enough epochs for all steps: verl would stop after total_epochs without a checkpoint
        overrides.append(f"trainer.total_epochs={max(1, _parse('steps', values['steps']))}")
    try:
        with initialize_config_dir(str(CONFIG_FOLDER), version_base=None):
            config = compose("grpo", [*overrides, *verl_overrides])
        for name, value in values.items():
            OmegaConf.update(config, SHORT_NAMES[name], _parse(name, value))
        _set_paths(config)
        _set_lengths(config)
        OmegaConf.resolve(config)
    except (HydraException, OmegaConfBaseException) as error:
        message = "; ".join(filter(None, map(str.strip, str(error).splitlines())))  # hydra's later lines say how to fix it
        raise UsageError(f"the configuration cannot be composed: {message}") from None
    return config


def _recipe(name: str) -> str:
    """The file of a recipe, in `CONFIG_FOLDER`."""
    if name not in RECIPES:
        raise UsageError(f"recipe={name!r} is unknown; {nearest(name, RECIPES)}")
    return f"recipes/{name}.yaml"


def _is_ours(key: str) -> bool:
    return key.lstrip("+").startswith(tuple(f"{section}." for section in OUR_SECTIONS))


def _refuse_live_settings(settings: Sequence[str], data: str) -> None:
    """Raises: UsageError: if a setting for live questions is used with a stored build."""
    keys = [setting.lstrip("+").partition("=")[0] for setting in settings]
    live_keys = [key for key in keys if key in ("preset", "difficulty") or key.startswith("data.videossr.")]
    if live_keys:
        raise UsageError(f"{live_keys[0]}= is for live questions; data={data!r} has been built already; remove it")


def _parse(name: str, value: str) -> Any:
    """The value of a short name: an integer, a difficulty level, or else the unchanged text."""
    if name in INTEGERS:
        if not value.isdecimal():
            raise UsageError(f"{name}={value!r} is not allowed; allowed: an integer of 0 or more")
        return int(value)
    if name == "difficulty":
        level: float = Level.of(value).value  # raises UsageError for an unknown level
        return level
    return value


def _set_paths(config: DictConfig) -> None:
    """Make all paths absolute, because verl's processes run in other folders and on other machines."""
    data, trainer = config.data, config.trainer
    data.train_files, data.val_files = _absolute(data.train_files), _absolute(data.val_files)
    trainer.default_local_dir = str(Path(trainer.default_local_dir).expanduser().absolute())
    for key in _WRITTEN_PATHS:
        if path := OmegaConf.select(config, key):
            OmegaConf.update(config, key, str(Path(path).expanduser().absolute()))
    for key in _READ_PATHS:
        if path := OmegaConf.select(config, key):
            OmegaConf.update(config, key, _absolute(path))
    OmegaConf.update(config, "ray_kwargs.ray_init.runtime_env.env_vars", _environment(), force_add=True)


def _set_lengths(config: DictConfig) -> None:
    """Size vLLM's context for the longest prompt and response; without it vLLM takes the model's, 262,144 for Qwen3-VL."""
    rollout = config.actor_rollout_ref.rollout
    if rollout.max_model_len is None:
        rollout.max_model_len = config.data.max_prompt_length + config.data.max_response_length


def _environment() -> dict[str, str]:
    """Environment variables for verl's processes on all nodes. Tokens are left out because verl logs these values."""
    ours = {name: value for name, value in os.environ.items() if name.startswith("VIDEOSSR_") and "TOKEN" not in name}
    return {**ours, "PYTHONPATH": python_path()}


def _absolute(name: str) -> str:
    if name.startswith(LIVE):
        return LIVE + str(Path(name.removeprefix(LIVE)).expanduser().absolute())
    folder = Path(name).expanduser()
    return str(folder.absolute()) if folder.exists() else name


def _flat_yaml(name: str) -> Iterator[tuple[str, str]]:
    for key, value in flatten(OmegaConf.load(CONFIG_FOLDER / name)):
        yield key, "null" if value is None else str(value)


def flatten(config: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield (dotted key, value) for each leaf of a nested mapping."""
    if not isinstance(config, DictConfig | dict) or not config:
        yield prefix.removesuffix("."), config
        return
    values: Mapping[Any, Any] = OmegaConf.to_container(config, resolve=False) if isinstance(config, DictConfig) else config
    for key, value in values.items():
        yield from flatten(value, f"{prefix}{key}.")


def unknown_keys() -> list[str]:
    """Keys of our files that the installed verl does not define. verl would ignore some of them silently."""
    with initialize_config_dir(str(CONFIG_FOLDER), version_base=None):
        verl = compose("verl_alone")
    unknown = []
    for name in ("grpo.yaml", "cpu.yaml", "cpu_vllm.yaml", *map(_recipe, RECIPES)):
        for key, _ in flatten(OmegaConf.load(CONFIG_FOLDER / name)):
            if not key.startswith((*OUR_SECTIONS, *_FREE_FORM_SECTIONS, "defaults")) and not _has_key(verl, key):
                unknown.append(key)
    return unknown


def _has_key(config: DictConfig, key: str) -> bool:
    node: Any = config
    for part in key.split("."):
        if isinstance(node, ListConfig) or not isinstance(node, DictConfig) or part not in list(node):
            return False
        node = node._get_node(part)
    return True
