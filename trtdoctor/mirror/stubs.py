"""Stubs on a Python index: which versions are stubs, and whether their wheels can be had.

Facts from the source of wheel-stub 0.5.0 and nvidia-stub 0.1.8, measured with the former: the build asks one index for
the project's page, takes a wheel of just that version from it, and has no credentials to give.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from trtdoctor.matrix import Matrix, wheels
from trtdoctor.mirror.index import Pages
from trtdoctor.mirror_facts import MirrorFile, MirrorItem
from trtdoctor.versions import Version

STUB_BYTES = 100_000
"""A source archive of libraries that is smaller holds none of them."""
_HERE = ("both", "mirror")
_FOR_GOOD = ("denied", "other-kind")
"""Why a page does not come, and will not when it is asked again."""


class Wheels:
    """The index that stubs fetch their wheels from."""

    def __init__(self, pages: Pages) -> None:
        """``pages`` as they were given to wheel-stub's way of asking."""
        self._pages = pages

    def of(self, project: str, version: str) -> list[MirrorFile] | None:
        """The wheels of a version; None where that could not be told."""
        page = self._pages.pages.get(project)
        if page is None:
            return None if self.why_not(project) else []
        found = [file for file in page.files if file.name.endswith(".whl") and _same(file.version, version)]
        return [MirrorFile(file.name, file.size, file.sha256, file.uploaded, file.yanked or None) for file in found]

    def why_not(self, project: str) -> str | None:
        """Why it could not be told."""
        return self._pages.failed.get(project, self._pages.failed.get(""))

    def refuses(self, project: str) -> bool:
        """Whether it will never give the page to a stub."""
        return self._kind(project) in _FOR_GOOD

    def wants_login(self, project: str) -> bool:
        """Whether that is for want of credentials."""
        return self._kind(project) == "denied"

    def _kind(self, project: str) -> str | None:
        return self._pages.kinds.get(project, self._pages.kinds.get(""))


def may_be_stub(matrix: Matrix, project: str) -> bool:
    """Whether versions of a project are stubs, or may be: of libraries that the matrix calls so, or lists none of."""
    known = wheels.versions(matrix, project)
    if not known:
        return project.startswith("tensorrt-") and project.endswith("-libs")
    rows = (wheels.of(matrix, project, Version.parse(version)) for version in known)
    return any(row is not None and wheels.kind(row) == "stub" for row in rows)


def is_stub(matrix: Matrix, item: MirrorItem) -> bool:
    """Whether a version is a stub: by the matrix; one that it does not list, as a small source archive of libraries."""
    project, version = item.project or "", Version.maybe(item.version)
    if version is None:
        return False
    row = wheels.of(matrix, project, version)
    if row is not None:
        return wheels.kind(row) == "stub"
    if not may_be_stub(matrix, project) or not project.endswith("-libs") or not item.files:
        return False
    on_upstream = [file for file in item.files if file.on != "mirror"]  # a mirror may hold the wheel beside the stub
    return all(
        not file.name.endswith(".whl") and (file.size is None or file.size < STUB_BYTES)
        for file in on_upstream or item.files
    )


def behind(item: MirrorItem, there: Wheels, own: Wheels | None, wanted: Callable[[str], bool]) -> MirrorItem:
    """A stub with the wheels behind it, and its state where those cannot be had.

    ``own`` is NVIDIA's own index where stubs here use another; ``wanted`` tells which names a mirror must have.
    """
    project, version = item.project or "", item.version or ""
    found, above = there.of(project, version), own.of(project, version) if own is not None else None
    names = {file.name for file in found or ()}
    more = [file for file in above or () if file.name not in names]
    files = (
        *item.files,
        *(replace(file, on="wheels") for file in found or ()),
        *(replace(file, on="upstream-wheels") for file in more),
    )
    told = replace(item, files=files)
    here = [file for file in item.files if file.on in _HERE]
    if not here or any(file.name.endswith(".whl") for file in here):
        return told  # nothing to build, or the mirror has the wheel itself, which installers prefer
    lacking = tuple(file.name for file in more if wanted(file.name))
    if found is None and not there.refuses(project):
        detail = f"the stub is there; the index of its wheel could not be asked: {there.why_not(project)}"
        return replace(told, state="unknown", detail=detail)
    if not found:
        detail = "the index that its build asks has no wheel of it"
        if there.wants_login(project):
            detail = "the index that its build asks for the wheel wants credentials, which a stub cannot give"
        elif found is None:
            detail = f"the index that its build asks for the wheel is no use to it: {there.why_not(project)}"
        return replace(told, state="stub-only", evidence="files", detail=detail, missing=lacking)
    if lacking and told.state in ("same", "present"):
        return replace(told, state="missing-platform", evidence="files", missing=lacking)
    return told


def _same(one: str, other: str) -> bool:
    from packaging.version import InvalidVersion
    from packaging.version import Version as Packaged

    try:
        return Packaged(one) == Packaged(other)
    except InvalidVersion:
        return False
