"""``trtdoctor explain``: what its argument is taken for, exit codes, and what it never does."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from tests.cli.run import complains, run
from tests.conftest import ROOT, SNAPSHOTS
from tests.render.test_hostile_text import HOSTILE, check_text

LINE = "[TRT] [E] CUDA initialization failure with error: 35. Please check your CUDA installation\n"
SECRET = "s3cr3t-t0ken"


def families(out: str) -> list[str | None]:
    return [match["family"] for match in json.loads(out)["matches"]]


def test_a_file_stdin_and_a_text_say_the_same(tmp_path: Path) -> None:
    log = tmp_path / "803"  # an existing file comes before a number
    log.write_text(LINE)
    for arguments, stdin, kind in (
        (("explain", "803"), None, "file"),
        (("explain", "-"), LINE.encode(), "stdin"),
        (("explain",), LINE.encode(), "stdin"),
        (("explain", LINE), None, "text"),
        (("explain", *LINE.split()), None, "text"),
    ):
        ran = run(*arguments, "--format", "json", stdin=stdin, cwd=tmp_path, PYTHONPATH=str(ROOT))
        assert ran.code == 0, ran.err
        assert families(ran.out) == ["cuda-init-35-driver-too-old"]
        assert json.loads(ran.out)["asked"]["kind"] == kind


def test_a_rule_a_number_and_a_name(tmp_path: Path) -> None:
    page = run("explain", "drv201")
    assert page.out == run("rules", "DRV201").out
    told = json.loads(run("explain", "DRV201", "--format", "json").out)
    assert told["rule"]["name"] == "driver-below-cuda-floor"
    assert "How to fix" in told["rule"]["sections"]
    assert families(run("explain", "803", "--format", "json").out) == ["cuda-803-driver-userland-mismatch"]
    named = run("explain", "cudaErrorNoKernelImageForDevice")
    assert named.code == 0
    assert "CUDA 209" in named.out


@pytest.mark.parametrize(
    "name", ["/no/such/file", "build.log", "./x", "logs/build", "/home/me/my build.log", r"C:\x\y"]
)
def test_what_looks_like_a_file_and_is_none_is_no_text(name: str) -> None:
    assert "no such file" in complains(run("explain", name))


@pytest.mark.parametrize(
    "text", ["/lib64/libm.so.6: version `GLIBC_2.38' not found", "libfoo.so.3: cannot open shared object file"]
)
def test_a_message_that_begins_with_a_path_is_a_text(text: str) -> None:
    assert run("explain", text).code == 0


def test_exit_codes(tmp_path: Path) -> None:
    assert run("explain", "frobnication of the gizmo").code == 1
    assert run("explain", "54321").code == 1
    assert run("explain", "ZZZ999").code == 1
    assert run("explain", stdin=b"all is well\n").code == 0
    assert run("explain", stdin=b"").code == 0
    assert run("explain", stdin=b"ValueError: frobnication\n").code == 1
    assert "directory" in complains(run("explain", str(tmp_path)))
    assert "empty text" in complains(run("explain", " "))
    packed = tmp_path / "log.gz"
    packed.write_bytes(gzip.compress(LINE.encode()))
    assert "zcat FILE | trtdoctor explain -" in complains(run("explain", str(packed)))
    assert "only one of" in complains(run("explain", "-", "--snapshot", "-"))
    assert "--here" in complains(run("explain", "803", "--here", "--set", "driver=470.82"))
    assert "--python" in complains(run("explain", "803", "--python", sys.executable))
    assert "Traceback" not in run("explain", "803\x01\x02").err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(LINE)
    log.chmod(0)
    assert "Permission" in complains(run("explain", str(log)))


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["/bin/sh", "-c", f"cat > {pipe}"], stdin=subprocess.PIPE) as writer:
        assert writer.stdin is not None
        writer.stdin.write(LINE.encode())
        writer.stdin.close()
        assert "too old" in run("explain", str(pipe)).out


def test_facts_say_which_cause_applies() -> None:
    said = ("--set", "driver=470.82.01", "--set", "tensorrt=10.9.0,from=pip-cu12", "--set", "gpu=Tesla T4")
    ran = run("explain", LINE, *said)
    assert "serves CUDA 11.4 at most" in ran.out
    assert "DRV201" in ran.out
    (match,) = json.loads(run("explain", LINE, *said, "--format", "json").out)["matches"]
    assert match["here"]["verdict"] == "applies"
    snapshot = run("explain", "803", "--snapshot", str(SNAPSHOTS / "h200.json"), "--format", "json")
    assert json.loads(snapshot.out)["matches"][0]["here"]["verdict"] == "not-found"
    here = run("explain", "error 100", "--here", "--format", "json")
    assert json.loads(here.out)["facts"] == "live"


def test_the_json_fits_its_schema(tmp_path: Path) -> None:
    schema = json.loads((ROOT / "trtdoctor" / "schemas" / "explain.schema.json").read_text("utf-8"))
    written = tmp_path / "answer.json"
    for arguments in (("DRV201",), ("3",), (LINE, "--set", "driver=470.82"), ("frobnication of an engine plan",)):
        run("explain", *arguments, "-o", f"json:{written}")
        jsonschema.validate(json.loads(written.read_text("utf-8")), schema)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_hostile_logs_are_shown_harmlessly(text: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    lines = (
        f"ImportError: libnvinfer.so.8: cannot open shared object file {text}",
        f"{text} getPluginCreator could not find plugin: x version: 1 {text}",
        f"File /home/{text}/x is empty, not checked",
        f"ValueError: {text}",
    )
    log.write_text("\n".join(lines), "utf-8", errors="surrogatepass")
    for kind in ("table", "json"):
        ran = run("explain", str(log), "-v", "--format", kind)
        assert ran.code == 0, ran.err
        check_text(ran.out)
    if "\x00" not in text and "\ud800" not in text:
        check_text(run("explain", f"no {text[:2000]} known", "-v").out)


def test_no_password_of_a_log_is_repeated_and_redaction_hides_its_lines(tmp_path: Path) -> None:
    place = tmp_path / "pr1vate"
    place.mkdir()
    log = place / "log"
    address = f"https://user:{SECRET}@host.example/x?token={SECRET}"
    log.write_text(
        f"ERROR: No matching distribution found for tensorrt=={address}\n"
        f"OSError: /pr1vate/libtorchtrt.so: undefined symbol: _ZN3c10pr1vate\nValueError: see {address} pr1vate\n"
    )
    for arguments in ((), ("--format", "json"), ("-v",)):
        ran = run("explain", str(log), *arguments)
        assert ran.code == 0, ran.err
        assert SECRET not in ran.out
        assert "pr1vate" in ran.out
        hidden = run("explain", str(log), "--redact", *arguments)
        assert hidden.code == 0
        assert "pr1vate" not in hidden.out
        assert families(run("explain", str(log), "--redact", "--format", "json").out)
