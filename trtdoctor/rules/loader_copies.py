"""Stubs that win over the real library, and several copies of one: who gets which."""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.findings import FoundFact, Remedy, Severity
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import advice
from trtdoctor.rules.loaded_files import alike, component_of, place, spec_of, version_of
from trtdoctor.rules.loader_words import loaded_fact, named, path_of, spoken, step_of, with_place
from trtdoctor.rules.processes import processes
from trtdoctor.rules.releases import joined
from trtdoctor.snapshot import Loaded


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
                with_place(f"{named(process)} gets the stub of {item.library}", path),
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
