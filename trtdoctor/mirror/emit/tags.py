"""``--tag-template``: what images are called inside. Fields are put in by name; nothing of a template is executed."""

from __future__ import annotations

from trtdoctor.lazyre import pattern
from trtdoctor.mirror.emit.names import EmitError, tag
from trtdoctor.text import clean

FIELDS = {
    "tag": "upstream's tag",
    "month": "the month of a tag of NVIDIA's monthly images: 26.07",
    "repository": "the repository, its slashes as hyphens: nvidia-tensorrt",
    "digest12": "the first twelve digits of the digest",
}
"""Name to what it stands for."""
_FIELD = pattern(r"\{([^{}]*)\}")
_MONTH = pattern(r"([0-9]{2}\.[0-9]{2})(?:[.-].*)?")


def named(template: str | None, upstream_tag: str, repository: str, digest: str | None) -> str:
    """The tag on the mirror. Raises :class:`EmitError` where the template gives none."""
    if template is None:
        return tag(upstream_tag)
    month = _MONTH.fullmatch(upstream_tag)
    known = {
        "tag": upstream_tag,
        "month": month[1] if month else None,
        "repository": repository.replace("/", "-"),
        "digest12": digest.partition(":")[2][:12] if digest else None,
    }
    check(template)
    parts = []
    for number, part in enumerate(_FIELD.split(template)):
        value = part if number % 2 == 0 else known[part]
        if value is None:
            raise EmitError(f"--tag-template: {{{part}}}: {repository}:{upstream_tag} has none")
        parts.append(value)
    made = "".join(parts)
    try:
        return tag(made)
    except EmitError:
        raise EmitError(f"--tag-template: {clean(made, 140)!r} (of {upstream_tag}) is no tag") from None


def check(template: str) -> None:
    """Whether a template has only fields that are known. Raises :class:`EmitError`."""
    for number, part in enumerate(_FIELD.split(template)):
        if number % 2 == 0 and ("{" in part or "}" in part):
            raise EmitError(f"--tag-template: {clean(template, 60)!r}: a brace stands alone")
        if number % 2 and part not in FIELDS:
            import difflib

            close = difflib.get_close_matches(part, FIELDS, n=1)
            hint = f"did you mean {{{close[0]}}}?" if close else f"known: {', '.join(f'{{{name}}}' for name in FIELDS)}"
            raise EmitError(f"--tag-template: unknown field {clean(part, 40)!r}; {hint}")
    if len(template) > 512:
        raise EmitError("--tag-template: longer than 512 characters")
