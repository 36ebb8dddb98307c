"""bandersnatch: the lines for its configuration, and ``wheels.txt`` for what it cannot fetch.

Sources: bandersnatch's allowlist_name.py, mirror.py and example.conf at 6c22dfd (2026-08-17). Measured with 6.8.0, run
with what is made here against an index with TLS on this machine: exactly these releases came; a release that was added
to the list later came with ``sync``, not with ``mirror``; one that was taken from it went from the page.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from trtdoctor.mirror.emit import EmitOptions
from trtdoctor.mirror.emit.head import head
from trtdoctor.mirror.emit.names import checked, place
from trtdoctor.mirror.wants import SyncItem

WHEELS = "wheels.txt"


def emit(items: Sequence[SyncItem], options: EmitOptions) -> str:
    """The INI sections ``plugins`` and ``allowlist``, to be merged into those of the mirror."""
    found = checked(items)
    notes = [
        "Merge this into the mirror's bandersnatch.conf; its [mirror] (directory, master, workers) stays as it is.",
        "Add to an allowlist, do not replace it: a release that it does not name goes from the mirror's pages.",
        "bandersnatch mirror passes over a project that did not change since: sync asks for these by name.",
        *(f"The master of {source}: {address}" for source, address in _masters(found)),
    ]
    if any(item.origin for item in found):
        notes.append(f"bandersnatch mirrors a stub, not the wheel that its build fetches: those stand in {WHEELS}.")
    projects = sorted({item.project for item in found if item.origin is None})
    run = shlex.join(["bandersnatch", "-c", "bandersnatch.conf", "sync", *projects]) if projects else ""
    lines = head("bandersnatch", options, *notes, run=run)
    lines += [
        "[plugins]",
        "enabled =",
        "    allowlist_project",
        "    allowlist_release",
        "",
        "[allowlist]",
        "packages =",
    ]
    for item in found:
        pin = f"    {item.project}=={item.version}"
        if item.origin is None and pin not in lines:
            lines.append(pin)
    return "\n".join(lines) + "\n"


def wheels(items: Sequence[SyncItem], options: EmitOptions) -> str:
    """``wheels.txt``: address, SHA-256 and size of each file that comes from an index behind stubs; ``-`` for unknown.

    Addresses are made as that index lays its files out, beside the page of the project: NVIDIA's does.
    """
    lines = [*head("bandersnatch", options, "address, SHA-256, size in bytes; - where it is not known")]
    for item in checked(items):
        for name, size, sha256 in sorted(item.files) if item.origin else ():
            lines.append(f"{place(item.origin or '').url}/{item.project}/{name} {sha256 or '-'} {size or '-'}")
    return "\n".join(lines) + "\n"


def _masters(found: Sequence[SyncItem]) -> list[tuple[str, str]]:
    made = {(item.source, place(item.upstream).url.removesuffix("/simple")) for item in found if item.origin is None}
    return sorted(made)
