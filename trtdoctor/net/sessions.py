"""Sessions of requests, each lent to one thread at a time and used again: their connections stay open meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Sessions:
    """Those of one client. requests does not promise that one may be used by two threads at once."""

    def __init__(self, *, loose: bool) -> None:
        """``loose``: whether certificates of some host are not checked."""
        self._loose = loose
        self._lock = threading.Lock()
        self._every: list[Any] = []
        self._idle: list[Any] = []

    @contextmanager
    def lent(self) -> Iterator[Any]:
        """A session that nobody else uses meanwhile."""
        with self._lock:
            session = self._idle.pop() if self._idle else None
        if session is None:
            session = self._new()
        try:
            yield session
        finally:
            with self._lock:
                self._idle.append(session)

    def close(self) -> None:
        """Give every connection back."""
        with self._lock:
            for session in self._every:
                session.close()
            self._every.clear()
            self._idle.clear()

    def _new(self) -> Any:
        import requests

        from trtdoctor import __version__

        session = requests.Session()
        session.headers.update({"User-Agent": f"trtdoctor/{__version__}", "Accept-Encoding": "gzip"})
        if self._loose:
            import urllib3

            # Whoever turned it off is told so by a finding, once, and not by each request.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        with self._lock:
            self._every.append(session)
        return session
