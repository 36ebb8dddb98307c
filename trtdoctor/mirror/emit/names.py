"""Names from servers, held against the grammar of what they are before any of them gets into a file or a command.

Sources: the OCI distribution specification (repositories, tags, digests), PEP 503 and 440, the Debian policy manual
(5.6.1, 5.6.12). What a grammar lets through is free of quotes, spaces, line breaks, ``$``, backticks and braces, and
no part of a path is ``..``: no format here can be escaped from with it. It is quoted all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from trtdoctor.lazyre import pattern
from trtdoctor.mirror.wants import SyncItem
from trtdoctor.net.simple_page import version_of
from trtdoctor.record import record
from trtdoctor.text import clean

_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = pattern(rf"{_PART}(?:/{_PART})*")
_TAG = pattern(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = pattern(r"sha256:[0-9a-f]{64}")
_SHA256 = pattern(r"[0-9a-f]{64}")
_PLATFORM = pattern(r"[a-z0-9]{1,32}/[a-z0-9_]{1,32}(?:/[a-z0-9.]{1,16})?")
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,250}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
_ADDRESS = pattern(rf"(?P<scheme>https?)://(?P<host>{_HOST})(?P<path>(?:/[A-Za-z0-9._~+%-]+)*)/*")
_PROJECT = pattern(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_VERSION = pattern(r"[0-9][0-9A-Za-z.!+_-]{0,99}")
_FILE = pattern(r"[A-Za-z0-9_][A-Za-z0-9._+!-]{0,254}")
_PACKAGE = pattern(r"[a-z0-9][a-z0-9+.-]{1,127}")
_DEB_VERSION = pattern(r"(?:[0-9]{1,6}:)?[0-9][A-Za-z0-9.+~-]{0,127}")
_DEB_FILE = pattern(r"[a-z0-9][A-Za-z0-9.+~_:%-]{0,250}\.deb")
_LONGEST = 255
_HUB = {"registry-1.docker.io": "docker.io", "index.docker.io": "docker.io"}
"""Docker Hub has one name that logins are kept by, and others that are asked."""


class EmitError(ValueError):
    """The items cannot be written down for this tool; the message is one line."""


@record
class Place:
    """A repository, an index or an apt repository, in the parts of its address."""

    scheme: str
    host: str
    """With its port, where it has one of its own."""
    path: str
    """Without slashes at its ends."""

    @property
    def open(self) -> bool:
        """Whether it is asked without TLS."""
        return self.scheme == "http"

    @property
    def url(self) -> str:
        """As it is asked, without a slash at its end."""
        return f"{self.scheme}://{self.host}/{self.path}".rstrip("/")

    @property
    def image(self) -> str:
        """As tools for images write it: ``registry.example:5000/ngc/nvidia/tensorrt``."""
        return f"{self.host}/{self.path}"

    @property
    def parent(self) -> str:
        """The path but for its last part."""
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]


def place(address: str, what: str = "address") -> Place:
    """An address in its parts. Raises :class:`EmitError` for one with anything but host, port and plain path."""
    match = _ADDRESS.fullmatch(address) if len(address) <= 2 * _LONGEST else None
    path = match["path"].strip("/") if match else ""
    if match is None or any(part.strip(".") == "" for part in path.split("/") if path):
        raise EmitError(f"{what} {_shown(address)} is none that could be written down")
    return Place(match["scheme"], match["host"], path)


def repository(address: str, project: str, what: str) -> Place:
    """The place of an image: the path of the address, or the project where the address is that of a whole registry."""
    found = place(address, what)
    path = found.path.removeprefix("v2/") or project
    if not _REPOSITORY.fullmatch(path) or len(path) > _LONGEST:
        raise EmitError(f"{what}: {_shown(path)} is no name of a repository")
    return Place(found.scheme, _HUB.get(found.host, found.host), path)


def tag(text: str) -> str:
    """A tag, as it is. Raises :class:`EmitError`."""
    return _checked(text, _TAG, "tag")


def digest(text: str) -> str:
    """A digest, as it is. Raises :class:`EmitError`."""
    return _checked(text, _DIGEST, "digest")


def check(item: SyncItem) -> None:
    """Whether every name of the item is what it should be. Raises :class:`EmitError` with the first that is not."""
    if item.digest is not None:
        digest(item.digest)
    for what, address in (("upstream", item.upstream), ("mirror", item.mirror), ("origin", item.origin)):
        if address is not None:
            place(address, what)
    for platform in item.platforms:
        _checked(platform, _PLATFORM, "platform")
    if item.kind == "oci":
        _checked(item.project, _REPOSITORY, "repository")
        repository(item.upstream, item.project, "upstream")
        repository(item.mirror, item.project, "mirror")
        tag(item.version)
        _check_files(item, _FILE)
    elif item.kind == "pypi":
        _checked(item.project, _PROJECT, "project")
        version = _version(_checked(item.version, _VERSION, "version"))
        _check_files(item, _FILE)
        for name, _, _ in item.files:
            if _version(version_of(name, item.project) or "") != version:
                raise EmitError(f"file {_shown(name)} is none of {item.project} {item.version}")
    elif item.kind == "apt":
        _checked(item.project, _PACKAGE, "package")
        _checked(item.version, _DEB_VERSION, "version")
        _check_files(item, _DEB_FILE)
    else:
        raise EmitError(f"{_shown(item.kind)} is no kind of item")


def sound(items: Iterable[SyncItem]) -> tuple[tuple[SyncItem, ...], tuple[str, ...]]:
    """The items whose names can be written down, each once and in order; and why the others cannot, a line each."""
    problems = {item: _problem(item) for item in items}
    bad = {f"{_shown(item.project)} {_shown(item.version)}: {why}" for item, why in problems.items() if why}
    return ordered(item for item, why in problems.items() if not why), tuple(sorted(bad))


def _problem(item: SyncItem) -> str:
    try:
        check(item)
    except EmitError as error:
        return str(error)
    return ""


def ordered(items: Iterable[SyncItem]) -> tuple[SyncItem, ...]:
    """Each item once, in an order that depends on nothing but what they are."""
    return tuple(sorted(set(items), key=_order))


def checked(items: Sequence[SyncItem]) -> tuple[SyncItem, ...]:
    """The items in order. Raises :class:`EmitError` when one of them cannot be written down."""
    for item in items:
        check(item)
    return ordered(items)


def _order(item: SyncItem) -> tuple[str, ...]:
    files = "|".join(name for name, _, _ in item.files)
    return (
        *(item.kind, item.upstream, item.mirror, item.project, item.version),
        *(item.origin or "", item.digest or "", ",".join(item.platforms), files, item.source, item.why),
    )


def _check_files(item: SyncItem, grammar: re.Pattern[str]) -> None:
    for name, size, sha256 in item.files:
        _checked(name, grammar, "file")
        if sha256 is not None:
            _checked(sha256, _SHA256, "SHA-256")
        if size is not None and (type(size) is not int or size < 0):
            raise EmitError(f"file {_shown(name)}: its size is no number of bytes")


def _version(text: str) -> Any:
    from packaging.version import InvalidVersion, Version

    try:
        return Version(text)
    except InvalidVersion:
        raise EmitError(f"{_shown(text)} is no version") from None


def _checked(text: str, grammar: re.Pattern[str], what: str) -> str:
    if len(text) > _LONGEST or not grammar.fullmatch(text):
        raise EmitError(f"{_shown(text)} is no {what}")
    return text


def _shown(text: str) -> str:
    return repr(clean(str(text), 60))
