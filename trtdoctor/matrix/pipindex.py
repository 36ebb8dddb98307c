"""The package index that pip is configured with: where it is, and which versions of a project it lists."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from trtdoctor.net import simple_page
from trtdoctor.net.words import reason, shown

_SECONDS = 30
_TIMEOUTS = (10, 30)
# pip knows the index that it uses when nobody configured one; its name is no business of ours.
_DEFAULT = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"


class IndexUnreachableError(ValueError):
    """The index cannot be asked; the message is one line without user info."""


def index_url(environ: Mapping[str, str] = os.environ) -> str:
    """The address that pip would use: ``PIP_INDEX_URL``, pip's configuration, pip's own default.

    It may hold a password. Raises :class:`IndexUnreachableError` when pip is not there to tell.
    """
    if environ.get("PIP_NO_INDEX", "0").lower() not in ("", "0", "false", "no", "off"):
        raise IndexUnreachableError("pip is told to use no index (PIP_NO_INDEX)")
    stated = environ.get("PIP_INDEX_URL")
    if stated:
        return stated
    settings = _pip(["-m", "pip", "config", "list"], environ)
    for key in ("install.index-url", "global.index-url", "site.index-url"):
        match = re.search(rf"^{re.escape(key)}=(['\"])(?P<url>.+)\1$", settings or "", re.MULTILINE)
        if match:
            return match["url"]
    return own_index(environ)


def extra_urls(environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Further indexes that pip asks: ``PIP_EXTRA_INDEX_URL``, else pip's configuration. They may hold passwords."""
    stated = environ.get("PIP_EXTRA_INDEX_URL")
    if stated is not None:
        return tuple(stated.split())
    settings = _pip(["-m", "pip", "config", "list"], environ) or ""
    for section in ("install", "global", "site"):
        match = re.search(rf"^{section}\.extra-index-url=(['\"])(?P<urls>.+)\1$", settings, re.MULTILINE)
        if match:
            return tuple(match["urls"].replace("\\n", " ").split())
    return ()


def own_index(environ: Mapping[str, str] = os.environ) -> str:
    """The address that pip uses when nobody configured one. Raises :class:`IndexUnreachableError`."""
    default = (_pip(["-c", _DEFAULT], environ) or "").strip()
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
        with session.get(url, headers={"Accept": simple_page.ACCEPT}, timeout=_TIMEOUTS, stream=True) as answer:
            if answer.status_code == 404:
                return None
            if answer.status_code != 200:
                raise IndexUnreachableError(f"{shown(url)}: the index answered {answer.status_code}")
            content = answer.raw.read(simple_page.MOST_BYTES + 1, decode_content=True)
            kind = answer.headers.get("content-type", "")
    except (requests.RequestException, OSError) as error:
        raise IndexUnreachableError(f"{shown(url)}: {reason(error)}") from None
    if len(content) > simple_page.MOST_BYTES:
        raise IndexUnreachableError(f"{shown(url)}: the answer is longer than {simple_page.MOST_BYTES >> 20} MiB")
    try:
        return sorted(simple_page.read(content, kind.partition(";")[0].strip().lower(), project).versions)
    except simple_page.PageError:
        raise IndexUnreachableError(f"{shown(url)}: the answer is no list of files") from None


def _pip(arguments: list[str], environ: Mapping[str, str]) -> str | None:
    try:
        done = subprocess.run(
            [sys.executable, *arguments],
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout if done.returncode == 0 else None
