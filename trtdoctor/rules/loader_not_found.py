"""Libraries that TensorRT asks for by name and the loader does not find, named before any import fails."""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.findings import FoundFact, Severity
from trtdoctor.rules.base import MAX_TITLE, Context, Problem, rule
from trtdoctor.rules.bring_library import bring, on_disk
from trtdoctor.rules.loaded_files import NUMBERED_LIKE_CUDA, base, folder, identify
from trtdoctor.rules.loader_words import named
from trtdoctor.rules.processes import Process, absent, processes, severity_of_failure, stands_alone, stops
from trtdoctor.rules.releases import joined
from trtdoctor.snapshot import Missing


@rule(
    "LDR201",
    "tensorrt-library-not-found",
    severity=Severity.ERROR,
    components=("tensorrt", "loader"),
    silenced_by=("LDR301", "TRT101", "TRT102", "TRT111", "PYT101", "PYT103", "PYT104", "CTR301"),
)
def tensorrt_not_found(context: Context) -> Iterator[Problem]:
    """A library of TensorRT that its bindings or programs need is not where the loader looks.

    Why it matters: Unpacking an archive does not tell the loader where it lies; and bindings ask for one major by name.
    The import stops with "libnvinfer.so.10: cannot open shared object file", though the file is on the disk.

    Example: TensorRT 8.2.1 unpacked in /opt, its bindings installed by pip, LD_LIBRARY_PATH not set.

    How to fix: Add the directory that holds it to LD_LIBRARY_PATH, or to /etc/ld.so.conf.d and run ldconfig.

    Sources: https://man7.org/linux/man-pages/man8/ld.so.8.html, https://github.com/NVIDIA/TensorRT/issues/2596
    """
    yield from _not_found(context, ("tensorrt",))


@rule(
    "LDR202",
    "cudnn-not-found",
    severity=Severity.ERROR,
    components=("cudnn", "loader"),
    silenced_by=("DNN101", "DNN102", "DNN106"),
)
def cudnn_not_found(context: Context) -> Iterator[Problem]:
    """CuDNN is wanted by name when TensorRT is loaded, and the loader finds none, wherever it may lie.

    Why it matters: A cuDNN in a toolkit's directory or in another Python serves nobody whose search path does not lead
    there: "libcudnn.so.8: cannot open shared object file".

    Example: libcudnn.so.8 lies in /usr/local/cuda-10.2/lib64, and neither ldconfig nor LD_LIBRARY_PATH knows it.

    How to fix: Add the directory that holds it to LD_LIBRARY_PATH, or install the wheel of that major.

    Sources: https://man7.org/linux/man-pages/man8/ld.so.8.html, https://github.com/NVIDIA/TensorRT/issues/1747
    """
    yield from _not_found(context, ("cudnn",))


@rule(
    "LDR203",
    "cuda-library-not-found",
    severity=Severity.ERROR,
    components=("cuda", "loader"),
    silenced_by=("CUD101", "CUD103", "CUD104", "CUD105"),
)
def cuda_not_found(context: Context) -> Iterator[Problem]:
    """A CUDA library of one major is wanted by name when TensorRT is loaded, and the loader finds none.

    Why it matters: libcublas.so.11 is another library than libcublas.so.12, and a toolkit beside the search path is no
    help: "Unable to open library: libnvinfer_plugin.so.8 due to libcublas.so.11".

    Example: TensorRT 8.6 for CUDA 11 where ldconfig knows only the libraries of CUDA 12.

    How to fix: Add the directory that holds it to LD_LIBRARY_PATH, or install the wheel of that major.

    Sources: https://man7.org/linux/man-pages/man8/ld.so.8.html, https://github.com/NVIDIA/TensorRT/issues/3061
    """
    yield from _not_found(context, NUMBERED_LIKE_CUDA)


