"""A Report as code that depends on it asks: ``environment.tensorrt.version``, ``environment.gpu(0).name``.

A thin view: nothing is judged here that the Report has not. Versions are text, and text does not compare as versions
do (``"10.9" > "10.13"``): ask ``meets("tensorrt>=10.13")``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property

from trtdoctor.findings import Finding, Report, RequirementError, Verdict
from trtdoctor.record import record
from trtdoctor.snapshot import Canary, Gpu, Snapshot
from trtdoctor.stack import GpuFact, Installation, Stack


@record
class Component:
    """One component of the stack, in as many copies as there are."""

    name: str
    versions: tuple[str, ...] = ()
    """Those that are known, each once; empty when there is none, or none that is known."""
    places: tuple[str, ...] = ()
    """Owner or directory of each copy."""

    @property
    def version(self) -> str | None:
        """The version, where there is one and not several."""
        return self.versions[0] if len(self.versions) == 1 else None

    def __bool__(self) -> bool:
        return bool(self.versions or self.places)


@record
class VisibleGpu:
    """One GPU that processes here can use."""

    index: int
    """As NVML (``nvidia-smi``) numbers it."""
    name: str | None
    compute_capability: str | None
    """``"9.0"``; measured or stated, else by the matrix from the name."""
    memory_bytes: int | None
    facts: Gpu
    """All that the Snapshot has of it."""


class Environment:
    """What a Report says, by the names that people use."""

    def __init__(self, report: Report, *, unmet: Callable[[RequirementError], None] | None = None) -> None:
        """View ``report``; ``unmet`` takes a requirement's failure instead of having it raised.

        Raises ValueError for a Report that ``trtdoctor.check`` did not make.
        """
        if report.answers is None:
            raise ValueError("nothing can be asked of this report: it was not made by trtdoctor.check")
        self.report = report
        self._unmet = unmet

    def __repr__(self) -> str:
        return f"<Environment {self.verdict.value}>"

    @property
    def verdict(self) -> Verdict:
        """``ready``, ``at-risk``, ``broken`` or ``unknown``."""
        return self.report.verdict

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found, from the worst to the mildest."""
        return self.report.findings

    @property
    def snapshot(self) -> Snapshot:
        """All facts."""
        snapshot: Snapshot = self.report.snapshot
        return snapshot

    @property
    def _stack(self) -> Stack:
        stack: Stack = self.report.answers.stack
        return stack

    # -- components ----------------------------------------------------------------------------------------------------

    @cached_property
    def tensorrt(self) -> Component:
        """TensorRT, the full product."""
        return _component("tensorrt", self._stack.builders)

    @cached_property
    def tensorrt_rtx(self) -> Component:
        """TensorRT for RTX."""
        return _component("tensorrt-rtx", self._stack.rtxs)

    @cached_property
    def cuda(self) -> Component:
        """The CUDA runtime."""
        return _component("cuda", self._stack.of("cuda"))

    @cached_property
    def cudnn(self) -> Component:
        """The cuDNN libraries."""
        return _component("cudnn", self._stack.of("cudnn"))

    @cached_property
    def cublas(self) -> Component:
        """The cuBLAS libraries."""
        return _component("cublas", self._stack.of("cublas"))

    @cached_property
    def driver(self) -> Component:
        """The driver."""
        found = self._stack.driver
        return Component("driver", (str(found),) if found else ())

    @property
    def driver_cuda(self) -> str | None:
        """Highest CUDA that the driver serves, ``13.0``."""
        level = self._stack.cuda_level
        return str(level) if level else None

    @cached_property
    def python(self) -> Component:
        """The Python whose packages were looked at."""
        found = self._stack.interpreter
        if found is None:
            return Component("python")
        return Component("python", (found.version,) if found.version else (), (found.path,) if found.path else ())

    def package(self, name: str) -> Component:
        """A distribution of that Python, by any spelling of its name. Only those of the stack are known."""
        from trtdoctor.matrix.distributions import normalise

        found = self._stack.distributions.get(normalise(name))
        if found is None:
            return Component(normalise(name))
        return Component(
            found.name, (found.version,) if found.version else (), (found.location,) if found.location else ()
        )

    # -- GPUs ----------------------------------------------------------------------------------------------------------

    @cached_property
    def gpus(self) -> tuple[VisibleGpu, ...]:
        """The GPUs that processes here can use, in NVML's order."""
        return tuple(_gpu(item) for item in self._stack.gpus)

    def gpu(self, number: int = 0) -> VisibleGpu:
        """One of them, counted from 0 among those that are visible. Raises LookupError when there is none such."""
        if not 0 <= number < len(self.gpus):
            raise LookupError(f"there is no GPU {number} here: {len(self.gpus)} visible")
        return self.gpus[number]

    @property
    def canary(self) -> Canary | None:
        """The small engine that was built here; None when none was."""
        return self.snapshot.canaries[-1] if self.snapshot.canaries else None

    # -- requirements --------------------------------------------------------------------------------------------------

    def meets(self, requirement: str) -> bool:
        """Whether a requirement such as ``tensorrt>=10.3,<11`` is met for sure.

        Raises :class:`~trtdoctor.demands.DemandError` when it cannot be read.
        """
        answer: str = self.report.answers(requirement).answer.value
        return answer == "yes"

    def require(self, *requirements: str) -> None:
        """Insist on requirements, as :meth:`Report.require` does."""
        failed = None
        try:
            self.report.require(*requirements)
        except RequirementError as error:
            if self._unmet is None:
                raise
            failed = error
        if failed is not None and self._unmet is not None:
            self._unmet(failed)


def _component(name: str, items: Iterable[Installation]) -> Component:
    found = list(items)
    versions = dict.fromkeys(str(item.version) for item in found if item.version)
    places = dict.fromkeys(item.owner or item.directory or item.stated_at or item.origin or "" for item in found)
    return Component(name, tuple(versions), tuple(filter(None, places)))


def _gpu(item: GpuFact) -> VisibleGpu:
    gpu = item.gpu
    return VisibleGpu(gpu.index, gpu.name, item.compute_capability, gpu.memory_bytes, gpu)
