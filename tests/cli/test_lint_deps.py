"""``trtdoctor lint-deps`` as users type it: each defect with a near miss, and the line of the file in each finding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.cli.run import ROOT, Ran, complains, run
from trtdoctor.matrix import load, wheels

ADVISORY = ("TRT601", "CUD601", "FWK601")
AS_OF = ("--as-of", "2026-11-23")


def lint(place: Path, content: dict[str, str], *arguments: str) -> Ran:
    """Write files and lint the first of them."""
    for name, text in content.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    return run("lint-deps", str(place / next(iter(content))), *AS_OF, *arguments)


def findings(place: Path, content: dict[str, str], *arguments: str) -> dict[str, dict[str, Any]]:
    """Code to finding of a run in JSON; security fixes are left out."""
    ran = lint(place, content, "--format", "json", *arguments)
    assert ran.code in (0, 1), ran.err
    document = json.loads(ran.out)
    schema = json.loads((ROOT / "trtdoctor" / "schemas" / "report.schema.json").read_text())
    jsonschema.validate(document, schema)
    errors = [item["code"] for item in document["findings"] if item["severity"] == "error"]
    assert ran.code == bool(errors)
    return {item["code"]: item for item in document["findings"] if item["code"] not in ADVISORY}


def places(finding: dict[str, Any]) -> list[str]:
    """Where the facts of a finding stand: ``FILE:LINE`` without the directory."""
    return [Path(fact["where"]).name for fact in finding["facts"] if fact["where"] and "/" in fact["where"]]


def requirements(place: Path, text: str, *arguments: str) -> dict[str, dict[str, Any]]:
    return findings(place, {"requirements.txt": text}, *arguments)


# -- unpinned ---------------------------------------------------------------------------------------------------------


def test_unpinned_tensorrt_is_told_with_what_it_is_today(tmp_path: Path) -> None:
    found = requirements(tmp_path, "numpy\ntensorrt\n")
    assert found["PYT105"]["severity"] == "warning"
    newest = wheels.newest(load(), "tensorrt", "")
    assert newest is not None
    assert newest[0] in found["PYT105"]["title"]
    assert "CUDA 13" in found["PYT105"]["title"]
    assert places(found["PYT105"]) == ["requirements.txt:2"]
    assert found["PYT105"]["fix"][0]["text"].startswith("Pin it: tensorrt")


def test_unpinned_tensorrt_beside_torch_for_another_cuda(tmp_path: Path) -> None:
    found = requirements(tmp_path, "torch==2.5.1+cu124\n\ntensorrt>=10\n")
    assert "torch 2.5.1+cu124 is for CUDA 12" in found["PYT105"]["detail"]
    assert places(found["PYT105"]) == ["requirements.txt:3", "requirements.txt:1"]
    assert "tensorrt-cu12==" in found["PYT105"]["fix"][0]["text"]


def test_unpinned_tensorrt_that_surely_contradicts_a_pin_is_an_error(tmp_path: Path) -> None:
    found = requirements(tmp_path, "onnxruntime-gpu==1.22.0\ntensorrt\n")
    assert set(found) == {"PYT105"}  # one cause, one finding
    assert found["PYT105"]["severity"] == "error"
    assert "FWK101" in found["PYT105"]["detail"]
    assert "tensorrt-cu12==10." in found["PYT105"]["fix"][0]["text"]


def test_unpinned_tensorrt_on_a_driver_without_that_cuda_is_an_error(tmp_path: Path) -> None:
    found = requirements(tmp_path, "tensorrt\n", "--driver", "550.54.14", "--gpu", "NVIDIA L4")
    assert found["PYT105"]["severity"] == "error"
    assert "DRV201" in found["PYT105"]["detail"]
    assert requirements(tmp_path, "tensorrt\n", "--driver", "580.65.06")["PYT105"]["severity"] == "warning"


@pytest.mark.parametrize(
    "line",
    ["tensorrt==10.9.0.34", "tensorrt-cu12>=10,<11", "tensorrt>=10,<10.13", "tensorrt==10.9.*", "tensorrt~=10.9.0"],
)
def test_a_pin_that_settles_release_and_cuda_is_enough(tmp_path: Path, line: str) -> None:
    assert "PYT105" not in requirements(tmp_path, line + "\n")


def test_a_range_over_two_cudas_is_not_enough(tmp_path: Path) -> None:
    assert requirements(tmp_path, "tensorrt>=10,<11\n")["PYT105"]["severity"] == "warning"
    assert requirements(tmp_path, "tensorrt-cu12\n")["PYT105"]["severity"] == "info"


def test_a_framework_that_pins_tensorrt_pins_it(tmp_path: Path) -> None:
    assert "PYT105" not in requirements(tmp_path, "torch-tensorrt==2.8.0\ntensorrt\n")


def test_a_constraint_pins(tmp_path: Path) -> None:
    text = {"requirements.txt": "tensorrt\n-c pins.txt\n", "pins.txt": "tensorrt==10.9.0.34\n"}
    assert "PYT105" not in findings(tmp_path, text)


# -- meta without libraries, flavours, stubs --------------------------------------------------------------------------


def test_bindings_without_libraries(tmp_path: Path) -> None:
    found = requirements(tmp_path, "tensorrt-cu13-bindings==11.4.0.106\n")
    assert places(found["TRT102"]) == ["requirements.txt:1"]
    both = "tensorrt-cu13-bindings==11.4.0.106\ntensorrt-cu13-libs==11.4.0.106\n"
    assert "TRT102" not in requirements(tmp_path, both)
    assert "TRT102" not in requirements(tmp_path, "tensorrt-cu13-bindings==11.4.0.106\ntensorrt==11.4.0.106\n")


def test_meta_and_libraries_of_two_releases(tmp_path: Path) -> None:
    found = requirements(tmp_path, "tensorrt==10.9.0.34\ntensorrt-cu12-libs==10.8.0.43\n")
    assert set(places(found["TRT103"])) == {"requirements.txt:1", "requirements.txt:2"}
    same = requirements(tmp_path, "tensorrt==10.9.0.34\ntensorrt-cu12-libs==10.9.0.34\n")
    assert "TRT103" not in same


def test_cu12_with_cu13(tmp_path: Path) -> None:
    found = requirements(tmp_path, "tensorrt-cu12==10.16.1.11\n# new\ntensorrt-cu13==10.16.1.11\n")
    assert set(places(found["TRT104"])) == {"requirements.txt:1", "requirements.txt:3"}
    cudnn = requirements(tmp_path, "nvidia-cudnn-cu12==9.10.2.21\nnvidia-cudnn-cu13==9.19.0.56\n")
    assert set(places(cudnn["DNN104"])) == {"requirements.txt:1", "requirements.txt:2"}
    assert "DNN104" not in requirements(tmp_path, "nvidia-cudnn-cu12==9.10.2.21\n")


def test_the_open_names_of_two_flavours_are_told_without_versions(tmp_path: Path) -> None:
    found = requirements(tmp_path, "tensorrt-cu12\ntensorrt-cu13>=10\n")
    assert "None" not in found["TRT104"]["title"]
    assert "tensorrt-cu13 >=10" in found["TRT104"]["title"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("tensorrt-cu12==10.9.0.34", "tensorrt-cu13-libs==10.14.1.48"),  # -cu12 brings -cu12-libs
        ("tensorrt==10.9.0.34", "tensorrt-cu13-libs==10.14.1.48"),  # 10.9 brings -cu12
        ("tensorrt==10.15.1.29", "tensorrt-cu12==10.15.1.29"),  # and 10.15 -cu13
        ("tensorrt-lean-cu12==10.9.0.34", "tensorrt-lean-cu13-libs==10.15.1.29"),
        ("tensorrt-cu12-bindings==10.15.1.29", "tensorrt-cu13-libs==10.15.1.29"),
    ],
)
def test_what_a_named_package_brings_along_has_a_flavour_too(tmp_path: Path, first: str, second: str) -> None:
    found = requirements(tmp_path, f"{first}\n{second}\n")
    assert set(places(found["TRT104"])) == {"requirements.txt:1", "requirements.txt:2"}
    assert "TRT103" not in found  # one cause, one finding


def test_the_packages_of_one_flavour_go_together(tmp_path: Path) -> None:
    together = "tensorrt==10.9.0.34\ntensorrt-cu12==10.9.0.34\ntensorrt_cu12_libs==10.9.0.34\n"
    assert not requirements(tmp_path, together + "tensorrt-cu12-bindings==10.9.0.34\ntensorrt-lean==10.9.0.34\n")


def test_placeholders(tmp_path: Path) -> None:
    found = requirements(tmp_path, "nvidia-tensorrt\n")
    assert (found["PYT103"]["severity"], places(found["PYT103"])) == ("error", ["requirements.txt:1"])
    assert "99.0.0" in found["PYT103"]["title"]
    assert [step["kind"] for step in found["PYT103"]["fix"]] == ["edit", "edit"]
    assert requirements(tmp_path, "nvidia-tensorrt==99.0.0\n")["PYT103"]["severity"] == "error"
    assert requirements(tmp_path, "nvidia-tensorrt==8.4.1.5\n")["PYT103"]["severity"] == "info"
    elsewhere = requirements(tmp_path, "nvidia-tensorrt==8.4.3.1\n")  # was on another index, with libraries
    assert elsewhere["PYT103"]["severity"] == "info"
    beside = requirements(tmp_path, "nvidia-tensorrt\ntensorrt==10.9.0.34\n")
    assert beside["PYT103"]["severity"] == "warning"
    fails = requirements(tmp_path, "tensorrt==10.9.0.34\nnvidia-cublas-cu13\n")
    assert fails["PYT103"]["severity"] == "warning"


# -- torch, cuDNN, onnxruntime ----------------------------------------------------------------------------------------


def test_torch_and_tensorrt_that_cannot_share_a_cudnn(tmp_path: Path) -> None:
    found = requirements(tmp_path, "torch==2.0.1+cu118\ntensorrt==8.6.1\n")
    assert found["FWK201"]["severity"] == "error"
    assert set(places(found["FWK201"])) == {"requirements.txt:1", "requirements.txt:2"}
    by_index = requirements(tmp_path, "--extra-index-url https://m.example/whl/cu118\ntorch==2.0.1\ntensorrt==8.6.1\n")
    assert places(by_index["FWK201"])[0] == "requirements.txt:2"
    assert "FWK201" not in requirements(tmp_path, "torch==2.0.1+cu118\ntensorrt==8.5.3.1\n")
    assert "FWK201" not in requirements(tmp_path, "torch==2.5.1+cu118\ntensorrt-cu12==10.9.0.34\n")


def test_torch_and_tensorrt_of_two_cuda_majors_that_can_live_together_are_no_error(tmp_path: Path) -> None:
    found = requirements(tmp_path, "torch==2.5.1+cu124\ntensorrt-cu13==10.16.1.11\n")
    assert found["CUD102"]["severity"] == "info"
    assert set(places(found["CUD102"])) == {"requirements.txt:1", "requirements.txt:2"}
    assert "CUD102" not in requirements(tmp_path, "torch==2.5.1+cu124\ntensorrt-cu12==10.16.1.11\n")


def test_tensorrt_that_brings_the_wrong_cudnn(tmp_path: Path) -> None:
    found = requirements(tmp_path, "tensorrt==8.5.3.1\n", "--python-version", "3.10")
    assert "nvidia-cudnn-cu11" in found["DNN102"]["title"]
    pinned = requirements(tmp_path, "tensorrt==8.5.3.1\nnvidia-cudnn-cu11==8.6.0.163\n", "--python-version", "3.10")
    assert "DNN102" not in pinned
    wrong = requirements(tmp_path, "tensorrt==8.5.3.1\nnvidia-cudnn-cu11==9.10.2.21\n", "--python-version", "3.10")
    assert wrong["DNN102"]["severity"] == "error"
    assert "requirements.txt:2" in places(wrong["DNN102"])


def test_wheels_of_cuda_that_are_named_are_not_taken_for_all_that_comes(tmp_path: Path) -> None:
    found = requirements(tmp_path, "tensorrt-cu13==10.16.1.11\nnvidia-cuda-runtime-cu12==12.4.127\n")
    assert "CUD101" not in found  # TensorRT's wheels bring CUDA 13 themselves


def test_onnxruntime_beside_another_tensorrt(tmp_path: Path) -> None:
    found = requirements(tmp_path, "tensorrt==11.4.0.106\nonnxruntime-gpu==1.22.0\n")
    assert (found["FWK101"]["severity"], set(places(found["FWK101"]))) == (
        "error",
        {"requirements.txt:1", "requirements.txt:2"},
    )
    assert "FWK101" not in requirements(tmp_path, "tensorrt==10.9.0.34\nonnxruntime-gpu==1.22.0\n")


def test_onnxruntime_of_an_index_for_another_cuda(tmp_path: Path) -> None:
    text = "FROM nvidia/cuda:12.1.1-cudnn8-runtime-ubuntu22.04\nRUN pip install onnxruntime-gpu==1.18.1{}\n"
    assert dockerfile(tmp_path, text.format(""))["FWK102"]["severity"] == "warning"
    other = text.format(" --extra-index-url https://feed.example/onnxruntime-cuda-12/simple/")
    assert "FWK102" not in dockerfile(tmp_path, other)
    said = " ".join(lint(tmp_path, {"Dockerfile": other}).out.split())
    assert "Dockerfile:2 names another package index" in said
    torch = text.format(" --extra-index-url https://m.example/whl/cu121")
    assert "FWK102" in dockerfile(tmp_path, torch)  # that index has no onnxruntime


def test_tensorflow_holds_cudnn_and_is_not_taken_to_use_tensorrt(tmp_path: Path) -> None:
    assert "DNN102" in requirements(tmp_path, "tensorrt==8.6.1\n")
    assert "DNN102" not in requirements(tmp_path, "tensorflow[and-cuda]==2.15.1\ntensorrt==8.6.1\n")
    found = requirements(tmp_path, "tensorflow==2.15.0\ntensorrt-cu12==10.9.0.34\n")
    assert found["FWK501"]["severity"] == "info"
    asked = requirements(tmp_path, "tensorflow==2.15.0\ntensorrt-cu12==10.9.0.34\n", "--goal", "tensorflow")
    assert asked["FWK501"]["severity"] == "warning"


def test_torch_tensorrt_pins(tmp_path: Path) -> None:
    found = requirements(tmp_path, "torch==2.9.1\ntorch-tensorrt==2.8.0\n")
    assert set(places(found["FWK301"])) == {"requirements.txt:1", "requirements.txt:2"}
    assert "FWK301" not in requirements(tmp_path, "torch==2.8.0\ntorch-tensorrt==2.8.0\n")


# -- images -----------------------------------------------------------------------------------------------------------


def dockerfile(place: Path, text: str, *arguments: str) -> dict[str, dict[str, Any]]:
    return findings(place, {"Dockerfile": text}, *arguments)


def test_a_base_image_with_another_tensorrt(tmp_path: Path) -> None:
    text = "FROM nvcr.io/nvidia/tensorrt:24.08-py3\nRUN pip install \\\n  tensorrt-cu12=={}\n"
    found = dockerfile(tmp_path, text.format("10.9.0.34"))
    assert places(found["CTR403"]) == ["Dockerfile:1", "Dockerfile:3"]
    row = next(row for row in load().rows("containers", "images") if row.key == "tensorrt:24.08-py3")
    same = ".".join((row.text("tensorrt") or "").split(".")[:3])
    assert "CTR403" not in dockerfile(tmp_path, text.format(same))


def test_a_base_image_with_another_cuda(tmp_path: Path) -> None:
    text = "FROM nvidia/cuda:{}-devel-ubuntu22.04\nRUN pip install tensorrt-cu13==10.16.1.11\n"
    found = dockerfile(tmp_path, text.format("12.4.1"))
    assert found["CUD101"]["severity"] == "warning"  # the wheels bring CUDA 13
    assert set(places(found["CUD101"])) == {"Dockerfile:1", "Dockerfile:2"}
    assert "CUD101" not in dockerfile(tmp_path, text.format("13.0.1"))
    apt = "FROM nvidia/cuda:11.8.0-cudnn8-devel-ubuntu22.04\nRUN apt-get install -y libnvinfer8=8.6.1.6-1+cuda12.0\n"
    assert set(places(dockerfile(tmp_path, apt)["CUD101"])) == {"Dockerfile:1", "Dockerfile:2"}


def test_the_cudnn_of_an_image_serves_a_wheel_that_brings_another(tmp_path: Path) -> None:
    text = "FROM {}\nRUN pip install tensorrt==8.6.1\n"
    assert "DNN102" not in dockerfile(tmp_path, text.format("nvcr.io/nvidia/tensorrt:23.10-py3"))
    assert "DNN102" in dockerfile(tmp_path, text.format("ubuntu:22.04"))


def test_the_image_of_an_architecture(tmp_path: Path) -> None:
    text = (
        "ARG TARGETARCH\nFROM nvcr.io/nvidia/tensorrt:24.08-py3 AS base-amd64\nFROM ubuntu:22.04 AS base-arm64\n"
        "FROM base-${TARGETARCH}\nRUN pip install tensorrt-cu12==10.9.0.34\n"
    )
    assert "CTR403" in dockerfile(tmp_path, text)
    assert "CTR403" not in dockerfile(tmp_path, text, "--platform", "linux-aarch64")


def test_what_a_condition_decides_is_told_and_not_judged(tmp_path: Path) -> None:
    text = (
        'FROM ubuntu:22.04\nARG CUDA\nRUN if [ "$CUDA" = 13 ]; then pip install tensorrt-cu13==10.15.1.29; \\\n'
        "    else pip install tensorrt-cu12==10.15.1.29; fi\n"
    )
    assert not dockerfile(tmp_path, text)
    said = " ".join(lint(tmp_path, {"Dockerfile": text}).out.split())
    assert "Dockerfile:4 depends on: a condition of the shell" in said


def test_onnxruntime_on_an_image_of_another_cuda(tmp_path: Path) -> None:
    text = "FROM nvidia/cuda:{}-cudnn-runtime-ubuntu22.04\nRUN pip install onnxruntime-gpu==1.22.0\n"
    assert places(dockerfile(tmp_path, text.format("13.0.1"))["FWK102"]) == ["Dockerfile:2", "Dockerfile:1"]
    assert "FWK102" not in dockerfile(tmp_path, text.format("12.4.1"))


def test_the_python_of_an_image_without_wheels(tmp_path: Path) -> None:
    text = "FROM python:{}-slim-bookworm\nRUN pip install tensorrt==8.6.1 nvidia-cudnn-cu12==8.9.7.29\n"
    found = dockerfile(tmp_path, text.format("3.12"))
    assert (found["PYT101"]["severity"], set(places(found["PYT101"]))) == ("error", {"Dockerfile:1", "Dockerfile:2"})
    assert "PYT101" not in dockerfile(tmp_path, text.format("3.10"))


def test_the_glibc_of_an_image_without_wheels(tmp_path: Path) -> None:
    text = "FROM {}\nRUN pip3.10 install tensorrt-cu12==10.9.0.34\n"
    found = dockerfile(tmp_path, text.format("centos:7"))
    assert found["PYT102"]["severity"] == "error"
    assert places(found["PYT102"]) == ["Dockerfile:1", "Dockerfile:2"]
    assert "PYT102" not in dockerfile(tmp_path, text.format("rockylinux:8"))
    musl = dockerfile(tmp_path, text.format("python:3.10-alpine"))
    assert musl["PYT104"]["severity"] == "error"
    assert "PYT104" not in dockerfile(tmp_path, text.format("python:3.10-bookworm"))


def test_the_architecture_of_an_image_without_wheels(tmp_path: Path) -> None:
    text = "FROM --platform=linux/{} python:3.10\nRUN pip install tensorrt==8.6.1\n"
    assert "PYT104" in dockerfile(tmp_path, text.format("arm64"))
    assert "PYT104" not in dockerfile(tmp_path, text.format("amd64"))


def test_a_later_command_of_a_dockerfile_wins(tmp_path: Path) -> None:
    first = "FROM python:3.10\nRUN pip install onnxruntime-gpu==1.22.0 tensorrt==11.4.0.106\n"
    assert "FWK101" in dockerfile(tmp_path, first)
    assert "FWK101" not in dockerfile(tmp_path, first + "RUN pip install tensorrt==10.9.0.34\n")
    assert "FWK101" in dockerfile(tmp_path, first + "RUN pip install tensorrt\n")  # it is there already


def test_a_requirements_file_of_a_dockerfile_is_named_by_its_own_line(tmp_path: Path) -> None:
    content = {
        "Dockerfile": "FROM python:3.12\nCOPY requirements.txt .\nRUN pip install -r requirements.txt\n",
        "requirements.txt": "numpy\ntensorrt==8.6.1\n",
    }
    assert set(places(findings(tmp_path, content)["PYT101"])) == {"Dockerfile:1", "requirements.txt:2"}


PACKAGES = """\
[[package]]
name = "tensorrt"
version = "8.6.1"

