"""Release and Packages: any way they are cut into parts, packed or damaged, and any bytes instead of them."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtdoctor.mirror.apt_files import AptError, Package, packages, read_release, unpacked

RELEASE = """Origin: NVIDIA
Label: NVIDIA CUDA
Architecture: x86_64
Date: Wed, 18 Nov 2026 09:12:44 UTC
MD5Sum:
 d41d8cd98f00b204e9800998ecf8427e 0 Packages
SHA256:
 {digest} 1234 Packages
 {digest} 56 ./Packages.gz
 {digest} 7 ../../etc/passwd
 {digest} -7 Contents
 nonsense
Acquire-By-Hash: no
"""
DIGEST = "ab" * 32
PLAIN = RELEASE.format(digest=DIGEST).encode()
SIGNED = (
    b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n"
    + PLAIN
    + b"-----BEGIN PGP SIGNATURE-----\n\niQEz\n=abcd\n-----END PGP SIGNATURE-----\n"
)


@pytest.mark.parametrize("body", [PLAIN, SIGNED, PLAIN.replace(b"\n", b"\r\n")])
def test_a_release(body: bytes) -> None:
    found = read_release(body)
    assert (found.date, found.architectures, found.components) == ("2026-11-18T09:12:44Z", ("x86_64",), ())
    assert found.files == {"Packages": (DIGEST, 1234), "./Packages.gz": (DIGEST, 56)}
    assert found.lists() == ["Packages"]
    assert found.stated("Packages.gz") == (DIGEST, 56)


def test_a_release_of_a_suite() -> None:
    names = ("main/binary-amd64/Packages.xz", "main/binary-amd64/Release", "extra/binary-arm64/Packages")
    text = "Codename: jammy\nComponents: main extra\nArchitectures: amd64 arm64\nDate: x\nSHA256:\n"
    text += "".join(f" {DIGEST} 5 {name}\n" for name in names)
    found = read_release(text.encode())
    assert (found.date, found.components, found.architectures) == (None, ("main", "extra"), ("amd64", "arm64"))
    assert found.lists() == ["main/binary-amd64/Packages", "extra/binary-arm64/Packages"]


@pytest.mark.parametrize(
    "body", [b"", b"<html><body>no</body></html>", b"{}", b"\x00" * 99, b"Package: x\nVersion: 1\n"]
)
def test_what_is_no_release(body: bytes) -> None:
    with pytest.raises(AptError, match="no Release file"):
        read_release(body)


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: f"Date: {text}\nSHA256:\n {text}".encode()))
def test_any_bytes_are_a_release_or_one_error(body: bytes) -> None:
    try:
        found = read_release(body)
    except AptError as error:
        assert "\n" not in str(error)
        return
    assert not any(".." in name.split("/") or name.startswith("/") for name in found.files)


NAMES = st.sampled_from(["libnvinfer11", "libnvinfer-bin", "vim", "tensorrt"])
VERSIONS = st.from_regex(r"[0-9]{1,2}\.[0-9]{1,3}(\.[0-9]{1,3}-1\+cuda1[23]\.[0-9])?", fullmatch=True)
LINES = st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=30)
ENTRIES = st.lists(st.tuples(NAMES, VERSIONS, st.integers(0, 1 << 40), st.lists(LINES, max_size=3)), max_size=8)


PACKED: dict[str, Callable[[bytes], bytes]] = {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}


def cut(body: bytes, sizes: list[int]) -> list[bytes]:
    parts = []
    for size in sizes:
        parts.append(body[:size])
        body = body[size:]
    return [*parts, body]


@given(ENTRIES, st.lists(st.integers(0, 90), max_size=30), st.sampled_from(["", ".gz", ".xz"]))
def test_lists_are_read_however_they_come(
    entries: list[tuple[str, str, int, list[str]]], sizes: list[int], ending: str
) -> None:
    text = "\n".join(
        f"Package: {name}\nDescription: x\n"
        + "".join(f" .{line}\n" for line in more)  # goes on, and so is no field, whatever is in it
        + f"version: {version}\nArchitecture: amd64\nFilename: ./{name}_{number}_amd64.deb\n"
        + f"Size: {size}\nSHA256: {DIGEST}\n"
        for number, (name, version, size, more) in enumerate(entries)
    )
    body = PACKED[ending](text.encode())
    blocks = unpacked(iter(cut(body, sizes)), f"Packages{ending}")
    assert list(packages(blocks, lambda name: name != "vim")) == [
        Package(name, version, "amd64", f"{name}_{number}_amd64.deb", size, DIGEST)
        for number, (name, version, size, _) in enumerate(entries)
        if name != "vim"
    ]


@pytest.mark.parametrize("ending", [".gz", ".xz"])
def test_lists_that_are_cut_short_damaged_or_twice_as_long(ending: str) -> None:
    pack = PACKED[ending]
    text = b"Package: vim\nVersion: 1\nFilename: v.deb\n\n" * 500
    whole = pack(text)
    assert b"".join(unpacked([whole, pack(text)], f"Packages{ending}")) == text * 2  # two files in one
    with pytest.raises(AptError, match="cut short"):
        list(unpacked([whole[:-9]], f"Packages{ending}"))
    with pytest.raises(AptError, match="damaged"):
        list(unpacked([b"no such file at all"], f"Packages{ending}"))


@pytest.mark.parametrize("ending", [".gz", ".xz"])
def test_a_bomb_goes_off_in_small_blocks(ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trtdoctor.mirror.apt_files.MOST_UNPACKED", 8 << 20)
    sizes: list[int] = []
    blocks = unpacked([PACKED[ending](bytes(40 << 20))], f"Packages{ending}")
    with pytest.raises(AptError, match="longer than 8 MiB when it is unpacked") as caught:
        sizes.extend(map(len, blocks))
    assert caught.value.hostile
    assert max(sizes) <= 1 << 18
    assert sum(sizes) <= 8 << 20


def test_limits_of_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AptError, match="one paragraph is longer") as caught:
        list(packages([b"x" * (1 << 19)] * 3, lambda _: True))
    assert caught.value.hostile
    monkeypatch.setattr("trtdoctor.mirror.apt_files.MOST_PACKAGES", 3)
    with pytest.raises(AptError, match="more than 3 versions"):
        list(packages([b"Package: vim\nVersion: 1\nFilename: v.deb\n\n" * 4], lambda _: True))


@given(st.binary(max_size=400), st.sampled_from(["", ".gz", ".xz"]))
def test_any_bytes_are_a_list_or_one_error(body: bytes, ending: str) -> None:
    try:
        found = list(packages(unpacked([body], f"Packages{ending}"), lambda _: True))
    except AptError as error:
        assert "\n" not in str(error)
        return
    assert all(".." not in package.path for package in found)
