"""``trtdoctor check`` as users type it."""

from __future__ import annotations

import json
import os
import re
import stat
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.cli.run import ROOT, complains, run
from tests.conftest import AS_OF
from trtdoctor.judge import judge
from trtdoctor.matrix import Matrix
from trtdoctor.redaction import redact
from trtdoctor.snapshot import Snapshot

SNAPSHOTS = ROOT / "tests" / "data" / "snapshots"
BROKEN = (
    "--set",
    "tensorrt=10.7.0",
    "--set",
    "gpu=GeForce RTX 5090",
    "--set",
    "driver=580.65.06",
    "--set",
    "cuda=12.6",
)
FINE = (
    *("--set", "tensorrt=10.9.0.34,from=pip-cu12", "--set", "gpu=Tesla T4", "--set", "driver=570.124.06"),
    *(
        "--set",
        "cuda=12.8",
        "--set",
        "os=ubuntu-22.04",
        "--set",
        "arch=x86_64",
        "--set",
        "glibc=2.35",
        "--set",
        "python=3.10",
    ),
)


def schema(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "trtdoctor" / "schemas" / f"{name}.schema.json").read_text())
    return loaded


def test_a_fine_environment_is_ready_and_exits_0() -> None:
    ran = run("check", *FINE)
    assert ran.code == 0, ran.out
    assert ran.out.startswith("ready: ")
    assert ran.err == ""


def test_a_broken_environment_exits_1_and_names_cause_and_fix() -> None:
    ran = run("check", *BROKEN)
    assert ran.code == 1
    first, second = ran.out.splitlines()[:2]
    assert first.startswith("broken: ")
    assert "GPU201" in second
    assert "12.0" in ran.out
    assert re.search(r"^  fix +\S", ran.out, re.MULTILINE)


@pytest.mark.parametrize(("fail_on", "code"), [("error", 1), ("warning", 1), ("unknown", 1), ("never", 0)])
def test_the_threshold_decides_the_exit_code_in_every_format(fail_on: str, code: int) -> None:
    for format_ in ("table", "json"):
        assert run("check", *BROKEN, "--fail-on", fail_on, "--format", format_).code == code


def test_too_little_known_is_unknown_and_said() -> None:
    ran = run("check", "--set", "tensorrt=10.9.0")
    assert ran.code == 0
    assert ran.out.startswith("unknown: ")
    assert "driver" in ran.out
    assert run("check", "--set", "tensorrt=10.9.0", "--fail-on", "unknown").code == 1


def test_set_alone_never_looks_at_this_machine() -> None:
    report = json.loads(run("check", "--set", "tensorrt=10.9.0", "--format", "json").out)
    assert report["snapshot"]["kind"] == "declared"
    assert report["snapshot"]["platform"]["kernel"] is None
    assert report["interpreter"] is None


def test_the_json_report_is_one_object_that_fits_its_schema() -> None:
    for arguments in (FINE, BROKEN, ("--snapshot", str(SNAPSHOTS / "h200.json"))):
        report = json.loads(run("check", *arguments, "--format", "json", "--as-of", "2026-11-22").out)
        jsonschema.validate(report, schema("report"))
        jsonschema.validate(report["snapshot"], schema("snapshot"))


def test_table_and_json_say_the_same() -> None:
    table = run("check", *BROKEN).out
    report = json.loads(run("check", *BROKEN, "--format", "json").out)
    flat = " ".join(table.split())
    assert flat.startswith(report["verdict"])
    for finding in report["findings"]:
        assert finding["code"] in flat
        assert " ".join(finding["title"].split()) in flat
        for fix in finding["fix"] if finding["severity"] != "info" else ():
            assert " ".join(fix["text"].split()) in flat


def test_the_table_fits_80_columns_but_for_commands() -> None:
    for arguments in (BROKEN, FINE, ("--snapshot", str(SNAPSHOTS / "h200.json")), ("--set", "driver=470.57.02")):
        for line in run("check", *arguments).out.splitlines():
            assert len(line) <= 80 or "$ " in line or "http" in line, line


def test_no_colour_in_a_pipe_and_colour_on_a_terminal_unless_no_color(tmp_path: Path) -> None:
    assert "\x1b" not in run("check", *BROKEN).out
    for extra, colourful in (("", True), ("NO_COLOR=1 ", False), ("TERM=dumb ", False)):
        target = tmp_path / "typescript"
        import shlex
        import subprocess
        import sys

        words = shlex.join([sys.executable, "-m", "trtdoctor", "check", *BROKEN])
        environ = {**os.environ, "TERM": "xterm"}
        environ.pop("NO_COLOR", None)
        subprocess.run(
            ["script", "-qec", f"env {extra}{words}", str(target)],
            cwd=ROOT,
            env=environ,
            stdout=subprocess.DEVNULL,
            check=False,
        )
        assert ("\x1b[" in target.read_text("utf-8", "replace")) is colourful


