"""The TensorRT release itself: known to be bad, or not known at all."""

from __future__ import annotations

from collections.abc import Iterable

from trtdoctor.findings import Remedy, Severity
from trtdoctor.matrix import tensorrt
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.issues import Issue, concerns, issues_of
from trtdoctor.rules.releases import candidates, label, platforms_of, rows_of
from trtdoctor.stack import Installation
from trtdoctor.versions import Answer, Version


@rule("TRT107", "known-bad-release", severity=Severity.ERROR, components=("tensorrt",))
def known_bad(context: Context) -> Iterable[Problem]:
    """The installed release, or the way in which it is used here, is known to be bad.

    Why it matters: Some releases were withdrawn or mended by a .post1; every version table calls them fine.

    Example: TensorRT 10.2.0 by pip on Linux: each build looks for a Windows library and fails; 10.2.0.post1 is mended.

    How to fix: Install the release that the finding names.

    Sources: trt_3983, trt_4614
    """
    for item in context.stack.tensorrts:
        if item.version is None or item.product == "rtx":
            continue
        for issue in issues_of(context, item.version):
            if not _bites(context, item, issue):
                continue
            row = issue.row
            severity = Severity(row.text("severity") or "info")
            what, fix = row.text("what") or "", row.text("fix") or ""
            yield Problem(
                severity,
                f"{label(item)} has a known defect{'' if severity is Severity.INFO else ' that bites here'}: {row.key}",
                breaks=what,
                detail=f"Known issue {row.key}." + (f" Better: {fix}." if fix else ""),
                facts=(item.found(),),
                sources=(row.get("what"),),
                components=("tensorrt", "package") if issue.when == "pip" else ("tensorrt",),
                remedy=_mended(context, item, severity, what, fix),
            )


_VERBS = ("pin", "install", "clear", "build")


def _mended(context: Context, item: Installation, severity: Severity, what: str, fix: str) -> Remedy:
    """A mended package of the same release, else another release of the same major; else what the matrix advises."""
    verb = "" if fix.startswith(_VERBS) else "use "
    text = f"{verb}{fix or 'another release'}."
    advised = Remedy("tensorrt", "choose", None, text[0].upper() + text[1:])
    if severity is Severity.INFO:
        return advised
    from trtdoctor.rules.offers import replacement

    rows = rows_of(context, item)
    found = replacement(
        context, item, what[:1].lower() + what[1:].rstrip("."), release=rows[0].key if len(rows) == 1 else None
    )
    bound = Version.maybe((found.wanted or "").strip("=.*"))
    return found if bound is not None and bound.major == item.major else advised


def _bites(context: Context, item: Installation, issue: Issue) -> bool:
    """Whether an issue for which no other rule speaks surely concerns this installation."""
    if issue.judged or (issue.at_install and item.directory):
        return False  # it was installed all the same
    if issue.decided_by == "executable_stack" and any(copy.executable_stack is not None for copy in item.copies):
        return False  # LDR207 speaks: the files were read
    flavours = frozenset({item.flavour} if item.flavour else {flavour for _, flavour in candidates(context, item)})
    places = platforms_of(context.stack)
    found = concerns(context, issue, by_pip=item.origin == "pip", platforms=places, flavours=flavours)
    return found is Answer.YES


@rule("TRT108", "release-not-in-matrix", severity=Severity.INFO, components=("tensorrt",))
def not_in_matrix(context: Context) -> Iterable[Problem]:
    """The release is newer than the matrix, or the matrix does not hold it: what it needs is not guessed.

    Why it matters: The nearest known release can differ in GPUs, CUDA and driver; an answer from it would be a guess.

    Example: TensorRT 12.0 with a matrix of 2026.11: unknown, newer than the matrix.

    How to fix: Update the matrix; until then only what holds for the whole major is judged.

    Sources: oss_readme
    """
    for item in context.stack.tensorrts:
        if item.version is not None and not rows_of(context, item):
            _say_unknown(context, item.version, "tensorrt", "TensorRT", "full")
    for item in context.stack.rtxs:
        if item.version is not None and not tensorrt.releases(context.matrix, item.version, "rtx"):
            _say_unknown(context, item.version, "tensorrt-rtx", "TensorRT for RTX", "rtx")
    return ()


def _say_unknown(context: Context, version: Version, component: str, name: str, product: str) -> None:
    month = ".".join(context.matrix.version.split(".")[:2])
    newer = tensorrt.newer_than_matrix(context.matrix, version, product)
    why = f"newer than matrix {month}" if newer else f"{name} {version} is not in the matrix {month}"
    how = "update the matrix (pip install --upgrade trtdoctor), or name one that knows the release: --matrix DIR"
    context.unknown(component, f"what {name} {version} needs", why, how)
