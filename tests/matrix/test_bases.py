"""Images that Dockerfiles build upon, and what the index offers for a specifier."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtdoctor.matrix import Matrix, bases, load, wheels
from trtdoctor.versions import Version


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    return load()


@pytest.mark.parametrize(
    ("reference", "system", "cuda", "cudnn", "python"),
    [
        ("nvidia/cuda:12.4.1-cudnn-devel-ubuntu22.04", "ubuntu-22.04", "12.4.1", "", None),
        ("docker.io/nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu20.04", "ubuntu-20.04", "11.8.0", "8", None),
        ("nvcr.io/nvidia/cuda:12.2.2-base-ubi8", "rhel-8", "12.2.2", None, None),
        ("python:3.12-slim-bookworm@sha256:00ff", "debian-12", None, None, "3.12"),
        ("python:3.12", None, None, None, "3.12"),
        ("python:3.9-alpine3.20", "alpine", None, None, "3.9"),
        ("ubuntu:jammy-20240111", "ubuntu-22.04", None, None, None),
        ("centos:7", "centos-7", None, None, None),
        ("amazonlinux:2023.4.20240416.0", "amazonlinux-2023", None, None, None),
        ("pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime", None, "12.4", "9", None),
    ],
)
def test_what_a_tag_tells(
    matrix: Matrix, reference: str, system: str | None, cuda: str | None, cudnn: str | None, python: str | None
) -> None:
    found = bases.find(matrix, reference)
    assert found is not None
    assert (found.system.key if found.system else None) == system
    assert (found.cuda, found.cudnn, found.python) == (cuda, cudnn, python)


@pytest.mark.parametrize(
    "reference", ["ubuntu", "mirror.example/python:3.11", "python:latest", "scratch", "", ":", "a:b:c"]
)
def test_what_is_not_known_is_none(matrix: Matrix, reference: str) -> None:
    assert bases.find(matrix, reference) is None


@given(st.text(max_size=60))
def test_no_reference_makes_it_fail(text: str) -> None:
    bases.find(load(), text)


def test_the_newest_that_a_specifier_allows(matrix: Matrix) -> None:
    newest = wheels.newest(matrix, "TensorRT", "")
    assert newest is not None
    assert newest[0] == wheels.versions(matrix, "tensorrt")[0]
    old = wheels.newest(matrix, "tensorrt", ">=10,<10.13")
    assert old is not None
    assert (old[0], old[1].text("flavour")) == ("10.12.0.36", "cu12")
    assert wheels.newest(matrix, "tensorrt", ">=99") is None
    assert wheels.newest(matrix, "tensorrt", "nonsense") is None
    assert wheels.newest(matrix, "flask", "") is None


def test_flavours_by_version(matrix: Matrix) -> None:
    assert wheels.flavours(matrix, "tensorrt", ">=10,<10.13") == {"cu12"}
    assert wheels.flavours(matrix, "tensorrt", ">=10,<11") == {"cu12", "cu13"}
    assert wheels.flavour_of(matrix, "tensorrt", Version.parse("8.6.1")) == "cu12"
    assert wheels.flavour_of(matrix, "tensorrt", Version.parse("8.5.3.1")) == "cu11"
    assert wheels.flavour_of(matrix, "tensorrt", Version.parse("10")) is None
