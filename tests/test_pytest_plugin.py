"""The pytest plugin, in real pytest runs: on recorded machines, on this one, with and without pytest-xdist."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import venv
from importlib.metadata import entry_points
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.conftest import ROOT, SNAPSHOTS
from tests.test_environments import built
from trtdoctor import __version__
from trtdoctor.declared import environment_of, snapshot_of
from trtdoctor.pytest_gate import Mark, MarkError

pytest_plugins = ["pytester"]

READY = SNAPSHOTS / "h200-trt853.json"
PASSED = SNAPSHOTS / "canary-trt853.json"
AT_RISK = SNAPSHOTS / "canary-trt853-fp16-not-taken.json"
BROKEN = SNAPSHOTS / "no-gpu.json"
PLAIN = "import pytest\n@pytest.mark.trt\ndef test_it(): pass\n"
COUNTING = """
import os
import trtdoctor.canary.run
import trtdoctor.probes

def counted(module, name, log):
    real = getattr(module, name)
    def call(*arguments, **options):
        with open(log, "a") as stream:
            stream.write(f"{os.getpid()}\\n")
        return real(*arguments, **options)
    setattr(module, name, call)

counted(trtdoctor.probes, "collect", CHECKS)
counted(trtdoctor.canary.run, "run", CANARIES)
"""


@pytest.fixture(autouse=True)
def _plugin_is_installed(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run below gets the plugin as users do: by its entry point."""
    if "trtdoctor" not in {item.name for item in entry_points(group="pytest11")}:
        pytest.fail("the entry point is not installed: python3 -m pip install -e . once more")
    for name in [name for name in os.environ if name.startswith(("PYTEST_", "COV_"))]:
        monkeypatch.delenv(name)


def run(pytester: pytest.Pytester, *arguments: str, snapshot: Path | None = None) -> pytest.RunResult:
    """A real run in a process of its own; without a plugin that has nothing to do with it and takes its time."""
    usual = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-rs"]
    options = [f"--trtdoctor-snapshot={snapshot}"] if snapshot else []
    return pytester.runpytest_subprocess(*usual, *options, *arguments, timeout=120)


def text(result: pytest.RunResult) -> str:
    return result.stdout.str() + result.stderr.str()


# -- what becomes of a marked test -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("snapshot", "options", "expected"),
    [
        (READY, (), {"passed": 1}),
        (READY, ("-n", "2"), {"passed": 1}),
        (AT_RISK, ("-n", "2"), {"passed": 1}),
        (BROKEN, (), {"skipped": 1}),
        (BROKEN, ("-n", "2"), {"skipped": 1}),
        (BROKEN, ("--trtdoctor=strict",), {"errors": 1}),
        (BROKEN, ("--trtdoctor=strict", "-n", "2"), {"errors": 1}),
        (AT_RISK, ("--trtdoctor=strict", "--trtdoctor-fail-on=warning"), {"errors": 1}),
        (BROKEN, ("--trtdoctor=report",), {"passed": 1}),
    ],
    ids=lambda value: value.stem if isinstance(value, Path) else "".join(value) if isinstance(value, tuple) else "",
)
def test_the_verdict_of_a_recorded_machine_decides(
    pytester: pytest.Pytester, snapshot: Path, options: tuple[str, ...], expected: dict[str, int]
) -> None:
    pytester.makepyfile(PLAIN)
    result = run(pytester, *options, snapshot=snapshot)
    result.assert_outcomes(**expected)
    verdict = {READY: "ready", AT_RISK: "at risk", BROKEN: "broken"}[snapshot]
    assert re.search(rf"^verdict: {verdict} \(", text(result), re.MULTILINE)
    assert result.ret == (1 if "errors" in expected else 0)


