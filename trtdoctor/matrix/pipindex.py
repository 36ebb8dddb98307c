"""The package index that pip is configured with: where it is, and which versions of a project it lists."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from typing import Any

from trtdoctor.net.words import reason, shown

_MAX_BYTES = 32 * 1024 * 1024
_SECONDS = 30
_ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
_TIMEOUTS = (10, 30)
# pip knows the index that it uses when nobody configured one; its name is no business of ours.
_DEFAULT = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"


class IndexUnreachableError(ValueError):
    """The index cannot be asked; the message is one line without user info."""


def index_url() -> str:
    """The address that pip would use: ``PIP_INDEX_URL``, pip's configuration, pip's own default.

    Raises :class:`IndexUnreachableError` when pip is not there to tell.
    """
    if os.environ.get("PIP_NO_INDEX", "0").lower() not in ("", "0", "false", "no", "off"):
        raise IndexUnreachableError("pip is told to use no index (PIP_NO_INDEX)")
    stated = os.environ.get("PIP_INDEX_URL")
    if stated:
        return stated
    settings = _pip(["-m", "pip", "config", "list"])
    for key in ("install.index-url", "global.index-url", "site.index-url"):
        match = re.search(rf"^{re.escape(key)}=(['\"])(?P<url>.+)\1$", settings or "", re.MULTILINE)
        if match:
            return match["url"]
    default = (_pip(["-c", _DEFAULT]) or "").strip()
    if not default:
        raise IndexUnreachableError("pip names no package index: set PIP_INDEX_URL")
    return default


def certificates() -> str | bool:
    """What pip trusts: the file in ``PIP_CERT``; True for the usual certificates."""
    named = os.environ.get("PIP_CERT")
    return named if named and not os.environ.get("REQUESTS_CA_BUNDLE") else True


def versions(session: Any, index: str, project: str) -> list[str] | None:
    """The versions of a project as the index lists them; None when it has no such project.

    Raises :class:`IndexUnreachableError`.
    """
    import requests

    url = f"{index.rstrip('/')}/{project}/"
    try:
        with session.get(url, headers={"Accept": _ACCEPT}, timeout=_TIMEOUTS, stream=True) as answer:
            if answer.status_code == 404:
                return None
            if answer.status_code != 200:
                raise IndexUnreachableError(f"{shown(url)}: the index answered {answer.status_code}")
            content = answer.raw.read(_MAX_BYTES + 1, decode_content=True)
            kind = answer.headers.get("content-type", "")
    except (requests.RequestException, OSError) as error:
        raise IndexUnreachableError(f"{shown(url)}: {reason(error)}") from None
    if len(content) > _MAX_BYTES:
        raise IndexUnreachableError(f"{shown(url)}: the answer is longer than {_MAX_BYTES // 1024 // 1024} MiB")
    try:
        return sorted(_from_json(content) if "json" in kind else _from_html(content, project))
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        raise IndexUnreachableError(f"{shown(url)}: the answer is no list of files") from None


def _from_json(content: bytes) -> set[str]:
    document = json.loads(content)
    listed = document.get("versions")
    if isinstance(listed, list):
        return {str(version) for version in listed}
    return set(filter(None, (version_of(entry["filename"], document["name"]) for entry in document["files"])))


def _from_html(content: bytes, project: str) -> set[str]:
    parser = _Links()
    parser.feed(content.decode("utf-8", "replace"))
    if not parser.is_page:
        raise ValueError
    return set(filter(None, (version_of(name, project) for name in parser.names)))


def version_of(filename: str, project: str) -> str | None:
    """The version in the name of a wheel or source archive of ``project``; None for any other file."""
    form = r"[-_.]+".join(map(re.escape, re.split(r"[-_.]+", project)))
    match = re.fullmatch(
        rf"{form}-(?P<version>[0-9][^-]*)(?:-.+\.whl|\.tar\.gz|\.zip|\.tar\.bz2)", filename.strip(), re.IGNORECASE
    )
    return match["version"] if match else None


class _Links(HTMLParser):
    """Collects the texts of links."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.is_page = False
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A link begins, or the page does."""
        self.is_page = True
        self._inside = tag == "a"

    def handle_endtag(self, tag: str) -> None:
        """It ends."""
        self._inside = False

    def handle_data(self, data: str) -> None:
        """Its text."""
        if self._inside:
            self.names.append(data)


def _pip(arguments: list[str]) -> str | None:
    try:
        done = subprocess.run(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None
