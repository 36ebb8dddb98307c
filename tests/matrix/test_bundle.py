"""Bundles: the same bytes each time, nothing but what the manifest says, and an old matrix that survives anything."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.run import complains, run
from tests.conftest import ROOT
from tests.matrix.tls import authority, server
from trtdoctor import __version__
from trtdoctor.matrix import MatrixError, load
from trtdoctor.matrix.bundle import MANIFEST, MAX_BYTES, BundleError, install, make, read, validate
from trtdoctor.matrix.load import FILES

MATRIX = ROOT / "matrix"
CHECK = ("check", "--set", "tensorrt=10.9.0", "--fail-on", "never")


@pytest.fixture(scope="module")
def bundle() -> bytes:
    """A bundle of the matrix of this checkout."""
    return make(str(MATRIX))


@pytest.fixture(scope="module")
def newer(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A bundle of a newer matrix, in which one driver floor differs."""
    folder = Path(shutil.copytree(MATRIX, tmp_path_factory.mktemp("newer") / "matrix"))
    text = (folder / "cuda.yaml").read_text("utf-8")
    (folder / "cuda.yaml").write_text(text.replace("525.60.13", "525.99.99"), "utf-8")
    (folder / "VERSION").write_text("2027.1.0\n")
    return make(str(folder))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """An empty data directory of a user."""
    return tmp_path / "data"


