"""Snapshots for rule tests: declared ones, and ones with files and distributions as the probes leave them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from tests.rules.judging import ADVISORIES
from trtdoctor.declared import snapshot_of
from trtdoctor.findings import Finding, Report
from trtdoctor.judge import judge
from trtdoctor.matrix import load
from trtdoctor.snapshot import (
    Copy,
    Distribution,
    Interpreter,
    Loaded,
    Loading,
    Missing,
    Platform,
    SearchEntry,
    Snapshot,
)

AS_OF = date(2026, 11, 22)
SEARCHED = ("tensorrt", "cudnn", "cuda", "cublas", "nvrtc", "nvjitlink")
SITE = "/venv/lib/python3.12/site-packages"
SYSTEM = "/usr/lib/x86_64-linux-gnu"


def judged(snapshot: Snapshot, *goal: str) -> Report:
    """The report on a snapshot; the date is fixed."""
    return judge(snapshot, load(), as_of=AS_OF, goal=goal)


def declared(**environment: Any) -> Report:
    """The report on a declared environment."""
    return judged(snapshot_of(environment))


def only(report: Report, code: str) -> Finding:
    """The one finding of a code."""
    found = [item for item in report.findings if item.code == code]
    assert len(found) == 1, [(item.code, item.title) for item in report.findings]
    assert 1 <= len(found[0].components) <= 3
    assert found[0].breaks
    return found[0]


def codes(report: Report) -> set[str]:
    """Codes of all findings but published security fixes."""
    return {item.code for item in report.findings} - ADVISORIES


def of_family(report: Report, *families: str) -> list[str]:
    """Codes of the findings of some families, in order, but published security fixes."""
    every = (item.code for item in report.findings)
    return [code for code in every if code.startswith(families) and code not in ADVISORIES]


def live(
    *copies: Copy,
    packages: tuple[Distribution, ...] = (),
    python: str = "3.12.3",
    searched: tuple[str, ...] = SEARCHED,
    **platform: Any,
) -> Snapshot:
    """A probed Linux machine with these files and distributions; driver and GPUs were not asked."""
    settings: dict[str, Any] = {
        "system": "linux",
        "distribution": "ubuntu",
        "architecture": "x86_64",
        "libc": "glibc",
        "glibc": "2.39",
        **platform,
    }
    abi = "cp" + "".join(python.split(".")[:2])
    interpreter = Interpreter(
        path="/venv/bin/python", version=python, chosen_by="VIRTUAL_ENV", implementation="cpython", abi=abi
    )
    return Snapshot(
        kind="live",
        platform=Platform(**settings),
        copies=copies,
        interpreters=(replace(interpreter, distributions=packages),),
        searched=searched,
    )


def package(name: str, version: str, *, libraries: bool | None = False, missing: int | None = 0) -> Distribution:
    """An installed distribution."""
    return Distribution(name, version, SITE, has_libraries=libraries, files_missing=missing)


def library(name: str, version: str, directory: str = SYSTEM, **values: Any) -> Copy:
    """A library file; component, role and product by its name, as the probe tells them."""
    from trtdoctor.matrix import libraries

    spec = libraries.identify(load(), f"{name}.so.{version}")
    assert spec is not None, name
    path = f"{directory}/{name}.so.{version}"
    origin = "pip" if "site-packages" in directory else None
    settings: dict[str, Any] = {
        "component": spec.component,
        "name": spec.name,
        "role": spec.role,
        "product": spec.product,
        "version": version,
        "how": "file-name",
        "path": path,
        "realpath": path,
        "origin": origin,
        **values,
    }
    return Copy(**settings)


def tensorrt(version: str, directory: str = SYSTEM, **values: Any) -> tuple[Copy, ...]:
    """A whole TensorRT in one directory."""
    names = ("libnvinfer", "libnvinfer_plugin", "libnvonnxparser", "libnvinfer_builder_resource")
    return tuple(library(name, version, directory, **values) for name in names)


def cudnn9(version: str, directory: str = SYSTEM) -> tuple[Copy, ...]:
    """A whole cuDNN 9 in one directory."""
    parts = ("graph", "ops", "cnn", "adv", "heuristic", "engines_precompiled", "engines_runtime_compiled")
    names = ("libcudnn", *(f"libcudnn_{part}" for part in parts))
    return tuple(library(name, version, directory) for name in names)


# -- what processes get ------------------------------------------------------------------------------------------------


def got(copy: Copy, step: str | None = "default", **values: Any) -> Loaded:
    """This copy, loaded by this step of the loader's search; its soname is its file name unless one is given."""
    settings: dict[str, Any] = {
        "library": copy.name or "",
        "soname": copy.soname or (copy.path or "").replace("\\", "/").rpartition("/")[2],
        "path": copy.path,
        "realpath": copy.realpath,
        "step": step,
        **values,
    }
    return Loaded(**settings)


def lacks(name: str, problem: str = "not-found", **values: Any) -> Missing:
    """A library that is asked for and not got."""
    return Missing(name, problem=problem, **values)


def loading(importer: str, *items: Loaded | Missing, **values: Any) -> Loading:
    """What one importer gets and lacks; predicted, and failed when something that it needs at once is lacking."""
    missing = tuple(item for item in items if isinstance(item, Missing))
    stopped = any(not item.lazy and not item.swallowed for item in missing)
    settings: dict[str, Any] = {
        "kind": "program" if importer == "trtexec" else "import",
        "outcome": "failed" if stopped else "ok",
        "path": "/usr/bin/trtexec" if importer == "trtexec" else f"{SITE}/{importer.rsplit(', ', maxsplit=1)[-1]}",
        "loaded": tuple(item for item in items if isinstance(item, Loaded)),
        "missing": missing,
        **values,
    }
    return Loading(importer, **settings)


def entry(path: str, position: int = 0, **values: Any) -> SearchEntry:
    """An entry of LD_LIBRARY_PATH."""
    return SearchEntry(position=position, path=path, **values)
