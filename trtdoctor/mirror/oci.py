"""A repository of container images at a mirror, beside the same one upstream.

A run costs the lists of both sides, at most one HEAD for each tag and side, and the configurations of the newest
images; a run that knows what an earlier one saw asks only for what is new or may have moved. No layer is touched
unless ``held = "deep"`` asks for it. Proven with docker-registry 2.8.2; nvcr.io, NGC's catalogue and Harbor were never
seen live.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from trtdoctor.config.mirrors import Mirror
from trtdoctor.matrix import mirrors
from trtdoctor.matrix.load import Matrix
from trtdoctor.mirror import ngc, oci_sides
from trtdoctor.mirror.oci_asking import looks
from trtdoctor.mirror.oci_compare import Verdict, at_mirror, at_upstream, closely, had, state_of
from trtdoctor.mirror.oci_inside import Inside, insides, layers
from trtdoctor.mirror.oci_sides import Pair
from trtdoctor.mirror.registry import Look
from trtdoctor.mirror.tags import by_tag, month, relevant
from trtdoctor.mirror.times import iso, parse
from trtdoctor.mirror_facts import MirrorItem, MirrorSource
from trtdoctor.net.http import Client
from trtdoctor.net.words import shown
from trtdoctor.snapshot import MAX_ITEMS

_TRUST = ("pushed", "annotation", "image created", "first seen", "month")
"""What says when upstream got a tag, the best first: the last two but one are the builder's word."""


def look(
    mirror: Mirror,
    matrix: Matrix,
    client: Client,
    *,
    before: MirrorSource | None,
    now: datetime,
    environ: Mapping[str, str],
) -> MirrorSource:
    """Compare a repository at a mirror with its upstream.

    ``before``: what an earlier look found; what is taken from it says so (``as_of``). Raises ValueError for what is
    configured wrong (no repository in the address, no upstream to be told, a variable that is not set), and for nothing
    that a server does.
    """
    asked = client.requests
    address = mirror.upstream or oci_sides.usual_upstream(mirror, matrix)
    registries = oci_sides.registries(mirror, matrix, client, address, environ)
    if before is not None and (before.upstream, before.mirror) != (shown(address), shown(mirror.mirror)):
        before = None  # it was another pair
    upstream, side = oci_sides.listed(*registries)
    past = before.side("upstream") if before is not None else None
    pair = Pair(
        mirror,
        matrix,
        upstream,
        side,
        oci_sides.kind_of(mirror, side),
        by_tag(before.items) if before is not None else {},
        before.checked if before is not None else None,
        past is not None and past.state == "ok",
        now,
    )
    items, notes, hosts = _items(pair)
    return MirrorSource(
        id=mirror.id,
        kind="oci",
        upstream=shown(address),
        mirror=shown(mirror.mirror),
        checked=iso(now),
        sides=oci_sides.as_facts(pair, hosts),
        items=items,
        notes=tuple(dict.fromkeys(notes)),
        requests=client.requests - asked,
    )


def _items(pair: Pair) -> tuple[tuple[MirrorItem, ...], list[str], dict[str, str]]:
    """Every tag that is looked at, newest first; notes; and who else answered for a side."""
    notes = [pair.kind.note] if pair.kind.note else []
    for side, name in ((pair.upstream, "upstream"), (pair.side, "the mirror")):
        notes += [f"{name}: {note}" for note in (side.tags.notes if side.tags is not None else ())]
    ours = frozenset(tag for tag, item in pair.before.items() if had(item)) if pair.recalls else pair.upstream.names
    tags = _chosen(pair, ours | pair.side.names, notes)
    seen = looks(pair, tags, ours)
    hosts = {side.role: side.tags.host for side in (pair.upstream, pair.side) if side.tags is not None}
    for role, answers in zip(("upstream", "mirror"), seen, strict=True):
        hosts[role] = hosts.get(role) or next((answer.host for answer in answers.values() if answer.host), "")
    verdicts = {
        tag: state_of(
            at_upstream(pair, tag, ours),
            at_mirror(pair, tag),
            seen[0][tag],
            seen[1][tag],
            once=had(pair.before.get(tag)),
        )
        for tag in tags
    }
    by_platform, said = closely(pair, tags, verdicts, seen)
    verdicts |= by_platform
    notes += said
    verdicts |= {tag: found for tag, found in ((tag, _held(pair, verdicts[tag])) for tag in tags) if found is not None}
    if pair.mirror.held == "deep":
        absent, said = layers(pair, tags, seen[1])
        notes += said
        for tag, detail in absent.items():
            was = verdicts[tag]
            verdicts[tag] = Verdict("listed-not-held", "layers", detail, was.missing, was.platforms)
    inner, said = insides(pair, tags, ours, verdicts, seen)
    notes += said
    pushed = _pushed(pair, notes)
    unasked = sum(verdict.state == "present" for verdict in verdicts.values())
    notes += [f"{unasked} tags were not compared: see the detail of each"] if unasked else []
    return (
        tuple(
            _item(pair, tag, verdicts[tag], seen[0][tag], seen[1][tag], inner.get(tag, Inside()), pushed.get(tag))
            for tag in tags
        ),
        notes,
        {role: host for role, host in hosts.items() if host},
    )


