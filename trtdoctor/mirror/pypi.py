"""Kind ``pypi``: the stack's projects on a Python index, beside upstream's and beside where stubs get their wheels.

A stub on the index (``tensorrt-cu13-libs``) is a few kilobytes; when it is installed, its build fetches the wheel from
a third place: NVIDIA's own index, or the one that ``wheels`` or ``WHEEL_STUB_PIP_INDEX_URL`` names. That place is asked
as wheel-stub asks: for HTML, and without credentials, which it cannot give (source of wheel-stub 0.5.0, and measured).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from trtdoctor.config.mirrors import Mirror
from trtdoctor.matrix import Matrix, wheels
from trtdoctor.matrix.distributions import DistributionSpec, identify, normalise
from trtdoctor.matrix.mirrors import upstreams, wheels_index
from trtdoctor.mirror import compare_files, held, relevant
from trtdoctor.mirror.compare_files import Listing, Pair
from trtdoctor.mirror.index import Pages, ask
from trtdoctor.mirror.stubs import Wheels, behind, is_stub, may_be_stub
from trtdoctor.mirror.times import iso
from trtdoctor.mirror_facts import MirrorFile, MirrorItem, MirrorSide, MirrorSource
from trtdoctor.net.credentials import Login, find, of_address
from trtdoctor.net.http import Client
from trtdoctor.net.simple_page import IndexFile
from trtdoctor.net.together import each
from trtdoctor.net.words import host_of, shown
from trtdoctor.record import record
from trtdoctor.text import clean
from trtdoctor.versions import Version

_OTHERS = 5
"""Of a project that is none of the stack's (what builds need), so many of the newest versions are looked at."""
_VARIABLE = "WHEEL_STUB_PIP_INDEX_URL"
_SYSTEMS = (
    ("manylinux", "linux"),
    ("musllinux", "linux"),
    ("linux", "linux"),
    ("win", "windows"),
    ("macosx", "darwin"),
)
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def look(
    mirror: Mirror,
    matrix: Matrix,
    client: Client,
    *,
    before: MirrorSource | None,
    now: datetime,
    environ: Mapping[str, str],
) -> MirrorSource:
    """Ask both indexes for the projects that matter, and for stubs the index of their wheels.

    Raises CredentialsError for a variable that is named and not set; whatever a server does becomes a side.
    """
    projects = projects_of(mirror, matrix)
    places = _places(mirror, matrix, environ, [name for name in projects if may_be_stub(matrix, name)])
    wanted = [place for place in places if place.address is not None]

    def pages_of(place: _Place) -> Pages:
        stub = place.role in ("wheels", "upstream-wheels")
        return ask(client, place.role, str(place.address), place.projects or projects, place.login, like_stub=stub)

    answers = each(pages_of, wanted, at_once=len(wanted), seconds=client.left + 1)
    found = {place.role: pages for place, pages in zip(wanted, answers, strict=True) if pages is not None}
    found = {place.role: found.get(place.role) or _nothing(place) for place in places}
    shown_upstream = found["upstream"].side.address
    if before is not None and before.upstream != shown_upstream:
        before = None
    upstream = compare_files.remembered(before, _listing(found["upstream"]))
    pair = _pair(mirror, matrix, projects, upstream, _listing(found["mirror"]))
    items: list[MirrorItem] = []
    for item in compare_files.items(projects, pair, before):
        dressed = _dressed(item, pair, matrix)
        if "wheels" in found and is_stub(matrix, dressed):
            own = found.get("upstream-wheels")
            dressed = behind(dressed, Wheels(found["wheels"]), Wheels(own) if own else None, pair.wanted)
        items.append(dressed)
    notes = [place.note for place in places if place.note] + list(_notes(projects, found))
    if mirror.held != "listed":
        login = next(place.login for place in places if place.role == "mirror")
        items, more = held.proved(client, items, _addresses(found["mirror"]), login, mirror.mirror)
        notes += more
    return MirrorSource(
        id=mirror.id,
        kind="pypi",
        upstream=shown_upstream,
        mirror=shown(mirror.mirror),
        checked=iso(now),
        sides=tuple(pages.side for pages in found.values()),
        items=tuple(items),
        notes=tuple(notes),
        requests=client.requests,
        asked=tuple(projects),
    )


