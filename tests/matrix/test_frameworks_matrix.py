"""The frameworks, features, wheels and advisories of the real matrix, and their look-ups."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import AS_OF, ROOT
from trtdoctor.matrix import Matrix, advisories, cuda, cudnn, drivers, features, frameworks, tensorrt, wheels
from trtdoctor.versions import Answer, Version, within

FILES = ("frameworks", "features", "wheels", "advisories")
YES, NO, UNKNOWN = Answer.YES, Answer.NO, Answer.UNKNOWN
ANY = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
INDEX: dict[str, list[str]] = json.loads((ROOT / "tests/data/index-2026-11-22.json").read_text("utf-8"))["projects"]
"""Every version that the package index had on the day, by project."""


def v(text: str) -> Version:
    return Version.parse(text)


def data(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "matrix" / f"{name}.yaml").read_text("utf-8"))
    return loaded


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


def sources_in(item: Any) -> Iterator[str]:
    if isinstance(item, dict):
        for key, inner in item.items():
            if key == "source":
                yield from inner if isinstance(inner, list) else [inner]
            else:
                yield from sources_in(inner)
    elif isinstance(item, list):
        for inner in item:
            yield from sources_in(inner)


@pytest.mark.parametrize("name", FILES)
def test_sources_exist_and_lines_are_short(name: str) -> None:
    known = data("sources")["sources"]
    assert set(sources_in(data(name))) <= set(known)
    text = (ROOT / "matrix" / f"{name}.yaml").read_text("utf-8")
    assert [line for line in text.splitlines() if len(line) > 140] == []


@pytest.mark.parametrize("name", FILES)
def test_rows_have_one_name_each(name: str, matrix: Matrix) -> None:
    for table in matrix.tables(name):
        keys = [row.key for row in matrix.rows(name, table)]
        assert len(keys) == len(set(keys)), table


@pytest.mark.parametrize("table", sorted(set(frameworks.TABLES.values())))
def test_frameworks_are_newest_first(matrix: Matrix, table: str) -> None:
    keys = [v(row.key).sort_key() for row in matrix.rows("frameworks", table)]
    assert keys == sorted(keys, reverse=True)


# -- frameworks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("framework", "project", "oldest"),
    [
        ("onnxruntime-gpu", "onnxruntime-gpu", "1.11.0"),
        ("torch", "torch", "1.13.1"),
        ("torch-tensorrt", "torch-tensorrt", "1.3.0"),
        ("polygraphy", "polygraphy", "0.48.1"),
        ("onnx-graphsurgeon", "onnx-graphsurgeon", "0.5.2"),
    ],
)
def test_every_release_on_the_index_has_a_row(matrix: Matrix, framework: str, project: str, oldest: str) -> None:
    for text in INDEX[project]:
        version = v(text)
        if version.suffix or version.at_least(v(oldest)) is not YES:
            continue
        row = frameworks.row(matrix, framework, version)
        assert row is not None, text
        assert row.key == text


def test_no_published_onnxruntime_loads_tensorrt_11(matrix: Matrix) -> None:
    for row in frameworks.rows(matrix, "onnxruntime"):
        assert frameworks.loads(row, v("11.4.0.106")).answer is NO, row
        majors = {m for m in (8, 9, 10, 11) if frameworks.loads(row, v(f"{m}.0.0")).answer is YES}
        assert majors == ({8} if v(row.key).below(v("1.18")) is YES else {10}), row


@pytest.mark.parametrize(
    ("version", "tensorrt_soname", "cudart", "cudnn_soname"),
    [
        ("1.15.1", "libnvinfer.so.8", "libcudart.so.11.0", "libcudnn.so.8"),
        ("1.18.1", "libnvinfer.so.10", "libcudart.so.11.0", "libcudnn.so.8"),
        ("1.19.2", "libnvinfer.so.10", "libcudart.so.12", "libcudnn.so.9"),
        ("1.26.0", "libnvinfer.so.10", "libcudart.so.12", "libcudnn.so.9"),
        ("1.27.0", "libnvinfer.so.10", "libcudart.so.13", "libcudnn.so.9"),
        ("1.31.1", "libnvinfer.so.10", "libcudart.so.13", "libcudnn.so.9"),
    ],
)
def test_onnxruntime_links(matrix: Matrix, version: str, tensorrt_soname: str, cudart: str, cudnn_soname: str) -> None:
    row = frameworks.row(matrix, "onnxruntime-gpu", v(version))
    assert row is not None
    links = frameworks.links(row)
    assert links.tensorrt is not None
    assert links.cuda is not None
    assert links.cudnn is not None
    assert (links.tensorrt.value, links.cuda.value, links.cudnn.value) == (tensorrt_soname, cudart, cudnn_soname)
    assert links.tensorrt.certainty == "measured"


def test_partial_and_unreleased_versions_give_no_row(matrix: Matrix) -> None:
    assert frameworks.row(matrix, "onnxruntime", v("1.24")) is None
    assert frameworks.row(matrix, "onnxruntime", v("1.22")) is not None
    assert frameworks.row(matrix, "torch", v("2.10.0a0")) is None
    assert frameworks.row(matrix, "torch", v("2.9.0+cu126")) is not None
    assert frameworks.row(matrix, "onnxruntime", v("1.25.0.dev20260331")) is None
    assert frameworks.row(matrix, "no such framework", v("1.0")) is None
    assert frameworks.newer_than_matrix(matrix, "torch", v("3.0"))
    assert not frameworks.newer_than_matrix(matrix, "torch", v("2.15"))


def test_torch_tensorrt_pins_agree_with_the_other_tables(matrix: Matrix) -> None:
    torches = frameworks.rows(matrix, "torch")
    for row in frameworks.rows(matrix, "torch-tensorrt"):
        fitting = [item for item in torches if frameworks.accepts(row, "torch", v(item.key)).answer is YES]
        if v(row.key).at_least(v("1.4")) is YES:
            assert fitting, f"no torch for {row.key}"
        releases = [item for item in tensorrt.all_releases(matrix) if frameworks.serves(row, v(item.key)).answer is YES]
        assert releases, f"no TensorRT for {row.key}"
        assert len({v(item.key).major for item in releases}) == 1


def test_newest_torch_tensorrt_refuses_newer_tensorrt(matrix: Matrix) -> None:
    row = frameworks.rows(matrix, "torch-tensorrt")[0]
    assert frameworks.serves(row, v("11.1.0.106")).answer is YES
    for text in ("11.2.1.2", "11.4.0.106", "10.16.1.11"):
        assert frameworks.serves(row, v(text)).word == "outside"
    assert frameworks.accepts(row, "numpy", v("2.0.0")).word == "not-required"
    unknown = frameworks.row(matrix, "tensorrt-llm", v("0.17.0"))
    assert unknown is not None
    assert frameworks.accepts(unknown, "tensorrt", v("10.8.0")).answer is UNKNOWN
    known = frameworks.row(matrix, "tensorrt-llm", v("1.2.1"))
    assert known is not None
    assert frameworks.accepts(known, "tensorrt", v("10.14.1.48")).answer is YES
    assert frameworks.accepts(known, "torch", v("2.9.1")).answer is YES
    assert frameworks.accepts(known, "torch", v("2.10.0")).answer is NO


def test_what_torch_pins_is_in_the_cudnn_and_cuda_tables(matrix: Matrix) -> None:
    for row in frameworks.rows(matrix, "torch"):
        pin = next(
            fact for name in row.get("requires").value if "cudnn" in name for fact in [row.get("requires", name)]
        )
        assert cudnn.releases(matrix, v(str(pin.value).removeprefix("=="))), row
        built = row.get("built_with", "cuda").value
        assert cuda.toolkits(matrix, v(built)), row
        assert row.get("flavour").value == f"cu{v(built).major}"


def test_torch_keeps_the_provenance_of_other_builds(matrix: Matrix) -> None:
    row = frameworks.row(matrix, "torch", v("2.13.0"))
    assert row is not None
    own, other = row.get("built_with", "cudnn"), row.get("other_builds", "cu126", "cudnn")
    assert (own.value, own.certainty) == ("9.20.0.48", "measured")
    assert (other.value, other.certainty, other.sources) == ("9.10.2.21", "official", ("pytorch_release_matrix",))


def test_tensorflow_ends_with_2_17(matrix: Matrix) -> None:
    gone = frameworks.row(matrix, "tensorflow", v("2.18.0"))
    last = frameworks.row(matrix, "tensorflow", v("2.17.0"))
    old = frameworks.row(matrix, "tensorflow", v("2.11.0"))
    assert gone is not None
    assert last is not None
    assert old is not None
    assert frameworks.loads(gone, v("8.6.1")).word == "no-tensorrt"
    assert frameworks.loads(last, v("8.6.1")).word == "unknown"
    assert frameworks.loads(old, v("8.6.1")).word == "other-major"


@pytest.mark.parametrize(
    ("version", "specifier", "answer"),
    [
        ("10.13", ">=10.13.0,<10.14.0", YES),
        ("10", ">=10.13.0,<10.14.0", UNKNOWN),
        ("10.12", ">=10.13.0,<10.14.0", NO),
        ("12.6", "<12.6.2", UNKNOWN),
        ("12.6.1", "<12.6.2", YES),
        ("12.7", "<12.6.2", NO),
        ("10.14", "!=10.14.1", UNKNOWN),
        ("8.6.1.6", "==8.6.1.*", YES),
        ("1.3.0rc14", "<1.3.0rc15", YES),
        ("1.3.0", "<1.3.0rc15", NO),
    ],
)
def test_within(version: str, specifier: str, answer: Answer) -> None:
    assert within(v(version), specifier) is answer


# -- features ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("capability", "name", "version", "word"),
    [
        ("8.6", "fp8", "10.9.0", "no-hardware"),
        ("8.9", "fp8", "10.9.0", "supported"),
        ("8.9", "fp8", "8.5.3", "not-yet"),
        ("12.0", "fp4", "10.8.0", "supported"),
        ("12.0", "fp4", "10.7.0", "not-yet"),
        ("9.0", "fp4", "11.4.0", "no-hardware"),
        ("7.5", "bf16", "10.0.1", "no-hardware"),
        ("8.0", "BF16", "8.6.1", "not-yet"),
        ("7.5", "fp16", "10.16.1", "supported"),
        ("7.5", "int4", "10.16.1", "unknown"),
        ("6.1", "fp16", "8.4.3", "no-hardware"),
        ("9.9", "fp16", "10.9.0", "unknown"),
        ("8.6", "int2", "10.9.0", "unknown"),
    ],
)
def test_precision(matrix: Matrix, capability: str, name: str, version: str, word: str) -> None:
    judged = features.precision(matrix, capability, name, v(version))
    assert judged.word == word
    expected = {"supported": YES, "no-hardware": NO, "not-yet": NO, "unknown": UNKNOWN}
    assert judged.answer is expected[word]


def test_hardware_has_a_row_for_every_architecture_that_a_release_serves(matrix: Matrix) -> None:
    wanted = set()
    for release in tensorrt.all_releases(matrix):
        for flavour in tensorrt.flavours(release):
            table = release.get("builds", flavour, "compute_capabilities").value
            for entry in table.values() if isinstance(table, dict) else ():
                if isinstance(entry, dict):
                    wanted |= set(entry.get("supported", ()))
    assert {item for item in wanted if features.hardware(matrix, item) is None} == set()


def test_engine_modes(matrix: Matrix) -> None:
    compatible = features.mode(matrix, "version-compatible")
    assert compatible is not None
    assert features.mode_state(compatible, v("8.5.3")).word == "not-yet"
    assert features.mode_state(compatible, v("10.0.1")).answer is YES
    assert features.mode_state(compatible, v("8")).answer is UNKNOWN
    same = features.mode(matrix, "same_compute_capability")
    assert same is not None
    assert [features.mode_state(same, v(x)).answer for x in ("10.8.0", "10.9.0")] == [NO, YES]
    platform = features.mode(matrix, "windows_amd64")
    assert platform is not None
    assert [features.mode_state(platform, v(x)).answer for x in ("10.1.0", "10.2.0")] == [NO, YES]
    old = features.mode(matrix, "weightless")
    assert old is not None
    assert features.mode_state(old, v("11.0.0")).word == "gone"
    assert features.mode_state(old, v("10.16.1")).answer is YES


def test_opsets(matrix: Matrix) -> None:
    assert features.opset(matrix, v("8.6.1"), 18).word == "newer"
    assert features.opset(matrix, v("8.6.1"), 17).answer is YES
    assert features.opset(matrix, v("10.9.0"), 20).answer is YES
    assert features.opset(matrix, v("10.9.0"), 22).answer is UNKNOWN
    assert features.opset(matrix, v("10.14.1"), 24).answer is YES
    assert features.opset(matrix, v("11.1.0"), 7).word == "older"
    assert features.opset(matrix, v("12.0"), 7).answer is UNKNOWN


def test_opsets_cover_the_releases_and_never_shrink(matrix: Matrix) -> None:
    rows = matrix.rows("features", "onnx")
    assert [row.key for row in rows] == [row.key for row in tensorrt.all_releases(matrix)]
    least = [row.get("at_least").value for row in rows]
    assert least == sorted(least, reverse=True)


def test_sparsity(matrix: Matrix) -> None:
    assert [features.sparsity(matrix, x).answer for x in ("8.6", "7.5", "8.8")] == [YES, NO, UNKNOWN]


# -- wheels ------------------------------------------------------------------------------------------------------------

RECORDED = sorted(name for name in INDEX if re.match(r"tensorrt(?!-llm)|nvidia-", name))


@pytest.mark.parametrize("project", RECORDED)
def test_every_version_on_the_index_has_a_row(matrix: Matrix, project: str) -> None:
    assert [text for text in INDEX[project] if wheels.of(matrix, project, v(text)) is None] == []
    assert wheels.versions(matrix, project) == INDEX[project]


def test_every_release_with_wheels_is_known_to_the_release_tables(matrix: Matrix) -> None:
    for text in INDEX["tensorrt"]:
        if text.startswith("0."):
            continue
        assert tensorrt.releases(matrix, v(text)), text
    for text in INDEX["tensorrt-rtx"]:
        assert tensorrt.releases(matrix, v(text), "rtx"), text
    for project in ("nvidia-cudnn-cu11", "nvidia-cudnn-cu12", "nvidia-cudnn-cu13"):
        for text in INDEX[project]:
            if ".dev" not in text and not text.startswith("0."):
                assert cudnn.releases(matrix, v(text)), text


def test_what_pip_install_tensorrt_resolves_to(matrix: Matrix) -> None:
    def brings(version: str, os_family: str = "linux") -> Any:
        row = wheels.of(matrix, "tensorrt", v(version))
        fact = wheels.resolves_to(row, os_family) if row else None
        return fact.value if fact else None

    assert brings("11.4.0.106") == ["tensorrt-cu13"]
    assert brings("10.13.0.35") == ["tensorrt-cu12"]
    assert brings("10.13.2.6") == ["tensorrt-cu13"]
    assert brings("10.13.2.6", "windows") == ["tensorrt-cu12"]
    assert brings("10.9.0") == ["tensorrt-cu12"]
    assert brings("8.5.3.1") is None


def test_which_meta_packages_do_not_pin(matrix: Matrix) -> None:
    def pins(version: str) -> bool | None:
        row = wheels.of(matrix, "tensorrt", v(version))
        return wheels.pins(row) if row else None

    assert [pins(x) for x in ("10.0.1", "10.1.0", "10.2.0", "11.4.0.106")] == [False, False, True, True]


def test_kinds_and_tags_of_wheels(matrix: Matrix) -> None:
    def kind(name: str, version: str) -> str | None:
        row = wheels.of(matrix, name, v(version))
        return wheels.kind(row) if row else None

    assert kind("tensorrt_cu13_libs", "11.4.0.106") == "stub"
    assert kind("tensorrt-lean-cu13-libs", "11.4.0.106") == "real"
    assert kind("tensorrt-lean-cu12-libs", "10.9.0.34") == "stub"
    assert kind("tensorrt", "8.5.3.1") == "real"
    assert kind("tensorrt", "0.0.1.dev5") == "placeholder"
    assert kind("nvidia-tensorrt", "99.0.0") == "placeholder"
    bindings = wheels.of(matrix, "tensorrt-cu13-bindings", v("10.14.1.48"))
    assert bindings is not None
    assert list(wheels.tags(bindings)) == ["win_amd64"]
    assert wheels.of(matrix, "tensorrt-cu12-bindings", v("10.99")) is None
    assert wheels.of(matrix, "numpy", v("2.0")) is None


def test_wheel_tags_agree_with_the_release_table(matrix: Matrix) -> None:
    for release in tensorrt.all_releases(matrix):
        for flavour in tensorrt.flavours(release):
            fact = tensorrt.wheels(release, flavour)
            if fact is None or not isinstance(fact.value, dict) or v(release.key).major < 10:
                continue
            listed: dict[str, set[str]] = {}
            for text in wheels.versions(matrix, f"tensorrt-{flavour}-bindings"):
                row = wheels.of(matrix, f"tensorrt-{flavour}-bindings", v(text))
                if row is not None and v(text).short(3) == release.key and not re.search("[ab]", v(text).suffix):
                    for platform, pythons in wheels.tags(row).items():
                        listed.setdefault(platform, set()).update(pythons)
            if listed:
                assert {name: set(tags) for name, tags in fact.value.items()} == listed, (release.key, flavour)


# -- advisories --------------------------------------------------------------------------------------------------------


def numbers(matrix: Matrix, component: str, version: str, os_family: str = "linux") -> list[str]:
    return [str(row.get("bulletin").value) for row in advisories.of(matrix, component, v(version), os_family)]


def test_tensorrt_bulletins(matrix: Matrix) -> None:
    assert numbers(matrix, "tensorrt", "10.13.3.9") == ["5855", "5836"]
    assert numbers(matrix, "tensorrt", "10.16.1.11") == ["5855"]
    assert numbers(matrix, "tensorrt", "11.0.0.114") == []
    assert numbers(matrix, "tensorrt", "10.16") == [], "10.16 may be a release that the bulletin does not name"
    assert numbers(matrix, "tensorrt", "10.15") == ["5855", "5836"]


def test_driver_bulletins(matrix: Matrix) -> None:
    assert "5821" in numbers(matrix, "driver", "580.126.09")
    assert "5821" not in numbers(matrix, "driver", "580.159.03")
    assert numbers(matrix, "driver", "595.71.05") == []
    assert numbers(matrix, "driver", "620.70.06") == []
    assert "5821" in numbers(matrix, "driver", "582.16", "windows")
    assert "5821" not in numbers(matrix, "driver", "582.53", "windows")
    row = next(item for item in matrix.rows("advisories", "advisories") if item.key == "5821-linux")
    unlisted = advisories.judge(matrix, row, v("550.163.01"))
    assert (unlisted.answer, unlisted.word) == (UNKNOWN, "unlisted-branch")
    assert advisories.fixed_in(matrix, row, v("580.65.06")) == v("580.159.03")
    assert advisories.judge(matrix, row, v("580.65.06"), "windows").word == "other-platform"


def test_cuda_triton_and_llm_bulletins(matrix: Matrix) -> None:
    assert numbers(matrix, "cuda", "13.1") == []
    assert "5755" in numbers(matrix, "cuda", "13.0.2")
    assert "5577" in numbers(matrix, "cuda", "12.6.1")
    assert "5577" not in numbers(matrix, "cuda", "12.6.2")
    assert "5687" in numbers(matrix, "triton", "25.06")
    assert "5687" not in numbers(matrix, "triton", "25.07")
    assert numbers(matrix, "triton", "2.39.0") == ["5509"]
    assert numbers(matrix, "triton", "2.60.0") == []
    assert "5648" in numbers(matrix, "tensorrt-llm", "0.17.0")
    assert "5648" not in numbers(matrix, "tensorrt-llm", "0.18.2")
    assert numbers(matrix, "tensorrt-llm", "1.3.0rc14") == ["5840"] * 3
    assert numbers(matrix, "tensorrt-llm", "1.3.0rc17") == []


def test_bulletins_are_whole(matrix: Matrix) -> None:
    rows = matrix.rows("advisories", "advisories")
    days = [date.fromisoformat(row.get("published").value) for row in rows]
    assert days == sorted(days, reverse=True)
    assert days[0] <= advisories.known_until(matrix) <= AS_OF
    for row in rows:
        assert row.get("component").value in advisories.COMPONENTS
        assert advisories.url(row).endswith(str(row.get("bulletin").value))
        if row.get("component").value == "driver":
            for branch, fix in row.get("fixed_in").value.items():
                known = drivers.branch_of(matrix, v(fix))
                assert known is None or known.key == branch, (row.key, branch, fix)
        else:
            fixed = advisories.fixed_in(matrix, row, v("1.0"))
            assert fixed is not None
            number = row.text("numbering")
            if number != "server":
                assert advisories.judge(matrix, row, fixed).answer is NO, row.key


@ANY
@given(
    component=st.sampled_from(advisories.COMPONENTS),
    text=st.from_regex(r"[0-9]{1,3}(\.[0-9]{1,3}){0,3}", fullmatch=True),
)
def test_any_version_can_be_asked_about(matrix: Matrix, component: str, text: str) -> None:
    for os_family in ("linux", "windows"):
        advisories.of(matrix, component, v(text), os_family)
    for framework in frameworks.TABLES:
        row = frameworks.row(matrix, framework, v(text))
        if row is not None:
            frameworks.links(row)
            frameworks.loads(row, v(text))
            frameworks.accepts(row, "torch", v(text))
            frameworks.serves(row, v(text))
    wheels.of(matrix, "tensorrt", v(text))
    features.opset(matrix, v(text), 17)
    features.precision(matrix, "8.6", "fp16", v(text))
