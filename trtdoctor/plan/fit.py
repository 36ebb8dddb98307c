"""Whether a build fits, asked of the matrix alone: what forbids it, what must change for it, what nobody knows.

Quick, so that hundreds of builds can be weighed; the rules have the last word on the few that are chosen.
"""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.matrix import apt
from trtdoctor.plan import held
from trtdoctor.plan.age import too_young
from trtdoctor.plan.builds import RUNTIMES, SUBJECTS, Build
from trtdoctor.plan.driver import Need, needed
from trtdoctor.plan.environment import entries
from trtdoctor.plan.keeping import fact
from trtdoctor.plan.machine import by_gpu, by_platform, by_precision
from trtdoctor.plan.model import (
    FARTHER,
    KINDS,
    LEAVING,
    OLDER,
    OTHER_CUDA,
    OTHER_MAJOR,
    OTHER_RELEASE,
    OTHER_WAY,
    POLICY,
    UNSURE,
    Refusal,
)
from trtdoctor.plan.pins import pins_of
from trtdoctor.plan.question import Question
from trtdoctor.policy import outside_lts
from trtdoctor.record import record
from trtdoctor.rules.issues import concerns, issues_of
from trtdoctor.rules.wheels import listed, tags_for
from trtdoctor.stack import Installation
from trtdoctor.versions import Answer, Version

ITSELF = " itself"
"""How facts end that are about one release alone: they forbid no other, and are no reason that helps anybody."""
_SPOKEN = {
    "pip": "pip",
    "apt": "apt",
    "container": "the image that it came with",
    "jetpack": "JetPack",
    "archive": "an archive",
}


@record
class Weighed:
    """A build with what it takes."""

    build: Build
    refusals: tuple[Refusal, ...]
    driver: Need | None
    """The driver that it needs and that is not there; None where there is nothing to do."""
    python: str | None
    """The Python that it needs instead of the one that is there, ``3.12``."""
    unsure: tuple[str, ...]
    """What the matrix cannot confirm."""
    penalty: int
    """What it takes beside its changes."""
    kind: str
    """Of the change that it is: one of ``KINDS``."""
    besides: tuple[str, ...] = ()
    """The same in words, but for what is not confirmed: another way, another major, an older release."""

    @property
    def cost(self) -> int:
        """The least that it takes, before the rules were asked."""
        more = (KINDS["driver"] if self.driver is not None else 0) + (KINDS["python"] if self.python is not None else 0)
        return KINDS[self.kind] + more + self.penalty


def kind_of(question: Question, build: Build) -> str:
    """What kind of change a build is: its way; of the JetPack that is there only packages are missing."""
    return "apt" if is_own(question, build) else build.way


def is_own(question: Question, build: Build) -> bool:
    """Whether a build belongs to the JetPack that is there."""
    own = question.own_jetpack if build.way == "jetpack" else None
    return own is not None and build.place is not None and own.key == build.place.key


def weigh(question: Question, build: Build) -> Weighed:
    """What a build takes here."""
    refusals: list[Refusal] = []
    unsure: list[str] = []
    refusals += _demanded(question, build)
    refusals += _by_policy(question, build)
    refusals += by_gpu(question, build, unsure)
    refusals += by_precision(question)
    refusals += by_platform(question, build)
    unsure += _unseen(question, build)
    refusals += _known_bad(question, build)
    refusals += held.lacking(question, build)
    python = _python(question, build, refusals)
    driver = needed(question, build, refusals)
    besides = list(_besides(question, build))
    penalty = sum(points for points, _ in besides) + (UNSURE if unsure else 0)
    words = tuple(text for _, text in besides)
    return Weighed(build, tuple(refusals), driver, python, tuple(unsure), penalty, kind_of(question, build), words)


def penalty_of(question: Question, build: Build) -> int:
    """What a build takes beside its changes, as far as versions alone tell: quick, and never more than in the end."""
    return sum(points for points, _ in _besides(question, build))


