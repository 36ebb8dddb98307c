"""The Python distributions that have to do with the stack, and the shared objects that they brought.

METADATA and RECORD are read as files: importlib.metadata costs more than all probes together. Forms: the wheel
format's ``*.dist-info`` and the older ``*.egg-info`` (a directory, or one file).
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import Any

from trtdoctor.probes.base import ProbeContext
from trtdoctor.probes.python import inspected
from trtdoctor.probes.searchpaths import host, names, once, read_bytes
from trtdoctor.record import record
from trtdoctor.snapshot import Distribution

_METADATA_BYTES = 256 * 1024
_RECORD_BYTES = 16 * 1024 * 1024
_MOST_REQUIREMENTS = 200
_MOST_LISTED = 5000
_HASHED_BYTES = 8 * 1024 * 1024
_ADDRESS = re.compile(r"\s*@\s*[A-Za-z][\w+.-]*:.*")
"""Where a requirement is to be fetched: may carry a password, and says nothing about the stack."""
_SHARED = re.compile(rb"\.so(?:\.[0-9][0-9.]*)?$")


@record
class Listed:
    """One shared object that a RECORD lists."""

    path: str
    size: int | None
    """As recorded."""
    digest: str | None
    """``sha256=…`` as recorded."""
    on_disk: int | None
    """The size that the file has; None when it is missing."""

    changed: bool
    """Whether the file on disk is known to be another one than was installed."""


@record
class Installed:
    """One distribution."""

    name: str
    version: str | None
    site: str
    requires: tuple[str, ...]
    listed: tuple[Listed, ...] | None
    """None when there is no RECORD, or none that anybody could have written in earnest."""
    known: Any
    """What the matrix says of the name."""

    @property
    def label(self) -> str:
        """``NAME VERSION``, the form of ``Copy.owner``."""
        return f"{self.name} {self.version}" if self.version else self.name

    def distribution(self) -> Distribution:
        """This distribution as a fact."""
        listed = self.listed
        return Distribution(
            name=self.name,
            version=self.version,
            location=self.site,
            requires=self.requires,
            files_missing=None if listed is None else sum(item.on_disk is None for item in listed),
            files_changed=None if listed is None else sum(item.changed for item in listed),
            has_libraries=None if listed is None else bool(listed),
        )


def installed(context: ProbeContext, unreadable: list[str] | None = None) -> tuple[Installed, ...]:
    """The relevant distributions in all package directories of the chosen interpreter, in the order of its path.

    Directories that may not be listed go into ``unreadable``.
    """
    found, blocked = once(context, "wheels", lambda: _all(context))
    if unreadable is not None:
        unreadable.extend(blocked)
    return found


def normalised(name: str) -> str:
    """The comparable form of a distribution's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _all(context: ProbeContext) -> tuple[tuple[Installed, ...], tuple[str, ...]]:
    blocked: list[str] = []
    found = [item for site in inspected(context).sites for item in in_site(context, site, blocked)]
    return tuple(_compared(context, found)), tuple(blocked)


def in_site(context: ProbeContext, site: str, unreadable: list[str] | None = None) -> list[Installed]:
    """The relevant distributions of one package directory, also of a Python that is not the chosen one."""
    found: list[Installed] = []
    for entry in names(context, site, unreadable):
        stem, dot, kind = entry.rpartition(".")
        if kind not in ("dist-info", "egg-info") or not dot or entry.startswith(("~", ".")):
            continue
        name, _, version = stem.partition("-")
        known = context.distributions(normalised(name))
        if known is None and "-" in version:  # a name with a dash of its own, from old tools
            name, _, version = stem.rpartition("-")
            known = context.distributions(normalised(name))
        if known is not None:
            version = re.sub(r"-py\d(?:\.\d+)?.*$", "", version) if kind == "egg-info" else version
            found.append(_one(context, site, entry, known, version or None))
    return found


def _compared(context: ProbeContext, found: list[Installed]) -> list[Installed]:
    """Settle by digest whose file it is where two RECORDs list one path with the same size."""
    claims: dict[str, set[str | None]] = {}
    for item in found:
        for entry in item.listed or ():
            claims.setdefault(entry.path, set()).add(entry.digest)
    doubtful = {path for path, digests in claims.items() if len(digests) > 1}
    if not doubtful:
        return found
    digests: dict[str, str | None] = {}

    def compared(entry: Listed) -> Listed:
        if entry.path not in doubtful or entry.changed or entry.digest is None or entry.on_disk is None:
            return entry
        if entry.path not in digests:
            digests[entry.path] = _digest(context, entry.path)
        real_one = digests[entry.path]
        return replace(entry, changed=real_one is not None and real_one != entry.digest)

    return [
        item if item.listed is None else replace(item, listed=tuple(compared(entry) for entry in item.listed))
        for item in found
    ]


def _digest(context: ProbeContext, path: str) -> str | None:
    """The digest as RECORD writes it; None for a file that is too long to be read just for this."""
    content = read_bytes(context, path, _HASHED_BYTES + 1)
    if content is None or len(content) > _HASHED_BYTES:
        return None
    import base64
    import hashlib

    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}"


def _one(context: ProbeContext, site: str, entry: str, known: Any, version: str | None) -> Installed:
    folder = f"{site}/{entry}"
    head = (
        read_bytes(context, f"{folder}/METADATA", _METADATA_BYTES)
        or read_bytes(context, f"{folder}/PKG-INFO", _METADATA_BYTES)
        or read_bytes(context, folder, _METADATA_BYTES)
    )
    requires: list[str] = []
    for key, value in _headers(head or b""):
        if key == "version" and value:
            version = value
        elif key == "requires-dist" and len(requires) < _MOST_REQUIREMENTS:
            requires.append(_ADDRESS.sub("", value))
    record = read_bytes(context, f"{folder}/RECORD", _RECORD_BYTES + 1)
    listed = None if record is None or len(record) > _RECORD_BYTES else _listed(context, site, record)
    return Installed(known.name, version, site, tuple(requires), listed, known)


def _headers(content: bytes) -> list[tuple[str, str]]:
    """The fields up to the first empty line; continued lines belong to the description and are left out."""
    found = []
    for line in content.replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("utf-8", "replace").split("\n"):
        key, colon, value = line.partition(":")
        if colon and not key.startswith((" ", "\t")):
            found.append((key.strip().lower(), value.strip()))
    return found


def _listed(context: ProbeContext, site: str, record: bytes) -> tuple[Listed, ...] | None:
    """The shared objects of a RECORD; None when it lists more than any wheel has."""
    root = host(context, site)
    found = []
    for line in record.split(b"\n"):
        if b".so" not in line:
            continue
        # A path with a comma stands in quotes; none of a shared object has one.
        raw, *rest = line.rstrip(b"\r").rsplit(b",", 2)
        if len(rest) != 2 or not _SHARED.search(raw) or b"\0" in raw:
            continue
        path = raw.strip(b'"').decode("utf-8", "replace")
        size = int(rest[1]) if rest[1].isdigit() and len(rest[1]) < 16 else None
        try:
            on_disk: int | None = os.stat(os.path.join(root, path)).st_size
        except (OSError, ValueError):
            on_disk = None
        place = os.path.normpath(os.path.join(site, path))
        changed = None not in (size, on_disk) and size != on_disk
        found.append(Listed(place, size, rest[0].decode("ascii", "replace") or None, on_disk, changed))
        if len(found) > _MOST_LISTED:
            return None
    return tuple(found)
