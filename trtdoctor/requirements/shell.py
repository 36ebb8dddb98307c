"""What is known while the commands of a stage are gone through: what was installed, and which files lie where."""

from __future__ import annotations

import fnmatch
import os
from dataclasses import dataclass, field

from trtdoctor.requirements.files import Files
from trtdoctor.requirements.stated import Builder, Stated, SystemPackage
from trtdoctor.requirements.target import Target

_MOST_COPIES = 100
_GLOB = "*?["


@dataclass
class Shell:
    """The state of a stage."""

    made: Builder
    target: Target
    files: Files | None
    context: str
    """The directory of the Dockerfile, which stands for the build context."""
    workdir: str = "/"
    directory: str = "/"
    """Where the commands of a RUN are: ``workdir``, until they ``cd``."""
    environment: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    packages: list[SystemPackage] = field(default_factory=list)
    conda: list[Stated] = field(default_factory=list)
    copies: list[tuple[tuple[str, ...], str]] = field(default_factory=list)
    """Sources and destination of each COPY."""
    step: int = 0
    locked: bool = False
    """Whether a lock file is installed."""
    loose: bool = False
    """Whether something else is."""

    def take(self, other: Shell) -> None:
        """What another stage installed that this one copies."""
        self.made.take(other.made.done())
        self.step = max(self.step, other.step)
        self.locked = self.locked or other.locked
        self.loose = self.loose or other.loose

    def find(self, path: str) -> str | None:
        """The file of the build context that lies at ``path`` in the image; None when that cannot be told."""
        if self.files is None:
            return None
        full = os.path.normpath(os.path.join(self.directory, path))
        for sources, destination in reversed(self.copies[-_MOST_COPIES:]):
            for source in sources[:_MOST_COPIES]:
                for name in _origins(source.lstrip("/"), len(sources) == 1, os.path.normpath(destination), full):
                    found = os.path.normpath(os.path.join(self.context, name))
                    inside_context = not os.path.relpath(found, self.context or ".").startswith("..")
                    if inside_context and os.path.isfile(found):
                        return found
        return None


def _origins(source: str, alone: bool, destination: str, full: str) -> list[str]:
    """The names in the build context that ``full``, a file of the image, may have had before a COPY."""
    base = os.path.basename(full)
    if any(sign in source for sign in _GLOB):
        matches = fnmatch.fnmatchcase(base, os.path.basename(source)) and full == os.path.join(destination, base)
        return [os.path.join(os.path.dirname(source), base)] if matches else []
    if full == destination:
        return [source] if alone else []
    if os.path.basename(source) == base and full == os.path.join(destination, base):
        return [source]
    head = destination.rstrip("/") + "/"
    return [os.path.join(source, full[len(head) :])] if full.startswith(head) else []
