"""``plan fetch`` as a user runs it, against indexes on this machine; what it leaves is installed by the real pip."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shlex
import socket
import subprocess
import sys
import tarfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cli.run import ROOT, Ran, complains, run
from tests.matrix.tls import Answer
from tests.mirror.simple_index import File, Index, serving, stub, wheel
from trtdoctor.planned import NAME, Planned, PlannedFile, from_yaml, to_yaml

CONNECT = socket.socket.connect
ANY = "py3-none-any"
LIBS, STUBBED = "tensorrt-cu13-libs", "11.4.0.106"


@pytest.fixture(autouse=True)
def _sockets(_no_sockets: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers of these tests live in this process."""
    monkeypatch.setattr(socket.socket, "connect", CONNECT)


def plan_of(*pins: tuple[str, str], files: Sequence[PlannedFile] = (), **more: Any) -> Planned:
    environment = {"os": "ubuntu-22.04", "arch": "x86_64", "python": "3.11", **more.pop("environment", {})}
    return Planned(
        "a plan",
        "pip",
        "0.1",
        "2026.11.0",
        "0" * 64,
        "2026-12-01",
        environment=environment,
        python=environment["python"],
        pins=pins,
        files=tuple(files),
        **more,
    )


def fetch(place: Path, plan: Planned | None, index: str, *more: str, stubs: str = "") -> Ran:
    words = ["plan", "fetch", str(place), *more]
    if plan is not None:
        (place.parent / "plan.yaml").write_text(to_yaml(plan))
        words += ["--from-file", str(place.parent / "plan.yaml")]
    return run(*words, PIP_INDEX_URL=index, PIP_EXTRA_INDEX_URL="", WHEEL_STUB_PIP_INDEX_URL=stubs)


def wheels(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir() if path.name.endswith((".whl", ".gz")))


def written(place: Path) -> Planned:
    return from_yaml((place / NAME).read_bytes())


def offline(place: Path, target: Path) -> subprocess.CompletedProcess[str]:
    """The command that was told, into a folder."""
    command = [sys.executable, "-I", "-m", "pip", "install", "--no-index", "--find-links", str(place)]
    command += ["-r", str(place / "requirements.txt"), "--target", str(target), "--no-cache-dir"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env=environ)


def test_everything_that_is_needed_comes_and_installs_offline(tmp_path: Path) -> None:
    projects = {
        "a": [wheel("a", "1.0", ANY, requires=["b>=1,<3", 'c; python_version < "3.12"', 'd; sys_platform == "win32"'])],
        "b": [
            wheel("b", "3.0", ANY),
            wheel("b", "2.9rc1", ANY),
            wheel("b", "2.5", ANY, yanked=True),
            wheel("b", "2.4", ANY, requires_python=">=3.12"),
            wheel("b", "2.3", "cp312-cp312-manylinux_2_17_x86_64"),
            wheel("b", "2.2", "cp311-cp311-manylinux_2_36_x86_64"),
            wheel("b", "2.1", "cp311-cp311-manylinux_2_17_x86_64", requires=["c[more]"]),
        ],
        "c": [wheel("c", "0.1", ANY, requires=['e==1.*; extra == "more"'])],
        "e": [wheel("e", "2.0", ANY), wheel("e", "1.5", ANY)],
    }
    place = tmp_path / "files"
    with serving(Index(projects)) as index:
        result = fetch(place, plan_of(("a", "1.0")), index)
    assert result.code == 0, result.err
    assert wheels(place) == [
        "a-1.0-py3-none-any.whl",
        "b-2.1-cp311-cp311-manylinux_2_17_x86_64.whl",
        "c-0.1-py3-none-any.whl",
        "e-1.5-py3-none-any.whl",
    ]
    assert {item.name: item.sha256 for item in written(place).files} == {
        name: hashlib.sha256((place / name).read_bytes()).hexdigest() for name in wheels(place)
    }
    assert not (place / ".trtdoctor-incoming").exists()
    assert "--find-links" in result.out
    if sys.version_info[:2] == (3, 11):
        done = offline(place, tmp_path / "installed")
        assert done.returncode == 0, done.stderr
        assert sorted(path.name for path in (tmp_path / "installed").glob("*.dist-info")) == [
            *("a-1.0.dist-info", "b-2.1.dist-info", "c-0.1.dist-info", "e-1.5.dist-info")
        ]


