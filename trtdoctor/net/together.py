"""Many questions at once, in threads that cannot hold up the end of the program."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

_T = TypeVar("_T")
_R = TypeVar("_R")


def each(call: Callable[[_T], _R], items: Sequence[_T], *, at_once: int, seconds: float) -> list[_R | None]:
    """What ``call`` gives for each of ``items``, in their order, ``at_once`` under way at a time.

    After ``seconds`` None stands for what is not there yet; its thread is a daemon and is left alone. An exception of
    ``call`` is raised here, once the others are done.
    """
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(items)):
        waiting.put(number)
    done: dict[int, _R] = {}
    failed: list[Exception] = []
    ends = time.monotonic() + seconds

    def work() -> None:
        while time.monotonic() < ends:
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                done[number] = call(items[number])
            except Exception as error:
                failed.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(at_once, len(items)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, ends - time.monotonic()))
    if failed:
        raise failed[0]
    return [done.get(number) for number in range(len(items))]
