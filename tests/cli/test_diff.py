"""``trtdoctor diff`` and ``check --baseline``: recorded and stated states beside each other."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.cli.run import ROOT, complains, run
from trtdoctor.declared import snapshot_of
from trtdoctor.snapshot import Snapshot

SNAPSHOTS = ROOT / "tests" / "data" / "snapshots"
DAY = ("--as-of", "2026-11-22")
ORIN: dict[str, Any] = {
    "os": "ubuntu-22.04",
    "arch": "x86_64",
    "glibc": "2.35",
    "gpus": [{"name": "Tesla T4"}],
    "driver": "550.54.15",
    "cuda": [{"version": "12.8"}],
    "tensorrt": [{"version": "10.9.0.34", "from": "pip-cu12"}],
    "python": "3.10",
}


def recorded(name: str) -> str:
    return str(SNAPSHOTS / f"{name}.json")


def diff(before: str, now: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and document of ``diff --format json``."""
    ran = run("diff", before, now, *DAY, "--format", "json", *arguments)
    assert ran.code in (0, 1), ran.err
    assert ran.err == ""
    document: dict[str, Any] = json.loads(ran.out)
    schema = json.loads((ROOT / "trtdoctor" / "schemas" / "diff.schema.json").read_text())
    jsonschema.validate(document, schema)
    assert document["matters"] is bool(ran.code)
    assert bool(document["reasons"]) is bool(ran.code)
    return ran.code, document


def stated(place: Path, name: str, **changed: Any) -> str:
    """A file with a stated environment, but for what is changed."""
    environment = {key: value for key, value in {**ORIN, **changed}.items() if value is not None}
    target = place / f"{name}.json"
    target.write_text(snapshot_of(environment).to_json())
    return str(target)


def change(document: dict[str, Any], label: str) -> dict[str, Any]:
    found = [item for item in document["changes"] if item["label"] == label]
    assert len(found) == 1, [item["label"] for item in document["changes"]]
    only: dict[str, Any] = found[0]
    return only


# -- recorded machines -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(path.stem for path in SNAPSHOTS.glob("*.json")))
def test_a_state_beside_itself_has_not_changed(name: str) -> None:
    code, document = diff(recorded(name), recorded(name))
    assert code == 0
    assert document["changes"] == []
    assert document["findings"] == []
    assert run("diff", recorded(name), recorded(name)).out.startswith("same: nothing changed")


def test_a_gpu_that_is_hidden_now_matters() -> None:
    code, document = diff(recorded("h200"), recorded("h200-hidden"))
    assert code == 1
    assert document["reasons"] == ["GPU101 is new"]
    assert "GPU101" in change(document, "GPU 0")["means"]
    assert change(document, "GPU 0")["status"] == "error"
    assert change(document, "GPU 0")["now"].endswith("hidden")
    assert change(document, "cuInit")["now"] == "error 100"
    assert change(document, "CUDA_VISIBLE_DEVICES")["what"] == "new"
    assert "GPU101" in change(document, "CUDA_VISIBLE_DEVICES")["means"]
    assert [(item["state"], item["finding"]["code"]) for item in document["findings"]] == [("new", "GPU101")]


def test_the_other_way_round_it_is_good_news() -> None:
    code, document = diff(recorded("h200-hidden"), recorded("h200"))
    assert code == 0
    assert [(item["state"], item["finding"]["code"]) for item in document["findings"]] == [("gone", "GPU101")]


def test_parts_of_cudnn_that_went_missing_matter() -> None:
    code, document = diff(recorded("h200-trt853"), recorded("h200-trt853-no-sublibraries"))
    assert code == 1
    assert document["reasons"] == ["the verdict was ready and is broken", "DNN106 is new"]
    assert (document["before"]["verdict"], document["now"]["verdict"]) == ("ready", "broken")
    assert document["before"]["taken"] == "2026-11-22"


def test_a_container_without_its_gpu_says_why_driver_and_gpu_are_gone() -> None:
    code, document = diff(recorded("h200-trt853"), recorded("trt853"))
    assert code == 1
    for label in ("driver", "GPU 0"):
        assert change(document, label)["what"] == "gone"
        assert "CTR101" in change(document, label)["means"]


def test_never_fails_on_nothing() -> None:
    assert diff(recorded("h200"), recorded("h200-hidden"), "--fail-on", "never")[0] == 0


def test_the_table_says_what_json_says_in_80_columns() -> None:
    ran = run("diff", recorded("h200-trt853"), recorded("trt853"), *DAY)
    _, document = diff(recorded("h200-trt853"), recorded("trt853"))
    flat = " ".join(ran.out.split())
    assert ran.out.startswith("changed: what matters to the verdict is not what it was")
    for item in document["changes"]:
        assert item["label"] in flat
        assert " ".join(item["means"].split()) in flat
    for item in document["findings"]:
        assert item["finding"]["code"] in flat
    for line in ran.out.splitlines():
        assert len(line) <= 80 or "$ " in line or "http" in line, line


