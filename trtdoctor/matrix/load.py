"""Find, read and compile the matrix.

YAML is what people edit; reading it costs a tenth of a second, so it is compiled to one JSON document, either when
the wheel is built or into the user's cache, under the digest of the YAML files. The digest is computed anew at each
start (a millisecond), so a compiled form is never stale.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from trtdoctor.matrix.rows import Origin, Row, as_ids

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
    "distributions",
    "sources",
)
"""The files of a matrix, without ``.yaml``."""

_ENVIRONMENT = "TRTDOCTOR_MATRIX"
_COMPILED = "matrix.json"
_T = TypeVar("_T")


class MatrixError(ValueError):
    """The matrix cannot be used; the message is one line for the user."""


class Matrix:
    """The compatibility matrix, ready to be asked. Look-ups are in the modules beside this one."""

    def __init__(self, version: str, digest: str, files: dict[str, dict[str, Any]]) -> None:
        """``version`` is the calendar version, ``digest`` the SHA-256 of the files, ``files`` their data."""
        self.version = version
        self.digest = digest
        self.overlays: tuple[str, ...] = ()
        self._files = files
        self._remembered: dict[Any, Any] = {}

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
    candidates = ("version", "branch", "name", "id", "first", "compute_capability", "architecture", "package", "call", "major")
    return next((key for key in candidates if key in first), "name")


def load(directory: str | Path | None = None) -> Matrix:
    """The matrix in ``directory``, or the one that ``TRTDOCTOR_MATRIX`` names, or the one that came with the program.

    Raises :class:`MatrixError` when it cannot be read.
    """
    chosen = directory or os.environ.get(_ENVIRONMENT) or packaged()
    return _load(os.path.realpath(chosen))


@lru_cache(maxsize=4)
def _load(directory: str) -> Matrix:
    folder = Path(directory)
    try:
        raw = {name: (folder / f"{name}.yaml").read_bytes() for name in FILES}
        version = (folder / "VERSION").read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        name = getattr(error, "filename", None)
        raise MatrixError(f"{directory} is no matrix: {name or 'VERSION'} cannot be read") from None
    if not re.fullmatch(r"20\d\d\.(?:0?[1-9]|1[0-2])\.\d{1,4}", version):
        raise MatrixError(f"{directory}/VERSION: wanted a calendar version such as 2026.11.0")
    digest = digest_of(version, raw)
    compiled = _read_compiled(folder.parent / _COMPILED, digest) or _read_compiled(_cache_file(digest), digest)
    if compiled is None:
        compiled = compile_files(raw, directory)
        _write_cache(_cache_file(digest), {"digest": digest, "files": compiled})
    return Matrix(version, digest, compiled)


def packaged() -> Path:
    """Where the matrix that came with the program lies: in the wheel, or beside the package in a checkout."""
    here = Path(__file__).resolve().parent.parent
    installed = here / "_data" / "matrix"
    return installed if installed.is_dir() else here.parent / "matrix"


def digest_of(version: str, raw: dict[str, bytes]) -> str:
    """SHA-256 over the version and the files, as hexadecimal digits."""
    total = hashlib.sha256(version.encode())
    for name in sorted(raw):
        total.update(name.encode() + b"\0" + hashlib.sha256(raw[name]).digest())
    return total.hexdigest()


def compile_files(raw: dict[str, bytes], directory: str = "matrix") -> dict[str, dict[str, Any]]:
    """Parse the YAML files; raises :class:`MatrixError` naming file and line."""
    from trtdoctor.yamlfile import YamlError, parse

    compiled: dict[str, dict[str, Any]] = {}
    for name, content in raw.items():
        try:
            data = parse(content)
        except YamlError as error:
            raise MatrixError(f"{directory}/{name}.yaml: {error}") from None
        if not isinstance(data, dict) or data.get("schema") != f"trtdoctor-matrix-{name}/1":
            raise MatrixError(f"{directory}/{name}.yaml: wanted schema: trtdoctor-matrix-{name}/1")
        compiled[name] = data
    return compiled


def _read_compiled(path: Path, digest: str) -> dict[str, dict[str, Any]] | None:
    try:
        document = json.loads(path.read_bytes())
        files = document["files"] if document["digest"] == digest else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return files if isinstance(files, dict) and set(files) == set(FILES) else None


def _cache_file(digest: str) -> Path:
    root = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(root) / "trtdoctor" / f"matrix-{digest[:32]}.json"


def _write_cache(path: Path, document: dict[str, Any]) -> None:
    """Keep the compiled form; a read-only home only costs time."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "w") as stream:
                json.dump(document, stream)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise
        for old in sorted(path.parent.glob("matrix-*.json"), key=os.path.getmtime)[:-4]:
            old.unlink(missing_ok=True)
    except OSError:
        pass
