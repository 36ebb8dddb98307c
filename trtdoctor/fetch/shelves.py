"""What the indexes have: pip's own, pip's further ones, and where stubs get their wheels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from trtdoctor.matrix import pipindex
from trtdoctor.mirror.index import Pages, ask
from trtdoctor.net import credentials
from trtdoctor.net.credentials import Login
from trtdoctor.net.http import Client, NetError
from trtdoctor.net.simple_page import IndexFile
from trtdoctor.net.words import host_of, shown
from trtdoctor.record import record

if TYPE_CHECKING:
    from packaging.tags import Tag
    from packaging.version import Version

    from trtdoctor.fetch.target import Target


@record
class Index:
    """One simple index. ``login`` never shows what it holds."""

    address: str
    """Without user info."""
    login: Login | None = None
    for_stubs: bool = False
    """Whether it is asked as the build of a stub asks: for HTML, without credentials."""

    @property
    def shown(self) -> str:
        """For messages."""
        return shown(self.address)


@record
class Offer:
    """One file of an index."""

    project: str
    version: Version
    file: IndexFile
    index: Index

    @property
    def is_wheel(self) -> bool:
        """Whether it is a wheel; else a source archive."""
        return self.file.name.endswith(".whl")

    @property
    def login(self) -> Login | None:
        """Who we are to the server that has the file: only where that is the index itself."""
        return self.index.login if host_of(self.file.url) == host_of(self.index.address) else None


def of_pip(environ: Mapping[str, str]) -> tuple[tuple[Index, ...], tuple[str, ...]]:
    """The indexes that pip is configured with, and those of them that are no servers, which are not asked.

    Raises :class:`~trtdoctor.matrix.pipindex.IndexUnreachableError`, and NetError for what is no address.
    """
    found, left = [], []
    for text in (pipindex.index_url(environ), *pipindex.extra_urls(environ)):
        if text.partition("://")[0].lower() in ("http", "https"):
            found.append(index_of(text, environ))
        else:
            left.append(shown(text))
    return tuple(dict.fromkeys(found)), tuple(left)


def index_of(text: str, environ: Mapping[str, str], *, for_stubs: bool = False) -> Index:
    """The index at an address, which may hold who we are to it. Raises NetError for one that is no address."""
    if not host_of(text):
        raise NetError("an index is configured with an address that is none")
    address, login = credentials.of_address(text)
    if for_stubs:
        return Index(address.rstrip("/"), None, for_stubs)
    return Index(address.rstrip("/"), login or credentials.find(address, environ))


class Shelves:
    """Several indexes as one, as pip has it: no index comes before another, only versions and tags count."""

    def __init__(
        self, client: Client, indexes: Sequence[Index], target: Target, last_resort: Sequence[Index] = ()
    ) -> None:
        """``last_resort`` are asked only where :meth:`widen` says so."""
        self._client = client
        self._indexes = tuple(indexes)
        self._last_resort = tuple(last_resort)
        self._target = target
        self._tags = target.tags()
        self._known: dict[str, tuple[Offer, ...]] = {}
        self._pages: dict[tuple[str, str], Pages] = {}
        self._down: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        """Project to why one of the indexes could not tell of it."""

    @property
    def is_down(self) -> str | None:
        """Why nothing at all came from any index; None where something did."""
        answered = any(not pages.failed for pages in self._pages.values())
        return None if answered else next(iter(self._down.values()), None)

    def offers(self, project: str) -> tuple[Offer, ...]:
        """The best file of each version that fits the target, newest first; wheels before source archives."""
        if project not in self._known:
            found = self._best(project, self._indexes)
            self._known[project] = tuple(found[version] for version in sorted(found, reverse=True))
        return self._known[project]

    def widen(self, project: str) -> tuple[Offer, ...]:
        """The offers of a project, those of the indexes of the last resort among them."""
        found = self._best(project, (*self._indexes, *self._last_resort))
        self._known[project] = tuple(found[version] for version in sorted(found, reverse=True))
        return self._known[project]

    def _best(self, project: str, indexes: Sequence[Index]) -> dict[Version, Offer]:
        best: dict[Version, Offer] = {}
        for offer in self._fitting(project, indexes):
            have = best.get(offer.version)
            if have is None or self._rank(offer) < self._rank(have):
                best[offer.version] = offer
        return best

    def others(self, project: str, version: Version) -> tuple[str, ...]:
        """Names of the files of a version that do not fit the target."""
        return tuple(offer.file.name for offer in self._all(project, self._indexes) if offer.version == version)

    def _fitting(self, project: str, indexes: Sequence[Index]) -> Iterator[Offer]:
        from packaging.specifiers import InvalidSpecifier, SpecifierSet

        for offer in self._all(project, indexes):
            wanted = offer.file.requires_python
            try:
                if wanted and not SpecifierSet(wanted).contains(f"{self._target.python}.0", prereleases=True):
                    continue
            except InvalidSpecifier:
                pass  # as pip: what cannot be read forbids nothing
            if not offer.is_wheel or not self._tags.keys().isdisjoint(_tags(offer.file.name)):
                yield offer

    def _all(self, project: str, indexes: Sequence[Index]) -> Iterator[Offer]:
        for index in indexes:
            pages = self._asked(index, project)
            if pages is None:
                self.failed[project] = f"{index.shown}: {self._down[index.address]}"
                continue
            page = pages.pages.get(project)
            if project in pages.failed:
                self.failed[project] = f"{index.shown}: {pages.failed[project]}"
            for file in page.files if page is not None else ():
                version = _version(file.version)
                if version is not None:
                    yield Offer(project, version, file, index)

    def _asked(self, index: Index, project: str) -> Pages | None:
        """What an index says of a project; None where it gave no answer before, and is not asked again."""
        key = (index.address, project)
        if index.address in self._down and key not in self._pages:
            return None
        if key not in self._pages:
            role = "wheels" if index.for_stubs else "upstream"
            login = None if index.for_stubs else index.login
            pages = ask(self._client, role, index.address, [project], login, like_stub=index.for_stubs)
            self._pages[key] = pages
            if pages.kinds.get(project) in ("unreachable", "denied"):
                self._down[index.address] = pages.failed[project]
        return self._pages[key]

    def _rank(self, offer: Offer) -> tuple[bool, int]:
        """Wheels by their tags, then source archives; what is withdrawn comes last."""
        places = [self._tags[tag] for tag in _tags(offer.file.name) if tag in self._tags] if offer.is_wheel else []
        return (offer.file.yanked, min(places, default=len(self._tags)))


@lru_cache(maxsize=65536)
def _version(text: str) -> Version | None:
    from packaging.version import InvalidVersion, Version

    try:
        return Version(text)
    except InvalidVersion:
        return None


@lru_cache(maxsize=4096)
def _tags(name: str) -> frozenset[Tag]:
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        return parse_wheel_filename(name)[3]
    except InvalidWheelFilename:
        return frozenset()
