"""The type of progress callbacks."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called from time to time with (done, total): numbers of rows, files or videos."""


def no_progress(done: int, total: int) -> None:
    """The default: shows nothing."""
