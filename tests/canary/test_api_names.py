"""Every name of TensorRT's that the canary's child uses exists in each release, or is asked for before it is used.

The names that each release has were recorded from its real bindings by ``tests/tools/bindings_names.py``. The names
that the child uses are read from its source: it calls an object of TensorRT's by the same variable everywhere.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.canary.running import CHILD

RECORDED = {
    path.stem: json.loads(path.read_text("utf-8")) for path in CHILD.parents[2].glob("tests/data/bindings_names/*")
}
BUILDERS = sorted(name for name, found in RECORDED.items() if "Builder" in found["module"])
CLASSES = {
    "builder": "Builder",
    "network": "INetworkDefinition",
    "parser": "OnnxParser",
    "problem": "ParserError",
    "config": "IBuilderConfig",
    "profile": "IOptimizationProfile",
    "plan": "IHostMemory",
    "runtime": "Runtime",
    "engine": "ICudaEngine",
    "inspector": "EngineInspector",
    "context": "IExecutionContext",
    "tensor": "ITensor",
    "layer": "ILayer",
    "offered": "ComputeCapability",
}
"""What the child's variables (and attributes of its own object) hold."""
ASKED = ("_named", "_call")
"""Functions that answer None, or nothing, for a name that is not there."""


class Use(NamedTuple):
    owner: str
    """A class of TensorRT's, or the empty string for the module."""
    name: str
    asked: bool
    """Whether the function that uses it asks first whether it is there."""
    line: int