def test_a_plan_from_a_mirror_is_fetched_from_there(tmp_path: Path) -> None:
    a, b = wheel("a", "1.0", ANY, requires=["b"]), wheel("b", "1.0", ANY)
    with serving(Index({})) as configured, serving(Index({"a": [a], "b": [b]})) as mirror:
        result = fetch(tmp_path / "files", plan_of(("a", "1.0"), index=mirror), configured)
    assert result.code == 0, result.err
    assert wheels(tmp_path / "files") == ["a-1.0-py3-none-any.whl", "b-1.0-py3-none-any.whl"]


def test_what_does_not_go_together_is_said_and_the_rest_comes(tmp_path: Path) -> None:
    projects = {
        "a": [wheel("a", "1.0", ANY, requires=["c<2"])],
        "b": [wheel("b", "1.0", ANY, requires=["c>=2"])],
        "c": [wheel("c", "1.0", ANY), wheel("c", "2.0", ANY)],
    }
    with serving(Index(projects)) as index:
        result = fetch(tmp_path / "files", plan_of(("a", "1.0"), ("b", "1.0")), index)
    assert result.code == 1
    assert "needs c" in result.err
    assert wheels(tmp_path / "files") == ["a-1.0-py3-none-any.whl", "b-1.0-py3-none-any.whl"]


def test_an_older_one_is_taken_where_the_newest_needs_what_is_not_there(tmp_path: Path) -> None:
    projects = {
        "a": [wheel("a", "1.0", ANY, requires=["b"])],
        "b": [wheel("b", "2.0", ANY, requires=["gone"]), wheel("b", "1.0", ANY)],
    }
    with serving(Index(projects)) as index:
        result = fetch(tmp_path / "files", plan_of(("a", "1.0")), index)
    assert result.code == 0, result.err
    assert wheels(tmp_path / "files") == ["a-1.0-py3-none-any.whl", "b-1.0-py3-none-any.whl"]


def test_metadata_that_the_index_gives_spare_the_file(tmp_path: Path) -> None:
    metadata = b"Metadata-Version: 2.1\nName: b\nVersion: 2.0\nRequires-Dist: gone\n"
    newest = wheel("b", "2.0", ANY, metadata=metadata)
    served = Index({"a": [wheel("a", "1.0", ANY, requires=["b"])], "b": [newest, wheel("b", "1.0", ANY)]})
    with serving(served) as index:
        result = fetch(tmp_path / "files", plan_of(("a", "1.0")), index)
    assert result.code == 0, result.err
    assert f"/files/{newest.name}.metadata" in served.asked
    assert f"/files/{newest.name}" not in served.asked


# -- stubs -------------------------------------------------------------------------------------------------------------


def test_the_wheel_behind_a_stub_comes_from_where_its_build_would_fetch_it(tmp_path: Path) -> None:
    real = wheel(LIBS, STUBBED, requires=["runtime"])
    served = Index({LIBS: [real, wheel(LIBS, STUBBED, "py3-none-win_amd64")]}, html=True)
    place = tmp_path / "files"
    with serving(served) as nvidia:
        archive = stub(LIBS, STUBBED, nvidia)
        planned = PlannedFile(archive.name, LIBS, STUBBED, len(archive.content), archive.sha256, stub=True)
        with serving(Index({LIBS: [archive], "runtime": [wheel("runtime", "1.0", ANY)]})) as index:
            result = fetch(place, plan_of((LIBS, STUBBED), files=[planned]), index)
    assert result.code == 0, result.err
    assert wheels(place) == ["runtime-1.0-py3-none-any.whl", real.name]
    kept = next(item for item in written(place).files if item.distribution == LIBS)
    assert (kept.name, kept.sha256, kept.stub, kept.origin) == (real.name, real.sha256, False, nvidia)
    assert f"--hash=sha256:{real.sha256}" in (place / "requirements.txt").read_text()


