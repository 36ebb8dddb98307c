from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.probes import roots
from trtdoctor.matrix import distributions, load
from trtdoctor.probes import base, python
from trtdoctor.snapshot import Distribution, Interpreter, Snapshot

SHORT = f"{sys.version_info[0]}.{sys.version_info[1]}"
SITE = "/venv/lib/python3.11/site-packages"
PYENV = Path.home() / ".pyenv" / "versions"


def context(root: Path, environ: dict[str, str] | None = None, named: str | None = None) -> base.ProbeContext:
    return base.ProbeContext(
        root, environ or {}, lambda name: None, partial(distributions.identify, load()), python=named
    )


def probe(root: Path, files: dict[str, str | bytes], environ: dict[str, str] | None = None) -> Snapshot:
    roots.write(root, files)
    for path in (*root.glob("**/bin/python*"),):
        if path.is_file() and not path.is_symlink():
            path.chmod(0o755)
    return python.probe(context(root, {"VIRTUAL_ENV": "/venv"} if environ is None else environ))


def venv(
    files: dict[str, str | bytes] | None = None, config: str = "home = /usr/bin\nversion = 3.11.4\n"
) -> dict[str, str | bytes]:
    return {
        "/venv/pyvenv.cfg": config,
        "/venv/bin/python": "->/usr/bin/python3.11",
        "/usr/bin/python3.11": roots.elf("python", "x86_64"),
        f"{SITE}/README": "",
        **{f"{SITE}/{name}": content for name, content in (files or {}).items()},
    }


def only(found: Snapshot) -> Interpreter:
    assert len(found.interpreters) == 1
    return found.interpreters[0]


def fail(*arguments: object, **named: object) -> base.ChildResult:
    raise AssertionError("a process was started")


# -- what it is --------------------------------------------------------------------------------------------------------


def make(folder: Path, *options: str) -> str:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", *options, folder], check=True)
    return str(folder / "bin" / "python")


def test_a_real_virtual_environment_is_read_without_starting_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make(tmp_path / "env")
    monkeypatch.setattr(python, "run_child", fail)
    found = python.inspected(context(Path("/"), {}, path))
    assert found.interpreter == Interpreter(
        path=path,
        version=".".join(str(part) for part in sys.version_info[:3]),
        chosen_by="--python",
        implementation="cpython",
        abi=f"cp{SHORT.replace('.', '')}",
        platform=f"linux-{os.uname().machine}",
        managed=False,
    )
    assert found.sites == (f"{tmp_path}/env/lib/python{SHORT}/site-packages",)
    assert found.complete
    assert found.complaints == ()


def test_an_environment_that_shares_the_systems_packages_is_asked(tmp_path: Path) -> None:
    path = make(tmp_path / "env", "--system-site-packages")
    found = python.inspected(context(Path("/"), {"PATH": os.defpath}, path))
    answer = subprocess.run(
        [path, "-Ic", "import site; print(*site.getsitepackages())"], capture_output=True, text=True, check=True
    )
    assert found.interpreter is not None
    assert found.interpreter.version == ".".join(str(part) for part in sys.version_info[:3])
    assert [os.path.realpath(site) for site in found.sites] == [
        os.path.realpath(item) for item in answer.stdout.split()
    ]
    assert len(found.sites) >= 2


def test_our_own_interpreter_is_not_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python, "run_child", fail)
    found = python.inspected(context(Path("/"), {}, sys.executable))
    assert found.interpreter is not None
    assert found.interpreter.version == ".".join(str(part) for part in sys.version_info[:3])
    assert os.path.dirname(os.path.dirname(json.__file__)) not in found.sites
    assert any(Path(site, "pytest").is_dir() for site in found.sites)


@pytest.mark.parametrize("path", sorted(PYENV.glob("3.*/bin/python")) or [Path(sys.executable)], ids=str)
def test_the_child_runs_on_every_python(path: Path) -> None:
    result = base.run_child(str(path), "interpreter")
    assert result.outcome == "ok", result
    wanted = subprocess.run(
        [path, "-c", "import platform; print(platform.python_version())"], capture_output=True, text=True, check=True
    )
    assert result.answer["version"] == wanted.stdout.strip()
    assert any("site-packages" in item for item in result.answer["paths"])


