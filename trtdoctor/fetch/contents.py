"""What a wheel or a source archive says of itself: its requirements, what its build needs, whether it is a stub.

Nothing is unpacked and nothing of it is run. Sources: "Core metadata" and "pyproject.toml" of the Python Packaging User
Guide; the source of wheel-stub 0.5.0 and nvidia-stub 0.1.8 (``[tool.wheel_stub] index_url``, NVIDIA's own otherwise).
"""

from __future__ import annotations

import errno
import lzma
import struct
import tarfile
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Any

from trtdoctor.net.http import NetError
from trtdoctor.record import record
from trtdoctor.requirements import toml
from trtdoctor.requirements.files import FileError

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_MOST_METADATA = 4 << 20
_MOST_MEMBERS = 5000
_STUBS = {"wheel_stub": "WHEEL_STUB_PIP_INDEX_URL", "nvidia_stub": "NVIDIA_PIP_INDEX_URL"}
"""Build backends of stubs, to the variable that names another index to them."""
_NVIDIA = "https://pypi.nvidia.com"
"""Where they go otherwise."""
_BROKEN = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error, OSError),
    *(EOFError, NotImplementedError, RuntimeError, ValueError, OverflowError, IndexError),
)
"""What reading an archive raises that somebody made or broke: of its form, its names, its numbers, its packing."""
_OLD_BUILD = ("setuptools>=40.8.0",)
"""What pip takes where no ``pyproject.toml`` says it (pip's documentation, "Build System Interface")."""


class ContentError(ValueError):
    """The file is not what its name says; the message is half a sentence."""


@record
class Stub:
    """Where the build of a stub fetches the wheel."""

    index: str
    variable: str
    """The environment variable that names another index."""


@record
class Archive:
    """What a source archive says."""

    requires: tuple[Requirement, ...] | None
    """None where only a build would tell."""
    build_requires: tuple[Requirement, ...]
    stub: Stub | None = None
    """None for what is no stub."""


def of_wheel(file: str | IO[bytes]) -> tuple[Requirement, ...]:
    """The requirements of a wheel. Raises :class:`ContentError`, OSError, and what reading ``file`` raises."""
    try:
        with zipfile.ZipFile(file) as archive:
            return of_metadata(_metadata(archive))
    except (ContentError, NetError):
        raise
    except _BROKEN as error:
        raise _complaint(error, "it is no wheel") from None


def _metadata(archive: zipfile.ZipFile) -> bytes:
    names = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith(".dist-info/METADATA")]
    if len(names) != 1:
        raise ContentError("it is no wheel: it has no metadata")
    with archive.open(names[0]) as stream:
        return stream.read(_MOST_METADATA)


def _complaint(error: Exception, what: str) -> Exception:
    """That the file is none; what the system says of it is raised as it is.

    An OSError without a number is of what unpacks, and a place before the start of a file is one that an archive named.
    """
    if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
        return error
    return ContentError(f"{what}: {type(error).__name__}")


def of_metadata(content: bytes) -> tuple[Requirement, ...]:
    """The requirements in core metadata. Raises :class:`ContentError`."""
    return _requirements(_parsed(content).get("requires_dist", []))


def _parsed(content: bytes) -> dict[str, Any]:
    from packaging.metadata import parse_email

    raw, _ = parse_email(content)
    if not raw.get("name"):
        raise ContentError("its metadata name nothing")
    return dict(raw)


def of_archive(path: str) -> Archive:
    """What a source archive says. Raises :class:`ContentError` and OSError."""
    try:
        with tarfile.open(path, "r:*") as archive:
            found = {"PKG-INFO": b"", "pyproject.toml": b""}
            for number, member in enumerate(archive):
                directory, _, name = member.name.removeprefix("./").rpartition("/")
                if number > _MOST_MEMBERS or all(found.values()):
                    break
                if name in found and "/" not in directory and member.isfile() and member.size < _MOST_METADATA:
                    stream = archive.extractfile(member)
                    found[name] = stream.read() if stream is not None else b""
    except _BROKEN as error:
        raise _complaint(error, "it is no source archive") from None
    try:
        project = toml.parse(found["pyproject.toml"].decode("utf-8", "replace"), "its pyproject.toml")
    except FileError as error:
        raise ContentError(str(error)) from None
    system = _table(project, "build-system")
    stated = system.get("requires")
    build = _requirements(stated if isinstance(stated, list) else list(_OLD_BUILD))
    return Archive(_requires(found["PKG-INFO"]), build, _stub(project, system))


def _requires(content: bytes) -> tuple[Requirement, ...] | None:
    """Of ``PKG-INFO``, which can be relied upon from 2.2 on, for what it does not call dynamic (PEP 643)."""
    if not content:
        return None
    raw = _parsed(content)
    version = str(raw.get("metadata_version", "1.0")).split(".")
    dynamic = {str(name).lower() for name in raw.get("dynamic", [])}
    reliable = [int(part) if part.isdecimal() else 0 for part in version[:2]] >= [2, 2]
    return _requirements(raw.get("requires_dist", [])) if reliable and "requires-dist" not in dynamic else None


def _stub(project: dict[str, Any], system: dict[str, Any]) -> Stub | None:
    backend = str(system.get("build-backend") or "").partition(".")[0]
    if backend not in _STUBS:
        return None
    stated = _table(_table(project, "tool"), backend).get("index_url")
    return Stub(stated.rstrip("/") if isinstance(stated, str) and stated else _NVIDIA, _STUBS[backend])


def _table(document: dict[str, Any], key: str) -> dict[str, Any]:
    found = document.get(key)
    return found if isinstance(found, dict) else {}


def _requirements(texts: list[Any]) -> tuple[Requirement, ...]:
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        return tuple(Requirement(str(text)) for text in texts)
    except InvalidRequirement as error:
        raise ContentError(f"a requirement of it cannot be read: {str(error).splitlines()[0]}") from None
