"""What rules return and renderers print: Problem, Finding, Report."""

from __future__ import annotations

from dataclasses import field
from datetime import date
from enum import Enum
from typing import Any

from trtdoctor.record import record

SCHEMA = "trtdoctor-report/1"
STALE_DAYS = 120
"""From this age in days on a report says that its matrix is old."""


REQUIREMENT = "requirement"
"""The component of an :class:`Unknown` that says of a requirement that nobody can tell whether it is met."""
PLAN = "plan"
"""The component of an :class:`Unknown` that says of a part of a plan that nobody can tell whether it is here."""
ASKED = (REQUIREMENT, PLAN)
"""What somebody asked for by name: where nobody can tell, the question is not answered."""


class RequirementError(Exception):
    """A requirement is not met, or nobody can tell; the message names what was found and what is wanted."""

    def __init__(self, message: str, *, requirement: str, wanted: str, found: str, known: bool) -> None:
        super().__init__(message)
        self.requirement = requirement
        """As it was asked for: ``tensorrt>=10.3``."""
        self.wanted = wanted
        self.found = found
        self.known = known
        """False when too little is known to tell whether it is met."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (_requirement_error, (str(self), self.requirement, self.wanted, self.found, self.known))


def _requirement_error(message: str, requirement: str, wanted: str, found: str, known: bool) -> RequirementError:
    return RequirementError(message, requirement=requirement, wanted=wanted, found=found, known=known)


class Severity(str, Enum):
    """How bad a finding is."""

    ERROR = "error"
    """It will fail."""
    WARNING = "warning"
    """It may fail, or the vendor does not support it."""
    INFO = "info"
    """Worth knowing; nothing to do."""

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return _SEVERITIES.index(self)


_SEVERITIES = [Severity.ERROR, Severity.WARNING, Severity.INFO]


class Verdict(str, Enum):
    """What a whole report says."""

    READY = "ready"
    AT_RISK = "at-risk"
    BROKEN = "broken"
    UNKNOWN = "unknown"

    @property
    def prose(self) -> str:
        """The word as it stands in a sentence."""
        return self.value.replace("-", " ")


@record
class FoundFact:
    """One fact that a finding rests on."""

    key: str
    value: str
    where: str | None = None
    """File, package or field that it was read from."""
    probe: str | None = None


@record
class SourceRef:
    """One source of the matrix that a finding rests on."""

    id: str
    url: str | None
    certainty: str


@record
class Remedy:
    """What would mend a finding, as data; ``fixes`` turns it into commands."""

    component: str
    action: str
    """``install``, ``upgrade``, ``downgrade``, ``replace``, ``remove``, ``configure``, ``reboot``, ``hardware``,
    ``change-code``; for the loader ``search-first`` (a directory) and ``leave-out`` (an entry of the search path)."""
    wanted: str | None = None
    """The versions that would do, as a PEP 440 specifier (``>=580``), or None when any does."""
    reason: str = ""
    details: tuple[tuple[str, str], ...] = ()
    """Further words for the command, such as ``("flavour", "cu12")``, ``("variable", "CUDA_VISIBLE_DEVICES")``."""

    def detail(self, key: str) -> str | None:
        """One of ``details``, None when it is not there."""
        return dict(self.details).get(key)


@record
class Fix:
    """One step that mends a finding."""

    kind: str
    """``shell`` (a command), ``edit`` (change a file) or ``manual``."""
    text: str
    needs_root: bool = False
    needs_reboot: bool = False


@record
class Finding:
    """One thing that is wrong, or worth knowing."""

    code: str
    name: str
    severity: Severity
    components: tuple[str, ...]
    title: str
    """One line: what was found, with versions."""
    detail: str = ""
    facts: tuple[FoundFact, ...] = ()
    sources: tuple[SourceRef, ...] = ()
    breaks: str = ""
    """What will not work because of it."""
    remedy: Remedy | None = None
    fix: tuple[Fix, ...] = ()
    untested: bool = False
    """Whether all that is wrong is that nobody has tested or promised it."""
    waived: str | None = None
    """Why it counts neither for the verdict nor for the exit code, and until when; None when it counts."""
    waived_by: str | None = None
    """Who answers for that."""


@record
class Unknown:
    """Something that could not be judged, and how to make it judgeable."""

    component: str
    needed: str
    why: str
    how_to_tell: str


@record
class InventoryItem:
    """One line of the table of components."""

    component: str
    version: str | None
    origin: str | None
    how: str | None
    status: str
    """``ok``, ``error``, ``warning``, ``info``, ``unknown`` or ``absent``."""


@record
class MatrixInfo:
    """Which matrix a report rests on."""

    version: str
    age_days: int
    digest: str
    overlays: tuple[str, ...] = ()
    """``NAME@DIGEST`` of each overlay, the digest cut to twelve digits."""
    origin: str = "packaged"
    """``packaged`` (it came with the program), ``updated`` (by ``matrix update``) or ``directory`` (named)."""
    notes: tuple[str, ...] = ()
    """Why it is not the matrix that one would expect."""

    @staticmethod
    def of(matrix: Any, as_of: date) -> MatrixInfo:
        """What identifies a :class:`~trtdoctor.matrix.Matrix`, and its age on a day."""
        return MatrixInfo(
            matrix.version, matrix.age_days(as_of), matrix.digest, matrix.overlays, matrix.origin, matrix.notes
        )


@record
class Against:
    """The plan that an environment was compared with (``--against``)."""

    title: str
    made: str
    """ISO date."""
    matrix: str
    """Version of the matrix that the plan rests on."""
    matches: str
    """``yes``, ``no``, or ``unknown`` where nothing differs as far as it is known, and not all is."""


@record
class Report:
    """The whole answer: what every renderer prints and every exit code follows from."""

    verdict: Verdict
    primary: str | None
    findings: tuple[Finding, ...]
    inventory: tuple[InventoryItem, ...]
    unknowns: tuple[Unknown, ...]
    snapshot: Any
    """The :class:`~trtdoctor.snapshot.Snapshot` that was judged."""
    program: str
    matrix: MatrixInfo
    as_of: str
    goal: tuple[str, ...]
    interpreter: dict[str, str | None] | None = field(default=None)
    configuration: str | None = None
    """The file whose requirements, waivers and settings were used; None without one."""
    known: int | None = None
    """How many findings are left out because the recorded state beside it (``--baseline``) has them; None without."""
    against: Against | None = None
    """The plan that was compared with; None without one."""
    answers: Any = field(default=None, metadata={"json": False})
    """What answers requirements on the Snapshot (:class:`~trtdoctor.demands.Answers`); None for a report that was not
    made by ``judge``."""

    def require(self, *requirements: str) -> None:
        """Insist on requirements such as ``tensorrt>=10.3,<11``, ``driver>=535`` or ``gpu.memory>=16GiB``.

        Raises:
            RequirementError: one is not met, or nobody can tell whether it is.
            trtdoctor.demands.DemandError: one cannot be read.
        """
        if self.answers is None:
            raise ValueError("nothing can be asked of this report: it was not made by trtdoctor.check")
        for text in requirements:
            met = self.answers(text)
            if met.answer.value != "yes":
                known = met.answer.value == "no"
                raise RequirementError(met.said, requirement=text, wanted=met.wanted, found=met.found, known=known)

    @property
    def in_short(self) -> str:
        """The verdict and what it rests on, in one line."""
        serious = [f"{item.code} {item.title}" for item in self.standing if item.severity is not Severity.INFO]
        unsure = [f"{item.component}: {item.why}" for item in self.unknowns]
        causes = serious or (unsure if self.verdict is Verdict.UNKNOWN else [])
        more = f"; and {len(causes) - 3} more" if len(causes) > 3 else ""
        return f"{self.verdict.prose}: {'; '.join(causes[:3])}{more}" if causes else self.verdict.prose

    @property
    def standing(self) -> tuple[Finding, ...]:
        """The findings that count: those that nobody has waived."""
        return tuple(item for item in self.findings if item.waived is None)

    @property
    def counts(self) -> dict[str, int]:
        """How many findings of each severity count."""
        return {level.value: sum(item.severity is level for item in self.standing) for level in _SEVERITIES}

    def fails(self, threshold: str) -> bool:
        """Whether the exit code is 1: ``threshold`` is ``error``, ``warning``, ``unknown`` or ``never``."""
        if threshold == "never":
            return False
        if threshold == "unknown":
            # What was asked for and nobody can judge is not there, whatever else the verdict rests on.
            unsure = any(item.component in ASKED for item in self.unknowns)
            return unsure or self.verdict in (Verdict.BROKEN, Verdict.UNKNOWN)
        limit = Severity(threshold).rank
        return any(item.severity.rank <= limit for item in self.standing)

    def to_plain(self) -> dict[str, Any]:
        """The JSON form (``trtdoctor-report/1``), as plain data."""
        return {
            "schema": SCHEMA,
            "verdict": self.verdict.value,
            "primary": self.primary,
            "counts": self.counts,
            "findings": [plain(item) for item in self.findings],
            "inventory": [
                {
                    "component": item.component,
                    "version": item.version,
                    "from": item.origin,
                    "how": item.how,
                    "status": item.status,
                }
                for item in self.inventory
            ],
            "unknowns": [plain(item) for item in self.unknowns],
            "snapshot": self.snapshot.to_plain(),
            "program": self.program,
            "matrix": plain(self.matrix),
            "as_of": self.as_of,
            "goal": list(self.goal),
            "interpreter": self.interpreter,
            "configuration": self.configuration,
            "known": self.known,
            "against": plain(self.against),
        }


def plain(value: Any) -> Any:
    """A record, here or in another module, with all that is in it as plain data for JSON."""
    if isinstance(value, Remedy):
        return {
            "component": value.component,
            "action": value.action,
            "wanted": value.wanted,
            "reason": value.reason,
            "details": dict(value.details),
        }
    if isinstance(value, Enum):
        return value.value
    if hasattr(value, "__dataclass_fields__"):
        return {name: plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    return value
