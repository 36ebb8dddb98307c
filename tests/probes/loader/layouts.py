"""Python environments with packages of our own that load libraries the way real ones do; and facts about them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

import pytest

from tests.probes.loader.reality import gcc
from tests.probes.roots import write
from trtdoctor.matrix import Matrix, distributions, libraries, loading
from trtdoctor.probes.base import ProbeContext
from trtdoctor.snapshot import Loading, Snapshot

ENVIRONMENTS = Path(
    os.environ.get("TRTDOCTOR_TEST_ENVIRONMENTS") or "~/.cache/trtdoctor-test-environments"
).expanduser()

EXTENSION = r"""
/* The least that the interpreter takes for an extension module. */
struct definition { long count; void *type, *init; long index; void *copy; const char *name, *doc; long size;
                    void *methods, *slots, *traverse, *clear, *release; };
static struct definition definition = {1, 0, 0, 0, 0, "made", 0, -1, 0, 0, 0, 0, 0};
extern void *PyModule_Create2(void *, int);
void *PyInit_%s(void) { return PyModule_Create2(&definition, 1013); }
"""

OPEN_ALL = """
import ctypes, glob, os
for path in glob.iglob(os.path.join(os.path.realpath(os.path.dirname(__file__)), "*.so*")):
    try:
        ctypes.CDLL(path)
    except OSError:
        pass
"""
"""What a folder of libraries does when it is imported."""


def environment(folder: Path) -> Path:
    """A virtual environment without pip; the path of its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / "bin" / "python"


def site_of(python: Path) -> Path:
    """Its directory of packages."""
    return next((python.parent.parent / "lib").glob("python3*")) / "site-packages"


def extension(path: Path, needed: Iterable[str] = (), rpath: str | None = None) -> Path:
    """An extension module that needs libraries of these sonames."""
    options = ["-shared", "-fPIC", "-Wl,--no-as-needed"]
    with tempfile.TemporaryDirectory() as folder:
        for soname in needed:
            stub = gcc(Path(folder) / soname, "", "-shared", "-nostdlib", f"-Wl,-soname,{soname}")
            options.append(str(stub))
        if rpath is not None:
            options.append(f"-Wl,--disable-new-dtags,-rpath,{rpath}")
        return gcc(path, EXTENSION % path.name.partition(".")[0], *options)


def distribution(site: Path, name: str, version: str, files: Iterable[Path] = ()) -> None:
    """What an installer leaves of a distribution."""
    lines = [f"{path.relative_to(site)},,{path.stat().st_size}\n" for path in files]
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    write(site, {f"{info}/METADATA": head, f"{info}/RECORD": "".join(lines)})


def context(matrix: Matrix, python: Path | str | None, environ: Mapping[str, str] | None = None) -> ProbeContext:
    """A context of this machine with an environment of its own."""
    return ProbeContext(
        root=Path("/"),
        environ=dict(environ if environ is not None else {"PATH": "/usr/bin:/bin"}),
        libraries=partial(libraries.identify, matrix),
        distributions=partial(distributions.identify, matrix),
        python=str(python) if python is not None else None,
        loading=partial(loading.table, matrix),
    )


def real_environment(name: str) -> Path:
    """The Python of an environment of real wheels; the test is skipped where it was not built."""
    python = ENVIRONMENTS / name / "bin" / "python"
    if not python.exists():
        pytest.skip(f"no environment {name} below TRTDOCTOR_TEST_ENVIRONMENTS ({ENVIRONMENTS})")
    return python


def one(found: Snapshot | Iterable[Loading], importer: str, method: str = "predicted") -> Loading:
    """The one loading of an importer."""
    loadings = found.loadings if isinstance(found, Snapshot) else found
    chosen = [item for item in loadings if item.importer == importer and item.method == method]
    assert len(chosen) == 1, [(item.importer, item.method) for item in loadings]
    return chosen[0]


def picked(loading: Loading, *, lazy: bool = False) -> dict[str, str | None]:
    """Library to real path; what is opened only on use is left out unless asked for."""
    return {item.library: item.realpath for item in loading.loaded if lazy or not item.lazy}


def disagreements(found: Snapshot) -> list[str]:
    """Every way in which prediction and observation differ."""
    told = []
    for observed in (item for item in found.loadings if item.method == "observed"):
        predicted = one(found, observed.importer)
        if predicted.outcome != observed.outcome:
            told.append(f"{observed.importer}: predicted {predicted.outcome}, observed {observed.outcome}")
        if picked(predicted) != picked(observed):
            told.append(f"{observed.importer}: predicted {picked(predicted)}, observed {picked(observed)}")
        possible = picked(predicted, lazy=True)
        told += [
            f"{observed.importer}: on use predicted {possible.get(item.library)}, was {item.realpath}"
            for item in observed.loaded
            if item.lazy and possible.get(item.library) != item.realpath
        ]
    return told
