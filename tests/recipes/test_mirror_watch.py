"""The recipes for watching mirrors: held against their schemas and linters, and their commands really run."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT
from tests.recipes.shell import EXAMPLES, bash, environment
from tests.recipes.test_schemas import schema, tool
from trtdoctor.mirror.change import KINDS
from trtdoctor.mirror.state import read

WORKFLOW = EXAMPLES / "github" / "mirror-watch.yml"
UNITS = EXAMPLES / "systemd"
SERVICE, TIMER = UNITS / "trtdoctor-mirror-watch.service", UNITS / "trtdoctor-mirror-watch.timer"
PAGE = ROOT / "docs" / "mirror-watch.md"
TEXT = PAGE.read_text("utf-8")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[list[dict[str, Any]]]:
    """The jobs of a mirror site that ``trtdoctor.toml`` in ``tmp_path`` names; a test may change them."""
    jobs = [{"name": "pypi", "status": "success", "last_update_ts": int(time.time()) - 60}]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps(jobs).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    address = f"http://127.0.0.1:{httpd.server_address[1]}/tunasync.json"
    (tmp_path / "trtdoctor.toml").write_text(f'[[mirror]]\nid = "site"\nkind = "status"\nmirror = "{address}"\n')
    yield jobs
    httpd.shutdown()
    httpd.server_close()


def program(folder: Path) -> Path:
    """``trtdoctor`` in a ``bin`` directory below ``folder``, as an installation would put it there."""
    file = folder / "bin" / "trtdoctor"
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f"#!{sys.executable}",
        "import sys",
        f"sys.path.insert(0, {str(ROOT)!r})",
        "from trtdoctor.cli import main",
        "main()",
    ]
    file.write_text("\n".join([*lines, ""]))
    file.chmod(0o755)
    return file


def test_the_workflow_keeps_to_its_schema_and_its_scripts_pass_shellcheck(tmp_path: Path) -> None:
    assert schema("github-workflows", WORKFLOW) == ""
    bad = tmp_path / "bad.yml"
    bad.write_text(WORKFLOW.read_text("utf-8").replace("cron:", "corn:"))
    assert schema("github-workflows", bad) != ""
    for step in yaml.safe_load(WORKFLOW.read_text("utf-8"))["jobs"]["watch"]["steps"]:
        if "run" in step:
            assert tool("shellcheck", "--shell=bash", "-", stdin=step["run"]) == "", step["name"]


def test_the_workflow_s_own_script_tells_what_changed(tmp_path: Path, site: list[dict[str, Any]]) -> None:
    workflow = yaml.safe_load(WORKFLOW.read_text("utf-8"))
    (script,) = (step["run"] for step in workflow["jobs"]["watch"]["steps"] if step.get("id") == "watch")
    program(tmp_path / ".trtdoctor")
    summary = tmp_path / "summary.md"
    settings = {"GITHUB_STEP_SUMMARY": str(summary), "TRTDOCTOR_FAIL_ON": "warning"}

    def step() -> tuple[int, str]:
        # What GitHub runs for `run:` where no shell is named.
        ended = bash(script, tmp_path, environment(**settings), ("bash", "-e"))
        return ended.code, ended.text

    assert step() == (0, "base line: site (1 present); from now on changes are told\n")
    assert step() == (0, "")
    site[0]["status"] = "failed"
    code, text = step()
    assert code == 1
    assert "site: sync-failed" in text
    assert f"\n    {text.strip()}" in summary.read_text("utf-8")
    assert (tmp_path / ".mirrors" / "feed.xml").stat().st_size > 0
    assert read(tmp_path / ".mirrors" / "state.json") is not None
    (tmp_path / ".mirrors" / "state.json").write_text("{}")
    assert step()[0] == 2


def sections(file: Path) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False, comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(re.sub(r"\\\n\s*", " ", file.read_text("utf-8")))
    return parser


def test_the_units_are_what_systemd_takes(tmp_path: Path) -> None:
    service, timer = sections(SERVICE), sections(TIMER)
    assert service["Service"]["Type"] == "oneshot"
    assert timer["Install"]["WantedBy"] == "timers.target"
    assert service["Service"]["User"] in (UNITS / "trtdoctor.sysusers").read_text("utf-8")
    if shutil.which("systemd-analyze") is None:
        return
    placed = program(tmp_path / "opt")
    text = SERVICE.read_text("utf-8").replace("/opt/trtdoctor/bin/trtdoctor", str(placed))
    (tmp_path / SERVICE.name).write_text(text)
    shutil.copy(TIMER, tmp_path)
    units = [str(tmp_path / SERVICE.name), str(tmp_path / TIMER.name)]
    assert verify(*units) == ""
    (tmp_path / SERVICE.name).write_text(text.replace("ProtectSystem=strict", "ProtectSystem=very"))
    assert "Failed to parse protect system value" in verify(*units)


def verify(*units: str) -> str:
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout + done.stderr


def test_the_service_s_own_command_runs(tmp_path: Path, site: list[dict[str, Any]]) -> None:
    line = sections(SERVICE)["Service"]["ExecStart"]
    places = {
        "/opt/trtdoctor/bin/trtdoctor": str(program(tmp_path / "opt")),
        "/etc/trtdoctor": str(tmp_path),
        "%S/trtdoctor": str(tmp_path / "lib"),
    }
    for old, new in places.items():
        assert old in line
        line = line.replace(old, new)
    (tmp_path / "lib").mkdir()
    for word, told in (("success", "base line"), ("failed", "sync-failed")):
        site[0]["status"] = word
        done = subprocess.run(
            shlex.split(line), cwd="/", env=environment(), capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert told in done.stdout
    assert {file.name for file in (tmp_path / "lib").iterdir() if not file.name.startswith(".")} == {
        "mirror.json",
        "mirrors.xml",
        "mirrors.prom",
    }
    assert os.stat(tmp_path / "lib" / "mirror.json").st_mode & 0o777 == 0o600


def test_the_page_names_every_kind_of_change_every_recipe_and_nothing_else() -> None:
    table = TEXT.partition("| kind | weight | means |")[2].partition("\n\n")[0]
    named: dict[str, str] = {}
    for row in table.strip().splitlines()[1:]:
        kinds, weights = (cell.strip() for cell in row.split("|")[1:3])
        words = weights.split(", ")
        for number, kind in enumerate(re.findall(r"`([\w-]+)`", kinds)):
            named[kind] = words[min(number, len(words) - 1)]
    assert named == {kind: weight for kind, (weight, _) in KINDS.items()}
    linked = {(PAGE.parent / target).resolve() for target in re.findall(r"\]\((examples/[^)]+)\)", TEXT)}
    assert linked == {WORKFLOW, *UNITS.iterdir()}


def test_the_options_on_the_page_are_those_of_the_command() -> None:
    from trtdoctor.cli.mirror_watch import command

    known = {option for parameter in command.params for option in parameter.opts}
    assert set(re.findall(r"(?<![\w.-])(--[a-z][a-z-]+)", re.sub(r"--now|--collector\S+", "", TEXT))) <= known
