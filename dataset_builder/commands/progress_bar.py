"""A progress bar on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class _Bar:
    """A progress bar, called as a `Progress`."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar

    def __call__(self, done: int, total: int) -> None:
        self._bar.total = total
        self._bar.update(done - self._bar.n)

    def note(self, **values: int | str) -> None:
        """Show these values beside the bar from the next redraw on."""
        self._bar.set_postfix(values, refresh=False)
        self._bar.update(0)


@contextmanager
def progress_bar(what: str, unit: str = "rows", leave: bool = True) -> Iterator[_Bar]:
    """A bar on the terminal; call it with (done, total)."""
    from tqdm import tqdm

    with tqdm(unit=f" {unit}", desc=what, smoothing=0.1, leave=leave) as bar:
        yield _Bar(bar)
