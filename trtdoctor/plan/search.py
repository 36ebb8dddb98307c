"""The search: builds by what they take, each judged by the rules and mended until nothing is wrong, or given up.

Best first: a build waits with the least that it can take; once the rules have had their say it waits with what it
really takes; what comes out at the front is the next best plan.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

from trtdoctor.demands import answer
from trtdoctor.diagnosis import errors
from trtdoctor.findings import Severity
from trtdoctor.matrix import drivers, tensorrt
from trtdoctor.plan.agreement import agreed
from trtdoctor.plan.builds import REPOSITORIES, Build, builds
from trtdoctor.plan.environment import Environment, copied
from trtdoctor.plan.fit import Weighed, penalty_of, weigh
from trtdoctor.plan.frameworks import put_missing
from trtdoctor.plan.keeping import fact, moved
from trtdoctor.plan.mend import mended
from trtdoctor.plan.model import KINDS, Change, Refusal, weight
from trtdoctor.plan.question import Question
from trtdoctor.plan.ways import applied
from trtdoctor.record import record
from trtdoctor.rules import BY_CODE
from trtdoctor.rules.base import Context, Problem
from trtdoctor.versions import Answer, Version

WAYS = ("pip", "apt", "container", "jetpack", "archive")
_RENAMED = {"tensorrtserver": "tritonserver"}
"""What an image was called before."""
_BRING = ("torch-tensorrt", "tensorrt-llm")
"""Distributions that bring a TensorRT."""
_STRICT = frozenset(("FWK102", "FWK103", "FWK302", "FWK303", "FWK401"))
"""Warnings that no plan brings about where it can be helped: a framework beside what it was not built for."""
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
class Found:
    """What the search came to."""

    candidates: tuple[Candidate, ...]
    considered: int
    refused: tuple[Weighed, ...]
    """Builds that something forbids, in the order in which they would have come."""
    dead_ends: tuple[tuple[str, Refusal], ...]
    """Builds that the rules forbid, by their labels, each with the error that stayed."""


def search(question: Question, *, top: int, most: int, every: bool = False) -> Found:
    """The ``top`` best stacks; at most ``most`` environments are judged by the rules, of one candidate ``_TRIES``.

    Of one major, CUDA and way only the best release that takes the same changes, unless ``every``.
    """
    return _Search(question, every).run(top, most)


class _Search:
    """What waits, what was found, and what was left out on the way."""

    def __init__(self, question: Question, every: bool) -> None:
        self.question = question
        self.every = every
        self.waiting: list[tuple[tuple[object, ...], int, Build | Weighed | Candidate | None]] = []
        self.number = 0
        self.machine = judged_machine(question)
        self.found: list[Candidate] = []
        self.refused: list[Weighed] = []
        self.dead_ends: list[tuple[str, Refusal]] = []
        self.judged = 0

    def run(self, top: int, most: int) -> Found:
        """Take the first that waits, again and again: a build is weighed, a weighed one judged, a whole one kept."""
        question = self.question
        if _may_stay(question):
            self._wait(None, None, self.machine.cost)
        for build in every_build(question):
            self._wait(build, build, KINDS[build.way] + penalty_of(question, build) + self.machine.cost)
        considered = self.number
        seen: set[tuple[object, ...]] = set()
        while self.waiting and len(self.found) < top:
            _, _, item = heapq.heappop(self.waiting)
            if isinstance(item, Build):
                self._weigh(item)
            elif isinstance(item, Candidate):
                name = _name(item, self.every)
                if name not in seen and not self._same_again(item):
                    seen.add(name)
                    self.found.append(item)
            elif self.judged < most:
                self._judge(item)
        return Found(tuple(self.found), considered, tuple(self.refused), tuple(self.dead_ends))

    def _wait(self, build: Build | None, item: Build | Weighed | Candidate | None, cost: int) -> None:
        self.number += 1
        heapq.heappush(self.waiting, (order(self.question, build, item, cost), self.number, item))

    def _weigh(self, build: Build) -> None:
        weighed = weigh(self.question, build)
        if weighed.refusals:
            self.refused.append(weighed)
        else:
            self._wait(build, weighed, weighed.cost + self.machine.cost)

    def _judge(self, weighed: Weighed | None) -> None:
        candidate, refusal, tries = judge(self.question, weighed, self.machine.tolerated)
        self.judged += tries
        build = weighed.build if weighed is not None else None
        if candidate is not None:
            self._wait(build, candidate, candidate.cost)
        elif refusal is not None:
            self.dead_ends.append((build.label if build is not None else "what is there", refusal))

    def _same_again(self, item: Candidate) -> bool:
        """Whether it installs once more what may stay as well."""
        present = self.question.present
        if item.weighed is None or present is None or all(other.weighed is not None for other in self.found):
            return False
        build = item.weighed.build
        if any((known.product or "full") != build.product for known in self.question.installed):
            return False
        flavours = {known.flavour for known in self.question.installed if known.flavour}
        return present.may_be(build.version) and (not flavours or build.flavour in flavours)


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


def every_build(question: Question) -> Iterator[Build]:
    """Every build of the wanted product, by every way that will do."""
    for way in question.install or _ways(question):
        yield from builds(
            question.matrix,
            question.product,
            way,
            question.platforms,
            repository=_repository(question),
            system=question.system_words,
        )


def _ways(question: Question) -> Iterable[str]:
    if question.stack.jetson:
        return ("jetpack", "container")
    return WAYS


def _repository(question: Question) -> str:
    """Whose images are offered: those of the one that is used, or that have what is wanted."""
    image = _RENAMED.get(question.image or "", question.image)
    if image in REPOSITORIES:
        return image
    named = {*question.environment.get("packages", ()), *(demand.name for demand in question.demands)}
    return "pytorch" if named & {"torch", "torch-tensorrt"} else "tensorrt"


def _may_stay(question: Question) -> bool:
    """Whether leaving TensorRT as it is can be an answer.

    There is one, and nothing asks for another; or nobody said, and something else is wrong, or a framework brings one.
    """
    subject = "tensorrt-rtx" if question.product == "rtx" else "tensorrt"
    if question.present is not None:
        return question.unmet(subject, question.present) is None
    if any(demand.subject == subject for demand in question.demands):
        return False
    if question.installed or not set(_BRING).isdisjoint(question.environment.get("packages", ())):
        return True
    return not question.absent and next(errors(question.context, unwanted=question.unwanted), None) is not None


def order(
    question: Question, build: Build | None, item: Build | Weighed | Candidate | None, cost: int
) -> tuple[object, ...]:
    """What ranks: what it takes, new warnings, the CUDA that is there, what is confirmed, support life, the newest.

    Of what was not judged yet the least that can come of it.
    """
    warnings = len(item.warnings) if isinstance(item, Candidate) else 0
    life = _life(question, item.environment if isinstance(item, Candidate) else question.environment)
    if build is None:
        return (cost, warnings, 0, 0, life, ())
    weighed = item.weighed if isinstance(item, Candidate) else item
    unsure = len(weighed.unsure) if isinstance(weighed, Weighed) else 0
    preferred = _preferred(question)
    other = 0 if not preferred or build.flavour in preferred else 1
    age = tuple(-part for part in build.version.parts)
    return (cost, warnings, other, unsure, life, (age, _suffix(build.version)))


def _life(question: Question, environment: Environment) -> int:
    """Less for a driver branch that the vendor keeps longer; one that is not known, or over, is kept for no time."""
    driver = Version.maybe(environment.get("driver"))
    month = drivers.end_of_life(question.matrix, driver).value if driver is not None else None
    now = f"{question.as_of.year:04d}-{question.as_of.month:02d}"
    if not isinstance(month, str) or not month[:4].isdecimal() or month < now:
        return 0
    return -(int(month[:4]) * 12 + int(month[5:7]))


def _suffix(version: Version) -> int:
    """A repackaged build (``.post1``) is the better one of the same release."""
    digits = version.suffix.removeprefix(".post")
    return -int(digits) if digits.isdecimal() else 0


def _preferred(question: Question) -> tuple[str, ...]:
    """The CUDA flavour of what is there: TensorRT's own, else that of CUDA."""
    key = "plan: preferred"
    return question.context.remember(key, lambda: tuple(_flavours_there(question)))


