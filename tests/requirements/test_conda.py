"""environment.yml of conda."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trtdoctor.requirements import FileError, Files, Target
from trtdoctor.requirements.conda import package, parse

TARGET = Target()

ENVIRONMENT = """\
name: serving
channels: [conda-forge, nvidia]
dependencies:
  - python=3.10
  - nvidia::cuda-toolkit=12.4.1
  - conda-forge::cudnn >=9,<10
  - pytorch=2.5.1=cuda124*
  - cuda-version=12.4
  - pip
  - pip:
      - --extra-index-url https://pypi.nvidia.com
      - tensorrt==8.6.1   # old
      - -r extra.txt
      - "onnxruntime-gpu==1.22.0 ; python_version >= '3.10'"
  - 12
"""


def test_packages_and_the_pip_section_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "extra.txt").write_text("polygraphy==0.49.26\n")
    file = tmp_path / "environment.yml"
    file.write_text(ENVIRONMENT)
    found = parse(ENVIRONMENT, str(file), Target(python="3.10"), Files())
    conda = {item.name: (item.specifier, int(item.where.rpartition(":")[2])) for item in found.conda}
    assert conda == {
        "python": ("==3.10.*", 4),
        "cuda-toolkit": ("==12.4.1.*", 5),
        "cudnn": (">=9,<10", 6),
        "pytorch": ("==2.5.1", 7),
        "cuda-version": ("==12.4.*", 8),
        "pip": ("", 9),
        "12": ("", 15),
    }
    pip = {item.name: (item.specifier, Path(item.where).name) for item in found.stated}
    assert pip == {
        "tensorrt": ("==8.6.1", "environment.yml:12"),
        "polygraphy": ("==0.49.26", "extra.txt:1"),
        "onnxruntime-gpu": ("==1.22.0", "environment.yml:14"),
    }
    assert (found.python, Path(found.python_at or "").name) == ("3.10", "environment.yml:4")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a\n- b\n", "no list of dependencies"),
        ("dependencies: 3\n", "no list of dependencies"),
        ("", "no list of dependencies"),
        ("a: [", "not YAML"),
        ("a: &x [1]\nb: *x\n", "aliases"),
        ("a: " + "[" * 90, "nested deeper"),
    ],
)
def test_what_is_no_environment_is_refused(text: str, said: str) -> None:
    with pytest.raises(FileError, match=said):
        parse(text, "environment.yml", TARGET)


@given(st.text(max_size=80))
def test_no_entry_makes_it_fail(text: str) -> None:
    package(text, "e.yml:1")


@given(
    st.lists(
        st.one_of(
            st.text(max_size=20), st.integers(), st.none(), st.dictionaries(st.text(max_size=4), st.text(max_size=6))
        ),
        max_size=5,
    )
)
def test_lists_of_anything_are_taken(entries: list[object]) -> None:
    import yaml

    text = yaml.safe_dump({"dependencies": entries})
    found = parse(text, "e.yml", TARGET)
    places = [*(item.where for item in found.conda), *(item.where for item in found.skipped)]
    assert all(1 <= int(where.rpartition(":")[2]) <= text.count("\n") + 1 for where in places)
