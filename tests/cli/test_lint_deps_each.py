"""``lint-deps --each``: files that are not of one environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.run import complains, run

DAY = ("--as-of", "2026-11-23")


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Two that fit by themselves and contradict each other, and one that cannot be read."""
    texts = {
        "a/requirements.txt": "tensorrt-cu12==10.9.0.34\n",
        "b/requirements.txt": "tensorrt-cu13==11.4.0.106\n",
        "c/pyproject.toml": "[project\n",
    }
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    return [str(tmp_path / name) for name in texts]


def test_each_file_is_an_environment_of_its_own(files: list[str]) -> None:
    together = run("lint-deps", *files[:2], *DAY, "--fail-on", "warning")
    apart = run("lint-deps", "--each", *files[:2], *DAY, "--fail-on", "warning")
    assert (together.code, apart.code) == (1, 0), apart.out
    assert [line for line in apart.out.splitlines() if line in files] == files[:2]


def test_one_that_cannot_be_read_stops_no_other(files: list[str]) -> None:
    ran = run("lint-deps", "--each", *reversed(files), *DAY)
    assert ran.code == 2
    assert "not judged: " in ran.out
    assert [line for line in ran.out.splitlines() if line in files] == files[::-1]
    assert "Traceback" not in ran.err


def test_the_worst_exit_code_counts(files: list[str], tmp_path: Path) -> None:
    bad = tmp_path / "requirements.txt"
    bad.write_text("tensorrt-cu12==10.9.0.34\nonnxruntime-gpu==1.15.0\nnvidia-tensorrt==99.0.0\n")
    alone = run("lint-deps", str(bad), *DAY, "--fail-on", "warning")
    assert alone.code == 1, alone.out
    assert run("lint-deps", "--each", files[0], str(bad), files[1], *DAY, "--fail-on", "warning").code == 1


def test_one_file_is_as_without(files: list[str]) -> None:
    assert run("lint-deps", "--each", files[0], *DAY) == run("lint-deps", files[0], *DAY)


@pytest.mark.parametrize("words", [("--format", "json"), ("-o", "json:-")])
def test_several_reports_do_not_fit_into_one_document(files: list[str], words: tuple[str, ...]) -> None:
    assert "--each" in complains(run("lint-deps", "--each", *files[:2], *words))
