"""``trtdoctor canary``, and the canary of ``check``, as users type them: with stand-ins, and with real TensorRT."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.cli.run import ROOT, Ran, complains, run
from tests.test_environments import KEPT, built

CANARY = ROOT / "trtdoctor" / "canary"
HERE = ROOT / "tests" / "canary"
SCHEMA: dict[str, Any] = json.loads((ROOT / "trtdoctor" / "schemas" / "canary.schema.json").read_text())


@pytest.fixture(scope="session")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment whose TensorRT is a stand-in, with a stand-in libcuda in ``cuda``."""
    folder = tmp_path_factory.mktemp("standin")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (site,) = folder.glob("lib/python3*/site-packages")
    plan = 'b"ftrt" + bytes(12) + (64).to_bytes(8, "little") + bytes([99, 1, 2, 3]) + bytes(36)'
    text = (HERE / "standin_trt.py").read_text("utf-8")
    assert text.count('b"ftrt" + bytes(60)') == 1
    (site / "tensorrt.py").write_text(text.replace('b"ftrt" + bytes(60)', plan), "utf-8")
    shutil.copy(CANARY / "child_model.py", site / "trtdoctor_reference.py")
    about = site / "tensorrt-99.1.2.3.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: tensorrt\nVersion: 99.1.2.3\n")
    (about / "RECORD").write_text("tensorrt.py,,\n")
    (folder / "cuda").mkdir()
    source = str(HERE / "fake_cuda.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(folder / "cuda" / "libcuda.so.1"), source], check=True)
    return folder


def canary(standin: Path, *arguments: str, wrong: str = "", **environ: str) -> Ran:
    settings: Any = {"LD_LIBRARY_PATH": str(standin / "cuda"), "STANDIN": wrong, **environ}
    return run("canary", "--python", str(standin / "bin" / "python"), *arguments, **settings)


def document(ran: Ran) -> dict[str, Any]:
    """The JSON form, checked against its schema."""
    found: dict[str, Any] = json.loads(ran.out)
    jsonschema.validate(found, SCHEMA)
    assert found["schema"] == "trtdoctor-canary/1"
    return found


def test_a_canary_that_passes_exits_0_and_shows_its_stages(standin: Path) -> None:
    ran = canary(standin)
    assert (ran.code, ran.err) == (0, ""), ran.out
    assert ran.out.startswith("passed: TensorRT 99.1.2.3")
    for stage in ("import", "build", "header", "compare"):
        assert f"  {stage:<14}passed" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 80


def test_its_json_says_the_same(standin: Path) -> None:
    found = document(canary(standin, "--format", "json"))
    assert (found["outcome"], found["findings"], found["precision_used"]) == ("passed", [], ["fp32"])
    assert [stage["status"] for stage in found["stages"]] == ["passed"] * 11
    assert found["error"] <= found["tolerance"]
    assert found["interpreter"]["version"]


@pytest.mark.parametrize(
    ("wrong", "stage", "code"),
    [
        ("build", "build", "CAN101"),
        ("run", "run", "CAN101"),
        ("numbers", "compare", "CAN105"),
        ("nan", "compare", "CAN105"),
    ],
)
def test_a_canary_that_fails_exits_1_and_says_why(standin: Path, wrong: str, stage: str, code: str) -> None:
    ran = canary(standin, "--format", "json", wrong=wrong)
    found = document(ran)
    assert (ran.code, found["outcome"]) == (1, "failed")
    assert [item["name"] for item in found["stages"] if item["status"] == "failed"] == [stage]
    about = [item for item in found["findings"] if any(fact["key"] == "canary" for fact in item["facts"])]
    assert len(about) == 1
    if code == "CAN105":
        assert about[0]["code"] == code


def test_a_precision_that_was_not_taken_is_told(standin: Path) -> None:
    ran = canary(standin, "--precision", "fp16")
    assert ran.code == 0
    assert "CAN106" in ran.out


def test_the_log_is_shown_on_request(standin: Path) -> None:
    assert "called: " not in canary(standin).out
    assert "[build] warning: called: " in canary(standin, "-v").out


def test_the_engine_is_kept(standin: Path, tmp_path: Path) -> None:
    kept = tmp_path / "small.engine"
    ran = canary(standin, "--save", str(kept))
    assert ran.code == 0
    assert kept.read_bytes().startswith(b"ftrt")
    assert f"saved    {kept}"[:20] in ran.out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.engine", "small.engine.trtdoctor.json"]


def test_an_engine_that_is_not_built_leaves_the_old_one(standin: Path, tmp_path: Path) -> None:
    kept = tmp_path / "small.engine"
    kept.write_bytes(b"old")
    assert canary(standin, "--save", str(kept), wrong="build").code == 1
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("small.engine", b"old")]


