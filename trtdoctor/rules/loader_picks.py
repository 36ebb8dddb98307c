"""Which copy of a library wins, and whether it is the one that its importer was made for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trtdoctor.findings import FoundFact, Remedy, Severity
from trtdoctor.matrix import Fact, cudnn
from trtdoctor.rules.base import MAX_TITLE, Context, Problem, rule
from trtdoctor.rules.common import advice
from trtdoctor.rules.loadings import (
    NUMBERED_LIKE_CUDA,
    Process,
    alike,
    brought_for,
    component_of,
    copy_fact,
    copy_of,
    folder,
    is_tensorrt,
    loaded_fact,
    made_for,
    major_of,
    named,
    path_of,
    place,
    processes,
    short_place,
    spec_of,
    spoken,
    step_of,
    three,
    version_of,
)
from trtdoctor.rules.loadings import base as base_name
from trtdoctor.rules.releases import joined
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
                _cut(f"{named(process)} {wanted.short(3)} gets {item.library} {found}", place(item)),
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


def _cut(text: str, path: str) -> str:
    """A title that ends with the directory of ``path``, as much of it as there is room for; without it in need."""
    room = MAX_TITLE - len(text) - len(" from ")
    return f"{text} from {short_place(path, room)}" if room >= 20 else text[:MAX_TITLE]


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
                _cut(
                    f"{named(process)} gets {first.library} {core} and {name} {versions[place(other)]}",
                    place(other),
                ),
                breaks="cuDNN refuses the mix (CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH), or the process aborts."
                if component == "cudnn"
                else f"Parts of {spoken(component)} are made together: undefined symbols, or wrong behaviour.",
                detail=f"{base_name(first.path)} is found {step_of(first)}, {base_name(other.path)} {step_of(other)}.",
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
            detail="; ".join(f"{base_name(majors[number].path)}: {step_of(majors[number])}" for number in numbers)
            + ".",
            facts=tuple(loaded_fact(context, process, majors[number]) for number in numbers),
            components=("cuda", "loader", *(("tensorrt",) if "tensorrt" in process.names else ())),
            remedy=None if apart else advice("cuda", "Install all of it in the flavour of one CUDA major."),
        )


def _cuda_major(context: Context, item: Loaded) -> int | None:
    """The CUDA major of a runtime library: libcudart.so.11.0 is CUDA 11, libcublas.so.12 belongs to CUDA 12."""
    major = major_of(context, item)
    version = version_of(context, item)
    return major if major is not None else version.major if version else None


@rule(
    "LDR105",
    "stub-library-wins",
    severity=Severity.WARNING,
    components=("loader", "cuda"),
    silenced_by=("DRV303",),
)
def stub_wins(context: Context) -> Iterator[Problem]:
    """A process gets a stub library of a CUDA toolkit instead of the real one.

    Why it matters: The directory lib64/stubs holds empty libraries to link against where the real ones are not. Every
    call of one fails at run time.

    Example: LD_LIBRARY_PATH=/usr/local/cuda/lib64/stubs, and libnvidia-ml.so.1 is taken from there.

    How to fix: Use the stubs directory with the linker (-L) only, never in LD_LIBRARY_PATH or ld.so.conf.

    Sources: cuda_headers_135
    """
    told: set[str] = set()
    for process in processes(context):
        for item in process.loaded:
            path = place(item)
            if "/stubs/" not in path.replace("\\", "/") or path in told:
                continue
            told.add(path)
            remedy = Remedy("loader", "leave-out", None, "stubs are for linking only", (("entry", item.entry or ""),))
            yield Problem(
                Severity.WARNING,
                _cut(f"{named(process)} gets the stub of {item.library}", path),
                breaks=f"Every call of {item.library} fails: a stub has no content.",
                detail=f"It is found {step_of(item)}.",
                facts=(loaded_fact(context, process, item),),
                components=("loader", component_of(context, item) or "cuda"),
                remedy=remedy
                if item.step == "ld_library_path" and item.entry
                else advice("loader", "Take the stubs directory out of ld.so.conf.d (then ldconfig) and of RPATHs."),
            )


@rule(
    "LDR106",
    "several-copies",
    severity=Severity.INFO,
    components=("loader", "cudnn", "cuda"),
    silenced_by=("LDR101", "LDR102", "LDR103", "LDR107", "LDR303", "DNN104"),
)
def several_copies(context: Context) -> Iterator[Problem]:
    """CuDNN or the CUDA runtime of one major lies on this machine more than once: who gets which.

    Why it matters: Both answer to one name, and what is true of the one need not be true of the other: a version read
    from one place says nothing of the process that loads from another.

    Example: cuDNN 9.14 of the system beside the 9.19 of torch's wheel: torch gets its own, other programs the system's.

    How to fix: Nothing. Where a program should use the other copy, put its directory first.

    Sources: https://man7.org/linux/man-pages/man8/ld.so.8.html, cudnn_fwd_compat
    """
    for component in ("cudnn", "cuda"):
        wins: dict[str, tuple[Loaded, list[str]]] = {}
        for process in processes(context):
            for item in process.loaded if process.single else ():
                spec = spec_of(context.matrix, item)
                if spec is not None and spec.component == component and spec.role == "runtime":
                    wins.setdefault(place(item), (item, []))[1].append(named(process))
        for item, users in wins.values():
            others = alike(context, item)
            version = version_of(context, item)
            if not others or version is None:
                continue
            everyone = [(str(version), path_of(item), users)]
            for copy in others:
                of_copy = wins.get(place(copy))
                everyone.append((copy.version or "?", copy.path or "", of_copy[1] if of_copy else []))
            shown = joined([text for text, _, _ in everyone])
            yield Problem(
                Severity.INFO,
                f"{_capital(spoken(component))} {version.major} is here {_times(len(everyone))}: {shown[:60]}",
                breaks="Nothing that is known: who asks gets one of them.",
                detail=" ".join(f"{path} ({text}): {_used(names)}." for text, path, names in everyone),
                facts=tuple(
                    FoundFact(f"{component} {text}", _used(names), path, "loader") for text, path, names in everyone
                ),
                components=("loader", component),
            )
            break  # one finding a component: it names them all


def _used(names: list[str]) -> str:
    return f"loaded by {joined(list(dict.fromkeys(names))[:4])}" if names else "loaded by none that was looked at"


def _times(number: int) -> str:
    return {2: "twice", 3: "three times"}.get(number, f"{number} times")


def _capital(text: str) -> str:
    return text if text.startswith(("cu", "nv")) else text[:1].upper() + text[1:]


@rule(
    "LDR107",
    "import-order-matters",
    severity=Severity.WARNING,
    components=("loader", "torch", "tensorrt"),
    silenced_by=("LDR103", "DNN104"),
)
def import_order(context: Context) -> Iterator[Problem]:
    """Two Python packages get another copy of a library depending on which of them is imported first.

    Why it matters: The first request loads a library, and whoever asks for that name later gets the same file. One of
    the two orders gives a package a library that it was not built with: crashes and refusals that come and go with an
    import line.

    Example: On Windows tensorrt imported before torch loads the toolkit's cublas64_11.dll, and torch's own libraries
    cannot be loaded beside it (WinError 127).

    How to fix: Import them in the order that gives each its own library; nearly always torch first.

    Sources: https://github.com/NVIDIA/TensorRT/issues/1693, https://github.com/pytorch/pytorch/issues/103852
    """
    by_names: dict[frozenset[str], list[Process]] = {}
    for process in processes(context):
        if not process.single and process.kind == "import":
            by_names.setdefault(frozenset(process.names), []).append(process)
    for orders in by_names.values():
        if len(orders) < 2:
            continue
        first, second = orders[0], orders[1]
        differing = list(_differing(context, first, second))
        if differing:
            yield _order_problem(context, first, second, differing)


_Pair = tuple[Loaded, Loaded]


def _differing(context: Context, first: Process, second: Process) -> Iterator[_Pair]:
    """Libraries of which the two orders give different files of one major."""
    others = {(item.library, major_of(context, item)): item for item in second.loaded}
    for item in first.loaded:
        other = others.get((item.library, major_of(context, item)))
        if other is not None and place(other) != place(item):
            yield item, other


def _order_problem(context: Context, first: Process, second: Process, differing: list[_Pair]) -> Problem:
    matters = [pair for pair in differing if _minors_differ(context, pair)]
    one, other = (matters or differing)[0]
    better = _better(context, first, second, (matters or differing))
    versions = [str(version_of(context, item) or "?") for item in (one, other)]
    component = component_of(context, one) or "cuda"
    frameworks = [name for name in first.names if not name.startswith("tensorrt")]
    facts = [fact for pair in (matters or differing)[:3] for fact in _both(context, first, second, pair)]
    return Problem(
        Severity.WARNING if matters else Severity.INFO,
        f"The order of imports decides on {one.library}: {_arrow(first)} gives {versions[0]}, {_arrow(second)} "
        f"{versions[1]}",
        breaks="In one of the orders a package gets a library that it was not built with: crashes or refusals."
        if matters
        else "Nothing that is known: both are of one minor release.",
        detail=f"{_arrow(first)}: {path_of(one)}, {step_of(one)}. "
        f"{_arrow(second)}: {path_of(other)}, {step_of(other)}.",
        facts=tuple(facts),
        components=(component, "loader", frameworks[0] if frameworks else "tensorrt"),
        remedy=Remedy(
            "python",
            "change-code",
            None,
            "each package then gets the library that it brought",
            (("text", f"Import {better.names[0]} before {joined(list(better.names[1:]))}."),),
        )
        if matters and better is not None
        else None,
    )


def _both(context: Context, first: Process, second: Process, pair: _Pair) -> Iterable[FoundFact]:
    return (loaded_fact(context, first, pair[0]), loaded_fact(context, second, pair[1]))


def _minors_differ(context: Context, pair: _Pair) -> bool:
    one, other = (version_of(context, item) for item in pair)
    if one is None or other is None:
        return False
    return Version.parse(one.short(2)).same_as(Version.parse(other.short(2))) is Answer.NO


def _better(context: Context, first: Process, second: Process, pairs: list[_Pair]) -> Process | None:
    """The order in which the library comes from a Python package's own files; None when that does not tell."""

    def own(item: Loaded) -> bool:
        copy = copy_of(context, item)
        of_wheel = (copy.owner or "").partition(" ")[0] if copy else ""
        path = place(item).replace("\\", "/")
        return of_wheel in context.stack.distributions or "/site-packages/" in path or "/torch/lib/" in path

    kept = {own(one) for one, _ in pairs}, {own(other) for _, other in pairs}
    if kept == ({True}, {False}):
        return first
    if kept == ({False}, {True}):
        return second
    return None


def _arrow(process: Process) -> str:
    return ", then ".join(process.names)
