"""``trtdoctor libs`` as users type it, and ``--root`` and ``--observe`` of the other commands."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.cli.run import ROOT, Ran, complains, run
from tests.loadings import not_found, nvinfer, two_cudnns
from tests.probes.roots import elf, write
from trtdoctor.snapshot import Loading

SCHEMA = json.loads((ROOT / "trtdoctor" / "schemas" / "libs.schema.json").read_text("utf-8"))


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    path = tmp_path / "two.json"
    path.write_text(two_cudnns().to_json())
    return path


def document(ran: Ran) -> dict[str, Any]:
    assert ran.code in (0, 1), ran.err
    assert ran.err == ""
    loaded: dict[str, Any] = json.loads(ran.out)
    jsonschema.validate(loaded, SCHEMA)
    return loaded


def test_table_tree_and_json_of_a_snapshot_say_the_same(snapshot: Path) -> None:
    table = run("libs", "--snapshot", str(snapshot))
    tree = run("libs", "--snapshot", str(snapshot), "--tree")
    told = document(run("libs", "--snapshot", str(snapshot), "--format", "json"))
    assert table.out.startswith("libraries: ")
    assert tree.out.splitlines()[0] == table.out.splitlines()[0]
    for library in told["libraries"]:
        assert library["name"] in table.out
        for got in library["resolved"]:
            assert got["soname"] in tree.out
            assert got["path"].rpartition("/")[2] in tree.out
    piped = run("libs", "--snapshot", "-", stdin=snapshot.read_bytes())
    assert piped.out == table.out


def test_outputs_are_written_as_well(snapshot: Path, tmp_path: Path) -> None:
    made = tmp_path / "libs.json"
    ran = run("libs", "--snapshot", str(snapshot), "-o", f"json:{made}", "-o", str(tmp_path / "libs.txt"))
    jsonschema.validate(json.loads(made.read_text()), SCHEMA)
    assert (tmp_path / "libs.txt").read_text() == ran.out


def test_for_keeps_one_importer_and_its_orders(snapshot: Path) -> None:
    told = document(run("libs", "--snapshot", str(snapshot), "--for", "torch", "--format", "json"))
    assert [item["name"] for item in told["importers"]] == ["torch", "torch, tensorrt", "tensorrt, torch"]
    said = complains(run("libs", "--snapshot", str(snapshot), "--for", "trtexec"))
    assert "tells nothing of it (of: torch, tensorrt)" in said


def test_redaction(snapshot: Path) -> None:
    for how in ((), ("--tree",), ("--format", "json"), ("-v",)):
        assert "/srv/app" in run("libs", "--snapshot", str(snapshot), *how).out
        assert "/srv/app" not in run("libs", "--snapshot", str(snapshot), "--redact", *how).out


def test_the_threshold_decides_the_exit_code(tmp_path: Path) -> None:
    unknown = tmp_path / "unknown.json"
    unknown.write_text(two_cudnns(loadings=(Loading("strange", outcome="unknown"),)).to_json())
    codes = {word: run("libs", "--snapshot", str(unknown), "--fail-on", word).code for word in ("never", "unknown")}
    assert codes == {"never": 0, "unknown": 1}
    lacking = tmp_path / "lacking.json"
    missing = not_found("libcublas.so.12", needed_by=nvinfer().path)
    lacking.write_text(
        two_cudnns(loadings=(Loading("tensorrt", outcome="failed", loaded=(nvinfer(),), missing=(missing,)),)).to_json()
    )
    for format_ in ("table", "json"):
        ran = run("libs", "--snapshot", str(lacking), "--format", format_)
        told = document(run("libs", "--snapshot", str(lacking), "--format", "json"))
        assert ran.code == (1 if told["counts"]["error"] else 0)
        assert run("libs", "--snapshot", str(lacking), "--format", format_, "--fail-on", "never").code == 0


# -- bad usage ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["libs", "--for", "/nowhere/libx.so"], "no such file"),
        (["libs", "--for", "libnowhere.so.3"], "no such file"),
        (["libs", "--for", "/etc/passwd"], "no ELF file"),
        (["libs", "--for", "/etc"], "/etc"),
        (["libs", "--for", "no module"], "nor a module's name"),
        (["libs", "--for", "-x"], "nor a module's name"),
        (["libs", "--for", "a..b"], "nor a module's name"),
        (["libs", "--for", "os;reboot"], "nor a module's name"),
        (["libs", "--for", ""], "nor a module's name"),
        (["libs", "--root", "/nowhere"], "no directory"),
        (["libs", "--root", "/etc/passwd"], "no directory"),
        (["libs", "--python", "/nowhere/python"], "no such interpreter"),
        (["libs", "--root", "/etc", "--python", "python3"], "as seen from inside"),
        (["libs", "--root", "/etc", "--python", "/no/python3"], "below /etc"),
        (["libs", "--snapshot", "/nowhere.json"], "No such file"),
        (["libs", "--snapshot", "x", "--root", "/etc"], "--root is for inspecting"),
        (["libs", "--snapshot", "x", "--python", "python3"], "--python is for inspecting"),
        (["libs", "--format", "tabel"], "tabel"),
        (["libs", "--matrix", "/nowhere"], "/nowhere"),
        (["check", "--root", "/nowhere"], "no directory"),
        (["check", "--root", "/etc", "--observe"], "not both"),
        (["check", "--set", "tensorrt=10.9", "--observe"], "--observe is for inspecting"),
        (["check", "--snapshot", "x", "--root", "/etc"], "--root is for inspecting"),
        (["snapshot", "--root", "/nowhere"], "no directory"),
        (["snapshot", "--root", "/etc", "--observe"], "not both"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_bad_usage_gets_one_line(arguments: list[str], says: str) -> None:
    assert says in complains(run(*arguments))


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"\x7fELF" + bytes(60), b"#!/bin/sh\n" * 100])
def test_a_library_that_is_none_gets_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "libx.so"
    path.write_bytes(content)
    assert "ELF" in complains(run("libs", "--for", str(path)))
    path.unlink()
    os.mkfifo(path)
    assert "cannot be read" in complains(run("libs", "--for", str(path), seconds=20))


# -- another root ------------------------------------------------------------------------------------------------------


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """An unpacked image: a Debian with a Python, a venv beside it, a TensorRT, and links that lead out of it."""
    root = tmp_path / "image"
    site = "/opt/venv/lib/python3.12/site-packages"
    write(
        root,
        {
            "/etc/os-release": "ID=ubuntu\nVERSION_ID=24.04\n",
            "/lib64/ld-linux-x86-64.so.2": b"",
            "/bin/sh": elf("sh", "x86_64"),
            "/usr/bin/python3.12": elf("python", "x86_64"),
            "/usr/bin/python3": "->python3.12",
            "/usr/lib/python3/dist-packages/x.py": "",
            "/opt/venv/pyvenv.cfg": "home = /usr/bin\nversion = 3.12.3\n",
            "/opt/venv/bin/python": "->/usr/bin/python3",
            f"{site}/tensorrt_cu12_libs-10.9.0.34.dist-info/METADATA": "Name: tensorrt_cu12_libs\nVersion: 10.9.0.34\n",
            f"{site}/tensorrt_cu12_libs-10.9.0.34.dist-info/RECORD": "tensorrt_libs/libnvinfer.so.10,,\n",
            f"{site}/tensorrt_libs/libnvinfer.so.10": elf("libnvinfer.so.10", "x86_64"),
            "/usr/lib/x86_64-linux-gnu/libcudnn.so.9": "->/opt/cudnn/libcudnn.so.9.1.0",
            "/opt/cudnn/libcudnn.so.9.1.0": elf("libcudnn.so.9", "x86_64"),
            "/.dockerenv": "",
        },
    )
    (root / "usr/bin/python3.12").chmod(0o755)
    return root


@pytest.mark.parametrize("command", ["libs", "check", "snapshot"])
def test_another_root_is_files_alone(image: Path, command: str, tmp_path: Path) -> None:
    """Nothing of this machine gets in, and nothing under the root is run, whatever this environment says."""
    format_ = () if command == "snapshot" else ("--format", "json")
    ran = run(
        *(command, "--root", str(image), "--python", "/opt/venv/bin/python", *format_),
        LD_LIBRARY_PATH="/from/this/machine",
        VIRTUAL_ENV="/from/this/machine",
        CUDA_VISIBLE_DEVICES="0",
    )
    assert ran.err == ""
    assert ran.code in (0, 1)
    assert "/from/this/machine" not in ran.out
    assert str(tmp_path) not in ran.out, "paths are as processes under the root see them"
    told = json.loads(ran.out)
    if command == "libs":
        jsonschema.validate(told, SCHEMA)
        copies = {item["name"]: item["copies"][0] for item in told["libraries"]}
        assert copies["libnvinfer"]["version"] == "10.9.0.34"
        assert copies["libcudnn"]["realpath"] == "/opt/cudnn/libcudnn.so.9.1.0"
        assert told["interpreter"]["path"] == "/opt/venv/bin/python"
        assert any("another root" in note for note in told["notes"])
        assert not any(got["observed"] for item in told["libraries"] for got in item["resolved"])
        return
    facts = told["snapshot"] if command == "check" else told
    assert facts["gpus"] is None
    assert facts["driver"]["version"] is None
    assert facts["driver"]["installed"] is None
    assert facts["container"]["gpu_access"] is None
    assert facts["platform"]["distribution"] == "ubuntu"
    assert facts["platform"]["kernel"] is None
    assert facts["settings"] == []
    assert {item["name"] for item in facts["interpreters"][0]["distributions"]} == {"tensorrt-cu12-libs"}


def test_the_roots_own_python_is_found_by_its_path(image: Path) -> None:
    told = json.loads(run("check", "--root", str(image), "--format", "json").out)
    assert told["interpreter"]["path"] == "/usr/bin/python3"
    assert told["interpreter"]["version"] == "3.12"
    assert not any(item["code"].startswith(("DRV", "GPU", "CTR")) for item in told["findings"])


def test_links_stay_inside_of_the_root(image: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "libcudnn.so.9").write_bytes(elf("libcudnn.so.9", "x86_64"))
    (tmp_path / "outside" / "release").write_text("ID=leaked\n")
    (image / "opt" / "out").symlink_to(tmp_path / "outside")
    (image / "etc" / "os-release").unlink()
    (image / "etc" / "os-release").symlink_to(tmp_path / "outside" / "release")
    (tmp_path / "outside" / "status").write_text(
        "Package: nvidia-l4t-core\nStatus: install ok installed\nVersion: 36.4\n"
    )
    (image / "var" / "lib" / "dpkg").mkdir(parents=True)
    (image / "var" / "lib" / "dpkg" / "status").symlink_to(tmp_path / "outside" / "status")
    said = complains(run("libs", "--root", str(image), "--for", "/opt/out/libcudnn.so.9"))
    assert "no such file" in said
    told = json.loads(run("snapshot", "--root", str(image)).out)
    assert told["platform"]["distribution"] is None
    assert told["packages"] == []


def test_a_file_of_the_root_is_named_from_inside_or_from_here(image: Path) -> None:
    inside = "/opt/cudnn/libcudnn.so.9.1.0"
    for word in (inside, f"{image}{inside}"):
        ran = run("libs", "--root", str(image), "--for", word, "--format", "json")
        told = document(ran)
        assert [(item["kind"], item["path"]) for item in told["importers"]] == [("file", inside)]


def test_an_empty_root_is_unknown_and_says_so(tmp_path: Path) -> None:
    ran = run("libs", "--root", str(tmp_path))
    assert ran.code == 0
    assert "probe python failed: no python3 on PATH" in ran.out
    assert run("libs", "--root", str(tmp_path), "--fail-on", "unknown").code == 1
    assert run("check", "--root", str(tmp_path)).out.startswith("unknown: ")


def test_another_name_of_slash_is_this_machine() -> None:
    told = json.loads(run("snapshot", "--root", "//").out)
    assert told["platform"]["kernel"]


# -- live --------------------------------------------------------------------------------------------------------------

compiled = pytest.mark.skipif(not shutil.which("gcc"), reason="no C compiler")


def build(path: Path, *needed: Path, runpath: str | None = None, code: str = "int here;") -> Path:
    """A shared object whose soname is its file name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = path.with_suffix(".c")
    source.write_text(code)
    links = [f"-Wl,-soname,{path.name}", "-Wl,--enable-new-dtags", "-Wl,--no-as-needed"]
    links += [f"-Wl,-rpath,{runpath}"] if runpath else []
    command = ["gcc", "-shared", "-fPIC", "-w", "-o", str(path), str(source), *links, *map(str, needed)]
    subprocess.run(command, check=True, capture_output=True)
    source.unlink()
    return path


