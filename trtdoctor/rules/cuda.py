"""CUDA libraries against the TensorRT that uses them."""

from __future__ import annotations

from collections.abc import Iterable

from trtdoctor.findings import FoundFact, Remedy, Severity
from trtdoctor.matrix import Fact, tensorrt
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.loaded_files import NUMBERED_LIKE_CUDA, component_of, identify, major_of, place
from trtdoctor.rules.processes import processes, works
from trtdoctor.rules.releases import (
    candidates,
    cuda_major,
    distribution_found,
    joined,
    known_spec,
    label,
    made_by_vendor,
)
from trtdoctor.snapshot import Distribution
from trtdoctor.stack import Installation
from trtdoctor.versions import Answer, Version


@rule("CUD101", "cuda-of-another-major", severity=Severity.ERROR, components=("cuda", "tensorrt"))
def other_major(context: Context) -> Iterable[Problem]:
    """All CUDA that is there is of a major that this TensorRT was not built for.

    Why it matters: A TensorRT build is tied to one CUDA major: it loads libraries such as libcublas.so.11 by that
    number. Within the major every newer minor will do; the toolkits that the documents list are only those tested with.

    Example: TensorRT 8.5.3 with CUDA 12.2: there are builds for CUDA 11 and 10 only.

    How to fix: Install the TensorRT build for this CUDA major, or CUDA of the major that TensorRT was built for.

    Sources: oss_readme, sm_853, sm_861
    """
    stack = context.stack
    there = [item for item in stack.of("cuda") if item.version]
    if not there or len(there) != len(stack.of("cuda")):
        return
    for item in stack.tensorrts:
        if item.product == "rtx" or item.version is None or made_by_vendor(context, item):
            continue
        pairs = candidates(context, item)
        wanted = sorted({cuda_major(flavour) for _, flavour in pairs})
        if item.flavour and not pairs:
            wanted = [cuda_major(item.flavour)]
        majors = {cuda.version.major for cuda in there if cuda.version}
        if not wanted or majors & set(wanted) or _gets_its_own(context, item, set(wanted)):
            continue
        required = bool(pairs) and all(tensorrt.cudnn(row).need == "required" for row, _ in pairs)
        # Wheels bring the CUDA that they need: requirements that name another do not say that theirs is not there.
        alone = len(stack.tensorrts) == 1 and not (context.snapshot.partial and item.origin == "pip")
        names = joined([f"CUDA {major}" for major in wanted], "or")
        shown = joined(list(dict.fromkeys(f"CUDA {cuda.version}" for cuda in there)))
        from trtdoctor.rules.offers import replacement

        yield Problem(
            Severity.ERROR if required and alone else Severity.WARNING,
            f"{label(item)} is built for {names}, found is {shown}",
            breaks=f"Libraries of CUDA {wanted[-1]} (libcudart, libcublas) are wanted by name and not there."
            if required
            else "The vendor has no such build: a program that links both mixes two CUDA majors in one process.",
            detail=f"CUDA {wanted[-1]} beside this TensorRT would do as well.",
            facts=(item.found(), *(cuda.found() for cuda in there[:4])),
            sources=tuple(row.get("builds", flavour, "built_with") for row, flavour in pairs[:4]),
            remedy=replacement(
                context,
                item,
                f"only CUDA {max(majors)} is there",
                flavour=f"cu{max(majors)}",
                release=pairs[0][0].key if pairs else None,
                otherwise=f"Install CUDA {wanted[-1]} beside this TensorRT",
            ),
        )


def _gets_its_own(context: Context, item: Installation, wanted: set[int]) -> bool:
    """Whether a process loads this TensorRT and lacks nothing of CUDA, of no other major than the one it is built for.

    TensorRT has the CUDA runtime inside; what else it asks for may lie where no runtime library does.
    """
    places = {place(copy) for copy in item.copies}
    for process in processes(context):
        if not process.single or process.outcome != "ok" or not works(process):
            continue
        if not any(place(one) in places for one in process.loaded):
            continue
        lacking = [identify(context.matrix, one.name) for one in process.missing]
        if any(spec is not None and spec.component in NUMBERED_LIKE_CUDA for spec in lacking):
            continue
        of_cuda = [one for one in process.loaded if component_of(context, one) in NUMBERED_LIKE_CUDA]
        if {major_of(context, one) for one in of_cuda} <= wanted:
            return True
    return False


