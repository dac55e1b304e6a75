"""How long-running work reports its progress."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called now and then with (how many are done, how many there are): rows, files or videos."""


def no_progress(done: int, total: int) -> None:
    """For callers that show no progress."""
