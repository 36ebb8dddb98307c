"""What is to be brought from upstream to a mirror, as plain data: the input of every emitter of configuration."""

from __future__ import annotations

from trtdoctor.record import record


@record
class SyncItem:
    """One thing that upstream has, the mirror lacks, the policy allows and the fleet can use."""

    source: str
    """Id of the pair of upstream and mirror."""
    kind: str
    """``oci``, ``pypi`` or ``apt``."""
    upstream: str
    """Address of the upstream repository or index."""
    mirror: str
    project: str
    """Repository of the image, distribution, or apt package."""
    version: str
    """Tag, or version."""
    digest: str | None = None
    """Of upstream's image, ``sha256:…``."""
    platforms: tuple[str, ...] = ()
    """Of the image: ``linux/amd64``; empty for all."""
    files: tuple[tuple[str, int | None, str | None], ...] = ()
    """Name, size in bytes, SHA-256 of the files that are missing."""
    why: str = ""
    """Why it is wanted, half a sentence."""
    origin: str | None = None
    """Where the files come from where that is not ``upstream``: the index behind stubs."""
