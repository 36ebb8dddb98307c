"""A plan for a ticket or a wiki page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trtdoctor.demands import size
from trtdoctor.planned import Planned, PlannedFile
from trtdoctor.render.ci import one_line
from trtdoctor.render.markdown_format import inline
from trtdoctor.text import harmless


def render(plan: Planned) -> str:
    """The whole page."""
    lines = [f"# {inline(plan.title)}", ""]
    facts = [
        ("driver", f"{plan.driver_floor} or newer ({plan.driver_download})" if plan.driver_floor else None),
        ("CUDA", f"{plan.cuda} ({plan.cuda_download})" if plan.cuda else None),
        ("GPUs", "; ".join(plan.gpus) or None),
        ("Python", plan.python),
        ("image", plan.image),
        ("goal", ", ".join(plan.goal) or None),
        ("requires", ", ".join(plan.requires) or None),
    ]
    lines += ["| what | value |", "|---|---|"]
    lines += [f"| {name} | {inline(value)} |" for name, value in facts if value]
    lines += [*_list("Why", plan.why), *_list("What changes", plan.changes), *_list("What it gives up", plan.gives_up)]
    if plan.commands:
        lines += ["", "## How", ""]
        for number, (kind, text) in enumerate(plan.commands):
            notes = ["as root"] if number in plan.as_root else []
            notes += ["then reboot"] if number in plan.then_reboot else []
            command = harmless(one_line(text)).replace("```", "'''")
            lines += ["```sh", command, "```"] if kind == "shell" else [inline(text)]
            lines += [f"({', '.join(notes)})"] if notes else []
            lines.append("")
        lines.pop()
    if plan.files:
        lines += ["", "## Files", "", "| file | size | SHA-256 | from |", "|---|---|---|---|"]
        lines += [_file(item) for item in plan.files]
    lines += ["", f"trtdoctor {inline(plan.program)}, matrix {inline(plan.matrix)}, {inline(plan.made)}"]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _list(title: str, texts: Iterable[str]) -> Iterator[str]:
    found = list(texts)
    if found:
        yield from ("", f"## {title}", "")
        yield from (f"- {inline(text)}" for text in found)


def _file(item: PlannedFile) -> str:
    shown = "" if item.size is None else size(item.size) if item.size >= 1 << 28 else f"{item.size >> 10} KiB"
    origin = f"{item.origin} (stub)" if item.stub and item.origin else item.origin or "the package index"
    return f"| {inline(item.name)} | {shown} | {item.sha256 or ''} | {inline(origin)} |"
