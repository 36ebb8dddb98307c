"""A simple index, asked for the pages of some projects; what kind of server it is, and when it was last synced.

Signs by which a product is told: devpi's ``X-Devpi-…`` headers (measured with 6.20), ``Server: Nexus/…`` (documents,
never seen live), the file ``last-modified`` that bandersnatch writes beside ``simple/`` after a run without errors (its
source), upstream's own ``X-PyPI-Last-Serial`` from a mirror (a proxy that passes answers on: inferred).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime, timezone

from trtdoctor.lazyre import pattern
from trtdoctor.mirror.times import iso
from trtdoctor.mirror_facts import MirrorSide
from trtdoctor.net import simple_page
from trtdoctor.net.credentials import Login
from trtdoctor.net.http import Answer, Client, NetError
from trtdoctor.net.simple_page import Page, PageError
from trtdoctor.net.together import each
from trtdoctor.net.words import shown, without_addresses
from trtdoctor.record import record
from trtdoctor.text import clean

AT_ONCE = 4
_GRACE = 0.3
"""Seconds after the client's time that are given to it to say so."""
_FIRST = 3
"""As many projects are asked for first; when none of them gets an answer, the others are not asked for."""
_MOST_ALTOGETHER = 64 << 20
"""Bytes of all pages of one index; the stack's take a few MiB."""
_READING = threading.Lock()
"""One page at a time is read: a huge one takes many times its size meanwhile."""
_STUBS_ACCEPT = "*/*"
"""As wheel-stub asks, which can read nothing but HTML; so what an index gives by itself is what counts."""
_SYNCED = pattern(r"(\d{8}T\d\d:\d\d:\d\d)\s*")
_ORDER = ("denied", "hostile", "other-kind", "unreachable")
"""What a side is, when no page came: the first of these that one answer was."""


@record
class Pages:
    """What one index said."""

    side: MirrorSide
    pages: Mapping[str, Page] = field(default_factory=dict)
    """Of the projects that it has, by their names."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Project to why it could not be told whether the index has it."""
    kinds: Mapping[str, str] = field(default_factory=dict)
    """Of what is in ``failed``, as a side's state: ``denied``, ``unreachable``, …"""


