"""A page of a simple index: the files of one project, as JSON or as HTML.

JSON of API 1.x (PEP 691, 700, 792), HTML (PEP 503, 592), and the plain listings of web servers; whatever a server says
of itself, so only names that a file of the project can have are taken, and nothing here is longer than it may be.
Source: the specification "Simple repository API" of the Python Packaging User Guide.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from trtdoctor.lazyre import pattern
from trtdoctor.record import record
from trtdoctor.text import clean

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
MOST_BYTES = 32 * 1024 * 1024
MOST_FILES = 20_000
_LONGEST_TAG = 8192
"""Characters of one ``<a …>``; a longer one is no link of an index."""
_MOST_BROKEN = 100
"""Links without end on one page."""
_MOST_LINKS = 3 * MOST_FILES
_MOST_SIGNS = {b"{": 8 * MOST_FILES, b"[": 8 * MOST_FILES, b'"': 80 * MOST_FILES}
"""Of JSON: what begins objects and lists, and both ends of strings. Each takes tens or hundreds of bytes once read."""
_LARGEST = 1 << 50
"""Bytes; a larger size is not believed."""

_ANCHOR = pattern(r"<a(?=[\s>])", re.IGNORECASE)
_TAG = pattern(r"""(?:[^>"']|"[^"]*"|'[^']*')*>""")
_ATTRIBUTE = pattern(r"""([^\s"'>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?""")
_SERIAL = pattern(r"SERIAL[ \t]{1,4}(\d{1,15})", re.ASCII)
_FILE = pattern(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,254}", re.ASCII)
_DISTRIBUTION = pattern(r"\.(?:whl|tar\.gz|zip|tar\.bz2)$", re.IGNORECASE)
_SHA256 = pattern(r"[0-9a-fA-F]{64}", re.ASCII)
_METADATA = frozenset(("data-core-metadata", "data-dist-info-metadata"))
_TIME = pattern(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d{1,9})?(?:Z|\+00:?00)?", re.ASCII)


class PageError(ValueError):
    """The answer is no page of an index, or breaks a limit; the message is half a sentence."""

    def __init__(self, message: str, *, hostile: bool = False) -> None:
        super().__init__(message)
        self.hostile = hostile
        """Whether it broke a limit."""


@record
class IndexFile:
    """One file of a project."""

    name: str
    version: str
    """As the name has it."""
    url: str
    """Absolute, without fragment."""
    size: int | None = None
    """Bytes."""
    sha256: str | None = None
    uploaded: str | None = None
    """``2026-11-18T09:12:44Z``."""
    yanked: bool = False
    requires_python: str | None = None
    """A specifier of Python versions, such as ``>=3.9``."""
    metadata: bool = False
    """Whether the file's metadata can be had by themselves, at its address with ``.metadata`` behind (PEP 658)."""


@record
class Page:
    """What an index says of one project."""

    files: tuple[IndexFile, ...]
    versions: frozenset[str]
    """Those that the page lists by themselves, else those of its files."""
    api: str | None = None
    """``1.1``; None for HTML."""
    serial: int | None = None
    """Of upstream's last change to the project, where the server passes it on."""
    status: str | None = None
    """``archived``, ``quarantined``, ``deprecated``, where the server says so."""
    dropped: int = 0
    """Wheels and source archives whose names no such file can have: paths, control characters."""


def read(body: bytes, kind: str, project: str, base: str = "") -> Page:
    """The page of ``project`` in an answer of the media type ``kind`` from the address ``base``.

    Raises :class:`PageError`.
    """
    if kind.endswith("json") or (not kind.endswith("html") and body.lstrip()[:1] == b"{"):
        if any(body.count(sign) > most for sign, most in _MOST_SIGNS.items()):
            raise PageError(f"more than {MOST_FILES} files can have", hostile=True)
        try:
            return _of_json(json.loads(body), project, base)
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            raise error if isinstance(error, PageError) else PageError("no list of files") from None
    return _of_html(body.decode("utf-8", "replace"), project, base)


def version_of(filename: str, project: str) -> str | None:
    """The version in the name of a wheel or source archive of ``project``; None for any other file."""
    form = r"[-_.]+".join(map(re.escape, re.split(r"[-_.]+", project)))
    match = re.fullmatch(
        rf"{form}-(?P<version>[0-9][^-]*)(?:-.+\.whl|\.tar\.gz|\.zip|\.tar\.bz2)", filename.strip(), re.IGNORECASE
    )
    return match["version"] if match else None


def _of_json(document: dict[str, Any], project: str, base: str) -> Page:
    meta = document.get("meta") or {}
    api = str(meta.get("api-version", "1.0"))[:10]
    if not api.startswith("1."):
        raise PageError(f"API {clean(api)}, which is not known")
    files = _Files(project, base)
    if not isinstance(document["files"], list):
        raise PageError("no list of files")
    for entry in document["files"]:
        name, url = str(entry["filename"]), entry.get("url")
        hashes, size = entry.get("hashes"), entry.get("size")
        files.add(
            name,
            url if isinstance(url, str) else name,
            size=size if type(size) is int and 0 <= size < _LARGEST else None,
            sha256=_digest(hashes.get("sha256")) if isinstance(hashes, dict) else None,
            uploaded=_time(entry.get("upload-time")),
            yanked=bool(entry.get("yanked")),
            requires_python=_specifier(entry.get("requires-python")),
            metadata=bool(entry.get("core-metadata", entry.get("dist-info-metadata"))),
        )
    stated = document.get("versions")
    versions = frozenset(map(str, stated[:MOST_FILES])) if isinstance(stated, list) else files.versions
    serial, status = str(meta.get("_last-serial", "")), document.get("project-status")
    status = status.get("status") if isinstance(status, dict) else None
    return Page(
        tuple(files.found),
        versions,
        api,
        int(serial) if re.fullmatch(r"\d{1,15}", serial, re.ASCII) else None,
        clean(status, 40) if isinstance(status, str) and status != "active" else None,
        files.dropped,
    )


def _of_html(text: str, project: str, base: str) -> Page:
    text, comments = _without_comments(text)
    files = _Files(project, base)
    is_page = re.search(r"<(?:!doctype|html|body|h1|a)\b", text[:4096], re.IGNORECASE) is not None
    for attributes in _anchors(text):
        link = attributes.get("href", "")
        try:
            parts = urlsplit(link)
        except ValueError:
            continue
        algorithm, _, digest = parts.fragment.partition("=")
        files.add(
            unquote(parts.path.rpartition("/")[2]),
            link.partition("#")[0],
            sha256=_digest(digest) if algorithm == "sha256" else None,
            yanked="data-yanked" in attributes,
            requires_python=_specifier(attributes.get("data-requires-python")),
            metadata=not _METADATA.isdisjoint(attributes),
        )
    if not is_page:
        raise PageError("no list of files")
    found = _SERIAL.search(comments)
    return Page(tuple(files.found), files.versions, None, int(found[1]) if found else None, None, files.dropped)


class _Files:
    """Collects the files of a project, each name once."""

    def __init__(self, project: str, base: str) -> None:
        self.found: list[IndexFile] = []
        self.dropped = 0
        self._project = project
        self._base = base
        self._names: set[str] = set()

    @property
    def versions(self) -> frozenset[str]:
        return frozenset(item.version for item in self.found)

    def add(self, name: str, url: str, **known: Any) -> None:
        """Take a file when its name is that of a wheel or source archive of the project."""
        if not _FILE.fullmatch(name):
            self.dropped += _DISTRIBUTION.search(name[-20:]) is not None
            return
        version = version_of(name, self._project)
        if version is None or name in self._names:
            return
        if len(self.found) >= MOST_FILES:
            raise PageError(f"more than {MOST_FILES} files", hostile=True)
        self._names.add(name)
        try:
            whole = urljoin(self._base, url)
        except ValueError:
            whole = ""
        self.found.append(IndexFile(name, version, whole, **known))


def _anchors(text: str) -> Iterator[dict[str, str]]:
    """The attributes of each link. Time grows with the length of the text alone, whatever is in it."""
    broken, links, at = 0, 0, 0
    while (start := _ANCHOR.search(text, at)) is not None:
        links, at = links + 1, start.end()
        if links > _MOST_LINKS:
            raise PageError(f"more than {_MOST_LINKS} links", hostile=True)
        tag = _TAG.match(text, at, at + _LONGEST_TAG)
        if tag is None:
            broken += 1
            if broken > _MOST_BROKEN:
                raise PageError(f"more than {_MOST_BROKEN} links without an end", hostile=True)
            continue
        at = tag.end()
        found: dict[str, str] = {}
        for name, *values in _ATTRIBUTE.findall(tag.group()):
            found.setdefault(name.lower(), html.unescape(next(filter(None, values), "")).strip())
        yield found


def _without_comments(text: str) -> tuple[str, str]:
    """The text without its comments, and the last comment, where serials stand."""
    kept, last, at = [], "", 0
    while (start := text.find("<!--", at)) >= 0:
        kept.append(text[at:start])
        end = text.find("-->", start + 4)
        if end < 0:
            return "".join(kept), last
        last, at = text[start + 4 : min(end, start + 4096)], end + 3
    kept.append(text[at:])
    return "".join(kept), last


def _digest(value: Any) -> str | None:
    return value.lower() if isinstance(value, str) and _SHA256.fullmatch(value) else None


def _specifier(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) < 200 else None


def _time(value: Any) -> str | None:
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    return f"{match[1]}T{match[2]}Z" if match else None
