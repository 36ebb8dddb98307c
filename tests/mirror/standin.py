"""Stands in for a kind that a test looks at: its ``look`` does what the id of the mirror says."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime

from trtdoctor.config.mirrors import Mirror
from trtdoctor.matrix import Matrix
from trtdoctor.mirror_facts import MirrorSource
from trtdoctor.net.credentials import CredentialsError
from trtdoctor.net.http import Client

MAKE: dict[str, Callable[[], MirrorSource]] = {}
"""Id to what a look finds; ids beginning with ``hang``, ``crash``, ``denied`` and ``exit`` do that."""
CLIENTS: dict[str, Client] = {}


def look(
    mirror: Mirror,
    matrix: Matrix,
    client: Client,
    *,
    before: MirrorSource | None,
    now: datetime,
    environ: Mapping[str, str],
) -> MirrorSource:
    CLIENTS[mirror.id] = client
    if mirror.id.startswith("hang"):
        time.sleep(60)
    if mirror.id.startswith("crash"):
        raise KeyError("https://u:s3cret@h.example/?k=s3cret \x1b[2J")
    if mirror.id.startswith("exit"):
        raise SystemExit(3)
    if mirror.id.startswith("denied"):
        raise CredentialsError("the environment variable ABSENT, which is to hold a credential, is not set")
    return MAKE[mirror.id]()
