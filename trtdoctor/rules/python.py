"""The judged Python: wheels, glibc, and distributions that are not what their names say."""

from __future__ import annotations

from collections.abc import Iterable

from trtdoctor.findings import FoundFact, Remedy, Severity
from trtdoctor.matrix import Fact
from trtdoctor.matrix import wheels as wheel_index
from trtdoctor.matrix.distributions import DistributionSpec
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import libc_of
from trtdoctor.rules.releases import (
    distribution_found,
    joined,
    known_spec,
    label,
    platforms_of,
    python_found,
    rows_of,
    tensorrt_distributions,
)
from trtdoctor.rules.wheels import glibc_of, pip_subjects, wheels_for
from trtdoctor.snapshot import Distribution
from trtdoctor.stack import Installation
from trtdoctor.versions import Answer, Version


@rule("PYT101", "no-wheel-for-python", severity=Severity.ERROR, components=("python", "package", "tensorrt"))
def no_wheel_for_python(context: Context) -> Iterable[Problem]:
    """The TensorRT that pip is to install has no wheel for the judged Python.

    Why it matters: pip installs the meta package, which is only a source stub, and the bindings are missing: the
    import fails with "No module named 'tensorrt_bindings'", or pip finds no matching distribution.

    Example: TensorRT 8.6.1 by pip under Python 3.12: its wheels are for 3.6 to 3.11.

    How to fix: Use a Python that the release has wheels for, or the newest release that has them for this Python.

    Sources: package_index
    """
    for item in pip_subjects(context):
        found = wheels_for(context, item)
        if found.platform is Answer.NO or found.python is not Answer.NO:
            continue
        version = context.stack.interpreter.version if context.stack.interpreter else None
        there = joined([_spoken(tag) for tag in found.pythons], "and")
        from trtdoctor.rules.offers import replacement

        reason = f"{label(item)} has wheels for Python {there}"
        yield Problem(
            Severity.ERROR,
            f"{label(item)} has no wheel for Python {version}",
            breaks="pip finds no matching distribution, or installs a stub: No module named 'tensorrt_bindings'.",
            detail=reason + ".",
            facts=(item.found(), *python_found(context)),
            sources=found.facts,
            remedy=replacement(context, item, reason, otherwise="Use a Python that has wheels"),
        )


@rule("PYT102", "glibc-too-old", severity=Severity.ERROR, components=("glibc", "tensorrt", "os"))
def glibc_too_old(context: Context) -> Iterable[Problem]:
    """The glibc here is older than the wheels of this TensorRT, or its libraries, were made for.

    Why it matters: pip does not see the wheel at all; a library taken from a tar file stops in the loader with
    "version `GLIBC_2.28' not found".

    Example: TensorRT 10.9.0 by pip on CentOS 7: the wheels are manylinux_2_28, CentOS 7 has glibc 2.17.

    How to fix: Use a newer distribution or a container, or a TensorRT release that still served this glibc.

    Sources: package_index, rn_10_8_0
    """
    platform = context.snapshot.platform
    have = Version.maybe(platform.glibc)
    if have is None:
        return
    for item in context.stack.tensorrts:
        if item.product == "rtx" or item.version is None:
            continue
        by_wheel = item.origin == "pip"
        floors = list(_wheel_floors(context, item) if by_wheel else _library_floors(context, item))
        bounds = [Version.maybe(floor) for floor, _, _ in floors]
        if not floors or not all(bound and have.below(bound) is Answer.YES for bound in bounds):
            continue
        lowest, _, certainty = min(floors, key=lambda floor: Version.parse(floor[0]).parts)
        surely = certainty == "official" or (by_wheel and not item.directory)
        tag = "its wheels" if by_wheel else "its libraries"
        yield Problem(
            Severity.ERROR if surely else Severity.WARNING,
            f"glibc {have} is older than {label(item)} needs: {tag} want {lowest}",
            breaks="pip finds no matching wheel."
            if by_wheel and not item.directory
            else f"Loading the library fails: version `GLIBC_{lowest}' not found.",
            facts=(FoundFact("glibc", str(have), None, "host"), item.found()),
            sources=tuple(fact for _, fact, _ in floors),
            remedy=_for_glibc(context, item, lowest),
        )


