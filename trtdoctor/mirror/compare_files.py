"""The files that upstream lists beside those that a mirror lists: one item a version. Python indexes and apt alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from trtdoctor.mirror_facts import MirrorFile, MirrorItem, MirrorSource
from trtdoctor.record import record

Files = Mapping[str, MirrorFile]
"""Name to file."""
Versions = Mapping[str, Files]
"""Version to its files."""
_OF_UPSTREAM = ("both", "upstream")


@record
class Listing:
    """What one side lists."""

    found: Mapping[str, Versions] = field(default_factory=dict)
    """Project to its versions; one that it surely lacks is not in it."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Project to why it could not be told; ``""`` for every project."""
    as_of: Mapping[str, str] = field(default_factory=dict)
    """Project to when it was seen, where that was at an earlier time."""

    def why_not(self, project: str) -> str | None:
        """Why nothing is known of a project; None when what is there is known."""
        return self.reason(project) if project not in self.found else None

    def reason(self, project: str) -> str | None:
        """Why it could not be asked for a project now, whatever is remembered of it."""
        return self.failed.get(project, self.failed.get(""))


@record
class Pair:
    """Both sides, and what of them counts."""

    upstream: Listing
    mirror: Listing
    counts: Callable[[str, str], bool]
    """Whether a version of a project is looked at."""
    order: Callable[[str], Any]
    """A key to sort versions by, for any text that counts."""
    wanted: Callable[[str], bool] = lambda _: True
    """Whether a mirror must have a file of this name."""
    most: Callable[[str], int | None] = lambda _: None
    """Of a project, at most so many of the newest versions of each side are looked at; None for all."""


def remembered(before: MirrorSource | None, upstream: Listing) -> Listing:
    """Upstream with what was known of it before, where it could not be asked now."""
    if before is None or not upstream.failed:
        return upstream
    found: dict[str, dict[str, dict[str, MirrorFile]]] = {}
    as_of: dict[str, str] = {}
    for item in before.items:
        project, version = item.project, item.version
        if project is None or version is None or upstream.why_not(project) is None:
            continue
        files = {file.name: _as_upstream_said(file, item) for file in item.files if file.on in _OF_UPSTREAM}
        seen = item.as_of or before.checked
        if files and seen:
            found.setdefault(project, {})[version] = files
            as_of[project] = max(seen, as_of.get(project, seen))
    return Listing({**upstream.found, **found}, upstream.failed, as_of)


def _as_upstream_said(file: MirrorFile, item: MirrorItem) -> MirrorFile:
    """A file as it was kept, without the digest that may have been the mirror's word."""
    sure = file.on == "upstream" or item.state in ("same", "differs")
    return replace(file, on="upstream", sha256=file.sha256 if sure else None)


def items(projects: Sequence[str], pair: Pair, before: MirrorSource | None) -> Iterator[MirrorItem]:
    """An item for each version that counts of each project, newest first."""
    known = {(item.project, item.version): item for item in before.items} if before is not None else {}
    for project in projects:
        yield from _of_project(project, pair, known)


def _of_project(
    project: str, pair: Pair, known: Mapping[tuple[str | None, str | None], MirrorItem]
) -> Iterator[MirrorItem]:
    above, here = pair.upstream.found.get(project, {}), pair.mirror.found.get(project, {})
    no_above, no_here = pair.upstream.why_not(project), pair.mirror.why_not(project)
    if no_above is not None and no_here is not None:
        detail = f"neither side could be asked: upstream: {no_above}; mirror: {no_here}"
        yield MirrorItem(project, project, None, "unknown", detail=detail)
        return
    as_of = pair.upstream.as_of.get(project)
    for version in sorted(_newest(project, above, pair) | _newest(project, here, pair), key=pair.order, reverse=True):
        files = joined(above.get(version, {}), here.get(version, {}))
        dated = as_of if version in above else None
        item = MirrorItem(f"{project} {version}", project, version, as_of=dated, files=files)
        if no_here is not None:
            yield replace(item, state="unknown", detail=f"the mirror could not be asked: {no_here}")
        elif version not in above and (no_above is not None or as_of is not None):
            detail = f"upstream could not be asked: {pair.upstream.reason(project)}"
            yield replace(item, state="unknown", evidence="listed", detail=detail)
        elif version not in above:
            earlier = known.get((project, version))
            gone = earlier is not None and _was_upstream(earlier)
            yield replace(item, state="gone-upstream" if gone else "extra", evidence="listed")
        elif version not in here:
            missing = tuple(name for name in above[version] if pair.wanted(name))
            if missing:
                yield replace(item, state="missing", evidence="listed", missing=missing)
        else:
            yield _compared(item, above[version], here[version], pair.wanted)


def _newest(project: str, versions: Versions, pair: Pair) -> set[str]:
    counting = [version for version in versions if pair.counts(project, version)]
    return set(sorted(counting, key=pair.order, reverse=True)[: pair.most(project)])


def _was_upstream(item: MirrorItem) -> bool:
    return item.state == "gone-upstream" or any(file.on in _OF_UPSTREAM for file in item.files)


def joined(above: Files, here: Files) -> tuple[MirrorFile, ...]:
    """The files of a version on both sides by name; what is said of one is upstream's word, else the mirror's."""
    found = []
    for name in sorted({*above, *here}):
        one, other = above.get(name), here.get(name)
        if one is not None and other is not None:
            size = one.size if one.size is not None else other.size
            sha256, uploaded = one.sha256 or other.sha256, one.uploaded or other.uploaded
            found.append(MirrorFile(name, size, sha256, uploaded, one.yanked, "both"))
        elif one is not None:
            found.append(replace(one, on="upstream"))
        elif other is not None:
            found.append(replace(other, on="mirror"))
    return tuple(found)


def _compared(item: MirrorItem, above: Files, here: Files, wanted: Callable[[str], bool]) -> MirrorItem:
    """The state of a version that both sides list."""
    shared = [(file, here[name]) for name, file in above.items() if name in here]
    for one, other in shared:
        if one.sha256 and other.sha256 and one.sha256 != other.sha256:
            return replace(
                item,
                state="differs",
                evidence="sha256",
                detail=f"{one.name} is not upstream's",
                upstream_digest=f"sha256:{one.sha256}",
                mirror_digest=f"sha256:{other.sha256}",
            )
        if one.size is not None and other.size is not None and one.size != other.size:
            detail = f"{one.name} has {other.size} bytes here, {one.size} upstream"
            return replace(item, state="differs", evidence="size", detail=detail)
    missing = tuple(name for name, file in above.items() if name not in here and wanted(name) and not file.yanked)
    if missing:
        return replace(item, state="missing-platform", evidence="files", missing=missing)
    if shared and all(one.sha256 and other.sha256 for one, other in shared):
        return replace(item, state="same", evidence="sha256")
    return replace(item, state="present", evidence="listed")
