"""Kind apt against repositories that Debian's own tools make, with the real apt as a witness."""

from __future__ import annotations

import gzip
import os
import shutil
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.matrix.tls import server
from tests.mirror.apt_repositories import apt, build, flat, index, release, served, sign, suite
from trtdoctor.config.mirrors import Mirror
from trtdoctor.matrix import Matrix
from trtdoctor.mirror.apt import look
from trtdoctor.mirror_facts import MirrorItem, MirrorSide, MirrorSource
from trtdoctor.net.http import Client

CONNECT = socket.socket.connect
NOW = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)
NEW, MIDDLE, OLD = "11.3.0.99-1+cuda13.4", "11.2.1.2-1+cuda13.3", "11.1.0.106-1+cuda13.3"
LIB, BIN, CUDNN = "libnvinfer11", "libnvinfer-bin", "libcudnn9-cuda-13"
CUDNN_NEW, CUDNN_OLD = "9.28.0.42-1", "9.27.0.42-1"
DAYS = ("Wed, 18 Nov 2026 09:12:44 UTC", "Tue, 01 Sep 2026 00:00:00 UTC")
NOWHERE = "http://127.0.0.1:9/cuda"


@pytest.fixture(autouse=True)
def _sockets(_no_sockets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests speak to servers of their own."""
    monkeypatch.setattr(socket.socket, "connect", CONNECT)


@pytest.fixture(scope="module")
def debs(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Path]:
    """Every package that these tests need, each built once."""
    wanted = [(name, version) for name in (LIB, BIN) for version in (NEW, MIDDLE, OLD)]
    wanted += [(CUDNN, CUDNN_NEW), (CUDNN, CUDNN_OLD), ("cuda-drivers", "595.58.03-1"), ("vim", "2:9.0-1")]
    return dict(zip(wanted, build(tmp_path_factory.mktemp("debs"), wanted), strict=True))


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory, debs: dict[tuple[str, str], Path]) -> Iterator[str]:
    root = flat(tmp_path_factory.mktemp("upstream"), list(debs.values()), DAYS[0])
    with served(root) as address:
        yield address


def ask(
    matrix: Matrix, mirror: str, upstream: str | None, *, before: MirrorSource | None = None, **more: Any
) -> MirrorSource:
    with Client(20, connect=1, read=5) as client:
        described = Mirror("m", "apt", mirror, upstream, **more)
        return look(described, matrix, client, before=before, now=NOW, environ={})


def states(source: MirrorSource) -> dict[str, str]:
    return {item.name: item.state for item in source.items}


def item(source: MirrorSource, name: str) -> MirrorItem:
    return next(found for found in source.items if found.name == name)


def side(source: MirrorSource, role: str) -> MirrorSide:
    found = source.side(role)
    assert found is not None
    return found


def test_a_flat_mirror_that_is_two_releases_behind(
    matrix: Matrix, upstream: str, debs: dict[tuple[str, str], Path], tmp_path: Path
) -> None:
    flat(tmp_path / "m", [path for (_, version), path in debs.items() if version not in (NEW, MIDDLE)], DAYS[1])
    with served(tmp_path) as address:
        source = ask(matrix, f"{address}/m", upstream)
        works, listed = apt(tmp_path / "apt", f"deb [trusted=yes] {address}/m/ /", LIB)
    assert states(source) == {
        "cuda-drivers 595.58.03-1": "same",
        f"{CUDNN} {CUDNN_NEW}": "same",
        f"{CUDNN} {CUDNN_OLD}": "same",
        **{f"{name} {version}": "missing" for name in (BIN, LIB) for version in (NEW, MIDDLE)},
        **{f"{name} {OLD}": "same" for name in (BIN, LIB)},
    }
    newest = item(source, f"{LIB} {NEW}")
    assert newest.missing == (f"{LIB}_{NEW}_amd64.deb",)
    assert newest.files[0].size == debs[LIB, NEW].stat().st_size
    assert item(source, f"{CUDNN} {CUDNN_NEW}").released == "2026-11-04"
    assert [found.version for found in source.items if found.project == LIB] == [NEW, MIDDLE, OLD]
    assert (side(source, "mirror").synced, side(source, "mirror").synced_by) == ("2026-09-01T00:00:00Z", "Release Date")
    assert side(source, "upstream").synced == "2026-11-18T09:12:44Z"
    assert (side(source, "mirror").state, side(source, "mirror").product) == ("ok", "flat-apt")
    assert works
    assert [line.split("|")[1].strip() for line in listed.splitlines()] == [OLD]


def test_half_of_a_stack_is_synced(
    matrix: Matrix, upstream: str, debs: dict[tuple[str, str], Path], tmp_path: Path
) -> None:
    flat(tmp_path / "m", [debs[LIB, NEW], debs[LIB, MIDDLE], debs[BIN, MIDDLE], debs[CUDNN, CUDNN_OLD]])
    with served(tmp_path) as address:
        source = ask(matrix, f"{address}/m", upstream, packages=("libnvinfer*", "libcudnn*"))
    found = states(source)
    assert (found[f"{LIB} {NEW}"], found[f"{BIN} {NEW}"]) == ("same", "missing")
    assert (found[f"{CUDNN} {CUDNN_NEW}"], found[f"{CUDNN} {CUDNN_OLD}"]) == ("missing", "same")
    assert "cuda-drivers 595.58.03-1" not in found


def test_in_the_middle_of_a_sync_it_is_inconsistent_and_apt_refuses_it(
    matrix: Matrix, upstream: str, debs: dict[tuple[str, str], Path], tmp_path: Path
) -> None:
    root = flat(tmp_path / "m", [debs[LIB, OLD]])
    shutil.copy(debs[LIB, NEW], root)
    index(root)  # the new list is there, the new Release is not
    with served(tmp_path) as address:
        source = ask(matrix, f"{address}/m", upstream)
        works, said = apt(tmp_path / "apt", f"deb [trusted=yes] {address}/m/ /", LIB)
        told = side(source, "mirror")
        assert told.state == "inconsistent"
        assert told.detail == "Packages.gz has another checksum than Release says"
        assert item(source, f"{LIB} {NEW}").state == "same"
        assert not works
        assert "unexpected size" in said or "Hash Sum mismatch" in said
        release(root)
        assert side(ask(matrix, f"{address}/m", upstream), "mirror").state == "ok"
        (root / "Packages.gz").unlink()
        told = side(ask(matrix, f"{address}/m", upstream), "mirror")
        assert (told.state, told.detail) == ("inconsistent", "Release names Packages.gz, and it is not there")
        (root / "Packages.gz").write_bytes(b"\x1f\x8b\x08 half of it")
        assert side(ask(matrix, f"{address}/m", upstream), "mirror").state == "inconsistent"


def test_another_file_under_the_same_name(
    matrix: Matrix, upstream: str, debs: dict[tuple[str, str], Path], tmp_path: Path
) -> None:
    flat(tmp_path / "m", build(tmp_path / "own", [(LIB, NEW)], text="built again"))
    with served(tmp_path) as address:
        found = item(ask(matrix, f"{address}/m", upstream), f"{LIB} {NEW}")
    assert (found.state, found.evidence) == ("differs", "sha256")


def test_a_suite_of_reprepro_and_its_components(
    matrix: Matrix, upstream: str, debs: dict[tuple[str, str], Path], tmp_path: Path
) -> None:
    arm = build(tmp_path / "arm", [("libnvinfer-lean11", NEW)], "arm64")
    suite(tmp_path / "m", [debs[LIB, NEW], *arm, debs[CUDNN, CUDNN_NEW]])
    with served(tmp_path / "m") as address:
        source = ask(matrix, f"{address}/dists/jammy", upstream)
        found = states(source)
        assert (found[f"{LIB} {NEW}"], found[f"{CUDNN} {CUDNN_NEW}"]) == ("same", "same")
        assert (found[f"libnvinfer-lean11 {NEW}"], found[f"{LIB} {MIDDLE}"]) == ("extra", "missing")
        assert side(source, "mirror").product == "apt"
        assert side(source, "mirror").synced is not None
        found = states(ask(matrix, f"{address}/dists/jammy/main", upstream))
        assert (found[f"{LIB} {NEW}"], found[f"{CUDNN} {CUDNN_NEW}"]) == ("same", "missing")
        found = states(ask(matrix, f"{address}/dists/jammy", upstream, platforms=("linux/amd64",)))
        assert f"libnvinfer-lean11 {NEW}" not in found
        source = ask(matrix, f"{address}/dists/jammy", upstream, held="probe")
        assert states(source)[f"{LIB} {NEW}"] == "same"
        next((tmp_path / "m" / "pool").rglob(f"{LIB}_*.deb")).unlink()
        gone = item(ask(matrix, f"{address}/dists/jammy", upstream, held="probe"), f"{LIB} {NEW}")
        assert (gone.state, gone.missing) == ("listed-not-held", (f"{LIB}_{NEW}_amd64.deb",))
        source = ask(matrix, f"{address}/dists/noble", upstream)
        assert side(source, "mirror").state == "absent"
        assert set(states(source).values()) == {"missing"}


def test_a_signed_release_and_lists_packed_with_xz(
    matrix: Matrix, upstream: str, debs: dict[tuple[str, str], Path], tmp_path: Path
) -> None:
    import lzma

    root = flat(tmp_path / "m", [debs[LIB, NEW]])
    (root / "Packages.gz").unlink()
    (root / "Packages.xz").write_bytes(lzma.compress((root / "Packages").read_bytes()))
    (root / "Packages").unlink()
    release(root, DAYS[0])
    sign(root, tmp_path / "gpg")
    with served(tmp_path) as address:
        source = ask(matrix, f"{address}/m", upstream)
    assert (side(source, "mirror").state, side(source, "mirror").detail) == ("ok", None)
    assert side(source, "mirror").synced == "2026-11-18T09:12:44Z"
    assert item(source, f"{LIB} {NEW}").state == "same"


def test_lists_without_a_release(
    matrix: Matrix, upstream: str, debs: dict[tuple[str, str], Path], tmp_path: Path
) -> None:
    root = flat(tmp_path / "m", [debs[LIB, NEW]])
    (root / "Release").unlink()
    with served(tmp_path) as address:
        source = ask(matrix, f"{address}/m", upstream)
        assert item(source, f"{LIB} {NEW}").state == "same"
        assert side(source, "mirror").synced is None
        (root / "Packages.gz").unlink()
        (root / "Packages").unlink()
        assert side(ask(matrix, f"{address}/m", upstream), "mirror").state == "absent"


def test_equal_lists_are_fetched_once(matrix: Matrix, debs: dict[tuple[str, str], Path], tmp_path: Path) -> None:
    root = flat(tmp_path / "m", [debs[LIB, NEW]])
    with served(tmp_path / "m") as mirror, served(root) as upstream:
        source = ask(matrix, mirror, upstream)
    assert states(source) == {f"{LIB} {NEW}": "same"}
    assert source.requests == 2 * 2 + 1  # InRelease (there is none) and Release of each, one list


def test_one_side_is_down(matrix: Matrix, upstream: str, debs: dict[tuple[str, str], Path], tmp_path: Path) -> None:
    source = ask(matrix, NOWHERE, upstream)
    assert side(source, "mirror").state == "unreachable"
    assert set(states(source).values()) == {"unknown"}
    assert side(source, "mirror").detail == "no connection"
    flat(tmp_path / "m", [debs[LIB, OLD], debs[LIB, MIDDLE]])
    with served(tmp_path) as address:
        source = ask(matrix, f"{address}/m", NOWHERE)
        assert set(states(source).values()) == {"unknown"}
        first = ask(matrix, f"{address}/m", upstream)
        values = {name: getattr(first, name) for name in MirrorSource.__dataclass_fields__}
        earlier = MirrorSource(**{**values, "upstream": NOWHERE, "checked": "2026-11-20T00:00:00Z"})
        source = ask(matrix, f"{address}/m", NOWHERE, before=earlier)
    assert states(source)[f"{LIB} {NEW}"] == "missing"
    assert item(source, f"{LIB} {MIDDLE}").as_of == "2026-11-20T00:00:00Z"


def test_the_upstream_that_belongs_to_a_path(matrix: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def refuse(self: Client, url: str, **_: Any) -> Any:
        from trtdoctor.net.http import NetError

        asked.append(url)
        raise NetError(f"{url}: no connection")

    monkeypatch.setattr(Client, "get", refuse)
    source = ask(matrix, "https://mirror.example/cuda/repos/ubuntu2404/sbsa", None)
    assert source.upstream == "https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2404/sbsa"
    assert f"{source.upstream}/InRelease" in asked
    source = ask(matrix, "https://mirror.example/debian/dists/jammy", None)
    assert (source.upstream, side(source, "upstream").state) == (None, "unasked")
    assert "name its upstream" in str(side(source, "upstream").detail)


Answers = Mapping[str, tuple[int, dict[str, str], bytes]]


def files_alone(answers: Answers) -> AbstractContextManager[str]:
    """A server that has these files, wherever they are asked for."""
    return server(lambda path, _: answers.get(path.rpartition("/")[2], (404, {}, b"")))


def test_hostile_repositories(matrix: Matrix, upstream: str) -> None:
    plain = b"Date: Tue, 01 Sep 2026 00:00:00 UTC\nSHA256:\n " + b"0" * 64 + b" 5 Packages.gz\n"
    bomb = gzip.compress(b"Package: libnvinfer11\n" + b"x" * (30 << 20))
    tricks = (
        b"Package: libnvinfer11\nVersion: 11.3.0.99-1\nFilename: ../../../etc/cron.d/x.deb\nSize: 1\n\n"
        b"Package: ../../libnvinfer11\nVersion: 11.3.0.99-1\nFilename: a.deb\n\n"
        b"Package: libnvinfer11\nVersion: \x1b[2J\nFilename: a.deb\n\n"
        b"Package: libnvinfer11\nVersion: 11.3.0.99-1\nFilename: /etc/a.deb\n\n"
        b"Package: libnvinfer11\nVersion: 11.3.0.99-1+cuda13.4\nFilename: ./good.deb\nSize: -5\nSHA256: ../x\n"
    )
    cases: list[tuple[Answers, str]] = [
        ({"InRelease": (200, {}, b"<html>sign in</html>")}, "other-kind"),
        ({"InRelease": (200, {}, b"\xff\xfe" * 4000)}, "other-kind"),
        ({"InRelease": (302, {"location": "InRelease"}, b"")}, "hostile"),
        ({"Release": (200, {}, plain), "Packages.gz": (200, {}, bomb)}, "hostile"),
        ({"Release": (200, {}, plain), "Packages.gz": (200, {}, b"\x00" * 9000)}, "inconsistent"),
        ({"Release": (200, {}, plain), "Packages.gz": (200, {}, gzip.compress(tricks))}, "inconsistent"),
        ({"InRelease": (403, {}, b""), "Release": (403, {}, b"")}, "denied"),
    ]
    seen: set[str] = set()
    for answers, state in cases:
        with files_alone(answers) as place:
            source = ask(matrix, f"http://{place}/cuda", upstream)
        assert side(source, "mirror").state == state, answers
        files = {file.name: file for found in source.items for file in found.files}
        assert not any("cron" in name or "/" in name for name in files)
        if "good.deb" in files:
            assert (files["good.deb"].size, files["good.deb"].sha256) == (None, None)
        seen |= set(files)
    assert "good.deb" in seen


def test_a_list_that_never_ends(matrix: Matrix, upstream: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trtdoctor.mirror.apt_repository.MOST_PACKED", 1 << 20)
    plain = b"Date: Tue, 01 Sep 2026 00:00:00 UTC\nSHA256:\n " + b"0" * 64 + b" 5 Packages\n"
    noise = b"Package: vim\nVersion: 1\n\n" * (1 << 18)
    with files_alone({"Release": (200, {}, plain), "Packages": (200, {}, noise)}) as place:
        told = side(ask(matrix, f"http://{place}/cuda", upstream), "mirror")
    assert (told.state, told.detail) == ("hostile", "the answer is longer than 1 MiB")


def test_a_large_list_is_read_in_little_memory(matrix: Matrix, tmp_path: Path) -> None:
    import tracemalloc

    more = "".join(
        f"Package: other{number}\nVersion: 1\nFilename: ./o{number}.deb\nDescription: {os.urandom(60).hex()}\n\n"
        for number in range(60_000)
    )
    root = tmp_path / "m"
    root.mkdir()
    wanted = f"Package: {LIB}\nVersion: {NEW}\nArchitecture: amd64\nFilename: ./{LIB}_{NEW}_amd64.deb\nSize: 5\n\n"
    (root / "Packages.gz").write_bytes(gzip.compress((more + wanted).encode()))
    assert (root / "Packages.gz").stat().st_size > 4 << 20
    with served(tmp_path) as address:
        tracemalloc.start()
        source = ask(matrix, f"{address}/m", NOWHERE)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert [found.name for found in source.items] == [f"{LIB} {NEW}"]
    assert most < 12 << 20, most
    assert threading.active_count() < 20
