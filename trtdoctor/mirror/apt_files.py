"""The files of an apt repository: Release (or InRelease) and Packages, read as they come, whatever is in them.

Signatures are not checked: that is apt's part, which has the keys. Sources: deb822(5), and Debian's documentation of
the repository format (wiki.debian.org/DebianRepository/Format).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import timezone
from email.utils import parsedate_to_datetime

from trtdoctor.debversion import is_version
from trtdoctor.lazyre import pattern
from trtdoctor.mirror.times import iso
from trtdoctor.record import record
from trtdoctor.text import clean

MOST_RELEASE = 4 << 20
MOST_PACKED = 50 << 20
MOST_UNPACKED = 512 << 20
"""Bytes of one list of packages, once it is unpacked."""
MOST_PACKAGES = 20_000
"""Of those that are wanted, in one list."""
_LONGEST = 1 << 20
"""Bytes of one paragraph."""
_LARGEST = 1 << 50
_BLOCK = 1 << 18
_XZ_MEMORY = 128 << 20

_NAME = pattern(r"[a-z0-9][a-z0-9+.-]{0,199}", re.ASCII)
_PATH = pattern(r"[A-Za-z0-9._+~%@=:,/-]{1,500}", re.ASCII)
_DEB = pattern(r"[A-Za-z0-9][A-Za-z0-9._+~%=:-]{0,250}\.deb", re.ASCII)
_SHA256 = pattern(r"[0-9a-fA-F]{64}", re.ASCII)
_PACKAGE = re.compile(rb"(?:\A|\n)Package:[ \t]*([!-~]{1,200})[ \t]*(?:\n|\Z)", re.IGNORECASE)
_WANTED = (b"version", b"architecture", b"filename", b"size", b"sha256")


class AptError(ValueError):
    """No such file, or it breaks a limit; the message is half a sentence."""

    def __init__(self, message: str, *, hostile: bool = False) -> None:
        super().__init__(message)
        self.hostile = hostile
        """Whether it broke a limit."""


@record
class Release:
    """What a repository says of itself."""

    date: str | None
    components: tuple[str, ...]
    architectures: tuple[str, ...]
    files: Mapping[str, tuple[str, int]]
    """Path below the Release to SHA-256 and size in bytes."""

    def lists(self) -> list[str]:
        """The lists of packages, without the ending of their packing: ``Packages``, ``main/binary-amd64/Packages``."""
        found = (name.removeprefix("./") for name in self.files)
        bare = (re.sub(r"\.(?:gz|xz|bz2|zst|lz4|lzma)$", "", name) for name in found)
        return list(dict.fromkeys(name for name in bare if name == "Packages" or name.endswith("/Packages")))

    def stated(self, name: str) -> tuple[str, int] | None:
        """SHA-256 and size of a file; None when it is not named."""
        return self.files.get(name) or self.files.get(f"./{name}")


@record
class Package:
    """One version of a package for one architecture."""

    name: str
    version: str
    architecture: str
    path: str
    """Of the file, below the root of the repository."""
    size: int | None
    sha256: str | None

    @property
    def file(self) -> str:
        """Name of the file."""
        return self.path.rpartition("/")[2]


def read_release(body: bytes) -> Release:
    """A Release, or an InRelease with its signature around it. Raises :class:`AptError` for anything else."""
    fields: dict[str, list[str]] = {}
    current: list[str] = []
    for line in _unsigned(body.decode("utf-8", "replace")).splitlines():
        if line[:1] in (" ", "\t"):
            current.append(line.strip())
        elif not line.strip():
            if fields:
                break
        else:
            name, colon, value = line.partition(":")
            if not colon or not name.isascii() or " " in name:
                raise AptError("no Release file")
            current = fields.setdefault(name.lower(), [])
            current.append(value.strip())
    if not {"sha256", "sha1", "md5sum", "date", "codename", "suite"} & set(fields):
        raise AptError("no Release file")
    files: dict[str, tuple[str, int]] = {}
    for line in fields.get("sha256", [])[:100_000]:
        digest, _, rest = line.partition(" ")
        size, _, name = rest.strip().partition(" ")
        if _SHA256.fullmatch(digest) and size.isascii() and size.isdecimal() and len(size) < 16 and _safe(name.strip()):
            files[name.strip()] = (digest.lower(), int(size))
    words = {name: tuple(clean(word, 60) for word in " ".join(fields.get(name, [])).split()[:100]) for name in _WORDS}
    date = " ".join(fields.get("date", [])[:1])
    return Release(_date(date), words["components"], words["architectures"] or words["architecture"], files)


_WORDS = ("components", "architectures", "architecture")


def _unsigned(text: str) -> str:
    """What stands between the marks of a clear signature, where there are such."""
    begin, end = "-----BEGIN PGP SIGNED MESSAGE-----", "\n-----BEGIN PGP SIGNATURE-----"
    if not text.lstrip().startswith(begin):
        return text
    head, _, rest = text.partition("\n\n")
    if begin not in head:
        raise AptError("no Release file")
    return "\n".join(line.removeprefix("- ") for line in rest.partition(end)[0].split("\n"))


def _date(text: str) -> str | None:
    try:
        found = parsedate_to_datetime(text)
        return iso(found if found.tzinfo else found.replace(tzinfo=timezone.utc))
    except (TypeError, ValueError, OverflowError, IndexError):
        return None


# -- lists of packages -------------------------------------------------------------------------------------------------


def unpacked(parts: Iterable[bytes], name: str) -> Iterator[bytes]:
    """The content of a list from its parts as they come, by the ending of its name; never much of it at once.

    Raises :class:`AptError` for what is damaged, and for more than :data:`MOST_UNPACKED` bytes.
    """
    total = 0
    for block in _of_xz(parts) if name.endswith(".xz") else _of_gzip(parts) if name.endswith(".gz") else parts:
        total += len(block)
        if total > MOST_UNPACKED:
            raise AptError(f"it is longer than {MOST_UNPACKED >> 20} MiB when it is unpacked", hostile=True)
        yield block


def _of_gzip(parts: Iterable[bytes]) -> Iterator[bytes]:
    import zlib

    unpacking, fed = zlib.decompressobj(31), False
    try:
        for part in parts:
            data = part
            while data:
                block, fed = unpacking.decompress(data, _BLOCK), True
                if block:
                    yield block
                data = unpacking.unconsumed_tail
                if unpacking.eof:
                    data, unpacking, fed = unpacking.unused_data, zlib.decompressobj(31), False
    except zlib.error:
        raise AptError("it is no gzip file, or damaged") from None
    if fed:
        raise AptError("it is cut short")


def _of_xz(parts: Iterable[bytes]) -> Iterator[bytes]:
    import lzma

    def fresh() -> lzma.LZMADecompressor:
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    unpacking, fed = fresh(), False
    try:
        for part in parts:
            data = part
            while data or not (unpacking.needs_input or unpacking.eof):
                block, fed = unpacking.decompress(data, _BLOCK), True
                if block:
                    yield block
                data = b""
                if unpacking.eof:
                    data, unpacking, fed = unpacking.unused_data.lstrip(b"\0"), fresh(), False
    except lzma.LZMAError:
        raise AptError("it is no xz file, damaged, or wants too much memory") from None
    if fed:
        raise AptError("it is cut short")


def packages(blocks: Iterable[bytes], wanted: Callable[[str], bool]) -> Iterator[Package]:
    """The packages whose names are wanted, from a list in blocks. Raises :class:`AptError` where a limit is broken."""
    count = 0
    for paragraph in _paragraphs(blocks):
        match = _PACKAGE.search(paragraph)
        name = match[1].decode("ascii").lower() if match else ""
        if _NAME.fullmatch(name) and wanted(name):
            found = _package(name, paragraph)
            if found is not None:
                count += 1
                if count > MOST_PACKAGES:
                    raise AptError(f"it has more than {MOST_PACKAGES} versions of what is looked at", hostile=True)
                yield found


def _paragraphs(blocks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for block in blocks:
        *whole, rest = (rest + block).split(b"\n\n")
        yield from whole
        if len(rest) > _LONGEST:
            raise AptError(f"one paragraph is longer than {_LONGEST >> 20} MiB", hostile=True)
    yield rest


def _package(name: str, paragraph: bytes) -> Package | None:
    fields = {}
    for line in paragraph.split(b"\n"):
        key, colon, value = line.partition(b":")
        if colon and key.lower() in _WANTED:
            fields[key.lower()] = value.strip()[:600].decode("ascii", "replace")
    version, path = fields.get(b"version", ""), fields.get(b"filename", "").removeprefix("./")
    if not is_version(version) or not _safe(path) or not _DEB.fullmatch(path.rpartition("/")[2]):
        return None
    size, digest = fields.get(b"size", ""), fields.get(b"sha256", "")
    number = int(size) if size.isascii() and size.isdecimal() and len(size) < 16 else _LARGEST
    return Package(
        name,
        version,
        clean(fields.get(b"architecture", ""), 40),
        path,
        number if number < _LARGEST else None,
        digest.lower() if _SHA256.fullmatch(digest) else None,
    )


def _safe(path: str) -> bool:
    """Whether a path leads to nowhere but below the repository."""
    return _PATH.fullmatch(path) is not None and not path.startswith("/") and ".." not in path.split("/")
