"""What is advised can be had, is not known to be bad, and mends what it is advised for."""

from __future__ import annotations

import json
import random
import re
import shlex
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from functools import lru_cache
from typing import Any

import pytest

from benchmarks.incidents import CASES
from tests.conftest import ROOT
from tests.rules.judging import AS_OF
from tests.rules.making import declared, judged, live, only, package, tensorrt
from trtdoctor.declared import snapshot_of
from trtdoctor.findings import Finding, Report, Severity
from trtdoctor.judge import judge
from trtdoctor.matrix import load
from trtdoctor.matrix.tensorrt import known_issues, releases
from trtdoctor.rules.base import MAX_TITLE, Rule, in_order
from trtdoctor.versions import Answer, Version, within
from trtdoctor.yamlfile import parse

INDEX = {
    name: [Version.parse(text) for text in versions]
    for name, versions in json.loads((ROOT / "tests" / "data" / "index-2026-11-22.json").read_text())[
        "projects"
    ].items()
}
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
                published = INDEX[project]
                fitting = [version for version in published if within(version, specifier) is Answer.YES]
                assert not specifier or fitting, f"{name}: {finding.code}: {step.text}"
                if project.startswith("tensorrt"):
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
                if not project.startswith("tensorrt"):
                    continue
                flavour = finding.remedy.detail("flavour")
                fitting = [version for version in INDEX[project] if within(version, specifier) is Answer.YES]
                newest = max(fitting, key=lambda version: (version.parts, version.suffix))
                for row, answer in known_issues(load(), "tensorrt", newest, platform, flavour):
                    always = row.text("when") in (None, "pip") and row.text("judged_by") is None
                    bad = always and answer is Answer.YES and row.text("severity") != "info"
                    assert not bad, f"{name}: {finding.code}: {step.text}: {row.key}"


def applied(environment: dict[str, Any], finding: Finding) -> dict[str, Any]:
    """The described environment after the advice was taken."""
    remedy = finding.remedy
    assert remedy is not None
    assert remedy.wanted is not None
    after = deepcopy(environment)
    entries = after["tensorrt"] if isinstance(after["tensorrt"], list) else [after["tensorrt"]]
    flavour = remedy.detail("flavour")
    origin = f"pip-{flavour}" if remedy.action == "replace" else entries[0].get("from", "unknown")
    after["tensorrt"] = [{"version": remedy.wanted.strip("=.*"), "from": origin}]
    gone = {*(remedy.detail("remove") or "").split(), *(name for name, _ in requirements(finding.fix[-1].text))}
    if "packages" in after:
        after["packages"] = {name: version for name, version in after["packages"].items() if name not in gone}
    for name, specifier in requirements(finding.fix[-1].text):
        if name.startswith("nvidia-cudnn"):
            after["cudnn"] = [{"version": specifier.partition(",")[0].strip(">="), "from": "pip"}]
    if needed := re.search(r"with CUDA ([0-9.]+)", finding.fix[-1].text):
        after["cuda"] = [{"version": needed[1], "from": "unknown"}]
    if needed := re.search(r"cuDNN ([0-9.]+) or", finding.fix[-1].text):
        after["cudnn"] = [{"version": needed[1], "from": "unknown"}]
    in_image = finding.fix[-1].text.startswith("Use an image")
    if remedy.action == "replace" or in_image:  # wheels and images bring the CUDA that they were built with, and use it
        row = releases(load(), Version.parse(remedy.wanted.strip("=.*")))[0]
        after["cuda"] = [{"version": row.text("builds", flavour or _of_image(finding), "built_with"), "from": "pip"}]
    return after


def _of_image(finding: Finding) -> str:
    match = re.search(r"for CUDA (\d+)", finding.fix[-1].text)
    return f"cu{match[1]}" if match else ""


def test_the_advised_release_mends_what_it_is_advised_for() -> None:
    tried: dict[str, int] = {}
    for name, environment, _, finding in told():
        remedy = finding.remedy
        if remedy is None or remedy.component != "tensorrt" or not (remedy.wanted or "").startswith("=="):
            continue
        after = report_on(applied(environment, finding))
        left = [item for item in after.findings if item.code == finding.code and item.severity is not Severity.INFO]
        assert not left, f"{name}: {environment}: {finding.title}: {remedy.wanted} leaves {left[0].title}"
        before = {item.code for item in report_on(environment).findings if item.severity is Severity.ERROR}
        new = [item for item in after.findings if item.severity is Severity.ERROR and item.code not in before]
        new = [item for item in new if not item.code.startswith(("API", "ENG", "FWK"))]  # code and engines change
        assert not new, f"{name}: {environment}: {finding.title}: {remedy.wanted} brings {new[0].title}"
        tried[finding.code] = tried.get(finding.code, 0) + 1
    assert sum(tried.values()) >= 80, tried
    assert len(tried) >= 4, tried


def test_titles_are_short_and_begin_with_what_they_are_about() -> None:
    for name, _, _, finding in told():
        assert len(finding.title) <= MAX_TITLE + 10, f"{name}: {finding.code}: {finding.title}"
        word = finding.title.split()[0]
        assert word[0].isupper() or "-" in word or word.rstrip(":") in ("torch", "glibc", "tensorrt", "libcuda"), (
            finding.title
        )
        assert not finding.title.endswith("."), finding.title


# -- single pieces of advice ------------------------------------------------------------------------------------------


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
        "python3 -m pip install 'tensorrt-cu12==10.16.1.*'",
    ]


def test_an_old_gpu_gets_the_last_release_of_the_same_major_that_serves_it() -> None:
    volta = {"os": "ubuntu-22.04", "arch": "x86_64", "driver": "550.54.14", "gpus": [{"name": "Tesla V100"}]}
    found = only(declared(**volta, tensorrt=[{"version": "10.9.0", "from": "pip-cu12"}]), "GPU201")
    assert found.remedy is not None
    assert found.remedy.wanted == "==10.4.0.*"


@pytest.mark.parametrize(
    ("origin", "words"),
    [("apt", "every TensorRT package (apt)"), ("tar", "unpack its archive"), ("container", "Use an image that has")],
)
def test_what_pip_did_not_bring_gets_a_sentence_that_fits_it(origin: str, words: str) -> None:
    report = declared(
        os="linux", arch="x86_64", gpus=[{"name": "GeForce RTX 5090"}], tensorrt=[{"version": "10.7.0", "from": origin}]
    )
    (step,) = only(report, "GPU201").fix
    assert step.kind == "manual"
    assert words in step.text
    assert "TensorRT 10.16.1 for CUDA" in step.text


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
    assert re.search(r"'tensorrt==11\.4\.0\.\*'", found.fix[0].text)


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
