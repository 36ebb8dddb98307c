"""Which stacks are found for a question, in which order, and what stays."""

from __future__ import annotations

from typing import Any

import pytest

from tests.plan.asking import L4, Environment, ask, errors_in, first, machine, question, trt
from trtdoctor.matrix import Matrix, frameworks
from trtdoctor.plan.answer import MOST
from trtdoctor.plan.builds import builds
from trtdoctor.plan.model import KINDS, Change, Plan, weight
from trtdoctor.plan.search import rank, search
from trtdoctor.versions import Answer, Version, within


def changed(plan: Plan) -> list[str]:
    return [change.component.removeprefix("package:") for change in plan.changes]


def tensorrt_of(plan: Plan) -> Environment:
    """The TensorRT that is used in the end."""
    entries = plan.environment["tensorrt"]
    return next((entry for entry in entries if entry.get("loaded")), entries[-1])


# -- the order ---------------------------------------------------------------------------------------------------------


def change(kind: str, component: str = "tensorrt", after: str = "1") -> Change:
    return Change(component, None, after, kind)


def test_a_pip_pin_comes_before_a_system_package_before_a_driver_before_hardware() -> None:
    order = ["rebuild-engine", "pip", "python", "archive", "apt", "container", "driver", "jetpack", "hardware"]
    weights = [weight([change(kind)]) for kind in order]
    assert weights == sorted(weights)
    assert len(set(weights)) == len(weights)
    assert set(order) <= set(KINDS)


def test_one_command_is_one_step_however_many_libraries_it_brings() -> None:
    pip = weight([change("pip")])
    assert weight([change("pip"), change("pip", "cudnn"), change("pip", "cublas")]) == pip
    assert pip < weight([change("pip"), change("pip", "package:torch")]) < 2 * pip
    assert weight([change("apt"), change("apt", "cudnn")]) == 2 * weight([change("apt")])
    code = weight([change("change-code", "code")])
    assert code < weight([change("change-code", "code"), change("change-code", "code", "2")]) < 2 * code
    assert weight([]) == 0


def test_what_an_index_has_comes_before_a_build_that_is_fetched_by_hand() -> None:
    plans = ask(L4, "torch==2.9.*", "tensorrt", install=("pip",)).plans
    assert [dict(plan.pins)["torch"] for plan in plans[:2]] == ["2.9.1", "2.9.1+cu130"]
    assert "manual" not in {step.kind for step in plans[0].commands}


@pytest.mark.parametrize(
    ("release", "majors"), [("11.3.0", {"12", "13"}), ("11.4.0", {"13"}), ("10.9.0", {"11", "12"})]
)
def test_an_archive_is_offered_for_the_cuda_that_it_comes_for(matrix: Matrix, release: str, majors: set[str]) -> None:
    found = builds(matrix, "full", "archive", ("linux-x86_64",))
    assert {build.flavour[2:] for build in found if build.release == release} == majors


def test_of_what_costs_the_same_the_cuda_that_is_there_comes_first_then_the_newest() -> None:
    both = machine(tensorrt=trt("10.7.0", "pip-cu12"), gpus=[{"name": "GeForce RTX 5090"}])
    titles = [plan.title for plan in ask(both, install=("pip",)).plans[:2]]
    assert titles == ["TensorRT 10.16.1.11 for CUDA 12 by pip", "TensorRT 10.16.1.11 for CUDA 13 by pip"]
    none = [plan.title for plan in ask(L4, install=("pip",)).plans[:2]]
    assert none == ["TensorRT 11.4.0.106 for CUDA 13 by pip", "TensorRT 11.4.0.106 for CUDA 12 by pip"]


def test_a_stack_that_check_warns_of_comes_after_one_of_which_it_does_not() -> None:
    """CUDA 12 is there, so TensorRT for CUDA 13 is warned of (CUD101); both take one pip command."""
    report = ask(machine(cuda=[{"version": "12.8", "from": "apt"}]), install=("pip",), top=6)
    ties = [plan for plan in report.plans if plan.cost == report.plans[0].cost]
    warned = [bool(plan.warnings) for plan in ties]
    assert True in warned
    assert warned == sorted(warned)