@rule(
    "CUD102",
    "cuda-majors-mixed",
    severity=Severity.WARNING,
    components=("cuda", "package"),
    silenced_by=("FWK201", "FWK303"),
)
def majors_mixed(context: Context) -> Iterable[Problem]:
    """CUDA of several majors is installed in one Python environment.

    Why it matters: Libraries of two majors have different names and can lie side by side, but a framework whose own
    major is not there, or one process with both, fails at run time.

    Example: CUDA 13.0 wheels beside torch 2.9.0+cu128, which is built for CUDA 12.

    How to fix: Install the framework and TensorRT in the flavour of one CUDA major.

    Sources: pypi
    """
    users = _users(context)
    if not users:
        return
    runtimes = _runtime_majors(context)
    if not runtimes:
        return
    for dist, major in users:
        others = sorted(set(runtimes) - {major})
        if not others:
            continue
        whole = major in runtimes or bool(context.snapshot.partial)
        shown = joined([str(other) for other in others])
        facts = [distribution_found(dist), *(fact for other in others for fact in runtimes[other])]
        used = _tensorrt_majors(context)
        if whole and not (used and used <= set(others)):
            continue  # each major that is used is there
        yield Problem(
            Severity.INFO if whole else Severity.WARNING,
            f"{dist.name} {dist.version} is built for CUDA {major}, the same Python has CUDA {shown}",
            breaks="Nothing by itself: each finds its own libraries; one process holds two CUDA majors."
            if whole
            else f"{dist.name} finds no CUDA {major} libraries, or two CUDA majors meet in one process.",
            facts=tuple(facts),
            sources=(_flavour_fact(context, dist.name),),
            components=("cuda", "tensorrt")
            if whole
            else ("cuda", "torch")
            if dist.name == "torch"
            else ("cuda", "package"),
            remedy=None
            if whole
            else Remedy(
                dist.name, "choose", None, f"Install {dist.name} for CUDA {others[-1]}, or the CUDA {major} libraries."
            ),
        )


def _users(context: Context) -> list[tuple[Distribution, int]]:
    """Frameworks whose local version names the CUDA major that they are built for."""
    found = []
    for name, dist in context.stack.distributions.items():
        if not dist.version or "+cu" not in dist.version:
            continue
        spec = known_spec(context.matrix, name)
        digits = dist.version.rpartition("+cu")[2]
        if spec is not None and spec.part == "framework" and digits.isdecimal() and len(digits) in (3, 4):
            found.append((dist, int(digits[:2])))
    return found


def _runtime_majors(context: Context) -> dict[int, list[FoundFact]]:
    """CUDA runtimes in the judged Python by major."""
    found: dict[int, list[FoundFact]] = {}
    for name, dist in context.stack.distributions.items():
        if name.startswith("nvidia-cuda-runtime"):
            spec = known_spec(context.matrix, name)
            version = Version.maybe(dist.version)
            if spec is not None and spec.real == "wheel" and version:
                found.setdefault(version.major, []).append(distribution_found(dist))
    for item in context.stack.of("cuda"):
        if item.version and item.origin in ("pip", "conda") and not item.directory:
            found.setdefault(item.version.major, []).append(item.found())
    for item in context.stack.builders if context.snapshot.partial else ():
        if item.flavour and item.origin == "pip":
            found.setdefault(cuda_major(item.flavour), []).append(item.found())  # its wheels bring that CUDA
    return found


def _tensorrt_majors(context: Context) -> set[int]:
    return {cuda_major(item.flavour) for item in context.stack.builders if item.flavour}


def _flavour_fact(context: Context, name: str) -> Fact:
    row = next(row for row in context.matrix.rows("distributions", "distributions") if row.key == name)
    return row.get("flavour")


@rule("CUD103", "cuda-library-missing", severity=Severity.ERROR, components=("cublas", "cuda", "tensorrt"))
def library_missing(context: Context) -> Iterable[Problem]:
    """A CUDA library that this TensorRT loads by name is nowhere on this machine.

    Why it matters: The wheels of 8.5 ask for their CUDA libraries without a version; a resolver can leave them out or
    bring another major, and the plugin library cannot be loaded.

    Example: tensorrt 8.5.3.1 without nvidia-cublas-cu11: ImportError: libcublas.so.11: cannot open shared object file.

    How to fix: Install the library of the wanted major.

    Sources: engine_measured
    """
    if "cublas" not in context.snapshot.searched:
        return
    for item, needs in _library_needs(context):
        for component, major, fact in needs:
            if component == "cudnn" or component not in context.snapshot.searched:
                continue  # DNN speaks for cuDNN
            if context.stack.of(component):
                continue  # CUD105 judges what is there
            yield Problem(
                Severity.ERROR,
                f"{label(item)} needs {_spoken(component)} {major}, and none is there",
                breaks=f"The import fails: lib{component}.so.{major}: cannot open shared object file.",
                facts=(
                    item.found(),
                    FoundFact(component, "none", "wheels, toolkits, library directories", "libraries"),
                ),
                sources=(fact,),
                components=("cublas", "tensorrt") if component == "cublas" else ("cuda", "tensorrt"),
                remedy=_wheel_remedy(context, item, component, major),
            )