def test_at_risk_is_refused_only_from_warning_on_and_never_means_never(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(PLAIN)
    run(pytester, "--trtdoctor-fail-on=warning", snapshot=AT_RISK).assert_outcomes(skipped=1)
    run(pytester, "--trtdoctor-fail-on=error", snapshot=AT_RISK).assert_outcomes(passed=1)
    run(pytester, "--trtdoctor-fail-on=never", snapshot=BROKEN).assert_outcomes(passed=1)


def test_an_unknown_verdict_skips_and_fails_when_strict(pytester: pytest.Pytester) -> None:
    document = json.loads(READY.read_text("utf-8"))
    document["gpus"] = None
    document["probes"] = []
    unknown = pytester.path / "unknown.json"
    unknown.write_text(json.dumps(document), "utf-8")
    pytester.makepyfile(PLAIN)
    skipped = run(pytester, snapshot=unknown)
    skipped.assert_outcomes(skipped=1)
    assert "unknown: gpu: not known" in text(skipped)
    run(pytester, "--trtdoctor=strict", snapshot=unknown).assert_outcomes(errors=1)
    run(pytester, "--trtdoctor-fail-on=error", snapshot=unknown).assert_outcomes(passed=1)


def test_every_keyword_names_what_was_found_and_what_is_wanted(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        pytestmark = pytest.mark.trt(requires=["tensorrt>=8.5", "cudnn"])
        @pytest.mark.trt(requires="tensorrt>=10.3,<11", reason="uses the refitter")
        def test_requires(): assert False
        @pytest.mark.trt(driver=">=590")
        def test_driver(): assert False
        @pytest.mark.trt(cuda="~=12.4")
        def test_cuda(): assert False
        @pytest.mark.trt(min_compute_capability="10.0")
        def test_capability(): assert False
        @pytest.mark.trt(min_memory="200GiB")
        def test_memory(): assert False
        @pytest.mark.trt(precision="fp8")
        def test_precision(): assert False
        @pytest.mark.trt(canary=True)
        def test_canary(): assert False
        @pytest.mark.trt(
            requires="tensorrt>=8.5,<9", driver=">=535", cuda=">=11", min_compute_capability="8.0", min_memory="16GiB",
            precision=["fp16", "int8"],
        )
        def test_met(): pass
        """
    )
    result = run(pytester, snapshot=READY)
    result.assert_outcomes(passed=1, skipped=7)
    said = text(result)
    for wanted in (
        "uses the refitter: tensorrt>=10.3,<11 is not met: found 8.5.3.1 (tensorrt 8.5.3.1), wanted >=10.3,<11",
        "driver>=590 is not met: found 580.159.04, wanted >=590",
        "cuda~=12.4 is not met: found 13.0.96 and 11.8.89",
        "gpu.compute_capability>=10.0 is not met: found compute capability 9.0 on GPU 0 (NVIDIA H200), wanted >=10.0",
        "gpu.memory>=200GiB is not met: found 140.4 GiB on GPU 0 (NVIDIA H200), wanted >=200GiB",
        "precision:fp8 is not met: found TensorRT 8.5.3.1 (FP8 came with TensorRT 8.6)",
        "not known whether canary is met: found no canary, none was run",
    ):
        assert said.count(wanted) == 2, wanted  # at the test, and in the section with how many
    assert re.search(r"^1 test skipped: driver>=590", said, re.MULTILINE)


def test_a_recorded_canary_meets_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import pytest
        @pytest.mark.trt(canary=True)
        def test_it(trt_canary):
            assert trt_canary.outcome == "passed"
        """
    )
    run(pytester, "--trtdoctor=strict", snapshot=PASSED).assert_outcomes(passed=1)


WRONG = [
    ("driverr='>=535'", "unknown keyword 'driverr'; did you mean driver?"),
    ("driver='535'", "did you mean ==535?"),
    ("requires='tensort>=10'", "did you mean tensorrt>=10?"),
    ("min_memory=16", "min_memory wants text, such as '16GiB', not 16"),
    ("min_compute_capability='86'", "did you mean >=8.6?"),
    ("canary='yes'", "canary is True or False"),
    ("'tensorrt>=10'", "trt(requires='tensorrt>=10')"),
]


@pytest.mark.parametrize("snapshot", [READY, BROKEN], ids=["ready", "broken"])
def test_a_marker_written_wrong_fails_on_every_machine(pytester: pytest.Pytester, snapshot: Path) -> None:
    tests = (f"@pytest.mark.trt({item})\ndef test_{number}(): pass\n" for number, (item, _) in enumerate(WRONG))
    pytester.makepyfile("import pytest\n" + "\n".join(tests))
    result = run(pytester, snapshot=snapshot)
    result.assert_outcomes(errors=len(WRONG))
    for _, said in WRONG:
        assert said in text(result)


def test_a_marker_takes_nothing_it_does_not_know() -> None:
    with pytest.raises(MarkError, match="known: requires, driver"):
        Mark((), {"zzz": 1})
    assert Mark((), {"driver": None}).requirements == ()
    assert Mark((), {"precision": ("fp16", "fp8")}).requirements == ("precision:fp16", "precision:fp8")


def test_a_test_of_a_lean_runtime_does_not_want_to_build(pytester: pytest.Pytester) -> None:
    lean = pytester.path / "lean.json"
    settings = ("tensorrt=10.9.0,product=lean", "gpu=NVIDIA L4", "driver=570.124.06", "cuda=12.8")
    platform = ("os=ubuntu-22.04", "arch=x86_64")
    lean.write_text(snapshot_of(environment_of((*settings, *platform))).to_json(), "utf-8")
    pytester.makepyfile(
        """
        import pytest
        @pytest.mark.trt(requires="tensorrt-lean>=10")
        def test_runtime(): pass
        @pytest.mark.trt
        def test_any(): pass
        @pytest.mark.trt(requires="tensorrt")
        def test_full(): pass
        """
    )
    result = run(pytester, snapshot=lean)
    result.assert_outcomes(passed=1, skipped=2)
    assert "tensorrt is not met: found only TensorRT lean 10.9.0" in text(result)


def test_markers_of_classes_and_unittest_count_and_a_skipped_test_asks_for_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys
        import unittest
        import pytest

        @pytest.mark.skip(reason="not today")
        @pytest.mark.trt
        def test_skipped(): pass

        def test_nothing_was_loaded():
            assert "trtdoctor.judge" not in sys.modules

        @pytest.mark.trt
        class TestClass:
            def test_it(self): assert False

        @pytest.mark.trt(requires="tensorrt")
        class TestCase(unittest.TestCase):
            def setUp(self): raise AssertionError("fixtures come after the marker")
            def test_it(self): pass
        """
    )
    run(pytester, snapshot=BROKEN).assert_outcomes(passed=1, skipped=3)


def test_off_looks_at_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import sys
        import pytest
        @pytest.mark.trt(requires="tensorrt>=99")
        def test_it(): assert "trtdoctor.judge" not in sys.modules
        @pytest.mark.trt
        def test_fixture(trt_env): assert False
        """
    )
    result = run(pytester, "--trtdoctor=off", snapshot=BROKEN)
    result.assert_outcomes(passed=1, skipped=1)
    assert "trtdoctor is off, and this test asks for trt_env" in text(result)
    assert "verdict:" not in text(result)


