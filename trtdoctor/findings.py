"""What rules return and renderers print: Problem, Finding, Report."""

from __future__ import annotations

from dataclasses import field
from enum import Enum
from typing import Any

from trtdoctor.record import record

SCHEMA = "trtdoctor-report/1"
STALE_DAYS = 120
"""From this age in days on a report says that its matrix is old."""


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
    ``change-code``."""
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

    @property
    def counts(self) -> dict[str, int]:
        """How many findings of each severity."""
        return {level.value: sum(item.severity is level for item in self.findings) for level in _SEVERITIES}

    def fails(self, threshold: str) -> bool:
        """Whether the exit code is 1: ``threshold`` is ``error``, ``warning``, ``unknown`` or ``never``."""
        if threshold == "never":
            return False
        if threshold == "unknown":
            return self.verdict in (Verdict.BROKEN, Verdict.UNKNOWN)
        limit = Severity(threshold).rank
        return any(item.severity.rank <= limit for item in self.findings)

    def to_plain(self) -> dict[str, Any]:
        """The JSON form (``trtdoctor-report/1``), as plain data."""
        return {
            "schema": SCHEMA,
            "verdict": self.verdict.value,
            "primary": self.primary,
            "counts": self.counts,
            "findings": [_plain(item) for item in self.findings],
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
            "unknowns": [_plain(item) for item in self.unknowns],
            "snapshot": self.snapshot.to_plain(),
            "program": self.program,
            "matrix": _plain(self.matrix),
            "as_of": self.as_of,
            "goal": list(self.goal),
            "interpreter": self.interpreter,
        }


def _plain(value: Any) -> Any:
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
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
