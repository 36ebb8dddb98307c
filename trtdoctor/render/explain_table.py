"""An explanation for people: what it means, why, what to do, and what the facts at hand say of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from textwrap import wrap

from trtdoctor.explain.answer import Explanation, Here, Match
from trtdoctor.findings import Severity
from trtdoctor.render.parts import WIDTH, Paint, labelled
from trtdoctor.ruledoc import as_text
from trtdoctor.rules import RULES
from trtdoctor.text import harmless

_STYLES = {"environment": "error", "maybe": "warning", "model": "warning", "harmless": "ok"}
_BLAMES = {
    "environment": "environment",
    "maybe": "environment or model",
    "model": "model",
    "harmless": "harmless",
}
_VERDICTS = {
    "not-found": "no rule finds such a cause in these facts: it may be of another environment or another time",
    "unknown": "too little is known to say whether a cause is here",
}
_LIBRARIES = {"cuda": "CUDA", "nvml": "NVML", "cudnn": "cuDNN", "tensorrt": "TensorRT"}


def render(
    found: Explanation,
    *,
    verbose: bool = False,
    color: bool = False,
    address: Callable[[str], str | None] = lambda _: None,
) -> str:
    """The whole text, with a final newline; ``address`` gives the URL of a source's id."""
    paint = Paint(color)
    rule = next((rule for rule in RULES if found.rule and rule.code == found.rule.code), None)
    if rule is not None:
        return as_text(rule, address)
    lines = [*_head(found)]
    for match in found.matches:
        lines += ["", *_match(match, paint, verbose)]
    if found.near:
        lines += ["", "nearest in the catalogue, by words alone; none of them is known to be it:"]
        for near in found.near:
            text = f"{near.family}: {near.title} (words: {', '.join(near.words)})"
            lines += wrap(text, WIDTH - 2, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    if found.unexplained and (verbose or not found.matches):
        lines += ["", "lines that look like errors, and that nothing is known of:"]
        for item in found.unexplained:
            text = f"line {item.line}: {item.text or '(hidden)'}"
            lines += wrap(text, WIDTH - 2, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
    lines += ["", paint("dim", f"trtdoctor {found.program}, matrix {found.matrix.version}")]
    return "\n".join(harmless(line.rstrip()) for line in lines) + "\n"


def _head(found: Explanation) -> Iterator[str]:
    asked = found.asked
    serious = sum(item.blames != "harmless" for item in found.matches)
    known = f"{len(found.matches)} known message{'s' if len(found.matches) != 1 else ''}"
    if serious != len(found.matches):
        known += f", {len(found.matches) - serious} of them harmless"
    if asked.kind in ("file", "stdin"):
        name = asked.what or ("stdin" if asked.kind == "stdin" else "the file")
        cut = "; its end was not read" if asked.cut else ""
        said = known if found.matches else "no known message" if asked.lines else "nothing in it"
        yield from wrap(f"{name}, {asked.lines} lines{cut}: {said}", WIDTH, break_on_hyphens=False)
    elif not found.matches:
        what = "number or name" if asked.kind == "number" else "text"
        yield f"nothing is known of this {what}"
    else:
        yield known if asked.kind == "text" else f"{asked.what or 'it'}:"


def _match(match: Match, paint: Paint, verbose: bool) -> Iterator[str]:
    word = match.blames
    head = wrap(f"{word}: {match.title}", WIDTH, subsequent_indent="  ", break_on_hyphens=False)
    yield paint(_STYLES.get(word, "info"), word) + head[0][len(word) :]
    yield from head[1:]
    yield from _said(match, paint)
    if match.blames != "harmless" or verbose:
        for cause in match.causes:
            yield from labelled("cause", cause, paint)
        if match.here is None or match.here.verdict != "applies" or verbose:
            for step in match.next:
                yield from labelled("next", step, paint)
    if match.here is not None:
        yield from _here(match.here, paint)
    if verbose:
        about = f"{_BLAMES.get(word, word)}: {', '.join(match.components)}"
        yield from labelled("about", f"{match.family or 'an error number'}, {about}", paint)
        for source in match.sources:
            yield from labelled("source", f"{source.certainty}: {source.url or source.id}", paint)


def _said(match: Match, paint: Paint) -> Iterator[str]:
    """What the text itself says."""
    if match.text and match.line is not None:
        times = f", {match.count} times" if match.count > 1 else ""
        yield from labelled("line", f"{match.line}{times}: {match.text}", paint)
    if match.error is not None:
        number = match.error
        only = f", {number.versions}" if number.versions else ""
        said = f"{_LIBRARIES[number.library]} {number.code} ({' or '.join(number.names)}){only}"
        yield from labelled("number", said, paint)
    if match.says:
        yield from labelled("says", match.says, paint)
    if match.follows:
        yield from labelled("after", f"it follows from {', '.join(match.follows)}", paint)


def _here(here: Here, paint: Paint) -> Iterator[str]:
    for fact in here.facts:
        yield from labelled("here", fact, paint)
    if here.verdict != "applies":
        yield from labelled("here", _VERDICTS.get(here.verdict, here.verdict), paint)
    for item in here.applies:
        note = " (worth knowing)" if item.severity is Severity.INFO else ""
        yield from labelled("found", f"{item.code} {item.title}{note}", paint)
        for fix in item.fix:
            if fix.kind == "shell":
                yield f"  {paint('bold', 'fix'.ljust(9))}$ {fix.text}{'  # as root' if fix.needs_root else ''}"
            else:
                yield from labelled("fix", fix.text, paint)
    for unknown in here.unknowns if here.verdict == "unknown" else ():
        yield from labelled("unknown", unknown, paint)
