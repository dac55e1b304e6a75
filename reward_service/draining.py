"""After SIGTERM the server keeps answering for a while, and /readyz tells load balancers to send no more requests."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType


class Draining:
    """Delays the server's own reaction to SIGTERM by `seconds`. `begun` is true from the signal on."""

    def __init__(self, seconds: float) -> None:
        self.begun = False
        self._seconds = seconds

    def install(self) -> None:
        """Replace the SIGTERM handler of the server that runs the event loop. Main thread only, else nothing changes.

        Further signals are ignored: a worker may get SIGTERM twice, directly and from its parent process.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        previous = signal.getsignal(signal.SIGTERM)
        if not callable(previous):  # no handler that would end the process gracefully
            return
        handler: Callable[[int, FrameType | None], object] = previous

        def on_signal(signum: int, frame: FrameType | None) -> None:
            if not self.begun:
                self.begun = True
                loop.call_soon_threadsafe(loop.call_later, self._seconds, handler, signum, frame)

        signal.signal(signal.SIGTERM, on_signal)
