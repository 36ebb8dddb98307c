"""What the rules of drift say: one function an aspect of the plan that somebody named."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from trtdoctor.findings import PLAN, FoundFact, Remedy, Severity
from trtdoctor.matrix import distributions as known_distributions
from trtdoctor.matrix import engines
from trtdoctor.rules import back_to_plan
from trtdoctor.rules.base import Context, Problem
from trtdoctor.rules.common import advice, cuda_works
from trtdoctor.rules.planned_view import Difference, compared, planned_stack
from trtdoctor.rules.releases import joined

_MOST = 12
"""So many differences are named."""
_ON_THE_MACHINE = "run trtdoctor check --against FILE on the machine itself"


def distributions(context: Context) -> Iterator[Problem]:
    """Of the pins, and of what the plan was made beside."""
    pins = compared(context, "pins")
    if pins.open:
        why = "nothing says which distributions are installed, or in which version"
        _not_judged(context, f"whether {_some(pins.open)} of the plan {_are(pins.open)} here", why)
    if pins.differing:
        yield Problem(
            Severity.ERROR,
            _title(pins.differing, "is not installed"),
            breaks="What was planned is not what runs: engines, plugins and calls are tied to the planned versions.",
            detail=_planned(pins.differing, "=="),
            facts=tuple(_facts(pins.differing, "package ", "python")),
            remedy=back_to_plan.distributions(context, pins.differing),
            components=("policy", "package", *_tensorrt_of(context, pins.differing)),
        )
    kept = compared(context, "kept").differing
    if kept:
        yield Problem(
            Severity.WARNING,
            _title(kept, "is not installed"),
            breaks="The plan was made and judged beside other versions; beside these nobody looked.",
            detail=_planned(kept, "=="),
            facts=tuple(_facts(kept, "package ", "python")),
            remedy=back_to_plan.distributions(context, kept),
        )


def packages(context: Context) -> Iterator[Problem]:
    """Of the Debian packages."""
    found = compared(context, "packages")
    if found.open:
        why = "nothing says which Debian packages are installed"
        _not_judged(context, f"whether {_some(found.open)} of the plan {_are(found.open)} here", why)
    if found.differing:
        yield Problem(
            Severity.ERROR,
            _title(found.differing, "is not installed"),
            breaks="What was planned is not what runs: engines and programs are tied to the planned release.",
            detail=_planned(found.differing, "="),
            facts=tuple(_facts(found.differing, "package ", "packages")),
            remedy=back_to_plan.packages(context, found.differing),
        )


def image(context: Context) -> Iterator[Problem]:
    """Of the image."""
    found = compared(context, "image")
    if found.open:
        _not_judged(context, "whether this is the image of the plan", "nothing says which image this is")
    for item in found.differing:
        yield Problem(
            Severity.ERROR,
            f"This is the image {item.found}, the plan has {item.planned}",
            breaks="TensorRT, CUDA and Python are those of another image.",
            facts=(FoundFact("container", item.found or "none", item.where, "host"),),
            remedy=back_to_plan.image(context, found.differing),
        )


def driver(context: Context) -> Iterator[Problem]:
    """Of the driver."""
    found = compared(context, "driver")
    if found.open:
        _not_judged(context, "whether the driver is new enough for the plan", "nothing says which driver there is")
    for item in found.differing:
        by_compat = context.snapshot.driver.library_kind == "compat" and cuda_works(context)
        yield Problem(
            Severity.WARNING if by_compat else Severity.ERROR,
            f"Driver {item.found or 'none'} is older than the plan is good for: {item.planned} or newer",
            breaks="CUDA works by a forward-compatibility library that the plan knows nothing of."
            if by_compat
            else "The planned TensorRT does not start, or is not supported, on this driver.",
            facts=(context.stack.driver_found(),),
            remedy=back_to_plan.driver(context, found.differing),
        )


def gpus(context: Context) -> Iterator[Problem]:
    """Of the GPUs."""
    found = compared(context, "gpus")
    if found.open:
        _not_judged(context, "whether the GPUs of the plan are here", "nothing says which GPUs there are")
    other = [item for item in found.differing if item.planned != item.found]
    if other:
        here = ", ".join(dict.fromkeys(gpu.gpu.name or gpu.label for gpu in context.stack.gpus))
        instead = f"; here: {here}, {other[0].found}" if other[0].found else "; here is none"
        plan = planned_stack(context)
        portable = bool(plan.rtxs) and not plan.tensorrts
        row = "rtx-compute-capabilities" if portable else "tied-to-architecture"
        severity = Severity.WARNING if portable else Severity.ERROR
        yield _gpu_problem(context, severity, _names(other) + instead, other, row)
    same = [item for item in found.differing if item.planned == item.found]
    if same:
        count = len(context.stack.gpus)
        instead = f"; here {'is' if count == 1 else 'are'} {count} of that compute capability"
        yield _gpu_problem(context, Severity.WARNING, _names(same) + instead, same, "other-model")


_BREAKS = {
    "tied-to-architecture": "Engines of the planned GPU do not run here, unless by a hardware-compatibility level.",
    "rtx-compute-capabilities": "Engines run here only if they were built for this compute capability too.",
    "other-model": "Engines of another model load with a warning and may be slow; what needs all GPUs does not start.",
}


def _names(lacking: Sequence[Difference]) -> str:
    counts = {item.name: sum(other.name == item.name for other in lacking) for item in lacking}
    shown = joined([f"{number} x {name}" if number > 1 else name for name, number in counts.items()])
    return f"GPU of the plan is missing: {shown}"


def _gpu_problem(context: Context, severity: Severity, title: str, lacking: Sequence[Difference], row: str) -> Problem:
    return Problem(
        severity,
        title,
        breaks=_BREAKS[row],
        facts=tuple(gpu.found() for gpu in context.stack.gpus),
        sources=(engines.rule(context.matrix, row),),
        remedy=Remedy(
            "gpu",
            "hardware",
            None,
            "the plan is for other GPUs",
            (("text", f"Use {lacking[0].name}, or make the plan anew for this machine: trtdoctor plan --write FILE"),),
        ),
    )


def python(context: Context) -> Iterator[Problem]:
    """Of the Python."""
    found = compared(context, "python")
    if found.open:
        _not_judged(context, "whether the Python is that of the plan", "nothing says which Python there is")
    for item in found.differing:
        yield Problem(
            Severity.WARNING,
            f"Python {item.found} is judged, the plan is for {item.planned}",
            breaks="The plan's files are for another Python; pip takes others, or finds none.",
            facts=(FoundFact("python", item.found or "none", item.where, "python"),),
            remedy=advice(
                "python",
                f"Judge the Python of the plan (--python python{item.planned}), "
                f"or make an environment of it: python{item.planned} -m venv .venv",
            ),
        )


def components(context: Context) -> Iterator[Problem]:
    """Of the TensorRT that is used, and of CUDA libraries."""
    found = compared(context, "components")
    pinned = compared(context, "pins")
    told = {*_components_of(context, pinned.differing), *_packaged(compared(context, "packages").differing)}
    if found.open:
        _not_judged(
            context, f"whether {joined(list(found.open))} {_are(found.open)} as planned", "it is not known here"
        )
    for item in found.differing:
        if item.name.partition("-")[0] in told:
            continue
        serious = item.name.startswith("tensorrt")
        yield Problem(
            Severity.ERROR if serious else Severity.WARNING,
            f"{item.name} {item.found} is used, the plan has {item.planned}"
            if item.found
            else f"{item.name} {item.planned} of the plan is not here",
            breaks="Engines, plugins and calls are tied to the planned release."
            if serious
            else "The plan was judged with another version of this library.",
            facts=(FoundFact(item.name, item.found or "none", item.where, "libraries"),),
            remedy=next(back_to_plan.installations(context) if serious else iter(()), None) or _advised(item.name),
            components=("policy", "tensorrt" if serious else item.name),
        )


def _advised(name: str) -> Remedy:
    return advice(
        name, "Put what the plan has first on the search path, or install it: trtdoctor plan --from-file FILE"
    )


def system(context: Context) -> Iterator[Problem]:
    """Of system and architecture."""
    found = compared(context, "system")
    if found.open:
        _not_judged(
            context, f"whether {joined(list(found.open))} {_are(found.open)} as planned", "it is not known here"
        )
    if found.differing:
        plan = context.planned
        shown = joined([f"{item.name} is {item.found}, not {item.planned}" for item in found.differing])
        yield Problem(
            Severity.ERROR,
            f"This is another machine than planned: {shown}",
            breaks="The files of the plan do not install or do not load here.",
            facts=tuple(FoundFact(item.name, item.found or "none", item.where, "host") for item in found.differing),
            remedy=advice("os", "Make the plan anew for this machine: trtdoctor plan --write FILE"),
            detail=f"The plan: {plan.title}." if plan is not None else "",
        )


# -- what the rules share ----------------------------------------------------------------------------------------------


def _not_judged(context: Context, needed: str, why: str) -> None:
    context.unknown(PLAN, needed, why, _ON_THE_MACHINE)


def _are(words: Sequence[str]) -> str:
    return "is" if len(words) == 1 else "are"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more if more else joined(list(names))


def _title(differing: Sequence[Difference], missing: str) -> str:
    first = differing[0]
    text = (
        f"{first.name} {first.found} is installed, the plan has {first.planned}"
        if first.found
        else f"{first.name} {first.planned} of the plan {missing}"
    )
    return f"{text}; {len(differing) - 1} more differ" if len(differing) > 1 else text


def _planned(differing: Sequence[Difference], sign: str) -> str:
    more = f" and {len(differing) - _MOST} more" if len(differing) > _MOST else ""
    return f"The plan has {', '.join(f'{item.name}{sign}{item.planned}' for item in differing[:_MOST])}{more}."


def _facts(differing: Sequence[Difference], kind: str, probe: str) -> Iterator[FoundFact]:
    for item in differing[:_MOST]:
        yield FoundFact(f"{kind}{item.name}", item.found or "none", item.where, probe)


def _components_of(context: Context, differing: Iterable[Difference]) -> set[str]:
    """The components that some distributions are of."""
    found = (known_distributions.identify(context.matrix, item.name) for item in differing)
    return {spec.component for spec in found if spec is not None}


def _packaged(differing: Iterable[Difference]) -> set[str]:
    """The components that some Debian packages are of."""
    stems = {"libnvinfer": "tensorrt", "tensorrt": "tensorrt", "libcudnn": "cudnn", "libcublas": "cublas"}
    return {component for item in differing for stem, component in stems.items() if item.name.startswith(stem)}


def _tensorrt_of(context: Context, differing: Iterable[Difference]) -> tuple[str, ...]:
    return ("tensorrt",) if "tensorrt" in _components_of(context, differing) else ()
