"""What we say of a stub is what pip then does: the real wheel-stub builds against indexes on this machine.

The stub is our own, of the shape of NVIDIA's, so that no index is needed to get it; pip, wheel-stub and the servers are
real.
"""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.mirror.needs import package
from tests.mirror.simple_index import File, Index, folder, plain_listing, sdist, serving, stub, wheel
from tests.mirror.test_pypi import LIBS, NEW, OLD, _sockets, ask, item  # noqa: F401  (a fixture that is used by its name)
from trtdoctor.matrix import Matrix

ANY = "py2.py3-none-any"


def pip_gets(archive: File, place: Path) -> str | None:
    """The wheel that pip makes of a stub; None where its build fails."""
    place.mkdir()
    (place / archive.name).write_bytes(archive.content)
    command = [sys.executable, "-I", "-m", "pip", "wheel", "--no-index", "--no-deps", "--no-build-isolation"]
    command += ["--no-cache-dir", "--wheel-dir", str(place / "made"), str(place / archive.name)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        assert "placeholder" in done.stdout + done.stderr, done.stderr  # wheel-stub's own words, no other failure
        return None
    return next((place / "made").iterdir()).name


def test_the_verdict_is_what_pip_does(matrix: Matrix, tmp_path: Path) -> None:
    package("wheel_stub")
    there, other = wheel(LIBS, NEW, ANY), wheel(LIBS, OLD, ANY)
    with (
        plain_listing(folder(tmp_path / "served", {LIBS: [other, there]})) as full,
        serving(Index({LIBS: [other]}, html=True)) as old,
        serving(Index({LIBS: [there]}, html=True, login="user:secret")) as closed,
    ):
        places = {"full": full, "old": old, "closed": closed}
        stubs = {name: stub(LIBS, NEW, address) for name, address in places.items()}
        with ThreadPoolExecutor() as pool:
            made = {name: pool.submit(pip_gets, archive, tmp_path / name) for name, archive in stubs.items()}
            said = {}
            for name, address in places.items():
                with serving(Index({LIBS: [stubs[name]]})) as index, serving(Index({LIBS: [stubs[name]]})) as mirror:
                    said[name] = item(ask(matrix, mirror, index, address, projects=(LIBS,)), LIBS, NEW).state
            got = {name: future.result() for name, future in made.items()}
    assert got == {"full": there.name, "old": None, "closed": None}
    assert said == {"full": "same", "old": "stub-only", "closed": "stub-only"}


def test_a_stub_is_told_by_what_it_is(matrix: Matrix) -> None:
    """A source archive of NVIDIA's meta packages is built by setuptools and needs no wheel from elsewhere."""
    meta = {"tensorrt-cu13": [sdist("tensorrt-cu13", NEW)]}
    with serving(Index(meta)) as index, serving(Index(meta)) as mirror, serving(Index({}, html=True)) as nothing:
        source = ask(matrix, mirror, index, nothing, projects=("tensorrt-cu13",))
    assert item(source, "tensorrt-cu13", NEW).state == "same"
    assert source.side("wheels") is None
