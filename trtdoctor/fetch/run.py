"""One run: which files a plan takes, fetched, and what became of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from trtdoctor.fetch.contents import ContentError
from trtdoctor.fetch.folder import Folder, Held, Watch, amount, room_for
from trtdoctor.fetch.insides import Inside, Insides
from trtdoctor.fetch.pages import write_plan
from trtdoctor.fetch.resolve import ResolveError, resolve
from trtdoctor.fetch.shelves import Offer, Shelves, index_of, of_pip
from trtdoctor.fetch.target import Target, target_of
from trtdoctor.matrix import Matrix
from trtdoctor.matrix.pipindex import IndexUnreachableError, certificates
from trtdoctor.net.http import Client, NetError
from trtdoctor.net.landing import LandingError, opened
from trtdoctor.planned import Planned, PlannedFile, is_address
from trtdoctor.record import record
from trtdoctor.text import clean

if TYPE_CHECKING:
    from packaging.requirements import Requirement

SECONDS = 6 * 3600.0
"""Time for all of it: some wheels have gigabytes."""
Say = Callable[[str], None]


class FetchError(ValueError):
    """Nothing could be fetched; the message is one line."""


@record
class Chosen:
    """One file that is fetched, or the place of one that cannot be."""

    project: str
    version: str
    offer: Offer | None
    lying: str | None = None
    """Its name, where it is in the folder already and no index was asked for it."""
    is_for_build: bool = False
    """Whether it is only needed to build others of the folder."""


@record
class Fetched:
    """What became of a plan."""

    plan: Planned
    """With every file that is in the folder, and its digest."""
    missing: tuple[str, ...]
    """Files that could not be had: which, where they would be, and why."""
    notes: tuple[str, ...]
    nested: bool
    """Whether the installation runs a pip of its own, which must be told to use the folder too."""


def fetch(
    plan: Planned,
    directory: str,
    matrix: Matrix,
    environ: Mapping[str, str],
    say: Say,
    watch: Watch,
    *,
    dry_run: bool = False,
) -> Fetched:
    """Bring every distribution of a plan and all that they need into a folder.

    ``dry_run`` only says what would come; what must be looked into for that is fetched and thrown away.
    Raises :class:`FetchError` when no index answers or nothing can be put there,
    :class:`~trtdoctor.fetch.target.TargetError`, and OSError.
    """
    target = target_of(plan, matrix)
    try:
        indexes, left = of_pip(environ)
        named, behind = (index_of(text, environ) if text else None for text in (plan.index, plan.extra_index))
    except (IndexUnreachableError, NetError) as error:
        raise FetchError(str(error)) from None
    if not indexes and named is None:
        raise FetchError(f"pip is configured with {', '.join(left)} alone, and only http and https are asked")
    say(f"fetch: {plan.title}, for {target.shown}")
    if named is not None:  # in place of pip's own, as --index-url is
        same = (item for item in indexes if item.address == named.address)
        indexes = (next(same, named), *indexes[1:])
    last_resort = [behind] if behind is not None else []
    stated = {item.name: (item.size, item.sha256) for item in plan.files if not item.stub}
    try:
        with opened(directory), Client(SECONDS, verify=certificates()) as client:
            folder = Folder(directory, client, stated, watch)
            shelves = Shelves(client, indexes, target, last_resort)
            run = _Run(plan, shelves, Insides(client, folder, matrix, target, environ), target)
            roots = run.roots()
            if shelves.is_down:
                raise FetchError(f"{indexes[0].shown}: {shelves.is_down}")
            if not dry_run:
                write_plan(plan, directory, say)
            run.choose(roots)
            return run.tell(folder, say) if dry_run else run.bring(folder, say)
    except LandingError as error:
        raise FetchError(str(error)) from None


class _Run:
    """What is chosen, what is missing."""

    def __init__(self, plan: Planned, shelves: Shelves, insides: Insides, target: Target) -> None:
        self._plan = plan
        self._shelves = shelves
        self._insides = insides
        self._markers = target.markers()
        self._target = target
        self._chosen: list[Chosen] = []
        self._missing: list[str] = []
        self._notes: list[str] = []
        self._nested = False
        self._unread: dict[str, Inside] = {}

    def roots(self) -> list[Requirement]:
        """The plan's pins that an index has; the others are missing."""
        from packaging.requirements import Requirement

        found = []
        for name, version in self._plan.pins:
            wanted = Requirement(f"{name}=={version}")
            if self._newest(wanted) is None:
                self._shelves.widen(name)
            if self._newest(wanted) is not None:
                found.append(wanted)
                continue
            names = [item.name for item in self._plan.files if item.distribution == name and item.version == version]
            why = self._shelves.failed.get(name) or f"no index that was asked has it for {self._target.shown}"
            self._missing.append(f"{' or '.join(names) or f'{name} {version}'} ({why})")
        return found

    def choose(self, roots: Sequence[Requirement]) -> None:
        """Which files: those of the plan, what they need, what their builds need."""
        archives: list[Offer] = []
        for offer in self._resolved(roots, "the plan"):
            inside = self._look(offer)
            self._nested |= inside.nested
            if inside.note:
                self._notes.append(inside.note)
            if inside.missing:
                self._missing.append(inside.missing)
            elif inside.lying:
                self._add(offer, lying=inside.lying)
            else:
                self._add(inside.real or offer)
                if inside.real is None and not offer.is_wheel:
                    archives.append(offer)
        for offer in archives:
            needs = self._look(offer).build_requires
            for tool in self._resolved(needs, f"the build of {offer.project}"):
                missing = self._look(tool).missing
                if missing:
                    self._missing.append(missing)
                elif all(item.offer != tool for item in self._chosen):
                    self._add(tool, is_for_build=True)

    def _add(self, offer: Offer, *, lying: str | None = None, is_for_build: bool = False) -> None:
        found = None if lying else offer
        self._chosen.append(Chosen(offer.project, str(offer.version), found, lying, is_for_build))

    def _look(self, offer: Offer) -> Inside:
        """What an offer needs. Where that cannot be told it is missing itself, and whatever else is needed comes."""
        name = offer.file.name
        if name not in self._unread:
            try:
                return self._insides.of(offer)
            except (ContentError, NetError, OSError) as error:
                self._unread[name] = Inside(missing=f"{name} ({_why(error)})")
        return self._unread[name]

    def _resolved(self, roots: Sequence[Requirement], what: str) -> Sequence[Offer]:
        """All that roots need; where that does not go together the roots alone."""
        try:
            return resolve(roots, self._shelves, self._look, self._markers)
        except ResolveError as error:
            self._missing.append(f"what {what} needs: {error}")
            return [offer for offer in map(self._newest, roots) if offer is not None]

    def _newest(self, root: Requirement) -> Offer | None:
        offers = self._shelves.offers(root.name)
        return next((offer for offer in offers if root.specifier.contains(offer.version, prereleases=True)), None)

    def _to_come(self, folder: Folder) -> list[Offer]:
        """What is not there; what will be refused is missing already."""
        return [item.offer for item in self._chosen if item.offer is not None and self._comes(item.offer, folder)]

    def _comes(self, offer: Offer, folder: Folder) -> bool:
        try:
            return not folder.has(offer)
        except (NetError, OSError) as error:
            self._missing.append(f"{offer.file.name} ({_why(error)})")
            return False

    def tell(self, folder: Folder, say: Say) -> Fetched:
        """Say what would come, and how much that is."""
        to_come = self._to_come(folder)
        for offer in to_come:
            say(f"  {offer.file.name}: {amount(offer.file.size) if offer.file.size else 'of unknown size'}")
        unknown = sum(offer.file.size is None for offer in to_come)
        more = f" and {unknown} of unknown size" if unknown else ""
        number = f"{len(to_come)} file{'s' if len(to_come) != 1 else ''}"
        say(f"{number} to fetch, {amount(sum(map(folder.lacks, to_come)))}{more}")
        return Fetched(self._plan, tuple(dict.fromkeys(self._missing)), tuple(self._notes), self._nested)

    def bring(self, folder: Folder, say: Say) -> Fetched:
        """Fetch what was chosen; whatever goes wrong with one file does not stop the others."""
        full = room_for(folder.path, sum(map(folder.lacks, self._to_come(folder))))
        if full is not None:
            raise FetchError(full)
        files = []
        for number, item in enumerate(self._chosen, 1):
            name = item.lying or (item.offer.file.name if item.offer else "")
            try:
                held = folder.bring(item.offer) if item.offer is not None else folder.hold(name)
            except (NetError, OSError) as error:
                say(f"  {number}/{len(self._chosen)} {name}: FAILED: {_why(error)}")
                self._missing.append(f"{name} ({_why(error)})")
                continue
            say(f"  {number}/{len(self._chosen)} {name}: {_told(held)}")
            files.append(self._planned(item, held))
        return Fetched(self._updated(files), tuple(dict.fromkeys(self._missing)), tuple(self._notes), self._nested)

    def _planned(self, item: Chosen, held: Held) -> PlannedFile:
        """A file as it is written down: where the wheel behind a stub came from, as far as that can be written."""
        before = next((known.origin for known in self._plan.files if known.name == held.name), None)
        index = item.offer.index if item.offer is not None else None
        origin = before if index is None else index.shown if index.for_stubs and is_address(index.shown) else None
        return PlannedFile(
            held.name, item.project, item.version, held.size, held.sha256, origin, is_for_build=item.is_for_build
        )

    def _updated(self, files: Sequence[PlannedFile]) -> Planned:
        """The plan with the files that are there; of the distributions that lack one, what it said before."""
        there = {item.distribution for item in files}
        kept = [item for item in self._plan.files if item.distribution not in there]
        return replace(self._plan, files=(*files, *kept))


def _why(error: Exception) -> str:
    return clean(getattr(error, "strerror", None) or str(error))


def _told(held: Held) -> str:
    state = "is there" if held.was_there else "fetched"
    told = "verified" if held.is_verified else "recorded: nobody stated it before"
    return f"{state}, {amount(held.size)}, SHA-256 {told}"
