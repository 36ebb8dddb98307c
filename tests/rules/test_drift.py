"""Is this what was planned? Plans of the real planner, held against what they lead to and against what drifts away."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import trtdoctor
from tests.cli.run import complains, run
from tests.conftest import AS_OF, SNAPSHOTS
from tests.plan.plans import (
    JETSON,
    UBUNTU,
    best_plan,
    by_apt,
    by_archive,
    by_image,
    by_pip,
    described,
    environment,
    plan_for,
)
from tests.rules.making import SITE, library, tensorrt
from tests.rules.test_remedies import environments
from trtdoctor.declared import snapshot_of
from trtdoctor.diagnosis import diagnose
from trtdoctor.findings import PLAN, Finding, Report, Severity
from trtdoctor.judge import judge
from trtdoctor.matrix import Matrix, load
from trtdoctor.planned import Planned, from_yaml, to_yaml
from trtdoctor.redaction import redact
from trtdoctor.rules import BY_CODE, RULES
from trtdoctor.rules.base import Context
from trtdoctor.snapshot import (
    Container,
    Distribution,
    Driver,
    Gpu,
    Interpreter,
    Package,
    Platform,
    ProbeOutcome,
    Snapshot,
)
from trtdoctor.stack import Stack

L4 = Gpu(name="NVIDIA L4", compute_capability="8.9", memory_bytes=24 << 30, visible=True)
H200 = Gpu(name="NVIDIA H200", compute_capability="9.0", memory_bytes=140 << 30, visible=True)
PYTHON = "/venv/bin/python"


def against(snapshot: Snapshot, plan: Planned, *goal: str, matrix: Matrix | None = None) -> Report:
    return judge(snapshot, matrix or load(), as_of=AS_OF, goal=goal, planned=plan)


def drift(report: Report) -> dict[str, str]:
    """Code to severity of what has to do with the plan."""
    return {item.code: item.severity.value for item in report.findings if item.code.startswith("POL2")}


def only(report: Report, code: str) -> Finding:
    (found,) = (item for item in report.findings if item.code == code)
    assert found.breaks
    assert len(found.title) <= 160
    return found


def unsure(report: Report) -> list[str]:
    return [item.needed for item in report.unknowns if item.component == PLAN]


def commands(finding: Finding) -> list[str]:
    return [step.text for step in finding.fix if step.kind == "shell"]


def installed(plan: Planned, **changes: str | None) -> tuple[Distribution, ...]:
    """The pins of a plan as a machine has them; by ``tensorrt_cu12="10.7.0"`` others, by None none."""
    wanted = dict(plan.pins) | {name.replace("_", "-"): version for name, version in changes.items()}
    return tuple(Distribution(name, version, SITE) for name, version in wanted.items() if version is not None)


def live(plan: Planned, **changes: Any) -> Snapshot:
    """A real Ubuntu machine with an L4, on which a plan of pip was carried out."""
    settings: dict[str, Any] = {
        "platform": Platform("linux", "ubuntu", "22.04", architecture="x86_64", libc="glibc", glibc="2.35"),
        "driver": Driver(version="580.95.05", installed=True, cuinit_error=0, cuda="13.0"),
        "gpus": (L4,),
        "copies": tensorrt("10.9.0", f"{SITE}/tensorrt_libs", origin="pip", flavour="cu12", owner="x 10.9.0.34"),
        "interpreters": (Interpreter(PYTHON, "3.11.4", "VIRTUAL_ENV", "cpython", distributions=installed(plan)),),
        "searched": ("tensorrt", "cudnn", "cuda", "cublas", "nvrtc"),
        "probes": tuple(ProbeOutcome(name) for name in ("host", "driver", "python", "packages", "libraries")),
    } | changes
    return Snapshot(kind="live", **settings)


def with_distributions(snapshot: Snapshot, *items: Distribution) -> Snapshot:
    return replace(snapshot, interpreters=(replace(snapshot.interpreters[0], distributions=items),))


# -- what matches ------------------------------------------------------------------------------------------------------


def test_what_was_planned_and_done_is_no_drift() -> None:
    plan = by_pip()
    for snapshot in (environment(plan), live(plan), redact(live(plan))):
        report = against(snapshot, plan)
        assert drift(report) == {}
        assert unsure(report) == []
        assert report.against is not None
        assert (report.against.matches, report.against.title) == ("yes", plan.title)
        assert (report.against.made, report.against.matrix) == (AS_OF.isoformat(), load().version)


def test_without_a_plan_nothing_is_said() -> None:
    report = judge(live(by_pip()), load(), as_of=AS_OF)
    assert drift(report) == {}
    assert report.against is None
    assert report.to_plain()["against"] is None


def test_more_than_was_planned_is_no_drift() -> None:
    plan = by_pip()
    more = with_distributions(live(plan), *installed(plan), Distribution("torch", "2.9.0", SITE))
    report = against(replace(more, gpus=(H200, L4), driver=Driver(version="610.1", installed=True)), plan)
    assert drift(report) == {}
    assert report.against is not None
    assert report.against.matches == "yes"


@pytest.fixture(scope="module")
def every_plan() -> list[tuple[str, Planned]]:
    """Plans for every fifth of the described environments, the reported ones among them."""
    chosen = list(environments().items())[::5]
    made = [(name, best_plan(snapshot_of(environment_))) for name, environment_ in chosen]
    return [(name, plan) for name, plan in made if plan is not None]


def test_what_a_plan_leads_to_matches_it(every_plan: list[tuple[str, Planned]]) -> None:
    assert len(every_plan) > 80
    answers = set()
    for name, plan in every_plan:
        read = from_yaml(to_yaml(plan).encode())
        assert read == plan, name
        report = against(snapshot_of(plan.environment), read)
        assert report.against is not None
        assert drift(report) == {}, (name, plan.title)
        answers.add(report.against.matches)
        assert report.against.matches == ("unknown" if unsure(report) else "yes")
    assert answers == {"yes", "unknown"}  # a description has no Debian packages


def test_another_release_never_matches(every_plan: list[tuple[str, Planned]]) -> None:
    seen = 0
    for name, plan in every_plan:
        entries = plan.environment.get("tensorrt", [])
        if len(entries) != 1:
            continue
        seen += 1
        other = {**plan.environment, "tensorrt": [{**entries[0], "version": "6.0.1.5"}]}
        other.pop("packages", None)
        report = against(snapshot_of(other), plan)
        assert "POL207" in drift(report), name
        assert report.verdict.value == "broken"
    assert seen > 50


# -- distributions -----------------------------------------------------------------------------------------------------


def test_another_version_and_a_missing_one_are_named_with_the_exact_way_back() -> None:
    plan = by_pip()
    drifted = installed(plan, tensorrt_cu12_libs="10.16.1.11", tensorrt_cu12_bindings=None)
    finding = only(against(with_distributions(live(plan), *drifted), plan), "POL201")
    assert finding.severity is Severity.ERROR
    assert finding.title == "tensorrt-cu12-bindings 10.9.0.34 of the plan is not installed; 1 more differ"
    assert [(fact.key, fact.value, fact.where) for fact in finding.facts] == [
        ("package tensorrt-cu12-bindings", "none", PYTHON),
        ("package tensorrt-cu12-libs", "10.16.1.11", SITE),
    ]
    assert "tensorrt-cu12-libs==10.9.0.34" in finding.detail
    (command,) = commands(finding)
    assert shlex.split(command) == [
        *(PYTHON, "-m", "pip", "install", "--extra-index-url", "https://pypi.nvidia.com"),
        *("tensorrt-cu12-bindings==10.9.0.34", "tensorrt-cu12-libs==10.9.0.34"),
    ]
    assert finding.components == ("policy", "package", "tensorrt")


def test_the_way_back_leads_back_and_then_there_is_none() -> None:
    plan = by_pip()
    here = with_distributions(live(plan), *installed(plan, tensorrt="10.16.1.11", nvidia_cuda_runtime_cu12="12.9.79"))
    (command,) = commands(only(against(here, plan), "POL201"))
    pinned = dict(word.split("==") for word in shlex.split(command) if "==" in word)
    assert pinned == {"tensorrt": "10.9.0.34", "nvidia-cuda-runtime-cu12": "12.8.90"}
    there = {item.name: item.version for item in here.interpreters[0].distributions} | pinned
    done = with_distributions(here, *(Distribution(name, version, SITE) for name, version in there.items()))
    assert drift(against(done, plan)) == {}


def test_a_tensorrt_of_another_flavour_goes_before_the_planned_one_comes() -> None:
    plan = by_pip()
    other = ("tensorrt-cu13", "tensorrt-cu13-bindings", "tensorrt-cu13-libs")
    more = (*(Distribution(name, "11.4.0.106", SITE) for name in other), Distribution("torch", "2.9.0", SITE))
    here = with_distributions(live(plan), *installed(plan, tensorrt="11.4.0.106", tensorrt_cu12_libs=None), *more)
    gone, command = commands(only(against(here, plan), "POL201"))
    # Its flavours share files: what stays would lose some.
    assert set(shlex.split(gone)[5:]) == {"tensorrt", "tensorrt-cu12", "tensorrt-cu12-bindings", *other}
    assert {word for word in shlex.split(command) if "==" in word} == {
        f"{name}=={version}" for name, version in plan.pins if name.startswith("tensorrt")
    }
    lean = (*installed(plan, tensorrt_cu12="10.7.0"), Distribution("tensorrt-lean", "10.9.0.34", SITE))
    (command,) = commands(only(against(with_distributions(live(plan), *lean), plan), "POL201"))
    assert "tensorrt-cu12==10.9.0.34" in command


@pytest.mark.parametrize(
    ("planned", "found", "differs"),
    [
        ("2.9.0", "2.9.0+cu128", False),  # pip takes a local version for the pin
        ("2.9.0+cu128", "2.9.0", True),
        ("2.9.0+cu128", "2.9.0+cu128", False),
        ("8.6.1.post1", "8.6.1", True),
        ("8.6.1.post1", "8.6.1.post1", False),
        ("12.8", "12.8.0", False),
        ("12.8.90", "12.8.9", True),
        ("10.0.1rc1", "10.0.1", True),
        ("1.0", "not a version", True),
    ],
)
def test_versions_are_the_same_where_pip_takes_them_so(planned: str, found: str, differs: bool) -> None:
    plan = replace(by_pip(), pins=(("torch", planned),))
    here = with_distributions(live(by_pip()), Distribution("torch", found, SITE))
    assert ("POL201" in drift(against(here, plan))) is differs


def test_a_build_of_the_projects_own_index_is_no_pip_line() -> None:
    plan = replace(by_pip(), pins=(("torch", "2.9.0+cu128"), ("tensorrt", "10.9.0.34")))
    finding = only(against(with_distributions(live(by_pip())), plan), "POL201")
    assert [step.kind for step in finding.fix] == ["shell", "manual"]
    assert "torch" not in finding.fix[0].text
    assert "torch==2.9.0+cu128" in finding.fix[1].text


def test_what_the_plan_was_made_beside_is_a_warning_where_it_is_another() -> None:
    plan = by_pip("package.torch=2.8.0")
    assert "torch" not in dict(plan.pins)
    pins = installed(plan)
    assert drift(against(with_distributions(live(plan), *pins), plan)) == {}, "what is left out is no drift"
    assert drift(against(with_distributions(live(plan), *pins, Distribution("torch", "2.8.0+cu128", SITE)), plan)) == {}
    report = against(with_distributions(live(plan), *pins, Distribution("torch", "2.9.1", SITE)), plan)
    finding = only(report, "POL201")
    assert (finding.severity, finding.title) == (Severity.WARNING, "torch 2.9.1 is installed, the plan has 2.8.0")
    assert report.against is not None
    assert report.against.matches == "no"


def test_a_machine_without_tensorrt_is_told_once_and_sent_to_the_plan() -> None:
    plan = by_pip()
    bare = with_distributions(replace(live(plan), copies=()))
    report = against(bare, plan)
    codes = {item.code for item in report.findings if item.severity is Severity.ERROR}
    assert codes == {"POL201"}
    assert {item.code for item in judge(bare, load(), as_of=AS_OF).findings} >= {"TRT101"}
    left_out = judge(bare, load(), as_of=AS_OF, planned=plan, ignore=("POL",))
    assert [item.code for item in left_out.findings if item.severity is Severity.ERROR] == ["TRT101"]
    assert all("tensorrt==10.9.0.34" in text for text in commands(left_out.findings[0]))


def test_no_finding_sends_elsewhere_than_to_the_plan() -> None:
    """A fix that chooses versions anew would lead away from what was planned."""
    plan = by_pip()
    other = [{"version": "11.4.0.106", "from": "pip-cu13"}]
    stated = environment(plan, tensorrt=other, driver="535.104.05", packages={})
    moved = with_distributions(
        replace(live(plan), driver=Driver(version="470.256.02", installed=True), copies=()),
        *installed(plan, tensorrt="11.4.0.106"),
    )
    for here, code in ((stated, "DRV201"), (stated, "POL207"), (moved, "POL201")):
        found = [item for item in against(here, plan).findings if item.severity is Severity.ERROR]
        assert code in {item.code for item in found}
        words = {word for item in found for text in commands(item) for word in shlex.split(text) if "==" in word}
        assert words
        assert words <= {f"{name}=={version}" for name, version in plan.pins}
    # The driver is too old for the plan too: whoever goes back to it needs both.
    too_old = next(item for item in against(moved, plan).findings if item.code == "POL204")
    assert "525" in too_old.fix[0].text


def test_the_python_of_the_plan_gets_what_is_missing() -> None:
    plan = by_pip()
    python = Interpreter("/usr/bin/python3.12", "3.12.3", "PATH")
    report = against(replace(live(plan), interpreters=(python,)), plan)
    assert drift(report) == {"POL201": "error", "POL206": "warning"}
    first, second = commands(only(report, "POL201"))
    assert first == "python3.11 -m venv .venv"
    assert second.startswith(".venv/bin/python -m pip install ")
    some = replace(live(plan), interpreters=(replace(python, distributions=installed(plan, tensorrt="8.6.1")),))
    _, second = commands(only(against(some, plan), "POL201"))
    pinned = {word for word in shlex.split(second) if "==" in word}
    assert pinned == {f"{name}=={version}" for name, version in plan.pins}, "it begins empty"
    same = replace(live(plan), interpreters=(replace(python, distributions=installed(plan)),))
    assert drift(against(same, plan)) == {"POL206": "warning"}


# -- packages and images -----------------------------------------------------------------------------------------------


def debian(plan: Planned, **changes: str | None) -> tuple[Package, ...]:
    wanted = dict(plan.apt) | changes
    return tuple(Package(name, version, "dpkg") for name, version in wanted.items() if version is not None)


def test_debian_packages_are_held_against_the_plan() -> None:
    plan = by_apt()
    copies = tensorrt("10.9.0", origin="apt")
    here = replace(live(plan), copies=copies, packages=debian(plan), interpreters=(Interpreter(PYTHON, "3.11.1"),))
    assert drift(against(here, plan)) == {}
    moved = replace(here, packages=debian(plan, libnvinfer10="10.16.1.11-1+cuda13.2", **{"libnvinfer-bin": None}))
    finding = only(against(moved, plan), "POL202")
    assert (
        finding.title
        == f"libnvinfer10 10.16.1.11-1+cuda13.2 is installed, the plan has {plan.apt[0][1]}; 1 more differ"
    )
    version = dict(plan.apt)["libnvinfer10"]
    options = "-y --allow-downgrades --allow-change-held-packages"
    assert [(step.text, step.needs_root) for step in finding.fix] == [
        ("apt-get update", True),
        (f"apt-get install {options} libnvinfer10={version} libnvinfer-bin={version}", True),
        ("apt-mark hold libnvinfer10 libnvinfer-bin", True),
    ]
    # An epoch of nought is no other version, and a package of a second architecture no drift.
    twice = (*debian(plan, libnvinfer10=f"0:{version}"), Package("libnvinfer10", "8.6.1", "dpkg"))
    assert drift(against(replace(here, packages=twice), plan)) == {}


@pytest.mark.parametrize(
    ("image", "codes"),
    [
        (None, {}),
        ("registry.example:5000/mirror/tensorrt:26.08-py3@sha256:00", {}),
        ("nvcr.io/nvidia/tensorrt:26.08", {}),  # what an image says of itself
        ("nvcr.io/nvidia/tensorrt:26.0", {"POL203": "error"}),
        ("nvcr.io/nvidia/tensorrt:24.05-py3", {"POL203": "error"}),
        ("nvcr.io/nvidia/pytorch:26.08-py3", {"POL203": "error"}),
    ],
)
def test_an_image_is_told_by_name_and_tag(image: str | None, codes: dict[str, str]) -> None:
    plan = by_image()
    assert plan.image == "nvcr.io/nvidia/tensorrt:26.08-py3", "another release: adapt this test"
    report = against(environment(plan, container={"image": image or plan.image, "gpu_access": True}), plan)
    assert drift(report) == codes
    if codes:
        assert commands(only(report, "POL203"))[0] == f"docker pull {plan.image}"


def test_an_image_that_was_built_upon_is_built_again() -> None:
    plan = replace(by_image(), pins=(("polygraphy", "0.49.9"),))
    finding = only(against(environment(plan, container={"image": "nvcr.io/nvidia/tensorrt:24.05-py3"}), plan), "POL203")
    (step,) = finding.fix
    assert (step.kind, "--render dockerfile" in step.text) == ("manual", True)


# -- the machine -------------------------------------------------------------------------------------------------------


def test_a_driver_below_the_floor_is_an_error_and_a_newer_one_is_not() -> None:
    plan = replace(by_pip(), driver_floor="580.65.06")
    for version, found in (("575.57", True), ("580.65.06", False), ("580.95.05", False), ("610.1", False)):
        report = against(replace(live(plan), driver=Driver(version=version, installed=True, cuinit_error=0)), plan)
        assert ("POL204" in drift(report)) is found, version
    finding = only(against(replace(live(plan), driver=Driver(version="575.57", installed=True)), plan), "POL204")
    assert finding.title == "Driver 575.57 is older than the plan is good for: 580.65.06 or newer"
    assert any("580" in step.text for step in finding.fix)
    compat = Driver(version="575.57", installed=True, cuinit_error=0, library_kind="compat")
    assert drift(against(replace(live(plan), driver=compat), plan))["POL204"] == "warning"


def test_no_driver_is_told_by_its_own_rule_and_is_drift_all_the_same() -> None:
    plan = by_pip()
    report = against(replace(live(plan), driver=Driver(installed=False), gpus=()), plan)
    assert "POL204" not in drift(report)
    assert "POL205" not in drift(report)
    assert report.against is not None
    assert report.against.matches == "no"


@pytest.mark.parametrize(
    ("planned", "here", "severity"),
    [
        (("NVIDIA L4, 8.9",), (H200,), "error"),
        (("NVIDIA L4, 8.9",), (L4,), None),
        (("8.9",), (L4,), None),
        (("L4",), (L4,), None),
        (("NVIDIA L4, 8.9",), (replace(L4, name="NVIDIA L40S"),), "warning"),
        (("NVIDIA L4, 8.9", "NVIDIA L4, 8.9"), (L4,), "warning"),
        (("NVIDIA L4, 8.9", "NVIDIA H200, 9.0"), (L4,), "error"),
        (("NVIDIA H200, 9.0",), (L4, H200), None),
        ((), (L4,), None),
    ],
)
def test_a_gpu_of_the_plan_is_looked_for(planned: tuple[str, ...], here: tuple[Gpu, ...], severity: str | None) -> None:
    plan = replace(by_pip(), gpus=planned)
    report = against(replace(live(plan), gpus=here), plan)
    assert drift(report).get("POL205") == severity
    if severity:
        finding = only(report, "POL205")
        assert "plan --write" in finding.fix[0].text
        assert finding.sources


def test_engines_of_tensorrt_for_rtx_run_on_several() -> None:
    plan = described(*UBUNTU, install=("pip",), require=("tensorrt-rtx",))
    report = against(environment(plan, gpus=[{"name": "GeForce RTX 5090"}]), plan)
    assert drift(report) == {"POL205": "warning"}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"arch": "aarch64"}, "POL208"),
        ({"os": "windows-11"}, "POL208"),
        ({"os": "ubuntu-24.04"}, None),
    ],
)
def test_another_system_is_no_place_for_the_plan(changes: dict[str, str], code: str | None) -> None:
    plan = by_pip()
    found = drift(against(environment(plan, **changes), plan))
    assert ("POL208" in found) is (code is not None)
    apt = by_apt()
    assert "POL208" in drift(against(environment(apt, **changes), apt)), "packages are of one release"


def test_a_jetpack_is_held_against_that_of_the_plan() -> None:
    plan = described(*JETSON)
    assert drift(against(environment(plan), plan)) == {}
    assert drift(against(environment(plan, os="jetpack-5.1"), plan))["POL208"] == "error"


# -- what is used ------------------------------------------------------------------------------------------------------


def test_pins_that_are_there_and_not_used_are_drift() -> None:
    plan = by_pip()
    other = tuple(replace(item, loaded=True) for item in tensorrt("8.6.1", "/opt/tensorrt/lib"))
    here = live(plan)
    report = against(replace(here, copies=(*here.copies, *other)), plan)
    finding = only(report, "POL207")
    assert finding.title == "tensorrt 8.6.1 is used, the plan has 10.9.0.34"
    assert finding.facts[0].where == "/opt/tensorrt/lib"
    beside = tensorrt("8.6.1", "/opt/tensorrt/lib")
    assert "POL207" not in drift(against(replace(here, copies=(*here.copies, *beside)), plan)), "not known to be used"


def test_one_cause_is_told_once() -> None:
    plan = by_pip()
    here = with_distributions(live(plan), *installed(plan, tensorrt="8.6.1", tensorrt_cu12_libs="8.6.1"))
    report = against(replace(here, copies=tensorrt("8.6.1", f"{SITE}/tensorrt_libs")), plan)
    assert "POL207" not in drift(report)


def test_of_an_archive_the_files_are_compared() -> None:
    plan = by_archive()
    here = replace(
        live(plan),
        copies=(*tensorrt("10.9.0", "/opt/TensorRT/lib"), library("libcudart", "12.8.90", "/usr/local/cuda/lib64")),
    )
    assert drift(against(here, plan)) == {}
    cuda = replace(here, copies=(*tensorrt("10.9.0", "/opt/TensorRT/lib"), library("libcudart", "12.2.1", "/cuda")))
    assert drift(against(cuda, plan)) == {"POL207": "warning"}
    gone = replace(here, copies=(library("libcudart", "12.8.90", "/cuda"),))
    report = against(gone, plan)
    assert drift(report) == {"POL207": "error"}
    assert "TRT101" not in {item.code for item in report.findings}


# -- what nobody knows -------------------------------------------------------------------------------------------------


def test_what_was_never_looked_at_is_unknown_and_neither_fine_nor_an_error() -> None:
    for plan in (by_pip(), by_apt(), by_image(), by_archive()):
        for snapshot in (Snapshot(kind="declared"), Snapshot(kind="live")):
            report = against(snapshot, plan)
            assert drift(report) == {}
            assert unsure(report)
            assert report.verdict.value in ("unknown", "at-risk", "broken")
            assert report.against is not None
            assert report.against.matches == "unknown"
            assert report.fails("unknown")


@pytest.mark.parametrize("outcome", ["failed", "timed-out", "crashed", "partial"])
def test_a_probe_that_did_not_end_well_says_of_nothing_that_it_is_missing(outcome: str) -> None:
    probes = (ProbeOutcome("python", outcome), ProbeOutcome("packages", outcome))
    for plan in (by_pip(), by_apt()):
        here = replace(with_distributions(live(plan)), probes=probes)
        report = against(here, plan)
        assert not {"POL201", "POL202"} & set(drift(report))
        assert any(("tensorrt" in text or "libnvinfer" in text) for text in unsure(report))


def test_a_distribution_that_nobody_looks_for_is_not_said_to_be_missing() -> None:
    plan = replace(by_pip(), pins=(*by_pip().pins, ("some-package", "1.0")))
    report = against(live(by_pip()), plan)
    assert drift(report) == {}
    assert unsure(report) == ["whether some-package of the plan is here"]


def test_a_version_that_is_known_in_part_may_be_the_planned_one() -> None:
    plan = by_pip()
    partly = environment(plan, packages={**plan.environment["packages"], "tensorrt": "10.9"})
    report = against(partly, plan)
    assert drift(report) == {}
    assert unsure(report) == ["whether tensorrt of the plan is here"]
    wrong = environment(plan, packages={**plan.environment["packages"], "tensorrt": "10.8"})
    assert drift(against(wrong, plan)) == {"POL201": "error"}


def test_a_container_that_says_nothing_of_its_image_is_not_judged() -> None:
    plan = by_image()
    for container in (None, Container(runtime="docker")):
        report = against(replace(environment(plan), container=container), plan)
        assert "POL203" not in drift(report)
        assert "whether this is the image of the plan" in unsure(report)


# -- the plan itself ---------------------------------------------------------------------------------------------------


def matrix_as(version: str, digest: str = "0" * 64) -> Matrix:
    """The matrix under another name."""
    known = load()
    made = Matrix(version, digest, known.data)
    made.origin = "directory"
    return made


def test_a_matrix_that_is_older_than_the_plan_is_told() -> None:
    plan = by_pip()
    older = only(against(live(plan), plan, matrix=matrix_as("2026.1.0")), "POL211")
    assert older.severity is Severity.WARNING
    assert older.title == f"Matrix 2026.1.0 judges here; the plan rests on {load().version}"
    changed = only(against(live(plan), plan, matrix=matrix_as(load().version)), "POL211")
    assert changed.severity is Severity.INFO
    newer = against(live(plan), plan, matrix=matrix_as("2099.1.0"))
    assert drift(newer) == {}
    assert newer.against is not None
    assert newer.against.matches == "yes"


def test_a_plan_in_which_todays_matrix_finds_an_error_is_outdated() -> None:
    """As if the plan came of a matrix that did not know yet that this release does not serve the GPU."""
    plan = replace(
        described(*UBUNTU[:3], "gpu=Tesla V100", "driver=580.95.05", install=("pip",), require=("tensorrt==10.4.*",)),
        matrix="2026.1.0",
        matrix_digest="0" * 64,
    )
    pins = tuple((name, version.replace("10.4.0", "10.9.0.34")) for name, version in plan.pins)
    named = {"tensorrt": [{"version": "10.9.0.34", "from": "pip-cu12"}], "packages": dict(pins)}
    plan = replace(plan, pins=pins, environment={**plan.environment, **named})
    report = against(snapshot_of(plan.environment), plan)
    finding = only(report, "POL212")
    assert finding.severity is Severity.WARNING
    assert "finds" in finding.title
    assert re.search(r"GPU\d{3}", finding.detail)
    assert finding.sources
    assert "plan --write" in finding.fix[0].text
    assert report.against is not None
    assert report.against.matches == "yes", "the machine is what was planned; the plan is what is wrong"
    # Nobody is sent back to such a plan.
    elsewhere = against(environment(plan, tensorrt=[{"version": "11.4.0.106", "from": "pip-cu13"}], packages={}), plan)
    assert all("10.9.0.34" not in text for item in elsewhere.findings for text in commands(item))


def test_what_was_wrong_with_the_machine_anyway_is_not_laid_to_the_plan() -> None:
    plan = by_image()
    broken = {**plan.environment, "container": {**plan.environment["container"], "gpu_access": False}}
    old = replace(plan, environment=broken, matrix="2026.1.0", matrix_digest="0" * 64)
    assert "POL212" not in drift(against(snapshot_of(broken), old))


def test_a_plan_of_this_very_matrix_is_not_judged_again() -> None:
    plan = by_pip()
    context = Context(Stack(live(plan), load()), load(), AS_OF, frozenset(("build",)), planned=plan)
    diagnose(context)
    assert "plan: errors" not in context.memory


# -- a real machine ----------------------------------------------------------------------------------------------------

RECORDED = ("h200.json", "h200-trt853.json", "h200-x2.json", "torch.json", "rtx.json", "trt853.json")


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_machine_matches_the_plan_that_keeps_it(name: str) -> None:
    snapshot = Snapshot.from_json((SNAPSHOTS / name).read_bytes())
    plan = plan_for(snapshot)
    report = against(snapshot, plan)
    if plan.install == "keep":
        assert drift(report) == {}, plan.title
    else:
        assert drift(report), "it was to be changed"
    read = from_yaml(to_yaml(plan).encode())
    assert drift(against(snapshot, read)) == drift(report)
    assert "<dir" not in "".join(text for kind, text in plan.commands if kind == "shell")


def test_a_recorded_machine_is_led_to_what_is_planned_for_it() -> None:
    snapshot = Snapshot.from_json((SNAPSHOTS / "h200-trt853.json").read_bytes())
    plan = plan_for(snapshot, "pip", require=("tensorrt==10.9.*",))
    report = against(snapshot, plan)
    assert drift(report) == {"POL201": "error"}
    gone, command = commands(only(report, "POL201"))
    assert gone.endswith(" -m pip uninstall -y tensorrt"), "it installs the modules of the planned one"
    pinned = {word for word in shlex.split(command) if "==" in word}
    assert pinned <= {f"{name}=={version}" for name, version in plan.pins}
    first = snapshot.interpreters[0]
    there = {item.name: item for item in first.distributions if item.name != "tensorrt"}
    there |= {name: Distribution(name, version, SITE) for name, version in plan.pins}
    copies = tuple(item for item in snapshot.copies if item.component != "tensorrt")
    done = replace(
        with_distributions(snapshot, *there.values()),
        copies=(*copies, *tensorrt("10.9.0", f"{SITE}/tensorrt_libs", origin="pip", flavour="cu12")),
    )
    assert drift(against(done, plan)) == {}


# -- rules, API and command --------------------------------------------------------------------------------------------


def test_what_a_rule_is_told_instead_of_exists() -> None:
    better = {code for rule in RULES for code in rule.instead_of}
    assert better == {"TRT101"}
    assert better <= set(BY_CODE)


def test_a_hostile_plan_gets_into_no_text_of_a_report() -> None:
    text = to_yaml(by_pip()).replace("title: TensorRT", 'title: "\\e[31m##[error]\\nx" # TensorRT')
    plan = from_yaml(text.encode())
    from trtdoctor.render import CI_FORMATS, render

    report = against(redact(with_distributions(live(plan))), plan)
    for kind in ("table", *CI_FORMATS):
        made = render(report, kind)
        assert "\x1b" not in made
        assert "##[" not in made


def test_the_api_takes_a_plan_or_its_file(tmp_path: Path) -> None:
    plan = by_pip()
    file = tmp_path / "plan.yaml"
    file.write_text(to_yaml(plan))
    for given in (plan, file, str(file)):
        report = trtdoctor.check(environment(plan), against=given, as_of=AS_OF)
        assert report.against is not None
        assert report.against.matches == "yes"
    with pytest.raises(trtdoctor.NotReadyError, match="POL201"):
        trtdoctor.assert_ready(snapshot=with_distributions(live(plan)), against=file, as_of=AS_OF)
    file.write_text("schema: other")
    with pytest.raises(ValueError, match="no plan"):
        trtdoctor.check(environment(plan), against=file)
    with pytest.raises(OSError, match="gone"):
        trtdoctor.check(environment(plan), against=tmp_path / "gone.yaml")


def test_the_command_says_whether_it_matches(tmp_path: Path) -> None:
    plan = by_pip()
    file = tmp_path / "trtdoctor-plan.yaml"
    file.write_text(to_yaml(plan))
    (tmp_path / "here.json").write_text(live(plan).to_json())
    (tmp_path / "moved.json").write_text(with_distributions(live(plan), *installed(plan, tensorrt="8.6.1")).to_json())
    as_of = ("--as-of", AS_OF.isoformat())
    good = run("check", "--snapshot", "here.json", "--against", str(file), *as_of, cwd=tmp_path)
    assert good.code == 0, good.out + good.err
    assert "this is what was planned" in " ".join(good.out.split())
    bad = run("check", "--snapshot", "moved.json", "--against", "-", "--format", "json", *as_of, cwd=tmp_path,
              stdin=file.read_bytes())  # fmt: skip
    assert bad.code == 1
    document = json.loads(bad.out)
    assert document["against"] == {
        "title": plan.title,
        "made": AS_OF.isoformat(),
        "matrix": load().version,
        "matches": "no",
    }
    (tmp_path / "trtdoctor.toml").write_text('against = "trtdoctor-plan.yaml"\n')
    (tmp_path / "below").mkdir()
    configured = run("check", "--snapshot", "../moved.json", *as_of, cwd=tmp_path / "below")
    assert configured.code == 1
    assert "POL201" in configured.out
    assert "POL201" in run("check", "--snapshot", "moved.json", "--no-config", "--format", "markdown", *as_of,
                           cwd=tmp_path, TRTDOCTOR_AGAINST="trtdoctor-plan.yaml").out  # fmt: skip
    changed = run("diff", "here.json", "moved.json", *as_of, cwd=tmp_path)
    assert changed.code == 1
    assert "POL201 is new" in changed.out


def test_a_file_that_is_no_plan_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text(live(by_pip()).to_json())
    (tmp_path / "x.yaml").write_text("schema: trtdoctor-report/1\n")
    (tmp_path / "trtdoctor.toml").write_text('# here\nagainst = "x.yaml"\n')
    for given, said in (
        (("--against", "x.yaml"), "plan x.yaml: no plan"),
        (("--against", "gone.yaml"), "No such file"),
    ):
        assert said in complains(run("check", "--snapshot", "host.json", "--no-config", *given, cwd=tmp_path))
    assert "trtdoctor.toml:2: plan" in complains(run("check", "--snapshot", "host.json", cwd=tmp_path))
    assert "only one of" in run("check", "--snapshot", "-", "--against", "-").err
