"""What the tests of mirrors run: without it they say what they skip, and in CI that is a failure."""

from __future__ import annotations

import importlib.util
import os
import shutil
from typing import NoReturn

import pytest

PACKAGES = {"apt-ftparchive": "apt-utils"}
"""Program to the Debian package that has it, where that is called otherwise."""


def program(name: str) -> str:
    """The path of a program. Skips the test where it is not installed, and fails it in CI (``CI=true``)."""
    found = shutil.which(name)
    if found is None:
        _without(f"{name} is not installed: apt-get install {PACKAGES.get(name, name)} (.ci/packages does)")
    return str(found)


def package(name: str) -> str:
    """A Python package of the extra ``test``, by the name that it is imported by. Else as :func:`program`."""
    if importlib.util.find_spec(name) is None:
        _without(f"the Python package {name} is not installed: pip install -e '.[test]'")
    return name


def _without(words: str) -> NoReturn:
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(words)
    pytest.skip(words)
