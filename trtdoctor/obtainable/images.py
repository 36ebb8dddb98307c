"""Container images that one side has, with what is in them as far as labels, variables or the matrix tell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trtdoctor.matrix import Matrix, containers, mirrors
from trtdoctor.matrix.judgement import Judgement
from trtdoctor.mirror_facts import MirrorItem, MirrorSource
from trtdoctor.net.words import host_of
from trtdoctor.obtainable.model import HeldStack, Part
from trtdoctor.obtainable.sides import MIRROR, UPSTREAM, answers, called, held
from trtdoctor.versions import Answer, Version

PLATFORMS = {"linux-x86_64": "linux/amd64", "linux-aarch64": "linux/arm64", "jetson": "linux/arm64"}
"""The matrix's word for a platform to that of registries."""
_SURELY = (Answer.YES, Answer.UNKNOWN, Answer.NO)


class Repositories:
    """What one side has of images, over all sources of that kind."""

    def __init__(self, sources: Iterable[MirrorSource], matrix: Matrix, side: str) -> None:
        self.matrix = matrix
        self.side = side
        self.sources = tuple(source for source in sources if source.kind == "oci")
        self._tags = {source.id: {item.version or item.name: item for item in source.items} for source in self.sources}

    def image(self, reference: str, tag: str | None = None, platform: str | None = None) -> Judgement:
        """Whether an image can be had: ``nvcr.io/nvidia/tensorrt:26.10-py3``, or a repository and a tag.

        A host counts where one is named, upstream's or the mirror's; ``platform`` is the matrix's word or the
        registries'. Words: ``held``, ``missing``, ``no-platform``, ``not-asked``, ``no-answer``.
        """
        host, repository, tag = _split(reference, tag)
        fitting = [source for source in self.sources if _is_of(source, host, repository)]
        if not fitting:
            return Judgement(Answer.UNKNOWN, f"{repository} was not looked at", (), "not-asked")
        judged = [self._at(source, repository, tag, PLATFORMS.get(platform or "", platform)) for source in fitting]
        return min(judged, key=lambda judgement: _SURELY.index(judgement.answer))

    def _at(self, source: MirrorSource, repository: str, tag: str, platform: str | None) -> Judgement:
        what, where = f"{repository}:{tag}", called(self.side)
        item = self._tags[source.id].get(tag)
        if item is None and not answers(source, self.side):
            return Judgement(Answer.UNKNOWN, f"{where} could not be asked for {what}", (), "no-answer")
        if item is None and not self._is_alike(source, repository, tag):
            return Judgement(Answer.UNKNOWN, f"{what} is none of the tags that were looked at", (), "not-asked")
        if item is None:
            return Judgement(Answer.NO, f"{where} does not have {what}", (), "missing")
        there = held(item, self.side, source)
        if there is Answer.UNKNOWN:
            return Judgement(Answer.UNKNOWN, f"{where} could not be asked for {what}", (), "no-answer")
        if there is Answer.NO:
            return Judgement(Answer.NO, f"{where} does not have {what}", (), "missing")
        lacking = self.side == MIRROR and platform in item.missing
        if platform is not None and (lacking or (item.platforms and platform not in item.platforms)):
            return Judgement(Answer.NO, f"{where} has no {what} for {platform}", (), "no-platform")
        return Judgement(Answer.YES, f"{where} has {what}", (), "held")

    def _is_alike(self, source: MirrorSource, repository: str, tag: str) -> bool:
        """Whether tags of just this form were looked at: all that are listed are among the items then."""
        read = mirrors.read_tag(self.matrix, tag, repository)
        others = (mirrors.read_tag(self.matrix, name, repository) for name in self._tags[source.id])
        return read is not None and any(one is not None and one.flavour == read.flavour for one in others)

    def stacks(self, platform: str | None = None) -> tuple[HeldStack, ...]:
        """Every image that the side may have, the newest of each line first; one without the platform is not whole."""
        place = PLATFORMS.get(platform or "", platform)
        found = [stack for one in self.sources for item in one.items for stack in self._stack(one, item, place)]
        return tuple(sorted(found, key=lambda stack: (stack.line, stack.order), reverse=True))

    def _stack(self, source: MirrorSource, item: MirrorItem, platform: str | None) -> Iterator[HeldStack]:
        tag, repository = item.version or item.name, item.project or ""
        if held(item, self.side, source) is Answer.NO:
            return
        judged = self._at(source, repository, tag, platform)
        read = mirrors.read_tag(self.matrix, tag, repository)
        inside = contents(self.matrix, item, self.side)
        version, toolkit = inside.get("tensorrt"), Version.maybe(inside.get("cuda"))
        name = f"{repository}:{tag}"
        yield HeldStack(
            kind="image",
            name=name,
            line=f"{repository} {read.flavour if read else ''}".rstrip(),
            order=read.order if read else (),
            version=version,
            flavour=f"cu{toolkit.major}" if toolkit is not None else None,
            complete=judged.answer,
            parts=(Part(repository, tag, judged.answer, judged.reason, judged.word, own=True),),
            source=source.id,
            released=item.released,
            released_by=item.released_by,
        )


def contents(matrix: Matrix, item: MirrorItem, side: str) -> dict[str, str]:
    """Component to its version in an image: by its own word, else by that of the matrix for NVIDIA's tag.

    A copy that was not compared counts as upstream's; one that differs does not.
    """
    copied = side == MIRROR and item.state in ("same", "present", "missing-platform", "unknown")
    sides = ("both", side, *((UPSTREAM,) if copied else ()))
    found: dict[str, str] = {}
    for place in sides:
        for component in item.components:
            if component.on == place:
                found.setdefault(component.name, component.version)
    row = None
    if (item.project or "").startswith("nvidia/") and (side == UPSTREAM or copied):
        row = containers.find(matrix, f"{item.project}:{item.version}")
    for name in ("tensorrt", "cuda", "cudnn", "cublas") if row is not None else ():
        text = row.text(name) if row is not None else None
        if text is not None:
            found.setdefault(name, text)
    return found


def _split(reference: str, tag: str | None) -> tuple[str | None, str, str]:
    """Host (None where there is none), repository and tag of a reference."""
    text = reference.strip().removeprefix("docker://").partition("@")[0]
    head, slash, rest = text.partition("/")
    host = head if slash and ("." in head or ":" in head or head == "localhost") else None
    path = rest if host is not None else text
    if tag is None:
        path, _, tag = path.rpartition(":") if ":" in path else (path, "", "")
    return host, path.strip("/"), tag or ""


def _is_of(source: MirrorSource, host: str | None, repository: str) -> bool:
    """Whether a source is about a repository, under its name upstream or on the mirror."""
    projects = {item.project for item in source.items if item.project}
    for address in filter(None, (source.upstream, source.mirror)):
        path = address.partition("://")[2].partition("/")[2].strip("/")
        if path == repository and host in (None, host_of(address)):
            return True
    upstream = host_of(source.upstream) if source.upstream else None
    return repository in projects and host in (None, upstream)
