"""A plan written, read, and rendered: the same from the file as at once, by schemas and by linters."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.conftest import ROOT
from tests.plan.asking import L4, ask, machine, policy, trt
from tests.rules.test_remedies import made
from trtdoctor.plan.model import PlanReport
from trtdoctor.plan.write import planned
from trtdoctor.planned import Planned, PlannedError, from_yaml, to_yaml

RENDERS = ("dockerfile", "requirements", "constraints", "apt", "markdown")
JETSON = {
    "os": "jetpack-6.0",
    "arch": "aarch64",
    "gpus": [{"name": "Jetson AGX Orin"}],
    "tensorrt": trt("8.6.2", "jetpack"),
}


@lru_cache(maxsize=1)
def reports() -> dict[str, PlanReport]:
    """Answers that between them have everything that a plan can have."""
    old = machine(tensorrt=trt("10.7.0", "pip-cu12"), gpus=[{"name": "GeForce RTX 5090"}], driver="535.104.05")
    return {
        "pip": ask(L4, install=("pip",)),
        "pip and a driver": ask(old),
        "rtx": ask(L4, "tensorrt-rtx", install=("pip",)),
        "torch of another index": ask(machine(driver="535.104.05"), "torch==2.11.*", install=("pip",)),
        "another python": ask(machine(tensorrt=trt("8.6.1", "pip-cu12")), keep=("tensorrt",)),
        "apt": ask(L4, install=("apt",)),
        "apt before 10": ask(machine(python="3.10"), "tensorrt==8.6.*", install=("apt",)),
        "apt and pip": ask(L4, "onnxruntime-gpu", install=("apt",)),
        "debian": ask(machine(os="debian-12"), install=("apt",)),
        "container": ask(L4, install=("container",)),
        "container and pip": ask(L4, "onnxruntime-gpu", install=("container",)),
        "archive": ask(machine(os="windows-11", driver="580.88"), install=("archive",)),
        "jetpack": ask(JETSON, "tensorrt>=10.3"),
        "keep": ask(machine(tensorrt=trt("10.9.0", "pip-cu12"), engine={"tensorrt": "8.6.1"}, wants=["run"])),
        "nothing": ask(machine(tensorrt=trt("10.16.1.11", "pip-cu13"))),
        "impossible": ask(L4, "tensorrt>=99"),
        "policy": ask(L4, policy=policy(deny="tensorrt>=11")),
    }


@lru_cache(maxsize=1)
def written() -> dict[str, Planned]:
    """Every plan of these, as it is written down."""
    return {
        f"{name} {number}": planned(report, plan)
        for name, report in reports().items()
        for number, plan in enumerate(report.plans, 1)
    }


def rendered(plan: Planned, kind: str) -> str | None:
    """The text; None where a plan has none of that kind, which is one clear line."""
    try:
        made: str = import_module(f"trtdoctor.render.plan_{kind}").render(plan)
    except PlannedError as error:
        assert str(error).isprintable()
        return None
    assert made.endswith("\n")
    assert all(line.isprintable() and line == line.rstrip() for line in made.splitlines()), made
    return made


def texts(kind: str) -> dict[str, str]:
    found = {name: rendered(plan, kind) for name, plan in written().items()}
    return {name: text for name, text in found.items() if text is not None}


def tool(name: str, *arguments: str, stdin: str) -> str:
    """What a linter complains of."""
    command = [str(Path(sys.executable).parent / name), *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, check=False)
    return "" if done.returncode == 0 else done.stdout + done.stderr


# -- schemas -----------------------------------------------------------------------------------------------------------


def validator(name: str) -> jsonschema.Draft202012Validator:
    document = json.loads((ROOT / "trtdoctor" / "schemas" / f"{name}.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(document)
    return jsonschema.Draft202012Validator(document)


def test_every_answer_keeps_to_its_schema() -> None:
    check = validator("plan")
    some = {**reports(), **{f"made {seed}": ask(made(seed)) for seed in range(12)}}
    assert any(report.impossible for report in some.values())
    assert any(report.refused for report in some.values())
    for name, report in some.items():
        document = json.loads(json.dumps(report.to_plain()))
        assert [error.message for error in check.iter_errors(document)] == [], name
        assert document["schema"] == "trtdoctor-plan/1"
        for plan in document["plans"]:
            assert all({"component", "from", "to", "kind"} <= change.keys() for change in plan["changes"])
    with pytest.raises(jsonschema.ValidationError):
        check.validate({**document, "plans": [{"changes": [{"kind": "magic"}]}]})


def test_every_file_keeps_to_its_schema() -> None:
    check = validator("plan-file")
    for name, plan in written().items():
        document: Any = yaml.safe_load(to_yaml(plan))
        assert [error.message for error in check.iter_errors(document)] == [], name
        for key in document:
            if key != "commands":
                assert [error for error in check.iter_errors({**document, key: 7})] != [], key  # noqa: C416


# -- the file ----------------------------------------------------------------------------------------------------------


def test_from_the_file_comes_what_came_at_once() -> None:
    for name, plan in written().items():
        again = from_yaml(to_yaml(plan).encode())
        assert again == plan, name
        assert to_yaml(again) == to_yaml(plan), name
        for kind in RENDERS:
            assert rendered(again, kind) == rendered(plan, kind), f"{name}: {kind}"


def test_the_file_says_which_steps_need_root_and_a_new_start() -> None:
    document: Any = yaml.safe_load(to_yaml(written()["pip and a driver 1"]))
    steps = {step["text"].split()[0]: step for step in document["commands"]}
    assert steps["apt-get"]["root"] is True
    assert any(step.get("reboot") for step in document["commands"])
    assert "root" not in steps["python3"]
    assert "(as root, then reboot)" in texts("markdown")["pip and a driver 1"]


def test_what_is_in_a_file_is_exact() -> None:
    document: Any = yaml.safe_load(to_yaml(written()["rtx 1"]))
    assert document["pip"]["extra_index"] is None
    names = {item["name"] for item in document["files"]}
    assert any(name.startswith("tensorrt_rtx_cu13_libs-") and name.endswith(".whl") for name in names)
    assert all(len(item["sha256"]) == 64 and item["size"] > 0 for item in document["files"])
    assert document["driver"] == {"at_least": "580.65.06", "download": "https://www.nvidia.com/en-us/drivers/"}
    assert document["gpus"] == ["NVIDIA L4, 8.9"]
    assert document["made"]["on"] == "2026-11-22"
    stub: Any = yaml.safe_load(to_yaml(written()["pip 1"]))
    assert [item["origin"] for item in stub["files"] if item.get("stub")] == ["https://pypi.nvidia.com"]


# -- linters -----------------------------------------------------------------------------------------------------------


def test_dockerfiles_pass_hadolint() -> None:
    every_file = texts("dockerfile")
    assert {name.rpartition(" ")[0] for name in every_file} >= {
        *("pip", "rtx", "apt", "container", "container and pip", "another python", "debian", "apt before 10"),
    }
    once = sorted(set(every_file.values()))
    for text in once:
        assert tool("hadolint", "--no-color", "-", stdin=text) == "", text
    assert "DL3007" in tool("hadolint", "--no-color", "-", stdin="FROM ubuntu:latest\n"), "the linter takes anything"


def test_a_dockerfile_has_all_of_the_plan() -> None:
    for name, text in texts("dockerfile").items():
        plan = written()[name]
        for item, version in plan.apt:
            assert f"{item}={version}" in text, name
        if not plan.apt:
            assert all(f"{item}=={version}" in text for item, version in plan.pins), name
        assert text.count("\nFROM ") + text.startswith("FROM ") == 1, name
        if plan.driver_floor:
            assert f"# The host needs driver {plan.driver_floor} or newer" in text, name
    assert "FROM ubuntu:22.04\nADD https://developer.download.nvidia.com/" in texts("dockerfile")["apt 1"]
    assert "FROM debian:12\n" in texts("dockerfile")["debian 1"]
    assert "FROM python:3.11-slim\n" in texts("dockerfile")["another python 1"]
    assert "keep 1" not in texts("dockerfile"), "what is there is not in any image"


def test_scripts_for_apt_pass_shellcheck() -> None:
    scripts = texts("apt")
    assert {"apt 1", "apt before 10 1", "debian 1"} <= scripts.keys()
    for name, text in scripts.items():
        assert tool("shellcheck", "-", stdin=text) == "", name
        lines = text.splitlines()
        places = [next(n for n, line in enumerate(lines) if line.startswith(word)) for word in ("curl", "dpkg")]
        places += [
            n for n, line in enumerate(lines) if line.startswith(("apt-get update", "apt-get i", "apt-mark hold"))
        ]
        assert places == sorted(places), name
        assert "set -e" in lines, name


def test_requirements_are_lines_that_pip_takes() -> None:
    from packaging.requirements import Requirement

    for kind in ("requirements", "constraints"):
        assert len(texts(kind)) >= 8
        for name, text in texts(kind).items():
            plain = text.replace(" \\\n    ", " ")
            lines = [line for line in plain.splitlines() if line and not line.startswith(("#", "--"))]
            named = {
                item.name: str(item.specifier) for item in (Requirement(line.partition(" --hash")[0]) for line in lines)
            }
            wanted = {item: f"=={version}" for item, version in written()[name].pins}
            elsewhere = {item for item, version in written()[name].pins if "+" in version}
            assert named == {
                item: text for item, text in wanted.items() if kind == "constraints" or item not in elsewhere
            }
            assert ("--extra-index-url https://pypi.nvidia.com" in text) == (
                kind == "requirements" and written()[name].extra_index is not None
            )
    for name in ("torch of another index 1", "torch of another index 2"):
        if any("+" in version for _, version in written()[name].pins):
            assert "# from the project's own index of such builds: torch==2.11.0+cu" in texts("requirements")[name]
            break
    else:
        pytest.fail("no plan with a build of another index")


def test_hashes_stand_where_every_file_is_known_and_nowhere_else() -> None:
    hashed = {name for name, text in texts("requirements").items() if "--hash=sha256:" in text}
    assert "rtx 1" in hashed
    for name, text in texts("requirements").items():
        lines = [line for line in text.splitlines() if "==" in line and not line.startswith("#")]
        assert text.count("--hash=") == (len(lines) if name in hashed else 0), name
        stubs = [item for item in written()[name].files if item.stub]
        assert not (stubs and name in hashed), name
        if name not in hashed:
            assert "# without hashes: " in text, name


def test_markdown_is_a_page() -> None:
    from markdown_it import MarkdownIt

    for name, text in texts("markdown").items():
        tokens = MarkdownIt("commonmark").enable("table").parse(text)
        titles = [tokens[n + 1].content for n, token in enumerate(tokens) if token.type == "heading_open"]
        assert titles[0], name
        if written()[name].changes:
            assert {"What changes", "How"} <= set(titles), name
        fences = [token.content.rstrip("\n") for token in tokens if token.type == "fence"]
        shell = [command for kind, command in written()[name].commands if kind == "shell"]
        assert fences == shell, name


def test_what_a_plan_does_not_have_is_said_in_a_line() -> None:
    for name, kind in (
        ("container 1", "requirements"),
        ("pip 1", "apt"),
        ("archive 1", "dockerfile"),
        ("jetpack 1", "apt"),
    ):
        with pytest.raises(PlannedError, match=r"^this plan "):
            import_module(f"trtdoctor.render.plan_{kind}").render(written()[name])


def test_the_long_table_has_every_pin_file_and_fact() -> None:
    from trtdoctor.render import plan_table

    for name, report in reports().items():
        short, long = plan_table.render(report), " ".join(plan_table.render(report, verbose=True).split())
        assert ("result" in long) == bool(report.plans), name
        assert "  result   " not in short, name
        for plan in report.plans:
            assert all(f"{what}=={version}" in long for what, version in plan.pins), name
            assert all(f"{what}={version}" in long for what, version in plan.apt), name
            assert all(item.name in long and (item.sha256 or "") in long for item in plan.artefacts), name
            assert f"driver {plan.environment.get('driver')}" in long or "driver" not in plan.environment, name


def test_an_image_that_is_built_from_a_plain_one_asks_for_the_driver() -> None:
    for name, text in texts("dockerfile").items():
        plain = any(line.startswith(("FROM python:", "FROM ubuntu:", "FROM debian:")) for line in text.splitlines())
        assert ("ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility" in text) == plain, name
