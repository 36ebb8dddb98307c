"""The TensorRT part of the real matrix: facts that people rely on, the look-ups, and the form of the files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from trtdoctor.matrix import Matrix, load
from trtdoctor.matrix import tensorrt as trt
from trtdoctor.matrix.rows import Row
from trtdoctor.versions import Answer, Version

ROOT = Path(__file__).resolve().parents[2] / "matrix"
FILES = ("tensorrt", "tensorrt-rtx", "api", "known_issues")
YES, NO, UNKNOWN = Answer.YES, Answer.NO, Answer.UNKNOWN


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return load(ROOT)


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / f"{name}.yaml").read_text("utf-8"))


def one(matrix: Matrix, version: str, product: str = "full") -> Row:
    row = trt.release(matrix, Version.parse(version), product)
    assert row is not None
    return row


# -- form --------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", FILES)
def test_file_fits_its_schema(name: str) -> None:
    schema = json.loads((ROOT / "schema" / f"{name}.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    errors = [
        f"{list(error.absolute_path)}: {error.message[:120]}"
        for error in jsonschema.Draft202012Validator(schema).iter_errors(read(name))
    ]
    assert errors == []


@pytest.mark.parametrize("name", FILES)
def test_every_source_is_listed(name: str) -> None:
    assert set(sources_in(read(name))) <= set(read("sources")["sources"])


def sources_in(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        source = node.get("source")
        yield from [source] if isinstance(source, str) else source or []
        for value in node.values():
            yield from sources_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from sources_in(value)


@pytest.mark.parametrize("product", ["full", "rtx"])
def test_releases_stand_newest_first_and_once(matrix: Matrix, product: str) -> None:
    keys = [Version.parse(row.key).parts for row in trt.all_releases(matrix, product)]
    assert keys == sorted(set(keys), reverse=True)


@pytest.mark.parametrize("product", ["full", "rtx"])
def test_no_build_holds_a_capability_twice_and_floors_fit_the_flavour(matrix: Matrix, product: str) -> None:
    for row in trt.all_releases(matrix, product):
        for flavour in trt.flavours(row):
            table = row.get("builds", flavour, "compute_capabilities").value
            for platform in table if isinstance(table, dict) else ():
                held = row.get("builds", flavour, "compute_capabilities", platform).value
                if isinstance(held, dict):
                    assert not set(held["supported"]) & set(held["unconfirmed"]), (row.key, flavour, platform)
            for capability, floor in (row.get("builds", flavour, "cuda_floor").value or {}).items():
                assert floor.split(".")[0] == flavour.removeprefix("cu"), (row.key, flavour, capability)


def test_a_default_flavour_was_published(matrix: Matrix) -> None:
    for row in trt.all_releases(matrix):
        default = trt.default_flavour(row)
        if default is not None and default.value != trt.NONE:
            wheels = trt.wheels(row, default.value)
            assert wheels is not None, row.key
            assert wheels.value != trt.NONE, row.key


# -- which release is meant --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("version", "keys"),
    [
        ("10.9.0.34", ["10.9.0"]),
        ("10.2.0.post1", ["10.2.0"]),
        ("9.0.1.post11.dev4", ["9.0.1"]),
        ("8.6.1.post1", ["8.6.1"]),
        ("8.6", ["8.6.3", "8.6.2", "8.6.1", "8.6.0"]),
        ("8.3.0.10", []),
        ("12.1", []),
    ],
)
def test_releases(matrix: Matrix, version: str, keys: list[str]) -> None:
    assert [row.key for row in trt.releases(matrix, Version.parse(version))] == keys


def test_releases_of_a_platform_leave_out_those_of_another(matrix: Matrix) -> None:
    found = trt.releases(matrix, Version.parse("8.6"), platform="linux-x86_64")
    assert [row.key for row in found] == ["8.6.3", "8.6.1", "8.6.0"]
    assert [row.key for row in trt.releases(matrix, Version.parse("8.6.2"), platform="linux-x86_64")] == ["8.6.2"]


def test_newer_than_matrix(matrix: Matrix) -> None:
    assert trt.newer_than_matrix(matrix, Version.parse("11.9.0"))
    assert trt.newer_than_matrix(matrix, Version.parse("12"))
    assert not trt.newer_than_matrix(matrix, Version.parse("11"))
    assert not trt.newer_than_matrix(matrix, Version.parse("10.99"))
    assert trt.newer_than_matrix(matrix, Version.parse("1.9"), "rtx")


# -- compute capabilities ----------------------------------------------------------------------------------------------
SERVES = [
    ("7.0.0.11", "8.6", "cu10", None, NO, "not-supported"),
    ("7.1.3.4", "8.6", "cu11", "windows-x86_64", NO, "not-supported"),
    ("7.1.3.4", "8.0", "cu11", None, YES, "supported"),
    ("7.2.1.6", "8.6", "cu11", "linux-x86_64", YES, "supported"),
    ("7.2.1.6", "8.6", "cu10", "linux-x86_64", UNKNOWN, "unconfirmed"),
    ("8.2.1", "5.3", "cu10", "jetson", YES, "supported"),
    ("8.5", "5.3", "cu10", "jetson", NO, "no-build"),
    ("8.5", "5.3", None, "jetson", NO, "not-supported"),
    ("8.4.1", "8.9", None, None, NO, "not-supported"),
    ("8.5.1", "8.9", "cu11", None, YES, "supported"),
    ("8.5.3", "9.0", "cu11", "linux-x86_64", YES, "supported"),
    ("8.5.3", "3.5", "cu11", None, UNKNOWN, "unconfirmed"),
    ("8.6.1.6", "6.1", None, None, YES, "supported"),
    ("8.6.1.6", "3.5", None, None, NO, "not-supported"),
    ("8.6", "8.6", None, "linux-x86_64", YES, "supported"),
    ("9.1.0", "6.1", None, "linux-x86_64", UNKNOWN, "unconfirmed"),
    ("10.0.1.6", "6.1", None, None, NO, "not-supported"),
    ("10.4.0", "7.0", "cu12", None, YES, "supported"),
    ("10.5.0", "7.0", "cu12", None, NO, "not-supported"),
    ("10.7", "12.0", "cu12", None, NO, "not-supported"),
    ("10.8.0.43", "12.0", "cu12", "windows-x86_64", YES, "supported"),
    ("10.9.0.34", "12.0", "cu11", "linux-x86_64", NO, "not-supported"),
    ("10.9.0.34", "12.0", None, "linux-x86_64", YES, "some-flavours"),
    ("10.13", "12.0", None, None, YES, "supported"),
    ("10.13.3.9", "11.0", "cu13", "jetson", YES, "supported"),
    ("10.13.3.9", "12.1", "cu13", "linux-aarch64", UNKNOWN, "unconfirmed"),
    ("10.13.2.6", "8.6", "cu11", "linux-x86_64", UNKNOWN, "no-flavour"),
    ("11.1.0.106", "11.0", "cu12", None, NO, "no-build"),
    ("11.1.0.106", "11.0", "cu12", "linux-aarch64", NO, "no-build"),
    ("11.3.0", "10.7", "cu13", "linux-x86_64", YES, "supported"),
    ("11.3.0", "10.7", "cu12", "linux-x86_64", NO, "not-supported"),
    ("11.2.1", "8.7", "cu13", "jetson", NO, "no-build"),
    ("11.4.1", "8.7", "cu13", "jetson", YES, "supported"),
    ("10.99", "6.1", None, None, NO, "below-major"),
    ("10.99", "8.6", None, None, UNKNOWN, "unknown"),
    ("13.0", "8.6", None, None, UNKNOWN, "unknown"),
]


@pytest.mark.parametrize(("version", "capability", "flavour", "platform", "answer", "word"), SERVES)
def test_serves(
    matrix: Matrix,
    *,
    version: str,
    capability: str,
    flavour: str | None,
    platform: str | None,
    answer: Answer,
    word: str,
) -> None:
    found = trt.serves_version(matrix, Version.parse(version), capability, flavour=flavour, platform=platform)
    assert (found.answer, found.word) == (answer, word), found.reason
    assert found.reason


def test_a_no_rests_on_a_fact_with_a_source(matrix: Matrix) -> None:
    fact = trt.serves(one(matrix, "10.9.0"), "12.0", "cu11", "linux-x86_64").facts[0]
    assert "rn_10_8_0" in fact.sources
    assert fact.certainty == "inferred"


def test_releases_that_serve(matrix: Matrix) -> None:
    def keys(capability: str, **where: str) -> tuple[str | None, str | None]:
        old = trt.oldest_serving(matrix, capability, **where)
        new = trt.newest_serving(matrix, capability, **where)
        return (old.key if old else None, new.key if new else None)

    assert keys("8.6") == ("7.2.1", "11.4.0")
    assert keys("8.9") == ("8.5.1", "11.4.0")
    assert keys("12.0")[0] == "10.8.0"
    assert keys("7.0")[1] == "10.4.0"
    assert keys("6.1")[1] == "8.6.1"
    assert keys("5.2")[1] == "8.5.3"
    assert keys("5.3", platform="jetson")[1] == "8.2.5"
    assert keys("12.0", flavour="cu11") == (None, None)
    assert keys("3.5") == (None, None)


# -- TensorRT for RTX --------------------------------------------------------------------------------------------------
def test_rtx(matrix: Matrix) -> None:
    def serves(version: str, capability: str, platform: str | None = None) -> Answer:
        version_ = Version.parse(version)
        return trt.serves_version(matrix, version_, capability, platform=platform, product="rtx").answer

    assert serves("1.0.0.21", "8.9") is YES
    assert serves("1.7.1.116", "8.0", "linux-x86_64") is YES
    assert serves("1.4", "8.0", "linux-x86_64") is UNKNOWN
    assert serves("1.7.1.116", "9.0") is NO
    assert serves("1.5", "7.0") is NO
    assert serves("1.9", "7.0") is NO
    assert serves("1.9", "12.0") is UNKNOWN
    assert trt.cudnn(one(matrix, "1.7", "rtx")).need == "none"
    default = trt.default_flavour(one(matrix, "1.4", "rtx"))
    assert default is not None
    assert default.value == "cu13"
    assert trt.flavours(one(matrix, "1.0.0", "rtx")) == ("cu12",)


# -- what a build needs ------------------------------------------------------------------------------------------------
def test_cuda_floor(matrix: Matrix) -> None:
    floor = trt.cuda_floor(one(matrix, "10.12.0"), "12.0", "cu12")
    assert floor is not None
    assert floor.value == "12.8"
    assert "trt_4525" in floor.sources
    assert trt.cuda_floor(one(matrix, "10.12.0"), "8.6", "cu12") is None
    assert trt.cuda_floor(one(matrix, "10.13.3"), "12.0", "cu13") is None


def test_driver_floor(matrix: Matrix) -> None:
    def floor(version: str, flavour: str, system: str) -> str | None:
        fact = trt.driver_floor(one(matrix, version), flavour, system)
        return fact.value if fact else None

    assert floor("11.1.0", "cu12", "linux") == "535"
    assert floor("10.16.0", "cu12", "windows") == "537"
    assert floor("11.4.0", "cu13", "windows") == "580"
    assert floor("10.9.0", "cu12", "linux") is None
    assert floor("8.6.1", "cu11", "linux") is None
    major = trt.major_row(matrix, Version.parse("11.9"))
    assert major is not None
    fact = trt.driver_floor(major, "cu13", "linux")
    assert fact is not None
    assert fact.value == "580"


def test_cudnn(matrix: Matrix) -> None:
    assert trt.cudnn(one(matrix, "8.5.3"), "linux-x86_64").need == "required"
    assert trt.cudnn(one(matrix, "8.4.3"), "linux-aarch64").version == "8.3.3"
    assert trt.cudnn(one(matrix, "7.2.3")).version == "8.1"
    assert trt.cudnn(one(matrix, "10.9.0")).need == "optional"
    assert trt.cudnn(one(matrix, "11.4.0")).need == "none"
    assert trt.cudnn(one(matrix, "9.1.0")).need == "unknown"


def test_nvrtc_of_72(matrix: Matrix) -> None:
    fact = trt.needs_nvrtc(one(matrix, "7.2.2.3"), "cu11")
    assert fact is not None
    assert fact.value == "11.1"
    assert trt.needs_nvrtc(one(matrix, "7.2.2.3"), "cu10") is None
    assert trt.needs_nvrtc(one(matrix, "8.0.1"), "cu11") is None


@pytest.mark.parametrize(
    ("version", "platform", "floor"),
    [
        ("10.0.0", "linux-x86_64", "2.28"),
        ("10.0.1", "linux-x86_64", "2.17"),
        ("10.7.0", "linux-x86_64", "2.17"),
        ("10.8.0", "linux-x86_64", "2.28"),
        ("10.13.0", "linux-aarch64", "2.31"),
        ("11.0.0", "linux-aarch64", "2.35"),
        ("11.0.0", "jetson", "2.35"),
        ("10.1.0", "linux-aarch64", None),
    ],
)
def test_glibc(matrix: Matrix, version: str, platform: str, floor: str | None) -> None:
    fact = trt.glibc(one(matrix, version), platform)
    assert (fact.value if fact else None) == floor


@pytest.mark.parametrize(
    ("version", "flavour", "platform", "python", "word"),
    [
        ("8.6.1", "cu12", "linux-x86_64", "3.12", "other-python"),
        ("8.6.1", "cu12", "linux-x86_64", "3.11", "wheel"),
        ("8.6.1", "cu12", "windows-x86_64", "3.10", "other-platform"),
        ("8.4.1", "cu11", "linux-x86_64", "3.8", "no-wheel"),
        ("10.9.0", "cu12", "linux-x86_64", "3.13", "wheel"),
        ("10.8.0", "cu12", "linux-x86_64", "3.13", "other-python"),
        ("10.13.2", "cu13", "windows-x86_64", "3.12", "other-platform"),
        ("10.13.2", "cu13", "linux-x86_64", "3", "unknown"),
        ("11.1.0", "cu13", "linux-aarch64", "3.14", "wheel"),
        ("7.0.0", "cu10", "linux-x86_64", "3.6", "unknown"),
    ],
)
def test_python_wheel(matrix: Matrix, *, version: str, flavour: str, platform: str, python: str, word: str) -> None:
    found = trt.python_wheel(one(matrix, version), flavour, platform, Version.parse(python))
    assert found.word == word, found.reason


def test_flavours_and_toolkits(matrix: Matrix) -> None:
    assert trt.flavours(one(matrix, "10.13.0")) == ("cu12", "cu11")
    assert trt.flavours(one(matrix, "10.13.2")) == ("cu13", "cu12")
    built = trt.built_with(one(matrix, "10.13.2"), "cu13")
    assert built is not None
    assert built.value == "13.0"
    tested = trt.tested_toolkits(one(matrix, "8.5.3"), "linux-x86_64")
    assert tested is not None
    assert tested.value[0] == "11.8"
    assert "10.2" in tested.value
    assert trt.tested_toolkits(one(matrix, "10.2.0"), "jetson") is None
    floor = trt.jetpack_floor(one(matrix, "11.4.1"))
    assert floor is not None
    assert floor.value == "7.2.2"


# -- calls -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "version", "answer", "word"),
    [
        ("max_workspace_size", "10.0.1", NO, "removed"),
        ("setMaxWorkspaceSize", "8.6.1", YES, "deprecated"),
        ("api:binding_is_input", "10.0.1.6", NO, "removed"),
        ("getNbBindings", "10.4", NO, "removed"),
        ("nvinfer1::IExecutionContext::enqueueV2", "8.6.1", YES, "deprecated"),
        ("context->enqueueV2()", "10.0", NO, "removed"),
        ("num_io_tensors", "8.2.3", NO, "not-yet"),
        ("num_io_tensors", "8.5.1", YES, "available"),
        ("num_io_tensors", "8", UNKNOWN, "unknown"),
        ("trt.BuilderFlag.FP16", "11", NO, "removed"),
        ("BuilderFlag::kFP16", "10.16.1", YES, "deprecated"),
        ("BuilderFlag.FP4", "10.7.0", NO, "not-yet"),
        ("NetworkDefinitionCreationFlag.EXPLICIT_BATCH", "11.2.1.2", NO, "removed"),
        ("EXPLICIT_BATCH", "10.9.0", YES, "deprecated"),
        ("build_cuda_engine", "8.0.1", NO, "removed"),
        ("buildEngineWithConfig", "10.5", NO, "removed"),
        ("buildEngineWithConfig", "10.6", YES, "available"),
        ("execute_v2", "11.4", YES, "available"),
        ("execute_async_v3", "11.4", YES, "available"),
    ],
)
def test_api(matrix: Matrix, name: str, version: str, answer: Answer, word: str) -> None:
    row = trt.api(matrix, name)
    assert row is not None
    found = trt.api_state(row, Version.parse(version))
    assert (found.answer, found.word) == (answer, word), found.reason


def test_an_unlisted_call_is_none(matrix: Matrix) -> None:
    assert trt.api(matrix, "make_it_fast") is None


def test_a_spelling_means_one_call() -> None:
    seen: dict[str, str] = {}
    for row in read("api")["calls"]:
        for name in row["aliases"]:
            assert seen.setdefault(name, row["name"]) == row["name"], name


def test_precisions(matrix: Matrix) -> None:
    row = trt.precision(matrix, "FP16")
    assert row is not None
    assert row.get("removed").value == "11.0"
    assert trt.precision(matrix, "fp17") is None


# -- known-bad releases ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("version", "answer"),
    [("10.2.0", YES), ("10.2.0.post1", None), ("10.2", UNKNOWN), ("10.1.0", None), ("10.3.0", None), ("10", UNKNOWN)],
)
def test_known_issue_of_1020(matrix: Matrix, version: str, answer: Answer | None) -> None:
    found = trt.known_issues(matrix, "tensorrt", Version.parse(version), platform="linux-x86_64")
    assert {row.key: item for row, item in found}.get("trt-10.2.0-windows-resource") == answer


def test_known_issues_by_platform_and_flavour(matrix: Matrix) -> None:
    def ids(version: str, **where: str) -> set[str]:
        return {row.key for row, _ in trt.known_issues(matrix, "tensorrt", Version.parse(version), **where)}

    assert "trt-10.2.0-windows-resource" not in ids("10.2.0", platform="windows-x86_64")
    assert "trt-10.13.3.9-cu13-runtime" in ids("10.13.3.9", flavour="cu13")
    assert "trt-10.13.3.9-cu13-runtime" not in ids("10.13.3.9", flavour="cu12")
    assert "trt-10.13.3.9-cu13-runtime" not in ids("10.13.3.9.post1", flavour="cu13")
    assert "trt-10.8-abi" in ids("10.8.0.43")
    assert "trt-execstack" in ids("10.7.0.23")
    assert "trt-execstack" not in ids("10.9.0.34")
    assert trt.known_issues(matrix, "no-such-thing", Version.parse("1.0")) == []
