"""Build real Python environments that hold real (and really broken) TensorRT installations.

The environments are for recordings and for the heavy tests: nothing in them is simulated, each
holds wheels exactly as pip lays them out. Two examples::

    python tests/tools/environments.py rtx --into /tmp/envs --wheels /tmp/wheels
    python tests/tools/environments.py --all --skip-heavy --into /tmp/envs

For each environment ``NAME`` the script leaves two things below ``--into``: ``NAME/``, an ordinary
virtual environment, and ``NAME.txt``, a report: the distributions, the files of the NVIDIA packages
with their sizes, and what importing and using them printed, with the exit status.

The table pins every distribution, also those that pip would have chosen, because each environment
must be the same on every machine and on every day. Everything is therefore installed without
dependencies, and offline from the wheel folder; only what the folder lacks is asked of the package
index that pip is configured for. The interpreters come from the PATH or from ``~/.pyenv/versions``.

Exit status: 0 all built, 1 some environment could not be built, 2 the command line is wrong.
Linux x86_64 only: the wheels of the table exist for nothing else.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

INSTALL_TIMEOUT = 1800
PROBE_TIMEOUT = 180


@dataclass(frozen=True)
class Probe:
    """A small program that is run in an environment; its output goes into the report."""

    title: str
    code: str


@dataclass(frozen=True)
class Environment:
    """One row of the table."""

    name: str
    purpose: str
    python: str
    """The interpreter's version, as ``3.12``."""
    steps: tuple[tuple[str, ...], ...]
    """The arguments of successive ``pip install`` calls; the order decides which file wins."""
    probes: tuple[Probe, ...]
    heavy: bool = False
    """More than 300 MB of downloads, as pytest's marker of that name means it."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment variables for pip."""
    recorded: bool = True
    """Whether ``tests/data/snapshots`` holds what the probes saw in it."""


def _import(module: str) -> Probe:
    """Return the probe that imports a module and says which version answered, from where."""
    code = f"""
        import {module}
        print({module}.__version__, {module}.__file__)
    """
    return Probe(f"import {module}", textwrap.dedent(code).strip())


def _create(module: str, kind: str) -> Probe:
    """Return the probe that creates a Builder or a Runtime, the first step that needs CUDA."""
    code = f"""
        import {module} as trt
        made = trt.{kind}(trt.Logger(trt.Logger.VERBOSE))
        print("{kind}:", made)
    """
    return Probe(f"{module}.{kind}", textwrap.dedent(code).strip())


_MAPPED = """
    import {module}
    seen = set()
    with open("/proc/self/maps") as maps:
        for line in maps:
            path = line.split(maxsplit=5)[-1].strip()
            if ".so" in path and any(word in path for word in ("nv", "tensorrt", "cud", "cublas")):
                seen.add(path)
    print("\\n".join(sorted(seen)))
"""


def _mapped(module: str) -> Probe:
    """Return the probe that lists the NVIDIA libraries in the process after an import."""
    code = textwrap.dedent(_MAPPED.format(module=module)).strip()
    return Probe(f"libraries mapped after import {module}", code)


_CUDNN = """
    import ctypes, pathlib, sysconfig
    root = pathlib.Path(sysconfig.get_paths()["purelib"], "nvidia", "cudnn")
    for header in sorted(root.glob("include/cudnn_version*.h")):
        for line in header.read_text().splitlines():
            words = line.split()
            if len(words) == 3 and words[1] in ("CUDNN_MAJOR", "CUDNN_MINOR", "CUDNN_PATCHLEVEL"):
                print(header.name, *words[1:])
    for path in sorted(root.glob("lib/libcudnn.so.*")):
        library = ctypes.CDLL(str(path))
        library.cudnnGetVersion.restype = ctypes.c_size_t
        library.cudnnGetCudartVersion.restype = ctypes.c_size_t
        print(path.name, "cudnnGetVersion", library.cudnnGetVersion())
        print(path.name, "cudnnGetCudartVersion", library.cudnnGetCudartVersion())
"""

