"""What the loader of this machine really does, to compare the prediction with."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.probes.roots import context
from trtdoctor.probes.loader.filecache import FileCache
from trtdoctor.probes.loader.process import Process
from trtdoctor.record import record

needs_gcc = pytest.mark.skipif(not shutil.which("gcc"), reason="no gcc to build a program that the loader loads")

OPENER = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
/* Opens each argument in turn, then shows what is mapped. "LIBRARY@NAME": NAME, opened by the code of LIBRARY. */
#include <string.h>
int main(int count, char **names) {
    for (int number = 1; number < count; number++) {
        char *at = strchr(names[number], '@');
        void *found;
        if (at) {
            *at = 0;
            void *library = dlopen(names[number], RTLD_NOW);
            void *(*open_it)(const char *) = library ? dlsym(library, "open_it") : 0;
            found = open_it ? open_it(at + 1) : 0;
        } else {
            found = dlopen(names[number], RTLD_NOW);
        }
        printf(found ? "opened\n" : "failed %s\n", found ? "" : dlerror());
    }
    char line[8192];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps)) fputs(line, stdout);
    return 0;
}
"""
CALLER = r"""
#include <dlfcn.h>
void *open_it(const char *name) { return dlopen(name, RTLD_NOW); }
"""


def gcc(output: Path, code: str, *options: str) -> Path:
    """Compile and link one file."""
    output.parent.mkdir(parents=True, exist_ok=True)
    command = ["gcc", "-x", "c", "-", "-x", "none", "-o", str(output), "-O0", *options]
    done = subprocess.run(command, input=code, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return output


@record
class Real:
    """What a real process did."""

    code: int
    opened: tuple[bool, ...]
    mapped: frozenset[str]
    """Real paths below the directory that was asked about."""
    steps: dict[str, str]
    """By path as the loader tried it last: the step of the search, by LD_DEBUG."""
    errors: tuple[str, ...]
    printed: str


def run(
    program: Path, names: Sequence[str], below: Path, environ: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Real:
    """Start ``program`` with these names to open."""
    done = subprocess.run(
        [program, *names],
        env={**(environ or {}), "LD_DEBUG": "libs"},
        cwd=cwd or "/",
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    lines = done.stdout.splitlines()
    outcomes = [line for line in lines if line.startswith(("opened", "failed "))]
    files = {match[1] for line in lines if (match := re.match(r"[0-9a-f]+-[0-9a-f]+ .{4} [^/]*(/.*)$", line))}
    own = os.path.realpath(program)
    return Real(
        code=done.returncode,
        opened=tuple(line.startswith("opened") for line in outcomes),
        mapped=frozenset(path for path in files if path.startswith(f"{below.resolve()}/") and path != own),
        steps=_steps(done.stderr),
        errors=tuple(line.removeprefix("failed ") for line in outcomes if line.startswith("failed")),
        printed=done.stderr,
    )


_WORDS = {"RPATH": "rpath", "RUNPATH": "runpath", "LD_LIBRARY_PATH": "ld_library_path", "system search path": "default"}


def _steps(printed: str) -> dict[str, str]:
    """The last file that each search tried, and the list it stood in."""
    found: dict[str, str] = {}
    step, tried = "", ""
    for line in [*printed.splitlines(), " find library="]:
        text = re.sub(r"^ *\d+:\t?", "", line).strip()
        if text.startswith("find library=") or not text:
            if tried:
                found[tried] = step
            tried = ""
        elif text.startswith("search path="):
            label = re.search(r"\t\((system search path|\w+)[^\t]*\)$", text)
            step = _WORDS[label[1]] if label else step
        elif text.startswith("search cache="):
            step = "ld.so.cache"
        elif text.startswith("trying file="):
            tried = text.removeprefix("trying file=")
    return found


def predict(
    program: Path | None, names: Sequence[str], environ: Mapping[str, str] | None = None, cwd: Path | None = None
) -> tuple[Process, tuple[bool, ...]]:
    """The same, simulated."""
    here = context(Path("/"), environ or {})
    process = Process(here, FileCache(here, cwd=str(cwd or "/")), str(program) if program else None)
    opened = []
    for name in names:
        caller, at, wanted = name.partition("@")
        if at:
            process.open(caller, caller=None)
            opened.append(process.open(wanted, caller=caller))
        else:
            opened.append(process.open(name, caller=None))
    return process, tuple(opened)


def agree(
    program: Path,
    names: Sequence[str],
    below: Path,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    steps: bool = True,
) -> tuple[Process, Real]:
    """Both, and that they say the same: what was opened, what is mapped, by which path and step."""
    real = run(program, names, below, environ, cwd)
    process, opened = predict(program, names, environ, cwd)
    told = (real.opened, real.errors, real.steps, process.missing)
    assert process.started == (real.code == 0), told
    if real.code != 0:
        return process, real
    assert opened == real.opened, told
    mine = [item for item in process.loaded if item.realpath.startswith(f"{below.resolve()}/")]
    assert {item.realpath for item in mine} == real.mapped, told
    for item in mine:
        if "/" not in (item.asked or "/") and real.steps:
            shown = item.path if item.path in real.steps else os.path.relpath(item.path, cwd or "/")
            assert shown in real.steps, (item.path, told)
            if steps:
                assert item.step == real.steps[shown], (item.path, told)
        elif "/" in (item.asked or "/"):
            assert item.step in ("path", "preloaded")
    return process, real
