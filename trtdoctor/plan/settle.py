"""One candidate on its way to an environment without errors: put in place, judged by the rules, mended, judged anew."""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.demands import answer
from trtdoctor.diagnosis import errors
from trtdoctor.findings import Severity
from trtdoctor.plan.agreement import agreed
from trtdoctor.plan.driver import driver_floor
from trtdoctor.plan.environment import Environment, copied
from trtdoctor.plan.facts import left_out, of_problem
from trtdoctor.plan.fit import Weighed
from trtdoctor.plan.frameworks import put_missing
from trtdoctor.plan.held import out_of_reach
from trtdoctor.plan.keeping import fact, moved
from trtdoctor.plan.mend import mended
from trtdoctor.plan.model import KINDS, MENDED, Change, Refusal, weight
from trtdoctor.plan.question import Question
from trtdoctor.plan.ways import applied
from trtdoctor.record import record
from trtdoctor.rules import BY_CODE
from trtdoctor.rules.base import Context, Problem
from trtdoctor.versions import Answer, Version

_STRICT = frozenset(("DNN104", "ENG101", "FWK102", "FWK103", "FWK302", "FWK303", "FWK401"))
"""Warnings that no plan brings about where it can be helped: two wheels of cuDNN over each other, an engine of another
release, a framework beside what it was not built for."""
_EVERY = frozenset(BY_CODE)
_ROUNDS = 8
"""So many changes mend one candidate at most."""
_TRIES = 24
"""So many environments are judged for one candidate at most."""


@record
class Candidate:
    """A stack that has been judged and found whole."""

    weighed: Weighed | None
    """None where TensorRT stays as it is."""
    environment: Environment
    changes: tuple[Change, ...]
    cost: int
    context: Context
    """The environment as it was judged."""
    remaining: tuple[str, ...] = ()
    """Errors of the machine itself that no installation takes away: code and title."""
    warnings: frozenset[str] = frozenset()
    """Codes of what the rules warn of in it and not in the present environment."""


@record
class Machine:
    """What is wrong with the machine whatever is installed on it."""

    cost: int
    """What every candidate takes alike: options of the container that must be set."""
    tolerated: frozenset[str]
    """Codes of errors that nothing known takes away, with nothing kept and everything allowed."""


def judged_machine(question: Question) -> Machine:
    """Judged and mended without what is installed."""
    if not question.own_faults:
        return Machine(0, frozenset())
    settling = _Settling(question.unbound, None, question.own_faults)
    found, _ = settling.settle(question.bare, [], _ROUNDS)
    kinds = [change.kind for change in found.changes] if found is not None else []
    return Machine(sum(KINDS[kind] for kind in kinds if kind == "configure"), frozenset(settling.tolerated))


def judge(
    question: Question, weighed: Weighed | None, tolerated: frozenset[str]
) -> tuple[Candidate | None, Refusal | None, int]:
    """A candidate put in place, judged and mended, or the error that stayed; and how many environments that took."""
    environment, changes = copied(question.environment), list[Change]()
    if weighed is not None:
        environment, changes = applied(question, weighed)
    lacking = put_missing(question, environment, changes)
    if lacking is not None:
        return None, lacking, 1
    tries = 0
    for strict in (_STRICT - question.warned, frozenset[str]()):
        settling = _Settling(question, weighed, tolerated, strict)
        candidate, refusal = settling.settle(environment, changes, _ROUNDS)
        tries += settling.tries
        if candidate is not None or not settling.was_strict:
            break
    return candidate, refusal, tries


