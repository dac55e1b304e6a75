"""What is raised for a caller's mistake, and for a question that cannot be made."""

from __future__ import annotations

from collections.abc import Sequence


class UsageError(ValueError):
    """A value that the caller gave is not allowed; the message names it, what is allowed, and what to do."""


class UnknownTask(UsageError):
    """No task has this name; the message names the nearest."""


class Unsolvable(Exception):
    """No question that can be answered from the pixels was found in this clip; the message says why, in few words."""


def nearest(name: str, allowed: Sequence[str]) -> str:
    """A clause for a message: what is allowed and, where one of it is close, what was probably meant."""
    import difflib  # only where something went wrong

    close = difflib.get_close_matches(str(name), allowed, n=1)
    meant = f"; did you mean {close[0]!r}?" if close else ""
    return f"allowed: {', '.join(allowed)}{meant}"
