"""A plan as the lines of a Dockerfile: the image itself, or what is installed into one."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from trtdoctor.planned import Planned, PlannedError
from trtdoctor.render.plan_comments import comment, comments


def render(plan: Planned) -> str:
    """The whole file. Raises :class:`~trtdoctor.planned.PlannedError` for a plan that no image can hold."""
    lines = [*comments(plan)]
    if plan.driver_floor:
        lines.append(f"# The host needs driver {plan.driver_floor} or newer: docker run --gpus all")
    if plan.image:
        lines.append(f"FROM {plan.image}")
    elif plan.pins:
        lines += _pip(plan)
    elif plan.apt:
        lines += _apt(plan)
    else:
        raise PlannedError(f"this plan puts nothing into an image (it is for {plan.install})")
    return "\n".join(lines) + "\n"


def _pip(plan: Planned) -> Iterator[str]:
    yield f"FROM python:{plan.python or '3.12'}-slim"
    yield "# The host's driver is mounted by the NVIDIA container toolkit."
    yield "ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility"
    extra = f"--extra-index-url {shlex.quote(plan.extra_index)} " if plan.extra_index else ""
    pins = " \\\n    ".join(shlex.quote(f"{name}=={version}") for name, version in plan.pins)
    yield f"RUN python -m pip install --no-cache-dir {extra}\\\n    {pins}"


def _apt(plan: Planned) -> Iterator[str]:
    system = str((plan.environment or {}).get("os", ""))
    name, _, release = system.partition("-")
    toolkit = plan.cuda or ""
    base = f"an image of {name} {release} with NVIDIA's apt repository, such as one of nvidia/cuda {toolkit}"
    yield comment(f"BASE: {base}")
    yield "ARG BASE"
    yield "FROM ${BASE}"
    names = " ".join(shlex.quote(item) for item, _ in plan.apt)
    pairs = " \\\n    ".join(shlex.quote(f"{item}={version}") for item, version in plan.apt)
    yield (
        "RUN apt-get update && apt-get install -y --no-install-recommends --allow-change-held-packages \\\n"
        f"    {pairs} \\\n && apt-mark hold {names} \\\n && rm -rf /var/lib/apt/lists/*"
    )