class _Settling:
    """One candidate on its way to an environment without errors."""

    def __init__(
        self,
        question: Question,
        weighed: Weighed | None,
        tolerable: frozenset[str],
        strict: frozenset[str] = frozenset(),
    ) -> None:
        """``strict`` are codes of warnings that must not come new."""
        self.question = question
        self.weighed = weighed
        self.unwanted = question.unwanted | strict
        self.strict = strict - question.unwanted
        self.was_strict = False
        """Whether the last error was only a warning that must not come new."""
        self.tries = 0
        self.tolerable = tolerable
        """Codes of the machine's own faults: tolerated where nothing mends them."""
        self.tolerated: dict[str, str] = {}
        """Those that were, with what is told of them."""

    def settle(
        self, environment: Environment, changes: list[Change], rounds: int
    ) -> tuple[Candidate | None, Refusal | None]:
        """Depth first through what may mend each error, the least invasive first."""
        question = self.question
        refusal = (
            self._unkept(environment, changes)
            or self._too_old(environment)
            or agreed(question, environment)
            or out_of_reach(question, environment)
        )
        if refusal is not None:
            return None, refusal
        self.tries += 1
        context = question.judged(environment)
        wrong, warned = self._first_wrong(context)
        self.was_strict = wrong is not None and wrong[0] in self.strict
        if wrong is None:
            unmet = _unmet(question, context)
            return (None, unmet) if unmet is not None else (self._whole(environment, changes, context, warned), None)
        code, problem = wrong
        rests_on = of_problem(question, code, problem, self.weighed.build if self.weighed is not None else None)
        refusal = rests_on
        blocked: set[str] = set()
        for changed, more in mended(question, context, environment, changes, code, problem, blocked):
            if rounds == 0 or self.tries >= _TRIES:
                break
            if changed == environment:
                continue
            found, deeper = self.settle(changed, changes + more, rounds - 1)
            if found is not None:
                return found, None
            refusal = deeper or refusal
        if blocked:
            beside = (rests_on.fact,) if rests_on.fact.startswith("compute capability") else ()
            refusal = Refusal(fact(question, min(blocked)), problem.title, beside)
        if code in self.tolerable and code not in self.tolerated:
            self.tolerated[code] = f"{code} {problem.title}"
            return self.settle(environment, changes, rounds)
        return None, refusal

    def _first_wrong(self, context: Context) -> tuple[tuple[str, Problem] | None, frozenset[str]]:
        """The first error, else the codes of all warnings."""
        warned = set()
        for code, problem in errors(context, frozenset(self.tolerated), _EVERY):
            if problem.severity is Severity.ERROR or code in self.unwanted:
                return (code, problem), frozenset()
            warned.add(code)
        return None, frozenset(warned)

    def _unkept(self, environment: Environment, changes: list[Change]) -> Refusal | None:
        word = moved(self.question, environment, changes)
        if word is None:
            return None
        label = self.weighed.build.label if self.weighed is not None else "what has to change"
        return Refusal(fact(self.question, word), f"{label} would change it")

    def _too_old(self, environment: Environment) -> Refusal | None:
        """A driver that a GPU asks for and the build cannot do with."""
        driver = Version.maybe(environment.get("driver"))
        if self.weighed is None or driver is None or environment["driver"] == self.question.environment.get("driver"):
            return None
        floor = driver_floor(self.question, self.weighed.build)
        if floor is None or driver.at_least(floor) is not Answer.NO:
            return None
        text = f"{self.weighed.build.label} needs driver {floor}, and {driver} is what serves the GPU"
        return Refusal(left_out(self.question) or f"driver {driver}", text)

    def _whole(
        self, environment: Environment, changes: list[Change], context: Context, warned: frozenset[str]
    ) -> Candidate:
        changes = [*changes, *self._repairs(changes, environment)]
        cost = weight(changes) + (self.weighed.penalty if self.weighed else 0)
        remaining = tuple(self.tolerated.values())
        new = warned - self.question.warned
        return Candidate(self.weighed, environment, tuple(changes), cost, context, remaining, new)

    def _repairs(self, changes: list[Change], environment: Environment) -> Iterator[Change]:
        """What only files show, of components and distributions that nothing else replaces."""
        moved = {change.component for change in changes}
        stays = environment.get("packages", {})
        for code, problem in self.question.broken_files:
            components = problem.components or BY_CODE[code].components
            if problem.remedy is None:
                continue
            bad = (problem.remedy.detail("remove") or "").split()
            if components[0] not in moved and (not bad or not stays.keys().isdisjoint(bad)):
                yield Change(components[0], None, MENDED, "configure", problem.title, problem.remedy)


def _unmet(question: Question, context: Context) -> Refusal | None:
    """A demand that surely is not met."""
    for demand in question.demands:
        if demand.subject == "canary" or demand.subject.startswith("gpu."):
            continue
        met = answer(demand, context.stack)
        if met.answer is Answer.NO:
            return Refusal(f"{demand.text}, which is required", met.said)
    return None