def test_the_variable_of_wheel_stub_names_another_index(tmp_path: Path) -> None:
    real = wheel(LIBS, STUBBED)
    archive = stub(LIBS, STUBBED, "http://127.0.0.1:9")
    with serving(Index({LIBS: [real]}, html=True)) as own, serving(Index({LIBS: [archive]})) as index:
        result = fetch(tmp_path / "files", plan_of((LIBS, STUBBED)), index, stubs=own)
    assert result.code == 0, result.err
    assert wheels(tmp_path / "files") == [real.name]


def test_a_wheel_that_cannot_be_had_is_named_and_may_be_put_there(tmp_path: Path) -> None:
    real = wheel(LIBS, STUBBED)
    place = tmp_path / "files"
    there = Index({LIBS: [wheel(LIBS, STUBBED, "py3-none-win_amd64")]}, html=True)
    projects: dict[str, list[File]] = {"b": [wheel("b", "1", ANY)]}
    with serving(there) as nvidia, serving(Index(projects)) as index:
        projects[LIBS] = [stub(LIBS, STUBBED, nvidia)]
        result = fetch(place, plan_of((LIBS, STUBBED), ("b", "1")), index)
        assert result.code == 1
        assert f"MISSING tensorrt_cu13_libs-{STUBBED}-*.whl for Python 3.11 on linux-x86_64" in result.err
        assert "win_amd64" in result.err
        assert wheels(place) == ["b-1-py3-none-any.whl"]
        (place / real.name).write_bytes(real.content)
        again = fetch(place, None, index)
    assert again.code == 0, again.err
    assert {item.name for item in written(place).files} == {real.name, "b-1-py3-none-any.whl"}


def test_a_wheel_in_the_folder_is_believed_only_where_nobody_says_otherwise(tmp_path: Path) -> None:
    real, place = wheel(LIBS, STUBBED), tmp_path / "files"
    other = wheel(LIBS, STUBBED, requires=["evil"])
    projects: dict[str, list[File]] = {}
    there: dict[str, list[File]] = {LIBS: [real]}
    with serving(Index(there, html=True)) as nvidia, serving(Index(projects)) as index:
        projects[LIBS] = [stub(LIBS, STUBBED, nvidia)]
        place.mkdir()
        for found in (b"", other.content):  # nothing is planned of it yet, and the index states a digest
            (place / real.name).write_bytes(found)
            first = fetch(place, plan_of((LIBS, STUBBED)), index)
            assert (first.code, (place / real.name).read_bytes()) == (0, real.content), first.err
        for found in (real.content[:100], other.content):  # by now the plan states it
            (place / real.name).write_bytes(found)
            again = fetch(place, None, index)
            assert (again.code, (place / real.name).read_bytes()) == (0, real.content), again.err
        assert written(place).files[0].origin == nvidia
        there.clear()
        (place / real.name).write_bytes(other.content)
        gone = fetch(place, None, index)
        assert gone.code == 1
        assert f"it has no wheel of it; {real.name} lies there: it has SHA-256 {other.sha256[:12]}" in gone.err
        (place / real.name).write_bytes(real.content)
        kept = fetch(place, None, index)
    assert kept.code == 0, kept.err
    assert written(place).files[0].origin == nvidia