class NoPageError(ValueError):
    """No page that could be used; the message is half a sentence."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


def ask(
    client: Client, role: str, address: str, projects: Sequence[str], login: Login | None, *, like_stub: bool = False
) -> Pages:
    """The pages of ``projects``. Never raises for what a server does.

    ``like_stub``: as wheel-stub asks. No login should be given with it then: it has none.
    """
    index = _Index(client, role, address, login, like_stub=like_stub)
    first, rest = projects[:_FIRST], projects[_FIRST:]
    each(index.look, first, at_once=AT_ONCE, seconds=client.left + _GRACE)
    if index.answers:
        each(index.look, rest, at_once=AT_ONCE, seconds=client.left + _GRACE)
    unasked = "was not asked: the index answered nothing before" if not index.answers else "gave no answer in time"
    for project in projects:
        index.left_out(project, unasked)
    return index.told()


class _Index:
    """One index while it is asked."""

    def __init__(self, client: Client, role: str, address: str, login: Login | None, *, like_stub: bool) -> None:
        self._client = client
        self._role = role
        self._root = address.rstrip("/")
        self._auth = login.auth() if login is not None else None
        self._like_stub = like_stub
        self._lock = threading.Lock()
        self.answers: list[Answer] = []
        """Without their bodies."""
        self._pages: dict[str, Page] = {}
        self._absent: set[str] = set()
        self._failed: dict[str, NoPageError] = {}
        self._bytes = 0

    def look(self, project: str) -> None:
        """Ask for one project, and keep what it is."""
        try:
            page = self._page(project)
        except NoPageError as error:
            with self._lock:
                self._failed[project] = error
            return
        with self._lock:
            if page is None:
                self._absent.add(project)
            else:
                self._pages[project] = page

    def _page(self, project: str) -> Page | None:
        if self._bytes > _MOST_ALTOGETHER:
            raise NoPageError(f"its pages are longer than {_MOST_ALTOGETHER >> 20} MiB altogether", "hostile")
        url = f"{self._root}/{project}/"
        accept = _STUBS_ACCEPT if self._like_stub else simple_page.ACCEPT
        try:
            answer = self._client.get(
                url, most=simple_page.MOST_BYTES, accept=accept, auth=self._auth, keep=self._auth is None
            )
        except NetError as error:
            raise NoPageError(without_addresses(str(error)), error.kind) from None
        with self._lock:
            self._bytes += len(answer.body)
            self.answers.append(Answer(answer.url, answer.status, answer.headers, b"", answer.host, answer.redirected))
        if answer.status in (404, 410):
            return None
        if answer.status in (401, 403):
            raise NoPageError(f"it answered {answer.status}: no access with what we have", "denied")
        if answer.status != 200:
            unreachable = answer.status == 429 or answer.status >= 500
            raise NoPageError(f"it answered {answer.status}", "unreachable" if unreachable else "other-kind")
        with _READING:
            return self._read(answer, project, answer.base)

    def _read(self, answer: Answer, project: str, url: str) -> Page:
        kind = answer.kind
        if self._like_stub:
            kind = "text/html"
            try:
                answer.body.decode("utf-8")
            except UnicodeDecodeError:
                raise NoPageError("its page is no UTF-8, and wheel-stub can read nothing else", "other-kind") from None
        try:
            page = simple_page.read(answer.body, kind, project, url)
        except PageError as error:
            raise NoPageError(f"its page is no use: {error}", "hostile" if error.hostile else "other-kind") from None
        if page.api is None and not page.files and not self._like_stub:
            raise NoPageError("it gives a web page that lists no file of the project", "other-kind")
        return page

    def left_out(self, project: str, why: str) -> None:
        """Say why nothing is known of a project, where nothing is."""
        with self._lock:
            if project not in self._absent and project not in self._pages:
                self._failed.setdefault(project, NoPageError(why, "unreachable"))

    def told(self) -> Pages:
        """Everything, with what can be said of the side as a whole."""
        with self._lock:  # what hangs may still come in
            pages, errors, answers = dict(self._pages), dict(self._failed), list(self.answers)
        state, detail = "ok", None
        kinds = {project: error.kind for project, error in errors.items()}
        failed = {project: clean(str(error), 200) for project, error in errors.items()}
        if not pages:
            state = next((word for word in _ORDER if word in kinds.values()), "absent")
            detail = "it has none of the projects that are looked at"
        if failed:
            project = next((name for name, kind in kinds.items() if kind == state), next(iter(failed)))
            detail = f"{project}: {failed[project]}" if pages else failed[project]
        hosts = [answer.host for answer in answers if answer.redirected]
        synced = self._synced() if self._role == "mirror" and pages else None
        side = MirrorSide(
            role=self._role,
            address=shown(self._root),
            state=state,
            detail=detail,
            product=_product(self._role, answers, pages, synced is not None) if pages else None,
            served_by=clean(hosts[0], 200) if hosts else None,
            synced=synced,
            synced_by="last-modified" if synced else None,
            warnings=tuple(dict.fromkeys(text for answer in answers for text in answer.warnings))[:5],
        )
        return Pages(side, pages, failed, kinds)

    def _synced(self) -> str | None:
        """What bandersnatch says of its last run, beside ``simple``."""
        root, _, last = self._root.rpartition("/")
        if last != "simple":
            return None
        try:
            answer = self._client.get(f"{root}/last-modified", most=4096, auth=self._auth)
        except NetError:
            return None
        return last_modified(answer.body) if answer.status == 200 else None


def _product(role: str, answers: Sequence[Answer], pages: Mapping[str, Page], synced: bool) -> str:
    heads = [answer.headers for answer in answers]
    if any(name.startswith("x-devpi-") for head in heads for name in head):
        return "devpi"
    if any("nexus/" in head.get("server", "").lower() for head in heads):
        return "nexus"
    if synced:
        return "bandersnatch"
    if all(answer.redirected for answer in answers):
        return "redirect"
    if role == "mirror" and any("x-pypi-last-serial" in head for head in heads):
        return "reverse-proxy"
    return "json-index" if any(page.api for page in pages.values()) else "html-index"


def last_modified(body: bytes) -> str | None:
    """The time in bandersnatch's ``last-modified``, which is UTC; None for anything else."""
    match = _SYNCED.fullmatch(body[:64].decode("ascii", "replace"))
    if match is None:
        return None
    try:
        return iso(datetime.strptime(match[1], "%Y%m%dT%H:%M:%S").replace(tzinfo=timezone.utc))
    except ValueError:
        return None
