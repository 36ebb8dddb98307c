"""Inside WSL: the name under which cuDNN asks for the driver."""

from __future__ import annotations

from collections.abc import Iterable

from trtdoctor.findings import FoundFact, Remedy, Severity
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.loaded_files import base
from trtdoctor.rules.loader_words import named
from trtdoctor.rules.processes import processes

_PLAIN = "libcuda.so"
_HOME = "/usr/lib/wsl/lib"


@rule(
    "CTR202",
    "wsl-libcuda-without-plain-name",
    severity=Severity.WARNING,
    components=("wsl", "loader", "cudnn"),
    silenced_by=("CTR201", "DRV101"),
)
def plain_name(context: Context) -> Iterable[Problem]:
    """Inside WSL a library opens libcuda.so, and the loader finds only libcuda.so.1.

    Why it matters: cuDNN 8 asks for the driver by the name without a number. In WSL that name lies in /usr/lib/wsl/lib
    alone; ldconfig's cache, which leads there, holds only libcuda.so.1. The first convolution stops with "Could not
    load library libcudnn_cnn_infer.so.8", which names the wrong library.

    Example: torch 2.0 with cuDNN 8 in Ubuntu on WSL: Error: libcuda.so: cannot open shared object file.

    How to fix: Put /usr/lib/wsl/lib on LD_LIBRARY_PATH.

    Sources: nougat_105
    """
    if not context.snapshot.platform.wsl:
        return
    for process in processes(context):
        for item in process.missing:
            if item.name != _PLAIN or item.problem != "not-found" or not process.single:
                continue
            yield Problem(
                Severity.WARNING,
                f"WSL: {base(item.needed_by) or named(process)} opens {_PLAIN}, which the loader does not find",
                breaks=f"Its first use stops: {_PLAIN}: cannot open shared object file.",
                detail=f"The driver of WSL lies in {_HOME}, where the loader finds it by the name libcuda.so.1 alone.",
                facts=(FoundFact(_PLAIN, f"opened by {base(item.needed_by)}", item.needed_by, "loader"),),
                remedy=Remedy("loader", "search-first", None, "libcuda.so lies there", (("directory", _HOME),)),
            )
            return
