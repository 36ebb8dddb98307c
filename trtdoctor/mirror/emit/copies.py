"""Items of images as what is to be copied from where to where, for every tool that copies images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trtdoctor.config.mirrors import Mirror
from trtdoctor.mirror.emit import EmitOptions
from trtdoctor.mirror.emit.head import comments
from trtdoctor.mirror.emit.names import EmitError, Place, checked, repository
from trtdoctor.mirror.emit.tags import named
from trtdoctor.mirror.wants import SyncItem
from trtdoctor.record import record


@record
class Copy:
    """One tag of one image."""

    source: Place
    target: Place
    tag: str
    """Upstream's."""
    inside: str
    """What it is to be called on the mirror."""
    digest: str | None
    """Upstream's; None where nobody knows."""
    platforms: tuple[str, ...]
    """Those that are wanted; empty for all."""
    unverified: bool
    """Whether the user turned off the check of the mirror's certificate."""
    item: SyncItem

    @property
    def asked(self) -> str:
        """The source as tools write it: by its digest, so that a tag that moves meanwhile changes nothing."""
        return f"{self.source.image}@{self.digest}" if self.digest else f"{self.source.image}:{self.tag}"

    @property
    def given(self) -> str:
        """The target as tools write it."""
        return f"{self.target.image}:{self.inside}"


def copies(items: Sequence[SyncItem], options: EmitOptions) -> tuple[Copy, ...]:
    """What is to be copied, in order. Raises :class:`EmitError`, also where two images would get one name."""
    loose = {mirror.id for mirror in options.mirrors if not mirror.verify_tls}
    made: dict[str, Copy] = {}
    for item in checked(items):
        source = repository(item.upstream, item.project, "upstream")
        target = repository(item.mirror, item.project, "mirror")
        inside = named(options.tag_template, item.version, source.path, item.digest)
        copy = Copy(source, target, item.version, inside, item.digest, item.platforms, item.source in loose, item)
        other = made.setdefault(copy.given, copy)
        if other.asked != copy.asked or other.platforms != copy.platforms:
            raise EmitError(f"{other.asked} and {copy.asked} would both be {copy.given}")
    return tuple(sorted(made.values(), key=lambda copy: (copy.target.image, copy.inside)))


def refuse_names(tool: str, found: Iterable[Copy]) -> None:
    """For a tool that cannot give other tags. Raises :class:`EmitError`."""
    if any(copy.inside != copy.tag for copy in found):
        raise EmitError(f"{tool} cannot give images other tags: --tag-template goes with skopeo and regsync")


@record
class Variables:
    """The names of the variables that hold the login for one side of a copy, where the user named some."""

    username: str | None = None
    password: str | None = None
    token: str | None = None


def variables(mirror: Mirror | None, side: str) -> Variables:
    """Of ``src`` or ``dest``."""
    if mirror is None:
        return Variables()
    if side == "dest":
        return Variables(mirror.username_env, mirror.password_env, mirror.token_env)
    return Variables(mirror.upstream_username_env, mirror.upstream_password_env, mirror.upstream_token_env)


def account(options: EmitOptions, host: str) -> str | None:
    """The name that goes with a token at a host."""
    return dict(options.accounts).get(host)


def open_hosts(found: Iterable[Copy]) -> tuple[str, ...]:
    """Hosts that are asked without TLS."""
    return tuple(sorted({side.host for copy in found for side in (copy.source, copy.target) if side.open}))


def loud(found: Iterable[Copy]) -> list[str]:
    """Notes on what is not protected."""
    found = list(found)
    notes = [f"{host} is asked without TLS, as its address says." for host in open_hosts(found)]
    hosts = sorted({copy.target.host for copy in found if copy.unverified and not copy.target.open})
    return [*notes, *(f"The certificate of {host} is NOT checked: verify-tls = false." for host in hosts)]


def behind(line: str, copy: Copy) -> str:
    """A line of YAML with what is known of the image behind it."""
    said = ", ".join(filter(None, (copy.digest, copy.item.why)))
    return "  ".join([line, *(comments(said) if said else [])])