def _besides(question: Question, build: Build) -> Iterator[tuple[int, str]]:
    """What makes a build a greater step than its changes alone, each with its points."""
    if question.way is not None and question.way != build.way:
        leaving = question.way in ("container", "jetpack")
        yield (LEAVING if leaving else OTHER_WAY), f"another way than {_SPOKEN[question.way]}"
    present = question.present
    if present is None:
        return
    distance = abs(present.major - build.version.major)
    if distance:
        yield OTHER_MAJOR + FARTHER * (distance - 1), f"another major than {present}"
    if not present.may_be(Version.parse(build.release)):
        yield OTHER_RELEASE, "another release"
    flavours = {item.flavour for item in question.installed if item.flavour}
    flavours = flavours or {f"cu{item.version.major}" for item in question.stack.of("cuda") if item.version}
    if build.flavour and flavours and build.flavour not in flavours:
        yield OTHER_CUDA, f"for another CUDA than {' and '.join(sorted(item[2:] for item in flavours))}"
    if build.version.below(present) is Answer.YES:
        yield OLDER, "older than what is there"


# -- wishes and policy -------------------------------------------------------------------------------------------------


def _demanded(question: Question, build: Build) -> Iterator[Refusal]:
    subject = SUBJECTS[build.product]
    text = question.unmet(subject, build.version)
    if text is not None:
        yield Refusal(f"{text}, which is required", f"{build.label} is none of them")
    yield from _by_other_python(question, build)
    other = question.unmet("cuda", Version.parse(build.flavour[2:])) if build.flavour else None
    if other is not None:
        yield Refusal(f"{other}, which is required", f"{build.label} is none for it")
    if build.way == "pip" and _only_again(question, build):
        yield Refusal(f"{build.label}{ITSELF}", "it is what is there")
    if build.way == "pip" and question.context.wants("cpp"):
        yield Refusal("C++, which is wanted", "wheels bring neither headers nor libraries to link with")
    if build.product in RUNTIMES and question.context.wants("build"):
        yield Refusal("building engines, which is wanted", f"{build.label} runs engines and cannot build them")
    yield from _kept(question, build)


def _kept(question: Question, build: Build) -> Iterator[Refusal]:
    """What is to stay, and would not."""
    if "tensorrt" in question.keep and question.present is not None and not _same(question, question.present, build):
        yield Refusal(fact(question, "tensorrt"), f"{build.label} is another one")
    if "container" in question.keep and build.way == "container":
        yield Refusal(fact(question, "container"), f"{build.name} is another one")
    if "os" in question.keep and kind_of(question, build) == "jetpack":
        yield Refusal(fact(question, "os"), f"JetPack {build.name} is another one")
    if build.way in ("container", "jetpack"):
        yield from _brought_along(question, build)
    elif build.flavour and "cuda" in question.keep:
        present = {item.version.major for item in question.stack.of("cuda") if item.version}
        if present and int(build.flavour[2:]) not in present:
            yield Refusal(fact(question, "cuda"), f"{build.label} needs CUDA {build.flavour[2:]}")


def _by_other_python(question: Question, build: Build) -> Iterator[Refusal]:
    """A Python that is required, and is not the one that this way has."""
    own = question.python
    if build.way in ("container", "jetpack"):
        own = Version.maybe(build.place.text("python")) if build.place is not None else None
    text = question.unmet("python", own) if own is not None and build.way != "pip" else None
    if text is not None and own is not None:
        beside = (python_fact(own),) if own is question.python else ()
        yield Refusal(f"{text}, which is required", f"{build.label} is used from Python {own} there", beside)


def _brought_along(question: Question, build: Build) -> Iterator[Refusal]:
    """What an image or a JetPack has of its own, and what is to stay instead."""
    named = question.environment.get("packages", {})
    for word in sorted(question.keep):
        if word == "python" and question.python is not None:
            own = Version.maybe(build.place.text("python")) if build.place is not None else None
            if own is None or not own.may_be(question.python):
                yield Refusal(fact(question, word), f"{build.name} has {f'Python {own}' if own else 'its own Python'}")
        elif (word in ("cuda", "cudnn") and entries(question.environment, word)) or word in named:
            yield Refusal(fact(question, word), f"{build.name} has its own")


def python_fact(version: Version) -> str:
    """A Python that is there, as a reason."""
    return f"Python {version.short(2)}"


def _same(question: Question, present: Version, build: Build) -> bool:
    """Whether a build may be the release that is there, by the same way."""
    return present.may_be(Version.parse(build.release)) and question.way in (None, build.way)


def _only_again(question: Question, build: Build) -> bool:
    """Whether wheels would only be installed once more, where they are: not into a Python that is required instead."""
    stays = question.python is None or question.unmet("python", question.python) is None
    return stays and any(_is_there(item, build) for item in question.installed) and not mixed(question, build)


