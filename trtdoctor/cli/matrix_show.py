"""``trtdoctor matrix show``."""

from __future__ import annotations

from collections import Counter
from textwrap import wrap
from typing import Any

import click

from trtdoctor.cli.inputs import load_matrix
from trtdoctor.cli.matrix_options import WIDTH, complaints, format_option, plain, say_json, say_lines, which_matrix
from trtdoctor.matrix import Matrix

_NAME = 30


@click.command(
    "show",
    epilog="""\b
Examples:
  trtdoctor matrix show tensorrt 10.9.0
  trtdoctor matrix show gpus "RTX 5090"
  trtdoctor matrix show --for gpu="RTX 5090"
  trtdoctor matrix show tensorrt --for gpu=8.6 --for driver=535.104 --for python=3.12""",
)
@click.argument("component", required=False)
@click.argument("version", required=False)
@click.option(
    "--for",
    "wants",
    multiple=True,
    metavar="KEY=VALUE",
    help="The builds of TensorRT that serve it: gpu=, driver=, cuda=, python= (repeatable: all of them).",
)
@click.option("--platform", default="linux-x86_64", show_default=True, help="For --for.")
@which_matrix
@format_option("table", "json")
def command(
    component: str | None,
    version: str | None,
    wants: tuple[str, ...],
    platform: str,
    matrix_directory: str | None,
    overlays: tuple[str, ...],
    format_: str,
) -> int:
    """Show what the matrix holds on COMPONENT, or all of one VERSION (or name), with sources and certainty.

    COMPONENT is a file of the matrix: tensorrt, tensorrt-rtx, cuda, drivers, cudnn, gpus, api, …
    """
    if component is None and not wants:
        raise click.UsageError("name a COMPONENT, such as tensorrt, or say --for gpu=NAME")
    matrix = load_matrix(matrix_directory, overlays)
    if wants:
        return _serving(matrix, component or "tensorrt", version, wants, platform, format_)
    from trtdoctor.matrix.show import ShowError, overview, row_values

    with complaints(ShowError):
        rows = overview(matrix, component or "") if version is None else row_values(matrix, component or "", version)
    if format_ == "json":
        say_json("show", matrix=matrix.version, overlays=list(matrix.overlays), rows=rows)
    elif version is None:
        say_lines([f"{entry['table']:<22} {entry['key']}" for entry in rows])
    else:
        say_lines(_rows(rows, matrix))
    return 0


# -- one row -----------------------------------------------------------------------------------------------------------


def _rows(rows: list[dict[str, Any]], matrix: Matrix) -> list[str]:
    """Values in two columns. What most values of a row share is said once, above them."""
    lines: list[str] = []
    cited: dict[str, None] = {}
    for row in rows:
        lines.append(f"{row['table']} {row['key']}")
        usual = Counter(map(_provenance, row["values"])).most_common(1)[0][0] if row["values"] else ""
        lines += wrap(f"all values, but where another is named: {usual}", WIDTH - 2, **_indents("  ", "    "))
        for value in row["values"]:
            lines += _value(value, usual)
            cited.update(dict.fromkeys(value["sources"]))
        lines.append("")
    lines.append("sources")
    for source in cited:
        lines.append(f"  {source}: {matrix.source_url(source) or '-'}")
    return lines


def _value(value: dict[str, Any], usual: str) -> list[str]:
    name = value["name"]
    indent = " " * (_NAME + 3)
    above = [f"  {name}"] if len(name) > _NAME else []
    head = indent if above else f"  {name:<{_NAME}} "
    lines = [*above, *(wrap(plain(value["value"]), WIDTH, **_indents(head, indent)) or [head])]
    provenance = _provenance(value)
    if provenance != usual:
        lines += wrap(provenance, WIDTH, **_indents(f"{indent}({'overlay ' if value['overlay'] else ''}", indent + " "))
        lines[-1] += ")"
    if value["note"]:
        lines += wrap(value["note"], WIDTH, **_indents(f"{indent}note: ", indent + "  "))
    return lines


def _provenance(value: dict[str, Any]) -> str:
    return f"{value['certainty']}, {', '.join(value['sources'])}"


def _indents(first: str, later: str) -> dict[str, Any]:
    return {
        "initial_indent": first,
        "subsequent_indent": later,
        "break_long_words": False,
        "break_on_hyphens": False,
    }


# -- what serves something ---------------------------------------------------------------------------------------------


def _serving(
    matrix: Matrix, component: str, version: str | None, wants: tuple[str, ...], platform: str, format_: str
) -> int:
    from trtdoctor.matrix.serving import PLATFORMS, WantedError, that_serve, wanted
    from trtdoctor.versions import Version

    if component not in ("tensorrt", "tensorrt-rtx"):
        raise click.UsageError("--for tells which tensorrt or tensorrt-rtx serves something")
    if platform not in PLATFORMS:
        raise click.UsageError(f"--platform: known are {', '.join(PLATFORMS)}")
    with complaints(WantedError):
        asked = [wanted(matrix, text) for text in wants]
    found = that_serve(matrix, component, asked, platform)
    if version is not None:
        only = Version.maybe(version)
        found = [entry for entry in found if only is not None and only.may_be(Version.parse(entry["version"]))]
    if format_ == "json":
        said = [{"key": item.key, "value": item.value, "said": item.said} for item in asked]
        say_json("serving", matrix=matrix.version, platform=platform, wanted=said, builds=found)
        return 0
    lines = wrap(f"{component} on {platform} for {' and '.join(item.said for item in asked)}", WIDTH)
    if not found:
        say_lines([*lines, "nothing in the matrix serves that"])
        return 0
    lines += ["", f"{'release':<9} {'CUDA':<5} {'serves':<8} {'status':<15} why"]
    for entry in found:
        head = f"{entry['version']:<9} {entry['flavour'][2:]:<5} {entry['answer']:<8} {entry['status']:<15} "
        lines += wrap(entry["why"], WIDTH, **_indents(head, " " * 41))
    say_lines(lines)
    return 0
