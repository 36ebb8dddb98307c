"""A file on a server, read in parts: the few kilobytes of a large wheel that say what it needs."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from trtdoctor.lazyre import pattern
from trtdoctor.net.http import Answer, Client, NetError
from trtdoctor.net.words import shown

if TYPE_CHECKING:
    from requests.auth import AuthBase

_TAIL = 64 << 10
"""Bytes of the end that are read first: the directory of a ZIP file stands there."""
_MOST = 32 << 20
"""Bytes that are read of one file altogether."""
_RANGE = pattern(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})")


class RemoteFile(io.RawIOBase):
    """As a file that is open for reading. Raises NetError where the server gives no parts, or gives other ones."""

    def __init__(self, client: Client, url: str, auth: AuthBase | None = None) -> None:
        self._client = client
        self._url = url
        self._auth = auth
        self._at = 0
        self._came = 0
        answer, self._tail = self._ask(f"bytes=-{_TAIL}")
        self._start, end, self._size = self._span(answer, self._tail)
        if end + 1 != self._size:
            raise NetError(f"{shown(url)}: the server gave another part than the end", "hostile")

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """Where the next read begins."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to where the next read begins."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes; all that are left for a negative one."""
        end = self._size if size < 0 else min(self._size, self._at + size)
        if end <= self._at:
            return b""
        if self._at >= self._start:
            found = self._tail[self._at - self._start : end - self._start]
        else:
            answer, found = self._ask(f"bytes={self._at}-{end - 1}")
            if self._span(answer, found) != (self._at, end - 1, self._size):
                raise NetError(f"{shown(self._url)}: the server gave another part than the one asked for", "hostile")
        self._at += len(found)
        return found

    def _ask(self, part: str) -> tuple[Answer, bytes]:
        """Headers and body; of a server that gives the whole file nothing is read."""
        with self._client.stream(self._url, most=_MOST - self._came, auth=self._auth, headers={"range": part}) as (
            answer,
            parts,
        ):
            if answer.status != 206:
                raise NetError(f"{shown(self._url)}: the server gives no parts of it ({answer.status})", "other-kind")
            body = b"".join(parts)
        self._came += len(body)
        return answer, body

    def _span(self, answer: Answer, body: bytes) -> tuple[int, int, int]:
        match = _RANGE.fullmatch(answer.headers.get("content-range", "").strip())
        span = (int(match[1]), int(match[2]), int(match[3])) if match is not None else (0, -1, 0)
        if span[1] - span[0] + 1 != len(body):
            raise NetError(f"{shown(self._url)}: the server gave another part than it says", "hostile")
        return span
