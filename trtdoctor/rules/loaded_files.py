"""The files that the loader gave: their places, what they are, and the copies on disk beside them. No rule is here."""

from __future__ import annotations

from trtdoctor.matrix import Matrix, libraries
from trtdoctor.rules.base import Context
from trtdoctor.snapshot import Copy, Loaded
from trtdoctor.versions import Version

NUMBERED_LIKE_CUDA = ("cuda", "cublas", "nvrtc", "nvjitlink")
"""Components whose major is the CUDA major that they belong to."""


def base(path: str | None) -> str:
    """The file name of a path, of Windows too."""
    return (path or "").replace("\\", "/").rpartition("/")[2]


def folder(path: str | None) -> str:
    """The directory of a path, of Windows too."""
    text = path or ""
    return text[: max(text.rfind("/"), text.rfind("\\"), 0)]


def place(item: Loaded | Copy) -> str:
    """The real path of a file, else the path by which it was found."""
    return item.realpath or item.path or ""


def copy_of(context: Context, item: Loaded) -> Copy | None:
    """The copy on disk that was loaded, as the libraries' probe found it."""

    def index() -> dict[str, Copy]:
        found: dict[str, Copy] = {}
        for copy in context.snapshot.copies:
            for path in (copy.realpath, copy.path):
                if path:
                    found.setdefault(path, copy)
        return found

    copies = context.remember("copies by path", index)
    return copies.get(item.realpath or "") or copies.get(item.path or "")


def version_of(context: Context, item: Loaded) -> Version | None:
    """The version of what was loaded: of the copy on disk, else what its file name tells beyond the first number."""
    copy = copy_of(context, item)
    if copy is not None:
        return Version.maybe(copy.version)
    for path in (item.realpath, item.path):
        spec = identify(context.matrix, base(path))
        version = Version.maybe(spec.version) if spec else None
        if version is not None and len(version.parts) > 1:
            return version
    return None


def identify(matrix: Matrix, name: str) -> libraries.LibrarySpec | None:
    """What a library is by its file name, remembered: the same few names are asked for over and over."""
    return matrix.remember(("rules: library", name), lambda: libraries.identify(matrix, name))


def spec_of(matrix: Matrix, item: Loaded) -> libraries.LibrarySpec | None:
    """What a loaded library is, told by its names."""
    for name in (item.soname, base(item.path), base(item.realpath)):
        spec = identify(matrix, name) if name else None
        if spec is not None:
            return spec
    return None


def major_of(context: Context, item: Loaded) -> int | None:
    """The major in a library's soname or file name; None when neither has one."""
    spec = spec_of(context.matrix, item)
    version = Version.maybe(spec.version) if spec else None
    return version.major if version else None


def component_of(context: Context, item: Loaded) -> str | None:
    """``cudnn``, ``cublas``, …; None for a library that is none of the stack's."""
    copy = copy_of(context, item)
    if copy is not None and copy.component:
        return copy.component
    spec = spec_of(context.matrix, item)
    return spec.component if spec else None


def alike(context: Context, item: Loaded) -> list[Copy]:
    """The other usable copies of a loaded library that would answer to the same name."""
    major = major_of(context, item)

    def index() -> dict[str, list[Copy]]:
        by_name: dict[str, list[Copy]] = {}
        for copy in context.snapshot.copies:
            if copy.name and copy.role != "header" and copy.problem is None and copy.path:
                by_name.setdefault(copy.name, []).append(copy)
        return by_name

    found: dict[str, Copy] = {}
    for copy in context.remember("copies by name", index).get(item.library, ()):
        if copy.soname and item.soname and copy.soname != item.soname:
            continue  # such as what auditwheel renamed: it answers to its own name alone
        other = Version.maybe(copy.version)
        if place(copy) != place(item) and major is not None and other is not None and other.major == major:
            found.setdefault(place(copy), copy)
    return list(found.values())


def three(version: Version) -> Version:
    """The first three numbers, which name a release."""
    return Version.parse(version.short(3))
