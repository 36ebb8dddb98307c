"""Find, read and compile the matrix.

YAML is what people edit; reading it costs a tenth of a second, so it is compiled to one JSON document, either when
the wheel is built or into the user's cache (``compiled.py``), under the digest of the YAML files. The digest is
computed anew at each start (a millisecond), so a compiled form is never stale.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Sequence
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from trtdoctor.lazyre import pattern
from trtdoctor.matrix.rows import Origin, Row, as_ids

if TYPE_CHECKING:
    from trtdoctor.matrix.overlay_types import Forbidden

FILES = (
    "tensorrt",
    "tensorrt-rtx",
    "api",
    "known_issues",
    "cuda",
    "drivers",
    "cudnn",
    "gpus",
    "libraries",
    "loading",
    "distributions",
    "tools",
    "errors",
    "error_numbers",
    "failures",
    "containers",
    "bases",
    "jetpack",
    "frameworks",
    "features",
    "advisories",
    "engines",
    "wheels",
    "artefacts",
    "apt",
    "mirrors",
    "sources",
)
"""The files of a matrix, without ``.yaml``."""

PACKAGED = "packaged"
"""Instead of a directory: the matrix that came with the program, whatever update there is."""

_ENVIRONMENT = "TRTDOCTOR_MATRIX"
_OVERLAYS = "TRTDOCTOR_OVERLAY"
_COMPILED = "matrix.jsonl"
_T = TypeVar("_T")


class MatrixError(ValueError):
    """The matrix cannot be used; the message is one line for the user."""


class Matrix:
    """The compatibility matrix, ready to be asked. Look-ups are in the modules beside this one."""

    def __init__(self, version: str, digest: str, files: dict[str, dict[str, Any]]) -> None:
        """``version`` is the calendar version, ``digest`` the SHA-256 of the files, ``files`` their data."""
        self.version = version
        self.digest = digest
        self.origin = "directory"
        """``packaged`` (came with the program), ``updated`` (``matrix update``) or ``directory`` (named)."""
        self.notes: tuple[str, ...] = ()
        """What the user should know about the choice of this matrix, one line each."""
        self.overlays: tuple[str, ...] = ()
        """``NAME@DIGEST`` of each overlay that was laid over it."""
        self.forbidden: tuple[Forbidden, ...] = ()
        """What overlays forbid."""
        self._files = files
        self._remembered: dict[Any, Any] = {}

    @property
    def data(self) -> dict[str, dict[str, Any]]:
        """The files as written, by name (do not change them)."""
        return {name: self._files[name] for name in FILES}

    def rows(self, file: str, table: str) -> list[Row]:
        """The rows of ``table`` in ``file``, newest first as written, each with its provenance."""
        return self.remember(("rows", file, table), lambda: self._rows(file, table))

    def tables(self, file: str) -> list[str]:
        """Names of the tables (lists of rows) in ``file``."""
        return [
            name
            for name, value in self._files[file].items()
            if isinstance(value, list) and value and all(isinstance(entry, dict) for entry in value)
        ]

    def row(self, file: str, table: str) -> Row:
        """A table that is one mapping."""
        data = self._files[file]
        origin = self._origin(file)
        return Row(data[table], origin.narrowed(data[table], f"{file}.yaml: {table}"), table)

    def remember(self, key: Any, make: Callable[[], _T]) -> _T:
        """What ``make`` gives, computed once for this matrix."""
        try:
            found: _T = self._remembered[key]
        except KeyError:
            found = self._remembered[key] = make()
        return found

    def source_url(self, source: str) -> str | None:
        """The address of a source id; None when it has none."""
        entry = self._files["sources"].get("sources", {}).get(source)
        return entry.get("url") if isinstance(entry, dict) else None

    def age_days(self, as_of: date) -> int:
        """Days between the month that the version names and ``as_of``; never negative."""
        year, month = (int(part) for part in self.version.split(".")[:2])
        return max(0, (as_of - date(year, month, 1)).days)

    def _origin(self, file: str) -> Origin:
        data = self._files[file]
        return Origin(as_ids(data.get("source", "none")), data.get("certainty", "inferred"), f"{file}.yaml")

    def _rows(self, file: str, table: str) -> list[Row]:
        entries = self._files[file].get(table, [])
        origin = self._origin(file)
        name = _key_name(entries)
        made: dict[str, dict[str, Any]] = {}

        def whole(entry: dict[str, Any], depth: int = 0) -> dict[str, Any]:
            like = entry.get("like")
            if like is None or depth > 20:
                return entry
            base = next((other for other in entries if other.get(name) == like), None)
            if base is None:
                raise MatrixError(f"{file}.yaml: {table}: {entry.get(name)} is like {like!r}, which is no row")
            return {**whole(base, depth + 1), **entry}

        rows = []
        for entry in entries:
            key = str(entry.get(name))
            made[key] = whole(entry)
            rows.append(Row(made[key], origin.narrowed(made[key], f"{file}.yaml: {table} {key}"), key))
        return rows


def _key_name(entries: list[dict[str, Any]]) -> str:
    """The key that names rows: the first of ``version``, ``branch``, … that the first row has."""
    first = entries[0] if entries else {}
    candidates = (
        "version",
        "branch",
        "name",
        "id",
        "first",
        "compute_capability",
        "architecture",
        "package",
        "call",
        "major",
    )
    return next((key for key in candidates if key in first), "name")


def load(
    directory: str | os.PathLike[str] | None = None,
    overlays: Sequence[str | os.PathLike[str]] = (),
    *,
    beneath: Sequence[str | os.PathLike[str]] = (),
) -> Matrix:
    """The matrix in ``directory``, or the one that ``TRTDOCTOR_MATRIX`` names, or the usual one.

    The usual one is the newer of what came with the program and what ``matrix update`` installed; ``packaged`` as the
    directory means the former. The overlays ``beneath`` are laid over it, then those that ``TRTDOCTOR_OVERLAY`` names
    (separated as in PATH), then ``overlays``, in their order. Raises
    :class:`MatrixError` when something cannot be read.
    """
    chosen = directory or os.environ.get(_ENVIRONMENT)
    if chosen and chosen != PACKAGED:
        matrix = _load(os.path.realpath(chosen))
    else:
        matrix = (None if chosen else _updated()) or _load(os.path.realpath(packaged()), PACKAGED)
    named = [*beneath, *filter(None, os.environ.get(_OVERLAYS, "").split(os.pathsep)), *overlays]
    if not named:
        return matrix
    from trtdoctor.matrix.overlay import apply

    return apply(matrix, [os.fspath(name) for name in named])


def _updated() -> Matrix | None:
    """What ``matrix update`` installed, when it is whole and not older than what came with the program."""
    pointer = os.path.join(data_directory(), POINTER)
    if not os.path.exists(pointer):
        return None
    from trtdoctor.matrix.installed import current

    shipped = os.path.realpath(packaged())
    try:
        found = current(os.path.dirname(pointer), _version(shipped))
        return _load(found.directory, "updated", found.digest) if found else None
    except MatrixError as error:
        matrix = _load(shipped, PACKAGED)
        matrix.notes = (f"the updated matrix cannot be used ({error}): this is the one that came with the program",)
        return matrix


@lru_cache(maxsize=4)
def _load(directory: str, origin: str = "directory", expected: str | None = None) -> Matrix:
    version, raw = read_files(directory)
    digest = digest_of(version, raw)
    if expected not in (None, digest):
        raise MatrixError(f"{directory} is damaged: it is not what was installed")
    beside = os.path.join(os.path.dirname(directory), _COMPILED)
    files = _read_compiled(beside, digest)
    if files is None:
        files = _read_compiled(cache_file(digest), digest)
    if files is None:
        from trtdoctor.matrix.compiled import compile_files, write_cache

        files = compile_files(raw, directory)
        write_cache(cache_file(digest), compiled_form(digest, files))
    matrix = Matrix(version, digest, files)
    matrix.origin = origin
    return matrix


def packaged() -> str:
    """Where the matrix that came with the program lies: in the wheel, or beside the package in a checkout."""
    package = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
    installed = os.path.join(package, "_data", "matrix")
    return installed if os.path.isdir(installed) else os.path.join(os.path.dirname(package), "matrix")


POINTER = "current.json"
"""The file in the data directory that names the updated matrix in use."""


def data_directory() -> str:
    """Where ``matrix update`` keeps matrices: in the user's own data directory."""
    root = _user_directory("XDG_DATA_HOME", ".local/share")
    return os.path.join(root, "trtdoctor", "matrix")


