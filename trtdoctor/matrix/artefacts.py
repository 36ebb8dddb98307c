"""What the matrix records of files on the Python package index: names, sizes, digests, requirements, days.

A recording of one day (artefacts.yaml): a version that is not there may exist all the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from trtdoctor.matrix.distributions import normalise
from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.rows import UNKNOWN, Row
from trtdoctor.record import record
from trtdoctor.versions import Version

if TYPE_CHECKING:
    from packaging.tags import Tag

PYTHONS = tuple(f"3.{minor}" for minor in range(8, 15))
"""The Pythons that files are recorded for."""
PLATFORMS = ("linux-x86_64", "linux-aarch64", "windows-x86_64", "windows-arm64")
_GLIBCS = ("2.17", "2.27", "2.28", "2.31", "2.35", "2.40")
"""What a glibc that nobody named is tried with: what wheels are made for, and one that takes them all."""
_OLD_NAMES = {(2, 17): "manylinux2014", (2, 12): "manylinux2010", (2, 5): "manylinux1"}
"""Platform tags that came before those with the glibc in their name (PEP 600)."""


@record
class Artefact:
    """One file."""

    name: str
    size: int | None
    """Bytes."""
    sha256: str | None
    """Hexadecimal digits."""


def versions(matrix: Matrix, distribution: str) -> list[str]:
    """The recorded versions of a distribution, newest first, without those that were withdrawn (yanked)."""
    table = _index(matrix).get(normalise(distribution), {})
    return [version for version, row in table.items() if row.get("yanked").value is not True]


def of(matrix: Matrix, distribution: str, version: str) -> Row | None:
    """The row of a version of a distribution (any spelling of the name); None where none is recorded."""
    return _index(matrix).get(normalise(distribution), {}).get(version)


def files(matrix: Matrix, distribution: str, version: str) -> tuple[Artefact, ...]:
    """The recorded files of a version; empty where none is recorded."""
    row = of(matrix, distribution, version)
    return _files(row) if row is not None else ()


def fitting(
    matrix: Matrix, distribution: str, version: str, *, python: str | None, platform: str | None, glibc: str | None
) -> Artefact | None:
    """The file that pip takes for CPython ``3.12`` on ``linux-x86_64`` (or ``jetson``) with the glibc ``2.35``.

    A source archive where no wheel fits. What is None is not known: then the file that is taken whatever it may be,
    where one is taken at all. None where no recorded file fits, it depends on what is not known, or the Python is
    older than any that files are recorded for.
    """
    found = files(matrix, distribution, version)
    cases = (
        (one, place, libc)
        for one in ((python,) if python is not None else PYTHONS)
        for place in ((platform,) if platform is not None else PLATFORMS)
        for libc in ((glibc,) if glibc is not None or place.startswith("windows") else _GLIBCS)
    )
    taken = {_taken(found, *case) for case in cases} - {None}
    return taken.pop() if len(taken) == 1 else None


def taken(names: Iterable[str], *, python: str | None, platform: str | None, glibc: str | None) -> bool:
    """Whether pip takes one of the wheels of these names, as for :func:`fitting`.

    Where something is None, or a Python is older than any that files are recorded for, what fits anything will do.
    """
    found = [_tags(name) for name in names]
    known = Version.maybe(python)
    pythons = (python,) if python is not None and known is not None and known.parts >= (3, 8) else PYTHONS
    return any(
        not order.keys().isdisjoint(tags)
        for place in ((platform,) if platform is not None else PLATFORMS)
        for libc in ((glibc,) if glibc is not None or place.startswith("windows") else _GLIBCS[-1:])
        for one in pythons
        for order in (tag_order(one, place, libc),)
        for tags in found
    )


def _tags(name: str) -> frozenset[Tag]:
    return _parsed(name)[1]


@lru_cache(maxsize=8192)
def _parsed(name: str) -> tuple[tuple[int, str] | tuple[()], frozenset[Tag]]:
    """The build number and the tags of a wheel's name; neither for what is no such name."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        return parse_wheel_filename(name)[2:]
    except InvalidWheelFilename:
        return (), frozenset()


def requires(matrix: Matrix, distribution: str, version: str) -> tuple[str, ...] | None:
    """The requirements that the metadata of a version state, as written; None where they are not known.

    Of a stub they are its own: the wheel behind it may state others.
    """
    return _texts(of(matrix, distribution, version), "requires")


def extra(matrix: Matrix, distribution: str, version: str, name: str) -> tuple[str, ...] | None:
    """What an extra requires, of cuda-toolkit ``cudart``, ``cublas``, ``nvrtc``; None where none is recorded."""
    return _texts(of(matrix, distribution, version), "extras", name)


def uploaded(matrix: Matrix, distribution: str, version: str) -> date | None:
    """The day when the first file of a version came to the index: its age at least; None where it is not known."""
    row = of(matrix, distribution, version)
    text = row.text("uploaded") if row is not None else None
    return date.fromisoformat(text) if text is not None else None


def yanked(matrix: Matrix, distribution: str, version: str) -> bool | None:
    """Whether a version is withdrawn: pip takes it only where it is named exactly; None where none is recorded."""
    row = of(matrix, distribution, version)
    return row.get("yanked").value is True if row is not None else None


