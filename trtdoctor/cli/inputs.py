"""Options that several commands share, and reading what they name: one clear line for whatever is wrong."""

from __future__ import annotations

import sys
from datetime import date
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from trtdoctor.demands import Demand
    from trtdoctor.matrix import Matrix
    from trtdoctor.planned import Planned
    from trtdoctor.snapshot import Snapshot

MAX_BYTES = 64 * 1024 * 1024


def read_input(name: str, what: str) -> bytes:
    """The bytes of a file, or of stdin for ``-``; at most 64 MiB."""
    import os
    import stat

    shown = "stdin" if name == "-" else name
    try:
        if name == "-":
            if sys.stdin is None:
                raise click.ClickException(f"{what} stdin: is closed")
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            mode = os.stat(name).st_mode
            if stat.S_ISDIR(mode):
                raise click.ClickException(f"{what} {shown}: is a directory")
            with open(name, "rb") as stream:
                content = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise click.ClickException(f"{what} {shown}: {reason}") from None
    if len(content) > MAX_BYTES:
        raise click.ClickException(f"{what} {shown}: longer than {MAX_BYTES // 1024 // 1024} MiB")
    if not content.strip():
        raise click.ClickException(f"{what} {shown}: is empty")
    return content


def read_snapshot(name: str) -> Snapshot:
    """A Snapshot from its JSON file."""
    from trtdoctor.snapshot import Snapshot, SnapshotError

    try:
        return Snapshot.from_json(read_input(name, "snapshot"))
    except SnapshotError as error:
        raise click.ClickException(f"snapshot {name}: {error}") from None


def read_declared(name: str) -> Any:
    """A declared environment from its YAML (or JSON) file."""
    from trtdoctor.yamlfile import YamlError, parse

    try:
        return parse(read_input(name, "declared environment"))
    except YamlError as error:
        raise click.ClickException(f"declared environment {name}: {error}") from None


def read_planned(name: str) -> Planned:
    """A plan from its file (``trtdoctor plan --write``)."""
    from trtdoctor.planned import PlannedError, from_yaml

    try:
        return from_yaml(read_input(name, "plan"))
    except PlannedError as error:
        raise click.ClickException(f"plan {name}: {error}") from None


def write_output(file: str, text: str) -> None:
    """Write a result whole or not at all; ``-`` is stdout."""
    if file == "-":
        from trtdoctor.cli.output import say

        say(text)
        return
    from trtdoctor.render import write_whole

    try:
        write_whole(file, text)
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror or error}") from None


def root_directory(_: click.Context, __: click.Parameter, value: str | None) -> str:
    """``--root``: an existing directory; ``/`` when it is not given, or another name of ``/``."""
    import os

    if value is None:
        return "/"
    if not os.path.isdir(value):
        raise click.BadParameter(f"{value!r} is no directory")
    try:
        if os.path.samefile(value, "/"):
            return "/"
        os.listdir(value)
    except OSError as error:
        raise click.BadParameter(f"{value!r}: {error.strerror}") from None
    return os.path.realpath(value)


def only_live(python: str | None, root: str, observe: bool, *, live: bool) -> None:
    """Refuse options of an inspection where nothing is inspected, and running what lies under another root."""
    given = {"--python": python is not None, "--root": root != "/", "--observe": observe}
    if not live:
        for name in (name for name, is_given in given.items() if is_given):
            raise click.UsageError(f"{name} is for inspecting this machine, not for a snapshot or a description")
    if observe and root != "/":
        raise click.UsageError("--observe runs programs, and nothing under another root is run: not both it and --root")


def collect_here(
    matrix: Matrix,
    python: str | None,
    *,
    root: str = "/",
    observe: bool = False,
    importers: tuple[str, ...] | None = None,
    symbols: bool = False,
) -> Snapshot:
    """The facts of this machine, or of another root.

    ``observe``, ``importers`` and ``symbols`` as for ``probes.collect``. However the program is ended meanwhile, no
    child process stays behind.
    """
    import os
    import signal

    from trtdoctor.probes import collect
    from trtdoctor.probes.base import end_children

    def end(number: int, _: object) -> None:
        end_children()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    try:
        before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    except (ValueError, AttributeError):  # not the main thread, or no such signals here
        before = {}
    try:
        return collect(matrix, python=python, root=root, observe=observe, importers=importers, symbols=symbols)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def load_matrix(directory: str | None, overlays: tuple[str, ...] = (), beneath: tuple[str, ...] = ()) -> Matrix:
    """The matrix that the user named, or the usual one, with overlays laid over it (``beneath``: see ``load``)."""
    from trtdoctor.matrix import MatrixError, load

    try:
        return load(directory, overlays, beneath=beneath)
    except MatrixError as error:
        raise click.ClickException(str(error)) from None


def parse_date(_: click.Context, __: click.Parameter, value: str | None) -> date | None:
    """``--as-of``: an ISO date."""
    if value is None:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no date such as 2026-11-22") from None


def split_codes(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """``--select`` and ``--ignore``: codes or their prefixes, several by commas."""
    codes = tuple(word.strip().upper() for value in values for word in value.split(",") if word.strip())
    if codes:
        from trtdoctor.rules import RULES

        for code in codes:
            if not any(rule.code.startswith(code) for rule in RULES):
                raise click.BadParameter(f"{code!r} is no rule code or prefix of one (see: trtdoctor rules)")
    return codes


def parse_demands(_: click.Context, __: click.Parameter, values: tuple[str, ...]) -> tuple[Demand, ...]:
    """``--require``: one requirement each, such as ``tensorrt>=10.3,<11``."""
    if not values:
        return ()
    from trtdoctor.demands import DemandError, parse_all

    try:
        return parse_all(values)
    except DemandError as error:
        raise click.BadParameter(str(error)) from None


_GOALS = (
    *("build", "run", "python", "cpp", "plugin", "pip", "package", "index", "onnx", "dla"),
    *("onnxruntime", "torch", "torch-tensorrt", "tensorrt-llm", "tensorflow", "triton", "trtexec", "polygraphy"),
)


def goal_words(words: tuple[str, ...], matrix: Matrix) -> tuple[str, ...]:
    """``--goal``: words of ``wants``, several by commas. A mistyped one must not pass for one that was judged.

    Beside the fixed words: the matrix's precisions (``fp16``), the cases of its known issues, calls (``api:NAME``)
    and ``onnx-opset-NUMBER``. Raises click.BadParameter.
    """
    import re

    cases = [row.text("when") for table in matrix.tables("known_issues") for row in matrix.rows("known_issues", table)]
    known = list(
        dict.fromkeys(
            [
                *_GOALS,
                *(row.key for row in matrix.rows("api", "precisions")),
                *(case for case in cases if case and re.fullmatch(r"[a-z][a-z0-9-]*", case)),
            ]
        )
    )
    found = tuple(dict.fromkeys(part.strip() for word in words for part in word.split(",") if part.strip()))
    for word in found:
        if word not in known and not re.fullmatch(r"api:[\w.:>()-]+|onnx-opset-\d{1,3}", word):
            import difflib

            close = difflib.get_close_matches(word, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(known)}, api:NAME, onnx-opset-NUMBER"
            raise click.BadParameter(f"no such goal {word!r}; {hint}", param_hint="--goal")
    return found