# -- stated environments: what a change means --------------------------------------------------------------------------


def test_a_newer_driver_that_does_is_fine_for_that_tensorrt(tmp_path: Path) -> None:
    now = stated(tmp_path, "now", driver="570.124.06")
    code, document = diff(stated(tmp_path, "good"), now)
    assert code == 0
    told = change(document, "driver")
    assert told["before"].startswith("550.54.15")
    assert told["now"].startswith("570.124.06")
    assert told["means"].startswith("fine for TensorRT 10.9.0.34; info DRV")
    assert [item["label"] for item in document["changes"]] == ["driver"]
    assert (
        "- driver 550.54.15 (CUDA 12.4) to 570.124.06 (CUDA 12.8)\n    fine for"
        in run("diff", str(tmp_path / "good.json"), now, *DAY).out
    )


def test_a_driver_that_is_too_old_is_not_fine(tmp_path: Path) -> None:
    code, document = diff(stated(tmp_path, "good"), stated(tmp_path, "now", driver="470.57.02"))
    assert code == 1
    assert change(document, "driver")["status"] == "error"
    assert "fine" not in change(document, "driver")["means"]


def test_what_became_unknown_matters_and_is_not_called_fine(tmp_path: Path) -> None:
    code, document = diff(stated(tmp_path, "good"), stated(tmp_path, "now", driver=None, glibc="2.36"))
    assert code == 1
    assert document["reasons"] == ["the verdict was ready and is unknown"]
    assert change(document, "driver")["status"] == "unknown"
    assert change(document, "driver")["means"].startswith("not judged: ")
    assert "fine" not in change(document, "glibc")["means"]


def test_a_requirement_that_nobody_can_judge_any_more_matters_in_strict_mode(tmp_path: Path) -> None:
    known = stated(tmp_path, "good", gpus=[{"name": "Tesla T4", "memory_gib": 15}])
    strict = ("--require", "gpu.memory>=8GiB", "--fail-on", "unknown")
    code, document = diff(known, stated(tmp_path, "now"), *strict)
    assert code == 1
    assert any("gpu.memory>=8GiB" in reason for reason in document["reasons"])


def test_which_of_several_became_which_is_not_guessed(tmp_path: Path) -> None:
    before = stated(tmp_path, "good", cudnn=[{"version": "9.1.0"}, {"version": "9.2.0"}])
    now = stated(tmp_path, "now", cudnn=[{"version": "9.3.0"}, {"version": "9.4.0"}])
    _, document = diff(before, now)
    told = [(item["what"], item["before"] or item["now"]) for item in document["changes"] if item["label"] == "cuDNN"]
    assert sorted(told) == [("gone", "9.1.0"), ("gone", "9.2.0"), ("new", "9.3.0"), ("new", "9.4.0")]


def test_a_cudnn_that_comes_from_another_place_is_told(tmp_path: Path) -> None:
    good = Snapshot.from_json(Path(recorded("h200-trt853")).read_bytes())
    moved = tuple(
        replace(copy, path=f"/opt/other/lib/{(copy.path or '').rpartition('/')[2]}", realpath=None, owner=None)
        if copy.component == "cudnn" and copy.flavour == "cu11"
        else copy
        for copy in good.copies
    )
    (tmp_path / "now.json").write_text(replace(good, copies=moved).to_json())
    _, document = diff(recorded("h200-trt853"), str(tmp_path / "now.json"))
    told = [item for item in document["changes"] if item["label"] == "cuDNN"]
    assert [item["what"] for item in told] == ["moved"]
    table = " ".join(run("diff", recorded("h200-trt853"), str(tmp_path / "now.json"), *DAY).out.split())
    assert "cuDNN now comes from another place: 8.6.0.163 (cu11)" in table
    assert "/opt/other/lib" in table


def test_what_the_loader_picks_elsewhere_is_told(tmp_path: Path) -> None:
    good = Snapshot.from_json(Path(recorded("h200-trt853-observed")).read_bytes())
    loadings = tuple(
        replace(
            loading,
            loaded=tuple(
                replace(item, path="/opt/other/libcublas.so.11", realpath=None, step="ld_library_path")
                if item.library == "libcublas"
                else item
                for item in loading.loaded
            ),
        )
        for loading in good.loadings
    )
    (tmp_path / "now.json").write_text(replace(good, loadings=loadings).to_json())
    _, document = diff(recorded("h200-trt853-observed"), str(tmp_path / "now.json"))
    told = [item for item in document["changes"] if "gets libcublas" in item["label"]]
    assert told, [item["label"] for item in document["changes"]]
    assert told[0]["now"] == "/opt/other/libcublas.so.11, by ld_library_path"


