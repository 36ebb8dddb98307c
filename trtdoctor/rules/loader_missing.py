"""Libraries that TensorRT asks for and does not get, named before any import fails."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trtdoctor.findings import FoundFact, Remedy, Severity
from trtdoctor.matrix import Fact
from trtdoctor.matrix.libraries import LibrarySpec
from trtdoctor.rules.base import MAX_TITLE, Context, Problem, rule
from trtdoctor.rules.common import advice
from trtdoctor.rules.loadings import (
    NUMBERED_LIKE_CUDA,
    Process,
    base,
    folder,
    for_want_of_driver,
    identify,
    is_tensorrt,
    made_for,
    named,
    processes,
    severity_of_failure,
    spoken,
    stands_alone,
    stops,
    unusable,
)
from trtdoctor.rules.releases import joined, known_spec, label
from trtdoctor.snapshot import Copy, Missing
from trtdoctor.stack import Installation
from trtdoctor.versions import Answer, Version


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
            if not stops(item) or item.problem != "not-found":
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
        names.sort(key=lambda name: not _on_disk(context, name, identify(context.matrix, name)))
        yield _absent(context, names, waiting[names[0]])


def _absent(context: Context, names: list[str], who: list[tuple[Process, Missing]]) -> Problem:
    name = names[0]
    spec = identify(context.matrix, name)
    component = spec.component if spec else None
    process, item = who[0]
    users = joined(list(dict.fromkeys(named(found) for found, _ in who))[:3])
    there = _on_disk(context, name, spec)
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
            *(FoundFact("outside the search path", copy.version or "?", copy.path, "libraries") for copy in there[:2]),
            *_useless_entries(context),
        ),
        components=(component or "loader", "loader" if component else "tensorrt"),
        remedy=_bring(context, process, name, spec, there),
    )


def _useless_entries(context: Context) -> tuple[FoundFact, ...]:
    """Entries of LD_LIBRARY_PATH that lead nowhere: worth a look when something is not found."""
    bad = [item for item in context.snapshot.search_entries if item.state not in ("ok", "relative") and item.path]
    return tuple(FoundFact(item.variable, f"entry is {item.state}", item.path, "loader") for item in bad[:3])


def _on_disk(context: Context, name: str, spec: LibrarySpec | None) -> list[Copy]:
    """Usable copies on disk that would answer to this name."""
    found: dict[str, Copy] = {}
    wanted = Version.maybe(spec.version) if spec else None
    for copy in context.snapshot.copies:
        if copy.problem is not None or copy.role == "header" or not copy.path:
            continue
        version = Version.maybe(copy.version)
        same_name = name in (copy.soname, base(copy.path))
        of_major = (
            spec is not None
            and copy.name == spec.name
            and copy.soname is None
            and wanted is not None
            and version is not None
            and version.may_be(wanted)
        )
        if same_name or of_major:
            found.setdefault(folder(copy.path), copy)
    return list(found.values())


def _bring(context: Context, process: Process, name: str, spec: LibrarySpec | None, there: list[Copy]) -> Remedy:
    """The directory where it lies; else the wheel that brings it; else a sentence."""
    reason = f"{named(process)} needs {name}"
    if there:
        if context.snapshot.platform.system == "windows":
            return advice("loader", f"Add {folder(there[0].path)} to PATH.", reason)
        return Remedy("loader", "search-first", None, reason, (("directory", folder(there[0].path)),))
    version = Version.maybe(spec.version) if spec else None
    if spec is not None and version is not None and _by_pip(context, process):
        wheel = _wheel(context, process, spec.component, version.major)
        if wheel is not None:
            distribution, wanted = wheel
            return Remedy(spec.component, "install", wanted, reason, (("distributions", distribution),))
    if spec is None:
        return advice("loader", f"Install the system package that brings {name}.", reason)
    number = f" {version.major}" if version else ""
    return Remedy(spec.component, "choose", None, f"Install {spoken(spec.component)}{number}: {reason}.")


def _by_pip(context: Context, process: Process) -> bool:
    path = (process.path or "").replace("\\", "/")
    owner = (process.owner or "").partition(" ")[0]
    return process.kind == "import" and ("/site-packages" in path or owner in context.stack.distributions)


def _wheel(context: Context, process: Process, component: str, major: int) -> tuple[str, str | None] | None:
    """The distribution that brings a library of this major, and the versions of it that do."""
    if component == "cudnn":
        flavour = _flavour(context, process)
        name = f"nvidia-cudnn-{flavour}"
        spec = known_spec(context.matrix, name) if flavour else None
        return (name, f"=={major}.*") if spec is not None and spec.real == "wheel" else None
    head = {
        "cublas": "nvidia-cublas",
        "cuda": "nvidia-cuda-runtime",
        "nvrtc": "nvidia-cuda-nvrtc",
        "nvjitlink": "nvidia-nvjitlink",
    }.get(component)
    for name, wanted in ((f"{head}-cu{major}", None), (head or "", f"=={major}.*")):
        spec = known_spec(context.matrix, name) if head else None
        if spec is not None and spec.real == "wheel":
            return name, wanted
    return None


def _flavour(context: Context, process: Process) -> str | None:
    """The CUDA flavour of what a process loads: of the copies themselves, else of TensorRT's wheels."""
    owner = known_spec(context.matrix, (process.owner or "").partition(" ")[0])
    if owner is not None and owner.flavour:
        return owner.flavour
    flavours = {item.flavour for item in context.stack.builders if item.flavour}
    return flavours.pop() if len(flavours) == 1 else None