@pytest.mark.parametrize("path", sorted(PYENV.glob("3.*/bin/python")), ids=str)
def test_files_tell_what_the_child_tells(path: Path) -> None:
    by_files = python._plain(context(Path("/")), str(path))
    by_child = python._by_child(context(Path("/")), str(path))
    assert by_files is not None
    assert by_files.interpreter is not None
    assert by_child.interpreter is not None
    assert (by_files.interpreter.version, by_files.interpreter.abi) == (
        by_child.interpreter.version,
        by_child.interpreter.abi,
    )
    assert by_files.interpreter.platform == by_child.interpreter.platform
    assert {os.path.realpath(site) for site in by_files.sites} <= {os.path.realpath(site) for site in by_child.sites}


@pytest.mark.parametrize(
    ("script", "words"),
    [("exit 3", "exit code 3"), ("echo hello", "no JSON"), ("kill -SEGV $$", "signal 11"), ("echo '{}'", "no answer")],
)
def test_a_broken_interpreter_is_told_and_nothing_is_guessed(tmp_path: Path, script: str, words: str) -> None:
    path = tmp_path / "python3"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    found = python.probe(context(Path("/"), {"PATH": os.defpath}, str(path)))
    assert only(found).version is None
    assert [item.outcome for item in found.probes] == ["partial"]
    assert words in (found.probes[0].detail or "")


def test_a_missing_interpreter_is_told() -> None:
    found = python.probe(context(Path("/"), {}, "/nowhere/bin/python"))
    assert only(found).version is None
    assert "no such interpreter" in (found.probes[0].detail or "")


def test_an_environment_whose_base_is_gone_still_tells_its_packages(tmp_path: Path) -> None:
    files = venv({"torch-2.9.1+cu128.dist-info/METADATA": "Name: torch\nVersion: 2.9.1+cu128\n"})
    del files["/usr/bin/python3.11"]
    found = probe(tmp_path, files)
    assert [(item.name, item.version) for item in only(found).distributions] == [("torch", "2.9.1+cu128")]
    assert "no such interpreter" in (found.probes[0].detail or "")


@pytest.mark.parametrize(
    ("config", "version", "folder", "abi"),
    [
        ("version = 3.11.4\n", "3.11.4", "python3.11", "cp311"),
        (
            "implementation = CPython\nversion_info = 3.11.4.final.0\nversion = 3.11.4\n",
            "3.11.4",
            "python3.11",
            "cp311",
        ),
        ("version_info = 3.13.0\n", "3.13.0", "python3.13t", "cp313t"),
        ("home = /usr/bin\n", "3.11", "python3.11", "cp311"),
    ],
)
def test_forms_of_virtual_environments(tmp_path: Path, config: str, version: str, folder: str, abi: str) -> None:
    files: dict[str, str | bytes] = {
        "/venv/pyvenv.cfg": config,
        "/venv/bin/python": roots.elf("python", "aarch64"),
        f"/venv/lib/{folder}/site-packages/README": "",
    }
    (tmp_path / "venv/bin").mkdir(parents=True)
    roots.write(tmp_path, files)
    (tmp_path / "venv/bin/python").chmod(0o755)
    found = only(python.probe(context(tmp_path, {"VIRTUAL_ENV": "/venv"})))
    assert (found.version, found.abi, found.platform) == (version, abi, "linux-aarch64")


def test_a_conda_environment(tmp_path: Path) -> None:
    found = probe(
        tmp_path,
        {
            "/conda/conda-meta/python-3.12.4-h194c7f8_0_cpython.json": "{}",
            "/conda/conda-meta/python-dateutil-2.9.0-py_0.json": "{}",
            "/conda/bin/python": roots.elf("python", "x86_64"),
            "/conda/lib/python3.1": "->python3.12",
            "/conda/lib/python3.12/site-packages/nvidia_cudnn_cu12-9.1.0.70.dist-info/METADATA": "Version: 9.1.0.70\n",
        },
        {"CONDA_PREFIX": "/conda"},
    )
    assert (only(found).version, only(found).chosen_by) == ("3.12.4", "CONDA_PREFIX")
    assert [item.version for item in only(found).distributions] == ["9.1.0.70"]


# -- which one ---------------------------------------------------------------------------------------------------------


def program(root: Path, *paths: str) -> None:
    for path in paths:
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("#!/bin/sh\n")
        target.chmod(0o755)


