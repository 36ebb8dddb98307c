"""The copy that wins is not the one that its importer was made for, pinned or brought along."""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.findings import FoundFact, Remedy, Severity
from trtdoctor.matrix import Fact, cudnn
from trtdoctor.rules.base import MAX_TITLE, Context, Problem, rule
from trtdoctor.rules.common import advice
from trtdoctor.rules.importer_origins import brought_for, made_for
from trtdoctor.rules.loaded_files import (
    NUMBERED_LIKE_CUDA,
    alike,
    component_of,
    folder,
    place,
    spec_of,
    three,
    version_of,
)
from trtdoctor.rules.loader_words import copy_fact, loaded_fact, named, path_of, spoken, step_of, with_place
from trtdoctor.rules.processes import Process, is_tensorrt, processes
from trtdoctor.snapshot import Copy, Loaded
from trtdoctor.versions import Answer, Version

_CORES = ("builder", "lean", "dispatch")


@rule(
    "LDR101",
    "tensorrt-of-another-release-wins",
    severity=Severity.WARNING,
    components=("tensorrt", "loader"),
    silenced_by=("TRT103",),
)
def another_release(context: Context) -> Iterator[Problem]:
    """The loader gives TensorRT's bindings or trtexec a libnvinfer of another release than the one they were made for.

    Why it matters: All releases of one major share a file name, so the loader takes whichever it finds first. A newer
    minor is compatible for calls, an older one lacks calls; and engines are tied to the release of the library, not to
    the version that the bindings print: "Version tag does not match".

    Example: tensorrt 8.2.1 in Python, and LD_LIBRARY_PATH leads to libnvinfer.so.8 of 8.4.

    How to fix: Take the entry that hides the right library out of the search path, or use bindings and libraries of one
    release.

    Sources: https://docs.nvidia.com/deeplearning/tensorrt/11.0.0/reference/component-versioning.html,
    https://github.com/NVIDIA/TensorRT/issues/2041, https://github.com/NVIDIA/TensorRT/issues/3898
    """
    for process in processes(context):
        wanted = made_for(context, process) if process.single and is_tensorrt(context, process) else None
        if wanted is None:
            continue
        for item in process.loaded:
            spec, found = spec_of(context.matrix, item), version_of(context, item)
            if spec is None or spec.component != "tensorrt" or spec.role not in _CORES or found is None:
                continue
            if _beside_the_main_one(process, item) or three(found).may_be(three(wanted)):
                continue
            own = [copy for copy in alike(context, item) if _is_release(copy, wanted)]
            older = found.below(wanted) is Answer.YES
            yield Problem(
                Severity.WARNING,
                with_place(f"{named(process)} {wanted.short(3)} gets {item.library} {found}", place(item)),
                breaks=f"Engines are of {found.short(3)} here, whatever version is printed"
                + ("; calls that came later are missing." if older else "; those built by others do not load."),
                detail=f"{named(process)} finds {path_of(item)} {step_of(item)}."
                + (f" {own[0].path} ({own[0].version}) was to serve it." if own else ""),
                facts=(
                    FoundFact(named(process), str(wanted), process.where, "loader"),
                    loaded_fact(context, process, item),
                    *(copy_fact(copy, "hidden") for copy in own[:2]),
                ),
                remedy=_put_right(item, own, f"{named(process)} was made for {wanted.short(3)}")
                or Remedy("tensorrt", "choose", f"=={found.short(3)}.*", "Use bindings and libraries of one release."),
            )


def _beside_the_main_one(process: Process, item: Loaded) -> bool:
    """A lean or dispatch runtime that lies in a process of the full product is not what its bindings were made for."""
    main = {"tensorrt_lean": "libnvinfer_lean", "tensorrt_dispatch": "libnvinfer_dispatch"}
    wanted = main.get(process.importer, "libtensorrt_rtx" if process.importer == "tensorrt_rtx" else "libnvinfer")
    return item.library != wanted


def _is_release(copy: Copy, wanted: Version) -> bool:
    version = Version.maybe(copy.version)
    return version is not None and three(version).may_be(three(wanted))