def _flavours_there(question: Question) -> Iterator[str]:
    own = [item.flavour for item in question.installed if item.flavour]
    if own:
        yield from dict.fromkeys(own)
        return
    majors = {item.version.major for item in question.stack.of("cuda") if item.version}
    yield from (f"cu{major}" for major in sorted(majors, reverse=True))
    for item in question.installed if not majors else ():
        rows = tensorrt.releases(question.matrix, item.version, question.product) if item.version else []
        yield from (row.text("default_flavour") or "" for row in rows if item.origin in (None, "pip"))


def _name(candidate: Candidate, every: bool) -> tuple[object, ...]:
    """Equal for candidates of which a person wants to see one: of a major the newest that takes the same changes."""
    if candidate.weighed is None:
        return ("keep",)
    build = candidate.weighed.build
    which = build.release if every else build.version.major
    return (build.way, which, build.flavour, *(change.kind for change in candidate.changes))


# -- one candidate -----------------------------------------------------------------------------------------------------


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
        if candidate is not None or refusal is None or refusal.fact[:6] not in strict:
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
        refusal = self._unkept(environment, changes) or agreed(question, environment)
        if refusal is not None:
            return None, refusal
        self.tries += 1
        context = question.judged(environment)
        wrong, warned = self._first_wrong(context)
        if wrong is None:
            unmet = _unmet(question, context)
            return (None, unmet) if unmet is not None else (self._whole(environment, changes, context, warned), None)
        code, problem = wrong
        refusal = Refusal(f"{code} {problem.title}", problem.title)
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
            refusal = Refusal(fact(question, min(blocked)), problem.title)
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

    def _whole(
        self, environment: Environment, changes: list[Change], context: Context, warned: frozenset[str]
    ) -> Candidate:
        cost = weight(changes) + (self.weighed.penalty if self.weighed else 0)
        remaining = tuple(self.tolerated.values())
        new = warned - self.question.warned
        return Candidate(self.weighed, environment, tuple(changes), cost, context, remaining, new)


def _unmet(question: Question, context: Context) -> Refusal | None:
    """A demand that surely is not met."""
    for demand in question.demands:
        if demand.subject == "canary" or demand.subject.startswith("gpu."):
            continue
        met = answer(demand, context.stack)
        if met.answer is Answer.NO:
            return Refusal(f"{demand.text}, which is required", met.said)
    return None
