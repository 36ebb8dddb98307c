"""The folder that files are fetched into: one run at a time, each file verified before it gets its name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from trtdoctor.fetch.shelves import Offer
from trtdoctor.net.download import MismatchError, Progress, digest_of, download
from trtdoctor.net.http import Client
from trtdoctor.record import record

if TYPE_CHECKING:
    from packaging.version import Version

UNDER_WAY = ".trtdoctor-incoming"
"""A directory in the folder: what has not come whole yet, and archives that have not been looked into."""
SET_ASIDE = "set-aside"
Watch = Callable[[str, "int | None"], AbstractContextManager[Progress]]
"""Told the name and size of a file that is fetched; what it gives is told how much of it is there."""


class FolderError(ValueError):
    """Nothing can be put into the folder; the message is one line."""


@record
class Held:
    """A file in the folder."""

    name: str
    size: int
    sha256: str
    is_verified: bool
    """Whether somebody had stated its digest before."""
    was_there: bool = False


class Folder:
    """The folder, and who brings files into it."""

    def __init__(
        self, path: str, client: Client, stated: dict[str, tuple[int | None, str | None]], watch: Watch
    ) -> None:
        """``stated`` are sizes and digests that files must have, by their names: those of the plan."""
        self.path = path
        self._client = client
        self._stated = stated
        self._watch = watch
        self._held: dict[str, Held] = {}

    def place(self, name: str) -> str:
        """Where a file lies, or will."""
        return os.path.join(self.path, name)

    def wheels(self, project: str, version: Version) -> Iterator[str]:
        """Names of the wheels of a version that are in the folder."""
        from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

        for name in sorted(os.listdir(self.path)):
            try:
                found = parse_wheel_filename(name) if name.endswith(".whl") else None
            except InvalidWheelFilename:
                continue
            if found is not None and found[:2] == (canonicalize_name(project), version):
                yield name

    def hold(self, name: str) -> Held:
        """A file that somebody else put there. Raises OSError."""
        if name not in self._held:
            digest = digest_of(self.place(name))
            stated = self._stated.get(name, (None, None))[1]
            self._held[name] = Held(name, os.path.getsize(self.place(name)), digest, digest == stated, was_there=True)
        return self._held[name]

    def has(self, offer: Offer) -> bool:
        """Whether a file need not be fetched any more."""
        return offer.file.name in self._held or self._is_there(self.place(offer.file.name), *self._wanted(offer))

    def bring(self, offer: Offer, *, aside: bool = False) -> Held:
        """Fetch a file where it is not there; ``aside`` leaves it under way until :meth:`keep`.

        Raises :class:`~trtdoctor.net.http.NetError`, also for a digest that is not the one that is stated, and OSError.
        """
        name = offer.file.name
        if name in self._held:
            if not aside:
                self.keep(name)
            return self._held[name]
        size, sha256 = self._wanted(offer)
        place, coming = self.place(name), os.path.join(self.path, UNDER_WAY, name)
        was_there = self._is_there(place, size, sha256)
        if was_there:
            digest = sha256 or digest_of(place)
        else:
            digest = self._fetch(offer, coming, size, sha256)
            place = coming if aside else self._settle(coming, place)
        self._held[name] = Held(name, os.path.getsize(place), digest, sha256 is not None, was_there)
        return self._held[name]

    def _fetch(self, offer: Offer, coming: str, size: int | None, sha256: str | None) -> str:
        if self._is_there(coming, size, sha256):  # it was left there by an earlier run
            return digest_of(coming)
        auth = offer.login.auth() if offer.login is not None else None
        with self._watch(offer.file.name, size) as progress:
            return download(
                self._client, offer.file.url, coming, size=size, sha256=sha256, auth=auth, progress=progress
            )

    def where(self, name: str) -> str:
        """Where a file that was brought lies now."""
        coming = os.path.join(self.path, UNDER_WAY, name)
        return coming if os.path.isfile(coming) else self.place(name)

    def keep(self, name: str) -> None:
        """Give a file that was brought aside its place."""
        coming = os.path.join(self.path, UNDER_WAY, name)
        if os.path.isfile(coming):
            self._settle(coming, self.place(name))

    def _wanted(self, offer: Offer) -> tuple[int | None, str | None]:
        """Size and digest that the file must have: the plan's, else those of the index. Raises MismatchError."""
        size, sha256 = self._stated.get(offer.file.name, (None, None))
        if sha256 and offer.file.sha256 and sha256 != offer.file.sha256:
            raise MismatchError(
                f"the index states SHA-256 {offer.file.sha256[:12]}…, the plan {sha256[:12]}…: refused", "hostile"
            )
        return size if size is not None else offer.file.size, sha256 or offer.file.sha256

    def _is_there(self, place: str, size: int | None, sha256: str | None) -> bool:
        if os.path.islink(place) or not os.path.isfile(place):
            return False
        if sha256 is not None:
            return digest_of(place) == sha256
        return size is not None and os.path.getsize(place) == size

    def _settle(self, coming: str, place: str) -> str:
        """Give a file its place. One of that name with other content is set aside, never overwritten."""
        if os.path.lexists(place):
            directory = os.path.join(self.path, SET_ASIDE)
            os.makedirs(directory, exist_ok=True)
            known = os.path.isfile(place) and not os.path.islink(place)
            tail = digest_of(place)[:12] if known else "link"
            os.replace(place, os.path.join(directory, f"{os.path.basename(place)}.{tail}"))
        os.replace(coming, place)
        return place


@contextmanager
def opened(path: str) -> Iterator[None]:
    """The folder, made where it is not there, for this run alone. Raises :class:`FolderError`.

    What broke off stays in it for the next run; what is left under way otherwise is thrown away at the end.
    """
    import fcntl

    under_way = os.path.join(path, UNDER_WAY)
    try:
        os.makedirs(under_way, exist_ok=True)
        handle = os.open(under_way, os.O_RDONLY | os.O_NOFOLLOW | os.O_DIRECTORY)
    except OSError as error:
        raise FolderError(f"{path}: {error.strerror or error}") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FolderError(f"{path}: another run is fetching files there") from None
        try:
            yield
        finally:
            if not any(".part" in name for name in os.listdir(under_way)):
                shutil.rmtree(under_way, ignore_errors=True)
    finally:
        os.close(handle)


def room_for(path: str, size: int) -> str | None:
    """Why ``size`` bytes do not fit; None where they do, or nobody knows."""
    try:
        free = shutil.disk_usage(path).free
    except OSError:
        return None
    if size <= free:
        return None
    return f"{path}: {size / (1 << 30):.1f} GiB are to come, and {free / (1 << 30):.1f} GiB are free"
