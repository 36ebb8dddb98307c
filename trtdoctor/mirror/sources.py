"""A source as it is named on the command line: ``KIND:[UPSTREAM=]MIRROR``."""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import urlsplit

from trtdoctor.config.mirrors import Mirror, MirrorError, of_table
from trtdoctor.lazyre import pattern
from trtdoctor.mirror_facts import KINDS
from trtdoctor.text import clean

_PLAIN = pattern(r"[^A-Za-z0-9]+")
_TAGGED = pattern(r"(.*/[^/:]+):([A-Za-z0-9_][A-Za-z0-9._-]{0,127})")
_EXAMPLES = {
    "oci": "oci:registry.example:5000/ngc/nvidia/tensorrt",
    "pypi": "pypi:https://mirror.example/simple/",
    "apt": "apt:https://mirror.example/ubuntu2204/x86_64/",
    "status": "status:https://mirrors.example/static/tunasync.json",
}


def parse_source(text: str) -> Mirror:
    """``oci:nvcr.io/nvidia/tensorrt=registry.corp:5000/ngc/nvidia/tensorrt``, ``pypi:https://mirror.example/simple/``.

    Its id is the kind, the end of the mirror's path and a few digits: the same for the same pair, and without the name
    of a host, because it stands in reports that others read. An image with a tag means that tag alone. Raises
    :class:`MirrorError` with one line.
    """
    kind, colon, rest = text.strip().partition(":")
    if not colon or kind not in KINDS:
        known = "the id of a [[mirror]] in the configuration, or KIND:[UPSTREAM=]MIRROR"
        raise MirrorError(f"{clean(text, 60)!r} is no source: wanted {known}, such as {_EXAMPLES['oci']}")
    upstream, equals, mirror = rest.partition("=")
    if not equals:
        upstream, mirror = "", rest
    if not mirror.strip() or (equals and not upstream.strip()):
        raise MirrorError(f"{clean(text, 60)!r} names no address: wanted such as {_EXAMPLES[kind]}")
    table: dict[str, Any] = {"id": "x", "kind": kind, "mirror": mirror.strip()}
    if upstream.strip():
        table["upstream"] = upstream.strip()
    tagged = _TAGGED.fullmatch(table["mirror"]) if kind == "oci" else None
    if tagged is not None:
        table |= {"mirror": tagged[1], "tags": (tagged[2],)}
    made = of_table(table, "")
    path = [part for part in urlsplit(made.mirror).path.split("/") if part]
    tail = "-".join(filter(None, (_PLAIN.sub("-", part).strip("-") for part in path[-2:])))[:40]
    pair = f"{made.upstream or ''}={made.mirror}{''.join(made.tags)}"
    digest = hashlib.sha256(pair.encode("utf-8", "replace")).hexdigest()[:6]
    return of_table({**table, "id": "-".join(filter(None, (kind, tail, digest)))}, "")