def test_a_snapshot_taken_here_replays_to_the_same_report(tmp_path: Path) -> None:
    target = tmp_path / "here.json"
    assert run("snapshot", "-o", str(target)).code == 0
    live = json.loads(run("check", "--format", "json").out)
    replayed = json.loads(run("check", "--snapshot", str(target), "--format", "json").out)
    piped = json.loads(run("check", "--snapshot", "-", "--format", "json", stdin=target.read_bytes()).out)
    for report in (replayed, piped):
        assert report["findings"] == live["findings"]
        assert report["verdict"] == live["verdict"]
    jsonschema.validate(json.loads(target.read_text()), schema("snapshot"))


def test_redaction_changes_no_verdict(matrix: Matrix) -> None:
    for name in sorted(SNAPSHOTS.glob("*.json")):
        plain = Snapshot.from_json(name.read_bytes())
        found = [judge(item, matrix, as_of=AS_OF) for item in (plain, redact(plain))]
        assert found[0].verdict is found[1].verdict, name
        assert [item.code for item in found[0].findings] == [item.code for item in found[1].findings], name
    words = ("check", "--snapshot", str(SNAPSHOTS / "h200-stub.json"), "--format", "json")
    shown, hidden = (json.loads(run(*words, *more).out) for more in ((), ("--redact",)))
    assert [item["code"] for item in hidden["findings"]] == [item["code"] for item in shown["findings"]]


def test_outputs_are_written_as_well(tmp_path: Path) -> None:
    first, second = tmp_path / "report.json", tmp_path / "report.txt"
    ran = run("check", *BROKEN, "-o", f"json:{first}", "-o", str(second))
    assert ran.code == 1
    assert json.loads(first.read_text())["verdict"] == "broken"
    assert second.read_text() == ran.out


def test_an_output_that_cannot_be_written_leaves_what_was_there(tmp_path: Path) -> None:
    ran = run("check", *FINE, "-o", str(tmp_path / "no" / "such" / "folder.json"))
    assert "No such file" in complains(ran)
    target = tmp_path / "kept.json"
    target.write_text("precious")
    target.chmod(0o640)
    assert run("check", *FINE, "-o", f"json:{target}").code == 0
    assert json.loads(target.read_text())["verdict"] == "ready"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["kept.json"]


def test_select_and_ignore() -> None:
    every = json.loads(run("check", *BROKEN, "--format", "json").out)
    codes = {item["code"] for item in every["findings"]}
    assert "GPU201" in codes
    only = json.loads(run("check", *BROKEN, "--select", "GPU201", "--format", "json").out)
    assert {item["code"] for item in only["findings"]} == {"GPU201"}
    without = json.loads(run("check", *BROKEN, "--ignore", "gpu", "--format", "json").out)
    assert not any(item["code"].startswith("GPU") for item in without["findings"])
    assert "no rule code" in complains(run("check", *BROKEN, "--select", "XYZ1"))


