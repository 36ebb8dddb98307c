"""docs/plan.md: its commands say what the page says that they say, and its weights are those that rank.

To write both into the page anew: ``python -m tests.test_plan_page``.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from tests.conftest import ROOT
from tests.pages import executed
from trtdoctor.cli.plan import command
from trtdoctor.plan import model

PAGE = ROOT / "docs" / "plan.md"
ADDED = {
    "each further package": model.ONE_MORE,
    "comes another way": model.OTHER_WAY,
    "leaves its image": model.LEAVING,
    "becomes another release": model.OTHER_RELEASE,
    "becomes another major": model.OTHER_MAJOR,
    "moves on by more": model.FARTHER,
    "is for another CUDA": model.OTHER_CUDA,
    "becomes older": model.OLDER,
    "is not confirmed": model.UNSURE,
}
"""What a row of the page begins with to its weight."""
_WEIGHT = re.compile(r"^\| (`([a-z-]+)`: .*|[a-z].*?) \| \d+ \|$", re.MULTILINE)


def weighed(text: str) -> tuple[str, list[str]]:
    """The page with the weights as they are now, and what it gives a weight for."""
    told: list[str] = []

    def row(match: re.Match[str]) -> str:
        kind = match[2]
        words = next((words for words in ADDED if match[1].startswith(words)), None)
        told.append(kind or words or match[1])
        return f"| {match[1]} | {model.KINDS[kind] if kind else ADDED[told[-1]]} |"

    return _WEIGHT.sub(row, text), told


def written(place: Path) -> str:
    """The page as it is now."""
    return executed(weighed(PAGE.read_text("utf-8"))[0], place)


def test_the_commands_of_the_page_say_what_it_says(tmp_path: Path) -> None:
    now = written(tmp_path)
    assert "Traceback" not in now
    assert now == PAGE.read_text("utf-8"), "write it anew: python -m tests.test_plan_page"


def test_the_page_gives_every_weight_as_it_is() -> None:
    text = PAGE.read_text("utf-8")
    now, told = weighed(text)
    assert now == text, "write it anew: python -m tests.test_plan_page"
    assert sorted(told) == sorted([*model.KINDS, *ADDED])
    numbers = [value for name, value in vars(model).items() if name.isupper() and isinstance(value, int)]
    assert len(numbers) == len(ADDED), "a weight that the page does not have"


def test_the_page_names_what_the_command_takes() -> None:
    text = PAGE.read_text("utf-8")
    shared = {"--matrix", "--overlay", "--config", "--no-config", "--output", "--as-of", "--python", "--help"}
    for parameter in command.params:
        names = {name for name in parameter.opts if name.startswith("--")}
        assert not names or names & shared or any(name in text for name in names), names


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        PAGE.write_text(written(Path(folder)), "utf-8")
