"""Why nothing fits: the fewest facts that together forbid every candidate, and how far each would let one go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from trtdoctor.plan.fit import Weighed
from trtdoctor.plan.model import Impossible, Refusal
from trtdoctor.plan.question import Question
from trtdoctor.plan.search import Found
from trtdoctor.versions import Version

_MOST_FACTS = 16
_MOST_REASONS = 4
_RELEASE = " itself"
"""How facts end that are about one release alone: they forbid no other, and are no reason that helps anybody."""


def explain(question: Question, found: Found) -> Impossible:
    """The reasons, the one that forbids most first."""
    forbidding = [{refusal.fact: refusal for refusal in weighed.refusals} for weighed in found.refused]
    forbidding += [{refusal.fact: refusal} for _, refusal in found.dead_ends]
    whole = [facts for facts in forbidding if not all(fact.endswith(_RELEASE) for fact in facts)]
    if not whole:
        product = "TensorRT for RTX" if question.product == "rtx" else "TensorRT"
        ways = f" by {' or '.join(question.install)}" if question.install else ""
        return Impossible((f"the matrix knows no {product} that can be installed{ways} on {_machine(question)}",))
    smallest = _smallest(whole)
    return Impossible(tuple(_reason(found, fact, smallest, whole) for fact in smallest))


def _machine(question: Question) -> str:
    return " or ".join(question.platforms) or "this system"


def _smallest(forbidding: Sequence[dict[str, Refusal]]) -> tuple[str, ...]:
    """The smallest set of facts of which every candidate has one; of several the one whose facts forbid most."""
    counts: dict[str, int] = {}
    for facts in forbidding:
        for fact in facts:
            counts[fact] = counts.get(fact, 0) + (0 if fact.endswith(_RELEASE) else 1)
    every = sorted(counts, key=lambda fact: (-counts[fact], fact))[:_MOST_FACTS]
    for number in range(1, min(len(every), _MOST_REASONS) + 1):
        for chosen in combinations(every, number):
            if all(any(fact in facts for fact in chosen) for facts in forbidding):
                return chosen
    return tuple(every[:_MOST_REASONS])


def _reason(found: Found, fact: str, chosen: Sequence[str], forbidding: Sequence[dict[str, Refusal]]) -> str:
    """The fact, an example of what it forbids, and what could be had without it."""
    others = [item for item in chosen if item != fact]
    example = _example(fact, others, forbidding)
    without = next(_freed(found, fact), None)
    tail = f"; without it {without.build.label} would do" if without is not None else ""
    return f"{fact}: {example}{tail}" if example != fact else f"{fact}{tail}"


def _example(fact: str, others: Sequence[str], forbidding: Sequence[dict[str, Refusal]]) -> str:
    """What the fact forbids that none of the other reasons does."""
    own = [facts[fact] for facts in forbidding if fact in facts and not any(other in facts for other in others)]
    first = own[0] if own else next(facts[fact] for facts in forbidding if fact in facts)
    more = len(own) - 1
    return f"{first.text}{f' (and {more} more)' if more > 0 else ''}"


def _freed(found: Found, fact: str) -> Iterator[Weighed]:
    """Builds that nothing but this fact forbids, the newest first."""
    alone = [item for item in found.refused if {refusal.fact for refusal in item.refusals} == {fact}]
    yield from sorted(alone, key=lambda item: tuple(-part for part in Version.parse(item.build.release).parts))
