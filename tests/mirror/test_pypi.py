"""Kind pypi against real servers on this machine: what is told of mirrors that are late, partial, odd or down."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from tests.mirror.simple_index import (
    File,
    Index,
    folder,
    plain_listing,
    sdist,
    serving,
    simple_repository_server,
    wheel,
)
from trtdoctor.config.mirrors import Mirror
from trtdoctor.matrix import Matrix
from trtdoctor.mirror.pypi import look, projects_of
from trtdoctor.mirror_facts import MirrorItem, MirrorSide, MirrorSource
from trtdoctor.net.credentials import CredentialsError
from trtdoctor.net.http import Client

CONNECT = socket.socket.connect
NOW = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)
LIBS, BINDINGS, META = "tensorrt-cu13-libs", "tensorrt-cu13-bindings", "tensorrt-cu13"
NEW, MIDDLE, OLD = "11.4.0.106", "11.3.0.99", "11.2.1.2"
DAYS = {NEW: "2026-11-18T09:12:44Z", MIDDLE: "2026-10-01T00:00:00Z", OLD: "2026-09-01T00:00:00Z"}
NOWHERE = "http://127.0.0.1:9/simple"


@pytest.fixture(autouse=True)
def _sockets(_no_sockets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests speak to servers of their own, and to nobody else."""
    monkeypatch.setattr(socket.socket, "connect", CONNECT)
    monkeypatch.setattr("trtdoctor.mirror.pypi.wheels_index", lambda _: None)


def stack(*versions: str, libs: tuple[str, ...] | None = None) -> dict[str, list[File]]:
    """TensorRT for CUDA 13 as the index has it."""
    return {
        META: [sdist(META, version, uploaded=DAYS.get(version)) for version in versions],
        BINDINGS: [
            wheel(BINDINGS, version, f"cp312-none-manylinux_2_{glibc}", uploaded=DAYS.get(version))
            for version in versions
            for glibc in ("28_x86_64", "31_aarch64")
        ],
        LIBS: [sdist(LIBS, version, uploaded=DAYS.get(version)) for version in libs or versions],
    }


def payload(*versions: str) -> dict[str, list[File]]:
    """What NVIDIA's own index has behind the stubs."""
    return {LIBS: [wheel(LIBS, version) for version in versions]}


def ask(
    matrix: Matrix,
    mirror: str,
    upstream: str | None,
    wheels: str | None = NOWHERE,
    *,
    before: MirrorSource | None = None,
    environ: dict[str, str] | None = None,
    seconds: float = 20,
    **more: Any,
) -> MirrorSource:
    described = Mirror("m", "pypi", mirror, upstream, wheels=wheels, **{"projects": (META, BINDINGS, LIBS), **more})
    with Client(seconds, connect=1, read=5) as client:
        return look(described, matrix, client, before=before, now=NOW, environ=environ or {})


def states(source: MirrorSource) -> dict[str, str]:
    return {item.name: item.state for item in source.items}


def item(source: MirrorSource, project: str, version: str) -> MirrorItem:
    return next(found for found in source.items if (found.project, found.version) == (project, version))


def side(source: MirrorSource, role: str) -> MirrorSide:
    found = source.side(role)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    with serving(Index(stack(NEW, MIDDLE, OLD), serials={META: 9000, LIBS: 9001})) as address:
        yield address


@pytest.fixture(scope="module")
def nvidia() -> Iterator[str]:
    with serving(Index(payload(NEW, MIDDLE, OLD), html=True)) as address:
        yield address


