"""``trtdoctor engine`` and ``check --engine`` as a user runs them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.cli.run import complains, run
from tests.conftest import ROOT, SNAPSHOTS
from tests.engine.files import CALIBRATION, LFS, old_plan, plan, rtx_plan, ultralytics
from tests.test_environments import built

MATRIX = ("--matrix", str(ROOT / "matrix"))
SCHEMAS = ROOT / "trtdoctor" / "schemas"
L4 = ("--set", "gpu=NVIDIA L4")


def told(*arguments: str, code: int = 0) -> dict[str, Any]:
    """The JSON answer, which keeps to its schema."""
    ran = run("engine", *arguments, *MATRIX, "--format", "json")
    assert ran.code == code, ran.err
    document: dict[str, Any] = json.loads(ran.out)
    jsonschema.validate(document, json.loads((SCHEMAS / "engine.schema.json").read_text("utf-8")))
    return document


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for name, content in {
        "new.plan": plan((10, 9, 0, 34), board=None),
        "old.engine": old_plan(),
        "yolo.engine": ultralytics(plan()),
        "rtx.bin": rtx_plan(),
        "lfs.engine": LFS,
        "calib.cache": CALIBRATION,
        "notes.txt": b"hello\n",
    }.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_inspect(models: Path) -> None:
    found = told("inspect", str(models / "old.engine"), str(models / "lfs.engine"))
    assert found["verdict"] is None
    assert [item["kind"] for item in found["files"]] == ["plan", "lfs-pointer"]
    assert found["files"][0]["tensorrt"] == "8.5.3.1"
    assert [item["code"] for item in found["files"][1]["findings"]] == ["ENG201"]
    assert "version compatibility" in found["files"][0]["unknown"][0]["needed"]


def test_inspect_for_people(models: Path) -> None:
    ran = run("engine", "inspect", "-r", str(models), *MATRIX)
    assert ran.code == 0
    assert "engine of TensorRT for RTX 1.7.1.116" in ran.out
    assert "INT8 calibration cache of TensorRT 8.5.3 (EntropyCalibration2)" in ran.out
    assert "0 days" in ran.out
    assert "6 engine or cache files among 7" in ran.out
    assert "notes.txt" not in ran.out
    assert max(len(line) for line in ran.out.splitlines() if str(models) not in line) <= 110


def test_check_against_what_is_stated(models: Path) -> None:
    new = str(models / "new.plan")
    found = told("check", new, "--set", "tensorrt=10.9.0.34", *L4)
    assert found["verdict"] == "unknown"  # its header does not say which GPU built it
    assert "the GPU that built the engine" in [item["needed"] for item in found["files"][0]["unknown"]]
    assert told("check", new, "--set", "tensorrt=8.6.1.6", code=1)["verdict"] == "broken"
    ran = run("engine", "check", new, "--set", "tensorrt=10.9.0.34", *L4, "--fail-on", "unknown", *MATRIX)
    assert ran.code == 1
    assert "too little is known" in ran.out


def test_a_stamp_makes_it_judgeable(models: Path) -> None:
    new = str(models / "new.plan")
    flags = ("--hardware-compatibility", "none", "--not-version-compatible", "--os", "linux", "--weights-inside")
    ran = run("engine", "stamp", new, "--built-elsewhere", "--gpu", "NVIDIA L4", *flags, *MATRIX)
    assert (ran.code, ran.out) == (0, f"stamped: {new}.trtdoctor.json\n")
    document = json.loads(Path(f"{new}.trtdoctor.json").read_text("utf-8"))
    jsonschema.validate(document, json.loads((SCHEMAS / "engine-stamp.schema.json").read_text("utf-8")))
    assert document["told"] == ["gpu", "system", "hardware_compatibility", "version_compatible", "weights_stripped"]
    assert document["built_with"] == {}
    found = told("check", new, "--set", "tensorrt=10.9.0.34", *L4, "--set", "os=linux")
    assert found["verdict"] == "ready"
    assert found["files"][0]["unknown"] == []
    found = told("check", new, "--set", "tensorrt=10.13.3.9", "--set", "gpu=Tesla T4", "--set", "os=windows", code=1)
    assert {item["code"] for item in found["files"][0]["findings"]} == {"ENG101", "ENG104", "ENG105"}


def test_a_stamp_of_the_machine_that_built_it(models: Path) -> None:
    machine = str(SNAPSHOTS / "h200-trt853-no-sublibraries.json")
    old = str(models / "old.engine")
    assert run("engine", "stamp", old, "--snapshot", machine, *MATRIX).code == 0
    document = json.loads(Path(f"{old}.trtdoctor.json").read_text("utf-8"))
    assert document["engine"]["gpu"] == "NVIDIA H200"
    assert document["engine"]["compute_capability"] == "9.0"
    assert "driver" in document["built_with"]
    assert document["told"] == []
    found = told("check", old, "--snapshot", machine)
    assert found["verdict"] == "ready"
    assert found["files"][0]["inferred"] == ["multiprocessors"]
    # A machine with another TensorRT did not build it: nothing of it is taken.
    assert run("engine", "stamp", str(models / "new.plan"), "--snapshot", machine, *MATRIX).code == 0
    assert json.loads((models / "new.plan.trtdoctor.json").read_text("utf-8"))["engine"] == {}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("old.engine", "--tensorrt", "10.9.0.34"), "its header says TensorRT 8.5.3.1, not 10.9.0.34"),
        (("lfs.engine",), "is no engine and no cache (lfs-pointer)"),
        (("notes.txt",), "is no engine and no cache (text)"),
        (("none.engine",), "No such file"),
        (("old.engine", "--precision", "$(x)"), "is no value for precision"),
        (("old.engine", "--snapshot", "x.json"), "takes nothing from a machine"),
    ],
)
def test_what_is_not_stamped(models: Path, arguments: tuple[str, ...], reason: str) -> None:
    ran = run("engine", "stamp", str(models / arguments[0]), "--built-elsewhere", *arguments[1:], *MATRIX)
    assert reason in complains(ran)
    assert not list(models.glob("*.json"))


def test_a_damaged_engine_is_not_stamped(models: Path) -> None:
    (models / "old.engine").write_bytes(old_plan()[:-1])
    assert "is damaged (truncated)" in complains(
        run("engine", "stamp", str(models / "old.engine"), "--built-elsewhere")
    )


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("inspect", "none.engine"), "No such file"),
        (("inspect", "."), "is a directory (--recursive searches it)"),
        (("check", "none.engine", "--set", "tensorrt=10.9"), "No such file"),
        (("check", "x", "--snapshot", "-", "--declared", "-"), "can read stdin"),
        (("check", "README.md", "--set", "tensort=10.9"), "did you mean tensorrt"),
        (("check", "README.md", "--goal", "trtexe", "--set", "tensorrt=10.9"), "no such goal"),
        (("inspect",), "Missing argument"),
        (("inspekt", "x"), "did you mean inspect"),
    ],
)
def test_bad_input_is_one_line(arguments: tuple[str, ...], reason: str) -> None:
    assert reason in complains(run("engine", *arguments))


def test_check_takes_engines_along(models: Path) -> None:
    stated = ("--set", "tensorrt=8.6.1.6", "--set", "gpu=NVIDIA L4", "--set", "driver=535.104.05")
    engines = ("--engine", str(models / "old.engine"), "--engine", str(models / "lfs.engine"))
    ran = run("check", *stated, *engines, *MATRIX, "--format", "json", "--select", "ENG")
    assert ran.code == 1, ran.err
    document = json.loads(ran.out)
    assert {item["code"] for item in document["findings"]} == {"ENG101", "ENG105", "ENG201"}
    assert [item["kind"] for item in document["snapshot"]["engines"]] == ["plan", "lfs-pointer"]
    assert "No such file" in complains(run("check", *stated, "--engine", str(models / "none")))


def test_a_redacted_answer_names_no_place(models: Path) -> None:
    for arguments in (("inspect", "-r", str(models)), ("check", "-r", str(models), "--set", "tensorrt=8.6.1.6")):
        for kind in ("table", "json"):
            ran = run("engine", *arguments, "--redact", "--fail-on" if arguments[0] == "check" else "--format",
                      "never" if arguments[0] == "check" else kind, *MATRIX)  # fmt: skip
            assert ran.code == 0, ran.err
            assert models.name not in ran.out
            assert "old.engine" not in ran.out


def test_hostile_names_and_metadata(tmp_path: Path) -> None:
    name = tmp_path / "x\x1b[31m\n::error::##[group]\u202e.engine"
    name.write_bytes(ultralytics(plan(), description="\x1b[31m::error::"))
    for kind in ("table", "json"):
        ran = run("engine", "check", str(name), "--set", "tensorrt=10.9.0.34", "--format", kind, *MATRIX)
        assert ran.code == 0, ran.err
        assert "\x1b" not in ran.out
        assert "\u202e" not in ran.out
        assert not any(line.lstrip().startswith("::") or "##[" in line for line in ran.out.splitlines())
    assert "\x1b" not in complains(run("engine", "inspect", str(name) + "x"))


def test_an_engine_that_the_canary_saves_has_its_sidecar(tmp_path: Path) -> None:
    python, path = built("rtx"), tmp_path / "canary.engine"
    options = ("--product", "tensorrt-rtx", "--stage", "build", "--compute-capability", "8.6")
    ran = run("canary", "--python", python, *options, "--precision", "fp16", "--save", str(path), *MATRIX, seconds=180)
    assert ran.code == 0, ran.out + ran.err
    document = json.loads((tmp_path / "canary.engine.trtdoctor.json").read_text("utf-8"))
    assert document["engine"]["product"] == "rtx"
    assert document["engine"]["precision"] == "fp16"
    assert document["engine"]["weights_stripped"] is False
    (file,) = told("check", str(path), "--set", "tensorrt=1.7.1.116,product=rtx", "--set", "gpu=NVIDIA A10")["files"]
    assert (file["verdict"], file["sidecar"], file["unknown"]) == ("ready", "verified", [])
    assert told("check", str(path), "--set", "tensorrt=1.7.1.116,product=rtx", *L4, code=1)["verdict"] == "broken"
    os.truncate(path, 5000)
    found = told("check", str(path), "--set", "tensorrt=1.7.1.116,product=rtx", code=1)
    assert {item["code"] for item in found["files"][0]["findings"]} == {"ENG203", "ENG206"}
