"""``trtdoctor mirror sync-config`` as users run it, from a list of items."""

from __future__ import annotations

import configparser
import json
import os
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cli.run import Ran, complains, run
from tests.conftest import ROOT
from tests.mirror.items import everything, image, stack
from tests.mirror.simple_index import Index, serving, wheel
from trtdoctor.mirror.emit import TOOLS
from trtdoctor.mirror.emit.head import LICENCE
from trtdoctor.mirror.sync_list import SyncListError, as_plain, document, read
from trtdoctor.mirror.wants import SyncItem
from trtdoctor.policy import Policy

SCHEMA: dict[str, Any] = json.loads((ROOT / "trtdoctor" / "schemas" / "mirror-sync.schema.json").read_text())


def sync(items: list[SyncItem] | bytes | None, *arguments: str, cwd: Path = ROOT, **environ: str) -> Ran:
    """Run it with the items on stdin."""
    content = items if isinstance(items, bytes) else json.dumps(document(items or [], [], Policy())).encode()
    given_items = ["--items", "-"] if items is not None else []
    return run(
        "mirror", "sync-config", "--no-config", *given_items, *arguments, stdin=content, seconds=60, cwd=cwd, **environ
    )


def test_each_tool_writes_its_file_whole(tmp_path: Path) -> None:
    for tool in TOOLS:
        ran = sync(everything(), "--tool", tool, "-o", str(tmp_path / tool))
        assert (ran.code, ran.out, ran.err) == (0, "", "")
        assert (tmp_path / tool).read_text().count(LICENCE) >= 1
    assert set(yaml.safe_load((tmp_path / "regsync").read_text())) == {"version", "defaults", "sync"}
    assert (tmp_path / "wheels.txt").read_text().count("https://pypi.nvidia.com/") == 1
    assert {path.name for path in tmp_path.iterdir()} == {*TOOLS, "wheels.txt"}


def test_of_bandersnatch_the_list_of_wheels_stands_behind_it_on_stdout() -> None:
    ran = sync(stack(), "--tool", "bandersnatch")
    parsed = configparser.ConfigParser(delimiters="=")
    parsed.read_string(ran.out)
    assert len(parsed["allowlist"]["packages"].split()) == 4
    assert "\n# wheels.txt:\n" in ran.out
    assert "\n# https://pypi.nvidia.com/tensorrt-cu13-libs/tensorrt_cu13_libs-" in ran.out
    assert ran.out.count(LICENCE) == 1


def test_nothing_to_sync_is_said_in_one_line() -> None:
    for tool in TOOLS:
        ran = sync([], "--tool", tool)
        assert ran.code == 0
        assert f"nothing to sync with {tool}" in ran.out + ran.err
        assert len((ran.out + ran.err).splitlines()) == (2 if tool == "harbor" else 1)
        if tool == "harbor":
            assert json.loads(ran.out) == []
        else:
            assert ran.out.startswith("# ")  # it may stand in place of a file
    assert sync([], "--tool", "skopeo", "--apply").out == "nothing to sync with skopeo\n"
    assert sync(stack(), "--tool", "skopeo").out == "# nothing to sync with skopeo\n"  # of another kind


def test_the_items_themselves(tmp_path: Path) -> None:
    bad = image("$(touch x)")
    ran = sync([*everything(), bad], "--format", "json", "--policy", "channel=stable")
    assert ran.code == 1  # one has a name that no tool can be given
    found = json.loads(ran.out)
    jsonschema.validate(found, SCHEMA)
    assert len(found["items"]) == len(everything())
    assert found["policy"] != document([], [], Policy())["policy"]
    assert "'$(touch x)' is no tag" in found["refused"][0]
    assert "left out: 'nvidia/tensorrt' '$(touch x)'" in ran.err
    again = sync(ran.out.encode(), "--format", "json")
    assert json.loads(again.out)["items"] == found["items"]
    (tmp_path / "items.json").write_text(ran.out)
    by_file = sync(None, "--items", str(tmp_path / "items.json"), "--tool", "harbor", "--registry-id", "7")
    assert {policy["src_registry"]["id"] for policy in json.loads(by_file.out)} == {7}


