"""One tag at upstream and at the mirror: what is known of both made a state; what differs is looked at more closely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trtdoctor.mirror import images
from trtdoctor.mirror.oci_sides import Pair
from trtdoctor.mirror.registry import Look, Registry, RegistryError
from trtdoctor.mirror.tags import remembered
from trtdoctor.mirror_facts import MirrorItem
from trtdoctor.net.http import AT_ONCE
from trtdoctor.net.together import each
from trtdoctor.record import record

CLOSELY = 60
"""Tags that differ and are looked at by platform in one run."""
_BY_PLATFORM = ("same", "differs", "missing-platform")


@record
class Verdict:
    """The state of a tag and what it rests on."""

    state: str
    """One of ``mirror_facts.STATES``."""
    evidence: str | None = None
    detail: str | None = None
    missing: tuple[str, ...] = ()
    """Platforms that upstream has and the mirror has not."""
    platforms: tuple[str, ...] = ()
    """Of upstream's image, where they were seen."""


@record
class Listed:
    """Whether a side lists a tag."""

    here: bool | None
    """None where that is not known."""
    why: str | None = None
    """Why it is not known, or what it is worth."""
    proves: bool = True
    """False for a list that leaves out what can be had (only what was pulled before is on it)."""


def at_upstream(pair: Pair, tag: str, ours: frozenset[str]) -> Listed:
    """Whether upstream has a tag, now or by what is remembered; ``ours``: the tags that it has."""
    side = pair.upstream
    if tag in ours:
        fresh = not pair.recalls or remembered(pair.before.get(tag), pair.checked, pair.now) is not None
        return Listed(True) if fresh else Listed(None, f"{side.why}; what it had when it last answered is too long ago")
    if pair.recalls:
        return Listed(None, side.why)
    return Listed(False) if side.tags is None or side.tags.complete else Listed(None, "its list of tags is not whole")


def at_mirror(pair: Pair, tag: str) -> Listed:
    """Whether the mirror has a tag."""
    side, kind = pair.side, pair.kind
    if tag in side.names:
        return Listed(True)
    if kind.cache and not kind.reaches:
        return Listed(None, "it cannot reach its upstream")
    if kind.cache and kind.project is not None:
        return Listed(False, "it is a cache that lists what was pulled before: it may well give this one", proves=False)
    if side.tags is None and side.state != "absent":
        return Listed(None, side.why)
    return Listed(False) if side.tags is None or side.tags.complete else Listed(None, "its list of tags is not whole")


def had(item: MirrorItem | None) -> bool:
    """Whether upstream is known to have had it when it was last looked at."""
    once = ("same", "present", "missing", "differs", "missing-platform", "listed-not-held", "gone-upstream")
    return item is not None and (bool(item.upstream_digest or item.released) or item.state in once)


def state_of(upstream: Listed, mirror: Listed, ours: Look, theirs: Look, *, once: bool) -> Verdict:
    """The state of a tag, before its platforms are compared.

    ``once``: whether upstream is known to have had the tag at an earlier time.
    """
    if theirs.state == "there":
        mirror = Listed(True)
    if upstream.here is None:
        return Verdict("unknown", detail=f"upstream could not be asked: {upstream.why}")
    if not upstream.here:
        if not mirror.here:
            return Verdict("unknown", detail=mirror.why)
        if once:
            return Verdict("gone-upstream", "listed")
        return Verdict("extra", "listed", "upstream does not list it; whether it ever did is not known")
    if mirror.here is None:
        return Verdict("unknown", detail=f"the mirror could not be asked: {mirror.why}")
    if not mirror.here:
        if theirs.state == "unknown":
            return Verdict("unknown", detail=f"the mirror: {theirs.detail}")
        if not mirror.proves and theirs.state != "not-there":
            return Verdict("unknown", detail=mirror.why)
        return Verdict("missing", "listed" if mirror.proves else "manifest")
    return _both(ours, theirs)


