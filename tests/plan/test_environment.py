"""An environment in words is the one that a Snapshot shows: judging either finds the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.incidents import CASES
from tests.conftest import AS_OF, SNAPSHOTS
from tests.plan.asking import Environment
from tests.rules.test_remedies import made
from trtdoctor.declared import snapshot_of
from trtdoctor.findings import Report, Severity
from trtdoctor.judge import judge
from trtdoctor.matrix import Matrix, load
from trtdoctor.plan.environment import copied, describe, put
from trtdoctor.snapshot import Snapshot
from trtdoctor.stack import Stack
from trtdoctor.yamlfile import parse

RECORDED = sorted(SNAPSHOTS.glob("*.json"))


def found(report: Report) -> list[tuple[str, str, str]]:
    return sorted((item.code, item.severity.value, item.title) for item in report.findings)


def described(snapshot: Snapshot, matrix: Matrix) -> Environment:
    return describe(Stack(snapshot, matrix))


def assert_round(environment: Environment, matrix: Matrix) -> None:
    snapshot = snapshot_of(environment)
    said = described(snapshot, matrix)
    again = snapshot_of(said)
    before, after = judge(snapshot, matrix, as_of=AS_OF), judge(again, matrix, as_of=AS_OF)
    assert found(after) == found(before)
    assert after.verdict is before.verdict
    assert described(again, matrix) == said


@pytest.mark.skipif(not CASES.is_file(), reason="../shared is not beside this checkout")
def test_what_people_reported_survives_being_told(matrix: Matrix) -> None:
    cases = parse(CASES.read_bytes())
    assert len(cases) > 100
    for case in cases:
        assert_round(case["environment"], matrix)


PARTS: dict[str, st.SearchStrategy[object]] = {
    "wsl": st.just(True),
    "container": st.fixed_dictionaries(
        {},
        optional={
            "image": st.sampled_from(("nvcr.io/nvidia/tensorrt:25.05-py3", "nvidia/cuda:12.8.1-base-ubuntu22.04")),
            "gpu_access": st.booleans(),
            "driver_capabilities": st.sampled_from((["compute"], ["compute", "utility"], ["graphics"])),
        },
    ),
    "engine": st.fixed_dictionaries(
        {},
        optional={
            "tensorrt": st.sampled_from(("8.6.1", "10.9", "10.16.1.11")),
            "compute_capability": st.sampled_from(("7.5", "8.9", "12.0")),
            "version_compatible": st.booleans(),
            "hardware_compatibility": st.sampled_from(("none", "ampere_plus")),
        },
    ),
    "packages": st.dictionaries(
        st.sampled_from(("torch", "onnxruntime-gpu", "torch-tensorrt", "nvidia-cudnn-cu12", "tensorrt-cu12-libs")),
        st.sampled_from(("1.18.0", "2.8.0", "2.9.0+cu128", "8.9.7.29", "10.9.0.34")),
    ),
    "cudnn": st.lists(
        st.fixed_dictionaries(
            {"version": st.sampled_from(("8", "8.9.7", "9.10.2.21")), "from": st.sampled_from(("apt", "pip", "tar"))}
        ),
        max_size=2,
    ),
    "loader": st.fixed_dictionaries(
        {},
        optional={
            "libcuda": st.sampled_from(("compat", "stub", "mismatched")),
            "ld_library_path": st.just(["/usr/local/cuda/lib64", "/opt/tensorrt/lib"]),
        },
    ),
}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 30), st.fixed_dictionaries({}, optional=PARTS))
def test_any_environment_survives_being_told(seed: int, more: Environment) -> None:
    assert_round({**made(seed), **more}, load())


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: str(path.stem))
def test_the_words_for_a_real_machine_accuse_it_of_nothing(path: Path, matrix: Matrix) -> None:
    """Files are left out, so less is found; nothing is found that the machine does not have, but for what it hid."""
    snapshot = Snapshot.from_json(path.read_bytes())
    real = judge(snapshot, matrix, as_of=AS_OF)
    told = judge(snapshot_of(described(snapshot, matrix)), matrix, as_of=AS_OF)
    codes = {item.code for item in real.findings if item.severity is Severity.ERROR}
    more = {item.code for item in told.findings if item.severity is Severity.ERROR} - codes
    assert not more or "TRT102" in codes, more  # a TensorRT without its libraries is not judged any further


def test_what_gives_way_goes_and_the_rest_stays_beside_it() -> None:
    environment: Environment = {"cudnn": [{"version": "9.1", "from": "apt"}, {"version": "8.9", "from": "pip"}]}
    put(environment, "cudnn", {"version": "9.10.2.21", "from": "pip"}, instead_of=("pip",))
    assert environment["cudnn"] == [
        {"version": "9.1", "from": "apt"},
        {"version": "9.10.2.21", "from": "pip", "loaded": True},
    ]
    lean: Environment = {"tensorrt": [{"version": "10.9", "from": "pip", "product": "lean"}]}
    put(lean, "tensorrt", {"version": "10.9.0.34", "from": "pip-cu12"}, instead_of=("pip", "unknown"))
    assert [entry.get("product", "full") for entry in lean["tensorrt"]] == ["lean", "full"]


def test_a_copy_can_be_changed_without_the_original() -> None:
    environment: Environment = {"packages": {"torch": "2.9.0"}, "tensorrt": [{"version": "10.9"}]}
    other = copied(environment)
    other["packages"]["torch"] = "2.10.0"
    other["tensorrt"][0]["version"] = "11.0"
    assert environment == {"packages": {"torch": "2.9.0"}, "tensorrt": [{"version": "10.9"}]}
