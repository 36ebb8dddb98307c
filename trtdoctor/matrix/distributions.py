"""What a Python distribution is, told by its name."""

from __future__ import annotations

from trtdoctor.lazyre import pattern
from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.rows import Row
from trtdoctor.record import record

_SEPARATORS = pattern(r"[-_.]+")
_FLAVOURS = ("cu10", "cu11", "cu12", "cu13")


@record
class DistributionSpec:
    """What the matrix says of a distribution."""

    name: str
    """Normalised: lower case, hyphens."""
    component: str
    product: str | None
    """TensorRT only: ``full``, ``lean``, ``dispatch``, ``rtx``."""
    part: str
    """``meta``, ``bindings``, ``libs``, ``runtime``, ``framework``, ``tool``, …"""
    flavour: str | None
    """``cu11``, ``cu12``, ``cu13``; None when the name does not say it."""
    real: str
    """``wheel``, ``stub`` (its build fetches the wheel, or it only requires others), ``placeholder``, ``unknown``."""
    imports: tuple[str, ...]
    """Top-level modules that it provides."""


def normalise(name: str) -> str:
    """A distribution name as the index writes it: lower case, hyphens."""
    return _SEPARATORS.sub("-", name).lower()


def identify(matrix: Matrix, name: str) -> DistributionSpec | None:
    """What the distribution ``name`` (any spelling) is; None when it is none of the stack's."""
    table = matrix.remember(
        "distributions index", lambda: {row.key: row for row in matrix.rows("distributions", "distributions")}
    )
    row = table.get(normalise(name))
    return _spec(row) if row else None


def _spec(row: Row) -> DistributionSpec:
    real, flavour, imports = row.get("real").value, row.text("flavour"), row.get("imports").value
    return DistributionSpec(
        name=row.key,
        component=str(row.text("component")),
        product=row.text("product"),
        part=str(row.text("part")),
        flavour=flavour if flavour in _FLAVOURS else None,
        real="wheel" if real is True else str(real),
        imports=tuple(imports) if isinstance(imports, list) else (),
    )
