"""Exactly what is to be synced: what is missing, fits a machine that is asked about, and is let in; never more.

Of a line in which the mirror has something: every newer release, whole; where it has nothing yet, the newest alone.
What it has only in part is completed. What the policy or the fleet leaves out, and what nobody can tell, is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime

from trtdoctor.matrix import Matrix, artefacts
from trtdoctor.matrix.mirrors import wheels_index
from trtdoctor.mirror.wants import SyncItem
from trtdoctor.mirror_facts import MirrorFile, MirrorItem, MirrorSource
from trtdoctor.net.words import host_of
from trtdoctor.obtainable import UPSTREAM, HeldStack, Part, Python
from trtdoctor.obtainable.images import PLATFORMS
from trtdoctor.obtainable.sides import held
from trtdoctor.policy import Policy
from trtdoctor.record import record
from trtdoctor.rules.base import Context
from trtdoctor.rules.mirror_asked import SUBJECT
from trtdoctor.rules.mirror_fit import allowed, of_use
from trtdoctor.rules.mirror_gap import Gap, every_gap, why_left_out
from trtdoctor.rules.mirror_stack import Torn, torn
from trtdoctor.rules.mirror_view import View, is_blank, machines, python_of, views
from trtdoctor.snapshot import Snapshot
from trtdoctor.stack import Stack
from trtdoctor.versions import Answer

_MOST = 200
"""So many things that are left out are told of one source."""


@record
class LeftOut:
    """Something newer that upstream has and that is not synced."""

    source: str
    name: str
    why: str


def wanted(
    sources: Sequence[MirrorSource], matrix: Matrix, policy: Policy, fleet: Iterable[Snapshot], now: datetime
) -> tuple[SyncItem, ...]:
    """What is to be synced for the machines of ``fleet``, or for any where it is empty."""
    return worked_out(context_of(sources, matrix, policy, fleet, now.date()))[0]


def context_of(
    sources: Sequence[MirrorSource], matrix: Matrix, policy: Policy, fleet: Iterable[Snapshot], as_of: date
) -> Context:
    """What rules need to judge mirrors alone."""
    machines = tuple(Stack(item, matrix) for item in fleet)
    stack = Stack(Snapshot(kind="declared", mirrors=tuple(sources)), matrix)
    return Context(stack, matrix, as_of, frozenset((SUBJECT,)), policy=policy, fleet=machines)


def worked_out(context: Context) -> tuple[tuple[SyncItem, ...], tuple[LeftOut, ...]]:
    """What is to be synced, and what is left out although it is newer than what is there."""
    items: dict[tuple[object, ...], SyncItem] = {}
    for item in _items(context):
        key = (item.source, item.kind, item.project, item.version, item.origin)
        other = items.get(key)
        if other is None:
            items[key] = item
        else:
            items[key] = replace(other, files=tuple(dict.fromkeys((*other.files, *item.files))))
    chosen = {(item.source, f"{item.project} {item.version}") for item in items.values()}
    left = [one for one in _left_out(context) if (one.source, one.name) not in chosen]
    return tuple(items.values()), tuple(dict.fromkeys(left))


def _items(context: Context) -> Iterator[SyncItem]:
    for gap in every_gap(context):
        if gap.view.source.upstream is None or gap.view.source.mirror is None:
            continue  # a redacted Snapshot does not say where they are
        for stack in _targets(context, gap):
            yield from _of_stack(gap.machine, gap.view, stack, _why(gap))
    for item in torn(context):
        if item.view.source.upstream is not None and item.view.source.mirror is not None:
            yield from _of_torn(context, item)
    for view in views(context):
        if view.source.kind == "oci" and view.source.upstream is not None and view.source.mirror is not None:
            yield from _images(context, view)


def _targets(context: Context, gap: Gap) -> Sequence[HeldStack]:
    if gap.newest_here is not None:
        return gap.newer
    others = any(one.newest_here is not None for one in every_gap(context) if one.view is gap.view)
    return () if others else gap.newer[:1]


def _why(gap: Gap) -> str:
    here = gap.newest_here
    if here is None:
        return "nothing that would do is here yet"
    return f"newer than {here.short}, the newest that is here"


# -- Python and apt ----------------------------------------------------------------------------------------------------


def _of_stack(machine: Context, view: View, stack: HeldStack, why: str) -> Iterator[SyncItem]:
    """Every part of a stack of upstream's that the mirror lacks."""
    if stack.kind == "image":
        tag = stack.name.rpartition(":")[2]
        found = next((item for item in view.source.items if (item.version or item.name) == tag), None)
        if found is not None and held(found, "mirror", view.source) is Answer.NO:
            yield _image(view, found, why)
        return
    for part in stack.parts:
        if stack.kind == "pip":
            yield from _distribution(machine, view, part, why if part.own else f"{stack.name} takes it")
        elif view.here.packages.at(view.source, part.name, part.wanted).answer is Answer.NO:
            yield from _package(view, part, why)


def _of_torn(context: Context, item: Torn) -> Iterator[SyncItem]:
    for stack in item.stacks:
        for machine in machines(context):
            why = f"{stack.short} is here only in part"
            for part in stack.parts:
                if part.answer is not Answer.NO:
                    continue
                if stack.kind == "pip":
                    yield from _distribution(machine, item.view, part, why)
                else:
                    yield from _package(item.view, part, why)


def _distribution(machine: Context, view: View, part: Part, why: str) -> Iterator[SyncItem]:
    index, python = view.here.index, python_of(machine)
    if part.own:
        version: str | None = part.wanted[2:]
        judged = index.distribution(part.name, part.wanted[2:], python)
    else:
        judged, version = index.any_of(part.name, part.wanted)
    if judged.answer is not Answer.NO or judged.word == "build-need" or version is None:
        return
    for _, item in index.items(part.name, version):
        files = _lacking(item, python if part.own else None)
        if files:
            yield _item(view, item, files, why)
        if part.own:
            yield from _wheel(view, item, python, why)


