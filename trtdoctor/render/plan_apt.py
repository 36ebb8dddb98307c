"""A plan as commands for apt: exact versions, then the hold that keeps them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from trtdoctor.planned import Planned, PlannedError
from trtdoctor.render.plan_comments import comments

KEYRING = "cuda-keyring.deb"


def render(plan: Planned) -> str:
    """A shell script. Raises :class:`~trtdoctor.planned.PlannedError` for a plan without apt."""
    if not plan.apt:
        raise PlannedError(f"this plan installs nothing by apt (it is for {plan.install})")
    names = " ".join(shlex.quote(name) for name, _ in plan.apt)
    pairs = " ".join(shlex.quote(f"{name}={version}") for name, version in plan.apt)
    lines = [
        "#!/bin/sh",
        *comments(plan),
        "# Run it as root. The first steps set NVIDIA's repository up; again they do no harm.",
        "set -e",
        *repository(plan),
        "apt-get update",
        f"apt-get install -y --allow-downgrades --allow-change-held-packages {pairs}",
        f"apt-mark hold {names}",
    ]
    return "\n".join(lines) + "\n"


def repository(plan: Planned) -> Iterator[str]:
    """The commands that set NVIDIA's repository up: of a file from elsewhere only those that this program writes."""
    yield from (text for kind, text in plan.commands if kind == "shell" and KEYRING in text)