def live(*arguments: str, **environ: Any) -> dict[str, Any]:
    """The answer of a Python that has no packages at all, in JSON."""
    return document(run("libs", "--format", "json", "--python", sys.executable, *arguments, **environ))


def one(told: dict[str, Any], name: str) -> dict[str, Any]:
    (got,) = (item for library in told["libraries"] if library["name"] == name for item in library["resolved"])
    assert isinstance(got, dict)
    return got


@compiled
def test_a_file_gets_what_its_runpath_says_until_a_variable_says_otherwise(tmp_path: Path) -> None:
    own = build(tmp_path / "own" / "libcudnn.so.9")
    other = build(tmp_path / "other" / "libcudnn.so.9")
    plugin = build(tmp_path / "own" / "libplugin.so", own, runpath="$ORIGIN")
    got = one(live("--for", str(plugin)), "libcudnn")
    assert (got["path"], got["step"], got["entry"]) == (str(own), "runpath", "$ORIGIN")
    assert (got["observed"], got["agreement"], got["needed_by"]) == (True, "same", str(plugin))
    told = live("--for", str(plugin), LD_LIBRARY_PATH=str(other.parent))
    got = one(told, "libcudnn")
    assert (got["path"], got["step"], got["agreement"]) == (str(other), "ld_library_path", "same")
    (library,) = (item for item in told["libraries"] if item["name"] == "libcudnn")
    copies = {copy["path"]: copy for copy in library["copies"]}
    assert copies[str(other)]["wins_for"] == ["libplugin.so"]
    assert told["search_path"][0]["path"] == str(other.parent)
    assert not one(live("--for", str(plugin), "--no-observe"), "libcudnn")["observed"]


