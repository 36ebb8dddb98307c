"""Versions: parsing, comparing what is only partly known, decoding numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet
from packaging.version import Version as Pep440

from trtdoctor.versions import (
    Answer,
    Version,
    VersionError,
    decode_cublas,
    decode_cuda,
    decode_cudnn,
    decode_tensorrt,
    within,
)

NUMBERS = st.lists(st.integers(0, 999), min_size=1, max_size=4)


def version(parts: list[int]) -> Version:
    return Version(".".join(map(str, parts)))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("10.9.0.34", (10, 9, 0, 34)),
        ("R580", (580,)),
        ("v11.1", (11, 1)),
        ("535.104.05", (535, 104, 5)),
        ("10.0.0b6", (10, 0, 0)),
        ("9.0.1.post11.dev4", (9, 0, 1)),
        ("10.2.0.post1", (10, 2, 0)),
        ("2.9.1+cu128", (2, 9, 1)),
        ("11.7 update 1", (11, 7)),
        ("12.x", (12,)),
        ("1:10.9.0.34-1+cuda12.8", (10, 9, 0, 34)),
        ("13.0.1.012", (13, 0, 1, 12)),
    ],
)
def test_forms_that_nvidia_uses(text: str, parts: tuple[int, ...]) -> None:
    assert Version(text).parts == parts


@pytest.mark.parametrize("text", ["", "latest", "10..9", "-1", "10.9; rm -rf /", "10.9\n11", "٣.١", "1" * 40])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(VersionError):
        Version(text)
    assert Version.maybe(text) is None


@given(st.text(max_size=60))
def test_parsing_never_raises_anything_else(text: str) -> None:
    found = Version.maybe(text)
    assert found is None or found.parts


@given(NUMBERS, NUMBERS)
def test_full_versions_compare_as_pep440_does(left: list[int], right: list[int]) -> None:
    size = max(len(left), len(right))
    first, second = version(left + [0] * (size - len(left))), version(right + [0] * (size - len(right)))
    expected = Pep440(str(first)) >= Pep440(str(second))
    assert first.at_least(second) is Answer.of(expected)
    assert first.below(second) is Answer.of(not expected)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_a_partial_version_answers_only_what_every_release_of_it_agrees_on(
    head: list[int], tail: list[int], bound: list[int]
) -> None:
    partial, full, limit = version(head), version(head + tail), version(bound)
    said = partial.at_least(limit)
    if said is not Answer.UNKNOWN:
        assert full.at_least(limit) in (said, Answer.UNKNOWN)


@given(NUMBERS, NUMBERS)
def test_same_as_is_symmetric_and_a_prefix_is_unknown(left: list[int], right: list[int]) -> None:
    first, second = version(left), version(right)
    assert first.same_as(second) is second.same_as(first)
    assert version(left).same_as(version([*left, 7])) is Answer.UNKNOWN


def test_partial_versions_are_intervals() -> None:
    assert Version("8.6").at_least(Version("8.6.1")) is Answer.UNKNOWN
    assert Version("8.6").at_least(Version("8.6.0")) is Answer.YES
    assert Version("8.6").at_least(Version("8.7")) is Answer.NO
    assert Version("535").at_least(Version("535.104.05")) is Answer.UNKNOWN
    assert Version("570.26").at_least(Version("570.124.06")) is Answer.NO
    assert Version("580.65.06").at_least(Version("R580")) is Answer.YES


def test_answers_combine() -> None:
    yes, no, unknown = Answer.YES, Answer.NO, Answer.UNKNOWN
    assert ~unknown is unknown
    assert Answer.all([]) is yes
    assert Answer.all([yes, unknown]) is unknown
    assert Answer.all([unknown, no]) is no
    assert Answer.agreed([no, no]) is no
    assert Answer.agreed([no, yes]) is unknown
    assert Answer.agreed([]) is unknown


def test_numeric_encodings() -> None:
    assert str(decode_cuda(12040)) == "12.4"
    assert str(decode_cuda(13050)) == "13.5"
    assert decode_cuda(0) is None
    assert str(decode_cudnn(8907)) == "8.9.7"
    assert str(decode_cudnn(91400)) == "9.14.0"
    assert str(decode_tensorrt(8601)) == "8.6.1"
    assert str(decode_tensorrt(101303)) == "10.13.3"
    assert str(decode_cublas(120804)) == "12.8.4"
    assert decode_cublas(-1) is None


@given(st.integers(11, 20), st.integers(0, 99))
def test_cuda_encoding_round_trips(major: int, minor: int) -> None:
    assert decode_cuda(1000 * major + 10 * minor) == Version(f"{major}.{minor}")


@pytest.mark.parametrize(
    ("text", "specifier", "answer"),
    [
        ("10.2.0", "==10.2.0", Answer.YES),
        ("10.2.0.19", "==10.2.0", Answer.YES),
        ("10.2.0.post1", "==10.2.0", Answer.NO),
        ("10.2", "==10.2.0", Answer.UNKNOWN),
        ("10.2.5", "==10.2.*", Answer.YES),
        ("10.20", "==10.2.*", Answer.NO),
        ("10.8", ">=10.3,<11", Answer.YES),
        ("10", ">=10.3,<11", Answer.UNKNOWN),
        ("11.0", ">=10.3,<11", Answer.NO),
        ("13.4.2", "~=13.0", Answer.YES),
        ("14.0", "~=13.0", Answer.NO),
        ("13.0.5", "~=13.0.3", Answer.YES),
        ("13.1", "~=13.0.3", Answer.NO),
        ("1.3.0rc14", "<1.3.0rc15", Answer.YES),
        ("1.3.0rc15", "<1.3.0rc15", Answer.NO),
        ("1.3.0", "<1.3.0rc15", Answer.NO),
        ("8.6.1", "!=8.6.0", Answer.YES),
        ("8.6", "<=8.6.1", Answer.UNKNOWN),
        ("8.6.1.6", "<=8.6.1", Answer.YES),
        ("9", ">8.6.1", Answer.YES),
    ],
)
def test_specifiers_with_partial_versions(text: str, specifier: str, answer: Answer) -> None:
    assert within(Version(text), specifier) is answer


@given(NUMBERS, NUMBERS, st.sampled_from(["<", ">=", "~="]))
def test_specifiers_agree_with_packaging_on_whole_versions(left: list[int], right: list[int], operator: str) -> None:
    size = max(len(left), len(right), 2)
    first, second = (version(parts + [0] * (size - len(parts))) for parts in (left, right))
    expected = SpecifierSet(f"{operator}{second}").contains(str(first))
    assert within(first, f"{operator}{second}") is Answer.of(expected)


@given(st.text(max_size=20))
def test_what_is_no_specifier_is_refused(text: str) -> None:
    try:
        within(Version("1.0"), text)
    except VersionError as error:
        assert "\n" not in str(error)
