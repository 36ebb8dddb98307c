"""Which tags are asked for, by one HEAD for each tag and side at most; who does not answer is not asked for long."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from trtdoctor.mirror.oci_sides import Pair
from trtdoctor.mirror.registry import Look, Registry
from trtdoctor.mirror.tags import remembered
from trtdoctor.net.http import AT_ONCE, TRIES
from trtdoctor.net.together import each

MOST = 1000
"""Tags of one side that are asked for in one run; the rest is asked for by the runs that follow."""
_PATIENCE = 3
"""Questions without an answer, one after another, before no more are asked."""
_SILENT = Look("unasked", detail="a question would change what the mirror holds")
_LATE = Look("unasked", detail="there was no time left to ask")


def looks(pair: Pair, tags: Sequence[str], ours: frozenset[str]) -> tuple[dict[str, Look], dict[str, Look]]:
    """What upstream and the mirror say of each of ``tags`` (newest first), now or when it was last asked.

    ``ours``: what upstream lists, or listed when it last answered. Not asked again are tags that were the same on both
    sides and those that the mirror did not have, for ``tags.DAYS`` and while both sides list them as they did; tags
    that name no release are always asked. A cache is not asked unless the user wants it: that changes what it holds.
    """
    theirs = pair.side.names
    upstream, mirror, ask_upstream, ask_mirror = dict[str, Look](), dict[str, Look](), list[str](), list[str]()
    held = pair.kind.project.tags if pair.kind.project is not None else {}
    for tag in tags:
        item, when = pair.before.get(tag), remembered(pair.before.get(tag), pair.checked, pair.now)
        known = Look("there", item.upstream_digest, as_of=when) if item and when and item.upstream_digest else None
        both, state = tag in ours and tag in theirs, item.state if item is not None else None
        silent = both and pair.kind.cache and not pair.probed and tag not in held
        if tag in held:
            mirror[tag] = Look("there", held[tag].digest)
        elif both and known and item and state == "same" and item.mirror_digest:
            mirror[tag] = Look("there", item.mirror_digest, as_of=when)
        elif (both and not silent) or (tag in ours and pair.kind.cache and pair.probed and pair.side.tags is not None):
            ask_mirror.append(tag)
        if known and (pair.recalls or silent or (state == "same" and both) or (state == "missing" and not both)):
            upstream[tag] = known
        elif pair.recalls:
            upstream[tag] = Look("unasked", as_of=when)
        elif tag in ours and not silent:
            ask_upstream.append(tag)
        if silent:
            mirror[tag] = _SILENT
    questions = ((pair.upstream.registry, ask_upstream), (pair.side.registry, ask_mirror))
    found = each(lambda one: _ask(*one), questions, at_once=2, seconds=pair.side.registry.client.left)
    upstream |= found[0] or dict.fromkeys(ask_upstream, _LATE)
    mirror |= found[1] or dict.fromkeys(ask_mirror, _LATE)
    return {tag: upstream.get(tag, Look()) for tag in tags}, {tag: mirror.get(tag, Look()) for tag in tags}


def _ask(registry: Registry, tags: Sequence[str]) -> dict[str, Look]:
    runner = _Runner(registry)
    found = each(runner.look, tags[:MOST], at_once=AT_ONCE, seconds=registry.client.left)
    over = Look("unasked", detail=f"no more than {MOST} tags are asked for in one run")
    answers = [look or _LATE for look in found] + [over] * (len(tags) - len(found))
    return dict(zip(tags, answers, strict=True))


class _Runner:
    """Stops to ask a registry that gives no answers: each would cost tries and patience."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._lock = threading.Lock()
        self._failed = 0

    def look(self, tag: str) -> Look:
        failed = self._failed
        if failed >= _PATIENCE:
            return Look("unknown", detail=f"not asked any more after {failed} questions without an answer")
        if self._registry.client.left <= 0:
            return _LATE
        found = self._registry.look(tag, tries=1 if failed else TRIES)
        with self._lock:
            self._failed = self._failed + 1 if found.state == "unknown" else 0
        return found