@rule("PYT103", "placeholder-distribution", severity=Severity.ERROR, components=("package", "tensorrt", "python"))
def placeholder(context: Context) -> Iterable[Problem]:
    """A distribution is installed that only looks like a part of the stack: a placeholder, or the old nvidia-tensorrt.

    Why it matters: The placeholders on the Python package index install nothing or fail on purpose; `pip list` looks
    right and the import fails. The old name nvidia-tensorrt gets no releases any more.

    Example: nvidia-tensorrt 99.0.0 is installed and there is no TensorRT.

    How to fix: Uninstall it and install the distribution that has the libraries.

    Sources: pypi, failures_forum, trt_4614
    """
    for name, dist in context.stack.distributions.items():
        if not name.startswith(("nvidia-", "tensorrt", "torch")):
            continue
        spec = known_spec(context.matrix, name)
        if spec is not None and dist.stated_at:
            yield from _stated_placeholder(context, dist, spec)
            continue
        if spec is None or spec.real != "placeholder" or dist.has_libraries is True:
            if spec is not None and name == "nvidia-tensorrt" and dist.has_libraries is True:
                yield _old_name(dist)
            continue
        is_tensorrt = spec.component == "tensorrt" and spec.part == "meta"
        alone = is_tensorrt and not context.stack.builders and "tensorrt" in context.snapshot.searched
        if is_tensorrt and not alone and not _is_newer(context, dist) and dist.has_libraries is None:
            yield _old_name(dist)
            continue
        if not is_tensorrt and dist.has_libraries is None:
            continue  # only a name and a version were stated: old releases of some of these had content
        remedy = Remedy(name, "remove", None, "It installs nothing.")
        if alone:
            from trtdoctor.rules.offers import fitting

            offer = fitting(context, version=None if _is_newer(context, dist) else Version.maybe(dist.version))
            remedy = offer.remedy(f"{name} has no libraries", "replace", (name,)) if offer else remedy
        yield Problem(
            Severity.ERROR if alone else Severity.WARNING,
            f"{name} {dist.version or ''} is a placeholder without libraries".replace("  ", " "),
            breaks="import tensorrt fails although pip lists a TensorRT."
            if alone
            else "It gives nothing, and hides what is missing.",
            facts=(distribution_found(dist),),
            sources=(_row_fact(context, name),),
            components=("package", "tensorrt") if is_tensorrt else ("package", "python"),
            remedy=remedy,
        )


@rule("PYT104", "no-wheel-for-platform", severity=Severity.ERROR, components=("os", "arch", "package"))
def no_wheel_for_platform(context: Context) -> Iterable[Problem]:
    """The TensorRT that pip is to install has no wheel for this operating system, architecture or C library.

    Why it matters: pip installs the source stub, which then looks for wheels that do not exist.

    Example: TensorRT 8.6.1 by pip on Windows: the wheels of that release are for Linux on x86_64 only.

    How to fix: Use the release that has wheels for the platform, or NVIDIA's archive (zip, tar) or packages.

    Sources: package_index
    """
    platform = context.snapshot.platform
    if context.stack.jetson:
        return  # CTR301 speaks
    for item in pip_subjects(context):
        found = wheels_for(context, item)
        musl = libc_of(context) == "musl" and bool(found.tags) and all("musllinux" not in tag for tag in found.tags)
        if found.platform is not Answer.NO and not musl:
            continue
        where = "musl libc" if musl else " ".join(filter(None, (platform.system, platform.architecture)))
        every = sorted({tag for fact in found.facts if isinstance(fact.value, dict) for tag in fact.value})
        from trtdoctor.rules.offers import replacement

        reason = f"{label(item)} has wheels for {joined(every)} only"
        yield Problem(
            Severity.ERROR,
            f"{label(item)} has no wheel for {where}",
            breaks="pip finds no matching distribution, or a stub fails while it looks for the real wheel.",
            detail=reason + ".",
            facts=(item.found(), FoundFact("os", where, None, "host")),
            sources=found.facts,
            remedy=Remedy("os", "choose", None, f"Use a distribution with glibc: {reason}.")
            if musl
            else replacement(
                context, item, reason, otherwise="Use NVIDIA's archive or packages for this platform, not pip"
            ),
        )


