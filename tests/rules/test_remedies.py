"""What is advised can be had, is not known to be bad, and mends what it is advised for."""

from __future__ import annotations

import json
import random
import re
import shlex
import subprocess
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pytest

from benchmarks.incidents import CASES
from tests.conftest import ROOT
from tests.rules.judging import AS_OF
from tests.rules.making import declared, judged, live, only, package, tensorrt
from trtdoctor.declared import snapshot_of
from trtdoctor.findings import Finding, Fix, Report, Severity
from trtdoctor.judge import judge
from trtdoctor.matrix import artefacts, load
from trtdoctor.matrix.tensorrt import known_issues, releases
from trtdoctor.plan.commands import commands
from trtdoctor.plan.fixes import way_out
from trtdoctor.plan.settle import Candidate
from trtdoctor.rules.base import MAX_TITLE, Context, Rule, in_order
from trtdoctor.stack import Stack
from trtdoctor.versions import Answer, Version, within
from trtdoctor.yamlfile import parse

INDEX = {
    name: [Version.parse(text) for text in versions]
    for name, versions in json.loads((ROOT / "tests" / "data" / "index-2026-11-22.json").read_text())[
        "projects"
    ].items()
}
GOAL = ("build", "run")
ONLY_NVIDIA = ("tensorrt-libs",)
"""What only NVIDIA's own index has: the package index has a warning package of that name."""
GPUS = (
    *("Tesla V100", "Tesla T4", "NVIDIA A100", "NVIDIA L4", "NVIDIA H200", "NVIDIA B200", "GeForce GTX 1080 Ti"),
    *("GeForce RTX 3080", "GeForce RTX 4090", "GeForce RTX 5090", "Tesla K80", "Tesla P40"),
)
DRIVERS = ("470.256.02", "525.147.05", "535.104.05", "550.54.14", "570.86.10", "580.95.05", None)
CUDAS = ("10.2", "11.8", "12.2", "12.8", "13.0", None, None)
PLACES = (("ubuntu-22.04", "x86_64"), ("ubuntu-24.04", "x86_64"), ("windows-11", "x86_64"), ("linux", "aarch64"))
ORIGINS = ("pip", "pip", "pip", "unknown", "apt", "tar", "container")


def made(seed: int) -> dict[str, Any]:
    """A described environment, put together at random: most are at odds with themselves."""
    draw = random.Random(seed)
    rows = [row for row in load().rows("tensorrt", "releases") if row.text("status") == "ga"]
    row = draw.choice(rows)
    packages = row.get("packages").value
    version = draw.choice(packages) if isinstance(packages, list) and draw.random() < 0.6 else row.key
    origin = draw.choice(ORIGINS)
    if origin == "pip" and draw.random() < 0.5:
        origin = "pip-" + draw.choice([name for name in row.get("builds").value or {"cu12": 0} if name[:2] == "cu"])
    system, arch = draw.choice(PLACES)
    found: dict[str, Any] = {"os": system, "arch": arch, "tensorrt": [{"version": version, "from": origin}]}
    found["gpus"] = [{"name": draw.choice(GPUS)}]
    for key, values in (("driver", DRIVERS), ("python", ("3.8", "3.10", "3.12", "3.13", None))):
        if value := draw.choice(values):
            found[key] = value
    if cuda := draw.choice(CUDAS):
        found["cuda"] = [{"version": cuda, "from": "unknown"}]
    if system == "linux" and draw.random() < 0.5:
        found["glibc"] = draw.choice(("2.17", "2.28", "2.35", "2.41"))
    if draw.random() < 0.3:
        found["wants"] = ["build", draw.choice(("fp16", "cpp", "api:num_io_tensors", "api:binding_is_input"))]
    return found


@lru_cache(maxsize=1)
def environments() -> dict[str, dict[str, Any]]:
    """Described environments by name: the reported ones where they are there, and 400 of our own."""
    found = {f"made {seed}": made(seed) for seed in range(400)}
    if CASES.is_file():
        found |= {case["id"]: case["environment"] for case in parse(CASES.read_bytes())}
    return found


def report_on(environment: dict[str, Any]) -> Report:
    return judge(snapshot_of(environment), load(), as_of=AS_OF)


@lru_cache(maxsize=1)
def told() -> list[tuple[str, dict[str, Any], Report, Finding]]:
    """Every finding on every environment."""
    return [
        (name, environment, report, finding)
        for name, environment in environments().items()
        for report in [report_on(environment)]
        for finding in report.findings
    ]


def requirements(command: str) -> Iterator[tuple[str, str]]:
    """Name and specifier of everything that a pip command installs."""
    words = shlex.split(command)
    if words[1:4] != ["-m", "pip", "install"]:
        return
    for word in words[4:]:
        match = re.fullmatch(r"([a-z0-9-]+?)([=<>!].*)?", word)
        if match and not word.startswith("-"):
            yield match[1], match[2] or ""


def test_there_is_something_to_test() -> None:
    assert len({finding.code for _, _, _, finding in told()}) >= 12
    assert sum(step.kind == "shell" for _, _, _, finding in told() for step in finding.fix) >= 150


