"""One archive with a whole matrix and the digests of its files: made here, read with suspicion, installed at once.

A bundle is data only. It is read into memory and checked to the last byte before anything is written; installing it is
two renames, so that a reader, or a power cut, sees the old matrix or the new one and nothing between.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trtdoctor import __version__
from trtdoctor.lazyre import pattern
from trtdoctor.matrix.compiled import compile_files
from trtdoctor.matrix.installed import FOLDER, too_new
from trtdoctor.matrix.load import FILES, POINTER, VERSION, MatrixError, data_directory, read_files
from trtdoctor.record import record
from trtdoctor.text import clean
from trtdoctor.versions import Version

SCHEMA = "trtdoctor-matrix-bundle/1"
MANIFEST = "manifest.json"
MAX_BYTES = 50 * 1024 * 1024
"""No bundle unpacks to more."""

_MAX_MEMBERS = 500
_NAME = pattern(r"(?:[a-z0-9][a-z0-9_-]{0,60}\.yaml|VERSION|README\.md|schema/[a-z0-9][a-z0-9_-]{0,60}\.schema\.json)")
_OVERHEAD = 1024 * 1024
"""What the archive's own headers and padding may add."""


class BundleError(MatrixError):
    """The bundle is not one that we install; the message is one line."""


@record
class Bundle:
    """A bundle that was read and checked."""

    version: str
    needs_program: str
    files: dict[str, bytes]
    """Path inside the matrix to content, without the manifest."""
    digests: dict[str, str]
    """Path to SHA-256, as the manifest has them."""
    folder: str
    """What its folder is called when it is installed."""

    @property
    def raw(self) -> dict[str, bytes]:
        """The YAML files by their names without ``.yaml``."""
        return {name[:-5]: content for name, content in self.files.items() if name.endswith(".yaml")}


# -- making ------------------------------------------------------------------------------------------------------------


def make(directory: str, needs_program: str = __version__) -> bytes:
    """A bundle of the matrix in ``directory``: the same bytes for the same files, whenever and wherever it is made.

    Raises :class:`MatrixError` when ``directory`` holds no matrix or ``needs_program`` is no version.
    """
    version, raw = read_files(directory)
    if Version.maybe(needs_program) is None:
        raise BundleError(f"{clean(needs_program, 60)!r} is no version of the program")
    files = {"VERSION": f"{version}\n".encode(), **{f"{name}.yaml": content for name, content in raw.items()}}
    root = Path(directory)
    for path in [root / "README.md", *sorted((root / "schema").glob("*.schema.json"))]:
        if path.is_file():
            files[path.relative_to(root).as_posix()] = path.read_bytes()
    manifest = {
        "schema": SCHEMA,
        "version": version,
        "needs_program": needs_program,
        "files": {
            name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
            for name, content in sorted(files.items())
        },
    }
    content = (json.dumps(manifest, indent=1, sort_keys=True) + "\n").encode()
    return _packed({MANIFEST: content, **dict(sorted(files.items()))})


