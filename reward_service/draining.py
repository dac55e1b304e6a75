"""Between SIGTERM and the end: what is on its way is still answered, while a load balancer sees that no more should come."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType


class Draining:
    """Puts a while between SIGTERM and whatever the server does about it. `begun` says that it has begun."""

    def __init__(self, seconds: float) -> None:
        self.begun = False
        self._seconds = seconds

    def watch(self) -> None:
        """Take over SIGTERM from the server that runs the event loop.

        Further ones change nothing: a worker may get its own beside the one that its parent hands on.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()
        servers = signal.getsignal(signal.SIGTERM)
        if not callable(servers):  # nobody would end the process gracefully after us
            return
        handler: Callable[[int, FrameType | None], object] = servers

        def on_signal(signum: int, frame: FrameType | None) -> None:
            if not self.begun:
                self.begun = True
                loop.call_soon_threadsafe(loop.call_later, self._seconds, handler, signum, frame)

        signal.signal(signal.SIGTERM, on_signal)