def test_support_life_comes_before_the_newest(matrix: Matrix) -> None:
    """Of the driver branch: R470 is kept no longer, what is advised is."""
    turing = [{"name": "Tesla T4"}]
    old = question(machine(driver="470.256.02", gpus=turing))
    (stays,) = search(old, top=1, most=MOST).candidates
    asked = question(machine(driver="470.256.02", gpus=turing), "tensorrt>=11")
    raised = search(asked, top=4, most=MOST).candidates
    assert {item.environment["driver"] for item in raised} == {"580.178.04"}
    places = [rank(asked, item, 0) for item in raised]
    assert rank(old, stays, 0)[4] == 0
    assert all(place[4] == -(2028 * 12 + 6) for place in places)


def test_of_a_major_only_the_best_is_shown_unless_all_are_asked_for() -> None:
    few = ask(L4, install=("pip",), top=50)
    names = [(plan.title.split()[1].partition(".")[0], plan.title.split()[4]) for plan in few.plans]
    assert len(names) == len(set(names))
    many = ask(L4, install=("pip",), top=50, every=True)
    assert len(many.plans) > 2 * len(few.plans)
    assert [plan.title for plan in few.plans[:1]] == [plan.title for plan in many.plans[:1]]


@pytest.mark.parametrize("top", [1, 2, 5])
def test_as_many_as_are_asked_for_and_the_same_ones(top: int) -> None:
    whole = [plan.title for plan in ask(L4, top=8).plans]
    assert [plan.title for plan in ask(L4, top=top).plans] == whole[:top]


def test_what_is_there_is_not_installed_again() -> None:
    there = machine(tensorrt=trt("10.16.1.11", "pip-cu13"))
    report = ask(there, top=10)
    assert report.plans[0].changes == ()
    assert all("10.16.1.11 for CUDA 13 by pip" not in plan.title for plan in report.plans)
    unknown = machine(tensorrt=trt("10.4"), wants=["build", "api:getNbBindings"])
    assert all("10.4" not in plan.title for plan in ask(unknown, top=10).plans[1:])


# -- what stays --------------------------------------------------------------------------------------------------------

OLD: Environment = machine(
    driver="535.104.05",
    tensorrt=trt("8.6.1", "pip-cu12"),
    cuda=[{"version": "12.1", "from": "apt"}],
    cudnn=[{"version": "8.9.2", "from": "apt"}],
    packages={"torch": "2.1.2"},
    gpus=[{"name": "GeForce RTX 5090"}],
)
"""Everything in it has to move for the GPU."""


@pytest.mark.parametrize(
    ("word", "key"),
    [
        ("driver", "driver"),
        ("python", "python"),
        ("cuda", "cuda"),
        ("cudnn", "cudnn"),
        ("tensorrt", "tensorrt"),
        ("torch", "packages"),
        ("os", "os"),
        ("container", "container"),
    ],
)
def test_what_is_kept_really_stays(word: str, key: str) -> None:
    environments = [
        {**OLD, "driver": "580.95.05"}
        if word not in ("driver", "tensorrt")
        else {**OLD, "gpus": [{"name": "Tesla T4"}]},
        machine(container={"image": "nvcr.io/nvidia/tensorrt:22.07-py3", "gpu_access": True}),
    ]
    seen = 0
    for environment in environments:
        for plan in ask(environment, keep=(word,), top=10).plans:
            seen += 1
            if key in ("cuda", "cudnn"):  # beside them something else may be used
                versions = [entry["version"] for entry in plan.environment.get(key, ())]
                assert all(entry["version"] in versions for entry in environment.get(key, ())), plan.title
                assert word not in changed(plan)
            elif key == "tensorrt":
                for entry in environment.get(key, ()):
                    assert Version.parse(entry["version"]).may_be(Version.parse(tensorrt_of(plan)["version"]))
            elif key == "packages":
                there = environment.get(key, {}).get(word)
                assert there is None or plan.environment["packages"][word] == there, plan.title
            elif key == "container":
                image = environment.get(key, {}).get("image")
                assert image is None or plan.environment[key]["image"] == image, plan.title
            elif key == "python" and key in environment:
                assert Version.parse(plan.environment[key]).may_be(Version.parse(environment[key])), plan.title
            elif key in environment and not (key == "os" and plan.install == "container"):  # the host's stays
                assert plan.environment[key] == environment[key], plan.title
    assert seen >= 1


