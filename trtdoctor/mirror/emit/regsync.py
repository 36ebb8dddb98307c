"""regsync, of regclient: a file for ``regsync once``.

Sources: regclient's cmd/regsync/config.go and root.go at 725072f (2026-07-01): the fields, ``^entry$`` around each
entry of ``allow``, templates in names and passwords. Held against a schema made from them; never run here.
"""

from __future__ import annotations

from collections.abc import Sequence

from trtdoctor.mirror.emit import EmitOptions
from trtdoctor.mirror.emit.copies import Copy, Variables, account, behind, copies, loud, open_hosts, variables
from trtdoctor.mirror.emit.head import head, quoted
from trtdoctor.mirror.wants import SyncItem


def emit(items: Sequence[SyncItem], options: EmitOptions) -> str:
    """The YAML: an entry for each repository, or for each image where it gets another tag."""
    found = copies(items, options)
    notes = [
        "regsync puts ^ and $ around each entry of allow: one entry a tag, its dots escaped.",
        "Logins are docker's own, but for those that are read from the variables named below.",
    ]
    lines = head("regsync", options, *notes, *loud(found), run="regsync once -c regsync.yml")
    lines += ["version: 1", *_creds(found, options), "defaults:", "  parallel: 2"]
    lines += ["  ratelimit:", "    min: 100", "    retry: 15m", "sync:"]
    groups: dict[tuple[str, str, tuple[str, ...]], list[Copy]] = {}
    for copy in found:
        groups.setdefault((copy.source.image, copy.target.image, copy.platforms), []).append(copy)
    for (source, target, platforms), members in sorted(groups.items()):
        same = [copy for copy in members if copy.inside == copy.tag]
        if same:
            lines += [f"  - source: {quoted(source)}", f"    target: {quoted(target)}", "    type: repository"]
            lines += [*_platforms(platforms), "    tags:", "      allow:"]
            lines += [behind(f"        - {quoted(expression(copy.tag))}", copy) for copy in same]
        for copy in members:
            if copy not in same:
                lines += [behind(f"  - source: {quoted(copy.asked)}", copy), f"    target: {quoted(copy.given)}"]
                lines += ["    type: image", *_platforms(platforms)]
    return "\n".join(lines) + "\n"


def expression(tag: str) -> str:
    """The regular expression that only this tag matches: of what a tag may hold, the dot alone means something."""
    return tag.replace(".", "\\.")


def _creds(found: Sequence[Copy], options: EmitOptions) -> list[str]:
    """What regsync must know of hosts: who is asked without TLS, and which variables hold the logins."""
    mirrors = {mirror.id: mirror for mirror in options.mirrors}
    known: dict[str, list[str]] = {host: ["    tls: disabled"] for host in open_hosts(found)}
    for copy in found:
        if copy.unverified and not copy.target.open:
            known[copy.target.host] = ["    tls: insecure"]
    for copy in found:
        for side, host in (("src", copy.source.host), ("dest", copy.target.host)):
            named = variables(mirrors.get(copy.item.source), side)
            lines = _login(named, account(options, host))
            if lines and lines[0] not in known.setdefault(host, []):
                known[host] += lines
    lines = []
    for host, more in sorted(known.items()):
        lines += [f"  - registry: {quoted(host)}", *more]
    return ["creds:", *lines] if lines else []


def _login(named: Variables, name: str | None) -> list[str]:
    """User and password, read from variables when regsync runs."""
    if named.username and named.password:
        return [f"    user: {_read(named.username)}", f"    pass: {_read(named.password)}"]
    return [f"    user: {quoted(name)}", f"    pass: {_read(named.token)}"] if named.token and name else []


def _read(variable: str) -> str:
    return f"'{{{{env \"{variable}\"}}}}'"


def _platforms(platforms: tuple[str, ...]) -> list[str]:
    """One platform becomes the image itself; of several the index stays as it is, with those parts alone."""
    if len(platforms) == 1:
        return [f"    platform: {quoted(platforms[0])}"]
    return ["    platforms:", *(f"      - {quoted(name)}" for name in platforms)] if platforms else []
