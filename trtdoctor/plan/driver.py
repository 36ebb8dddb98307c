"""Which driver a build needs on these GPUs, and which one is advised for that."""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.matrix import Matrix, Row, cuda, cudnn, drivers, tensorrt
from trtdoctor.plan.builds import Build
from trtdoctor.plan.environment import Environment
from trtdoctor.plan.keeping import fact
from trtdoctor.plan.model import POLICY, Change, Refusal
from trtdoctor.plan.question import Question
from trtdoctor.record import record
from trtdoctor.versions import Answer, Version


@record
class Need:
    """A driver that has to be put in place."""

    floor: Version
    """The oldest that will do."""
    why: str
    beside: tuple[str, ...] = ()
    """The fact that it rests on, where that is not the build alone: a GPU."""


def capability_fact(number: str) -> str:
    """A GPU as a reason: ``compute capability 6.1``."""
    return f"compute capability {number}"


def driver_floor(question: Question, build: Build) -> Version | None:
    """The oldest driver that serves a build on these GPUs, where it is known; None on a Jetson: JetPack has its own."""
    need = _floor(question, build)
    return need.floor if need is not None else None


def _floor(question: Question, build: Build) -> Need | None:
    return max(_needs(question, build), key=lambda need: need.floor.sort_key(), default=None)


def _needs(question: Question, build: Build) -> list[Need]:
    """What the build needs, then what each GPU does."""
    if question.stack.jetson or build.way == "jetpack":
        return []
    key = ("plan: driver floor", build.product, build.release, build.flavour, build.way, build.name, question.system)
    own = question.matrix.remember(key, lambda: _own_floor(question.matrix, build, question.system))
    needs = [Need(own, f"{build.label} needs {own}")] if own is not None else []
    for capability in question.capabilities:
        first = drivers.first_branch_for(question.matrix, capability)
        if first is not None:
            text = f"compute capability {capability} needs R{first.value} or newer"
            needs.append(Need(Version.parse(str(first.value)), text, (capability_fact(capability),)))
    return needs


def _own_floor(matrix: Matrix, build: Build, system: str) -> Version | None:
    """Of the release, of its CUDA major, and of the image."""
    facts = []
    if build.flavour and int(build.flavour[2:]) >= 11:
        facts.append(cuda.major_floor(matrix, Version.parse(build.flavour[2:]), system))
    elif build.flavour:
        built = tensorrt.built_with(build.row, build.flavour)
        version = Version.maybe(built.value) if built else None
        facts.append(cuda.major_floor(matrix, version, system) if version else None)
        facts += [row.get("branch") for row in drivers.branches(matrix) if built and row.text("cuda") == built.value]
    facts.append(tensorrt.driver_floor(build.row, build.flavour, system))
    if build.way == "container" and build.place is not None:
        facts.append(build.place.get("driver", "needed", "minimum_branch"))
    need = tensorrt.cudnn(build.row)
    version = Version.maybe(need.version)
    if build.way == "pip" and need.need == "required" and version is not None:
        facts.append(cudnn.driver_floor(matrix, version, build.flavour, system))
    bounds = [Version.maybe(found.value) for found in facts if found is not None and isinstance(found.value, str)]
    return max((bound for bound in bounds if bound is not None), key=Version.sort_key, default=None)


def needed(question: Question, build: Build, refusals: list[Refusal]) -> Need | None:
    """The driver that is needed and not there; None where nothing is to be done. ``refusals`` grows by what forbids it.

    Where nobody knows which driver there is, the plan names its floor and changes nothing.
    """
    need, have = _floor(question, build), question.stack.driver
    if question.stack.jetson or build.way == "jetpack":
        return None
    if have is None and not _surely_none(question):
        refusals += _beyond(question, need) if need is not None else ()
        return None
    refusals += _too_new(question, have) if have is not None and "driver" in question.keep else ()
    asked = demanded(question)
    if asked is not None and (need is None or asked.floor.below(need.floor) is not Answer.YES):
        need = asked
    elif need is None or (have is not None and asked is None and have.at_least(need.floor) is not Answer.NO):
        return None
    refused = list(_forbidding(question, build, need, have))
    refusals += refused
    return need if not refused else None


def _forbidding(question: Question, build: Build, need: Need, have: Version | None) -> Iterator[Refusal]:
    """Why a driver that is needed cannot be put in place."""
    yield from _beyond(question, need)
    if "driver" in question.keep:
        for one in dict.fromkeys((need, *_needs(question, build))):
            if one == need or (have is not None and have.at_least(one.floor) is Answer.NO):
                beside = one.beside or _only_on_windows(question, build, have)
                text = f"{one.why} or newer".replace("newer or newer", "newer")
                yield Refusal(fact(question, "driver"), text, beside)
    wanted = [f"{demand.text}, which is required" for demand in question.demands if demand.subject == "driver"]
    denied = any(clause.subject == "driver" for clause in (*question.policy.deny, *question.policy.allow))
    if (wanted or denied) and advised(question, need.floor) is None:
        said = wanted[0] if wanted else POLICY
        yield Refusal(said, f"no driver that is known is allowed and serves: {need.why}", need.beside)


