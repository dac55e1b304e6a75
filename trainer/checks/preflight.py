"""Checks a run before it reserves any GPU. Each fault is one line that says what is wrong and how to fix it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from omegaconf import DictConfig

from ..config.compose import unknown_keys
from .memory import Model, card_memory, memory_faults
from .questions import data_faults, load_processor
from .run_folder import checkpoint_step
from .service import service_faults
from .settings import settings_faults
from .versions import version_faults


def preflight(
    config: DictConfig, *, card: str | None = None, report_passed: Callable[[str], None] = lambda line: None
) -> list[str]:
    """Check versions, reward service, model, data and settings. Returns the faults; the run may start if there are none.

    Args:
        card: name of the GPU that will train, as in `memory.CARDS`; None takes the one in this machine, if there is one.
        report_passed: called with one line for each check that passes.
    """
    model_overrides = config.actor_rollout_ref.model.get("override_config") or {}
    attention = model_overrides.get("attn_implementation", "flash_attention_2")
    faults = version_faults(config.actor_rollout_ref.rollout.name, attention)
    if not faults:
        report_passed("the installed versions work together")
        faults += [f"verl does not know {key}, which grpo.yaml sets; is it verl 0.9.1?" for key in unknown_keys()]
        faults += _run_check(report_passed, "the reward service scores correctly", partial(service_faults, config))
        processor = load_processor(config, faults)
        if processor is not None:
            report_passed(f"the model's processor loads from {config.actor_rollout_ref.model.path}")
            if (memory := card_memory(card)) is not None:
                faults += _run_check(
                    report_passed, f"{memory:.0f} GiB a card hold the model", partial(_memory_faults, config, memory)
                )
            faults += _run_check(report_passed, "the processor can read the data", partial(data_faults, config, processor))
            if not faults and (step := checkpoint_step(config)) is not None:
                report_passed(f"training resumes from step {step} in {config.trainer.default_local_dir}")
        faults += settings_faults(config)
    return faults


def _memory_faults(config: DictConfig, memory: float) -> Iterator[str]:
    yield from memory_faults(config, Model.of(config.actor_rollout_ref.model.path), memory)


def _run_check(report_passed: Callable[[str], None], name: str, check: Callable[[], Iterator[str]]) -> list[str]:
    faults = list(check())
    if not faults:
        report_passed(name)
    return faults
