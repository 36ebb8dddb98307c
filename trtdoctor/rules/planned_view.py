"""What differs from the plan that somebody named: looked up once, for the rules of drift, the report and the fixes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from trtdoctor import debversion
from trtdoctor.declared import snapshot_of
from trtdoctor.demands import gotten
from trtdoctor.lazyre import pattern
from trtdoctor.matrix import distributions, gpus, tensorrt
from trtdoctor.planned import Planned
from trtdoctor.record import record
from trtdoctor.rules.base import Context
from trtdoctor.stack import ABSENT, GpuFact, Installation, Stack
from trtdoctor.versions import Answer, Version

PRODUCTS = {"full": "tensorrt", "rtx": "tensorrt-rtx", "lean": "tensorrt-lean", "dispatch": "tensorrt-dispatch"}
_LIBRARIES = ("cuda", "cudnn", "cublas", "nvrtc")
_BY_HAND = ("archive", "jetpack", "keep")
"""Ways of which the plan pins neither distributions nor packages: its environment alone says what is to be there."""
_GPU = pattern(r"(?:(?P<name>.*), )?(?P<capability>[0-9]{1,2}\.[0-9]{1,2})")
_MONTH = pattern(r"[0-9]{2}\.[0-9]{2}(?:\.[0-9]+)?")


@record
class Difference:
    """One thing that is not what was planned."""

    name: str
    """A distribution, a package, a component, a GPU."""
    planned: str
    found: str | None = None
    """None where it is not there."""
    where: str | None = None


@record
class Compared:
    """One aspect of an environment beside that of a plan."""

    differing: tuple[Difference, ...] = ()
    open: tuple[str, ...] = ()
    """What nobody can tell."""


def compared(context: Context, aspect: str) -> Compared:
    """One of ``ASPECTS``; nothing differs where there is no plan."""
    plan = context.planned
    if plan is None:
        return Compared()
    return context.remember(f"plan: {aspect}", lambda: ASPECTS[aspect](context, plan))


def matches(context: Context) -> Answer:
    """Whether everything is as it was planned."""
    every = [compared(context, aspect) for aspect in ASPECTS]
    if any(item.differing for item in every):
        return Answer.NO
    return Answer.UNKNOWN if any(item.open for item in every) else Answer.YES


def planned_stack(context: Context) -> Stack:
    """What the plan says is there afterwards."""
    environment = context.planned.environment if context.planned is not None else None
    return context.remember("plan: stack", lambda: Stack(snapshot_of(environment), context.matrix))


def _looked(context: Context, probe: str) -> bool:
    """Whether a probe saw all that it looks for, so that what is not there is absent."""
    outcomes = [item.outcome for item in context.snapshot.probes if item.name == probe]
    return context.snapshot.kind == "live" and bool(outcomes) and set(outcomes) == {"ok"}


# -- distributions and packages ----------------------------------------------------------------------------------------


def _pins(context: Context, plan: Planned) -> Compared:
    """The distributions that the plan installs."""
    differing, unsure = [], []
    python = context.stack.interpreter
    looked = python is not None and _looked(context, "python")
    for name, version in plan.pins:
        found = context.stack.distributions.get(name)
        if found is None:
            listed = distributions.identify(context.matrix, name) is not None
            if looked and listed:
                differing.append(Difference(name, version, None, python.path if python else None))
            else:
                unsure.append(name)
            continue
        answer = _is_pin(version, found.version, whole=found.location is not None)
        if answer is Answer.NO:
            differing.append(Difference(name, version, found.version, found.stated_at or found.location))
        elif answer is Answer.UNKNOWN:
            unsure.append(name)
    return Compared(tuple(differing), tuple(unsure))


def _is_pin(planned: str, found: str | None, *, whole: bool) -> Answer:
    """Whether pip would take ``found`` for the pin; ``whole`` unless it may be the beginning of a longer version."""
    from packaging.version import InvalidVersion
    from packaging.version import Version as Release

    if found is None:
        return Answer.UNKNOWN
    try:
        want, have = Release(planned), Release(found)
    except InvalidVersion:
        return Answer.of(planned == found)
    if want == (have if want.local else Release(have.public)):
        return Answer.YES
    plain = have.pre is None and have.post is None and have.dev is None
    begins = plain and have.epoch == want.epoch and want.release[: len(have.release)] == have.release
    return Answer.UNKNOWN if begins and not whole else Answer.NO


def _kept(context: Context, plan: Planned) -> Compared:
    """The distributions that the plan was made beside: they may be left out, but not be others."""
    named = (plan.environment or {}).get("packages") or {}
    pinned = dict(plan.pins)
    differing = []
    for name, found in context.stack.distributions.items():
        wanted, have = Version.maybe(named.get(name)), Version.maybe(found.version)
        if name not in pinned and wanted and have and not wanted.may_be(have):
            where = found.stated_at or found.location
            differing.append(Difference(name, str(wanted), str(have), where))
    return Compared(tuple(differing))


def _packages(context: Context, plan: Planned) -> Compared:
    """The Debian packages that the plan installs."""
    differing, unsure = [], []
    there: dict[str, list[str]] = {}
    for package in context.snapshot.packages:
        if package.manager == "dpkg":
            there.setdefault(package.name, []).append(package.version or "")
    for name, version in plan.apt:
        found = there.get(name)
        if found is None and _looked(context, "packages"):
            differing.append(Difference(name, version, None, "dpkg"))
        elif found is None or "" in found:
            unsure.append(name)
        elif not any(_is_package(version, item) for item in found):
            differing.append(Difference(name, version, found[0], "dpkg"))
    return Compared(tuple(differing), tuple(unsure))


def _is_package(planned: str, found: str) -> bool:
    if not (debversion.is_version(planned) and debversion.is_version(found)):
        return planned == found
    return debversion.order(planned) == debversion.order(found)


def _image(context: Context, plan: Planned) -> Compared:
    """The image; which registry it came from plays no part."""
    if plan.image is None:
        return Compared()
    container = context.snapshot.container
    if container is None or not container.image:
        return Compared(open=("the image",))
    if _same_image(plan.image, container.image):
        return Compared()
    return Compared((Difference("image", plan.image, container.image, container.stated_at),))


def _same_image(planned: str, found: str) -> bool:
    """By name and tag. What an image says of itself is the month alone, without the tag's suffix."""
    name, _, tag = planned.rpartition("/")[2].partition(":")
    other, _, its = found.partition("@")[0].rpartition("/")[2].partition(":")
    return name == other and (tag == its or (bool(_MONTH.fullmatch(its)) and tag.startswith(f"{its}-")))


