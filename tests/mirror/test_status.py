"""Status pages: the three formats by their documented shapes, the traps in them, and pages that are none."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.matrix.tls import server
from tests.mirror.places import NOW, loopback, mirror
from trtdoctor.matrix import Matrix
from trtdoctor.mirror.pages import PageError, read
from trtdoctor.mirror.status import look
from trtdoctor.mirror_facts import SYNCS, MirrorSource
from trtdoctor.net.credentials import CredentialsError
from trtdoctor.net.http import Client
from trtdoctor.times import iso

__all__ = ["loopback"]
HOUR = 3600
AT = int(NOW.timestamp())

# internal/status_web.go of tunasync at 6be7eeb: times twice, Go's zero time for what never was.
TUNASYNC: list[dict[str, Any]] = [
    {
        "name": "pypi",
        "is_master": True,
        "status": "success",
        "last_update": "2026-11-22 19:05:11 +0800",
        "last_update_ts": AT - HOUR,
        "last_started_ts": AT - 2 * HOUR,
        "last_ended_ts": AT - HOUR,
        "next_schedule_ts": AT + HOUR,
        "upstream": "https://user:s3cret@upstream.example/simple/?key=s3cret",
        "size": "unknown",
    },
    {"name": "anaconda", "status": "failed", "last_update_ts": AT - 90 * HOUR, "last_ended_ts": AT - HOUR},
    {"name": "never", "status": "none", "last_update": "0001-01-01 00:00:00 +0000", "last_update_ts": -62135596800},
    {"name": "off", "status": "disabled", "last_update_ts": -62135596800},
]
# README of mirrorz at 96050b6, format 1.7.
MIRRORZ: dict[str, Any] = {
    "version": 1.7,
    "site": {"url": "https://mirrors.example", "abbr": "EX"},
    "info": [],
    "mirrors": [
        {"cname": "PyPI", "desc": "", "url": "/pypi", "status": f"F{AT - HOUR}O{AT - 90 * HOUR}X{AT + HOUR}"},
        {"cname": "AUR", "url": "https://aur.example", "status": "S1612195849X1612196849N"},
        {"cname": "docker-hub", "url": "/hub", "status": "C"},
        {"cname": "nvcr", "url": "/nvcr", "status": "R"},
        {"cname": "odd", "url": "/odd", "status": "Z1"},
        {"cname": "gone", "url": "/gone", "status": f"S{AT}", "disable": True},
    ],
}
# As ustclug-v1.js of mirrorz-parser at dbbb9a0 reads yuki's /api/v1/metas.
YUKI: list[dict[str, Any]] = [
    {
        "name": "pypi",
        "lastSuccess": AT - HOUR,
        "prevRun": AT - HOUR,
        "nextRun": AT + HOUR,
        "syncing": False,
        "exitCode": 0,
    },
    {"name": "a", "lastSuccess": 0, "prevRun": AT, "nextRun": -1, "syncing": False, "exitCode": 0, "size": 5},
    {"name": "b", "lastSuccess": AT - HOUR, "prevRun": AT, "nextRun": 0, "syncing": True, "exitCode": 1},
    {"name": "c", "lastSuccess": AT - HOUR, "prevRun": AT, "nextRun": 0, "syncing": False, "exitCode": 23},
]


def asked(
    matrix: Matrix, document: Any, *, status: int = 200, kind: str = "application/json", **said: Any
) -> MirrorSource:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    with server(lambda path, headers: (status, {"content-type": kind}, body)) as address, Client(10) as client:
        wanted = mirror(f"{address}/status.json", **said)
        return look(wanted, matrix, client, before=None, now=NOW, environ={})


def test_tunasync_as_it_is_documented() -> None:
    page = read(TUNASYNC)
    assert page.format == "tunasync"
    jobs = {job.name: job for job in page.jobs}
    assert jobs["pypi"].succeeded == "2026-11-22T11:00:00Z"
    assert (jobs["pypi"].sync, jobs["pypi"].scheduled) == ("success", "2026-11-22T13:00:00Z")
    assert jobs["anaconda"].sync == "failed"
    assert (jobs["anaconda"].succeeded, jobs["anaconda"].tried) == ("2026-11-18T18:00:00Z", "2026-11-22T11:00:00Z")
    assert (jobs["never"].sync, jobs["never"].succeeded, jobs["off"].sync) == ("unknown", None, "disabled")
    texts = read([{"name": "x", "status": "pre-syncing", "last_update": "2026-11-22 19:05:11 +0800"}])
    assert (texts.jobs[0].succeeded, texts.jobs[0].sync) == ("2026-11-22T11:05:11Z", "pending")


def test_mirrorz_one_letter_and_its_times() -> None:
    page = read(MIRRORZ)
    assert page.format == "mirrorz"
    jobs = {job.name: job for job in page.jobs}
    failed = jobs["PyPI"]
    assert (failed.sync, failed.succeeded) == ("failed", "2026-11-18T18:00:00Z")
    assert (failed.tried, failed.scheduled) == ("2026-11-22T11:00:00Z", "2026-11-22T13:00:00Z")
    assert (jobs["AUR"].sync, jobs["AUR"].succeeded) == ("success", "2021-02-01T16:10:49Z")
    assert (jobs["docker-hub"].sync, jobs["nvcr"].sync) == ("cache", "proxy")
    assert (jobs["odd"].sync, jobs["odd"].word, jobs["gone"].sync) == ("unknown", "Z1", "disabled")
    whole = read({**MIRRORZ, "site": {"disable": True}})
    assert {job.sync for job in whole.jobs} == {"disabled"}
    assert "out of service" in whole.notes[0]


def test_yuki_paused_by_a_negative_next_run() -> None:
    page = read(YUKI)
    assert page.format == "yuki"
    assert [job.sync for job in page.jobs] == ["success", "paused", "syncing", "failed"]
    assert page.jobs[0].succeeded == "2026-11-22T11:00:00Z"
    assert page.jobs[1].succeeded is None


@pytest.mark.usefixtures("loopback")
def test_the_jobs_that_matter_and_nothing_of_the_upstream_s_secrets(matrix: Matrix) -> None:
    found = asked(matrix, TUNASYNC)
    assert [item.name for item in found.items] == ["pypi"]
    (item,) = found.items
    assert (item.state, item.sync, item.mirrored) == ("present", "success", "2026-11-22T11:00:00Z")
    (side,) = found.sides
    assert (side.role, side.state, side.product) == ("status", "ok", "tunasync")
    assert (side.synced, side.synced_by) == ("2026-11-22T11:00:00Z", "tunasync")
    assert "s3cret" not in repr(found)
    assert "upstream.example/simple/" in (item.detail or "")
    assert [item.name for item in asked(matrix, MIRRORZ).items] == ["PyPI", "nvcr", "docker-hub"]
    assert asked(matrix, MIRRORZ, job="aur").items[0].name == "AUR"


@pytest.mark.usefixtures("loopback")
def test_a_job_that_is_not_there_and_a_site_without_any_of_the_stack(matrix: Matrix) -> None:
    missing = asked(matrix, TUNASYNC, job="pypy")
    assert (missing.items[0].state, missing.sides[0].state) == ("missing", "absent")
    assert "did you mean pypi?" in (missing.items[0].detail or "")
    nothing = asked(matrix, [{"name": "debian", "status": "success", "last_update_ts": AT}])
    assert (nothing.items, nothing.sides[0].state) == ((), "absent")
    assert "pypi" in (nothing.sides[0].detail or "")


@pytest.mark.usefixtures("loopback")
def test_a_proxy_promises_nothing_and_a_time_to_come_is_no_success(matrix: Matrix) -> None:
    (proxy,) = asked(matrix, MIRRORZ, job="docker-hub").items
    assert (proxy.state, proxy.sync, proxy.mirrored) == ("present", "cache", None)
    assert "as long as upstream is" in (proxy.detail or "")
    ahead = asked(matrix, [{"name": "pypi", "status": "success", "last_update_ts": AT + 300 * HOUR}])
    assert (ahead.items[0].mirrored, ahead.sides[0].synced) == (None, None)
    assert "future" in (ahead.items[0].detail or "")
    (off,) = asked(matrix, TUNASYNC, job="off").items
    assert (off.state, off.sync) == ("unknown", "disabled")


@pytest.mark.usefixtures("loopback")
def test_the_content_tells_the_format_whatever_the_user_said(matrix: Matrix) -> None:
    found = asked(matrix, YUKI, format="tunasync")
    assert found.sides[0].product == "yuki"
    assert "said to be of tunasync" in found.notes[0]


@pytest.mark.usefixtures("loopback")
@pytest.mark.parametrize(
    ("body", "status", "state", "words"),
    [
        (b"<html>login</html>", 200, "other-kind", "no JSON"),
        (b"[" * 100_000, 200, "other-kind", "no JSON"),
        (b'{"a": 1}', 200, "other-kind", "no list of mirrors"),
        (b"[]", 200, "other-kind", "empty list"),
        (b'[{"name": 1}, null, 3]', 200, "other-kind", "something else"),
        (b'{"mirrors": [{"name": "x"}]}', 200, "other-kind", "without names"),
        (b"no", 404, "absent", "404"),
        (b"no", 401, "denied", "401"),
        (b"no", 403, "denied", "403"),
        (b"no", 418, "unreachable", "418"),
        (b"\xff\xfe\x00", 200, "other-kind", "no JSON"),
        (b"[" + b'"x",' * (3 << 20) + b'""]', 200, "hostile", "longer than"),
    ],
)
def test_what_is_no_page_is_said_and_nothing_is_found(
    matrix: Matrix, body: bytes, status: int, state: str, words: str
) -> None:
    found = asked(matrix, body, status=status, kind="text/html")
    (side,) = found.sides
    assert (side.state, found.items) == (state, ())
    assert words in (side.detail or "")


@pytest.mark.usefixtures("loopback")
def test_no_server_and_a_redirection_to_another_host(matrix: Matrix) -> None:
    with Client(5) as client:
        (side,) = look(mirror("127.0.0.1:1"), matrix, client, before=None, now=NOW, environ={}).sides
    assert (side.state, side.detail) == ("unreachable", "no connection")
    body = json.dumps(TUNASYNC).encode()
    with server(lambda path, headers: (200, {}, body)) as there:
        elsewhere = f"http://{there.replace('127.0.0.1', 'localhost')}/x"
        with server(lambda path, headers: (302, {"location": elsewhere}, b"")) as address, Client(5) as client:
            found = look(mirror(address), matrix, client, before=None, now=NOW, environ={})
    assert (found.sides[0].state, found.sides[0].served_by) == ("ok", there.replace("127.0.0.1", "localhost"))


@pytest.mark.usefixtures("loopback")
def test_credentials_go_along_and_are_shown_nowhere(matrix: Matrix) -> None:
    seen = []

    def answer(path: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        seen.append(headers.get("authorization"))
        return 200, {"warning": '299 - "going away"'}, json.dumps(TUNASYNC).encode()

    with server(answer) as address, Client(5) as client:
        wanted = mirror(address, token_env="STATUS_TOKEN")
        found = look(wanted, matrix, client, before=None, now=NOW, environ={"STATUS_TOKEN": "s3cret"})
        with pytest.raises(CredentialsError, match="STATUS_TOKEN"):
            look(wanted, matrix, client, before=None, now=NOW, environ={})
    assert seen == ["Bearer s3cret"]
    assert "s3cret" not in repr(found)
    assert found.sides[0].warnings == ("going away",)


def test_a_page_with_more_jobs_than_are_read_says_so() -> None:
    page = read([{"name": f"j{number}", "status": "success"} for number in range(6000)])
    assert len(page.jobs) == 5000
    assert "6000 jobs" in page.notes[0]


ANY: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
ROW = st.fixed_dictionaries(
    {"name": st.text(max_size=8) | ANY},
    optional={
        key: ANY | st.integers() | st.text(alphabet="SYFPCRUXNO0123456789", max_size=30)
        for key in (
            "status",
            "last_update_ts",
            "last_update",
            "next_schedule_ts",
            "cname",
            "nextRun",
            "exitCode",
            "disable",
        )
    },
)


@given(ANY | st.lists(ROW, max_size=5) | st.builds(lambda rows: {"mirrors": rows}, st.lists(ROW, max_size=5)))
def test_whatever_is_read_is_a_page_or_no_page(document: Any) -> None:
    try:
        page = read(document)
    except PageError:
        return
    for job in page.jobs:
        assert job.sync in SYNCS
        for moment in (job.succeeded, job.tried, job.scheduled):
            assert moment is None or "2000" <= moment[:4] <= "2100"


def test_the_word_of_a_mirrorz_job_may_be_old() -> None:
    stamp = iso(NOW - timedelta(hours=1))
    (job,) = read({"mirrors": [{"cname": "x", "status": f"Y{AT}O{AT - HOUR}"}]}).jobs
    assert (job.sync, job.succeeded, job.tried) == ("syncing", stamp, None)