@compiled
def test_what_is_found_nowhere_is_missing_before_and_in_the_process(tmp_path: Path) -> None:
    lost = build(tmp_path / "libcudnn.so.9")
    plugin = build(tmp_path / "libplugin.so", lost)
    lost.unlink()
    told = live("--for", str(plugin))
    (importer,) = told["importers"]
    assert (importer["predicted"], importer["observed"]) == ("failed", "failed")
    assert "libcudnn.so.9" in importer["error"]
    (absent,) = (item for item in told["missing"] if item["name"] == "libcudnn.so.9")
    assert (absent["problem"], absent["needed_by"]) == ("not-found", str(plugin))
    ran = run("libs", "--python", sys.executable, "--for", str(plugin))
    assert "libcudnn.so.9: not found; needed by" in " ".join(ran.out.split())
    tree = run("libs", "--python", sys.executable, "--for", str(plugin), "--tree")
    assert "libcudnn.so.9 => not found" in tree.out


@compiled
def test_a_library_that_ends_its_process_is_a_fact(tmp_path: Path) -> None:
    code = "#include <stdlib.h>\n__attribute__((constructor)) static void start(void) { abort(); }"
    (importer,) = live("--for", str(build(tmp_path / "libplugin.so", code=code)))["importers"]
    assert (importer["predicted"], importer["observed"]) == ("ok", "crashed")


