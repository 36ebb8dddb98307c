"""Stacks that a mirror has only in part: what an installer takes from it, and then fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from trtdoctor.findings import FoundFact, Severity
from trtdoctor.lazyre import pattern
from trtdoctor.record import record
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import advice
from trtdoctor.rules.mirror_asked import asked
from trtdoctor.versions import Answer

if TYPE_CHECKING:
    from trtdoctor.obtainable import HeldStack, Part
    from trtdoctor.rules.mirror_view import View

_NEEDS, _WHEELS, _PARTS = "needs", "wheels", "parts"
_FACTS = 12
_FLAVOUR = pattern(r"-cu\d+")
"""What is missing of one CUDA flavour and of another is mostly missing for one reason."""
_SYNC = "trtdoctor mirror sync-config writes down what is missing, for the tool that fills the mirror."


@record
class Torn:
    """Stacks of one source that lack the same kind of thing."""

    view: View
    kind: str
    """``needs`` (of builds), ``wheels`` (behind stubs), ``parts`` (of TensorRT itself)."""
    names: tuple[str, ...]
    """Distributions or packages that are missing."""
    stacks: tuple[HeldStack, ...]
    """Newest first."""
    missing: tuple[str, ...]
    """Files, as far as their names are known."""
    newest: bool
    """Whether one of them is as new as, or newer than, the newest that is whole: the one that installers take."""


@rule("MIR101", "half-synced-stack", severity=Severity.ERROR, components=("mirror", "tensorrt", "package"))
def half_synced_stack(context: Context) -> Iterable[Problem]:
    """The mirror has a TensorRT only in part, or lacks what its build takes.

    Why it matters: An installer takes the newest release that it finds. Where a part of that one is missing it fails,
    or it goes back to an older part that does not belong to it, although the mirror has an older release whole.

    Example: A mirror has tensorrt, tensorrt-cu13 and tensorrt-cu13-bindings 11.4.0.106 and not tensorrt-cu13-libs.

    How to fix: Sync the missing files; until then pin the newest release that is whole.

    Sources: package_index, wheel_stub_sdist, apt_scripts
    """
    for item in torn(context):
        if item.kind == _WHEELS:
            continue
        what = _named(item.stacks)
        if item.kind == _NEEDS:
            title = f"{item.view.name} lacks {_some(item.names)}, which the build of {what} takes"
        else:
            title = f"{item.view.name} has {what} only in part: {_some(item.names)} is missing"
        yield Problem(
            Severity.ERROR if item.newest else Severity.WARNING,
            title,
            breaks="Installing it from this mirror fails."
            if item.newest
            else "Installing just that version from this mirror fails; a newer one is whole.",
            detail=f"Missing: {_some(item.missing, 8)}.{_flaw(context, item)}",
            facts=tuple(_facts(item)),
            remedy=advice("mirror", _SYNC),
        )


@rule(
    "MIR102",
    "stub-without-wheel",
    severity=Severity.ERROR,
    components=("mirror", "tensorrt", "package"),
)
def stub_without_wheel(context: Context) -> Iterable[Problem]:
    """The mirror has the stub of TensorRT's libraries, and where stubs get their wheels from here there is none of it.

    Why it matters: On the package index TensorRT's libraries are a stub of a few kilobytes. Its build fetches the real
    wheel from NVIDIA's own index, or from the one that WHEEL_STUB_PIP_INDEX_URL names, without credentials. A mirror
    of the package index alone has no TensorRT at all.

    Example: tensorrt_cu13_libs-11.4.0.106.tar.gz (15 KB) is mirrored, and the mirror of pypi.nvidia.com has no wheel of
    tensorrt-cu13-libs 11.4.0.106.

    How to fix: Bring the wheel itself to the mirror of the index, where installers prefer it to the stub; or to the
    index that WHEEL_STUB_PIP_INDEX_URL names.

    Sources: wheel_stub_sdist, trt_2933, trt_3060
    """
    for item in torn(context):
        if item.kind != _WHEELS:
            continue
        stubs = [
            f"{part.name} {part.wanted[2:]}" for one in item.stacks for part in one.parts if part.word == "stub-only"
        ]
        place = item.view.source.side("wheels")
        why = next((part.reason for part in item.stacks[0].parts if part.word == "stub-only"), "")
        yield Problem(
            Severity.ERROR if item.newest else Severity.WARNING,
            f"{item.view.name} has the stub of {_some(stubs, 1)}, and nothing here has its wheel",
            breaks="pip downloads the stub, whose build finds no wheel: nothing is installed.",
            detail=why,
            facts=(
                *_facts(item),
                *((FoundFact("wheels behind stubs", place.state, place.address, "mirrors"),) if place else ()),
            ),
            remedy=advice("mirror", _SYNC),
        )


def _flaw(context: Context, item: Torn) -> str:
    """That what is here only in part would mend a published flaw of what is here whole."""
    from trtdoctor.rules.mirror_lag import unfixed

    names = {stack.name for stack in item.stacks}
    for one in unfixed(context):
        if one.torn and one.gap.view is item.view and one.fixed.name in names:
            return f" It has security fixes that the newest whole one lacks (bulletins {one.fixes.numbers})."
    return ""


def torn(context: Context) -> tuple[Torn, ...]:
    """What mirrors have only in part, by what is missing; for any of the machines that are asked about."""
    if not asked(context):
        return ()
    return context.remember("mirror: torn", lambda: tuple(_torn(context)))


def _torn(context: Context) -> Iterator[Torn]:
    from trtdoctor.rules.mirror_view import machines

    for view in asked(context):
        found: dict[tuple[str, tuple[str, ...]], dict[str, tuple[HeldStack, list[Part], bool]]] = {}
        for machine in machines(context):
            for stack, parts, newest in _incomplete(machine, view):
                for kind, lacking in _causes(parts):
                    key = (kind, tuple(dict.fromkeys(_FLAVOUR.sub("", part.name) for part in lacking)))
                    found.setdefault(key, {}).setdefault(stack.name, (stack, lacking, newest))
        for (kind, _), entries in found.items():
            stacks = tuple(sorted((one for one, _, _ in entries.values()), key=lambda one: one.order, reverse=True))
            every = [part for _, lacking, _ in entries.values() for part in lacking]
            yield Torn(
                view,
                kind,
                tuple(dict.fromkeys(part.name for part in every)),
                stacks,
                tuple(dict.fromkeys(name for part in every for name in _files(part))),
                any(newest for _, _, newest in entries.values()),
            )


def _incomplete(machine: Context, view: View) -> Iterator[tuple[HeldStack, list[Part], bool]]:
    """The stacks that a machine could use, are not denied, and lack what upstream has or nobody can ask it for."""
    from trtdoctor.rules.mirror_fit import allowed, fits

    here, above = view.stacks(machine)
    whole = [stack.order for stack in here if stack.complete is Answer.YES and stack.kind != "image"]
    upstream = {stack.name: stack for stack in above}
    for stack in here:
        if stack.kind == "image" or stack.complete is not Answer.NO:
            continue
        if allowed(machine, stack).word in ("denied", "channel") or fits(machine, stack, view).answer is Answer.NO:
            continue
        other = upstream.get(stack.name)
        nowhere = {part.name for part in other.parts if part.answer is Answer.NO} if other is not None else set()
        lacking = [part for part in stack.parts if part.answer is Answer.NO and part.name not in nowhere]
        lacking = [part for part in lacking if part.word != "build-need"]
        if lacking:
            yield stack, lacking, not whole or stack.order >= max(whole)


def _causes(parts: Sequence[Part]) -> Iterator[tuple[str, list[Part]]]:
    """What is missing, by its kind: what builds take is another cause than a part that was not synced."""
    own = [part for part in parts if part.own]
    needs = [part for part in parts if not part.own]
    if needs:
        yield _NEEDS, needs
    if own:
        yield (_WHEELS if all(part.word == "stub-only" for part in own) else _PARTS), own


def _files(part: Part) -> tuple[str, ...]:
    from trtdoctor.obtainable.model import spoken

    return part.files or (spoken(part),)


def _named(stacks: Sequence[HeldStack]) -> str:
    """``TensorRT 11.4.0 (pip, CUDA 13)``; of several the newest, and how many more there are."""
    more = f" and {len(stacks) - 1} more" if len(stacks) > 1 else ""
    return f"{stacks[0].short}{more}"


def _some(names: Sequence[str], most: int = 3) -> str:
    from trtdoctor.rules.mirror_view import some

    return some(list(names), most)


def _facts(item: Torn) -> Iterator[FoundFact]:
    for name in item.missing[:_FACTS]:
        yield item.view.found(f"{name}: missing")