CUDNN_VERSION = Probe("cuDNN by its header and by its own word", textwrap.dedent(_CUDNN).strip())

_NATIVE = """
    import ctypes, os, pathlib, sysconfig
    root = pathlib.Path(sysconfig.get_paths()["purelib"])
    questions = (
        ("*/libnvinfer.so.*", "getInferLibVersion"),
        ("*/libnvinfer_lean.so.*", "getInferLibVersion"),
        ("*/libtensorrt_rtx.so.*", "getInferLibVersion"),
        ("*/libnvonnxparser.so.*", "getNvOnnxParserVersion"),
        ("*/libtensorrt_onnxparser_rtx.so.*", "getNvOnnxParserVersion"),
        ("nvidia/*/lib/libcublasLt.so.*", "cublasLtGetVersion"),
        ("nvidia/*/lib/libcudart.so.*", "cudaRuntimeGetVersion"),
    )
    for pattern, function in questions:
        for path in sorted(root.glob(pattern)):
            try:
                call = getattr(ctypes.CDLL(str(path)), function)
            except (OSError, AttributeError) as error:
                print(path.relative_to(root), "no answer:", error)
                continue
            if function == "cudaRuntimeGetVersion":
                number = ctypes.c_int(-1)
                answer = "status %d," % call(ctypes.byref(number)), number.value
            else:
                call.restype = ctypes.c_size_t if function.startswith("cublas") else ctypes.c_int
                answer = (call(),)
            print(path.relative_to(root), function, *answer, flush=True)
    os._exit(0)
"""

NATIVE_VERSIONS = Probe("versions by the libraries' own word", textwrap.dedent(_NATIVE).strip())

_OWNERS = """
    import base64, hashlib, importlib.metadata, pathlib
    owners = {}
    for distribution in importlib.metadata.distributions():
        for entry in distribution.files or ():
            claim = ("%s %s" % (distribution.metadata["Name"], distribution.version), entry)
            owners.setdefault(pathlib.Path(distribution.locate_file(entry)), []).append(claim)
    for path, claims in sorted(owners.items()):
        if len(claims) < 2 or not path.is_file() or "__pycache__" in path.parts:
            continue
        digest = hashlib.sha256(path.read_bytes()).digest()
        text = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        true = [label for label, entry in sorted(claims) if entry.hash and entry.hash.value == text]
        named = ", ".join(label for label, entry in sorted(claims))
        print(claims[0][1], "| claimed by:", named, "| is that of:", ", ".join(true) or "none")
"""

SHARED_FILES = Probe("files that two distributions claim", textwrap.dedent(_OWNERS).strip())

_TENSORRT = (_import("tensorrt"), _create("tensorrt", "Builder"), _create("tensorrt", "Runtime"))

