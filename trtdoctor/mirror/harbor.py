"""Harbor's own interface: whether a project is a cache of another registry, and when a tag was pushed there.

Sources: Harbor's documentation and the fields of its API 2.0. Never seen live: the shapes are from documents, and
whatever does not fit them is a :class:`HarborError`, never a fact.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from trtdoctor.lazyre import pattern
from trtdoctor.mirror.registry import Registry
from trtdoctor.mirror.times import iso, parse
from trtdoctor.net.http import Answer, NetError
from trtdoctor.net.words import without_addresses
from trtdoctor.record import record

SERVICE = "harbor-registry"
"""What Harbor's challenge calls its token service."""
_API = "/api/v2.0"
_PAGE = 100
_MOST_PAGES = 200
_BYTES = 5 << 20
_DIGEST = pattern(r"sha256:[0-9a-f]{64}")


class HarborError(ValueError):
    """Harbor's interface gave nothing that could be used; the message is one line."""


@record
class Held:
    """One tag that Harbor has."""

    digest: str
    pushed: str | None
    """When it came there."""


@record
class Project:
    """What Harbor says of a repository."""

    cache: bool
    """Whether it gets what it is asked for from another registry; then its list has only what was pulled before."""
    tags: dict[str, Held]
    complete: bool


def look(registry: Registry) -> Project:
    """Ask for the project and the tags of a repository. Raises :class:`HarborError`."""
    project, _, repository = registry.repository.partition("/")
    if not repository:
        raise HarborError("the address names no repository in a project")
    described = _get(registry, f"/projects/{quote(project, safe='')}")
    if not isinstance(described, dict):
        raise HarborError("it does not describe the project")
    path = f"/projects/{quote(project, safe='')}/repositories/{quote(quote(repository, safe=''), safe='')}/artifacts"
    tags: dict[str, Held] = {}
    complete = False
    for page in range(1, _MOST_PAGES + 1):
        listed = _get(registry, f"{path}?with_tag=true&page={page}&page_size={_PAGE}")
        if not isinstance(listed, list):
            raise HarborError("it lists no artifacts")
        for artifact in listed:
            _add(tags, artifact)
        if len(listed) < _PAGE:
            complete = True
            break
    number = described.get("registry_id")
    return Project(isinstance(number, int) and number > 0, tags, complete)


def _add(tags: dict[str, Held], artifact: Any) -> None:
    if not isinstance(artifact, dict) or not _DIGEST.fullmatch(str(artifact.get("digest"))):
        return
    listed = artifact.get("tags")
    for tag in listed if isinstance(listed, list) else ():
        if isinstance(tag, dict) and isinstance(tag.get("name"), str):
            moment = parse(tag.get("push_time")) if isinstance(tag.get("push_time"), str) else None
            tags.setdefault(tag["name"], Held(artifact["digest"], iso(moment) if moment else None))


def _get(registry: Registry, path: str) -> Any:
    """The document at a path of the interface. It wants a name and a password, whatever the registry wants."""
    login = registry.login
    try:
        answer: Answer = registry.client.get(
            f"{registry.base}{_API}{path}",
            most=_BYTES,
            accept="application/json",
            auth=login.auth() if login is not None else None,
        )
    except NetError as error:
        raise HarborError(without_addresses(str(error))) from None
    if answer.status != 200:
        raise HarborError(f"it answered {answer.status}")
    try:
        return answer.json()
    except ValueError:
        raise HarborError("its answer is no JSON") from None