@rule("CUD104", "nvrtc-of-another-minor", severity=Severity.ERROR, components=("nvrtc", "cuda", "tensorrt"))
def nvrtc_minor(context: Context) -> Iterable[Problem]:
    """This TensorRT asks for the NVRTC of one CUDA minor by file name, and only newer CUDA is there.

    Why it matters: Before CUDA 11.2 the file name of NVRTC carried the minor. TensorRT 7.2.2 may be used with CUDA
    11.2, but wants libnvrtc.so.11.1 beside it.

    Example: TensorRT 7.2.2.3 with CUDA 11.2 alone: the build of an engine stops, libnvrtc.so.11.1 cannot be opened.

    How to fix: Install the NVRTC of that CUDA minor beside the newer one.

    Sources: trt_1064, rn_7
    """
    stack = context.stack
    there = [item for item in (*stack.of("cuda"), *stack.of("nvrtc")) if item.version]
    if not there:
        return
    for item in stack.builders:
        if item.version is None or made_by_vendor(context, item):
            continue
        majors = {cuda.version.major for cuda in there if cuda.version}
        pairs = [(row, flavour) for row, flavour in candidates(context, item) if cuda_major(flavour) in majors]
        facts = [tensorrt.needs_nvrtc(row, flavour) for row, flavour in pairs]
        wanted = [Version.maybe(fact.value) if fact else None for fact in facts]
        if not wanted or any(bound is None or bound != wanted[0] for bound in wanted) or wanted[0] is None:
            continue
        bound = wanted[0]
        # An older minor has a package of its own, which asks for its own NVRTC: only newer ones lack the file.
        if not all(_newer(cuda.version, bound) for cuda in there):
            continue
        shown = joined(
            list(dict.fromkeys(f"{'NVRTC' if cuda.component == 'nvrtc' else 'CUDA'} {cuda.version}" for cuda in there))
        )
        yield Problem(
            Severity.ERROR,
            f"{label(item)} needs the NVRTC of CUDA {bound}, found is {shown}",
            breaks=f"Building an engine stops: libnvrtc.so.{bound} cannot be opened.",
            detail=f"The package for CUDA {bound} may be used with a newer minor, but loads NVRTC {bound} by name.",
            facts=(item.found(), *(cuda.found() for cuda in there[:3])),
            sources=tuple(fact for fact in facts if fact),
            remedy=Remedy(
                "nvrtc", "choose", f"=={bound}.*", f"Install the NVRTC of CUDA {bound} beside the newer CUDA."
            ),
        )


def _newer(version: Version | None, bound: Version) -> bool:
    """Whether a CUDA is surely of a newer minor than ``bound``."""
    return (
        version is not None
        and version.at_least(bound) is Answer.YES
        and version.same_as(bound) is Answer.NO
        and version.parts[:2] != bound.parts[:2]
    )


@rule(
    "CUD105",
    "cublas-of-another-major",
    severity=Severity.ERROR,
    components=("cublas", "tensorrt"),
    silenced_by=("CUD101",),
)
def cublas_major(context: Context) -> Iterable[Problem]:
    """All cuBLAS that is there is of another major than this TensorRT loads.

    Why it matters: The number is part of the file name: libcublas.so.11 is not libcublas.so.12.

    Example: tensorrt 8.5.3.1 (CUDA 11) where only nvidia-cublas-cu12 is installed.

    How to fix: Install cuBLAS of the wanted major beside the other one.

    Sources: engine_measured
    """
    if not context.stack.of("cublas"):
        return
    for item, needs in _library_needs(context):
        for component, major, fact in needs:
            found = context.stack.of(component) if component == "cublas" else ()
            if not found or any(copy.version is None or str(copy.version.major) == major for copy in found):
                continue
            yield Problem(
                Severity.ERROR,
                f"{label(item)} needs cuBLAS {major}, found is {joined([str(copy.version) for copy in found])}",
                breaks=f"The import fails: libcublas.so.{major}: cannot open shared object file.",
                facts=(item.found(), *(copy.found() for copy in found[:3])),
                sources=(fact,),
                remedy=_wheel_remedy(context, item, component, major),
            )


def _library_needs(context: Context) -> list[tuple[Installation, list[tuple[str, str, Fact]]]]:
    """What each TensorRT loads by name, where every release and flavour that it may be says the same."""
    found = []
    for item in context.stack.builders:
        if item.version is None or made_by_vendor(context, item):
            continue
        tables = [row.get("builds", flavour, "needs_libraries") for row, flavour in candidates(context, item)]
        if tables and all(isinstance(table.value, dict) and table.value == tables[0].value for table in tables):
            found.append((item, [(str(name), str(major), tables[0]) for name, major in tables[0].value.items()]))
    return found


def _wheel_remedy(context: Context, item: Installation, component: str, major: str) -> Remedy:
    """A wheel for a TensorRT that pip brought, a sentence for the others."""
    reason = f"{label(item)} loads it by name"
    if item.origin not in (None, "pip"):
        text = f"Install {_spoken(component)} {major} (of CUDA {major}) where the loader finds it: {reason}."
        return Remedy(component, "choose", f"=={major}.*", text)
    name = {"cublas": "nvidia-cublas", "cuda": "nvidia-cuda-runtime", "nvrtc": "nvidia-cuda-nvrtc"}[component]
    suffixed = f"{name}-cu{major}"
    spec = known_spec(context.matrix, suffixed)
    chosen = suffixed if spec is not None and spec.real == "wheel" else name
    wanted = None if chosen == suffixed else f"=={major}.*"  # only the old names carry the CUDA major
    return Remedy(component, "install", wanted, reason, (("distributions", chosen),))


def _spoken(component: str) -> str:
    return {"cublas": "cuBLAS", "cuda": "the CUDA runtime", "nvrtc": "NVRTC"}.get(component, component)
