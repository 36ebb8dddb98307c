"""Libraries that need each other at random, in folders that lead to each other at random: predicted and real agree."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.probes.loader.objects import shared_object
from tests.probes.loader.reality import OPENER, agree, gcc, needs_gcc

pytestmark = needs_gcc
NAMES = [f"lib{letter}.so" for letter in "pqrstu"]
FOLDERS = ["one", "two", "three", "four"]


@pytest.fixture(scope="module")
def openers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Programs with no path, with an RPATH and with a RUNPATH; each is copied beside the folders of an example."""
    folder = tmp_path_factory.mktemp("openers")
    paths = "-rpath,$ORIGIN/two:$ORIGIN/one"
    return {
        "plain": gcc(folder / "plain", OPENER, "-ldl"),
        "rpath": gcc(folder / "rpath", OPENER, "-ldl", f"-Wl,--disable-new-dtags,{paths}"),
        "runpath": gcc(folder / "runpath", OPENER, "-ldl", f"-Wl,--enable-new-dtags,{paths}"),
    }


entries = st.lists(
    st.sampled_from(
        [f"$ORIGIN/../{name}" for name in FOLDERS] + ["$ORIGIN", "", "/nowhere", "HERE/one", "HERE/three/"]
    ),
    min_size=1,
    max_size=4,
).map(":".join)


@st.composite
def layouts(draw: st.DrawFn) -> dict[tuple[str, str], Any]:
    """What lies under each name in each folder: mostly libraries that need some of the later ones."""
    found: dict[tuple[str, str], Any] = {}
    for folder in FOLDERS:
        for number, name in enumerate(NAMES):
            kind = draw(st.integers(0, 19))
            if kind < 14:
                found[folder, name] = draw(objects(number))
            elif kind < 17:
                continue
            else:
                link = (draw(st.sampled_from(FOLDERS)), draw(st.sampled_from(NAMES)))
                found[folder, name] = [b"", b"no library at all" * 9, "foreign", link, link][
                    kind - 17 + draw(st.integers(0, 2))
                ]
    return found


def objects(number: int) -> st.SearchStrategy[dict[str, Any]]:
    later = [*NAMES[number + 1 :], *NAMES[number + 1 :], NAMES[0]]
    rare = ["libabsent.so", "$ORIGIN/../two/libu.so"]
    return st.fixed_dictionaries(
        {"needed": st.lists(st.sampled_from(later * 6 + rare), max_size=3)},
        optional={"rpath": entries, "runpath": entries, "soname": st.sampled_from([*NAMES, None, NAMES[number]])},
    )


wishes = st.lists(
    st.one_of(
        st.sampled_from(NAMES),
        st.builds("HERE/{}/{}".format, st.sampled_from(FOLDERS), st.sampled_from(NAMES)),
    ),
    min_size=2,
    max_size=6,
)
variables = st.one_of(st.none(), st.lists(st.sampled_from([*FOLDERS, "", "gone"]), min_size=1, max_size=4))


@settings(
    max_examples=int(os.environ.get("TRTDOCTOR_LOADER_EXAMPLES", "80")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    layout=layouts(),
    wanted=wishes,
    variable=variables,
    program=st.sampled_from(["plain", "rpath", "runpath"]),
    preload=st.sampled_from([None, None, None, None, "HERE/one/libt.so", "libu.so:libt.so"]),
)
def test_random_graphs(
    openers: dict[str, Path],
    layout: dict[tuple[str, str], Any],
    wanted: list[str],
    variable: list[str] | None,
    program: str,
    preload: str | None,
) -> None:
    with tempfile.TemporaryDirectory() as name:
        here = Path(name).resolve()
        for folder in FOLDERS:
            (here / folder).mkdir()
        for place, what in layout.items():
            write(here, here / place[0] / place[1], what)
        copied = here / "program"
        os.link(openers[program], copied) if same_device(openers[program], here) else copy(openers[program], copied)
        environ = {}
        if variable is not None:
            environ["LD_LIBRARY_PATH"] = ":".join(str(here / part) if part else "" for part in variable)
        if preload is not None:
            environ["LD_PRELOAD"] = preload.replace("HERE", str(here))
        agree(copied, [one.replace("HERE", str(here)) for one in wanted], here, environ, cwd=here / "four", steps=False)


def write(here: Path, path: Path, what: Any) -> None:
    if isinstance(what, bytes):
        path.write_bytes(what)
    elif what == "foreign":
        path.write_bytes(shared_object(path.name, machine="aarch64" if os.uname().machine == "x86_64" else "x86_64"))
    elif isinstance(what, tuple):
        path.symlink_to(Path("..") / what[0] / what[1])
    else:
        fields = {"soname": path.name, **what}
        for kind in ("rpath", "runpath"):
            if kind in fields:
                fields[kind] = fields[kind].replace("HERE", str(here))
        path.write_bytes(shared_object(**fields))


def same_device(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.stat().st_dev


def copy(source: Path, target: Path) -> None:
    target.write_bytes(source.read_bytes())
    target.chmod(0o755)
