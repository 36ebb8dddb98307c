"""``[[mirror]]``: which upstream and which mirror are compared. Addresses and names of variables, never a secret."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from trtdoctor.mirror_facts import KINDS
from trtdoctor.record import record
from trtdoctor.text import clean

HELD = ("listed", "probe", "deep")
"""What proves that a mirror has an item: its list; that it gives the manifest or the file's head; that it gives every
layer (asking changes a pull-through mirror)."""
REQUIRED = ("id", "kind", "mirror")
LISTS = ("tags", "projects", "packages", "platforms")
TRUTHS = ("verify-tls", "enabled")
_ENVIRONMENT = ("username-env", "password-env", "token-env")
FIELDS = (
    *("id", "kind", "upstream", "mirror", *LISTS, "held", "wheels", "api", "job", "news", "format"),
    *(*_ENVIRONMENT, *(f"upstream-{name}" for name in _ENVIRONMENT), "ca-file", *TRUTHS),
)
"""Every key of a table."""
APIS = ("harbor", "ngc")
STATUS_FORMATS = ("tunasync", "mirrorz", "yuki")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_OWN_SCHEMES = ("http://", "https://")


class MirrorError(ValueError):
    """The table describes no mirror; the message is one line."""


@record
class Mirror:
    """One pair of upstream and mirror to be compared."""

    id: str
    kind: str
    """One of ``KINDS``."""
    mirror: str
    """Its address, with scheme: ``https://registry.example:5000/ngc/nvidia/tensorrt``."""
    upstream: str | None = None
    """None for the usual upstream of the kind, as the matrix has it."""
    tags: tuple[str, ...] = ()
    """Globs of the tags that are looked at; empty for the usual ones."""
    projects: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    """``linux/amd64``, …: those that a mirror must have; empty for all that upstream has."""
    held: str = "listed"
    """One of ``HELD``."""
    wheels: str | None = None
    """The simple index that stubs fetch their wheels from here; None for NVIDIA's own."""
    api: str | None = None
    """A further interface of the registry: one of ``APIS``."""
    job: str | None = None
    """The job of a status page: ``pypi``."""
    news: str | None = None
    """A feed of the mirror site's news."""
    format: str | None = None
    """Of a status page: one of ``STATUS_FORMATS``; None to tell it by its content."""
    username_env: str | None = None
    """Names of the environment variables that hold the credentials for the mirror."""
    password_env: str | None = None
    token_env: str | None = None
    upstream_username_env: str | None = None
    upstream_password_env: str | None = None
    upstream_token_env: str | None = None
    ca_file: str | None = None
    verify_tls: bool = True
    enabled: bool = True
    stated_at: str | None = None
    """``FILE:LINE``."""


def of_table(table: Mapping[str, Any], folder: str, stated_at: str | None = None) -> Mirror:
    """A mirror from a table whose keys are :data:`FIELDS`, of the right types. Raises :class:`MirrorError`.

    ``folder`` is where relative files are looked for.
    """
    said = {name.replace("-", "_"): value for name, value in table.items()}
    if not _ID.fullmatch(said["id"]):
        raise MirrorError(f"id: {clean(said['id'], 40)!r}: wanted letters, digits, '.', '_' and '-'")
    _one_of("kind", said["kind"], KINDS)
    _one_of("held", said.get("held", "listed"), HELD)
    _one_of("api", said.get("api", APIS[0]), APIS)
    _one_of("format", said.get("format", STATUS_FORMATS[0]), STATUS_FORMATS)
    for name in ("mirror", "upstream", "wheels", "news"):
        if name in said:
            said[name] = address(said[name], name)
    for name in (name for name in said if name.endswith("_env")):
        if not _VARIABLE.fullmatch(said[name]):
            raise MirrorError(f"{name.replace('_', '-')}: wanted the name of an environment variable, never a secret")
    if "ca_file" in said:
        said["ca_file"] = os.path.join(folder, os.path.expanduser(said["ca_file"]))
    return Mirror(**said, stated_at=stated_at)


def address(text: str, name: str) -> str:
    """An address with its scheme, https where none is written. Raises :class:`MirrorError` for what is none.

    Credentials do not belong into it: they would end up in logs.
    """
    from urllib.parse import urlsplit

    whole = text.removeprefix("docker://").removeprefix("oci://")
    whole = whole if whole.startswith(_OWN_SCHEMES) else f"https://{whole}"
    try:
        parts = urlsplit(whole)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or "://" in whole[8:] or re.search(r"[\s\x00-\x1f\x7f]", whole):
        raise MirrorError(f"{name}: {clean(text, 80)!r} is no address")
    if parts.username is not None or parts.password is not None:
        raise MirrorError(f"{name}: no credentials in an address: name variables with username-env and password-env")
    if parts.query or parts.fragment:
        raise MirrorError(f"{name}: {clean(text, 80)!r}: wanted an address without ? and #")
    return whole.rstrip("/")


def _one_of(name: str, value: str, words: tuple[str, ...]) -> None:
    if value not in words:
        import difflib

        close = difflib.get_close_matches(value, words, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(words)}"
        raise MirrorError(f"{name}: unknown {clean(value, 40)!r}; {hint}")