def test_what_a_stub_names_is_said_without_passwords_and_on_one_line(tmp_path: Path) -> None:
    hostile = stub(LIBS, STUBBED, "http://user:hunter2@127.0.0.1:9/\\u001b[31mx\\n::error::hi")
    with serving(Index({LIBS: [hostile]})) as index:
        for stubs in ("", "http://user:hunter2@127.0.0.1:9/simple"):
            result = fetch(tmp_path / "files", plan_of((LIBS, STUBBED)), index, stubs=stubs)
            assert result.code == 1
            assert "of http://127.0.0.1:9/" in result.err
            assert "hunter2" not in result.err
            assert result.err.replace("\n", "").isprintable()
            assert not any(line.startswith("::") for line in result.err.splitlines())


def test_where_a_wheel_came_from_never_makes_the_plan_unreadable(tmp_path: Path) -> None:
    real, place = wheel(LIBS, STUBBED), tmp_path / "files"
    there = Index({LIBS: [real]}, html=True)
    with serving(lambda path, headers: there(path.replace("/odd%20(1)", ""), headers)) as nvidia:
        odd = stub(LIBS, STUBBED, nvidia.replace("/simple", "/odd%20(1)/simple"))
        with serving(Index({LIBS: [odd]})) as index:
            for plan in (plan_of((LIBS, STUBBED)), None):
                result = fetch(place, plan, index)
                assert result.code == 0, result.err
    assert written(place).files[0].name == real.name


# -- what is not what was said ----------------------------------------------------------------------------------------


def test_a_file_that_is_not_the_planned_one_is_refused(tmp_path: Path) -> None:
    file = wheel("a", "1.0", ANY)
    planned = PlannedFile(file.name, "a", "1.0", len(file.content), "0" * 64)
    for digests in (True, False):
        with serving(Index({"a": [file]}, digests=digests)) as index:
            result = fetch(tmp_path / "files", plan_of(("a", "1.0"), files=[planned]), index)
        assert result.code == 1
        assert "refused" in result.err
        assert wheels(tmp_path / "files") == []


def test_a_digest_of_another_than_the_index_states_is_told_where_the_file_was_not_needed_yet(tmp_path: Path) -> None:
    file = wheel("a", "1.0", ANY, metadata=b"Metadata-Version: 2.1\nName: a\nVersion: 1.0\n")
    planned = PlannedFile(file.name, "a", "1.0", len(file.content), "0" * 64)
    with serving(Index({"a": [file], "b": [wheel("b", "1", ANY)]})) as index:
        for more in ((), ("--dry-run",)):
            result = fetch(tmp_path / "files", plan_of(("a", "1.0"), ("b", "1"), files=[planned]), index, *more)
            assert result.code == 1
            assert result.err.count(f"MISSING {file.name} (the index states SHA-256 {file.sha256[:12]}") == 1
    assert wheels(tmp_path / "files") == ["b-1-py3-none-any.whl"]


def test_one_file_that_cannot_be_read_keeps_no_other_away(tmp_path: Path) -> None:
    projects = {
        "a": [wheel("a", "1.0", ANY, requires=["b", "c"])],
        "b": [File("b-1.0-py3-none-any.whl", b"no zip")],
        "c": [wheel("c", "1.0", ANY, requires=["d"])],
        "d": [wheel("d", "1.0", ANY)],
    }
    with serving(Index(projects)) as index:
        result = fetch(tmp_path / "files", plan_of(("a", "1.0")), index)
    assert result.code == 1
    missing = [line for line in result.err.splitlines() if line.startswith("MISSING")]
    assert missing == ["MISSING b-1.0-py3-none-any.whl (it is no wheel: BadZipFile)"]
    assert wheels(tmp_path / "files") == [f"{name}-1.0-py3-none-any.whl" for name in "acd"]


def test_links_of_a_page_belong_to_who_gave_it(tmp_path: Path) -> None:
    with serving(Index({"a": [wheel("a", "1.0", ANY)]})) as other:

        def elsewhere(path: str, _: dict[str, str]) -> Answer:
            found = path.startswith("/simple/")
            return (302, {"location": other.removesuffix("/simple") + path}, b"") if found else (404, {}, b"")

        with serving(elsewhere) as index:
            result = fetch(tmp_path / "files", plan_of(("a", "1.0")), index)
    assert result.code == 0, result.err


