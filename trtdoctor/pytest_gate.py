"""Whether a marked test may run here, and if not why; and what a session's report says in a few lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from trtdoctor.demands import DemandError, parse
from trtdoctor.environment import Environment
from trtdoctor.findings import Report, RequirementError, Severity, Verdict
from trtdoctor.pytest_facts import Facts, FactsError
from trtdoctor.render.parts import said
from trtdoctor.text import clean, harmless
from trtdoctor.versions import Answer

KEYWORDS = ("requires", "driver", "cuda", "min_compute_capability", "min_memory", "precision", "canary", "reason")
"""What ``@pytest.mark.trt`` takes."""
_NAMED = ("driver", "cuda")
"""Keywords that are the names of what they require."""
_RUNTIMES = {"tensorrt-lean", "tensorrt-dispatch"}
_BUILDERS = {"tensorrt", "tensorrt-rtx"}
_LEAST = {"min_compute_capability": "gpu.compute_capability>=", "min_memory": "gpu.memory>="}


class MarkError(ValueError):
    """A marker is written wrong; the message is one line."""


class Mark:
    """One ``@pytest.mark.trt``."""

    def __init__(self, arguments: tuple[Any, ...], keywords: Mapping[str, Any]) -> None:
        """Read its arguments. Raises :class:`MarkError`."""
        if arguments:
            raise MarkError(f"it takes keywords only, such as trt(requires={str(arguments[0])[:60]!r})")
        for name in keywords:
            if name not in KEYWORDS:
                raise MarkError(f"unknown keyword {name!r}{_close(name)}")
        self.reason = _text("reason", keywords["reason"]) if keywords.get("reason") is not None else None
        self.canary = keywords.get("canary", False)
        if not isinstance(self.canary, bool):
            raise MarkError(f"canary is True or False, not {self.canary!r}")
        self.requirements = tuple(_requirements(keywords))
        products = {parse(text).subject for text in self.requirements}
        self.goal = ("run",) if products & _RUNTIMES and not products & _BUILDERS else ()
        """What the environment is judged for: a test of a lean runtime does not want to build."""


def _close(name: str) -> str:
    import difflib

    found = difflib.get_close_matches(name, KEYWORDS, n=1)
    return f"; did you mean {found[0]}?" if found else f"; known: {', '.join(KEYWORDS)}"


def _requirements(keywords: Mapping[str, Any]) -> Iterator[str]:
    for name, value in keywords.items():
        if value is None or name in ("canary", "reason"):
            continue
        for text in _texts(name, value):
            whole = text
            if name in _NAMED:
                whole = f"{name} {text}"
            elif name in _LEAST:
                whole = f"{_LEAST[name]}{text}"
            elif name == "precision":
                whole = f"precision:{text}"
            try:
                parse(whole)
            except DemandError as error:
                raise MarkError(f"{name}={text!r}: {error}") from None
            yield whole


def _texts(name: str, value: Any) -> Iterable[str]:
    if name in ("requires", "precision") and isinstance(value, (list, tuple)):
        return [_text(name, item) for item in value]
    return [_text(name, value)]


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise MarkError(f"{name} wants text, such as {_EXAMPLES[name]!r}, not {value!r}")
    return value


_EXAMPLES = {
    "requires": "tensorrt>=10.3,<11",
    "driver": ">=535",
    "cuda": "~=12.4",
    "min_compute_capability": "8.0",
    "min_memory": "16GiB",
    "precision": "fp8",
    "reason": "uses the refitter",
}


def why_not(mark: Mark, facts: Facts, fail_on: str) -> str | None:
    """Why a test with this marker cannot run here, in one line; None when it can.

    The canary runs only where nothing else stands in the way.
    """
    try:
        why = _why_not(mark.requirements, facts, fail_on, mark.goal)
        if why is None and mark.canary:
            why = _why_not(("canary",), facts, fail_on, mark.goal, canary=True)
    except FactsError as error:
        why = str(error)
    if why is None:
        return None
    return harmless(clean(f"{mark.reason}: {why}" if mark.reason else why, 600))


def _why_not(
    requirements: Iterable[str], facts: Facts, fail_on: str, goal: tuple[str, ...], *, canary: bool = False
) -> str | None:
    report = facts.report(canary=canary, goal=goal)
    for text in requirements:
        if report.answers(text).answer is not Answer.YES:
            return explained(text, report, facts.report(canary=canary, goal=goal, shown=True))
    if not report.fails(fail_on):
        return None
    short = facts.report(canary=canary, goal=goal, shown=True).in_short
    return short if report.verdict is Verdict.UNKNOWN else f"this environment is {short}"


def explained(text: str, report: Report, shown: Report) -> str:
    """Why a requirement is not met, in the words of the redacted facts where those say the same."""
    real, hidden = report.answers(text), shown.answers(text)
    if hidden.answer is real.answer:
        return str(hidden.said)
    return f"{text} is not met" if real.answer is Answer.NO else f"not known whether {text} is met"


def environment(facts: Facts, unmet: Any) -> Environment:
    """The ``trt_env`` fixture: ``unmet`` takes the reason why a requirement is not met. Raises FactsError."""
    report = facts.report()

    def told(error: RequirementError) -> None:
        unmet(harmless(clean(explained(error.requirement, report, facts.report(shown=True)), 600)))

    return Environment(report, unmet=told)


# -- what the session says -------------------------------------------------------------------------------------------


def summary(facts: Facts, *, canary: bool, verbose: bool) -> Iterator[str]:
    """The lines of the terminal summary: verdict, findings, what was not judged, the canary."""
    try:
        report = facts.report(canary=canary)
    except FactsError as error:
        yield harmless(str(error))
        return
    yield f"verdict: {report.verdict.prose} ({said(report.counts)})"
    for finding in report.findings:
        if finding.severity is not Severity.INFO or verbose:
            yield harmless(f"{finding.severity.value} {finding.code} {finding.title}")
    for item in report.unknowns:
        yield harmless(f"not judged: {item.component}: {item.why}")
    if canary:
        found = facts.canary()
        yield harmless(f"canary: {found.outcome}" + (f" ({found.reason})" if found.reason else ""))


def properties(facts: Facts, *, canary: bool) -> Iterator[tuple[str, str]]:
    """Name and value of the properties of a JUnit test suite: of redacted facts, as everything that JUnit gets."""
    import json

    try:
        report = facts.report(canary=canary, shown=True)
    except FactsError as error:
        yield "trtdoctor.error", harmless(str(error))
        return
    yield "trtdoctor.verdict", report.verdict.value
    if report.primary:
        yield "trtdoctor.primary", report.primary
    yield "trtdoctor.program", report.program
    yield "trtdoctor.matrix", report.matrix.version
    for number, finding in enumerate(report.findings):
        yield f"trtdoctor.finding.{number}", harmless(f"{finding.severity.value} {finding.code} {finding.title}")
    for item in report.inventory:
        if item.version and item.component in ("driver", "gpu", "tensorrt", "tensorrt-rtx", "cuda", "cudnn", "canary"):
            yield f"trtdoctor.{item.component}", harmless(item.version)
    plain = report.to_plain()
    yield "trtdoctor.report", json.dumps({key: value for key, value in plain.items() if key != "snapshot"})
