"""What else decides whether a plan loads: its serialization version, stripped weights, the lean runtime it left out.

And engines of TensorRT for RTX, which have rules of their own.
"""

from __future__ import annotations

from collections.abc import Iterable

from trtdoctor.findings import FoundFact, Severity
from trtdoctor.matrix import Fact, engines
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import alike, gpu_labels
from trtdoctor.rules.engine_words import RTX, found, plans, plans_of_tensorrt, product_of, rebuild, subject
from trtdoctor.rules.releases import labels
from trtdoctor.stack import Installation
from trtdoctor.versions import Answer, Version


@rule(
    "ENG109",
    "engine-of-other-rtx-release",
    severity=Severity.ERROR,
    components=("engine", "tensorrt-rtx"),
)
def engine_of_other_rtx_release(context: Context) -> Iterable[Problem]:
    """The engine was built by another release of TensorRT for RTX than the one that is to load it.

    Why it matters: Engines of TensorRT for RTX do not load on another release of it, and there is no mode that would
    change that.

    Example: An engine of 1.2.0 that was shipped with an application that now brings 1.4.0.

    How to fix: Build the engine again with the release that is shipped.

    Sources: rtx_engine_compat
    """
    runtimes = list(context.stack.rtxs)
    for engine in plans(context):
        built = Version.maybe(engine.tensorrt)
        if built is None or not runtimes or product_of(context, engine) != RTX:
            continue
        answers = [item.version.same_as(built) if item.version else Answer.UNKNOWN for item in runtimes]
        wrong = [item for item, answer in zip(runtimes, answers, strict=True) if answer is Answer.NO]
        if wrong:
            yield Problem(
                Severity.ERROR if len(wrong) == len(runtimes) else Severity.WARNING,
                f"{subject(engine)} was built by TensorRT for RTX {built}; found is {labels(wrong)}",
                breaks="Deserializing gives None: version mismatch.",
                facts=(found(engine), *(item.found() for item in wrong)),
                sources=(engines.rule(context.matrix, "rtx-exact-version"),),
                remedy=rebuild("Build the engine again with the TensorRT for RTX that is to load it."),
            )


@rule(
    "ENG110",
    "engine-of-other-serialization",
    severity=Severity.ERROR,
    components=("engine", "tensorrt"),
)
def engine_of_other_serialization(context: Context) -> Iterable[Problem]:
    """The engine has another serialization version than the plans of the TensorRT that is to load it.

    Why it matters: Old plans do not say which release built them, but each has the number of its format; a runtime
    refuses a plan whose number is not its own.

    Example: A plan of TensorRT 7 under 8.4: "Version tag does not match. Note: Current Version: 213, Serialized Engine
    Version: 96".

    How to fix: Build the engine again with the TensorRT that loads it.

    Sources: trt_2544, trt_3073
    """
    for engine, runtimes in plans_of_tensorrt(context):
        number, release = engine.serialization, Version.maybe(engine.tensorrt)
        if number is None or engine.version_compatible:
            continue
        if release and not any(item.version and item.version.may_be(release) for item in runtimes):
            continue  # the release itself tells it (ENG101)
        if release and len(release.parts) > 3:
            continue
        judged = [
            (item, engines.accepts_serialization(context.matrix, number, item.version))
            for item in runtimes
            if item.version is not None
        ]
        wrong = [(item, judgement) for item, judgement in judged if judgement.answer is Answer.NO]
        if not wrong:
            continue
        judgement = wrong[0][1]
        surely = len(wrong) == len(runtimes) and engine.kind == "plan" and _measured(judgement.facts)
        yield Problem(
            Severity.ERROR if surely else Severity.WARNING,
            f"{subject(engine)} has serialization version {number}, not one of {labels([item for item, _ in wrong])}",
            breaks="Deserializing gives None: version tag does not match.",
            detail=f"{judgement.reason[0].upper()}{judgement.reason[1:]}.",
            facts=(found(engine), *(item.found() for item, _ in wrong)),
            sources=judgement.facts,
            remedy=rebuild("Build the engine again with the TensorRT that is to load it."),
        )


def _measured(facts: tuple[Fact, ...]) -> bool:
    return bool(facts) and facts[-1].certainty in ("measured", "official")


