"""Starts verl's own training loop with a configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

ROOT = Path(__file__).resolve().parents[1]
CPU_PLATFORM = {
    "VERL_PLATFORM": "cpu", "VERL_USE_EXTERNAL_MODULES": "trainer.cpu.platform", "OMP_NUM_THREADS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_HOST_IP": "127.0.0.1",  # GiB; no cores of its own
    "VLLM_NO_USAGE_STATS": "1",
}  # fmt: skip
# no tokenizer threads, no Ray usage reports, and no lines dropped from the log as duplicates
_DEFAULTS = {"TOKENIZERS_PARALLELISM": "false", "RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0"}


def prepare_environment(cpu: bool) -> None:
    """Set the environment variables of this process and its children. Call it before importing verl."""
    os.environ["PYTHONPATH"] = python_path()
    for name, value in {**_DEFAULTS, **(CPU_PLATFORM if cpu else {})}.items():
        os.environ.setdefault(name, value)
    if cpu:
        os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"


def python_path() -> str:
    """PYTHONPATH for verl's processes: this checkout, then the current PYTHONPATH."""
    folders = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join(dict.fromkeys([str(ROOT), *filter(None, folders)]))


def train(config: DictConfig) -> None:
    """Run verl's training loop to its end and let its exceptions pass.

    Call `prepare_environment` first, and `preflight` on the configuration, which includes verl's own checks.
    """
    from verl.trainer.main_ppo import TaskRunnerV1, run_ppo
    from verl.utils.device import auto_set_device

    auto_set_device(config)
    runner: Any = TaskRunnerV1
    run_ppo(config, task_runner_class=runner)
