"""Which further distributions the planned ones need: resolvelib decides, as it does in pip, with what the indexes have.

The planned ones are given; everything else is the newest that goes with the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from resolvelib import AbstractProvider, BaseReporter, Resolver
from resolvelib.resolvers import ResolutionImpossible, ResolutionTooDeep

from trtdoctor.fetch.insides import Inside
from trtdoctor.fetch.shelves import Offer, Shelves
from trtdoctor.record import record
from trtdoctor.text import clean

Look = Callable[[Offer], Inside]
Name = tuple[str, frozenset[str]]
"""A distribution, and the extras that are asked of it."""
_ROUNDS = 2000


class ResolveError(ValueError):
    """Nothing goes with everything; the message is one line."""


@record
class Choice:
    """A distribution at one version, with the extras that are asked of it."""

    offer: Offer
    extras: frozenset[str] = frozenset()


def resolve(
    roots: Sequence[Requirement], shelves: Shelves, look: Look, markers: Mapping[str, str]
) -> tuple[Offer, ...]:
    """What is needed for ``roots``, each distribution once.

    Raises :class:`ResolveError`, and what ``look`` raises.
    """
    wanted = [root for root in roots if _applies(root, markers, frozenset())]
    resolver = Resolver(_Provider(shelves, look, markers), BaseReporter[Requirement, Choice, Name]())
    try:
        found = resolver.resolve(wanted, max_rounds=_ROUNDS)
    except ResolutionImpossible as error:
        raise ResolveError(_conflict(list(error.causes), shelves)) from None
    except ResolutionTooDeep:
        raise ResolveError(f"no way was found in {_ROUNDS} steps") from None
    by_name = {choice.offer.project: choice.offer for choice in found.mapping.values()}
    return tuple(by_name[name] for name in sorted(by_name))


def _applies(requirement: Requirement, markers: Mapping[str, str], extras: frozenset[str]) -> bool:
    if requirement.marker is None:
        return True
    return any(requirement.marker.evaluate({**markers, "extra": extra}) for extra in (extras or {""}))


def _conflict(causes: Sequence[Any], shelves: Shelves) -> str:
    """What cannot be had together, who wants it, and what an index could not tell."""
    said = []
    for cause in causes:
        parent = f"{cause.parent.offer.project} {cause.parent.offer.version}" if cause.parent is not None else "it"
        why = shelves.failed.get(cause.requirement.name)
        said.append(f"{parent} needs {clean(str(cause.requirement), 100)}{f' ({why})' if why else ''}")
    return f"nothing that the index has goes with everything: {' and '.join(dict.fromkeys(said[:4]))}"


class _Provider(AbstractProvider[Requirement, Choice, Name]):
    """What resolvelib asks."""

    def __init__(self, shelves: Shelves, look: Look, markers: Mapping[str, str]) -> None:
        self._shelves = shelves
        self._look = look
        self._markers = markers

    def identify(self, requirement_or_candidate: Requirement | Choice) -> Name:
        if isinstance(requirement_or_candidate, Choice):
            return requirement_or_candidate.offer.project, requirement_or_candidate.extras
        name = canonicalize_name(requirement_or_candidate.name)
        return name, frozenset(map(canonicalize_name, requirement_or_candidate.extras))

    def get_preference(
        self, identifier: Name, resolutions: Any, candidates: Any, information: Any, backtrack_causes: Any
    ) -> tuple[bool, bool, str]:
        """First what is given exactly, then what made the search go back."""
        exact = any("==" in str(item.requirement.specifier) for item in information[identifier])
        causes = {canonicalize_name(item.requirement.name) for item in backtrack_causes}
        return (not exact, identifier[0] not in causes, identifier[0])

    def find_matches(
        self,
        identifier: Name,
        requirements: Mapping[Name, Iterator[Requirement]],
        incompatibilities: Mapping[Name, Iterator[Choice]],
    ) -> list[Choice]:
        name, extras = identifier
        refused = {choice.offer.version for choice in incompatibilities[identifier]}
        offers = _offers(self._shelves, name, list(requirements[identifier]))
        return [Choice(offer, extras) for offer in offers if offer.version not in refused]

    def is_satisfied_by(self, requirement: Requirement, candidate: Choice) -> bool:
        return requirement.specifier.contains(candidate.offer.version, prereleases=True)

    def get_dependencies(self, candidate: Choice) -> Iterator[Requirement]:
        offer = candidate.offer
        if candidate.extras:
            yield Requirement(f"{offer.project}=={offer.version}")
        for requirement in self._look(offer).requires:
            if _applies(requirement, self._markers, candidate.extras):
                yield requirement


def _offers(shelves: Shelves, name: str, wanted: Sequence[Requirement]) -> Iterator[Offer]:
    """Versions that every requirement takes: withdrawn ones and previews only where one is named."""
    for requirement in wanted:
        if requirement.url:
            raise ResolveError(f"{name} is wanted from an address of its own, which is not fetched")
    exact = any("==" in str(requirement.specifier) for requirement in wanted)
    named = any(requirement.specifier.prereleases for requirement in wanted)
    found = [
        offer
        for offer in shelves.offers(name)
        if all(requirement.specifier.contains(offer.version, prereleases=True) for requirement in wanted)
        and (exact or not offer.file.yanked)
    ]
    finished = [offer for offer in found if not offer.version.is_prerelease]
    yield from found if named or exact or not finished else finished