def _chosen(pair: Pair, names: frozenset[str], notes: list[str]) -> tuple[str, ...]:
    """The tags that are looked at, newest first."""
    tags = relevant(pair.matrix, pair.upstream.registry.repository, names, pair.mirror.tags)
    if not pair.mirror.tags and len(tags) < len(names):
        notes.append(f"{len(names) - len(tags)} other tags were left out; those that are to count can be named by tags")
    if len(tags) > MAX_ITEMS:
        notes.append(f"{len(tags)} tags are too many: the newest {MAX_ITEMS} were looked at")
    return tags[:MAX_ITEMS]


def _held(pair: Pair, verdict: Verdict) -> Verdict | None:
    """The state of a tag that a cache lists, where it is known to hold nothing of it."""
    if verdict.state != "present" or not pair.kind.empty or pair.probed:
        return None
    return Verdict("listed-not-held", "catalogue", "the mirror lists it, and holds no layer of this repository")


def _pushed(pair: Pair, notes: list[str]) -> Mapping[str, str]:
    """When tags were pushed upstream, where NGC's catalogue knows that."""
    registry = pair.upstream.registry
    known = mirrors.upstream_at(pair.matrix, "oci", registry.base)
    api = known.row.text("api_address") if known is not None else None
    if api is None or (known is not None and known.api != "ngc") or pair.upstream.tags is None:
        return {}
    try:
        return ngc.pushed(registry.client, api, registry.repository)
    except ngc.CatalogueError as error:
        notes.append(f"upstream: NGC's catalogue gave no dates: {error}")
        return {}


def _item(
    pair: Pair, tag: str, verdict: Verdict, ours: Look, theirs: Look, inner: Inside, pushed: str | None
) -> MirrorItem:
    released, by = _released(pair, tag, ours, inner, pushed)
    project = pair.kind.project
    held = project.tags.get(tag) if project is not None else None
    old = [moment for moment in (ours.as_of, theirs.as_of) if moment]
    of_mirror = verdict.state in ("extra", "gone-upstream") or (pair.recalls and ours.digest is None)
    return MirrorItem(
        name=tag,
        project=pair.upstream.registry.repository,
        version=tag,
        state=verdict.state,
        evidence=verdict.evidence,
        detail=verdict.detail,
        as_of=min(old, default=None),
        upstream_digest=ours.digest or (None if of_mirror else inner.digest),
        mirror_digest=theirs.digest or (inner.digest if of_mirror else None),
        released=released,
        released_by=by,
        mirrored=held.pushed if held is not None else None,
        platforms=inner.platforms or verdict.platforms,
        missing=verdict.missing,
        components=inner.components,
    )


def _released(pair: Pair, tag: str, ours: Look, inner: Inside, pushed: str | None) -> tuple[str | None, str | None]:
    """When upstream got a tag, by the best evidence that there is; nothing for what upstream is not known to have."""
    repository = pair.upstream.registry.repository
    past = pair.before.get(tag)
    if tag not in pair.upstream.names and not had(past):
        return None, None
    said: dict[str, str] = dict(reversed(inner.created))
    if pushed is not None:
        said["pushed"] = pushed
    if pair.listed_before and not had(past) and tag in pair.upstream.names:
        said["first seen"] = iso(pair.now)
    if past is not None and past.released and past.released_by in _TRUST and parse(past.released) is not None:
        same = ours.digest is None or past.upstream_digest == ours.digest
        if same or past.released_by in ("first seen", "month"):
            said.setdefault(past.released_by, past.released)
    earliest = month(pair.matrix, repository, tag)
    if earliest is not None:
        said["month"] = earliest
    return next(((said[by], by) for by in _TRUST if by in said), (None, None))
