"""What a plan is, as plain data: changes, what they cost, and what comes out of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Any

from trtdoctor.findings import Fix, MatrixInfo, Remedy
from trtdoctor.planned import PlannedFile
from trtdoctor.record import record

SCHEMA = "trtdoctor-plan/1"

KINDS = {
    "rebuild-engine": 1,
    "pip": 2,
    "configure": 2,
    "python": 5,
    "archive": 6,
    "apt": 7,
    "change-code": 8,
    "container": 9,
    "driver": 20,
    "jetpack": 40,
    "hardware": 100,
}
"""Kind of a change to how much it takes: the sum ranks plans. A pip pin comes before a system package, that before a
driver, that before other hardware. ``configure`` is an option of the container or a search path; ``python`` another
Python beside the one that is there; ``archive`` a tar or zip that is unpacked by hand."""
OTHER_WAY = 6
"""Added where TensorRT comes in another way than it came so far."""
LEAVING = 12
"""The same where it came with an image or with JetPack, whose other parts were made for it."""
OTHER_RELEASE = 1
"""Added where TensorRT becomes another release: every engine must be built again."""
OTHER_MAJOR = 3
"""Added where its major changes: calls are removed."""
OTHER_CUDA = 2
"""Added where its CUDA major changes: what else is built for that CUDA stays behind."""
FARTHER = 1
"""Added for each major that lies between."""
OLDER = 2
"""Added where a component becomes older than it is."""
UNSURE = 2
"""Added where the matrix cannot confirm that the release serves this GPU."""
_BROUGHT_ALONG = ("cuda", "cudnn", "cublas", "nvrtc")
"""Libraries that one pip command takes along with what needs them."""
MENDED = "mended where it is"
"""What becomes of a component whose version stays and whose files are put right."""
_PLAIN = ("container", "jetpack", "python", "rebuild-engine", "change-code")
"""Kinds that need no word beside what changes."""
ONE_MORE = 1
"""What each further pin of the same pip command takes, and each further call that is replaced in the same code."""


@record
class Change:
    """One component that becomes another."""

    component: str
    """``tensorrt``, ``driver``, ``cudnn``, ``package:torch``, ``engine``, ``code``, ``container``, …"""
    before: str | None
    """What is there now; None for nothing, or for what is not known."""
    after: str | None
    """What is to be there; None where it goes away."""
    kind: str
    """One of ``KINDS``."""
    why: str = ""
    """Half a sentence."""
    remedy: Remedy | None = field(default=None, metadata={"json": False})
    """What the rule advised, for a change whose steps only the rule knows (``configure``)."""

    @property
    def text(self) -> str:
        """``TensorRT: 10.7 (apt) to 10.16.1.11 (pip-cu12)``; the kind where what comes does not tell it."""
        after = self.after or "nothing"
        if self.kind in ("rebuild-engine", "change-code"):
            return f"{self.component}: {after} in place of {self.before}"
        if self.before is None and self.kind == "configure":
            return f"{of_component(self.component)}: {after}"
        told = after.endswith(")") or self.kind in (self.component, *_PLAIN)
        kind = "" if told else f" ({self.kind})"
        return f"{of_component(self.component)}: {self.before or 'nothing'} to {after}{kind}"

    def to_plain(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "component": self.component,
            "from": self.before,
            "to": self.after,
            "kind": self.kind,
            "why": self.why,
        }


SPOKEN = {
    "tensorrt": "TensorRT",
    "tensorrt-rtx": "TensorRT for RTX",
    "cuda": "CUDA",
    "cudnn": "cuDNN",
    "cublas": "cuBLAS",
    "nvrtc": "NVRTC",
    "python": "Python",
    "jetpack": "JetPack",
}
"""Components as they are spelled in a sentence; others by their own names."""


def of_component(component: str) -> str:
    """``TensorRT``, ``driver``, ``torch`` of ``package:torch``."""
    return SPOKEN.get(component, component.removeprefix("package:"))


def weight(changes: Sequence[Change]) -> int:
    """What changes take together: pip does all in one command, where libraries come for nothing; code is one job."""
    total = 0
    for kind in dict.fromkeys(change.kind for change in changes):
        same = [change for change in changes if change.kind == kind]
        if kind in ("pip", "change-code"):
            further = [change for change in same[1:] if change.component not in _BROUGHT_ALONG]
            total += KINDS[kind] + ONE_MORE * len(further)
        else:
            total += KINDS[kind] * len(same)
    return total


@record
class Plan:
    """One stack that fits, and the way to it."""

    install: str
    """``pip``, ``apt``, ``container``, ``jetpack``, ``archive``; ``keep`` where TensorRT stays as it is."""
    title: str
    """What comes out, in a line: ``TensorRT 10.16.1.11 for CUDA 12 by pip``."""
    changes: tuple[Change, ...]
    kept: tuple[str, ...]
    """Components that stay, with their versions."""
    commands: tuple[Fix, ...]
    environment: dict[str, Any]
    """The environment that results, as ``--declared`` takes it."""
    gives_up: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    """Why it is ranked where it is."""
    cost: int = 0
    """Sum of what its changes take (see ``KINDS``)."""
    pins: tuple[tuple[str, str], ...] = ()
    """Every Python distribution that is installed, with its version."""
    index: str | None = None
    """Where they come from, when that is not the index that pip is configured with: a mirror (``--from mirror``)."""
    extra_index: str | None = None
    """Where the wheels behind stubs come from, when there are stubs."""
    image: str | None = None
    """The container image, as it is called where it is pulled from."""
    artefacts: tuple[PlannedFile, ...] = ()
    """The files that are taken, as far as they are recorded; of an image its reference."""
    apt: tuple[tuple[str, str], ...] = ()
    """Debian packages that are installed and held, with their versions."""
    driver_floor: str | None = None
    """The oldest driver that will do."""
    toolkit: str | None = None
    """The CUDA that the build was made with."""
    supported_until: str | None = None
    """Month until which the vendor keeps the driver branch, where it names one."""
    warnings: tuple[str, ...] = ()
    """What ``check`` will warn of afterwards, and what nobody knows."""

    def to_plain(self) -> dict[str, Any]:
        """The JSON form."""
        from trtdoctor.findings import plain

        document = {name: plain(getattr(self, name)) for name in self.__dataclass_fields__}
        document["changes"] = [change.to_plain() for change in self.changes]
        document["pins"] = [f"{name}=={version}" for name, version in self.pins]
        document["apt"] = [f"{name}={version}" for name, version in self.apt]
        document["environment"] = self.environment
        return document


POLICY = "the policy"
"""The fact that a policy is, as a reason against a build."""


@record
class Refusal:
    """One fact that forbids a build."""

    fact: str
    """What it is: ``compute capability 6.1``, ``driver 470.256.02, which is to stay``."""
    text: str
    """Why that forbids it."""
    beside: tuple[str, ...] = ()
    """Other facts without which it would not."""


@record
class Refused:
    """A candidate that a policy or a wish left out, for the report."""

    what: str
    why: str


@record
class Impossible:
    """Why nothing fits: the smallest set of facts that forbids it."""

    reasons: tuple[str, ...]


@record
class Upgrade:
    """What it means to go from one TensorRT to another."""

    before: str | None
    after: str
    removed: tuple[str, ...]
    """Calls and flags that the target no longer has, with what replaces them."""
    deprecated: int
    """How many more are deprecated there."""
    engines: tuple[str, ...]
    """What must be built again."""


@record
class PlanReport:
    """The whole answer of ``trtdoctor plan``."""

    plans: tuple[Plan, ...]
    impossible: Impossible | None
    considered: int
    """How many candidates were looked at."""
    refused: tuple[Refused, ...]
    """What the policy left out and would have ranked before the first plan."""
    broken: tuple[str, ...]
    """The errors of the present environment, code and title."""
    needs: tuple[str, ...]
    """What is required beside the goal."""
    goal: tuple[str, ...]
    as_of: str
    program: str
    matrix: MatrixInfo
    upgrade: Upgrade | None = None
    unknowns: tuple[str, ...] = ()
    """What is not known of the environment and would narrow the choice."""
    configuration: str | None = None
    notes: tuple[str, ...] = field(default=())

    def to_plain(self) -> dict[str, Any]:
        """The JSON form (``trtdoctor-plan/1``), as plain data."""
        from trtdoctor.findings import plain

        document = {name: plain(getattr(self, name)) for name in self.__dataclass_fields__}
        document["plans"] = [item.to_plain() for item in self.plans]
        return {"schema": SCHEMA, **document}
