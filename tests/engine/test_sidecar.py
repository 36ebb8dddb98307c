"""Sidecars: written, believed for the very file that they were written for, and for no other."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.engine.files import old_plan, plan, rtx_plan
from trtdoctor.engine import sidecar
from trtdoctor.engine.look import digest, look
from trtdoctor.engine.sidecar import Stamp
from trtdoctor.matrix import Matrix
from trtdoctor.snapshot import Engine

SAYS: dict[str, Any] = {
    "gpu": "NVIDIA L4",
    "compute_capability": "8.9",
    "system": "linux",
    "version_compatible": False,
    "hardware_compatibility": "none",
    "weights_stripped": False,
}


def stamped(path: Path, content: bytes, **says: Any) -> Path:
    path.write_bytes(content)
    fields = tuple((name, value) for name, value in (says or SAYS).items())
    sidecar.write(str(path), Stamp(digest(str(path)) or "", len(content), fields))
    return path


def test_what_the_header_does_not_tell_comes_from_the_sidecar(matrix: Matrix, tmp_path: Path) -> None:
    path = stamped(tmp_path / "model.plan", plan())
    found = look(matrix, str(path))
    assert found.sidecar == "verified"
    assert {name: getattr(found, name) for name in SAYS} == SAYS
    assert found.inferred == ("multiprocessors",)  # the capability is no longer a guess
    assert found.tensorrt == "8.6.1.6"
    assert "tensorrt" not in found.from_sidecar
    assert look(matrix, str(path), verify=False).sidecar == "unverified"
    assert look(matrix, str(path), verify=False).gpu is None


@pytest.mark.parametrize("same_size", [True, False])
def test_another_file_under_the_same_name_gets_nothing_of_it(matrix: Matrix, tmp_path: Path, same_size: bool) -> None:
    path = stamped(tmp_path / "model.plan", plan())
    path.write_bytes(plan((10, 9, 0, 34), size=3228 if same_size else 3300))
    found = look(matrix, str(path))
    assert found.sidecar == "stale"
    assert found.gpu is None
    assert found.from_sidecar == ()


def test_the_header_has_the_last_word(matrix: Matrix, tmp_path: Path) -> None:
    for content, says in ((plan(), {"tensorrt": "10.9.0.34"}), (rtx_plan(), {"product": "full", "gpu": "x"})):
        found = look(matrix, str(stamped(tmp_path / "model.plan", content, **says)))
        assert found.sidecar == "contradicts"
        assert found.gpu is None
    assert found.product == "rtx"
    path = stamped(tmp_path / "model.plan", plan((11, 9, 0, 300)), tensorrt="11.9.0.300")
    assert look(matrix, str(path)).tensorrt == "11.9.0.300"  # one byte does not hold the build
    path = stamped(tmp_path / "old.plan", old_plan(None, 205), tensorrt="8.2.1.8")
    assert look(matrix, str(path)).tensorrt == "8.2.1.8"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "null",
        '{"schema": "trtdoctor-engine-stamp/1"}',
        "[" * 100_000,
        '{"schema": "trtdoctor-engine-stamp/1", "sha256": "x", "size": 3228, "engine": {}}',
        " " * (sidecar.MAX_BYTES + 1),
    ],
    ids=range(8),
)
def test_what_is_no_stamp_is_said_to_be_none(matrix: Matrix, tmp_path: Path, text: str) -> None:
    path = tmp_path / "model.plan"
    path.write_bytes(plan())
    Path(sidecar.place_of(str(path))).write_text(text)
    found = look(matrix, str(path))
    assert found.sidecar == "unreadable"
    assert found.tensorrt == "8.6.1.6"


def test_a_directory_or_a_pipe_is_no_sidecar(matrix: Matrix, tmp_path: Path) -> None:
    path = tmp_path / "model.plan"
    path.write_bytes(plan())
    place = sidecar.place_of(str(path))
    os.mkfifo(place)
    assert look(matrix, str(path)).sidecar == "unreadable"
    os.unlink(place)
    Path(place).mkdir()
    assert look(matrix, str(path)).sidecar == "unreadable"


def test_strange_values_are_left_out(tmp_path: Path) -> None:
    place = tmp_path / "x.trtdoctor.json"
    engine = {
        "gpu": "\x1b[31mL4\n::error::",
        "tensorrt": "$(reboot)",
        "compute_capability": 8.9,
        "version_compatible": "yes",
        "weights_stripped": True,
        "product": "lean",
        "system": "Linux; rm",
        "other": 1,
    }
    document = {"schema": sidecar.SCHEMA, "sha256": "0" * 64, "size": 1, "engine": engine, "told": ["gpu", 3, "x"]}
    place.write_text(json.dumps(document))
    found = sidecar.read(str(place))
    assert found is not None
    assert dict(found.says) == {"gpu": "[31mL4 ::error::", "weights_stripped": True}
    assert found.told == ("gpu",)


def test_it_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "model.plan"
    place = Path(sidecar.place_of(str(path)))
    place.mkdir()
    with pytest.raises(OSError, match="directory"):
        sidecar.write(str(path), Stamp("0" * 64, 1))
    assert [item.name for item in tmp_path.iterdir()] == [place.name]


def test_a_digest_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "big"
    with open(path, "wb") as stream:
        stream.truncate(64 << 20)
    assert digest(str(path), seconds=0.0) is None
    assert digest(str(tmp_path / "none")) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)


@given(
    engine=st.dictionaries(st.sampled_from(sidecar.FIELDS), JSON) | JSON,
    rest=st.dictionaries(st.sampled_from(("told", "built_with", "written", "program", "sha256", "size")), JSON),
)
def test_any_json_is_a_stamp_or_none(engine: Any, rest: dict[str, Any]) -> None:
    document = {"schema": sidecar.SCHEMA, "sha256": "0" * 64, "size": 1, "engine": engine, **rest}
    found = sidecar._stamp(document)
    if found is not None:
        plain = found.to_plain()
        assert sidecar._stamp(plain) == found
        sidecar.applied(Engine(kind="plan", tensorrt="8.6.1.6"), found)