# -- the machine -------------------------------------------------------------------------------------------------------


def _driver(context: Context, plan: Planned) -> Compared:
    """The driver, held against the oldest that will do."""
    floor, have = Version.maybe(plan.driver_floor), context.stack.driver
    if floor is None or context.stack.jetson:
        return Compared()
    if have is None:
        absent = context.stack.state("driver") == ABSENT
        return Compared((Difference("driver", str(floor)),)) if absent else Compared(open=("the driver",))
    answer = have.at_least(floor)
    if answer is Answer.UNKNOWN:
        return Compared(open=("the driver",))
    differs = answer is Answer.NO
    return Compared((Difference("driver", str(floor), str(have), context.stack.driver_found().where),) * differs)


def _gpus(context: Context, plan: Planned) -> Compared:
    """Every GPU of the plan, each held against one of those that are visible."""
    stack = context.stack
    if not plan.gpus:
        return Compared()
    if stack.snapshot.gpus is None:
        return Compared(open=("the GPUs",))
    left = list(stack.gpus)
    lacking: list[tuple[str, str | None]] = []
    for name, capability in _planned_gpus(context, plan):
        fits = next((item for item in left if _is_gpu(context, item, name, capability)), None)
        if fits is not None:
            left.remove(fits)
        else:
            lacking.append((", ".join(filter(None, (name, capability))), capability))
    if lacking and any(not item.compute_capability for item in left):
        return Compared(open=("the GPUs",))
    there = ", ".join(dict.fromkeys(item.compute_capability or "" for item in stack.gpus)) or None
    found = [
        (text, capability, capability if any(item.compute_capability == capability for item in stack.gpus) else there)
        for text, capability in lacking
    ]
    return Compared(tuple(Difference(text, capability or "", has) for text, capability, has in found))


def _planned_gpus(context: Context, plan: Planned) -> Iterator[tuple[str | None, str | None]]:
    """Name and compute capability of each, as far as the plan or the matrix says."""
    for text in plan.gpus:
        match = _GPU.fullmatch(text)
        name = match["name"] if match else text or None
        capability = match["capability"] if match else gpus.compute_capability(context.matrix, text)
        if name or capability:
            yield name, capability


def _is_gpu(context: Context, item: GpuFact, name: str | None, capability: str | None) -> bool:
    if capability is not None and item.compute_capability not in (capability, None):
        return False
    if name is None or item.gpu.name is None:
        return item.compute_capability == capability
    rows = [gpus.find(context.matrix, text) for text in (name, item.gpu.name)]
    if name.lower() == item.gpu.name.lower():
        return True
    return rows[0] is not None and rows[1] is not None and rows[0].key == rows[1].key


def _python(context: Context, plan: Planned) -> Compared:
    """Major and minor of the judged Python."""
    wanted = Version.maybe(plan.python)
    python = context.stack.interpreter
    have = Version.maybe(python.version) if python else None
    if wanted is None:
        return Compared()
    if python is None or have is None or have.minor is None:
        return Compared(open=("the Python",))
    differs = have.short(2) != wanted.short(2)
    return Compared((Difference("python", wanted.short(2), python.version, python.stated_at or python.path),) * differs)


