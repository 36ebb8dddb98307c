"""Kind ``status``: what a mirror site says of its own jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from difflib import get_close_matches

from trtdoctor.config.mirrors import Mirror
from trtdoctor.matrix import Matrix
from trtdoctor.matrix.distributions import normalise
from trtdoctor.matrix.mirrors import jobs as known_jobs
from trtdoctor.matrix.mirrors import site_of
from trtdoctor.mirror.pages import Job, Page, PageError, read
from trtdoctor.mirror_facts import SYNCS, MirrorItem, MirrorSide, MirrorSource
from trtdoctor.net.credentials import find
from trtdoctor.net.http import Answer, Client, NetError
from trtdoctor.net.words import without_addresses
from trtdoctor.text import clean
from trtdoctor.times import iso, parse

MOST_BYTES = 8 << 20
_AHEAD = timedelta(hours=26)
"""A time further ahead than clocks and zones explain was never a last success."""
_EVIDENCE = "status page"


def look(
    mirror: Mirror,
    matrix: Matrix,
    client: Client,
    *,
    before: MirrorSource | None,
    now: datetime,
    environ: Mapping[str, str],
) -> MirrorSource:
    """Ask the page at ``mirror.mirror`` for the jobs that matter.

    These are ``mirror.job``, else those that the matrix names for the site, else those that it names at all. Raises
    CredentialsError for a variable that is named and not set; whatever the server does becomes a side.
    """
    side, page = _ask(mirror, client, environ)
    if page is None:
        return MirrorSource(mirror.id, "status", None, mirror.mirror, iso(now), (side,), requests=client.requests)
    items, wanted = _chosen(page, mirror, matrix)
    found = tuple(_item(name, job, page, now) for name, job in items)
    notes = list(page.notes)
    if mirror.format not in (None, page.format):
        notes.append(f"the page was said to be of {mirror.format}, and is of {page.format}")
    if not any(item.state != "missing" for item in found):
        shown = ", ".join(wanted[:5])
        side = replace(side, state="absent", detail=f"none of its {len(page.jobs)} jobs is {shown}")
    synced = next((item.mirrored for item in found if item.mirrored), None)
    side = replace(side, product=page.format, synced=synced, synced_by=page.format if synced else None)
    return MirrorSource(
        id=mirror.id,
        kind="status",
        mirror=mirror.mirror,
        checked=iso(now),
        sides=(side,),
        items=found,
        notes=tuple(notes),
        requests=client.requests,
    )


def _ask(mirror: Mirror, client: Client, environ: Mapping[str, str]) -> tuple[MirrorSide, Page | None]:
    login = find(
        mirror.mirror,
        environ,
        username_env=mirror.username_env,
        password_env=mirror.password_env,
        token_env=mirror.token_env,
    )
    side = MirrorSide(role="status", address=mirror.mirror, unverified=None if mirror.verify_tls else True)
    try:
        auth = login.auth() if login is not None else None
        answer = client.get(mirror.mirror, most=MOST_BYTES, accept="application/json", auth=auth, keep=auth is None)
    except NetError as error:
        return replace(side, state=error.kind, detail=clean(without_addresses(str(error)), 300)), None
    side = replace(side, served_by=answer.host if answer.redirected else None, warnings=answer.warnings)
    if answer.status != 200:
        state, detail = refusal(answer)
        return replace(side, state=state, detail=detail), None
    try:
        return side, read(answer.json())
    except PageError as error:
        return replace(side, state="other-kind", detail=f"no status page: {error}"), None
    except ValueError:
        kind = clean(answer.kind, 40) or "of no type"
        return replace(side, state="other-kind", detail=f"no status page: what answers is no JSON ({kind})"), None


def refusal(answer: Answer) -> tuple[str, str]:
    """State and detail of a side that did not answer with 200."""
    states = {401: "denied", 403: "denied", 407: "denied", 404: "absent", 410: "absent"}
    return states.get(answer.status, "unreachable"), f"HTTP {answer.status}"


def _chosen(page: Page, mirror: Mirror, matrix: Matrix) -> tuple[list[tuple[str, Job | None]], tuple[str, ...]]:
    """The jobs that matter with the names that they are looked for by, and every name that was looked for.

    One that the user names is there in any case, with None where the page has no such job.
    """
    by_name: dict[str, Job] = {}
    for job in page.jobs:
        by_name.setdefault(_same(job.name), job)
    if mirror.job:
        return [(mirror.job, by_name.get(_same(mirror.job)))], (mirror.job,)
    site = site_of(matrix, mirror.mirror)
    named = tuple(dict.fromkeys((*(site.jobs() if site else ()), *known_jobs(matrix))))
    found = dict.fromkeys(by_name[_same(name)] for name in named if _same(name) in by_name)
    return [(job.name, job) for job in found], named


def _same(name: str) -> str:
    """Names of jobs compare without case; ``pypi/web/simple`` is the job ``pypi``, as mirrorz' list of names has it."""
    return normalise(name.strip("/").partition("/")[0].strip())


def _item(name: str, job: Job | None, page: Page, now: datetime) -> MirrorItem:
    if job is None:
        close = get_close_matches(name, [item.name for item in page.jobs], n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        return MirrorItem(name=name, project=name, state="missing", evidence=_EVIDENCE, detail=f"no such job{hint}")
    succeeded = parse(job.succeeded)
    ahead = succeeded is not None and succeeded > now + _AHEAD
    said = [SYNCS[job.sync] if job.word is None else f"the page calls it {job.word!r}"]
    if ahead:
        said.append(f"its last success lies in the future ({job.succeeded})")
    elif succeeded is None and job.sync not in ("cache", "proxy"):
        said.append("when it last succeeded is not said")
    if job.upstream:
        said.append(f"it syncs from {job.upstream}")
    return MirrorItem(
        name=job.name,
        project=job.name,
        state="unknown" if job.sync in ("disabled", "unknown") and succeeded is None else "present",
        evidence=_EVIDENCE,
        detail=clean("; ".join(said), 400),
        mirrored=None if ahead else job.succeeded,
        sync=job.sync,
        tried=job.tried,
        scheduled=job.scheduled,
    )
