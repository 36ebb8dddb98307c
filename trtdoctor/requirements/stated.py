"""What a file states: requirements, system packages, a base image, each with the line that says so."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from trtdoctor.record import record
from trtdoctor.text import clean

MAX_STATED = 20_000
"""No file gives more entries; what is beyond is counted as skipped."""
_SEPARATORS = re.compile(r"[-_.]+")


@record
class Stated:
    """One requirement on a Python distribution."""

    name: str
    """Normalised: lower case, hyphens."""
    where: str
    """``FILE:LINE``, the file as the user named it."""
    specifier: str = ""
    """PEP 440, ``""`` for any version."""
    marker: str | None = None
    """PEP 508, as written; the reader has already evaluated it where the target allowed."""
    extras: tuple[str, ...] = ()
    source: str = "index"
    """``index``, ``url``, ``vcs``, ``path``, ``conda``."""
    hashed: bool = False
    """Whether the line gives digests of the files that may be taken."""
    constraint: bool = False
    """True for an entry that limits a version (``-c``) and brings nothing in."""
    step: int = 0
    """Which command installs it, for files that run several one after the other (Dockerfile)."""
    upgrade: bool = False
    """Whether that command replaces what an earlier one brought."""


@record
class SystemPackage:
    """One package that a Dockerfile installs with the system's package manager."""

    name: str
    where: str
    version: str | None = None
    manager: str = "apt"
    """``apt`` or ``rpm``."""


@record
class Base:
    """The image that a Dockerfile builds upon."""

    image: str
    where: str
    platform: str | None = None
    """``--platform`` of FROM: ``linux/arm64``."""


@record
class Skipped:
    """One line that says nothing to us, or more than can be read without running it."""

    where: str
    text: str
    why: str


@record
class Requirements:
    """What one file, and what it includes, states."""

    stated: tuple[Stated, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    undecided: tuple[tuple[Stated, str], ...] = ()
    """Requirements whose marker the target does not settle, each with that marker."""
    optional: tuple[tuple[Stated, str], ...] = ()
    """Requirements of extras and groups that nobody asked for, each with the name of its extra or group."""
    python: str | None = None
    """The Python that the file itself installs or pins, ``3.10``."""
    python_at: str | None = None
    requires_python: str | None = None
    """PEP 440: the Pythons that the project allows; no statement of which one it is."""
    complete: bool = False
    """True for a lock file: everything that will be installed by it is named."""
    flavour_hint: str | None = None
    """CUDA of PyTorch's wheels by the address of an extra package index, ``cu124``."""
    other_index: str | None = None
    """``FILE:LINE`` of an option that names another package index than the usual one (PyTorch's are told apart)."""
    base: Base | None = None
    packages: tuple[SystemPackage, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    """Environment variables that the image sets."""
    conda: tuple[Stated, ...] = ()
    """Conda packages."""
    includes: tuple[str, ...] = ()
    """Further files that were read for it."""
    format: str = ""
    """One of ``FORMATS``: what the file was read as."""


@dataclass
class Builder:
    """What a reader gathers on its way; ``done`` makes the record of it."""

    file: str
    stated: list[Stated] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    undecided: list[tuple[Stated, str]] = field(default_factory=list)
    optional: list[tuple[Stated, str]] = field(default_factory=list)
    includes: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    """``flavour_hint``, ``other_index``, ``requires_python``, ``python``, ``python_at``."""

    def at(self, line: int) -> str:
        """``FILE:LINE``."""
        return place(self.file, line)

    def skip(self, line: int, text: str, why: str) -> None:
        """Count a line that is not read."""
        if len(self.skipped) < MAX_STATED:
            self.skipped.append(Skipped(self.at(line), clean(text, 120), why))

    def add(self, item: Stated, applies: bool | None) -> None:
        """Take an entry whose marker is true; remember one whose marker is not settled."""
        if len(self.stated) + len(self.undecided) >= MAX_STATED:
            return
        if applies:
            self.stated.append(item)
        elif applies is None:
            self.undecided.append((item, item.marker or ""))

    def take(self, other: Requirements) -> None:
        """Everything that an included file states."""
        self.stated += other.stated
        self.skipped += other.skipped
        self.undecided += other.undecided
        self.optional += other.optional
        self.includes += other.includes
        for key in ("flavour_hint", "other_index"):
            value = getattr(other, key)
            if value is not None:
                self.facts.setdefault(key, value)

    def done(self, *, complete: bool = False, conda: tuple[Stated, ...] = ()) -> Requirements:
        """The record."""
        return Requirements(
            stated=tuple(self.stated),
            skipped=tuple(self.skipped),
            undecided=tuple(self.undecided),
            optional=tuple(self.optional),
            includes=tuple(dict.fromkeys(self.includes)),
            complete=complete,
            conda=conda,
            **self.facts,  # type: ignore[arg-type]
        )


def place(file: str, line: int) -> str:
    """``FILE:LINE``; the file name is cleaned, for it comes from outside."""
    return f"{clean(file, 300)}:{line}"


def normalise(name: str) -> str:
    """A distribution name as the index writes it: lower case, hyphens."""
    return _SEPARATORS.sub("-", clean(name, 200)).lower()