BAD_FILES: dict[str, bytes] = {
    "empty": b"",
    "blank": b"  \n\n",
    "binary": bytes(range(256)) * 8,
    "truncated": b'{"schema": "trtdoctor-snapshot/1", "gpus": [{"index"',
    "wrong-schema": b'{"schema": "trtdoctor-report/1"}',
    "a-list": b"[1, 2]",
    "deep": b"[" * 200_000,
    "utf-16": '{"schema": "x"}'.encode("utf-16"),
    "nan": b'{"schema": "trtdoctor-snapshot/1", "gpus": [{"index": NaN}]}',
    "huge-number": b'{"schema": "trtdoctor-snapshot/1", "gpus": [{"index": ' + b"9" * 5000 + b"}]}",
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_snapshot_gets_one_line(name: str, tmp_path: Path) -> None:
    target = tmp_path / "bad.json"
    target.write_bytes(BAD_FILES[name])
    assert "snapshot" in complains(run("check", "--snapshot", str(target)))


BAD_YAML: dict[str, bytes] = {
    "empty": b"",
    "binary": bytes(range(256)),
    "truncated": b"gpus:\n- {name: T4",
    "alias-cycle": b"gpus: &a [*a]",
    "alias-bomb": b"a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]",
    "deep": b"os: " + b"[" * 5000,
    "a-list": b"- 1\n- 2\n",
    "typo": b"tensort: [{version: '10.9'}]",
    "python-object": b"os: !!python/object/apply:os.system ['true']",
    "float-version": b"tensorrt: [{version: 10.1}]",
}


@pytest.mark.parametrize("name", BAD_YAML)
def test_a_bad_declaration_gets_one_line(name: str, tmp_path: Path) -> None:
    target = tmp_path / "bad.yaml"
    target.write_bytes(BAD_YAML[name])
    complains(run("check", "--declared", str(target)))


def test_files_that_cannot_be_read_get_one_line(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    huge = tmp_path / "huge.json"
    with huge.open("wb") as stream:
        stream.truncate(65 * 1024 * 1024)
    for target, says in (
        (tmp_path, "directory"),
        (tmp_path / "link", "No such file"),
        (tmp_path / "absent", "No such file"),
        (huge, "64 MiB"),
    ):
        assert says in complains(run("check", "--snapshot", str(target)))


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "--set", "tensort=10.9"],
        ["check", "--set", "tensorrt"],
        ["check", "--format", "tabel"],
        ["check", "--as-of", "tomorrow"],
        ["check", "--matrix", "/nowhere"],
        ["check", "--python", "/nowhere/python"],
        ["check", "--nonsense"],
        ["chekc"],
        ["rules", "DRV999"],
        ["matrix", "show", "tensort"],
        ["matrix", "show", "tensorrt", "99.9"],
        ["snapshot", "-o", "/nowhere/at/all.json"],
    ],
    ids=" ".join,
)
def test_bad_usage_gets_one_line(arguments: list[str]) -> None:
    complains(run(*arguments))


def test_a_closed_pipe_is_silent() -> None:
    import subprocess
    import sys

    command = f"{sys.executable} -m trtdoctor matrix show gpus | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1


def test_version_names_program_matrix_and_age() -> None:
    assert re.fullmatch(r"trtdoctor \d+\.\d+\.\d+, matrix 2026\.\d+\.\d+ \(\d+ days old\)\n", run("--version").out)


def test_help_tells_the_exit_codes() -> None:
    for arguments in (["--help"], ["check", "--help"]):
        out = run(*arguments).out
        assert "Exit codes" in out
        assert "could not run" in out


HOSTILE = "x\x1b[31m\x07::add-mask::secret\n::error::\u202e$(reboot)`id`|<script>alert(1)</script>"


def test_hostile_text_is_carried_harmlessly(tmp_path: Path) -> None:
    document = json.loads((SNAPSHOTS / "no-gpu.json").read_text())
    document["gpus"] = [{"index": 0, "name": HOSTILE, "compute_capability": "8.6"}]
    document["driver"] = {"version": "470.57.02", "installed": True, "library_path": f"/x/{HOSTILE}/libcuda.so.1"}
    document["copies"] = [
        {"component": "tensorrt", "version": "10.9.0", "product": "full", "path": f"/opt/{HOSTILE}/libnvinfer.so.10"}
    ]
    document["interpreters"] = [
        {"path": f"/home/x;reboot/{HOSTILE}/python3", "version": "3.10", "chosen_by": "--python"}
    ]
    target = tmp_path / "hostile.json"
    target.write_text(json.dumps(document))
    for format_ in ("table", "json"):
        ran = run("check", "--snapshot", str(target), "--format", format_, "-v")
        assert ran.err == ""
        assert "\x1b" not in ran.out
        assert "\x07" not in ran.out
        assert "\u202e" not in ran.out
        assert not any(line.startswith("::") for line in ran.out.splitlines())
    report = json.loads(run("check", "--snapshot", str(target), "--format", "json").out)
    import shlex

    for finding in report["findings"]:
        for fix in finding["fix"]:
            if fix["kind"] == "shell":
                words = shlex.split(fix["text"])
                assert not any(word in ("reboot", ";", "|") for word in words[1:]), fix["text"]


def test_a_cause_that_is_left_out_hides_nothing() -> None:
    """CTR101 (a container without a GPU) is why there is no driver; who asks for DRV alone is still told of it."""
    ran = run("check", "--snapshot", "tests/data/snapshots/no-gpu.json", "--select", "DRV", "--format", "json")
    assert ran.code == 1
    assert [item["code"] for item in json.loads(ran.out)["findings"]] == ["DRV101"]