def test_content_that_is_not_what_the_index_states_is_refused(tmp_path: Path) -> None:
    file = wheel("a", "1.0", ANY)
    served = Index({"a": [file]})

    def lying(path: str, headers: dict[str, str]) -> Answer:
        status, more, body = served(path, headers)
        return (status, more, body[::-1]) if path.startswith("/files/") else (status, more, body)

    with serving(lying) as index:
        result = fetch(tmp_path / "files", plan_of(("a", "1.0")), index)
    assert result.code == 1
    assert "with SHA-256" in result.err
    assert wheels(tmp_path / "files") == []


def test_what_is_there_is_kept_and_what_is_wrong_set_aside(tmp_path: Path) -> None:
    a, b = wheel("a", "1.0", ANY), wheel("b", "1.0", ANY)
    place = tmp_path / "files"
    place.mkdir()
    (place / a.name).write_bytes(a.content)
    (place / b.name).write_bytes(b"somebody's own work")
    served = Index({"a": [a], "b": [b]})
    with serving(served) as index:
        result = fetch(place, plan_of(("a", "1.0"), ("b", "1.0")), index)
    assert result.code == 0, result.err
    assert f"/files/{a.name}" not in served.asked
    assert (place / b.name).read_bytes() == b.content
    assert [path.read_bytes() for path in (place / "set-aside").iterdir()] == [b"somebody's own work"]


def test_what_broke_off_is_carried_on(tmp_path: Path) -> None:
    file = wheel("a", "1.0", ANY)
    served = Index({"a": [file]})
    ranges: list[str | None] = []

    def breaking(path: str, headers: dict[str, str]) -> Answer:
        if not path.startswith("/files/"):
            return served(path, headers)
        if headers.get("range", "").startswith("bytes=-"):
            return 200, {}, b"this server gives no ends"
        ranges.append(headers.get("range"))
        if len(ranges) > 2:
            start = int(str(ranges[-1]).removeprefix("bytes=").removesuffix("-"))
            span = f"bytes {start}-{len(file.content) - 1}/{len(file.content)}"
            return 206, {"content-range": span}, file.content[start:]
        return (
            (200 if len(ranges) == 1 else 206),
            {
                "content-length": str(len(file.content) - (100 if len(ranges) > 1 else 0)),
                "content-range": f"bytes 100-{len(file.content) - 1}/{len(file.content)}",
            },
            (file.content[:100] if len(ranges) == 1 else b""),
        )

    place = tmp_path / "files"
    with serving(breaking) as index:
        first = fetch(place, plan_of(("a", "1.0")), index)
        assert first.code == 1, first.err
        assert "broke off" in first.err
        second = fetch(place, None, index)
    assert second.code == 0, second.err
    assert ranges[0] is None
    assert set(ranges[1:]) == {"bytes=100-"}
    assert (place / file.name).read_bytes() == file.content


def test_what_was_ended_in_the_middle_is_carried_on_by_its_own_plan(tmp_path: Path) -> None:
    file, place = wheel("a", "1.0", ANY), tmp_path / "files"
    served, asked, is_ended = Index({"a": [file]}), threading.Event(), threading.Event()

    def hanging(path: str, headers: dict[str, str]) -> Answer:
        if path.startswith("/files/"):
            asked.set()
            is_ended.wait(30)
        return served(path, headers)

    (tmp_path / "plan.yaml").write_text(to_yaml(plan_of(("a", "1.0"))))
    with serving(hanging) as index:
        words = ["plan", "fetch", str(place), "--from-file", str(tmp_path / "plan.yaml")]
        environ = {**os.environ, "PIP_INDEX_URL": index, "PIP_EXTRA_INDEX_URL": ""}
        with subprocess.Popen([sys.executable, "-m", "trtdoctor", *words], env=environ, cwd=ROOT) as process:
            assert asked.wait(30)
            process.kill()
        is_ended.set()
        again = fetch(place, None, index)
    assert again.code == 0, again.err
    assert wheels(place) == [file.name]


