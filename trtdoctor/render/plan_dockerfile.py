"""A plan as the lines of a Dockerfile: the image itself, or what is installed into one."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from trtdoctor.lazyre import pattern
from trtdoctor.planned import Planned, PlannedError
from trtdoctor.render.plan_apt import KEYRING, repository
from trtdoctor.render.plan_comments import comment, comments

_SYSTEM = pattern(r"(?:ubuntu|debian):[0-9]{1,2}(?:\.[0-9]{2})?")

_DRIVER = (
    "# The host's driver is mounted by the NVIDIA container toolkit.",
    "ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility",
)


def render(plan: Planned) -> str:
    """The whole file. Raises :class:`~trtdoctor.planned.PlannedError` for a plan that no image can hold."""
    lines = [*comments(plan)]
    if plan.driver_floor:
        lines.append(f"# The host needs driver {plan.driver_floor} or newer: docker run --gpus all")
    if plan.install == "keep" and not plan.image:
        raise PlannedError("this plan changes what is there, which a Dockerfile does not know")
    if plan.image:
        lines.append(f"FROM {plan.image}")
        lines += _pip(plan) if plan.pins else []
    elif plan.apt and plan.install != "jetpack":
        lines += _apt(plan)
        if plan.pins:
            lines.append("# Beside it by pip: trtdoctor plan --render requirements")
    elif plan.pins:
        lines += [f"FROM python:{plan.python or '3.12'}-slim", *_DRIVER]
        lines += _pip(plan)
    else:
        raise PlannedError(f"this plan puts nothing into an image (it is for {plan.install})")
    return "\n".join(lines) + "\n"


def _pip(plan: Planned) -> Iterator[str]:
    here = [f"{name}=={version}" for name, version in plan.pins if "+" not in version]
    for name, version in plan.pins:
        if "+" in version:
            yield f"# From the project's own index of such builds: {name}=={version}"
    if here:
        extra = f"--index-url {shlex.quote(plan.index)} " if plan.index else ""
        extra += f"--extra-index-url {shlex.quote(plan.extra_index)} " if plan.extra_index else ""
        pins = " \\\n    ".join(map(shlex.quote, here))
        yield f"RUN python3 -m pip install --no-cache-dir {extra}\\\n    {pins}"


def _apt(plan: Planned) -> Iterator[str]:
    words = [word for text in repository(plan) for word in text.split()]
    address = next((word for word in words if word.startswith("https://") and word.endswith(".deb")), None)
    system, _, release = str((plan.environment or {}).get("os", "")).partition("-")
    names = " ".join(shlex.quote(item) for item, _ in plan.apt)
    pairs = " \\\n    ".join(shlex.quote(f"{item}={version}") for item, version in plan.apt)
    if address is not None and _SYSTEM.fullmatch(f"{system}:{release}"):
        yield f"FROM {system}:{release}"
        yield f"ADD {address} /tmp/{KEYRING}"
        yield "# The system's own certificates, to reach NVIDIA's repository: any version will do."
        yield "# hadolint ignore=DL3008"
        yield (
            "RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates \\\n"
            f" && dpkg -i /tmp/{KEYRING} && rm -rf /tmp/{KEYRING} /var/lib/apt/lists/*"
        )
    else:
        yield comment(f"BASE: an image of {system} {release} with NVIDIA's apt repository")
        yield "ARG BASE"
        yield "FROM ${BASE}"
    yield from _DRIVER
    yield (
        "RUN apt-get update && apt-get install -y --no-install-recommends --allow-change-held-packages \\\n"
        f"    {pairs} \\\n && apt-mark hold {names} \\\n && rm -rf /var/lib/apt/lists/*"
    )
