from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import pytest

from tests.probes import roots
from tests.tools.record import SNAPSHOTS
from trtdoctor.matrix import distributions, libraries, load
from trtdoctor.probes import base
from trtdoctor.probes import libraries as probed
from trtdoctor.snapshot import Copy, Snapshot

LIB = "/usr/lib/x86_64-linux-gnu"
SITE = "/venv/lib/python3.12/site-packages"


def probe(root: Path, files: Mapping[str, str | bytes], environ: Mapping[str, str] | None = None) -> Snapshot:
    python: dict[str, str | bytes] = {
        "/venv/pyvenv.cfg": "version = 3.12.1\n",
        "/venv/bin/python": roots.elf("python", "x86_64"),
        f"{SITE}/README": "",
        "/bin/sh": roots.elf("sh", "x86_64"),
    }
    roots.write(root, {**python, **files})
    return probed.probe(context(root, environ or {}))


def context(root: Path, environ: Mapping[str, str]) -> base.ProbeContext:
    matrix = load()
    return base.ProbeContext(
        root,
        {"VIRTUAL_ENV": "/venv", **environ},
        partial(libraries.identify, matrix),
        partial(distributions.identify, matrix),
    )


def so(soname: str) -> bytes:
    return roots.elf(soname, "x86_64")


def record(*files: tuple[str, bytes]) -> str:
    def digest(content: bytes) -> str:
        return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()

    return "".join(f"{path},sha256={digest(content)},{len(content)}\n" for path, content in files)


def only(found: Snapshot) -> Copy:
    assert len(found.copies) == 1, found.copies
    return found.copies[0]


STATUS = (
    "Package: libnvinfer10\nStatus: install ok installed\nArchitecture: amd64\nVersion: 10.9.0.34-1+cuda12.8\n\n"
    "Package: libcudnn9-cuda-13\nStatus: install ok installed\nArchitecture: amd64\nVersion: 9.14.0.64-1\n\n"
)


def test_one_file_under_many_names_is_one_copy(tmp_path: Path) -> None:
    found = probe(
        tmp_path,
        {
            f"{LIB}/libnvinfer.so.10.9.0": so("libnvinfer.so.10"),
            f"{LIB}/libnvinfer.so.10": "->libnvinfer.so.10.9.0",
            f"{LIB}/libnvinfer.so": "->libnvinfer.so.10",
            "/lib": "->usr/lib",
            "/opt/mine/lib": f"->{LIB}",
            "/var/lib/dpkg/status": STATUS,
            "/var/lib/dpkg/info/libnvinfer10.list": f"{LIB}/libnvinfer.so.10.9.0\n{LIB}/libnvinfer.so.10\n",
        },
        {"LD_LIBRARY_PATH": ":/opt/mine/lib:relative"},
    )
    assert only(found) == Copy(
        component="tensorrt",
        name="libnvinfer",
        role="builder",
        version="10.9.0",
        how="file-name",
        path=f"{LIB}/libnvinfer.so.10",
        realpath=f"{LIB}/libnvinfer.so.10.9.0",
        soname="libnvinfer.so.10",
        size=len(so("libnvinfer.so.10")),
        owner="libnvinfer10 10.9.0.34-1+cuda12.8",
        origin="apt",
        flavour="cu12",
        product="full",
        found_by=("ld_library_path", "default"),
    )
    assert found.searched == probed.COMPONENTS
    assert found.probes == ()


def test_a_wheel_tells_version_and_flavour_of_its_libraries(tmp_path: Path) -> None:
    builder, cublas = so("libnvinfer.so.10"), so("libcublas.so.13")
    found = probe(
        tmp_path,
        {
            f"{SITE}/tensorrt_cu12_libs-10.9.0.34.dist-info/RECORD": record(
                ("tensorrt_libs/libnvinfer.so.10", builder)
            ),
            f"{SITE}/tensorrt_libs/libnvinfer.so.10": builder,
            f"{SITE}/nvidia_cublas-13.1.0.3.dist-info/RECORD": record(("nvidia/cu13/lib/libcublas.so.13", cublas)),
            f"{SITE}/nvidia/cu13/lib/libcublas.so.13": cublas,
        },
    )
    assert {(item.name, item.version, item.how, item.flavour, item.owner, item.origin) for item in found.copies} == {
        ("libnvinfer", "10.9.0.34", "wheel", "cu12", "tensorrt-cu12-libs 10.9.0.34", "pip"),
        ("libcublas", "13.1.0.3", "wheel", "cu13", "nvidia-cublas 13.1.0.3", "pip"),
    }


