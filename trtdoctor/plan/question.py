"""What is asked of the planner: the environment, what must hold, what must stay."""

from __future__ import annotations

from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING

from trtdoctor.declared import machine_of, snapshot_of
from trtdoctor.demands import PRODUCTS, Demand
from trtdoctor.diagnosis import diagnose, errors
from trtdoctor.findings import Severity
from trtdoctor.matrix import Matrix, Row, jetpack
from trtdoctor.plan.environment import Environment, describe, entries
from trtdoctor.policy import Policy
from trtdoctor.rules.base import Context, Problem
from trtdoctor.rules.releases import platforms_of
from trtdoctor.rules.wheels import python_tag
from trtdoctor.snapshot import Snapshot
from trtdoctor.stack import ABSENT, Installation, Stack
from trtdoctor.versions import Answer, Version, within

if TYPE_CHECKING:
    from trtdoctor.obtainable import Obtainable


class Question:
    """One question, and what follows from it at once. Immutable by convention."""

    def __init__(
        self,
        snapshot: Snapshot,
        matrix: Matrix,
        *,
        as_of: date,
        goal: tuple[str, ...],
        demands: tuple[Demand, ...] = (),
        keep: tuple[str, ...] = (),
        install: tuple[str, ...] = (),
        policy: Policy | None = None,
        held: Obtainable | None = None,
        unwanted: frozenset[str] = frozenset(),
        repairs: bool = True,
    ) -> None:
        """``install`` are the ways that will do, empty for all; ``held`` is what can be had where not everything can.

        ``unwanted`` are codes of warnings that a plan must take away as it does errors; ``repairs`` says whether what
        only files show belongs to a plan.
        """
        self.snapshot = snapshot
        self.matrix = matrix
        self.as_of = as_of
        self.goal = goal
        self.demands = demands
        self.policy = policy or Policy()
        self.keep = frozenset((*keep, *self.policy.keep))
        self.install = install
        self.held = held
        self.unwanted = unwanted
        self.repairs = repairs

    @cached_property
    def environment(self) -> Environment:
        """What there is, as people describe it. Not to be changed."""
        return describe(self.machine)

    @cached_property
    def context(self) -> Context:
        """For judging what there is: from the description, so that it is judged as every candidate is."""
        return self.judged(self.environment)

    @cached_property
    def machine(self) -> Stack:
        """The Snapshot itself, for what no description has: the path of the interpreter, what was looked for."""
        return Stack(self.snapshot, self.matrix)

    @property
    def stack(self) -> Stack:
        """What there is, as rules look at it."""
        return self.context.stack

    def judged(self, environment: Environment) -> Context:
        """For judging an environment under this question."""
        words = frozenset(environment.get("wants") or self.goal)
        stack = Stack(snapshot_of(environment), self.matrix)
        return Context(stack, self.matrix, self.as_of, words, self.demands, self.policy)

    @cached_property
    def bare(self) -> Environment:
        """The machine without what is installed on it."""
        words = [word for word in self.goal if word in ("build", "run")]
        return {**machine_of(self.environment), "wants": words or ["build", "run"]}

    @cached_property
    def unbound(self) -> Question:
        """The same of the machine, with nothing required, kept or forbidden."""
        return Question(self.snapshot, self.matrix, as_of=self.as_of, goal=self.goal)

    def asking(self, demands: tuple[Demand, ...]) -> Question:
        """The same with other demands."""
        return Question(
            self.snapshot,
            self.matrix,
            as_of=self.as_of,
            goal=self.goal,
            demands=demands,
            keep=tuple(self.keep),
            install=self.install,
            policy=self.policy,
            held=self.held,
            unwanted=self.unwanted,
            repairs=self.repairs,
        )

    @cached_property
    def warned(self) -> frozenset[str]:
        """Codes of what the rules warn of now."""
        return frozenset(item.code for item in diagnose(self.context) if item.severity is Severity.WARNING)

    @cached_property
    def own_faults(self) -> frozenset[str]:
        """Codes of what is wrong with the machine whatever is installed on it: no plan can be blamed for them."""
        return frozenset(code for code, _ in errors(self.judged(self.bare)))

    @cached_property
    def wrong(self) -> tuple[tuple[str, Problem], ...]:
        """Code and problem of each error: those of the Snapshot itself, then what its description shows behind them."""
        words = frozenset(self.goal)
        context = Context(self.machine, self.matrix, self.as_of, words, self.demands, self.policy)
        found = list(errors(context))
        codes = {code for code, _ in found}
        return (*found, *(item for item in errors(self.context) if item[0] not in codes))

    @cached_property
    def broken_files(self) -> tuple[tuple[str, Problem], ...]:
        """Errors that no description shows: files that are missing, doors that are shut. The rules know what to do.

        What is required and not there is no such thing: every plan meets it.
        """
        if not self.repairs or self.snapshot.kind == "declared":
            return ()
        described = {code for code, _ in errors(self.context)}
        missing = ("TRT101",) if self.absent else ()
        return tuple(
            (code, problem)
            for code, problem in self.wrong
            if code not in described and code not in missing and not code.startswith(("CAN", "POL"))
        )

    @cached_property
    def absent(self) -> bool:
        """Whether somebody looked for TensorRT and found none."""
        name = "tensorrt-rtx" if self.product == "rtx" else "tensorrt"
        return self.machine.state(name) == ABSENT

    @cached_property
    def platforms(self) -> tuple[str, ...]:
        """Those of the matrix that this machine may be."""
        return platforms_of(self.stack)

    @cached_property
    def spoken_platform(self) -> str:
        """System and architecture as they were found or stated: ``macos arm64``."""
        words = (self.environment.get("os"), self.environment.get("arch"))
        return " ".join(word for word in words if word) or "this system"

    @cached_property
    def system(self) -> str:
        """Whose driver numbers hold: ``linux`` or ``windows``."""
        return self.stack.driver_system

    @cached_property
    def capabilities(self) -> tuple[str, ...]:
        """The compute capabilities of the GPUs that are to be served, as far as they are known."""
        return tuple(dict.fromkeys(gpu.compute_capability for gpu in self.stack.gpus if gpu.compute_capability))

    @cached_property
    def python(self) -> Version | None:
        """The Python that is judged; None when it is not known to its minor."""
        found = self.stack.interpreter
        version = Version.maybe(found.version) if found else None
        return version if version is not None and version.minor is not None else None

    @cached_property
    def python_tag(self) -> str | None:
        """``cp312``; None when that is not known, or it is no CPython."""
        return python_tag(self.context)

    @cached_property
    def product(self) -> str:
        """The product that is wanted: ``full`` or ``rtx``; by the demands, else the one that is there."""
        asked = [PRODUCTS[demand.subject] for demand in self.demands if demand.subject in PRODUCTS]
        if asked:
            return asked[0]
        present = [entry.get("product", "full") for entry in entries(self.environment, "tensorrt")]
        return "rtx" if present and set(present) == {"rtx"} else "full"

    @cached_property
    def installed(self) -> tuple[Installation, ...]:
        """The installations of that product, those that are used where that is known; lean and dispatch are of it."""
        return self.stack.rtxs if self.product == "rtx" else self.stack.tensorrts

    @cached_property
    def present(self) -> Version | None:
        """The TensorRT of that product that is there and used; None for none, or for one of unknown version."""
        versions = [item.version for item in self.installed if item.version]
        return max(versions, key=Version.sort_key, default=None)

    @cached_property
    def way(self) -> str | None:
        """How that TensorRT came: ``pip``, ``apt``, ``container``, ``jetpack``, ``archive``; None when nobody knows."""
        if self.stack.jetson:
            return "jetpack"
        origin = self.installed[0].origin if self.installed else None
        ways = {"pip": "pip", "apt": "apt", "container": "container", "tar": "archive", "zip": "archive"}
        if origin in ways:
            return ways[origin]
        return "container" if not self.installed and self.image else None

    @cached_property
    def own_jetpack(self) -> Row | None:
        """The JetPack that is there, of which TensorRT was not installed; None where one is, or it may be several."""
        platform = self.snapshot.platform
        if self.installed or not self.stack.jetson:
            return None
        l4t, version = Version.maybe(platform.l4t), Version.maybe(platform.jetpack or None)
        row = jetpack.of_l4t(self.matrix, l4t) if l4t is not None else None
        rows = [row] if row is not None else jetpack.find(self.matrix, version) if version is not None else []
        return rows[0] if len(rows) == 1 else None

    @cached_property
    def image(self) -> str | None:
        """The name of NVIDIA's own image that this is, ``tritonserver``; None where it is none."""
        reference = self.environment.get("container", {}).get("image") or ""
        path, _, _ = reference.partition("@")[0].rpartition(":")
        return path.rpartition("/")[2] if path.startswith("nvcr.io/nvidia/") else None

    @cached_property
    def system_words(self) -> tuple[str, str, str] | None:
        """Distribution, release and architecture, whose apt repository counts; None where one is not known."""
        platform = self.stack.snapshot.platform
        if not (platform.distribution and platform.distribution_version and platform.architecture):
            return None
        return platform.distribution, platform.distribution_version, platform.architecture

    def specifiers(self, subject: str) -> tuple[str, ...]:
        """What the demands say of the versions of a subject."""
        return tuple(demand.specifier for demand in self.demands if demand.subject == subject and demand.specifier)

    def unmet(self, subject: str, version: Version) -> str | None:
        """The demand that a version of a subject surely does not meet; None when there is none."""
        for demand in self.demands:
            if demand.subject == subject and demand.specifier and within(version, demand.specifier) is Answer.NO:
                return demand.text
        return None
