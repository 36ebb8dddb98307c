"""``plan --from mirror``: only what the mirrors were seen to have is offered, and nobody is asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.run import complains, run
from tests.mirror.facts import BUILDS, CHECKED, cu12, cu13, oci, pypi, tag
from tests.rules.judging import AS_OF
from trtdoctor.declared import snapshot_of
from trtdoctor.judge import judge
from trtdoctor.matrix import load
from trtdoctor.mirror.state import State, write
from trtdoctor.mirror_facts import MirrorSide, MirrorSource
from trtdoctor.obtainable import Obtainable
from trtdoctor.plan.answer import answer
from trtdoctor.plan.model import PlanReport
from trtdoctor.plan.question import Question
from trtdoctor.plan.write import planned
from trtdoctor.planned import from_yaml, to_yaml
from trtdoctor.render import plan_dockerfile, plan_requirements

MACHINE = {
    "os": "ubuntu-22.04",
    "arch": "x86_64",
    "python": "3.12",
    "driver": "580.95.05",
    "gpus": [{"name": "NVIDIA L4"}],
}
NEW, OLD = "11.4.0.106", "10.16.1.11"
RUNTIME = (("nvidia-cuda-runtime-cu12", "12.9.79"), ("nvidia-cuda-runtime", "13.0.96"))


def plans(*sources: MirrorSource, **more: Any) -> PlanReport:
    held = Obtainable(sources, load())
    return answer(Question(snapshot_of(MACHINE), load(), as_of=AS_OF, goal=("build", "run"), held=held, **more), top=5)


def versions(report: PlanReport) -> set[str]:
    return {entry["version"] for plan in report.plans for entry in plan.environment["tensorrt"]}


def test_what_the_mirror_lacks_is_not_offered() -> None:
    both = (*cu13(NEW), *cu13(OLD), *cu12(OLD), *RUNTIME, *BUILDS)
    whole = plans(pypi(both, both))
    assert NEW in versions(whole)
    behind = plans(pypi(both, (*cu13(OLD), *RUNTIME, *BUILDS)))
    assert behind.plans
    assert versions(behind) == {OLD}
    assert {plan.install for plan in behind.plans} == {"pip"}
    assert all("tensorrt-cu12" not in dict(plan.pins) for plan in behind.plans)


def test_a_stub_without_its_wheel_is_not_offered() -> None:
    both = (*cu13(NEW), *cu13(OLD), *RUNTIME, *BUILDS)
    report = plans(pypi(both, both, wheels=[("tensorrt-cu13-libs", OLD)], own_wheels=False))
    assert versions(report) == {OLD}
    (command,) = [fix.text for fix in report.plans[0].commands]
    assert (
        "--index-url https://mirror.example/simple --extra-index-url https://mirror.example/nvidia/simple " in command
    )


def test_what_is_written_down_names_the_mirror() -> None:
    both = (*cu13(OLD), *RUNTIME, *BUILDS)
    report = plans(pypi(both, both, wheels=[("tensorrt-cu13-libs", OLD)], own_wheels=False))
    written = from_yaml(to_yaml(planned(report, report.plans[0])).encode())
    mirror, wheels = "https://mirror.example/simple", "https://mirror.example/nvidia/simple"
    assert (written.index, written.extra_index) == (mirror, wheels)
    text = plan_requirements.render(written)
    assert f"--index-url {mirror}\n--extra-index-url {wheels}\n" in text
    assert "--index-url" not in plan_requirements.render(written, offline=True)
    assert f"--index-url {mirror} --extra-index-url {wheels} " in plan_dockerfile.render(written)
    assert {item.origin for item in written.files if item.stub} <= {wheels}
    images = plans(oci(tag("26.07-py3")))
    written = planned(images, images.plans[0])
    assert written.image == "registry.example:5000/ngc/nvidia/tensorrt:26.07-py3"
    assert f"FROM {written.image}" in plan_dockerfile.render(written)
    assert from_yaml(to_yaml(written).encode()) == written
    found = judge(snapshot_of(written.environment), load(), planned=written, as_of=AS_OF)
    assert "POL203" not in {finding.code for finding in found.findings}


def test_a_mirror_with_nothing_says_what_is_lacking() -> None:
    both = (*cu13(NEW), *BUILDS)
    report = plans(pypi(both, BUILDS))
    assert not report.plans
    assert report.impossible is not None
    assert any("mirror" in reason for reason in report.impossible.reasons)


def test_of_a_mirror_of_images_only_images_are_offered() -> None:
    report = plans(oci(tag("26.07-py3"), tag("26.10-py3", "missing")))
    images = [plan.environment["container"]["image"] for plan in report.plans]
    assert images == ["nvcr.io/nvidia/tensorrt:26.07-py3"]
    pulled = report.plans[0].commands[0].text
    assert pulled == "docker pull registry.example:5000/ngc/nvidia/tensorrt:26.07-py3"


def test_an_image_comes_from_the_mirror_that_has_it_whatever_its_upstream() -> None:
    above, here = "https://hub.example/ngc/nvidia/tensorrt", "http://cell.example:5000/trt"
    sides = (MirrorSide("upstream", above, "ok"), MirrorSide("mirror", here, "ok"))
    one = oci(tag("26.07-py3"), tag("26.03-py3", "missing"))
    other = replace(oci(tag("26.07-py3", "missing"), tag("26.03-py3")), id="cell", sides=sides)
    report = plans(one, replace(other, upstream=above, mirror=here))
    pulled = {plan.commands[0].text for plan in report.plans}
    assert "docker pull registry.example:5000/ngc/nvidia/tensorrt:26.07-py3" in pulled
    assert "docker pull cell.example:5000/trt:26.03-py3" in pulled
    elsewhere = replace(oci(), upstream="https://nvcr.io/nvidia/mytensorrt")
    assert not plans(elsewhere).plans


def test_a_framework_that_the_mirror_lacks_is_not_taken() -> None:
    both = (*cu13(NEW), *cu12(OLD), *RUNTIME, *BUILDS, ("torch", "2.9.1"), ("torch", "2.8.0"))
    report = plans(pypi(both, [pin for pin in both if pin != ("torch", "2.9.1")]))
    taken = {dict(plan.pins).get("torch") for plan in report.plans}
    assert "2.9.1" not in taken


def test_the_command_goes_by_the_state_file_and_asks_nobody(tmp_path: Path) -> None:
    both = (*cu13(NEW), *cu13(OLD), *RUNTIME, *BUILDS)
    write(str(tmp_path / "state.json"), State(taken=CHECKED, sources=(pypi(both, (*cu13(OLD), *RUNTIME, *BUILDS)),)))
    (tmp_path / "machine.yaml").write_text(json.dumps(MACHINE))
    words = ["plan", "--declared", str(tmp_path / "machine.yaml"), "--from", "mirror", "--format", "json"]
    done = run(*words, "--state", str(tmp_path / "state.json"))
    assert done.code == 0, done.err
    pins = [dict(pin.split("==") for pin in plan["pins"]) for plan in json.loads(done.out)["plans"]]
    assert {found["tensorrt-cu13"] for found in pins} == {OLD}
    assert "none yet" in complains(run(*words, "--state", str(tmp_path / "other.json")))
    (tmp_path / "other.json").write_text("{}")
    complains(run(*words, "--state", str(tmp_path / "other.json")))


@pytest.mark.parametrize("option", ["--state"])
def test_a_state_without_from_mirror_is_refused(option: str, tmp_path: Path) -> None:
    assert "--from mirror" in complains(run("plan", option, str(tmp_path / "state.json")))
