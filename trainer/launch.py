"""Starts verl's own training loop with a configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

ROOT = Path(__file__).resolve().parents[1]
CPU_PLATFORM = {"VERL_PLATFORM": "cpu", "VERL_USE_EXTERNAL_MODULES": "trainer.cpu.platform", "OMP_NUM_THREADS": "1"}
# tokenizers do not fork threads, Ray does not report home, and the log has every process's lines
_FOR_ALL = {"TOKENIZERS_PARALLELISM": "false", "RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0"}


def prepare_environment(cpu: bool) -> None:
    """What must be set before verl is imported, in this process and in those it starts."""
    os.environ["PYTHONPATH"] = python_path()
    for name, value in {**_FOR_ALL, **(CPU_PLATFORM if cpu else {})}.items():
        os.environ.setdefault(name, value)
    if cpu:
        os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"


def python_path() -> str:
    """Where verl's processes look for modules: in this checkout, then where this process does."""
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join(dict.fromkeys([str(ROOT), *filter(None, given)]))


def train(config: DictConfig) -> None:
    """Run verl's main loop to its end; what it raises is raised.

    The environment must have been prepared, and the configuration have passed `preflight`, which makes verl's own checks.
    """
    from verl.trainer.main_ppo import TaskRunnerV1, run_ppo
    from verl.utils.device import auto_set_device

    auto_set_device(config)
    runner: Any = TaskRunnerV1
    run_ppo(config, task_runner_class=runner)
