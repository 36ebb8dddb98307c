"""A plan as a constraints file: it installs nothing, and holds what is installed at the planned versions."""

from __future__ import annotations

from trtdoctor.planned import Planned
from trtdoctor.render.plan_requirements import head, lines


def render(plan: Planned) -> str:
    """The text for ``pip install -c``. Raises :class:`~trtdoctor.planned.PlannedError` for a plan without pip."""
    return "\n".join([*head(plan), *lines(plan, hashes=False)]) + "\n"
