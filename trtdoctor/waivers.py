"""Waivers: findings that somebody answers for, each with a reason and a day after which it no longer counts.

A step of its own between the rules and the verdict. A waiver covers a finding by its code, by a component that the
finding speaks of, and, where it names versions, by the version of every copy of that component that the finding names.
What it covers stays in the report and counts neither for the verdict nor for the exit code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date

from trtdoctor.findings import Finding, FoundFact
from trtdoctor.record import record
from trtdoctor.versions import Answer, Version, within

# Compiled when they are first used: most checks have no waivers.
_GPU = r"gpu \d+"
_CAPABILITY = r"compute capability (\d+\.\d+)"
_PACKAGE = "package"


@record
class Waiver:
    """One finding that somebody answers for."""

    code: str
    """The rule's, whole: ``TRT601``."""
    component: str
    """A word of the finding's ``components``, or the key of one of its facts: ``tensorrt``, ``package:NAME``."""
    version: str | None
    """Specifier that every version that the finding names of the component must fall under; None for any or none."""
    reason: str
    who: str | None
    """Who answers for it; None when that is left out (``--redact``)."""
    expires: str
    """ISO date of the last day on which it counts."""
    stated_at: str | None = None
    """``FILE:LINE``."""

    def expired(self, as_of: date) -> bool:
        """Whether the last day on which it counts is before ``as_of``."""
        return date.fromisoformat(self.expires) < as_of

    @property
    def about(self) -> str:
        """What it covers, for a sentence: ``TRT601 on tensorrt ==8.5.*``."""
        return f"{self.code} on {self.component} {self.version or ''}".rstrip()


@record
class Use:
    """What became of one waiver."""

    waiver: Waiver
    state: str
    """``used``, ``unused`` or ``expired``."""
    findings: tuple[Finding, ...] = ()
    """What it covers or, having expired, would cover; unused: the findings of its code that it does not cover."""


def waive(findings: Sequence[Finding], waivers: Iterable[Waiver], as_of: date) -> tuple[list[Finding], tuple[Use, ...]]:
    """The findings, those marked that a waiver covers on that day, and what became of each waiver."""
    found = list(findings)
    uses = []
    for waiver in waivers:
        covered = [item for item in findings if covers(waiver, item)]
        if waiver.expired(as_of):
            uses.append(Use(waiver, "expired", tuple(covered)))
        elif covered:
            uses.append(Use(waiver, "used", tuple(covered)))
            found = [_waived(item, waiver) if item.waived is None and covers(waiver, item) else item for item in found]
        else:
            others = tuple(item for item in findings if item.code == waiver.code)
            uses.append(Use(waiver, "unused", others))
    return found, tuple(uses)


def covers(waiver: Waiver, finding: Finding) -> bool:
    """Whether ``waiver`` is about ``finding``, whatever the day. A version that is not known is not covered."""
    if finding.code != waiver.code:
        return False
    versions = list(versions_of(finding, waiver.component))
    if waiver.version is None:
        return bool(versions) or waiver.component in finding.components
    wanted = waiver.version
    return bool(versions) and all(version is not None and within(version, wanted) is Answer.YES for version in versions)


def versions_of(finding: Finding, component: str) -> Iterator[Version | None]:
    """The version of each copy of ``component`` among the facts of ``finding``; None where it has none.

    Of GPUs it is the compute capability.
    """
    for fact in finding.facts:
        text = _version_of(fact, component)
        if text is not None:
            yield Version.maybe(text)


def _version_of(fact: FoundFact, component: str) -> str | None:
    """What ``fact`` has for a version of ``component``; None when it is about something else."""
    kind, _, rest = fact.key.partition(" ")
    if fact.key == component:
        return fact.value
    if component == "gpu" and re.fullmatch(_GPU, fact.key):
        match = re.search(_CAPABILITY, fact.value)
        return match[1] if match else ""
    if kind == _PACKAGE and rest:
        return fact.value if component in (rest, f"{_PACKAGE}:{rest}") else None
    return rest if kind == component and Version.maybe(rest) else None  # "cudnn 9.14.0": two of one component


def _waived(finding: Finding, waiver: Waiver) -> Finding:
    return replace(finding, waived=f"{waiver.reason} (until {waiver.expires})", waived_by=waiver.who)
