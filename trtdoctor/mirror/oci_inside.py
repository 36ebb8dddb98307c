"""What is in the newest images of a repository, by their configurations; and whether the mirror gives every layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from trtdoctor.matrix import mirrors
from trtdoctor.mirror import images
from trtdoctor.mirror.oci_compare import Verdict
from trtdoctor.mirror.oci_sides import Pair
from trtdoctor.mirror.registry import Look, Registry, RegistryError
from trtdoctor.mirror_facts import MirrorComponent, MirrorItem
from trtdoctor.net.http import AT_ONCE
from trtdoctor.net.together import each
from trtdoctor.net.words import host_of
from trtdoctor.record import record

NEWEST = 24
"""Images whose configuration is read in one run; of the others the matrix may know something.

Where each counts as a pull, of which only so many are allowed, the matrix says how many instead (``reads``).
"""
MOST_LAYERS = 3000
USUAL = "linux/amd64"
"""The platform whose configuration stands for an image with several, unless the user wants another."""


@record
class Inside:
    """What an image says of itself."""

    digest: str | None = None
    platforms: tuple[str, ...] = ()
    components: tuple[MirrorComponent, ...] = ()
    created: tuple[tuple[str, str], ...] = ()
    """What says when it was made (``annotation``, ``image created``), and the time, the best first."""


def insides(
    pair: Pair,
    tags: Sequence[str],
    ours: frozenset[str],
    verdicts: Mapping[str, Verdict],
    looks: tuple[Mapping[str, Look], Mapping[str, Look]],
) -> tuple[dict[str, Inside], list[str]]:
    """What is in the images of ``tags`` (newest first), by tag, and notes.

    Read from upstream where that has the tag, else from the mirror; of images that differ from both. What an earlier
    look read under the same digest still holds.
    """
    found: dict[str, Inside] = {}
    wanted: list[tuple[str, str]] = []
    most = _most(pair)
    differing = [tag for tag in tags if verdicts[tag].state == "differs"][:most]
    for tag in tags:
        roles = ["mirror" if pair.recalls or tag not in ours else "upstream"]
        roles += ["mirror"] if tag in differing and not pair.recalls else []
        shared = "both" if verdicts[tag].state == "same" else roles[0]
        past = _past(pair, tag, looks, on=shared if len(roles) == 1 else None)
        if past is not None:
            found[tag] = past
        elif tag in tags[:most] or tag in differing:
            wanted += [(tag, role) for role in roles if _may_ask(pair, tag, role)]

    def one(question: tuple[str, str]) -> Inside | str:
        tag, role = question
        registry, look = (
            (pair.upstream.registry, looks[0][tag]) if role == "upstream" else (pair.side.registry, looks[1][tag])
        )
        shared = "both" if verdicts[tag].state == "same" else role
        try:
            return _read(pair, registry, look.digest or tag, shared)
        except RegistryError as error:
            return str(error)

    answers = each(one, wanted, at_once=AT_ONCE, seconds=pair.side.registry.client.left)
    failed = [answer for answer in answers if isinstance(answer, str)]
    for (tag, _), answer in zip(wanted, answers, strict=True):
        if isinstance(answer, Inside):
            first = found.get(tag)
            found[tag] = replace(first, components=first.components + answer.components) if first else answer
    host = host_of(pair.upstream.registry.base)
    for tag in tags:
        if tag not in found and tag in ours:
            known = images.by_matrix(pair.matrix, host, pair.upstream.registry.repository, tag)
            found[tag] = Inside(components=known)
    return found, [f"the contents of {len(failed)} images could not be read: {failed[0]}"] if failed else []


def _most(pair: Pair) -> int:
    known = mirrors.upstream_at(pair.matrix, "oci", pair.upstream.registry.base)
    said = known.row.get("reads").value if known is not None else None
    return min(said, NEWEST) if isinstance(said, int) else NEWEST


def _may_ask(pair: Pair, tag: str, role: str) -> bool:
    """Whether a side can be asked for a manifest; a cache only where the user wants that."""
    if role == "upstream":
        return pair.upstream.tags is not None
    return tag in pair.side.names and (pair.probed or not pair.kind.cache)


def _past(
    pair: Pair, tag: str, looks: tuple[Mapping[str, Look], Mapping[str, Look]], *, on: str | None
) -> Inside | None:
    """What an earlier look read, where it was of the same image; ``on``: whose it is, None for both in turn."""
    item = pair.before.get(tag)
    if item is None or not item.platforms:
        return None
    ours, theirs = looks[0][tag].digest, looks[1][tag].digest
    same = ours == item.upstream_digest if ours else theirs is not None and theirs == item.mirror_digest
    if on is None and theirs != item.mirror_digest:
        same = False
    if not same or not (item.components or item.released_by == "image created"):
        return None
    components = item.components if on is None else tuple(replace(one, on=on) for one in item.components)
    return Inside(ours or theirs, item.platforms, components, _said(item))


def _said(item: MirrorItem) -> tuple[tuple[str, str], ...]:
    known = item.released_by in ("annotation", "image created") and item.released
    return ((item.released_by or "", item.released or ""),) if known else ()


def _read(pair: Pair, registry: Registry, reference: str, on: str) -> Inside:
    """What a manifest and the configuration of one of its images say. Raises :class:`RegistryError`."""
    image = images.read(*registry.manifest(reference))
    annotated, digest = [image.created], image.digest
    if image.index:
        children = dict(reversed(image.children))
        child = next((children[name] for name in (*pair.mirror.platforms, USUAL, *children) if name in children), None)
        if child is None:
            return Inside(digest)
        platforms: tuple[str, ...] = tuple(dict(image.children))
        image = images.read(*registry.manifest(child))
        annotated.append(image.created)
    if image.configuration is None:
        return Inside(digest)
    configuration = registry.configuration(image.configuration)
    alone = images.platform_of(configuration)
    if len(annotated) == 1:
        platforms = (alone,) if alone else ()
    said = [("annotation", text) for text in annotated if text] + [("image created", configuration.get("created"))]
    made = ((by, images.created(text, pair.now)) for by, text in said)
    times = tuple((by, text) for by, text in made if text is not None)
    return Inside(digest, platforms, images.components(configuration, on), times)


def layers(pair: Pair, tags: Sequence[str], look: Mapping[str, Look]) -> tuple[dict[str, str], list[str]]:
    """Which of the newest ``tags`` the mirror does not give every layer of, with how many, and notes.

    Only where the user wants it: a pull-through mirror fetches and keeps each layer that it is asked for.
    """
    registry = pair.side.registry
    there = [tag for tag in tags if look[tag].state == "there"][:NEWEST]

    def one(tag: str) -> tuple[str, ...] | str:
        try:
            return _layers(pair, registry, look[tag].digest or tag)
        except RegistryError as error:
            return str(error)

    told = dict(zip(there, each(one, there, at_once=AT_ONCE, seconds=registry.client.left), strict=True))
    wanted = {tag: digests for tag, digests in told.items() if isinstance(digests, tuple)}
    failed = [error for error in told.values() if isinstance(error, str)]
    every = tuple(dict.fromkeys(digest for digests in wanted.values() for digest in digests))[:MOST_LAYERS]
    answers = each(registry.holds_layer, every, at_once=AT_ONCE, seconds=registry.client.left)
    absent = {digest for digest, held in zip(every, answers, strict=True) if held is False}
    silent = sum(held is None for held in answers)
    notes = [f"{len(every)} layers of the newest {len(wanted)} images were asked for at the mirror"]
    notes += [f"the layers of {len(failed)} images could not be told: {failed[0]}"] if failed else []
    notes += [f"of {silent} layers the mirror does not say whether it has them"] if silent else []
    counts = {tag: (sum(digest in absent for digest in digests), len(digests)) for tag, digests in wanted.items()}
    return {tag: f"{less} of {all_} layers are not there" for tag, (less, all_) in counts.items() if less}, notes


def _layers(pair: Pair, registry: Registry, reference: str) -> tuple[str, ...]:
    image = images.read(*registry.manifest(reference))
    if not image.index:
        return image.layers
    chosen = [digest for name, digest in image.children if not pair.mirror.platforms or name in pair.mirror.platforms]
    return tuple(layer for digest in chosen for layer in images.read(*registry.manifest(digest)).layers)
