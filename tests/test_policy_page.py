"""docs/policy.md: its commands say what the page says that they say.

To write their output into the page anew: ``python -m tests.test_policy_page``.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.conftest import ROOT, SNAPSHOTS
from tests.pages import executed
from trtdoctor.config import KEYS, Key

PAGE = ROOT / "docs" / "policy.md"
MACHINES = {"host.json": "h200-trt853.json", "broken.json": "h200-trt853-no-sublibraries.json"}


def written(place: Path) -> str:
    """The page as it is now."""
    for name, recorded in MACHINES.items():
        shutil.copy(SNAPSHOTS / recorded, place / name)
    return executed(PAGE.read_text("utf-8"), place)


def test_the_commands_of_the_page_say_what_it_says(tmp_path: Path) -> None:
    now = written(tmp_path)
    assert "Traceback" not in now
    assert now == PAGE.read_text("utf-8"), "write it anew: python -m tests.test_policy_page"


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS)
def test_the_page_names_every_key_and_its_variable(key: Key) -> None:
    text = PAGE.read_text("utf-8")
    assert f"`{key.name}`" in text
    assert (key.variable or "`") in text


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(written(Path(folder)), "utf-8")