def projects_of(mirror: Mirror, matrix: Matrix) -> list[str]:
    """The projects that are looked at, normalised: the mirror's own list, whose globs mean the usual ones."""
    usual = [name for one in upstreams(matrix, "pypi", "index") for name in one.projects]
    if not mirror.projects:
        return usual
    found: list[str] = []
    for text in mirror.projects:
        globs = any(sign in text for sign in "*?[")
        found += [name for name in usual if fnmatchcase(name, text)] if globs else [normalise(text)]
    return list(dict.fromkeys(name for name in found if name.replace("-", "").isalnum() and name.isascii()))


# -- where it is asked -------------------------------------------------------------------------------------------------


@record
class _Place:
    """One index that is asked."""

    role: str
    address: str | None
    """None where there is none to ask; ``note`` says why."""
    login: Login | None = None
    projects: tuple[str, ...] = ()
    """Empty for all."""
    note: str | None = None
    state: str = "unasked"
    """What the side is where there is no address."""


def _places(mirror: Mirror, matrix: Matrix, environ: Mapping[str, str], stubs: Sequence[str]) -> list[_Place]:
    login = find(
        mirror.mirror,
        environ,
        username_env=mirror.username_env,
        password_env=mirror.password_env,
        token_env=mirror.token_env,
    )
    places = [_upstream(mirror, environ), _Place("mirror", mirror.mirror, login)]
    if stubs:
        own = wheels_index(matrix)
        places.append(_wheels(mirror, environ, own, tuple(stubs)))
        if own is not None and not _same(own, mirror.wheels or environ.get(_VARIABLE) or own):
            places.append(_Place("upstream-wheels", own, None, tuple(stubs)))
    return places


def _wheels(mirror: Mirror, environ: Mapping[str, str], own: str | None, stubs: tuple[str, ...]) -> _Place:
    """Where builds of stubs fetch their wheels from here."""
    stated = environ.get(_VARIABLE)
    if mirror.wheels or not stated:
        return _Place("wheels", mirror.wheels or own, None, stubs)
    address, login = of_address(stated)
    if login is not None:  # wheel-stub takes user and password for a part of the host's name
        return _Place("wheels", None, note=f"{_VARIABLE} holds credentials, and no stub can use such", state="denied")
    return _Place("wheels", address, None, stubs, f"{_VARIABLE} is set: stubs fetch their wheels from there")


def _upstream(mirror: Mirror, environ: Mapping[str, str]) -> _Place:
    """The upstream that is named, else the index of pip; where that is the mirror itself, pip's own default."""
    from trtdoctor.matrix.pipindex import IndexUnreachableError, index_url, own_index

    note, address, own = None, mirror.upstream, None
    try:
        if address is None:
            address, own = of_address(index_url(environ))
            if _same(address, mirror.mirror):
                address, own = of_address(own_index(environ))
                note = "pip is configured with this very mirror: it is compared with the index that pip has by itself"
    except IndexUnreachableError as error:
        return _Place("upstream", None, note=str(error))
    if _same(address, mirror.mirror):
        return _Place(
            "upstream", None, note="the mirror is the index that it would be compared with: name its upstream"
        )
    login = find(
        address,
        environ,
        username_env=mirror.upstream_username_env,
        password_env=mirror.upstream_password_env,
        token_env=mirror.upstream_token_env,
    )
    return _Place("upstream", address, own or login, (), note)


def _same(one: str, other: str) -> bool:
    return shown(one).rstrip("/") == shown(other).rstrip("/") and host_of(one) == host_of(other)


def _nothing(place: _Place) -> Pages:
    """What is said of an index that was not asked, or did not come back."""
    state, detail = ("unreachable", "no answer in time") if place.address else (place.state, place.note or "no address")
    address = shown(place.address) if place.address else None
    return Pages(MirrorSide(place.role, address, state, clean(detail, 200)), {}, {"": detail}, {"": state})


# -- what was found ----------------------------------------------------------------------------------------------------


def _listing(pages: Pages) -> Listing:
    found: dict[str, dict[str, dict[str, MirrorFile]]] = {}
    for project, page in pages.pages.items():
        versions: dict[str, dict[str, MirrorFile]] = {}
        for file in page.files:
            version = _canonical(file.version)
            if version is not None:
                versions.setdefault(version, {})[file.name] = _fact(file)
        found[project] = versions
    return Listing(found, pages.failed)


def _fact(file: IndexFile) -> MirrorFile:
    return MirrorFile(file.name, file.size, file.sha256, file.uploaded, file.yanked or None)


