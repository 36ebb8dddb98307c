"""Reports in every format: which report a format is made of, and what it says beside it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trtdoctor.canary.report import CanaryReport
    from trtdoctor.findings import Report
    from trtdoctor.matrix import Matrix
    from trtdoctor.render.ci import About
    from trtdoctor.snapshot import Snapshot


def about_of(command: str, fail_on: str, *files: str | None) -> Callable[[], About]:
    """What the formats of CI systems say beside a report, worked out when one is asked for.

    ``files`` are those that the user named: the first lends its name to findings that lie in no file.
    """

    def about() -> About:
        from trtdoctor.render.ci import PLACE, About, repository_name
        from trtdoctor.text import clean

        named = next((file for file in files if file and file != "-"), None)
        return About(command, clean(repository_name(named), 300) if named else PLACE, fail_on)

    return about


def maker(
    report: Report, redacted: Callable[[], Report], about: Callable[[], About], *, verbose: bool = False
) -> Callable[[str, bool], str]:
    """What makes the text of a format, for ``deliver``; ``redacted`` makes the report that others may read."""
    from trtdoctor.render import CI_FORMATS, render

    once = cache(redacted)

    def make(kind: str, color: bool) -> str:
        if kind in CI_FORMATS:
            return render(report if report.snapshot.redacted else once(), kind, about=about())
        return render(report, kind, verbose=verbose, color=color)

    return make


def canary_for_others(report: CanaryReport, matrix: Matrix) -> Report:
    """What ``trtdoctor canary`` found, as a redacted report; its verdict is the canary's outcome.

    An engine that was built and not run is no reason to say more than "unknown".
    """
    from dataclasses import replace
    from datetime import date

    from trtdoctor.findings import Severity, Verdict
    from trtdoctor.judge import judge
    from trtdoctor.snapshot import Snapshot

    facts = replace(report.facts or Snapshot(), canaries=(report.canary,))
    judged = judge(hidden(Snapshot.from_plain(facts.to_plain())), matrix, as_of=date.today())
    codes = {item.code for item in report.findings}
    findings = tuple(item for item in judged.findings if item.code in codes)
    serious = [item for item in findings if item.severity is not Severity.INFO]
    ran = any(stage.name == "run" and stage.status == "passed" for stage in report.canary.stages)
    passed = Verdict.AT_RISK if serious else Verdict.READY if ran else Verdict.UNKNOWN
    verdict = {"passed": passed, "not-started": Verdict.UNKNOWN}.get(report.canary.outcome, Verdict.BROKEN)
    primary = serious[0].code if serious else None
    return replace(judged, verdict=verdict, primary=primary, findings=findings, inventory=(), unknowns=(), goal=())


def hidden(snapshot: Snapshot) -> Snapshot:
    """The Snapshot without what it says of people and places."""
    from trtdoctor.redaction import redact

    return snapshot if snapshot.redacted else redact(snapshot)
