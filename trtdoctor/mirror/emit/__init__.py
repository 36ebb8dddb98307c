"""Configuration and commands of sync tools, for exactly the items that are given: one module a tool.

Each module has ``emit(items, options) -> str``: a pure function, the same text for the same items in whatever order,
its first line a comment with trtdoctor's version and a digest of the policy (JSON has it in a description). A name
that its field cannot hold is refused with :class:`~trtdoctor.mirror.emit.names.EmitError`; see
:func:`~trtdoctor.mirror.emit.names.sound`.
"""

from __future__ import annotations

from collections.abc import Sequence

from trtdoctor.config.mirrors import Mirror
from trtdoctor.mirror.wants import SyncItem
from trtdoctor.policy import Policy
from trtdoctor.record import record

TOOLS = {
    "skopeo": "oci",
    "regsync": "oci",
    "harbor": "oci",
    "bandersnatch": "pypi",
    "pip-download": "pypi",
    "aptly": "apt",
}
"""Tool to the kind of item that it brings."""
APPLIED = ("skopeo", "pip-download")
"""The tools that ``--apply`` can run."""


@record
class EmitOptions:
    """What an emitter must know beside its items."""

    policy: Policy = Policy()
    tag_template: str | None = None
    """What images are called on the mirror: ``{repository}-{tag}``; None for upstream's tags."""
    mirrors: tuple[Mirror, ...] = ()
    """The tables of the sources, for the names of the variables that hold logins, and for TLS."""
    registry_id: int = 0
    """The number that Harbor gave to the endpoint of upstream; 0 where nobody said."""
    into: str = "wheels"
    """Where ``pip download`` puts files."""
    stubs: tuple[str, ...] = ()
    """Distributions that are known to be stubs on the index, by their normalised names."""
    accounts: tuple[tuple[str, str], ...] = ()
    """Host and the name that goes with a token there: that of nvcr.io."""


def emit(tool: str, items: Sequence[SyncItem], options: EmitOptions) -> str:
    """What ``tool``, one of :data:`TOOLS`, takes for those of the items that are of its kind.

    Raises :class:`~trtdoctor.mirror.emit.names.EmitError` for what the tool cannot do.
    """
    from importlib import import_module

    module = import_module(f"trtdoctor.mirror.emit.{tool.replace('-', '_')}")
    made: str = module.emit([item for item in items if item.kind == TOOLS[tool]], options)
    return made