@rule(
    "LDR205",
    "file-found-first-is-no-library",
    severity=Severity.ERROR,
    components=("loader", "tensorrt"),
)
def no_library(context: Context) -> Iterator[Problem]:
    """The loader's search ends at a file that has the right name and is no library.

    Why it matters: The loader passes by libraries of another architecture, but a file that is empty, cut short or no
    ELF file at all ends the search with an error, however good the copy is that lies in the next directory.

    Example: libnvinfer.so.7.1.3 of size 0 in an image for JetPack 4, where the host was to mount the real one: "file
    too short".

    How to fix: Remove the file, or put the directory of a whole copy before it.

    Sources: https://man7.org/linux/man-pages/man8/ld.so.8.html,
    https://github.com/dusty-nv/jetson-inference/issues/1733
    """
    told: set[str] = set()
    for process in processes(context):
        if not stands_alone(context, process):
            continue
        for item in process.missing:
            spec = identify(context.matrix, item.name)
            component = spec.component if spec else None
            key = item.path or item.name
            if not unusable(item) or key in told or item.swallowed or component == "driver":
                continue
            if component == "tensorrt" and not context.stack.of("tensorrt"):
                continue  # TRT111 speaks: no whole copy is there
            told.add(key)
            there = [copy for copy in _on_disk(context, item.name, spec) if copy.path != item.path]
            what = {"not-elf": "is no library", "truncated": "is cut short"}.get(item.problem, "cannot be read")
            yield Problem(
                Severity.WARNING if item.lazy else severity_of_failure(context, process),
                f"{named(process)} finds {item.name[:48]} first as a file that {what}",
                breaks=f"Loading stops there: {item.name}: "
                + {"not-elf": "invalid ELF header.", "truncated": "file too short."}.get(
                    item.problem, "cannot open shared object file."
                ),
                detail=f"A whole copy lies in {folder(there[0].path)}." if there else "",
                facts=(
                    FoundFact(item.name, what, item.path, "loader"),
                    *(FoundFact("whole", copy.version or "?", copy.path, "libraries") for copy in there[:2]),
                ),
                sources=(),
                components=("loader", component or "tensorrt"),
                remedy=Remedy(
                    "loader", "search-first", None, "the broken file hides it", (("directory", folder(there[0].path)),)
                )
                if there
                else advice("loader", f"Remove {item.path or item.name}, and install what it belongs to again."),
            )


