"""``trtdoctor libs``."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

import click

from trtdoctor.cli.inputs import collect_here, load_matrix, only_live, parse_date, read_snapshot, root_directory
from trtdoctor.cli.matrix_options import format_option, which_matrix
from trtdoctor.cli.output import deliver

if TYPE_CHECKING:
    from trtdoctor.matrix import Matrix
    from trtdoctor.snapshot import Loading, Snapshot

FORMATS = ("table", "json")
_SHARED_OBJECT = re.compile(r".*\.so(?:\.\d+)*", re.DOTALL)
_MODULE = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")


@click.command(
    "libs",
    epilog="""\b
Exit codes: 0 fine, 1 findings about libraries at or over --fail-on, 2 it could not be told.
Examples:
  trtdoctor libs
  trtdoctor libs --for tensorrt --tree
  trtdoctor libs --for /opt/app/libplugin.so --no-observe
  trtdoctor libs --root /var/tmp/unpacked-image --format json""",
)
@click.option("--python", metavar="PATH", help="Interpreter whose packages are looked at.")
@click.option(
    "--for",
    "wanted",
    multiple=True,
    metavar="WHAT",
    help="Only for this importer: python, trtexec, FILE.so, or a module's name (repeatable).",
)
@click.option(
    "--root", callback=root_directory, metavar="DIR", help="Look at an unpacked image or chroot: its files alone."
)
@click.option("--snapshot", "snapshot_file", metavar="FILE|-", help="Tell from facts taken elsewhere.")
@click.option("--no-observe", is_flag=True, help="Predict from files; import nothing in a child process.")
@click.option("--tree", is_flag=True, help="For each importer, who needed what.")
@which_matrix
@format_option(*FORMATS)
@click.option(
    "-o", "--output", "outputs", multiple=True, metavar="[FORMAT:]FILE", help="Write to a file as well (repeatable)."
)
@click.option(
    "--fail-on", type=click.Choice(("error", "warning", "unknown", "never")), default="error", show_default=True
)
@click.option("--as-of", callback=parse_date, metavar="DATE", help="Judge as on this day.")
@click.option("--redact", is_flag=True, help="Hide private paths.")
@click.option("-v", "--verbose", is_flag=True, help="Each library on its own, with size and needs; facts of findings.")
def command(
    python: str | None,
    wanted: tuple[str, ...],
    root: str,
    snapshot_file: str | None,
    no_observe: bool,
    tree: bool,
    matrix_directory: str | None,
    overlays: tuple[str, ...],
    format_: str,
    outputs: tuple[str, ...],
    fail_on: str,
    as_of: date | None,
    redact: bool,
    verbose: bool,
) -> int:
    """Tell which NVIDIA libraries lie here, who gets which, and by which step of the dynamic loader's search.

    Predicted from files, and observed: what is there is really imported, in guarded child processes.
    """
    only_live(python, root, observe=False, live=snapshot_file is None)
    matrix = load_matrix(matrix_directory, overlays)
    if snapshot_file is not None:
        snapshot = _only_for(read_snapshot(snapshot_file), wanted, f"snapshot {snapshot_file}")
    else:
        snapshot = _live(matrix, python, root, wanted, observe=not no_observe and root == "/")
    if redact:
        from trtdoctor.redaction import redact as redacted

        snapshot = redacted(snapshot)
    from trtdoctor.render import render_libs
    from trtdoctor.resolution import resolve

    libs = resolve(snapshot, matrix, as_of=as_of or date.today(), complete=not wanted)
    deliver(
        lambda kind, color: render_libs(libs, kind, tree=tree, verbose=verbose, color=color), format_, outputs, FORMATS
    )
    return 1 if libs.fails(fail_on) else 0


def _live(matrix: Matrix, python: str | None, root: str, wanted: tuple[str, ...], *, observe: bool) -> Snapshot:
    importers = tuple(dict.fromkeys(_importer(word, root) for word in wanted)) or None
    snapshot = collect_here(matrix, python, root=root, observe=observe, importers=importers, symbols=True)
    if importers:
        snapshot = _only_for(snapshot, importers, "this machine" if root == "/" else root)
    return snapshot


def _importer(word: str, root: str) -> str:
    """A word of ``--for`` as the probe takes it: a file by its absolute path below the root."""
    if "/" in word or _SHARED_OBJECT.fullmatch(word):
        return _file(word, root)
    if not _MODULE.fullmatch(word):
        raise click.BadParameter(
            f"{word!r} is neither python, trtexec, a file, nor a module's name", param_hint="--for"
        )
    return word


def _file(word: str, root: str) -> str:
    import os
    from pathlib import Path

    from trtdoctor.probes import elf
    from trtdoctor.probes.base import ProbeContext
    from trtdoctor.probes.searchpaths import host

    path = os.path.abspath(word)
    if root != "/":  # as it is called from inside, or from here
        path = os.path.normpath(f"/{word}") if not path.startswith(f"{root}/") else path.removeprefix(root)
        path = f"/{path.lstrip('/')}"
    context = ProbeContext(Path(root), {}, lambda _: None, lambda _: None)
    try:
        elf.read(host(context, path))
    except elf.ElfError as error:
        reason = error.problem if os.path.lexists(host(context, path)) else "no such file"
        raise click.BadParameter(f"{word}: {_REASONS.get(reason, reason)}", param_hint="--for") from None
    return path


_REASONS = {
    "not-elf": "is no ELF file",
    "truncated": "is an ELF file that is cut short",
    "unreadable": "cannot be read",
}


def _only_for(snapshot: Snapshot, wanted: tuple[str, ...], where: str) -> Snapshot:
    """The Snapshot with these importers alone; raises when there is nothing about one of them."""
    if not wanted:
        return snapshot
    from trtdoctor.resolution import restricted

    for word in wanted:
        loadings = restricted(snapshot, (word,)).loadings
        if not loadings and word != "python":
            known = ", ".join(dict.fromkeys(item.importer for item in snapshot.loadings if ", " not in item.importer))
            raise click.ClickException(f"--for {word}: {where} tells nothing of it (of: {known or 'nothing'})")
        if word != "python" and _no_such_module(loadings, word):
            raise click.ClickException(f"--for {word}: the interpreter has no such module")
    return restricted(snapshot, wanted)


def _no_such_module(loadings: tuple[Loading, ...], word: str) -> bool:
    """Whether a process said that there is no such module, rather than that one of those that it imports is lacking."""
    top = word.partition(".")[0]
    return any(
        item.importer == word and re.match(rf"ModuleNotFoundError: No module named ['\"]{top}['\"]", item.error or "")
        for item in loadings
        if item.method == "observed"
    )
