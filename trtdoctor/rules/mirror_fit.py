"""Whether something that a mirror could have is of use to a machine, and whether the site's policy lets it in.

Nothing is judged anew here: what serves which GPU and driver is the matrix's answer (``serving``), what is known to be
bad that of the remedies (``offers``), what images ask of a driver that of the rules on images.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from trtdoctor import times
from trtdoctor.matrix import Row, apt, containers, cuda, serving, tensorrt
from trtdoctor.matrix.judgement import Judgement
from trtdoctor.mirror_facts import MirrorSource
from trtdoctor.obtainable import HeldStack
from trtdoctor.policy import outside_lts
from trtdoctor.rules.base import Context
from trtdoctor.rules.common import libc_of
from trtdoctor.rules.mirror_view import View, is_blank, machines
from trtdoctor.versions import Answer, Version

FITS = Judgement(Answer.YES, "")
_IMAGES_ON_JETSON = 7
"""The JetPack from which on a Jetson takes the plain Arm images (containers.yaml, rule igpu)."""
_WITH_TENSORRT = ("nvidia/tensorrt", "nvidia/pytorch", "nvidia/tritonserver")


def fits(machine: Context, stack: HeldStack, view: View) -> Judgement:
    """Whether a machine can use a TensorRT, as far as the matrix and the files tell; YES for a machine unknown.

    The reason is that of the first thing that forbids it, or that nobody knows.
    """
    key = f"mirror: fits {view.number} {stack.kind} {stack.name}"
    return machine.remember(key, lambda: _fits(machine, stack, view))


def _fits(machine: Context, stack: HeldStack, view: View) -> Judgement:
    if is_blank(machine):
        return FITS
    judged = [item for item in _judged(machine, stack, view) if item.answer is not Answer.YES]
    refused = [item for item in judged if item.answer is Answer.NO]
    return next(iter((*refused, *judged)), FITS)


def _judged(machine: Context, stack: HeldStack, view: View) -> Iterator[Judgement]:
    if stack.kind == "image":
        yield from _as_image(machine, stack, view.source)
    elif machine.stack.jetson:
        yield Judgement(Answer.NO, "TensorRT on a Jetson comes with JetPack")
    elif stack.kind == "apt":
        yield from _as_packages(machine, view.source)
    else:
        yield from _as_wheels(machine, stack, view)
    version = Version.maybe(stack.version)
    if version is not None:
        yield from _as_release(machine, stack, version)


def _as_release(machine: Context, stack: HeldStack, version: Version) -> Iterator[Judgement]:
    row = tensorrt.release(machine.matrix, version)
    platform, flavour = _platform(machine, stack), stack.flavour
    installed = stack.kind != "image"
    if row is not None and flavour and platform and installed and not serving.has_build(row, flavour, platform):
        yield Judgement(Answer.NO, f"there is no {stack.short} for {platform}")
    for gpu in machine.stack.gpus:
        if gpu.compute_capability:
            capability = gpu.compute_capability
            yield tensorrt.serves_version(machine.matrix, version, capability, flavour=flavour, platform=platform)
    if installed:
        yield from _on_driver(machine, row, version, flavour)
    if stack.kind == "pip" and flavour is not None:
        from trtdoctor.rules.offers import is_bad

        if is_bad(machine, version, flavour):
            yield Judgement(Answer.NO, f"TensorRT {version} is known to be bad here")


def _platform(machine: Context, stack: HeldStack) -> str | None:
    """The platform whose build counts; an image on a Jetson is the one for Arm servers."""
    platform = machine.stack.platform
    return "linux-aarch64" if platform == "jetson" and stack.kind == "image" else platform


def _as_wheels(machine: Context, stack: HeldStack, view: View) -> Iterator[Judgement]:
    """By what upstream has for this Python and platform; what the mirror left out of it is no matter of fitting."""
    if libc_of(machine) == "musl":
        yield Judgement(Answer.NO, "NVIDIA's wheels need glibc")
    _, above = view.stacks(machine)
    for other in above:
        if other.kind == stack.kind and other.name == stack.name:
            for part in other.parts:
                if part.own and part.answer is Answer.NO and part.word in ("no-file", "stub-only"):
                    yield Judgement(Answer.NO, part.reason)


def _as_packages(machine: Context, source: MirrorSource) -> Iterator[Judgement]:
    """A repository for another system is of no use."""
    platform = machine.snapshot.platform
    if platform.system == "windows" and not platform.wsl:
        yield Judgement(Answer.NO, "these are packages for Debian and Ubuntu")
        return
    if not (platform.distribution and platform.distribution_version and platform.architecture):
        return
    own = apt.repository(machine.matrix, platform.distribution, platform.distribution_version, platform.architecture)
    address = next((text for text in (source.upstream, source.mirror) if text), None)
    paths = {row.text("path"): row for row in machine.matrix.rows("apt", "repositories")}
    theirs = next((row for path, row in paths.items() if path and address and address.rstrip("/").endswith(path)), None)
    if theirs is not None and (own is None or own.key != theirs.key):
        here = f"{platform.distribution} {platform.distribution_version} {platform.architecture}"
        yield Judgement(Answer.NO, f"this repository is for {theirs.key}, the machine is {here}")


def _as_image(machine: Context, stack: HeldStack, source: MirrorSource) -> Iterator[Judgement]:
    from trtdoctor.obtainable.images import PLATFORMS

    platform, jetson = machine.stack.platform, machine.stack.jetson
    tag = stack.name.rpartition(":")[2]
    item = next((one for one in source.items if (one.version or one.name) == tag), None)
    wanted = PLATFORMS.get(platform or "")
    if platform is not None and platform.startswith("windows"):
        yield Judgement(Answer.NO, "NVIDIA's images are for Linux")
    elif item is not None and item.platforms and wanted is not None and wanted not in item.platforms:
        yield Judgement(Answer.NO, f"{stack.name} is not made for {wanted}")
    if "igpu" in tag and jetson is False:
        yield Judgement(Answer.NO, "igpu images are for Jetson")
    if jetson:
        pack = Version.maybe(machine.snapshot.platform.jetpack or None)
        old = pack is not None and pack.major < _IMAGES_ON_JETSON
        if pack is not None and old is not ("igpu" in tag):
            yield Judgement(Answer.NO, f"JetPack {pack} takes {'igpu' if old else 'plain Arm'} images")
    row = containers.find(machine.matrix, stack.name)
    if row is not None:
        yield from _of_image(machine, stack, row)
    elif stack.flavour is not None and machine.stack.driver is not None and not jetson:
        yield from _on_driver(machine, None, None, stack.flavour)
    if row is None and stack.version is None and stack.name.rpartition(":")[0] in _WITH_TENSORRT:
        yield Judgement(Answer.UNKNOWN, f"which TensorRT is in {stack.name} is not known")


def _of_image(machine: Context, stack: HeldStack, row: Row) -> Iterator[Judgement]:
    """By the image's own notes: its driver, and the GPUs that it begins with."""
    from trtdoctor.rules.image import driver_serves

    judged = driver_serves(machine, row)
    if judged.answer is not Answer.YES:
        yield judged
    floor = row.get("compute_capabilities", "minimum")
    bound = Version.maybe(floor.value)
    for gpu in machine.stack.gpus:
        capability = Version.maybe(gpu.compute_capability)
        if bound is not None and capability is not None and capability.below(bound) is Answer.YES:
            yield Judgement(Answer.NO, f"{row.key} supports compute capability {bound} and newer", (floor,))
        elif bound is None and stack.version is None:
            yield Judgement(Answer.UNKNOWN, f"which GPUs {row.key} supports is not known", (floor,))


