"""What the matrix says of wheels: what each version of a TensorRT or cuDNN distribution on the package index is."""

from __future__ import annotations

from trtdoctor.matrix.distributions import normalise
from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.rows import Fact, Row
from trtdoctor.versions import Version


def distributions(matrix: Matrix) -> list[str]:
    """The distributions that the matrix lists versions of."""
    return list(_index(matrix))


def versions(matrix: Matrix, distribution: str) -> list[str]:
    """The versions of a distribution, as the index wrote them, newest first; empty for one that is not listed."""
    from packaging.version import Version as Packaged

    return sorted(_index(matrix).get(normalise(distribution), {}), key=Packaged, reverse=True)


def of(matrix: Matrix, distribution: str, version: Version) -> Row | None:
    """The row of a version of a distribution (any spelling of the name).

    A version with parts missing (``10.9.0`` for ``10.9.0.34``) fits when all that it may be are in one row. None when
    none is listed or several rows fit.
    """
    table = _index(matrix).get(normalise(distribution), {})
    exact = table.get(version.text)
    if exact is not None:
        return exact
    fitting = {text: row for text, row in table.items() if _may_be(Version.parse(text), version)}
    found = {row.key: row for row in fitting.values()}
    return next(iter(found.values())) if len(found) == 1 else None


def newest(matrix: Matrix, distribution: str, specifier: str) -> tuple[str, Row] | None:
    """The version that an installer takes where nothing else holds it back, by the index as it was when it was listed.

    Final releases only, as installers do. None for a distribution that is not listed, or where no listed version is
    allowed by ``specifier`` (PEP 440).
    """
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        allowed = SpecifierSet(specifier)
    except InvalidSpecifier:
        return None
    table = _index(matrix).get(normalise(distribution), {})
    found = next(iter(allowed.filter(versions(matrix, distribution), prereleases=False)), None)
    return (found, table[found]) if found is not None else None


def flavours(matrix: Matrix, distribution: str, specifier: str) -> frozenset[str]:
    """The CUDA flavours of the final releases that ``specifier`` allows; empty where none is listed."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        allowed = SpecifierSet(specifier)
    except InvalidSpecifier:
        return frozenset()
    table = _index(matrix).get(normalise(distribution), {})
    return frozenset(str(table[text].get("flavour").value) for text in allowed.filter(table, prereleases=False))


def flavour_of(matrix: Matrix, distribution: str, version: Version) -> str | None:
    """``cu12``, when every listed version that ``version`` may be has that flavour."""
    table = _index(matrix).get(normalise(distribution), {})
    fitting = {row.text("flavour") for text, row in table.items() if _may_be(Version.parse(text), version)}
    found = fitting.pop() if len(fitting) == 1 else None
    return found if found is not None and found.startswith("cu") else None


def kind(row: Row) -> str:
    """``real``, ``meta``, ``stub``, ``placeholder`` or ``unknown``."""
    return str(row.get("kind").value)


def resolves_to(row: Row, os_family: str = "linux") -> Fact | None:
    """The distributions that installing a meta package brings; None where it is none or the matrix does not know."""
    special = row.get("resolves_to_windows") if os_family == "windows" else None
    fact = special if special is not None and special.known else row.get("resolves_to")
    return fact if fact.known else None


def pins(row: Row) -> bool | None:
    """Whether a meta package requires its parts at its own version; None where that is not known."""
    value = row.get("pinned").value
    return value if isinstance(value, bool) else None


def tags(row: Row) -> dict[str, list[str]]:
    """Platform tag to Python tags; empty where there is only a source package."""
    value = row.get("wheels").value
    return value if isinstance(value, dict) else {}


def _index(matrix: Matrix) -> dict[str, dict[str, Row]]:
    return matrix.remember("wheels index", lambda: _make_index(matrix))


def _make_index(matrix: Matrix) -> dict[str, dict[str, Row]]:
    table: dict[str, dict[str, Row]] = {}
    for row in matrix.rows("wheels", "wheels"):
        for name in row.get("distributions").value:
            table.setdefault(name, {}).update(dict.fromkeys(row.get("versions").value, row))
    return table


def _may_be(listed: Version, wanted: Version) -> bool:
    if wanted.suffix and listed.suffix != wanted.suffix:
        return False
    return listed.parts[: len(wanted.parts)] == wanted.parts
