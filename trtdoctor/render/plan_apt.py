"""A plan as commands for apt: exact versions, then the hold that keeps them."""

from __future__ import annotations

import shlex

from trtdoctor.planned import Planned, PlannedError
from trtdoctor.render.plan_comments import comment, comments


def render(plan: Planned) -> str:
    """A shell script. Raises :class:`~trtdoctor.planned.PlannedError` for a plan without apt."""
    if not plan.apt:
        raise PlannedError(f"this plan installs nothing by apt (it is for {plan.install})")
    names = " ".join(shlex.quote(name) for name, _ in plan.apt)
    pairs = " ".join(shlex.quote(f"{name}={version}") for name, version in plan.apt)
    repository = [text for kind, text in plan.commands if kind == "shell" and "cuda-keyring" in text]
    lines = [
        "#!/bin/sh",
        *comments(plan),
        "# NVIDIA's repository must be set up (package cuda-keyring); run as root.",
        "set -e",
        *map(comment, repository),
        "apt-get update",
        f"apt-get install -y --allow-downgrades --allow-change-held-packages {pairs}",
        f"apt-mark hold {names}",
    ]
    return "\n".join(lines) + "\n"