def test_neither_a_pipe_nor_the_model_is_replaced(standin: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "m.onnx").write_bytes(b"model")
    assert "no regular file" in complains(canary(standin, "--save", str(tmp_path / "pipe")))
    assert "no regular file" in complains(canary(standin, "--onnx", str(tmp_path / "pipe")))
    model = str(tmp_path / "m.onnx")
    assert "the model itself" in complains(canary(standin, "--save", model, "--onnx", model))
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert (tmp_path / "m.onnx").read_bytes() == b"model"


def test_a_model_that_is_none_is_told_as_that_alone(standin: Path, tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(b"garbage")
    found = document(canary(standin, "--onnx", str(tmp_path / "m.onnx"), "--format", "json"))
    assert (found["outcome"], found["reason"]) == ("failed", "unfit")
    assert [item["code"] for item in found["findings"]] == ["CAN110"]


def test_results_go_to_files_too(standin: Path, tmp_path: Path) -> None:
    canary(standin, "-o", f"json:{tmp_path / 'a.json'}")
    jsonschema.validate(json.loads((tmp_path / "a.json").read_text()), SCHEMA)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--workspace", "lots"),
        ("--workspace", "0"),
        ("--workspace", "1QiB"),
        ("--memory-limit", "-1GiB"),
        ("--memory-limit", "1e9"),
        ("--timeout", "nan"),
        ("--timeout", "0"),
        ("--timeout", "inf"),
        ("--compare", "-1"),
        ("--compare", "nan"),
        ("--shape", "x:1:2"),
        ("--onnx", "m.onnx", "--shape", "x:1x2:1x2"),
        ("--onnx", "m.onnx", "--shape", "x:2:1:3"),
        ("--onnx", "m.onnx", "--shape", "x:1x0:1x1:1x1"),
        ("--onnx", "m.onnx", "--shape", "x:1:1x1:1x1"),
        ("--onnx", "m.onnx", "--shape", "x:1:1:1", "--shape", "x:1:1:1"),
        ("--shape", "x:1:1:1"),
        ("--batch", "0"),
        ("--device", "-1"),
        ("--precision", "fp64"),
        ("--product", "lean"),
        ("--stage", "walk"),
        ("--compute-capability", "ampere"),
        ("--save", "/no/such/directory/x"),
        ("--save", "/tmp"),
        ("--save", ""),
        ("--onnx", ""),
        ("--onnx", "/no/such/model.onnx"),
        ("--onnx", "/dev/zero"),
        ("--python", "/no/such/python"),
    ],
    ids=" ".join,
)
def test_bad_input_gets_one_clear_line(arguments: tuple[str, ...]) -> None:
    complains(run("canary", *arguments))


def test_without_tensorrt_it_cannot_start(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "e")], check=True)
    said = complains(run("canary", "--python", str(tmp_path / "e" / "bin" / "python")))
    assert "no Python module of TensorRT" in said


def test_without_a_temporary_directory_it_cannot_start(standin: Path) -> None:
    ran = canary(standin, "--format", "json", TMPDIR="/proc")
    assert (ran.code, document(ran)["outcome"]) == (2, "not-started")


