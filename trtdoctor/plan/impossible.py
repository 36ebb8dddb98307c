"""Why nothing fits: the fewest facts that together forbid every candidate, and how far each would let one go.

A fact forbids a candidate alone, or together with others (a driver that is to stay, with a GPU that needs a newer one).
The smallest set of facts that forbids every candidate is the reason: with these alone nothing fits, and without any one
of them something would.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from trtdoctor.demands import PRODUCTS
from trtdoctor.matrix.serving import PLATFORMS
from trtdoctor.plan.builds import SPOKEN, Build, builds
from trtdoctor.plan.driver import capability_fact
from trtdoctor.plan.fit import ITSELF, Weighed, weigh
from trtdoctor.plan.model import Impossible, Refusal
from trtdoctor.plan.packages import repository
from trtdoctor.plan.question import Question
from trtdoctor.plan.search import Found, builds_by, is_stated, ways
from trtdoctor.plan.settle import judge, judged_machine
from trtdoctor.plan.words import by
from trtdoctor.record import record

_MOST_FACTS = 24
_MOST_REASONS = 5
_ONE_OF = ("tensorrt", "tensorrt-rtx")
"""Products of which one plan has one."""
_MODULES = "JetPack is for Jetson modules"
_ELSEWHERE = ("ubuntu", "22.04", "x86_64")
"""A system for which NVIDIA has packages."""


@record
class _Forbidden:
    """A candidate with all that forbids it."""

    build: Build | None
    """None for what is there."""
    refusals: tuple[Refusal, ...]
    sure: bool
    """Whether the matrix is sure that it would do without them."""

    @property
    def facts(self) -> dict[str, Refusal]:
        """Each fact with what is told of it."""
        return {refusal.fact: refusal for refusal in reversed(self.refusals)}

    @property
    def groups(self) -> list[frozenset[str]]:
        """Facts that forbid it together."""
        return [frozenset((refusal.fact, *refusal.beside)) for refusal in self.refusals]


def explain(question: Question, found: Found) -> Impossible:
    """The reasons, the one that forbids most first."""
    if {demand.subject for demand in question.demands} >= set(_ONE_OF):
        return Impossible((f"{' and '.join(_ONE_OF)} are both required: a plan puts one in place, ask for each alone",))
    forbidden = list(_forbidden(question, found)) if set(question.platforms) & set(PLATFORMS) else []
    chosen = _smallest([item.groups for item in forbidden])
    places = frozenset((*question.platforms, "Jetson"))
    reasons = [_reason(fact, chosen, forbidden, places) for fact in chosen]
    if not reasons:
        product = SPOKEN.get(question.product, "TensorRT")
        reasons = [f"the matrix knows no {product} that can be installed on {_machine(question)}"]
    if found.untried:
        reasons.append(
            f"{found.untried} more were not tried to the end: what is there could be mended in too many ways"
        )
    return Impossible(tuple(reasons))


def _machine(question: Question) -> str:
    known = [name for name in question.platforms if name in PLATFORMS]
    return " or ".join("a Jetson" if name == "jetson" else name for name in known) or question.spoken_platform


def _forbidden(question: Question, found: Found) -> Iterator[_Forbidden]:
    """Every candidate but those that nobody could want; those by other ways than what was asked for included."""
    for weighed in found.refused:
        yield from _one(weighed.build, weighed.refusals, weighed)
    for build, refusal in found.dead_ends:
        yield from _one(build, (refusal,))
    if found.unmet and is_stated(question):  # what nobody speaks of is nothing to keep
        yield from _one(None, (*found.unmet, *_stays_wrong(question)))
    yield from _without_repository(question)
    yield from _for_modules(question)
    if question.install:
        fact = f"only {' or '.join(question.install)}, which is asked for"
        for way in ways(question):
            for build in builds_by(question, way) if way not in question.install else ():
                weighed = weigh(question, build)
                yield from _one(build, (Refusal(fact, f"{build.label} comes by {way}"), *weighed.refusals), weighed)


def _stays_wrong(question: Question) -> Iterator[Refusal]:
    """What would be wrong with what is there if it had not to be another one."""
    demands = tuple(demand for demand in question.demands if demand.subject not in PRODUCTS)
    free = question.asking(demands)
    _, refusal, _ = judge(free, None, judged_machine(free).tolerated)
    if refusal is not None:
        yield refusal


def _without_repository(question: Question) -> Iterator[_Forbidden]:
    """What apt would install elsewhere: NVIDIA has a repository for some systems only."""
    if (question.install and "apt" not in question.install) or repository(question) is not None:
        return
    named = question.platforms[0] if len(question.platforms) == 1 else "the system, which nobody named"
    for build in builds(question.matrix, question.product, "apt", question.platforms, system=_ELSEWHERE):
        missing = Refusal(named, f"NVIDIA has no apt repository for {question.environment.get('os') or 'it'}")
        yield from _one(build, (missing, *weigh(question, build).refusals))


def _for_modules(question: Question) -> Iterator[_Forbidden]:
    """JetPacks, on what is no Jetson."""
    if question.stack.jetson is not False or (question.install and "jetpack" not in question.install):
        return
    said = [capability_fact(number) for number in question.capabilities] or list(question.platforms)
    for build in builds_by(question, "jetpack") if said else ():
        other = Refusal(said[0], _MODULES)
        yield from _one(build, (other, *weigh(question, build).refusals))


def _one(build: Build | None, refusals: Iterable[Refusal], weighed: Weighed | None = None) -> Iterator[_Forbidden]:
    every = tuple(refusals)
    if not any(refusal.fact.endswith(ITSELF) for refusal in every):
        yield _Forbidden(build, every, weighed is not None and not weighed.unsure)


def _smallest(forbidden: Sequence[list[frozenset[str]]]) -> tuple[str, ...]:
    """The smallest set that holds a whole group of every candidate; of several the one whose facts forbid most."""
    counts = Counter(fact for groups in forbidden for group in groups for fact in group)
    every = sorted(counts, key=lambda fact: (-counts[fact], fact))[:_MOST_FACTS]
    bits = {fact: 1 << place for place, fact in enumerate(every)}
    whole = [[group for group in groups if group <= bits.keys()] for groups in forbidden]
    masks = {frozenset(sum(bits[fact] for fact in group) for group in groups) for groups in whole}
    for number in range(1, min(len(every), _MOST_REASONS) + 1):
        for chosen in combinations(every, number):
            own = sum(bits[fact] for fact in chosen)
            if all(any(mask & own == mask for mask in groups) for groups in masks):
                return chosen
    return tuple(every[:_MOST_REASONS])


def _reason(fact: str, chosen: Sequence[str], forbidden: Sequence[_Forbidden], places: frozenset[str]) -> str:
    """The fact, an example of what it forbids, the newest that it allows, and what nothing else stands against."""
    text = f"{fact}: {_example(fact, [item for item in chosen if item != fact], forbidden)}"
    here = [item for item in forbidden if fact in places or places.isdisjoint(item.facts)]
    allowed = _newest(item.build for item in here if fact not in item.facts)
    alone = _newest(item.build for item in forbidden if item.sure and all(fact in group for group in item.groups))
    text += f"; the newest that it allows is {allowed.label}" if allowed is not None else "; it allows none"
    return text + (f"; nothing else stands against {alone.label} {by(alone)}" if alone is not None else "")


def _example(fact: str, others: Sequence[str], forbidden: Sequence[_Forbidden]) -> str:
    """What the fact forbids that none of the other reasons does: what is said most often, of the newest release."""
    every = [item for item in forbidden if fact in item.facts]
    every = [item for item in every if item.facts[fact].text != _MODULES] or every
    if not every:
        return f"together with {' and '.join(others)}"
    own = [item for item in every if not any(other in item.facts for other in others)] or every
    texts = Counter(item.facts[fact].text for item in own)
    most = [item for item in own if texts[item.facts[fact].text] == max(texts.values())]
    newest = _newest(item.build for item in most)
    first = next((item for item in most if item.build is newest), most[0])
    more = len(own) - texts[first.facts[fact].text]
    return f"{first.facts[fact].text}{f' (and {more} more)' if more > 0 else ''}"


def _newest(found: Iterable[Build | None]) -> Build | None:
    builds = [build for build in found if build is not None]
    return max(builds, key=lambda build: build.version.parts, default=None)
