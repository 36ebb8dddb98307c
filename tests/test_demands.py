"""Requirements in one line: read, answered on real recordings, judged by POL102, insisted on by the library."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st

import trtdoctor
from tests.conftest import AS_OF, SNAPSHOTS
from tests.rules.making import cudnn9, live, loading, only, package, tensorrt
from tests.rules.making import got as gotten
from trtdoctor.cli import main
from trtdoctor.declared import snapshot_of
from trtdoctor.demands import COMPONENTS, PRODUCTS, SUBJECTS, Demand, DemandError, Met, answer, parse, parse_all, size
from trtdoctor.findings import Report, Verdict
from trtdoctor.judge import judge
from trtdoctor.matrix import Matrix
from trtdoctor.snapshot import Canary, CanaryStage, Gpu, Platform, Setting, Snapshot
from trtdoctor.stack import Stack
from trtdoctor.versions import Answer, Version, within

YES, NO, UNKNOWN = Answer.YES, Answer.NO, Answer.UNKNOWN
NUMBERS = st.lists(st.integers(0, 999), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
OPERATORS = st.sampled_from(["==", "!=", ">=", "<=", ">", "<"])
SPECIFIERS = st.lists(st.tuples(OPERATORS, NUMBERS).map("".join), min_size=1, max_size=3).map(",".join)


def recorded(name: str) -> Snapshot:
    return Snapshot.from_json((SNAPSHOTS / f"{name}.json").read_bytes())


def ask(text: str, snapshot: Snapshot, matrix: Matrix) -> Met:
    return answer(parse(text), Stack(snapshot, matrix))


def gpu(memory: float | None = 24, capability: str | None = "8.9", **values: Any) -> Gpu:
    settings: dict[str, Any] = {"name": "NVIDIA L4", "visible": True, **values}
    return Gpu(
        compute_capability=capability, memory_bytes=None if memory is None else int(memory * (1 << 30)), **settings
    )


# -- reading -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "subject", "specifier"),
    [
        ("tensorrt>=10.3,<11", "tensorrt", ">=10.3,<11"),
        (" TensorRT >= 10.3 , < 11 ", "tensorrt", ">=10.3,<11"),
        ("tensorrt_rtx", "tensorrt-rtx", ""),
        ("cuda~=12.4", "cuda", "~=12.4"),
        ("cudnn==9.*", "cudnn", "==9.*"),
        ("driver>=535.104.05", "driver", ">=535.104.05"),
        ("gpu.memory>=16GiB", "gpu.memory", ">=16GiB"),
        ("gpu.memory >= 15.5 GiB, < 1TB", "gpu.memory", ">=15.5GiB,<1TB"),
        ("gpu.compute_capability>=8.0", "gpu.compute_capability", ">=8.0"),
        ("gpu.count>=2", "gpu.count", ">=2"),
        ("package:Torch_TensorRT>=2.5", "package:torch-tensorrt", ">=2.5"),
        ("precision:FP8", "precision:fp8", ""),
        ("canary", "canary", ""),
    ],
)
def test_what_people_write_is_read(text: str, subject: str, specifier: str) -> None:
    found = parse(text)
    assert (found.subject, found.specifier) == (subject, specifier)
    assert parse(found.text) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tensort>=10", "did you mean tensorrt>=10?"),
        ("trt>=10", "did you mean tensorrt>=10?"),
        ("torch>=2.5", "did you mean package:torch>=2.5?"),
        ("gpu", "did you mean gpu.count?"),
        ("numpy>=2", "package:NAME"),
        ("tensorrt=10.3", "did you mean ==?"),
        ("tensorrt=>10.3", "did you mean >=?"),
        ("tensorrt===10.3", "did you mean ==?"),
        ("tensorrt 10.3", "did you mean ==10.3?"),
        ("tensorrt>=10.3,", "a clause is empty"),
        ("tensorrt>=ten", "is no version"),
        ("tensorrt>=10.3;rm", "is no version"),
        ("gpu.memory>=16", "with its unit"),
        ("gpu.memory~=16GiB", "with its unit"),
        ("gpu.count>=1.5", "whole number"),
        ("gpu.compute_capability>=86", "did you mean >=8.6?"),
        ("gpu.compute_capability>=sm_120", "did you mean >=12.0?"),
        ("canary>=1", "takes no version"),
        ("precision:fp8>=1", "takes no version"),
        ("precision", "precision:fp8"),
        ("package:", "package:torch"),
        ("cuda:12", "unknown requirement"),
        ("", "not a requirement"),
        ("x" * 300, "not a requirement"),
        ("tensorrt\x1b[31m", "not a comparison"),
    ],
)
def test_what_cannot_be_read_is_told_in_one_line_with_a_suggestion(text: str, said: str) -> None:
    with pytest.raises(DemandError) as caught:
        parse(text)
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


@given(st.text(max_size=80) | st.sampled_from(SUBJECTS).flatmap(lambda head: st.text(max_size=30).map(head.__add__)))
@example("TENSORRT²\U00010c49")
def test_reading_raises_nothing_else_and_is_stable(text: str) -> None:
    try:
        found = parse(text)
    except DemandError as error:
        assert str(error).isprintable()
    else:
        assert parse(found.text) == found
        assert found.text.isprintable()


@given(st.sampled_from([*PRODUCTS, *COMPONENTS, "driver", "python", "glibc"]), SPECIFIERS)
def test_every_specifier_of_versions_is_read_as_it_stands(subject: str, specifier: str) -> None:
    assert parse(f"{subject}{specifier}") == Demand(subject, specifier, f"{subject}{specifier}")


def test_one_requirement_given_twice_is_one() -> None:
    assert parse_all(["driver>=535", "driver >= 535"]) == (parse("driver>=535"),)


# -- versions ----------------------------------------------------------------------------------------------------------


@settings(deadline=None)  # the first call loads the matrix
@given(NUMBERS, SPECIFIERS)
def test_a_version_is_judged_as_versions_judges_it(version: str, specifier: str) -> None:
    from trtdoctor.matrix import load

    stated = snapshot_of({"tensorrt": {"version": version}, "driver": version, "python": version})
    for subject in ("tensorrt", "driver", "python"):
        said = ask(f"{subject}{specifier}", stated, load())
        assert said.answer is within(Version(version), specifier)
        assert said.found == version


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tensorrt>=8.5,<9", YES),
        ("tensorrt>=10.3,<11", NO),
        ("tensorrt-rtx", NO),
        ("tensorrt-lean", NO),
        ("driver>=535", YES),
        ("driver<580", NO),
        ("cuda~=12.4", NO),  # 13.0 of the system and 11.8 of a wheel: neither
        ("cuda>=12", UNKNOWN),  # one is, one is not, and nothing says which is loaded
        ("cudnn", YES),
        ("python>=3.10", YES),
        ("python>=3.11", NO),
        ("glibc>=2.28", YES),
        ("gpu.memory>=16GiB", YES),
        ("gpu.memory>=150GiB", NO),
        ("gpu.compute_capability>=8.0", YES),
        ("gpu.compute_capability==8.*", NO),
        ("gpu.count==1", YES),
        ("gpu.count>=2", NO),
        ("package:tensorrt==8.5.3.1", YES),
        ("package:torch", NO),
        ("package:flask", UNKNOWN),  # not a package of the stack: nobody looked
        ("precision:fp16", YES),
        ("precision:fp8", NO),  # the H200 has it, TensorRT 8.5 has not
        ("precision:fp9", UNKNOWN),
        ("canary", UNKNOWN),
    ],
)
def test_a_recorded_machine_is_asked(text: str, expected: Answer, matrix: Matrix) -> None:
    said = ask(text, recorded("h200-trt853"), matrix)
    assert said.answer is expected, said.said
    assert said.found
    assert said.demand.text in said.said


@pytest.mark.parametrize("name", ["rtx", "lean-cu13", "no-gpu", "placeholder", "bindings-only"])
def test_tensorrt_is_only_met_by_the_full_product(name: str, matrix: Matrix) -> None:
    said = ask("tensorrt", recorded(name), matrix)
    assert said.answer is NO, said.said
    if name == "rtx":
        assert "TensorRT for RTX" in said.found
        assert ask("tensorrt-rtx>=1", recorded(name), matrix).answer is YES
    if name == "lean-cu13":
        assert "lean" in said.found
        assert ask("tensorrt-lean>=10", recorded(name), matrix).answer is YES


@pytest.mark.parametrize("product", ["rtx", "lean", "dispatch"])
def test_what_is_declared_as_another_product_does_not_meet_it(product: str, matrix: Matrix) -> None:
    stated = snapshot_of({"tensorrt": {"version": "10.9", "product": product}})
    assert ask("tensorrt>=10", stated, matrix).answer is NO
    assert ask(f"tensorrt-{product}>=10", stated, matrix).answer is YES


def test_what_nobody_stated_is_unknown_and_never_no(matrix: Matrix) -> None:
    for text in ("tensorrt", "cuda", "cudnn", "driver", "gpu.count", "gpu.memory>=1GiB", "python", "glibc", "canary"):
        assert ask(text, Snapshot(kind="declared"), matrix).answer is UNKNOWN, text
    for text in ("tensorrt>=10.9.1", "tensorrt==10.9.0"):
        assert ask(text, snapshot_of({"tensorrt": {"version": "10.9"}}), matrix).answer is UNKNOWN


def test_local_labels_of_builds_play_no_part(matrix: Matrix) -> None:
    snapshot = live(packages=(package("torch", "2.7.1+cu126"),))
    assert ask("package:torch==2.7.1", snapshot, matrix).answer is YES
    assert ask("package:torch==2.7.1+cu126", snapshot, matrix).answer is YES
    assert ask("package:torch==2.7.1+cu128", snapshot, matrix).answer is NO


def test_of_several_copies_the_one_that_python_gets_counts(matrix: Matrix) -> None:
    old, new = cudnn9("9.1.0", "/usr/lib"), cudnn9("9.14.0", "/venv/lib/python3.12/site-packages/nvidia/cudnn/lib")
    both = live(*tensorrt("10.9.0"), *old, *new)
    assert ask("cudnn>=9.10", both, matrix).answer is UNKNOWN
    known = replace(both, loadings=(loading("torch", *(gotten(copy) for copy in new)),))
    assert ask("cudnn>=9.10", known, matrix).answer is YES
    other = replace(both, loadings=(loading("torch", *(gotten(copy) for copy in old)),))
    assert ask("cudnn>=9.10", other, matrix).answer is NO


def test_a_jetson_has_a_driver_without_a_number(matrix: Matrix) -> None:
    jetson = Snapshot(platform=Platform(system="linux", architecture="aarch64", l4t="36.4.3"))
    assert ask("driver", jetson, matrix).answer is YES
    assert ask("driver>=535", jetson, matrix).answer is UNKNOWN


def test_musl_is_no_glibc(matrix: Matrix) -> None:
    assert ask("glibc>=2.28", Snapshot(platform=Platform(libc="musl")), matrix).answer is NO


# -- GPUs --------------------------------------------------------------------------------------------------------------


def test_every_visible_gpu_must_meet_it(matrix: Matrix) -> None:
    two = Snapshot(gpus=(gpu(24), gpu(80, "9.0", index=1, name="NVIDIA H100")))
    assert ask("gpu.memory>=24GiB", two, matrix).answer is YES
    said = ask("gpu.memory>=40GiB", two, matrix)
    assert said.answer is NO
    assert "24.0 GiB on GPU 0" in said.found
    assert "GPU 1" not in said.found
    assert ask("gpu.compute_capability>=9.0", two, matrix).answer is NO
    hidden = replace(two, gpus=(gpu(24, visible=False), gpu(80, "9.0", index=1)))
    assert ask("gpu.memory>=40GiB", hidden, matrix).answer is YES
    assert ask("gpu.count>=2", hidden, matrix).answer is NO


def test_what_one_gpu_lacks_outweighs_what_is_not_known_of_another(matrix: Matrix) -> None:
    assert ask("gpu.memory>=40GiB", Snapshot(gpus=(gpu(None), gpu(24, index=1))), matrix).answer is NO
    assert ask("gpu.memory>=16GiB", Snapshot(gpus=(gpu(None), gpu(24, index=1))), matrix).answer is UNKNOWN


def test_no_gpu_meets_nothing(matrix: Matrix) -> None:
    for text in ("gpu.count", "gpu.memory>=1GiB", "gpu.compute_capability>=5.0", "precision:fp16"):
        assert ask(text, Snapshot(gpus=()), matrix).answer is NO, text
    assert ask("gpu.count==0", Snapshot(gpus=()), matrix).answer is YES


def test_a_mig_instance_is_not_the_whole_gpu(matrix: Matrix) -> None:
    divided = Snapshot(gpus=(gpu(80, mig=True, mig_instances=7),))
    assert ask("gpu.memory>=16GiB", divided, matrix).answer is UNKNOWN
    assert ask("gpu.memory>=100GiB", divided, matrix).answer is NO


def test_gpus_of_which_nobody_can_tell_whether_they_are_visible_may_count(matrix: Matrix) -> None:
    unsure = Snapshot(
        gpus=(gpu(visible=None), gpu(visible=None, index=1)), settings=(Setting("CUDA_VISIBLE_DEVICES", "MIG-x"),)
    )
    assert ask("gpu.count>=1", unsure, matrix).answer is UNKNOWN
    assert ask("gpu.count>=3", unsure, matrix).answer is NO
    assert ask("gpu.count>=2", replace(unsure, settings=()), matrix).answer is YES


@settings(deadline=None)  # the first call loads the matrix
@given(st.integers(0, 1 << 42), st.integers(1, 4096), st.sampled_from([">=", ">", "<", "<="]))
def test_sizes_compare_as_bytes(memory: int, wanted: int, operator: str) -> None:
    from trtdoctor.matrix import load

    said = ask(f"gpu.memory{operator}{wanted}GiB", Snapshot(gpus=(Gpu(memory_bytes=memory, visible=True),)), load())
    compare = {">=": memory >= wanted << 30, ">": memory > wanted << 30, "<": memory < wanted << 30}
    assert said.answer is Answer.of(compare.get(operator, memory <= wanted << 30))
    assert float(size(memory).removesuffix(" GiB")) * (1 << 30) <= memory + 1


# -- the canary --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("canary", "expected"),
    [
        (Canary("tensorrt", "10.9", "passed", stages=(CanaryStage("run", "passed"),)), YES),
        (Canary("tensorrt-rtx", "1.7", "passed", stages=(CanaryStage("build", "passed"),)), UNKNOWN),
        (Canary("tensorrt", "10.9", "crashed", "SIGSEGV", stages=(CanaryStage("build", "crashed"),)), NO),
        (Canary("tensorrt", "10.9", "out-of-memory", "device"), NO),
        (Canary("tensorrt", None, "not-started", "there is no Python"), UNKNOWN),
    ],
)
def test_a_canary_must_have_run(canary: Canary, expected: Answer, matrix: Matrix) -> None:
    assert ask("canary", Snapshot(canaries=(canary,)), matrix).answer is expected


def test_recorded_canaries_are_asked(matrix: Matrix) -> None:
    assert ask("canary", recorded("canary-trt853"), matrix).answer is YES
    crashed = ask("canary", recorded("canary-trt853-no-sublibraries"), matrix)
    assert crashed.answer is NO
    assert "crashed" in crashed.found


# -- POL102, --require, the library ------------------------------------------------------------------------------------


def required(name: str, *texts: str) -> Report:
    from trtdoctor.matrix import load

    return judge(recorded(name), load(), as_of=AS_OF, demands=parse_all(texts))


def test_what_is_not_met_is_an_error_that_names_found_and_wanted() -> None:
    report = required("h200-trt853", "tensorrt>=10.3,<11", "driver>=535")
    found = only(report, "POL102")
    assert report.verdict is Verdict.BROKEN
    assert found.title == "tensorrt>=10.3,<11 is required; found 8.5.3.1"
    assert found.components == ("policy", "tensorrt")
    assert [item for item in report.unknowns if item.component == "requirement"] == []


def test_what_is_met_is_not_told() -> None:
    report = required("h200-trt853", "tensorrt>=8.5,<9", "driver>=535", "gpu.memory>=16GiB")
    assert "POL102" not in {item.code for item in report.findings}
    assert report.verdict is Verdict.READY


def test_what_nobody_can_tell_is_an_unknown_verdict_and_not_an_error() -> None:
    report = required("h200-trt853", "cuda>=12", "canary")
    assert "POL102" not in {item.code for item in report.findings}
    assert report.verdict is Verdict.UNKNOWN
    assert [item.needed for item in report.unknowns if item.component == "requirement"] == ["cuda>=12", "canary"]
    assert report.fails("unknown")
    assert not report.fails("error")


def test_a_warning_does_not_hide_a_requirement_that_nobody_can_judge() -> None:
    report = required("canary-trt853-fp16-not-taken", "package:flask")
    assert report.verdict is Verdict.AT_RISK
    assert report.fails("unknown")
    assert not required("canary-trt853-fp16-not-taken", "canary").fails("unknown")


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("package:torch>=2.5", "python3 -m pip install 'torch>=2.5'"),
        ("driver>=590", "Install driver 595."),  # R590 has ended
        ("gpu.memory>=200GiB", "CUDA_VISIBLE_DEVICES"),
        ("precision:fp8", "FP8"),
    ],
)
def test_each_says_what_would_mend_it(text: str, fix: str) -> None:
    found = only(required("h200-trt853", text), "POL102")
    texts = " ".join(item.text for item in found.fix)
    assert fix in texts, texts


def run(*arguments: str) -> tuple[int, str]:
    from trtdoctor.cli import command_line

    done = CliRunner().invoke(command_line, ["check", "--as-of", AS_OF.isoformat(), *arguments], standalone_mode=False)
    return (done.return_value if done.exception is None else 2), done.output + str(done.exception or "")


def test_the_command_line_requires() -> None:
    base = ("--snapshot", str(SNAPSHOTS / "h200-trt853.json"))
    assert run(*base, "--require", "tensorrt>=8.5", "--require", "driver>=535", "--fail-on", "unknown")[0] == 0
    code, output = run(*base, "--require", "tensorrt>=10.3,<11")
    assert code == 1
    assert "POL102" in output
    assert run(*base, "--require", "canary")[0] == 0
    assert run(*base, "--require", "canary", "--fail-on", "unknown")[0] == 1
    code, output = run(*base, "--require", "tensort>=10")
    assert code == 2
    assert "did you mean tensorrt>=10?" in output


def test_a_mistyped_requirement_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["check", "--set", "tensorrt=10.9", "--require", "gpu.memory>=16"])
    assert caught.value.code == 2
    assert "gpu.memory>=16GiB" in capsys.readouterr().err


def test_a_report_insists() -> None:
    report = trtdoctor.check(recorded("h200-trt853"), as_of=AS_OF)
    report.require("tensorrt>=8.5,<9", "driver>=535")
    with pytest.raises(trtdoctor.RequirementError) as caught:
        report.require("driver>=535", "tensorrt>=10.3")
    error = caught.value
    assert (error.requirement, error.wanted, error.found, error.known) == ("tensorrt>=10.3", ">=10.3", "8.5.3.1", True)
    assert "found 8.5.3.1" in str(error)
    assert ">=10.3" in str(error)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.found) == (str(error), error.found)
    with pytest.raises(trtdoctor.RequirementError, match="not known whether canary is met") as caught:
        report.require("canary")
    assert not caught.value.known
    with pytest.raises(DemandError):
        report.require("tensort")


def test_two_reports_of_one_snapshot_are_equal() -> None:
    first, second = (trtdoctor.check(recorded("no-gpu"), as_of=AS_OF) for _ in range(2))
    assert first == second
    assert "answers" not in first.to_plain()


def test_a_service_asserts_at_its_start() -> None:
    ready = trtdoctor.assert_ready("tensorrt>=8.5", snapshot=recorded("h200-trt853"), as_of=AS_OF)
    assert ready.verdict is Verdict.READY
    with pytest.raises(trtdoctor.NotReadyError, match=r"broken: .*CTR101") as caught:
        trtdoctor.assert_ready(snapshot=recorded("no-gpu"), as_of=AS_OF)
    assert caught.value.report.verdict is Verdict.BROKEN
    with pytest.raises(trtdoctor.RequirementError):
        trtdoctor.assert_ready("tensorrt>=10", snapshot=recorded("h200-trt853"), as_of=AS_OF)
    with pytest.raises(ValueError, match="fail_on is one of"):
        trtdoctor.assert_ready(fail_on="errors", snapshot=recorded("h200-trt853"))
    at_risk = recorded("canary-trt853-fp16-not-taken")
    assert trtdoctor.assert_ready(snapshot=at_risk, as_of=AS_OF).verdict is Verdict.AT_RISK
    with pytest.raises(trtdoctor.NotReadyError, match="at risk"):
        trtdoctor.assert_ready(snapshot=at_risk, as_of=AS_OF, fail_on="warning")


def test_an_environment_is_a_view_of_the_report() -> None:
    view = trtdoctor.Environment(trtdoctor.check(recorded("h200-trt853"), as_of=AS_OF))
    assert view.verdict == "ready"
    assert view.tensorrt.version == "8.5.3.1"
    assert not view.tensorrt_rtx
    assert view.driver.version == "580.159.04"
    assert view.driver_cuda == "13.0"
    assert view.cuda.version is None  # there are two
    assert view.cuda.versions == ("13.0.96", "11.8.89")
    assert view.python.version is not None
    assert view.package("TensorRT").version == "8.5.3.1"
    assert view.gpu(0).compute_capability == "9.0"
    assert view.gpu().memory_bytes == view.snapshot.gpus[0].memory_bytes if view.snapshot.gpus else False
    with pytest.raises(LookupError, match="no GPU 1"):
        view.gpu(1)
    assert view.canary is None
    assert view.meets("tensorrt>=8.5")
    assert not view.meets("canary")
    with pytest.raises(trtdoctor.RequirementError):
        view.require("tensorrt>=10")


def test_asserting_touches_no_cuda_in_the_calling_process() -> None:
    import subprocess
    import sys

    script = (
        "import os, trtdoctor\n"
        "before = dict(os.environ)\n"
        "try: trtdoctor.assert_ready('tensorrt>=10.3')\n"
        "except (trtdoctor.NotReadyError, trtdoctor.RequirementError) as error: print(type(error).__name__)\n"
        "assert dict(os.environ) == before\n"
        "maps = open('/proc/self/maps').read()\n"
        "assert not any(word in maps for word in ('libcuda', 'libnvidia-ml', 'libnvinfer', 'libcudnn')), maps\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
