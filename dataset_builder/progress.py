"""How long work tells how far it has got."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""Called now and then with (how many are done, how many there are): rows, files or videos."""


def silent(done: int, total: int) -> None:
    """Nobody listens."""
