"""What the matrix says of upstreams and mirrors: what is compared with what by default, and what public sites carry."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.rows import Fact, Row
from trtdoctor.net.words import host_of
from trtdoctor.record import record
from trtdoctor.versions import Answer

PIP = "pip"
"""Instead of an address: the package index that pip is configured with (``matrix.pipindex``)."""


@record
class Upstream:
    """What a mirror is compared with where nobody names an upstream."""

    id: str
    kind: str
    address: str | None
    """Whole, with the repository of an image or the path of an apt repository; None for the index of pip."""
    row: Row

    @property
    def projects(self) -> tuple[str, ...]:
        """Distributions that are looked at, normalised."""
        return _texts(self.row.get("projects").value)

    @property
    def packages(self) -> tuple[str, ...]:
        """Globs of the names of the apt packages that are looked at."""
        return _texts(self.row.get("packages").value)

    @property
    def api(self) -> str | None:
        """``ngc`` where a further interface knows dates and digests."""
        text = self.row.text("api")
        return text if text not in (None, "none") else None


@record
class Tag:
    """What a tag of an image says of itself."""

    grammar: str
    """Id of the row that reads it."""
    flavour: str
    """Tags are compared only within one: ``py3``, ``py3-igpu``, ``runtime-ubuntu24.04``; ``""`` for none."""
    order: tuple[int, ...]
    """Newer tags of a flavour are greater."""
    month: str | None
    """``26.10`` of NVIDIA's monthly images."""


@record
class Site:
    """A public mirror site."""

    id: str
    title: str
    status: str | None
    """Address of its status page."""
    format: str | None
    """``tunasync``, ``mirrorz``, ``yuki``."""
    news: str | None
    """Address of its feed of news."""
    row: Row

    def carries(self, what: str) -> tuple[Answer, Row | None]:
        """Whether it has ``what`` (id of an upstream), and the row that says so; unknown where the matrix is silent."""
        for table, answer in (("carries", Answer.YES), ("lacks", Answer.NO)):
            for row in _rows(self.row, table):
                if row.text("what") == what:
                    return answer, row
        return Answer.UNKNOWN, None

    def jobs(self) -> tuple[str, ...]:
        """The jobs of its status page that copy something of the stack."""
        found = (row.text("job") for row in _rows(self.row, "carries"))
        return tuple(job for job in found if job not in (None, "none"))


def upstreams(matrix: Matrix, kind: str, role: str | None = None) -> list[Upstream]:
    """The upstreams of a kind (``oci``, ``pypi``, ``apt``), the usual one first; of ``role`` only where it is given."""
    rows = matrix.rows("mirrors", "upstreams")
    return [
        Upstream(row.key, kind, row.text("address"), row)
        for row in rows
        if row.text("kind") == kind and role in (None, row.text("role"))
    ]


def default_upstream(matrix: Matrix, kind: str, mirror: str) -> Upstream | None:
    """What a mirror at the address ``mirror`` is compared with; None where its address does not tell.

    An image: the known repository that the path ends with, whole (``…/ngc/nvidia/tensorrt``) or, as some tools copy,
    with its last part alone (``…/tensorrt``). apt: the path below NVIDIA's repositories (``…/ubuntu2204/x86_64``).
    """
    known = upstreams(matrix, kind, "index" if kind == "pypi" else None)
    path = urlsplit(mirror).path.strip("/")
    if kind == "oci":
        names = [(row.text("name") or "", one) for one in known for row in _rows(one.row, "repositories")]
        for shorten in (False, True):
            for name, one in names:
                wanted = name.rpartition("/")[2] if shorten else name
                if f"/{path}".endswith(f"/{wanted}"):
                    return Upstream(one.id, kind, f"{one.address}/{name}", one.row)
        return None
    if kind == "apt":
        for one in known:
            found = _search(f"(?:^|/)({one.row.get('path').value})$", path)
            if found is not None:
                return Upstream(one.id, kind, f"{one.address}/{found.group(1)}", one.row)
        return None
    return next(iter(known), None)


def upstream_at(matrix: Matrix, kind: str, address: str) -> Upstream | None:
    """The row of an upstream that the user named; None for one that the matrix does not know."""
    for one in upstreams(matrix, kind):
        if one.address is not None and host_of(one.address) == host_of(address):
            return Upstream(one.id, kind, address, one.row)
    return None


