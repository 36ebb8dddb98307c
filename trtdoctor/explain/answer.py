"""What ``trtdoctor explain`` answers (``trtdoctor-explain/1``): plain data."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from trtdoctor.findings import Fix, MatrixInfo, Severity, SourceRef, plain
from trtdoctor.record import record

SCHEMA = "trtdoctor-explain/1"


@record
class Asked:
    """What was to be explained."""

    kind: str
    """text, file, stdin, rule or number."""
    what: str | None
    """The text or the name of the file; null when it is hidden."""
    lines: int = 0
    """How many lines were read."""
    bytes: int = 0
    """How many bytes were read."""
    cut: bool = False
    """Whether it was too long, and its end was not read."""


@record
class ErrorNumber:
    """A number that a library returns, by its name."""

    library: str
    """cuda, nvml, cudnn or tensorrt."""
    code: int
    names: tuple[str, ...]
    """What the headers call it; several where driver and runtime have one each."""
    meaning: str | None
    versions: str | None
    """Which versions of the library have the number so, where not all do."""


@record
class Applies:
    """A finding about the environment at hand that is a cause of what the text says."""

    code: str
    severity: Severity
    title: str
    fix: tuple[Fix, ...]


@record
class Here:
    """What the facts at hand say of the causes of one match."""

    verdict: str
    """applies (a rule finds a cause), not-found (none does) or unknown (too little is known)."""
    applies: tuple[Applies, ...]
    facts: tuple[str, ...]
    """Sentences about the components that it is about."""
    unknowns: tuple[str, ...]
    """What is not known, and how to tell."""


@record
class Match:
    """One thing that the text says, and what it means."""

    family: str | None
    """Its id in the catalogue; null for an error number that no family tells of."""
    title: str
    components: tuple[str, ...]
    blames: str
    """environment, maybe, harmless or model."""
    symptom: bool
    """Whether it only follows from something else."""
    versions: dict[str, str]
    """What the text says of versions, files and names."""
    says: str | None
    """The versions in a sentence."""
    causes: tuple[str, ...]
    next: tuple[str, ...]
    follows: tuple[str, ...]
    """Ids of other matches of this text that are the cause of this one."""
    line: int | None
    """The first line that says it, from 1; null when no log was read."""
    count: int
    """How many lines say it."""
    text: str | None
    """That line without what loggers put in front; null when it is hidden."""
    error: ErrorNumber | None
    sources: tuple[SourceRef, ...]
    here: Here | None
    """Null when no facts were given."""


@record
class Near:
    """A family that has words in common with a text that no family knows."""

    family: str
    title: str
    words: tuple[str, ...]


@record
class Unexplained:
    """A line that looks like an error and that no family knows."""

    line: int | None
    text: str | None


@record
class RulePage:
    """A rule, section by section."""

    code: str
    name: str
    severity: Severity
    components: tuple[str, ...]
    sections: dict[str, str]


@record
class Explanation:
    """The whole answer."""

    asked: Asked
    matches: tuple[Match, ...]
    """First causes, then consequences, then what is harmless."""
    near: tuple[Near, ...]
    """For a text that no family knows: those that are nearest, which is no explanation."""
    unexplained: tuple[Unexplained, ...]
    rule: RulePage | None
    program: str
    matrix: MatrixInfo
    facts: str | None = field(default=None)
    """What the facts are from: a snapshot's kind (live, declared, …); null when none were given."""

    @property
    def code(self) -> int:
        """The exit code: 1 when something was asked about that nothing is known of, else 0."""
        if self.rule is not None or self.matches:
            return 0
        return 1 if self.asked.kind in ("text", "number") or self.unexplained else 0

    def to_plain(self) -> dict[str, Any]:
        """The JSON form, as plain data."""
        made: dict[str, Any] = plain(self)
        return {"schema": SCHEMA, **made}
