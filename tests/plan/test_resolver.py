"""What a real resolver (uv) makes of the pins: of the recorded metadata for every plan, and of the index for some."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plan.asking import L4, ask, first, machine
from trtdoctor.matrix import Matrix, artefacts, distributions, frameworks, pipindex
from trtdoctor.plan.agreement import requirements
from trtdoctor.plan.builds import builds
from trtdoctor.plan.model import Plan
from trtdoctor.plan.pins import pins_of
from trtdoctor.plan.write import planned
from trtdoctor.render.plan_constraints import render as as_constraints
from trtdoctor.render.plan_requirements import render as as_requirements
from trtdoctor.versions import Version

UV = Path(sys.executable).parent / "uv"
Pins = tuple[tuple[str, str], ...]


def compiled(folder: Path, text: str, *options: str, seconds: int = 60) -> subprocess.CompletedProcess[str]:
    """``uv pip compile`` of the lines of a requirements file; no settings of this machine."""
    asked = folder / "requirements.in"
    asked.write_text(text, "utf-8")
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("UV_", "PIP_"))}
    command = [
        str(UV),
        "pip",
        "compile",
        "--quiet",
        "--no-config",
        "--no-header",
        "--no-annotate",
        *options,
        str(asked),
    ]
    return subprocess.run(command, capture_output=True, text=True, env=environ, timeout=seconds, check=False)


def resolved(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    assert done.returncode == 0, done.stderr
    pairs = (line.partition(" ")[0].partition("==") for line in done.stdout.splitlines() if "==" in line)
    return {name: version for name, _, version in pairs}


# -- by the recorded metadata ------------------------------------------------------------------------------------------


def recorded(matrix: Matrix, name: str, version: str) -> Iterator[str]:
    """What the metadata of a version require, as far as the matrix has it."""
    yield from artefacts.requires(matrix, name, version) or ()
    if frameworks.rows(matrix, name):
        row = frameworks.row(matrix, name, Version.parse(version))
        for other, specifier in requirements(row, version) if row is not None else ():
            yield f"{other}{specifier}"


def wheel(folder: Path, name: str, version: str, required: list[str]) -> None:
    """A wheel with these metadata and nothing else."""
    stem = f"{name.replace('-', '_')}-{version}"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Dist: {text}" for text in required]
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{stem}.dist-info/METADATA", "\n".join(lines) + "\n")
        archive.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{stem}.dist-info/RECORD", "")


def index_for(folder: Path, matrix: Matrix, pins: Pins) -> None:
    """Every pin as a wheel, with what it requires of the stack; of what no pin names nothing is there."""
    for name, version in pins:
        texts = []
        for text in recorded(matrix, name, version):
            head = text.partition(";")[0].split("[")[0].split("=")[0].split("<")[0].split(">")[0].split("~")[0].strip()
            if "extra" in text.partition(";")[2] or (frameworks.rows(matrix, name) and head not in dict(pins)):
                continue  # what a framework brings of its own is not for the plan to pin
            if distributions.identify(matrix, head) is not None:
                texts.append(text)
        wheel(folder, name, version, texts)


def pin_sets(matrix: Matrix) -> list[Pins]:
    """Those of every third build, and of plans with frameworks."""
    found = [
        pins_of(matrix, build, "linux")
        for product in ("full", "rtx")
        for build in builds(matrix, product, "pip", ("linux-x86_64",))[::3]
    ]
    plans: list[Plan] = []
    for require in (("torch",), ("onnxruntime-gpu",), ("torch-tensorrt",), ("tensorrt-llm",)):
        plans += ask(L4, *require, install=("pip",), top=2).plans
    plans += ask(machine(driver="535.104.05", packages={"torch": "2.9.0"}), "tensorrt==10.*", install=("pip",)).plans
    return found + sorted({plan.pins for plan in plans})


def test_a_resolver_takes_the_pins_of_every_plan(tmp_path: Path, matrix: Matrix) -> None:
    """A conflict between two pins of a plan has no solution."""
    sets = pin_sets(matrix)
    assert len(sets) >= 20
    for number, pins in enumerate(sets):
        folder = tmp_path / str(number)
        folder.mkdir()
        index_for(folder, matrix, pins)
        text = "".join(f"{name}=={version}\n" for name, version in pins)
        done = compiled(folder, text, "--no-index", "--find-links", str(folder), "--offline", "--no-cache")
        assert resolved(done) == dict(pins), pins


def test_a_resolver_sees_a_conflict_where_there_is_one(tmp_path: Path, matrix: Matrix) -> None:
    """So that what it takes means something: Torch-TensorRT beside a TensorRT that its metadata do not accept."""
    pins = (("tensorrt", "11.4.0.106"), ("tensorrt-cu13", "11.4.0.106"), ("torch-tensorrt", "2.14.0"))
    index_for(tmp_path, matrix, pins)
    for part in ("libs", "bindings"):
        wheel(tmp_path, f"tensorrt-cu13-{part}", "11.4.0.106", [])
    text = "".join(f"{name}=={version}\n" for name, version in pins)
    done = compiled(tmp_path, text, "--no-index", "--find-links", str(tmp_path), "--offline", "--no-cache")
    assert done.returncode != 0
    assert "torch-tensorrt" in done.stderr
    assert "incompatible" in done.stderr


# -- by the index ------------------------------------------------------------------------------------------------------


def of_pip(plan: Plan, matrix: Matrix) -> tuple[str, str]:
    from tests.plan.asking import question
    from trtdoctor.plan.answer import answer

    report = answer(question(L4), top=1)
    written = planned(report, plan)
    return as_requirements(written), as_constraints(written)


PLANS = {
    "rtx": lambda: first(machine(python="3.12"), "tensorrt-rtx", install=("pip",)),
    "wheels": lambda: first(machine(python="3.10"), "tensorrt==8.5.3.*", install=("pip",)),
    "onnxruntime": lambda: first(
        machine(cuda=[{"version": "12.8"}], cudnn=[{"version": "8.9"}], packages={"onnxruntime-gpu": "1.16"})
    ),
}


@pytest.mark.heavy
@pytest.mark.parametrize("name", PLANS)
def test_the_index_has_what_is_pinned(name: str, tmp_path: Path, matrix: Matrix) -> None:
    """The index that pip is configured with, asked for real; plans that need NVIDIA's own one are not among these."""
    plan = PLANS[name]()
    text, constraints = of_pip(plan, matrix)
    assert "--extra-index-url" not in text
    python = plan.environment["python"]
    options = ["--index-url", pipindex.index_url(), "--python-version", python]
    options += ["--python-platform", "x86_64-manylinux_2_35", "--cache-dir", str(tmp_path / "cache")]
    done = compiled(tmp_path, text, *options, seconds=120)
    if done.returncode != 0 and not os.environ.get("CI") and "ailed to fetch" in done.stderr:
        pytest.skip("the package index cannot be reached")
    found = resolved(done)
    assert dict(plan.pins).items() <= found.items()
    held = tmp_path / "constraints.txt"
    held.write_text(constraints, "utf-8")
    loose = "\n".join(item for item, _ in plan.pins)
    assert resolved(compiled(tmp_path, loose, "--constraint", str(held), *options, seconds=120)) == found
