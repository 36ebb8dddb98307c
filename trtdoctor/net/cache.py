"""Answers that a server may be asked to confirm instead of sending them again: JSON files in the user's own cache."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
from collections.abc import Mapping
from typing import Any

from trtdoctor.net.words import shown
from trtdoctor.record import record

_MOST_FILES = 4000
_DAYS = 90
_LONGEST = 1 << 20
"""Longer bodies are not worth keeping."""
_HEADERS = ("content-type", "etag", "last-modified", "docker-content-digest", "link", "x-pypi-last-serial")
"""What is kept of a head: nothing that could hold a secret."""


@record
class Kept:
    """An answer of an earlier time."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def validators(self) -> dict[str, str]:
        """The headers that ask whether it is still right."""
        names = {"etag": "if-none-match", "last-modified": "if-modified-since"}
        return {asked: self.headers[name] for name, asked in names.items() if name in self.headers}


class Cache:
    """A directory of answers, one file each, named by the digest of what was asked."""

    def __init__(self, directory: str) -> None:
        """``directory`` is made when something is kept, readable by its owner alone."""
        self._directory = directory

    def find(self, url: str, accept: str) -> Kept | None:
        """What was kept of an address; None for nothing, or for a file that is not whole."""
        try:
            with open(self._path(url, accept), "rb") as stream:
                document: Any = json.loads(stream.read(4 * _LONGEST))
            body = base64.b64decode(document["body"], validate=True)
            headers = {str(name): str(value) for name, value in document["headers"].items()}
            if document["sha256"] != hashlib.sha256(body).hexdigest():
                return None
            return Kept(200, headers, body)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return None

    def keep(self, url: str, accept: str, headers: Mapping[str, str], body: bytes) -> None:
        """Keep an answer that has a validator; that it cannot be kept is no harm."""
        kept = {name: headers[name] for name in _HEADERS if name in headers}
        if len(body) > _LONGEST or not {"etag", "last-modified"} & set(kept):
            return
        document = {
            "url": shown(url),
            "headers": kept,
            "sha256": hashlib.sha256(body).hexdigest(),
            "body": base64.b64encode(body).decode("ascii"),
        }
        path = self._path(url, accept)
        try:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            name = f"{path}.{os.getpid()}"
            handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(handle, "w", encoding="ascii") as stream:
                json.dump(document, stream)
            os.replace(name, path)
        except OSError:
            return

    def content(self, digest: str) -> bytes | None:
        """What was kept by its own digest (``sha256:…``), whoever gave it; None when it is not there."""
        known = self.find(digest, "")
        right = known is not None and digest == f"sha256:{hashlib.sha256(known.body).hexdigest()}"
        return known.body if known is not None and right else None

    def keep_content(self, digest: str, body: bytes) -> None:
        """Keep what has the digest ``digest``: it need never be asked for again."""
        self.keep(digest, "", {"etag": digest}, body)

    def prune(self) -> None:
        """Let go of what is old, or too much."""
        try:
            with os.scandir(self._directory) as entries:
                found = sorted((entry.stat().st_mtime, entry.path) for entry in entries if entry.is_file())
            oldest = time.time() - _DAYS * 86400
            for number, (modified, path) in enumerate(reversed(found)):
                if number >= _MOST_FILES or modified < oldest:
                    os.unlink(path)
        except OSError:
            return

    def _path(self, url: str, accept: str) -> str:
        name = hashlib.sha256(f"{url}\0{accept}".encode("utf-8", "surrogatepass")).hexdigest()[:40]
        return os.path.join(self._directory, f"{name}.json")