def test_a_library_of_another_pythons_wheel_on_the_search_path_has_its_version(tmp_path: Path) -> None:
    other = "/other/lib/python3.11/site-packages"
    content = so("libcudnn.so.9")
    found = probe(
        tmp_path,
        {
            f"{other}/nvidia/cudnn/lib/libcudnn.so.9": content,
            f"{other}/nvidia_cudnn_cu12-9.5.1.17.dist-info/METADATA": "Name: nvidia-cudnn-cu12\nVersion: 9.5.1.17\n",
            f"{other}/nvidia_cudnn_cu12-9.5.1.17.dist-info/RECORD": record(("nvidia/cudnn/lib/libcudnn.so.9", content)),
        },
        {"LD_LIBRARY_PATH": f"{other}/nvidia/cudnn/lib"},
    )
    copy = only(found)
    assert (copy.version, copy.owner) == ("9.5.1.17", "nvidia-cudnn-cu12 9.5.1.17")


def test_the_version_of_a_framework_is_not_that_of_the_libraries_in_it(tmp_path: Path) -> None:
    inside = so("libcudnn.so.8")
    found = probe(
        tmp_path,
        {
            f"{SITE}/torch-2.0.1+cu118.dist-info/RECORD": record(("torch/lib/libcudnn.so.8", inside)),
            f"{SITE}/torch/lib/libcudnn.so.8": inside,
        },
    )
    copy = only(found)
    assert (copy.version, copy.how, copy.owner) == ("8", "soname", "torch 2.0.1+cu118")


def test_an_overwritten_file_belongs_to_the_wheel_that_wrote_last(tmp_path: Path) -> None:
    first, second = so("libcudnn.so.9") + b"1", so("libcudnn.so.9") + b"2"
    found = probe(
        tmp_path,
        {
            f"{SITE}/nvidia_cudnn_cu12-9.28.0.42.dist-info/RECORD": record(("nvidia/cudnn/lib/libcudnn.so.9", first)),
            f"{SITE}/nvidia_cudnn_cu13-9.28.1.4.dist-info/RECORD": record(("nvidia/cudnn/lib/libcudnn.so.9", second)),
            f"{SITE}/nvidia/cudnn/lib/libcudnn.so.9": second,
        },
    )
    copy = only(found)
    assert (copy.version, copy.flavour, copy.owner) == ("9.28.1.4", "cu13", "nvidia-cudnn-cu13 9.28.1.4")


def test_a_file_that_was_changed_has_no_version_from_its_wheel(tmp_path: Path) -> None:
    found = probe(
        tmp_path,
        {
            f"{SITE}/nvidia_cudnn_cu12-9.1.0.70.dist-info/RECORD": "nvidia/cudnn/lib/libcudnn.so.9,sha256=x,12345\n",
            f"{SITE}/nvidia/cudnn/lib/libcudnn.so.9": so("libcudnn.so.9"),
        },
    )
    copy = only(found)
    assert (copy.version, copy.how, copy.owner, copy.flavour) == ("9", "soname", None, None)


def test_a_wheel_whose_version_contradicts_the_soname_is_not_believed(tmp_path: Path) -> None:
    inside = so("libcudnn.so.8")
    found = probe(
        tmp_path,
        {
            f"{SITE}/nvidia_cudnn_cu12-9.1.0.70.dist-info/RECORD": record(("nvidia/cudnn/lib/libcudnn.so.8", inside)),
            f"{SITE}/nvidia/cudnn/lib/libcudnn.so.8": inside,
        },
    )
    assert (only(found).version, only(found).how) == ("8", "soname")


def test_a_library_of_several_products_belongs_to_the_one_beside_it(tmp_path: Path) -> None:
    found = probe(
        tmp_path,
        {
            f"{SITE}/tensorrt_lean_libs/libnvinfer_lean.so.11": so("libnvinfer_lean.so.11"),
            f"{SITE}/tensorrt_lean_libs/libnvinfer_vc_plugin.so.11": so("libnvinfer_vc_plugin.so.11"),
            f"{SITE}/tensorrt_libs/libnvinfer.so.11": so("libnvinfer.so.11"),
            f"{SITE}/tensorrt_libs/libnvinfer_vc_plugin.so.11": so("libnvinfer_vc_plugin.so.11"),
            f"{SITE}/tensorrt_rtx_libs/libtensorrt_rtx.so.1": so("libtensorrt_rtx.so.1"),
        },
    )
    assert {(str(item.path).rpartition("/")[2], item.product) for item in found.copies} == {
        ("libnvinfer_lean.so.11", "lean"),
        ("libnvinfer_vc_plugin.so.11", "lean"),
        ("libnvinfer.so.11", "full"),
        ("libnvinfer_vc_plugin.so.11", "full"),
        ("libtensorrt_rtx.so.1", "rtx"),
    }
    assert len(found.copies) == 5


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "not-elf"),
        (b"", "truncated"),
        (so("libnvinfer.so.10")[:-1], "truncated"),
        (roots.elf("libnvinfer.so.10", "aarch64"), "foreign-architecture"),
        ("->libnvinfer.so.10.9.0", "broken-link"),
        ("->libnvinfer.so.10", "broken-link"),
        (so("libnvinfer.so.10"), None),
    ],
)
def test_what_a_file_cannot_be_is_told(tmp_path: Path, content: str | bytes, problem: str | None) -> None:
    copy = only(probe(tmp_path, {f"{LIB}/libnvinfer.so.10": content}))
    assert (copy.component, copy.problem) == ("tensorrt", problem)


