"""Questions that several rule families ask in the same way. No rule is registered here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trtdoctor.findings import FoundFact, Remedy, Severity
from trtdoctor.matrix import Matrix, Row, bases
from trtdoctor.rules.base import Context
from trtdoctor.stack import GpuFact


def needs_gpu(ctx: Context) -> bool:
    """Whether the goal cannot be reached without a working driver and GPU.

    Only TensorRT for RTX builds ahead of time; everything else needs a GPU to build and to run.
    """
    return not (ctx.stack.rtxs and not ctx.stack.tensorrts and not ctx.wants("run"))


def cuda_works(ctx: Context) -> bool:
    """Whether cuInit was called here and succeeded: the machine itself refutes what a table would expect."""
    return ctx.snapshot.driver.cuinit_error == 0


def libc_of(ctx: Context) -> str | None:
    """The C library of the machine, ``glibc`` or ``musl``: as found, else that of its distribution."""
    platform = ctx.snapshot.platform
    return platform.libc or bases.libc_of(ctx.matrix, platform.distribution)


def severity_without_cuda(ctx: Context) -> Severity:
    """How bad it is when CUDA cannot be used at all."""
    return Severity.ERROR if needs_gpu(ctx) else Severity.INFO


def gpu_labels(items: Iterable[GpuFact]) -> str:
    """Several GPUs for a sentence: ``GPU 0, 1 (NVIDIA H200)`` when they have one name."""
    found = list(items)
    names = {item.gpu.name for item in found}
    if len(found) > 1 and len(names) == 1:
        numbers = ", ".join(str(item.gpu.index) for item in found)
        name = found[0].gpu.name
        return f"GPU {numbers} ({name})" if name else f"GPU {numbers}"
    return ", ".join(item.label for item in found)


def alike(items: Iterable[GpuFact]) -> Iterator[tuple[str, list[GpuFact]]]:
    """GPUs of known compute capability, those of one capability and class together: each kind is judged alone."""
    groups: dict[tuple[str, str | None], list[GpuFact]] = {}
    for item in items:
        if item.compute_capability:
            groups.setdefault((item.compute_capability, item.kind), []).append(item)
    for (capability, _), members in groups.items():
        yield capability, members


def numbered(matrix: Matrix, table: str) -> dict[int, Row]:
    """The rows of errors.yaml by their number; ``table`` is ``cuda`` or ``nvml``."""
    return matrix.remember(
        ("numbers", table), lambda: {int(row.get("code").value): row for row in matrix.rows("errors", table)}
    )


def cuda_error(ctx: Context) -> FoundFact | None:
    """What cuInit returned, as a fact; None when it was not called or succeeded."""
    code = ctx.snapshot.driver.cuinit_error
    if not code:
        return None
    row = numbered(ctx.matrix, "cuda").get(code)
    return FoundFact(
        "cuInit", f"{code} ({row.text('name')})" if row else str(code), ctx.snapshot.driver.library_path, "driver"
    )


def error_text(ctx: Context, code: int) -> str:
    """``error 802 (CUDA_ERROR_SYSTEM_NOT_READY)``."""
    row = numbered(ctx.matrix, "cuda").get(code)
    return f"error {code} ({row.text('name')})" if row else f"error {code}"


def advice(component: str, text: str, reason: str = "") -> Remedy:
    """A remedy that is a sentence, where no single command would be right."""
    return Remedy(component, "configure", reason=reason, details=(("text", text),))


def command(component: str, text: str, reason: str = "") -> Remedy:
    """A remedy that is one command of ours, run as root."""
    return Remedy(component, "configure", reason=reason, details=(("command", text), ("root", "yes")))
