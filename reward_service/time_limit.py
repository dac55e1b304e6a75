"""A time limit for code that may never return, e.g. a custom task with a catastrophic regular expression."""

from __future__ import annotations

import signal
import threading
from time import perf_counter
from types import FrameType


class TimeLimitExceeded(BaseException):
    """Raised inside the code that took too long. A BaseException, so that `except Exception` there does not catch it."""


class TimeLimit:
    """Raises TimeLimitExceeded in code between `start()` and `stop()` that takes longer than `seconds`.

    It uses SIGALRM, which interrupts Python code and the `re` module. Python delivers it to the main thread only, so in
    other threads (Ray Serve replicas) there is no limit. The timer runs all the time, as setting it costs a system call.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._started: float | None = None
        if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
            signal.signal(signal.SIGALRM, self._on_alarm)
            signal.setitimer(signal.ITIMER_REAL, seconds / 4, seconds / 4)

    def start(self) -> None:
        self._started = perf_counter()

    def stop(self) -> None:
        self._started = None

    def close(self) -> None:
        """Stop the timer."""
        self.stop()
        if signal.getsignal(signal.SIGALRM) == self._on_alarm:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _on_alarm(self, signum: int, frame: FrameType | None) -> None:
        if self._started is not None and perf_counter() - self._started >= self.seconds:
            self._started = None
            raise TimeLimitExceeded
