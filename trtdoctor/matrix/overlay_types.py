"""What overlays add to a matrix beside values: known to rules, which never need to read an overlay."""

from __future__ import annotations

from trtdoctor.matrix.rows import Fact
from trtdoctor.record import record


@record
class Forbidden:
    """One line of an overlay's ``forbid``."""

    component: str
    """One of ``overlay.COMPONENTS``, or ``package:NAME`` with the normalised name."""
    versions: str
    """A specifier such as ``>=10.3,<10.4``; for ``gpu`` of compute capabilities."""
    reason: str
    severity: str
    """``error`` or ``warning``."""
    fact: Fact
    """Where it stands, as a source for a finding."""
