"""What regsync and Harbor take, as JSON schemas of our own: neither can be run here.

regsync: the fields of regclient's cmd/regsync/config.go and config/host.go at 725072f (2026-07-01), as far as we use
them. Harbor: ReplicationPolicy of goharbor/harbor's api/v2.0/swagger.yaml at c50c7dd (2026-08-21), and what
src/controller/replication/model/model.go and src/pkg/reg/model/policy.go refuse. Nothing else is let through.
"""

from __future__ import annotations

from typing import Any

_TEXT = {"type": "string", "minLength": 1}


def _of(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


_SYNC = _of(
    ["source", "target", "type"],
    source=_TEXT,
    target=_TEXT,
    type={"enum": ["repository", "image"]},
    tags=_of(["allow"], allow={"type": "array", "items": _TEXT, "minItems": 1}),  # none at all would be every tag
    platform=_TEXT,
    platforms={"type": "array", "items": _TEXT, "minItems": 2},
)
_SYNC["allOf"] = [
    {"if": {"properties": {"type": {"const": "repository"}}}, "then": {"required": ["tags"]}},
    {"if": {"properties": {"type": {"const": "image"}}}, "then": {"not": {"required": ["tags"]}}},
]
REGSYNC = _of(
    ["version", "sync"],
    version={"const": 1},
    creds={
        "type": "array",
        "items": _of(
            ["registry"],
            registry=_TEXT,
            tls={"enum": ["enabled", "insecure", "disabled"]},
            user=_TEXT,
            # Read from a variable when regsync runs: no secret stands in the file.
            **{"pass": {"type": "string", "pattern": r'^\{\{env "[A-Za-z_][A-Za-z0-9_]*"\}\}$'}},
        ),
    },
    defaults=_of(
        [],
        parallel={"type": "integer"},
        ratelimit=_of([], min={"type": "integer"}, retry={"type": "string", "pattern": r"^\d+m$"}),
    ),
    sync={"type": "array", "items": _SYNC, "minItems": 1},
)

_FILTER = {
    "oneOf": [
        _of(["type", "value"], type={"const": "name"}, value=_TEXT),
        _of(["type", "value", "decoration"], type={"const": "tag"}, value=_TEXT, decoration={"const": "matches"}),
        _of(["type", "value"], type={"const": "resource"}, value={"enum": ["image", "artifact"]}),
    ]
}
HARBOR = {
    "type": "array",
    "items": _of(
        ["name", "src_registry", "dest_namespace", "dest_namespace_replace_count", "filters", "trigger", "enabled"],
        name={"type": "string", "pattern": r"^[a-z0-9]+(?:[._-][a-z0-9]+)*$", "maxLength": 256},
        description={"type": "string"},
        src_registry=_of(["id"], id={"type": "integer", "minimum": 0}),
        # RepositoryNameRe of Harbor's src/lib
        dest_namespace={
            "type": "string",
            "pattern": r"^[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*$",
        },
        dest_namespace_replace_count={"type": "integer", "minimum": -1, "maximum": 127},
        filters={"type": "array", "items": _FILTER},
        trigger=_of(["type"], type={"const": "manual"}),
        replicate_deletion={"const": False},
        override={"type": "boolean"},
        enabled={"const": True},
        speed={"type": "integer"},
    ),
}