def mixed(question: Question, build: Build) -> list[tuple[str, str, str]]:
    """The distributions of a build that are there in another version: name, that version, the build's."""
    named = question.environment.get("packages", {})
    wanted = pins_of(question.matrix, build, question.system) if named else ()
    every = ((name, named.get(name, version), version) for name, version in wanted if "tensorrt" in name)
    return [(name, have, version) for name, have, version in every if have not in (version, "unknown")]


def _is_there(item: Installation, build: Build) -> bool:
    """Whether a wheel would only be installed again."""
    if item.origin != "pip" or item.version is None or (item.product or "full") != build.product:
        return False
    same = item.version.same_as(build.version) is Answer.YES and item.version.suffix == build.version.suffix
    return same and item.flavour == build.flavour


def _by_policy(question: Question, build: Build) -> Iterator[Refusal]:
    policy = question.policy
    subject = SUBJECTS[build.product]
    said = policy.refuses(subject, build.version)
    if said is None and build.way == "container":
        said = policy.refuses_image(build.name.rpartition(":")[2])
    if said is None and policy.channel == "lts":
        said = outside_lts(question.matrix, build.version, build.flavour, question.as_of, build.product)
    if said is None and policy.age is not None:
        said = too_young(question, build, policy.age)
    if said is not None:
        yield Refusal(POLICY, f"{build.label}: {said}")


# -- the machine -------------------------------------------------------------------------------------------------------


def _unseen(question: Question, build: Build) -> Iterator[str]:
    """That nobody saw a version in the repository of this system."""
    if build.way == "apt" and build.place is not None:
        judged = apt.offers(question.matrix, build.place, Version.parse(build.release), build.flavour)
        if judged.answer is Answer.UNKNOWN:
            yield judged.reason


def _python(question: Question, build: Build, refusals: list[Refusal]) -> str | None:
    """The Python that a build needs in place of the one that is there: the nearest, newer ones first."""
    have = question.python
    unmet = question.unmet("python", have) if have is not None else None
    if build.way != "pip" or question.python_tag is None or have is None:
        return None
    table = build.row.get("builds", build.flavour, "wheels").value
    places = question.platforms if len(question.platforms) == 1 else ()
    tags = [tag for place in places for tag in tags_for(table, place)] or list(table)
    offered = _pythons(table, tags)
    if unmet is None and (not offered or question.python_tag in offered):
        return None
    here = question.platforms if question.python_tag in _pythons(table, list(table)) else ()
    if "python" in question.keep:
        text = f"there is no wheel of {build.label} for it" if unmet is None else f"{unmet} is required"
        beside = here if unmet is None else (f"{unmet}, which is required",)
        refusals.append(Refusal(fact(question, "python"), text, beside))
        return None
    fitting = _fitting(question, offered)
    if not fitting:
        wanted = next((demand.text for demand in question.demands if demand.subject == "python"), None)
        said = f"{wanted}, which is required" if wanted and offered else python_fact(have)
        if wanted and offered:
            here = question.platforms if _fitting(question, _pythons(table, list(table))) else ()
        refusals.append(Refusal(said, f"there is no wheel of {build.label} for any such Python", here))
        return None
    nearest = min(fitting, key=lambda minor: (abs(minor - (have.minor or 0)), -minor))
    return f"3.{nearest}"


def _pythons(table: dict[str, object], tags: list[str]) -> set[str]:
    """The Pythons for which there are wheels under some tags: ``cp312``."""
    return {python for tag in tags for python in listed(table[tag])}


def _fitting(question: Question, offered: set[str]) -> list[int]:
    """The minors of Python 3 among them that meet what is required of it."""
    minors = (int(item[3:]) for item in offered if item[2:3] == "3" and item[3:].isdecimal())
    return [minor for minor in minors if question.unmet("python", Version.parse(f"3.{minor}")) is None]


# -- known issues ------------------------------------------------------------------------------------------------------


def _known_bad(question: Question, build: Build) -> Iterator[Refusal]:
    if build.way in ("container", "jetpack") or build.product != "full":
        return
    if any("==" in specifier for specifier in question.specifiers("tensorrt")):
        return  # whoever names a release gets it, with what is known of it as a warning
    for issue in issues_of(question.context, build.version):
        if issue.severity == "info" or issue.judged:
            continue
        answer = concerns(
            question.context,
            issue,
            by_pip=build.way == "pip",
            platforms=question.platforms,
            flavours=frozenset({build.flavour}),
        )
        if answer is Answer.YES:
            yield Refusal(f"{build.label}{ITSELF}", f"it is known to be bad here: {issue.row.text('what')}")
