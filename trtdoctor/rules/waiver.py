"""What became of the waivers in the configuration. These rules run after the others, when the waivers were applied."""

from __future__ import annotations

from collections.abc import Iterable

from trtdoctor.findings import Finding, FoundFact, Severity
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import advice
from trtdoctor.waivers import Use, versions_of


@rule("POL103", "waiver-expired", severity=Severity.INFO, components=("policy",))
def waiver_expired(context: Context) -> Iterable[Problem]:
    """A waiver of the configuration is past its day: it counts as absent.

    Why it matters: What it covered counts again for the verdict and the exit code.

    Example: `expires = 2026-10-31` in a `[[waiver]]` of trtdoctor.toml, and it is November.

    How to fix: Mend what it covered and take the waiver out, or have whoever answers for it set a later day.

    Sources: the configuration that the finding names
    """
    for use in context.uses:
        if use.state == "expired":
            waiver = use.waiver
            again = f"{waiver.code} counts" if use.findings else "nothing here needs it"
            yield Problem(
                Severity.INFO,
                f"The waiver for {waiver.about} expired on {waiver.expires}: {again}",
                detail=f"Its reason was: {waiver.reason}",
                facts=(_fact(use),),
                remedy=advice("policy", f"Take the waiver out{_at(use)}, or set a later day."),
            )


@rule("POL104", "waiver-unused", severity=Severity.INFO, components=("policy",))
def waiver_unused(context: Context) -> Iterable[Problem]:
    """A waiver of the configuration covers nothing that was found here.

    Why it matters: It may be left over, or not say what was meant: then the finding that it is for still counts. In a
    configuration for several machines it is no more than what the others need.

    Example: A `[[waiver]]` for TRT601 on tensorrt `==8.5.*`, and TensorRT 8.6.1 is installed.

    How to fix: Take it out where no machine needs it any more, or correct its component or version.

    Sources: the configuration that the finding names
    """
    for use in context.uses:
        if use.state == "unused":
            yield Problem(
                Severity.INFO,
                f"The waiver for {use.waiver.about} covers nothing here: {_why(use)}",
                facts=(_fact(use),),
                remedy=advice("policy", f"Take the waiver out{_at(use)}, or correct its component or version."),
            )


def _why(use: Use) -> str:
    if not use.findings:
        return f"{use.waiver.code} was not found"
    finding = use.findings[0]
    return f"{finding.code} was found on {_subjects(finding, use.waiver.component)}"


def _subjects(finding: Finding, component: str) -> str:
    """What a finding is on, in the words that a waiver would need."""
    versions = [str(version or "an unknown version") for version in versions_of(finding, component)]
    return f"{component} {', '.join(versions)}" if versions else ", ".join(finding.components)


def _at(use: Use) -> str:
    return f" ({use.waiver.stated_at})" if use.waiver.stated_at else ""


def _fact(use: Use) -> FoundFact:
    return FoundFact("waiver", use.waiver.about, use.waiver.stated_at, "configuration")