def test_keeping_an_engine_or_code_keeps_the_tensorrt_that_they_are_for() -> None:
    built = machine(
        tensorrt=trt("10.9.0", "pip-cu13"),
        engine={"tensorrt": "8.6.1", "version_compatible": False},
        wants=["run"],
        python="3.11",
    )
    assert changed(first(built)) == ["engine"]
    assert all(tensorrt_of(plan)["version"].startswith("8.6.1") for plan in ask(built, keep=("engine",)).plans)
    calls = machine(tensorrt=trt("10.9.0", "pip-cu13"), wants=["build", "api:binding_is_input"])
    assert all(Version.parse(tensorrt_of(plan)["version"]).major < 10 for plan in ask(calls, keep=("code",)).plans)


def test_several_things_that_stay_leave_what_is_between_them() -> None:
    plan = first(machine(driver="535.104.05", python="3.10"), "tensorrt>=11", keep=("driver", "python"))
    assert changed(plan) == ["tensorrt"]
    assert tensorrt_of(plan) == {"version": "11.4.0.106", "from": "pip-cu12"}


def test_another_python_begins_empty() -> None:
    environment = machine(
        python="3.12", tensorrt=trt("8.6.1", "pip-cu12"), packages={"torch": "2.2.2", "numpy": "1.26.4"}
    )
    plan = first(environment, keep=("tensorrt",))
    assert plan.environment["python"] == "3.11"
    texts = [step.text for step in plan.commands]
    assert texts[0] == "python3.11 -m venv .venv"
    assert "torch==2.2.2" in texts[1]
    assert "numpy==1.26.4" in texts[1]


# -- ways --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("way", "environment"),
    [
        ("pip", L4),
        ("apt", L4),
        ("container", L4),
        ("archive", L4),
        ("jetpack", {"os": "jetpack-6.0", "arch": "aarch64", "gpus": [{"name": "Jetson AGX Orin"}]}),
    ],
)
def test_each_way_gives_only_plans_of_its_own(way: str, environment: Environment) -> None:
    require = ("tensorrt>=10",) if way != "jetpack" else ("tensorrt>=10.3",)
    plans = ask(environment, *require, install=(way,), top=5).plans
    assert plans
    assert {plan.install for plan in plans} <= {way, "keep"}
    assert bool(plans[0].pins) == (way == "pip")
    assert bool(plans[0].apt) == (way == "apt")


def test_several_ways_that_will_do() -> None:
    ways = {plan.install for plan in ask(L4, install=("apt", "container"), top=8).plans}
    assert ways == {"apt", "container"}


def test_the_way_in_which_it_came_is_gone_on_with() -> None:
    for origin, way in (("pip-cu12", "pip"), ("apt", "apt"), ("tar", "archive")):
        environment = machine(tensorrt=trt("10.3.0", origin), gpus=[{"name": "GeForce RTX 5090"}])
        assert first(environment).install == way, origin


# -- what is required --------------------------------------------------------------------------------------------------


def met(plan: Plan, name: str, specifier: str) -> bool:
    version = plan.environment["packages"][name]
    return not specifier or within(Version.parse(version.partition("+")[0]), specifier) is Answer.YES


@pytest.mark.parametrize("text", ["tensorrt==10.9.*", "tensorrt>=10.3,<10.9", "tensorrt~=11.1"])
def test_a_tensorrt_that_is_required(text: str) -> None:
    for plan in ask(machine(tensorrt=trt("8.6.1", "pip-cu12"), python="3.10"), text, top=6).plans:
        version = plan.environment.get("tensorrt", [{}])[-1].get("version") or plan.title.split()[1]
        assert within(Version.parse(version), text.removeprefix("tensorrt")) is Answer.YES, plan.title


@pytest.mark.parametrize(
    ("name", "specifier"),
    [
        ("torch", "==2.11.*"),
        ("torch", ""),
        ("onnxruntime-gpu", ""),
        ("onnxruntime-gpu", "<1.27"),
        ("torch-tensorrt", ""),
        ("torch-tensorrt", "==2.9.*"),
        ("tensorrt-llm", ""),
    ],
)
def test_a_framework_that_is_required_comes_with_the_tensorrt_that_it_goes_with(
    name: str, specifier: str, matrix: Matrix
) -> None:
    report = ask(L4, f"{name}{specifier}", install=("pip",), top=6)
    assert report.plans, report.impossible
    for plan in report.plans:
        assert met(plan, name, specifier), plan.title
        version = Version.parse(plan.environment["packages"][name])
        row = frameworks.row(matrix, name, version)
        assert row is not None
        used = Version.parse(tensorrt_of(plan)["version"])
        assert frameworks.loads(row, used).answer is not Answer.NO or name == "torch", plan.title
        assert frameworks.accepts(row, "tensorrt", used).answer is not Answer.NO, plan.title
        flavour = row.text("flavour")
        if name != "torch" and flavour is not None:
            assert tensorrt_of(plan)["from"] == f"pip-{flavour}", plan.title
        assert errors_in(plan.environment) == []
        assert not [text for text in plan.warnings if text.startswith("FWK")], plan.warnings