def test_a_folder_with_the_name_of_a_library_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "usr/local/lib/libnvinfer.so").mkdir(parents=True)
    assert only(probe(tmp_path, {})).problem == "unreadable"


def test_toolkit_libraries_have_the_toolkits_version_and_stubs_are_no_copies(tmp_path: Path) -> None:
    found = probe(
        tmp_path,
        {
            "/usr/local/cuda-12.8/version.json": '{"cuda": {"version": "12.8.1"}}',
            "/usr/local/cuda-12.8/lib64/libcudart.so.12": so("libcudart.so.12"),
            "/usr/local/cuda-12.8/lib64/libcublas.so.12.8.4.1": so("libcublas.so.12"),
            "/usr/local/cuda-12.8/lib64/libnvrtc.so.11.2": so("libnvrtc.so.11.2"),
            "/usr/local/cuda-12.8/lib64/stubs/libcublas.so": so("libcublas.so.12"),
            "/usr/local/cuda": "->cuda-12.8",
        },
        {"LD_LIBRARY_PATH": "/usr/local/cuda/lib64/stubs:/usr/local/cuda/lib64"},
    )
    assert {(item.name, item.version, item.how, item.flavour, item.found_by) for item in found.copies} == {
        ("libcudart", "12.8.1", "json", "cu12", ("ld_library_path", "toolkit")),
        ("libcublas", "12.8.4.1", "file-name", "cu12", ("ld_library_path", "toolkit")),
        ("libnvrtc", "11", "soname", "cu11", ("ld_library_path", "toolkit")),
    }


def test_the_cuda_major_is_told_by_what_a_library_is_linked_with() -> None:
    found = Snapshot.from_json((SNAPSHOTS / "trt853.json").read_text())
    flavours = {item.name: item.flavour for item in found.copies if item.component == "tensorrt"}
    assert flavours["libnvinfer_plugin"] == "cu11"


@pytest.fixture
def root_for_everyone() -> Iterator[Path]:
    """A root that another user may enter: pytest's own are closed to others."""
    root = Path(tempfile.mkdtemp())
    root.chmod(0o755)
    yield root
    shutil.rmtree(root)


def test_a_directory_that_may_not_be_listed_leaves_absence_open(root_for_everyone: Path) -> None:
    root, user = root_for_everyone, os.geteuid()
    (root / "closed").mkdir(mode=0)
    environ = {"LD_LIBRARY_PATH": "/closed"}
    roots.write(root, {f"{LIB}/libcudnn.so.9": so("libcudnn.so.9")})
    load()
    if user == 0:
        os.seteuid(65534)
    try:
        found = probed.probe(context(root, environ))
    finally:
        os.seteuid(user)
    assert [item.component for item in found.copies] == ["cudnn"]
    assert found.searched == ()
    assert [item.outcome for item in found.probes] == ["partial"]
    assert "cannot list /closed" in (found.probes[0].detail or "")


def test_links_that_lead_to_themselves_hide_nothing(tmp_path: Path) -> None:
    found = probe(tmp_path, {"/loop": "->loop", f"{LIB}/libcudnn.so.9": "->/loop"}, {"LD_LIBRARY_PATH": "/loop"})
    assert only(found).problem == "broken-link"
    assert found.searched == probed.COMPONENTS


def test_packages_that_are_not_known_leave_absence_open(tmp_path: Path) -> None:
    found = probe(tmp_path, {}, {"VIRTUAL_ENV": "/gone"})
    assert found.searched == ()
    assert found.probes[0].outcome == "partial"


def test_conda_packages_own_their_libraries(tmp_path: Path) -> None:
    found = probe(
        tmp_path,
        {
            "/conda/conda-meta/cudnn-9.10.1.4-h1.json": '{"name": "cudnn", "version": "9.10.1.4", '
            '"files": ["lib/libcudnn.so", "lib/libcudnn.so.9"]}',
            "/conda/conda-meta/cuda-cudart-12.8.90-h1.json": "{broken",
            "/conda/lib/libcudnn.so.9": so("libcudnn.so.9"),
        },
        {"CONDA_PREFIX": "/conda"},
    )
    copy = only(found)
    assert (copy.version, copy.owner, copy.origin, copy.found_by) == ("9.10.1.4", "cudnn 9.10.1.4", "conda", ("conda",))