@rule("LDR204", "library-not-found", severity=Severity.ERROR, components=("loader", "tensorrt"))
def other_not_found(context: Context) -> Iterator[Problem]:
    """A library that is no part of CUDA or TensorRT is needed to load TensorRT, and the loader finds none.

    Why it matters: Slim images lack what every desktop has, and a Jetson's libraries come from the host.

    Example: libnvdla_compiler.so is needed by libnvinfer.so.10 on a Jetson, and the container was given none.

    How to fix: Install the system package that brings it; on a Jetson start the container with the NVIDIA runtime.

    Sources: https://man7.org/linux/man-pages/man8/ld.so.8.html, https://github.com/balena-os/balena-jetson-orin/issues/519
    """
    yield from _not_found(context, (None,))


_OF_THE_SYSTEM = (
    "libc.so.",
    "libm.so.",
    "libdl.so.",
    "libpthread.so.",
    "librt.so.",
    "libgcc_s.so.",
    "libstdc++.so.",
    "ld-linux",
)
"""What is everywhere: where a prediction does not find it, the prediction does not know this system's directories."""


def _not_found(context: Context, components: tuple[str | None, ...]) -> Iterator[Problem]:
    """One problem for the names that the same importers fail for."""
    waiting: dict[str, list[tuple[Process, Missing]]] = {}
    for process in processes(context):
        if not stands_alone(context, process):
            continue
        for item in process.missing:
            spec = identify(context.matrix, item.name)
            component = spec.component if spec else None
            if component == "driver" or component not in components:
                continue  # family DRV speaks for the driver's libraries
            if not stops(item) or not absent(item):
                continue
            if item.name.startswith(_OF_THE_SYSTEM) and not process.observed:
                context.unknown(
                    "loader",
                    f"what {named(process)} loads",
                    f"where this system keeps {item.name} is not known",
                    "trtdoctor libs, which starts it and looks",
                )
                continue
            who = waiting.setdefault(item.name, [])
            if all(other is not process for other, _ in who):
                who.append((process, item))
    groups: dict[tuple[str, ...], list[str]] = {}
    for name, who in waiting.items():
        groups.setdefault(tuple(process.importer for process, _ in who), []).append(name)
    for names in groups.values():
        names.sort(key=lambda name: not on_disk(context, name, identify(context.matrix, name)))
        yield _absent(context, names, waiting[names[0]])


def _absent(context: Context, names: list[str], who: list[tuple[Process, Missing]]) -> Problem:
    name = names[0]
    spec = identify(context.matrix, name)
    component = spec.component if spec else None
    process, item = who[0]
    users = joined(list(dict.fromkeys(named(found) for found, _ in who))[:3])
    there = on_disk(context, name, spec)
    severity = min((severity_of_failure(context, found) for found, _ in who), key=lambda level: level.rank)
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    title = f"{users} needs {name[:48]}{more}, which the loader does not find"
    where = f"; it lies in {folder(there[0].path)}" if there and not more else ""
    return Problem(
        severity,
        title + where if len(title + where) <= MAX_TITLE else title[:MAX_TITLE],
        breaks=f"{'Loading' if process.kind != 'program' else 'Starting'} {users} fails: {name}: cannot open shared "
        "object file.",
        detail=f"{base(item.needed_by)} asks for it." if item.needed_by else "",
        facts=(
            *(
                FoundFact(other, f"needed by {base(item.needed_by) or named(process)}", None, "loader")
                for other in names[:4]
            ),
            *((FoundFact(name, "passed over: for another architecture", item.path, "loader"),) if item.path else ()),
            *(FoundFact("outside the search path", copy.version or "?", copy.path, "libraries") for copy in there[:2]),
            *_useless_entries(context),
        ),
        components=(component or "loader", "loader" if component else "tensorrt"),
        remedy=bring(context, process, name, spec, there),
    )


def _useless_entries(context: Context) -> tuple[FoundFact, ...]:
    """Entries of LD_LIBRARY_PATH that lead nowhere: worth a look when something is not found."""
    bad = [item for item in context.snapshot.search_entries if item.state not in ("ok", "relative") and item.path]
    return tuple(FoundFact(item.variable, f"entry is {item.state}", item.path, "loader") for item in bad[:3])
