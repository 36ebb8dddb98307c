"""Programs that the tests of mirrors run: without one they say what they skip, and in CI that is a failure."""

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
        words = f"{name} is not installed: apt-get install {PACKAGES.get(name, name)} (.ci/packages does)"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(words)
        pytest.skip(words)
    return found