def test_the_order_of_choice(tmp_path: Path) -> None:
    program(tmp_path, "/v/bin/python", "/c/bin/python", "/usr/bin/python3")
    environ = {"VIRTUAL_ENV": "/v", "CONDA_PREFIX": "/c", "PATH": "/missing:/usr/bin"}
    assert python.choose(context(tmp_path, environ, "/x/python"))[:2] == ("/x/python", "--python")
    assert python.choose(context(tmp_path, environ))[:2] == ("/v/bin/python", "VIRTUAL_ENV")
    del environ["VIRTUAL_ENV"]
    assert python.choose(context(tmp_path, environ))[:2] == ("/c/bin/python", "CONDA_PREFIX")
    environ["CONDA_PREFIX"] = "/gone"
    path, chosen_by, complaints = python.choose(context(tmp_path, environ))
    assert (path, chosen_by) == ("/usr/bin/python3", "PATH")
    assert complaints == ("CONDA_PREFIX names a directory without bin/python",)
    assert python.choose(context(tmp_path, {}))[0] is None
    assert python.choose(context(Path("/"), {}))[:2] == (sys.executable, "own")


@pytest.mark.parametrize(
    ("version_file", "environ", "wanted"),
    [
        ("3.11.7\n", {}, "/p/versions/3.11.7/bin/python3"),
        ("3.11.7\n", {"PYENV_VERSION": "3.12.1:3.11.7"}, "/p/versions/3.12.1/bin/python3"),
        ("9.9\n3.12.1\n", {}, "/p/versions/3.12.1/bin/python3"),
        ("system\n", {}, "/usr/bin/python3"),
        ("9.9\n", {}, "/p/shims/python3"),
    ],
)
def test_a_launcher_of_pyenv_is_seen_through(
    tmp_path: Path, version_file: str, environ: dict[str, str], wanted: str
) -> None:
    program(
        tmp_path,
        "/p/shims/python3",
        "/p/versions/3.11.7/bin/python3",
        "/p/versions/3.12.1/bin/python3",
        "/usr/bin/python3",
    )
    roots.write(tmp_path, {"/p/version": version_file})
    found = python.choose(context(tmp_path, {"PATH": "/p/shims:/usr/bin", **environ}))
    assert found[:2] == (wanted, "PATH")