ENVIRONMENTS: tuple[Environment, ...] = (
    Environment(
        name="rtx",
        purpose="TensorRT for RTX with its libraries: imports, and builds without a GPU",
        python="3.12",
        steps=(
            (
                "tensorrt-rtx-cu13==1.7.1.116",
                "tensorrt-rtx-cu13-bindings==1.7.1.116",
                "tensorrt-rtx-cu13-libs==1.7.1.116",
            ),
        ),
        probes=(
            _import("tensorrt_rtx"),
            _create("tensorrt_rtx", "Builder"),
            _create("tensorrt_rtx", "Runtime"),
            _mapped("tensorrt_rtx"),
            NATIVE_VERSIONS,
            _import("tensorrt"),
        ),
    ),
    Environment(
        name="lean-cu13",
        purpose="the lean runtime with its libraries, and no full TensorRT",
        python="3.12",
        steps=(
            (
                "tensorrt-lean-cu13==11.4.0.106",
                "tensorrt-lean-cu13-bindings==11.4.0.106",
                "tensorrt-lean-cu13-libs==11.4.0.106",
            ),
        ),
        probes=(
            _import("tensorrt_lean"),
            _create("tensorrt_lean", "Runtime"),
            _create("tensorrt_lean", "Builder"),
            _mapped("tensorrt_lean"),
            NATIVE_VERSIONS,
            _import("tensorrt"),
        ),
    ),
    Environment(
        name="lean-cu12",
        purpose="the lean runtime for CUDA 12",
        python="3.12",
        steps=(
            (
                "tensorrt-lean-cu12==11.4.0.106",
                "tensorrt-lean-cu12-bindings==11.4.0.106",
                "tensorrt-lean-cu12-libs==11.4.0.106",
            ),
        ),
        probes=(_import("tensorrt_lean"), _mapped("tensorrt_lean")),
        recorded=False,
    ),
    Environment(
        name="lean-cu13-older",
        purpose="an older lean runtime of the same soname, for search paths that lead to two",
        python="3.12",
        steps=(
            (
                "tensorrt-lean-cu13==11.3.0.99",
                "tensorrt-lean-cu13-bindings==11.3.0.99",
                "tensorrt-lean-cu13-libs==11.3.0.99",
            ),
        ),
        probes=(_import("tensorrt_lean"), _mapped("tensorrt_lean")),
        recorded=False,
    ),
    Environment(
        name="cudart-12.4",
        purpose="one CUDA runtime",
        python="3.12",
        steps=(("nvidia-cuda-runtime-cu12==12.4.127",),),
        probes=(),
        recorded=False,
    ),
    Environment(
        name="cudart-12.9",
        purpose="another CUDA runtime of the same soname",
        python="3.12",
        steps=(("nvidia-cuda-runtime-cu12==12.9.79",),),
        probes=(),
        recorded=False,
    ),
    Environment(
        name="bindings-only",
        purpose="the bindings alone: no libraries and no module named tensorrt",
        python="3.12",
        steps=(("tensorrt-cu13-bindings==11.4.0.106",),),
        probes=(_import("tensorrt"), _import("tensorrt_bindings")),
    ),
    Environment(
        name="stub",
        purpose="both metapackages and the bindings, but the libraries never came",
        python="3.12",
        steps=(
            (
                "tensorrt==11.4.0.106",
                "tensorrt-cu13==11.4.0.106",
                "tensorrt-cu13-bindings==11.4.0.106",
            ),
        ),
        probes=_TENSORRT,
    ),
    Environment(
        name="stub-861",
        purpose="the stub of the 8.6 age, built with its nested pip switched off; no libraries",
        python="3.10",
        steps=(("tensorrt==8.6.1.post1", "tensorrt-bindings==8.6.1"),),
        probes=_TENSORRT,
        variables={"NVIDIA_TENSORRT_DISABLE_INTERNAL_PIP": "1"},
    ),
    Environment(
        name="two-flavours",
        purpose="bindings for CUDA 12 and for CUDA 13 in one tensorrt_bindings directory",
        python="3.12",
        steps=(
            ("tensorrt-cu12==11.4.0.106", "tensorrt-cu12-bindings==11.4.0.106"),
            ("tensorrt-cu13==11.4.0.106", "tensorrt-cu13-bindings==11.4.0.106"),
        ),
        probes=(_import("tensorrt"), _import("tensorrt_bindings"), SHARED_FILES),
    ),
    Environment(
        name="placeholder",
        purpose="the old distribution name, kept on the index as an empty version 99.0.0",
        python="3.12",
        steps=(("nvidia-tensorrt==99.0.0",),),
        probes=(_import("tensorrt"), _import("nvidia_tensorrt")),
    ),
    Environment(
        name="two-cudnn",
        purpose="cuDNN for CUDA 12 overwritten by cuDNN for CUDA 13; pip lists both",
        python="3.12",
        steps=(
            (
                "nvidia-cudnn-cu12==9.28.0.42",
                "nvidia-cublas-cu12==12.9.3.13",
                "nvidia-cuda-nvrtc-cu12==12.9.86",
            ),
            (
                "nvidia-cudnn-cu13==9.28.1.4",
                "nvidia-cublas==13.10.0.20",
                "nvidia-cuda-nvrtc==13.5.37",
            ),
        ),
        probes=(CUDNN_VERSION, SHARED_FILES, NATIVE_VERSIONS),
        heavy=True,
    ),
    Environment(
        name="trt853-unpinned",
        purpose="TensorRT 8.5.3.1 as plain pip resolves it in 2026: it wants cuDNN 8, gets cuDNN 9",
        python="3.10",
        steps=(
            (
                "tensorrt==8.5.3.1",
                "nvidia-cuda-runtime-cu11==11.8.89",
                "nvidia-cublas-cu11==11.11.3.6",
                "nvidia-cudnn-cu11==9.10.2.21",
            ),
        ),
        probes=(*_TENSORRT, NATIVE_VERSIONS, CUDNN_VERSION),
        heavy=True,
    ),
    Environment(
        name="trt853",
        purpose="TensorRT 8.5.3.1, complete, with the cuDNN that it was built for",
        python="3.10",
        steps=(
            (
                "tensorrt==8.5.3.1",
                "nvidia-cuda-runtime-cu11==11.8.89",
                "nvidia-cublas-cu11==11.11.3.6",
                "nvidia-cudnn-cu11==8.6.0.163",
            ),
        ),
        probes=(*_TENSORRT, _mapped("tensorrt"), NATIVE_VERSIONS, CUDNN_VERSION),
        heavy=True,
    ),
    Environment(
        name="trt853-without-cudnn",
        purpose="TensorRT 8.5.3.1 without any cuDNN: the import stops at libcudnn.so.8",
        python="3.10",
        steps=(("tensorrt==8.5.3.1", "nvidia-cuda-runtime-cu11==11.8.89", "nvidia-cublas-cu11==11.11.3.6"),),
        probes=(_import("tensorrt"),),
        heavy=True,
        recorded=False,
    ),
    Environment(
        name="ort",
        purpose="onnxruntime-gpu with CUDA 13 and cuDNN 9, and no TensorRT for its provider",
        python="3.12",
        steps=(
            (
                *("onnxruntime-gpu==1.31.1", "flatbuffers==25.12.19", "numpy==2.5.5", "packaging==26.3"),
                *("protobuf==7.36.2", "nvidia-cublas==13.10.0.20", "nvidia-cuda-nvrtc==13.5.37"),
                *("nvidia-cuda-runtime==13.5.37", "nvidia-cudnn-cu13==9.28.1.4", "nvidia-cufft==12.5.0.14"),
                *("nvidia-curand==10.4.5.25", "nvidia-nvjitlink==13.5.37"),
            ),
        ),
        probes=(_import("onnxruntime"), _mapped("onnxruntime")),
        heavy=True,
    ),
    Environment(
        name="torch",
        purpose="PyTorch 2.7.1 with the CUDA 12.6 and cuDNN 9.5 wheels that it pins",
        python="3.12",
        steps=(
            (
                *("torch==2.7.1", "filelock==4.2.11", "fsspec==2026.9.0", "jinja2==3.1.6", "markupsafe==3.0.4"),
                *("mpmath==1.3.0", "networkx==3.7", "numpy==2.5.5", "setuptools==84.2.1", "sympy==1.14.0"),
                *("triton==3.3.1", "typing-extensions==4.16.0", "nvidia-cublas-cu12==12.6.4.1"),
                *("nvidia-cuda-cupti-cu12==12.6.80", "nvidia-cuda-nvrtc-cu12==12.6.77"),
                *("nvidia-cuda-runtime-cu12==12.6.77", "nvidia-cudnn-cu12==9.5.1.17", "nvidia-cufft-cu12==11.3.0.4"),
                *("nvidia-cufile-cu12==1.11.1.6", "nvidia-curand-cu12==10.3.7.77", "nvidia-cusolver-cu12==11.7.1.2"),
                *("nvidia-cusparse-cu12==12.5.4.2", "nvidia-cusparselt-cu12==0.6.3", "nvidia-nccl-cu12==2.26.2"),
                *("nvidia-nvjitlink-cu12==12.6.85", "nvidia-nvtx-cu12==12.6.77"),
            ),
        ),
        probes=(_import("torch"), _mapped("torch")),
        heavy=True,
    ),
    Environment(
        name="torch113",
        purpose="PyTorch 1.13.1, whose cuDNN 8.5 TensorRT 8.5.3.1 beside it gets, too",
        python="3.10",
        steps=(
            (
                *("torch==1.13.1", "tensorrt==8.5.3.1", "numpy==1.26.4", "typing-extensions==4.16.0"),
                *("nvidia-cublas-cu11==11.10.3.66", "nvidia-cuda-nvrtc-cu11==11.7.99"),
                *("nvidia-cuda-runtime-cu11==11.7.99", "nvidia-cudnn-cu11==8.5.0.96"),
            ),
        ),
        probes=(_import("tensorrt"), _import("torch"), _mapped("torch"), _mapped("tensorrt")),
        heavy=True,
    ),
)