def test_ctrl_c_ends_everything(standin: Path, tmp_path: Path) -> None:
    import signal

    slow = tmp_path / "slow"
    shutil.copytree(standin, slow, symlinks=True)
    (module,) = slow.glob("lib/python3*/site-packages/tensorrt.py")
    module.write_text("import time; open('here', 'w').close(); time.sleep(120)")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    program = subprocess.Popen(
        [sys.executable, "-m", "trtdoctor", "canary", "--python", str(slow / "bin" / "python")],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + 30
    while not list(temporary.glob("*/here")) and time.monotonic() < deadline:
        time.sleep(0.02)
    program.send_signal(signal.SIGINT)
    out, err = program.communicate(timeout=10)
    assert (program.returncode, out, err.strip()) == (2, b"", b"trtdoctor: interrupted")
    assert list(temporary.iterdir()) == []


# -- check -------------------------------------------------------------------------------------------------------------


def check(standin: Path, *arguments: str, **environ: str) -> dict[str, Any]:
    settings: Any = {"LD_LIBRARY_PATH": str(standin / "cuda"), **environ}
    ran = run("check", "--python", str(standin / "bin" / "python"), "--format", "json", *arguments, **settings)
    assert ran.code in (0, 1), ran.err
    found: dict[str, Any] = json.loads(ran.out)
    return found


def probe(report: dict[str, Any]) -> dict[str, Any]:
    (found,) = [item for item in report["snapshot"]["probes"] if item["name"] == "canary"]
    return dict(found)


def test_auto_runs_nothing_where_the_rules_found_errors(standin: Path) -> None:
    report = check(standin)
    assert report["counts"]["error"]
    assert report["snapshot"]["canaries"] == []
    assert probe(report)["outcome"] == "skipped"
    assert "must be mended first" in probe(report)["detail"]
    table = run("check", "--python", str(standin / "bin" / "python")).out
    assert "no canary was run: " in table


def test_always_runs_it_and_never_does_not(standin: Path) -> None:
    report = check(standin, "--canary", "always")
    assert [item["outcome"] for item in report["snapshot"]["canaries"]] == ["passed"]
    assert probe(report)["outcome"] == "ok"
    report = check(standin, "--canary", "never")
    assert report["snapshot"]["canaries"] == []
    assert "canary" not in {item["name"] for item in report["snapshot"]["probes"]}


def test_a_canary_replays(standin: Path, tmp_path: Path) -> None:
    report = check(standin, "--canary", "always", "--redact")
    (tmp_path / "s.json").write_text(json.dumps(report["snapshot"]))
    again = json.loads(run("check", "--snapshot", str(tmp_path / "s.json"), "--format", "json").out)
    assert again["snapshot"]["canaries"] == report["snapshot"]["canaries"]
    assert str(standin) not in json.dumps(report["snapshot"]["canaries"])


def test_a_snapshot_and_a_description_run_none() -> None:
    recorded = str(ROOT / "tests" / "data" / "snapshots" / "no-gpu.json")
    for arguments in (("--snapshot", recorded), ("--set", "tensorrt=10.9")):
        report = json.loads(run("check", *arguments, "--format", "json").out)
        assert "canary" not in {item["name"] for item in report["snapshot"]["probes"]}
        complains(run("check", *arguments, "--canary", "always"))


def test_a_canary_is_not_shown_for_another_environment_than_its_own() -> None:
    recorded = str(ROOT / "tests" / "data" / "snapshots" / "canary-trt853.json")
    arguments = ("check", "--snapshot", recorded, "--format", "json")
    assert json.loads(run(*arguments).out)["snapshot"]["canaries"]
    assert json.loads(run(*arguments, "--set", "driver=470.57.02").out)["snapshot"]["canaries"] == []
    assert json.loads(run(*arguments, "--set", "wants=fp16").out)["snapshot"]["canaries"]


# -- real TensorRT -----------------------------------------------------------------------------------------------------


def real(name: str) -> str:
    python = KEPT / name / "bin" / "python"
    if not python.exists():
        pytest.skip(f"the environment {name} is not in {KEPT}")
    return str(python)


def test_tensorrt_for_rtx_builds_without_a_gpu(tmp_path: Path) -> None:
    python = built("rtx")
    ran = run("canary", "--python", python, "--format", "json", "--stage", "build", "--save", str(tmp_path / "e"))
    found = document(ran)
    assert (ran.code, found["outcome"], found["product"]) == (0, "passed", "tensorrt-rtx")
    assert (tmp_path / "e").read_bytes().startswith(b"vtrt")
    assert found["engine_bytes"] == (tmp_path / "e").stat().st_size


def test_the_header_of_a_real_engine_says_what_was_asked() -> None:
    python = built("rtx")
    ran = run("canary", "--python", python, "--format", "json", "--stage", "build", "--compute-capability", "8.6,12.0")
    header = next(stage for stage in document(ran)["stages"] if stage["name"] == "header")
    assert header["status"] == "passed"
    assert header["detail"].endswith("for compute capability 8.6, 12.0")


def test_where_there_is_no_fp32_the_precision_is_chosen_and_told() -> None:
    python = built("rtx")
    arguments = ("canary", "--python", python, "--format", "json", "--stage", "build", "--compute-capability", "7.5")
    found = document(run(*arguments))
    assert (found["outcome"], found["precision"]) == ("passed", "fp16")
    network = next(stage for stage in found["stages"] if stage["name"] == "network")
    assert "in fp16: for compute capability 7.5 there is no fp32 matrix product" in network["detail"]
    insisted = document(run(*arguments, "--precision", "fp32"))
    assert [item["code"] for item in insisted["findings"]] == ["CAN110"]


def test_a_pass_is_remembered_until_a_library_changes(tmp_path: Path) -> None:
    python = built("rtx")
    arguments = ("check", "--python", python, "--goal", "build", "--format", "json")
    first = json.loads(run(*arguments, XDG_STATE_HOME=str(tmp_path)).out)
    if first["snapshot"]["canaries"] == []:
        pytest.skip(f"no canary here: {probe(first)['detail']}")
    kept = tmp_path / "trtdoctor" / "canary.json"
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    second = json.loads(run(*arguments, XDG_STATE_HOME=str(tmp_path)).out)
    assert [item["remembered"] for item in second["snapshot"]["canaries"]] == [True]
    text = run(*arguments[:-2], XDG_STATE_HOME=str(tmp_path)).out
    assert f"on {first['snapshot']['canaries'][0]['taken']}" in " ".join(text.split())
    remembered = json.loads(kept.read_text())
    for entry in remembered["passes"].values():
        entry["libraries"] = {path: [1, 2] for path in entry["libraries"]}
    kept.write_text(json.dumps(remembered))
    third = json.loads(run(*arguments, XDG_STATE_HOME=str(tmp_path)).out)
    assert [item["remembered"] for item in third["snapshot"]["canaries"]] == [None]


def test_error_35_of_the_real_tensorrt_is_told_as_what_it_is() -> None:
    if os.path.exists("/dev/nvidiactl"):
        pytest.skip("there is a driver here")
    ran = run("canary", "--python", real("trt853"), "--format", "json")
    found = document(ran)
    assert (ran.code, found["outcome"], found["version"]) == (1, "failed", "8.5.3.1")
    about = [item for item in found["findings"] if any(fact["key"] == "canary" for fact in item["facts"])]
    assert len(about) == 1
    assert "there is no driver, error 35" in about[0]["title"] + about[0]["detail"]


def test_a_runtime_without_a_builder_is_told_what_it_is() -> None:
    ran = run("canary", "--python", real("lean-cu13"), "--format", "json")
    assert ran.code == 1
    assert "CAN109" in {item["code"] for item in document(ran)["findings"]}


@pytest.mark.parametrize("wrong", ["", "numbers"])
def test_the_formats_for_ci_show_its_stages(standin: Path, wrong: str, tmp_path: Path) -> None:
    from junitparser import JUnitXml

    from trtdoctor.render import CI_FORMATS

    outputs = [word for kind in CI_FORMATS for word in ("-o", f"{kind}:{tmp_path / kind}")]
    ran = canary(standin, *outputs, wrong=wrong)
    assert ran.code == bool(wrong), ran.err
    (suite,) = JUnitXml.fromfile(str(tmp_path / "junit"))
    failed = [case.name for case in suite if not case.is_passed and not case.is_skipped]
    assert failed[:1] == (["compare"] if wrong else [])
    assert [case.name for case in suite][:1] == ["import"]
    (log,) = json.loads((tmp_path / "sarif").read_text("utf-8"))["runs"]
    assert [item["ruleId"] for item in log["results"]] == (["CAN105"] if wrong else [])
    assert log["properties"]["verdict"] == ("broken" if wrong else "ready")
    for kind in CI_FORMATS:
        assert str(standin) not in (tmp_path / kind).read_text("utf-8")
