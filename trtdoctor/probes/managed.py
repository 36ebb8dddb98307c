"""Whether pip installs into a Python: its distribution may keep pip out (PEP 668), and pip may be told not to care."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from trtdoctor.probes.base import ProbeContext
from trtdoctor.probes.searchpaths import exists, read_text

_SETTING = re.compile(r"^\s*break[-_]system[-_]packages\s*[=:]\s*(\S+)", re.MULTILINE)
_YES = ("1", "y", "yes", "t", "true", "on")
"""What pip takes for yes, in any case of letters."""


def managed(context: ProbeContext, path: str, version: str | None) -> bool | None:
    """Whether pip stays out of the Python at ``path``; None where its standard library is not found.

    The marker lies in the standard library; in a virtual environment it does not count. Images, NVIDIA's among them,
    often set ``PIP_BREAK_SYSTEM_PACKAGES``, and pip goes by that.
    """
    prefix = os.path.dirname(os.path.dirname(path))
    if exists(context, f"{prefix}/pyvenv.cfg"):
        return False
    minor = re.match(r"\d+\.\d+", version or "")
    libraries = [f"{prefix}/{name}/python{minor[0]}" for name in ("lib", "lib64")] if minor is not None else []
    known = [library for library in libraries if exists(context, f"{library}/os.py")]
    if not known:
        return None
    is_marked = any(exists(context, f"{library}/EXTERNALLY-MANAGED") for library in known)
    return is_marked and not _is_told_to_install(context)


def _is_told_to_install(context: ProbeContext) -> bool:
    """Whether pip's environment or else its configuration says ``break-system-packages``; the last file wins."""
    said = context.environ.get("PIP_BREAK_SYSTEM_PACKAGES")
    if not said:
        for place in _files(context):
            found = _SETTING.findall(read_text(context, place, 65536) or "")
            said = found[-1] if found else said
    return bool(said) and str(said).lower() in _YES


def _files(context: ProbeContext) -> Iterator[str]:
    """Where pip looks on Linux, in its order."""
    home = context.environ.get("HOME")
    yield from ("/etc/xdg/pip/pip.conf", "/etc/pip.conf")
    if home:
        yield from (f"{home}/.pip/pip.conf", f"{home}/.config/pip/pip.conf")
    if named := context.environ.get("PIP_CONFIG_FILE"):
        yield named
