"""``pip install`` and its relatives: requirements, options with their values, files, projects, lock files."""

from __future__ import annotations

import os
import re
from dataclasses import replace

from trtdoctor.requirements.files import FileError
from trtdoctor.requirements.requirements_txt import include, note_index, requirement
from trtdoctor.requirements.shell import Shell
from trtdoctor.requirements.shellwords import Word
from trtdoctor.requirements.stated import Builder, normalise
from trtdoctor.requirements.target import applies
from trtdoctor.text import clean

INDEXES = {
    "PIP_INDEX_URL": "--index-url",
    "UV_INDEX_URL": "--index-url",
    "UV_DEFAULT_INDEX": "--index-url",
    "PIP_EXTRA_INDEX_URL": "--extra-index-url",
    "UV_EXTRA_INDEX_URL": "--extra-index-url",
    "UV_INDEX": "--extra-index-url",
}
"""Environment variables that name a package index, and the option that each stands for."""
_WITH_VALUE = frozenset(
    (
        *("-r", "--requirement", "-c", "--constraint", "-b", "--build-constraint", "--group", "--extra"),
        *("-i", "--index-url", "--extra-index-url", "-f", "--find-links", "--index", "--default-index"),
        *("-t", "--target", "--prefix", "--root", "--src", "--log", "--report", "--cache-dir", "--link-mode"),
        *("--timeout", "--default-timeout", "--retries", "--proxy", "--trusted-host", "--cert", "--client-cert"),
        *("--platform", "--python-version", "--implementation", "--abi", "--no-binary", "--only-binary"),
        *("-p", "--python", "-C", "--config-settings", "--global-option", "--progress-bar", "--exists-action"),
        *("--upgrade-strategy", "--index-strategy", "--torch-backend"),
    )
)


def install(shell: Shell, words: list[Word]) -> None:
    """What follows ``pip install``, or ``uv add``."""
    shell.step += 1
    made = shell.made
    before = len(made.stated), len(made.undecided)
    upgrade, position = False, 0
    while position < len(words) and not words[position].text.startswith((">", "2>", "<")):
        word = words[position]
        position += 1
        if not word.text.startswith("-"):
            _one(shell, word)
            continue
        name, equals, value = word.text.partition("=")
        if not equals and name in _WITH_VALUE and position < len(words):
            word, value = words[position], words[position].text
            position += 1
        elif name[:2] in ("-r", "-c", "-i", "-f") and len(name) > 2:
            name, value = name[:2], word.text[2:]
        upgrade = upgrade or name in ("-U", "--upgrade", "--force-reinstall")
        if name in ("-r", "--requirement", "-c", "--constraint"):
            _file(shell, value, word, constraint=name in ("-c", "--constraint"))
        else:
            note_index(made, name, value, word.line)
    _count(shell, before, upgrade=upgrade)


def sync(shell: Shell, words: list[Word]) -> None:
    """What follows ``uv pip sync`` or ``pip-sync``: requirements files, whose versions replace what is there."""
    shell.step += 1
    before = len(shell.made.stated), len(shell.made.undecided)
    for word in words:
        if not word.text.startswith("-"):
            _file(shell, word.text, word, constraint=False)
    _count(shell, before, upgrade=True)


def uninstall(shell: Shell, words: list[Word]) -> None:
    """What follows ``pip uninstall``: what earlier commands brought and this one removes."""
    gone = {normalise(word.text) for word in words if not word.text.startswith("-")}
    shell.made.stated = [item for item in shell.made.stated if item.name not in gone or item.constraint]


def lock(shell: Shell, name: str, words: list[Word]) -> None:
    """``uv sync`` and ``poetry install``: the lock file, with the extras and groups that are asked for."""
    path = shell.find(name)
    if path is None or shell.files is None:
        text = " ".join(word.text for word in words[:4])
        shell.made.skip(words[0].line, text, f"{name} is not beside the Dockerfile")
        return
    from trtdoctor.requirements import locks

    texts = [word.text for word in words]
    extras = _values(texts, ("--extra", "-E", "--extras"))
    groups = _values(texts, ("--group", "--with", "--only-group"))
    try:
        found = locks.parse(shell.files.text(path), path, replace(shell.target, extras=extras, groups=groups))
    except FileError as error:
        shell.made.skip(words[0].line, name, clean(str(error), 200))
        return
    shell.step += 1
    before = len(shell.made.stated)
    shell.made.take(found)
    for number in range(before, len(shell.made.stated)):
        shell.made.stated[number] = replace(shell.made.stated[number], step=shell.step, upgrade=True)
    shell.made.includes.append(clean(path, 300))
    shell.locked = True


def _count(shell: Shell, before: tuple[int, int], *, upgrade: bool) -> None:
    """Which command brought what was added since ``before``."""
    made = shell.made
    for number in range(before[0], len(made.stated)):
        made.stated[number] = replace(made.stated[number], step=shell.step, upgrade=upgrade)
    shell.loose = shell.loose or before != (len(made.stated), len(made.undecided))


def _one(shell: Shell, word: Word) -> None:
    """A requirement, or a project (also the one after ``-e``, which is no option with a value here)."""
    made = shell.made
    if not word.known:
        made.skip(word.line, word.text or "a variable", "it depends on what only the build knows")
    elif _is_project(word.text):
        _project(shell, word)
    else:
        item = requirement(word.text, made.at(word.line))
        if item is None:
            made.skip(word.line, word.text, "no name or version can be told by it")
        else:
            made.add(item, applies(item.marker, shell.target))


def _file(shell: Shell, name: str, word: Word, *, constraint: bool) -> None:
    path = shell.find(name) if word.known else None
    if path is None:
        shell.made.skip(word.line, name, "the file is not found beside the Dockerfile")
        return
    inner = Builder(os.path.join(os.path.dirname(path), "-"))
    include(inner, os.path.basename(path), word.line, shell.target, shell.files, constraint=constraint)
    for item in inner.skipped:
        here = item.where.startswith(inner.file)
        shell.made.skipped.append(replace(item, where=shell.made.at(word.line)) if here else item)
    inner.skipped = []
    shell.made.take(inner.done())


def _is_project(text: str) -> bool:
    bare = text.partition("[")[0]
    return bare in (".", "..") or (bare.startswith(("./", "/", "../")) and not bare.endswith((".whl", ".gz", ".zip")))


def _project(shell: Shell, word: Word) -> None:
    """``pip install .``: the dependencies of the project's pyproject.toml, with the extras in brackets."""
    folder, _, extras = word.text.partition("[")
    path = shell.find(os.path.join(folder, "pyproject.toml")) if word.known else None
    if path is None or shell.files is None:
        shell.made.skip(word.line, word.text, "the project is not found beside the Dockerfile")
        return
    from trtdoctor.requirements import pyproject

    names = tuple(name.strip() for name in extras.rstrip("]").split(",") if name.strip())
    try:
        found = pyproject.parse(shell.files.text(path), path, replace(shell.target, extras=names))
    except FileError as error:
        shell.made.skip(word.line, word.text, clean(str(error), 200))
        return
    shell.made.take(found)
    shell.made.includes.append(clean(path, 300))


def _values(texts: list[str], names: tuple[str, ...]) -> tuple[str, ...]:
    found: list[str] = []
    for number, text in enumerate(texts):
        name, equals, value = text.partition("=")
        if name in names:
            chosen = value if equals else texts[number + 1] if number + 1 < len(texts) else ""
            found += [part.strip() for part in re.split(r"[,\s]+", chosen) if part.strip()]
    return tuple(found)