@rule(
    "ENG111",
    "engine-not-for-this-gpu",
    severity=Severity.ERROR,
    components=("engine", "gpu"),
)
def rtx_engine_not_for_this_gpu(context: Context) -> Iterable[Problem]:
    """The engine of TensorRT for RTX was built for other compute capabilities than this GPU's.

    Why it matters: Such an engine names what it was built for in its header, and is refused on every other GPU.

    Example: An engine that was built for 8.6 and 12.0, on a GeForce RTX 4090 (8.9). One that was built without a word
    about it does not run on 7.5.

    How to fix: Build it for that compute capability too (IBuilderConfig.setComputeCapability), or without any.

    Sources: rtx_cpu_engines, rtx_measured
    """
    for engine in plans(context):
        targets = engine.compute_capabilities
        if targets is None or product_of(context, engine) != RTX:
            continue
        judged = [
            (members, engines.built_for(context.matrix, targets, engine.other_capabilities, present))
            for present, members in alike(context.stack.gpus)
        ]
        some_fit = any(judgement.answer is Answer.YES for _, judgement in judged)
        for members, judgement in judged:
            if judgement.answer is not Answer.NO:
                continue
            here = members[0].compute_capability
            yield Problem(
                Severity.WARNING if some_fit else Severity.ERROR,
                f"{subject(engine)} is not for compute capability {here} ({gpu_labels(members)})",
                breaks="The runtime refuses the engine: unsupported compute capability.",
                detail=f"{judgement.reason[0].upper()}{judgement.reason[1:]}.",
                facts=(found(engine), *(item.found() for item in members)),
                sources=judgement.facts,
                remedy=rebuild(f"Build the engine again for compute capability {here} as well."),
            )


@rule("ENG112", "engine-without-weights", severity=Severity.WARNING, components=("engine",))
def engine_without_weights(context: Context) -> Iterable[Problem]:
    """The engine was built without its weights, which have to be put in before it runs.

    Why it matters: A stripped plan is small and loads, and gives nothing of use before it was refitted.

    Example: An engine of trtexec --stripWeights that is deployed without the refit.

    How to fix: Refit it with the weights of the model (IRefitter), or build it without BuilderFlag.STRIP_PLAN.

    Sources: oss_headers
    """
    row = engines.mode(context.matrix, "strip_plan")
    for engine in plans(context):
        if engine.weights_stripped and row is not None:
            yield Problem(
                Severity.WARNING,
                f"{subject(engine)} was built without its weights",
                breaks="It does not give the model's results before it is refitted.",
                facts=(found(engine),),
                sources=(row.get("runs_on"),),
                remedy=rebuild("Refit it with the model's weights before it runs, or build it with them."),
            )


@rule(
    "ENG113",
    "engine-needs-lean-runtime",
    severity=Severity.WARNING,
    components=("engine", "tensorrt-lean"),
)
def engine_needs_lean_runtime(context: Context) -> Iterable[Problem]:
    """The engine is version-compatible without a lean runtime of its own, and none is installed.

    Why it matters: A version-compatible plan runs by the lean runtime of its release; one that was built with
    EXCLUDE_LEAN_RUNTIME leaves it to the machine to have one.

    Example: Such an engine of TensorRT 10.9 under 10.13, where only the full TensorRT is installed.

    How to fix: Install the lean runtime of the release that built it, or build it with its lean runtime inside.

    Sources: version_compat
    """
    row = engines.mode(context.matrix, "exclude_lean_runtime")
    if row is None or "tensorrt" not in context.snapshot.searched:
        return
    for engine, runtimes in plans_of_tensorrt(context):
        built = Version.maybe(engine.tensorrt)
        if not (engine.version_compatible and engine.lean_runtime_excluded) or built is None:
            continue
        if not any(_in_range(context, built, item) for item in runtimes):
            continue  # no lean runtime would help (ENG102)
        lean = any(item.product == "lean" or item.has("lean") for item in runtimes)
        same = any(item.version is None or item.version.same_as(built) is not Answer.NO for item in runtimes)
        if not lean and not same:
            yield Problem(
                Severity.WARNING,
                f"{subject(engine)} leaves its lean runtime out, and none is installed",
                breaks="Deserializing gives None.",
                facts=(found(engine), *(item.found() for item in runtimes), FoundFact("lean runtime", "none found")),
                sources=(row.get("runs_on"),),
                remedy=rebuild(f"Install the lean runtime of TensorRT {built}, or build the engine with it inside."),
            )


def _in_range(context: Context, built: Version, item: Installation) -> bool:
    """Whether a runtime may run version-compatible plans of a release."""
    if item.version is None:
        return True
    return engines.runs_version_compatible(context.matrix, built, item.version).answer is not Answer.NO
