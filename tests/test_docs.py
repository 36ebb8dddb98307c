"""What is generated has not drifted; the README's commands are the ones that work."""

from __future__ import annotations

import re
import subprocess
import sys

from tests.conftest import ROOT
from trtdoctor.matrix import Matrix
from trtdoctor.ruledoc import sections_of, sources_of
from trtdoctor.rules import BY_CODE, FAMILIES, RULES


def test_generated_pages_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "generate.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_has_a_code_of_its_family_a_page_and_known_relations() -> None:
    prefixes = {prefix for prefix, _, _ in FAMILIES}
    assert len(BY_CODE) == len(RULES), "a code is used twice"
    assert len({rule.name for rule in RULES}) == len(RULES), "a name is used twice"
    for rule in RULES:
        assert re.fullmatch(r"[A-Z]{3}\d{3}", rule.code)
        assert rule.code[:3] in prefixes
        homes = {prefix: {module.__name__ for module in modules} for prefix, _, modules in FAMILIES}
        assert rule.check.__module__ in homes[rule.code[:3]]
        assert 1 <= len(rule.components) <= 3
        assert set(rule.silenced_by) <= set(BY_CODE), rule.code
        assert all(sections_of(rule).values())


def test_the_readme_names_only_real_commands_and_rules() -> None:
    from trtdoctor.cli import COMMANDS

    text = (ROOT / "README.md").read_text("utf-8")
    for name in re.findall(r"trtdoctor ([a-z]+(?:-[a-z]+)*)\b", text):
        assert name in COMMANDS, name
    for code in re.findall(r"\b(?:CTR|DRV|GPU|TRT|CUD|DNN|PYT|API)\d{3}\b", text):
        assert code in BY_CODE, code


def test_the_matrix_readme_names_every_file() -> None:
    text = (ROOT / "matrix" / "README.md").read_text("utf-8")
    assert [path.name for path in (ROOT / "matrix").glob("*.yaml") if f"`{path.name}`" not in text] == []


def test_every_source_of_a_rule_is_one_of_the_matrix_or_an_address(matrix: Matrix) -> None:
    for rule in RULES:
        if rule.code[:3] != "POL":  # a site's own rule rests on its overlay
            for source in sources_of(rule, matrix.source_url):
                assert ": " in source or source.startswith("https://"), f"{rule.code}: {source}"
