"""What a specifier says without an index."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from trtdoctor.requirements.specifiers import known_part, of_caret, of_conda, pinned
from trtdoctor.versions import Version


@pytest.mark.parametrize(
    ("specifier", "part"),
    [
        ("==10.9.0.34", "10.9.0.34"),
        ("===10.9.0.34", "10.9.0.34"),
        ("==10.*", "10"),
        ("==10.9.*", "10.9"),
        ("~=10.9.0", "10.9"),
        ("~=10.9", "10"),
        (">=10,<11", "10"),
        (">=10.2,<10.9", "10"),
        (">=10.2.1,<10.3", "10.2"),
        (">=8.6,<=8.6.1", "8.6"),
        ("!=10.8,>=10.2,<11", "10"),
        ("", None),
        (">=10", None),
        ("<11", None),
        (">=8.6,<11", None),
        (">=10.2,<12", None),
        (">=11,<10", None),
        ("nonsense", None),
    ],
)
def test_the_part_that_all_allowed_versions_share(specifier: str, part: str | None) -> None:
    assert known_part(specifier) == part


NUMBERS = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
CLAUSES = st.one_of(
    st.tuples(st.sampled_from([">=", "<", "<=", ">", "!="]), NUMBERS).map("".join),
    st.tuples(st.just("=="), NUMBERS, st.sampled_from(["", ".*"])).map("".join),
    st.tuples(st.just("~="), NUMBERS.filter(lambda text: "." in text)).map("".join),
)


@given(st.lists(CLAUSES, min_size=1, max_size=3).map(",".join), NUMBERS)
def test_no_allowed_version_lies_outside_of_the_known_part(specifier: str, version: str) -> None:
    part = known_part(specifier)
    if part is None or version not in SpecifierSet(specifier):
        return
    padded = Version.parse(version + ".0" * (8 - version.count(".") - 1))
    assert padded.may_be(Version.parse(part)) or pinned(specifier) is not None


@given(st.text(max_size=60))
def test_no_text_makes_it_fail(text: str) -> None:
    known_part(text)
    of_caret(text)
    of_conda(text)


@pytest.mark.parametrize(
    ("poetry", "plain"),
    [
        ("^10.2", ">=10.2,<11"),
        ("^0.20.1", ">=0.20.1,<0.21"),
        ("~10.9.0", ">=10.9.0,<10.10"),
        ("~10", ">=10,<11"),
        ("10.9.0.34", "==10.9.0.34"),
        ("10.*", "==10.*"),
        ("*", ""),
        (">=10,<11", ">=10,<11"),
        ("^10 || ^11", None),
    ],
)
def test_poetrys_forms(poetry: str, plain: str | None) -> None:
    assert of_caret(poetry) == plain


@pytest.mark.parametrize(
    ("conda", "plain"),
    [
        ("=12.4", "==12.4.*"),
        ("==12.4.1", "==12.4.1"),
        ("12.4.*", "==12.4.*"),
        (">=9,<10", ">=9,<10"),
        ("*", ""),
        ("9.1|9.2", None),
    ],
)
def test_condas_forms(conda: str, plain: str | None) -> None:
    assert of_conda(conda) == plain
