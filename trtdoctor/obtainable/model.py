"""What can be had, as plain data: one part of a stack, and a stack of parts that belong together."""

from __future__ import annotations

from trtdoctor.record import record
from trtdoctor.versions import Answer, Version


@record
class Part:
    """One thing that a stack takes."""

    name: str
    """Distribution, apt package, or image."""
    wanted: str
    """The versions that will do: a PEP 440 specifier; of a package or an image the one version, the tag."""
    answer: Answer
    """Whether it can be had from that side."""
    reason: str = ""
    """Half a sentence."""
    word: str = ""
    """As of :class:`~trtdoctor.obtainable.Obtainable`'s judgements: ``missing``, ``stub-only``, …"""
    own: bool = False
    """Whether it is TensorRT's own, at its version; else something that it needs beside, as a build does."""
    files: tuple[str, ...] = ()
    """Files that are to be had elsewhere and not here, as far as their names are known."""


@record
class HeldStack:
    """TensorRT with all that it takes, as one side has it."""

    kind: str
    """``pip``, ``image``, ``apt``."""
    name: str
    """What is installed: ``tensorrt-cu13 11.4.0.106``, ``nvidia/tensorrt:26.10-py3``,
    ``libnvinfer10 10.16.1.11-1+cuda13.2``."""
    line: str
    """Stacks are newer or older than each other within one line: ``pip``, ``apt``, ``nvidia/tensorrt py3``."""
    order: tuple[int, ...]
    """Newer ones of a line are greater."""
    version: str | None
    """Of TensorRT, as it is packaged: ``11.4.0.106``; None where an image does not tell."""
    flavour: str | None
    """``cu13``; None where that is not known."""
    complete: Answer
    """Whether all of it can be had from that side."""
    parts: tuple[Part, ...] = ()
    source: str = ""
    """Id of the source that has it; ``""`` where several have it together."""
    released: str | None = None
    """When upstream had all of it, by ``released_by``."""
    released_by: str | None = None
    elsewhere: tuple[str, ...] = ()
    """Parts whose files come from neither side, but from the index behind stubs."""

    @property
    def release(self) -> str | None:
        """Of TensorRT, by which rows of the matrix go: ``11.4.0``."""
        found = Version.maybe(self.version)
        return found.short(3) if found is not None else None

    @property
    def missing(self) -> tuple[str, ...]:
        """What is not there, by names of files where they are known."""
        lacking = [part for part in self.parts if part.answer is Answer.NO and part.word != "build-need"]
        return tuple(name for part in lacking for name in (part.files or (spoken(part),)))

    @property
    def short(self) -> str:
        """For a sentence: ``TensorRT 11.4.0 (pip, CUDA 13)``; an image, or another project, by its name."""
        if self.kind == "image" or self.version is None:
            return self.name
        cuda = f", CUDA {self.flavour[2:]}" if self.flavour else ""
        return f"TensorRT {self.release} ({self.kind}{cuda})"

    def to_plain(self) -> dict[str, object]:
        """The JSON form."""
        return {
            "kind": self.kind,
            "name": self.name,
            "line": self.line,
            "release": self.release,
            "version": self.version,
            "flavour": self.flavour,
            "complete": self.complete.value,
            "missing": list(self.missing),
            "unsure": [spoken(part) for part in self.parts if part.answer is Answer.UNKNOWN],
            "elsewhere": list(self.elsewhere),
            "source": self.source,
            "released": self.released,
            "released_by": self.released_by,
        }


def spoken(part: Part) -> str:
    """A part in a sentence: ``tensorrt-cu13-libs 11.4.0.106``, ``wheel-stub``, ``setuptools>=61.0``."""
    exact = part.wanted.removeprefix("==")
    if part.wanted.startswith("==") or part.wanted[:1].isdecimal():
        return f"{part.name} {exact}"
    return f"{part.name}{part.wanted}"
