"""The CPU engine and rollout beside the hooks that GPUs have. verl imports it in every process, through `external_lib`."""

from .. import verl_hooks  # noqa: F401
from . import engine, rollout  # noqa: F401
