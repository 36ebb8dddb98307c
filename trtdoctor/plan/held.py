"""``--from mirror``: what the mirrors that were looked at cannot give, no plan may take."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from trtdoctor.matrix.judgement import Judgement
from trtdoctor.plan.builds import Build
from trtdoctor.plan.environment import Environment
from trtdoctor.plan.model import Refusal
from trtdoctor.plan.packages import packages_of
from trtdoctor.plan.pins import pins_of
from trtdoctor.versions import Answer

if TYPE_CHECKING:
    from trtdoctor.obtainable import Obtainable
    from trtdoctor.plan.question import Question

_KINDS = {"pip": "pip", "apt": "apt", "container": "image"}
"""Way to the kind of source that it comes from; no mirror has the others."""
_SPOKEN = {"pip": "a Python index", "apt": "an apt repository", "image": "container images"}
FACT = "what the mirrors have"


def lacking(question: Question, build: Build) -> Iterator[Refusal]:
    """What of a build was not seen to be there: what nobody could tell is not offered either."""
    held = question.held
    if held is None:
        return
    kind = _KINDS.get(build.way)
    if kind is None or not held.covers(kind):
        said = f"no mirror of {_SPOKEN[kind]} was looked at" if kind else "no mirror has JetPack or archives"
        yield Refusal(FACT, f"{build.label}: {said}")
        return
    for judged in _judged(question, held, build):
        if judged.answer is not Answer.YES:
            yield Refusal(FACT, f"{build.label}: {judged.reason}")
            return


def _judged(question: Question, held: Obtainable, build: Build) -> Iterator[Judgement]:
    if build.way == "container":
        places = _places(question, build.name)
        yield next((judged for _, judged in places), None) or held.image(build.name)
    elif build.way == "apt":
        yield from (held.apt(name, version) for name, version in packages_of(question, build))
    else:
        yield from (_distribution(question, *pin) for pin in pins_of(question.matrix, build, question.system))


def _distribution(question: Question, name: str, version: str) -> Judgement:
    held = question.held
    if held is None or not held.covers("pip"):
        return Judgement(Answer.UNKNOWN, f"{name} {version}: no mirror of a Python index was looked at")
    python = question.python.short(2) if question.python is not None else None
    platform = question.platforms[0] if len(question.platforms) == 1 else None
    return held.distribution(name, version, python=python, platform=platform, glibc=question.environment.get("glibc"))


def is_out_of_reach(question: Question, name: str, version: str) -> bool:
    """Whether a distribution surely cannot be had from the mirrors."""
    return question.held is not None and _distribution(question, name, version).answer is Answer.NO


def out_of_reach(question: Question, environment: Environment) -> Refusal | None:
    """The first distribution that an environment has anew and that surely cannot be had."""
    if question.held is None:
        return None
    before = question.environment.get("packages", {})
    for name, version in environment.get("packages", {}).items():
        if version not in (before.get(name), "unknown"):
            judged = _distribution(question, name, version)
            if judged.answer is Answer.NO:
                return Refusal(FACT, judged.reason)
    return None


# -- where it comes from -----------------------------------------------------------------------------------------------


def image_there(question: Question, reference: str) -> str:
    """What an image is called on the mirror that has it; as it was where none is looked at."""
    return next((name for name, judged in _places(question, reference) if judged.answer is Answer.YES), reference)


def _places(question: Question, reference: str) -> list[tuple[str, Judgement]]:
    """What an image is called on each mirror of its repository, and whether that has it; those that have it come first.

    The upstream may be a mirror itself: what counts is the end of its path, ``nvidia/tensorrt``.
    """
    held = question.held
    if held is None:
        return []
    name, _, tag = reference.rpartition(":")
    end = f"/{name.partition('/')[2]}"
    platform = question.platforms[0] if len(question.platforms) == 1 else None
    mirrors = [source for source in held.sources if source.kind == "oci" and source.upstream and source.mirror]
    names = [f"{_bare(one.mirror or '')}:{tag}" for one in mirrors if _bare(one.upstream or "").endswith(end)]
    found = [(there, held.image(there, platform=platform)) for there in names]
    return sorted(found, key=lambda place: place[1].answer is not Answer.YES)


def indexes(question: Question) -> tuple[str, str | None] | None:
    """The mirror's Python index, and its index of the wheels behind stubs; None where none is looked at."""
    for source in question.held.sources if question.held is not None else ():
        side = source.side("mirror")
        if source.kind == "pypi" and side is not None and side.address:
            wheels = source.side("wheels")
            return side.address, wheels.address if wheels is not None and wheels.state == "ok" else None
    return None


def _bare(address: str) -> str:
    return address.partition("://")[2].strip("/")
