"""What a mirror was seen to hold, beside its upstream: facts of a Snapshot, taken by ``mirror``, judged by rules.

Nothing here judges. An address has neither user info nor query. Times are ISO 8601 in UTC.
"""

from __future__ import annotations

from dataclasses import field

from trtdoctor.record import record

KINDS = ("oci", "pypi", "apt", "status")
"""Container repository, Python index, apt repository, status page of a mirror site."""

STATES = {
    "same": "both have it, and what was compared is equal",
    "present": "both list it; it was not compared",
    "missing": "upstream has it, the mirror does not",
    "differs": "both have it, and what was compared is not equal",
    "missing-platform": "the mirror has it for fewer platforms, or with fewer files",
    "extra": "only the mirror ever had it",
    "gone-upstream": "the mirror has it, upstream has deleted it",
    "stub-only": "the mirror has the stub, and nothing here has the wheel that its build fetches",
    "listed-not-held": "the mirror lists it and did not give it",
    "unknown": "it could not be told, for the reason that is given",
}
"""Word to meaning."""

SYNCS = {
    "success": "the last run ended well",
    "syncing": "a run is under way",
    "pending": "a run is about to begin",
    "failed": "the last run failed",
    "paused": "no run is planned",
    "disabled": "the site has switched it off",
    "cache": "a reverse proxy with a cache: as fresh as upstream, and there as long as upstream is",
    "proxy": "a reverse proxy without a cache: as fresh as upstream, and there as long as upstream is",
    "unknown": "the page does not say, or says it in a word that is not known",
}
"""What status pages say of jobs: word to meaning."""


def _private(kind: str) -> str | None:
    """A field that ``--redact`` changes: an ``address`` or host can be a site's own, a ``message`` may name one."""
    found: str | None = field(default=None, metadata={"private": kind})
    return found


@record
class MirrorFile:
    """One file of a Python index or an apt repository."""

    name: str = ""
    size: int | None = None
    """Bytes."""
    sha256: str | None = None
    """Hexadecimal digits, as upstream states it, else as the mirror does."""
    uploaded: str | None = None
    yanked: bool | None = None
    on: str = "both"
    """Who lists it: ``both``, ``upstream``, ``mirror``; ``wheels``: where stubs fetch their wheels from here;
    ``upstream-wheels``: only where stubs fetch them from elsewhere (NVIDIA's own index)."""


@record
class MirrorComponent:
    """One component in an image, read from its configuration without pulling a layer."""

    name: str = ""
    """``tensorrt``, ``cuda``, ``cudnn``, ``cublas``, ``driver`` (the one that the image was made with), ``driver-cuda``
    (the CUDA that the image demands of the driver), ``python``."""
    version: str = ""
    where: str | None = None
    """The label or variable that says so: ``com.nvidia.tensorrt.version``, ``CUDA_VERSION``; ``matrix`` where only that
    does."""
    on: str = "both"
    """Whose image says so: ``both``, ``upstream``, ``mirror``. Two entries of one component on one side are a label and
    a variable that disagree."""


