"""Pages of simple indexes: what servers send, what the specifications say, and what nobody should send."""

from __future__ import annotations

import html
import json
import time
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename, parse_wheel_filename

from trtdoctor.net.simple_page import MOST_FILES, Page, PageError, read

JSON = "application/vnd.pypi.simple.v1+json"
BASE = "https://mirror.example/simple/tensorrt-cu13/"
WHEEL = "tensorrt_cu13-11.4.0.106-py2.py3-none-manylinux_2_28_x86_64.whl"
SDIST = "tensorrt_cu13-11.4.0.106.tar.gz"
SHA = "ab" * 32


def of_json(document: Any) -> Page:
    return read(json.dumps(document).encode(), JSON, "tensorrt-cu13", BASE)


def of_html(text: str) -> Page:
    return read(text.encode(), "text/html", "tensorrt-cu13", BASE)


def test_json_of_api_1_4() -> None:
    page = of_json(
        {
            "meta": {"api-version": "1.4", "_last-serial": "41999189"},
            "name": "tensorrt-cu13",
            "versions": ["11.4.0.106", "0.0.0a0"],
            "project-status": {"status": "archived", "reason": "x"},
            "files": [
                {
                    "filename": WHEEL,
                    "url": "../../files/" + WHEEL,
                    "hashes": {"sha256": SHA.upper()},
                    "size": 1234,
                    "upload-time": "2026-11-18T09:12:44.123456Z",
                    "yanked": "broken",
                    "core-metadata": True,
                },
                {"filename": SDIST, "url": "https://elsewhere.example/" + SDIST, "hashes": {}, "yanked": False},
            ],
        }
    )
    wheel, sdist = page.files
    assert (wheel.version, wheel.size, wheel.sha256, wheel.yanked) == ("11.4.0.106", 1234, SHA, True)
    assert wheel.uploaded == "2026-11-18T09:12:44Z"
    assert wheel.url == "https://mirror.example/files/" + WHEEL
    assert (sdist.url, sdist.sha256, sdist.uploaded, sdist.yanked) == (
        "https://elsewhere.example/" + SDIST,
        None,
        None,
        False,
    )
    assert (page.api, page.serial, page.status, page.dropped) == ("1.4", 41999189, "archived", 0)
    assert page.versions == {"11.4.0.106", "0.0.0a0"}


def test_html_as_indexes_write_it() -> None:
    page = of_html(
        f"""<!DOCTYPE html><html><head><title>Links for tensorrt-cu13</title></head><body>
        <h1>Links for tensorrt-cu13</h1>
        <a href="../../packages/ab/cd/{WHEEL}#sha256={SHA}" data-requires-python="&gt;=3.8" data-yanked="">{WHEEL}</a>
        <A data-requires-python=">=3.8,<4" HREF='/files/{SDIST}?token=x#md5=0'>t..&gt;</A>
        <!-- <a href="tensorrt_cu13-1.0.tar.gz">hidden</a> -->
        </body></html><!--SERIAL 29181 -->"""
    )
    assert [(item.name, item.sha256, item.yanked) for item in page.files] == [(WHEEL, SHA, True), (SDIST, None, False)]
    assert page.files[0].url == "https://mirror.example/packages/ab/cd/" + WHEEL
    assert (page.api, page.serial) == (None, 29181)
    assert page.versions == {"11.4.0.106"}


def test_a_listing_of_nginx_whose_texts_are_cut_short() -> None:
    page = of_html(
        "<html>\r\n<head><title>Index of /</title></head>\r\n<body>\r\n"
        '<h1>Index of /</h1><hr><pre><a href="../">../</a>\r\n'
        f'<a href="{WHEEL}">{WHEEL[:40]}..&gt;</a>  18-Nov-2026 09:12   1234\r\n</pre><hr></body>\r\n</html>'
    )
    assert [item.name for item in page.files] == [WHEEL]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"{", JSON),
        (b"[]", JSON),
        (b"{}", JSON),
        (b'{"files": {}}', JSON),
        (b'{"files": [1]}', JSON),
        (b"\xff\xfe", JSON),
        (b"[" * 100_000, JSON),
        (b'{"files": [], "meta": {"api-version": "2.0"}}', JSON),
        (b"moved", "text/plain"),
        (b"", "text/html"),
        (b'{"errors": []}', ""),
    ],
)
def test_what_is_no_page(body: bytes, kind: str) -> None:
    with pytest.raises(PageError) as caught:
        read(body, kind, "tensorrt-cu13")
    assert not caught.value.hostile


def test_tricks_in_names_are_dropped_and_counted() -> None:
    names = [
        "../../../etc/tensorrt_cu13-1.0.tar.gz",
        "tensorrt_cu13-1.0\x00.tar.gz",
        "tensorrt_cu13-1.0/../../x.whl",
        "..\\tensorrt_cu13-1.0.zip",
        "tensorrt_cu13-1.0\u202e.tar.gz",
        "tensorrt_cu13-" + "9" * 300 + ".tar.gz",
    ]
    for page in (
        of_json({"files": [{"filename": name, "url": name} for name in [*names, SDIST, "other-1.0.tar.gz"]]}),
        of_html("".join(f'<a href="{html.escape(quote(name, safe=""))}">x</a>' for name in [*names, SDIST])),
    ):
        assert [item.name for item in page.files] == [SDIST]
        assert page.dropped == len(names)


