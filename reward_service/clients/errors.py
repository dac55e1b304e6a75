"""The errors that take the place of a score."""


class RewardError(RuntimeError):
    """An item has no score."""


class RewardRefused(RewardError):
    """The service refused the item or the request. A retry would not help."""


class RewardUnavailable(RewardError):
    """No server returned a score in time. A later call may succeed."""
