"""Who answered and who did not, what a mirror carries at all, and what it says of itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from trtdoctor.findings import Severity
from trtdoctor.matrix import Fact, Matrix
from trtdoctor.mirror_facts import MirrorSide, MirrorSource
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import advice
from trtdoctor.rules.mirror_asked import asked

if TYPE_CHECKING:
    from trtdoctor.rules.mirror_view import View

MEANS = {
    "unreachable": "gives no answer",
    "denied": "denies access",
    "other-kind": "is no such service",
    "hostile": "sends what no such service sends",
}
"""States of a side that tells nothing, in a sentence."""
_ROLES = {
    "mirror": "the mirror",
    "status": "the status page",
    "upstream": "its upstream",
    "wheels": "the index behind stubs",
}
"""Sides that something depends on."""
_ITSELF = ("mirror", "status")
_FAILING = {"failed": "its last run failed", "paused": "it is paused", "disabled": "it is switched off"}


@rule("MIR205", "served-by-another-host", severity=Severity.INFO, components=("mirror",))
def served_by_another_host(context: Context) -> Iterable[Problem]:
    """The mirror sends its readers to another host, which is the one that really answers.

    Why it matters: The site that was chosen holds nothing of this itself: it is as fast, as fresh and as available as
    the other host, and in a network that lets only the mirror through nothing comes.

    Example: In August 2026 a university site removed several mirrors and redirected their addresses to other sites.

    How to fix: Name the other host, or take a mirror that has it.

    Sources: tuna_web_news
    """
    for view in asked(context):
        for side in view.source.sides:
            if side.served_by is not None and side.role in _ITSELF:
                yield Problem(
                    Severity.INFO,
                    f"{view.name} is served by another host: {side.served_by}",
                    breaks="Nothing while that host answers; it must be reachable too.",
                    facts=(view.found(f"served by {side.served_by}", side.role),),
                )


@rule("MIR206", "not-carried-here", severity=Severity.ERROR, components=("mirror",))
def not_carried_here(context: Context) -> Iterable[Problem]:
    """The mirror answers, and does not carry this at all; or its site is known not to.

    Why it matters: It is not behind: waiting for it helps nobody. Sites say no for good reasons, mostly licences. Where
    the policy sets a limit to lag (max-lag-days) somebody relies on it, and it is an error.

    Example: docker.tuna.tsinghua.edu.cn for nvcr.io/nvidia/tensorrt: that site has no container images.

    How to fix: Take a mirror that carries it, or have a registry or an index of one's own.

    Sources: tuna_2457, tuna_410, ustclug_272
    """
    for view in asked(context):
        known = lacks(context.matrix, view.source)
        side = _itself(view.source)
        absent = side is not None and side.state == "absent"
        if not absent and not (known and side is not None and side.state in MEANS):
            continue
        title, note, fact = known or (None, None, None)
        what = _what(view.source)
        limited = context.policy.max_lag_days is not None  # somebody relies on it
        yield Problem(
            Severity.ERROR if limited else Severity.WARNING,
            f"{title or view.name} does not carry {what}",
            breaks="Nothing of it can be had from there, and waiting does not help.",
            detail=note or (side.detail if side is not None and side.detail else ""),
            facts=(view.found(f"{what}: not carried", side.role if side is not None else "mirror"),),
            sources=(fact,) if fact is not None else (),
            remedy=advice("mirror", "Take a mirror that carries it, or fill a registry or an index of your own."),
        )


def lacks(matrix: Matrix, source: MirrorSource) -> tuple[str, str | None, Fact] | None:
    """A public site that is known not to have it: its name, why, and the row that says so."""
    from trtdoctor.matrix import mirrors
    from trtdoctor.versions import Answer

    site = mirrors.site_of(matrix, source.mirror)
    upstream = None
    if source.upstream is not None:
        upstream = mirrors.upstream_at(matrix, source.kind, source.upstream)
    if upstream is None and source.mirror is not None:
        upstream = mirrors.default_upstream(matrix, source.kind, source.mirror)
    if site is None or upstream is None:
        return None
    answer, row = site.carries(upstream.id)
    if answer is not Answer.NO or row is None:
        return None
    note, fact = mirrors.reason(row)
    return site.title, note, fact


def _what(source: MirrorSource) -> str:
    """What is looked for, in a sentence."""
    if source.kind == "oci" and source.upstream:
        return f"{source.upstream.partition('://')[2].partition('/')[2] or 'these'} images"
    words = {"oci": "these images", "pypi": "TensorRT's Python packages", "apt": "NVIDIA's apt repository"}
    return words.get(source.kind, "the jobs that were asked for")


@rule("MIR301", "side-unreachable", severity=Severity.WARNING, components=("mirror",))
def side_unreachable(context: Context) -> Iterable[Problem]:
    """A side could not be asked: the mirror, its upstream, a status page, or where stubs get their wheels.

    Why it matters: What is not known is not called missing. While the mirror itself is down nothing can be installed
    from it; while the index behind stubs is, no stub can be built.

    Example: https://registry.corp:5000 refuses the connection.

    How to fix: Mend the side that the finding names, or its credentials (netrc, docker login, username-env).

    Sources: https://github.com/opencontainers/distribution-spec/blob/main/spec.md, wheel_stub_sdist
    """
    for view in asked(context):
        known = lacks(context.matrix, view.source) is not None
        for side in view.source.sides:
            if side.state not in MEANS or side.role not in _ROLES or (known and side.role in _ITSELF):
                continue
            who = _ROLES[side.role]
            means = MEANS[side.state]
            said = f"{view.name}: {who} {means}"
            context.unknown("mirror", f"what {who} has", said, "look again when it answers")
            yield Problem(
                Severity.INFO if side.role == "upstream" else Severity.WARNING,
                said,
                breaks=_breaks(side),
                detail=side.detail or "",
                facts=(view.found(f"{side.role}: {side.state}", side.role),),
                remedy=advice(
                    "mirror", f"See to it that {who} answers; credentials: netrc, docker login, username-env."
                )
                if side.state == "denied"
                else None,
            )


def _breaks(side: MirrorSide) -> str:
    if side.role == "upstream":
        return "Nothing on the mirror; what it lacks cannot be told."
    if side.role == "wheels":
        return "Stubs cannot be built here: their wheels cannot be fetched."
    if side.role == "status":
        return "Nothing that is known; how fresh the site is cannot be told."
    return "Nothing can be had from it while that lasts."


@rule("MIR302", "mirror-says-sync-failed", severity=Severity.WARNING, components=("mirror",))
def mirror_says_sync_failed(context: Context) -> Iterable[Problem]:
    """The mirror site's own status page says that a job failed, rests, or is switched off.

    Why it matters: What is there stays there, and nothing new comes.

    Example: tunasync says of the job pypi: failed, last success three days ago.

    How to fix: Wait, ask the site, or take another mirror for the time being.

    Sources: tunasync, mirrorz_config
    """
    for view in asked(context):
        for item in view.source.items:
            if item.sync not in _FAILING:
                continue
            since = f", last success {item.mirrored}" if item.mirrored else ", when it last succeeded is not said"
            yield Problem(
                Severity.WARNING,
                f"{view.name} says of its job {item.name}: {_FAILING[item.sync]}{since}",
                breaks="Nothing that is there already; nothing new comes.",
                detail=item.detail or "",
                facts=(view.found(f"{item.name}: {item.sync}", "status"),),
            )


@rule("MIR303", "news-of-removal", severity=Severity.INFO, components=("mirror",))
def news_of_removal(context: Context) -> Iterable[Problem]:
    """The mirror site's news speak of what is looked at here: it goes, moves, rests or comes back.

    Why it matters: News are the only place where a site says beforehand that a mirror goes.

    Example: "Several mirrors are removed for want of space" (August 2026).

    How to fix: Read it, and look for another mirror in time.

    Sources: tuna_web_feed, tuna_web_news
    """
    for view in asked(context):
        for entry in view.source.news[:5]:
            when = f" ({entry.published[:10]})" if entry.published else ""
            yield Problem(
                Severity.INFO,
                f"News of {view.name}{when}: {entry.title}",
                breaks="Nothing yet, as far as the title tells.",
                detail=entry.link or "",
                facts=(view.found("news that concern it", "news"),),
            )


@rule("MIR304", "certificate-not-checked", severity=Severity.WARNING, components=("mirror",))
def certificate_not_checked(context: Context) -> Iterable[Problem]:
    """The certificate of a side was not checked, because verify-tls = false or --insecure turned that off.

    Why it matters: Anybody on the way can answer in its place, with other files and other digests; what was compared
    proves nothing then. Credentials are given to whoever answers.

    Example: verify-tls = false for a registry whose certificate is signed by the site's own authority.

    How to fix: Name that authority with ca-file (or --ca-file), and turn checking on again.

    Sources: https://docs.docker.com/engine/security/certificates/
    """
    for view in asked(context):
        roles = list(_unverified(view))
        if roles:
            yield Problem(
                Severity.WARNING,
                f"{view.name}: the certificate of {' and of '.join(roles)} was not checked",
                breaks="Nothing; but nobody knows who answered.",
                facts=tuple(view.found("certificate not checked", side.role) for side in view.source.sides[:3]),
                remedy=advice("mirror", "Name the authority with ca-file, and turn verify-tls on again."),
            )


def _unverified(view: View) -> Iterator[str]:
    for side in view.source.sides:
        if side.unverified:
            yield _ROLES.get(side.role, side.role)


def _itself(source: MirrorSource) -> MirrorSide | None:
    """The side of the mirror itself."""
    return next((side for side in source.sides if side.role in _ITSELF), None)
