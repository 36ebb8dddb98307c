"""Harbor: replication policies, each the body of one ``POST /api/v2.0/replication/policies``.

Sources: Harbor's api/v2.0/swagger.yaml at c50c7dd (2026-08-21), src/controller/replication (what a policy must have,
how a destination's name is made), make/migrations/postgresql (how much a filter may hold). Harbor was never seen live.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

from trtdoctor.lazyre import pattern
from trtdoctor.mirror.emit import EmitOptions
from trtdoctor.mirror.emit.copies import Copy, copies, refuse_names
from trtdoctor.mirror.emit.head import LICENCE, title
from trtdoctor.mirror.emit.names import EmitError
from trtdoctor.mirror.wants import SyncItem

MOST_FILTERS = 1000
"""Characters of all filters of a policy as JSON; Harbor keeps them in a column of 1024."""

_UNNAMED = pattern(r"[^a-z0-9]+")


def emit(items: Sequence[SyncItem], options: EmitOptions) -> str:
    """A JSON array: one policy for each repository, more where its tags do not go into one. Each runs once, by hand.

    Raises :class:`EmitError` where Harbor could not put an image where it belongs.
    """
    found = copies(items, options)
    refuse_names("Harbor's replication", found)
    groups: dict[tuple[str, str], list[Copy]] = {}
    for copy in found:
        groups.setdefault((copy.source.image, copy.target.image), []).append(copy)
    made = []
    for _, members in sorted(groups.items()):
        portions = _portions(members[0].source.path, [copy.tag for copy in members])
        made += [_policy(members[0], tags, options) for tags in portions]
    return json.dumps(made, indent=1) + "\n"


def _policy(copy: Copy, tags: Sequence[str], options: EmitOptions) -> dict[str, Any]:
    namespace, replaced = destination(copy.source.path, copy.target.path)
    number = hashlib.sha256("\n".join([copy.source.image, copy.target.image, *tags]).encode("ascii")).hexdigest()[:8]
    note = f"src_registry.id: the number of the endpoint for {copy.source.scheme}://{copy.source.host}; all platforms"
    return {
        "name": f"trtdoctor-{_UNNAMED.sub('-', copy.source.path)}-{number}",
        "description": f"{title('harbor', options)}. {LICENCE} {note}",
        "src_registry": {"id": options.registry_id},
        "dest_namespace": namespace,
        "dest_namespace_replace_count": replaced,
        "filters": _filters(copy.source.path, tags),
        "trigger": {"type": "manual"},
        "replicate_deletion": False,
        "override": True,
        "enabled": True,
        "speed": -1,
    }


def _filters(repository: str, tags: Sequence[str]) -> list[dict[str, str]]:
    value = tags[0] if len(tags) == 1 else f"{{{','.join(tags)}}}"
    return [
        {"type": "name", "value": repository},
        {"type": "tag", "value": value, "decoration": "matches"},
        {"type": "resource", "value": "image"},
    ]


def _portions(repository: str, tags: Sequence[str]) -> Iterator[list[str]]:
    """The tags in as many as one policy can hold at a time."""
    taken: list[str] = []
    for tag in tags:
        if taken and len(json.dumps(_filters(repository, [*taken, tag]))) > MOST_FILTERS:
            yield taken
            taken = []
        taken.append(tag)
    yield taken


def destination(source: str, target: str) -> tuple[str, int]:
    """The namespace, and how many leading parts of the source's path it stands for. Raises :class:`EmitError`."""
    parts = source.split("/")
    for count in range(len(parts)):
        rest = "/".join(parts[count:])
        if target.endswith(f"/{rest}"):
            return target[: -len(rest) - 1], count
    raise EmitError(f"Harbor cannot put {source} at {target}: it keeps the last part of a name, below a project")
