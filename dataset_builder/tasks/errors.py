"""Errors for a caller's mistake, and for a question that cannot be made."""

from __future__ import annotations

from collections.abc import Sequence


class UsageError(ValueError):
    """The caller passed a value that is not allowed; the message names it, what is allowed, and what to do."""


class UnknownTask(UsageError):
    """No task has this name; the message suggests the nearest."""


class Unsolvable(Exception):
    """No question that the pixels can answer was found for this clip; the message says why in a few words."""


def nearest(name: str, allowed: Sequence[str]) -> str:
    """A clause for a message: the allowed names and, if one is close, a suggestion."""
    import difflib  # only needed for errors

    close = difflib.get_close_matches(str(name), allowed, n=1)
    meant = f"; did you mean {close[0]!r}?" if close else ""
    return f"allowed: {', '.join(allowed)}{meant}"
