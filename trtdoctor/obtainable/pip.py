"""Python distributions that one side has: files that fit, the wheel behind a stub, and what a build needs.

What is measured of stubs (``mirror/stubs.py``) and of builds (matrix/artefacts.yaml) decides; a distribution that the
matrix does not know is judged by its files alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trtdoctor.lazyre import pattern
from trtdoctor.matrix import Matrix, artefacts, distributions, wheels
from trtdoctor.matrix.distributions import normalise
from trtdoctor.matrix.judgement import Judgement
from trtdoctor.mirror_facts import MirrorItem, MirrorSource
from trtdoctor.obtainable.sides import MIRROR, UPSTREAM, answers, called, files_of, held
from trtdoctor.record import record
from trtdoctor.versions import Answer, Version, VersionError, within

_NEED = pattern(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*([<>=!~][^;]*)?(?:;.*)?")
_PRE = pattern(r"[._-]?(?:a|b|c|rc|alpha|beta|dev|pre|preview|ea)[._-]?\d*", flags=2)  # re.IGNORECASE
_USUAL_NEEDS = ("setuptools", "wheel")
_STUB_NEEDS = ("wheel-stub",)
_SURELY = (Answer.YES, Answer.UNKNOWN, Answer.NO)


@record
class Python:
    """What files must fit; None for what is not known."""

    python: str | None = None
    """``3.12``."""
    platform: str | None = None
    """As the matrix calls it: ``linux-x86_64``, ``jetson``."""
    glibc: str | None = None

    @property
    def spoken(self) -> str:
        """For a sentence: ``Python 3.12 on linux-x86_64 with glibc 2.31``."""
        words = [f"Python {self.python}" if self.python else "", f"on {self.platform}" if self.platform else ""]
        return " ".join(filter(None, (*words, f"with glibc {self.glibc}" if self.glibc else ""))) or "any Python"


ANY = Python()


class Index:
    """What one side has of Python distributions, over all sources of that kind."""

    def __init__(self, sources: Iterable[MirrorSource], matrix: Matrix, side: str) -> None:
        self.matrix = matrix
        self.side = side
        self.sources = tuple(source for source in sources if source.kind == "pypi")
        self.found: dict[str, dict[str, list[tuple[MirrorSource, MirrorItem]]]] = {}
        """Project to version to the items of it."""
        self._unsure: set[str] = set()
        self._memory: dict[tuple[object, ...], Judgement] = {}
        for source in self.sources:
            for item in source.items:
                if item.project is None:
                    continue
                if item.version is None:
                    self._unsure.add(item.project)
                else:
                    self.found.setdefault(item.project, {}).setdefault(item.version, []).append((source, item))

    # -- one distribution ----------------------------------------------------------------------------------------------

    def distribution(self, name: str, version: str, wanted: Python = ANY) -> Judgement:
        """Whether a file of a version that fits can be had, with the wheel behind a stub and what its build needs.

        Words: ``held``, ``missing``, ``no-file`` (none of its files fits), ``stub-only``, ``build-need``, ``differs``,
        ``not-asked``, ``no-answer``.
        """
        key = (normalise(name), version, wanted.python, wanted.platform, wanted.glibc)
        if key not in self._memory:
            self._memory[key] = self._distribution(key[0], version, wanted)
        return self._memory[key]

    def _distribution(self, name: str, version: str, wanted: Python) -> Judgement:
        items = self.items(name, version)
        if not items:
            return self._not_listed(name, version)
        judged = [self._one(source, item, wanted) for source, item in items]
        return min(judged, key=lambda judgement: _SURELY.index(judgement.answer))

    def items(self, name: str, version: str) -> list[tuple[MirrorSource, MirrorItem]]:
        """The items of a version; an installer takes ``10.9`` and ``10.9.0`` for one version, and so do we."""
        versions = self.found.get(name, {})
        exact = versions.get(version)
        if exact is not None:
            return exact
        known = Version.maybe(version)
        return [
            entry
            for text, entries in versions.items()
            if known is not None and _same(Version.maybe(text), known)
            for entry in entries
        ]

    def _not_listed(self, name: str, version: str) -> Judgement:
        what, where = f"{name} {version}", called(self.side)
        if not self.sources:
            return Judgement(Answer.UNKNOWN, "no Python index was looked at", (), "not-asked")
        if name in self._unsure or not any(answers(source, self.side) for source in self.sources):
            return Judgement(Answer.UNKNOWN, f"{where} could not be asked for {name}", (), "no-answer")
        listed = [known for known in map(Version.maybe, self.found.get(name, {})) if known is not None]
        known = Version.maybe(version)
        if not listed and name not in self._asked:
            return Judgement(Answer.UNKNOWN, f"{name} was not looked at", (), "not-asked")
        older = known is not None and listed and known.parts < min(item.parts for item in listed)
        if older or known is None or _PRE.match(known.suffix):
            return Judgement(Answer.UNKNOWN, f"{what} is none of the versions that were looked at", (), "not-asked")
        return Judgement(Answer.NO, f"{where} does not have {what}", (), "missing")

    @property
    def _asked(self) -> frozenset[str]:
        """Projects that were surely asked for, also where no side lists them."""
        return frozenset(name for source in self.sources for name in source.asked)

    def _one(self, source: MirrorSource, item: MirrorItem, wanted: Python) -> Judgement:
        what, where = item.name, called(self.side)
        there = held(item, self.side, source)
        if there is Answer.NO:
            why = f": {item.detail}" if item.state == "listed-not-held" and item.detail else ""
            return Judgement(Answer.NO, f"{where} does not have {what}{why}", (), "missing")
        if there is Answer.UNKNOWN:
            return Judgement(Answer.UNKNOWN, f"{where} could not be asked for {what}", (), "no-answer")
        if item.state == "differs" and self.side == MIRROR:
            return Judgement(Answer.UNKNOWN, f"what it has of {what} is not upstream's", (), "differs")
        names = [file.name for file in files_of(item, self.side)]
        built = [name for name in names if name.endswith(".whl")]
        if not names or self._fits(built, wanted):
            return Judgement(Answer.YES, f"{where} has {what}", (), "held")
        if len(built) == len(names):
            return Judgement(Answer.NO, f"no file of {what} there is for {wanted.spoken}", (), "no-file")
        stub = self.is_stub(item)
        behind = self._behind(source, item, wanted) if stub else None
        if behind is not None and behind.answer is not Answer.YES:
            return behind
        needs = self._needs(item, stub=stub)
        lacking = [judged for judged in needs if judged.answer is Answer.NO]
        if lacking:
            return Judgement(Answer.NO, f"{what} cannot be built: {lacking[0].reason}", (), "build-need")
        unsure = [judged for judged in needs if judged.answer is Answer.UNKNOWN and judged.word != "not-asked"]
        if unsure:
            return Judgement(Answer.UNKNOWN, f"whether {what} can be built: {unsure[0].reason}", (), "no-answer")
        return behind or Judgement(Answer.YES, f"{where} has {what}", (), "held")

    def _fits(self, names: list[str], wanted: Python) -> bool:
        if wanted == ANY:
            return bool(names)
        return artefacts.taken(names, python=wanted.python, platform=wanted.platform, glibc=wanted.glibc)

    def is_stub(self, item: MirrorItem) -> bool:
        """Whether the build of a version fetches the real wheel from somewhere else."""
        if item.state == "stub-only" or any(file.on in ("wheels", "upstream-wheels") for file in item.files):
            return True
        name, version = item.project or "", item.version or ""
        known = artefacts.is_stub(self.matrix, name, version)
        if known is not None:
            return known
        spec = distributions.identify(self.matrix, name)
        return spec is not None and spec.part == "libs" and spec.real == "stub"

    def _behind(self, source: MirrorSource, item: MirrorItem, wanted: Python) -> Judgement:
        """The wheel that the build of a stub fetches."""
        places = ("wheels", "upstream-wheels") if self.side == UPSTREAM else ("wheels",)
        names = [file.name for file in item.files if file.on in places]
        if self._fits(names, wanted):
            return Judgement(Answer.YES, f"the index behind stubs has the wheel of {item.name}", (), "held")
        if names:
            reason = f"the index behind stubs has no wheel of {item.name} for {wanted.spoken}"
            return Judgement(Answer.NO, reason, (), "stub-only")
        if self.side == UPSTREAM:
            # Who published the stub published its wheel; that index was not asked, or has dropped it since.
            return Judgement(Answer.YES, f"{item.name} is published; its wheel was not seen", (), "held")
        if item.state == "stub-only":
            return Judgement(Answer.NO, f"{item.name}: {item.detail or 'nothing here has its wheel'}", (), "stub-only")
        place = source.side("wheels")
        if place is not None and place.state in ("ok", "absent", "denied", "other-kind"):
            return Judgement(Answer.NO, f"the index behind stubs has no wheel of {item.name}", (), "stub-only")
        return Judgement(Answer.UNKNOWN, f"where the wheel of {item.name} is from was not asked", (), "no-answer")

    # -- what builds need ----------------------------------------------------------------------------------------------

    def _needs(self, item: MirrorItem, *, stub: bool) -> list[Judgement]:
        return [self.any_of(*need)[0] for need in self.needs_of(item, stub=stub)]

    def needs_of(self, item: MirrorItem, *, stub: bool) -> list[tuple[str, str]]:
        """What a build takes: name and specifier of each; by the matrix, else what such builds take as a rule."""
        known = artefacts.build_requires(self.matrix, item.project or "", item.version or "")
        texts = known if known is not None else _STUB_NEEDS if stub else _USUAL_NEEDS
        return list(filter(None, map(requirement, texts)))

    def any_of(self, name: str, specifier: str) -> tuple[Judgement, str | None]:
        """Whether any version under a specifier can be had, and the newest such that either side has."""
        versions = self.found.get(name, {})
        fitting = [text for text in versions if _under(text, specifier)]
        there = [held(item, self.side, source) for text in fitting for source, item in versions[text]]
        newest = max(fitting, key=lambda text: Version.parse(text).parts, default=None)
        what = f"{name}{specifier}"
        if Answer.YES in there:
            return Judgement(Answer.YES, f"{called(self.side)} has {what}", (), "held"), newest
        if Answer.UNKNOWN in there or name in self._unsure:
            return Judgement(Answer.UNKNOWN, f"it could not be asked for {what}", (), "no-answer"), newest
        if not versions and (name not in self._asked or not any(answers(one, self.side) for one in self.sources)):
            return Judgement(Answer.UNKNOWN, f"{name} was not looked at", (), "not-asked"), None
        return Judgement(Answer.NO, f"{called(self.side)} does not have {what}", (), "missing"), newest


def requirement(text: str) -> tuple[str, str] | None:
    """Name and specifier of a requirement; None where it is for an extra, or is none."""
    match = _NEED.fullmatch(text)
    if match is None or "extra" in text.partition(";")[2]:
        return None
    return normalise(match[1]), (match[2] or "").replace(" ", "")


def _under(text: str, specifier: str) -> bool:
    version = Version.maybe(text)
    if version is None:
        return False
    try:
        return not specifier or within(version, specifier) is not Answer.NO
    except VersionError:
        return False


def _same(one: Version | None, other: Version) -> bool:
    if one is None or one.suffix != other.suffix:
        return False
    length = max(len(one.parts), len(other.parts))
    return (*one.parts, *[0] * length)[:length] == (*other.parts, *[0] * length)[:length]


# -- what belongs to a TensorRT ----------------------------------------------------------------------------------------


def parts_of(matrix: Matrix, top: str, version: Version) -> list[tuple[str, str]]:
    """A TensorRT distribution and all that it requires, each with the versions that will do.

    As the matrix records it for Linux; of a version that it does not know, as for the newest one that it knows.
    """
    own = list(dict.fromkeys(_resolved(matrix, top, version)))
    names = {name for name, _ in own}
    found = {name: f"=={text}" for name, text in own}
    for name, text in own:
        for needed in artefacts.requires(matrix, name, text) or ():
            entry = requirement(needed)
            if entry is not None and entry[0] not in names and distributions.identify(matrix, entry[0]) is not None:
                found.setdefault(*entry)
    return list(found.items())


def _resolved(matrix: Matrix, name: str, version: Version) -> Iterator[tuple[str, str]]:
    yield name, version.text
    row = wheels.of(matrix, name, version)
    likely = row
    if row is None and (known := wheels.versions(matrix, name)):
        likely = wheels.of(matrix, name, Version.parse(known[0]))
    fact = wheels.resolves_to(likely) if likely is not None and wheels.kind(likely) == "meta" else None
    for part in fact.value if fact is not None and isinstance(fact.value, list) else ():
        known_part = row is None or wheels.of(matrix, part, version) is not None
        yield from _resolved(matrix, str(part), version if known_part else Version.parse(version.short(3)))
