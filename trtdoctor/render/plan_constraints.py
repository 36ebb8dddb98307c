"""A plan as a constraints file: it installs nothing, and holds what is installed at the planned versions."""

from __future__ import annotations

from trtdoctor.planned import Planned
from trtdoctor.render.plan_requirements import head, lines


def render(plan: Planned) -> str:
    """The text for ``pip install -c``. Raises :class:`~trtdoctor.planned.PlannedError` for a plan without pip."""
    comments = [line for line in head(plan) if line.startswith("#")]  # options do not belong into constraints
    return "\n".join([*comments, *lines(plan, hashes=False)]) + "\n"
