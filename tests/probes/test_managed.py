"""Whether pip installs into a Python: PEP 668's marker, and what pip is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.probes.roots import context
from trtdoctor.probes.managed import managed

PYTHON = "/usr/bin/python3"


def marked(root: Path) -> None:
    library = root / "usr" / "lib" / "python3.11"
    library.mkdir(parents=True)
    (library / "os.py").touch()
    (library / "EXTERNALLY-MANAGED").touch()


def test_the_marker_is_looked_for_where_the_library_is(tmp_path: Path) -> None:
    asked = context(tmp_path)
    assert managed(asked, PYTHON, "3.11.2") is None
    marked(tmp_path)
    assert managed(asked, PYTHON, "3.11.2") is True
    assert managed(asked, PYTHON, "3.12.0") is None
    assert managed(asked, PYTHON, None) is None
    (tmp_path / "usr" / "lib" / "python3.11" / "EXTERNALLY-MANAGED").unlink()
    assert managed(asked, PYTHON, "3.11.2") is False


def test_in_an_environment_it_does_not_count(tmp_path: Path) -> None:
    marked(tmp_path)
    (tmp_path / "usr" / "pyvenv.cfg").touch()
    assert managed(context(tmp_path), PYTHON, "3.11.2") is False


@pytest.mark.parametrize(("said", "is_kept"), [("1", False), ("True", False), ("on", False), ("0", True), ("", True)])
def test_pip_may_be_told_not_to_care_as_in_nvidias_images(said: str, is_kept: bool, tmp_path: Path) -> None:
    marked(tmp_path)
    assert managed(context(tmp_path, {"PIP_BREAK_SYSTEM_PACKAGES": said}), PYTHON, "3.11.2") is is_kept


@pytest.mark.parametrize(
    ("place", "text", "is_kept"),
    [
        ("etc/pip.conf", "[global]\nbreak-system-packages = true\n", False),
        ("etc/pip.conf", "[install]\nbreak_system_packages: yes\n", False),
        ("etc/pip.conf", "[global]\n# break-system-packages = true\n", True),
        ("etc/pip.conf", "[global]\nbreak-system-packages = false\n", True),
        ("root/.config/pip/pip.conf", "[global]\nbreak-system-packages = 1\n", False),
        ("opt/pip.conf", "[global]\nbreak-system-packages = 1\n", True),
    ],
)
def test_its_configuration_may_say_so(place: str, text: str, is_kept: bool, tmp_path: Path) -> None:
    marked(tmp_path)
    (tmp_path / place).parent.mkdir(parents=True)
    (tmp_path / place).write_text(text)
    assert managed(context(tmp_path, {"HOME": "/root"}), PYTHON, "3.11.2") is is_kept


def test_the_environment_comes_before_the_files_and_the_last_file_wins(tmp_path: Path) -> None:
    marked(tmp_path)
    for place, said in (("etc/pip.conf", "true"), ("opt/pip.conf", "false")):
        (tmp_path / place).parent.mkdir(parents=True)
        (tmp_path / place).write_text(f"[global]\nbreak-system-packages = {said}\n")
    assert managed(context(tmp_path, {"PIP_CONFIG_FILE": "/opt/pip.conf"}), PYTHON, "3.11.2") is True
    told = {"PIP_CONFIG_FILE": "/opt/pip.conf", "PIP_BREAK_SYSTEM_PACKAGES": "1"}
    assert managed(context(tmp_path, told), PYTHON, "3.11.2") is False
