"""aptly: commands that make a mirror of exactly the packages, fill it, and keep it as a snapshot.

Sources: aptly's documentation of mirrors, filters and snapshots; run with aptly 1.5.0 against a repository made with
apt-ftparchive.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence

from trtdoctor.lazyre import pattern
from trtdoctor.mirror.emit import EmitOptions
from trtdoctor.mirror.emit.head import comments, head
from trtdoctor.mirror.emit.names import checked, place
from trtdoctor.mirror.wants import SyncItem

_ARCHITECTURE = pattern(r"([a-z0-9-]{1,20})\.deb")

_UNNAMED = pattern(r"[^A-Za-z0-9._]+")


def emit(items: Sequence[SyncItem], options: EmitOptions) -> str:
    """A shell script: ``mirror create``, ``mirror update`` and ``snapshot create`` for each source."""
    found = checked(items)
    lines = head(
        "aptly",
        options,
        "Run it with sh. NVIDIA's key must be in the keyring first:",
        "gpg --no-default-keyring --keyring trustedkeys.gpg --import KEY.pub (the .pub file of the repository)",
    )
    lines.append("failed=0")
    groups: dict[tuple[str, str], list[SyncItem]] = {}
    for item in found:
        groups.setdefault((item.upstream, item.source), []).append(item)
    for (upstream, source), members in sorted(groups.items()):
        lines += _mirror(upstream, source, members)
    return "\n".join([*lines, 'exit "$failed"']) + "\n"


def query(items: Sequence[SyncItem]) -> str:
    """The query of aptly for exactly these packages in exactly these versions.

    By the field ``Name``: a bare name would also match packages that provide it.
    """
    terms = []
    for item in checked(items):
        exact = f"Name (= {item.project}), Version (= {item.version})"
        architectures = sorted(_architectures(item))
        terms += [f"({exact}, Architecture (= {name}))" for name in architectures] or [f"({exact})"]
    return " | ".join(dict.fromkeys(terms))


def _mirror(upstream: str, source: str, items: Sequence[SyncItem]) -> list[str]:
    address, *rest = archive(upstream)
    wanted = query(items)
    number = hashlib.sha256(f"{upstream} {wanted}".encode("ascii")).hexdigest()[:8]
    name = "-".join(filter(None, ("trtdoctor", _UNNAMED.sub("-", source)[:60].strip("-"), number)))
    architectures = sorted({name for item in items for name in _architectures(item)} - {"all"})
    chosen = [f"-architectures={','.join(architectures)}"] if architectures else []
    create = ["aptly", "mirror", "create", *chosen, f"-filter={wanted}", name, address, *rest]
    steps = [
        f"{{ aptly mirror show {name} >/dev/null 2>&1 || {shlex.join(create)}; }}",
        shlex.join(["aptly", "mirror", "update", name]),
        f"{{ aptly snapshot show {name} >/dev/null 2>&1 || aptly snapshot create {name} from mirror {name}; }}",
    ]
    notes = (f"{item.project} {item.version}: {item.why}".rstrip(": ") for item in items)
    return [*comments(*notes), f"{' && '.join(steps)} || failed=1"]


def archive(address: str) -> tuple[str, ...]:
    """An apt repository as aptly is told of it: root and ``./`` for a flat one, else root, suite and components."""
    found = place(address, "upstream")
    root, dists, below = f"/{found.path}".partition("/dists/")
    if not dists:
        return (f"{found.url}/", "./")
    suite, *components = below.split("/")
    return (f"{found.scheme}://{found.host}{root}/", suite, *components)


def _architectures(item: SyncItem) -> set[str]:
    found = (_ARCHITECTURE.fullmatch(name.rpartition("_")[2]) for name, _, _ in item.files)
    return {match[1] for match in found if match}
