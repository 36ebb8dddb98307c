"""``trtdoctor mirror check`` from end to end: real registries and indexes on this machine."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.cli.run import Ran, complains, run
from tests.conftest import ROOT
from tests.mirror.apt_repositories import build, flat, served
from tests.mirror.fakes import Fake, serve
from tests.mirror.registries import Pusher, Server, copy, registry
from tests.mirror.simple_index import File, Index, sdist, serving, stub, wheel
from trtdoctor.cli import main
from trtdoctor.render import CI_FORMATS

CONNECT = socket.socket.connect
SECRET = "pl4nted-s3cret"
NEW, MIDDLE, OLD = "11.4.0.106", "11.3.0.99", "10.16.1.11"
DAYS = {NEW: "2026-10-08T10:00:00Z", MIDDLE: "2026-09-09T10:00:00Z", OLD: "2026-04-07T10:00:00Z"}
REPOSITORY, TARGET = "nvidia/tensorrt", "ngc/nvidia/tensorrt"
BOTH = ("linux/amd64", "linux/arm64")
SCHEMA = json.loads((ROOT / "trtdoctor" / "schemas" / "mirror.schema.json").read_text("utf-8"))
DAY = ("--as-of", "2026-11-22")
L4 = ("--set", "gpu=NVIDIA L4", "--set", "driver=580.95.05", "--set", "os=ubuntu-22.04", "--set", "arch=x86_64")


@pytest.fixture(autouse=True)
def _place(_no_sockets: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Sockets to this machine alone; a home, a state and a cache of its own; no index but those of the tests."""

    def connect(self: socket.socket, address: Any) -> None:
        if address[0] not in ("127.0.0.1", "localhost"):
            raise OSError("only this machine")
        CONNECT(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        folder = tmp_path / name.lower()
        folder.mkdir()
        monkeypatch.setenv(name, str(folder))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "WHEEL_STUB_PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("trtdoctor.mirror.pypi.wheels_index", lambda _: None)


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> Ran:
    """The command in this process: as a user runs it, but for the start of Python."""
    with pytest.raises(SystemExit) as ended:
        main(["mirror", "check", *arguments, *(() if "--as-of" in arguments else DAY)])
    out, err = capsys.readouterr()
    return Ran(int(ended.value.code or 0), out, err)


def document(capsys: pytest.CaptureFixture[str], *arguments: str, code: int | None = None) -> dict[str, Any]:
    ran = told(capsys, *arguments, "--format", "json")
    assert ran.err == ""
    assert ran.code in ((0, 1) if code is None else (code,)), ran.out
    found: dict[str, Any] = json.loads(ran.out)
    jsonschema.validate(found, SCHEMA)
    return found


def codes(found: Mapping[str, Any]) -> dict[str, str]:
    return {item["code"]: item["severity"] for item in found["findings"]}


# -- a Python index ----------------------------------------------------------------------------------------------------


def chain(*versions: str, libs: Sequence[str] | None = None, python: str = "cp310") -> dict[str, list[File]]:
    """TensorRT for CUDA 13, and what its builds take, as an index has them."""
    days = {version: DAYS[version] for version in versions}
    return {
        "tensorrt": [sdist("tensorrt", one, uploaded=days[one]) for one in versions],
        "tensorrt-cu13": [sdist("tensorrt-cu13", one, uploaded=days[one]) for one in versions],
        "tensorrt-cu13-bindings": [
            wheel("tensorrt-cu13-bindings", one, f"{python}-none-manylinux_2_28_x86_64", uploaded=days[one])
            for one in versions
        ],
        "tensorrt-cu13-libs": [
            replace(stub("tensorrt-cu13-libs", one, "https://pypi.nvidia.com"), uploaded=DAYS[one])
            for one in (versions if libs is None else libs)
        ],
        "wheel-stub": [wheel("wheel-stub", "0.5.0", "py3-none-any")],
        "setuptools": [wheel("setuptools", "80.9.0", "py3-none-any")],
        "wheel": [wheel("wheel", "0.45.1", "py3-none-any")],
    }


def payload(*versions: str) -> dict[str, list[File]]:
    return {"tensorrt-cu13-libs": [wheel("tensorrt-cu13-libs", one) for one in versions]}


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    with serving(Index(chain(NEW, MIDDLE, OLD))) as address:
        yield address


@pytest.fixture(scope="module")
def nvidia() -> Iterator[str]:
    with serving(Index(payload(NEW, MIDDLE, OLD), html=True)) as address:
        yield address


def configured(*mirrors: Mapping[str, Any], policy: str = "") -> str:
    """A configuration in this directory; the option that names it."""
    tables = [
        "[[mirror]]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in one.items()) for one in mirrors
    ]
    Path("trtdoctor.toml").write_text("\n\n".join([f"[policy]\n{policy}", *tables]) + "\n")
    return "--config=trtdoctor.toml"


def pip(mirror: str, upstream: str, wheels: str | None, **more: Any) -> dict[str, Any]:
    said = {"id": "corp", "kind": "pypi", "mirror": mirror, "upstream": upstream, **more}
    return {**said, "wheels": wheels} if wheels is not None else said


def test_two_releases_behind(capsys: pytest.CaptureFixture[str], upstream: str, nvidia: str) -> None:
    with serving(Index(chain(OLD))) as mirror:
        config = configured(pip(mirror, upstream, nvidia), policy="max-lag-days = 30")
        found = document(capsys, config, code=1)
        assert "TensorRT 10.16.1 (pip, CUDA 13) can be had" in found["headline"]
        assert "upstream has 11.4.0: 2 releases" in found["headline"]
        assert codes(found) == {"MIR202": "warning", "MIR201": "error"}
        assert found["findings"][0]["code"] == "MIR202"
        (source,) = found["sources"]
        assert source["lag"]["evidence"] == "upload-time"
        assert source["lag"]["seconds"] > 70 * 86400
        assert {(item["project"], item["version"]) for item in found["sync"]} == {
            (name, version)
            for name in ("tensorrt", "tensorrt-cu13", "tensorrt-cu13-bindings", "tensorrt-cu13-libs")
            for version in (NEW, MIDDLE)
        }
        assert all(file["sha256"] and file["size"] for item in found["sync"] for file in item["files"])
        assert [stack["release"] for stack in found["stacks"]["mirror"]] == ["10.16.1"]
        # A machine that could not use them waits for nothing.
        assert document(capsys, config, "--set", "gpu=Tesla V100", code=0)["sync"] == []
        table = told(capsys, config)
        assert "lag      " in table.out
        assert "by upload-time" in table.out
        assert not [line for line in table.out.splitlines() if len(line) > 80 and "://" not in line]


def test_half_a_stack_and_a_stub_without_its_wheel(
    capsys: pytest.CaptureFixture[str], upstream: str, nvidia: str
) -> None:
    with serving(Index(chain(NEW, OLD, libs=[OLD]))) as mirror:
        found = document(capsys, configured(pip(mirror, upstream, nvidia)), code=1)
        assert codes(found)["MIR101"] == "error"
        (half,) = [item for item in found["findings"] if item["code"] == "MIR101"]
        assert f"tensorrt_cu13_libs-{NEW}.tar.gz" in half["detail"]
    with serving(Index(chain(NEW, MIDDLE, OLD))) as mirror, serving(Index(payload(OLD), html=True)) as few:
        found = document(capsys, configured(pip(mirror, upstream, few)), code=1)
        assert codes(found) == {"MIR102": "error"}
        assert f"tensorrt-cu13-libs {NEW}" in found["findings"][0]["title"]
        whole = [stack for stack in found["stacks"]["mirror"] if stack["complete"] == "yes"]
        assert [stack["release"] for stack in whole] == ["10.16.1"]


def test_sides_that_are_down(capsys: pytest.CaptureFixture[str], upstream: str, nvidia: str) -> None:
    nobody = "http://127.0.0.1:9/simple"
    with serving(Index(chain(OLD))) as mirror:
        down = pip(nobody, upstream, nvidia, id="down")
        late = pip(mirror, upstream, nvidia, id="late")
        blind = pip(mirror, nobody, nvidia, id="blind")
        begun = time.monotonic()
        found = document(capsys, configured(down, late, blind), "--seconds", "10", code=0)
        assert time.monotonic() - begun < 12
        for unsure in (blind, down):
            assert told(capsys, configured(unsure), "--fail-on", "unknown").code == 1
        assert told(capsys, configured(blind)).code == 0
    by_id = {source["id"]: source for source in found["sources"]}
    assert "gives no answer" in by_id["down"]["headline"]
    assert by_id["down"]["lag"]["seconds"] is None
    assert {entry["state"] for entry in by_id["down"]["entries"]} == {"unknown"}
    assert by_id["late"]["behind"] == 2
    assert "whether upstream has anything newer is not known" in by_id["blind"]["headline"]
    assert {item["severity"] for item in found["findings"] if item["code"] == "MIR301"} == {"warning", "info"}
    assert found["verdict"] == "at-risk"


def test_a_mirror_that_sends_elsewhere(capsys: pytest.CaptureFixture[str], upstream: str, nvidia: str) -> None:
    from tests.matrix.tls import server

    with server(
        lambda path, _: (302, {"location": upstream.replace("127.0.0.1", "localhost") + path[7:]}, b"")
    ) as place:
        found = document(capsys, configured(pip(f"http://{place}/simple", upstream, nvidia)))
    assert codes(found)["MIR205"] == "info"
    assert "served by another host: localhost" in found["findings"][-1]["title"]


def test_a_secret_is_nowhere(
    capsys: pytest.CaptureFixture[str], upstream: str, nvidia: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CORP_USER", "bot")
    monkeypatch.setenv("CORP_PASSWORD", SECRET)
    with serving(Index(chain(OLD), login=f"bot:{SECRET}")) as mirror:
        names = {"username-env": "CORP_USER", "password-env": "CORP_PASSWORD"}
        config = configured(pip(mirror, upstream, nvidia, **names))
        outputs = [option for kind in ("json", *CI_FORMATS) for option in ("-o", f"{kind}:out.{kind}")]
        ran = told(capsys, config, "-v", *outputs)
        assert ran.code == 0
        assert "10.16.1" in ran.out
        refused = told(capsys, configured(pip(mirror, upstream, nvidia)))
        assert "denies access" in refused.out
        host = mirror.split("/")[2]
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "trtdoctor.toml"]
    assert {f"out.{kind}" for kind in ("json", *CI_FORMATS)} <= {path.name for path in written}
    for path in written:
        text = path.read_bytes()
        assert SECRET.encode() not in text, path
        if path.suffix[1:] in CI_FORMATS:
            assert host.encode() not in text, path
    assert SECRET not in ran.out + ran.err + refused.out + refused.err


def test_nothing_is_written_but_the_state_and_the_cache(
    capsys: pytest.CaptureFixture[str], upstream: str, nvidia: str, tmp_path: Path
) -> None:
    with serving(Index(chain(OLD))) as mirror:
        config = configured(pip(mirror, upstream, nvidia))
        told(capsys, config, "--no-state")
        assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {"trtdoctor.toml"}
        told(capsys, config)
    files = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    state = Path("xdg_state_home/trtdoctor/mirror.json")
    assert state in files
    assert oct((tmp_path / state).stat().st_mode & 0o777) == "0o600"
    others = {path for path in files if path.parts[0] not in ("xdg_cache_home", "trtdoctor.toml")}
    assert {path.parent for path in others} == {state.parent}


def test_the_state_is_judged_without_a_question(
    capsys: pytest.CaptureFixture[str], upstream: str, nvidia: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(Index(chain(OLD))) as mirror:
        config = configured(pip(mirror, upstream, nvidia))
        seen = document(capsys, config, "--as-of", "2027-01-01")

    def refuse(*_: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    found = document(capsys, config, "--offline", "--as-of", "2027-01-01")
    assert found["headline"] == seen["headline"]
    assert found["sync"] == seen["sync"]
    assert found["sources"][0]["lag"] == seen["sources"][0]["lag"]  # it is known for the time of the look
    assert document(capsys, config, "corp", "--offline", "--as-of", "2027-02-01")["sources"] == found["sources"]
    missing = told(capsys, config, "pypi:https://other.example/simple", "--offline")
    assert missing.code == 2
    assert "has nothing of" in missing.err


def test_who_watches_is_owed_what_check_saw_first(
    capsys: pytest.CaptureFixture[str], upstream: str, nvidia: str
) -> None:
    from trtdoctor.mirror.state import default_path, read

    index = Index(chain(OLD))
    with serving(index) as mirror:
        config = configured(pip(mirror, upstream, nvidia))
        told(capsys, config)
        index.projects = chain(NEW, MIDDLE, OLD)
        assert document(capsys, config)["sources"][0]["behind"] == 0
    state = read(default_path(os.environ))
    assert state is not None
    assert "caught-up" in {item.kind for item in state.changes}


# -- container images --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """Upstream with four months, and a mirror that has the two older ones, one of them for one platform alone."""
    place = tmp_path_factory.mktemp("registries")
    with registry(place / "upstream") as ours, registry(place / "mirror") as theirs:
        pusher = Pusher(ours, REPOSITORY)
        for month, version in (("26.07", "11.1.0.106"), ("26.08", "11.2.1.2"), ("26.09", NEW), ("26.10", NEW)):
            labels = {"com.nvidia.tensorrt.version": version}
            created = f"20{month.replace('.', '-')}-20T10:00:00Z"
            pusher.image(
                f"{month}-py3", BOTH, labels=labels, env=["CUDA_VERSION=13.4.3"], created=created, layer=month.encode()
            )
        for tag, options in (("26.07-py3", ("--all",)), ("26.08-py3", ())):
            copy(f"{ours.address}/{REPOSITORY}:{tag}", f"{theirs.address}/{TARGET}:{tag}", *options)
        yield ours, theirs


def of_images(images: tuple[Server, Server]) -> str:
    return f"oci:{images[0].address}/{REPOSITORY}={images[1].address}/{TARGET}"


def test_images_two_months_behind_and_a_copy_of_one_platform(
    capsys: pytest.CaptureFixture[str], images: tuple[Server, Server]
) -> None:
    found = document(capsys, of_images(images), code=0)
    assert codes(found) == {"MIR103": "warning", "MIR203": "info"}
    (source,) = found["sources"]
    assert source["behind"] == 2
    assert source["lag"]["evidence"] == "image created"
    assert [item["version"] for item in found["sync"]] == ["26.10-py3", "26.09-py3", "26.08-py3"]
    assert all(item["digest"].startswith("sha256:") for item in found["sync"])
    assert [stack["release"] for stack in found["stacks"]["upstream"]] == ["11.4.0", "11.4.0", "11.2.1", "11.1.0"]
    arm = (
        "--set",
        "gpu=NVIDIA GH200 480GB",
        "--set",
        "driver=580.95.05",
        "--set",
        "os=ubuntu-24.04",
        "--set",
        "arch=aarch64",
    )
    assert codes(document(capsys, of_images(images), *arm, code=1))["MIR103"] == "error"
    assert "MIR103" not in codes(document(capsys, of_images(images), *L4, code=0))


def test_a_second_run_asks_less_and_says_from_when_it_knows(
    capsys: pytest.CaptureFixture[str], images: tuple[Server, Server]
) -> None:
    first = document(capsys, of_images(images))
    second = document(capsys, of_images(images))
    assert second["requests"] < first["requests"]
    assert codes(second) == codes(first)
    assert any(entry["as_of"] for entry in second["sources"][0]["entries"])
    assert "rest on what was seen before" in told(capsys, of_images(images)).out


def test_a_tag_that_upstream_has_moved(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with registry(tmp_path / "upstream") as ours, registry(tmp_path / "mirror") as theirs:
        pusher = Pusher(ours, REPOSITORY)
        pusher.image("26.10-py3", BOTH, layer=b"one")
        copy(f"{ours.address}/{REPOSITORY}:26.10-py3", f"{theirs.address}/{TARGET}:26.10-py3", "--all")
        pair = of_images((ours, theirs))
        assert codes(document(capsys, pair, "--no-state")) == {}
        pusher.image("26.10-py3", BOTH, layer=b"two")
        found = document(capsys, pair, "--no-state")
        assert codes(found) == {"MIR204": "warning"}
        assert found["sources"][0]["entries"][0]["state"] == "differs"
        assert "26.10-py3" in found["findings"][0]["title"]


def test_a_repository_that_the_mirror_does_not_have(
    capsys: pytest.CaptureFixture[str], images: tuple[Server, Server]
) -> None:
    found = document(capsys, f"oci:{images[0].address}/{REPOSITORY}={images[1].address}/no/such", code=0)
    assert codes(found) == {"MIR206": "warning"}
    assert "does not carry this at all" in found["headline"]


def test_a_hostile_registry_is_told_and_changes_nothing(
    capsys: pytest.CaptureFixture[str], images: tuple[Server, Server], tmp_path: Path
) -> None:
    def endless(method: str, path: str, headers: Mapping[str, str]) -> Any:
        huge = json.dumps({"name": TARGET, "tags": ["\x1b[31m::add-mask::x", "../../etc/passwd", "a" * 100_000] * 40})
        return 200, {"content-type": "application/json"}, (huge * 8).encode()

    before = set(Path("/tmp").glob("pwned*"))
    with serve(endless) as place:
        begun = time.monotonic()
        ran = told(capsys, f"oci:{images[0].address}/{REPOSITORY}={place}/{TARGET}", "--seconds", "20")
    assert time.monotonic() - begun < 25
    assert ran.code == 0
    assert "MIR301" in ran.out
    assert "\x1b" not in ran.out
    assert "\n::" not in ran.out
    assert set(Path("/tmp").glob("pwned*")) == before


# -- apt and status pages ----------------------------------------------------------------------------------------------


def test_an_apt_repository(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    names = ("libnvinfer10", "libnvinfer-plugin10", "libnvinfer-vc-plugin10", "libnvonnxparsers10")
    versions = ("10.16.1.11-1+cuda13.2", "10.9.0.34-1+cuda12.8")
    debs = build(tmp_path / "debs", [(name, version) for name in names for version in versions])
    few = [path for path in debs if versions[1] in path.name or "plugin" not in path.name]
    path = "compute/cuda/repos/ubuntu2404/x86_64"
    flat(tmp_path / "up" / path, debs)
    flat(tmp_path / "here" / path, few)
    with served(tmp_path / "up") as ours, served(tmp_path / "here") as theirs:
        found = document(capsys, f"apt:{ours}/{path}={theirs}/{path}", code=1)
    assert codes(found)["MIR101"] == "error"
    assert "libnvinfer-plugin10_10.16.1.11-1+cuda13.2_amd64.deb" in found["findings"][0]["detail"]
    assert {item["project"] for item in found["sync"]} == {"libnvinfer-plugin10"}


def test_a_status_page_and_a_limit(capsys: pytest.CaptureFixture[str]) -> None:
    page = [{"name": "pypi", "status": "failed", "last_update_ts": 1794700000, "last_ended_ts": 1795300000}]
    with serve(lambda *_: (200, {"content-type": "application/json"}, json.dumps(page).encode())) as place:
        ran = told(capsys, f"status:{place}/static/tunasync.json", "--policy", "max-lag-days=2", "--format", "github")
    assert ran.code == 1
    assert "::error title=MIR201" in ran.out
    assert "::warning title=MIR302" in ran.out
    assert place.partition("//")[2] not in ran.out


# -- what cannot be done -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "nothing to look at: name a SOURCE"),
        (["corp"], "is no source"),
        (["oci:"], "names no address"),
        (["oci:r.example/x", "--policy", "max-lag=3"], "did you mean max-lag-days?"),
        (["oci:r.example/x", "--no-state", "--offline"], "--no-state uses no state file"),
        (["oci:r.example/x", "--offline", "--insecure"], "--offline asks nobody"),
        (["oci:r.example/x", "--insecure", "--ca-file", "x"], "--insecure checks no certificate"),
        (["oci:r.example/x", "--ca-file", "/no/such"], "is no file"),
        (["oci:r.example/x", "--snapshot", "/no/such"], "No such file"),
        (["oci:r.example/x", "--set", "drivre=1"], "did you mean driver"),
        (["oci:r.example/x"], "its address does not tell its upstream"),
        (["oci:r.example/x", "--offline"], "there is none yet"),
    ],
)
def test_usage_is_one_line(capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    configured()
    assert words in complains(told(capsys, *arguments))


def test_a_state_that_is_none_ends_it_before_anybody_is_asked(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "state.json").write_text('{"schema": "other/1"}')
    for more in ((), ("--offline",)):
        ran = told(capsys, "pypi:https://r.example/simple", "--state", "state.json", *more)
        assert ran.code == 2
        assert "state state.json: it says other/1" in ran.err
        assert len(ran.err.splitlines()) == 1


# -- check -------------------------------------------------------------------------------------------------------------


def test_check_knows_what_the_mirror_last_had(
    capsys: pytest.CaptureFixture[str], upstream: str, nvidia: str, tmp_path: Path
) -> None:
    with serving(Index(chain(NEW))) as mirror:
        config = configured(pip(mirror, upstream, nvidia))
        told(capsys, config)
    site = tmp_path / "venv" / "lib" / "python3.10" / "site-packages"
    info = site / f"tensorrt_cu13-{MIDDLE}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: tensorrt-cu13\nVersion: {MIDDLE}\n")
    (tmp_path / "venv" / "bin").mkdir()
    (tmp_path / "venv" / "bin" / "python").symlink_to(os.path.realpath("/usr/bin/python3"))
    (tmp_path / "venv" / "pyvenv.cfg").write_text("home = /usr/bin\nversion = 3.10.1\n")
    ran = run(
        *("check", config, "--select", "MIR", "--canary", "never", "--format", "json"),
        *("--python", str(tmp_path / "venv" / "bin" / "python")),
        cwd=tmp_path,
    )
    found = json.loads(ran.out)
    probe = next(item for item in found["snapshot"]["probes"] if item["name"] == "mirrors")
    assert probe["outcome"] == "ok"
    assert "0 days old" in probe["detail"]
    assert found["snapshot"]["mirrors"][0]["id"] == "corp"
    assert {item["code"] for item in found["findings"]} <= {"MIR401"}


def test_check_says_when_the_state_cannot_be_read_and_goes_on(tmp_path: Path) -> None:
    configured({"id": "corp", "kind": "pypi", "mirror": "https://mirror.example/simple"})
    state = tmp_path / "xdg_state_home" / "trtdoctor" / "mirror.json"
    state.parent.mkdir()
    state.write_text("{")
    ran = run("check", "--config", "trtdoctor.toml", "--canary", "never", "--format", "json", cwd=tmp_path)
    probe = next(item for item in json.loads(ran.out)["snapshot"]["probes"] if item["name"] == "mirrors")
    assert probe["outcome"] == "failed"
    assert ran.code in (0, 1)


def test_check_without_mirrors_in_the_configuration_looks_at_no_state(tmp_path: Path) -> None:
    configured()
    state = tmp_path / "xdg_state_home" / "trtdoctor" / "mirror.json"
    state.parent.mkdir()
    state.write_text("{")
    ran = run("check", "--config", "trtdoctor.toml", "--canary", "never", "--format", "json", cwd=tmp_path)
    assert "mirrors" not in {item["name"] for item in json.loads(ran.out)["snapshot"]["probes"]}


def test_five_thousand_tags(capsys: pytest.CaptureFixture[str]) -> None:
    fake = Fake(REPOSITORY)
    body = fake.image("26.10-py3")
    assert body
    content = fake.tags["26.10-py3"]
    fake.tags |= {f"{year}.{month:02d}-py3": content for year in range(19, 27) for month in range(1, 13)}
    fake.tags |= {f"build-{number}": content for number in range(4900)}
    with serve(fake.speak) as place:
        begun = time.monotonic()
        found = document(capsys, f"oci:{place}/{REPOSITORY}={place}/{REPOSITORY}", "--no-state")
        assert time.monotonic() - begun < 20
    assert found["sources"][0]["behind"] == 0
    assert len(found["sources"][0]["entries"]) == 96
    assert "4900 other tags" in " ".join(found["sources"][0]["notes"])
