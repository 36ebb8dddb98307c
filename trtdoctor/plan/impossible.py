"""Why nothing fits: the fewest facts that together forbid every candidate, and how far each would let one go.

Each candidate is forbidden by one fact or several. The smallest set with one of each is the reason: with these facts
alone nothing fits, and without any one of them something would.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from trtdoctor.plan.builds import Build
from trtdoctor.plan.fit import ITSELF, weigh
from trtdoctor.plan.model import Impossible, Refusal
from trtdoctor.plan.question import Question
from trtdoctor.plan.search import Found, builds_by, ways
from trtdoctor.plan.words import by
from trtdoctor.record import record

_MOST_FACTS = 24
_MOST_REASONS = 5


@record
class _Forbidden:
    """A candidate with all that forbids it."""

    build: Build | None
    """None for what is there."""
    facts: dict[str, Refusal]


def explain(question: Question, found: Found) -> Impossible:
    """The reasons, the one that forbids most first."""
    forbidden = list(_forbidden(question, found))
    chosen = _smallest([item.facts for item in forbidden])
    places = frozenset((*question.platforms, "Jetson"))
    reasons = [_reason(fact, chosen, forbidden, places) for fact in chosen]
    if not reasons:
        product = "TensorRT for RTX" if question.product == "rtx" else "TensorRT"
        reasons = [f"the matrix knows no {product} that can be installed on {_machine(question)}"]
    if found.untried:
        reasons.append(
            f"{found.untried} more were not tried to the end: what is there could be mended in too many ways"
        )
    return Impossible(tuple(reasons))


def _machine(question: Question) -> str:
    return " or ".join(question.platforms) or "this system"


def _forbidden(question: Question, found: Found) -> Iterator[_Forbidden]:
    """Every candidate but those that nobody could want; those by other ways than what was asked for included."""
    for weighed in found.refused:
        yield from _one(weighed.build, weighed.refusals)
    for build, refusal in found.dead_ends:
        yield from _one(build, (refusal,))
    if found.unmet is not None:
        yield from _one(None, (found.unmet,))
    if question.install:
        fact = f"only {' or '.join(question.install)}, which is asked for"
        for way in ways(question):
            for build in builds_by(question, way) if way not in question.install else ():
                other = Refusal(fact, f"{build.label} comes by {way}")
                yield from _one(build, (other, *weigh(question, build).refusals))


def _one(build: Build | None, refusals: Iterable[Refusal]) -> Iterator[_Forbidden]:
    facts = {refusal.fact: refusal for refusal in refusals}
    if not any(fact.endswith(ITSELF) for fact in facts):
        yield _Forbidden(build, facts)


def _smallest(forbidding: Sequence[dict[str, Refusal]]) -> tuple[str, ...]:
    """The smallest set of facts of which every candidate has one; of several the one whose facts forbid most."""
    counts: dict[str, int] = {}
    for facts in forbidding:
        for fact in facts:
            counts[fact] = counts.get(fact, 0) + 1
    every = sorted(counts, key=lambda fact: (-counts[fact], fact))[:_MOST_FACTS]
    bits = {fact: 1 << place for place, fact in enumerate(every)}
    masks = {sum(bits.get(fact, 0) for fact in facts) for facts in forbidding}
    for number in range(1, min(len(every), _MOST_REASONS) + 1):
        for chosen in combinations(every, number):
            own = sum(bits[fact] for fact in chosen)
            if all(own & mask for mask in masks):
                return chosen
    return tuple(every[:_MOST_REASONS])


def _reason(fact: str, chosen: Sequence[str], forbidden: Sequence[_Forbidden], places: frozenset[str]) -> str:
    """The fact, an example of what it forbids, the newest that it allows, and what nothing else stands against."""
    text = f"{fact}: {_example(fact, [item for item in chosen if item != fact], forbidden)}"
    here = [item for item in forbidden if fact in places or places.isdisjoint(item.facts)]
    allowed = _newest(item.build for item in here if fact not in item.facts)
    alone = _newest(item.build for item in forbidden if set(item.facts) == {fact})
    text += f"; the newest that it allows is {allowed.label}" if allowed is not None else "; it allows none"
    return text + (f"; nothing else stands against {alone.label} {by(alone)}" if alone is not None else "")


def _example(fact: str, others: Sequence[str], forbidden: Sequence[_Forbidden]) -> str:
    """What the fact forbids that none of the other reasons does: what is said most often, of the newest release."""
    every = [item for item in forbidden if fact in item.facts]
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