def read_files(directory: str) -> tuple[str, dict[str, bytes]]:
    """Version and content of the files of a matrix. Raises :class:`MatrixError`."""
    return _version(directory), {name: _read(directory, f"{name}.yaml") for name in FILES}


def _version(directory: str) -> str:
    version = _read(directory, "VERSION").decode("ascii", "replace").strip()
    if not VERSION.fullmatch(version):
        raise MatrixError(f"{directory}/VERSION: wanted a calendar version such as 2026.11.0")
    return version


VERSION = pattern(r"20\d\d\.(?:0?[1-9]|1[0-2])\.\d{1,4}", re.ASCII)
"""The form of a matrix version: year, month, number."""


def _read(directory: str, name: str) -> bytes:
    try:
        with open(os.path.join(directory, name), "rb") as stream:
            return stream.read()
    except OSError as error:
        raise MatrixError(f"{directory} is no matrix: {name}: {error.strerror}") from None


def digest_of(version: str, raw: dict[str, bytes]) -> str:
    """SHA-256 over the version and the files, as hexadecimal digits."""
    return digest_from(version, {name: hashlib.sha256(content).digest() for name, content in raw.items()})


def digest_from(version: str, digests: dict[str, bytes]) -> str:
    """:func:`digest_of` from the SHA-256 of each file."""
    total = hashlib.sha256(version.encode())
    for name in sorted(digests):
        total.update(name.encode() + b"\0" + digests[name])
    return total.hexdigest()


