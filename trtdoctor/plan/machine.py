"""Whether a machine can hold a build, asked of the matrix alone: its GPUs, its system, its C library."""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.matrix import Matrix, bases, cuda, features, serving, tensorrt
from trtdoctor.matrix.judgement import Judgement
from trtdoctor.plan.builds import Build
from trtdoctor.plan.driver import capability_fact
from trtdoctor.plan.model import Refusal
from trtdoctor.plan.question import Question
from trtdoctor.rules.common import libc_of
from trtdoctor.rules.releases import build_flavours
from trtdoctor.rules.wheels import glibc_of, listed, tags_for
from trtdoctor.versions import Answer, Version

_IMAGES_FROM = 7
"""The JetPack from which on the images for Arm servers are those for Jetson too (containers.yaml, rule igpu)."""


# -- GPUs --------------------------------------------------------------------------------------------------------------


def by_gpu(question: Question, build: Build, unsure: list[str]) -> Iterator[Refusal]:
    """The GPUs that a build does not serve; ``unsure`` grows by those of which nobody knows."""
    for capability in question.capabilities:
        judged = _served(question, build, capability)
        if judged.answer is Answer.NO:
            beside = _only_here(question, build, capability)
            if judged.word != "no-build" or not beside:  # a build that is missing is the platform's fault
                yield Refusal(capability_fact(capability), judged.reason, beside)
        elif judged.answer is Answer.UNKNOWN:
            unsure.append(judged.reason)


def by_precision(question: Question) -> Iterator[Refusal]:
    """The precisions that are wanted and that a GPU lacks, whichever release computes."""
    known = features.precisions(question.matrix)
    wanted = [(word, f"{word.upper()}, which is wanted") for word in sorted(question.context.goal) if word in known]
    wanted += [(item.name, f"{item.text}, which is required") for item in question.demands if item.name in known]
    for word, said in wanted:
        for capability in question.capabilities:
            judged = features.precision(question.matrix, capability, word)
            if judged.answer is Answer.NO:
                yield Refusal(said, judged.reason, (capability_fact(capability),))


def _only_here(question: Question, build: Build, capability: str) -> tuple[str, ...]:
    """The platform, where the same release serves the GPU on another one."""
    if len(question.platforms) != 1 or build.way == "jetpack":
        return ()
    elsewhere = _serves(question.matrix, build, capability, build.flavour or None, None)
    return question.platforms if elsewhere.answer is not Answer.NO else ()


def _served(question: Question, build: Build, capability: str) -> Judgement:
    key = ("plan: served", build.product, build.release, build.flavour, build.way, capability, question.platforms)

    def make() -> Judgement:
        platform = question.platforms[0] if len(question.platforms) == 1 else None
        if build.way == "jetpack":
            platform = "jetson"
        elif build.way == "container" and platform is not None:
            platform = "linux-aarch64" if platform in ("jetson", "linux-aarch64") else "linux-x86_64"
        # Images have builds of their own.
        flavour = build.flavour if build.flavour in build_flavours(build.row) else None
        return _serves(question.matrix, build, capability, flavour, platform)

    return question.matrix.remember(key, make)


def _serves(matrix: Matrix, build: Build, capability: str, flavour: str | None, platform: str | None) -> Judgement:
    """What the sources say; where they say nothing, that an older CUDA has no code for a newer generation of GPUs."""
    judged = tensorrt.serves(build.row, capability, flavour, platform)
    if judged.answer is not Answer.UNKNOWN:
        return judged
    if build.way in ("container", "jetpack"):
        facts = [build.place.get("cuda") if build.place is not None else None]
    else:
        names = [flavour] if flavour else build_flavours(build.row)
        facts = [tensorrt.built_with(build.row, name) for name in names]
    made = [Version.maybe(fact.value) if fact is not None and isinstance(fact.value, str) else None for fact in facts]
    first = _first_cuda(matrix, capability)
    if first is None or not made or any(own is None or own.below(first) is not Answer.YES for own in made):
        return judged
    newest = max((own for own in made if own is not None), key=Version.sort_key)
    reason = f"{build.label} was made with CUDA {newest}; {first} is the first that knows {capability}"
    return Judgement(Answer.NO, reason, tuple(fact for fact in facts if fact is not None), "not-supported")