def test_values_that_are_not_believed() -> None:
    odd: list[dict[str, Any]] = [{"size": -1}, {"size": True}, {"size": 1 << 60}, {"size": "1"}, {"upload-time": "x"}]
    odd += [{"hashes": {"sha256": "../x"}}, {"hashes": []}, {"url": 5}, {"upload-time": 7}, {"hashes": {"sha256": 1}}]
    files = [{"filename": f"tensorrt_cu13-{number}.tar.gz", **entry} for number, entry in enumerate(odd)]
    for item in of_json({"files": files}).files:
        assert (item.size, item.sha256, item.uploaded) == (None, None, None)
        assert item.url.startswith(BASE)


def test_too_many_files_break_a_limit() -> None:
    many = [{"filename": f"tensorrt_cu13-{number}.tar.gz"} for number in range(MOST_FILES + 1)]
    with pytest.raises(PageError, match="more than 20000 files") as caught:
        of_json({"files": many})
    assert caught.value.hostile


@pytest.mark.parametrize("piece", ["{},", "[],", '"ab",'])
def test_megabytes_of_small_parts_are_not_read_at_all(piece: str) -> None:
    with pytest.raises(PageError, match="more than 20000 files can have") as caught:
        read(f'{{"files": [{piece * 900_000}0]}}'.encode(), JSON, "tensorrt-cu13")
    assert caught.value.hostile


@pytest.mark.parametrize("piece", ["<a ", "<!--", '<a "', "<a '\"", "<a href=x ", "&", "<a b=  =", "<a<a>"])
def test_megabytes_of_broken_html_take_no_time(piece: str) -> None:
    started = time.monotonic()
    try:
        of_html("<html>" + piece * (4_000_000 // len(piece)))
    except PageError as error:
        assert error.hostile
    assert time.monotonic() - started < 5


class Links(HTMLParser):
    """The parser of the standard library, for comparison."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag == "a" and values.get("href"):
            path = urlsplit(values["href"] or "").path
            self.found.append((unquote(path.rpartition("/")[2]), "data-yanked" in values))


VERSIONS = st.from_regex(
    r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}(\.post[0-9]|b[0-9]|rc1|\.dev12)?(\+cu12[0-9])?", fullmatch=True
)
TAGS = st.sampled_from(["py3-none-any", "cp312-cp312-manylinux_2_28_x86_64", "py2.py3-none-win_amd64"])
NAMES = st.builds(
    lambda stem, version, tag: f"{stem}-{version}-{tag}.whl" if tag else f"{stem}-{version}.tar.gz",
    st.sampled_from(["tensorrt_cu13", "tensorrt.cu13", "Tensorrt-Cu13"]),
    VERSIONS,
    TAGS | st.none(),
)


@given(st.lists(st.tuples(NAMES, st.sampled_from(["", "data-yanked", 'data-yanked="a > b"', "x='\"'"])), max_size=8))
def test_html_is_read_as_the_standard_library_reads_it(files: list[tuple[str, str]]) -> None:
    text = "<!DOCTYPE html><html>" + "".join(
        f'<a {more} href="../f/{html.escape(quote(name))}#sha256={SHA}">{name}</a>\n' for name, more in files
    )
    parser = Links()
    parser.feed(text)
    wanted = dict(reversed(parser.found))  # the first of a name counts
    page = of_html(text)
    assert {item.name: item.yanked for item in page.files} == wanted
    assert all(item.sha256 == SHA for item in page.files)


@given(NAMES)
def test_versions_are_those_of_packaging(name: str) -> None:
    page = of_json({"files": [{"filename": name, "url": name}]})
    try:
        version = parse_wheel_filename(name)[1] if name.endswith(".whl") else parse_sdist_filename(name)[1]
    except (InvalidWheelFilename, InvalidSdistFilename):
        return
    from packaging.version import Version

    assert [Version(item.version) for item in page.files] == [version]


@given(st.binary(max_size=400), st.sampled_from([JSON, "text/html", "application/json", "", "text/plain"]))
def test_any_bytes_are_a_page_or_one_error(body: bytes, kind: str) -> None:
    try:
        page = read(body, kind, "tensorrt-cu13", BASE)
    except PageError as error:
        assert "\n" not in str(error)
        return
    assert all(item.name.isascii() and "/" not in item.name for item in page.files)


KEYS = st.sampled_from(["files", "meta", "filename", "hashes", "sha256", "api-version"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.just(SDIST),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["files", "meta", "filename", "hashes", "sha256", "api-version"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@given(ANYTHING)
def test_any_json_is_a_page_or_one_error(document: Any) -> None:
    try:
        page = of_json(document)
    except PageError:
        return
    assert all(item.name == SDIST for item in page.files)