def owner_of(node: ast.expr) -> str | None:
    """What an expression holds: a class's name, the empty string for the module, None for anything else."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ASKED:
        owner, name = owner_of(node.args[0]), literal(node.args[1])
        return name if owner == "" else None
    last = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    if last == "trt":
        return ""
    if isinstance(node, ast.Attribute) and owner_of(node.value) == "":
        return node.attr  # trt.BuilderFlag
    return CLASSES.get(last)


def literal(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def uses() -> Iterator[Use]:
    tree = ast.parse(CHILD.read_text("utf-8"))
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        asked = set()
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ASKED:
                owner, name = owner_of(node.args[0]), literal(node.args[1])
                if owner is not None and name is not None:
                    asked.add((owner, name))
        for owner, name in asked:
            yield Use(owner, name, True, function.lineno)
        for node in ast.walk(function):
            if isinstance(node, ast.Attribute) and (owner := owner_of(node.value)) is not None:
                yield Use(owner, node.attr, (owner, node.attr) in asked, node.lineno)


USES = sorted(set(uses()))


def has(release: str, use: Use) -> bool:
    found: dict[str, Any] = RECORDED[release]
    names: list[str] = found["classes"].get(use.owner, []) if use.owner else found["module"]
    return use.name in names


def test_the_names_are_found_in_the_source() -> None:
    found = {(use.owner, use.name) for use in USES}
    for owner, name in (
        ("", "Builder"),
        ("", "__version__"),
        ("Builder", "build_serialized_network"),
        ("BuilderFlag", "TF32"),
        ("IExecutionContext", "execute_async_v3"),
        ("NetworkDefinitionCreationFlag", "EXPLICIT_BATCH"),
        ("ParserError", "node_operator"),
        ("IBuilderConfig", "num_compute_capabilities"),
    ):
        assert (owner, name) in found
    assert len(found) > 55


def test_each_generation_is_recorded() -> None:
    versions = [RECORDED[name]["version"] for name in BUILDERS if not name.startswith("tensorrt_rtx")]
    assert {version.partition(".")[0] for version in versions} == {"8", "10", "11"}  # 9 is on no package index
    assert {"8.5", "8.6", "10.0", "10.9"} <= {".".join(version.split(".")[:2]) for version in versions}
    assert any(name.startswith("tensorrt_rtx") for name in BUILDERS)


@pytest.mark.parametrize("release", BUILDERS)
def test_what_is_used_without_asking_is_there(release: str) -> None:
    lacking = [
        f"{CHILD.name}:{use.line} {use.owner}.{use.name}"
        for use in USES
        if not use.asked and not use.name.startswith("__") and not has(release, use)
    ]
    # These four stand behind a question of another name: the one for set_compute_capability.
    assert [text for text in lacking if "num_compute_capabilities" not in text] == []


def test_what_is_asked_for_is_there_in_some_release_and_lacking_in_another() -> None:
    for use in USES:
        if use.asked and not use.name.startswith("__") and use.name != "Runtime":  # asked of what is no TensorRT
            there = [name for name in RECORDED if has(name, use)]
            assert there, f"no release has {use.owner}.{use.name}"
            assert len(there) < len(RECORDED), f"every release has {use.owner}.{use.name}: no need to ask"


def test_what_only_rtx_has_comes_as_one() -> None:
    """Where the class is there the two calls are, and nowhere else."""
    for release in BUILDERS:
        names = RECORDED[release]["classes"]["IBuilderConfig"]
        both = [name in names for name in ("set_compute_capability", "num_compute_capabilities")]
        assert both == ["ComputeCapability" in RECORDED[release]["module"]] * 2


@pytest.mark.parametrize("release", BUILDERS)
def test_precisions_go_by_flags_or_by_types(release: str) -> None:
    """The flags that the child asks for are those of the releases up to 10; later ones have none of them."""
    flags = set(RECORDED[release]["classes"]["BuilderFlag"])
    by_flags = {"FP16", "INT8"} <= flags
    assert by_flags or not flags & {"FP16", "BF16", "INT8", "FP8"}
    assert by_flags == (release.startswith(("tensorrt-8", "tensorrt-10")))
    explicit = "EXPLICIT_BATCH" in RECORDED[release]["classes"]["NetworkDefinitionCreationFlag"]
    assert explicit == by_flags


def test_lean_runtimes_have_a_runtime_and_no_builder() -> None:
    lean = [found for name, found in RECORDED.items() if name not in BUILDERS]
    assert lean
    for found in lean:
        assert "Runtime" in found["module"]


# -- types: the stubs of 10.8 to 10.13 ---------------------------------------------------------------------------------

TYPED = {
    "logger": "ILogger",
    "builder": "Builder",
    "network": "INetworkDefinition",
    "parser": "OnnxParser",
    "config": "IBuilderConfig",
    "plan": "IHostMemory",
    "runtime": "Runtime",
    "engine": "ICudaEngine",
    "context": "IExecutionContext",
}
ALLOWED = re.compile(r'expected "Dims"|incompatible type "Dims"; expected "Iterable\[int\]"|unused-ignore')
"""A tuple becomes a Dims by itself, and a Dims is a sequence: neither is said by the stubs."""


def test_calls_have_the_types_of_the_stubs(tmp_path: Path) -> None:
    """mypy, with the child's untyped members given their classes. The stubs themselves need three repairs."""
    site = tmp_path / "stubs"
    # Without what it depends on: the tensorrt that it names refuses to be installed where there is no GPU.
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(site)]
    done = subprocess.run([*command, "tensorrt-stubs>=10.8"], capture_output=True, text=True, check=False)
    if done.returncode:
        if os.environ.get("CI"):
            pytest.fail(done.stderr)
        pytest.skip(f"tensorrt-stubs cannot be had: {done.stderr.strip()[-200:]}")
    for name in ("tensorrt", "tensorrt_bindings"):
        (tmp_path / name).mkdir()
        for stub in (site / name).glob("*.pyi"):
            text = re.sub(r"\bin: ", "in_: ", stub.read_text("utf-8"))
            text = re.sub(r"(= None, channel_axis: int)\)", r"\1 = 0)", text)
            (tmp_path / name / stub.name).write_text(text, "utf-8")
    source = CHILD.read_text("utf-8").replace("import importlib\n", "import importlib\nimport tensorrt\n", 1)
    source = source.replace("        self.trt: Any = None\n", "").replace("trt = self.trt = ", "trt = ")
    source = source.replace("self.trt", "tensorrt")
    for name, kind in TYPED.items():
        found = source.replace(f"        self.{name}: Any = None\n", f"        self.{name}: tensorrt.{kind}\n")
        assert found != source
        source = found
    (tmp_path / "typed.py").write_text(source, "utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--config-file=", "typed.py"]
    environ = {"MYPYPATH": str(CHILD.parents[2]), "PATH": ""}
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=300)
    told = [line for line in done.stdout.splitlines() if line.startswith("typed.py") and "error:" in line]
    assert "Found" in done.stdout or "Success" in done.stdout, done.stdout + done.stderr
    assert "prevented further checking" not in done.stdout
    assert [line for line in told if not ALLOWED.search(line)] == []