class _Compiled(dict[str, dict[str, Any]]):
    """The files of a compiled matrix, each parsed when it is first asked for: most checks need a third of them."""

    def __init__(self, lines: list[bytes]) -> None:
        super().__init__()
        self._lines = dict(zip(sorted(FILES), lines, strict=True))

    def __missing__(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._lines[name])
        self[name] = found
        return found


def compiled_form(digest: str, files: dict[str, dict[str, Any]]) -> str:
    """The compiled form: a line with the digests of the matrix and of the rest, then a line of JSON for each file."""
    body = "\n".join(json.dumps(files[name], separators=(",", ":")) for name in sorted(FILES))
    return f"{digest} {hashlib.sha256(body.encode()).hexdigest()}\n{body}"


def _read_compiled(path: str, digest: str) -> dict[str, dict[str, Any]] | None:
    try:
        with open(path, "rb") as stream:
            head, _, body = stream.read().partition(b"\n")
    except OSError:
        return None
    if head != f"{digest} {hashlib.sha256(body).hexdigest()}".encode():
        return None
    return _Compiled(body.split(b"\n"))


def cache_file(digest: str) -> str:
    """Where the compiled form of a matrix is kept: in the user's own cache directory."""
    root = _user_directory("XDG_CACHE_HOME", ".cache")
    return os.path.join(root, "trtdoctor", f"matrix-{digest[:32]}.jsonl")


def _user_directory(variable: str, below_home: str) -> str:
    """A base directory as the XDG specification has it: a relative one is not one, and then nothing is kept."""
    named = os.environ.get(variable, "")
    root = named if os.path.isabs(named) else os.path.join(os.path.expanduser("~"), below_home)
    return root if os.path.isabs(root) else os.devnull
