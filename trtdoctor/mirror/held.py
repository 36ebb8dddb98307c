"""``held = "probe"``: whether a mirror gives the heads of the files that it lists. Asking changes a cache."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from trtdoctor.mirror_facts import MirrorItem
from trtdoctor.net.credentials import Login
from trtdoctor.net.http import Client, NetError
from trtdoctor.net.together import each
from trtdoctor.net.words import host_of

MOST_FILES = 200
_LISTED = ("same", "present", "missing-platform", "extra", "gone-upstream")
_NOT_TOLD = (405, 501)
"""The server does not answer HEAD."""
Urls = Mapping[tuple[str | None, str | None], Mapping[str, str]]
"""Project and version to the addresses of the files by their names."""


def proved(
    client: Client, items: Iterable[MirrorItem], urls: Urls, login: Login | None, mirror: str
) -> tuple[list[MirrorItem], list[str]]:
    """The items, ``listed-not-held`` where a file's head is not given, and what should be known of the asking.

    Of each project only the newest version that the mirror lists is asked for. ``login`` goes to the host of
    ``mirror`` alone.
    """
    told = list(items)
    newest: dict[str | None, int] = {}
    for number, item in enumerate(told):
        if item.state in _LISTED and urls.get((item.project, item.version)):
            newest.setdefault(item.project, number)
    asked = [
        (number, name, address)
        for number in newest.values()
        for name, address in urls[told[number].project, told[number].version].items()
    ]
    notes = ["held = probe: of each project the newest version that the mirror lists was asked for"]
    if len(asked) > MOST_FILES:
        notes.append(f"{len(asked)} files: only the heads of the first {MOST_FILES} were asked for")
        asked = asked[:MOST_FILES]

    def head(one: tuple[int, str, str]) -> str | None:
        auth = login.auth() if login is not None and host_of(one[2]) == host_of(mirror) else None
        try:
            status = client.head(one[2], auth=auth).status
        except NetError as error:
            return "no answer" if error.kind == "unreachable" else "no use"
        return None if status < 400 or status in _NOT_TOLD else str(status)

    refused: dict[int, list[tuple[str, str]]] = {}
    for (number, name, _), answer in zip(asked, each(head, asked, at_once=4, seconds=client.left), strict=True):
        if answer is not None:
            refused.setdefault(number, []).append((name, answer))
    for number, files in refused.items():
        detail = f"it lists {files[0][0]} and does not give it ({files[0][1]})"
        names = tuple(name for name, _ in files)
        told[number] = replace(
            told[number], state="listed-not-held", evidence="file head", detail=detail, missing=names
        )
    return told, notes
