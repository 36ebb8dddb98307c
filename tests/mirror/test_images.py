"""What an image says of itself, by documents of the shape that NVIDIA's images have, and by any others."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtdoctor.matrix import Matrix
from trtdoctor.mirror import images, tags

NOW = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)
ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def said(labels: dict[str, Any] | None = None, env: list[Any] | None = None) -> list[tuple[str, str, str | None]]:
    configuration = {"architecture": "amd64", "os": "linux", "config": {"Labels": labels, "Env": env}}
    return [(one.name, one.version, one.where) for one in images.components(configuration)]


def test_a_monthly_image() -> None:
    """Labels and variables as the histories of images of 2026 have them."""
    found = said(
        {
            "com.nvidia.tensorrt.version": "11.1.0.106+cuda13.2.0.044",
            "com.nvidia.cudnn.version": "9.24.0.43+cuda13.2",
            "com.nvidia.cublas.version": "13.6.0.2",
            "com.nvidia.cuda.version": "9.0",
            "com.nvidia.build.id": "123",
        },
        [
            "PATH=/usr/bin",
            "CUDA_VERSION=13.2.0.044",
            "CUDA_DRIVER_VERSION=595.45.04",
            "TRT_VERSION=11.1.0.106",
            "NVIDIA_TENSORRT_VERSION=26.07",
            "NVIDIA_REQUIRE_CUDA=cuda>=13.2 brand=unknown,driver>=535,driver<536 brand=grid,driver>=535,driver<536",
        ],
    )
    assert found == [
        ("tensorrt", "11.1.0.106", "com.nvidia.tensorrt.version"),
        ("cuda", "13.2.0.044", "CUDA_VERSION"),
        ("cudnn", "9.24.0.43", "com.nvidia.cudnn.version"),
        ("cublas", "13.6.0.2", "com.nvidia.cublas.version"),
        ("driver", "595.45.04", "CUDA_DRIVER_VERSION"),
        ("driver-cuda", "13.2", "NVIDIA_REQUIRE_CUDA"),
    ]


def test_the_label_of_cuda_is_never_believed() -> None:
    """It was 9.0 in an image whose CUDA was 12.3.2.001."""
    assert said({"com.nvidia.cuda.version": "9.0"}) == []
    assert said({"com.nvidia.cuda.version": "9.0"}, ["CUDA_VERSION=12.3.2.001"]) == [
        ("cuda", "12.3.2.001", "CUDA_VERSION")
    ]


def test_a_label_and_a_variable_that_disagree_are_both_told() -> None:
    """A mixed image: the base was exchanged and the label stayed."""
    found = said({"com.nvidia.cudnn.version": "9.24.0.43"}, ["CUDNN_VERSION=8.9.7.29+cuda12.2", "TRT_VERSION=11.1"])
    assert found == [
        ("tensorrt", "11.1", "TRT_VERSION"),
        ("cudnn", "9.24.0.43", "com.nvidia.cudnn.version"),
        ("cudnn", "8.9.7.29", "CUDNN_VERSION"),
    ]


def test_images_of_nvidia_cuda_have_names_of_their_own() -> None:
    assert said({}, ["NV_CUDNN_VERSION=9.9.0.52-1", "NV_LIBCUBLAS_VERSION=12.8.4.1-1", "CUDA_VERSION=12.8.1"]) == [
        ("cuda", "12.8.1", "CUDA_VERSION"),
        ("cudnn", "9.9.0.52", "NV_CUDNN_VERSION"),
        ("cublas", "12.8.4.1", "NV_LIBCUBLAS_VERSION"),
    ]


@pytest.mark.parametrize(
    "value",
    ["", "unknown", "13", "$(id)", "../..", "1.2.3; rm", "9" * 200, "1.2.3\x1b[0m", "https://u:p@h/1.2", "v", None, 5],
)
def test_what_is_no_version_is_no_component(value: Any) -> None:
    assert said({"com.nvidia.tensorrt.version": value}, [f"CUDA_VERSION={value}", value]) == []


@given(ANYTHING)
def test_no_document_brings_it_down(document: Any) -> None:
    for whole in (document, {"config": document, "manifests": document, "layers": document, "annotations": document}):
        if isinstance(whole, dict):
            for one in images.components({"config": whole}):
                assert one.version.isprintable()
            read = images.read("sha256:" + "a" * 64, whole)
            assert all(name.count("/") >= 1 for name, _ in read.children)
        assert images.platform_of(document) is None or isinstance(document, dict)
        assert images.created(document, NOW) is None or isinstance(document, str)


def test_an_index_and_its_attestations() -> None:
    digests = ["sha256:" + letter * 64 for letter in "abcdef"]
    document = {
        "manifests": [
            {"digest": digests[0], "platform": {"os": "linux", "architecture": "amd64"}},
            {"digest": digests[1], "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
            {"digest": digests[2], "platform": {"os": "linux", "architecture": "arm", "variant": "v7"}},
            {"digest": digests[3], "platform": {"os": "unknown", "architecture": "unknown"}},
            {"digest": digests[4]},
            {"digest": "sha256:../../x", "platform": {"os": "linux", "architecture": "amd64"}},
            "no entry",
        ],
        "annotations": {images.CREATED: "2026-10-20T00:00:00Z"},
    }
    found = images.read("sha256:" + "0" * 64, document)
    assert found.index
    assert dict(found.children) == {"linux/amd64": digests[0], "linux/arm64": digests[1], "linux/arm/v7": digests[2]}
    assert found.created == "2026-10-20T00:00:00Z"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2026-10-20T10:11:12.123456789Z", "2026-10-20T10:11:12Z"),
        ("2026-10-20T10:11:12+02:00", "2026-10-20T08:11:12Z"),
        ("1970-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00Z", None),
        ("1980-01-01T00:00:01Z", None),
        ("2031-01-01T00:00:00Z", None),
        ("yesterday", None),
        (None, None),
    ],
)
def test_times_that_a_builder_wrote(text: str | None, found: str | None) -> None:
    assert images.created(text, NOW) == found


def test_what_the_matrix_knows_of_nvidias_own(matrix: Matrix) -> None:
    found = {
        one.name: (one.version, one.where, one.on)
        for one in images.by_matrix(matrix, "nvcr.io", "nvidia/tensorrt", "24.08-py3")
    }
    assert found["tensorrt"] == ("10.3.0.26", "matrix", "upstream")
    assert found["cuda"][0].startswith("12.6")
    assert images.by_matrix(matrix, "registry.example", "nvidia/tensorrt", "24.08-py3") == ()
    assert images.by_matrix(matrix, "nvcr.io", "nvidia/tensorrt", "99.08-py3") == ()


def test_which_tags_count_and_in_which_order(matrix: Matrix) -> None:
    names = [
        "25.12-py3",
        "26.2-x",
        "latest",
        "26.10-py3",
        "26.01-py3-igpu",
        "26.10-py3-sdk",
        "sha256-" + "a" * 64 + ".sig",
        "26.01-py3",
    ]
    assert tags.relevant(matrix, "nvidia/tensorrt", names, ()) == (
        "26.10-py3",
        "26.01-py3-igpu",
        "26.01-py3",
        "25.12-py3",
    )
    assert tags.relevant(matrix, "nvidia/tensorrt", names, ("*",))[-1] == "latest"
    cuda = ["13.0.1-cudnn-runtime-ubuntu24.04", "12.9.1-cudnn-devel-ubuntu22.04", "13.0.1-base-ubuntu24.04", "latest"]
    assert tags.relevant(matrix, "nvidia/cuda", cuda, ()) == tuple(cuda[:2])
    own = ["v1.2.3", "v1.10.0", "main", "v1.9.1"]
    assert tags.relevant(matrix, "corp/thing", own, ()) == ("v1.10.0", "v1.9.1", "v1.2.3", "main")
    assert tags.month(matrix, "nvidia/tensorrt", "26.10-py3") == "2026-10-01T00:00:00Z"
    assert tags.month(matrix, "nvidia/tensorrt", "26.13-py3") is None
    assert tags.month(matrix, "nvidia/cuda", cuda[0]) is None
    assert [name for name in [*names, *cuda, *own] if tags.floats(name)] == [
        "latest",
        "sha256-" + "a" * 64 + ".sig",
        "latest",
        "main",
    ]