def test_a_probe_that_failed_is_no_silent_change(tmp_path: Path) -> None:
    document = json.loads(Path(recorded("h200-trt853")).read_text())
    document["probes"][0]["outcome"] = "timed-out"
    (tmp_path / "now.json").write_text(json.dumps(document))
    _, found = diff(recorded("h200-trt853"), str(tmp_path / "now.json"))
    assert change(found, f"probe {document['probes'][0]['name']}")["now"] == "timed-out"
    assert any("timed-out" in note for note in found["notes"])


def test_this_machine_beside_its_own_snapshot_has_not_changed(tmp_path: Path) -> None:
    good = tmp_path / "good.json"
    assert run("snapshot", "-o", str(good)).code == 0
    ran = run("diff", str(good), "--format", "json")
    assert ran.code == 0, ran.out
    assert [item for item in json.loads(ran.out)["changes"] if item["component"] != "probe"] == []
    assert run("check", "--baseline", str(good), "--canary", "never").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["absent.json"],
        [recorded("h200"), "absent.json"],
        ["-", "-"],
        [recorded("h200"), recorded("h200"), "--python", "/usr/bin/python3"],
        [recorded("h200"), recorded("h200"), "--fail-on", "fatal"],
        [recorded("h200"), recorded("h200"), "--require", "tensort"],
        [],
    ],
)
def test_bad_usage_gets_one_line(arguments: list[str]) -> None:
    complains(run("diff", *arguments))


HOSTILE = "x\x1b[31m\x07\n::error::\u202e$(reboot)`id`|<script>"


def test_hostile_text_is_carried_harmlessly(tmp_path: Path) -> None:
    document = json.loads(Path(recorded("h200-trt853")).read_text())
    document["gpus"][0]["name"] = HOSTILE
    document["settings"].append({"name": HOSTILE, "value": HOSTILE})
    document["platform"]["kernel"] = HOSTILE
    (tmp_path / "now.json").write_text(json.dumps(document))
    for format_ in ("table", "json"):
        ran = run("diff", recorded("h200-trt853"), str(tmp_path / "now.json"), *DAY, "--format", format_)
        assert ran.err == ""
        assert not set("\x1b\x07\u202e") & set(ran.out)
        assert not any(line.lstrip().startswith("::") for line in ran.out.splitlines())


# -- check --baseline --------------------------------------------------------------------------------------------------


def baseline(now: str, good: str, *arguments: str) -> tuple[int, dict[str, Any]]:
    ran = run("check", "--snapshot", now, "--baseline", good, *DAY, "--format", "json", *arguments)
    document: dict[str, Any] = json.loads(ran.out)
    jsonschema.validate(document, json.loads((ROOT / "trtdoctor" / "schemas" / "report.schema.json").read_text()))
    return ran.code, document


def test_only_what_the_baseline_does_not_have_is_reported() -> None:
    code, document = baseline(recorded("h200-hidden"), recorded("h200"))
    assert code == 1
    assert [item["code"] for item in document["findings"]] == ["GPU101"]
    assert (document["verdict"], document["primary"], document["known"]) == ("broken", "GPU101", 1)


@pytest.mark.parametrize("name", ["h200", "two-flavours", "h200-trt853", "canary-trt853-cudnn9"])
def test_nothing_is_new_beside_itself(name: str) -> None:
    code, document = baseline(recorded(name), recorded(name), "--fail-on", "warning")
    assert code == 0
    assert document["findings"] == []
    assert document["known"] > 0
    table = run("check", "--snapshot", recorded(name), "--baseline", recorded(name), *DAY).out
    assert f"{document['known']} known from the baseline" in table


def test_a_finding_about_another_version_is_a_new_one(tmp_path: Path) -> None:
    good = stated(tmp_path, "good", driver="470.57.02")
    assert baseline(good, good)[0] == 0
    code, document = baseline(stated(tmp_path, "now", driver="460.32.03"), good)
    assert code == 1
    assert any("460.32.03" in item["title"] for item in document["findings"])


def test_a_finding_at_another_path_is_the_same() -> None:
    """A redacted recording beside a machine whose paths are plain."""
    from trtdoctor.diff.compare import identity
    from trtdoctor.findings import Finding, Severity

    def stub(path: str) -> Finding:
        return Finding("DRV303", "n", Severity.ERROR, ("driver",), f"libcuda is the stub of a CUDA toolkit: {path}")

    assert identity(stub("<dir1>/stubs/libcuda.so.1")) == identity(stub("/home/jo/cuda/stubs/libcuda.so.1"))
    assert identity(replace(stub("/x"), code="DRV304")) != identity(stub("/x"))


def test_unknown_stays_unknown_beside_a_baseline(tmp_path: Path) -> None:
    unknown = stated(tmp_path, "unknown", driver=None)
    code, document = baseline(unknown, unknown, "--fail-on", "unknown")
    assert code == 1
    assert document["verdict"] == "unknown"
