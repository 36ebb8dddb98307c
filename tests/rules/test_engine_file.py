"""Family ENG on files: what they are, what became of them, and what their headers say of who can load them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.engine.files import CALIBRATION, H200, LFS, ONNX, TIMING, old_plan, plan, rtx_plan, ultralytics
from tests.rules.judging import board, codes, one, report
from trtdoctor.declared import snapshot_of
from trtdoctor.engine.kinds import BYTES, identify, wrapper_end
from trtdoctor.engine.look import engine_of
from trtdoctor.findings import Report
from trtdoctor.matrix import Matrix
from trtdoctor.snapshot import Engine


def of(matrix: Matrix, content: bytes, **changes: Any) -> Engine:
    """The record of a file."""
    end = wrapper_end(content[:BYTES], len(content))
    inner = content[end or 0 :]
    engine = engine_of(identify(matrix, inner[:BYTES], len(inner)), len(content), "ultralytics" if end else None)
    return replace(engine, path="/srv/models/model.engine", **changes)


def judged(*engines: Engine, goal: str = "run", searched: tuple[str, ...] = (), **environment: Any) -> Report:
    stated: dict[str, Any] = {"os": "linux", "arch": "x86_64", **environment}
    return report(replace(snapshot_of(stated), engines=engines, searched=searched), goal)


def runtime(version: str, product: str = "full") -> list[dict[str, Any]]:
    return [{"version": version, "from": "tar", "product": product}]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (plan(), {}),
        (rtx_plan(), {}),
        (LFS, {"ENG201": "error"}),
        (ONNX, {"ENG202": "error"}),
        (b"", {"ENG202": "error"}),
        (b"<html>", {"ENG202": "error"}),
        (b"\x80\x04\x95" + bytes(80), {"ENG202": "warning"}),  # it may be encrypted
        (plan()[:-1], {"ENG203": "error"}),
        (plan((10, 9, 0, 34))[:-1], {"ENG203": "warning"}),  # where its length stands was measured on 8.6
        (old_plan()[:-1], {"ENG203": "error"}),
        (rtx_plan()[:30], {"ENG203": "error"}),
        (plan() + b"x", {"ENG203": "warning"}),
        (plan().replace(b"\n", b"\r\n"), {"ENG204": "error"}),
        (plan().decode("latin-1").encode(), {"ENG204": "error"}),
        (ultralytics(plan()), {"ENG205": "info"}),
        (CALIBRATION, {}),
        (TIMING, {}),
    ],
    ids=range(17),
)
def test_what_a_file_is(matrix: Matrix, content: bytes, found: dict[str, str]) -> None:
    assert codes(judged(of(matrix, content)), "ENG") == found


def test_metadata_matters_to_other_loaders(matrix: Matrix) -> None:
    assert codes(judged(of(matrix, ultralytics(plan())), goal="trtexec"), "ENG") == {"ENG205": "warning"}


@pytest.mark.parametrize(("state", "found"), [("verified", {}), ("unverified", {}), ("stale", {"ENG206": "warning"})])
def test_sidecars(matrix: Matrix, state: str, found: dict[str, str]) -> None:
    assert codes(judged(of(matrix, plan(), sidecar=state)), "ENG") == found


@pytest.mark.parametrize(
    ("content", "changes", "version", "found"),
    [
        (plan(), {}, "8.6.1.6", {}),
        (plan(), {}, "8.6.1", {}),  # may be that very build
        (plan(), {}, "8.6.2.1", {"ENG101": "warning"}),  # it may be version-compatible
        (plan(), {"version_compatible": False}, "8.6.2.1", {"ENG101": "error"}),
        (plan(), {"version_compatible": True}, "8.6.2.1", {}),
        (plan(), {}, "8.5.3.1", {"ENG101": "error"}),
        (old_plan(), {}, "8.6.1.6", {"ENG101": "error"}),
        (old_plan(), {}, "8.5.3.1", {}),
        (plan((11, 9, 0, 300)), {}, "11.9.0.300", {}),  # the header has 300 as 44
        (plan((11, 9, 0, 300)), {}, "11.9.0.301", {"ENG101": "warning"}),
        (plan((11, 9, 0, 300)), {"tensorrt": "11.9.0.44", "from_sidecar": ("tensorrt",)}, "11.9.0.300",
         {"ENG101": "warning"}),
        (old_plan(None, 205), {}, "8.5.3.1", {"ENG110": "warning"}),  # it may be a timing cache
        (old_plan(None, 205), {}, "8.2.1.8", {}),
        (old_plan(None, 96), {}, "8.4.2", {"ENG110": "warning"}),
        (old_plan(None, 43), {}, "8.6.1.6", {"ENG110": "warning"}),
        (old_plan(None, 43), {}, "7.2.3", {}),  # nobody knows the number of 7.2.3
        (old_plan(None, 237), {}, "10.1.0.27", {}),
    ],
    ids=range(17),
)  # fmt: skip
def test_releases(matrix: Matrix, content: bytes, changes: dict[str, Any], version: str, found: dict[str, str]) -> None:
    said = judged(of(matrix, content, **changes), tensorrt=runtime(version))
    assert codes(said, "ENG") == found


def test_what_is_only_inferred_makes_no_error(matrix: Matrix) -> None:
    engine = of(matrix, old_plan(board=H200))
    said = judged(engine, tensorrt=runtime("8.5.3.1"), gpus=board("Tesla T4"))
    assert codes(said, "ENG") == {"ENG105": "warning"}
    assert "nothing documents it" in one(said, "ENG105").detail
    stamped = replace(engine, inferred=(), from_sidecar=("compute_capability",))
    assert codes(judged(stamped, tensorrt=runtime("8.5.3.1"), gpus=board("Tesla T4")), "ENG") == {"ENG105": "error"}


def test_a_gpu_that_nobody_knows_is_unknown(matrix: Matrix) -> None:
    engine = of(matrix, plan((10, 9, 0, 34), board=None))
    said = judged(engine, tensorrt=runtime("10.9.0.34"), gpus=board("Tesla T4"))
    assert codes(said, "ENG") == {}
    assert [item.needed for item in said.unknowns if item.component == "engine"] == ["the GPU that built the engine"]


@pytest.mark.parametrize(
    ("mask", "gpu", "found"),
    [
        (0x7E, "NVIDIA L4", {}),
        (0x7E, "GeForce RTX 2080 Ti", {"ENG111": "error"}),  # never without being asked for
        (0x7E, "NVIDIA H200", {}),  # nobody knows what the bit without a name stands for
        (0x14, "NVIDIA L4", {"ENG111": "error"}),
        (0x14, "NVIDIA H200", {"ENG111": "error"}),
        (0x11, "GeForce RTX 2080 Ti", {}),
    ],
)
def test_rtx_engines_and_gpus(matrix: Matrix, mask: int, gpu: str, found: dict[str, str]) -> None:
    said = judged(of(matrix, rtx_plan(mask=mask)), tensorrt=runtime("1.7.1.116", "rtx"), gpus=board(gpu))
    assert codes(said, "ENG") == found


def test_rtx_engines_and_releases(matrix: Matrix) -> None:
    for version, found in (("1.7.1.116", {}), ("1.7.1", {}), ("1.4.0.76", {"ENG109": "error"})):
        assert codes(judged(of(matrix, rtx_plan()), tensorrt=runtime(version, "rtx")), "ENG") == found
    both = [*runtime("1.7.1.116", "rtx"), *runtime("1.4.0.76", "rtx")]
    assert codes(judged(of(matrix, rtx_plan()), tensorrt=both), "ENG") == {"ENG109": "warning"}


def test_products(matrix: Matrix) -> None:
    assert codes(judged(of(matrix, rtx_plan()), tensorrt=runtime("10.9.0.34")), "ENG") == {"ENG107": "error"}
    assert codes(judged(of(matrix, plan()), tensorrt=runtime("1.7.1.116", "rtx")), "ENG") == {"ENG107": "error"}


def test_one_engine_does_not_silence_another(matrix: Matrix) -> None:
    foreign, old = of(matrix, rtx_plan()), replace(of(matrix, old_plan()), path="/srv/old.plan")
    said = judged(foreign, old, tensorrt=runtime("10.9.0.34"))
    assert codes(said, "ENG") == {"ENG107": "error", "ENG101": "error"}
    assert one(said, "ENG101").title.startswith("old.plan was built by")


def test_weights_and_lean_runtime(matrix: Matrix) -> None:
    engine = of(matrix, plan((10, 9, 0, 34)), weights_stripped=True)
    assert codes(judged(engine), "ENG") == {"ENG112": "warning"}
    engine = of(matrix, plan((10, 9, 0, 34)), version_compatible=True, lean_runtime_excluded=True)
    full = runtime("10.13.3.9")
    assert codes(judged(engine, tensorrt=full, searched=("tensorrt",)), "ENG") == {"ENG113": "warning"}
    assert codes(judged(engine, tensorrt=full), "ENG") == {}  # nobody looked for one
    assert codes(judged(engine, tensorrt=runtime("10.9.0.34"), searched=("tensorrt",)), "ENG") == {}
    both = [*full, *runtime("10.13.3.9", "lean")]
    assert codes(judged(engine, tensorrt=both, searched=("tensorrt",)), "ENG") == {}


@pytest.mark.parametrize(
    ("version", "changes", "gpu", "found"),
    [
        ("8.5.3.1", {}, None, {}),
        ("10.3.0.26", {}, None, {"ENG207": "warning"}),
        ("8.5.3.1", {"compute_capability": "8.9"}, "NVIDIA L4", {}),
        ("8.5.3.1", {"compute_capability": "8.7"}, "NVIDIA L4", {"ENG207": "warning"}),
        ("8.5.3.1", {"gpu": "Tesla T4"}, "NVIDIA L4", {"ENG207": "warning"}),
    ],
)
def test_calibration_caches(
    matrix: Matrix, version: str, changes: dict[str, Any], gpu: str | None, found: dict[str, str]
) -> None:
    environment: dict[str, Any] = {"tensorrt": runtime(version), **({"gpus": board(gpu)} if gpu else {})}
    assert codes(judged(of(matrix, CALIBRATION, **changes), **environment), "ENG") == found


def test_timing_caches(matrix: Matrix) -> None:
    stamped = of(matrix, TIMING, tensorrt="10.9.0.34", from_sidecar=("tensorrt",))
    assert codes(judged(stamped, tensorrt=runtime("10.9.0.34")), "ENG") == {}
    assert codes(judged(stamped, tensorrt=runtime("10.13.3.9")), "ENG") == {"ENG208": "warning"}
    assert codes(judged(of(matrix, TIMING), tensorrt=runtime("10.13.3.9")), "ENG") == {}
    elsewhere = replace(stamped, compute_capability="8.6")
    here: dict[str, Any] = {"tensorrt": runtime("10.9.0.34"), "gpus": board("NVIDIA L4")}
    assert codes(judged(elsewhere, **here), "ENG") == {"ENG208": "info"}
