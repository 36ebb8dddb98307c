"""What the matrix says of an image that a Dockerfile builds upon, by its name and tag."""

from __future__ import annotations

import re

from trtdoctor.lazyre import pattern
from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.rows import Fact, Row
from trtdoctor.record import record

_REFERENCE = pattern(
    r"(?:docker://)?(?:docker\.io/)?(?P<repository>[a-z0-9][a-z0-9._/:-]*?):(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})"
    r"(?:@[a-z0-9]+:[0-9a-fA-F]+)?"
)


@record
class Base:
    """What the tag of an image tells; None for what it does not."""

    family: Row
    system: Row | None
    """The row of the operating system inside."""
    cuda: str | None
    cudnn: str | None
    """Its major; ``""`` where the tag says only that cuDNN is there."""
    python: str | None
    """By the tag: a Python image."""
    torch: str | None

    def system_fact(self, key: str) -> Fact | None:
        """``glibc``, ``python`` or ``libc`` of the system; None where it is not known."""
        fact = self.system.get(key) if self.system is not None else None
        return fact if fact is not None and fact.known else None


def find(matrix: Matrix, reference: str) -> Base | None:
    """The image that a reference names; None for one that no family of the matrix knows, or without a tag."""
    match = _REFERENCE.fullmatch(reference.strip()) if len(reference) < 400 else None
    if match is None:
        return None
    repository = match["repository"]
    for row in matrix.rows("bases", "families"):
        repositories = row.get("repositories").value
        if not isinstance(repositories, list) or repository not in repositories:
            continue
        tag = re.fullmatch(str(row.get("tag").value), match["tag"])
        if tag is None:
            continue
        said = {"cuda": None, "cudnn": None, "python": None, "torch": None, "system": None, **tag.groupdict()}
        word = said["system"]
        prefix = str(row.get("prefix").value)
        names = [word, prefix + word] if word is not None and prefix != "none" else [word]
        system = next((found for name in names if name and (found := _system(matrix, name))), None)
        return Base(row, system, said["cuda"], said["cudnn"], said["python"], said["torch"])
    return None


def glibc_of(matrix: Matrix, distribution: str | None, release: str | None) -> Fact | None:
    """The glibc of a release of a distribution (``ubuntu``, ``22.04``); None where it is not known.

    A point release (``centos`` 7.9) has the glibc of its major.
    """
    for row in matrix.rows("bases", "systems"):
        known = row.text("release")
        if row.text("distribution") == distribution and known is not None and release is not None:
            fact = row.get("glibc")
            if (release == known or release.startswith(f"{known}.")) and fact.known and fact.value != "none":
                return fact
    return None


def libc_of(matrix: Matrix, distribution: str | None) -> str | None:
    """``glibc`` or ``musl``, where every release of a distribution has the same; None where it is not known."""
    rows = [row for row in matrix.rows("bases", "systems") if row.text("distribution") == distribution]
    found = {row.text("libc") for row in rows}
    return found.pop() if len(found) == 1 else None


def _system(matrix: Matrix, word: str) -> Row | None:
    for row in matrix.rows("bases", "systems"):
        names = row.get("names").value
        if isinstance(names, list) and any(re.fullmatch(str(name), word) for name in names):
            return row
    return None