def unpacked(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as tar:
        return {item.name: tar.extractfile(item).read() for item in tar}  # type: ignore[union-attr]


def packed(files: dict[str, bytes], *more: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """An archive as somebody else's tool would make it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in files.items():
            item = tarfile.TarInfo(name)
            item.size = len(content)
            tar.addfile(item, io.BytesIO(content))
        for item, content in more:
            tar.addfile(item, io.BytesIO(content))
    return out.getvalue()


def with_manifest(files: dict[str, bytes], **changes: Any) -> dict[str, bytes]:
    """``files`` with a manifest that fits them."""
    manifest = json.loads(files[MANIFEST])
    rest = {name: content for name, content in files.items() if name != MANIFEST}
    manifest["files"] = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)} for name, content in rest.items()
    }
    return {MANIFEST: json.dumps({**manifest, **changes}).encode(), **rest}


def in_use(data: Path) -> str:
    """The version of the matrix that ``check`` uses."""
    ran = run(*CHECK, "--format", "json", XDG_DATA_HOME=str(data))
    assert ran.code == 0, ran.err
    return str(json.loads(ran.out)["matrix"]["version"])


# -- making and reading ------------------------------------------------------------------------------------------------


def test_a_bundle_is_the_same_bytes_wherever_and_whenever_it_is_made(bundle: bytes, tmp_path: Path) -> None:
    elsewhere = shutil.copytree(MATRIX, tmp_path / "m")
    for path in elsewhere.rglob("*"):
        os.utime(path, (1, 1))
    assert make(str(elsewhere)) == bundle


def test_a_bundle_holds_the_matrix_and_its_schemas_and_nothing_else(bundle: bytes) -> None:
    found = read(bundle)
    validate(found)
    assert {f"{name}.yaml" for name in FILES} | {"VERSION", "README.md"} <= set(found.files)
    assert all(found.files[f"{name}.yaml"] == (MATRIX / f"{name}.yaml").read_bytes() for name in FILES)
    assert found.version == load(MATRIX).version
    assert found.needs_program == __version__


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    item = tarfile.TarInfo(name)
    item.type, item.linkname, item.size = kind, link, size
    return item


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ((member("gpus2.yaml", tarfile.SYMTYPE, "/etc/passwd"), b""), "no plain file"),
        ((member("gpus2.yaml", tarfile.LNKTYPE, "cuda.yaml"), b""), "no plain file"),
        ((member("schema", tarfile.DIRTYPE), b""), "no plain file"),
        ((member("pipe.yaml", tarfile.FIFOTYPE), b""), "no plain file"),
        ((member("device.yaml", tarfile.CHRTYPE), b""), "no plain file"),
        ((member("/etc/evil.yaml", size=1), b"x"), "no file of a matrix"),
        ((member("../evil.yaml", size=1), b"x"), "no file of a matrix"),
        ((member("schema/../../evil.schema.json", size=1), b"x"), "no file of a matrix"),
        ((member("install.sh", size=1), b"x"), "no file of a matrix"),
        ((member("extra.yaml", size=1), b"x"), "extra.yaml is not in the manifest"),
        ((member("cuda.yaml", size=1), b"x"), "cuda.yaml is there twice"),
    ],
)
def test_what_does_not_belong_is_refused(bundle: bytes, more: tuple[tarfile.TarInfo, bytes], says: str) -> None:
    with pytest.raises(BundleError) as caught:
        read(packed(unpacked(bundle), more))
    assert says in str(caught.value)


def spoil(change: Callable[[dict[str, bytes]], object]) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    def spoiled(files: dict[str, bytes]) -> dict[str, bytes]:
        change(files)
        return files

    return spoiled


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (spoil(lambda files: files.pop(MANIFEST)), "no manifest.json"),
        (spoil(lambda files: files.update({MANIFEST: b"{"})), "no JSON"),
        (spoil(lambda files: files.update({MANIFEST: b"[]"})), "no JSON object"),
        (spoil(lambda files: files.update({MANIFEST: b"{}"})), "wanted schema"),
        (spoil(lambda files: files.pop("cuda.yaml")), "cuda.yaml of the manifest is not in the archive"),
        (spoil(lambda files: files.update({"cuda.yaml": b"x"})), "cuda.yaml has not the digest of the manifest"),
        (lambda files: with_manifest(files, version="soon"), "version"),
        (lambda files: with_manifest(files, version="2031.1.0"), "VERSION is not the version of the manifest"),
        (lambda files: with_manifest(files, needs_program="a newer one"), "needs_program"),
        (lambda files: with_manifest(files, needs_program="99.0"), "needs trtdoctor 99.0 or newer"),
        (lambda files: with_manifest({**files, "cuda.yaml": b"schema: x\n"}), "wanted schema"),
        (lambda files: with_manifest({**files, "cuda.yaml": b"a: [\n"}), "cuda.yaml: line"),
        (
            lambda files: with_manifest(
                {**files, "errors.yaml": files["errors.yaml"].replace(b"meaning:", b"moaning:", 1)}
            ),
            "errors.yaml does not fit its schema",
        ),
        (
            lambda files: with_manifest({name: content for name, content in files.items() if name != "gpus.yaml"}),
            "no gpus.yaml",
        ),
        (
            lambda files: with_manifest(
                {name: content for name, content in files.items() if name != "schema/cuda.schema.json"}
            ),
            "no schema/cuda.schema.json",
        ),
    ],
)
def test_a_spoiled_bundle_is_refused_and_the_old_matrix_stays(
    bundle: bytes, change: Callable[[dict[str, bytes]], dict[str, bytes]], says: str, tmp_path: Path, data: Path
) -> None:
    file = tmp_path / "b.tar.gz"
    file.write_bytes(packed(change(unpacked(bundle))))
    line = complains(run("matrix", "update", str(file), XDG_DATA_HOME=str(data)))
    assert says in line
    assert not data.exists()


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"\x1f\x8b", gzip.compress(b"no tar", mtime=0), gzip.compress(b"\0" * 100, mtime=0)]
)
def test_what_is_no_archive_is_refused(content: bytes) -> None:
    with pytest.raises(BundleError):
        read(content)


def test_an_archive_that_is_cut_short_is_refused(bundle: bytes) -> None:
    for length in (10, len(bundle) // 2, len(bundle) - 1):
        with pytest.raises(BundleError):
            read(bundle[:length])


def test_an_archive_that_unpacks_to_too_much_is_refused_before_it_fills_memory() -> None:
    with pytest.raises(BundleError, match="more than 50 MiB"):
        read(gzip.compress(b"\0" * (MAX_BYTES + 2_000_000), 9, mtime=0))
    with pytest.raises(BundleError):
        read(_claims_much())


def _claims_much() -> bytes:
    item = member("a.yaml", size=MAX_BYTES + 1)
    return gzip.compress(item.tobuf() + b"\0" * 10240, mtime=0)


# -- installing --------------------------------------------------------------------------------------------------------


def test_an_update_is_used_named_and_private(newer: bytes, tmp_path: Path, data: Path) -> None:
    file = tmp_path / "b.tar.gz"
    file.write_bytes(newer)
    ran = run("matrix", "update", str(file), "--sha256", hashlib.sha256(newer).hexdigest(), XDG_DATA_HOME=str(data))
    assert (ran.code, ran.err) == (0, "")
    found = json.loads(run(*CHECK, "--format", "json", XDG_DATA_HOME=str(data)).out)["matrix"]
    assert (found["version"], found["origin"], found["notes"]) == ("2027.1.0", "updated", [])
    table = run(*CHECK, XDG_DATA_HOME=str(data)).out
    assert f"matrix digest {found['digest']}" in table
    shown = run("matrix", "show", "cuda", "12", XDG_DATA_HOME=str(data)).out
    assert "525.99.99" in shown
    assert os.stat(data / "trtdoctor" / "matrix").st_mode & 0o777 == 0o700
    packaged = run(*CHECK, "--matrix", "packaged", "--format", "json", XDG_DATA_HOME=str(data)).out
    assert json.loads(packaged)["matrix"]["version"] == load(MATRIX).version


def test_the_shipped_matrix_has_no_digest_line(data: Path) -> None:
    assert "matrix digest" not in run(*CHECK, XDG_DATA_HOME=str(data)).out


def test_an_old_matrix_warns_once(data: Path) -> None:
    assert "The matrix is old" not in run(*CHECK, "--as-of", "2026-11-22", XDG_DATA_HOME=str(data)).out
    assert run(*CHECK, "--as-of", "2027-11-22", XDG_DATA_HOME=str(data)).out.count("The matrix is old") == 1


def test_an_older_bundle_than_the_shipped_one_is_refused(tmp_path: Path, data: Path) -> None:
    folder = Path(shutil.copytree(MATRIX, tmp_path / "m"))
    (folder / "VERSION").write_text("2026.1.0\n")
    (tmp_path / "b.tar.gz").write_bytes(make(str(folder)))
    line = complains(run("matrix", "update", str(tmp_path / "b.tar.gz"), XDG_DATA_HOME=str(data)))
    assert "2026.1.0 is older than the one that came with the program" in line


def test_a_wrong_digest_is_refused(bundle: bytes, tmp_path: Path, data: Path) -> None:
    (tmp_path / "b.tar.gz").write_bytes(bundle)
    line = complains(run("matrix", "update", str(tmp_path / "b.tar.gz"), "--sha256", "0" * 64, XDG_DATA_HOME=str(data)))
    assert "not the one that was given" in line
    assert not data.exists()


@pytest.mark.parametrize("file", ["cuda.yaml", "VERSION"])
def test_a_damaged_update_is_said_and_the_shipped_one_used(newer: bytes, data: Path, file: str) -> None:
    folder = Path(install(read(newer), str(data / "trtdoctor" / "matrix")))
    (folder / file).write_bytes(b"2027.2.0\n" if file == "VERSION" else b"schema: x\n")
    ran = run(*CHECK, XDG_DATA_HOME=str(data))
    assert ran.code == 0
    assert "the updated matrix cannot be used" in ran.out
    assert in_use(data) == load(MATRIX).version


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"folder": "../../x"}', b"\xff"])
def test_a_damaged_pointer_is_said_and_the_shipped_one_used(newer: bytes, data: Path, content: bytes) -> None:
    folder = Path(install(read(newer), str(data / "trtdoctor" / "matrix")))
    (folder.parent / "current.json").write_bytes(content)
    ran = run(*CHECK, XDG_DATA_HOME=str(data))
    assert (ran.code, "the updated matrix cannot be used" in " ".join(ran.out.split())) == (0, True)


def test_only_one_old_matrix_stays(bundle: bytes, newer: bytes, data: Path, tmp_path: Path) -> None:
    root = data / "trtdoctor" / "matrix"
    (root / ".new-left-over").mkdir(parents=True)
    folder = Path(shutil.copytree(MATRIX, tmp_path / "m"))
    (folder / "VERSION").write_text("2027.2.0\n")
    for content in (bundle, newer, make(str(folder)), make(str(folder))):
        install(read(content), str(root))
    assert sorted(path.name[:8] for path in root.iterdir() if path.is_dir()) == ["2027.2.0"] or sorted(
        path.name[:8] for path in root.iterdir() if path.is_dir()
    ) == ["2027.1.0", "2027.2.0"]
    assert in_use(data) == "2027.2.0"


def test_a_data_directory_that_cannot_be_written_is_one_line(bundle: bytes, tmp_path: Path) -> None:
    (tmp_path / "b.tar.gz").write_bytes(bundle)
    (tmp_path / "file").write_text("")
    complains(run("matrix", "update", str(tmp_path / "b.tar.gz"), XDG_DATA_HOME=str(tmp_path / "file")))


_KILLED = """
import os, signal, sys
left = int(sys.argv.pop(1))
class Before:  # an object, not a function: pathlib of Python 3.10 makes methods of functions
    def __init__(self, real):
        self.real = real
    def __call__(self, *arguments, **named):
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return self.real(*arguments, **named)
for name in ("rename", "replace", "fsync", "mkdir", "chmod"):
    setattr(os, name, Before(getattr(os, name)))
from trtdoctor.cli import main
main(sys.argv[1:])
"""


def killed_at(step: int, file: Path, data: Path) -> int:
    """Run an update that dies by SIGKILL right before its ``step``-th change on disk; the exit status."""
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(step), "matrix", "update", str(file)],
        cwd=ROOT,
        env={**os.environ, "XDG_DATA_HOME": str(data)},
        capture_output=True,
        timeout=120,
        check=False,
    )
    return done.returncode


def test_an_update_that_is_killed_leaves_the_old_one_working(
    bundle: bytes, newer: bytes, tmp_path: Path, data: Path
) -> None:
    root = data / "trtdoctor" / "matrix"
    install(read(bundle), str(root))
    file = tmp_path / "b.tar.gz"
    file.write_bytes(newer)
    old, versions = load(MATRIX).version, []
    files = len(read(newer).files)
    for step in (0, 1, 5, files // 2, files, files + 2, files + 4, files + 5, files + 6, files + 7, files + 8, 500):
        code = killed_at(step, file, data)
        assert code in (-signal.SIGKILL, 0), code
        versions.append(in_use(data))
        assert versions[-1] == ("2027.1.0" if code == 0 else versions[-1])
    assert versions[0] == old
    assert versions[-1] == "2027.1.0"
    assert versions == sorted(versions), "it never goes back"
    assert not [path.name for path in root.iterdir() if path.name.startswith(".new-")]


# -- from the net ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory, newer: bytes) -> Iterator[tuple[str, Path]]:
    """An https server with the bundle, and the certificate of its authority."""
    folder = tmp_path_factory.mktemp("ca")
    ca, context = authority(folder)

    def answer(path: str, _: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        name = path.partition("?")[0]
        if name == "/b.tar.gz":
            return 200, {}, newer
        if name == "/moved":
            return 302, {"location": "/b.tar.gz"}, b""
        if name == "/down":
            return 302, {"location": "http://127.0.0.1:9/b.tar.gz"}, b""
        if name == "/round":
            return 302, {"location": "/round"}, b""
        return 404, {}, b"no"

    with server(answer, context) as place:
        yield f"https://{place}", ca


@pytest.mark.parametrize("path", ["/b.tar.gz", "/moved", "/b.tar.gz?token=SECRET"])
def test_an_https_address_with_its_digest(trusted: tuple[str, Path], path: str, newer: bytes, data: Path) -> None:
    url, ca = trusted
    ran = run(
        "matrix",
        "update",
        url + path,
        "--sha256",
        hashlib.sha256(newer).hexdigest(),
        XDG_DATA_HOME=str(data),
        REQUESTS_CA_BUNDLE=str(ca),
    )
    assert (ran.code, ran.err) == (0, "")
    assert in_use(data) == "2027.1.0"


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/none?token=SECRET", "the server answered 404"),
        ("/down", "only https is fetched"),
        ("/round", "more than 5 redirections"),
    ],
)
def test_what_the_net_does_wrong_is_one_line_without_secrets(
    trusted: tuple[str, Path], path: str, says: str, data: Path
) -> None:
    url, ca = trusted
    ran = run("matrix", "update", url + path, "--sha256", "0" * 64, XDG_DATA_HOME=str(data), REQUESTS_CA_BUNDLE=str(ca))
    line = complains(ran)
    assert says in line
    assert "SECRET" not in line
    assert not data.exists()


def test_other_bytes_than_the_digest_says_are_refused(trusted: tuple[str, Path], data: Path) -> None:
    url, ca = trusted
    arguments = ("matrix", "update", url + "/b.tar.gz", "--sha256", "0" * 64)
    assert "not the one" in complains(run(*arguments, XDG_DATA_HOME=str(data), REQUESTS_CA_BUNDLE=str(ca)))


def test_a_server_that_nobody_vouches_for_is_refused(trusted: tuple[str, Path], data: Path) -> None:
    ran = run("matrix", "update", trusted[0] + "/b.tar.gz", "--sha256", "0" * 64, XDG_DATA_HOME=str(data))
    assert "its certificate is not trusted" in complains(ran)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["http://127.0.0.1:9/b.tar.gz", "--sha256", "0" * 64], "only https"),
        (["ftp://user:SECRET@127.0.0.1/b.tar.gz", "--sha256", "0" * 64], "only https"),
        (["https://127.0.0.1:9/b.tar.gz"], "needs --sha256"),
        (["https://127.0.0.1:9/b.tar.gz", "--sha256", "0" * 64], "no connection"),
        (["/nowhere/b.tar.gz"], "No such file"),
        (["b.tar.gz", "--sha256", "abc"], "64 hexadecimal digits"),
    ],
)
def test_usage(arguments: list[str], says: str, data: Path) -> None:
    line = complains(run("matrix", "update", *arguments, XDG_DATA_HOME=str(data)))
    assert says in line
    assert "SECRET" not in line


def test_make_needs_a_matrix(tmp_path: Path) -> None:
    with pytest.raises(MatrixError):
        make(str(tmp_path))
    with pytest.raises(BundleError):
        make(str(MATRIX), "soon")
