"""How many requests go to one host at a time, however many ask it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from trtdoctor.net.words import host_of

ALTOGETHER = 8
"""Requests to one host at a time of all clients that share their gates."""


class Gates:
    """Lets a few requests at a time through to each host."""

    def __init__(self, at_once: int) -> None:
        """``at_once`` for each host."""
        self._at_once = at_once
        self._lock = threading.Lock()
        self._known: dict[str, threading.BoundedSemaphore] = {}

    @contextmanager
    def through(self, url: str, seconds: float) -> Iterator[bool]:
        """Wait for a turn at the host of an address; False where none came within ``seconds``."""
        with self._lock:
            gate = self._known.setdefault(host_of(url), threading.BoundedSemaphore(self._at_once))
        found = gate.acquire(timeout=seconds)
        try:
            yield found
        finally:
            if found:
                gate.release()