def test_a_framework_that_is_there_in_another_release_is_moved() -> None:
    environment = machine(tensorrt=trt("10.16.1.11", "pip-cu13"), packages={"torch": "2.9.0"})
    plan = first(environment, "torch==2.11.*")
    assert changed(plan) == ["torch"]
    assert plan.environment["packages"]["torch"].startswith("2.11.")


def test_a_product_that_is_required() -> None:
    plan = first(L4, "tensorrt-rtx")
    assert changed(plan) == ["tensorrt-rtx"]
    assert tensorrt_of(plan)["product"] == "rtx"
    archive = first(L4, "tensorrt-rtx", install=("archive",))
    assert changed(archive) == ["tensorrt-rtx"]
    assert "https://developer.nvidia.com/tensorrt-rtx" in archive.commands[0].text


@pytest.mark.parametrize(
    ("text", "have", "fits"),
    [
        ("driver>=590", "580.95.05", ">=590"),
        ("driver==580.*", "535.104.05", "==580.*"),
        ("driver<590", "610.57.04", "<590"),
    ],
)
def test_a_driver_that_is_required(text: str, have: str, fits: str) -> None:
    for plan in ask(machine(driver=have, tensorrt=trt("10.9.0", "pip-cu12")), text, top=4).plans:
        assert "driver" in changed(plan), plan.title
        assert within(Version.parse(plan.environment["driver"]), fits) is Answer.YES, plan.title
    assert "driver" not in changed(first(machine(driver=have), f"driver>={have}"))


def test_a_driver_that_nobody_knows_is_told_its_bounds() -> None:
    kepler = ask(machine(driver=None, gpus=[{"name": "Tesla K80"}]), every=True, top=20)
    assert kepler.plans
    for plan in kepler.plans:
        assert plan.driver_floor is None or Version.parse(plan.driver_floor).major <= 470, plan.title
        assert plan.install == "jetpack" or "no driver newer than R470 serves compute capability 3.7" in plan.warnings
    assert not any("no driver newer" in text for text in first(machine(driver=None)).warnings)


def test_a_python_that_is_required() -> None:
    plan = first(machine(python="3.10"), "python>=3.12", install=("pip",))
    assert Version.parse(plan.environment["python"]).at_least(Version.parse("3.12")) is Answer.YES
    assert "python" in changed(plan)


@pytest.mark.parametrize(
    ("require", "more", "word"),
    [
        (("tensorrt>=99",), {}, "tensorrt>=99, which is required"),
        (("driver>=999",), {}, "driver>=999, which is required"),
        (("torch==99.*",), {}, "torch, which is required"),
        (("tensorrt>=11", "onnxruntime-gpu"), {}, "onnxruntime-gpu"),
        (("tensorrt-rtx", "tensorrt-rtx>=9"), {}, "tensorrt-rtx>=9, which is required"),
        (("gpu.memory>=200GiB",), {"gpus": [{"name": "Tesla T4", "memory_gib": 16}]}, "gpu.memory>=200GiB"),
        (("python==3.5.*",), {"install": "pip"}, "python==3.5.*, which is required"),
    ],
)
def test_what_cannot_be_met_is_said_to_be_so(require: tuple[str, ...], more: dict[str, Any], word: str) -> None:
    install = (more.pop("install"),) if "install" in more else ()
    report = ask(machine(**more), *require, install=install)
    assert report.plans == ()
    assert report.impossible is not None
    assert any(word in reason for reason in report.impossible.reasons), report.impossible.reasons


def test_asking_changes_nothing_that_was_asked_about() -> None:
    asked = question(OLD)
    before = repr(asked.environment)
    search(asked, top=5, most=MOST)
    assert repr(asked.environment) == before
