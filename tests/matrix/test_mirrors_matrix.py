"""``mirrors.yaml``: what its rows say of each other, and the look-ups."""

from __future__ import annotations

import re

import pytest

from trtdoctor.matrix import Matrix, mirrors
from trtdoctor.mirror.pages import read
from trtdoctor.versions import Answer


def test_rows_name_what_is_there(matrix: Matrix) -> None:
    grammars = {row.key: row for row in matrix.rows("mirrors", "tags")}
    for row in grammars.values():
        groups = re.compile(str(row.get("pattern").value)).groupindex
        assert set(row.get("order").value) <= set(groups), row.key
    upstreams = {row.key for row in matrix.rows("mirrors", "upstreams")}
    for one in mirrors.upstreams(matrix, "oci"):
        for repository in one.row.get("repositories").value:
            assert repository["grammar"] in grammars
            read_by = [mirrors.read_tag(matrix, tag, repository["name"]) for tag in SAMPLES.get(repository["name"], [])]
            assert all(read_by), repository["name"]
    hosts: list[str] = []
    for row in matrix.rows("mirrors", "sites"):
        hosts += row.get("hosts").value
        for entry in (*row.get("carries").value, *row.get("lacks").value):
            assert entry["what"] in {*upstreams, "nvidia-conda", "container-toolkit"}
        both = {entry["what"] for entry in row.get("carries").value} & {
            entry["what"] for entry in row.get("lacks").value
        }
        assert not both, row.key
        status, format_ = row.get("status").value, row.get("format").value
        assert (status in ("none", "unknown")) is (format_ in ("none", "unknown")), row.key
    assert len(hosts) == len(set(hosts))


SAMPLES = {
    "nvidia/tensorrt": ["26.10-py3", "24.05-py3-igpu", "20.03.1-py3"],
    "nvidia/tritonserver": ["26.10-py3", "26.10-trtllm-python-py3"],
    "nvidia/pytorch": ["26.10-py3"],
    "nvidia/cuda": ["13.2.1-cudnn-runtime-ubuntu24.04", "12.4.1-cudnn8-devel-ubuntu22.04"],
}


@pytest.mark.parametrize(
    ("kind", "address", "upstream"),
    [
        ("oci", "https://r.example:5000/ngc/nvidia/tensorrt", "https://nvcr.io/nvidia/tensorrt"),
        ("oci", "https://r.example/mirror/tensorrt", "https://nvcr.io/nvidia/tensorrt"),
        ("oci", "https://r.example/nvidia/tritonserver/", "https://nvcr.io/nvidia/tritonserver"),
        ("oci", "https://r.example/my-tensorrt", None),
        ("oci", "https://r.example/", None),
        (
            "apt",
            "https://m.example/cuda/ubuntu2204/x86_64/",
            "https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2204/x86_64",
        ),
        (
            "apt",
            "https://m.example/debian12/sbsa",
            "https://developer.download.nvidia.com/compute/cuda/repos/debian12/sbsa",
        ),
        ("apt", "https://m.example/ubuntu", None),
    ],
)
def test_an_upstream_by_the_address_of_the_mirror(
    matrix: Matrix, kind: str, address: str, upstream: str | None
) -> None:
    found = mirrors.default_upstream(matrix, kind, address)
    assert (found.address if found else None) == upstream


def test_the_upstream_of_an_index_is_pip_s_own_and_the_wheels_are_nvidia_s(matrix: Matrix) -> None:
    found = mirrors.default_upstream(matrix, "pypi", "https://m.example/simple")
    assert found is not None
    assert (found.id, found.address) == ("pypi", None)
    assert {"tensorrt-cu13-libs", "wheel-stub", "setuptools"} <= set(found.projects)
    assert mirrors.wheels_index(matrix) == "https://pypi.nvidia.com"
    known = mirrors.upstream_at(matrix, "oci", "https://nvcr.io/nvidia/other")
    assert known is not None
    assert (known.id, known.api) == ("ngc", "ngc")
    assert mirrors.upstream_at(matrix, "oci", "https://r.example/x") is None


def test_tags_are_read_and_ordered_within_a_flavour(matrix: Matrix) -> None:
    tags = ["26.09-py3", "26.10-py3", "26.10.01-py3", "9.05-py3", "26.10-py3-igpu", "latest", "26.1-py3"]
    found = {tag: mirrors.read_tag(matrix, tag, "nvidia/tensorrt") for tag in tags}
    assert [tag for tag, item in found.items() if item is None] == ["9.05-py3", "latest", "26.1-py3"]
    read_tags = [item for item in found.values() if item is not None]
    assert {item.flavour for item in read_tags} == {"py3", "py3-igpu"}
    plain = [item for item in read_tags if item.flavour == "py3"]
    assert sorted(plain, key=lambda item: item.order) == plain
    assert plain[0].month == "26.09"
    cuda = mirrors.read_tag(matrix, "13.2.1-cudnn-runtime-ubuntu24.04")
    assert cuda is not None
    assert (cuda.grammar, cuda.flavour, cuda.month) == ("cuda-image", "runtime-ubuntu24.04", None)


def test_sites_say_what_they_carry_and_what_they_do_not(matrix: Matrix) -> None:
    tuna = mirrors.site_of(matrix, "https://mirrors.tuna.tsinghua.edu.cn/pypi/web/simple")
    assert tuna is not None
    assert (tuna.id, tuna.format, tuna.jobs()) == ("tuna", "tunasync", ("pypi",))
    answer, row = tuna.carries("ngc")
    assert answer is Answer.NO
    assert row is not None
    note, fact = mirrors.reason(row)
    assert note is not None
    assert (fact.sources, fact.certainty) == (("tuna_2457",), "official")
    assert tuna.carries("pypi")[0] is Answer.YES
    assert tuna.carries("nvidia-wheels")[0] is Answer.UNKNOWN
    assert mirrors.site_of(matrix, "https://registry.corp.example:5000/x", None) is None
    nju = mirrors.site_of(matrix, "https://nvcr.nju.edu.cn:443/nvidia/tensorrt")
    assert nju is not None
    assert nju.carries("ngc")[0] is Answer.YES


def test_the_jobs_of_the_stack_are_found_on_a_page(matrix: Matrix) -> None:
    names = mirrors.jobs(matrix)
    assert names[0] == "pypi"
    page = read([{"name": name, "status": "success"} for name in names])
    assert [job.name for job in page.jobs] == list(names)
