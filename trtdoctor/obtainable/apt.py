"""Debian packages that one side has, and TensorRT among them: one version over all that have to be of one version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trtdoctor import debversion
from trtdoctor.lazyre import pattern
from trtdoctor.matrix import Matrix, tensorrt
from trtdoctor.matrix import apt as packages_of
from trtdoctor.matrix.judgement import Judgement
from trtdoctor.mirror_facts import MirrorItem, MirrorSource
from trtdoctor.obtainable.model import HeldStack, Part
from trtdoctor.obtainable.pip_stacks import order_of
from trtdoctor.obtainable.sides import answers, called, files_of, held, other
from trtdoctor.versions import Answer, Version

LINE = "apt"
_OWN = ("libnvinfer", "libnvonnxparsers", "libnvparsers", "python3-libnvinfer")
_CENTRAL = pattern(r"libnvinfer\d+")
_CUDA = pattern(r"\+cuda(\d{1,2})\.(\d{1,2})")
_SURELY = (Answer.YES, Answer.UNKNOWN, Answer.NO)


class Packages:
    """What one side has of Debian packages, over all sources of that kind."""

    def __init__(self, sources: Iterable[MirrorSource], matrix: Matrix, side: str) -> None:
        self.matrix = matrix
        self.side = side
        self.sources = tuple(source for source in sources if source.kind == "apt")
        self.found: dict[str, dict[str, dict[str, list[MirrorItem]]]] = {}
        """Id of the source to package to version to its items."""
        for source in self.sources:
            table = self.found.setdefault(source.id, {})
            for item in source.items:
                if item.project is not None and item.version is not None:
                    table.setdefault(item.project, {}).setdefault(item.version, []).append(item)

    def package(self, name: str, version: str) -> Judgement:
        """Whether a version of a package can be had. Words: ``held``, ``missing``, ``differs``, ``not-asked``,
        ``no-answer``.
        """  # noqa: D205
        if not self.sources:
            return Judgement(Answer.UNKNOWN, "no apt repository was looked at", (), "not-asked")
        judged = [self.at(source, name, version) for source in self.sources]
        return min(judged, key=lambda judgement: _SURELY.index(judgement.answer))

    def at(self, source: MirrorSource, name: str, version: str) -> Judgement:
        """The same of one repository."""
        what, where = f"{name} {version}", called(self.side)
        items = self.found.get(source.id, {}).get(name, {}).get(version, [])
        place = source.side(self.side)
        if not items and (not answers(source, self.side) or (place is not None and place.state == "inconsistent")):
            return Judgement(Answer.UNKNOWN, f"{where} could not be asked for {name}", (), "no-answer")
        if not items and name not in self.found.get(source.id, {}):
            return Judgement(Answer.UNKNOWN, f"{name} was not looked at, or neither side has it", (), "not-asked")
        there = [held(item, self.side, source) for item in items]
        if Answer.YES in there and any(item.state == "differs" for item in items) and self.side == "mirror":
            return Judgement(Answer.UNKNOWN, f"what it has of {what} is not upstream's", (), "differs")
        if Answer.YES in there:
            return Judgement(Answer.YES, f"{where} has {what}", (), "held")
        if Answer.UNKNOWN in there:
            return Judgement(Answer.UNKNOWN, f"{where} could not be asked for {what}", (), "no-answer")
        return Judgement(Answer.NO, f"{where} does not have {what}", (), "missing")

    # -- stacks --------------------------------------------------------------------------------------------------------

    def stacks(self) -> tuple[HeldStack, ...]:
        """Every TensorRT of which the side has something, newest first, each within one repository."""
        found = [stack for source in self.sources for stack in self._of_source(source)]
        return tuple(sorted(found, key=lambda stack: (stack.order, stack.name), reverse=True))

    def _of_source(self, source: MirrorSource) -> Iterator[HeldStack]:
        table = self.found[source.id]
        texts: dict[str, None] = {}
        for name, versions in table.items():
            if _is_own(name):
                for text, items in versions.items():
                    if any(held(item, self.side, source) is not Answer.NO for item in items):
                        texts[text] = None
        for text in texts:
            version = Version.maybe(debversion.upstream_of(text))
            if version is not None and self._is_release(version):
                yield self._stack(source, text, version)

    def _is_release(self, version: Version) -> bool:
        """Whether a version is TensorRT's, and a general release as far as the matrix tells."""
        rows = tensorrt.releases(self.matrix, version)
        return any(row.get("status").value in tensorrt.INSTALLABLE for row in rows) or (
            not rows and tensorrt.newer_than_matrix(self.matrix, version)
        )

    def _stack(self, source: MirrorSource, text: str, version: Version) -> HeldStack:
        cuda = _CUDA.search(text)
        names = packages_of.tensorrt_packages(self.matrix, version, ("run",)) or [f"libnvinfer{version.major}"]
        parts = [self._part(source, name, text, own=True) for name in names]
        flavour = f"cu{cuda[1]}" if cuda else None
        parts += self._beside(source, version, flavour)
        dates = [
            (item.released, item.released_by)
            for name in names
            for item in self.found[source.id].get(name, {}).get(text, [])
            if item.released is not None
        ]
        released, by = max(dates, default=(None, None), key=lambda pair: pair[0] or "")
        return HeldStack(
            kind="apt",
            name=f"libnvinfer{version.major} {text}",
            line=LINE,
            order=order_of(version),
            version=version.text,
            flavour=flavour,
            complete=Answer.all(part.answer for part in parts),
            parts=tuple(parts),
            source=source.id,
            released=released,
            released_by=by,
        )

    def _part(self, source: MirrorSource, name: str, text: str, *, own: bool = False) -> Part:
        judged = self.at(source, name, text)
        answer, word = judged.answer, judged.word
        if own and word == "not-asked" and answers(source, self.side):
            # Its neighbours are looked at by one pattern: a package that no side lists is not there.
            answer, word = Answer.NO, "missing"
        items = self.found[source.id].get(name, {}).get(text, [])
        files = [file.name for item in items for file in files_of(item, other(self.side))]
        return Part(name, text, answer, judged.reason, word, own=own, files=tuple(files) if answer is Answer.NO else ())

    def _beside(self, source: MirrorSource, version: Version, flavour: str | None) -> Iterator[Part]:
        """CuDNN, where the release needs one and packages of it were looked at."""
        row = tensorrt.release(self.matrix, version)
        need = tensorrt.cudnn(row) if row is not None else None
        asked = Version.maybe(need.version) if need is not None and need.need == "required" else None
        if asked is None or flavour is None:
            return
        names = (f"libcudnn{asked.major}", f"libcudnn{asked.major}-cuda-{flavour[2:]}")
        table = self.found[source.id]
        listed = [(name, text) for name in names for text in table.get(name, {}) if _fits_cuda(text, name, flavour)]
        if not any(name in table for name in names):
            return
        fitting = [
            (name, text)
            for name, text in listed
            if (known := Version.maybe(debversion.upstream_of(text))) and known.at_least(asked) is not Answer.NO
        ]
        judged = [self.at(source, name, text).answer for name, text in fitting]
        answer = Answer.YES if Answer.YES in judged else Answer.UNKNOWN if Answer.UNKNOWN in judged else Answer.NO
        yield Part(names[0], f">={asked}", answer, f"{called(self.side)}: cuDNN {asked} or newer for {flavour}")


def _is_own(name: str) -> bool:
    return name.startswith(_OWN) or name in ("tensorrt", "tensorrt-libs", "tensorrt-dev")


def _fits_cuda(text: str, name: str, flavour: str) -> bool:
    found = _CUDA.search(text)
    return name.endswith(f"-cuda-{flavour[2:]}") or (found is not None and found[1] == flavour[2:])
