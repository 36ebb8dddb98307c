"""SIGTERM and Ctrl-C for a command that runs until it is told to end."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self


class Stopped(BaseException):
    """SIGTERM or SIGINT came while nothing was being told."""


class Stopper:
    """SIGTERM and SIGINT end a look or a pause at once; what is being told or written is finished before."""

    def __init__(self) -> None:
        self.stopped = False
        self._may_end = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._before[number] = signal.signal(number, self._stop)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _stop(self, *_: object) -> None:
        self.stopped = True
        if self._may_end:
            raise Stopped

    @contextmanager
    def may_end(self) -> Iterator[None]:
        """A part that may be left at any moment. Raises Stopped, also where the signal came before it."""
        self._may_end = True
        try:
            if self.stopped:
                raise Stopped
            yield
        finally:
            self._may_end = False