def _for_glibc(context: Context, item: Installation, lowest: str) -> Remedy:
    """Another release of the same major whose wheels serve this glibc; else a newer distribution."""
    from trtdoctor.rules.offers import fitting, replacement

    if item.origin == "pip":
        offer = fitting(context, like=item)
        if offer is not None and Version.parse(offer.release).major == item.major:
            return replacement(context, item, f"its wheels serve the glibc that is here, or use glibc {lowest}")
    text = f"Use a distribution or container with glibc {lowest} or newer."
    return Remedy("glibc", "choose", f">={lowest}", text)


def _wheel_floors(context: Context, item: Installation) -> Iterable[tuple[str, Fact, str]]:
    found = wheels_for(context, item)
    if found.platform is Answer.NO or found.python is Answer.NO:
        return  # PYT101 and PYT104 speak
    for tag in found.tags:
        floor = glibc_of(tag)
        if floor is not None:
            yield str(floor), found.facts[0], found.facts[0].certainty


def _library_floors(context: Context, item: Installation) -> Iterable[tuple[str, Fact, str]]:
    for row in rows_of(context, item):
        for platform in platforms_of(context.stack):
            fact = row.get("glibc", platform)
            if not isinstance(fact.value, str) or not fact.known:
                yield "0", fact, fact.certainty  # one candidate without a floor: nothing can be said
            else:
                yield fact.value, fact, fact.certainty


def _stated_placeholder(context: Context, dist: Distribution, spec: DistributionSpec) -> Iterable[Problem]:
    """A requirement on a placeholder. The parts that NVIDIA's own index has under the same name are left alone."""
    if spec.real != "placeholder" or spec.part in ("libs", "bindings"):
        return
    exact = Version.maybe(dist.version)
    found = wheel_index.newest(context.matrix, dist.name, dist.specifier or "")
    version = dist.version if exact else found[0] if found else None
    row = wheel_index.of(context.matrix, dist.name, exact) if exact else found[1] if found else None
    old = row is None and exact is not None and not _is_newer(context, dist)  # not on this index; it had content
    if (row is not None and wheel_index.kind(row) != "placeholder") or (old and dist.name == "nvidia-tensorrt"):
        yield _old_name(dist)
        return
    is_tensorrt = spec.component == "tensorrt"
    others = [other for other, _ in tensorrt_distributions(context) if other is not dist]
    alone = is_tensorrt and row is not None and not others and not context.stack.builders
    offer = None
    if alone:
        from trtdoctor.rules.offers import fitting

        offer = fitting(context)
    what = f"{dist.name} {version}" if exact else dist.name
    if not exact and version is not None:
        what = f"{dist.name} is not pinned: the newest, {version},"
    yield Problem(
        Severity.ERROR if alone else Severity.WARNING,
        f"{what} is a placeholder without libraries",
        breaks="The installation passes or stops in its build, and import tensorrt fails: there is no TensorRT in it."
        if alone
        else "It gives nothing, or stops the installation on purpose.",
        facts=(distribution_found(dist),),
        sources=(row.get("kind") if row is not None else _row_fact(context, dist.name),),
        components=("package", "tensorrt") if is_tensorrt else ("package", "python"),
        remedy=offer.remedy(f"{dist.name} has no libraries", "replace", (dist.name,))
        if offer
        else Remedy(dist.name, "remove", None, "It installs nothing."),
    )


def _old_name(dist: Distribution) -> Problem:
    return Problem(
        Severity.INFO,
        f"{dist.name} {dist.version or ''} is the old name of TensorRT's Python package".replace("  ", " "),
        breaks="Nothing now; it gets no releases any more.",
        facts=(distribution_found(dist),),
        components=("package", "tensorrt"),
    )


def _is_newer(context: Context, dist: Distribution) -> bool:
    version = Version.maybe(dist.version)
    newest = context.matrix.rows("tensorrt", "releases")[0].key
    return version is not None and version.at_least(Version.parse(newest)) is Answer.YES


def _row_fact(context: Context, name: str) -> Fact:
    row = next(row for row in context.matrix.rows("distributions", "distributions") if row.key == name)
    return row.get("real")


def _spoken(tag: str) -> str:
    return f"{tag[2]}.{tag[3:]}"
