"""``trtdoctor plan`` as users type it."""

from __future__ import annotations

import io
import json
import os
import re
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.cli.run import ROOT, Ran, complains, run
from trtdoctor.cli import main

DAY = ("--as-of", "2026-11-22")
L4 = tuple(
    word
    for setting in ("os=ubuntu-22.04", "arch=x86_64", "python=3.12", "gpu=NVIDIA L4", "driver=580.95.05")
    for word in ("--set", setting)
)
NO_WAY = (
    "--set",
    "gpu=GeForce GTX 1080",
    "--set",
    "driver=470.256.02",
    "--keep",
    "driver",
    "--require",
    "tensorrt>=11",
)


def here(*arguments: str, stdin: bytes | None = None, cwd: Path = ROOT) -> Ran:
    """A process of its own, without the configuration of this checkout."""
    return run("plan", "--no-config", *DAY, *arguments, stdin=stdin, cwd=cwd)


def inside(*arguments: str) -> Ran:
    """The same in this process, for many at a time."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main(["plan", "--no-config", *DAY, *arguments])
        except SystemExit as ended:
            code = ended.code
    assert isinstance(code, int)
    return Ran(code, out.getvalue(), err.getvalue())


# -- what is printed ---------------------------------------------------------------------------------------------------


def test_plans_best_first_with_their_commands_and_exit_code_0() -> None:
    ran = here(*L4)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("plan: 3 ways out of ")
    assert [line[:2] for line in ran.out.splitlines() if line[:1].isdigit()] == ["1 ", "2 ", "3 "]
    assert "  run      $ python3 -m pip install " in ran.out
    long = [line for line in ran.out.splitlines() if len(line) > 80]
    assert all(line.startswith("  run      $ ") for line in long), "only commands are longer than a terminal"


def test_nothing_that_fits_is_exit_code_1_with_the_reasons() -> None:
    ran = here(*NO_WAY)
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.startswith("impossible: nothing that the matrix knows fits\n  because  ")
    assert "compute capability 6.1: " in ran.out
    assert "tensorrt>=11, which is required: " in ran.out
    document = json.loads(here(*NO_WAY, "--format", "json").out)
    assert document["plans"] == []
    assert len(document["impossible"]["reasons"]) == 2


def test_a_stack_that_is_fine_is_told_so() -> None:
    ran = here(*L4, "--set", "tensorrt=10.16.1.11,from=pip-cu13")
    assert ran.code == 0
    assert ran.out.startswith("fine: nothing has to change\n")


def test_a_machine_whose_fault_nothing_mends_is_not_called_fine() -> None:
    ran = here("--snapshot", str(ROOT / "tests" / "data" / "snapshots" / "canary-trt853-no-gpu.json"))
    assert ran.out.startswith("as it is: nothing that can be changed here mends what is wrong\n")
    assert "CAN110" in ran.out


def test_top_all_and_pick(tmp_path: Path) -> None:
    one = json.loads(inside(*L4, "--top", "1", "--format", "json").out)
    five = json.loads(inside(*L4, "--top", "5", "--format", "json").out)
    assert (len(one["plans"]), len(five["plans"])) == (1, 5)
    assert one["plans"] == five["plans"][:1]
    every = json.loads(inside(*L4, "--top", "50", "--all", "--format", "json").out)
    assert len(every["plans"]) == 50
    file = tmp_path / "plan.yaml"
    assert inside(*L4, "--top", "1", "--pick", "4", "--write", str(file)).code == 0
    assert yaml.safe_load(file.read_bytes())["title"] == five["plans"][3]["title"]
    beyond = inside(*L4, "--install", "apt", "--require", "tensorrt==10.9.*", "--pick", "50", "--render", "apt")
    assert "there are only " in complains(beyond)


def test_from_standard_input_and_from_a_description(tmp_path: Path) -> None:
    snapshot = (ROOT / "tests" / "data" / "snapshots" / "h200-trt853.json").read_bytes()
    ran = here("--snapshot", "-", stdin=snapshot)
    assert ran.out.startswith("fine: ")
    described = tmp_path / "machine.yaml"
    described.write_text("gpus: [{name: GeForce RTX 5090}]\ndriver: '580.95.05'\ntensorrt: [{version: '10.7'}]\n")
    assert "TensorRT 10.16" in inside("--declared", str(described)).out


def test_what_is_required_and_kept_is_read_as_people_write_it() -> None:
    ran = inside(*L4, "--require", "torch==2.11.*", "--require", "tensorrt >= 10.9", "--keep", "driver,python")
    assert ran.code == 0
    assert "requires torch==2.11.*, tensorrt>=10.9" in " ".join(ran.out.split())
    assert "torch==2.11.0" in ran.out
    policy = inside(*L4, "--policy", "deny=tensorrt>=11", "--policy", "channel=stable")
    assert "left out by the policy" in policy.out
    assert "denied by tensorrt>=11" in policy.out
    file = ROOT / "tests" / "cli"
    configured = run("plan", *DAY, *L4, cwd=file)
    assert configured.code == 0


def test_what_if() -> None:
    ran = inside(*L4, "--set", "tensorrt=10.3,from=pip-cu12", "--to", "tensorrt==11.4")
    assert "going from TensorRT 10.3 to 11.4.0.106" in ran.out
    assert "BuilderFlag.FP16: " in ran.out
    assert "trtdoctor plan --to" not in ran.out, "that is what is being asked"
    gpu = inside(*L4, "--set", "tensorrt=10.3,from=pip-cu12", "--gpu", "RTX 5090")
    assert "RTX 5090" in gpu.out
    assert "TensorRT 10.16" in gpu.out


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("dockerfile", ("--install", "apt")),
        ("requirements", ("--require", "tensorrt-rtx", "--install", "pip")),
        ("constraints", ("--install", "pip")),
        ("apt", ("--install", "apt")),
        ("markdown", ("--install", "container")),
    ],
)
def test_from_a_file_comes_what_came_at_once(kind: str, more: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "trtdoctor-plan.yaml"
    at_once = inside(*L4, *more, "--render", kind, "--write", str(file))
    assert (at_once.code, at_once.err) == (0, "")
    later = run("plan", "--from-file", str(file), "--render", kind, cwd=tmp_path)
    assert (later.code, later.err) == (0, "")
    assert later.out == at_once.out
    piped = run("plan", "--from-file", "-", "--render", kind, stdin=file.read_bytes(), cwd=tmp_path)
    assert piped.out == at_once.out


def test_outputs_are_written_as_well(tmp_path: Path) -> None:
    ran = inside(*L4, "-o", f"json:{tmp_path / 'plan.json'}", "-o", str(tmp_path / "plan.txt"))
    assert json.loads((tmp_path / "plan.json").read_text())["schema"] == "trtdoctor-plan/1"
    assert (tmp_path / "plan.txt").read_text() == ran.out


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "plan.yaml"
    assert inside(*L4, "--write", str(file)).code == 0
    good = file.read_bytes()
    assert inside(*NO_WAY, "--write", str(file)).code == 1
    assert file.read_bytes() == good, "no plan, no file"
    complains(inside(*L4, "--write", str(tmp_path)))
    complains(inside(*L4, "--write", str(tmp_path / "absent" / "plan.yaml")))
    complains(inside(*L4, "--write", str(file / "below.yaml")))
    assert sorted(item.name for item in tmp_path.iterdir()) == ["plan.yaml"]
    assert file.read_bytes() == good


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_may_not_be_written_stays_as_it_was(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        complains(inside(*L4, "--write", str(tmp_path / "plan.yaml")))
        assert list(tmp_path.iterdir()) == []
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_one_line() -> None:
    complains(inside(*L4, "--write", "/dev/full"))


# -- bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("--require", "tensorrt=>10"),
        ("--require", "tensorrt 10"),
        ("--require", ""),
        ("--require", "nonsense>=1"),
        ("--require", "torch===2"),
        ("--keep", "drivre"),
        ("--keep", "$(id)"),
        ("--install", "snap"),
        ("--to", "11.4"),
        ("--to", "tensorrt>=11"),
        ("--to", "torch==2.9"),
        ("--to", "tensorrt=="),
        ("--gpu", ""),
        ("--policy", "channel=weekly"),
        ("--policy", "min-age-days=soon"),
        ("--policy", "deny=tensorrt=>1"),
        ("--policy", "nothing"),
        ("--policy", "color=red"),
        ("--goal", "fly"),
        ("--top", "0"),
        ("--top", "51"),
        ("--top", "many"),
        ("--pick", "0"),
        ("--render", "pdf"),
        ("--format", "xml"),
        ("--as-of", "yesterday"),
        ("--set", "gpus"),
        ("--set", "drivre=580"),
        ("--declared", "/nonexistent.yaml"),
        ("--snapshot", "/nonexistent.json"),
        ("--snapshot", str(ROOT / "README.md")),
        ("--overlay", "/nonexistent.yaml"),
        ("--matrix", "/nonexistent"),
        ("--config", "/nonexistent.toml"),
        ("--from-file", "/nonexistent.yaml"),
        ("--from-file", str(ROOT / "pyproject.toml")),
        ("--state", "/nonexistent.json"),
        ("--output", "/nonexistent/plan.txt"),
        ("--frobnicate",),
        ("frobnicate",),
    ],
    ids=" ".join,
)
def test_bad_input_is_one_clear_line(arguments: tuple[str, ...]) -> None:
    more = () if "--config" in arguments else ("--no-config",)
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main(["plan", *more, *(DAY if "--as-of" not in arguments else ()), "--set", "gpu=L4", *arguments])
    assert isinstance(ended.value.code, int)
    complains(Ran(ended.value.code, out.getvalue(), err.getvalue()))


def test_a_mistake_gets_a_suggestion() -> None:
    assert "did you mean driver?" in complains(inside("--keep", "drivre"))
    assert "did you mean ==10?" in complains(inside("--require", "tensorrt 10"))


def test_a_plan_that_has_none_of_what_is_asked_for_says_what_it_is_for(tmp_path: Path) -> None:
    said = complains(inside(*L4, "--install", "container", "--render", "requirements"))
    assert "this plan installs nothing by pip (it is for container); --pick 2 takes the next way" in said
    file = tmp_path / "plan.yaml"
    file.write_text("schema: trtdoctor-plan-file/1\n")
    complains(inside("--from-file", str(file)))
    file.write_text("{{{")
    complains(inside("--from-file", str(file)))


TEXT = st.text(st.characters(codec="utf-8"), max_size=24)
NAMES = st.sampled_from(
    ("tensorrt", "torch", "driver", "gpu.memory", "python", "package:x", "onnxruntime-gpu", "image:")
)
SIGNS = st.sampled_from((">=", "==", "~=", "<", "===", "=", " ", "", ">=10,<", "#"))
CLAUSES = st.builds(
    lambda name, sign, rest: name + sign + rest, NAMES, SIGNS, TEXT | st.sampled_from(("10.9", "2.*", "x"))
)


def told_or_refused(*arguments: str) -> None:
    """An answer, or one clear line: never a traceback, whatever is written."""
    ran = inside("--set", "gpu=L4", "--set", "driver=580.95.05", "--install", "pip", "--top", "1", *arguments)
    if ran.code == 2:
        complains(ran)
    else:
        assert ran.err == ""
        assert ran.code in (0, 1)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", ran.out)
    assert "defect" not in ran.err
    assert "Traceback" not in ran.out + ran.err


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(("--require", "--keep", "--to", "--gpu", "--goal")), CLAUSES | TEXT)
@example("--require", "tensorrt>=\ud800")
@example("--gpu", "\x1b[31m")
@example("--to", "tensorrt==" + "9" * 400)
@example("--keep", "," * 50)
def test_whatever_is_written_is_answered_or_refused(option: str, text: str) -> None:
    told_or_refused(option, text)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(("channel", "min-age-days", "allow", "deny", "install", "keep", "max-lag-days", "prereleases")),
    CLAUSES | TEXT | st.sampled_from(("stable", "lts", "0", "-1", "99999999999", "true")),
)
def test_whatever_policy_is_written_is_answered_or_refused(key: str, text: str) -> None:
    told_or_refused("--policy", f"{key}={text}")


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=60) | TEXT.map(str.encode))
def test_whatever_a_file_holds_is_answered_or_refused(content: bytes) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "plan.yaml"
        for head in (b"", b"schema: trtdoctor-plan-file/1\nmade: ", b"schema: trtdoctor-plan-file/1\n"):
            file.write_bytes(head + content)
            complains(inside("--from-file", str(file)))


def test_hostile_words_stay_words(tmp_path: Path) -> None:
    """Names from a snapshot reach the screen and the file without control characters, and no command."""
    environment: dict[str, Any] = {
        "gpus": [{"name": "\x1b[31m$(id)\n::error::L4", "compute_capability": "8.9"}],
        "driver": "580.95.05",
        "packages": {"torch": "2.9.0", "evil`id`": "1"},
        "os": "ubuntu-22.04",
    }
    file = tmp_path / "machine.yaml"
    file.write_text(yaml.safe_dump(environment))
    ran = inside("--declared", str(file), "--write", str(tmp_path / "plan.yaml"), "-v")
    assert "\x1b" not in ran.out
    assert "\n::error::" not in ran.out
    for line in ran.out.splitlines():
        assert not (line.lstrip().startswith(("run", "$")) and ("$(id)" in line or "`" in line))
    assert b"\x1b" not in (tmp_path / "plan.yaml").read_bytes()
