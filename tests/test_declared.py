"""Environments that someone only described."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtdoctor.declared import KEYS, DeclarationError, environment_of, snapshot_of
from trtdoctor.snapshot import Snapshot

WILD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def test_every_key_of_the_incidents_is_understood() -> None:
    found = snapshot_of(
        {
            "os": "ubuntu-20.04",
            "arch": "x86_64",
            "glibc": "2.31",
            "gpus": [{"name": "Tesla T4", "compute_capability": "7.5", "memory_gib": 16, "mig": False}],
            "driver": "535.104.05",
            "cuda": [{"version": "12.2", "from": "apt"}],
            "tensorrt": [{"version": "10.9.0.34", "from": "pip-cu12", "loaded": True}],
            "python": "3.10",
            "packages": {"Torch_TensorRT": "2.9.0"},
            "container": {"image": "nvcr.io/nvidia/tensorrt:24.01-py3", "driver_capabilities": ["compute", "utility"]},
            "engine": {"tensorrt": "8.6.1", "compute_capability": "8.6"},
            "loader": {"libcuda": "stub", "ld_library_path": ["/a", "/b"]},
            "wants": ["build", "fp16"],
        }
    )
    assert (found.platform.distribution, found.platform.distribution_version) == ("ubuntu", "20.04")
    assert found.gpus is not None
    assert found.gpus[0].memory_bytes == 16 * 2**30
    tensorrt = next(copy for copy in found.copies if copy.component == "tensorrt")
    assert (tensorrt.origin, tensorrt.flavour, tensorrt.product, tensorrt.loaded) == ("pip", "cu12", "full", True)
    assert found.interpreters[0].distributions[0].name == "torch-tensorrt"
    assert found.driver.library_kind == "stub"
    assert found.setting("LD_LIBRARY_PATH") == "/a:/b"
    assert found.wants == ("build", "fp16")


def test_short_forms() -> None:
    environment = environment_of(
        [
            "tensorrt=10.9,from=pip-cu12,product=lean",
            "gpu=Tesla T4,cc=7.5,memory=16",
            "gpu=A2",
            "driver=535.104.05",
            "package.torch=2.11.0+cu130",
            "engine.tensorrt=8.6.1",
            "engine.version_compatible=true",
            "container=nvcr.io/nvidia/tensorrt:24.01-py3",
            "wants=build,fp16",
        ]
    )
    found = snapshot_of(environment)
    assert found.gpus is not None
    assert [gpu.name for gpu in found.gpus] == ["Tesla T4", "A2"]
    assert found.engines[0].version_compatible is True
    assert found.copies[0].product == "lean"
    assert found.wants == ("build", "fp16")


def test_set_overrides_a_snapshot_and_keeps_the_rest() -> None:
    base = snapshot_of({"driver": "470.57.02", "tensorrt": [{"version": "8.6.1"}], "cuda": [{"version": "11.8"}]})
    changed = snapshot_of(environment_of(["tensorrt=10.9.0"]), base)
    assert [copy.version for copy in changed.copies if copy.component == "tensorrt"] == ["10.9.0"]
    assert [copy.version for copy in changed.copies if copy.component == "cuda"] == ["11.8"]
    assert changed.driver.version == "470.57.02"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["tensort=10.9"], "did you mean tensorrt?"),
        (["tensorrt"], "KEY=VALUE"),
        (["tensorrt=latest"], "not a version"),
        (["gpu=T4,cx=7.5"], "unknown key 'cx'"),
        (["gpu=T4,cc=7"], "no compute capability"),
        (["tensorrt=10.9,product=fool"], "did you mean full?"),
        (["driver=$(reboot)"], "not a version"),
    ],
)
def test_a_typo_is_an_error_that_suggests(settings: list[str], says: str) -> None:
    with pytest.raises(DeclarationError, match=r".*") as caught:
        snapshot_of(environment_of(settings))
    assert says in str(caught.value)


def test_a_number_that_may_have_lost_its_zero_is_refused() -> None:
    with pytest.raises(DeclarationError, match="quotes"):
        snapshot_of({"tensorrt": [{"version": 10.1}]})


@given(st.dictionaries(st.sampled_from([*KEYS, "nonsense"]), WILD, max_size=5))
def test_any_description_is_read_or_refused(environment: dict[str, Any]) -> None:
    try:
        assert isinstance(snapshot_of(environment), Snapshot)
    except DeclarationError as error:
        assert "\n" not in str(error)
