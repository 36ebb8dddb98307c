"""Which matrix ``matrix update`` installed: asked at each start where there is one, so it reads one small file."""

from __future__ import annotations

import json
import os
import re
from typing import Any

from trtdoctor import __version__
from trtdoctor.lazyre import pattern
from trtdoctor.matrix.load import FILES, POINTER, VERSION, MatrixError, digest_from
from trtdoctor.record import record
from trtdoctor.versions import Version

FOLDER = pattern(r"[0-9.]{8,20}-[0-9a-f]{64}", re.ASCII)
"""Name of an installed matrix's folder: its version and the SHA-256 of its manifest."""


class UnusableError(MatrixError):
    """There is an updated matrix, but this program cannot use it; the message says why."""


@record
class Installed:
    """An updated matrix that may be loaded."""

    directory: str
    version: str
    digest: str
    """The digest that its files must have."""


def current(directory: str, at_least: str) -> Installed | None:
    """What the pointer in ``directory`` names; None when it is older than the version ``at_least``.

    Raises :class:`UnusableError` when the pointer makes no sense or needs a newer program or other files.
    """
    pointer = _read(os.path.join(directory, POINTER))
    try:
        folder, version, needs = pointer["folder"], pointer["version"], pointer["needs_program"]
        digests = {name: bytes.fromhex(pointer["files"][f"{name}.yaml"]) for name in FILES}
        sound = FOLDER.fullmatch(folder) and VERSION.fullmatch(version)
    except KeyError as error:
        raise UnusableError(f"it has no {error.args[0]}, which this program needs") from None
    except (TypeError, ValueError, AttributeError):
        sound = None
    if not sound:
        raise UnusableError(f"{POINTER} in {directory} is damaged")
    if calendar(version) < calendar(at_least):
        return None
    if too_new(needs):
        raise UnusableError(f"it needs trtdoctor {needs}, this is {__version__}")
    return Installed(os.path.join(directory, folder), version, digest_from(version, digests))


def calendar(version: str) -> tuple[int, ...]:
    """A matrix version to sort by."""
    return tuple(int(part) for part in version.split("."))


def too_new(needs_program: Any) -> bool:
    """Whether a matrix that needs this version of the program is beyond us."""
    wanted = Version.maybe(needs_program)
    return wanted is None or Version.parse(__version__).sort_key() < wanted.sort_key()


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as stream:
            document = json.loads(stream.read(1 << 20))
    except (OSError, ValueError, RecursionError) as error:
        raise UnusableError(f"{path}: {getattr(error, 'strerror', None) or 'is damaged'}") from None
    if not isinstance(document, dict):
        raise UnusableError(f"{path} is damaged")
    return document
