"""One process holds parts that do not belong together: two builds of one library, two CUDA majors."""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.findings import Remedy, Severity
from trtdoctor.matrix import Fact
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import advice
from trtdoctor.rules.loaded_files import (
    NUMBERED_LIKE_CUDA,
    base,
    component_of,
    folder,
    major_of,
    place,
    spec_of,
    three,
    version_of,
)
from trtdoctor.rules.loader_words import loaded_fact, named, spoken, step_of, with_place
from trtdoctor.rules.processes import Process, is_tensorrt, processes
from trtdoctor.rules.releases import joined
from trtdoctor.snapshot import Loaded
from trtdoctor.versions import Answer, Version


@rule(
    "LDR103",
    "library-parts-from-two-places",
    severity=Severity.ERROR,
    components=("loader", "cudnn"),
    silenced_by=("LDR101", "TRT109", "DNN104", "DNN105"),
)
def parts_from_two_places(context: Context) -> Iterator[Problem]:
    """One process takes the parts of one library from different places, in different versions.

    Why it matters: cuDNN refuses parts of another build, even of another patch level, and some mixes abort the process.
    TensorRT's plugin and parser libraries, cuBLAS and cuBLASLt, NVRTC and its builtins are made together as well.

    Example: libcudnn.so.9 of torch's wheel (9.10.2) opens libcudnn_ops.so.9 of /usr/lib (9.1.0), which comes first on
    LD_LIBRARY_PATH: CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH.

    How to fix: Take the directory of one of them out of the search path, so that all parts lie in one.

    Sources: measured_mix, nvrtc_measured, tensorrt_wheels
    """
    told: set[tuple[str, str]] = set()
    for process in processes(context):
        for component, items in _families(context, process):
            versions = {place(item): version_of(context, item) for item in items}
            first = items[0]
            core = versions[place(first)]
            wrong = [item for item in items if _other_release(core, versions[place(item)])]
            if not wrong or core is None or (component, place(wrong[0])) in told:
                continue
            told.add((component, place(wrong[0])))
            other = wrong[0]
            needed = component == "cudnn" and is_tensorrt(context, process) and _needs_cudnn(context)
            sure = needed and {place(first), place(other)} <= process.seen
            name = joined(list(dict.fromkeys(item.library for item in wrong[:2])))
            yield Problem(
                Severity.ERROR if sure else Severity.WARNING,
                with_place(
                    f"{named(process)} gets {first.library} {core} and {name} {versions[place(other)]}",
                    place(other),
                ),
                breaks="cuDNN refuses the mix (CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH), or the process aborts."
                if component == "cudnn"
                else f"Parts of {spoken(component)} are made together: undefined symbols, or wrong behaviour.",
                detail=f"{base(first.path)} is found {step_of(first)}, {base(other.path)} {step_of(other)}.",
                facts=tuple(loaded_fact(context, process, item) for item in (first, *wrong[:3])),
                sources=_one_build(context) if component == "cudnn" else (),
                components=("loader", component),
                remedy=_one_place(first, other),
            )


def _families(context: Context, process: Process) -> Iterator[tuple[str, list[Loaded]]]:
    """The loaded libraries of one component and major, the main one first; only where they are several files."""
    groups: dict[tuple[str, str | None, int | None], list[Loaded]] = {}
    for item in process.loaded:
        spec = spec_of(context.matrix, item)
        if spec is None or spec.component not in ("cudnn", "cublas", "nvrtc", "tensorrt"):
            continue
        if spec.role in ("builder-resource", "blas") or "/stubs/" in place(item):
            continue  # opened by its whole version, so never of another one; used by nobody in the stack; LDR105
        groups.setdefault((spec.component, spec.product, major_of(context, item)), []).append(item)
    for (component, _, _), items in groups.items():
        if len(items) > 1:
            yield component, sorted(items, key=lambda item: _rank(context, item))


