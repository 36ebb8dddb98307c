"""Two reports beside each other: which findings are new, and whether that matters to the verdict."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from trtdoctor.diff.components import Change, changes
from trtdoctor.findings import ASKED, REQUIREMENT, Finding, MatrixInfo, Report, Severity, Verdict, plain
from trtdoctor.judge import primary_of, verdict_of
from trtdoctor.record import record

SCHEMA = "trtdoctor-diff/1"
_RANKS = {Verdict.READY: 0, Verdict.UNKNOWN: 1, Verdict.AT_RISK: 2, Verdict.BROKEN: 3}
_PATH = re.compile(r"\S*(?:/|\\|<dir\d+>)\S*")
_AMOUNT = re.compile(r"\d+(?:\.\d+)? ?(?:%|[KMGT]i?B)")


@record
class State:
    """One of the two."""

    verdict: Verdict
    counts: dict[str, int]
    taken: str | None
    """ISO date of its Snapshot."""
    kind: str
    """``live`` or ``declared``."""


@record
class FindingChange:
    """A finding that is not as it was."""

    state: str
    """``new``, ``gone`` or ``changed``."""
    finding: Finding
    """As it is now; as it was, of one that is gone."""
    before: Finding | None
    """As it was, of one that changed."""
    matters: bool
    """Whether it counts for the exit code: it is at or over the threshold."""


@record
class Diff:
    """What changed, and whether it matters."""

    matters: bool
    """Whether something changed that matters to the verdict: the exit code."""
    reasons: tuple[str, ...]
    """Why it does."""
    before: State
    now: State
    changes: tuple[Change, ...]
    findings: tuple[FindingChange, ...]
    program: str
    matrix: MatrixInfo
    as_of: str
    goal: tuple[str, ...]
    notes: tuple[str, ...] = ()
    """What could not be compared."""
    configuration: str | None = None

    def to_plain(self) -> dict[str, Any]:
        """The JSON form (``trtdoctor-diff/1``), as plain data."""
        return {"schema": SCHEMA, **plain(self)}


def compare(before: Report, now: Report, threshold: str) -> Diff:
    """Compare two reports that were made with one matrix, for one goal and as of one day.

    ``threshold`` is that of ``--fail-on``: ``error``, ``warning``, ``unknown`` or ``never``.
    """
    findings = tuple(_finding_changes(before, now, threshold))
    reasons = tuple(_reasons(before, now, findings, threshold))
    told = [item.finding for item in findings if item.state != "gone"]
    return Diff(
        matters=bool(reasons),
        reasons=reasons,
        before=_state(before),
        now=_state(now),
        changes=changes(before.answers.stack, now.answers.stack, now, told),
        findings=findings,
        program=now.program,
        matrix=now.matrix,
        as_of=now.as_of,
        goal=now.goal,
        notes=tuple(_notes(before, now)),
        configuration=now.configuration,
    )


def only_new(report: Report, baseline: Report) -> Report:
    """``report`` without the findings that ``baseline`` has too, no milder; the verdict is that of what is left."""
    fresh = [now for was, now in _pairs(baseline.findings, report.findings) if now is not None and _worse(was, now)]
    fresh.sort(key=report.findings.index)
    return replace(
        report,
        findings=tuple(fresh),
        verdict=verdict_of(fresh, report.unknowns),
        primary=primary_of(fresh),
        known=len(report.findings) - len(fresh),
    )


def identity(finding: Finding) -> tuple[str, tuple[str, ...], str]:
    """What makes a finding the same one elsewhere: code, components, and the title but for paths and amounts."""
    return finding.code, finding.components, _AMOUNT.sub("", _PATH.sub("", finding.title))


def _pairs(before: Iterable[Finding], now: Iterable[Finding]) -> Iterator[tuple[Finding | None, Finding | None]]:
    """Each finding with what it was, or will be no more: the same one, else one of its code and components."""
    older, newer = list(before), list(now)
    for key in (identity, lambda item: (item.code, item.components)):
        for item in list(newer):
            was = next((other for other in older if key(other) == key(item)), None)
            if was is not None:
                older.remove(was)
                newer.remove(item)
                yield was, item
    yield from ((None, item) for item in newer)
    yield from ((item, None) for item in older)


def _worse(was: Finding | None, now: Finding) -> bool:
    """Whether ``now`` is another finding than ``was``, or the same and worse."""
    return was is None or identity(was) != identity(now) or _rank(now) < _rank(was)


def _rank(finding: Finding) -> int:
    """0 for the worst; what is waived is milder than all that counts."""
    return finding.severity.rank + (len(Severity) if finding.waived is not None else 0)


def _finding_changes(before: Report, now: Report, threshold: str) -> Iterator[FindingChange]:
    for was, item in _pairs(before.findings, now.findings):
        if item is None:
            if was is not None:
                yield FindingChange("gone", was, None, matters=False)
        elif _worse(was, item):
            matters = item.waived is None and _at_or_over(item.severity, threshold)
            yield FindingChange("new" if was is None else "changed", item, was, matters)
        elif was is not None and _rank(was) != _rank(item):
            yield FindingChange("changed", item, was, matters=False)


def _at_or_over(severity: Severity, threshold: str) -> bool:
    if threshold == "never":
        return False
    return severity.rank <= Severity("error" if threshold == "unknown" else threshold).rank


def _reasons(before: Report, now: Report, findings: tuple[FindingChange, ...], threshold: str) -> Iterator[str]:
    if threshold == "never":
        return
    if now.verdict is not before.verdict and (
        now.verdict is Verdict.UNKNOWN or _RANKS[now.verdict] > _RANKS[before.verdict]
    ):
        yield f"the verdict was {before.verdict.prose} and is {now.verdict.prose}"
    for item in findings:
        if item.matters:
            yield f"{item.finding.code} is {'new' if item.state == 'new' else 'not what it was'}"
    if threshold == "unknown":
        known = {item.needed for item in before.unknowns if item.component in ASKED}
        for gone in now.unknowns:
            if gone.component in ASKED and gone.needed not in known:
                what = f"whether {gone.needed} is met" if gone.component == REQUIREMENT else gone.needed
                yield f"nobody can tell any more {what}"


def _notes(before: Report, now: Report) -> Iterator[str]:
    if before.snapshot.redacted and now.snapshot.redacted:
        yield "private directories are hidden in both: a move from one to another is not seen"
    for report, name in ((before, "the recorded state"), (now, "the state now")):
        for probe in report.snapshot.probes:
            if probe.outcome not in ("ok", "skipped"):
                yield f"of {name}, probe {probe.name} is {probe.outcome}: what it would tell is not compared"


def _state(report: Report) -> State:
    return State(report.verdict, report.counts, report.snapshot.taken, report.snapshot.kind)