def wheels_index(matrix: Matrix) -> str | None:
    """NVIDIA's own index, where the stubs on the package index fetch their wheels."""
    return next((one.address for one in upstreams(matrix, "pypi", "wheels")), None)


def default_tags(matrix: Matrix, repository: str) -> tuple[str, ...]:
    """Globs of the tags that are looked at in a repository (``nvidia/tensorrt``); empty for one that is not known."""
    row = _repository(matrix, repository)
    return _texts(row.get("tags").value) if row is not None else ()


def read_tag(matrix: Matrix, tag: str, repository: str | None = None) -> Tag | None:
    """What a tag says by the grammar of its repository, or of any where that is not known; None where none reads it."""
    row = _repository(matrix, repository) if repository else None
    grammar = row.text("grammar") if row is not None else None
    for entry in matrix.rows("mirrors", "tags"):
        found = _full(str(entry.get("pattern").value), tag) if grammar in (None, entry.key) else None
        if found is not None:
            said = {name: value or "" for name, value in found.groupdict().items()}
            order = [_numbers(said.get(name, "")) for name in _texts(entry.get("order").value)]
            month = f"{said['year']}.{said['month']}" if "year" in said and "month" in said else None
            flavour = said.get("flavour", "")
            return Tag(entry.key, flavour, tuple(number for part in order for number in part), month)
    return None


def site_of(matrix: Matrix, *addresses: str | None) -> Site | None:
    """The public mirror site that serves one of the addresses; None for a private one."""
    hosts = {host_of(address).partition(":")[0] for address in addresses if address}
    for row in matrix.rows("mirrors", "sites"):
        if hosts & set(_texts(row.get("hosts").value)):
            said = {name: row.text(name) for name in ("status", "format", "news")}
            known = {name: value if value != "none" else None for name, value in said.items()}
            return Site(row.key, row.text("title") or row.key, known["status"], known["format"], known["news"], row)
    return None


def jobs(matrix: Matrix) -> tuple[str, ...]:
    """What status pages call copies of the stack's upstreams, the package index first."""
    rows = sorted(matrix.rows("mirrors", "upstreams"), key=lambda row: row.key != "pypi")
    return tuple(dict.fromkeys(name for row in rows for name in _texts(row.get("jobs").value)))


def news_words(matrix: Matrix, kind: str) -> dict[str, tuple[str, ...]]:
    """The words of a site's news by their row: of kind ``topic``, ``subject`` or ``site``."""
    rows = matrix.rows("mirrors", "news")
    return {row.key: _texts(row.get("words").value) for row in rows if row.text("kind") == kind}


def reason(row: Row) -> tuple[str | None, Fact]:
    """What is said of a row of ``carries`` or ``lacks`` in words, and the fact with its sources."""
    note = row.plain.get("note")
    return (note if isinstance(note, str) else None), row.get("what")


def _repository(matrix: Matrix, name: str) -> Row | None:
    for one in upstreams(matrix, "oci"):
        for row in _rows(one.row, "repositories"):
            if row.text("name") == name.strip("/"):
                return row
    return None


def _rows(row: Row, table: str) -> list[Row]:
    fact = row.get(table)
    if not isinstance(fact.value, list):
        return []
    return [
        Row(entry, row.origin.narrowed(entry, fact.where), str(entry.get("what", entry.get("name"))))
        for entry in fact.value
        if isinstance(entry, dict)
    ]


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _numbers(text: str) -> tuple[int, ...]:
    """``13.2.1`` as three numbers, so that parts that are not there count as none."""
    parts = [int(part) for part in text.split(".") if part.isdecimal()][:3]
    return tuple(parts + [0] * (3 - len(parts)))


def _full(pattern: str, text: str) -> re.Match[str] | None:
    """A match of the whole text; a pattern that is none (an overlay may hold anything) matches nothing."""
    try:
        return re.fullmatch(pattern, text) if len(text) <= 128 else None
    except re.error:
        return None


def _search(pattern: str, text: str) -> re.Match[str] | None:
    try:
        return re.search(pattern, text[-200:])
    except re.error:
        return None
