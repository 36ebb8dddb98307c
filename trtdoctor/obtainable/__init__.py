"""What can be had from one side of the mirrors that were looked at: files, packages, images, and whole stacks.

Pure and quick: facts (``mirror_facts``) and the matrix in, answers out; nothing is asked of any server here. An answer
is UNKNOWN where a side could not be asked, or nobody looked for it; it is never "missing" then. Whether something fits
a machine beyond the files of its Python and platform, and whether a policy lets it in, is not judged here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from trtdoctor.matrix.judgement import Judgement
from trtdoctor.matrix.load import Matrix
from trtdoctor.mirror_facts import MirrorSource
from trtdoctor.obtainable.apt import Packages
from trtdoctor.obtainable.images import Repositories
from trtdoctor.obtainable.model import HeldStack, Part
from trtdoctor.obtainable.pip import ANY, Index, Python
from trtdoctor.obtainable.pip_stacks import stacks as pip_stacks
from trtdoctor.obtainable.sides import MIRROR, SIDES, UPSTREAM

KINDS = {"pip": "pypi", "apt": "apt", "image": "oci"}
"""Kind of a stack to the kind of source that it comes from."""


class Obtainable:
    """What can be had from the ``side`` (``mirror`` or ``upstream``) of some sources, all of them together."""

    def __init__(self, sources: Iterable[MirrorSource], matrix: Matrix, side: str = MIRROR) -> None:
        """Raises KeyError for another side. Nothing is worked out yet."""
        if side not in SIDES:
            raise KeyError(side)
        self.sources = tuple(sources)
        self.matrix = matrix
        self.side = side
        self.index = Index(self.sources, matrix, side)
        self.packages = Packages(self.sources, matrix, side)
        self.repositories = Repositories(self.sources, matrix, side)
        self._stacks: dict[tuple[object, ...], tuple[HeldStack, ...]] = {}

    def covers(self, kind: str) -> bool:
        """Whether some source is of the kind that stacks of a kind (``pip``, ``apt``, ``image``) come from."""
        return any(source.kind == KINDS[kind] for source in self.sources)

    def distribution(
        self,
        name: str,
        version: str,
        *,
        python: str | None = None,
        platform: str | None = None,
        glibc: str | None = None,
    ) -> Judgement:
        """Whether a version of a Python distribution can be installed from here.

        A file must fit Python (``3.12``), platform (the matrix's word) and glibc, as far as they are known; behind a
        stub there must be a wheel that fits; what builds take must be there too. Words: see :class:`Index`.
        """
        return self.index.distribution(name, version, Python(python, platform, glibc))

    def image(self, reference: str, tag: str | None = None, platform: str | None = None) -> Judgement:
        """Whether an image can be had: see :meth:`Repositories.image`."""
        return self.repositories.image(reference, tag, platform)

    def apt(self, package: str, version: str) -> Judgement:
        """Whether a version of a Debian package can be had: see :meth:`Packages.package`."""
        return self.packages.package(package, version)

    def stacks(
        self,
        kinds: Iterable[str] = tuple(KINDS),
        *,
        python: str | None = None,
        platform: str | None = None,
        glibc: str | None = None,
    ) -> tuple[HeldStack, ...]:
        """Every TensorRT of which there is something here, newest first within a kind; incomplete ones say so.

        Distributions are held against Python, platform and glibc, images against the platform.
        """
        wanted = Python(python, platform, glibc)
        key = (tuple(kinds), python, platform, glibc)
        if key not in self._stacks:
            made: dict[str, Callable[[], tuple[HeldStack, ...]]] = {
                "pip": lambda: pip_stacks(self.index, wanted),
                "apt": self.packages.stacks,
                "image": lambda: self.repositories.stacks(platform),
            }
            self._stacks[key] = tuple(stack for kind in key[0] for stack in made[kind]())
        return self._stacks[key]


__all__ = ["ANY", "KINDS", "MIRROR", "SIDES", "UPSTREAM", "HeldStack", "Obtainable", "Part", "Python"]