def _beyond(question: Question, need: Need) -> Iterator[Refusal]:
    """The GPUs that no driver as new as that serves any more."""
    for capability, last in _last(question):
        if need.floor.major > last:
            yield Refusal(capability_fact(capability), f"{need.why}, and R{last} is the last for it", need.beside)


def last_branches(question: Question) -> Iterator[str]:
    """Up to which driver branch each GPU is served, for whoever has to choose a driver."""
    for capability, last in _last(question):
        yield f"no driver newer than R{last} serves {capability_fact(capability)}"


def _last(question: Question) -> Iterator[tuple[str, int]]:
    """Each compute capability here that drivers left out, with the last branch for it."""
    for capability in question.capabilities:
        last = drivers.last_branch_for(question.matrix, capability)
        if last is not None and last.value != drivers.NONE:
            yield capability, int(str(last.value))


def _only_on_windows(question: Question, build: Build, have: Version | None) -> tuple[str, ...]:
    """The platform, where the same driver would do on Linux: on Windows drivers are numbered otherwise."""
    if question.system != "windows" or have is None:
        return ()
    floor = _own_floor(question.matrix, build, "linux")
    return question.platforms if floor is None or have.at_least(floor) is not Answer.NO else ()


def _too_new(question: Question, have: Version) -> Iterator[Refusal]:
    """That the driver left a GPU out."""
    for capability in question.capabilities:
        judged = drivers.serves(question.matrix, have, capability)
        sure = all(item.certainty in ("official", "measured") for item in judged.facts)
        if judged.answer is Answer.NO and judged.word == "dropped" and sure:
            yield Refusal(fact(question, "driver"), judged.reason, (capability_fact(capability),))


def _surely_none(question: Question) -> bool:
    """Whether the machine has no driver: a container that was given none says nothing of its host."""
    container = question.snapshot.container
    return question.snapshot.driver.installed is False and (container is None or container.gpu_access is True)


def demanded(question: Question) -> Need | None:
    """The driver that is required and not there."""
    have = question.stack.driver
    unmet = [demand for demand in question.demands if demand.subject == "driver" and demand.specifier]
    if have is None or not any(question.unmet("driver", have) == demand.text for demand in unmet):
        return None
    bounds = [bound for demand in unmet for bound in _bounds(demand.specifier)]
    floor = max(bounds, key=Version.sort_key, default=Version.parse("0"))
    said = tuple(f"{demand.text}, which is required" for demand in unmet)
    return Need(floor, f"{' and '.join(demand.text for demand in unmet)} is required", said)


def _bounds(specifier: str) -> Iterator[Version]:
    """The lowest versions that the clauses of a specifier allow."""
    for clause in specifier.split(","):
        text = clause.strip()
        if text[:1] == ">" or text[:2] in ("==", "~="):
            yield Version.parse(text.lstrip(">=~ ").removesuffix(".*"))


def advised(question: Question, floor: Version) -> str | None:
    """The driver to install for "at least ``floor``": what the matrix advises, else the nearest that fits.

    It serves every GPU and meets what is required. None when no driver that is known does.
    """
    return question.context.remember(f"plan: driver from {floor}", lambda: _advised(question, floor))


def _advised(question: Question, floor: Version) -> str | None:
    matrix = question.matrix
    first = drivers.advised(matrix, floor, question.as_of)
    every = [row for row in reversed(drivers.branches(matrix)) if int(row.key) >= floor.major]
    if floor.major == 0:  # only what it must be older than is asked for: the newest of those that live long
        every.sort(key=lambda row: (row.text("type") != "lts", -int(row.key)))
    for row in ([first] if first is not None else []) + every:
        found = _of_branch(question, row, floor)
        if found is not None:
            return found
    return None


def _of_branch(question: Question, row: Row, floor: Version) -> str | None:
    newest = Version.maybe(row.text("newest")) if question.system == "linux" else None  # Windows counts otherwise
    for version in (newest, Version.parse(row.key), floor if floor.major == int(row.key) else None):
        if version is not None and version.at_least(floor) is Answer.YES and _will_do(question, version):
            return str(version)
    return None


def _will_do(question: Question, version: Version) -> bool:
    if question.unmet("driver", version) is not None or question.policy.refuses("driver", version) is not None:
        return False
    judged = (drivers.serves(question.matrix, version, item) for item in question.capabilities)
    return all(item.answer is not Answer.NO for item in judged)


def raise_driver(question: Question, environment: Environment, floor: Version, why: str) -> Change:
    """Put the driver that is advised for "at least ``floor``" in place."""
    version = advised(question, floor) or str(floor)
    change = Change("driver", environment.get("driver"), version, "driver", why)
    environment["driver"] = version
    environment.get("loader", {}).pop("libcuda", None)  # what came before it belonged to the old driver
    if not environment.get("loader"):
        environment.pop("loader", None)
    return change