@pytest.mark.parametrize("content", [b"no zip", b"PK\x03\x04" + bytes(100), b""])
def test_a_wheel_that_is_none_is_missing(tmp_path: Path, content: bytes) -> None:
    with serving(Index({"a": [File("a-1.0-py3-none-any.whl", content)]})) as index:
        result = fetch(tmp_path / "files", plan_of(("a", "1.0")), index)
    assert result.code == 1
    assert "it is no wheel" in result.err


def archive_of(project: str, version: str, **files: str) -> File:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"{project}-{version}/{name.replace('__', '-').replace('_toml', '.toml')}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return File(f"{project}-{version}.tar.gz", made.getvalue())


def test_what_the_build_of_an_archive_needs_comes_too_and_is_no_requirement(tmp_path: Path) -> None:
    archive = archive_of(
        "a",
        "1.0",
        PKG__INFO="Metadata-Version: 2.2\nName: a\nVersion: 1.0\nRequires-Dist: b\n",
        pyproject_toml='[build-system]\nrequires = ["tool>=2"]\nbuild-backend = "tool"\n',
    )
    projects = {
        "a": [archive],
        "b": [wheel("b", "1", ANY)],
        "tool": [wheel("tool", "2", ANY, requires=["helper"]), wheel("tool", "1", ANY)],
        "helper": [wheel("helper", "1", ANY)],
    }
    place = tmp_path / "files"
    with serving(Index(projects)) as index:
        result = fetch(place, plan_of(("a", "1.0")), index)
    assert result.code == 0, result.err
    assert wheels(place) == [
        *("a-1.0.tar.gz", "b-1-py3-none-any.whl", "helper-1-py3-none-any.whl", "tool-2-py3-none-any.whl")
    ]
    assert {item.distribution for item in written(place).files if item.is_for_build} == {"tool", "helper"}
    listed = (place / "requirements.txt").read_text()
    assert "b==1 " in listed
    assert "tool" not in listed


def test_an_archive_that_says_nothing_is_told_of(tmp_path: Path) -> None:
    archive = archive_of("a", "1.0", PKG__INFO="Metadata-Version: 1.2\nName: a\nVersion: 1.0\n")
    projects = {"a": [archive], "setuptools": [wheel("setuptools", "80", ANY)]}
    with serving(Index(projects)) as index:
        result = fetch(tmp_path / "files", plan_of(("a", "1.0")), index)
    assert result.code == 0, result.err
    assert "only its build would tell what it requires" in result.err
    assert "setuptools-80-py3-none-any.whl" in wheels(tmp_path / "files")


def test_what_is_somebody_elses_is_set_aside_and_said(tmp_path: Path) -> None:
    place, own = tmp_path / "files", {"requirements.txt": "mine==1\n", "index.html": "<p>mine</p>", NAME: "mine: 1\n"}
    place.mkdir()
    for name, text in own.items():
        (place / name).write_text(text)
    with serving(Index({"a": [wheel("a", "1.0", ANY), wheel("a", "2.0", ANY)]})) as index:
        first = fetch(place, plan_of(("a", "1.0")), index)
        assert first.code == 0, first.err
        assert sorted(path.read_text() for path in (place / "set-aside").iterdir()) == sorted(own.values())
        assert all(f"{name}: another one was there, and is set-aside/{name}." in first.err for name in own)
        again = fetch(place, None, index)
        assert (again.code, "set-aside" in again.err) == (0, False)
        other = fetch(place, plan_of(("a", "2.0")), index)
    assert f"{NAME}: another one was there" in other.err
    assert len(list((place / "set-aside").iterdir())) == len(own) + 1