def is_stub(matrix: Matrix, distribution: str, version: str) -> bool | None:
    """Whether the file is a stub, whose build fetches the real wheel elsewhere; None where that is not known."""
    row = of(matrix, distribution, version)
    if row is None or ("build_requires" not in row and "wheels" not in row):
        return None
    return "stub_of" in row


def stub_of(matrix: Matrix, distribution: str, version: str) -> str | None:
    """The index that the build of a stub fetches the real wheel from; None for anything else."""
    row = of(matrix, distribution, version)
    return row.text("stub_of") if row is not None else None


def build_requires(matrix: Matrix, distribution: str, version: str) -> tuple[str, ...] | None:
    """What pip needs to build a source archive; None for what is no source archive, or was not read."""
    return _texts(of(matrix, distribution, version), "build_requires")


def nested(matrix: Matrix, distribution: str, version: str) -> tuple[str, ...] | None:
    """What the build installs with a pip of its own, which no lock and no ``--require-hashes`` sees.

    Empty where it does no such thing, None where that is not known.
    """
    row = of(matrix, distribution, version)
    return _texts(row, "nested") if row is None or "nested" in row else ()


def _texts(row: Row | None, *path: str) -> tuple[str, ...] | None:
    value = row.get(*path).value if row is not None else None
    return tuple(map(str, value)) if isinstance(value, list) else None


def _index(matrix: Matrix) -> dict[str, dict[str, Row]]:
    """Distribution to version to row."""
    return matrix.remember("artefacts index", lambda: _make_index(matrix))


def _make_index(matrix: Matrix) -> dict[str, dict[str, Row]]:
    table: dict[str, dict[str, Row]] = {}
    for row in matrix.rows("artefacts", "artefacts"):
        name, _, version = row.key.partition(" ")
        table.setdefault(name, {})[version] = row
    return table


def _files(row: Row) -> tuple[Artefact, ...]:
    name, _, version = row.key.partition(" ")
    stem = f"{name.replace('-', '_')}-{version}"
    listed = row.get("wheels").value
    found = [
        _artefact(f"{stem}-{python}-none-{platform}.whl", *facts)
        for platform, pythons in (listed.items() if isinstance(listed, dict) else ())
        for python, facts in pythons.items()
    ]
    sdist = row.get("sdist").value
    return tuple(found + ([_artefact(*sdist)] if isinstance(sdist, list) else []))


def _artefact(name: str, size: Any, sha256: Any) -> Artefact:
    return Artefact(name, None if size == UNKNOWN else size, None if sha256 == UNKNOWN else sha256)


# -- which file fits ---------------------------------------------------------------------------------------------------


def _taken(found: tuple[Artefact, ...], python: str, platform: str, glibc: str | None) -> Artefact | None:
    """The best wheel by the order of tags and then the build number, as pip has it; else the source archive."""
    order = tag_order(python, platform, glibc)
    if not order:
        return None
    fit: list[tuple[int, tuple[int, str] | tuple[()], Artefact]] = []
    for item in found:
        if item.name.endswith(".whl"):
            build, tags = _parsed(item.name)
            places = [order[tag] for tag in tags if tag in order]
            if places:
                fit.append((-min(places), build, item))
    if fit:
        return max(fit, key=lambda entry: entry[:2])[2]
    return next((item for item in found if not item.name.endswith(".whl")), None)


@lru_cache(maxsize=256)
def tag_order(python: str, platform: str, glibc: str | None) -> dict[Tag, int]:
    """Tags of wheels that CPython takes there, to their place: the best is 0.

    Arguments as for :func:`fitting`; empty for a Python that is older than any that files are recorded for.
    """
    from itertools import chain

    from packaging.tags import compatible_tags, cpython_tags

    version = Version.maybe(python)
    if version is None or version.minor is None or (version.major, version.minor) < (3, 8):
        return {}
    number = (version.major, version.minor)
    name = f"cp{number[0]}{number[1]}"
    platforms = _platform_tags(platform, Version.maybe(glibc))
    every = chain(cpython_tags(number, [name], platforms), compatible_tags(number, name, platforms))
    return {tag: place for place, tag in reversed(list(enumerate(every)))}


def _platform_tags(platform: str, glibc: Any) -> list[str]:
    """Platform tags, the best first, as packaging lists them for the machine that it runs on."""
    system, _, architecture = platform.partition("-")
    if system == "windows":
        return [{"x86_64": "win_amd64"}.get(architecture, f"win_{architecture}")]
    architecture = architecture or "aarch64"  # a Jetson
    newest = glibc.minor if glibc is not None and glibc.major == 2 and glibc.minor is not None else 0
    oldest = 5 if architecture == "x86_64" else 17
    found: list[str] = []
    for minor in range(newest, oldest - 1, -1):
        found.append(f"manylinux_2_{minor}_{architecture}")
        if (2, minor) in _OLD_NAMES:
            found.append(f"{_OLD_NAMES[2, minor]}_{architecture}")
    return [*found, f"linux_{architecture}"]