@record
class MirrorItem:
    """One tag, one version of a Python distribution or an apt package, or one job of a mirror site."""

    name: str = ""
    """As it is shown: ``26.10-py3``, ``tensorrt-cu13-libs 11.4.0.106``, ``libnvinfer10 10.16.1.11-1+cuda13.2``."""
    project: str | None = None
    """Distribution, apt package, job; the repository of an image: ``nvidia/tensorrt``."""
    version: str | None = None
    """Version, or the tag of an image."""
    state: str = "unknown"
    """One of ``STATES``."""
    evidence: str | None = None
    """What the state rests on: ``digest``, ``platforms`` (the digests of an image's platforms), ``manifest``,
    ``layers``, ``catalogue``, ``sha256``, ``files``, ``listed``, ``status page``."""
    detail: str | None = _private("message")
    """Why it is unknown, what differs, in words."""
    as_of: str | None = None
    """When what it rests on was seen, where that was an earlier time than the source's ``checked``."""
    upstream_digest: str | None = None
    mirror_digest: str | None = None
    released: str | None = None
    """When upstream got it, by ``released_by``."""
    released_by: str | None = None
    """``upload-time``, ``pushed`` (NGC), ``annotation``, ``image created``, ``release date``, ``first seen``, ``month``
    (no earlier than the month in an NGC tag)."""
    mirrored: str | None = None
    """When the mirror got it, where it says so; of a job its last success."""
    sync: str | None = None
    """Of a job, one of ``SYNCS``."""
    tried: str | None = None
    """When a job last ran, well or not."""
    scheduled: str | None = None
    """When a job runs next."""
    platforms: tuple[str, ...] = ()
    """Of upstream's image: ``linux/amd64``, ``linux/arm64``; of the mirror's where upstream has none."""
    missing: tuple[str, ...] = ()
    """Platforms or file names that upstream has and the mirror has not."""
    files: tuple[MirrorFile, ...] = ()
    components: tuple[MirrorComponent, ...] = ()


@record
class MirrorSide:
    """What answered at one of the addresses of a source."""

    role: str = "mirror"
    """``upstream``, ``mirror``, ``wheels`` (the index behind stubs), ``upstream-wheels`` (NVIDIA's own, where stubs are
    told to use another), ``status``, ``news``."""
    address: str | None = _private("address")
    state: str = "ok"
    """``ok``; ``unreachable`` (no connection, a time limit, a server error), ``denied`` (wants credentials),
    ``absent`` (it answers, and has no such repository or project at all), ``other-kind`` (what answers is no such
    service), ``hostile`` (it broke a limit), ``inconsistent`` (an apt repository whose lists of packages are not those
    that its Release names: caught in the middle of a sync, apt refuses it), ``unasked`` (only a state was read)."""
    detail: str | None = _private("message")
    product: str | None = None
    """What kind of mirror it is, as far as that shows: ``registry``, ``pull-through``, ``harbor``, ``nexus``,
    ``bandersnatch``, ``devpi``, ``json-index``, ``html-index``, ``flat-apt``, ``apt``, ``tunasync``, ``mirrorz``,
    ``yuki``, ``reverse-proxy``, ``redirect``."""
    served_by: str | None = _private("address")
    """Another host that its answers came from, by redirection."""
    synced: str | None = None
    """When it last got something from upstream, by its own word."""
    synced_by: str | None = None
    """Where it says so: ``last-modified``, ``Release Date``, ``tunasync``, ``push_time``, ``serial``."""
    unverified: bool | None = None
    """True when its TLS certificate was not checked, because somebody turned that off."""
    warnings: tuple[str, ...] = ()
    """What the server asked clients to show."""


@record
class MirrorNews:
    """One entry of a mirror site's news that speaks of what we look at."""

    title: str = ""
    published: str | None = None
    link: str | None = _private("address")


@record
class MirrorSource:
    """One pair of upstream and mirror, as it was found."""

    id: str = ""
    kind: str = ""
    """One of ``KINDS``."""
    upstream: str | None = _private("address")
    """Its address."""
    mirror: str | None = _private("address")
    checked: str | None = None
    """When it was looked at."""
    sides: tuple[MirrorSide, ...] = ()
    items: tuple[MirrorItem, ...] = ()
    notes: tuple[str, ...] = ()
    """What should be known beside it, one line each: what was not asked, what was cut short."""
    news: tuple[MirrorNews, ...] = ()
    requests: int | None = None
    """How many requests it took."""
    asked: tuple[str, ...] = ()
    """The projects of an index that were asked for, also where neither side has them."""

    def side(self, role: str) -> MirrorSide | None:
        """The side of a role; None where there is none."""
        return next((item for item in self.sides if item.role == role), None)
