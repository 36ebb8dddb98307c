"""How musl's dynamic loader knows an object again: by the name of its file, never by its soname.

Source: musl ldso/dynlink.c (``load_library``).
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trtdoctor.probes.loader.process import Mapped
    from trtdoctor.probes.loader.system import System

_ITSELF = re.compile(r"lib(?:c|pthread|rt|m|dl|util|xnet)\..*")
"""What musl's one file stands for."""


def known(name: str, objects: list[Mapped], system: System) -> Mapped | None:
    """The object that a request for ``name`` gets without a search: the C library, or one found by that name."""
    if _ITSELF.match(name) or name == system.interpreter:
        return next((item for item in objects if item.path == system.interpreter), None)
    return None if "/" in name else next((item for item in objects if name in item.names), None)


def names_of(name: str, path: str) -> set[str]:
    """A library that was searched for is known by its file's name; one that was opened by path by none."""
    return set() if "/" in name else {os.path.basename(path)}


def name_again(mapped: Mapped, name: str) -> None:
    """A search that ends at a file that is mapped already gives that its name."""
    mapped.names |= names_of(name, mapped.path)