@pytest.mark.skipif(not (PYENV.parent / "shims" / "python3").exists(), reason="no pyenv here")
def test_the_real_launcher_leads_where_pyenv_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shim = str(PYENV.parent / "shims" / "python3")
    for folder in (Path("/"), Path.cwd()):
        monkeypatch.chdir(folder)
        wanted = subprocess.run(
            [shim, "-Ic", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True
        )
        path = python._behind_shim(context(Path("/"), dict(os.environ)), shim)
        assert path is not None
        assert os.path.dirname(os.path.dirname(path)) == wanted.stdout.strip()


# -- its distributions -------------------------------------------------------------------------------------------------


def line(path: str, content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(content)}\n"


def test_relevant_distributions_are_read_and_others_are_not(tmp_path: Path) -> None:
    inside = roots.elf("libnvinfer.so.10")
    found = probe(
        tmp_path,
        venv(
            {
                "tensorrt_cu12_libs-10.9.0.34.dist-info/METADATA": "Metadata-Version: 2.1\nName: tensorrt_cu12_libs\n"
                "Version: 10.9.0.34\nRequires-Dist: nvidia-cuda-runtime-cu12\nRequires-Dist: x ; extra == 'y'\n"
                "Requires-Dist: onnx @ git+https://me:hunter2@example.org/onnx.git?token=1 ; extra == 'z'\n"
                "\nRequires-Dist: not-this\n",
                "tensorrt_cu12_libs-10.9.0.34.dist-info/RECORD": line("tensorrt_libs/libnvinfer.so.10", inside)
                + line("tensorrt_libs/libnvinfer_plugin.so.10", inside)
                + line("tensorrt_libs/libnvonnxparser.so.10", inside + b"longer")
                + "tensorrt_libs/__init__.py,,\ntensorrt_libs/notes.so.txt,,\n",
                "tensorrt_libs/libnvinfer.so.10": inside,
                "tensorrt_libs/libnvonnxparser.so.10": inside,
                "flask-3.0.dist-info/METADATA": "Name: flask\nVersion: 3.0\n",
                "~ensorrt-8.0.dist-info/METADATA": "Name: tensorrt\nVersion: 8.0\n",
                "Torch-2.1.0.egg-info/PKG-INFO": "Name: torch\nVersion: 2.1.0\n",
                "numpy-1.26.4-py3.11.egg-info": "Name: numpy\nVersion: 1.26.4\n",
                "polygraphy-0.49.9.dist-info/RECORD": "",
            }
        ),
    )
    assert only(found).distributions == (
        Distribution("torch", "2.1.0", SITE),
        Distribution("numpy", "1.26.4", SITE),
        Distribution("polygraphy", "0.49.9", SITE, (), 0, False, 0),
        Distribution(
            "tensorrt-cu12-libs",
            "10.9.0.34",
            SITE,
            ("nvidia-cuda-runtime-cu12", "x ; extra == 'y'", "onnx"),
            files_missing=1,
            has_libraries=True,
            files_changed=1,
        ),
    )
    assert found.probes == ()


def test_two_wheels_that_claim_one_path_are_told_apart_by_digest(tmp_path: Path) -> None:
    first, second = roots.elf("libcudnn.so.9", "x86_64"), roots.elf("libcudnn.so.9", "aarch64")
    assert len(first) == len(second)
    found = probe(
        tmp_path,
        venv(
            {
                "nvidia_cudnn_cu12-9.28.0.42.dist-info/RECORD": line("nvidia/cudnn/lib/libcudnn.so.9", first),
                "nvidia_cudnn_cu13-9.28.1.4.dist-info/RECORD": line("nvidia/cudnn/lib/libcudnn.so.9", second),
                "nvidia/cudnn/lib/libcudnn.so.9": second,
            }
        ),
    )
    assert [(item.name, item.files_changed) for item in only(found).distributions] == [
        ("nvidia-cudnn-cu12", 1),
        ("nvidia-cudnn-cu13", 0),
    ]


@pytest.mark.parametrize("content", [b"", b"\0\xff\xfe" * 500, b"Version", b"Version: " + b"9" * 300_000])
def test_damaged_metadata_is_no_error(tmp_path: Path, content: bytes) -> None:
    found = probe(tmp_path, venv({"torch-2.9.1.dist-info/METADATA": content, "torch-2.9.1.dist-info/RECORD": content}))
    assert [item.name for item in only(found).distributions] == ["torch"]


def test_pythonpath_and_links_to_directories_count(tmp_path: Path) -> None:
    files = venv(
        {
            "extra.pth": "# comment\nimport os; os.abort()\n/opt/more\n../../missing\n",
            "numpy-1.0.dist-info/METADATA": "",
        }
    )
    files["/opt/more/onnx-1.17.0.dist-info/METADATA"] = "Version: 1.17.0"
    files["/opt/first/numpy-2.0.dist-info/METADATA"] = "Version: 2.0"
    found = probe(tmp_path, files, {"VIRTUAL_ENV": "/venv", "PYTHONPATH": ":relative:/opt/first:/opt/missing"})
    assert [(item.name, item.version, item.location) for item in only(found).distributions] == [
        ("numpy", "2.0", "/opt/first"),
        ("numpy", "1.0", SITE),
        ("onnx", "1.17.0", "/opt/more"),
    ]


def test_the_users_own_directory_counts_outside_of_virtual_environments(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "/opt/py/bin/python3": "->python3.11",
        "/opt/py/bin/python3.11": roots.elf("python", "x86_64"),
        "/opt/py/include/python3.11/patchlevel.h": '#define PY_VERSION  \t"3.11.9+"\n',
        "/opt/py/lib/python3.11/site-packages/README": "",
        "/home/me/.local/lib/python3.11/site-packages/numpy-2.0.dist-info/METADATA": "Version: 2.0\n",
    }
    roots.write(tmp_path, files)
    (tmp_path / "opt/py/bin/python3.11").chmod(0o755)
    environ = {"PATH": "/opt/py/bin", "HOME": "/home/me"}
    found = only(python.probe(context(tmp_path, environ)))
    assert (found.version, [item.version for item in found.distributions]) == ("3.11.9+", ["2.0"])
    assert only(python.probe(context(tmp_path, {**environ, "PYTHONNOUSERSITE": "1"}))).distributions == ()