def _packed(files: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    squeezer = zlib.compressobj(9, zlib.DEFLATED, 31)  # the header that zlib writes has no time and no name
    return squeezer.compress(archive.getvalue()) + squeezer.flush()


# -- reading -----------------------------------------------------------------------------------------------------------


def read(content: bytes) -> Bundle:
    """Check an archive from anywhere to the last byte. Raises :class:`BundleError` for whatever is not as it must."""
    members = dict(_members(_unpacked(content)))
    manifest = _manifest(members.pop(MANIFEST, None))
    listed = manifest["files"]
    for name in [*listed, *members]:
        if name not in members:
            raise BundleError(f"{clean(name, 80)} of the manifest is not in the archive")
        if name not in listed:
            raise BundleError(f"{clean(name, 80)} is not in the manifest")
        entry = listed[name]
        digest = hashlib.sha256(members[name]).hexdigest()
        if not isinstance(entry, dict) or entry.get("sha256") != digest or entry.get("size") != len(members[name]):
            raise BundleError(f"{clean(name, 80)} has not the digest of the manifest")
    if members.get("VERSION", b"").decode("ascii", "replace").strip() != manifest["version"]:
        raise BundleError("VERSION is not the version of the manifest")
    digests = {name: str(entry["sha256"]) for name, entry in listed.items()}
    folder = f"{manifest['version']}-{hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()}"
    return Bundle(manifest["version"], manifest["needs_program"], members, digests, folder)


def validate(bundle: Bundle) -> None:
    """Check that this program can use the bundle and that each file fits the schema that came with it.

    Raises :class:`BundleError`.
    """
    from trtdoctor.matrix.schemas import problems

    if too_new(bundle.needs_program):
        raise BundleError(f"the bundle needs trtdoctor {bundle.needs_program} or newer, this is {__version__}")
    for name in FILES:
        if f"{name}.yaml" not in bundle.files:
            raise BundleError(f"the bundle has no {name}.yaml, which this program needs")
    data = compile_files(bundle.raw, "the bundle")
    for name, document in data.items():
        schema = _json(bundle.files.get(f"schema/{name}.schema.json"), f"schema/{name}.schema.json")
        problem = next(problems(schema, document), None)
        if problem:
            raise BundleError(f"{name}.yaml does not fit its schema: {problem}")


def _unpacked(content: bytes) -> bytes:
    reader = zlib.decompressobj(31)
    try:
        archive = reader.decompress(content, MAX_BYTES + _OVERHEAD)
    except zlib.error:
        raise BundleError("not a gzip archive, or a damaged one") from None
    if reader.unconsumed_tail:
        raise BundleError(f"it unpacks to more than {MAX_BYTES // 1024 // 1024} MiB")
    if not reader.eof:
        raise BundleError("the archive is cut short")
    return archive


def _members(archive: bytes) -> Iterator[tuple[str, bytes]]:
    seen: set[str] = set()
    total = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
            for member in tar:
                total += member.size
                _admit(member, seen, total)
                seen.add(member.name)
                stream = tar.extractfile(member)
                yield member.name, stream.read() if stream else b""
    except BundleError:
        raise
    except (tarfile.TarError, OSError, ValueError, OverflowError, RecursionError):
        raise BundleError("not a tar archive, or a damaged one") from None


def _admit(member: tarfile.TarInfo, seen: set[str], total: int) -> None:
    """Refuse a member that has no place in a bundle; ``total`` counts the bytes up to and with it."""
    name = clean(member.name, 80)
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
        raise BundleError(f"{name} is no plain file")
    if member.name != MANIFEST and not _NAME.fullmatch(member.name):
        raise BundleError(f"{name!r} is no file of a matrix")
    if member.name in seen:
        raise BundleError(f"{name} is there twice")
    if len(seen) >= _MAX_MEMBERS or total > MAX_BYTES:
        raise BundleError("too many or too large files")


def _manifest(content: bytes | None) -> dict[str, Any]:
    manifest = _json(content, MANIFEST)
    if manifest.get("schema") != SCHEMA:
        raise BundleError(f"{MANIFEST}: wanted schema {SCHEMA}")
    version, needs, files = (manifest.get(key) for key in ("version", "needs_program", "files"))
    if not isinstance(version, str) or not VERSION.fullmatch(version):
        raise BundleError(f"{MANIFEST}: version: wanted one such as 2026.11.0")
    if Version.maybe(needs) is None:
        raise BundleError(f"{MANIFEST}: needs_program: wanted a version")
    if not isinstance(files, dict) or not files:
        raise BundleError(f"{MANIFEST}: files: wanted a mapping")
    return manifest


def _json(content: bytes | None, name: str) -> dict[str, Any]:
    if content is None:
        raise BundleError(f"the archive has no {name}")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise BundleError(f"{name} is no JSON") from None
    if not isinstance(document, dict):
        raise BundleError(f"{name} is no JSON object")
    return document


# -- installing --------------------------------------------------------------------------------------------------------


def install(bundle: Bundle, directory: str | None = None) -> str:
    """Put a validated bundle where ``load`` finds it, and make it the one in use; returns its directory.

    The files are written beside the old ones and made durable, then the folder gets its name, then the pointer is
    replaced. Stopped anywhere, the old matrix is still the one in use. Raises :class:`BundleError` when the data
    directory cannot be written.
    """
    root = Path(directory or data_directory())
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.chmod(root, 0o700)
        with _locked(root):
            _install(bundle, root)
    except OSError as error:
        raise BundleError(f"{error.filename or root}: {error.strerror or error}") from None
    return str(root / bundle.folder)


def _install(bundle: Bundle, root: Path) -> None:
    before = _in_use(root)
    target = root / bundle.folder
    if target.is_dir():
        shutil.rmtree(target) if not _whole(target, bundle) else None
    if not target.is_dir():
        fresh = Path(tempfile.mkdtemp(prefix=".new-", dir=root))
        for name, content in bundle.files.items():
            (fresh / name).parent.mkdir(mode=0o700, exist_ok=True)
            _write(fresh / name, content)
        for folder in {(fresh / name).parent for name in bundle.files}:
            _sync(folder)
        os.rename(fresh, target)
        _sync(root)
    pointer = {
        "schema": "trtdoctor-matrix-current/1",
        "folder": bundle.folder,
        "version": bundle.version,
        "needs_program": bundle.needs_program,
        "files": bundle.digests,
    }
    handle, name = tempfile.mkstemp(prefix=".new-", dir=root)
    os.close(handle)
    _write(Path(name), json.dumps(pointer, indent=1).encode())
    os.replace(name, root / POINTER)
    _sync(root)
    # One old matrix stays: a check that started a moment ago may still be reading it.
    for path in root.iterdir():
        if path.name.startswith(".new-") or (FOLDER.fullmatch(path.name) and path.name not in (before, bundle.folder)):
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _in_use(root: Path) -> str | None:
    try:
        found = json.loads((root / POINTER).read_bytes())["folder"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None


def _whole(target: Path, bundle: Bundle) -> bool:
    try:
        return all((target / name).read_bytes() == content for name, content in bundle.files.items())
    except OSError:
        return False


def _write(path: Path, content: bytes) -> None:
    with open(path, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextlib.contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Two updates at once take turns."""
    import fcntl

    with open(root / ".lock", "wb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield
