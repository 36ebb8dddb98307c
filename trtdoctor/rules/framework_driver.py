"""Whether the driver runs the CUDA that a framework was built for: it may be newer than TensorRT's."""

from __future__ import annotations

from collections.abc import Iterable

from trtdoctor.findings import Severity
from trtdoctor.matrix import Fact
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import error_text
from trtdoctor.rules.driver_needs import Need, image_may_help, need_of, upgrade
from trtdoctor.rules.frameworks_found import ONNXRUNTIME, TORCH, Framework, cuda_of, find, is_meant
from trtdoctor.rules.releases import cuda_major, distribution_found
from trtdoctor.versions import Answer, Version

_COMPONENTS = {TORCH: "torch", ONNXRUNTIME: "onnxruntime"}


@rule(
    "FWK105",
    "driver-below-framework-cuda",
    severity=Severity.ERROR,
    components=("torch", "driver"),
    silenced_by=("CTR101", "CTR401", "DRV101", "DRV102", "DRV201"),
)
def driver_below_framework_cuda(context: Context) -> Iterable[Problem]:
    """The driver is older than any that runs the CUDA that torch or onnxruntime-gpu was built for.

    Why it matters: A framework brings or links a CUDA of its own, which may be of a newer major than the one that
    TensorRT was built for. TensorRT works, and the framework beside it finds no GPU.

    Example: torch 2.11 (CUDA 13) beside TensorRT for CUDA 12, with driver 535: torch.cuda.is_available() is False.

    How to fix: Upgrade the driver, or install a build of the framework for the older CUDA.

    Sources: cuda_compat_mvc, package_index, pytorch_release_matrix
    """
    driver = context.stack.driver
    if driver is None or context.stack.jetson or context.snapshot.driver.library_kind == "compat":
        return
    serious = not image_may_help(context)
    for name, component in _COMPONENTS.items():
        found = find(context, name)
        major, is_sure = _cuda_of(context, found) if found is not None else (None, False)
        if found is None or major is None:
            continue
        need = need_of(context, found.label, Version.parse(str(major)), distribution_found(found.dist), component)
        if need.floor is None or driver.at_least(need.floor) is not Answer.NO:
            continue
        yield Problem(
            Severity.ERROR if serious and is_sure and is_meant(context, component) else Severity.WARNING,
            f"Driver {driver} is too old for {found.label}: CUDA {major} needs {need.floor} or newer",
            breaks=f"{name} finds no GPU: {error_text(context, 35)}.",
            detail="" if is_sure else "A build by conda, or from its sources, may be for an older CUDA.",
            facts=(context.stack.driver_found(), distribution_found(found.dist)),
            sources=_sources(found, need),
            remedy=upgrade(context, need.floor, f"CUDA {major} of {found.label} needs driver {need.floor} or newer"),
            components=(component, "driver"),
        )


def _cuda_of(context: Context, found: Framework) -> tuple[int | None, bool]:
    """The CUDA major of a framework, and whether it is sure: else it is that of the build on the index."""
    known = cuda_of(context, found)
    if known is not None:
        return known, True
    flavours = {row.text("flavour") for row in found.rows}
    flavour = flavours.pop() if len(flavours) == 1 else None
    if "+" in found.version.suffix or flavour is None or not flavour.startswith("cu"):
        return None, False
    return cuda_major(flavour), False


def _sources(found: Framework, need: Need) -> tuple[Fact, ...]:
    return (*(row.get("flavour") for row in found.rows[:1]), *need.facts)