def _both(ours: Look, theirs: Look) -> Verdict:
    """Both list it."""
    if theirs.state == "not-there":
        return Verdict("listed-not-held", "manifest", "the mirror lists it, and says that it has no such manifest")
    if theirs.state == "unknown":
        return Verdict("unknown", detail=f"the mirror: {theirs.detail}")
    if ours.state == "there" and theirs.state == "there":
        return Verdict("same" if ours.digest == theirs.digest else "differs", "digest")
    if ours.state == "not-there":
        return Verdict("present", "listed", "upstream lists it, and says that it has no such manifest")
    why = ours.detail or theirs.detail
    return Verdict("present", "listed", f"not compared: {why}" if why else None)


def closely(
    pair: Pair, tags: Sequence[str], verdicts: Mapping[str, Verdict], looks: tuple[Mapping[str, Look], ...]
) -> tuple[dict[str, Verdict], list[str]]:
    """The verdicts on tags that differ, by platform, and notes.

    What an earlier look found of the same two digests still holds. ``looks``: what upstream and the mirror say.
    """
    found: dict[str, Verdict] = {}
    open_ones: list[tuple[str, str, str]] = []
    for tag in (tag for tag in tags if verdicts[tag].state == "differs"):
        ours, theirs = (look[tag].digest or "" for look in looks)
        past = pair.before.get(tag)
        known = past is not None and (past.upstream_digest, past.mirror_digest) == (ours, theirs)
        if past is not None and known and past.platforms and past.state in _BY_PLATFORM:
            found[tag] = Verdict(past.state, past.evidence, past.detail, past.missing, past.platforms)
        elif not pair.recalls:
            open_ones.append((tag, ours, theirs))
    chosen = open_ones[:CLOSELY]
    answers = each(
        lambda one: platforms(pair.upstream.registry, pair.side.registry, *one[1:], pair.mirror.platforms),
        chosen,
        at_once=AT_ONCE,
        seconds=pair.side.registry.client.left,
    )
    found |= {one[0]: answer for one, answer in zip(chosen, answers, strict=True) if answer is not None}
    for tag, verdict in found.items():
        past, ours = pair.before.get(tag), looks[0][tag].digest or ""
        moved = past is not None and past.mirror_digest == looks[1][tag].digest == past.upstream_digest != ours
        if moved and verdict.state == "differs" and not verdict.detail:
            found[tag] = Verdict("differs", "digest", "upstream moved the tag", verdict.missing, verdict.platforms)
    more = len(open_ones) - len(chosen)
    return found, [f"{more} more tags that differ were not compared by platform in this run"] if more else []


def platforms(upstream: Registry, mirror: Registry, ours: str, theirs: str, wanted: tuple[str, ...]) -> Verdict:
    """What two images with digests ``ours`` (upstream's) and ``theirs`` differ in: platforms, or what is in them.

    ``wanted``: the platforms that count; empty for all that upstream has. A mirror that was filled for one platform
    alone holds that platform's own manifest under the tag.
    """
    try:
        whole = by_platform(upstream, ours)
    except RegistryError as error:
        return Verdict("differs", "digest", f"platforms not compared: upstream: {error}")
    alone = [name for name, digest in whole.items() if digest == theirs]
    try:
        held = dict.fromkeys(alone, theirs) if alone else by_platform(mirror, theirs)
    except RegistryError as error:
        return Verdict("differs", "digest", f"platforms not compared: the mirror: {error}")
    needed = [name for name in whole if name in wanted] or list(whole)
    missing = tuple(name for name in needed if name not in held)
    other = [name for name in needed if name in held and held[name] != whole[name]]
    if other or not whole:
        detail = f"another image for {', '.join(other)}" if len(other) < len(needed) else None
        return Verdict("differs", "digest", detail, missing, tuple(whole))
    if missing:
        has = ", ".join(name for name in needed if name in held) or "other platforms"
        return Verdict("missing-platform", "platforms", f"the mirror has {has}", missing, tuple(whole))
    return Verdict("same", "platforms", "the index differs, the images in it do not", (), tuple(whole))


def by_platform(registry: Registry, digest: str) -> dict[str, str]:
    """The images of a tag by their platform: those of an index, or the one that it is.

    Raises :class:`RegistryError`.
    """
    image = images.read(*registry.manifest(digest))
    if image.index:
        found: dict[str, str] = {}
        for platform, child in image.children:
            found.setdefault(platform, child)
        return found
    if image.configuration is None:
        return {}
    name = images.platform_of(registry.configuration(image.configuration))
    return {name: digest} if name else {}
