"""What the chosen files need, and which file really stands behind a stub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, TYPE_CHECKING, cast

from trtdoctor.fetch.contents import ContentError, Stub, of_archive, of_metadata, of_wheel
from trtdoctor.fetch.folder import Folder
from trtdoctor.fetch.shelves import Offer, Shelves, index_of
from trtdoctor.fetch.target import Target
from trtdoctor.matrix import Matrix, artefacts
from trtdoctor.net.download import MismatchError
from trtdoctor.net.http import Client, NetError
from trtdoctor.net.remote_file import RemoteFile
from trtdoctor.record import record

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_MOST_METADATA = 4 << 20


@record
class Inside:
    """What is known of one offer."""

    requires: tuple[Requirement, ...] = ()
    build_requires: tuple[Requirement, ...] = ()
    real: Offer | None = None
    """The wheel behind a stub, where an index has it."""
    lying: str | None = None
    """The name of that wheel, where it is in the folder already."""
    missing: str | None = None
    """Which file is missing, and where it would be."""
    note: str | None = None
    nested: bool = False
    """Whether its build runs a pip of its own, which must be told to use the folder too."""


class Insides:
    """Looks into offers, each once."""

    def __init__(
        self, client: Client, folder: Folder, matrix: Matrix, target: Target, environ: Mapping[str, str]
    ) -> None:
        self._client = client
        self._folder = folder
        self._matrix = matrix
        self._target = target
        self._environ = environ
        self._known: dict[str, Inside] = {}
        self._stub_shelves: dict[str, Shelves] = {}

    def of(self, offer: Offer) -> Inside:
        """What an offer needs.

        Raises :class:`~trtdoctor.net.http.NetError`, :class:`~trtdoctor.fetch.contents.ContentError` and OSError.
        """
        name = offer.file.name
        if name not in self._known:
            self._known[name] = self._of_wheel(offer) if offer.is_wheel else self._of_archive(offer)
        return self._known[name]

    def _of_wheel(self, offer: Offer) -> Inside:
        return Inside(self._requires(offer))

    def _requires(self, offer: Offer) -> tuple[Requirement, ...]:
        """By the metadata that the index gives, those that the matrix recorded of the same file, the file itself.

        What is learnt of a part that was not verified is only which further files come, and those are verified.
        """
        if offer.file.metadata:
            url = f"{offer.file.url}.metadata"
            login = offer.login
            auth = login.auth() if login is not None else None
            answer = self._client.get(url, most=_MOST_METADATA, auth=auth)
            if answer.status == 200:
                return of_metadata(answer.body)
        recorded = self._recorded(offer)
        if recorded is not None:
            return recorded
        if not self._folder.has(offer):
            parts = self._of_parts(offer)
            if parts is not None:
                return parts
        self._folder.bring(offer, aside=True)  # it may turn out not to be the one that is taken
        return of_wheel(self._folder.where(offer.file.name))

    def _of_parts(self, offer: Offer) -> tuple[Requirement, ...] | None:
        """By the end of the wheel, where its directory and most often its metadata are; None where that cannot be."""
        auth = offer.login.auth() if offer.login is not None else None
        try:
            return of_wheel(cast("IO[bytes]", RemoteFile(self._client, offer.file.url, auth)))
        except (NetError, ContentError):
            return None

    def _recorded(self, offer: Offer) -> tuple[Requirement, ...] | None:
        from packaging.requirements import Requirement

        version = str(offer.version)
        known = {item.name: item.sha256 for item in artefacts.files(self._matrix, offer.project, version)}
        texts = artefacts.requires(self._matrix, offer.project, version)
        if texts is None or not offer.file.sha256 or known.get(offer.file.name) != offer.file.sha256:
            return None
        return tuple(map(Requirement, texts))

    def _of_archive(self, offer: Offer) -> Inside:
        self._folder.bring(offer, aside=True)
        archive = of_archive(self._folder.where(offer.file.name))
        if archive.stub is not None:
            return self._behind(offer, archive.stub, archive.requires)
        version = str(offer.version)
        requires = archive.requires if archive.requires is not None else self._recorded(offer)
        note = f"{offer.file.name}: only its build would tell what it requires" if requires is None else None
        nested = bool(artefacts.nested(self._matrix, offer.project, version))
        return Inside(requires or (), archive.build_requires, note=note, nested=nested)

    def _behind(self, offer: Offer, stub: Stub, requires: tuple[Requirement, ...] | None) -> Inside:
        """The wheel that the build of a stub would fetch.

        One that lies there already is taken without asking where the plan states its digest. Of another the index
        may state one; where it has no such wheel, who put it there is believed.
        """
        lying, refused = self._lying(offer)
        if lying is not None and self._folder.is_stated(lying.lying or ""):
            return lying
        index = index_of(self._environ.get(stub.variable) or stub.index, self._environ, for_stubs=True)
        shelves = self._stub_shelves.setdefault(index.address, Shelves(self._client, [index], self._target))
        real = next((found for found in shelves.offers(offer.project) if found.version == offer.version), None)
        if real is not None and real.is_wheel:
            return Inside(self._requires(real), real=real)
        if lying is not None:
            return lying
        why = shelves.failed.get(offer.project)
        others = shelves.others(offer.project, offer.version)
        said = [f"it has {', '.join(others[:4])}" if others else why or "it has no wheel of it", *refused]
        stem = f"{offer.project.replace('-', '_')}-{offer.version}"
        missing = f"{stem}-*.whl for {self._target.shown}, of {index.shown}/{offer.project}/ ({'; '.join(said)})"
        return Inside(requires or (), missing=missing)

    def _lying(self, offer: Offer) -> tuple[Inside | None, list[str]]:
        """The wheel that is in the folder already, and what is wrong with those there that will not do."""
        refused: list[str] = []
        for name in filter(self._fits, self._folder.wheels(offer.project, offer.version)):
            found = self._as_it_lies(name)
            if isinstance(found, Inside):
                return found, refused
            refused.append(f"{name} lies there: {found}")
        return None, refused

    def _as_it_lies(self, name: str) -> Inside | str:
        """What a wheel that is in the folder needs, or why it will not do."""
        try:
            if self._folder.is_stated(name):
                self._folder.hold(name)
            return Inside(of_wheel(self._folder.place(name)), lying=name)
        except (ContentError, MismatchError, OSError) as error:
            return str(getattr(error, "strerror", None) or error)

    def _fits(self, name: str) -> bool:
        from packaging.utils import parse_wheel_filename

        return not self._target.tags().keys().isdisjoint(parse_wheel_filename(name)[3])
