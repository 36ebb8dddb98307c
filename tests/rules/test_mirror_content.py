"""MIR104, MIR105, MIR204: whether what a mirror has is what upstream has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.mirror.facts import BUILDS, apt, cu13, debs, inside, oci, pypi, tag
from tests.rules.mirrors import codes, judged, only
from trtdoctor.matrix import load
from trtdoctor.mirror_facts import MirrorSide
from trtdoctor.policy import Clause, Policy

NEW = "11.4.0.106"
PINS = (*cu13(NEW), *BUILDS)
DEB = "10.16.1.11-1+cuda13.2"

# -- MIR104 ------------------------------------------------------------------------------------------------------------


def test_a_repository_in_the_middle_of_a_sync() -> None:
    items = [replace(item, state="unknown", evidence=None, files=()) for item in debs(DEB)]
    source = apt(*items)
    sides = tuple(
        replace(side, state="inconsistent", detail="Packages.gz is not what Release says")
        if side.role == "mirror"
        else side
        for side in source.sides
    )
    report = judged(replace(source, sides=sides))
    finding = only(report, "MIR104")
    assert finding.severity.value == "error"
    assert "Packages.gz" in finding.detail
    assert "MIR101" not in codes(report)
    assert "contradicts itself" in report.headline
    upstream = apt(*debs(DEB), states={"upstream": "inconsistent"})
    assert codes(judged(upstream), "MIR104") == {"MIR104": "warning"}


def test_a_file_of_another_content() -> None:
    source = pypi(PINS, PINS)
    other = tuple(
        replace(item, state="differs", evidence="sha256", detail=f"{item.name} is not upstream's")
        if item.project == "tensorrt-cu13-libs"
        else item
        for item in source.items
    )
    finding = only(judged(replace(source, items=other)), "MIR104")
    assert "tensorrt-cu13-libs 11.4.0.106" in finding.title
    assert codes(judged(source), "MIR104") == {}
    assert codes(judged(oci(tag("26.10-py3", "differs"))), "MIR104") == {}  # a tag may move: MIR204


# -- MIR105 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("versions", "words"),
    [
        ({"tensorrt": "8.6.1.6", "cuda": "12.3.2", "cudnn": "9.24.0.43"}, "needs cuDNN 8"),
        ({"tensorrt": "11.3.0.99", "cuda": "11.8.0"}, "not built for CUDA 11"),
        ({"tensorrt": "10.9.0.34", "cuda": "12.8.1"}, "the tag is that of TensorRT"),
        ({"tensorrt": "10.9.0.34"}, "the tag is that of TensorRT"),
    ],
)
def test_parts_that_do_not_belong_together(versions: dict[str, str], words: str) -> None:
    source = oci(tag("26.08-py3", "differs", components=inside("mirror", **versions)))
    finding = only(judged(source), "MIR105")
    assert finding.severity.value == "warning"
    assert words in finding.title


def own(text: str) -> str | None:
    """The TensorRT of NVIDIA's own image of that tag."""
    from trtdoctor.matrix import containers

    row = containers.find(load(), f"nvidia/tensorrt:{text}")
    assert row is not None
    return row.text("tensorrt")


@pytest.mark.parametrize("state", ["differs", "extra", "gone-upstream", "same", "present"])
def test_parts_that_do(state: str) -> None:
    known = own("26.08-py3")
    assert known is not None
    source = oci(tag("26.08-py3", state, components=inside("mirror", tensorrt=known, cuda="13.2.0")))
    assert "MIR105" not in codes(judged(source))


@pytest.mark.parametrize("state", ["same", "present", "missing"])
def test_nvidias_own_images_are_of_one_piece(state: str) -> None:
    """Whatever the matrix would expect of it."""
    source = oci(tag("26.08-py3", state, components=inside(tensorrt="8.6.1.6", cuda="13.2.0", cudnn="9.24.0")))
    assert "MIR105" not in codes(judged(source))


def test_an_image_of_ones_own_with_what_nobody_knows() -> None:
    source = oci(tag("internal-7", "extra", components=inside("mirror", tensorrt="99.1.0", cuda="13.2.0")))
    assert "MIR105" not in codes(judged(source))
    assert "MIR105" not in codes(judged(oci(tag("26.10-py3", "differs"))))


# -- MIR204 ------------------------------------------------------------------------------------------------------------


def test_a_tag_that_has_moved() -> None:
    report = judged(oci(tag("26.10-py3", "differs"), tag("26.09-py3", "differs"), tag("26.08-py3")))
    finding = only(report, "MIR204")
    assert finding.severity.value == "warning"
    assert "26.10-py3 and 26.09-py3" in finding.title
    assert "sha256:222222222222 here, sha256:111111111111 upstream" in finding.facts[0].value


def test_a_tag_that_has_not() -> None:
    assert "MIR204" not in codes(judged(oci(tag("26.10-py3"), tag("26.09-py3", "present"))))
    assert "MIR204" not in codes(judged(oci(tag("26.10-py3", "missing-platform", missing=("linux/arm64",)))))
    denied = Policy(deny=(Clause("image", "26.10-*"),))
    assert "MIR204" not in codes(judged(oci(tag("26.10-py3", "differs")), policy=denied))


def test_what_a_side_is_called_is_hidden_where_others_read() -> None:
    """Findings name the id of a source; its host stands only in the place of a fact."""
    source = replace(oci(tag("26.10-py3", "differs")), sides=(MirrorSide("mirror", "https://secret.corp/x"),))
    finding = only(judged(source), "MIR204")
    assert "secret.corp" not in f"{finding.title}{finding.detail}{finding.breaks}{finding.fix}"
