"""Who gets which library, told from snapshots alone."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import AS_OF, ROOT, SNAPSHOTS
from tests.loadings import (
    NVINFER,
    SYSTEM_CUDNN,
    SYSTEM_CUDNN_FILE,
    TORCH_CUDNN,
    loaded,
    not_found,
    nvinfer,
    system_cudnn,
    torch_cudnn,
    two_cudnns,
)
from trtdoctor.matrix import Matrix, load
from trtdoctor.redaction import redact
from trtdoctor.resolution import FAMILIES, Library, Libs, resolve, restricted
from trtdoctor.snapshot import Loaded, Loading, Missing, ProbeOutcome, Snapshot

SCHEMA = json.loads((ROOT / "trtdoctor" / "schemas" / "libs.schema.json").read_text("utf-8"))


def told(matrix: Matrix, *loadings: Loading, **changes: Any) -> Libs:
    values: dict[str, Any] = {"loadings": loadings} if loadings else {}
    return resolve(two_cudnns(**values, **changes), matrix, as_of=AS_OF)


def library(libs: Libs, name: str) -> Library:
    (found,) = (item for item in libs.libraries if item.name == name)
    return found


def test_every_copy_says_who_gets_it_and_which_one_it_loses_to(matrix: Matrix) -> None:
    copies = {copy.path: copy for copy in library(told(matrix), "libcudnn").copies}
    assert copies[TORCH_CUDNN].wins_for == ("torch", "torch, tensorrt")
    assert copies[TORCH_CUDNN].loses_to == (SYSTEM_CUDNN_FILE,)
    assert copies[SYSTEM_CUDNN].wins_for == ("tensorrt", "tensorrt, torch")
    assert copies[SYSTEM_CUDNN].loses_to == (TORCH_CUDNN,)


def test_a_copy_of_another_name_loses_to_nobody(matrix: Matrix) -> None:
    older = loaded("libcudnn", "/opt/old/libcudnn.so.8", step="ld_library_path")
    libs = told(matrix, Loading("tensorrt", loaded=(older,)))
    assert [copy.loses_to for copy in library(libs, "libcudnn").copies] == [(), (), ()]


def test_observed_as_predicted_keeps_the_step(matrix: Matrix) -> None:
    libs = told(matrix)
    (torch,) = (item for item in library(libs, "libcudnn").resolved if item.importer == "torch")
    assert (torch.observed, torch.agreement, torch.predicted) == (True, "same", None)
    assert (torch.step, torch.entry) == ("runpath", "$ORIGIN/../../nvidia/cudnn/lib")
    (both,) = (item for item in library(libs, "libcudnn").resolved if item.importer == "torch, tensorrt")
    assert (both.observed, both.agreement) == (False, None)


def test_another_file_than_predicted_is_shown_with_what_was_predicted(matrix: Matrix) -> None:
    seen = loaded("libcudnn", SYSTEM_CUDNN_FILE, soname="libcudnn.so.9")
    libs = told(matrix, Loading("torch", loaded=(torch_cudnn(),)), Loading("torch", method="observed", loaded=(seen,)))
    (item,) = library(libs, "libcudnn").resolved
    assert (item.path, item.predicted, item.agreement) == (SYSTEM_CUDNN_FILE, TORCH_CUDNN, "different")
    assert item.step is None, "the step that was predicted led elsewhere"
    assert {copy.path: copy.wins_for for copy in library(libs, "libcudnn").copies}[SYSTEM_CUDNN] == ("torch",)


def test_what_only_one_of_the_two_ways_tells(matrix: Matrix) -> None:
    surprise = loaded("libcublas", "/opt/x/libcublas.so.12")
    libs = told(
        matrix,
        Loading("tensorrt", loaded=(nvinfer(), torch_cudnn(), system_cudnn())),
        Loading("tensorrt", method="observed", loaded=(nvinfer(step=None), surprise)),
    )
    said = {(item.path, item.agreement) for lib in libs.libraries for item in lib.resolved}
    assert said == {
        (NVINFER, "same"),
        (TORCH_CUDNN, "not-observed"),
        (SYSTEM_CUDNN, None),  # opened on use only
        ("/opt/x/libcublas.so.12", "not-predicted"),
    }


@pytest.mark.parametrize("outcome", ["failed", "crashed", "timed-out"])
def test_a_process_that_ended_early_contradicts_nothing(matrix: Matrix, outcome: str) -> None:
    libs = told(
        matrix,
        Loading("tensorrt", loaded=(nvinfer(), torch_cudnn())),
        Loading("tensorrt", method="observed", outcome=outcome, error="ImportError: no", loaded=(nvinfer(),)),
    )
    assert {item.agreement for lib in libs.libraries for item in lib.resolved} == {"same", None}
    assert libs.importers[0].outcome == outcome
    assert libs.importers[0].error == "ImportError: no"


def test_an_importer_that_nobody_knows_is_unknown_until_it_is_observed(matrix: Matrix) -> None:
    unknown = Loading("strange", outcome="unknown")
    libs = told(matrix, unknown)
    assert libs.unknown
    assert libs.fails("unknown")
    assert not libs.fails("warning")
    libs = told(matrix, unknown, Loading("strange", method="observed", loaded=(nvinfer(),)))
    assert not libs.unknown
    assert {item.agreement for lib in libs.libraries for item in lib.resolved} == {None}


def test_what_the_process_got_after_all_is_not_missing(matrix: Matrix) -> None:
    lacking = (not_found("libcudnn.so.9"), not_found("libnope.so.1", swallowed=True))
    libs = told(
        matrix,
        Loading("tensorrt", outcome="failed", missing=lacking),
        Loading("tensorrt", method="observed", loaded=(torch_cudnn(),)),
    )
    assert [(item.name, item.swallowed, item.observed) for item in libs.missing] == [("libnope.so.1", True, False)]
    lazy = not_found("liblazy.so.1", lazy=True)
    through = told(
        matrix,
        Loading("tensorrt", outcome="failed", missing=(not_found("libneeded.so.1"), lazy)),
        Loading("tensorrt", method="observed", loaded=(nvinfer(),)),
    )
    assert [item.name for item in through.missing] == ["liblazy.so.1"], "it loads without the other"
    both = told(
        matrix,
        Loading("tensorrt", outcome="failed", missing=lacking),
        Loading("tensorrt", method="observed", outcome="failed", missing=(lacking[0],)),
    )
    assert [(item.name, item.observed) for item in both.missing] == [("libcudnn.so.9", True), ("libnope.so.1", False)]


def test_a_file_that_only_a_process_has_seen_is_a_copy_too(matrix: Matrix) -> None:
    libs = told(matrix, Loading("x", method="observed", loaded=(loaded("libcublas", "/opt/x/libcublas.so.12.6.4.1"),)))
    (copy,) = library(libs, "libcublas").copies
    assert (copy.version, copy.how, copy.owner, copy.size) == ("12.6.4.1", "file-name", None, None)
    assert library(libs, "libcublas").component == "cublas"


def test_the_drivers_library_is_one_of_them(matrix: Matrix) -> None:
    path = "/usr/lib/x86_64-linux-gnu/libcuda.so.1"
    real = "/usr/lib/x86_64-linux-gnu/libcuda.so.580.95.05"
    libs = told(matrix, Loading("tensorrt", loaded=(loaded("libcuda", path, realpath=real, step="ld.so.cache"),)))
    (copy,) = library(libs, "libcuda").copies
    assert (copy.version, copy.wins_for) == ("580.95.05", ("tensorrt",))


def test_facts_without_a_loader_probe_are_unknown(matrix: Matrix) -> None:
    libs = told(matrix, loadings=())
    assert libs.unknown
    assert [item.name for item in libs.probes] == ["loader"]
    looked = told(matrix, loadings=(), probes=(ProbeOutcome("loader", "ok"),))
    assert not looked.unknown


def test_only_findings_about_loading_are_told(matrix: Matrix) -> None:
    for path in sorted(SNAPSHOTS.glob("*.json")):
        found = Snapshot.from_json(path.read_bytes())
        libs = resolve(found, matrix, as_of=AS_OF)
        # Where nobody says what the loader picks, no other family speaks for a rule that would.
        if not found.loadings:
            assert all(item.code.startswith(FAMILIES) for item in libs.findings)
        jsonschema.validate(libs.to_plain(), SCHEMA)


def test_the_document_fits_its_schema_and_keeps_the_promised_fields(matrix: Matrix) -> None:
    for found in (two_cudnns(), redact(two_cudnns()), Snapshot()):
        document = json.loads(json.dumps(resolve(found, matrix, as_of=AS_OF).to_plain()))
        jsonschema.validate(document, SCHEMA)
    document = told(matrix).to_plain()
    assert document["schema"] == "trtdoctor-libs/1"
    for item in document["libraries"]:
        assert {"name", "copies", "resolved"} <= item.keys()
        assert all({"path", "realpath", "version", "how", "owner"} <= copy.keys() for copy in item["copies"])
        assert all({"importer", "path", "step", "observed"} <= got.keys() for got in item["resolved"])


def test_redaction_changes_who_gets_what_in_nothing_but_names(matrix: Matrix) -> None:
    def shape(libs: Libs) -> list[Any]:
        return [
            (item.name, [(copy.version, copy.wins_for, len(copy.loses_to)) for copy in item.copies])
            for item in libs.libraries
        ]

    hidden = resolve(redact(two_cudnns()), matrix, as_of=AS_OF)
    assert shape(hidden) == shape(told(matrix))
    assert "/srv/app" not in json.dumps(hidden.to_plain())


@pytest.mark.parametrize(
    ("wanted", "importers"),
    [
        (("python",), ["torch", "tensorrt", "torch, tensorrt", "app"]),
        (("torch",), ["torch", "torch, tensorrt"]),
        (("trtexec",), ["trtexec"]),
        (("/x/libplugin.so",), ["libplugin.so"]),
        (("libplugin.so", "trtexec"), ["trtexec", "libplugin.so"]),
        (("nothing",), []),
    ],
)
def test_for_names_importers(wanted: tuple[str, ...], importers: list[str]) -> None:
    found = Snapshot(
        loadings=(
            Loading("torch"),
            Loading("tensorrt"),
            Loading("torch, tensorrt"),
            Loading("app"),
            Loading("trtexec", kind="program"),
            Loading("libplugin.so", kind="file", path="/x/libplugin.so"),
        )
    )
    assert [item.importer for item in restricted(found, wanted).loadings] == importers


NAMES = st.sampled_from(["libcudnn", "libnvinfer", "libcuda", "lib"])
PATHS = st.one_of(
    st.none(), st.sampled_from(["/a/libcudnn.so.9", "/b/libcudnn.so.9", "/a/x", "", "\\x\\nvinfer_10.dll"])
)
LOADED = st.builds(
    Loaded,
    NAMES,
    soname=st.one_of(st.none(), st.sampled_from(["libcudnn.so.9", "x"])),
    path=PATHS,
    realpath=PATHS,
    step=st.one_of(st.none(), st.text(max_size=5)),
    needed_by=PATHS,
    lazy=st.one_of(st.none(), st.booleans()),
)
LOADINGS = st.lists(
    st.builds(
        Loading,
        st.sampled_from(["a", "b", "a, b", ""]),
        method=st.sampled_from(["predicted", "observed", "dreamt"]),
        outcome=st.sampled_from(["ok", "failed", "unknown", "odd"]),
        loaded=st.lists(LOADED, max_size=4).map(tuple),
        missing=st.lists(st.builds(Missing, st.sampled_from(["x", "libcudnn.so.9"]), PATHS), max_size=2).map(tuple),
    ),
    max_size=5,
).map(tuple)


@settings(max_examples=60, deadline=None)
@given(LOADINGS)
def test_whatever_the_facts_are_each_loaded_file_is_told_once(loadings: tuple[Loading, ...]) -> None:
    libs = resolve(two_cudnns(loadings=loadings), load(), as_of=AS_OF)
    jsonschema.validate(libs.to_plain(), SCHEMA)
    assert len(libs.importers) == len({way.importer for way in loadings if way.method != "dreamt"})
    for item in libs.importers:
        ways = {way.method: way for way in reversed(loadings) if way.importer == item.name}
        got = [found for lib in libs.libraries for found in lib.resolved if found.importer == item.name]
        kinds = {method: len(way.loaded) for method, way in ways.items()}
        assert sum(found.observed for found in got) == kinds.get("observed", 0)
        assert len(got) <= kinds.get("observed", 0) + kinds.get("predicted", 0)
        assert len(got) >= max(kinds.get("observed", 0), kinds.get("predicted", 0))
    for lib in libs.libraries:
        for copy in lib.copies:
            assert (copy.realpath or copy.path) not in copy.loses_to


def test_a_finding_that_keeps_a_loader_rule_silent_speaks_for_it(matrix: Matrix) -> None:
    """cuDNN 9 beside a TensorRT that needs 8: DNN102 says it, and the answer about libraries is no less an error."""
    recorded = Snapshot.from_json((SNAPSHOTS / "trt853-unpinned.json").read_bytes())
    lacking = Missing("libcudnn.so.8", needed_by="<dir1>/tensorrt/libnvinfer_plugin.so.8")
    failing = Loading("tensorrt", outcome="failed", path="<dir1>/tensorrt", missing=(lacking,))
    libs = resolve(replace(recorded, loadings=(failing,)), matrix, as_of=AS_OF)
    assert "DNN102" in {item.code for item in libs.findings}
    assert libs.fails("error")
    fine = resolve(replace(recorded, loadings=(Loading("tensorrt", path="<dir1>/tensorrt"),)), matrix, as_of=AS_OF)
    assert "DNN102" not in {item.code for item in fine.findings}