# -- fixtures ----------------------------------------------------------------------------------------------------------

FIXTURES = """
import pytest
import trtdoctor

def test_facts(trt_env):
    assert isinstance(trt_env, trtdoctor.Environment)
    assert trt_env.verdict is trtdoctor.Verdict.READY
    assert trt_env.verdict == "ready"
    assert trt_env.tensorrt.version == "8.5.3.1"
    assert trt_env.driver.version == "580.159.04"
    assert trt_env.gpu(0).compute_capability == "9.0"
    assert trt_env.snapshot.gpus[0].name == "NVIDIA H200"
    assert trt_env.meets("tensorrt>=8.5")
    trt_env.require("tensorrt>=8.5")

def test_require(trt_env):
    trt_env.require("tensorrt>=8.5", "tensorrt>=10.3")
    print("went on")
"""


def test_require_in_a_test_does_for_the_rest_what_the_marker_does_for_the_whole(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FIXTURES)
    skipped = run(pytester, snapshot=READY)
    skipped.assert_outcomes(passed=1, skipped=1)
    assert re.search(r"^1 test skipped: tensorrt>=10.3 is not met: found 8.5.3.1", text(skipped), re.MULTILINE)
    assert "During handling" not in text(run(pytester, "--trtdoctor=strict", snapshot=READY))
    run(pytester, "--trtdoctor=strict", snapshot=READY).assert_outcomes(passed=1, failed=1)
    report = run(pytester, "--trtdoctor=report", "-s", snapshot=READY)
    report.assert_outcomes(passed=2)
    assert "went on" in text(report)
    assert "1 test run all the same: tensorrt>=10.3" in text(report)


