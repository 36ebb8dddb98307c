"""A plan as a requirements file: every pin, with hashes where every file of it is recorded."""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.planned import Planned, PlannedError, PlannedFile
from trtdoctor.render.plan_comments import comments


def render(plan: Planned, *, offline: bool = False) -> str:
    """The text for ``pip install -r``; ``offline`` names no index. Raises :class:`PlannedError` without pip."""
    named = {"--index-url": plan.index, "--extra-index-url": plan.extra_index} if not offline else {}
    options = [f"{option} {address}" for option, address in named.items() if address]
    return "\n".join([*head(plan), *options, *lines(plan, hashes=True)]) + "\n"


def head(plan: Planned) -> Iterator[str]:
    """Comments that every such file begins with."""
    if not plan.pins:
        raise PlannedError(f"this plan installs nothing by pip (it is for {plan.install})")
    yield from comments(plan)
    if plan.python:
        yield f"# for Python {plan.python}"
    if plan.driver_floor:
        yield f"# needs driver {plan.driver_floor} or newer"


def lines(plan: Planned, *, hashes: bool) -> Iterator[str]:
    """One line a distribution: the pins, then what they need as far as the plan has fetched it.

    Hashes only where each has one and none is a stub: pip wants all or none, and a stub's hash says nothing of the
    wheel that its build fetches.
    """
    files: dict[str, list[PlannedFile]] = {}
    for item in plan.files:
        if item.distribution and not item.is_for_build:
            files.setdefault(item.distribution, []).append(item)
    pins = dict(plan.pins)
    for name, found in files.items():
        if found[0].version:
            pins.setdefault(name, found[0].version)
    whole = hashes and all(_is_whole(files.get(name, ())) for name, version in pins.items() if "+" not in version)
    if hashes and not whole:
        stubs = sorted({item.distribution or item.name for item in plan.files if item.stub})
        reason = f"the wheel behind {', '.join(stubs)} is not recorded" if stubs else "not every file is recorded"
        yield f"# without hashes: {reason} (trtdoctor plan fetch records them)"
    for name, version in pins.items():
        if hashes and "+" in version:
            yield f"# from the project's own index of such builds: {name}=={version}"
            continue
        digests = [item.sha256 for item in files.get(name, ()) if item.sha256]
        tail = "".join(f" \\\n    --hash=sha256:{digest}" for digest in digests) if whole else ""
        yield f"{name}=={version}{tail}"


def _is_whole(found: list[PlannedFile] | tuple[()]) -> bool:
    return bool(found) and all(item.sha256 and not item.stub for item in found)
