"""Releases that the world has and the matrix lacks."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urljoin

from trtdoctor.matrix import cudnn, tensorrt
from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.pipindex import IndexUnreachableError, certificates, index_url, versions
from trtdoctor.net.words import reason, shown
from trtdoctor.record import record
from trtdoctor.text import clean
from trtdoctor.versions import Version

_TAG = re.compile(r"(\d\d\.\d\d)-(?:py3|trtllm-python-py3)", re.ASCII)
_TIMEOUTS = (10, 30)
_PAGES = 50


@record
class Missing:
    """Something that the matrix has no row for."""

    where: str
    """Project of the index, or image."""
    version: str
    newer: bool
    """Whether it is newer than every row, so that it came after the matrix."""


@record
class Outdated:
    """What was asked, and what is missing."""

    index: str
    asked: tuple[str, ...]
    missing: tuple[Missing, ...]


def projects(matrix: Matrix) -> list[str]:
    """The projects to ask for: whole products and cuDNN, one name for what is always released together."""
    return [
        row.key
        for row in matrix.rows("distributions", "distributions")
        if row.text("real") != "placeholder" and row.get("real").value != "placeholder"
        if (row.text("component"), row.text("part")) in (("tensorrt", "meta"), ("cudnn", "runtime"))
        if row.text("product") not in ("lean", "dispatch")
    ]


def lacks(matrix: Matrix, project: str, listed: Iterable[str]) -> list[Missing]:
    """Which of the versions that an index lists for a project the matrix knows nothing of, newest first.

    Development builds, and what the matrix calls a placeholder, are no releases. A project that is none of ours gives
    an empty list.
    """
    row = next((row for row in matrix.rows("distributions", "distributions") if row.key == project), None)
    component = row.text("component") if row else None
    if component not in ("tensorrt", "cudnn"):
        return []
    rtx = row is not None and row.text("product") == "rtx"
    known = _in_wheels(matrix, project)
    found = []
    for text in listed:
        version = Version.maybe(text)
        if version is None or text in known or "dev" in version.suffix.lower() or not any(version.parts[:2]):
            continue
        if component == "cudnn":
            there, rows = cudnn.releases(matrix, version), matrix.rows("cudnn", "releases")
        else:
            product = "rtx" if rtx else "full"
            there, rows = tensorrt.releases(matrix, version, product), tensorrt.all_releases(matrix, product)
        if not there:
            newest = max(Version.parse(other.key).parts for other in rows)
            found.append(Missing(project, clean(text, 60), version.parts[: len(newest)] > newest))
    return sorted(found, key=lambda item: Version.parse(item.version).parts, reverse=True)


def of_index(matrix: Matrix) -> Outdated:
    """Ask pip's index. Raises :class:`IndexUnreachableError` when it cannot be asked."""
    import requests

    index = index_url()
    found: list[Missing] = []
    asked: list[str] = []
    with requests.Session() as session:
        session.verify = certificates()
        for project in projects(matrix):
            listed = versions(session, index, project)
            if listed is not None:
                asked.append(project)
                found += lacks(matrix, project, listed)
    if not asked:
        raise IndexUnreachableError(f"{shown(index)}: it has none of {', '.join(projects(matrix))}")
    return Outdated(shown(index), tuple(asked), tuple(found))


def of_registry(matrix: Matrix) -> Outdated:
    """Ask the registry of NVIDIA's containers for months that the matrix lacks; raises IndexUnreachableError."""
    import requests

    months: dict[str, set[str]] = {}
    for row in matrix.rows("containers", "images"):
        months.setdefault(row.text("image") or "", set()).add(row.text("month") or "")
    months.pop("", None)
    found: list[Missing] = []
    with requests.Session() as session:
        for image, known in months.items():
            host, _, name = image.partition("/")
            newest = max(known)
            tags = (match[1] for match in map(_TAG.fullmatch, _tags(session, host, name)) if match)
            # Months before the first row are history that nobody misses.
            lacking = sorted({tag for tag in tags if tag > min(known)} - known, reverse=True)
            found += [Missing(image, month, month > newest) for month in lacking]
    host = next(iter(months), "").partition("/")[0]
    return Outdated(host, tuple(months), tuple(found))


def _tags(session: Any, host: str, name: str) -> list[str]:
    """Every tag of an image, with an anonymous token where the registry wants one."""
    import requests

    url: str | None = f"https://{host}/v2/{name}/tags/list?n=1000"
    headers: dict[str, str] = {}
    found: list[str] = []
    try:
        for _ in range(_PAGES):
            if url is None:
                return found
            answer = session.get(url, headers=headers, timeout=_TIMEOUTS)
            if answer.status_code == 401 and not headers:
                headers = {"Authorization": f"Bearer {_token(session, answer.headers.get('www-authenticate', ''))}"}
                continue
            answer.raise_for_status()
            found += [str(tag) for tag in answer.json()["tags"] or ()]
            following = answer.links.get("next", {}).get("url")
            url = urljoin(url, following) if following else None
    except (requests.RequestException, OSError) as error:
        raise IndexUnreachableError(f"{host}/{name}: {reason(error)}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise IndexUnreachableError(f"{host}/{name}: the answer is no list of tags") from None
    return found


def _token(session: Any, challenge: str) -> str:
    fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = fields.pop("realm", "")
    if not realm.startswith("https://"):
        raise ValueError("no realm")
    answer = session.get(realm, params=fields, timeout=_TIMEOUTS)
    answer.raise_for_status()
    document = answer.json()
    return str(document.get("token") or document["access_token"])


def _in_wheels(matrix: Matrix, project: str) -> set[str]:
    """The versions of a project that wheels.yaml lists one by one."""
    return {
        str(version)
        for row in matrix.rows("wheels", "wheels")
        if project in (row.get("distributions").value or ())
        for version in row.get("versions").value or ()
    }