def test_the_report_of_check_has_items_too() -> None:
    content = json.dumps({"schema": "trtdoctor-mirror/1", "sync": [as_plain(image())], "headline": "…"}).encode()
    assert "26.10-py3" in sync(content, "--tool", "skopeo").out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--tool skopeo|regsync"),
        (["--tool", "skopio"], "skopeo"),
        (["--tool", "harbor", "--apply"], "--apply runs skopeo or pip-download"),
        (["--tool", "skopeo", "--dry-run"], "--dry-run goes with --apply"),
        (["--tool", "skopeo", "--apply", "-o", "x"], "--apply writes no file"),
        (["--tool", "skopeo", "--apply", "--format", "json"], "--apply writes no file"),
        (["--tool", "skopeo", "--tag-template", "{tags}"], "did you mean {tag}"),
        (["--tool", "aptly", "--tag-template", "{tag}"], "aptly copies none"),
        (["--tool", "harbor", "--tag-template", "x-{tag}"], "cannot give images other tags"),
        (["--tool", "skopeo", "--tag-template", "{month}"], "would both be"),
        (["--tool", "skopeo", "corp"], "--items says what is to be synced"),
        (["--tool", "skopeo", "-o", "no/such/directory/x"], "No such file"),
        (["--tool", "skopeo", "--policy", "chanel=lts"], "did you mean channel"),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments: list[str], says: str) -> None:
    assert says in complains(sync([image(), image("26.10-py3-igpu", digest="sha256:" + "0" * 64)], *arguments))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"{", "is no JSON"),
        (b"[]", "is none of trtdoctor-mirror-sync/1"),
        (b'{"schema": "trtdoctor-report/1"}', "is none of"),
        (b'{"schema": "trtdoctor-mirror-sync/1"}', "has no list of items"),
        (b'{"schema": "trtdoctor-mirror/1", "sync": [1]}', "item 1: is no object"),
        (b"[" * 100_000, "is no JSON"),
        (b" ", "is empty"),
    ],
)
def test_what_is_no_list_of_items(content: bytes, says: str) -> None:
    assert says in complains(sync(content, "--tool", "skopeo"))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"version": 26.10}, "item 1: version: wanted text"),
        ({"project": None}, "item 1: project: wanted text"),
        ({"upstream": "x" * 5000}, "item 1: upstream: wanted text"),
        ({"platforms": "linux/amd64"}, "item 1: platforms: wanted a list"),
        ({"platforms": [1]}, "item 1: platforms: wanted text"),
        ({"files": [{"name": "x", "size": "1"}]}, "item 1: files: size: wanted a number"),
        ({"files": [[1, 2]]}, "item 1: files: wanted objects"),
        ({"files": [{"name": "x"}] * 3000}, "item 1: files: wanted a list of at most"),
        ({"digest": 1}, "item 1: digest: wanted text"),
    ],
)
def test_items_of_wrong_types(changes: dict[str, Any], says: str) -> None:
    plain = {"schema": "trtdoctor-mirror-sync/1", "items": [{**as_plain(image()), **changes}]}
    with pytest.raises(SyncListError, match=says):
        read(json.dumps(plain).encode())


def test_items_come_back_as_they_were() -> None:
    found = document(everything(), [], Policy())
    assert list(read(json.dumps(found).encode())) == everything()
    in_a_row = [{**entry, "files": [list(file.values()) for file in entry["files"]]} for entry in found["items"]]
    assert list(read(json.dumps({**found, "items": in_a_row}).encode())) == everything()
    many = {"schema": "trtdoctor-mirror-sync/1", "items": [as_plain(image())] * 20_001}
    with pytest.raises(SyncListError, match="more than 20000"):
        read(json.dumps(many).encode())


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from([*as_plain(image()), "items", "sync", "schema", "name"]), inner, max_size=5
            )
        ),
        max_leaves=12,
    ),
    st.sampled_from(["items", "sync"]),
)
@settings(max_examples=200, deadline=None)
def test_any_json_is_read_or_refused_in_one_line(anything: Any, name: str) -> None:
    schema = "trtdoctor-mirror-sync/1" if name == "items" else "trtdoctor-mirror/1"

    def complaint(listed: Any) -> str:
        try:
            read(json.dumps({"schema": schema, name: listed}).encode())
        except SyncListError as error:
            return str(error)
        return ""

    assert complaint(anything).isprintable()
    assert complaint([anything]).isprintable()


# -- --apply -----------------------------------------------------------------------------------------------------------


def test_apply_fetches_and_says_so(tmp_path: Path) -> None:
    own = wheel("tensorrt-cu13-bindings", "11.4.0.106", "py3-none-any")
    with serving(Index({"tensorrt-cu13-bindings": [own]})) as index:
        (item,) = (item for item in stack() if item.project == "tensorrt-cu13-bindings")
        fields = {
            **as_plain(item),
            "upstream": index,
            "files": [{"name": own.name, "size": None, "sha256": own.sha256}],
        }
        missing = {**fields, "version": "9.9", "files": [{"name": own.name.replace("11.4.0.106", "9.9")}]}
        content = json.dumps({"schema": "trtdoctor-mirror-sync/1", "items": [fields, missing]}).encode()
        environ = {"PIP_FIND_LINKS": "", "PIP_CONFIG_FILE": os.devnull}
        told = sync(content, "--tool", "pip-download", "--apply", "--dry-run", cwd=tmp_path, **environ)
        assert told.code == 0
        assert told.out.splitlines()[-1] == "2 would be run"
        assert list(tmp_path.iterdir()) == []
        ran = sync(content, "--tool", "pip-download", "--apply", "--into", "here", cwd=tmp_path, **environ)
    assert ran.code == 1, ran.err
    assert ran.err == f"trtdoctor: {LICENCE}\n"
    first, second, last = ran.out.splitlines()
    assert first.startswith(f"[1/2] {own.name}: done in ")
    assert second.startswith("[2/2] ")
    assert "FAILED: ERROR: No matching distribution found for tensorrt-cu13-bindings==9.9" in second
    assert last == "1 done, 1 failed"
    assert [path.name for path in (tmp_path / "here").iterdir()] == [own.name]


def test_apply_without_the_tool_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    line = sync([image()], "--tool", "skopeo", "--apply", PATH=str(tmp_path / "bin"))
    assert line.code == 2
    assert line.err.splitlines()[-1].startswith("trtdoctor: skopeo is not installed")
    assert shutil.which("skopeo", path=str(tmp_path / "bin")) is None