@compiled
def test_nothing_is_run_that_was_not_asked_for(tmp_path: Path) -> None:
    mark = tmp_path / "was-run"
    code = f'#include <stdio.h>\n__attribute__((constructor)) static void start(void) {{ fopen("{mark}", "w"); }}'
    plugin = build(tmp_path / "root" / "libplugin.so", code=code)
    live("--for", str(plugin), "--no-observe")
    assert run("libs", "--root", str(tmp_path / "root"), "--for", "/libplugin.so").out.startswith("libraries: ")
    assert not mark.exists()
    live("--for", str(plugin))
    assert mark.exists()


def test_a_module_that_is_not_there_gets_one_line() -> None:
    said = complains(run("libs", "--python", sys.executable, "--for", "no_such_module_at_all"))
    assert "no_such_module_at_all" in said
    assert live("--for", "json")["importers"][0]["observed"] == "ok"


ENVIRONMENTS = Path(os.environ.get("TRTDOCTOR_TEST_ENVIRONMENTS") or "/tmp/envs")


def environment(name: str) -> str:
    python = ENVIRONMENTS / name / "bin" / "python"
    if not python.exists():
        pytest.skip(f"the environment {name} is not built here")
    return str(python)


def test_a_real_tensorrt_gets_each_library_as_predicted() -> None:
    told = document(run("libs", "--python", environment("trt853"), "--format", "json"))
    every = [got for library in told["libraries"] for got in library["resolved"]]
    assert {got["agreement"] for got in every if got["observed"]} == {"same"}
    assert {"libnvinfer", "libcudnn", "libcublas"} <= {item["name"] for item in told["libraries"] if item["resolved"]}
    assert not told["counts"]["error"]
    ran = run("libs", "--python", environment("trt853"))
    assert "tensorrt (tensorrt 8.5.3.1): loads" in ran.out
    assert len(ran.out.splitlines()) < 45


def test_a_real_tensorrt_with_the_wrong_cudnn_fails_and_says_which_library() -> None:
    ran = run("libs", "--python", environment("trt853-unpinned"))
    assert ran.code == 1
    assert "libcudnn.so.8: not found; needed by <site>/tensorrt/libnvinfer_plugin.so.8" in " ".join(ran.out.split())
    assert "error DNN102" in ran.out


def test_check_and_snapshot_observe_only_when_asked(tmp_path: Path) -> None:
    python = environment("rtx")
    for more, methods in (((), {"predicted"}), (("--observe",), {"predicted", "observed"})):
        taken = json.loads(run("snapshot", "--python", python, *more).out)
        assert {item["method"] for item in taken["loadings"]} == methods
        report = json.loads(run("check", "--python", python, "--format", "json", *more).out)
        assert {item["method"] for item in report["snapshot"]["loadings"]} == methods


def test_help_tells_the_exit_codes() -> None:
    out = run("libs", "--help").out
    assert re.search(r"Exit codes: 0 fine, 1 .* 2 ", out)
