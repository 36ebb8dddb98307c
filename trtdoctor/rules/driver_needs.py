"""Which driver something needs, and whether a forward-compatibility library stands in for it: shared by DRV rules."""

from __future__ import annotations

from trtdoctor.findings import FoundFact, Remedy
from trtdoctor.matrix import Fact, cuda, drivers
from trtdoctor.matrix.judgement import Judgement
from trtdoctor.record import record
from trtdoctor.rules.base import Context
from trtdoctor.rules.releases import candidates, cuda_major, label
from trtdoctor.stack import GpuFact, Installation
from trtdoctor.versions import Version

REFUSED = ("class", "older")
"""Words of drivers.forward_compatible for a pair that cannot work. ``branch`` is none of them: the vendor's table lists
only the branches of its day, and a pair that it no longer lists may have been one."""


@record
class Need:
    """Something that needs a driver, and the least driver for it."""

    label: str
    cuda: Version
    """The CUDA of it, often only its major."""
    floor: Version | None
    facts: tuple[Fact, ...]
    found: FoundFact | None
    component: str


def needs_of(ctx: Context) -> list[Need]:
    """What needs a driver: each TensorRT by the CUDA it was built for; without one, the CUDA that is there."""
    needs: list[Need] = []
    flavours: set[int] = set()
    open_flavour = False
    for item in ctx.stack.of("tensorrt"):
        major = _flavour_major(item)
        if major is None:
            open_flavour = True
        elif is_major_compatible(ctx, major):
            component = "tensorrt-rtx" if item.product == "rtx" else "tensorrt"
            needs.append(need_of(ctx, label(item), Version.parse(str(major)), item.found(), component))
        else:
            flavours.add(major)
    if needs and not open_flavour:
        return needs
    needs += [
        need_of(ctx, f"CUDA {item.version}", item.version, item.found(), "cuda")
        for item in ctx.stack.of("cuda")
        if item.version and (not flavours or item.version.major in flavours or open_flavour)
    ]
    if not needs:
        for toolkit in ctx.snapshot.toolkits:
            version = Version.maybe(toolkit.version)
            if version is not None:
                fact = FoundFact("cuda toolkit", str(version), toolkit.root, "toolkits")
                needs.append(need_of(ctx, f"CUDA toolkit {version}", version, fact, "cuda"))
    return needs or _needs_of_builds(ctx)


def _needs_of_builds(ctx: Context) -> list[Need]:
    """Without a known flavour and without CUDA: the least that any build of the release would need."""
    needs = []
    for item in ctx.stack.of("tensorrt"):
        if item.product == "rtx":
            continue
        majors = {cuda_major(flavour) for _, flavour in candidates(ctx, item)}
        if majors and is_major_compatible(ctx, min(majors)):
            needs.append(need_of(ctx, label(item), Version.parse(str(min(majors))), item.found(), "tensorrt"))
    return needs


def _flavour_major(item: Installation) -> int | None:
    digits = item.flavour[2:] if item.flavour else ""
    return int(digits) if digits.isdecimal() else None


def is_major_compatible(ctx: Context, major: int) -> bool:
    """Whether one driver floor holds for the whole CUDA major."""
    row = cuda.major(ctx.matrix, Version.parse(str(major)))
    return row is not None and row.get("minor_version_compatibility").value is True


def need_of(ctx: Context, name: str, version: Version, found: FoundFact | None, component: str) -> Need:
    """What something that was built for a CUDA version needs."""
    floor, facts = ctx.matrix.remember(
        ("driver need", version, ctx.stack.driver_system), lambda: _floor(ctx, version, ctx.stack.driver_system)
    )
    return Need(name, version, floor, facts, found, component)


def _floor(ctx: Context, version: Version, system: str) -> tuple[Version | None, tuple[Fact, ...]]:
    """The least driver that can serve a CUDA version: the floor of its major, or the one that a toolkit came with.

    CUDA 11.0 came with a driver under the later floor of its family, and that driver serves it.
    """
    major = cuda.major_floor(ctx.matrix, version, system)
    if major is None or (version.minor is None and not is_major_compatible(ctx, version.major)):
        return None, ()
    if major.overlay is not None:  # a site that sets a floor means it, whatever a toolkit once came with
        return Version.maybe(major.value), (major,)
    bounds = [(Version.maybe(major.value), major)]
    for row in cuda.toolkits(ctx.matrix, version):
        fact = row.get("driver", system)
        bounds.append((Version.maybe(fact.value), fact))
    known = [(bound, fact) for bound, fact in bounds if bound is not None]
    if not known:
        return None, ()
    lowest, fact = min(known, key=lambda pair: pair[0].sort_key())
    return lowest, (fact,) if fact is major else (fact, major)


def strictest(ctx: Context) -> Need | None:
    """The need that the newest driver is wanted for."""
    known = [need for need in needs_of(ctx) if need.floor is not None]
    return max(known, key=lambda need: need.floor.sort_key() if need.floor else (), default=None)


def upgrade(ctx: Context, floor: Version | None, reason: str, action: str = "upgrade") -> Remedy:
    """A remedy that names a branch which the vendor still keeps, where the matrix knows one."""
    if floor is None:
        return Remedy("driver", action, None, reason)
    row = ctx.matrix.remember(("advised", floor, ctx.as_of), lambda: drivers.advised(ctx.matrix, floor, ctx.as_of))
    wanted = str(floor)
    if row is not None and int(row.key) > floor.major:
        wanted = row.key
    return Remedy("driver", action, f">={wanted}", reason, (("floor", str(floor)),))


def compat_of(ctx: Context, package: Version | None = None) -> list[tuple[GpuFact | None, Judgement]] | None:
    """What the matrix says of the forward-compatibility library in front, for each kind of GPU; None when none is."""
    if ctx.snapshot.driver.library_kind != "compat":
        return None
    driver = ctx.stack.driver
    version = package or _compat_cuda(ctx)
    if driver is None or version is None:
        return []
    groups: dict[str | None, GpuFact | None] = {gpu.kind: gpu for gpu in ctx.stack.gpus}
    return [
        (gpu, drivers.forward_compatible(ctx.matrix, version, driver, kind))
        for kind, gpu in (groups or {None: None}).items()
    ]


def _compat_cuda(ctx: Context) -> Version | None:
    """The CUDA of the forward-compatibility library: by its file's version, by what it says, or by its image."""
    found = ctx.snapshot.driver
    version = Version.maybe(found.library_version)
    if version is not None:
        known = Version.maybe(drivers.cuda_of(ctx.matrix, version).value)
        if known is not None:
            return known
    if found.cuda:
        return Version.maybe(found.cuda)
    present = {item.version for item in ctx.stack.of("cuda") if item.version and item.version.minor is not None}
    return present.pop() if len(present) == 1 else None


def image_may_help(ctx: Context) -> bool:
    """Whether a container's forward-compatibility library may be in use without anybody having said so.

    NVIDIA's images put one in front when they start on a data-centre GPU with an older driver.
    """
    found = ctx.snapshot
    if found.container is None or found.driver.library_kind is not None:
        return False
    return not ctx.stack.gpus or any(gpu.kind in (None, "datacenter") for gpu in ctx.stack.gpus)
