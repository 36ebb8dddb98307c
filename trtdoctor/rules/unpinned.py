"""Requirements that name TensorRT without a version: what an installer would take, and what that would break."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from trtdoctor.findings import FoundFact, Remedy, Severity
from trtdoctor.matrix import Fact, Row, wheels
from trtdoctor.matrix.distributions import DistributionSpec
from trtdoctor.record import record
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.frameworks_found import (
    ONNXRUNTIME,
    TENSORRT_LLM,
    TORCH,
    TORCH_TENSORRT,
    cuda_of,
    find,
    linked_major,
)
from trtdoctor.rules.releases import cuda_major, distribution_found, named, tensorrt_distributions
from trtdoctor.snapshot import Distribution
from trtdoctor.stack import KNOWN, Stack
from trtdoctor.versions import Version

if TYPE_CHECKING:
    from trtdoctor.rules.offers import Offer

_PINNING = (TORCH_TENSORRT, "torch-tensorrt-rtx", TENSORRT_LLM)
"""Frameworks whose own requirements hold TensorRT at the release that they were built for."""
_UNSURE = ("PYT",)
"""Families of what an installer avoids by itself where it can: it takes an older release that has a wheel."""


@rule("PYT105", "tensorrt-not-pinned", severity=Severity.ERROR, components=("package", "tensorrt", "cuda"))
def tensorrt_not_pinned(context: Context) -> Iterable[Problem]:
    """Requirements name TensorRT so loosely that the day decides which release and which CUDA comes in.

    Why it matters: The package tensorrt brought CUDA 12 up to 10.13.0 and brings CUDA 13 since; an open requirement
    moves to the next major too, which removes calls. Engines, bindings and plugins are tied to one release. It is an
    error when something else that is named cannot go with what would be taken.

    Example: requirements.txt with tensorrt and onnxruntime-gpu==1.22.0: pip takes TensorRT 11.4.0.106 for CUDA 13,
    onnxruntime links TensorRT 10.

    How to fix: Pin the release and name the CUDA: tensorrt-cu12==10.16.1.*.

    Sources: package_index, ultralytics_24729
    """
    if any(name in context.stack.distributions for name in _PINNING):
        return  # they require the TensorRT that they need
    for dist, spec in tensorrt_distributions(context):
        taken = _taken(context, dist, spec)
        if taken is not None:
            yield _problem(context, dist, spec, taken)
            return  # the others of them come with it


@record
class _Taken:
    """What an installer takes for an open requirement."""

    version: str
    row: Row
    flavour: str | None
    severity: Severity


def _taken(context: Context, dist: Distribution, spec: DistributionSpec) -> _Taken | None:
    """What an installer would take, where the requirement leaves something open that matters."""
    if dist.stated_at is None or dist.specifier is None or spec.part != "meta" or spec.real == "placeholder":
        return None
    if dist.specifier == f"=={dist.version}":
        return None
    found = wheels.newest(context.matrix, dist.name, dist.specifier)
    if found is None:
        return None
    version, row = found
    fact = wheels.resolves_to(row, "windows" if context.snapshot.platform.system == "windows" else "linux")
    flavours = wheels.flavours(context.matrix, dist.name, dist.specifier)
    known = row.text("flavour")
    for name in (f"cu{major}" for major in range(10, 20)):
        if fact is not None and isinstance(fact.value, list) and any(str(part).endswith(name) for part in fact.value):
            known = name
    flavour = known if known and known.startswith("cu") else None
    open_above = Version.maybe(dist.version) is None
    if spec.flavour is None and (open_above or len(flavours) > 1):
        return _Taken(version, row, flavour, Severity.WARNING)
    return _Taken(version, row, flavour, Severity.INFO) if open_above else None


def _problem(context: Context, dist: Distribution, spec: DistributionSpec, taken: _Taken) -> Problem:
    failing = next(_failing(context, dist, taken.version), None)
    severity = taken.severity
    if failing is not None:
        severity = Severity.WARNING if failing[0].startswith(_UNSURE) else Severity.ERROR
    brought = f", for CUDA {cuda_major(taken.flavour)}" if taken.flavour else ""
    title = f"{named(dist)} is not pinned: the newest is {taken.version}{brought}"
    others = list(_of_other_cuda(context, taken.flavour))
    detail = f"By the package index as matrix {context.matrix.version} has it, where nothing else holds it back."
    if failing is not None:
        detail += f" That fails: {failing[1].title} ({failing[0]})."
    elif others:
        detail += f" {others[0][0]} is for CUDA {others[0][1]}."
    facts = [distribution_found(dist), FoundFact("newest", taken.version, "matrix wheels.yaml", None)]
    facts += [fact for fact in failing[1].facts if fact.where != dist.stated_at][:3] if failing else []
    facts += [fact for _, _, fact in others[:2]] if not failing else []
    sources: tuple[Fact, ...] = (taken.row.get("versions"), *(failing[1].sources[:2] if failing else ()))
    return Problem(
        severity,
        title,
        breaks=failing[1].breaks
        if failing
        else "The day of the installation decides on release and CUDA; engines and calls of another release fail.",
        detail=detail,
        facts=tuple(facts),
        sources=(replace(sources[0], value=taken.version), *sources[1:]),
        components=_components(spec, failing, others),
        remedy=_pin(context, dist, spec, taken),
    )


def _components(
    spec: DistributionSpec, failing: tuple[str, Problem] | None, others: list[tuple[str, int, FoundFact]]
) -> tuple[str, ...]:
    product = "tensorrt-rtx" if spec.product == "rtx" else "tensorrt"
    more = [name for name in (failing[1].components or ()) if name not in ("package", product)] if failing else []
    return ("package", product, *(more[:1] or (["cuda"] if others else [])))


def _failing(context: Context, dist: Distribution, version: str) -> Iterator[tuple[str, Problem]]:
    """The errors, each with its code, that there would be with ``version`` and are not there without it."""
    from trtdoctor.rules import RULES

    snapshot = context.snapshot
    first = snapshot.interpreters[0]
    changed = tuple(
        replace(item, version=version, specifier=f"=={version}") if item is dist else item
        for item in first.distributions
    )
    supposed = replace(snapshot, interpreters=(replace(first, distributions=changed), *snapshot.interpreters[1:]))
    other = Context(Stack(supposed, context.matrix), context.matrix, context.as_of, context.goal)
    plain = Context(context.stack, context.matrix, context.as_of, context.goal)
    for item in RULES:
        if item.code == "PYT105" or any(other.stack.state(need) != KNOWN for need in item.needs):
            continue
        errors = [problem for problem in item.check(other) if problem.severity is Severity.ERROR]
        if not errors:
            continue
        there = {problem.title for problem in item.check(plain) if problem.severity is Severity.ERROR}
        for problem in errors:
            if problem.title not in there:
                yield item.code, problem


def _of_other_cuda(context: Context, flavour: str | None) -> Iterator[tuple[str, int, FoundFact]]:
    """What is named or in the image for another CUDA major than what would be taken: words, major, fact."""
    if flavour is None:
        return
    torch = find(context, TORCH, known=False)
    major = cuda_of(context, torch) if torch else None
    if torch is not None and major is not None and major != cuda_major(flavour):
        yield torch.label, major, distribution_found(torch.dist)
    for item in context.stack.of("cuda"):
        if item.version and item.major != cuda_major(flavour):
            place = "The image" if item.origin == "container" else "CUDA there"
            yield place, item.version.major, item.found()


def _suited(context: Context) -> tuple[Version | None, str | None]:
    """The TensorRT major and the CUDA flavour that the frameworks which are named were built for."""
    torch, runtime = find(context, TORCH, known=False), find(context, ONNXRUNTIME)
    linked = linked_major(runtime.rows, "tensorrt") if runtime else None
    cuda = linked_major(runtime.rows, "cuda") if runtime else None
    major = (cuda_of(context, torch) if torch else None) or (cuda[0] if cuda else None)
    return Version.parse(str(linked[0])) if linked else None, f"cu{major}" if major else None


def _line(context: Context, offer: Offer) -> str:
    """The requirement that an offer is; under the name that says its CUDA, where there is one of that release."""
    name = f"tensorrt-{offer.flavour}"
    named_so = wheels.newest(context.matrix, name, offer.wanted) is not None
    return f"{name if named_so else offer.distribution}{offer.wanted}"


def _pin(context: Context, dist: Distribution, spec: DistributionSpec, taken: _Taken) -> Remedy:
    """The line to write instead: a release that fits what else is named; the newest one where none is offered."""
    offer = None
    if spec.product == "full":
        from trtdoctor.rules.offers import fitting

        wanted, flavour = _suited(context)
        wanted = wanted or Version.maybe(dist.version)
        offer = fitting(context, version=wanted, flavour=spec.flavour or flavour) or fitting(context, version=wanted)
    text = _line(context, offer) if offer else f"{dist.name}=={taken.version}"
    extra = f" with {' and '.join(offer.extra)}" if offer and offer.extra else ""
    reason = "the release and its CUDA are then the same on every day"
    return Remedy("tensorrt", "change-code", None, reason, (("text", f"Pin it: {text}{extra}, {reason}."),))
