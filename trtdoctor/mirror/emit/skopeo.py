"""skopeo: a file for ``skopeo sync``, or ``skopeo copy`` for each image where sync cannot put it where it belongs.

Sources: skopeo-sync(1) and skopeo-copy(1); both were run with what is made here, with skopeo 1.9.3.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from trtdoctor.mirror.emit import EmitOptions
from trtdoctor.mirror.emit.copies import Copy, behind, copies, loud
from trtdoctor.mirror.emit.head import comments, head, quoted
from trtdoctor.mirror.wants import SyncItem

FILE = "sync.yml"
"""What the file is called in the command at its head."""
RETRIES = "3"


def emit(items: Sequence[SyncItem], options: EmitOptions) -> str:
    """The YAML of ``skopeo sync``, the command in its head; a shell script where that cannot do it."""
    found = copies(items, options)
    lines = _sync(found, options) if fits_sync(found) else _script(found, options)
    return "\n".join(lines) + "\n"


def fits_sync(found: Sequence[Copy]) -> bool:
    """Whether one run of ``skopeo sync`` puts every image where it belongs, under its own tag and nothing else.

    Without ``--scoped`` it keeps of a repository's path the last part alone, and it knows one destination and one
    choice of platforms.
    """
    sources = {(copy.target.name, copy.source.image) for copy in found}
    return (
        len({(copy.target.scheme, copy.target.host, copy.target.parent, copy.unverified) for copy in found}) == 1
        and len({copy.platforms if len(copy.platforms) == 1 else () for copy in found}) == 1
        and len({(copy.source.host, copy.source.open) for copy in found}) == len({copy.source.host for copy in found})
        and len({name for name, _ in sources}) == len(sources)
        and all(copy.source.name == copy.target.name and copy.inside == copy.tag for copy in found)
    )


def command(copy: Copy) -> list[str]:
    """The command that copies one image, as a list."""
    return [
        *("skopeo", *_chosen(copy), "copy", *_everything(copy), "--preserve-digests", "--retry-times", RETRIES),
        *(["--src-tls-verify=false"] if copy.source.open else []),
        *(["--dest-tls-verify=false"] if _loose(copy) else []),
        *(f"docker://{copy.asked}", f"docker://{copy.given}"),
    ]


def _sync(found: Sequence[Copy], options: EmitOptions) -> list[str]:
    first = found[0]
    destination = f"{first.target.host}/{first.target.parent}".rstrip("/")
    words = [
        *("skopeo", *_chosen(first), "sync", *_everything(first), "--preserve-digests", "--keep-going"),
        *("--retry-times", RETRIES, "--src", "yaml", "--dest", "docker"),
        *(["--dest-tls-verify=false"] if _loose(first) else []),
        *(FILE, destination),
    ]
    lines = head(
        "skopeo",
        options,
        f"Without --scoped skopeo keeps the last part of each path: hence {destination}. With it, upstream's host too.",
        *_notes(found),
        run=shlex.join(words),
    )
    for host in sorted({copy.source.host for copy in found}):
        of_host = [copy for copy in found if copy.source.host == host]
        lines.append(f"{quoted(host)}:")
        if of_host[0].source.open:
            lines.append("  tls-verify: false")
        lines.append("  images:")
        for path in sorted({copy.source.path for copy in of_host}):
            lines.append(f"    {quoted(path)}:")
            for copy in of_host:
                if copy.source.path == path:
                    lines.append(behind(f"      - {quoted(copy.tag)}", copy))
    return lines


def _script(found: Sequence[Copy], options: EmitOptions) -> list[str]:
    lines = head("skopeo", options, "Run it with sh. One image that fails does not stop the others.", *_notes(found))
    lines.append("failed=0")
    for copy in found:
        lines += comments(f"{copy.source.path}:{copy.tag}: {copy.item.why}".rstrip(": "))
        lines.append(f"{shlex.join(command(copy))} || failed=1")
    return [*lines, 'exit "$failed"']


def _notes(found: Sequence[Copy]) -> list[str]:
    notes = ["Log in before with skopeo login, where a registry wants that: no credentials stand here."]
    if any(len(copy.platforms) > 1 for copy in found):
        notes.append("skopeo takes one platform or all of them: where several are wanted, all are copied.")
    return [*notes, *loud(found)]


def _chosen(copy: Copy) -> list[str]:
    """Options of skopeo itself for the one platform that is wanted."""
    if len(copy.platforms) != 1:
        return []
    system, architecture, *variant = copy.platforms[0].split("/")
    words = ["--override-os", system, "--override-arch", architecture]
    return [*words, *(["--override-variant", variant[0]] if variant else [])]


def _everything(copy: Copy) -> list[str]:
    return [] if len(copy.platforms) == 1 else ["--all"]


def _loose(copy: Copy) -> bool:
    return copy.target.open or copy.unverified
