"""The folder that files are fetched into: one run at a time, each file verified before it gets its name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from trtdoctor.fetch.shelves import Offer
from trtdoctor.net.download import MismatchError, Progress, digest_of, download
from trtdoctor.net.http import Client
from trtdoctor.net.landing import UNDER_WAY, is_there, settle
from trtdoctor.record import record

if TYPE_CHECKING:
    from packaging.version import Version

Watch = Callable[[str, "int | None"], AbstractContextManager[Progress]]
"""Told the name and size of a file that is fetched; what it gives is told how much of it is there."""


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

    def is_stated(self, name: str) -> bool:
        """Whether the plan says which digest this file has."""
        return self._stated.get(name, (None, None))[1] is not None

    def hold(self, name: str) -> Held:
        """A file that somebody else put there. Raises MismatchError for another one than the plan's, and OSError."""
        if name not in self._held:
            digest = digest_of(self.place(name))
            stated = self._stated.get(name, (None, None))[1]
            if stated not in (digest, None):
                raise MismatchError(f"it has SHA-256 {digest[:12]}…, not {stated[:12]}… as planned: refused", "hostile")
            self._held[name] = Held(name, os.path.getsize(self.place(name)), digest, digest == stated, was_there=True)
        return self._held[name]

    def lacks(self, offer: Offer) -> int:
        """How many bytes of a file are still to come, as far as its index says how many it has."""
        coming = os.path.join(self.path, UNDER_WAY, offer.file.name)
        there = (os.path.getsize(path) for path in (coming, f"{coming}.part") if os.path.isfile(path))
        return max(0, (offer.file.size or 0) - sum(there))

    def has(self, offer: Offer) -> bool:
        """Whether a file lies in its place already. Raises MismatchError."""
        return is_there(self.place(offer.file.name), *self._wanted(offer))

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
        was_there = is_there(place, size, sha256)
        if was_there:
            digest = sha256 or digest_of(place)
        else:
            digest = self._fetch(offer, coming, size, sha256)
            if aside:
                place = coming
            else:
                settle(coming, place)
        self._held[name] = Held(name, os.path.getsize(place), digest, sha256 is not None, was_there)
        return self._held[name]

    def _fetch(self, offer: Offer, coming: str, size: int | None, sha256: str | None) -> str:
        if is_there(coming, size, sha256):  # it was left there by an earlier run
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
            settle(coming, self.place(name))

    def _wanted(self, offer: Offer) -> tuple[int | None, str | None]:
        """Size and digest that the file must have: the plan's, else those of the index. Raises MismatchError."""
        size, sha256 = self._stated.get(offer.file.name, (None, None))
        if sha256 and offer.file.sha256 and sha256 != offer.file.sha256:
            raise MismatchError(
                f"the index states SHA-256 {offer.file.sha256[:12]}…, the plan {sha256[:12]}…: refused", "hostile"
            )
        return size if size is not None else offer.file.size, sha256 or offer.file.sha256


def room_for(path: str, size: int) -> str | None:
    """Why ``size`` bytes do not fit; None where they do, or nobody knows."""
    try:
        free = shutil.disk_usage(path).free
    except OSError:
        return None
    if size <= free:
        return None
    return f"{path}: {amount(size)} are to come, and {amount(free)} are free"


def amount(size: int) -> str:
    """Bytes for people."""
    return f"{size / (1 << 20):.1f} MiB" if size >= 1 << 20 else f"{-(-size >> 10)} KiB"
