"""The search: builds by what they take, each judged by the rules and mended until nothing is wrong, or given up.

Best first: a build waits with the least that it can take; once the rules have had their say it waits with what it
really takes; what comes out at the front is the next best plan.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

from trtdoctor.diagnosis import errors
from trtdoctor.matrix import drivers, tensorrt
from trtdoctor.plan.builds import REPOSITORIES, SUBJECTS, Build, builds
from trtdoctor.plan.driver import advised
from trtdoctor.plan.fit import Weighed, kind_of, mixed, penalty_of, weigh
from trtdoctor.plan.model import KINDS, Refusal
from trtdoctor.plan.question import Question
from trtdoctor.plan.settle import Candidate, judge, judged_machine
from trtdoctor.record import record
from trtdoctor.versions import Answer, Version, within

WAYS = ("pip", "apt", "container", "jetpack", "archive")
_RENAMED = {"tensorrtserver": "tritonserver"}
"""What an image was called before."""
_BRING = ("torch-tensorrt", "tensorrt-llm")
"""Distributions that bring a TensorRT."""


@record
class Found:
    """What the search came to."""

    candidates: tuple[Candidate, ...]
    considered: int
    refused: tuple[Weighed, ...]
    """Builds that something forbids, in the order in which they would have come."""
    dead_ends: tuple[tuple[Build | None, Refusal], ...]
    """Builds (None: what is there) that the rules forbid, each with the error that stayed."""
    unmet: tuple[Refusal, ...] = ()
    """Why what is there cannot stay whatever is mended around it."""
    untried: int = 0
    """How many builds were not judged to the end."""
    always: int = 0
    """What every candidate takes alike."""


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
        self.dead_ends: list[tuple[Build | None, Refusal]] = []
        self.untried = 0
        self.judged = 0

    def run(self, top: int, most: int) -> Found:
        """Take the first that waits, again and again: a build is weighed, a weighed one judged, a whole one kept."""
        question = self.question
        if _may_stay(question):
            self._wait(None, None, self.machine.cost)
        for build in every_build(question):
            self._wait(build, build, KINDS[kind_of(question, build)] + penalty_of(question, build) + self.machine.cost)
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
            else:
                self.untried += 1
        return Found(
            tuple(self.found),
            considered,
            tuple(self.refused),
            tuple(self.dead_ends),
            tuple(_must_go(question)),
            self.untried,
            self.machine.cost,
        )

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
            self.dead_ends.append((build, refusal))

    def _same_again(self, item: Candidate) -> bool:
        """Whether it installs once more what may stay as well."""
        present = self.question.present
        if item.weighed is None or present is None or all(other.weighed is not None for other in self.found):
            return False
        build = item.weighed.build
        if mixed(self.question, build):
            return False
        if any((known.product or "full") != build.product for known in self.question.installed):
            return False
        flavours = {known.flavour for known in self.question.installed if known.flavour}
        return present.may_be(build.version) and (not flavours or build.flavour in flavours)


def every_build(question: Question) -> Iterator[Build]:
    """Every build of the wanted product, by every way that will do."""
    for way in question.install or ways(question):
        yield from builds_by(question, way)


def builds_by(question: Question, way: str) -> tuple[Build, ...]:
    """The builds of the wanted product by one way."""
    repository, system = _repository(question), question.system_words
    return builds(question.matrix, question.product, way, question.platforms, repository=repository, system=system)


def ways(question: Question) -> Iterable[str]:
    """The ways in which TensorRT comes to such a machine."""
    if question.stack.jetson:
        return ("jetpack", "container")
    return WAYS if question.stack.jetson is None else [way for way in WAYS if way != "jetpack"]


def _repository(question: Question) -> str:
    """Whose images are offered: those of the one that is used, or that have what is wanted."""
    image = _RENAMED.get(question.image or "", question.image)
    if image in REPOSITORIES:
        return image
    named = {*question.environment.get("packages", ()), *(demand.name for demand in question.demands)}
    return "pytorch" if named & {"torch", "torch-tensorrt"} else "tensorrt"


def _may_stay(question: Question) -> bool:
    """Whether leaving TensorRT as it is can be an answer."""
    return _could_stay(question) and not any(_must_go(question))


def _could_stay(question: Question) -> bool:
    """Whatever is required: there is one, or a framework brings one; or nobody said, and something is wrong."""
    return is_stated(question) or (
        not question.absent and next(errors(question.context, unwanted=question.unwanted), None) is not None
    )


def is_stated(question: Question) -> bool:
    """Whether there is a TensorRT, or a framework that brings one."""
    return bool(question.installed) or not set(_BRING).isdisjoint(question.environment.get("packages", ()))


def _must_go(question: Question) -> Iterator[Refusal]:
    """Why it cannot: each demand that what is there does not meet."""
    subject = SUBJECTS[question.product]
    present = question.present
    for demand in question.demands if _could_stay(question) else ():
        if demand.subject != subject:
            continue
        if present is None and not question.installed:
            yield Refusal(f"{demand.text}, which is required", "nobody said that there is one")
        elif present is not None and demand.specifier and within(present, demand.specifier) is Answer.NO:
            yield Refusal(f"{demand.text}, which is required", f"{present} is there")


def order(
    question: Question, build: Build | None, item: Build | Weighed | Candidate | None, cost: int
) -> tuple[object, ...]:
    """What ranks: cost, new warnings, the CUDA that is there, what is confirmed, support life, the newest, by hand.

    Of what was not judged yet the least that can come of it.
    """
    warnings = len(item.warnings) if isinstance(item, Candidate) else 0
    life = _life(question, _driver(question, item))
    if build is None:
        return (cost, warnings, 0, 0, life, (), 0)
    weighed = item.weighed if isinstance(item, Candidate) else item
    unsure = len(weighed.unsure) if isinstance(weighed, Weighed) else 0
    preferred = _preferred(question)
    other = 0 if not preferred or build.flavour in preferred else 1
    age = tuple(-part for part in build.version.parts)
    by_hand = sum("+" in version for version in _frameworks(item)) if isinstance(item, Candidate) else 0
    return (cost, warnings, other, unsure, life, (age, _suffix(build.version)), by_hand)


def _frameworks(candidate: Candidate) -> Iterator[str]:
    """Versions of Python packages that it puts in place; with ``+cu130`` only the project's own index has it."""
    return (change.after or "" for change in candidate.changes if change.kind == "pip")


def rank(question: Question, item: Weighed | Candidate, always: int) -> tuple[object, ...]:
    """Where it stands in the order: less is better."""
    build = item.build if isinstance(item, Weighed) else item.weighed.build if item.weighed is not None else None
    return order(question, build, item, item.cost + (always if isinstance(item, Weighed) else 0))


def _driver(question: Question, item: Build | Weighed | Candidate | None) -> str | None:
    """The driver that there will be, as far as that is known."""
    if isinstance(item, Candidate):
        found: str | None = item.environment.get("driver")
        return found
    need = item.driver if isinstance(item, Weighed) else None
    return advised(question, need.floor) if need is not None else question.environment.get("driver")


def _life(question: Question, text: str | None) -> int:
    """Less for a driver branch that the vendor keeps longer; one that is not known, or over, is kept for no time."""
    driver = Version.maybe(text)
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
