"""Sources as they are named on the command line."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trtdoctor.config.mirrors import Mirror, MirrorError
from trtdoctor.mirror.sources import parse_source


@pytest.mark.parametrize(
    ("text", "kind", "upstream", "mirror", "tags"),
    [
        (
            "oci:registry.corp:5000/ngc/nvidia/tensorrt",
            "oci",
            None,
            "https://registry.corp:5000/ngc/nvidia/tensorrt",
            (),
        ),
        (
            "oci:nvcr.io/nvidia/tensorrt=registry.corp/nvidia/tensorrt",
            "oci",
            "https://nvcr.io/nvidia/tensorrt",
            "https://registry.corp/nvidia/tensorrt",
            (),
        ),
        ("oci:docker://registry.corp/x/y:26.10-py3", "oci", None, "https://registry.corp/x/y", ("26.10-py3",)),
        ("oci:http://127.0.0.1:5077/nvidia/tensorrt", "oci", None, "http://127.0.0.1:5077/nvidia/tensorrt", ()),
        ("pypi:https://mirror.example/simple/", "pypi", None, "https://mirror.example/simple", ()),
        (
            "pypi:https://index.example/simple=https://mirror.example/simple",
            "pypi",
            "https://index.example/simple",
            "https://mirror.example/simple",
            (),
        ),
        ("apt:mirror.example/ubuntu2204/x86_64/", "apt", None, "https://mirror.example/ubuntu2204/x86_64", ()),
        (
            "status:https://mirrors.example/static/tunasync.json",
            "status",
            None,
            "https://mirrors.example/static/tunasync.json",
            (),
        ),
        (" oci:registry.corp/x ", "oci", None, "https://registry.corp/x", ()),
    ],
)
def test_what_a_source_says(text: str, kind: str, upstream: str | None, mirror: str, tags: tuple[str, ...]) -> None:
    found = parse_source(text)
    assert (found.kind, found.upstream, found.mirror, found.tags) == (kind, upstream, mirror, tags)


def test_the_id_is_the_same_for_the_same_pair_and_names_no_host() -> None:
    one = parse_source("oci:registry.secret-corp.example:5000/ngc/nvidia/tensorrt")
    assert one.id == parse_source("oci:https://registry.secret-corp.example:5000/ngc/nvidia/tensorrt/").id
    assert "secret" not in one.id
    assert one.id.startswith("oci-nvidia-tensorrt-")
    others = (
        "oci:other.example/ngc/nvidia/tensorrt",
        "oci:nvcr.io/nvidia/tensorrt=registry.secret-corp.example:5000/ngc/nvidia/tensorrt",
        "oci:registry.secret-corp.example:5000/ngc/nvidia/tensorrt:26.10-py3",
    )
    assert len({one.id, *(parse_source(text).id for text in others)}) == 4


@pytest.mark.parametrize(
    "text",
    [
        "",
        "corp",
        "oci",
        "oci:",
        "ftp:x/y",
        "OCI:registry.corp/x",
        "oci:=registry.corp/x",
        "oci:nvcr.io/x=",
        "pypi:https://user:s3cret@mirror.example/simple",
        "pypi:https://mirror.example/simple?token=s3cret",
        "apt:https://[::1",
        "oci:a b/c",
        "oci:\x1b[31m/x",
        "status:https://",
    ],
)
def test_what_is_none_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(MirrorError) as caught:
        parse_source(text)
    said = str(caught.value)
    assert "\n" not in said
    assert "s3cret" not in said
    assert "\x1b" not in said
    assert len(said) < 300


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200), st.sampled_from(["", "oci:", "pypi:", "apt:", "status:", "oci:a=", "oci:r.example/"]))
def test_any_text_is_a_source_or_one_line(text: str, head: str) -> None:
    try:
        found = parse_source(head + text)
    except MirrorError as error:
        assert "\n" not in str(error)
        return
    assert isinstance(found, Mirror)
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", found.id)
    assert found.mirror.startswith(("http://", "https://"))
