"""``trtdoctor mirror watch`` as users run it: real processes, real servers on this machine, real signals."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import feedparser
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.cli.run import Ran, complains
from tests.conftest import ROOT
from trtdoctor.mirror.rounds import parse_interval
from trtdoctor.mirror.state import read

AT = int(time.time()) - 3600


class Place:
    """A mirror site with a status page, and somebody who takes webhooks."""

    def __init__(self) -> None:
        self.jobs: list[dict[str, Any]] = []
        self.taken: list[tuple[str, str | None, Any]] = []
        self.refuses = False
        self.asked = 0
        place = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                place.asked += 1
                body = json.dumps(place.jobs).encode()
                self.send_response(200)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                if not place.refuses:
                    place.taken.append((self.path, self.headers.get("authorization"), json.loads(body)))
                self.send_response(404 if place.refuses else 200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.httpd.server_address[1]}"
        self.job("success")

    def job(self, word: str) -> None:
        self.jobs = [{"name": "pypi", "status": word, "last_update_ts": AT, "last_ended_ts": AT}]


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place()
    thread = threading.Thread(target=made.httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield made
    made.httpd.shutdown()
    made.httpd.server_close()
    thread.join()


@pytest.fixture
def here(tmp_path: Path, place: Place) -> Path:
    """A directory with a configuration: a site that is there, and one that is not."""
    (tmp_path / "trtdoctor.toml").write_text(
        f'[[mirror]]\nid = "site"\nkind = "status"\nmirror = "{place.url}/s3cretpath/tunasync.json"\n'
        'token-env = "SITE_TOKEN"\n'
        '[[mirror]]\nid = "gone"\nkind = "status"\nmirror = "http://127.0.0.1:1/"\nenabled = false\n'
    )
    return tmp_path


def environ(here: Path, **more: str) -> dict[str, str]:
    own = {"XDG_STATE_HOME": str(here / "state"), "SITE_TOKEN": "pl4nted-token"}
    return {**os.environ, "PYTHONPATH": str(ROOT), **own, **more}


def start(here: Path, *arguments: str, **more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "trtdoctor", "mirror", "watch", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=here, env=environ(here, **more), text=True, **pipes)  # type: ignore[call-overload,no-any-return]


def watch(here: Path, *arguments: str, **more: str) -> Ran:
    process = start(here, *arguments, **more)
    out, err = process.communicate(timeout=60)
    return Ran(process.returncode, out, err)


def test_only_changes_are_told_after_a_base_line(here: Path, place: Place) -> None:
    first = watch(here, "--once", "--state", "s.json")
    assert (first.code, first.err) == (0, "")
    assert first.out == "base line: site (1 present); from now on changes are told\n"
    assert watch(here, "--once", "--state", "s.json") == Ran(0, "", "")
    place.job("failed")
    told = watch(here, "--once", "--state", "s.json", "--fail-on", "warning")
    assert told.code == 1
    assert " warning site: sync-failed: pypi: failed (last success " in told.out
    assert told.out.count("\n") == 1
    assert watch(here, "--once", "--state", "s.json", "--fail-on", "warning") == Ran(0, "", "")
    place.job("success")
    again = watch(here, "--once", "--state", "s.json", "--format", "jsonl", "--fail-on", "warning")
    assert again.code == 0
    document = json.loads(again.out)
    assert (document["kind"], document["source"], document["weight"]) == ("sync-works", "site", "info")


def test_one_source_that_is_gone_hides_no_other_and_is_told_once(here: Path, place: Place) -> None:
    arguments = ("site", "gone", "--once", "--state", "s.json", "--fail-on", "unknown")
    first = watch(here, *arguments)
    assert first.out == "base line: site (1 present); gone (status unreachable); from now on changes are told\n"
    place.job("failed")
    told = watch(here, *arguments)
    assert (told.code, told.err) == (0, "")
    assert "site: sync-failed" in told.out
    assert "gone" not in told.out
    place.httpd.shutdown()
    place.httpd.server_close()
    down = watch(here, *arguments)
    assert (down.code, down.err) == (1, "")
    assert " unknown site: unreachable: the status page cannot be asked: unreachable" in down.out
    assert watch(here, *arguments) == Ran(0, "", "")


def test_files_hold_what_is_kept_and_are_whole(here: Path, place: Place) -> None:
    outputs = ("-o", "atom:feed.xml", "-o", "prometheus:m.prom", "-o", "jsonl:c.jsonl", "-o", "c.txt")
    for word in ("success", "failed", "success"):
        place.job(word)
        assert watch(here, "--once", "--state", "s.json", *outputs).code == 0
    feed = feedparser.parse((here / "feed.xml").read_bytes())
    assert not feed.bozo
    assert [entry.title for entry in feed.entries] == ["site: pypi: success", "site: pypi: failed"]
    families = {family.name: family for family in text_string_to_metric_families((here / "m.prom").read_text())}
    (sample,) = families["trtdoctor_mirror_job_state"].samples
    assert sample.labels == {"source": "site", "job": "pypi", "state": "success"}
    assert [json.loads(line)["kind"] for line in (here / "c.jsonl").read_text().splitlines()] == [
        "sync-failed",
        "sync-works",
    ]
    assert len((here / "c.txt").read_text().splitlines()) == 2
    assert (here / "m.prom").stat().st_mode & 0o077, "the node exporter is another user"
    assert (here / "s.json").stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_written_is_told_and_holds_nothing_up(here: Path, place: Place) -> None:
    place.job("failed")
    ran = watch(here, "--once", "-o", "atom:none/feed.xml", "-o", "prometheus:m.prom", "--state", "s.json")
    assert (ran.code, ran.err) == (2, "trtdoctor: none/feed.xml: No such file or directory\n")
    assert "base line" in ran.out
    assert (here / "m.prom").exists()
    assert read(here / "s.json") is not None


def test_what_a_webhook_does_not_take_is_sent_next_time(here: Path, place: Place) -> None:
    arguments = ("--once", "--state", "s.json", "--webhook-env", "HOOK", "--webhook-token-env", "HOOK_TOKEN")
    secrets = {"HOOK": f"{place.url}/hook/pl4nted-path", "HOOK_TOKEN": "pl4nted-token"}
    assert watch(here, *arguments, **secrets).code == 0
    assert place.taken == []
    place.job("failed")
    place.refuses = True
    lost = watch(here, *arguments, **secrets)
    assert lost.code == 2
    assert lost.err.endswith("did not take the changes (HTTP 404); 1 is sent next time\n")
    assert "sync-failed" in lost.out
    place.refuses = False
    place.job("success")
    assert watch(here, *arguments, **secrets).code == 0
    ((path, token, document),) = place.taken
    assert (path, token) == ("/hook/pl4nted-path", "Bearer pl4nted-token")
    assert [item["kind"] for item in document["changes"]] == ["sync-failed", "sync-works"]
    assert watch(here, *arguments, **secrets).code == 0
    assert len(place.taken) == 1
    for text in (lost.out, lost.err, (here / "s.json").read_text()):
        assert "pl4nted" not in text


def test_what_check_notices_is_told_to_who_watches(here: Path, place: Place) -> None:
    watch(here, "--once", "--state", "s.json")
    place.job("failed")
    command = [sys.executable, "-m", "trtdoctor", "mirror", "check", "--state", "s.json", "--fail-on", "never"]
    done = subprocess.run(command, cwd=here, env=environ(here), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    told = watch(here, "--once", "--state", "s.json")
    (line,) = told.out.splitlines()
    assert " warning site: sync-failed: pypi: failed (last success " in line
    assert watch(here, "--once", "--state", "s.json") == Ran(0, "", "")


def test_late_by_the_policy_begins_and_ends(here: Path, place: Place) -> None:
    arguments = ("--once", "--state", "s.json", "-o", "prometheus:m.prom")
    place.jobs[0]["last_update_ts"] = AT - 20 * 86400
    first = watch(here, *arguments, "--policy", "max-lag-days=30")
    assert first.out == "base line: site (1 present); from now on changes are told\n"
    late = watch(here, *arguments, "--policy", "max-lag-days=10")
    assert late.code == 1
    assert " error site: late: 20 days behind by tunasync, 10 are allowed\n" in late.out
    assert 'trtdoctor_mirror_late{source="site"} 1\n' in (here / "m.prom").read_text()
    place.job("success")
    done = watch(here, *arguments, "--policy", "max-lag-days=10")
    assert done.code == 0
    assert " info site: in-time: " in done.out
    assert 'trtdoctor_mirror_late{source="site"} 0\n' in (here / "m.prom").read_text()


def test_a_state_that_is_none_is_refused_and_left_alone(here: Path, place: Place) -> None:
    (here / "s.json").write_text("no state of mine")
    assert "s.json: it is no JSON; delete it to begin anew" in complains(watch(here, "--once", "--state", "s.json"))
    assert (here / "s.json").read_text() == "no state of mine"
    assert place.asked == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "either --once or --interval"),
        (("--once", "--interval", "1h"), "either --once or --interval"),
        (("--interval", "1"), "no interval such as"),
        (("--interval", "99999d"), "no interval such as"),
        (("--once", "--no-config"), "nothing to look at"),
        (("--once", "--webhook", "http://h.example/"), "wanted https"),
        (("--once", "--webhook", "https://h.example/", "--webhook-token-env", "ABSENT_TOKEN"), "ABSENT_TOKEN"),
        (("--once", "--policy", "max-lag-days=soon"), "no number of days"),
    ],
)
def test_what_cannot_be_done_is_one_line(here: Path, arguments: tuple[str, ...], words: str) -> None:
    assert words in complains(watch(here, *arguments))


def test_intervals() -> None:
    said = {"30s": 30, "15m": 900, "1h": 3600, "1d": 86400}
    assert {text: parse_interval(text).total_seconds() for text in said} == said
    for text in ("", "0s", "-1h", "1.5h", "1w", "\u0661h", "1h ago", "9" * 50 + "s"):
        with pytest.raises(ValueError, match="no interval"):
            parse_interval(text)


def wait_for(what: Any, seconds: float = 20) -> None:
    ends = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < ends, "it did not happen"
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_looks_again_and_again_until_it_is_told_to_end(here: Path, place: Place, number: signal.Signals) -> None:
    process = start(here, "--interval", "1s", "--state", "s.json")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("base line: site")
    place.job("failed")
    line = process.stdout.readline()
    assert "site: sync-failed" in line
    wait_for(lambda: place.asked >= 3)
    process.send_signal(number)
    started = time.monotonic()
    out, err = process.communicate(timeout=20)
    assert time.monotonic() - started < 3
    assert (process.returncode, out, err) == (0, "", "")
    state = read(here / "s.json")
    assert state is not None
    assert [item.kind for item in state.changes] == ["sync-failed"]
    assert state.owed == {"stdout": ()}


def test_told_to_end_while_it_waits_for_a_server_it_ends_at_once(here: Path, place: Place) -> None:
    watch(here, "--once", "--state", "s.json")
    before = (here / "s.json").read_bytes()
    stuck = threading.Event()
    hang = ThreadingHTTPServer(("127.0.0.1", 0), _hanging(stuck))
    threading.Thread(target=hang.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    text = (here / "trtdoctor.toml").read_text()
    (here / "trtdoctor.toml").write_text(text.replace(place.url, f"http://127.0.0.1:{hang.server_address[1]}"))
    for arguments, code in ((("--interval", "1h"), 0), (("--once",), 2)):
        process = start(here, *arguments, "--state", "s.json")
        assert stuck.wait(20)
        stuck.clear()
        process.terminate()
        started = time.monotonic()
        process.communicate(timeout=20)
        assert time.monotonic() - started < 3
        assert process.returncode == code
        assert (here / "s.json").read_bytes() == before
    hang.shutdown()
    hang.server_close()


def _hanging(asked: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.set()
            time.sleep(15)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def test_killed_between_two_looks_it_goes_on_from_where_it_was(here: Path, place: Place) -> None:
    process = start(here, "--interval", "1s", "--state", "s.json")
    assert process.stdout is not None
    process.stdout.readline()
    place.job("failed")
    process.stdout.readline()
    process.kill()
    process.communicate()
    assert read(here / "s.json") is not None
    place.job("success")
    told = watch(here, "--once", "--state", "s.json")
    assert told.code == 0
    assert "base line" not in told.out
    assert told.out.splitlines()[-1].endswith("site: sync-works: pypi: success")


def test_no_planted_token_is_anywhere(here: Path, place: Place) -> None:
    place.jobs[0]["upstream"] = "https://user:pl4nted-token@h.example/?key=pl4nted-token"
    outputs = ("-o", "atom:feed.xml", "-o", "prometheus:m.prom", "-o", "jsonl:c.jsonl", "-o", "text:c.txt")
    for word in ("success", "failed"):
        place.jobs[0]["status"] = word
        ran = watch(here, "--once", *outputs, XDG_CACHE_HOME=str(here / "cache"))
        assert "pl4nted" not in ran.out + ran.err
    written = [file for file in here.rglob("*") if file.is_file()]
    assert here / "state" / "trtdoctor" / "mirror.json" in written
    assert (here / "state" / "trtdoctor").stat().st_mode & 0o777 == 0o700
    assert len(written) >= 7, "and what is kept in the cache"
    for file in written:
        assert "pl4nted" not in file.read_text("utf-8", "replace"), file
