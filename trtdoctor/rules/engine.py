"""Serialized engines (plans) against the TensorRT that is to load them, and the GPU and system that they are to run on.

These rules read what was stated of an engine, or what its file says of itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trtdoctor.findings import FoundFact, Severity
from trtdoctor.matrix import Fact, engines, gpus
from trtdoctor.matrix.judgement import Judgement
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import alike, gpu_labels
from trtdoctor.rules.engine_words import FULL, NAMES, RTX, found, plans, plans_of_tensorrt, product_of, rebuild, subject
from trtdoctor.rules.releases import label, labels
from trtdoctor.snapshot import Engine
from trtdoctor.stack import GpuFact, Installation
from trtdoctor.versions import Answer, Version


@rule("ENG107", "engine-of-other-product", severity=Severity.ERROR, components=("engine", "tensorrt", "tensorrt-rtx"))
def engine_of_other_product(context: Context) -> Iterable[Problem]:
    """The engine was built by TensorRT and only TensorRT for RTX is here, or the other way round.

    Why it matters: The two products have plan formats of their own; neither loads the other's.

    Example: A plan of TensorRT 10.9 beside tensorrt-rtx 1.2: the runtime finds a foreign tag and gives None.

    How to fix: Install the product that built the engine, or build it again with the one that is here.

    Sources: oss_trtexec, rtx_measured
    """
    for engine in plans(context):
        product = product_of(context, engine)
        here = {RTX: context.stack.rtxs, FULL: context.stack.tensorrts}
        if product is None or here[product] or not (here[RTX] or here[FULL]):
            continue
        other = RTX if product == FULL else FULL
        yield Problem(
            Severity.ERROR,
            f"{subject(engine)} was built by {NAMES[product]}; here is only {labels(list(here[other]))}",
            breaks="The runtime refuses the plan: its first bytes are those of another product.",
            facts=(found(engine), *(item.found() for item in here[other])),
            sources=(engines.rule(context.matrix, "products"),),
            remedy=rebuild(f"Build the engine again with {NAMES[other]}, or install {NAMES[product]}."),
        )


@rule("ENG103", "engine-needs-full-runtime", severity=Severity.ERROR, components=("engine", "tensorrt"))
def engine_needs_full_runtime(context: Context) -> Iterable[Problem]:
    """The engine is not version-compatible, and only a lean or dispatch runtime is here.

    Why it matters: The lean and the dispatch runtime run version-compatible plans and no others.

    Example: A plain plan under tensorrt-lean 10.16.1 stops with "Unexpected call to stub loadRunner".

    How to fix: Build the engine with BuilderFlag.VERSION_COMPATIBLE (trtexec --versionCompatible), or install the full
    TensorRT of the release that built it.

    Sources: version_compat, trt_4790
    """
    for engine, runtimes in plans_of_tensorrt(context):
        facts = _limits(context, engine, runtimes)
        if not facts:
            continue
        surely = engine.version_compatible is False or _before_the_flag(context, engine)
        yield Problem(
            Severity.ERROR if surely else Severity.WARNING,
            f"{subject(engine)} is not version-compatible; {labels(runtimes)} runs no others"
            if surely
            else f"{subject(engine)} may not be version-compatible; {labels(runtimes)} runs no others",
            breaks="Deserializing gives None: Unexpected call to stub loadRunner.",
            facts=(found(engine), *(item.found() for item in runtimes)),
            sources=facts,
            remedy=rebuild(
                "Build the engine with BuilderFlag.VERSION_COMPATIBLE (trtexec --versionCompatible), "
                "or install the full TensorRT."
            ),
        )


@rule("ENG101", "engine-of-other-release", severity=Severity.ERROR, components=("engine", "tensorrt"))
def engine_of_other_release(context: Context) -> Iterable[Problem]:
    """The engine was built by another TensorRT release than the one that is to load it, and is not version-compatible.

    Why it matters: By default a plan runs only on the release that built it, down to the last number. An engine in a
    repository, or a cache that outlived an upgrade, is the usual case.

    Example: An engine of TensorRT 8.5.3.1 under 8.5.1.7: "The engine plan file is not compatible with this version of
    TensorRT, expecting library version 8.5.1.7 got 8.5.3.1, please rebuild."

    How to fix: Build the engine again with the TensorRT that loads it and delete old caches, install the release that
    built it, or build it version-compatible (from 8.6 on).

    Sources: support_policy, version_compat
    """
    for engine, runtimes in plans_of_tensorrt(context):
        built = Version.maybe(engine.tensorrt)
        if built is None or engine.version_compatible or _limits(context, engine, runtimes):
            continue
        judged = [(item, _loads(context, built, item, engine)) for item in runtimes]
        yield from _other_release(engine, built, judged)
        if all(judgement.word == "unknown" for _, judgement in judged):
            context.unknown(
                "engine",
                "the whole version of the TensorRT that built the engine",
                f"{built} may be the release that is here, or another",
                "trtexec --getPlanVersionOnly --loadEngine=FILE",
            )


def _other_release(engine: Engine, built: Version, judged: list[tuple[Installation, Judgement]]) -> Iterator[Problem]:
    failed = [item for item, judgement in judged if judgement.answer is Answer.NO]
    unstated = [item for item, judgement in judged if judgement.word == "unstated"]
    if any(judgement.answer is Answer.YES for _, judgement in judged):
        unstated = []
    wrong = failed or unstated
    if not wrong:
        return
    why = next(judgement for item, judgement in judged if item is wrong[0])
    surely = len(failed) == len(judged)
    yield Problem(
        Severity.ERROR if surely else Severity.WARNING,
        f"{subject(engine)} was built by TensorRT {built}; found is {labels(wrong)}",
        breaks=f"Deserializing gives None: not compatible with this version of TensorRT, expecting library version "
        f"{wrong[0].version} got {built}.",
        detail=f"{why.reason[0].upper()}{why.reason[1:]}." + ("" if failed else " Whether this one is was not said."),
        facts=(found(engine), *(item.found() for item in wrong)),
        sources=why.facts,
        remedy=rebuild(f"Build the engine again with {label(wrong[0])}, and delete engines that were cached before."),
    )


@rule("ENG102", "version-compatible-engine-out-of-range", severity=Severity.ERROR, components=("engine", "tensorrt"))
def engine_out_of_range(context: Context) -> Iterable[Problem]:
    """The engine is version-compatible, but not with the TensorRT release that is to load it.

    Why it matters: Version compatibility reaches from a release to newer ones of its major, and over a few pairs of
    majors; never to an older release, and not before 8.6.

    Example: A version-compatible engine of TensorRT 10.9 under 10.3, or one of 8.6 under 11.0.

    How to fix: Build the engine with the oldest release that is to load it.

    Sources: version_compat, sm_1141
    """
    for engine, runtimes in plans_of_tensorrt(context):
        built = Version.maybe(engine.tensorrt)
        if built is None or not engine.version_compatible:
            continue
        judged = [(item, _loads(context, built, item, engine)) for item in runtimes]
        failed = [item for item, judgement in judged if judgement.answer is Answer.NO]
        undecided = [
            item
            for item, judgement in judged
            if judgement.answer is Answer.UNKNOWN and item.version and item.version.major != built.major
        ]
        wrong = failed or undecided
        if not wrong:
            continue
        why = next(judgement for item, judgement in judged if item is wrong[0])
        yield Problem(
            Severity.ERROR if len(failed) == len(judged) else Severity.WARNING,
            f"{subject(engine)}, version-compatible, of TensorRT {built}, is not for {labels(wrong)}",
            breaks="Deserializing gives None.",
            detail=f"{why.reason[0].upper()}{why.reason[1:]}.",
            facts=(found(engine), *(item.found() for item in wrong)),
            sources=why.facts,
            remedy=rebuild(f"Build the engine with {label(wrong[0])}, or run it on a newer release of its major."),
        )


@rule("ENG104", "engine-of-other-system", severity=Severity.ERROR, components=("engine", "os"))
def engine_of_other_system(context: Context) -> Iterable[Problem]:
    """The engine was built for another operating system.

    Why it matters: Plans are not portable between Linux and Windows, also with every compatibility mode on.

    Example: An engine that was built on Linux, copied to Windows.

    How to fix: Build the engine on the system that runs it; from 10.2 on Linux can build for Windows (RuntimePlatform).

    Sources: sm_1141, oss_headers
    """
    here = "linux" if context.snapshot.platform.wsl else context.snapshot.platform.system
    for engine in plans(context):
        built_for = _system(engine.system)
        if here is None or built_for is None or built_for == here or product_of(context, engine) == RTX:
            continue
        release = Version.maybe(engine.tensorrt)
        crossed = engines.cross_built(context.matrix, built_for, here, release) is not Answer.NO
        yield Problem(
            Severity.WARNING if crossed else Severity.ERROR,
            f"{subject(engine)} was built for {engine.system}; this is {here}",
            breaks="The runtime refuses the plan, unless it was built for the other platform on purpose."
            if crossed
            else "The runtime refuses the plan.",
            facts=(found(engine), FoundFact("os", here, context.snapshot.platform.distribution, "host")),
            sources=(engines.rule(context.matrix, "no-cross-platform"),),
            remedy=rebuild(f"Build the engine again on {here}."),
        )


@rule(
    "ENG105",
    "engine-for-other-compute-capability",
    severity=Severity.ERROR,
    components=("engine", "gpu"),
)
def engine_for_other_gpu(context: Context) -> Iterable[Problem]:
    """The engine was built on a GPU of another compute capability, without hardware compatibility.

    Why it matters: The kernels in a plan are those of the GPU that built it; TensorRT refuses it on another one.

    Example: An engine of a Quadro P6000 (6.1) on a GeForce RTX 2080 Ti (7.5): "The engine plan file is generated on an
    incompatible device, expecting compute 7.5 got compute 6.1, please rebuild."

    How to fix: Build the engine on the GPU that runs it. From 8.6 on, HardwareCompatibilityLevel.AMPERE_PLUS makes one
    engine for GPUs of 8.0 and newer, at some cost in speed.

    Sources: sm_1141, oss_headers
    """
    for engine in plans(context):
        if engine.path is None or product_of(context, engine) == RTX or not context.stack.gpus:
            continue
        if engine.hardware_compatibility in (None, engines.NO_LEVEL) and _capability(context, engine)[0] is None:
            context.unknown(
                "engine",
                "the GPU that built the engine",
                f"{subject(engine)}: its header does not say it",
                "trtdoctor engine stamp FILE, where it was built",
            )
    yield from _for_gpus(context, ("tied", "unstated"))


@rule("ENG106", "engine-level-does-not-reach", severity=Severity.ERROR, components=("engine", "gpu"))
def engine_level_too_small(context: Context) -> Iterable[Problem]:
    """The engine is hardware-compatible, but its level does not cover this GPU.

    Why it matters: ampere_plus begins with compute capability 8.0; same_compute_capability stays on one.

    Example: An ampere_plus engine on a Tesla T4 (7.5).

    How to fix: Build an engine on that GPU, or one for each compute capability.

    Sources: oss_headers
    """
    yield from _for_gpus(context, ("not-covered",))


@rule(
    "ENG108",
    "engine-of-other-model",
    severity=Severity.WARNING,
    components=("engine", "gpu"),
)
def engine_of_other_model(context: Context) -> Iterable[Problem]:
    """The engine was built on another model of GPU, though of the same compute capability.

    Why it matters: Such an engine loads, but its tactics were chosen for other clocks, caches and sizes: it can be
    slow, or ask for more memory than there is. TensorRT warns, and from 10.16 at the latest calls it unsupported.

    Example: An engine of a GeForce RTX 3090 on a GeForce RTX 3060, both 8.6.

    How to fix: Build it on the model that runs it, or with HardwareCompatibilityLevel.SAME_COMPUTE_CAPABILITY.

    Sources: lean_strings, oss_headers
    """
    for engine in plans(context):
        built_on = gpus.find(context.matrix, engine.gpu) if engine.gpu else None
        if built_on is None or product_of(context, engine) == RTX:
            continue
        if engine.hardware_compatibility not in (None, engines.NO_LEVEL):
            continue
        others = []
        for item in context.stack.gpus:
            row = gpus.find(context.matrix, item.gpu.name) if item.gpu.name else None
            same = item.compute_capability == built_on.text("compute_capability")
            if row is not None and same and row.key != built_on.key:
                others.append(item)
        if others:
            stated = engine.hardware_compatibility == engines.NO_LEVEL
            yield Problem(
                Severity.WARNING if stated else Severity.INFO,
                f"{subject(engine)} was built on another model ({built_on.key}) than {gpu_labels(others)}",
                breaks="It loads with a warning; it may be slow or need more memory than there is.",
                facts=(found(engine), *(item.found() for item in others)),
                sources=(engines.rule(context.matrix, "other-model"),),
                remedy=rebuild(
                    "Build it on that model, or with HardwareCompatibilityLevel.SAME_COMPUTE_CAPABILITY (from 10.9 on)."
                ),
            )


# -- what the rules share ---------------------------------------------------------------------------------------------


def _for_gpus(context: Context, words: tuple[str, ...]) -> Iterator[Problem]:
    """Problems of engines whose judgement against the GPUs has one of ``words``; each kind of GPU alone."""
    for engine in plans(context):
        capability, how = _capability(context, engine)
        release = _release(context, engine)
        if capability is None or product_of(context, engine) == RTX:
            continue
        inferred = engine.compute_capability is not None and "compute_capability" in engine.inferred
        met: list[tuple[list[GpuFact], Judgement]] = []
        for present, members in alike(context.stack.gpus):
            judged = engines.serves(context.matrix, capability, present, engine.hardware_compatibility, release)
            met.append((members, judged))
        some_fit = any(judged.answer is Answer.YES for _, judged in met)
        for members, judged in met:
            if judged.word not in words:
                continue
            surely = judged.answer is Answer.NO and not some_fit and not inferred
            here = members[0].compute_capability
            yield Problem(
                Severity.ERROR if surely else Severity.WARNING,
                f"{subject(engine)} was built on compute capability {capability}; {gpu_labels(members)} has {here}",
                breaks=f"Deserializing gives None: generated on an incompatible device, expecting compute {here} "
                f"got compute {capability}.",
                detail=f"{judged.reason[0].upper()}{judged.reason[1:]}."
                + (" Which level this engine has was not said." if judged.word == "unstated" else "")
                + (" What built it was read where nothing documents it." if inferred else ""),
                facts=(found(engine), *(item.found() for item in members)),
                sources=(*judged.facts, *how),
                remedy=rebuild(f"Build the engine again on {gpu_labels(members)}."),
            )


def _limits(context: Context, engine: Engine, runtimes: list[Installation]) -> tuple[Fact, ...]:
    """What says that none of the runtimes runs such an engine at all, of whatever release; empty when one may."""
    limits = [engines.wants_version_compatible(context.matrix, item.product) for item in runtimes]
    facts = tuple(fact for fact in limits if fact is not None)
    return facts if len(facts) == len(runtimes) and not engine.version_compatible else ()


def _loads(context: Context, built: Version, item: Installation, engine: Engine) -> Judgement:
    if item.version is None:
        return Judgement(Answer.UNKNOWN, "the version of the runtime is not known", (), "unknown")
    by_header = engine.path is not None and "tensorrt" not in engine.from_sidecar
    runtime = _in_bytes(item.version) if by_header else item.version
    return engines.loads(context.matrix, built, runtime, engine.version_compatible)


def _in_bytes(version: Version) -> Version:
    """A version as a header holds it: the number of the build in one byte."""
    parts = version.parts
    return Version.parse(".".join(map(str, (*parts[:3], parts[3] % 256)))) if parts[3:] > (255,) else version


def _before_the_flag(context: Context, engine: Engine) -> bool:
    built = Version.maybe(engine.tensorrt)
    return built is not None and engines.runs_version_compatible(context.matrix, built, built).word == "too-old"


def _release(context: Context, engine: Engine) -> Version | None:
    """The TensorRT that built the engine: as stated, else the only one here, which would refuse that of another."""
    built = Version.maybe(engine.tensorrt)
    if built is not None:
        return built
    versions = [item.version for item in context.stack.tensorrts]
    return versions[0] if len(versions) == 1 else None


def _capability(context: Context, engine: Engine) -> tuple[str | None, tuple[Fact, ...]]:
    """Compute capability of the GPU that built the engine, and the row of the matrix that told it by name."""
    if engine.compute_capability is not None:
        return engine.compute_capability, ()
    row = gpus.find(context.matrix, engine.gpu) if engine.gpu else None
    return (row.text("compute_capability"), (row.get("compute_capability"),)) if row else (None, ())


def _system(word: str | None) -> str | None:
    if not word:
        return None
    name = word.lower().partition("-")[0]
    return {"windows": "windows", "macos": "darwin", "darwin": "darwin", "qnx": "qnx"}.get(name, "linux")
