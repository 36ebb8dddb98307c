"""The Snapshot: its JSON form, hostile input, redaction."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtdoctor.redaction import redact
from trtdoctor.snapshot import (
    SCHEMA,
    Copy,
    Distribution,
    Gpu,
    Interpreter,
    Package,
    ProbeOutcome,
    Setting,
    Snapshot,
    SnapshotError,
)
from trtdoctor.text import clean

FULL = Snapshot(
    gpus=(
        Gpu(
            index=0, name="NVIDIA H200", uuid="GPU-12345678-aaaa-bbbb-cccc-1234567890ab", pci_bus_id="00000000:01:00.0"
        ),
    ),
    copies=(
        Copy("cudnn", path="/home/alice/venv/lib/python3.12/site-packages/nvidia/cudnn/lib/libcudnn.so.9"),
        Copy("cudnn", path="/home/alice/venv/lib/python3.12/site-packages/nvidia/cudnn/lib/libcudnn_ops.so.9"),
        Copy("cudnn", path="/usr/lib/x86_64-linux-gnu/libcudnn.so.9"),
        Copy("cudnn", path="/srv/bob/lib/libcudnn.so.9"),
    ),
    interpreters=(Interpreter(path="/home/alice/venv/bin/python3", distributions=(Distribution("torch", "2.11.0"),)),),
    packages=(Package("libcudnn9-cuda-13", "9.14.0", "dpkg"),),
    settings=(Setting("LD_LIBRARY_PATH", "/home/alice/lib:/usr/local/cuda/lib64"),),
    probes=(ProbeOutcome("driver", "failed", "OSError: /home/alice/secret", 0.1),),
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


def test_the_json_form_round_trips() -> None:
    assert Snapshot.from_json(FULL.to_json()) == FULL


def test_unknown_fields_are_ignored() -> None:
    document = FULL.to_plain()
    document["a_later_field"] = {"x": 1}
    document["gpus"][0]["another"] = [1]
    assert Snapshot.from_plain(document) == FULL


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "no JSON object"),
        ("{}", "no schema"),
        ('{"schema": "trtdoctor-report/1"}', "trtdoctor-report/1"),
        ('{"schema": "trtdoctor-snapshot/1", "gpus": 3}', "gpus: wanted a list"),
        ('{"schema": "trtdoctor-snapshot/1", "gpus": [3]}', "gpus[0]: wanted an object"),
        ('{"schema": "trtdoctor-snapshot/1", "gpus": [{"index": true}]}', "gpus[0].index: wanted a whole number"),
        ('{"schema": "trtdoctor-snapshot/1", "kind": null}', "kind: may not be null"),
        ("[" * 100000, "not JSON"),
    ],
)
def test_what_is_no_snapshot_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(SnapshotError) as caught:
        Snapshot.from_json(text)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=200))
def test_any_bytes_are_answered(content: bytes) -> None:
    with pytest.raises(SnapshotError):
        Snapshot.from_json(content)


@given(st.dictionaries(st.sampled_from([*FULL.to_plain(), "x"]), JSON_VALUES, max_size=6))
def test_any_document_is_read_or_refused(document: dict[str, Any]) -> None:
    document["schema"] = SCHEMA
    try:
        assert isinstance(Snapshot.from_plain(document), Snapshot)
    except SnapshotError:
        pass


@given(st.text(max_size=80))
def test_no_control_or_bidirectional_character_survives_reading(name: str) -> None:
    document = {"schema": SCHEMA, "gpus": [{"index": 0, "name": name}]}
    read = Snapshot.from_json(json.dumps(document))
    assert read.gpus is not None
    shown = read.gpus[0].name or ""
    assert not any(ord(sign) < 32 or 0x7F <= ord(sign) <= 0x9F or 0x202A <= ord(sign) <= 0x202E for sign in shown)
    assert not any(0x2066 <= ord(sign) <= 0x2069 for sign in shown)


def test_redaction_hides_what_is_private_and_keeps_what_verdicts_need() -> None:
    hidden = redact(FULL)
    text = hidden.to_json()
    for secret in ("alice", "bob", "GPU-12345678", "00000000:01", "secret"):
        assert secret not in text
    paths = [copy.path or "" for copy in hidden.copies]
    directories = [path.rpartition("/")[0] for path in paths]
    assert directories[0] == directories[1] != directories[3]
    assert paths[2] == "/usr/lib/x86_64-linux-gnu/libcudnn.so.9"
    assert (hidden.setting("LD_LIBRARY_PATH") or "").endswith(":/usr/local/cuda/lib64")
    assert hidden.redacted
    assert redact(hidden).to_json() == text


@pytest.mark.parametrize(
    ("name", "value", "hidden"),
    [
        ("LD_PRELOAD", "/usr/lib/a.so /home/alice/b.so", "/usr/lib/a.so <dir1>"),
        ("LD_PRELOAD", "/home/alice/lib/libx.so:/home/bob/lib/libx.so", "<dir1>/lib/libx.so:<dir2>/lib/libx.so"),
        ("LD_LIBRARY_PATH", "alice::/usr/lib/../../home/alice/lib", "<dir1>::<dir2>/lib"),
        ("LD_LIBRARY_PATH", "/home/alice/lib/alice/lib:/dev/shm/alice", "<dir1>/lib:<dir2>"),
        ("CUDA_HOME", r"C:\Users\alice\CUDA\bin", "<dir1>:<dir2>/bin"),
        ("NVIDIA_DRIVER_CAPABILITIES", "compute,utility", "compute,utility"),
        ("NVIDIA_REQUIRE_CUDA", "cuda>=12.4 brand=tesla,driver>=470", "cuda>=12.4 brand=tesla,driver>=470"),
        ("CUDA_VERSION", "12.4.1", "12.4.1"),
        ("CUDA_VISIBLE_DEVICES", "0,GPU-aaaa,MIG-bbbb,alice", "0,GPU-<hidden>,MIG-<hidden>,<hidden>"),
    ],
)
def test_redaction_of_environment_variables(name: str, value: str, hidden: str) -> None:
    assert redact(Snapshot(settings=(Setting(name, value),))).setting(name) == hidden


def test_files_of_one_private_directory_stay_together() -> None:
    """Without a folder called ``lib`` too: rules compare directories."""
    paths = ("/srv/alice/trt/libnvinfer.so.10", "/srv/alice/trt/libnvinfer_plugin.so.10", "/srv/bob/libcudnn.so.9")
    hidden = redact(Snapshot(copies=tuple(Copy("tensorrt", path=path) for path in paths)))
    assert [copy.path for copy in hidden.copies] == [
        "<dir1>/libnvinfer.so.10",
        "<dir1>/libnvinfer_plugin.so.10",
        "<dir2>/libcudnn.so.9",
    ]
    deep = redact(Snapshot(copies=(Copy("cudnn", path="/home/alice/lib/alices-project/lib/libcudnn.so.9"),)))
    assert deep.copies[0].path == "<dir1>/lib/libcudnn.so.9"


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("https://user:pa/ss@host/simple?token=x#y", "https://host/simple"),
        ("cuda>=12 git+ssh://git@host/x y", "cuda>=12 git+ssh://host/x y"),
        ("/work/https:/user:pass@host/x", "/work/https:/host/x"),
        ("/usr/lib://opt/openssl@3/lib:/opt/a@b", "/usr/lib://opt/openssl@3/lib:/opt/a@b"),
        ("mail me@home", "mail me@home"),
        ("scheme://" * 400 + "user@host", "scheme://host"),
    ],
)
def test_addresses_lose_user_and_query(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned
    assert clean(cleaned) == cleaned


@given(st.text(alphabet="abs:/@?# htp.", max_size=60))
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    assert clean(clean(text)) == clean(text)