@rule(
    "LDR206",
    "symbol-version-missing",
    severity=Severity.ERROR,
    components=("glibc", "tensorrt", "loader"),
    silenced_by=("PYT102",),
)
def symbol_version(context: Context) -> Iterator[Problem]:
    """A library asks for symbol versions that this glibc, or the libstdc++ that wins, does not have.

    Why it matters: A library built on a newer distribution stops in the loader: "version `GLIBC_2.38' not found". With
    conda or an old image the libstdc++ that wins can be older than the system's: "version `GLIBCXX_3.4.30' not found".

    Example: a TensorRT built for Ubuntu 24.04 unpacked on Debian 11 (glibc 2.31).

    How to fix: Use a newer distribution or container, or the build for the older one; for GLIBCXX let the newer
    libstdc++ come first.

    Sources: https://man7.org/linux/man-pages/man8/ld.so.8.html, https://github.com/NVIDIA/TensorRT/issues/1124,
    https://github.com/triton-inference-server/server/issues/5933
    """
    told = False
    for process in processes(context):
        lacking = [item for item in process.missing if item.problem == "symbol-version" and item.detail]
        lacking = [item for item in lacking if not item.swallowed] if stands_alone(context, process) else []
        for kind in dict.fromkeys((item.detail or "").partition("_")[0] for item in lacking):
            of_kind = [item for item in lacking if (item.detail or "").partition("_")[0] == kind]
            worst = max(of_kind, key=lambda item: _number(item.detail or ""))
            lazily = all(item.lazy for item in of_kind)
            severity = Severity.WARNING if lazily else severity_of_failure(context, process)
            who = f"{named(process)}: {base(worst.needed_by) or worst.name}"
            told = True
            yield _lacking(context, severity, who, worst.needed_by or worst.path, worst.detail or "", worst.name)
    have = Version.maybe(context.snapshot.platform.glibc)
    if told or have is None or any(item.single and is_tensorrt(context, item) for item in processes(context)):
        return  # the loadings say it all

    def judge(item: Installation) -> Answer:
        floors = [Version.maybe(copy.needs_glibc) for copy in item.copies if copy.needs_glibc]
        return Answer.of(not any(floor is not None and have.below(floor) is Answer.YES for floor in floors))

    failed, every = context.stack.failing(context.stack.of("tensorrt"), judge)
    for found in failed:
        newest = max(
            (copy for copy in found.copies if Version.maybe(copy.needs_glibc)),
            key=lambda copy: Version.parse(copy.needs_glibc or "0").parts,
        )
        severity = Severity.ERROR if every else Severity.WARNING
        who = f"{label(found)}: {newest.name}"
        yield _lacking(context, severity, who, newest.path, f"GLIBC_{newest.needs_glibc}", "libc.so.6")


def _number(needs: str) -> tuple[int, ...]:
    version = Version.maybe(needs.rpartition("_")[2])
    return version.parts if version else ()


def _lacking(context: Context, severity: Severity, who: str, path: str | None, needs: str, provider: str) -> Problem:
    have = context.snapshot.platform.glibc
    of_glibc = needs.startswith("GLIBC_")
    wanted = needs.rpartition("_")[2]
    tail = f"this is glibc {have}" if of_glibc and have else f"the {provider[:24]} that wins has not"
    newer = Remedy("glibc", "choose", f">={wanted}", f"Use a distribution or container with glibc {wanted} or newer.")
    return Problem(
        severity,
        f"{who[:56]} needs {needs[:24]}; {tail}"[:MAX_TITLE],
        breaks=f"Loading it fails: {provider}: version `{needs}' not found.",
        facts=(
            FoundFact(who.rpartition(": ")[2], f"needs {needs} of {provider}", path, "loader"),
            *((FoundFact("glibc", have, None, "host"),) if have else ()),
        ),
        components=("glibc", "tensorrt") if of_glibc else ("loader", "tensorrt"),
        remedy=newer
        if of_glibc
        else advice("loader", f"Let a newer {provider} come first (conda: install libstdcxx-ng 12 or newer).", needs),
    )


_EXECSTACK_FROM = "2.41"
"""Since this glibc dlopen refuses what asks for an executable stack (its NEWS; a fact of the C library)."""


@rule(
    "LDR207",
    "executable-stack-refused",
    severity=Severity.ERROR,
    components=("glibc", "tensorrt"),
)
def executable_stack(context: Context) -> Iterator[Problem]:
    """A library asks for an executable stack, and this glibc refuses to open such a library in a running process.

    Why it matters: glibc 2.41 and later give no executable stack to what is opened at run time. TensorRT's builder
    resource is opened when the first engine is built, so the import passes and the build stops: "cannot enable
    executable stack as shared object requires".

    Example: libnvinfer_builder_resource.so.10.7.0 on a distribution with glibc 2.41.

    How to fix: Upgrade to a TensorRT whose libraries do not ask for it, clear the flag (patchelf --clear-execstack
    FILE), or set GLIBC_TUNABLES=glibc.rtld.execstack=2.

    Sources: rve_85, jetpack_nixos_538, inspireface_229
    """
    have = Version.maybe(context.snapshot.platform.glibc)
    refused = {
        item.path or item.name: (item, process)
        for process in processes(context)
        if stands_alone(context, process)
        for item in process.missing
        if item.problem == "executable-stack"
    }
    for path, (item, process) in refused.items():
        spec = identify(context.matrix, base(item.path or item.name))
        of_builder = spec is not None and spec.role == "builder-resource"
        later = item.lazy or of_builder
        sure = context.wants("build") if later else not item.swallowed
        yield _refused(
            context,
            severity_of_failure(context, process) if sure else Severity.WARNING,
            base(path),
            item.path,
            "Building an engine stops" if later else f"Loading {named(process)} stops",
        )
    tunable = context.snapshot.setting("GLIBC_TUNABLES") or ""
    if refused or have is None or have.at_least(Version.parse(_EXECSTACK_FROM)) is not Answer.YES:
        return
    if "glibc.rtld.execstack=2" in tunable or any(is_tensorrt(context, item) for item in processes(context)):
        return  # the loadings say it all
    for copy in context.snapshot.copies:
        if copy.executable_stack and copy.component == "tensorrt" and copy.problem is None:
            yield _refused(
                context, Severity.WARNING, base(copy.path) or copy.name or "a library", copy.path, "Opening it can fail"
            )
            return