def _on_driver(machine: Context, row: Row | None, version: Version | None, flavour: str | None) -> Iterator[Judgement]:
    driver, system = machine.stack.driver, machine.stack.driver_system
    if driver is None or machine.stack.jetson or flavour is None:
        return
    platform = "windows-x86_64" if system == "windows" else "linux-x86_64"
    if row is not None and flavour in tensorrt.flavours(row):
        judged = serving.of_driver(machine.matrix, row, flavour, driver, platform)
    else:
        fact = cuda.major_floor(machine.matrix, Version.parse(flavour[2:]), system)
        floor = Version.maybe(fact.value) if fact else None
        answer = driver.at_least(floor) if floor is not None else Answer.UNKNOWN
        judged = Judgement(answer, f"the floor is {floor}" if floor else "no driver floor is known")
    if judged.answer is not Answer.YES:
        name = f"TensorRT {version} for CUDA {flavour[2:]}" if version is not None else f"CUDA {flavour[2:]}"
        yield Judgement(judged.answer, f"driver {driver} for {name}: {judged.reason}", judged.facts)


def of_use(context: Context, stack: HeldStack, view: View) -> Judgement:
    """Whether any of the machines can use a TensorRT; the reason is that of the first where none can."""
    everyone = machines(context)
    judged = [fits(machine, stack, view) for machine in everyone]
    best = next(
        (item for answer in (Answer.YES, Answer.UNKNOWN) for item in judged if item.answer is answer), judged[0]
    )
    if best.answer is not Answer.YES and len(everyone) > 1:
        return Judgement(best.answer, f"for none of {len(everyone)} machines; {best.reason}", best.facts)
    return best


