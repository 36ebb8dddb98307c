"""``conda install``, ``conda env update`` and their relatives: packages, and environment files."""

from __future__ import annotations

from trtdoctor.requirements import conda
from trtdoctor.requirements.files import FileError
from trtdoctor.requirements.shell import Shell
from trtdoctor.requirements.shellwords import Word
from trtdoctor.requirements.specifiers import known_part
from trtdoctor.text import clean

_ACTIONS = ("install", "create", "update")
_FILES = ("-f", "--file")
_WITH_VALUE = ("-c", "--channel", "-n", "--name", "-p", "--prefix", *_FILES)


def take(shell: Shell, words: list[Word]) -> None:
    """What follows ``conda``, ``mamba`` or ``micromamba``."""
    texts = [word.text for word in words]
    if not any(action in texts for action in _ACTIONS):
        return
    value = False
    for number, word in enumerate(words):
        if value or word.text in (*_ACTIONS, "env"):
            value = False
            continue
        name, equals, attached = word.text.partition("=")
        if name in _FILES and (equals or number + 1 < len(words)):
            _file(shell, Word(attached, word.line, word.known) if equals else words[number + 1])
        if word.text in _WITH_VALUE:
            value = True
        elif not word.text.startswith("-") and word.known:
            item = conda.package(word.text, shell.made.at(word.line))
            if item is not None:
                shell.conda.append(item)
                version = known_part(item.specifier) if item.name == "python" else None
                if version is not None:
                    shell.made.facts.update(python=version, python_at=item.where)


def _file(shell: Shell, word: Word) -> None:
    path = shell.find(word.text) if word.known else None
    if path is None or shell.files is None:
        shell.made.skip(word.line, word.text, "the file is not found beside the Dockerfile")
        return
    try:
        found = conda.parse(shell.files.text(path), path, shell.target, shell.files)
    except FileError as error:
        shell.made.skip(word.line, word.text, clean(str(error), 200))
        return
    shell.made.take(found)
    shell.made.includes.append(clean(path, 300))
    shell.conda += found.conda
    if found.python is not None and found.python_at is not None:
        shell.made.facts.update(python=found.python, python_at=found.python_at)