def test_every_command_is_valid_bash() -> None:
    commands = sorted({step.text for _, _, _, finding in told() for step in finding.fix if step.kind == "shell"})
    assert all("\n" not in command for command in commands)
    done = subprocess.run(["bash", "-n"], input="\n".join(commands), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_version_that_is_named_can_be_had() -> None:
    seen = 0
    for name, _, _, finding in told():
        for step in finding.fix:
            for project, specifier in requirements(step.text) if step.kind == "shell" else ():
                seen += 1
                published = [*INDEX.get(project, ()), *map(Version.parse, artefacts.versions(load(), project))]
                fitting = [version for version in published if within(version, specifier) is Answer.YES]
                if project in ONLY_NVIDIA:
                    continue
                assert not specifier or fitting, f"{name}: {finding.code}: {step.text}"
                if project.startswith("tensorrt") and project != "tensorrt-llm":
                    assert specifier, f"{name}: {finding.code}: {step.text} takes whatever is newest"
                    rows = releases(load(), max(fitting, key=lambda version: version.parts))
                    assert [row.text("status") for row in rows] == ["ga"], f"{name}: {step.text}"
    assert seen >= 80


def test_no_release_is_advised_that_is_known_to_be_bad() -> None:
    for name, environment, _, finding in told():
        if finding.remedy is None or finding.code in ("TRT102", "TRT103"):
            continue
        platform = "windows-x86_64" if str(environment.get("os")).startswith("windows") else "linux-x86_64"
        for step in finding.fix:
            for project, specifier in requirements(step.text) if step.kind == "shell" else ():
                if not project.startswith("tensorrt") or project in (*ONLY_NVIDIA, "tensorrt-llm"):
                    continue
                named = re.search(r"-(cu\d+)", project)
                flavour = named[1] if named else finding.remedy.detail("flavour")
                fitting = [version for version in INDEX[project] if within(version, specifier) is Answer.YES]
                newest = max(fitting, key=lambda version: (version.parts, version.suffix))
                for row, answer in known_issues(load(), "tensorrt", newest, platform, flavour):
                    always = row.text("when") in (None, "pip") and row.text("judged_by") is None
                    bad = always and answer is Answer.YES and row.text("severity") != "info"
                    assert not bad, f"{name}: {finding.code}: {step.text}: {row.key}"


def followed(environment: dict[str, Any], report: Report) -> tuple[list[Fix], Candidate | None]:
    """The commands of the way out that the planner finds for a report, and what comes out of it."""
    goal = frozenset(environment.get("wants", GOAL))
    context = Context(Stack(snapshot_of(environment), load()), load(), AS_OF, goal)
    found = way_out(context, report.findings)
    return (list(commands(*found)), found[1]) if found is not None else ([], None)


def test_what_is_advised_leaves_no_error() -> None:
    """Who follows every command of a report ends in an environment without an error."""
    tried = 0
    for name, environment in environments().items():
        report = report_on(environment)
        if not any(item.severity is Severity.ERROR for item in report.findings):
            continue
        steps, candidate = followed(environment, report)
        if candidate is None:
            continue
        after = report_on(candidate.environment)
        left = [item for item in after.findings if item.severity is Severity.ERROR]
        own = {text.split()[0] for text in candidate.remaining}
        assert {item.code for item in left} <= own, f"{name}: {environment}: {steps} leaves {left[0].title}"
        tried += 1
    assert tried >= 150


def test_the_fix_of_an_error_is_part_of_that_way_out() -> None:
    """Commands that put another version in place are those of the plan, never something of their own."""
    seen = 0
    for name, environment in environments().items():
        report = report_on(environment)
        wrong = [item for item in report.findings if item.severity is Severity.ERROR]
        steps, candidate = followed(environment, report) if wrong else ([], None)
        for finding in wrong if candidate is not None else ():
            for step in finding.fix:
                if step.kind == "shell" and " pip install " in step.text:
                    assert step in steps, f"{name}: {finding.code}: {step.text}"
                    seen += 1
    assert seen >= 50


def test_titles_are_short_and_begin_with_what_they_are_about() -> None:
    for name, _, _, finding in told():
        assert len(finding.title) <= MAX_TITLE + 10, f"{name}: {finding.code}: {finding.title}"
        word = finding.title.split()[0]
        assert word[0].isupper() or "-" in word or word.rstrip(":") in ("torch", "glibc", "tensorrt", "libcuda"), (
            finding.title
        )
        assert not finding.title.endswith("."), finding.title


# -- single pieces of advice ------------------------------------------------------------------------------------------


CU12 = [f"tensorrt-cu12{part}==10.16.1.11" for part in ("", "-bindings", "-libs")]


def test_a_new_gpu_gets_the_newest_release_of_the_same_major_and_flavour() -> None:
    report = declared(
        os="ubuntu-22.04",
        arch="x86_64",
        driver="580.95.05",
        python="3.12",
        gpus=[{"name": "GeForce RTX 5090"}],
        tensorrt=[{"version": "10.7.0", "from": "pip-cu12"}],
    )
    steps = [step.text for step in only(report, "GPU201").fix]
    assert steps == [
        "python3 -m pip uninstall -y tensorrt",
        f"python3 -m pip install --extra-index-url https://pypi.nvidia.com {' '.join(CU12)}",
    ]


def test_an_old_gpu_gets_the_last_release_of_the_same_major_that_serves_it() -> None:
    volta = {"os": "ubuntu-22.04", "arch": "x86_64", "driver": "550.54.14", "gpus": [{"name": "Tesla V100"}]}
    found = only(declared(**volta, tensorrt=[{"version": "10.9.0", "from": "pip-cu12"}]), "GPU201")
    assert found.remedy is not None
    assert found.remedy.wanted == "==10.4.0.*"


@pytest.mark.parametrize(
    ("origin", "words"),
    [
        ("apt", "apt-get install -y --allow-downgrades --allow-change-held-packages libnvinfer10=10."),
        ("tar", "Download TensorRT 10.16.1.11 (tar) from"),
        ("container", "docker pull nvcr.io/nvidia/tensorrt:"),
    ],
)
def test_what_pip_did_not_bring_comes_in_the_way_in_which_it_came(origin: str, words: str) -> None:
    report = declared(
        os="ubuntu-22.04",
        arch="x86_64",
        gpus=[{"name": "GeForce RTX 5090"}],
        tensorrt=[{"version": "10.7.0", "from": origin}],
    )
    steps = [step.text for step in only(report, "GPU201").fix]
    assert any(text.startswith(words) for text in steps), steps


def wheels(flavour: str, version: str) -> tuple[Any, ...]:
    """The three distributions of one flavour."""
    head = f"tensorrt-{flavour}"
    return tuple(package(name, version, libraries=name != head) for name in (head, f"{head}-bindings", f"{head}-libs"))


@pytest.mark.parametrize(("torch", "kept"), [(None, "cu13"), ("2.9.0+cu128", "cu12")])
def test_two_flavours_go_and_one_comes_back(torch: str | None, kept: str) -> None:
    packages = (*wheels("cu12", "11.4.0.106"), *wheels("cu13", "11.4.0.106"))
    packages += (package("torch", torch, libraries=True),) if torch else ()
    copies = tensorrt("11.4.0", "/venv/lib/python3.12/site-packages/tensorrt_libs")
    gone, back = only(judged(live(*copies, packages=packages)), "TRT104").fix
    assert set(gone.text.split()[5:]) == {item.name for item in packages if item.name != "torch"}
    assert back.text == f"/venv/bin/python -m pip install tensorrt-{kept}==11.4.0.106"


def test_the_cudnn_that_torch_requires_comes_back() -> None:
    torch = package("torch", "2.9.0+cu128", libraries=True)
    torch.requires = ("nvidia-cudnn-cu12==9.10.2.21; platform_system == 'Linux'",)  # type: ignore[misc]
    both = (package("nvidia-cudnn-cu12", "9.10.2.21"), package("nvidia-cudnn-cu13", "9.28.1.4"), torch)
    gone, back = only(judged(live(packages=both)), "DNN104").fix
    assert gone.text.endswith("uninstall -y nvidia-cudnn-cu12 nvidia-cudnn-cu13")
    assert back.text.endswith("pip install nvidia-cudnn-cu12==9.10.2.21")


def test_early_access_and_documented_releases_are_never_the_newest() -> None:
    found = only(judged(live(python="3.12.3")), "TRT101")
    assert " tensorrt==11.4.0.106 " in found.fix[0].text


def test_an_innocent_environment_gets_no_advice() -> None:
    report = declared(
        os="ubuntu-22.04",
        arch="x86_64",
        driver="580.95.05",
        gpus=[{"name": "NVIDIA L4"}],
        tensorrt=[{"version": "10.16.1", "from": "pip-cu13"}],
        python="3.12",
    )
    assert [item for item in report.findings if item.severity is not Severity.INFO] == []
    assert not any(item.code.startswith(("TRT1", "GPU", "PYT", "CUD1", "DNN")) for item in report.findings)


# -- the order of rules -----------------------------------------------------------------------------------------------


def a_rule(code: str, *silenced_by: str) -> Rule:
    """A rule that finds nothing."""
    return Rule(code, code, Severity.INFO, ("gpu",), (), silenced_by, lambda _: ())


def test_a_silencer_runs_first_and_nothing_else_moves() -> None:
    written = [a_rule("A1", "C1"), a_rule("A2"), a_rule("B1"), a_rule("C1", "B1"), a_rule("C2", "A1")]
    assert [rule.code for rule in in_order(written)] == ["A2", "B1", "C1", "A1", "C2"]


def test_a_circle_of_rules_and_an_unknown_silencer_are_errors() -> None:
    with pytest.raises(ValueError, match="circle: A1, A2"):
        in_order([a_rule("A1", "A2"), a_rule("A2", "A1"), a_rule("A3")])
    with pytest.raises(ValueError, match="A1 is silenced by X9"):
        in_order([a_rule("A1", "X9")])
