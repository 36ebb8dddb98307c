"""Kind ``apt``: the stack's packages in a repository for apt, beside upstream's.

The address of a repository is that of the directory that has its ``Release``: of a flat one (NVIDIA's) where its
``Packages`` are too, ``https://mirror.example/cuda/repos/ubuntu2204/x86_64``; of one with suites that of a suite, for
all of its components, or of one component: ``https://mirror.example/nvidia/dists/jammy``, ``…/dists/jammy/main``.
``packages`` are globs of the names that are looked at, ``platforms`` (``linux/amd64``) the architectures.

Lists are read as they come, and only what is looked at is kept. A list whose checksum is not the one that Release says
is asked for once more; when it still is not, the side is ``inconsistent``: so a mirror looks in the middle of a sync,
and apt refuses it. Signatures are apt's part and are not checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from fnmatch import fnmatchcase

from trtdoctor.config.mirrors import Mirror
from trtdoctor.debversion import order, upstream_of
from trtdoctor.matrix import Matrix
from trtdoctor.matrix.mirrors import default_upstream, upstreams
from trtdoctor.mirror import compare_files, held, relevant
from trtdoctor.mirror.apt_repository import Read, Repository, RepositoryError
from trtdoctor.mirror.compare_files import Listing, Pair
from trtdoctor.mirror.times import iso
from trtdoctor.mirror_facts import MirrorFile, MirrorItem, MirrorSide, MirrorSource
from trtdoctor.net.credentials import Login, find
from trtdoctor.net.http import Client
from trtdoctor.net.words import shown
from trtdoctor.record import record
from trtdoctor.versions import Version

_OTHERS = 30
"""Of a package whose releases the matrix does not know one by one, so many of the newest versions are looked at."""
_ARCHITECTURES = {"amd64": ("amd64", "x86_64"), "arm64": ("arm64", "aarch64", "sbsa")}
"""The architecture of a platform to what repositories call it."""
_COMPONENTS = (
    ("tensorrt", ("libnvinfer", "libnvonnxparser", "libnvparsers", "python3-libnvinfer", "tensorrt")),
    ("cudnn", ("libcudnn", "cudnn")),
)
_Addresses = dict[tuple[str | None, str | None], dict[str, str]]


@record
class _Side:
    """What was read at one address."""

    side: MirrorSide
    listing: Listing
    lists: Mapping[str, Read]
    """Lists that are those that Release names, by their names."""
    addresses: _Addresses


def look(
    mirror: Mirror,
    matrix: Matrix,
    client: Client,
    *,
    before: MirrorSource | None,
    now: datetime,
    environ: Mapping[str, str],
) -> MirrorSource:
    """Read both repositories. Raises CredentialsError for a variable that is named and not set.

    What the server does becomes a side.
    """
    login = find(
        mirror.mirror,
        environ,
        username_env=mirror.username_env,
        password_env=mirror.password_env,
        token_env=mirror.token_env,
    )
    usual = default_upstream(matrix, "apt", mirror.mirror)
    address = mirror.upstream or (usual.address if usual is not None else None)
    globs = mirror.packages or next((one.packages for one in upstreams(matrix, "apt")), ())
    asking = _Asking(globs, _platforms(mirror))
    here = _look(client, "mirror", mirror.mirror, login, asking, {})
    if address is None or shown(address) == shown(mirror.mirror):
        detail = "name its upstream: the address does not end like that of one of NVIDIA's repositories"
        above = _nothing(MirrorSide("upstream", None, "unasked", detail), detail)
    else:
        other = find(
            address,
            environ,
            username_env=mirror.upstream_username_env,
            password_env=mirror.upstream_password_env,
            token_env=mirror.upstream_token_env,
        )
        above = _look(client, "upstream", address, other, asking, here.lists)
    if before is not None and before.upstream != above.side.address:
        before = None
    upstream = compare_files.remembered(before, above.listing)
    pair = Pair(
        upstream,
        here.listing,
        lambda package, version: _counts(matrix, package, version),
        order,
        lambda name: not asking.platforms or name.endswith(tuple(f"_{one}.deb" for one in asking.architectures)),
        lambda package: None if _component(package) else _OTHERS,
    )
    packages = sorted({*upstream.found, *here.listing.found})
    items = [_dated(item, matrix) for item in compare_files.items(packages, pair, before)]
    notes: list[str] = []
    if mirror.held != "listed":
        items, notes = held.proved(client, items, here.addresses, login, mirror.mirror)
    return MirrorSource(
        id=mirror.id,
        kind="apt",
        upstream=above.side.address,
        mirror=shown(mirror.mirror),
        checked=iso(now),
        sides=(above.side, here.side),
        items=tuple(items),
        notes=tuple(notes),
        requests=client.requests,
    )


@record
class _Asking:
    """What is looked for."""

    globs: tuple[str, ...]
    platforms: frozenset[str]
    """``amd64``, ``arm64``; empty for both."""

    @property
    def architectures(self) -> tuple[str, ...]:
        known = self.platforms or frozenset(_ARCHITECTURES)
        return (*(word for name in sorted(known) for word in _ARCHITECTURES.get(name, (name,))), "all")

    def wanted(self, name: str) -> bool:
        return any(fnmatchcase(name, glob) for glob in self.globs)


def _platforms(mirror: Mirror) -> frozenset[str]:
    return frozenset(text.split("/")[1] for text in mirror.platforms if text.startswith("linux/"))


def _look(
    client: Client, role: str, address: str, login: Login | None, asking: _Asking, known: Mapping[str, Read]
) -> _Side:
    """Read a repository. Of ``known`` lists, those whose very bytes its Release names are not fetched again."""
    repository = Repository(client, role, address, login)
    try:
        lists, wrong = _read(repository, asking, known)
        if wrong is not None:  # in the middle of a sync, or changed while it was read
            lists, wrong = _read(repository, asking, known)
    except RepositoryError as error:
        return _nothing(repository.side(error.state, str(error)), str(error))
    found: dict[str, dict[str, dict[str, MirrorFile]]] = {}
    addresses: _Addresses = {}
    for read in lists.values():
        for package in read.packages:
            file = MirrorFile(package.file, package.size, package.sha256)
            found.setdefault(package.name, {}).setdefault(package.version, {})[package.file] = file
            place = f"{repository.root}/{package.path}"
            addresses.setdefault((package.name, package.version), {})[package.file] = place
    state, detail = ("inconsistent", wrong) if wrong is not None else ("ok", None)
    if wrong is None and not found:
        state, detail = "absent", "it has none of the packages that are looked at"
    right = {name: read for name, read in lists.items() if read.wrong is None}
    return _Side(repository.side(state, detail), Listing(found), right, addresses)


def _read(repository: Repository, asking: _Asking, known: Mapping[str, Read]) -> tuple[dict[str, Read], str | None]:
    """Its lists by their names, and what is wrong with them."""
    repository.open()
    release = repository.release
    names: Sequence[str] = repository.lists(asking.architectures)
    if release is None:
        first = repository.first()
        if first is None:
            raise RepositoryError("it has neither a Release nor a list of packages there", "absent")
        names = [first]
    lists: dict[str, Read] = {}
    wrong = None
    for name in names:
        stated = release.stated(name) if release is not None else None
        earlier = known.get(name)
        if stated is not None and earlier is not None and earlier.sha256 == stated[0]:
            lists[name] = earlier
            continue
        read = repository.read(name, asking.wanted)
        if read is None:
            wrong = wrong or f"Release names {name}, and it is not there"
        else:
            lists[name] = read
            wrong = wrong or read.wrong
    return lists, wrong


def _nothing(side: MirrorSide, detail: str) -> _Side:
    failed = {} if side.state == "absent" else {"": detail}
    return _Side(side, Listing({}, failed), {}, {})


def _component(package: str) -> str | None:
    return next((name for name, starts in _COMPONENTS if package.startswith(starts)), None)


def _counts(matrix: Matrix, package: str, version: str) -> bool:
    known, component = Version.maybe(upstream_of(version)), _component(package)
    if known is None:
        return component is None
    return "~" not in version and relevant.counts(matrix, component, known)


def _dated(item: MirrorItem, matrix: Matrix) -> MirrorItem:
    known = Version.maybe(upstream_of(item.version or ""))
    day = relevant.released(matrix, _component(item.project or ""), known) if known is not None else None
    return replace(item, released=day, released_by="release date" if day else None)