def _refused(context: Context, severity: Severity, name: str, path: str | None, what: str) -> Problem:
    have = context.snapshot.platform.glibc
    rows = [row for row in context.matrix.rows("known_issues", "issues") if row.key == "trt-execstack"]
    return Problem(
        severity,
        f"{name[:56]} asks for an executable stack, which glibc {have or _EXECSTACK_FROM} refuses",
        breaks=f"{what}: cannot enable executable stack as shared object requires.",
        facts=(
            FoundFact(name, "PT_GNU_STACK is executable", path, "libraries"),
            *((FoundFact("glibc", have, None, "host"),) if have else ()),
        ),
        sources=tuple(row.get("what") for row in rows),
        remedy=advice(
            "tensorrt",
            "Upgrade TensorRT, or clear the flag of the file (patchelf --clear-execstack FILE), or set "
            "GLIBC_TUNABLES=glibc.rtld.execstack=2.",
            "this glibc opens no such library in a running process",
        ),
    )


@rule(
    "LDR208",
    "opened-on-use-not-found",
    severity=Severity.ERROR,
    components=("tensorrt", "loader"),
    silenced_by=("TRT106", "DNN101", "DNN102", "DNN105", "DNN106", "LDR201", "LDR202", "LDR203", "LDR207"),
)
def opened_on_use(context: Context) -> Iterator[Problem]:
    """A library that TensorRT opens only when it is used would not be found then.

    Why it matters: The import passes; the failure comes in the middle of a build. The builder resource is opened by its
    exact version, cuDNN's sub-libraries and NVRTC's builtins by name, each from the search path of whoever asks.

    Example: libnvinfer.so.10.9.0 from /opt/trt/lib through ldconfig, its builder resource left in another directory:
    "Unable to load library: libnvinfer_builder_resource.so.10.9.0".

    How to fix: Keep the libraries of one release in one directory, and put that directory in the search path.

    Sources: trt_2218, engine_measured, nvrtc_measured
    """
    told: set[str] = set()
    for process in processes(context):
        for item in process.missing if stands_alone(context, process) else ():
            if not item.lazy or item.name in told or item.problem not in ("not-found", "dependency"):
                continue
            if for_want_of_driver(context, process, item):
                continue
            spec = identify(context.matrix, item.name)
            verdict = _when_used(context, process, spec, item)
            if spec is None or verdict is None:
                continue
            told.add(item.name)
            severity, breaks, facts = verdict
            there = _on_disk(context, item.name, spec)
            yield Problem(
                severity,
                f"{named(process)} would not find {item.name[:56]} when it opens it"[:MAX_TITLE],
                breaks=breaks,
                detail=f"It lies in {folder(there[0].path)}, which is not searched." if there else "",
                facts=(
                    FoundFact(item.name, f"opened by {base(item.needed_by) or 'TensorRT'}", item.needed_by, "loader"),
                    *(
                        FoundFact("outside the search path", copy.version or "?", copy.path, "libraries")
                        for copy in there[:2]
                    ),
                ),
                sources=facts,
                components=(spec.component, "loader"),
                remedy=_bring(context, process, item.name, spec, there),
            )


