"""What an item says of one side alone, and whether that side could be asked."""

from __future__ import annotations

from trtdoctor.mirror_facts import MirrorFile, MirrorItem, MirrorSource
from trtdoctor.versions import Answer

MIRROR, UPSTREAM = "mirror", "upstream"
SIDES = (MIRROR, UPSTREAM)
OF_UPSTREAM = ("same", "present", "missing", "differs", "missing-platform", "stub-only", "listed-not-held")
OF_MIRROR = ("same", "present", "extra", "gone-upstream", "missing-platform", "stub-only", "differs")
_NOT_OF = {UPSTREAM: ("extra", "gone-upstream"), MIRROR: ("missing", "listed-not-held")}
_OF = {UPSTREAM: OF_UPSTREAM, MIRROR: OF_MIRROR}


def held(item: MirrorItem, side: str, source: MirrorSource) -> Answer:
    """Whether a side has an item at all; UNKNOWN where that could not be told."""
    if item.state in _OF[side]:
        return Answer.YES
    if item.state in _NOT_OF[side]:
        return Answer.NO
    if files_of(item, side):
        return Answer.YES
    if (item.upstream_digest if side == UPSTREAM else item.mirror_digest) is not None:
        return Answer.YES
    if item.evidence == "listed" and answers(source, side) and not answers(source, other(side)):
        return Answer.YES  # it is known from the only list that there was
    return Answer.UNKNOWN


def files_of(item: MirrorItem, side: str) -> tuple[MirrorFile, ...]:
    """The files that a side itself lists."""
    return tuple(file for file in item.files if file.on in ("both", side))


def answers(source: MirrorSource, side: str) -> bool:
    """Whether a side was asked, and answered as what it is to be."""
    found = source.side(side)
    return found is not None and found.state in ("ok", "absent", "inconsistent")


def other(side: str) -> str:
    """The other side."""
    return UPSTREAM if side == MIRROR else MIRROR


def called(side: str) -> str:
    """In a sentence: ``the mirror``, ``upstream``."""
    return "upstream" if side == UPSTREAM else "the mirror"
