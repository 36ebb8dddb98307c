"""A plan as a requirements file: every pin, with hashes where every file of it is recorded."""

from __future__ import annotations

from collections.abc import Iterator

from trtdoctor.planned import Planned, PlannedError, PlannedFile


def render(plan: Planned) -> str:
    """The text for ``pip install -r``. Raises :class:`PlannedError` for a plan without pip."""
    return "\n".join([*head(plan), *lines(plan, hashes=True)]) + "\n"


def head(plan: Planned) -> Iterator[str]:
    """Comments and options that every such file begins with."""
    if not plan.pins:
        raise PlannedError(f"this plan installs nothing by pip (it is for {plan.install})")
    yield f"# {plan.title}; trtdoctor {plan.program}, matrix {plan.matrix}, {plan.made}"
    if plan.python:
        yield f"# for Python {plan.python}"
    if plan.driver_floor:
        yield f"# needs driver {plan.driver_floor} or newer"
    if plan.extra_index:
        yield f"--extra-index-url {plan.extra_index}"


def lines(plan: Planned, *, hashes: bool) -> Iterator[str]:
    """One line a pin. Hashes only where each pin has one and none is a stub: pip wants all or none.

    A stub's hash says nothing of the wheel that its build fetches.
    """
    files: dict[str, list[PlannedFile]] = {}
    for item in plan.files:
        files.setdefault(item.distribution or "", []).append(item)
    whole = hashes and all(
        any(item.sha256 and not item.stub for item in files.get(name, ())) and not _any_stub(files.get(name, ()))
        for name, _ in plan.pins
    )
    if hashes and not whole:
        stubs = sorted({item.distribution or item.name for item in plan.files if item.stub})
        reason = f"the wheel behind {', '.join(stubs)} is not recorded" if stubs else "not every file is recorded"
        yield f"# without hashes: {reason} (trtdoctor plan fetch records them)"
    for name, version in plan.pins:
        digests = [item.sha256 for item in files.get(name, ()) if item.sha256]
        tail = "".join(f" \\\n    --hash=sha256:{digest}" for digest in digests) if whole else ""
        yield f"{name}=={version}{tail}"


def _any_stub(found: object) -> bool:
    return isinstance(found, list) and any(item.stub for item in found)
