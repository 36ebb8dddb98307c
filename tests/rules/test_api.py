"""Family API: calls, flags and precisions against the installed release."""

from __future__ import annotations

import pytest

from tests.rules.making import codes, declared, of_family, only
from trtdoctor.findings import Severity


@pytest.mark.parametrize(
    ("call", "version"),
    [
        ("binding_is_input", "10.0.1.6"),
        ("getNbBindings", "10.4"),
        ("max_workspace_size", "10.9.0"),
        ("BuilderFlag.FP16", "11"),
        ("trt.BuilderFlag.FP16", "11.4.0.106"),
        ("nvinfer1::IBuilderConfig::setMaxWorkspaceSize", "10"),
    ],
)
def test_a_removed_call_is_an_error(call: str, version: str) -> None:
    found = only(declared(tensorrt=[{"version": version}], wants=["python", f"api:{call}"]), "API101")
    assert found.severity is Severity.ERROR
    assert found.components == ("tensorrt", "api")
    assert call in found.title
    assert found.sources
    assert found.fix[0].kind == "edit"


@pytest.mark.parametrize(
    ("call", "version"),
    [
        ("binding_is_input", "8.6.1"),
        ("max_workspace_size", "8.5.3"),
        ("BuilderFlag.FP16", "10.16.1"),
        ("num_io_tensors", "8.5"),
        ("num_io_tensors", "11.4.0"),
    ],
)
def test_a_call_that_is_there_is_no_finding(call: str, version: str) -> None:
    assert of_family(declared(tensorrt=[{"version": version}], wants=[f"api:{call}"]), "API") == []


def test_a_call_that_came_later_is_an_error() -> None:
    found = only(declared(tensorrt=[{"version": "8.2.3"}], wants=["api:num_io_tensors"]), "API102")
    assert found.severity is Severity.ERROR
    assert "8.5" in found.title
    assert found.remedy is not None
    assert found.remedy.wanted == ">=8.5"


def test_a_call_that_came_back_is_judged_by_release() -> None:
    name = "api:build_engine_with_config"
    assert "API101" in codes(declared(tensorrt=[{"version": "10.3.0"}], wants=[name]))
    assert of_family(declared(tensorrt=[{"version": "10.9.0"}], wants=[name]), "API") == []


def test_a_version_too_partial_to_tell_is_no_error() -> None:
    # "8" may be 8.2, which lacks the call, or 8.6, which has it.
    assert of_family(declared(tensorrt=[{"version": "8"}], wants=["api:num_io_tensors"]), "API") == []


def test_one_of_two_releases_without_the_call_is_a_warning() -> None:
    both = [{"version": "8.6.1"}, {"version": "10.9.0"}]
    found = only(declared(tensorrt=both, wants=["api:binding_is_input"]), "API101")
    assert found.severity is Severity.WARNING


def test_the_loaded_release_alone_counts() -> None:
    both = [{"version": "8.6.1", "loaded": True}, {"version": "10.9.0"}]
    assert of_family(declared(tensorrt=both, wants=["api:binding_is_input"]), "API") == []


def test_an_unknown_call_is_said_to_be_unknown() -> None:
    report = declared(tensorrt=[{"version": "10.9.0"}], wants=["api:no_such_call"])
    assert of_family(report, "API") == []
    assert any(item.component == "api" and "no_such_call" in item.needed for item in report.unknowns)


def test_without_a_version_nothing_is_said() -> None:
    assert of_family(declared(wants=["api:binding_is_input", "fp16"]), "API") == []


def test_a_precision_without_its_flag_is_a_warning() -> None:
    found = only(declared(tensorrt=[{"version": "11.2.1.2"}], wants=["build", "fp16"]), "API201")
    assert found.severity is Severity.WARNING
    assert "fp16" in found.title


def test_a_precision_is_not_told_twice() -> None:
    report = declared(tensorrt=[{"version": "11"}], wants=["fp16", "api:BuilderFlag.FP16"])
    assert of_family(report, "API") == ["API101"]


@pytest.mark.parametrize(
    ("word", "version"), [("fp16", "10.16.1"), ("int8", "8.2.1"), ("fp8", "8.6.1"), ("fp8", "10.13")]
)
def test_a_precision_with_its_flag_is_no_finding(word: str, version: str) -> None:
    assert of_family(declared(tensorrt=[{"version": version}], wants=["build", word]), "API") == []


def test_a_precision_before_its_time_is_an_error() -> None:
    found = only(declared(tensorrt=[{"version": "8.5.3"}], wants=["build", "fp8"]), "API202")
    assert found.severity is Severity.ERROR
    assert "8.6" in found.title
    assert of_family(declared(tensorrt=[{"version": "8"}], wants=["build", "fp8"]), "API") == []
