"""NVIDIA's security bulletins: which installed releases have a published fix.

Always ``info``: a bulletin does not say whether engines build and run.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from trtdoctor.findings import FoundFact, Remedy, Severity
from trtdoctor.matrix import Fact, Matrix, advisories, containers
from trtdoctor.record import record
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import advice
from trtdoctor.rules.releases import distribution_found
from trtdoctor.versions import Version

_WITHOUT_TOOLS = frozenset(("pip", "conda", "container", "jetpack"))
"""Ways in which CUDA comes without the tools that its bulletins speak of."""
_RANKS = ("low", "medium", "high", "critical")


@rule("DRV601", "driver-has-security-fix", severity=Severity.INFO, components=("driver",), needs=("driver",))
def driver_fix(ctx: Context) -> Iterator[Problem]:
    """NVIDIA has published a security fix for this driver branch, in a newer release of it.

    Why it matters: The bulletins are for whoever shares the machine or runs foreign code. TensorRT runs all the same.

    Example: Driver 570.86.10 on Linux: bulletins of 2025 are fixed in 570.195.03.

    How to fix: Take the newest release of the branch, or a newer branch.

    Sources: nvidia_product_security
    """
    driver = ctx.stack.driver
    if driver is None or ctx.stack.jetson:
        return
    found = known_fixes(ctx, "driver", driver, ctx.stack.driver_system)
    if found is not None:
        remedy = Remedy("driver", "upgrade", f">={found.fixed}", f"security fixes up to {found.published}")
        yield _problem(found, f"Driver {driver}", ctx.stack.driver_found(), remedy)


@rule("CUD601", "cuda-has-security-fix", severity=Severity.INFO, components=("cuda",))
def cuda_fix(ctx: Context) -> Iterator[Problem]:
    """NVIDIA has published a security fix for tools of this CUDA toolkit.

    Why it matters: The bulletins are about tools that read foreign files (cuobjdump, nvdisasm, nvJPEG, Nsight). The
    runtime that TensorRT uses is not touched.

    Example: CUDA 12.4: cuobjdump is mended in 12.9.

    How to fix: Take a newer toolkit, or keep these tools from files that you do not trust.

    Sources: nvidia_product_security
    """
    found: dict[Version, FoundFact] = {}
    for item in ctx.stack.of("cuda"):
        if item.version and not item.directory and item.origin not in _WITHOUT_TOOLS:
            found[item.version] = item.found()
    for toolkit in ctx.snapshot.toolkits:
        version = Version.maybe(toolkit.version)
        if version is not None and toolkit.nvcc:
            found[version] = FoundFact("cuda toolkit", str(version), toolkit.root, "toolkits")
    for version, fact in found.items():
        fixes = known_fixes(ctx, "cuda", version)
        if fixes is not None:
            reason = f"only {', '.join(fixes.parts)} are touched" if fixes.parts else "security fixes"
            remedy = advice("cuda", f"Install CUDA {fixes.fixed} or newer: {reason}.")
            yield _problem(fixes, f"CUDA {version}", fact, remedy)


@rule("TRT601", "tensorrt-has-security-fix", severity=Severity.INFO, components=("tensorrt",), needs=("tensorrt",))
def tensorrt_fix(ctx: Context) -> Iterator[Problem]:
    """NVIDIA has published a security fix for this TensorRT release.

    Why it matters: The bulletins are about models and plans from others: a forged file can run code.

    Example: TensorRT 10.9: bulletins up to 2026-07 are fixed in 11.0.

    How to fix: Move to a release with the fix, and load only models and plans that you trust.

    Sources: nvidia_product_security
    """
    said: set[Version] = set()
    for item in ctx.stack.builders:
        if item.version is None or item.version in said or item.origin == "jetpack":
            continue
        said.add(item.version)
        found = known_fixes(ctx, "tensorrt", item.version)
        if found is not None:
            text = f"Load only trusted models and plans; TensorRT {found.fixed} has the fix."
            yield _problem(found, f"TensorRT {item.version}", item.found(), advice("tensorrt", text))


@rule("FWK601", "framework-has-security-fix", severity=Severity.INFO, components=("tensorrt-llm",))
def framework_fix(ctx: Context) -> Iterator[Problem]:
    """NVIDIA has published a security fix for this TensorRT-LLM, or for the Triton of this image.

    Why it matters: Both are servers: the bulletins are about requests and files from others.

    Example: tritonserver:25.05-py3: critical bulletins are fixed in 25.08.

    How to fix: Move to the release or the image that the finding names.

    Sources: nvidia_product_security
    """
    dist = ctx.stack.distributions.get("tensorrt-llm")
    version = Version.maybe(dist.version) if dist else None
    if dist is not None and version is not None:
        found = known_fixes(ctx, "tensorrt-llm", version)
        if found is not None:
            remedy = advice("tensorrt-llm", f"Move to TensorRT-LLM {found.fixed} or newer.")
            yield _problem(found, f"TensorRT-LLM {version}", distribution_found(dist), remedy)
    image = ctx.snapshot.container.image if ctx.snapshot.container else None
    row = containers.find(ctx.matrix, image) if image else None
    if row is None or not row.key.startswith("tritonserver:"):
        return
    month = Version.parse(row.text("month") or "0")
    found = known_fixes(ctx, "triton", month)
    if found is not None:
        fact = FoundFact("container", row.key, None, "host")
        remedy = advice("container", f"Move to tritonserver:{found.fixed}-py3 or newer.")
        yield _problem(found, f"Triton {month}", fact, remedy, ("triton", "container"))


@record
class Fixes:
    """The bulletins that a version falls under, summed up."""

    fixed: Version
    """The first version that has all of the fixes."""
    worst: str
    numbers: str
    """For a sentence: ``5821, 5747 and 3 more``."""
    page: str
    published: str
    parts: tuple[str, ...]
    sources: tuple[Fact, ...]


def known_fixes(ctx: Context, component: str, version: Version, system: str = "linux") -> Fixes | None:
    """The published fixes for a version, up to the day of the check; None when there is none."""
    key = ("rules: fixes", component, version, system, ctx.as_of)
    return ctx.matrix.remember(key, lambda: _sum_up(ctx.matrix, component, version, system, ctx.as_of))


def _sum_up(matrix: Matrix, component: str, version: Version, system: str, as_of: date) -> Fixes | None:
    every = advisories.of(matrix, component, version, system)
    rows = [
        row
        for row in every
        if date.fromisoformat(str(row.get("published").value)) <= as_of and not _elsewhere(row.get("parts").value)
    ]
    known = [advisories.fixed_in(matrix, row, version) for row in rows]
    fixed = max((found for found in known if found), key=lambda found: found.parts, default=None)
    if fixed is None:
        return None
    numbers = list(dict.fromkeys(str(row.get("bulletin").value) for row in rows))
    return Fixes(
        fixed,
        max((str(row.get("severity").value) for row in rows), key=_RANKS.index),
        ", ".join(numbers[:4]) + (f" and {len(numbers) - 4} more" if len(numbers) > 4 else ""),
        advisories.url(rows[0]),
        str(rows[0].get("published").value),
        tuple(sorted({str(part) for row in rows for part in row.get("parts").value or ()})),
        tuple(row.get("fixed_in") for row in rows[:4]),
    )


def _elsewhere(parts: object) -> bool:
    """Whether a bulletin is only about programs with an installer of their own, which no probe looks for."""
    return isinstance(parts, list) and bool(parts) and all(str(part).startswith("Nsight") for part in parts)


def _problem(
    found: Fixes, label: str, fact: FoundFact, remedy: Remedy, components: tuple[str, ...] | None = None
) -> Problem:
    return Problem(
        Severity.INFO,
        f"{label} has known security fixes (worst: {found.worst}); {found.fixed} has them",
        breaks="Nothing of TensorRT; security only.",
        detail=f"NVIDIA bulletins {found.numbers}: {found.page}",
        facts=(fact,),
        sources=found.sources,
        remedy=remedy,
        components=components,
    )