def _lacking(item: MirrorItem, python: Python | None) -> list[MirrorFile]:
    """Files that only upstream has and that are wanted; of what builds take, one that fits everything."""
    files = [file for file in item.files if file.on == UPSTREAM and not file.yanked]
    named = [file for file in files if not item.missing or file.name in item.missing]
    files = named or files
    if python is None:
        return [file for file in files if file.name.endswith("none-any.whl")][:1] or files[:1]
    return _fitting(files, python)


def _fitting(files: list[MirrorFile], python: Python) -> list[MirrorFile]:
    if python == Python():
        return files
    return [
        file
        for file in files
        if not file.name.endswith(".whl")
        or artefacts.taken([file.name], python=python.python, platform=python.platform, glibc=python.glibc)
    ]


def _wheel(view: View, item: MirrorItem, python: Python, why: str) -> Iterator[SyncItem]:
    """The wheel behind a stub, where none can be had from where stubs get theirs here."""
    if not view.here.index.is_stub(item) or _has_wheel(view, item, python):
        return
    place = view.source.side("wheels")
    own = wheels_index(view.here.matrix)
    if own is None or (place is not None and place.state not in ("ok", "absent", "denied", "other-kind")):
        return  # nobody could tell whether it is there
    nvidia = place is None or place.address is None or host_of(place.address) == host_of(own)
    if nvidia and not any(file.on == "upstream-wheels" for file in item.files) and item.state != "stub-only":
        return  # stubs get it from NVIDIA's own index
    files = _fitting([file for file in item.files if file.on == "upstream-wheels"], python)
    yield _item(view, item, files, f"{why}; the wheel behind the stub", own)


def _has_wheel(view: View, item: MirrorItem, python: Python) -> bool:
    names = [file for file in item.files if file.on in ("wheels", "mirror", "both") and file.name.endswith(".whl")]
    return bool(_fitting(names, python))


def _package(view: View, part: Part, why: str) -> Iterator[SyncItem]:
    """A package of a version, or (cuDNN beside an old TensorRT) the newest that upstream has."""
    table = view.above.packages.found.get(view.source.id, {}).get(part.name, {})
    versions = [part.wanted] if part.wanted in table else list(table)[:1] if part.wanted.startswith(">") else []
    for version in versions:
        for item in table[version]:
            files = [file for file in item.files if file.on == UPSTREAM]
            if files or item.state == "missing":
                yield _item(view, item, files, why)


def _item(view: View, item: MirrorItem, files: Iterable[MirrorFile], why: str, origin: str | None = None) -> SyncItem:
    source = view.source
    return SyncItem(
        source=source.id,
        kind=source.kind,
        upstream=source.upstream or "",
        mirror=source.mirror or "",
        project=item.project or "",
        version=item.version or "",
        files=tuple((file.name, file.size, file.sha256) for file in files),
        why=why,
        origin=origin,
    )


# -- images ------------------------------------------------------------------------------------------------------------


def _images(context: Context, view: View) -> Iterator[SyncItem]:
    """Tags without a platform that is needed, and tags that say no version, which nothing else orders."""
    needed = {PLATFORMS.get(machine.stack.platform or "") for machine in machines(context)} - {None}
    stacks = {stack.name: stack for stack in view.above.stacks(("image",))}
    for item in view.source.items:
        stack = stacks.get(f"{item.project}:{item.version}")
        if stack is None or allowed(context, stack).answer is not Answer.YES:
            continue
        if of_use(context, stack, view).answer is not Answer.YES:
            continue
        lacking = [name for name in item.missing if not needed or name in needed]
        if item.state == "missing-platform" and lacking:
            yield _image(view, item, f"{' and '.join(lacking)} {'is' if len(lacking) == 1 else 'are'} missing")
        elif item.state == "missing" and not stack.order:
            yield _image(view, item, "upstream has it, the mirror does not")


def _image(view: View, item: MirrorItem, why: str) -> SyncItem:
    """All platforms: a copy of some of them has another digest, and can no longer be compared."""
    source = view.source
    return SyncItem(
        source=source.id,
        kind="oci",
        upstream=source.upstream or "",
        mirror=source.mirror or "",
        project=item.project or "",
        version=item.version or item.name,
        digest=item.upstream_digest,
        why=why,
    )


# -- what is left out --------------------------------------------------------------------------------------------------


def _left_out(context: Context) -> Iterator[LeftOut]:
    """What is newer and does not count for any machine, each with the first reason."""
    counted = {(gap.view.number, stack.name) for gap in every_gap(context) for stack in gap.newer}
    told: dict[tuple[str, str], LeftOut] = {}
    for gap in every_gap(context):
        for stack in gap.unsure:
            reason = "whether the mirror has it whole could not be told"
            told.setdefault((gap.view.name, stack.name), LeftOut(gap.view.source.id, stack.name, reason))
        for stack, judged in why_left_out(context, gap):
            if (gap.view.number, stack.name) not in counted:
                told.setdefault((gap.view.name, stack.name), LeftOut(gap.view.source.id, stack.name, judged.reason))
    blank = all(is_blank(machine) for machine in machines(context))
    for view in views(context):
        if blank and any(one.state not in ("ok", "absent") for one in view.source.sides if one.role == "wheels"):
            reason = "where stubs get their wheels could not be asked: whether they are needed too is not known"
            told.setdefault((view.name, "wheels"), LeftOut(view.source.id, "wheels behind stubs", reason))
    yield from list(told.values())[:_MOST]
