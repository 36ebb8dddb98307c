"""NVIDIA's container images and the JetPacks in the real matrix, and their look-ups."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
import yaml

from tests.conftest import ROOT
from trtdoctor.matrix import Matrix, containers, cuda, jetpack, tensorrt
from trtdoctor.matrix.rows import UNKNOWN, Fact, Row
from trtdoctor.versions import Answer, Version

FILES = ("containers", "jetpack")
REPOSITORIES = ("tensorrt", "pytorch", "tritonserver")
COMPONENTS = ("tensorrt", "cuda", "cudnn", "cublas", "ubuntu", "python")

UNPUBLISHED_TENSORRT = {"5.0.2": "older than what the matrix holds", "5.1.2": "a release candidate"}
"""TensorRT releases of images or JetPacks that tensorrt.yaml need not know, with the reason."""
UNLISTED_CUDA = dict.fromkeys(("10.0.130", "10.1.105", "10.1.243"), "older than what the matrix holds")
"""CUDA toolkits of images or JetPacks that cuda.yaml need not know, with the reason."""


def v(text: str) -> Version:
    return Version.parse(text)


def data(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "matrix" / f"{name}.yaml").read_text("utf-8"))
    return loaded


def images(matrix: Matrix) -> list[Row]:
    return matrix.rows("containers", "images")


def jetpacks(matrix: Matrix) -> list[Row]:
    return matrix.rows("jetpack", "jetpacks")


def known(rows: list[Row], *path: str) -> list[Fact]:
    return [fact for fact in (row.get(*path) for row in rows) if fact.known]


def sources_in(item: Any) -> set[str]:
    if isinstance(item, list):
        return {source for inner in item for source in sources_in(inner)}
    if not isinstance(item, dict):
        return set()
    own = item.get("source", [])
    return {*(own if isinstance(own, list) else [own])}.union(*map(sources_in, item.values()))


# -- the files ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
def test_file_fits_its_schema(name: str) -> None:
    schema = json.loads((ROOT / "matrix" / "schema" / f"{name}.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    problems = [
        f"{'/'.join(map(str, error.path))}: {error.message[:200]}"
        for error in jsonschema.Draft202012Validator(schema).iter_errors(data(name))
    ]
    assert not problems


@pytest.mark.parametrize("name", FILES)
def test_every_source_exists(name: str) -> None:
    assert sorted(sources_in(data(name)) - set(data("sources")["sources"])) == []


@pytest.mark.parametrize(("name", "table"), [("containers", "images"), ("jetpack", "jetpacks")])
def test_ids_are_unique(name: str, table: str) -> None:
    ids = [row["id"] for row in data(name)[table]]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("name", "table"), [("containers", "images"), ("jetpack", "jetpacks")])
def test_versions_are_texts(name: str, table: str) -> None:
    def numbers(item: Any) -> list[Any]:
        if isinstance(item, dict):
            return [found for inner in item.values() for found in numbers(inner)]
        if isinstance(item, list):
            return [found for inner in item for found in numbers(inner)]
        return [item] if not isinstance(item, str) else []

    assert numbers(data(name)[table]) == []


# -- images ------------------------------------------------------------------------------------------------------------


def test_id_is_repository_and_tag(matrix: Matrix) -> None:
    for row in images(matrix):
        repository = str(row.text("image")).removeprefix(containers.REGISTRY + "/")
        assert row.key == f"{repository}:{row.text('tag')}"
        assert str(row.text("tag")).startswith(str(row.text("month")))


def test_newest_month_first(matrix: Matrix) -> None:
    listed = [row.text("month") for row in images(matrix)]
    assert listed == sorted(listed, key=str, reverse=True)


def test_every_row_is_whole(matrix: Matrix) -> None:
    for row in images(matrix):
        for name in COMPONENTS:
            assert row.get(name).value is not None, f"{row.key} {name}"
        for path in (
            ("driver", "needed", "minimum_branch"),
            ("driver", "needed", "compat_branches"),
            ("driver", "needed", "excluded_branches"),
            ("driver", "in_image"),
            ("compute_capabilities", "minimum"),
        ):
            assert row.get(*path).value is not None, f"{row.key} {path}"


def test_a_like_row_is_never_as_sure_as_what_it_copies(matrix: Matrix) -> None:
    whole = {row["id"]: row for row in data("containers")["images"]}
    for row in images(matrix):
        written = whole[row.key]
        if "like" not in written or "trtllm" in row.key:
            continue
        for name in COMPONENTS:
            if name not in written and row.get(name).known:
                assert row.get(name).certainty != "official", f"{row.key} {name}"


@pytest.mark.parametrize("repository", REPOSITORIES)
def test_months_of_a_repository(matrix: Matrix, repository: str) -> None:
    found = containers.months(matrix, repository)
    assert found == containers.months(matrix, f"nvcr.io/nvidia/{repository}")
    assert (found[0], found[-1]) == ("26.10", "21.02")
    assert len(found) == len(set(found)) == 68
    assert "25.07" not in found


def test_no_months_of_others(matrix: Matrix) -> None:
    assert containers.months(matrix, "tensor") == ()
    assert containers.months(matrix, "") == ()


@pytest.mark.parametrize(
    "reference",
    [
        "nvcr.io/nvidia/tensorrt:24.08-py3",
        "docker://nvcr.io/nvidia/tensorrt:24.08-py3",
        "nvcr.io#nvidia/tensorrt:24.08-py3",
        "nvidia/tensorrt:24.08-py3",
        " tensorrt:24.08 ",
        f"nvcr.io/nvidia/tensorrt:24.08-py3@sha256:{'0a' * 32}",
    ],
)
def test_find_reads_references(matrix: Matrix, reference: str) -> None:
    row = containers.find(matrix, reference)
    assert row is not None
    assert row.key == "tensorrt:24.08-py3"
    assert row.text("tensorrt") == "10.3.0.26"
    assert row.get("driver", "needed", "minimum_branch").value == "560"


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "tensorrt",
        "nvcr.io/nvidia/tensorrt",
        "nvcr.io/nvidia/tensorrt:latest",
        "nvcr.io/nvidia/tensorrt:25.07-py3",
        "nvcr.io/nvidia/tensorrt:24.08-py2",
        "nvcr.io/nvidia/tensorflow:24.08-tf2-py3",
        "docker.io/someone/tensorrt:24.08-py3",
        "someone/tensorrt:24.08-py3",
        f"nvcr.io/nvidia/tensorrt@sha256:{'0a' * 32}",
        "tensorrt:24.08-py3:24.08-py3",
        "tensorrt:24.08\n-py3",
        "a" * 5000,
    ],
)
def test_find_knows_its_limits(matrix: Matrix, reference: str) -> None:
    assert containers.find(matrix, reference) is None


def test_every_image_is_found_by_its_own_reference(matrix: Matrix) -> None:
    for row in images(matrix):
        assert containers.find(matrix, f"{row.text('image')}:{row.text('tag')}") is row


@pytest.mark.parametrize(
    ("reference", "name", "value", "certainty"),
    [
        ("tritonserver:21.12", "tensorrt", "8.2.1.8", "official"),
        ("tensorrt:21.12", "tensorrt", "8.2.1.8", "inferred"),
        ("tritonserver:25.08", "cuda", "13.0.0.044", "official"),
        ("tensorrt:24.08", "cuda", "12.6.0.022", "inferred"),
        ("tritonserver:26.07", "cuda", "13.3.1.008", "inferred"),
        ("pytorch:22.09", "cuda", "11.7.1", "official"),
        ("tensorrt:22.09", "cuda", "11.8.0", "official"),
        ("tritonserver:25.05", "cuda", "12.9.0.043", "inferred"),
        ("tritonserver:21.10", "tensorrt_sbsa", "8.0.2.2", "official"),
        ("tritonserver:26.07-trtllm-python-py3", "tensorrt", "10.14.1.48", "official"),
        ("tritonserver:25.09-trtllm-python-py3", "tensorrt", "10.11.0.33", "official"),
        ("tensorrt:26.10", "tensorrt", UNKNOWN, "inferred"),
    ],
)
def test_values_as_audited(matrix: Matrix, reference: str, name: str, value: str, certainty: str) -> None:
    row = containers.find(matrix, reference)
    assert row is not None
    fact = row.get(name)
    assert (fact.value, fact.certainty) == (value, certainty)


def test_driver_of_a_cuda_13_image_is_never_below_its_floor(matrix: Matrix) -> None:
    for row in images(matrix):
        toolkit = Version.maybe(row.text("cuda"))
        needed = row.get("driver", "needed", "minimum_branch")
        if toolkit is not None and toolkit.major >= 13 and needed.known:
            assert v(needed.value).at_least(v("580")) is Answer.YES, row.key
            assert needed.certainty == "inferred"
            assert not row.get("driver", "needed", "compat_branches").known


def test_driver_in_the_image_serves_its_cuda(matrix: Matrix) -> None:
    for row in images(matrix):
        toolkit, carried = Version.maybe(row.text("cuda")), row.get("driver", "in_image")
        floor = cuda.major_floor(matrix, toolkit, "linux") if toolkit else None
        if floor is not None and carried.known:
            assert v(carried.value).at_least(v(floor.value)) is Answer.YES, row.key


def test_the_trtllm_flavour_has_a_tensorrt_of_its_own(matrix: Matrix) -> None:
    rows = [row for row in images(matrix) if "-trtllm-" in row.key]
    assert len(rows) == 28
    assert all(row.get("tensorrt_llm").known for row in rows)
    plain = containers.find(matrix, "tritonserver:25.10")
    flavour = containers.find(matrix, "tritonserver:25.10-trtllm-python-py3")
    assert plain is not None
    assert flavour is not None
    assert plain.text("tensorrt") != flavour.text("tensorrt")


# -- JetPack -----------------------------------------------------------------------------------------------------------


def test_l4t_releases_are_unique_and_newest_first(matrix: Matrix) -> None:
    listed = [[v(item).parts for item in row.get("l4t").value] for row in jetpacks(matrix)]
    flat = [item for row in listed for item in row]
    assert len(flat) == len(set(flat))
    assert [max(row) for row in listed] == sorted((max(row) for row in listed), reverse=True)


def test_every_jetpack_is_found_by_its_l4t(matrix: Matrix) -> None:
    for row in jetpacks(matrix):
        for release in row.get("l4t").value:
            assert jetpack.of_l4t(matrix, v(release)) is row


@pytest.mark.parametrize(
    ("version", "found"),
    [
        ("6.2.1", ["6.2.1"]),
        ("6.2", ["6.2"]),
        ("6.2+b77", ["6.2"]),
        ("6", ["6.2.2", "6.2.1", "6.2", "6.1", "6.0"]),
        ("7.0", ["7.0-38.2.2", "7.0"]),
        ("7.2", ["7.2"]),
        ("5.0", ["5.0.2"]),
        ("5.0.1", ["5.0.1-dp"]),
        ("4.6.0", ["4.6"]),
        ("3.3", []),
    ],
)
def test_find_jetpack(matrix: Matrix, version: str, found: list[str]) -> None:
    assert [row.key for row in jetpack.find(matrix, v(version))] == found


@pytest.mark.parametrize(
    ("l4t", "key"),
    [
        ("36.4.4", "6.2.1"),
        ("36.4.7", "6.2.1"),
        ("R36.4.3", "6.2"),
        ("35.1", "5.0.2"),
        ("38.2", "7.0"),
        ("38.2.2", "7.0-38.2.2"),
        ("36.2.0", "6.0-dp"),
        ("36", None),
        ("99.0", None),
    ],
)
def test_jetpack_of_l4t(matrix: Matrix, l4t: str, key: str | None) -> None:
    row = jetpack.of_l4t(matrix, v(l4t))
    assert (row.key if row else None) == key


def test_component_needs_agreement(matrix: Matrix) -> None:
    agreed = jetpack.component(matrix, "cuda", v("7.0"))
    assert agreed is not None
    assert agreed.value == "13.0"
    assert jetpack.component(matrix, "tensorrt", v("7.0")) is None
    told = jetpack.component(matrix, "tensorrt", v("7.0"), v("38.2.1"))
    assert told is not None
    assert told.value == "10.13.2.6"
    assert jetpack.component(matrix, "cuda", v("6")) is None
    assert jetpack.component(matrix, "cuda", l4t=v("36.2.0")) is None
    assert jetpack.component(matrix, "cuda") is None


def test_one_jetpack(matrix: Matrix) -> None:
    both = jetpack.one(matrix, v("7.0"))
    assert both is not None
    assert both.key == "7.0-38.2.2"
    assert jetpack.one(matrix, v("6")) is None
    assert jetpack.one(matrix) is None
    unlisted = jetpack.one(matrix, v("6.2"), v("36.4.99"))
    assert unlisted is not None
    assert unlisted.key == "6.2"
    assert jetpack.one(matrix, l4t=v("36.4.99")) is None


def test_modules_and_capabilities_agree(matrix: Matrix) -> None:
    families = dict.fromkeys(("Nano", "TX1"), "5.3") | dict.fromkeys(("Thor", "T5000", "T4000"), "11.0")
    families |= {"TX2": "6.2", "Xavier": "7.2", "Orin": "8.7"}
    for row in jetpacks(matrix):
        wanted = set()
        for module in row.get("modules").value:
            words = module.split()
            wanted.add(families["Orin" if "Orin" in words else "Xavier" if "Xavier" in words else words[-1]])
        assert wanted == set(row.get("compute_capabilities").value), row.key


# -- against the other files -------------------------------------------------------------------------------------------


def test_every_tensorrt_is_known_to_tensorrt_yaml(matrix: Matrix) -> None:
    facts = [
        *known(images(matrix), "tensorrt"),
        *known([row for row in images(matrix) if "tensorrt_sbsa" in row], "tensorrt_sbsa"),
        *known(jetpacks(matrix), "tensorrt"),
    ]
    missing = {fact.value: fact.where for fact in facts if not tensorrt.releases(matrix, v(fact.value))}
    assert {value: where for value, where in missing.items() if v(value).short(3) not in UNPUBLISHED_TENSORRT} == {}


def test_every_cuda_is_known_to_cuda_yaml(matrix: Matrix) -> None:
    facts = [*known(images(matrix), "cuda"), *known(jetpacks(matrix), "cuda")]
    missing = {fact.value: fact.where for fact in facts if not cuda.toolkits(matrix, v(fact.value))}
    assert {value: where for value, where in missing.items() if v(value).short(3) not in UNLISTED_CUDA} == {}


def test_every_whole_build_is_a_package_of_its_release(matrix: Matrix) -> None:
    for row in [*images(matrix), *jetpacks(matrix)]:
        build = row.text("tensorrt")
        if build is not None and len(v(build).parts) > 3:
            packages = [release.get("packages").value for release in tensorrt.releases(matrix, v(build))]
            assert any(build in listed for listed in packages if isinstance(listed, list)), row.key


def test_exceptions_are_needed(matrix: Matrix) -> None:
    assert [version for version in UNPUBLISHED_TENSORRT if tensorrt.releases(matrix, v(version))] == []
    assert [version for version in UNLISTED_CUDA if cuda.toolkits(matrix, v(version))] == []


def test_what_is_known(matrix: Matrix) -> None:
    """Few values are unknown: a floor, so that a mended row does not lose them again."""
    plain = [row for row in images(matrix) if "-trtllm-" not in row.key]
    share = {name: len(known(plain, name)) / len(plain) for name in COMPONENTS}
    assert share["tensorrt"] > 0.96
    assert share["cuda"] == 1.0
    assert share["cublas"] == 1.0
    assert share["cudnn"] > 0.8
