"""docs/mirror.md: its tables and its example are what the program has and says.

To write them into the page anew: ``python -m tests.mirror.test_mirror_page``.
"""

from __future__ import annotations

import re
from datetime import date

import pytest

from tests.conftest import ROOT
from tests.mirror.facts import BUILDS, cu13, pypi
from trtdoctor.config.mirrors import FIELDS
from trtdoctor.matrix import load
from trtdoctor.mirror.report import judged
from trtdoctor.mirror_facts import KINDS, STATES, SYNCS
from trtdoctor.policy import Policy
from trtdoctor.render import render_mirrors
from trtdoctor.rules import RULES

PAGE = ROOT / "docs" / "mirror.md"
NEW, MIDDLE, OLD = "11.4.0.106", "11.3.0.99", "10.16.1.11"


def example() -> str:
    source = pypi((*cu13(NEW), *cu13(MIDDLE), *cu13(OLD), *BUILDS), (*cu13(OLD), *BUILDS))
    report, _ = judged((source,), load(), as_of=date(2026, 11, 22), policy=Policy(max_lag_days=30))
    text = render_mirrors(report, "table").rstrip("\n")
    return f"```text\n{text[: text.rindex(chr(10))].rstrip()}\n```"


def table(words: dict[str, str]) -> str:
    return "\n".join(["| state | means |", "|---|---|", *(f"| `{word}` | {means} |" for word, means in words.items())])


def rules() -> str:
    lines = ["| code | | at most |", "|---|---|---|"]
    for rule in RULES:
        if rule.code.startswith("MIR"):
            what = (rule.check.__doc__ or "").partition("\n")[0].rstrip(".")
            lines.append(f"| [{rule.code}](rules/{rule.code}.md) | {what} | {rule.severity.value} |")
    return "\n".join(lines)


def written() -> str:
    """The page with what is made for it."""
    text = PAGE.read_text("utf-8")
    made = {"example": example(), "states": table(STATES), "syncs": table(SYNCS), "rules": rules()}
    for name, content in made.items():
        block = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        found = block.search(text)
        assert found is not None, name
        text = f"{text[: found.start()]}{found[1]}{content}\n{found[2]}{text[found.end() :]}"
    return text


def test_the_page_says_what_the_program_has_and_says() -> None:
    assert written() == PAGE.read_text("utf-8"), "write it anew: python -m tests.mirror.test_mirror_page"


@pytest.mark.parametrize("key", FIELDS)
def test_the_page_names_every_key(key: str) -> None:
    assert f"`{key}`" in PAGE.read_text("utf-8")


def test_the_page_names_every_kind_and_only_pages_that_are_there() -> None:
    text = PAGE.read_text("utf-8")
    assert all(f"| `{kind}` |" in text for kind in KINDS)
    for link in set(re.findall(r"\]\(([a-zA-Z/.-]+[\w.-]*)\)", text)):
        assert (PAGE.parent / link).exists(), link


if __name__ == "__main__":
    PAGE.write_text(written(), "utf-8")
