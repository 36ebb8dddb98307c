"""Set-ups of real wheels in which the dynamic loader has a choice: for ``benchmarks/loader.py`` and its test.

Most are one of the environments of ``environments.py`` as it is. The others put two of them side by side the way people
do: by ``LD_LIBRARY_PATH``, by links, by a preload that fails, by a system's ``ld.so.cache``.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.tools.environments import BuildError, find_python

Built = Callable[[str], str]
"""Name of an environment to the path of its Python."""


@dataclass(frozen=True)
class Ready:
    """A set-up that was arranged: what to ask, and in which environment."""

    python: str
    importer: str
    """The word for ``trtdoctor libs --for``."""
    variables: dict[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    """What the command is run by: a shell that has another ``ld.so.cache``."""


@dataclass(frozen=True)
class Setup:
    """One row of the table."""

    name: str
    purpose: str
    arrange: Callable[[Built, Path], Ready]
    heavy: bool = False


def site(python: str) -> Path:
    """The package directory of a virtual environment."""
    return next((Path(python).parent.parent / "lib").glob("python3*/site-packages"))


def _as_it_is(name: str, importer: str) -> Callable[[Built, Path], Ready]:
    def arrange(built: Built, _: Path) -> Ready:
        return Ready(built(name), importer)

    return arrange


def _empty_environment(version: str, into: Path) -> Path:
    """A virtual environment without packages; its package directory."""
    subprocess.run([find_python(version), "-m", "venv", "--without-pip", into], check=True, capture_output=True)
    return site(str(into / "bin" / "python"))


def _linked(source: Path, target: Path) -> None:
    """Every package of ``source`` as a link in ``target``, as installers that share one store leave them."""
    for entry in source.iterdir():
        if entry.name.startswith("tensorrt"):
            (target / entry.name).symlink_to(entry)


def _compiled(folder: Path, name: str, *flags: str) -> Path:
    """A small library made by the system's compiler: a stand-in for a program that links the CUDA runtime."""
    source = folder / "consumer.c"
    source.write_text(
        "int cudaRuntimeGetVersion(int *); int ask(void) { int n = 0; return cudaRuntimeGetVersion(&n); }\n"
    )
    target = folder / name
    command = ["gcc", "-shared", "-fPIC", "-o", str(target), str(source), "-Wl,--no-as-needed", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(done.stderr)
    return target


def _cudart(built: Built, name: str) -> Path:
    return site(built(name)) / "nvidia" / "cuda_runtime" / "lib"


def _two_by_variable(built: Built, _: Path) -> Ready:
    older = site(built("lean-cu13-older")) / "tensorrt_lean_libs"
    return Ready(built("lean-cu13"), "tensorrt_lean", {"LD_LIBRARY_PATH": str(older)})


def _symlink_farm(built: Built, into: Path) -> Ready:
    target = _empty_environment("3.12", into / "farm")
    _linked(site(built("lean-cu13")), target)
    return Ready(str(into / "farm" / "bin" / "python"), "tensorrt_lean")


def _broken_preload(kept: int) -> Callable[[Built, Path], Ready]:
    """Of the wheel's libraries only the first ``kept`` bytes are there, and an older whole one is on the variable.

    With none left the preload fails silently and the older one is taken; with a good head the process crashes.
    """

    def arrange(built: Built, into: Path) -> Ready:
        source, older = site(built("lean-cu13")), site(built("lean-cu13-older")) / "tensorrt_lean_libs"
        target = _empty_environment("3.12", into / "broken")
        _linked(source, target)
        libraries = target / "tensorrt_lean_libs"
        libraries.unlink()
        libraries.mkdir()
        for file in (source / "tensorrt_lean_libs").iterdir():
            if file.is_file():
                (libraries / file.name).write_bytes(file.read_bytes()[: kept if ".so" in file.name else None])
        return Ready(str(into / "broken" / "bin" / "python"), "tensorrt_lean", {"LD_LIBRARY_PATH": str(older)})

    return arrange


def _two_cudnn(built: Built, _: Path) -> Ready:
    python = built("two-cudnn")
    return Ready(python, str(site(python) / "nvidia" / "cudnn" / "lib" / "libcudnn.so.9"))


def _tags(*flags: str) -> Callable[[Built, Path], Ready]:
    """A library with a search path of its own that leads to 12.4, while the variable leads to 12.9."""

    def arrange(built: Built, into: Path) -> Ready:
        own, other = _cudart(built, "cudart-12.4"), _cudart(built, "cudart-12.9")
        made = _compiled(into, "libconsumer.so", str(own / "libcudart.so.12"), f"-Wl,-rpath,{own}", *flags)
        return Ready(built("cudart-12.9"), str(made), {"LD_LIBRARY_PATH": str(other)})

    return arrange


def _foreign(built: Built, into: Path) -> Ready:
    """A runtime of another machine's architecture lies first on the path: the loader passes over it."""
    real = _cudart(built, "cudart-12.9") / "libcudart.so.12"
    content = bytearray(real.read_bytes())
    content[18:20] = (183).to_bytes(2, "little")  # e_machine: aarch64
    (into / "foreign").mkdir()
    (into / "foreign" / real.name).write_bytes(bytes(content))
    made = _compiled(into, "libconsumer.so", str(real))
    path = f"{into / 'foreign'}:{_cudart(built, 'cudart-12.4')}"
    return Ready(built("cudart-12.9"), str(made), {"LD_LIBRARY_PATH": path})


def _system_beside_wheels(built: Built, into: Path) -> Ready:
    """A system's toolkit in ``ld.so.cache`` beside a wheel; in a mount namespace of its own (``unshare``)."""
    system = into / "usr-local-cuda"
    system.mkdir()
    shutil.copy(_cudart(built, "cudart-12.4") / "libcudart.so.12", system)
    cache = into / "ld.so.cache"
    config = into / "ld.so.conf"
    config.write_text(f"{system}\ninclude /etc/ld.so.conf\n")
    ldconfig = shutil.which("ldconfig", path=f"{os.environ.get('PATH', '')}:/sbin:/usr/sbin") or "ldconfig"
    subprocess.run([ldconfig, "-X", "-C", cache, "-f", config], check=True, capture_output=True)
    prefix = ("unshare", "-rm", "sh", "-c", f'mount --bind {cache} /etc/ld.so.cache && exec "$@"', "sh")
    tried = subprocess.run([*prefix, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        raise BuildError(f"no mount namespace to be had here: {tried.stderr.strip()}")
    made = _compiled(into, "libconsumer.so", str(system / "libcudart.so.12"))
    return Ready(built("cudart-12.9"), str(made), prefix=prefix)


SETUPS: tuple[Setup, ...] = (
    Setup("rtx", "TensorRT for RTX from its wheels", _as_it_is("rtx", "tensorrt_rtx")),
    Setup("lean-cu13", "lean runtime for CUDA 13", _as_it_is("lean-cu13", "tensorrt_lean")),
    Setup("lean-cu12", "lean runtime for CUDA 12", _as_it_is("lean-cu12", "tensorrt_lean")),
    Setup("bindings-only", "bindings without libraries", _as_it_is("bindings-only", "tensorrt_bindings")),
    Setup("two-by-variable", "an older lean runtime first on LD_LIBRARY_PATH", _two_by_variable),
    Setup("symlink-farm", "packages that are links into a store", _symlink_farm),
    Setup("broken-preload", "a preload that fails silently, another copy on LD_LIBRARY_PATH", _broken_preload(0)),
    Setup("cut-short", "a preload of a library that is cut short behind its head", _broken_preload(20_000)),
    Setup("runpath", "RUNPATH against LD_LIBRARY_PATH", _tags("-Wl,--enable-new-dtags")),
    Setup("rpath", "RPATH against LD_LIBRARY_PATH", _tags("-Wl,--disable-new-dtags")),
    Setup("foreign", "a library of another architecture lies first", _foreign),
    Setup("system-beside-wheels", "the system's CUDA in ld.so.cache, a wheel beside it", _system_beside_wheels),
    Setup("trt853", "full TensorRT 8.5.3.1", _as_it_is("trt853", "tensorrt"), heavy=True),
    Setup("trt853-without-cudnn", "the same without cuDNN", _as_it_is("trt853-without-cudnn", "tensorrt"), heavy=True),
    Setup("trt853-unpinned", "the same with cuDNN 9", _as_it_is("trt853-unpinned", "tensorrt"), heavy=True),
    Setup("ort", "onnxruntime-gpu", _as_it_is("ort", "onnxruntime"), heavy=True),
    Setup("torch", "PyTorch 2.7", _as_it_is("torch", "torch"), heavy=True),
    Setup("torch113", "PyTorch 1.13 with TensorRT 8.5.3.1, both orders", _as_it_is("torch113", "python"), heavy=True),
    Setup("two-cudnn", "cuDNN for CUDA 13 over that for CUDA 12", _two_cudnn, heavy=True),
)


def environment_of(ready: Ready) -> dict[str, str]:
    """The environment variables to ask in: this process's, without what would decide for the loader."""
    unwanted = {"LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "CONDA_PREFIX"}
    return {**{key: text for key, text in os.environ.items() if key not in unwanted}, **ready.variables}


def program() -> list[str]:
    """The command of this checkout."""
    return [sys.executable, "-m", "trtdoctor"]
