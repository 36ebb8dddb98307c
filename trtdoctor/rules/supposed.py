"""What the rules find in an environment that is only supposed: quick, for who asks of many whether they would do."""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.findings import Severity
from trtdoctor.rules.base import Context, Problem
from trtdoctor.stack import KNOWN


def errors(
    context: Context, tolerated: frozenset[str] = frozenset(), unwanted: frozenset[str] = frozenset()
) -> Iterator[tuple[str, Problem]]:
    """Code and problem of each error that is none of ``tolerated``, as the rules come to them.

    Warnings of the codes ``unwanted`` count as errors.
    """
    from trtdoctor.rules import RULES

    codes: set[str] = set()
    state = context.stack.state
    for rule in RULES:
        if rule.silenced_by and not codes.isdisjoint(rule.silenced_by):
            continue
        if any(state(need) != KNOWN for need in rule.needs):
            continue
        for problem in rule.check(context):
            codes.add(rule.code)
            bad = problem.severity is Severity.ERROR or (rule.code in unwanted and problem.severity is Severity.WARNING)
            if bad and rule.code not in tolerated:
                yield rule.code, problem