def _when_used(
    context: Context, process: Process, spec: LibrarySpec | None, item: Missing
) -> tuple[Severity, str, tuple[Fact, ...]] | None:
    """How bad it is, what breaks, and what says so; None where nobody can tell that it is ever opened."""
    if spec is None or spec.component == "driver":
        return None
    if spec.role == "builder-resource":
        # Newer releases have one for each GPU instead: only a file that exists is surely the one that is wanted.
        if not context.wants("build") or not _on_disk(context, item.name, spec):
            return None
        return severity_of_failure(context, process), f"Building stops: Unable to load library: {item.name}.", ()
    if spec.component in ("cudnn", "cublas"):
        from trtdoctor.rules.cudnn import required

        made = made_for(context, process)
        needs = [(found, facts) for found, _, facts in required(context) if made is None or _is(found, made)]
        if not needs:
            return None  # this release does well without it
        return Severity.WARNING, f"Layers that use {spoken(spec.component)} stop, or the process aborts.", needs[0][1]
    if spec.component == "nvrtc":
        return Severity.WARNING, f"Kernels that are compiled at run time fail: failed to open {item.name}.", ()
    return None


def _is(item: Installation, made: Version) -> bool:
    return item.version is not None and item.version.may_be(made)


@rule(
    "LDR209",
    "preload-fails-silently",
    severity=Severity.WARNING,
    components=("loader", "tensorrt"),
    silenced_by=("TRT102", "DNN101", "DNN102", "CUD103", "CUD105", *(f"LDR20{number}" for number in range(1, 8))),
)
def preload_fails(context: Context) -> Iterator[Problem]:
    """A package opens each library of its directory before it needs them, and some of them fail without a word.

    Why it matters: TensorRT's wheels load their libraries so, and swallow every error. What is not loaded is searched
    for later, in other places: another copy may answer, or the first build stops.

    Example: tensorrt_libs/libnvinfer_plugin.so.8 cannot be opened for want of libcudnn.so.8; import tensorrt passes.

    How to fix: Bring what the named file lacks.

    Sources: engine_measured, tensorrt_wheels
    """
    for process in processes(context):
        if not stands_alone(context, process):
            continue
        got = {name for item in process.loaded for name in (item.soname, base(item.path), base(item.realpath)) if name}
        libs = {item.library for item in process.loaded}
        failed = [item for item in process.missing if item.swallowed and base(item.path or item.name) not in got]
        failed = [item for item in failed if not _loaded_after_all(context, item, libs)]
        failed = [item for item in failed if not for_want_of_driver(context, process, item)]
        causes = {item.detail for item in failed if item.problem == "dependency"}
        shown = [item for item in failed if item.name not in causes] or failed
        if not shown:
            continue
        first = shown[0]
        useful = [item for item in failed if _role(context, item) in ("builder", "plugin", "parser")]
        more = f" (and {len(shown) - 1} more)" if len(shown) > 1 else ""
        yield Problem(
            Severity.WARNING if useful else Severity.INFO,
            f"{named(process)} fails to preload {base(first.path or first.name)[:48]}{more} and says nothing",
            breaks="What needs it later searches in other places, or stops: "
            + (f"{_why(first)}." if useful else "nothing that TensorRT needs at first."),
            facts=tuple(
                FoundFact(base(item.path or item.name), _why(item), item.path or item.needed_by, "loader")
                for item in shown[:5]
            ),
            remedy=_first_cause(context, process, shown),
        )


def _loaded_after_all(context: Context, item: Missing, libs: set[str]) -> bool:
    spec = identify(context.matrix, base(item.path or item.name))
    return spec is not None and spec.name in libs


def _role(context: Context, item: Missing) -> str | None:
    spec = identify(context.matrix, base(item.path or item.name))
    return spec.role if spec is not None and spec.component == "tensorrt" else None


def _why(item: Missing) -> str:
    words = {
        "not-found": "cannot be found",
        "dependency": f"for want of {item.detail}" if item.detail else "for want of another library",
        "symbol-version": f"needs {item.detail}",
        "undefined-symbol": f"undefined symbol {item.detail}",
        "executable-stack": "asks for an executable stack",
        "not-elf": "is no library",
        "truncated": "is cut short",
    }
    return words.get(item.problem, "cannot be opened")


def _first_cause(context: Context, process: Process, shown: Iterable[Missing]) -> Remedy:
    for item in shown:
        name = item.detail if item.problem == "dependency" and item.detail else item.name
        spec = identify(context.matrix, name)
        if spec is not None and spec.component != "driver" and item.problem in ("dependency", "not-found"):
            return _bring(context, process, name, spec, _on_disk(context, name, spec))
    return advice("loader", "Install again what the named files belong to, whole.")