def test_a_mirror_that_is_two_releases_behind(matrix: Matrix, upstream: str, nvidia: str) -> None:
    late = Index(stack(OLD), serials={META: 7000, LIBS: 7001}, synced="20260920T03:04:05")
    with serving(late) as mirror:
        source = ask(matrix, mirror, upstream, nvidia)
    assert states(source) == {
        f"{project} {version}": "same" if version == OLD else "missing"
        for project in (META, BINDINGS, LIBS)
        for version in (NEW, MIDDLE, OLD)
    }
    assert [found.version for found in source.items if found.project == META] == [NEW, MIDDLE, OLD]
    newest = item(source, META, NEW)
    assert (newest.released, newest.released_by, newest.evidence) == (DAYS[NEW], "upload-time", "listed")
    assert newest.missing == (f"tensorrt_cu13-{NEW}.tar.gz",)
    assert item(source, META, OLD).evidence == "sha256"
    told = side(source, "mirror")
    assert (told.state, told.product, told.synced, told.synced_by) == (
        "ok",
        "bandersnatch",
        "2026-09-20T03:04:05Z",
        "last-modified",
    )
    assert "behind for 2 of 2 projects: tensorrt-cu13, tensorrt-cu13-libs" in source.notes[0]
    assert source.checked == "2026-11-22T12:00:00Z"
    assert source.requests == 3 + 3 + 1 + 1  # each project at each side, the page behind the stub, last-modified
    assert [found.on for found in item(source, LIBS, NEW).files] == ["upstream", "wheels"]


def test_half_of_a_stack_is_synced(matrix: Matrix, upstream: str, nvidia: str) -> None:
    with serving(Index(stack(NEW, MIDDLE, libs=(MIDDLE,)))) as mirror:
        source = ask(matrix, mirror, upstream, nvidia)
    assert {item(source, project, NEW).state for project in (META, BINDINGS)} == {"same"}
    assert item(source, LIBS, NEW).state == "missing"
    assert item(source, LIBS, MIDDLE).state == "same"


def test_files_for_one_platform_are_missing(matrix: Matrix, upstream: str, nvidia: str) -> None:
    partial = stack(NEW)
    aarch64 = partial[BINDINGS].pop()
    with serving(Index(partial)) as mirror:
        source = ask(matrix, mirror, upstream, nvidia)
        found = item(source, BINDINGS, NEW)
        assert (found.state, found.evidence, found.missing) == ("missing-platform", "files", (aarch64.name,))
        source = ask(matrix, mirror, upstream, nvidia, platforms=("linux/amd64",))
        assert item(source, BINDINGS, NEW).state == "same"
        source = ask(matrix, mirror, upstream, nvidia, platforms=("linux/arm64/v8",))
        assert item(source, BINDINGS, NEW).missing == (aarch64.name,)


def test_another_file_under_the_same_name(matrix: Matrix, upstream: str, nvidia: str) -> None:
    changed = stack(NEW)
    changed[META][0].content = b"tensorrt-cu13 11.4.0.107"
    with serving(Index(changed)) as mirror:
        found = item(ask(matrix, mirror, upstream, nvidia), META, NEW)
        assert (found.state, found.evidence) == ("differs", "sha256")
        assert found.upstream_digest != found.mirror_digest == f"sha256:{changed[META][0].sha256}"
    changed[META][0].content = b"longer than the one that upstream has"
    with serving(Index(changed, digests=False)) as mirror:
        found = item(ask(matrix, mirror, upstream, nvidia), META, NEW)
        assert (found.state, found.evidence) == ("differs", "size")


def test_withdrawn_files(matrix: Matrix, nvidia: str) -> None:
    above, here = stack(NEW, MIDDLE), stack(NEW, MIDDLE)
    above[META][0].yanked = True
    above[BINDINGS][1].yanked = True
    here[BINDINGS].pop(1)
    with serving(Index(above)) as upstream, serving(Index(here, html=True)) as mirror:
        source = ask(matrix, mirror, upstream, nvidia)
    assert "withdrawn" in str(item(source, META, NEW).detail)
    assert item(source, META, NEW).files[0].yanked
    assert item(source, BINDINGS, NEW).state == "same"  # what upstream withdrew, nobody misses


# -- stubs -------------------------------------------------------------------------------------------------------------