def _pair(mirror: Mirror, matrix: Matrix, projects: Sequence[str], upstream: Listing, here: Listing) -> Pair:
    platforms = {"/".join(text.split("/")[:2]) for text in mirror.platforms}
    specs = {project: identify(matrix, project) for project in projects}
    return Pair(
        upstream,
        here,
        lambda project, version: _counts(matrix, project, specs[project], version),
        _order,
        lambda name: not platforms or _platforms(name) is None or bool(platforms & (_platforms(name) or set())),
        lambda project: None if specs[project] else _OTHERS,
    )


def _counts(matrix: Matrix, project: str, spec: DistributionSpec | None, version: str) -> bool:
    known, packaged = Version.maybe(version), _order(version)
    if known is None or packaged.is_prerelease:
        return False
    row = wheels.of(matrix, project, known)
    if row is not None and wheels.kind(row) == "placeholder":
        return False
    return spec is None or relevant.counts(matrix, spec.component, known, _product(spec))


def _product(spec: DistributionSpec) -> str:
    return "rtx" if spec.product == "rtx" else "full"


def _dressed(item: MirrorItem, pair: Pair, matrix: Matrix) -> MirrorItem:
    """With the times at which each side got it, and a word on what upstream has withdrawn."""
    project, version = item.project or "", item.version or ""
    above = pair.upstream.found.get(project, {}).get(version, {})
    here = pair.mirror.found.get(project, {}).get(version, {})
    released = min((file.uploaded for file in above.values() if file.uploaded), default=None)
    by: str | None = "upload-time" if released else None
    spec, known = identify(matrix, project), Version.maybe(version)
    if released is None and spec is not None and known is not None:
        released = relevant.released(matrix, spec.component, known, _product(spec))
        by = "release date" if released else None
    own = [
        file.uploaded
        for name, file in here.items()
        if file.uploaded and file.uploaded != getattr(above.get(name), "uploaded", None)
    ]
    detail = item.detail
    if above and here and any(file.yanked and name in here and not here[name].yanked for name, file in above.items()):
        detail = detail or "upstream has withdrawn it (yanked), and the mirror does not say so"
    return replace(item, released=released, released_by=by, mirrored=min(own, default=None), detail=detail)


def _notes(projects: Sequence[str], found: Mapping[str, Pages]) -> Iterator[str]:
    """What the pages say beside the files."""
    upstream, mirror = found["upstream"].pages, found["mirror"].pages
    serials = {
        project: (mirror[project].serial, upstream[project].serial)
        for project in projects
        if project in mirror and project in upstream and mirror[project].serial and upstream[project].serial
    }
    behind_ = [project for project, (here, above) in serials.items() if (here or 0) < (above or 0)]
    if behind_:
        names = ", ".join(behind_[:5]) + (", …" if len(behind_) > 5 else "")
        yield f"by upstream's serials the mirror is behind for {len(behind_)} of {len(serials)} projects: {names}"
    elif serials:
        yield f"by upstream's serials the mirror is level for {len(serials)} projects"
    for role, pages in found.items():
        dropped = sum(page.dropped for page in pages.pages.values())
        if dropped:
            yield f"{role}: {dropped} files have names that no file of an index can have; they were left out"
        for project, page in pages.pages.items():
            if page.status is not None:
                yield f"{role}: {project} is {page.status}"
    if mirror and not any(page.api for page in mirror.values()):
        yield "the mirror gives HTML, which tells neither sizes nor times"


def _addresses(pages: Pages) -> dict[tuple[str | None, str | None], dict[str, str]]:
    found: dict[tuple[str | None, str | None], dict[str, str]] = {}
    for project, page in pages.pages.items():
        for file in page.files:
            if file.url:
                found.setdefault((project, _canonical(file.version)), {})[file.name] = file.url
    return found


def _canonical(text: str) -> str | None:
    from packaging.version import InvalidVersion

    try:
        return str(_order(text))
    except InvalidVersion:
        return None


def _order(text: str) -> Any:
    from packaging.version import Version as Packaged

    return Packaged(text)


def _platforms(name: str) -> set[str] | None:
    """The platforms of a wheel as images name them (``linux/amd64``); None for every platform."""
    if not name.endswith(".whl"):
        return None
    found: set[str] = set()
    for tag in name[: -len(".whl")].rpartition("-")[2].lower().split("."):
        if tag == "any":
            return None
        system = next((word for start, word in _SYSTEMS if tag.startswith(start)), "")
        machine = next((word for end, word in _MACHINES.items() if tag.endswith(end)), "")
        found.add(f"{system}/{machine}")
    return found
