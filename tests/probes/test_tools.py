"""trtexec and polygraphy: which there are, and how their version is known. Neither is ever run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.probes.loader.layouts import context, distribution, environment, real_environment, site_of
from tests.probes.loader.objects import library
from tests.probes.loader.reality import gcc, needs_gcc
from tests.probes.roots import write
from trtdoctor.matrix import Matrix
from trtdoctor.probes.base import ProbeContext
from trtdoctor.probes.loader.importers import predict
from trtdoctor.probes.tools import probe
from trtdoctor.snapshot import Tool


@pytest.fixture
def around(matrix: Matrix, tmp_path: Path) -> ProbeContext:
    """An image of its own with no Python."""
    root = tmp_path / "image"
    root.mkdir()
    return replace(context(matrix, None, {"PATH": "/usr/local/bin:/usr/bin"}), root=root)


def program(around: ProbeContext, path: str, content: str | bytes = "#!/bin/sh\nexit 9\n") -> None:
    write(around.root, {path: content})
    (around.root / path.lstrip("/")).chmod(0o755)


def found(around: ProbeContext) -> tuple[Tool, ...]:
    return probe(around).tools


def test_there_is_none(around: ProbeContext) -> None:
    write(around.root, {"usr/bin/trtexec": "may not be run"})
    assert found(around) == ()


def test_the_debian_package_says_its_version(around: ProbeContext) -> None:
    program(around, "/usr/src/tensorrt/bin/trtexec")
    write(
        around.root,
        {
            "var/lib/dpkg/status": "Package: libnvinfer-bin\nStatus: install ok installed\nArchitecture: amd64\n"
            "Version: 10.9.0.34-1+cuda12.8\n\n",
            "var/lib/dpkg/info/libnvinfer-bin.list": "/.\n/usr/src/tensorrt/bin\n/usr/src/tensorrt/bin/trtexec\n",
        },
    )
    owner = "libnvinfer-bin 10.9.0.34-1+cuda12.8"
    path = "/usr/src/tensorrt/bin/trtexec"
    assert found(around) == (Tool("trtexec", path, "10.9.0.34", "package", owner, on_path=False),)


@pytest.mark.parametrize(
    ("folder", "version"),
    [
        ("TensorRT-8.6.1.6", "8.6.1.6"),
        ("TensorRT-10.9.0.34.Linux.x86_64-gnu.cuda-12.8", "10.9.0.34"),
        ("tensorrt-rtx-1.7.1.116", "1.7.1.116"),
        ("tensorrt", None),
        ("tensorrt-old", None),
    ],
)
def test_an_archive_says_its_version_by_its_directory(around: ProbeContext, folder: str, version: str | None) -> None:
    program(around, f"/opt/{folder}/bin/trtexec")
    tools = found(around)
    assert [(item.version, item.how) for item in tools] == [(version, "file-name" if version else None)]


def test_an_archive_under_another_name_says_it_by_its_library(around: ProbeContext) -> None:
    program(around, "/opt/tensorrt/bin/trtexec")
    write(around.root, {"opt/tensorrt/lib/libnvinfer.so.10.9.0": b""})
    assert [(item.version, item.how) for item in found(around)] == [("10.9.0", "file-name")]
    write(around.root, {"opt/tensorrt/lib/libnvinfer.so.10.3.0": b""})
    assert [item.version for item in found(replace(around))] == [None]


def test_path_goes_first_and_each_file_is_told_once(around: ProbeContext) -> None:
    program(around, "/opt/TensorRT-10.9.0.34/bin/trtexec")
    program(around, "/usr/src/tensorrt/bin/trtexec")
    write(around.root, {"usr/bin/trtexec": "->/opt/TensorRT-10.9.0.34/bin/trtexec"})
    assert [(item.path, item.version, item.on_path) for item in found(around)] == [
        ("/usr/bin/trtexec", "10.9.0.34", True),
        ("/usr/src/tensorrt/bin/trtexec", None, False),
    ]


@needs_gcc
def test_else_the_library_that_it_would_be_given_says_it(matrix: Matrix, tmp_path: Path) -> None:
    builder = gcc(tmp_path / "lib" / "libnvinfer.so.8.5.3", "", "-shared", "-nostdlib", "-Wl,-soname,libnvinfer.so.8")
    (builder.parent / "libnvinfer.so.8").symlink_to(builder.name)
    options = ["-Wl,--no-as-needed", str(builder), f"-Wl,-rpath,{builder.parent}"]
    gcc(tmp_path / "own" / "sub" / "trtexec", "int main(void) { return 0; }", *options)
    around = context(matrix, None, {"PATH": str(tmp_path / "own" / "sub")})
    assert [(item.version, item.how) for item in found(around) if item.name == "trtexec"] == [("8.5.3", "loaded")]


@needs_gcc
def test_a_newer_trtexec_opens_the_libraries_of_its_release_when_it_runs(matrix: Matrix, tmp_path: Path) -> None:
    """From 8.6 nothing of TensorRT is among what it needs; without its version nobody knows which it opens."""
    for folder, known in (("TensorRT-10.9.0.34", True), ("somewhere", False)):
        gcc(tmp_path / folder / "bin" / "trtexec", "int main(void) { return 0; }")
        builder = library(tmp_path / folder / "lib" / "libnvinfer.so.10")
        environ = {"PATH": str(tmp_path / folder / "bin"), "LD_LIBRARY_PATH": str(builder.parent)}
        loading = predict(context(matrix, None, environ), ("trtexec",))[0]
        assert loading.outcome == ("ok" if known else "unknown")
        picked = [(item.library, item.realpath, item.lazy) for item in loading.loaded]
        assert picked == ([("libnvinfer", str(builder), True)] if known else [])
        lacking = {(item.name, item.lazy) for item in loading.missing}
        assert (("libnvonnxparser.so.10", True) in lacking) is known


def test_polygraphy_is_the_distribution_of_the_chosen_python(matrix: Matrix, tmp_path: Path) -> None:
    python = environment(tmp_path / "venv")
    distribution(site_of(python), "polygraphy", "0.49.26")
    script = python.parent / "polygraphy"
    script.write_text("#!/bin/sh\nexit 9\n")
    script.chmod(0o755)
    around = context(matrix, python, {"PATH": str(python.parent)})
    wanted = Tool("polygraphy", str(script), "0.49.26", "wheel", "polygraphy 0.49.26", on_path=True)
    assert found(around) == (wanted,)
    script.unlink()
    assert [(item.path, item.on_path) for item in found(replace(around))] == [(None, False)]


def test_a_polygraphy_of_another_python_is_of_unknown_version(around: ProbeContext) -> None:
    program(around, "/usr/local/bin/polygraphy")
    assert found(around) == (Tool("polygraphy", "/usr/local/bin/polygraphy", on_path=True),)


def test_polygraphy_s_real_wheel(matrix: Matrix) -> None:
    python = real_environment("polygraphy")
    tools = found(context(matrix, python))
    assert [(item.name, item.how, item.owner) for item in tools] == [
        ("polygraphy", "wheel", f"polygraphy {tools[0].version}")
    ]
    assert tools[0].path == str(python.parent / "polygraphy")
