"""Both sides of a container repository: asked with the login for each alone, their lists, and the kind of mirror."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from trtdoctor.config.mirrors import Mirror
from trtdoctor.matrix import mirrors
from trtdoctor.matrix.load import Matrix
from trtdoctor.mirror import harbor
from trtdoctor.mirror.registry import Registry, RegistryError, Tags
from trtdoctor.mirror_facts import MirrorItem, MirrorSide
from trtdoctor.net.credentials import find
from trtdoctor.net.http import Client
from trtdoctor.net.together import each
from trtdoctor.net.words import shown
from trtdoctor.record import record


@record
class Side:
    """One side, and its list of tags."""

    registry: Registry
    role: str
    tags: Tags | None
    state: str
    """As :attr:`MirrorSide.state`."""
    why: str | None = None
    """Why there is no list."""

    @property
    def names(self) -> frozenset[str]:
        """The tags that it lists."""
        return frozenset(self.tags.names) if self.tags is not None else frozenset()


@record
class Kind:
    """What kind of mirror it is, and what its list is worth."""

    product: str | None = None
    detail: str | None = None
    cache: bool = False
    """It gets what it is asked for from its upstream: asking changes what it holds."""
    empty: bool = False
    """It holds no layer of the repository."""
    reaches: bool = True
    """Whether it can reach its upstream, as far as that shows."""
    project: harbor.Project | None = None
    note: str | None = None


@record
class Pair:
    """Everything that the steps of one comparison share."""

    mirror: Mirror
    matrix: Matrix
    upstream: Side
    side: Side
    """Of the mirror."""
    kind: Kind
    before: Mapping[str, MirrorItem]
    """By tag, as an earlier look found them."""
    checked: str | None
    """When that was."""
    listed_before: bool
    """Whether upstream listed its tags then."""
    now: datetime

    @property
    def recalls(self) -> bool:
        """Whether what upstream has must be remembered, as it does not say now."""
        return self.upstream.tags is None and self.upstream.state != "absent"

    @property
    def probed(self) -> bool:
        """Whether the mirror may be asked for what a list does not prove, though that changes a cache."""
        return self.mirror.held != "listed"


def registries(
    mirror: Mirror, matrix: Matrix, client: Client, upstream: str, environ: Mapping[str, str]
) -> tuple[Registry, Registry]:
    """Upstream's and the mirror's, each with the login for it alone. Raises ValueError for what is configured wrong."""
    found = []
    for address, prefix in ((upstream, "upstream_"), (mirror.mirror, "")):
        names = {name: getattr(mirror, f"{prefix}{name}") for name in ("username_env", "password_env", "token_env")}
        known = mirrors.upstream_at(matrix, "oci", address)
        account = known.row.text("account") if known is not None else None
        found.append(Registry(client, address, find(address, environ, **names), account))
    return found[0], found[1]


def listed(upstream: Registry, mirror: Registry) -> tuple[Side, Side]:
    """Both sides with their lists, asked at once."""
    named = ((upstream, "upstream"), (mirror, "mirror"))
    found = each(lambda one: _list(*one), named, at_once=2, seconds=upstream.client.left)
    late = [Side(registry, role, None, "unreachable", "it did not answer in time") for registry, role in named]
    return found[0] or late[0], found[1] or late[1]


def _list(registry: Registry, role: str) -> Side:
    try:
        return Side(registry, role, registry.tags(), "ok")
    except RegistryError as error:
        state = error.state
        if error.status == 404 and registry.is_registry():
            state = "absent"  # also where a front says so in HTML
        return Side(registry, role, None, state, str(error))


def kind_of(mirror: Mirror, side: Side) -> Kind:
    """What kind of mirror it is. Nothing is asked that would change what it holds."""
    registry, challenge = side.registry, side.registry.access.challenge
    if side.tags is not None and side.tags.host:
        return Kind("redirect", "another host answers for it")
    if mirror.api == "harbor":
        return _harbor(registry)
    if challenge is not None and challenge.parameters.get("service") == harbor.SERVICE:
        return Kind("harbor")
    if side.tags is not None and side.tags.server.lower().startswith("nexus"):
        return Kind("nexus")
    if side.state not in ("ok", "absent"):
        return Kind()
    through, reaches = registry.pulls_through()
    if not through:
        return Kind("registry" if side.tags is not None else None)
    detail = "it gets what it is asked for from its upstream: its list is upstream's, and proves nothing that it holds"
    if not reaches:
        detail = "it gets what it is asked for from its upstream, and cannot reach it: it lists what was pulled before"
    empty = registry.catalogued() is False
    return Kind("pull-through", detail, cache=True, empty=empty, reaches=bool(reaches))


def _harbor(registry: Registry) -> Kind:
    try:
        project = harbor.look(registry)
    except harbor.HarborError as error:
        return Kind("harbor", note=f"the mirror: Harbor's own interface: {error}; it was asked as any registry")
    if not project.cache:
        return Kind("harbor", project=project)
    detail = "a proxy cache of Harbor: it lists what was pulled before, and by default lets go of it after seven days"
    return Kind("pull-through", detail, cache=True, project=project)


def as_facts(pair: Pair, hosts: Mapping[str, str]) -> tuple[MirrorSide, MirrorSide]:
    """Both sides as facts; ``hosts``: who else answered for a role."""
    found = []
    for side in (pair.upstream, pair.side):
        of_mirror = side.role == "mirror"
        project = pair.kind.project if of_mirror else None
        pushed = [held.pushed for held in project.tags.values() if held.pushed] if project is not None else []
        state, detail = side.state, side.why
        if of_mirror and side.tags is None and pair.kind.cache and not pair.kind.reaches:
            state, detail = "unreachable", f"it cannot reach its upstream, and holds nothing of this ({side.why})"
        found.append(
            MirrorSide(
                role=side.role,
                address=shown(f"{side.registry.base}/{side.registry.repository}"),
                state=state,
                detail=detail or (pair.kind.detail if of_mirror else None),
                product=pair.kind.product if of_mirror else None,
                served_by=hosts.get(side.role),
                synced=max(pushed, default=None),
                synced_by="push_time" if pushed else None,
                unverified=_unverified(side.registry),
                warnings=side.tags.warnings if side.tags is not None else (),
            )
        )
    return found[0], found[1]


def _unverified(registry: Registry) -> bool | None:
    return True if registry.base.startswith("https:") and registry.client.verification(registry.base) is False else None


def usual_upstream(mirror: Mirror, matrix: Matrix) -> str:
    """The upstream of a mirror for which none is named. Raises ValueError where its address does not tell."""
    known = mirrors.default_upstream(matrix, "oci", mirror.mirror)
    if known is None or known.address is None:
        raise ValueError(f"{mirror.id}: the address of the mirror does not tell its upstream: name it with upstream")
    return known.address
