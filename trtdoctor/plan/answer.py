"""The whole answer to a question: the plans, or why there is none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trtdoctor import __version__
from trtdoctor.demands import answer as answer_demand
from trtdoctor.diagnosis import diagnose
from trtdoctor.findings import MatrixInfo, Severity
from trtdoctor.matrix import api_changes, artefacts, tensorrt
from trtdoctor.plan.builds import Build
from trtdoctor.plan.commands import apt_pins, commands, pins, sources
from trtdoctor.plan.driver import driver_floor, last_branches
from trtdoctor.plan.fit import Weighed
from trtdoctor.plan.frameworks import brought_by_image, unseen
from trtdoctor.plan.held import image_there
from trtdoctor.plan.impossible import explain
from trtdoctor.plan.model import POLICY, Plan, PlanReport, Refused, Upgrade
from trtdoctor.plan.pins import Pin
from trtdoctor.plan.question import Question
from trtdoctor.plan.search import Found, rank, search
from trtdoctor.plan.settle import Candidate
from trtdoctor.plan.words import by, gives_up, kept, supported_until, title, why
from trtdoctor.planned import PlannedFile
from trtdoctor.text import clean
from trtdoctor.versions import Answer, Version

MOST = 240
"""So many environments are judged by the rules at most."""
_MOST_REFUSED = 5


def answer(question: Question, *, top: int = 3, every: bool = False, upgrade: Version | None = None) -> PlanReport:
    """The ``top`` best plans. ``upgrade`` is a TensorRT that is asked for by name: what going there means is told."""
    notes: list[str] = []
    preferred = question.policy.install
    if preferred is not None and not question.install:
        question.install = (preferred,)
    found = search(question, top=top, most=MOST, every=every)
    if not found.candidates and preferred is not None and question.install == (preferred,):
        question.install = ()
        notes.append(f"nothing fits by {preferred}, which the policy prefers; these are the other ways")
        found = search(question, top=top, most=MOST, every=every)
    plans = tuple(plan_of(question, candidate, upgrade is not None) for candidate in found.candidates)
    return PlanReport(
        plans=plans,
        impossible=None if plans else explain(question, found),
        considered=found.considered,
        refused=tuple(_refused(question, found)),
        broken=tuple(f"{code} {problem.title}" for code, problem in question.wrong),
        needs=tuple(demand.text for demand in question.demands),
        goal=question.goal,
        as_of=question.as_of.isoformat(),
        program=__version__,
        matrix=MatrixInfo.of(question.matrix, question.as_of),
        upgrade=_upgrade(question, found, upgrade) if upgrade is not None else None,
        unknowns=tuple(_unknowns(question)),
        notes=tuple(notes if plans else ()),
    )


def plan_of(question: Question, candidate: Candidate, told: bool = False) -> Plan:
    """A candidate with everything that people want to know of it; ``told`` when lost calls are named elsewhere."""
    wanted = pins(question, candidate)
    build = candidate.weighed.build if candidate.weighed else None
    floor = driver_floor(question, build) if build is not None else None
    index, extra_index = sources(question, wanted)
    return Plan(
        install=build.way if build is not None else "keep",
        title=title(question, candidate),
        changes=candidate.changes,
        kept=tuple(kept(question, candidate)),
        commands=commands(question, candidate),
        environment=candidate.environment,
        gives_up=tuple(gives_up(question, candidate, told)),
        why=tuple(why(question, candidate)),
        cost=candidate.cost,
        pins=wanted,
        index=index,
        extra_index=extra_index,
        image=image_there(question, build.name) if build is not None and build.way == "container" else None,
        artefacts=tuple(_artefacts(question, candidate, build, wanted, extra_index)),
        apt=apt_pins(question, candidate),
        driver_floor=str(floor) if floor is not None else None,
        toolkit=_toolkit(build) if build is not None else None,
        supported_until=supported_until(question, candidate),
        warnings=tuple(_warnings(question, candidate)),
    )


def _toolkit(build: Build) -> str | None:
    built = tensorrt.built_with(build.row, build.flavour) if build.flavour else None
    return str(built.value) if built is not None and built.known else None


def _artefacts(
    question: Question, candidate: Candidate, build: Build | None, wanted: Sequence[Pin], extra: str | None
) -> Iterator[PlannedFile]:
    """The files that pip would take, as far as they are recorded; the image."""
    if build is not None and build.way == "container":
        yield PlannedFile(image_there(question, build.name))
        return
    python = candidate.environment.get("python")
    platform = question.platforms[0] if len(question.platforms) == 1 else None
    for name, version in wanted:
        stub = artefacts.is_stub(question.matrix, name, version) is True
        file = artefacts.fitting(
            question.matrix, name, version, python=python, platform=platform, glibc=candidate.environment.get("glibc")
        )
        if file is not None:
            yield PlannedFile(file.name, name, version, file.size, file.sha256, extra if stub else None, stub)
        else:
            yield PlannedFile(f"{name}=={version}", name, version, stub=stub)


def _warnings(question: Question, candidate: Candidate) -> Iterator[str]:
    """What ``check`` says of the result: warnings, errors of the machine that nothing takes away, what is not known."""
    yield from (f"{text} (stays)" for text in candidate.remaining)
    for finding in diagnose(candidate.context):
        if finding.severity is Severity.WARNING:
            yield f"{finding.code} {finding.title}"
    for demand in question.demands:
        met = answer_demand(demand, candidate.context.stack)
        in_image = not demand.specifier and demand.name in brought_by_image(candidate.environment)
        if met.answer is Answer.UNKNOWN and demand.subject != "canary" and not in_image:
            yield met.said.replace(f"whether package:{demand.name}", f"whether {demand.name}")
    if "driver" not in candidate.environment and not question.stack.jetson:
        yield from last_branches(question)
    yield from unseen(question, candidate.environment)


def _refused(question: Question, found: Found) -> Iterator[Refused]:
    """What a policy took out that would have come before the best plan; of one major, way and reason the best."""
    best = rank(question, found.candidates[0], found.always) if found.candidates else None
    said: dict[tuple[object, ...], list[Weighed]] = {}
    for weighed in found.refused:
        only_policy = all(refusal.fact == POLICY for refusal in weighed.refusals)
        if only_policy and (best is None or rank(question, weighed, found.always) < best):
            build = weighed.build
            said.setdefault((build.way, build.version.major, build.flavour), []).append(weighed)
    for alike in list(said.values())[:_MOST_REFUSED]:
        first = min(alike, key=lambda weighed: rank(question, weighed, found.always))
        more = f" (and {len(alike) - 1} more of TensorRT {first.build.version.major})" if len(alike) > 1 else ""
        why = clean(first.refusals[0].text.partition(": ")[2])
        yield Refused(f"{first.build.label} {by(first.build)}", f"{why}{more}")


def _unknowns(question: Question) -> Iterator[str]:
    """What would narrow the choice."""
    stack = question.stack
    if question.snapshot.gpus is None:
        yield "the GPU: --set gpu=NAME, or --gpu NAME"
    for gpu in stack.gpus:
        if gpu.compute_capability is None:
            yield f"the compute capability of {gpu.label}: --set gpu=NAME,cc=8.9"
    if stack.driver is None and stack.snapshot.driver.installed is None and not stack.jetson:
        yield "the driver: --set driver=VERSION"
    if question.python is None:
        yield "the Python: --set python=VERSION"
    if len(question.platforms) != 1:
        yield "system and architecture: --set os=NAME --set arch=NAME"


def _upgrade(question: Question, found: Found, wanted: Version) -> Upgrade | None:
    """What it means to go to a release that was asked for by name; None where it is there already."""
    target = wanted
    if found.candidates and found.candidates[0].weighed is None:
        return None
    for candidate in found.candidates:
        if candidate.weighed is not None and candidate.weighed.build.version.may_be(wanted):
            target = candidate.weighed.build.version
            break
    before = question.present
    gone = api_changes.removed_between(question.matrix, before, target) if before is not None else []
    engines = [
        f"the engine that TensorRT {engine.tensorrt or 'of an unknown release'} built"
        for engine in question.snapshot.engines
    ]
    if not engines and before is not None and before.short(3) != target.short(3):
        engines = [f"every engine that TensorRT {before} built"]
    return Upgrade(
        before=str(before) if before is not None else None,
        after=str(target),
        removed=tuple(f"{row.key}: {instead}" if (instead := api_changes.instead(row)) else row.key for row in gone),
        deprecated=len(api_changes.deprecated_in(question.matrix, target)),
        engines=tuple(engines),
    )
