"""Known-bad releases (known_issues.yaml) against an environment: which bite, and which may."""

from __future__ import annotations

import re

from trtdoctor.matrix import Row, tensorrt
from trtdoctor.record import record
from trtdoctor.rules.base import Context
from trtdoctor.versions import Answer, Version

_CONDITION = r"([a-z_]+)\s*(>=|<=|==|<|>)\s*([0-9][0-9.]*)"


@record
class Issue:
    """A row of known_issues, read once."""

    row: Row
    platforms: frozenset[str] | None
    flavours: frozenset[str] | None
    when: str | None
    at_install: bool
    severity: str
    judged: bool
    """Whether a rule of its own speaks for it."""
    decided_by: str | None
    """The fact of a library file (``executable_stack``) that decides where the file was read."""


def issues_of(context: Context, version: Version) -> list[Issue]:
    """The issues that ``version`` surely falls under."""
    matrix = context.matrix

    def make() -> list[Issue]:
        found = tensorrt.known_issues(matrix, "tensorrt", version)
        return [_issue(row) for row, answer in found if answer is Answer.YES]

    return matrix.remember(("rules: issues", version), make)


def _issue(row: Row) -> Issue:
    places, flavours = row.get("platform").value, row.get("flavour").value
    return Issue(
        row,
        frozenset(places) if isinstance(places, list) else None,
        frozenset(flavours) if isinstance(flavours, list) else None,
        row.text("when"),
        row.text("stage") == "install",
        row.text("severity") or "info",
        row.text("judged_by") is not None,
        row.text("decided_by"),
    )


def concerns(
    context: Context, issue: Issue, *, by_pip: bool, platforms: tuple[str, ...], flavours: frozenset[str]
) -> Answer:
    """Whether an issue bites a TensorRT that came or comes so; ``platforms`` and ``flavours`` are those it may be."""
    answers = [_condition(context, issue.when, by_pip)]
    for listed, may_be in ((issue.platforms, frozenset(platforms)), (issue.flavours, flavours)):
        if listed is not None:
            shared = listed & may_be
            answers.append(Answer.YES if may_be and shared == may_be else Answer.UNKNOWN if shared else Answer.NO)
    return Answer.all(answers)


def _condition(context: Context, when: str | None, by_pip: bool) -> Answer:
    if when is None:
        return Answer.YES
    if when == "pip":
        return Answer.of(by_pip)
    match = re.fullmatch(_CONDITION, when)
    if match is None:
        return Answer.of(when in context.goal or when in context.stack.distributions)
    return _compare(_fact_for(context, match[1]), match[2], Version.parse(match[3]))


def _fact_for(context: Context, name: str) -> Version | None:
    if name == "glibc":
        return Version.maybe(context.snapshot.platform.glibc)
    if name == "driver":
        return context.stack.driver
    found = context.stack.distributions.get(name)
    return Version.maybe(found.version) if found else None


def _compare(have: Version | None, sign: str, bound: Version) -> Answer:
    if have is None:
        return Answer.UNKNOWN
    return {
        ">=": have.at_least(bound),
        "<": have.below(bound),
        "==": have.same_as(bound),
        ">": Answer.all((have.at_least(bound), ~have.same_as(bound))),
        "<=": ~Answer.all((have.at_least(bound), ~have.same_as(bound))),
    }[sign]
