from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.probes import roots
from trtdoctor.matrix import load
from trtdoctor.probes import toolkits
from trtdoctor.probes.searchpaths import targets
from trtdoctor.snapshot import Snapshot, Toolkit
from trtdoctor.stack import Stack

HERE = targets()[0].removesuffix("/lib")


def probe(root: Path, files: Mapping[str, str | bytes], **environ: str) -> Snapshot:
    roots.write(root, files)
    for path in root.rglob("nvcc"):
        path.chmod(0o755)
    return toolkits.probe(roots.context(root, environ))


def test_one_toolkit_behind_three_names_is_told_once(tmp_path: Path) -> None:
    found = probe(
        tmp_path,
        {
            "/usr/local/cuda-12.8/version.json": '{"cuda": {"name": "CUDA SDK", "version": "12.8.1"}, '
            '"cuda_nvcc": {"version": "12.8.93"}}',
            "/usr/local/cuda-12.8/bin/nvcc": "\x7fELF",
            f"/usr/local/cuda-12.8/{HERE}/lib/stubs/libcuda.so": roots.elf("libcuda.so.1"),
            "/usr/local/cuda-12.8/lib64": f"->{HERE}/lib",
            "/etc/alternatives/cuda": "->/usr/local/cuda-12.8",
            "/usr/local/cuda": "->/etc/alternatives/cuda",
        },
        CUDA_HOME="/usr/local/cuda",
        PATH="/usr/local/cuda/bin",
    )
    assert found.toolkits == (Toolkit("/usr/local/cuda-12.8", "12.8.1", "json", "12.8.93", True),)


@pytest.mark.parametrize(
    ("files", "version", "how"),
    [
        ({"version.txt": "CUDA Version 10.2.89\n"}, "10.2.89", "version.txt"),
        ({"include/cuda.h": "#ifndef X\n#define CUDA_VERSION 13000\n"}, "13.0", "header"),
        ({f"{HERE}/include/cuda.h": "  #  define CUDA_VERSION 11080\n"}, "11.8", "header"),
        ({"version.json": "{broken", "include/cuda.h": "#define CUDA_VERSION 12040"}, "12.4", "header"),
        ({"version.json": "[1, 2]"}, None, None),
        ({"version.json": "[" * 100_000}, None, None),
        ({"include/cuda.h": "#define CUDA_VERSION 99999999999999999999\n"}, None, None),
    ],
)
def test_the_version_is_learnt_from_files(
    tmp_path: Path, files: dict[str, str], version: str | None, how: str | None
) -> None:
    found = probe(tmp_path, {f"/opt/cuda/{name}": content for name, content in files.items()})
    assert [(item.version, item.how, item.nvcc) for item in found.toolkits] == [(version, how, None)]


def test_a_script_on_path_leads_to_the_toolkit_that_it_calls(tmp_path: Path) -> None:
    found = probe(
        tmp_path,
        {
            "/usr/bin/nvcc": '#!/bin/sh\nexec /srv/cuda-11/bin/nvcc "$@"\n',
            "/srv/cuda-11/bin/nvcc": "\x7fELF",
            "/srv/cuda-11/version.txt": "CUDA Version 11.0.228",
        },
        PATH="/nowhere:/usr/bin",
    )
    assert [(item.root, item.version) for item in found.toolkits] == [("/srv/cuda-11", "11.0.228")]


def test_the_package_that_brought_nvcc_tells_its_version(tmp_path: Path) -> None:
    found = probe(
        tmp_path,
        {
            "/usr/local/cuda-13.0/bin/nvcc": "\x7fELF",
            "/usr/local/cuda-12.8/bin/nvcc": "\x7fELF",
            "/var/lib/dpkg/status": "Package: cuda-nvcc-13-0\nStatus: install ok installed\nVersion: 13.0.88-1\n\n",
        },
    )
    assert {(item.root, item.nvcc) for item in found.toolkits} == {
        ("/usr/local/cuda-13.0", "13.0.88"),
        ("/usr/local/cuda-12.8", None),
    }


def test_an_empty_folder_is_no_toolkit(tmp_path: Path) -> None:
    (tmp_path / "usr/local/cuda-12.0/doc").mkdir(parents=True)
    assert probe(tmp_path, {}).toolkits == ()


HEADER_10 = """#define NV_TENSORRT_MAJOR 10 //!< TensorRT major version.
#define NV_TENSORRT_MINOR 9
#define NV_TENSORRT_PATCH 0
#define NV_TENSORRT_BUILD 34
"""
HEADER_11 = """#define TRT_MAJOR_ENTERPRISE 11
#define TRT_MINOR_ENTERPRISE 4
#define TRT_PATCH_ENTERPRISE 0
#define TRT_BUILD_ENTERPRISE 106
#define NV_TENSORRT_MAJOR TRT_MAJOR_ENTERPRISE
#define NV_TENSORRT_MINOR TRT_MINOR_ENTERPRISE
#define NV_TENSORRT_PATCH TRT_PATCH_ENTERPRISE
#define NV_TENSORRT_BUILD TRT_BUILD_ENTERPRISE
"""


@pytest.mark.parametrize(
    ("content", "version", "product"),
    [
        (HEADER_10, "10.9.0.34", "full"),
        (HEADER_11, "11.4.0.106", "full"),
        (HEADER_11.replace("ENTERPRISE", "RTX"), "11.4.0.106", "rtx"),
        ("#define NV_TENSORRT_MAJOR A\n#define A B\n#define B A\n", None, "full"),
    ],
)
def test_tensorrt_headers(tmp_path: Path, content: str, version: str | None, product: str) -> None:
    found = probe(tmp_path, {"/usr/include/x86_64-linux-gnu/NvInferVersion.h": content})
    assert [(item.component, item.role, item.version, item.product) for item in found.copies] == [
        ("tensorrt", "header", version, product)
    ]


def test_a_header_alone_is_no_installation(tmp_path: Path) -> None:
    header = "#define CUDNN_MAJOR 9\n#define CUDNN_MINOR 14\n#define CUDNN_PATCHLEVEL 0\n"
    found = probe(tmp_path, {"/usr/include/cudnn_version.h": header, "/usr/include/NvInferVersion.h": HEADER_10})
    assert {(item.component, item.version) for item in found.copies} == {("cudnn", "9.14.0"), ("tensorrt", "10.9.0.34")}
    assert Stack(found, load()).installations == {}
