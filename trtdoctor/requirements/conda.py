"""``environment.yml`` of conda: its packages, and what its ``pip:`` section names."""

from __future__ import annotations

import re
from typing import Any

from trtdoctor.requirements.files import FileError, Files
from trtdoctor.requirements.requirements_txt import take_line
from trtdoctor.requirements.specifiers import known_part, of_conda
from trtdoctor.requirements.stated import Builder, Requirements, Stated, normalise
from trtdoctor.requirements.target import Target

_ENTRY = re.compile(
    r"(?:(?P<channel>[^\s\[\]=<>!~]+)::)?(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*)\s*(?P<rest>[\s=<>!~*0-9][^#\[]*)?(?:\[.*\])?"
)
_LONGEST = 400


def parse(text: str, file: str, target: Target, files: Files | None = None) -> Requirements:
    """What an environment file states. Raises FileError when it is no YAML of that form."""
    from trtdoctor.yamlfile import YamlError, compose

    try:
        root = compose(text)
    except YamlError as error:
        raise FileError(f"{file}: not YAML: {error}") from None
    made = Builder(file)
    found: list[Stated] = []
    dependencies = _member(root, "dependencies")
    if dependencies is None or not isinstance(dependencies.value, list):
        raise FileError(f"{file}: no conda environment: it has no list of dependencies")
    for node in dependencies.value:
        if isinstance(node.value, str):
            item = package(node.value, made.at(_line(node)))
            if item is None:
                made.skip(_line(node), node.value, "no name or version can be told by it")
            else:
                found.append(item)
                _python(made, item)
        else:
            for key, value in _members(node):
                if key == "pip" and isinstance(value.value, list):
                    for entry in value.value:
                        text = entry.value if isinstance(entry.value, str) else ""
                        take_line(made, text, _line(entry), target, files)
                else:
                    made.skip(_line(node), key, "a section that is not read")
    return made.done(conda=tuple(found))


def package(text: str, where: str) -> Stated | None:
    """A conda package with its version, ``NAME=VERSION=BUILD`` or ``NAME >=1,<2``; None for anything else."""
    match = _ENTRY.fullmatch(text.strip()) if len(text) < _LONGEST else None
    if match is None:
        return None
    rest = (match["rest"] or "").strip()
    build = re.fullmatch(r"(=?[^=\s<>!~]+)=([^=\s]+)", rest)  # the build plays no part
    exact = re.fullmatch(r"=?=?\s*([^=\s<>!~]+)\s+\S+", rest)
    version = f"=={build[1].lstrip('=')}" if build else f"=={exact[1]}" if exact else rest
    specifier = of_conda(version) if version else ""
    if specifier is None:
        specifier = ""
    return Stated(normalise(match["name"]), where, specifier, source="conda")


def _python(made: Builder, item: Stated) -> None:
    version = known_part(item.specifier) if item.name == "python" else None
    if version is not None:
        made.facts.update(python=version, python_at=item.where)


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


def _members(node: Any) -> list[tuple[str, Any]]:
    pairs = node.value if isinstance(node.value, list) else []
    return [(str(pair[0].value), pair[1]) for pair in pairs if isinstance(pair, tuple) and len(pair) == 2]


def _member(node: Any, name: str) -> Any:
    return next((value for key, value in _members(node) if key == name), None) if node is not None else None