# -- recordings of real environments -----------------------------------------------------------------------------------


def recorded(name: str, component: str) -> set[tuple[str | None, ...]]:
    found = Snapshot.from_json((SNAPSHOTS / f"{name}.json").read_text())
    assert found.redacted
    assert component in found.searched
    copies = [item for item in found.copies if item.component == component and "/nvidia/cu13/" not in str(item.path)]
    return {(item.version, item.flavour, item.product, item.owner) for item in copies}


@pytest.mark.parametrize(
    ("name", "component", "wanted"),
    [
        ("rtx", "tensorrt", {("1.7.1.116", "cu13", "rtx", "tensorrt-rtx-cu13-libs 1.7.1.116")}),
        ("lean-cu13", "tensorrt", {("11.4.0.106", "cu13", "lean", "tensorrt-lean-cu13-libs 11.4.0.106")}),
        ("bindings-only", "tensorrt", set()),
        ("stub", "tensorrt", set()),
        ("no-gpu", "tensorrt", set()),
        ("trt853", "cudnn", {("8.6.0.163", "cu11", None, "nvidia-cudnn-cu11 8.6.0.163")}),
        ("trt853-unpinned", "cudnn", {("9.10.2.21", "cu11", None, "nvidia-cudnn-cu11 9.10.2.21")}),
        ("two-cudnn", "cudnn", {("9.28.1.4", "cu13", None, "nvidia-cudnn-cu13 9.28.1.4")}),
        ("two-cudnn", "cublas", {("12.9.3.13", "cu12", None, "nvidia-cublas-cu12 12.9.3.13")}),
    ],
)
def test_recorded_environments(name: str, component: str, wanted: set[tuple[str | None, ...]]) -> None:
    assert recorded(name, component) == wanted


def test_recordings_hold_no_private_path() -> None:
    for path in sorted(SNAPSHOTS.glob("*.json")):
        text = path.read_text()
        assert not any(word in text for word in ("/root", "/home/", "/tmp/", "/work/")), path.name


@pytest.mark.skipif(not os.path.exists("/etc/ld.so.cache"), reason="no loader cache here")
def test_this_machine_is_looked_through_without_complaint() -> None:
    found = probed.probe(context(Path("/"), {"VIRTUAL_ENV": "", "PATH": os.defpath}))
    assert found.searched == probed.COMPONENTS
    assert [item for item in found.copies if not item.realpath or not os.path.isfile(item.realpath)] == []


@pytest.mark.skipif(not shutil.which("gcc"), reason="no gcc to link with symbol versions")
def test_what_a_file_asks_of_glibc_and_of_the_stack(tmp_path: Path) -> None:
    script = tmp_path / "map"
    script.write_text("GLIBC_2.2.5 { global: a; };\nGLIBC_2.17 { global: b; };\nGLIBC_PRIVATE { global: c; };\n")
    other = tmp_path / "map2"
    other.write_text("GLIBCXX_3.4.9 { global: d; };\nGLIBCXX_3.4.22 { global: e; };\n")
    code = {"libc.so.6": "int a, b, c;", "libstdc++.so.6": "int d, e;"}
    for (name, text), versions in zip(code.items(), (script, other), strict=True):
        link(tmp_path / name, text, f"-Wl,-soname,{name},--version-script={versions}")
    text = "extern int a, b, c, d, e; int f(void) { return a + b + c + d + e; }"
    link(tmp_path / "libnvinfer.so.10", text, *(str(tmp_path / name) for name in code), "-Wl,-z,execstack")
    link(tmp_path / "libnvinfer_plugin.so.10", "int g;")
    files = {
        f"{LIB}/{name}": (tmp_path / name).read_bytes() for name in ("libnvinfer.so.10", "libnvinfer_plugin.so.10")
    }
    found = {
        copy.name: (copy.needs_glibc, copy.needs_glibcxx, copy.executable_stack)
        for copy in probe(tmp_path / "root", files).copies
    }
    assert found == {"libnvinfer": ("2.17", "3.4.22", True), "libnvinfer_plugin": (None, None, False)}


def link(output: Path, code: str, *options: str) -> None:
    command = ["gcc", "-shared", "-fPIC", "-nostdlib", "-x", "c", "-", "-x", "none", "-o", str(output), *options]
    subprocess.run(command, input=code, text=True, check=True)