def _first_cuda(matrix: Matrix, capability: str) -> Version | None:
    """The first CUDA that knows a GPU of this generation: what is made for 8.6 runs on 8.9 too."""
    major = capability.partition(".")[0]
    rows = [row.key for row in matrix.rows("cuda", "architectures") if row.key.partition(".")[0] == major]
    facts = [cuda.first_cuda(matrix, number) for number in rows]
    versions = [Version.maybe(fact.value) for fact in facts if fact is not None]
    return min((version for version in versions if version is not None), key=Version.sort_key, default=None)


# -- the system --------------------------------------------------------------------------------------------------------


def by_platform(question: Question, build: Build) -> Iterator[Refusal]:
    """What of the system, the architecture and the C library is in the way of a build."""
    platform = question.platforms[0] if len(question.platforms) == 1 else None
    if build.way == "jetpack":
        yield from _by_module(question, build, platform)
    elif platform == "jetson":
        yield from _on_jetson(question, build)
    elif not set(question.platforms) & set(serving.PLATFORMS):
        yield Refusal(question.spoken_platform, f"the matrix knows no {build.label} for it")
    elif build.way == "container" and platform is not None and platform.startswith("windows"):
        yield Refusal(platform, "NVIDIA's images are for Linux (on Windows: in WSL)")
    elif platform is not None and not serving.has_build(build.row, build.flavour, platform):
        yield Refusal(platform, f"there is no {build.label} on {platform}")
    elif build.way == "pip" and platform is not None:
        yield from _by_wheel(question, build, platform)
    elif build.way == "archive" and platform is not None:
        fact = tensorrt.glibc(build.row, platform)
        floor = Version.maybe(fact.value) if fact is not None else None
        yield from _by_libc(question, f"the libraries of {build.label}", [floor] if floor is not None else [])


def _by_module(question: Question, build: Build, platform: str | None) -> Iterator[Refusal]:
    if "jetson" not in question.platforms:
        yield Refusal(platform or question.spoken_platform, "JetPack is for Jetson modules")
        return
    known = listed(build.place.get("compute_capabilities").value) if build.place is not None else []
    for capability in question.capabilities:
        if known and capability not in known:
            yield Refusal(capability_fact(capability), f"JetPack {build.name} is not for this module")


def _on_jetson(question: Question, build: Build) -> Iterator[Refusal]:
    if build.way != "container":
        yield Refusal("Jetson", "TensorRT on a Jetson comes with JetPack")
        return
    pack = Version.maybe(question.snapshot.platform.jetpack or None)
    if pack is None or pack.major < _IMAGES_FROM:
        yield Refusal("Jetson", f"NVIDIA's images for servers run on a Jetson from JetPack {_IMAGES_FROM} on")


def _by_wheel(question: Question, build: Build, platform: str) -> Iterator[Refusal]:
    table = build.row.get("builds", build.flavour, "wheels").value
    if not isinstance(table, dict):
        return
    tags = tags_for(table, platform)
    if not tags:
        yield Refusal(platform, f"there is no wheel of {build.label} for {platform}")
        return
    floors = [floor for floor in map(glibc_of, tags) if floor is not None]
    yield from _by_libc(question, f"the wheels of {build.label}", floors)


def _by_libc(question: Question, what: str, floors: list[Version]) -> Iterator[Refusal]:
    """A C library that is another one, or older than any of ``floors``."""
    found = question.snapshot.platform
    if libc_of(question.context) == "musl":
        yield Refusal("musl", f"{what} want glibc")
        return
    have = Version.maybe(found.glibc)
    if have is None:
        fact = bases.glibc_of(question.matrix, found.distribution, found.distribution_version)
        have = Version.maybe(fact.value) if fact is not None else None
    if have is not None and floors and all(have.below(floor) is Answer.YES for floor in floors):
        lowest = min(floors, key=Version.sort_key)
        yield Refusal(f"glibc {have}", f"{what} want glibc {lowest}")
