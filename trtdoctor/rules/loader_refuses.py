"""Libraries that the loader finds and cannot use: broken files, symbol versions, executable stacks."""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.findings import FoundFact, Remedy, Severity
from trtdoctor.rules.base import MAX_TITLE, Context, Problem, rule
from trtdoctor.rules.bring_library import on_disk
from trtdoctor.rules.common import advice
from trtdoctor.rules.loaded_files import base, folder, identify
from trtdoctor.rules.loader_words import named
from trtdoctor.rules.processes import is_tensorrt, processes, severity_of_failure, stands_alone, unusable
from trtdoctor.rules.releases import label
from trtdoctor.stack import Installation
from trtdoctor.versions import Answer, Version


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
            there = [copy for copy in on_disk(context, item.name, spec) if copy.path != item.path]
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