class BuildError(Exception):
    """An environment could not be built; the message says why."""


def run(
    command: Sequence[str], timeout: float, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command and return it with both outputs in ``stdout``; never raise for its failure."""
    # What these name must not decide what an environment finds.
    unwanted = {"LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV"}
    inherited = {key: text for key, text in os.environ.items() if key not in unwanted}
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
            env={**inherited, "PYTHONUNBUFFERED": "1", **(variables or {})},
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, f"no answer within {timeout:g} s\n")
    except OSError as error:
        return subprocess.CompletedProcess(command, 127, f"{error}\n")


def find_python(version: str) -> Path:
    """Return an interpreter of that version which really starts (a pyenv shim may not)."""
    candidates: list[Path] = []
    on_path = shutil.which(f"python{version}")
    if on_path:
        candidates.append(Path(on_path))
    versions = Path("~/.pyenv/versions").expanduser()
    candidates += sorted(versions.glob(f"{version}.*/bin/python{version}"), reverse=True)
    for candidate in candidates:
        code = "import sys; print('%d.%d' % sys.version_info[:2]); print(sys.executable)"
        words = run([str(candidate), "-c", code], timeout=30)
        lines = words.stdout.splitlines()
        if words.returncode == 0 and len(lines) == 2 and lines[0] == version:
            return Path(lines[1])
    raise BuildError(f"no Python {version} on the PATH or in {versions}")


def install(python: Path, wheels: Path, arguments: Sequence[str], variables: Mapping[str, str]) -> None:
    """Install one step from the wheel folder, after filling the folder where it lacks something."""
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    common = ["--quiet", "--no-deps", "--find-links", str(wheels), *arguments]
    offline = [*pip, "install", "--no-index", *common]
    if run(offline, INSTALL_TIMEOUT, variables).returncode == 0:
        return
    fetch = [*pip, "wheel", "--wheel-dir", str(wheels), *common]
    for command in (fetch, offline):
        done = run(command, INSTALL_TIMEOUT, variables)
        if done.returncode != 0:
            raise BuildError(f"{' '.join(command)}\nexit status {done.returncode}\n{done.stdout}")


def build(environment: Environment, into: Path, wheels: Path, replace: bool) -> Path:
    """Build the virtual environment, or keep the one that is there; return its interpreter.

    Test processes that want the same one at the same time wait for each other.
    """
    with (into / f".{environment.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return _built(environment, into / environment.name, wheels, replace)


def _built(environment: Environment, target: Path, wheels: Path, replace: bool) -> Path:
    python = target / "bin" / "python"
    finished = target / "environment.finished"
    if finished.exists() and not replace:
        return python
    if target.exists():
        shutil.rmtree(target)
    base = find_python(environment.python)
    made = run([str(base), "-m", "venv", str(target)], INSTALL_TIMEOUT)
    if made.returncode != 0:
        raise BuildError(f"{base} -m venv {target}\n{made.stdout}")
    for arguments in environment.steps:
        install(python, wheels, arguments, environment.variables)
    finished.touch()
    return python


def vendor_files(target: Path) -> Iterator[tuple[str, int]]:
    """Yield path below site-packages and size of each file that an NVIDIA distribution brought."""
    vendor = re.compile(r"(nvidia|tensorrt)", re.IGNORECASE)
    for site in sorted(target.glob("lib/python*/site-packages")):
        for top in sorted(site.iterdir()):
            if not vendor.match(top.name):
                continue
            for path in sorted(top.rglob("*")):
                if path.is_file() and "__pycache__" not in path.parts:
                    yield str(path.relative_to(site)), path.stat().st_size


def report(environment: Environment, python: Path, target: Path) -> str:
    """Return the text of the report on a built environment."""
    version = run([str(python), "--version"], PROBE_TIMEOUT).stdout.strip()
    lines = [f"environment {environment.name}: {environment.purpose}", version, ""]
    lines += [f"$ pip install --no-deps {' '.join(step)}" for step in environment.steps]
    for title, words in (
        ("pip list --format=freeze", ["list", "--format=freeze"]),
        ("pip check", ["check"]),
    ):
        done = run([str(python), "-m", "pip", "--disable-pip-version-check", *words], PROBE_TIMEOUT)
        lines += ["", f"## {title}: exit status {done.returncode}", done.stdout.rstrip()]
    files = list(vendor_files(target))
    lines += ["", f"## {len(files)} files, {sum(size for _, size in files)} bytes"]
    lines += [f"{size:>12} {path}" for path, size in files]
    for probe in environment.probes:
        done = run([str(python), "-c", probe.code], PROBE_TIMEOUT)
        lines += ["", f"## {probe.title}: exit status {done.returncode}", done.stdout.rstrip()]
    return "\n".join(lines) + "\n"


def choose(names: Iterable[str], every: bool, skip_heavy: bool) -> list[Environment]:
    """Return the chosen rows in the table's order; raise KeyError for a name it does not hold."""
    table = {environment.name: environment for environment in ENVIRONMENTS}
    wanted = {table[name].name for name in names}
    return [
        environment
        for environment in ENVIRONMENTS
        if (every or environment.name in wanted) and not (skip_heavy and environment.heavy)
    ]


def parse(arguments: Sequence[str] | None) -> tuple[argparse.Namespace, list[Environment]]:
    """Read the command line; end the program with exit status 2 where it is wrong."""
    table = "\n".join(
        f"  {row.name:<16} Python {row.python:<5} {'heavy' if row.heavy else '     '} {row.purpose}"
        for row in ENVIRONMENTS
    )
    parser = argparse.ArgumentParser(
        description="Build real environments for recordings and heavy tests.",
        epilog=f"environments:\n{table}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="environments to build")
    parser.add_argument("--all", action="store_true", help="build every environment")
    parser.add_argument("--skip-heavy", action="store_true", help="leave out what downloads more than 300 MB")
    parser.add_argument("--into", type=Path, required=True, metavar="DIR", help="where to")
    parser.add_argument("--wheels", type=Path, metavar="DIR", help="wheel folder to reuse and fill [DIR/.wheels]")
    parser.add_argument("--replace", action="store_true", help="build finished ones anew")
    options = parser.parse_args(arguments)
    if bool(options.names) == options.all:
        parser.error("give either names or --all")
    try:
        return options, choose(options.names, options.all, options.skip_heavy)
    except KeyError as error:
        parser.error(f"no environment {error}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Build what the command line names; return the exit status."""
    options, chosen = parse(arguments)
    into: Path = options.into.resolve()
    wheels: Path = (options.wheels or into / ".wheels").resolve()
    for directory in (into, wheels):
        directory.mkdir(parents=True, exist_ok=True)
    failures = 0
    for environment in chosen:
        print(f"{environment.name}: building", flush=True)
        text_file = into / f"{environment.name}.txt"
        try:
            python = build(environment, into, wheels, options.replace)
        except BuildError as error:
            failures += 1
            text_file.write_text(f"environment {environment.name}: NOT BUILT\n{error}\n", encoding="utf-8")
            print(f"{environment.name}: not built, see {text_file}", file=sys.stderr)
            continue
        text_file.write_text(report(environment, python, into / environment.name), encoding="utf-8")
        print(f"{environment.name}: {text_file}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