def test_a_file_that_is_half_there_takes_half_the_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from packaging.version import Version

    from trtdoctor.fetch.folder import Folder, room_for
    from trtdoctor.fetch.shelves import Index as Source
    from trtdoctor.fetch.shelves import Offer
    from trtdoctor.net.http import Client
    from trtdoctor.net.simple_page import IndexFile

    offer = Offer("a", Version("1"), IndexFile("a-1-py3-none-any.whl", "1", "", size=1000), Source(""))
    (tmp_path / ".trtdoctor-incoming").mkdir()
    (tmp_path / ".trtdoctor-incoming" / f"{offer.file.name}.part").write_bytes(bytes(900))
    with Client(1) as client:
        lacks = Folder(str(tmp_path), client, {}, lambda *_: pytest.fail("nothing is fetched")).lacks(offer)
    free = type("Usage", (), {"free": 500})
    monkeypatch.setattr("shutil.disk_usage", lambda _: free)
    assert (lacks, room_for(str(tmp_path), lacks)) == (100, None)
    assert "are free" in str(room_for(str(tmp_path), 1000))


def test_the_command_for_a_pip_within_reads_a_folder_with_a_blank(tmp_path: Path) -> None:
    from trtdoctor.fetch.pages import install_command

    place = tmp_path / "a b"
    place.mkdir()
    file = wheel("a", "1.0", ANY)
    (place / file.name).write_bytes(file.content)
    told = install_command(str(place), nested=True)
    assert told.startswith("PIP_NO_INDEX=1 PIP_FIND_LINKS=")
    variables = dict(word.split("=", 1) for word in shlex.split(told) if word.startswith("PIP_"))
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(tmp_path / "got"), "a"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **variables})
    assert done.returncode == 0, done.stderr


# -- what cannot be done -----------------------------------------------------------------------------------------------


def test_an_index_that_does_not_answer_is_one_line(tmp_path: Path) -> None:
    result = fetch(tmp_path / "files", plan_of(("a", "1.0")), "http://user:hunter2@127.0.0.1:9/simple")
    assert result.code == 2
    assert result.err.splitlines()[-1].endswith("http://127.0.0.1:9/simple: no connection")
    assert "hunter2" not in result.out + result.err


@pytest.mark.parametrize("address", ["http://user:hunter2@[zz]/simple", "http://user:hunter2@h:99999/simple"])
def test_an_address_that_is_none_is_one_line_wherever_it_stands(tmp_path: Path, address: str) -> None:
    file, said = wheel("a", "1.0", ANY), "an index is configured with an address that is none"
    assert said in complains(fetch(tmp_path / "files", plan_of(("a", "1.0")), address))
    planned = plan_of(("a", "1.0"), index=address.replace("zz", ":::").replace("user:hunter2@", ""))
    assert said in complains(fetch(tmp_path / "files", planned, "http://127.0.0.1:9/simple"))
    with serving(Index({"a": [file], LIBS: [stub(LIBS, STUBBED, address)]})) as index:
        result = fetch(tmp_path / "files", plan_of((LIBS, STUBBED), ("a", "1.0")), index)
    assert (result.code, said in result.err) == (1, True)
    assert wheels(tmp_path / "files") == [file.name]


def test_a_login_goes_to_its_own_host_alone_and_is_never_shown(tmp_path: Path) -> None:
    file = wheel("a", "1.0", ANY)
    seen: list[str | None] = []

    def elsewhere(path: str, headers: dict[str, str]) -> Answer:
        seen.append(headers.get("authorization"))
        return 200, {}, file.content

    with serving(elsewhere) as other:
        page = json.dumps(
            {
                "meta": {"api-version": "1.0"},
                "name": "a",
                "files": [{"filename": file.name, "url": f"{other}/x", "hashes": {}}],
            }
        )

        def closed(path: str, headers: dict[str, str]) -> Answer:
            if "authorization" not in headers:
                return 401, {}, b""
            return 200, {"content-type": "application/vnd.pypi.simple.v1+json"}, page.encode()

        with serving(closed) as index:
            result = fetch(tmp_path / "files", plan_of(("a", "1.0")), index.replace("//", "//user:hunter2@"))
    assert result.code == 0, result.err
    assert set(seen) == {None}
    texts = [
        result.out,
        result.err,
        *(path.read_text() for path in (tmp_path / "files").iterdir() if path.suffix != ".whl" and path.is_file()),
    ]
    assert not any("hunter2" in text for text in texts)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"python": None}, "for which Python"),
        ({"os": ""}, "for which system"),
        ({"arch": "sparc"}, "nothing is known of wheels for linux-sparc"),
    ],
)
def test_a_plan_that_does_not_say_what_for_is_refused(
    tmp_path: Path, change: dict[str, str | None], words: str
) -> None:
    result = fetch(tmp_path / "files", plan_of(("a", "1"), environment=change), "http://127.0.0.1:9/simple")
    assert words in complains(result)


