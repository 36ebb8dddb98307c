"""What lies under the names that probes look for need not be a file, nor be small, nor ever answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.probes.roots import context, write
from trtdoctor.matrix import Matrix
from trtdoctor.probes import collect, elf, wheels
from trtdoctor.probes.base import run_program
from trtdoctor.probes.files import NotRegularError, open_regular, read_regular
from trtdoctor.probes.searchpaths import read_bytes, real
from trtdoctor.snapshot import Snapshot

SECONDS = 10.0


def live(matrix: Matrix, monkeypatch: pytest.MonkeyPatch, **environ: str) -> Snapshot:
    """The facts of this machine with other variables, in bounded time, every probe answering."""
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX", "LD_LIBRARY_PATH"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    started = time.monotonic()
    found = collect(matrix)
    assert time.monotonic() - started < SECONDS
    assert not [item for item in found.probes if item.outcome in ("timed-out", "failed")]
    return found


def test_nothing_but_regular_files_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("fifo", "link", "zero", "."):
        with pytest.raises(NotRegularError):
            open_regular(tmp_path / name)
        assert read_regular(tmp_path / name, 100) is None
        with pytest.raises(elf.ElfError, match="unreadable"):
            elf.read(str(tmp_path / name))
    for name in ("loop", "absent", "nul\0name", "lone\ud800surrogate"):
        assert read_regular(tmp_path / name, 100) is None
    (tmp_path / "file").write_bytes(b"x" * 1000)
    assert read_regular(tmp_path / "file", 10) == b"x" * 10
    assert read_regular("/proc/self/status", 1 << 20)


def test_every_file_of_the_host_may_be_a_fifo(tmp_path: Path, matrix: Matrix) -> None:
    """An image whose every file is one: each probe answers."""
    names = (
        "etc/os-release usr/lib/os-release etc/nv_tegra_release etc/ld.so.cache proc/meminfo proc/self/cgroup"
        " proc/driver/nvidia/version sys/module/nvidia/version proc/1/cgroup run/systemd/container var/lib/dpkg/status"
        " lib/apk/db/installed var/lib/dpkg/status.d/x usr/lib/x86_64-linux-gnu/libc.so.6 bin/sh usr/bin/python3"
        " usr/lib/x86_64-linux-gnu/libnvinfer.so.10 usr/lib/x86_64-linux-gnu/libcuda.so.1 usr/include/NvInferVersion.h"
        " usr/local/cuda/version.json usr/local/cuda/version.txt usr/local/cuda/include/cuda.h usr/local/cuda/bin/nvcc"
        " opt/TensorRT/include/NvInferVersion.h sys/bus/pci/devices/0/vendor sys/bus/pci/devices/0/class"
    )
    for name in names.split():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(path)
    started = time.monotonic()
    found = collect(matrix, root=str(tmp_path))
    assert time.monotonic() - started < SECONDS
    assert {item.name: item.detail for item in found.probes if item.outcome in ("timed-out", "failed")} == {
        "python": "no python3 on PATH"
    }
    problems = {copy.name: copy.problem for copy in found.copies}
    assert problems == {"libnvinfer": "unreadable"}


def test_libraries_that_are_none(tmp_path: Path, matrix: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "lib"
    write(folder, {"libnvinfer.so.10": "text", "libnvinfer_plugin.so.10": b"", "libcublasLt.so.12": "->nowhere"})
    os.mkfifo(folder / "libcudart.so.12")
    (folder / "libcublas.so.12").mkdir()
    (folder / "libnvrtc.so.12").symlink_to("/dev/zero")
    (folder / "libnvonnxparser.so.10").symlink_to("libnvonnxparser.so.10")
    with open(folder / "libcudnn.so.9", "wb") as stream:
        stream.truncate(2 << 30)
    with open(os.fsencode(folder) + b"/libnvinfer_\xff.so.10", "wb"):
        pass
    found = live(matrix, monkeypatch, LD_LIBRARY_PATH=str(folder))
    problems = {copy.name: copy.problem for copy in found.copies if "ld_library_path" in copy.found_by}
    assert problems == {
        "libnvinfer": "not-elf",
        "libnvinfer_plugin": "truncated",
        "libcublasLt": "broken-link",
        "libcublas": "unreadable",
        "libcudart": "unreadable",
        "libnvrtc": "unreadable",
        "libnvonnxparser": "broken-link",
        "libcudnn": "not-elf",
    }


def test_many_directories_many_files_and_endless_variables(
    tmp_path: Path, matrix: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowded = tmp_path / "crowded"
    crowded.mkdir()
    for number in range(55_000):
        os.close(os.open(f"{crowded}/a{number}", os.O_CREAT | os.O_WRONLY))
    paths = ["", "relative", "new\nline", *(f"/nowhere/{number}" for number in range(5000)), str(crowded)]
    found = live(
        matrix,
        monkeypatch,
        LD_LIBRARY_PATH=":".join(paths),
        NVIDIA_REQUIRE_CUDA="x://y@" * 20_000,
        CUDA_VISIBLE_DEVICES="a://" * 32_000,
        CUDA_HOME=os.fsdecode(b"/nowhere/\xff\xfe"),
    )
    # What was not looked at to the end is not said to be absent.
    assert found.searched == ()
    assert any("crowded" in (item.detail or "") for item in found.probes)
    assert all(len(item.value or "") <= 4096 for item in found.settings)


def venv(prefix: Path) -> Path:
    site = prefix / "lib" / "python3.12" / "site-packages"
    site.mkdir(parents=True)
    write(prefix, {"bin/python": f"->{os.path.realpath(sys.executable)}", "pyvenv.cfg": "version = 3.12.1\n"})
    return site


def test_packages_that_are_none(tmp_path: Path, matrix: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    site = venv(tmp_path)
    for name in ("x.pth", "tensorrt", "nvidia", "direct_url.json"):
        os.mkfifo(site / name)
    pipes = site / "tensorrt-10.9.0.34.dist-info"
    pipes.mkdir()
    for name in ("METADATA", "RECORD", "PKG-INFO"):
        os.mkfifo(pipes / name)
    huge = site / "tensorrt_cu12_libs-10.9.0.34.dist-info"
    huge.mkdir()
    with open(huge / "METADATA", "wb") as stream:
        stream.write(b"Version: 10.9.0.34\n")
        stream.truncate(100 << 20)
    with open(huge / "RECORD", "wb") as stream:
        stream.write(b"x.py,,\n" * 3_000_000)
        stream.write(b"tensorrt_libs/libnvinfer.so.10,,\n")
    for name in ("tensorrt-\x1b[31m", "tensorrt-$(reboot)", "tensorrt-1\n::add-mask::x", "-", "torch-" + "9" * 200):
        (site / f"{name}.dist-info").mkdir()
    os.mkdir(os.fsencode(site) + b"/tensorrt-\xff.dist-info")
    write(site, {"y.pth": b"\0\0\n/proc/self/root\n\xff\n/dev/stdin\n" + b"a" * 70_000})
    found = live(matrix, monkeypatch, VIRTUAL_ENV=str(tmp_path))
    by_name = {item.name: item for item in found.interpreters[0].distributions if item.version == "10.9.0.34"}
    assert by_name["tensorrt"].has_libraries is None
    # A RECORD that was not read to its end says neither that files are missing nor that there are none.
    assert by_name["tensorrt-cu12-libs"].has_libraries is None
    assert by_name["tensorrt-cu12-libs"].files_missing is None


def test_a_record_of_more_files_than_any_wheel_has_says_nothing(tmp_path: Path, matrix: Matrix) -> None:
    info = "lib/python3.12/site-packages/nvidia_cudnn_cu12-9.1.dist-info"
    venv(tmp_path)
    write(tmp_path, {f"{info}/METADATA": "Version: 9.1\n", f"{info}/RECORD": "a/libx.so,,\n" * 100_000})
    python = str(tmp_path / "bin" / "python")
    found = collect(matrix, python=python)
    assert [item.files_missing for item in found.interpreters[0].distributions] == [None]
    assert wheels.normalised("A_b.C") == "a-b-c"


ANSWERS = {
    "paths-no-list": '{"version": "3.11", "implementation": "cpython", "paths": 7, "user": [1]}',
    "no-paths": '{"version": "3.11", "implementation": "cpython"}',
    "odd-version": '{"version": 3, "implementation": "cpython", "paths": []}',
    "nonsense": "hello",
}


@pytest.mark.parametrize("name", ANSWERS)
def test_an_interpreter_that_answers_nonsense_is_not_searched(
    name: str, tmp_path: Path, matrix: Matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "python3").write_text(f"#!/bin/sh\ncat <<'END'\n{ANSWERS[name]}\nEND\n")
    (tmp_path / "python3").chmod(0o755)
    found = live(matrix, monkeypatch, PATH=f"{tmp_path}:/usr/bin:/bin")
    assert found.searched == ()
    assert found.interpreters[0].distributions == ()


def test_paths_that_no_file_can_have(tmp_path: Path) -> None:
    here = context(Path("/"))
    for path in ("/nul\0name", "/lone\ud800surrogate", "/" + "x" * 5000):
        assert real(here, path) == path
        assert read_bytes(here, path, 10) is None


def test_conda_records_with_impossible_names(tmp_path: Path, matrix: Matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    record = {"name": "cudnn", "version": "9\0", "files": ["lib/a\0.so", "\ud800.so", 7, "lib/libcudnn.so.9"]}
    write(tmp_path, {"conda-meta/cudnn-9.1-x.json": json.dumps(record), "lib/libcudnn.so.9": "text"})
    found = live(matrix, monkeypatch, CONDA_PREFIX=str(tmp_path))
    assert ("libcudnn", "not-elf", "conda") in {(copy.name, copy.problem, copy.origin) for copy in found.copies}


@pytest.mark.parametrize(
    ("script", "detail"),
    [
        ("sleep 300", "no answer within 0.5 s"),
        ("sleep 300 & exit 0", "no answer within 0.5 s"),  # the pipe is held open by what it left behind
        ("while :; do echo garbage; done", "it printed without end"),
    ],
)
def test_a_program_without_end_leaves_nothing_behind(script: str, detail: str, tmp_path: Path) -> None:
    started = time.monotonic()
    seconds = 0.5 if detail.startswith("no answer") else 8
    code, output, said = run_program(["/bin/sh", "-c", f"echo $$; {script}"], seconds=seconds)
    assert (code, said) == (None, detail)
    assert time.monotonic() - started < seconds + 1.5
    group = int(output.split()[0])
    time.sleep(0.1)
    told = subprocess.run(["ps", "-eo", "pgid,stat"], capture_output=True, text=True, check=True).stdout
    alive = [
        line for line in told.splitlines()[1:] if line.split()[0] == str(group) and not line.split()[1].startswith("Z")
    ]
    assert not alive


def test_a_program_that_is_none() -> None:
    assert run_program(["/nowhere/at/all"], seconds=1)[0] is None
    assert run_program(["/bin/sh\0"], seconds=1)[0] is None
