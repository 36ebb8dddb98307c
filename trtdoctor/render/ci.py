"""What the formats for CI systems share: where a finding is, what names it over runs, what it says, line by line.

All of them are redacted: they take a Report that was judged from a redacted Snapshot, and refuse any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from trtdoctor.findings import Finding, Report, Severity, Unknown
from trtdoctor.record import record
from trtdoctor.render.parts import MEANS, said
from trtdoctor.text import harmless

if TYPE_CHECKING:
    from trtdoctor.snapshot import Canary, Snapshot

PLACE = "trtdoctor-snapshot.json"
"""The file that findings about a live machine are laid to: CI systems show nothing that lies in no file."""


class NotRedactedError(ValueError):
    """A report of an open Snapshot was to be written in a format that others read."""


@record
class About:
    """What a format says beside the Report."""

    command: str = "check"
    """The command that made the report: ``check``, ``lint-deps``, ``canary``."""
    place: str = PLACE
    """File, relative to the repository, that a finding without a file of its own is laid to."""
    fail_on: str = "error"
    """The threshold of the exit code."""


@record
class Placed:
    """One finding with what a CI system wants to know of it."""

    finding: Finding
    file: str
    line: int | None
    """None when the finding is about the environment as a whole, not about a line of ``file``."""
    fingerprint: str
    """32 hexadecimal digits: the same over runs as long as the defect is the same, whatever line or version it is at;
    no two findings of a report share one."""
    fails: bool
    """Whether it takes part in an exit code of 1."""


def only_redacted(report: Report) -> None:
    """Raises :class:`NotRedactedError` when the report says what a redacted one leaves out."""
    if not report.snapshot.redacted:
        raise NotRedactedError("this format takes the report of a redacted snapshot")


def placed(report: Report, about: About) -> tuple[Placed, ...]:
    """The findings in their order."""
    stated = frozenset(_stated(report.snapshot)) if about.command == "lint-deps" else frozenset()
    found = []
    taken: dict[str, int] = {}
    for finding in sorted(report.findings, key=lambda item: (item.code, item.title)):
        file, line = _place(finding, stated) or (about.place, None)
        name = "\0".join((about.command, file, finding.code, *finding.components, *(f.key for f in finding.facts)))
        taken[name] = taken.get(name, 0) + 1
        found.append(Placed(finding, file, line, _digest(f"{name}\0{taken[name]}"), fails(finding, about.fail_on)))
    return tuple(sorted(found, key=lambda item: report.findings.index(item.finding)))


def fails(finding: Finding, fail_on: str) -> bool:
    """Whether one finding alone makes the exit code 1."""
    if finding.waived is not None or fail_on == "never":
        return False
    return finding.severity.rank <= Severity("error" if fail_on == "unknown" else fail_on).rank


def said_of(finding: Finding) -> Iterator[tuple[str, str]]:
    """What a finding says beside its title, as label and text: ``found``, ``breaks``, ``fix``, ``source``."""
    if finding.detail:
        yield "detail", one_line(finding.detail)
    for fact in finding.facts:
        yield "found", one_line(f"{fact.key} {fact.value}{f' ({fact.where})' if fact.where else ''}")
    if finding.breaks:
        yield "breaks", one_line(finding.breaks)
    for fix in finding.fix:
        notes = [note for flag, note in ((fix.needs_root, "as root"), (fix.needs_reboot, "then reboot")) if flag]
        note = f"  # {', '.join(notes)}" if notes else ""
        yield "fix", one_line(f"{'$ ' if fix.kind == 'shell' else ''}{fix.text}") + note
    for source in finding.sources:
        yield "source", one_line(f"{source.certainty}: {source.url or source.id}")


def lines_of(finding: Finding) -> list[str]:
    """The whole finding as lines of plain text, none of which a CI system takes for a command."""
    waived = [("waived", one_line(finding.waived))] if finding.waived is not None else []
    return [
        harmless(one_line(finding.title)),
        *(harmless(f"{label}: {text}") for label, text in (*waived, *said_of(finding))),
    ]


def unknown_line(item: Unknown) -> str:
    """One thing that could not be judged, as a line of plain text."""
    return harmless(one_line(f"{item.component}: {item.needed}: {item.why}. Tell: {item.how_to_tell}"))


def notes_of(report: Report) -> list[str]:
    """What was not looked at, a line each: an empty report must not pass for a clean one."""
    made = []
    for probe in report.snapshot.probes:
        detail = f": {probe.detail}" if probe.detail else ""
        if probe.name == "canary" and probe.outcome == "skipped":
            made.append(harmless(one_line(f"no canary was run{detail}")))
        elif probe.outcome not in ("ok", "skipped"):
            made.append(harmless(one_line(f"probe {probe.name} {probe.outcome}{detail}")))
    return made


def headline(report: Report, about: About) -> str:
    """The verdict in one line."""
    return f"trtdoctor {about.command}: {report.verdict.prose}: {MEANS[report.verdict]} ({counted(report)})"


def counted(report: Report) -> str:
    """How many findings there are, in words; those that are waived, or known from a baseline, are counted apart."""
    waived = len(report.findings) - len(report.standing)
    known = f", {report.known} known from the baseline" if report.known else ""
    return said(report.counts) + (f", {waived} waived" if waived else "") + known


def canary_of(report: Report, about: About) -> Canary | None:
    """The canary that ``trtdoctor canary`` ran; None for the other commands."""
    canaries: Sequence[Canary] = report.snapshot.canaries or ()
    return canaries[-1] if about.command == "canary" and canaries else None


def one_line(text: str) -> str:
    """``text`` without line breaks."""
    return " ".join(text.split())


def repository_name(path: str) -> str:
    """A file as a CI system names it: below the checkout relative to it, elsewhere by its base name alone.

    The checkout is what GitHub or GitLab say, else the current directory. Forward slashes.
    """
    import os

    real = os.path.realpath(path)
    try:
        here = os.getcwd()
    except OSError:  # it is gone
        here = ""
    for root in (os.environ.get("GITHUB_WORKSPACE"), os.environ.get("CI_PROJECT_DIR"), here):
        if root and os.path.isabs(root):
            top = os.path.realpath(root).rstrip(os.sep) + os.sep
            if real.startswith(top):
                return real[len(top) :].replace(os.sep, "/")
    return os.path.basename(real)


def _stated(snapshot: Snapshot) -> Iterator[str]:
    """Every ``FILE:LINE`` that something of the Snapshot is stated at."""

    def walk(value: Any) -> Iterator[str]:
        if isinstance(value, tuple):
            for item in value:
                yield from walk(item)
        elif hasattr(value, "__dataclass_fields__"):
            for name in value.__dataclass_fields__:
                inner = getattr(value, name)
                if name == "stated_at" and isinstance(inner, str):
                    yield inner
                else:
                    yield from walk(inner)

    yield from walk(snapshot)


def _place(finding: Finding, stated: frozenset[str]) -> tuple[str, int] | None:
    for fact in finding.facts:
        if fact.where in stated and fact.where is not None:
            file, _, line = fact.where.rpartition(":")
            if file and line.isascii() and line.isdecimal() and 0 < int(line) < 2**31:
                return file, int(line)
    return None


def _digest(text: str) -> str:
    import hashlib

    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
