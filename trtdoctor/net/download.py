"""A large file brought from a server: carried on where it broke off, and given its name only when it is whole.

What has come lies beside the place as ``NAME.part``. It is carried on (``Range``) where the digest will tell whether
the parts fit, or where the server gave a validator that ``If-Range`` can name; else the file is begun anew.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from trtdoctor.lazyre import pattern
from trtdoctor.net.http import Answer, Client, NetError
from trtdoctor.net.words import shown

if TYPE_CHECKING:
    from requests.auth import AuthBase

MOST_BYTES = 64 << 30
"""Of one file; the largest wheel of the stack has some five GiB."""
_BLOCK = 1 << 20
_RESUMED = 20
"""So often one file is carried on after it broke off, as long as more of it comes each time."""
_RANGE = pattern(r"bytes (\d{1,15})-\d{1,15}/(?:\d{1,15}|\*)")

Progress = Callable[[int], None]
"""Told how many bytes of the file are there."""


class MismatchError(NetError):
    """What came is not what was to come; nothing of it was kept."""


def download(
    client: Client,
    url: str,
    place: str,
    *,
    size: int | None = None,
    sha256: str | None = None,
    auth: AuthBase | None = None,
    progress: Progress = lambda _: None,
) -> str:
    """Bring a file to ``place``; its SHA-256. ``size`` is in bytes.

    Raises :class:`NetError` when it does not come whole (what did come is kept, and the next call carries it on),
    :class:`MismatchError` when its digest or its size is another one, and OSError.
    """
    file = _Part(place, sha256)
    digest, wrong = _brought(client, url, file, size, sha256, auth, progress)
    if wrong is not None and file.resumed:  # its beginning may be of another file than its end
        file.discard()
        digest, wrong = _brought(client, url, file, size, sha256, auth, progress)
    if wrong is not None:
        file.discard()
        raise MismatchError(f"{shown(url)}: {wrong}", "hostile")
    file.finish()
    return digest


def _brought(
    client: Client,
    url: str,
    file: _Part,
    size: int | None,
    sha256: str | None,
    auth: AuthBase | None,
    progress: Progress,
) -> tuple[str, str | None]:
    """The digest of all that came, and what is wrong with it. Raises as :func:`download`."""
    began, tries = file.length, 0
    while True:
        try:
            if _more(client, url, file, size, auth, progress):
                break
        except MismatchError:
            file.discard()
            raise
        except NetError as error:
            tries += 1
            if error.kind != "unreachable" or file.length <= began or tries > _RESUMED or client.left <= 0:
                raise
            began = file.length
    digest = file.digest()
    return digest, _wrong(file.length, digest, size, sha256)


def digest_of(path: str) -> str:
    """The SHA-256 of a file. Raises OSError."""
    with open(path, "rb") as stream:
        return _digest(stream)


def _digest(stream: Any) -> str:
    made = hashlib.sha256()
    while part := stream.read(_BLOCK):
        made.update(part)
    return made.hexdigest()


def _wrong(length: int, digest: str, size: int | None, sha256: str | None) -> str | None:
    if sha256 is not None and digest != sha256.lower():
        return f"it came with SHA-256 {digest[:12]}…, not with {sha256[:12]}…: refused"
    if sha256 is None and size is not None and length != size:
        return f"it came with {length} bytes, not with {size}: refused"
    return None


class _Part:
    """What is there of a file."""

    def __init__(self, place: str, sha256: str | None) -> None:
        self._place = place
        self._path = f"{place}.part"
        self._notes = f"{place}.part.json"
        self.validator = self._validator()
        self.resumed = False
        if os.path.islink(self._path) or (self.length and sha256 is None and not self.validator):
            self.discard()
        if self.length:
            self.resumed = True

    @property
    def length(self) -> int:
        try:
            return os.lstat(self._path).st_size
        except OSError:
            return 0

    def _validator(self) -> str | None:
        try:
            with open(self._notes, "rb") as stream:
                found = json.loads(stream.read(4096))
        except (OSError, ValueError, RecursionError):
            return None
        text = found.get("if-range") if isinstance(found, dict) else None
        return text if isinstance(text, str) and text.isascii() and text.isprintable() and len(text) < 200 else None

    def begin(self, headers: Mapping[str, str]) -> Any:
        """Open it empty, and keep what tells whether the same file is met again."""
        self.discard()
        tag = headers.get("etag", "")
        self.validator = tag if tag.startswith('"') else headers.get("last-modified")
        if self.validator:
            with open(self._notes, "w", encoding="ascii", errors="replace") as stream:
                json.dump({"if-range": self.validator}, stream)
        return open(self._path, "xb")

    def asked_for(self) -> dict[str, str]:
        """Headers that ask for the rest, where something is there."""
        if not self.length:
            return {}
        return {"range": f"bytes={self.length}-", **({"if-range": self.validator} if self.validator else {})}

    def carry_on(self) -> Any:
        self.resumed = True
        return open(self._path, "ab")

    def digest(self) -> str:
        return digest_of(self._path) if self.length else hashlib.sha256().hexdigest()

    def finish(self) -> None:
        if not self.length:
            with open(self._path, "wb"):
                pass
        os.replace(self._path, self._place)
        self._forget(self._notes)

    def discard(self) -> None:
        self._forget(self._path)
        self._forget(self._notes)
        self.resumed = False

    @staticmethod
    def _forget(path: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(path)


def _more(client: Client, url: str, file: _Part, size: int | None, auth: AuthBase | None, progress: Progress) -> bool:
    """Everything that is missing, or the whole; False where the server has nothing behind what is there already.

    Raises :class:`NetError`, also where it breaks off.
    """
    there = file.length
    if there and there == size:
        return True
    most = size if size is not None else MOST_BYTES
    with client.stream(url, most=most, auth=auth, headers=file.asked_for()) as (answer, parts):
        if answer.status == 416 and there:
            file.discard()
            return False
        came = _first(answer, url, there)
        whole = _whole(answer, came)
        if whole is not None and size is not None and whole != size:
            raise MismatchError(f"{shown(url)}: it has {whole} bytes, not {size}: refused", "hostile")
        with file.carry_on() if came else file.begin(answer.headers) as stream:
            for part in parts:
                stream.write(part)
                came += len(part)
                progress(came)
                if came > most:
                    raise MismatchError(f"{shown(url)}: it is longer than {most} bytes: refused", "hostile")
    if whole is not None and came < whole:
        raise NetError(f"{shown(url)}: the answer broke off after {came} of {whole} bytes")
    return True


def _first(answer: Answer, url: str, there: int) -> int:
    """Where what comes begins in the file: at its start, or behind what is there. Raises :class:`NetError`."""
    if answer.status == 200:
        return 0
    if answer.status != 206:
        kind = "denied" if answer.status in (401, 403) else "other-kind"
        raise NetError(f"{shown(url)}: the server answered {answer.status}", kind)
    match = _RANGE.fullmatch(answer.headers.get("content-range", "").strip())
    if match is None or int(match[1]) != there:
        raise NetError(f"{shown(url)}: the server gave another part than the one that was asked for", "hostile")
    return there


def _whole(answer: Answer, before: int) -> int | None:
    """Bytes of the whole file, as the server states them."""
    text = answer.headers.get("content-length", "")
    if not (text.isascii() and text.isdecimal()) or len(text) > 15 or "content-encoding" in answer.headers:
        return None
    return before + int(text)