def _rank(context: Context, item: Loaded) -> int:
    spec = spec_of(context.matrix, item)
    return (
        ("runtime", "builder", "lean", "dispatch").index(spec.role)
        if spec and spec.role in ("runtime", "builder", "lean", "dispatch")
        else 9
    )


def _other_release(core: Version | None, other: Version | None) -> bool:
    return core is not None and other is not None and three(core).same_as(three(other)) is Answer.NO


def _needs_cudnn(context: Context) -> bool:
    from trtdoctor.rules.cudnn import required

    return bool(required(context))


def _one_build(context: Context) -> tuple[Fact, ...]:
    return tuple(
        row.get("text") for row in context.matrix.rows("cudnn", "rules") if row.key in ("one-install", "dlopen")
    )


def _one_place(first: Loaded, other: Loaded) -> Remedy:
    reason = f"{first.library} and its parts must lie in one place"
    for item in (other, first):
        if item.step == "ld_library_path" and item.entry is not None:
            return Remedy("loader", "leave-out", None, reason, (("entry", item.entry),))
    if folder(first.path):
        return Remedy("loader", "search-first", None, reason, (("directory", folder(first.path)),))
    return advice("loader", f"Leave one of the two installations: {reason}.", reason)


@rule(
    "LDR104",
    "two-cuda-majors-in-one-process",
    severity=Severity.WARNING,
    components=("cuda", "loader"),
    silenced_by=("CUD101", "CUD102", "FWK201", "FWK303"),
)
def two_majors(context: Context) -> Iterator[Problem]:
    """One process holds CUDA libraries of two majors.

    Why it matters: Their names differ, so the loader allows it; but what one library allocates with its CUDA runtime
    is not to be handed to another that uses the other one, and cuDNN of one major name is built for one of them only.
    An NVRTC of another major is told and no more: it only compiles, and TensorRT 8.5 for CUDA 11 was seen to build and
    run an engine with NVRTC 13 in its process (docs/recordings.md, h200-trt853-observed).

    Example: tensorrt for CUDA 12 imported beside a torch for CUDA 13: libcudart.so.12 and libcudart.so.13.

    How to fix: Install the framework and TensorRT in the flavour of one CUDA major.

    Sources: pypi, package_index
    """
    told: set[tuple[int, ...]] = set()
    for process in sorted(processes(context), key=lambda item: len(item.names)):
        majors: dict[int, Loaded] = {}
        # One that computes is the better witness of its major than one that compiles.
        for item in sorted(process.loaded, key=lambda found: component_of(context, found) == "nvrtc"):
            if component_of(context, item) in NUMBERED_LIKE_CUDA and not item.lazy:
                major = _cuda_major(context, item)
                if major is not None:
                    majors.setdefault(major, item)
        numbers = tuple(sorted(majors))
        if len(numbers) < 2 or numbers in told:
            continue
        told.add(numbers)
        compiles = any(component_of(context, majors[number]) == "nvrtc" for number in numbers)
        apart = compiles or not process.single
        yield Problem(
            Severity.INFO if apart else Severity.WARNING,
            f"{named(process)} loads CUDA {joined([str(number) for number in numbers])} into one process",
            breaks="Nothing by itself: each finds its own libraries; they cannot share CUDA objects."
            if apart
            else "What was made with one CUDA runtime may not be passed to libraries of the other.",
            detail="; ".join(f"{base(majors[number].path)}: {step_of(majors[number])}" for number in numbers) + ".",
            facts=tuple(loaded_fact(context, process, majors[number]) for number in numbers),
            components=("cuda", "loader", *(("tensorrt",) if "tensorrt" in process.names else ())),
            remedy=None if apart else advice("cuda", "Install all of it in the flavour of one CUDA major."),
        )


def _cuda_major(context: Context, item: Loaded) -> int | None:
    """The CUDA major of a runtime library: libcudart.so.11.0 is CUDA 11, libcublas.so.12 belongs to CUDA 12."""
    major = major_of(context, item)
    version = version_of(context, item)
    return major if major is not None else version.major if version else None