def test_a_stub_without_its_wheel(matrix: Matrix, upstream: str) -> None:
    with serving(Index(payload(OLD), html=True)) as wheels, serving(Index(stack(NEW, OLD))) as mirror:
        source = ask(matrix, mirror, upstream, wheels)
    found = item(source, LIBS, NEW)
    assert (found.state, found.detail) == ("stub-only", "the index that its build asks has no wheel of it")
    assert item(source, LIBS, OLD).state == "same"
    assert [file.name for file in item(source, LIBS, OLD).files if file.on == "wheels"] == [
        f"tensorrt_cu13_libs-{OLD}-py2.py3-none-manylinux_2_28_x86_64.whl"
    ]
    assert item(source, META, NEW).state == "same"
    with serving(Index({}, html=True)) as empty, serving(Index(stack(NEW))) as mirror:
        source = ask(matrix, mirror, upstream, empty)
    assert item(source, LIBS, NEW).state == "stub-only"
    assert side(source, "wheels").state == "absent"


def test_a_stub_has_no_credentials_to_give(matrix: Matrix, upstream: str) -> None:
    with serving(Index(payload(NEW), html=True, login="a:b")) as wheels, serving(Index(stack(NEW))) as mirror:
        source = ask(matrix, mirror, upstream, wheels)
    found = item(source, LIBS, NEW)
    assert found.state == "stub-only"
    assert "wants credentials, which a stub cannot give" in str(found.detail)
    assert side(source, "wheels").state == "denied"
    with serving(Index(stack(NEW))) as mirror:
        named = {"WHEEL_STUB_PIP_INDEX_URL": "https://user:CANARY@wheels.example/simple"}
        source = ask(matrix, mirror, upstream, None, environ=named)
    assert item(source, LIBS, NEW).state == "stub-only"
    assert "CANARY" not in repr(source)


def test_an_index_of_wheels_that_is_down_proves_nothing(matrix: Matrix, upstream: str) -> None:
    with serving(Index(stack(NEW))) as mirror:
        source = ask(matrix, mirror, upstream, NOWHERE)
    found = item(source, LIBS, NEW)
    assert found.state == "unknown"
    assert "the stub is there" in str(found.detail)
    assert "127.0.0.1" not in str(found.detail)
    assert side(source, "wheels").state == "unreachable"


def test_an_index_of_wheels_that_stubs_cannot_read(matrix: Matrix, upstream: str) -> None:
    bad = (200, {"content-type": "text/html"}, f'<a href="{wheel(LIBS, NEW).name}">\xff</a>'.encode("latin-1"))
    only_json = (200, {"content-type": "application/json"}, b'{"files": []}')
    for answer in (bad, only_json):
        with serving(lambda *_, told=answer: told) as wheels, serving(Index(stack(NEW))) as mirror:
            found = item(ask(matrix, mirror, upstream, wheels), LIBS, NEW)
        assert found.state == "stub-only"
        assert "no use to it" in str(found.detail)


def test_a_mirror_that_holds_the_wheel_itself_needs_no_stub(matrix: Matrix, upstream: str) -> None:
    robust = stack(NEW)
    robust[LIBS].append(wheel(LIBS, NEW))
    with serving(Index(robust)) as mirror:
        source = ask(matrix, mirror, upstream, NOWHERE)
    assert item(source, LIBS, NEW).state == "same"


def test_stubs_fetch_from_where_the_environment_says(matrix: Matrix, upstream: str, nvidia: str) -> None:
    with serving(Index(stack(NEW))) as mirror:
        source = ask(matrix, mirror, upstream, None, environ={"WHEEL_STUB_PIP_INDEX_URL": nvidia})
    assert item(source, LIBS, NEW).state == "same"
    assert any("WHEEL_STUB_PIP_INDEX_URL is set" in note for note in source.notes)
    assert side(source, "wheels").address == nvidia


