"""Get a bundle from an https address whose SHA-256 the user knows. The only place that imports requests, but one."""

from __future__ import annotations

import hashlib
import time
from typing import Any
from urllib.parse import urljoin, urlsplit

from trtdoctor.matrix.bundle import MAX_BYTES, BundleError
from trtdoctor.net.words import reason, shown

_SECONDS = 300
_TIMEOUTS = (10, 30)
_REDIRECTS = 5


def fetch(url: str, sha256: str) -> bytes:
    """The bytes at ``url``, which must be https on the whole way. Raises :class:`BundleError`."""
    import requests

    ends = time.monotonic() + _SECONDS
    try:
        with requests.Session() as session:
            for _ in range(_REDIRECTS + 1):
                if urlsplit(url).scheme != "https":
                    raise BundleError(f"{shown(url)}: only https is fetched")
                with session.get(url, stream=True, allow_redirects=False, timeout=_TIMEOUTS) as answer:
                    if answer.is_redirect:
                        url = urljoin(url, answer.headers["location"])
                        continue
                    if answer.status_code != 200:
                        raise BundleError(f"{shown(url)}: the server answered {answer.status_code}")
                    content = _body(answer, url, ends)
                    break
            else:
                raise BundleError(f"{shown(url)}: more than {_REDIRECTS} redirections")
    except requests.RequestException as error:
        raise BundleError(f"{shown(url)}: {reason(error)}") from None
    check(content, sha256)
    return content


def check(content: bytes, sha256: str) -> None:
    """Raise :class:`BundleError` unless ``content`` has this digest."""
    found = hashlib.sha256(content).hexdigest()
    if found != sha256.strip().lower():
        raise BundleError(f"the bundle's SHA-256 is {found}, not the one that was given")


def _body(answer: Any, url: str, ends: float) -> bytes:
    parts: list[bytes] = []
    total = 0
    for part in answer.iter_content(65536):
        parts.append(part)
        total += len(part)
        if total > MAX_BYTES:
            raise BundleError(f"{shown(url)}: longer than {MAX_BYTES // 1024 // 1024} MiB")
        if time.monotonic() > ends:
            raise BundleError(f"{shown(url)}: not done after {_SECONDS} s")
    return b"".join(parts)
