"""A Snapshot as rules look at it: installations instead of files, versions instead of text, still only facts.

Pure and lazy: nothing is computed that no rule asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property

from trtdoctor.findings import FoundFact
from trtdoctor.matrix import Matrix, containers, distributions, drivers, gpus, wheels
from trtdoctor.record import record
from trtdoctor.snapshot import Copy, Distribution, Gpu, Interpreter, Snapshot
from trtdoctor.versions import Answer, Version

_WHEELED = ("tensorrt", "cuda", "cudnn", "cublas", "nvrtc")
_BROUGHT = ("cuda", "cublas", "nvrtc")
"""What wheels of TensorRT and of frameworks bring along: a requirement on one does not say that it is the only one."""
KNOWN, ABSENT, UNKNOWN = "known", "absent", "unknown"
"""What can be said of a component: it is there with a version, it is not there, or nobody knows."""


@record
class Installation:
    """Files of one component that belong together: one wheel, one package, one directory; or one declared entry."""

    component: str
    version: Version | None
    product: str | None
    """TensorRT only: ``full``, ``lean``, ``dispatch``, ``rtx``."""
    flavour: str | None
    """``cu11``, ``cu12``, ``cu13``; None when unknown."""
    origin: str | None
    loaded: bool | None
    directory: str | None
    owner: str | None
    how: str | None
    copies: tuple[Copy, ...]

    @property
    def major(self) -> int | None:
        """First number of the version."""
        return self.version.major if self.version else None

    @property
    def stated_at(self) -> str | None:
        """``FILE:LINE`` of what is only stated, None for what is installed or was declared."""
        return next((copy.stated_at for copy in self.copies if copy.stated_at), None)

    @property
    def place(self) -> str | None:
        """Where it is, for a sentence: owner and directory, None for a declared one."""
        if self.directory and self.owner:
            return f"{self.directory} ({self.owner})"
        return self.directory or self.owner

    def found(self) -> FoundFact:
        """This installation as a fact for a finding."""
        words = {"tensorrt": {"rtx": "tensorrt-rtx", "lean": "tensorrt-lean", "dispatch": "tensorrt-dispatch"}}
        key = words.get(self.component, {}).get(self.product or "", self.component)
        where = self.stated_at or self.place or self.origin or self.how
        return FoundFact(key, str(self.version or "version unknown"), where, self.how)

    def has(self, role: str) -> bool:
        """Whether a file of this role is among the copies."""
        return any(copy.role == role for copy in self.copies)


@record
class GpuFact:
    """One GPU with what the matrix adds to its name."""

    gpu: Gpu
    compute_capability: str | None
    kind: str | None
    """Class by name: ``geforce``, ``datacenter``, ``jetson``, …; None when unknown."""
    sources: tuple[str, ...]

    @property
    def label(self) -> str:
        """For a sentence: ``GPU 0 (NVIDIA H200)``."""
        return f"GPU {self.gpu.index} ({self.gpu.name})" if self.gpu.name else f"GPU {self.gpu.index}"

    def found(self) -> FoundFact:
        """This GPU as a fact for a finding."""
        capability = self.compute_capability or "unknown"
        where = "stated" if self.gpu.compute_capability else "matrix gpus.yaml, by name"
        return FoundFact(
            f"gpu {self.gpu.index}", f"{self.gpu.name or 'unnamed'}, compute capability {capability}", where, "gpu"
        )


class Stack:
    """The questions that rules ask of one Snapshot."""

    def __init__(self, snapshot: Snapshot, matrix: Matrix) -> None:
        """Nothing is computed yet."""
        self.snapshot = snapshot
        self.matrix = matrix
        self._states: dict[str, str] = {}

    # -- platform ------------------------------------------------------------------------------------------------------

    @cached_property
    def jetson(self) -> bool | None:
        """Whether this is a Jetson; None when nothing says so or not."""
        platform = self.snapshot.platform
        if platform.l4t is not None or platform.jetpack is not None:
            return True
        if platform.architecture not in (None, "aarch64") or platform.system == "windows":
            return False
        if any(item.kind == "jetson" for item in self.all_gpus):
            return True
        return False if self.snapshot.kind == "live" or self.all_gpus else None

    @cached_property
    def platform(self) -> str | None:
        """The matrix's word: ``linux-x86_64``, ``linux-aarch64``, ``jetson``, ``windows-x86_64``; None when unknown."""
        if self.jetson:
            return "jetson"
        system, arch = self.snapshot.platform.system, self.snapshot.platform.architecture
        if self.snapshot.platform.wsl:
            system = "linux"
        return f"{system}-{arch}" if system and arch else None

    @cached_property
    def driver_system(self) -> str:
        """Whose driver numbers hold: ``windows`` also for WSL, else ``linux``."""
        platform = self.snapshot.platform
        return "windows" if platform.system == "windows" or platform.wsl else "linux"

    # -- driver --------------------------------------------------------------------------------------------------------

    @cached_property
    def driver(self) -> Version | None:
        """Version of the driver that serves this machine: NVML's or the kernel module's, as declared otherwise."""
        found = self.snapshot.driver
        return Version.maybe(found.version) or Version.maybe(found.kernel_version)

    @cached_property
    def cuda_level(self) -> Version | None:
        """Highest CUDA that the driver in use serves: measured, else by the table of branches."""
        measured = Version.maybe(self.snapshot.driver.cuda)
        if measured is not None:
            return measured
        if self.driver is None:
            return None
        return Version.maybe(drivers.cuda_of(self.matrix, self.driver).value)

    def driver_found(self) -> FoundFact:
        """The driver as a fact for a finding."""
        found = self.snapshot.driver
        where = {"declared": "declared"}.get(
            self.snapshot.kind, "NVML" if found.version else "/proc/driver/nvidia/version"
        )
        return FoundFact("driver", str(self.driver or "none"), where, "driver")

    # -- GPUs ----------------------------------------------------------------------------------------------------------

    @cached_property
    def all_gpus(self) -> tuple[GpuFact, ...]:
        """Every GPU that is known of, visible or not."""
        return tuple(self._gpu(item) for item in self.snapshot.gpus or ())

    @cached_property
    def gpus(self) -> tuple[GpuFact, ...]:
        """The GPUs that a process can use here."""
        return tuple(item for item in self.all_gpus if item.gpu.visible is not False)

    def _gpu(self, gpu: Gpu) -> GpuFact:
        row = gpus.find(self.matrix, gpu.name) if gpu.name else None
        capability = gpu.compute_capability or (row.text("compute_capability") if row else None)
        sources = row.get("compute_capability").sources if row and not gpu.compute_capability else ()
        return GpuFact(gpu, capability, row.text("class") if row else None, sources)

    # -- components ----------------------------------------------------------------------------------------------------

    @cached_property
    def installations(self) -> dict[str, tuple[Installation, ...]]:
        """Installations by component."""
        groups: dict[tuple[object, ...], list[Copy]] = {}
        for number, copy in enumerate((*self.snapshot.copies, *self._stated_wheels(), *self._image_contents())):
            if copy.role == "header":
                continue  # for compilers; no process loads it
            if copy.problem in ("broken-link", "not-elf", "unreadable", "truncated", "foreign-architecture"):
                continue
            key: tuple[object, ...]
            if copy.path is None:
                key = (copy.component, number)
            else:
                place = (copy.realpath or copy.path).rpartition("/")[0]
                version = Version.maybe(copy.version)
                key = (copy.component, place, copy.product, version.major if version else None)
            groups.setdefault(key, []).append(copy)
        result: dict[str, list[Installation]] = {}
        for copies in groups.values():
            made = _installation(copies)
            result.setdefault(made.component, []).append(made)
        return {component: tuple(items) for component, items in result.items()}

    def _stated_wheels(self) -> Iterator[Copy]:
        """Wheels that a declared environment names among its packages, where it says nothing else of the component.

        On a real machine the files are the evidence, and a wheel without its files is what rules look for.
        """
        if self.snapshot.kind != "declared":
            return
        stated = {copy.component for copy in self.snapshot.copies}
        named: dict[tuple[str, str | None, str | None], Copy] = {}
        for name, item in self.distributions.items():
            spec = distributions.identify(self.matrix, name)
            if spec is None or spec.part not in ("meta", "libs", "runtime"):
                continue
            if (self.snapshot.partial and spec.component in _BROUGHT) or (
                spec.component in stated and not item.stated_at
            ):
                continue
            if spec.component not in _WHEELED or spec.real == "placeholder" or item.version is None:
                continue
            copy = Copy(
                spec.component,
                version=item.version,
                how="declared",
                origin="pip",
                flavour=spec.flavour or self._flavour_by_version(item),
                product=spec.product,
                stated_at=item.stated_at,
            )
            apart = spec.flavour if item.stated_at and spec.component != "tensorrt" else None
            kept = named.get((spec.component, spec.product, apart))
            if kept is None or (kept.flavour is None and spec.flavour):
                named[spec.component, spec.product, apart] = copy
        yield from named.values()

    def _flavour_by_version(self, item: Distribution) -> str | None:
        """The CUDA flavour of a requirement whose name does not tell it, by its version."""
        version = Version.maybe(item.version) if item.stated_at else None
        return wheels.flavour_of(self.matrix, item.name, version) if version else None

    def _image_contents(self) -> Iterator[Copy]:
        """What an image of NVIDIA's brings, where a declared environment names the image and not the component."""
        container = self.snapshot.container
        if self.snapshot.kind != "declared" or container is None or not container.image:
            return
        row = containers.find(self.matrix, container.image)
        if row is None:
            return
        named = tuple(self._stated_wheels())
        stated = {copy.component for copy in (*self.snapshot.copies, *named)}
        if any(copy.component == "tensorrt" and copy.stated_at for copy in named):
            stated.add("cudnn")  # the wheels of a TensorRT that needs it bring their own
        for component in ("tensorrt", "cuda", "cudnn", "cublas"):
            served = component == "tensorrt" and self.snapshot.platform.architecture == "aarch64"
            version = (row.text("tensorrt_sbsa") if served else None) or row.text(component)
            if version is not None and component not in stated:
                product = "full" if component == "tensorrt" else None
                yield Copy(
                    component,
                    version=version,
                    how="image",
                    origin="container",
                    product=product,
                    stated_at=container.stated_at,
                )

    def of(self, component: str) -> tuple[Installation, ...]:
        """Installations of a component, the loaded one alone when one is known to be loaded."""
        items = self.installations.get(component, ())
        loaded = tuple(item for item in items if item.loaded)
        return loaded or items

    @cached_property
    def tensorrts(self) -> tuple[Installation, ...]:
        """TensorRT installations of every product but TensorRT for RTX."""
        return tuple(item for item in self.of("tensorrt") if item.product != "rtx")

    @cached_property
    def builders(self) -> tuple[Installation, ...]:
        """TensorRT installations that can build engines (the full product)."""
        return tuple(item for item in self.tensorrts if item.product in ("full", None))

    @cached_property
    def rtxs(self) -> tuple[Installation, ...]:
        """TensorRT for RTX installations."""
        return tuple(item for item in self.of("tensorrt") if item.product == "rtx")

    def state(self, component: str) -> str:
        """KNOWN, ABSENT or UNKNOWN for a component, or for driver, gpu, python, glibc or platform."""
        known = self._states.get(component)
        if known is None:
            special = getattr(self, f"_state_of_{component}", None)
            known = self._states[component] = special() if special else self._state_of(component)
        return known

    def _state_of_driver(self) -> str:
        if self.driver:
            return KNOWN
        # A Jetson's driver is part of JetPack and has no number to judge by.
        return ABSENT if self.jetson or self.snapshot.driver.installed is False else UNKNOWN

    def _state_of_gpu(self) -> str:
        if self.snapshot.gpus is None:
            return UNKNOWN
        if not self.gpus:
            return ABSENT
        return KNOWN if any(item.compute_capability for item in self.gpus) else UNKNOWN

    def _state_of_python(self) -> str:
        return KNOWN if self.interpreter and self.interpreter.version else UNKNOWN

    def _state_of_glibc(self) -> str:
        platform = self.snapshot.platform
        return KNOWN if platform.glibc else ABSENT if platform.libc == "musl" else UNKNOWN

    def _state_of_platform(self) -> str:
        return KNOWN if self.platform else UNKNOWN

    def _state_of(self, component: str) -> str:
        chosen = {"tensorrt": lambda: self.tensorrts, "tensorrt-rtx": lambda: self.rtxs}
        items = chosen.get(component, lambda: self.of(component))()
        if any(item.version for item in items):
            return KNOWN
        if items:
            return UNKNOWN
        if component in chosen and self.of("tensorrt"):
            return ABSENT  # the other product is there
        return ABSENT if component.removesuffix("-rtx") in self.snapshot.searched else UNKNOWN

    @cached_property
    def interpreter(self) -> Interpreter | None:
        """The Python that is judged."""
        return self.snapshot.interpreters[0] if self.snapshot.interpreters else None

    @cached_property
    def distributions(self) -> dict[str, Distribution]:
        """Distributions of that Python by normalised name; the first on its path wins."""
        found: dict[str, Distribution] = {}
        for item in self.interpreter.distributions if self.interpreter else ():
            found.setdefault(item.name, item)
        return found

    # -- judging several at once ---------------------------------------------------------------------------------------

    @staticmethod
    def failing(
        items: Iterable[Installation], judge: Callable[[Installation], Answer]
    ) -> tuple[list[Installation], bool]:
        """Those that ``judge`` answers NO for, and whether that is all of them.

        Several copies and none known as loaded: an error only when all fail, a warning when some do.
        """
        every = list(items)
        failed = [item for item in every if judge(item) is Answer.NO]
        return failed, bool(failed) and len(failed) == len(every)


def _installation(copies: list[Copy]) -> Installation:
    first = max(copies, key=lambda copy: (copy.role in ("runtime", "builder"), len((copy.version or "").split("."))))
    versions = [version for version in (Version.maybe(copy.version) for copy in copies) if version]
    best = Version.maybe(first.version) or (max(versions, key=lambda version: len(version.parts)) if versions else None)
    fullest = [version for version in versions if best and version.may_be(best)]
    if fullest:
        best = max(fullest, key=lambda version: len(version.parts))
    path = first.realpath or first.path
    return Installation(
        component=first.component,
        version=best,
        product=_product(copies) if first.component == "tensorrt" else None,
        flavour=next((copy.flavour for copy in copies if copy.flavour), None),
        origin=next((copy.origin for copy in copies if copy.origin), None),
        loaded=any(copy.loaded for copy in copies) or None,
        directory=path.rpartition("/")[0] if path else None,
        owner=first.owner,
        how=first.how,
        copies=tuple(copies),
    )


def _product(copies: list[Copy]) -> str | None:
    products = {copy.product for copy in copies if copy.product}
    for product in ("full", "rtx", "lean", "dispatch"):
        if product in products:
            return product
    return None
