"""Runs verl 0.9.1 without a GPU: a platform, an engine and a rollout for tiny models, added through verl's registries.

VERL_PLATFORM=cpu VERL_USE_EXTERNAL_MODULES=trainer.cpu.platform
actor_rollout_ref.model.external_lib=trainer.cpu.backends
"""