def test_a_file_that_is_no_snapshot_skips_and_fails_when_strict(pytester: pytest.Pytester) -> None:
    bad = pytester.path / "bad.json"
    bad.write_text("{}", "utf-8")
    pytester.makepyfile(PLAIN + "def test_env(trt_env): pass\ndef test_canary(trt_canary): pass\n")
    result = run(pytester, snapshot=bad)
    result.assert_outcomes(skipped=3)
    assert "could not check this environment: SnapshotError: not a snapshot" in text(result)
    run(pytester, "--trtdoctor=strict", "-n", "1", snapshot=bad).assert_outcomes(errors=3)
    run(pytester, "--trtdoctor=report", snapshot=bad).assert_outcomes(passed=1, errors=2)


def test_this_machine_is_checked_once_with_workers(pytester: pytest.Pytester) -> None:
    """The controller takes the facts, for all workers, and only when one asks."""
    checks, canaries = pytester.path / "checks", pytester.path / "canaries"
    pytester.makeconftest(COUNTING.replace("CHECKS", repr(str(checks))).replace("CANARIES", repr(str(canaries))))
    pytester.makepyfile(
        """
        import os
        import sys
        import pytest
        @pytest.mark.parametrize("number", range(6))
        @pytest.mark.trt(requires="tensorrt>=99")
        def test_marked(number): pass
        @pytest.mark.parametrize("number", range(4))
        def test_env(trt_env, number):
            assert trt_env.snapshot.kind == "live"
            assert os.path.samefile(trt_env.python.places[0], sys.executable)
            with open("workers", "a") as stream: stream.write(f"{os.getpid()}\\n")
        """
    )
    result = run(pytester, "-n", "2")
    result.assert_outcomes(passed=4, skipped=6)
    assert re.search(r"^6 tests skipped: tensorrt>=99 is not ", text(result), re.MULTILINE)
    by = checks.read_text().split()
    assert len(by) == 1
    assert by[0] not in (pytester.path / "workers").read_text().split()
    assert not canaries.exists()
    # And without workers.
    checks.unlink()
    run(pytester).assert_outcomes(passed=4, skipped=6)
    assert len(checks.read_text().split()) == 1


