"""What is installed, held against what a mirror was last seen to have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from trtdoctor.findings import FoundFact, Severity
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import advice

if TYPE_CHECKING:
    from datetime import datetime

    from trtdoctor.mirror_facts import MirrorSource
    from trtdoctor.obtainable import Obtainable

FRESH_DAYS = 7
"""What was seen longer ago tells little of today."""


@rule(
    "MIR401",
    "installed-version-not-obtainable",
    severity=Severity.WARNING,
    components=("mirror", "tensorrt", "package"),
)
def installed_version_not_obtainable(context: Context) -> Iterable[Problem]:
    """The TensorRT that is installed cannot be had any more from the mirror that the configuration names.

    Why it matters: It works as before; but the next machine, or this one after a new installation, does not get it.
    Proxy caches let go of what nobody asked for, and upstream deletes old images. No server is asked for this: it
    rests on what `trtdoctor mirror` last saw, and says when that was; older than a week it is mere information.

    Example: TensorRT 10.9.0.34 by pip, and the mirror no longer lists tensorrt-cu12-libs 10.9.0.34.

    How to fix: Bring it to the mirror again, or move to a release that the mirror has.

    Sources: package_index, https://goharbor.io/docs/main/administration/configure-proxy-cache/
    """
    if not context.snapshot.mirrors:
        return
    from trtdoctor.obtainable import Obtainable
    from trtdoctor.rules.mirror_view import machines

    held = Obtainable(context.snapshot.mirrors, context.matrix)
    for machine in machines(context):
        found = list(_gone(machine, held))
        if found:
            yield _problem(context, held, found)


def _gone(machine: Context, held: Obtainable) -> Iterator[tuple[str, FoundFact, str]]:
    """What is installed and surely not there: its name, the fact, and why."""
    from trtdoctor.rules.mirror_view import python_of
    from trtdoctor.rules.releases import distribution_found, tensorrt_distributions
    from trtdoctor.versions import Answer

    wanted = python_of(machine)
    for dist, spec in tensorrt_distributions(machine):
        if dist.version is None or spec.real == "placeholder":
            continue
        judged = held.distribution(
            dist.name, dist.version, python=wanted.python, platform=wanted.platform, glibc=wanted.glibc
        )
        if judged.answer is Answer.NO:
            yield f"{dist.name} {dist.version}", distribution_found(dist), judged.reason
    for package in machine.snapshot.packages:
        if package.manager == "dpkg" and package.version and package.name.startswith("libnvinfer"):
            judged = held.apt(package.name, package.version)
            if judged.answer is Answer.NO:
                fact = FoundFact(package.name, package.version, "dpkg", "packages")
                yield f"{package.name} {package.version}", fact, judged.reason
    image = machine.snapshot.container.image if machine.snapshot.container else None
    if image:
        judged = held.image(image, platform=machine.stack.platform)
        if judged.answer is Answer.NO:
            yield image, FoundFact("container", image, None, "host"), judged.reason


def _problem(context: Context, held: Obtainable, found: list[tuple[str, FoundFact, str]]) -> Problem:
    from trtdoctor.rules.mirror_view import some

    seen = oldest(held.sources)
    days = (context.as_of - seen.date()).days if seen is not None else None
    stale = days is None or days > FRESH_DAYS
    when = f"as of {seen.date()}" if seen is not None else "at a time that is not known"
    names = some([name for name, _, _ in found], 2)
    ids = some([source.id for source in held.sources])
    return Problem(
        Severity.INFO if stale else Severity.WARNING,
        f"{names} cannot be had from {ids}, {when}",
        breaks="Nothing that is installed; it cannot be installed again from there.",
        detail=f"{found[0][2]}. That was seen {_ago(days)}"
        + (": look again with trtdoctor mirror check." if stale else "."),
        facts=(*(fact for _, fact, _ in found[:6]), FoundFact("mirrors", ids, when, "mirrors")),
        remedy=advice("mirror", "Bring it to the mirror again, or move to a release that it has."),
    )


def _ago(days: int | None) -> str:
    if days is None:
        return "nobody knows when"
    return f"{days} day{'s' if days != 1 else ''} ago" if days > 0 else "today"


def oldest(sources: Iterable[MirrorSource]) -> datetime | None:
    """When the one of the sources was looked at that was looked at first; None where one does not say."""
    from trtdoctor import times

    found = [times.parse(source.checked) for source in sources]
    known = [moment for moment in found if moment is not None]
    return min(known) if known and len(known) == len(found) else None
