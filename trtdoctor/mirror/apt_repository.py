"""One apt repository, flat or with suites, asked for its Release and its lists of packages. Reading only."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator

from trtdoctor.mirror.apt_files import (
    MOST_PACKED,
    MOST_RELEASE,
    AptError,
    Package,
    Release,
    packages,
    read_release,
    unpacked,
)
from trtdoctor.mirror_facts import MirrorSide
from trtdoctor.net.credentials import Login
from trtdoctor.net.http import Answer, Client, NetError
from trtdoctor.net.words import shown, without_addresses
from trtdoctor.record import record
from trtdoctor.text import clean

MOST_LISTS = 20
_PACKINGS = (".gz", ".xz", "")
_WITHOUT_RELEASE = ("Packages.gz", "Packages")


class RepositoryError(ValueError):
    """It could not be used; the message is half a sentence."""

    def __init__(self, message: str, state: str) -> None:
        super().__init__(message)
        self.state = state
        """As :attr:`MirrorSide.state`."""


@record
class Read:
    """A list of packages that was read."""

    packages: tuple[Package, ...] = ()
    sha256: str = ""
    """Of the file as it came."""
    wrong: str | None = None
    """Why it is not the one that Release names."""


class Repository:
    """A repository at the address of the directory that has its Release, or of a component below that."""

    def __init__(self, client: Client, role: str, address: str, login: Login | None) -> None:
        """Nothing is asked yet."""
        self._client = client
        self._role = role
        self._auth = login.auth() if login is not None else None
        self.address = address.rstrip("/")
        self.base = self.address
        """The directory that has the Release."""
        self.component: str | None = None
        self.release: Release | None = None
        self._hosts: dict[str, None] = {}
        self._warnings: dict[str, None] = {}
        self._server = ""

    @property
    def root(self) -> str:
        """What paths of packages begin at: the directory itself where it is flat, else what holds ``dists``."""
        head, dists, _ = self.base.rpartition("/dists/")
        return head if dists else self.base

    @property
    def flat(self) -> bool:
        """Whether it has no suites."""
        return self.root == self.base

    def open(self) -> None:
        """Read its Release. Raises :class:`RepositoryError`."""
        parent, _, last = self.address.rpartition("/")
        below = "/dists/" in f"{parent}/" and not parent.endswith("/dists")
        for base, component in [(self.address, None), *([(parent, last)] if below else [])]:
            body = self._inrelease(base) or self._get(f"{base}/Release")
            if body is not None:
                self.base, self.component = base, component
                try:
                    self.release = read_release(body)
                except AptError as error:
                    raise RepositoryError(f"what it gives is {error}", "other-kind") from None
                return

    def lists(self, architectures: Collection[str]) -> list[str]:
        """The lists that are read, packed as they are read; of a suite those of ``architectures``."""
        if self.release is None:
            return []
        found = []
        for name in self.release.lists():
            parts = name.split("/")
            component, binary = ("/".join(parts[:-2]), parts[-2]) if len(parts) > 2 else ("", "")
            if self.component not in (None, component) or "debian-installer" in parts:
                continue
            if binary and binary.removeprefix("binary-") not in (*architectures, "all"):
                continue
            packed = next((f"{name}{end}" for end in _PACKINGS if self.release.stated(f"{name}{end}")), None)
            if packed is not None:
                found.append(packed)
        return found[:MOST_LISTS]

    def read(self, name: str, wanted: Callable[[str], bool]) -> Read | None:
        """A list of packages; None where there is none. Raises :class:`RepositoryError`."""
        digest, size = hashlib.sha256(), 0
        url = f"{self.base}/{name}"

        def hashed() -> Iterator[bytes]:
            nonlocal size
            for part in parts:
                digest.update(part)
                size += len(part)
                yield part

        try:
            with self._client.stream(url, most=MOST_PACKED, auth=self._auth) as (answer, parts):
                if not self._usable(answer):
                    return None
                wrong = None
                try:
                    found = tuple(packages(unpacked(hashed(), name), wanted))
                except AptError as error:
                    if error.hostile:
                        raise RepositoryError(f"{name}: {error}", "hostile") from None
                    found, wrong = (), f"{name}: {error}"
        except NetError as error:
            raise RepositoryError(without_addresses(str(error)), error.kind) from None
        stated = self.release.stated(name) if self.release is not None else None
        if wrong is None and stated is not None and stated != (digest.hexdigest(), size):
            wrong = f"{name} has another checksum than Release says"
        return Read(found, digest.hexdigest(), wrong)

    def first(self) -> str | None:
        """The list of a repository that has no Release; None where there is none either."""
        for name in _WITHOUT_RELEASE:
            try:
                answer = self._client.head(f"{self.base}/{name}", auth=self._auth)
            except NetError as error:
                raise RepositoryError(without_addresses(str(error)), error.kind) from None
            if self._usable(answer):
                return name
        return None

    def side(self, state: str = "ok", detail: str | None = None) -> MirrorSide:
        """What answered."""
        date = self.release.date if self.release is not None else None
        ok = state in ("ok", "inconsistent")
        product = "nexus" if "nexus/" in self._server.lower() else "flat-apt" if self.flat else "apt"
        return MirrorSide(
            role=self._role,
            address=shown(self.address),
            state=state,
            detail=clean(detail, 200) if detail else None,
            product=product if ok else None,
            served_by=next(iter(self._hosts), None),
            synced=date,
            synced_by="Release Date" if date else None,
            warnings=tuple(self._warnings)[:5],
        )

    def _inrelease(self, base: str) -> bytes | None:
        """The signed form. Some servers refuse what they do not have: then the plain form tells."""
        try:
            return self._get(f"{base}/InRelease")
        except RepositoryError as error:
            if error.state != "denied":
                raise
            return None

    def _get(self, url: str) -> bytes | None:
        try:
            answer = self._client.get(url, most=MOST_RELEASE, auth=self._auth, keep=self._auth is None)
        except NetError as error:
            raise RepositoryError(without_addresses(str(error)), error.kind) from None
        return answer.body if self._usable(answer) else None

    def _usable(self, answer: Answer) -> bool:
        """Whether it has the file. Raises :class:`RepositoryError` where that is not said."""
        if answer.redirected:
            self._hosts[clean(answer.host, 200)] = None
        self._warnings |= dict.fromkeys(answer.warnings)
        self._server = answer.headers.get("server", self._server)
        if answer.status == 200:
            return True
        if answer.status in (404, 410):
            return False
        said = f"it answered {answer.status}"
        if answer.status in (401, 403):
            raise RepositoryError(f"{said}: no access with what we have", "denied")
        unreachable = answer.status == 429 or answer.status >= 500
        raise RepositoryError(said, "unreachable" if unreachable else "other-kind")
