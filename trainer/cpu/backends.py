"""Registers the CPU engine and rollout. verl imports it in every process, through `actor_rollout_ref.model.external_lib`."""

from . import engine, rollout  # noqa: F401
