"""Commands of a Dockerfile that install something: told by their names, whatever runs them; apt and dnf are read here.

``pip_commands`` reads what pip, uv and Poetry are told, ``conda_commands`` what conda is.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace

from trtdoctor.requirements import pip_commands
from trtdoctor.requirements.requirements_txt import note_index
from trtdoctor.requirements.shell import Shell
from trtdoctor.requirements.shellwords import Command, Word, commands
from trtdoctor.requirements.stated import MAX_STATED, Builder, SystemPackage

_PIP = re.compile(r"(?:.*/)?pip(?:3(?:\.\d+)?)?")
_PYTHON = re.compile(r"(?:.*/)?(?:python(?:3(?:\.\d+)?)?|py)")
_APT = re.compile(r"(?:.*/)?(apt|apt-get|aptitude|yum|dnf|microdnf|tdnf|zypper)")
_CONDA = re.compile(r"(?:.*/)?(?:conda|mamba|micromamba)")
_SHELL = re.compile(r"(?:.*/)?(?:ba|da|z|k|a)?sh")
_PACKAGE = re.compile(r"([a-z0-9][a-z0-9+._-]*?)(?::[a-z0-9]+)?(?:=([0-9][A-Za-z0-9.+:~_*-]*))?")
_RPM = re.compile(r"([A-Za-z0-9][A-Za-z0-9+._-]*?)(?:-([0-9][A-Za-z0-9.+:~_-]*?))?(?:\.(?:x86_64|aarch64|noarch))?")
_SYSTEM_PYTHON = re.compile(r"python(3\.\d{1,2})(?:-(?:dev|venv|minimal|full|distutils))?")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
_BEFORE = frozenset({"sudo", "exec", "command", "time", "env", "nice", "nohup", "then", "do", "else", "if", "!", "{"})
"""What may stand before the name of a command."""
_RUNNERS = frozenset({"conda", "mamba", "micromamba", "poetry", "uv", "pdm", "pipenv"})
"""``conda run -n NAME pip install …``."""
_RUNNERS_VALUES = frozenset(
    {"-n", "--name", "-p", "--prefix", "--cwd", "--with", "--python", "--directory", "--project"}
)
_DEEPEST = 3
CONDITION = "a condition of the shell"


def run(shell: Shell, command: Command) -> None:
    """Take note of what one command installs; of one that only some builds run, as of what is not settled."""
    if command.sure:
        _run(shell, list(command.words), 0)
        return
    inner = replace(shell, made=Builder(shell.made.file), packages=[], conda=[])
    _run(inner, list(command.words), 0)
    found = inner.made
    for item in found.stated[:MAX_STATED]:
        shell.made.undecided.append((item, CONDITION))
    shell.made.undecided += found.undecided
    shell.made.includes += found.includes
    shell.made.skipped += found.skipped
    names = [package.name for package in inner.packages] + [item.name for item in inner.conda]
    for name in names:
        shell.made.skip(command.words[0].line, name, f"it depends on {CONDITION}")
    shell.step, shell.loose = inner.step, shell.loose or inner.loose or inner.locked


def _run(shell: Shell, words: list[Word], depth: int) -> None:
    words = _bare(shell, words)
    if len(words) < 2 or depth > _DEEPEST:
        return
    inner = _inside(words)
    if inner is not None:
        _run(shell, inner, depth + 1)
    elif _SHELL.fullmatch(words[0].text):
        _script(shell, words[1:], depth)
    else:
        _install(shell, words)


def _inside(words: list[Word]) -> list[Word] | None:
    """The command that another one runs: ``python3 -m pip install …``, ``conda run -n NAME pip install …``."""
    first, second = words[0].text, words[1].text
    if _PYTHON.fullmatch(first) and second == "-m":
        return words[2:] if words[2:] and words[2].text in ("pip", "uv") else []
    if first.rpartition("/")[2] in _RUNNERS and second == "run":
        position = 2
        while position < len(words) and words[position].text.startswith("-"):
            position += 2 if words[position].text in _RUNNERS_VALUES else 1
        return words[position:]
    return None


def _install(shell: Shell, words: list[Word]) -> None:
    name, action = words[0].text, words[1].text
    head = name.rpartition("/")[2]
    if head == "cd" and words[1].known:
        shell.directory = os.path.normpath(os.path.join(shell.directory, action))
    elif _PIP.fullmatch(name) or head == "pip-sync":
        _pip(shell, words if head == "pip-sync" else words[1:])
    elif head in ("uv", "poetry"):
        _project_tool(shell, head, words)
    elif _APT.fullmatch(name):
        _system(shell, words[1:], "apt" if head.startswith("apt") else "rpm")
    elif _CONDA.fullmatch(name):
        from trtdoctor.requirements import conda_commands

        conda_commands.take(shell, words[1:])


def _project_tool(shell: Shell, head: str, words: list[Word]) -> None:
    texts = [word.text for word in words]
    if head == "uv" and texts[1] == "pip":
        _pip(shell, words[2:])
    elif texts[1] == "add":
        pip_commands.install(shell, words[2:])
    elif head == "uv" and texts[1] == "sync":
        pip_commands.lock(shell, "uv.lock", words)
    elif head == "poetry" and "install" in texts[1:4]:
        pip_commands.lock(shell, "poetry.lock", words)


def _bare(shell: Shell, words: list[Word]) -> list[Word]:
    """A command without what stands before its name: ``sudo -H``, ``if``, ``NAME=value``."""
    while words and (words[0].text in _BEFORE or _ASSIGNMENT.fullmatch(words[0].text)):
        name, _, value = words[0].text.partition("=")
        if name in pip_commands.INDEXES:
            note_index(shell.made, pip_commands.INDEXES[name], value, words[0].line)
        options = words[0].text in ("sudo", "env", "nice", "time")
        words = words[1:]
        while options and words and words[0].text.startswith("-"):
            words = words[1:]
    return words


def _script(shell: Shell, words: list[Word], depth: int) -> None:
    """``bash -c 'pip install …'``."""
    for number, word in enumerate(words[:-1]):
        if not word.text.startswith("-"):
            return
        if word.text.endswith("c") and not word.text.startswith("--"):
            script = words[number + 1]
            for command in commands(script.text, script.line, shell.environment) if script.known else ():
                if command.sure:
                    _run(shell, list(command.words), depth + 1)
            return


def _pip(shell: Shell, words: list[Word]) -> None:
    """``pip --no-cache-dir install …``."""
    for number, word in enumerate(words):
        following = words[number + 1 :]
        if word.text == "install":
            pip_commands.install(shell, following)
        elif word.text in ("sync", "pip-sync"):
            pip_commands.sync(shell, following)
        elif word.text == "uninstall":
            pip_commands.uninstall(shell, following)
        if not word.text.startswith("-"):
            return


def _system(shell: Shell, words: list[Word], manager: str) -> None:
    texts = [word.text for word in words]
    if "install" not in texts:
        return
    form = _PACKAGE if manager == "apt" else _RPM
    for word in words[texts.index("install") + 1 :]:
        match = form.fullmatch(word.text)
        if word.text.startswith("-") or match is None:
            continue
        if not word.known:
            shell.made.skip(word.line, word.text, "it depends on what only the build knows")
            continue
        where = shell.made.at(word.line)
        shell.packages.append(SystemPackage(match[1], where, match[2], manager))
        python = _SYSTEM_PYTHON.fullmatch(match[1])
        if python is not None:
            shell.made.facts.update(python=python[1], python_at=where)