def test_a_place_that_is_none_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("precious")
    with serving(Index({"a": [wheel("a", "1", ANY)]})) as index:
        result = fetch(tmp_path / "files", plan_of(("a", "1")), index)
    assert result.code == 2
    assert (tmp_path / "files").read_text() == "precious"


def test_two_at_once_do_not_meet(tmp_path: Path) -> None:
    from trtdoctor.net.landing import opened

    with serving(Index({"a": [wheel("a", "1", ANY)]})) as index, opened(str(tmp_path / "files")):
        result = fetch(tmp_path / "files", plan_of(("a", "1")), index)
    assert result.code == 2
    assert "another run is fetching files there" in result.err


def test_a_plan_for_an_image_says_so(tmp_path: Path) -> None:
    plan = Planned(
        "an image", "container", "0.1", "2026.11.0", "0" * 64, "2026-12-01", image="nvcr.io/nvidia/tensorrt:25.10-py3"
    )
    result = fetch(tmp_path / "files", plan, "http://127.0.0.1:9/simple")
    assert result.code == 2
    assert "--images saves nvcr.io/nvidia/tensorrt:25.10-py3" in result.err


def test_a_version_that_no_index_has_is_named(tmp_path: Path) -> None:
    planned = PlannedFile("a-2.0-py3-none-any.whl", "a", "2.0")
    with serving(Index({"a": [wheel("a", "1.0", ANY)], "b": [wheel("b", "1", ANY)]})) as index:
        result = fetch(tmp_path / "files", plan_of(("a", "2.0"), ("b", "1"), files=[planned]), index)
    assert result.code == 1
    assert "MISSING a-2.0-py3-none-any.whl (no index that was asked has it for Python 3.11" in result.err
    assert wheels(tmp_path / "files") == ["b-1-py3-none-any.whl"]
    assert [item.name for item in written(tmp_path / "files").files if item.distribution == "a"] == [planned.name]


def test_fetch_writes_its_own_plan_file(tmp_path: Path) -> None:
    for option in (("--write", "plan.yaml"), ("--render", "apt"), ("-o", "plan.json")):
        assert "its own plan file" in complains(run("plan", *option, "fetch", str(tmp_path / "files")))


def test_a_plan_that_cannot_be_made_says_why(tmp_path: Path) -> None:
    words = ("--set", "gpu=Tesla K80", "--set", "os=ubuntu-22.04", "--set", "arch=x86_64", "--set", "python=3.12")
    done = run("plan", *words, "--require", "tensorrt>=11", "fetch", str(tmp_path / "files"))
    assert done.code == 1
    assert "impossible" in done.out
    assert not (tmp_path / "files").exists()


def test_a_dry_run_says_how_much_would_come_and_leaves_nothing(tmp_path: Path) -> None:
    file = wheel("a", "1.0", ANY)
    with serving(Index({"a": [file]})) as index:
        done = fetch(tmp_path / "files", plan_of(("a", "1.0")), index, "--dry-run")
    assert done.code == 0, done.err
    assert f"{file.name}: 1 KiB" in done.err
    assert "1 file to fetch" in done.err
    assert not (tmp_path / "files").exists()