def test_wheels_that_nvidia_has_and_the_mirror_of_wheels_has_not(
    matrix: Matrix, upstream: str, nvidia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trtdoctor.mirror.pypi.wheels_index", lambda _: nvidia)
    with serving(Index(payload(OLD), html=True)) as wheels, serving(Index(stack(NEW, OLD))) as mirror:
        source = ask(matrix, mirror, upstream, wheels)
    found = item(source, LIBS, NEW)
    assert (found.state, found.missing) == ("stub-only", (wheel(LIBS, NEW).name,))
    assert [file.on for file in found.files] == ["both", "upstream-wheels"]
    assert side(source, "upstream-wheels").state == "ok"


def test_a_stub_that_the_matrix_does_not_know(matrix: Matrix, nvidia: str) -> None:
    future = "12.0.0.1"
    with serving(Index(stack(future))) as upstream, serving(Index(stack(future))) as mirror:
        source = ask(matrix, mirror, upstream, nvidia)
    assert item(source, LIBS, future).state == "stub-only"
    big = stack(future)
    big[LIBS][0].content = b"x" * 100_000
    with serving(Index(big)) as upstream, serving(Index(big)) as mirror:
        source = ask(matrix, mirror, upstream, nvidia)
    assert item(source, LIBS, future).state == "same"


# -- other servers -----------------------------------------------------------------------------------------------------


def test_a_listing_of_a_web_server_and_a_real_index(matrix: Matrix, upstream: str, nvidia: str, tmp_path: Path) -> None:
    held = folder(tmp_path / "index", stack(NEW, OLD))
    with plain_listing(held) as listing, simple_repository_server(held) as real:
        source = ask(matrix, listing, upstream, nvidia)
        assert item(source, META, NEW).state == "present"  # nothing to compare but the names
        assert item(source, META, MIDDLE).state == "missing"
        assert side(source, "mirror").product == "html-index"
        assert "the mirror gives HTML, which tells neither sizes nor times" in source.notes
        source = ask(matrix, real, upstream, nvidia)
        assert item(source, META, NEW).state == "present"  # sizes are equal, and it gives no digests
        assert side(source, "mirror").product == "json-index"
        # As an upstream it dates releases by its files.
        source = ask(matrix, listing, real, nvidia)
        assert item(source, META, NEW).released == DAYS[NEW]


def test_signs_of_products(matrix: Matrix, upstream: str, nvidia: str) -> None:
    for headers, product in (
        ({"x-devpi-serial": "12"}, "devpi"),
        ({"server": "Nexus/3.76.0-03 (OSS)"}, "nexus"),
        ({"x-pypi-last-serial": "9000"}, "reverse-proxy"),
    ):
        with serving(Index(stack(NEW), headers=headers)) as mirror:
            assert side(ask(matrix, mirror, upstream, nvidia), "mirror").product == product


def test_a_mirror_that_sends_to_another_host(matrix: Matrix, upstream: str, nvidia: str) -> None:
    real = Index(stack(NEW))
    with serving(real) as other:
        elsewhere = other.replace("127.0.0.1", "localhost")

        def redirect(path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
            return 302, {"location": f"{elsewhere}{path.removeprefix('/simple')}"}, b""

        with serving(redirect) as mirror:
            told = side(ask(matrix, mirror, upstream, nvidia), "mirror")
    assert (told.state, told.product) == ("ok", "redirect")
    assert told.served_by == elsewhere.removeprefix("http://").removesuffix("/simple")


def test_a_mirror_with_a_password(matrix: Matrix, upstream: str, nvidia: str) -> None:
    with serving(Index(stack(NEW), login="bot:CANARY")) as mirror:
        source = ask(matrix, mirror, upstream, nvidia)
        assert side(source, "mirror").state == "denied"
        assert "401" in str(side(source, "mirror").detail)
        assert set(states(source).values()) == {"unknown"}
        named: dict[str, Any] = {"username_env": "BOT", "password_env": "BOTS"}
        source = ask(matrix, mirror, upstream, nvidia, environ={"BOT": "bot", "BOTS": "CANARY"}, **named)
        assert item(source, META, NEW).state == "same"
        assert "CANARY" not in repr(source)
        with pytest.raises(CredentialsError, match="BOTS"):
            ask(matrix, mirror, upstream, nvidia, environ={"BOT": "bot"}, **named)


def test_a_mirror_without_any_of_it_and_one_that_is_no_index(matrix: Matrix, upstream: str, nvidia: str) -> None:
    with serving(Index({})) as mirror:
        source = ask(matrix, mirror, upstream, nvidia)
    assert side(source, "mirror").state == "absent"
    assert set(states(source).values()) == {"missing"}
    page = b"<!DOCTYPE html><html><body><form>Sign in</form></body></html>"
    with serving(lambda *_: (200, {"content-type": "text/html"}, page)) as mirror:
        source = ask(matrix, mirror, upstream, nvidia)
    assert side(source, "mirror").state == "other-kind"
    assert set(states(source).values()) == {"unknown"}


# -- down --------------------------------------------------------------------------------------------------------------


def test_the_mirror_is_down(matrix: Matrix, upstream: str, nvidia: str) -> None:
    source = ask(matrix, NOWHERE, upstream, nvidia)
    assert side(source, "mirror").state == "unreachable"
    found = item(source, LIBS, NEW)
    assert (found.state, found.detail) == ("unknown", "the mirror could not be asked: no connection")
    assert {file.on for file in found.files} == {"upstream", "wheels"}


def test_one_project_fails_and_the_others_do_not(matrix: Matrix, upstream: str, nvidia: str) -> None:
    with serving(Index(stack(NEW), refuses={BINDINGS: 403})) as mirror:
        source = ask(matrix, mirror, upstream, nvidia)
    assert side(source, "mirror").state == "ok"
    assert str(side(source, "mirror").detail).startswith(f"{BINDINGS}: it answered 403")
    assert item(source, BINDINGS, NEW).state == "unknown"
    assert item(source, META, NEW).state == "same"


def test_upstream_is_down_and_is_remembered(matrix: Matrix, upstream: str, nvidia: str) -> None:
    with serving(Index(stack(OLD, "11.1.0.106"))) as mirror:
        source = ask(matrix, mirror, NOWHERE, nvidia)
        assert side(source, "upstream").state == "unreachable"
        assert item(source, META, OLD).state == "unknown"
        assert [file.on for file in item(source, META, OLD).files] == ["mirror"]
        first = ask(matrix, mirror, upstream, nvidia)
        assert item(first, META, "11.1.0.106").state == "extra"
    earlier = MirrorSource(**{**vars_of(first), "upstream": NOWHERE, "checked": "2026-11-20T00:00:00Z"})
    with serving(Index(stack(MIDDLE, OLD, "11.0.0.114"))) as mirror:
        source = ask(matrix, mirror, NOWHERE, nvidia, before=earlier)
    assert {found.version: found.state for found in source.items if found.project == META} == {
        NEW: "missing",
        MIDDLE: "same",
        OLD: "same",
        "11.0.0.114": "unknown",
    }
    assert item(source, META, MIDDLE).as_of == "2026-11-20T00:00:00Z"
    assert item(source, META, "11.0.0.114").as_of is None
    # Another upstream's past says nothing.
    other = MirrorSource(**{**vars_of(earlier), "upstream": "http://127.0.0.1:10/simple"})
    with serving(Index(stack(OLD))) as mirror:
        assert item(ask(matrix, mirror, NOWHERE, nvidia, before=other), META, OLD).state == "unknown"


def test_what_upstream_deleted_is_gone_and_what_it_never_had_is_extra(matrix: Matrix, nvidia: str) -> None:
    with serving(Index(stack(NEW, OLD))) as mirror:
        full = Index(stack(NEW, OLD))
        with serving(full) as upstream:
            first = ask(matrix, mirror, upstream, nvidia)
            full.projects = stack(NEW)
            second = ask(matrix, mirror, upstream, nvidia, before=first)
            assert item(second, META, OLD).state == "gone-upstream"
            third = ask(matrix, mirror, upstream, nvidia, before=second)
            assert item(third, META, OLD).state == "gone-upstream"
            assert item(ask(matrix, mirror, upstream, nvidia), META, OLD).state == "extra"


def vars_of(source: MirrorSource) -> dict[str, Any]:
    return {name: getattr(source, name) for name in MirrorSource.__dataclass_fields__}


# -- which upstream, which versions ------------------------------------------------------------------------------------


def test_the_index_of_pip_is_the_upstream(matrix: Matrix, upstream: str, nvidia: str) -> None:
    named = {"PIP_INDEX_URL": upstream.replace("//", "//user:CANARY@")}
    with serving(Index(stack(OLD))) as mirror:
        source = ask(matrix, mirror, None, nvidia, environ=named)
    assert source.upstream == upstream
    assert item(source, META, NEW).state == "missing"
    assert "CANARY" not in repr(source)


def test_a_mirror_is_not_compared_with_itself(
    matrix: Matrix, upstream: str, nvidia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trtdoctor.matrix.pipindex.own_index", lambda _: upstream)
    with serving(Index(stack(OLD))) as mirror:
        source = ask(matrix, mirror, None, nvidia, environ={"PIP_INDEX_URL": f"{mirror}/"})
        assert item(source, META, NEW).state == "missing"
        assert any("pip is configured with this very mirror" in note for note in source.notes)
        source = ask(matrix, mirror, mirror, nvidia)
        assert side(source, "upstream").state == "unasked"
        assert "name its upstream" in str(side(source, "upstream").detail)
        source = ask(matrix, mirror, None, nvidia, environ={"PIP_NO_INDEX": "1"})
        assert side(source, "upstream").state == "unasked"
        assert set(states(source).values()) == {"unknown"}


def test_only_versions_that_matter(matrix: Matrix, nvidia: str) -> None:
    odd = ["0.0.0a0", "12.0.0rc1", "12.0.0.dev5", "10.0.0b6", "12.0.0.1", "9.9.9.9", "1!2.0", "10.14.1.48.post1"]
    cudnn = ["9.28.1.4", "9.28.0.42.dev76646929", "9.99.0.1", "0.0.0a0", "9.15.77.1"]
    listed = {
        META: [sdist(META, version) for version in odd],
        "nvidia-cudnn-cu13": [wheel("nvidia-cudnn-cu13", version) for version in cudnn],
        "setuptools": [wheel("setuptools", f"{number}.0", "py3-none-any") for number in range(60, 81)],
    }
    with serving(Index(listed)) as upstream, serving(Index({})) as mirror:
        source = ask(matrix, mirror, upstream, nvidia, projects=tuple(listed))
    assert [found.version for found in source.items] == [
        *("12.0.0.1", "10.14.1.48.post1"),
        *("9.99.0.1", "9.28.1.4"),
        *("80.0", "79.0", "78.0", "77.0", "76.0"),
    ]


def test_which_projects_are_looked_at(matrix: Matrix) -> None:
    def of(*projects: str) -> list[str]:
        return projects_of(Mirror("m", "pypi", "https://m.example", projects=projects), matrix)

    usual = of()
    assert {META, "tensorrt-cu12-libs", "tensorrt-rtx-cu13-libs", "nvidia-cudnn-cu12", "wheel-stub", "wheel"} <= set(
        usual
    )
    assert len(usual) == len(set(usual)) < 40
    assert of("Tensorrt_CU13") == [META]
    assert of("nvidia-cudnn-*", "torch") == ["nvidia-cudnn-cu11", "nvidia-cudnn-cu12", "nvidia-cudnn-cu13", "torch"]
    assert of("../etc", "a b") == []


def test_a_listed_file_that_is_not_given(matrix: Matrix, upstream: str, nvidia: str) -> None:
    with serving(Index(stack(NEW, OLD), held=False)) as mirror:
        source = ask(matrix, mirror, upstream, nvidia, held="probe")
    assert {item(source, project, NEW).state for project in (META, BINDINGS, LIBS)} == {"listed-not-held"}
    assert item(source, META, NEW).missing == (f"tensorrt_cu13-{NEW}.tar.gz",)
    assert item(source, META, OLD).state == "same"  # only the newest is asked for
    with serving(Index(stack(NEW))) as mirror:
        assert item(ask(matrix, mirror, upstream, nvidia, held="probe"), META, NEW).state == "same"


# -- hostile -----------------------------------------------------------------------------------------------------------


def test_hostile_indexes(matrix: Matrix, upstream: str, nvidia: str) -> None:
    deep = b'{"files": ' + b"[" * 100_000
    loop = (302, {"location": "/simple/tensorrt-cu13/"}, b"")
    answers: list[tuple[tuple[int, dict[str, str], bytes], str]] = [
        ((200, {"content-type": "application/json"}, deep), "other-kind"),
        ((200, {"content-type": "application/json"}, b"\xff" * 5000), "other-kind"),
        (loop, "hostile"),
        ((302, {"location": "file:///etc/passwd"}, b""), "hostile"),
        ((200, {"content-type": "text/html"}, b"<html>" + b"<a href=x" * 5000), "hostile"),
        ((200, {"content-type": "text/html"}, b"\xff\xfe\x00" * 2000), "other-kind"),
        (
            (200, {"content-type": "application/json"}, b'{"files":[' + b'{"filename":"a"},' * 9 + b"null]}"),
            "other-kind",
        ),
    ]
    for answer, state in answers:
        started = time.monotonic()
        with serving(lambda *_, told=answer: told) as mirror:
            source = ask(matrix, mirror, upstream, nvidia)
        assert side(source, "mirror").state == state, answer[2][:20]
        assert set(states(source).values()) == {"unknown"}
        assert "passwd" not in repr(source)
        assert time.monotonic() - started < 10


def test_an_endless_index_ends_at_the_limit(
    matrix: Matrix, upstream: str, nvidia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trtdoctor.net.simple_page.MOST_BYTES", 1 << 20)
    with serving(lambda *_: (200, {"content-type": "text/html"}, b"<html>" + b" " * (2 << 20))) as mirror:
        source = ask(matrix, mirror, upstream, nvidia)
    assert side(source, "mirror").state == "hostile"
    assert "longer than 1 MiB" in str(side(source, "mirror").detail)


def test_pages_that_are_too_long_altogether(
    matrix: Matrix, upstream: str, nvidia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trtdoctor.mirror.index._MOST_ALTOGETHER", 4 << 20)
    asked: list[str] = []

    def long(path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        asked.append(path)
        return 200, {"content-type": "text/html"}, b"<html>" + b" " * (2 << 20)

    with serving(long) as mirror:
        source = ask(matrix, mirror, upstream, nvidia, projects=tuple(f"nvidia-{number}" for number in range(30)))
    assert side(source, "mirror").state == "hostile"
    assert len(asked) < 10


def test_tricks_in_names_are_left_out_and_said(matrix: Matrix, upstream: str, nvidia: str) -> None:
    tricky = stack(NEW)
    tricky[META] += [
        File("../../../../tmp/tensorrt_cu13-11.4.0.106.tar.gz"),
        File("tensorrt_cu13-99.0\x1b[2J\u202e.tar.gz"),
        File("tensorrt_cu13-99.0.tar.gz%2f..%2f..zip"),
    ]
    for index in (Index(tricky), Index(tricky, html=True)):
        with serving(index) as mirror:
            source = ask(matrix, mirror, upstream, nvidia)
        assert {found.version for found in source.items if found.project == META} == {NEW, MIDDLE, OLD}
        names = [file.name for found in source.items for file in found.files]
        assert not any("/" in name or "\x1b" in name or ".." in name.replace("...", "") for name in names)
        assert any("have names that no file of an index can have" in note for note in source.notes)
