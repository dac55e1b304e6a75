"""What stands in a score's place where there is none."""

from __future__ import annotations


class RewardError(RuntimeError):
    """No score could be had."""


class RewardRefused(RewardError):
    """The service refuses the item or the request: trying again would not help."""


class RewardUnavailable(RewardError):
    """No server gave a score in time."""