[[package]]
name = "torch"
version = "2.0.1+cu118"
"""


# -- other formats ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        (
            "pyproject.toml",
            '[project]\nname = "x"\ndependencies = [\n  "torch==2.0.1+cu118",\n  "tensorrt==8.6.1",\n]\n',
            (4, 5),
        ),
        (
            "poetry.lock",
            f'{PACKAGES}[metadata]\nlock-version = "2.1"\npython-versions = "*"\n',
            (2, 6),
        ),
        (
            "uv.lock",
            f"version = 1\n{PACKAGES}",
            (3, 7),
        ),
        ("environment.yml", "dependencies:\n  - pip:\n    - torch==2.0.1+cu118\n    - tensorrt==8.6.1\n", (3, 4)),
        ("Dockerfile", "FROM x\nRUN pip install torch==2.0.1+cu118 \\\n tensorrt==8.6.1\n", (2, 3)),
        ("constraints.in", "torch==2.0.1+cu118\ntensorrt==8.6.1\n", (1, 2)),
    ],
)
def test_every_format_gives_the_same_finding_with_its_lines(
    tmp_path: Path, name: str, text: str, where: tuple[int, int]
) -> None:
    found = findings(tmp_path, {name: text})
    assert set(places(found["FWK201"])) == {f"{name}:{line}" for line in where}


def test_extras_are_judged_when_they_are_asked_for_and_told_when_not(tmp_path: Path) -> None:
    text = '[project]\nname = "x"\ndependencies = ["onnxruntime-gpu==1.22.0"]\n[project.optional-dependencies]\n'
    content = {"pyproject.toml": text + 'trt = ["tensorrt==11.4.0.106"]\n'}
    plain = lint(tmp_path, content)
    assert plain.code == 0
    assert "belongs to extra trt, which nobody asked for" in " ".join(plain.out.split())
    assert "FWK101" in findings(tmp_path, content, "--extra", "trt")


def test_several_files_are_one_environment(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text("tensorrt==11.4.0.106\n")
    content = {"a.txt": "onnxruntime-gpu==1.22.0\n"}
    assert "FWK101" not in findings(tmp_path, content)
    assert set(places(findings(tmp_path, content, str(tmp_path / "b.txt"))["FWK101"])) == {"a.txt:1", "b.txt:1"}


def test_markers_are_for_the_python_and_platform_that_are_named(tmp_path: Path) -> None:
    text = "onnxruntime-gpu==1.22.0\ntensorrt==11.4.0.106 ; python_version >= '3.12'\n"
    assert "FWK101" in requirements(tmp_path, text, "--python-version", "3.12")
    assert "FWK101" not in requirements(tmp_path, text, "--python-version", "3.10")
    open_ = lint(tmp_path, {"requirements.txt": text})
    assert "depends on: python_version" in " ".join(open_.out.split())


def test_the_python_of_one_file_is_that_of_the_markers_of_another(tmp_path: Path) -> None:
    content = {
        "requirements.txt": "onnxruntime-gpu==1.22.0\ntensorrt==11.4.0.106 ; python_version >= '3.12'\n",
        "Dockerfile": "FROM python:3.12\n",
    }
    found = findings(tmp_path, content, str(tmp_path / "Dockerfile"))
    assert "FWK101" in found


def test_gpu_and_driver_are_judged_when_they_are_named(tmp_path: Path) -> None:
    found = requirements(tmp_path, "tensorrt-cu12==10.7.0\n", "--gpu", "GeForce RTX 5090", "--driver", "580.65.06")
    assert "GPU201" in found
    assert places(found["GPU201"]) == ["requirements.txt:1"]
    plain = lint(tmp_path, {"requirements.txt": "tensorrt-cu12==10.7.0\n"})
    assert plain.code == 0
    assert "\ndriver" not in plain.out


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("Dockerfile2", "FROM ubuntu:22.04\nRUN pip install nvidia-tensorrt\n", 2),
        ("Dockerfile.gpu", "FROM ubuntu:22.04\nRUN pip install nvidia-tensorrt\n", 2),
        ("gpu.Dockerfile", "FROM ubuntu:22.04\nRUN pip install nvidia-tensorrt\n", 2),
        ("docker/serving", "# syntax=x\n\nARG A=1\nFROM ubuntu:22.04\nRUN pip install nvidia-tensorrt\n", 5),
        ("docker-gpu.txt", "from ubuntu:22.04\nrun pip install nvidia-tensorrt\n", 2),
        ("requirements-dev.txt", "numpy\nnvidia-tensorrt\n", 2),
        ("requirements/gpu.txt", "nvidia-tensorrt\n", 1),
        ("requirements.in", "nvidia-tensorrt\n", 1),
        ("requirements.lock", "# by rye\nnvidia-tensorrt\n", 2),
        ("environment-gpu.yaml", "dependencies:\n  - pip:\n    - nvidia-tensorrt\n", 3),
    ],
)
def test_files_under_other_names(tmp_path: Path, name: str, text: str, line: int) -> None:
    assert places(findings(tmp_path, {name: text})["PYT103"]) == [f"{Path(name).name}:{line}"]


@pytest.mark.parametrize("name", ["pylock.toml", "pixi.toml"])
def test_toml_of_another_kind_is_not_called_fine(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('lock-version = "1.0"\n[[packages]]\nname = "nvidia-tensorrt"\n')
    assert "of no format that is read" in complains(run("lint-deps", str(tmp_path / name)))


# -- what every command promises --------------------------------------------------------------------------------------


def test_a_fine_file_is_ready(tmp_path: Path) -> None:
    text = "tensorrt-cu12==10.16.1.11\ntorch==2.9.1+cu128\n"
    ran = lint(tmp_path, {"requirements.txt": text}, "--python-version", "3.12")
    assert ran.code == 0
    assert ran.out.startswith("ready: "), ran.out
    assert "not judged" not in ran.out
    assert "requirements.txt:1" in ran.out


def test_a_file_without_anything_of_the_stack(tmp_path: Path) -> None:
    ran = lint(tmp_path, {"requirements.txt": "flask==3.0\nnumpy<2\n"})
    assert (ran.code, ran.out) == (0, "nothing of the stack is named here\n")
    document = json.loads(lint(tmp_path, {"requirements.txt": "flask\n"}, "--format", "json").out)
    assert document["findings"] == []


def test_lines_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    ran = lint(tmp_path, {"requirements.txt": "tensorrt==10.9.0.34\n-e .\n???\n"})
    assert ran.code == 0
    assert "2 lines are not read" in " ".join(ran.out.split())
    assert "requirements.txt:2" in ran.out


def test_two_pins_of_one_distribution_are_told(tmp_path: Path) -> None:
    ran = lint(tmp_path, {"requirements.txt": "tensorrt==10.9.0.34\ntensorrt==11.4.0.106\n"})
    assert ran.code == 0
    assert "pins 10.9.0.34" in " ".join(ran.out.split())
    assert "requirements.txt:2 pins 11.4.0.106" in " ".join(ran.out.split())


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.txt", None, "No such file"),
        ("requirements.txt", b"\xff\xff\xff", "no UTF-8 text"),
        ("setup.cfg", b"[x]", "of no format that is read"),
        ("pyproject.toml", b"[", "not TOML"),
        ("environment.yml", b"a: [", "not YAML"),
        ("Dockerfile", b"RUN x\n", "no FROM"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    assert said in complains(run("lint-deps", str(file)))


def test_a_directory_and_a_too_long_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.txt").mkdir()
    assert "is a directory" in complains(run("lint-deps", str(tmp_path / "folder.txt")))
    file = tmp_path / "requirements.txt"
    with file.open("wb") as stream:
        stream.truncate(65 * 1024 * 1024)
    assert "longer than 64 MiB" in complains(run("lint-deps", str(file)))


@pytest.mark.parametrize(
    "arguments",
    [("--python-version", "three"), ("--platform", "vax"), ("--driver", "new"), ("--target", "x"), ("--select", "XYZ")],
)
def test_bad_options_are_one_line(tmp_path: Path, arguments: tuple[str, str]) -> None:
    file = tmp_path / "requirements.txt"
    file.write_text("tensorrt\n")
    complains(run("lint-deps", str(file), *arguments))


def test_select_ignore_fail_on_and_output(tmp_path: Path) -> None:
    content = {"requirements.txt": "tensorrt\n"}
    assert lint(tmp_path, content, "--fail-on", "warning").code == 1
    assert lint(tmp_path, content, "--fail-on", "warning", "--ignore", "PYT105").code == 0
    target = tmp_path / "report.json"
    ran = lint(tmp_path, content, "-o", f"json:{target}", "--select", "PYT")
    assert [item["code"] for item in json.loads(target.read_text())["findings"]] == ["PYT105"]
    assert ran.out.startswith("at risk")


HOSTILE = (
    "\x1b[31mtensorrt==10.9.0.34\n::add-mask::x\n$(touch pwned)\n`id`\n"
    "tensorrt==10.9.0.34 ; python_version == '\u202e'\n"
    "<script>alert(1)</script>\n##vso[task]x\n--extra-index-url https://user:s3cr3t@host.example/simple?token=s3cr3t\n"
    "tensorrt-cu12 @ https://user:s3cr3t@host.example/tensorrt_cu12-10.9.0.34-py3-none-any.whl?token=s3cr3t\n"
    "-r https://user:s3cr3t@host.example/r.txt\ngit+https://s3cr3t@host.example/x#egg=torch\n"
)


@pytest.mark.parametrize("format_", ["table", "json"])
def test_hostile_text_is_harmless_and_no_password_is_printed(tmp_path: Path, format_: str) -> None:
    ran = lint(tmp_path, {"requirements.txt": HOSTILE, "other.txt": ""}, "--format", format_, "-v")
    assert ran.code in (0, 1), ran.err
    assert "s3cr3t" not in ran.out + ran.err
    assert "\x1b" not in ran.out
    assert "\u202e" not in ran.out
    assert not any(line.lstrip().startswith("::") or "##" in line for line in ran.out.splitlines())


def test_a_dockerfile_with_hostile_names(tmp_path: Path) -> None:
    text = (
        "FROM $(touch${IFS}pwned)\nFROM a\x1b[31m:b AS ::x\n"
        "RUN pip install '$(id)' tensorrt==`id` \"tensorrt==10.9.0.34\"\n"
    )
    ran = lint(tmp_path, {"Dockerfile": text})
    assert ran.code in (0, 1), ran.err
    assert "\x1b" not in ran.out
    assert not (tmp_path / "pwned").exists()
