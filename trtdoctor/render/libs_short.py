"""The paths of ``trtdoctor libs`` made short for people: the packages' directory stands once, at the head."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

from trtdoctor.resolution import Libs

SITE = "<site>"
_SITE = re.compile(r"(/.*?/(?:site|dist)-packages)/")
_FEWEST = 3

_Change = Callable[[str | None], str | None]


def shortened(libs: Libs) -> tuple[Libs, str | None]:
    """The same answer with ``<site>`` for a directory of packages that many paths begin with, and that directory.

    That is one of the Python that is looked at, where its paths are enough; else the one that most paths begin with.
    """
    straight = {
        item.path: item.realpath
        for library in libs.libraries
        for item in library.resolved
        if item.path and item.realpath and "/../" in item.path  # as search-path entries make them
    }
    libs = _changed(libs, lambda path: straight.get(path, path) if path else path)
    sites = Counter(match[1] for path in _paths(libs) if (match := _SITE.match(path)))
    prefix = str((libs.interpreter or {}).get("path") or "").rpartition("/bin/")[0]
    own = Counter({site: times for site, times in sites.items() if prefix and site.startswith(f"{prefix}/lib")})
    site, times = own.most_common(1)[0] if max(own.values(), default=0) >= _FEWEST else _most(sites)
    if times < _FEWEST:
        return libs, None
    begins = f"{site}/"
    return _changed(libs, lambda path: SITE + path[len(site) :] if path and path.startswith(begins) else path), site


def _most(sites: Counter[str]) -> tuple[str, int]:
    return sites.most_common(1)[0] if sites else ("", 0)


def _paths(libs: Libs) -> Iterator[str]:
    for library in libs.libraries:
        for copy in library.copies:
            yield copy.path or ""
        for item in library.resolved:
            yield item.path or ""
    for absent in libs.missing:
        yield absent.needed_by or ""


def _changed(libs: Libs, change: _Change) -> Libs:
    return replace(
        libs,
        libraries=tuple(
            replace(
                library,
                copies=tuple(
                    replace(
                        copy,
                        path=change(copy.path),
                        realpath=change(copy.realpath),
                        loses_to=tuple(change(path) or path for path in copy.loses_to),
                    )
                    for copy in library.copies
                ),
                resolved=tuple(
                    replace(
                        item,
                        path=change(item.path),
                        realpath=change(item.realpath),
                        needed_by=change(item.needed_by),
                        predicted=change(item.predicted),
                    )
                    for item in library.resolved
                ),
            )
            for library in libs.libraries
        ),
        missing=tuple(replace(item, path=change(item.path), needed_by=change(item.needed_by)) for item in libs.missing),
    )