def _put_right(item: Loaded, own: list[Copy], reason: str) -> Remedy | None:
    """How the right copy comes first: without the entry that hides it, else with its directory in front."""
    if not own or item.step not in ("ld_library_path", "windows-path", "ld.so.cache", "default"):
        return None
    if item.step == "ld_library_path" and item.entry is not None:
        return Remedy("loader", "leave-out", None, reason, (("entry", item.entry),))
    if item.step == "windows-path":
        return advice("loader", f"Put {folder(own[0].path)} before {item.entry} in PATH.", reason)
    return Remedy("loader", "search-first", None, reason, (("directory", folder(own[0].path)),))


@rule(
    "LDR102",
    "wheel-library-shadowed",
    severity=Severity.WARNING,
    components=("loader", "cudnn", "package"),
    silenced_by=("DNN104",),
)
def wheel_shadowed(context: Context) -> Iterator[Problem]:
    """A Python package gets a CUDA or cuDNN library from elsewhere than the wheel that was installed or pinned for it.

    Why it matters: LD_LIBRARY_PATH and the linker's cache come before what pip arranged. A newer minor of the same
    major stands in; with an older one calls can be missing: "undefined symbol", or a refusal by version.

    Example: torch pins nvidia-cudnn-cu12 9.10, and LD_LIBRARY_PATH leads to cuDNN 9.1 of the system.

    How to fix: Take the directory out of LD_LIBRARY_PATH, or upgrade the library in it.

    Sources: cudnn_fwd_compat, https://github.com/pytorch/pytorch/issues/134929
    """
    for process in processes(context):
        told: set[str] = set()
        for item in process.loaded if process.single else ():
            component = component_of(context, item)
            if component not in (*NUMBERED_LIKE_CUDA, "cudnn") or component in told:
                continue
            meant, found = brought_for(context, process, item), version_of(context, item)
            if meant is None or (found is not None and len(found.parts) > 1 and three(found).may_be(three(meant[0]))):
                continue
            wanted, whence, own = meant
            told.add(component)
            if found is None or len(found.parts) < 2:
                yield _of_unknown_release(context, process, item, meant)
                continue
            older, sources = _older(context, component, wanted, found)
            yield Problem(
                Severity.WARNING if older else Severity.INFO,
                f"{named(process)} gets {spoken(component)} {found}, not the {wanted} of {whence}",
                breaks="Not promised to work: calls that it was built with can be missing in the older one."
                if older
                else "Nothing that is known: a newer one of the same major stands in.",
                detail=f"{path_of(item)} is found {step_of(item)}.",
                facts=(loaded_fact(context, process, item), *((copy_fact(own, "hidden"),) if own else ())),
                sources=sources,
                components=("loader", component, *(process.names if "tensorrt" in process.names else ("package",))),
                remedy=(_put_right(item, [own] if own else [], f"{named(process)} brought its own") if older else None)
                or (Remedy(component, "choose", f">={wanted}", f"Upgrade it to {wanted} or newer.") if older else None),
            )


def _of_unknown_release(
    context: Context, process: Process, item: Loaded, meant: tuple[Version, str, Copy | None]
) -> Problem:
    wanted, whence, own = meant
    component = component_of(context, item) or ""
    return Problem(
        Severity.INFO,
        f"{named(process)} gets {spoken(component)} of unknown release, not the {wanted} of {whence}"[:MAX_TITLE],
        breaks=f"Not known: of this file only the major can be told. One older than {wanted.short(2)} may not serve.",
        detail=f"{path_of(item)} is found {step_of(item)}.",
        facts=(loaded_fact(context, process, item), *((copy_fact(own, "hidden"),) if own else ())),
        components=("loader", component),
        remedy=_put_right(item, [own] if own else [], f"{named(process)} brought its own"),
    )


def _older(context: Context, component: str, wanted: Version, found: Version) -> tuple[bool, tuple[Fact, ...]]:
    """Whether what is found is of an older minor than what was to be used, with what says that this matters."""
    if component == "cudnn":
        judged = cudnn.abi(context.matrix, wanted, found)
        return judged.word == "older-minor", judged.facts
    return Version.parse(found.short(2)).below(Version.parse(wanted.short(2))) is Answer.YES, ()