def test_nothing_is_left_behind(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    place = pytester.path / "temporary"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    pytester.makepyfile(PLAIN)
    run(pytester, "-n", "2", f"--basetemp={pytester.path / 'base'}", snapshot=READY).assert_outcomes(passed=1)
    assert list(place.iterdir()) == []


def test_a_worker_that_dies_leaves_the_facts_to_its_successor(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os
        import pytest
        @pytest.mark.trt
        def test_a(): os._exit(3)
        @pytest.mark.trt
        def test_b(trt_env): assert trt_env.verdict == "ready"
        """
    )
    result = run(pytester, "-n", "1", snapshot=READY)
    result.assert_outcomes(passed=1, failed=1)


def test_a_real_canary_runs_once_with_workers(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """TensorRT for RTX builds without a GPU: with it the fixture really builds an engine here."""
    python = built("rtx")
    packages = [path for path in sys.path if path.endswith("site-packages")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), *packages]))
    version = subprocess.check_output([python, "-c", "import sys; print(*sys.version_info[:2])"], text=True)
    if tuple(map(int, version.split())) != sys.version_info[:2]:
        pytest.skip("the environment is of another Python")
    checks, canaries = pytester.path / "checks", pytester.path / "canaries"
    pytester.makeconftest(COUNTING.replace("CHECKS", repr(str(checks))).replace("CANARIES", repr(str(canaries))))
    pytester.makepyfile(
        """
        import pytest
        @pytest.mark.parametrize("number", range(3))
        def test_canary(trt_canary, number):
            assert trt_canary.product == "tensorrt-rtx"
            stages = {stage.name: stage.status for stage in trt_canary.stages}
            assert stages["build"] == "passed", trt_canary
        """
    )
    command = [python, "-m", "pytest", "-p", "no:cacheprovider", "-n", "2", "-q"]
    done = subprocess.run(command, cwd=pytester.path, capture_output=True, text=True, check=False)
    assert "3 passed" in done.stdout, done.stdout + done.stderr
    assert re.search(r"^canary: ", done.stdout, re.MULTILINE)
    assert len(checks.read_text().split()) == 1
    assert len(canaries.read_text().split()) == 1


# -- what it costs, and what it says -----------------------------------------------------------------------------------

DUMPING = """
import json, os, sys
def pytest_unconfigure(config):
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    with open(f"{PREFIX}-{worker}.json", "w") as stream: json.dump(sorted(sys.modules), stream)
"""


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
def test_without_a_test_that_asks_nothing_is_imported(pytester: pytest.Pytester, workers: tuple[str, ...]) -> None:
    pytester.makepyfile("def test_it(): pass\n")
    for prefix, options in (("without", ("-p", "no:trtdoctor")), ("with", ())):
        pytester.makeconftest(DUMPING.replace("{PREFIX}", prefix))
        run(pytester, *workers, *options).assert_outcomes(passed=1)
    for worker in ("main", "gw0") if workers else ("main",):
        before = set(json.loads((pytester.path / f"without-{worker}.json").read_text()))
        after = set(json.loads((pytester.path / f"with-{worker}.json").read_text()))
        new = {name for name in after - before if name.partition(".")[0] not in sys.stdlib_module_names}
        assert new == {"trtdoctor", "trtdoctor.pytest_plugin"}


def test_the_header_and_the_marker_are_told(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(): pass\n")
    plain = run(pytester, "--strict-markers")
    assert f"trtdoctor: {__version__}, skip\n" in text(plain)
    assert "verdict:" not in text(plain)
    assert f"trtdoctor: {__version__}, strict, facts of " in text(run(pytester, "--trtdoctor=strict", snapshot=READY))
    assert "@pytest.mark.trt(requires=None, driver=None" in text(run(pytester, "--markers"))


def test_report_says_it_though_no_test_asks(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(): pass\n")
    for workers in ((), ("-n", "1")):
        result = run(pytester, "--trtdoctor=report", *workers, snapshot=BROKEN)
        result.assert_outcomes(passed=1)
        assert "verdict: broken" in text(result)
        assert "error CTR101 This container has no access to a GPU" in text(result)


def test_the_configuration_says_the_same_and_the_command_line_wins(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(PLAIN)
    (pytester.path / "machine.json").write_bytes(AT_RISK.read_bytes())
    pytester.makeini("[pytest]\ntrtdoctor = strict\ntrtdoctor_snapshot = machine.json\ntrtdoctor_fail_on = warning\n")
    run(pytester).assert_outcomes(errors=1)
    run(pytester, "-n", "1").assert_outcomes(errors=1)
    run(pytester, "--trtdoctor=skip").assert_outcomes(skipped=1)
    run(pytester, "--trtdoctor-fail-on=unknown").assert_outcomes(passed=1)
    run(pytester, snapshot=BROKEN).assert_outcomes(errors=1)


@pytest.mark.parametrize(
    ("ini", "said"),
    [
        ("trtdoctor = strickt", "wanted off, report, skip, strict"),
        ("trtdoctor_fail_on = errors", "wanted error, warning, unknown, never"),
        ("trtdoctor_snapshot = nowhere.json", "there is no snapshot"),
    ],
)
def test_a_configuration_written_wrong_stops_the_run(pytester: pytest.Pytester, ini: str, said: str) -> None:
    pytester.makepyfile(PLAIN)
    pytester.makeini(f"[pytest]\n{ini}\n")
    result = run(pytester)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in text(result)


def test_junit_gets_the_report_redacted(pytester: pytest.Pytester) -> None:
    planted = READY.read_text("utf-8").replace("<dir1>", "/home/alice/TOKEN-s3cret")
    assert "TOKEN-s3cret" in planted
    (pytester.path / "private.json").write_text(planted, "utf-8")
    pytester.makepyfile(
        "import pytest\n"
        "@pytest.mark.trt(requires='python>=3.99', reason='odd\\x1b[31m\\u202e\\n::add-mask::x <script>')\n"
        "def test_it(): pass\n"
        "def test_require(trt_env): trt_env.require('package:torch')\n"
    )
    for workers in ((), ("-n", "1")):
        result = run(pytester, "--junitxml=out.xml", *workers, snapshot=pytester.path / "private.json")
        result.assert_outcomes(skipped=2)
        content = (pytester.path / "out.xml").read_text("utf-8")
        for output in (content, text(result)):
            assert "alice" not in output
            assert "TOKEN" not in output
            assert "\x1b[31m" not in output
            assert "\u202e" not in output
            assert "\n::add-mask::" not in output
        suite = next(ET.fromstring(content).iter("testsuite"))
        found = {item.attrib["name"]: item.attrib["value"] for item in suite.iterfind("properties/property")}
        assert found["trtdoctor.verdict"] == "ready"
        assert found["trtdoctor.tensorrt"] == "8.5.3.1 (cu11)"
        assert found["trtdoctor.gpu"] == "NVIDIA H200, 9.0"
        report = json.loads(found["trtdoctor.report"])
        assert report["schema"] == "trtdoctor-report/1"
        assert "snapshot" not in report
        case = next(item for item in suite.iter("testcase") if item.attrib["name"] == "test_it")
        reasons = [item.attrib["value"] for item in case.iterfind("properties/property")]
        assert len(reasons) == 1
        assert "python>=3.99 is not met: found 3.10" in reasons[0]


def test_without_a_test_that_asks_junit_gets_nothing(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(): pass\n")
    run(pytester, "--junitxml=out.xml", snapshot=READY).assert_outcomes(passed=1)
    assert "trtdoctor" not in (pytester.path / "out.xml").read_text("utf-8")


def test_warnings_as_errors_and_odd_clocks_of_a_suite_do_not_matter(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(
        """
        import socket, time
        def refuse(*_): raise AssertionError
        socket.socket.connect = refuse
        time.sleep = refuse
        """
    )
    pytester.makeini("[pytest]\nfilterwarnings = error\n")
    pytester.makepyfile("def test_it(trt_env): assert trt_env.report.program\n")
    run(pytester).assert_outcomes(passed=1)
    run(pytester, "-n", "1").assert_outcomes(passed=1)


# -- other versions of pytest ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["7.*", pytest.param("8.*", marks=pytest.mark.heavy)])
def test_an_older_pytest_does_as_well(pytester: pytest.Pytester, version: str, tmp_path: Path) -> None:
    """A clean environment with that pytest and the package itself (a few MB from the index)."""
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*install, f"pytest=={version}", str(ROOT)], capture_output=True, text=True, check=False)
    if done.returncode:
        reason = f"it cannot be installed here: {done.stderr.strip()[-300:]}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    pytester.makepyfile(FIXTURES + PLAIN)

    def tests(*options: str) -> str:
        command = [str(python), "-W", "error", "-m", "pytest", "--strict-markers", "-rs", *options]
        command.append(f"--trtdoctor-snapshot={READY}")
        ended = subprocess.run(command, cwd=pytester.path, capture_output=True, text=True, check=False)
        return ended.stdout + ended.stderr

    plain = tests("--junitxml=out.xml")
    assert f"pytest-{version[0]}." in plain
    assert "2 passed, 1 skipped" in plain
    assert "verdict: ready" in plain
    assert "trtdoctor.verdict" in (pytester.path / "out.xml").read_text("utf-8")
    assert "1 failed, 2 passed" in tests("--trtdoctor=strict")
