"""The configuration: grpo.yaml over verl's own, the CPU's over that, and what the command line says over all."""

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

from .data.settings import LIVE
from .launch import python_path

FOLDER = Path(__file__).parent / "config"
SHORT = {
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
WHOLE = ("seed", "steps")
ENVIRONMENT = {"reward_url": "VIDEOSSR_REWARD_URL"}
# whose keys are not verl's to know
OURS = ("data.videossr", "reward.custom_reward_function.reward_kwargs", "trainer.v1.sampler.sampler_kwargs")
_OPEN = ("actor_rollout_ref.model.override_config", "actor_rollout_ref.rollout.engine_kwargs", "ray_kwargs.ray_init", "hydra")


def make_config(given: Sequence[str], *, cpu: bool = False) -> DictConfig:
    """Compose the configuration of a run.

    Args:
        given: `key=value`, where the key is one of `SHORT` or any of verl's.
        cpu: whether it is for `trainer.cpu`.

    Raises:
        UsageError: for what cannot be composed.
    """
    named = {name: os.environ[variable] for name, variable in ENVIRONMENT.items() if os.environ.get(variable)}
    others = []
    for one in given:
        key, equals, value = one.partition("=")
        if not equals:
            raise UsageError(f"{one!r} is not allowed; allowed: key=value, as data=DIR or actor_rollout_ref.rollout.n=4")
        if key in SHORT:
            named[key] = value
        else:  # keys of ours are checked where they are read
            others.append(f"++{one.lstrip('+')}" if _is_ours(key) else one)
    for name in ("data", "model", "reward_url"):
        if not named.get(name):
            raise UsageError(f"{name}=… is missing; `python -m trainer --help` has examples")
    overrides = [f"++{key}={value}" for key, value in _overlay("cpu.yaml")] if cpu else []
    if named["data"].startswith(LIVE):
        overrides.append("data.shuffle=False")
    else:
        _refuse_live_settings(given, named["data"])
    if "steps" in named:  # as many passes as they take: verl would end, unsaved, after those of the configuration
        overrides.append(f"trainer.total_epochs={max(1, _read('steps', named['steps']))}")
    try:
        with initialize_config_dir(str(FOLDER), version_base=None):
            config = compose("grpo", [*overrides, *others])
        for name, value in named.items():
            OmegaConf.update(config, SHORT[name], _read(name, value))
        _set_paths(config)
        OmegaConf.resolve(config)
    except (HydraException, OmegaConfBaseException) as error:
        told = "; ".join(filter(None, map(str.strip, str(error).splitlines())))  # a later line has the cure
        raise UsageError(f"the configuration cannot be composed: {told}") from None
    return config


def _is_ours(key: str) -> bool:
    return key.lstrip("+").startswith(tuple(f"{one}." for one in OURS))


def _refuse_live_settings(given: Sequence[str], data: str) -> None:
    keys = [one.lstrip("+").partition("=")[0] for one in given]
    live = [key for key in keys if key in ("preset", "difficulty") or key.startswith("data.videossr.")]
    if live:
        raise UsageError(f"{live[0]}= is for live questions; data={data!r} has been built, with its own; leave it out")


def _read(name: str, value: str) -> Any:
    """A value of a short name, as the text that it is unless a number is wanted."""
    if name in WHOLE:
        if not value.isdecimal():
            raise UsageError(f"{name}={value!r} is not allowed; allowed: an integer from 0 up")
        return int(value)
    if name == "difficulty":
        level: float = Level.of(value).value  # refuses what is none
        return level
    return value


def _set_paths(config: DictConfig) -> None:
    """verl's processes run in other folders, and on other machines: paths are made absolute, and lead to this checkout."""
    data, out = config.data, config.trainer
    data.train_files, data.val_files = _absolute(data.train_files), _absolute(data.val_files)
    if data.videossr.clip_cache:
        data.videossr.clip_cache = str(Path(data.videossr.clip_cache).expanduser().absolute())
    out.default_local_dir = str(Path(out.default_local_dir).expanduser().absolute())
    if out.get("rollout_data_dir"):
        out.rollout_data_dir = str(Path(out.rollout_data_dir).expanduser().absolute())
    model = Path(config.actor_rollout_ref.model.path).expanduser()
    if model.exists():
        config.actor_rollout_ref.model.path = str(model.absolute())
    OmegaConf.update(config, "ray_kwargs.ray_init.runtime_env.env_vars", _environment(), force_add=True)


def _environment() -> dict[str, str]:
    """What verl's processes need of this one's environment, wherever they run; not the token, as verl prints it."""
    ours = {name: value for name, value in os.environ.items() if name.startswith("VIDEOSSR_") and "TOKEN" not in name}
    return {**ours, "PYTHONPATH": python_path()}


def _absolute(name: str) -> str:
    if name.startswith(LIVE):
        return LIVE + str(Path(name.removeprefix(LIVE)).expanduser().absolute())
    folder = Path(name).expanduser()
    return str(folder.absolute()) if folder.exists() else name


def _overlay(name: str) -> Iterator[tuple[str, str]]:
    for key, value in flat(OmegaConf.load(FOLDER / name)):
        yield key, "null" if value is None else str(value)


def flat(config: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(dotted key, value) of all that is no mapping."""
    if not isinstance(config, DictConfig | dict) or not config:
        yield prefix.removesuffix("."), config
        return
    values: Mapping[Any, Any] = OmegaConf.to_container(config, resolve=False) if isinstance(config, DictConfig) else config
    for key, value in values.items():
        yield from flat(value, f"{prefix}{key}.")


def unknown_keys() -> list[str]:
    """Keys of our files that the installed verl does not know: it would ignore some of them silently."""
    with initialize_config_dir(str(FOLDER), version_base=None):
        verl = compose("verl_alone")
    missing = []
    for name in ("grpo.yaml", "cpu.yaml"):
        for key, _ in flat(OmegaConf.load(FOLDER / name)):
            if not key.startswith((*OURS, *_OPEN, "defaults")) and not _has(verl, key):
                missing.append(key)
    return missing


def _has(config: DictConfig, key: str) -> bool:
    node: Any = config
    for part in key.split("."):
        if isinstance(node, ListConfig) or not isinstance(node, DictConfig) or part not in list(node):
            return False
        node = node._get_node(part)
    return True