# -- the site's policy -------------------------------------------------------------------------------------------------


def allowed(context: Context, stack: HeldStack) -> Judgement:
    """Whether the policy lets a TensorRT in. Words: ``denied``, ``channel``, ``young``, ``undated`` (UNKNOWN)."""
    said = _refused(context, stack)
    if said is not None:
        return Judgement(Answer.NO, said, (), "denied")
    policy, version = context.policy, Version.maybe(stack.version)
    if policy.channel == "lts" and version is not None:
        text = outside_lts(context.matrix, version, stack.flavour, context.as_of)
        if text is not None:
            return Judgement(Answer.NO, text, (), "channel")
    return of_age(context, stack.released, stack.released_by)


def of_age(context: Context, released: str | None, by: str | None) -> Judgement:
    """Whether something is as old as the policy wants. Words: ``young``, ``undated`` (UNKNOWN)."""
    days = context.policy.age
    if days is None:
        return FITS
    moment = no_earlier(released, by)
    if moment is None:
        reason = f"its date is not known, so nobody can tell whether it is {days} days old"
        return Judgement(Answer.UNKNOWN, reason, (), "undated")
    age = (context.as_of - moment.date()).days
    if age < days:
        return Judgement(Answer.NO, f"released {moment.date()}, {max(age, 0)} days ago; wanted {days}", (), "young")
    return FITS


def no_earlier(released: str | None, by: str | None) -> datetime | None:
    """A time by which something was out: of a month in a tag, which is only the earliest, its last day."""
    moment = times.parse(released)
    if moment is not None and by == "month":
        following = (moment.replace(day=1) + timedelta(days=32)).replace(day=1)
        return following - timedelta(days=1)
    return moment


def _refused(context: Context, stack: HeldStack) -> str | None:
    policy, version = context.policy, Version.maybe(stack.version)
    if stack.kind == "image":
        said = policy.refuses_image(stack.name.rpartition(":")[2])
        if said is not None:
            return said
    if version is not None and (said := policy.refuses("tensorrt", version)) is not None:
        return said
    for part in stack.parts:
        exact = Version.maybe(part.wanted.removeprefix("==")) if part.own and stack.kind == "pip" else None
        if exact is not None and (said := policy.refuses(f"package:{part.name}", exact)) is not None:
            return said
    return None