def _system(context: Context, plan: Planned) -> Compared:
    """System and architecture; the JetPack; of a plan for apt the distribution, whose packages they are."""
    planned, here = planned_stack(context).snapshot.platform, context.snapshot.platform
    pairs = [
        ("system", planned.system, "linux" if here.wsl else here.system),
        ("architecture", planned.architecture, here.architecture),
    ]
    if plan.apt:
        pairs += [
            ("distribution", planned.distribution, here.distribution),
            ("release", planned.distribution_version, here.distribution_version),
        ]
    if planned.jetpack:
        pairs.append(("JetPack", planned.jetpack, here.jetpack if context.stack.jetson is not False else "none"))
    differing, unsure = [], []
    for name, wanted, have in pairs:
        if wanted is None:
            continue
        if not have:
            unsure.append(f"the {name}")
        elif wanted != have and not (name == "JetPack" and _begins(wanted, have)):
            differing.append(Difference(name, wanted, have))
    return Compared(tuple(differing), tuple(unsure))


def _begins(planned: str, found: str) -> bool:
    want, have = Version.maybe(planned), Version.maybe(found)
    return want is not None and have is not None and want.may_be(have)


# -- components --------------------------------------------------------------------------------------------------------


def _components(context: Context, plan: Planned) -> Compared:
    """The TensorRT that is used; where nothing is pinned, the CUDA libraries too."""
    planned = planned_stack(context)
    parts = [_tensorrt(context, planned, product) for product in PRODUCTS]
    if plan.install in _BY_HAND:
        parts += [_library(context, planned, component) for component in _LIBRARIES]
    return Compared(
        tuple(item for part in parts for item in part.differing), tuple(item for part in parts for item in part.open)
    )


def _tensorrt(context: Context, planned: Stack, product: str) -> Compared:
    def of(items: tuple[Installation, ...]) -> list[Installation]:
        return [item for item in items if (item.product or "full") == product]

    wanted = [item.version for item in of(planned.of("tensorrt")) if item.version]
    if not wanted:
        return Compared()
    name, shown = PRODUCTS[product], " or ".join(dict.fromkeys(map(str, wanted)))
    stack = context.stack
    found = gotten(stack, of(stack.installations.get("tensorrt", ())))
    if not found:
        searched = "tensorrt" in stack.snapshot.searched
        told = stack.snapshot.kind == "declared" and bool(stack.installations.get("tensorrt"))
        return Compared((Difference(name, shown),)) if searched or told else Compared(open=(name,))
    answers = [_any_of(wanted, _whole(context, item, product)) for item in found]
    if Answer.YES in answers:
        return Compared()
    if Answer.UNKNOWN in answers:
        return Compared(open=(name,))
    return Compared((Difference(name, shown, str(found[0].version), found[0].place or found[0].origin),))


def _whole(context: Context, item: Installation, product: str) -> Version | None:
    """The version with the number of the build, which no file has in its name: by its package, or if there is but one.

    A package of apt or a wheel owns the file; of most releases the matrix knows one build.
    """
    version = item.version
    if version is None or len(version.parts) != 3:
        return version
    rows = tensorrt.releases(context.matrix, version, product)
    built = [Version.parse(str(text)) for row in rows for text in row.get("packages").value or ()]
    owner = Version.maybe((item.owner or "").partition(" ")[2].partition("-")[0])
    if owner is not None and owner.parts[:3] == version.parts:
        return owner
    return built[0] if len(built) == 1 else version


def _library(context: Context, planned: Stack, component: str) -> Compared:
    """A library that no pin of the plan stands for."""
    wanted = [item.version for item in planned.of(component) if item.version and item.origin not in ("pip", "apt")]
    if not wanted:
        return Compared()
    stack = context.stack
    found = stack.installations.get(component, ())
    shown = " or ".join(dict.fromkeys(map(str, wanted)))
    if not found:
        absent = stack.state(component) == ABSENT
        return Compared((Difference(component, shown),)) if absent else Compared(open=(component,))
    answers = [_any_of(wanted, item.version) for item in found]
    if Answer.YES in answers:
        return Compared()
    if Answer.UNKNOWN in answers:
        return Compared(open=(component,))
    return Compared((Difference(component, shown, str(found[0].version), found[0].place or found[0].origin),))


def _any_of(planned: list[Version], found: Version | None) -> Answer:
    """Whether ``found`` is one of those; a plan that says less than the whole version means all that begin so."""
    if found is None:
        return Answer.UNKNOWN
    answers = [
        Answer.YES if item.may_be(found) and len(item.parts) <= len(found.parts) else item.same_as(found)
        for item in planned
    ]
    return next((answer for answer in (Answer.YES, Answer.UNKNOWN) if answer in answers), Answer.NO)


ASPECTS: dict[str, Callable[[Context, Planned], Compared]] = {
    "system": _system,
    "image": _image,
    "gpus": _gpus,
    "driver": _driver,
    "python": _python,
    "pins": _pins,
    "packages": _packages,
    "kept": _kept,
    "components": _components,
}
"""What is compared."""
