"""The report: its shape, its words, and that no host or secret is in what others read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import jsonschema
import pytest

from tests.conftest import ROOT
from tests.mirror.facts import BUILDS, CHECKED, apt, cu12, cu13, debs, inside, job, oci, pypi, tag
from tests.render.test_hostile_text import HOSTILE, check_ci_text, check_text
from tests.rules.mirrors import L4
from trtdoctor.declared import snapshot_of
from trtdoctor.findings import Report
from trtdoctor.matrix import Matrix
from trtdoctor.mirror.report import MirrorReport, judged
from trtdoctor.mirror.sync_list import read
from trtdoctor.mirror_facts import MirrorNews, MirrorSide, MirrorSource
from trtdoctor.policy import Clause, Policy
from trtdoctor.redaction import redact
from trtdoctor.render import CI_FORMATS, render, render_mirrors
from trtdoctor.snapshot import Snapshot
from trtdoctor.text import as_json
from trtdoctor.waivers import Waiver

AS_OF = date(2026, 11, 22)
NEW, MIDDLE, OLD = "11.4.0.106", "11.3.0.99", "10.16.1.11"
UPSTREAM = (*cu13(NEW), *cu13(MIDDLE), *cu13(OLD), *cu12(NEW), *BUILDS)
HALF = [*cu13(OLD), *cu13(MIDDLE)[:-1], *BUILDS]
SECRET = "s3cr3t-host"
SCHEMA = json.loads((ROOT / "trtdoctor" / "schemas" / "mirror.schema.json").read_text("utf-8"))


def everything() -> tuple[MirrorSource, ...]:
    """A source of each kind with something wrong in each."""
    images = oci(
        tag("26.10-py3", "missing", released="2026-10-28T00:00:00Z", released_by="pushed"),
        tag("26.09-py3", "missing-platform", missing=("linux/arm64",), detail="the mirror has linux/amd64 alone"),
        tag("26.08-py3", components=inside("mirror", tensorrt="11.2.1.2", cuda="13.4.1")),
        tag("26.07-py3", "differs", detail="another digest"),
        tag("24.08-py3", as_of="2026-11-20T00:00:00Z"),
        tag("26.06-py3", "unknown", mirror_digest=None, detail="HTTP 503"),
        notes=("40 other tags are not of the usual form",),
    )
    site = replace(
        job(sync="failed"), news=(MirrorNews("Mirrors are removed", "2026-08-09T00:00:00Z", "https://x.example/1"),)
    )
    odd = MirrorSide("mirror", "https://mirror.example/simple", served_by="other.example", unverified=True)
    pip = pypi(UPSTREAM, HALF)
    pip = replace(pip, sides=tuple(odd if side.role == "mirror" else side for side in pip.sides))
    return pip, images, apt(*debs("10.16.1.11-1+cuda13.2", but={"libnvinfer-plugin10": "missing"})), site


def both(matrix: Matrix, sources: tuple[MirrorSource, ...], **more: Any) -> tuple[MirrorReport, Report]:
    return judged(sources, matrix, as_of=AS_OF, **more)


def redacted(matrix: Matrix, sources: tuple[MirrorSource, ...], **more: Any) -> Report:
    hidden = redact(Snapshot(kind="declared", mirrors=sources)).mirrors
    return both(matrix, hidden, redacted=True, **more)[1]


# -- the shape ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sources", [(), everything(), everything()[:1], (MirrorSource(),), (pypi(None, None),)])
def test_the_json_keeps_to_its_schema(matrix: Matrix, sources: tuple[MirrorSource, ...]) -> None:
    report, _ = both(matrix, sources, machines=[snapshot_of(L4)])
    document = json.loads(render_mirrors(report, "json"))
    jsonschema.validate(document, SCHEMA)
    assert document["schema"] == "trtdoctor-mirror/1"
    assert set(document["stacks"]) == {"mirror", "upstream"}
    for source in document["sources"]:
        assert set(source["lag"]) == {"seconds", "evidence"}
        assert sum(source["states"].values()) == len(source["entries"])


def test_what_is_to_be_synced_can_be_read_again(matrix: Matrix) -> None:
    report, _ = both(matrix, everything())
    assert report.sync
    assert read(render_mirrors(report, "json").encode()) == report.sync


def test_entries_say_whether_they_are_of_use(matrix: Matrix) -> None:
    report, _ = both(matrix, everything(), policy=Policy(deny=(Clause("tensorrt", "==11.4.*", "INC-231"),)))
    entries = {entry.name: entry for source in report.sources for entry in source.entries}
    denied = entries[f"tensorrt-cu13 {NEW}"]
    assert (denied.fits, denied.allowed, denied.counts) == ("yes", "no", False)
    assert denied.why == "denied by tensorrt==11.4.* (INC-231)"
    assert entries["wheel-stub 0.5.0"].fits is None
    assert entries["26.10-py3"].counts
    assert entries["24.08-py3"].as_of == "2026-11-20T00:00:00Z"


def test_the_worst_source_has_the_headline(matrix: Matrix) -> None:
    report, _ = both(matrix, (job(), oci(tag("26.10-py3")), pypi(UPSTREAM, [*cu13(OLD), *BUILDS])))
    assert "corp" in report.headline
    assert report.headline.endswith("(and 2 more sources)")


@pytest.mark.parametrize(
    ("threshold", "fails"), [("error", False), ("warning", True), ("unknown", False), ("never", False)]
)
def test_the_exit_code(matrix: Matrix, threshold: str, fails: bool) -> None:
    report, others = both(matrix, (pypi(UPSTREAM, [*cu13(OLD), *BUILDS]),))
    assert report.fails(threshold) is fails
    assert others.fails(threshold) is fails


def test_waivers_and_codes_of_the_configuration_hold_here_too(matrix: Matrix) -> None:
    waiver = Waiver("MIR101", "mirror", None, "known, INC-7", "somebody", "2026-12-31")
    report, _ = both(matrix, (pypi(UPSTREAM, HALF),), waivers=[waiver])
    assert next(item for item in report.findings if item.code == "MIR101").waived is not None
    assert report.counts["error"] == 0
    ignored, _ = both(matrix, (pypi(UPSTREAM, HALF),), ignore=("MIR101", "MIR202"))
    assert not ignored.findings
    other = Waiver("DRV201", "driver", None, "not of mirrors", "somebody", "2026-12-31")
    assert not [item for item in both(matrix, (), waivers=[other])[0].findings if item.code == "POL104"]


def test_other_rules_say_nothing_here(matrix: Matrix) -> None:
    """A machine of the fleet is there to be fitted, not to be judged."""
    broken = {**L4, "driver": "390.10", "tensorrt": [{"version": "11.4.0", "from": "pip-cu13"}]}
    report, others = both(matrix, everything(), machines=[snapshot_of(broken)])
    assert {item.code[:3] for item in report.findings} == {"MIR"}
    assert {item.component for item in others.unknowns} <= {"mirror"}


# -- for people --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verbose", [False, True])
def test_the_table_is_readable_at_80_columns(matrix: Matrix, verbose: bool) -> None:
    report, _ = both(matrix, everything(), machines=[snapshot_of(L4)])
    text = render_mirrors(report, "table", verbose=verbose)
    long = [line for line in text.splitlines() if len(line) > 80 and "://" not in line]
    assert not long, long
    for words in (
        "in short",
        "lag",
        "newest first",
        "to be synced",
        "rest on what was seen before, 2026-11-20T00:00:00Z",
    ):
        assert words in text
    assert ("wheel-stub 0.5.0" in text) is verbose
    assert "requests" in text
    assert text.endswith("\n")


def test_the_table_of_a_mirror_that_is_down_does_not_repeat_itself(matrix: Matrix) -> None:
    text = render_mirrors(both(matrix, (pypi(UPSTREAM, None),))[0], "table")
    assert "gives no answer" in text
    assert text.count("unknown") < 10
    assert len(text.splitlines()) < 40


def test_colour_changes_no_word(matrix: Matrix) -> None:
    import re

    report, _ = both(matrix, everything())
    plain = render_mirrors(report, "table")
    assert re.sub(r"\x1b\[[0-9;]*m", "", render_mirrors(report, "table", color=True)) == plain


def test_the_formats_of_ci_name_each_source(matrix: Matrix) -> None:
    report = redacted(matrix, everything())
    text = render(report, "markdown")
    for name in ("mirror corp", "mirror reg", "mirror deb", "mirror site"):
        assert name in text
    for kind in CI_FORMATS:
        assert "MIR202" in render(report, kind)


# -- hostile text ------------------------------------------------------------------------------------------------------


def hostile(value: Any, text: str, path: tuple[str, ...] = ()) -> Any:
    """Every text of the facts ended by ``text``, but for the words that decide what is said."""
    kept = ("schema", "kind", "role", "state", "on", "sync", "project", "released_by", "evidence")
    if isinstance(value, dict):
        return {key: hostile(item, text, (*path, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [hostile(item, text, path) for item in value]
    return value + text if isinstance(value, str) and path[-1] not in kept else value


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
@pytest.mark.parametrize("versions", [True, False])
def test_no_text_from_a_server_gets_out_of_its_place(matrix: Matrix, text: str, versions: bool) -> None:
    plain = Snapshot(kind="declared", mirrors=everything()).to_plain()
    document = hostile(plain, text)
    if versions:  # so that rules have something to say
        for before, after in zip(plain["mirrors"], document["mirrors"], strict=True):
            for one, other in zip(before["items"], after["items"], strict=True):
                other["version"], other["missing"] = one["version"], one["missing"]
                other["released"], other["files"] = one["released"], one["files"]
    sources = Snapshot.from_json(json.dumps(document)).mirrors
    report, _ = both(matrix, sources, machines=[snapshot_of(L4)])
    for verbose in (False, True):
        check_text(render_mirrors(report, "table", verbose=verbose))
    shown = render_mirrors(report, "json")
    check_text(shown)
    assert json.loads(shown) == json.loads(as_json(report.to_plain()))
    closed = redacted(matrix, sources)
    for kind in CI_FORMATS:
        check_ci_text(render(closed, kind), kind)
    for finding in report.findings:
        assert not [fix for fix in finding.fix if fix.kind == "shell"]


# -- privacy -----------------------------------------------------------------------------------------------------------


def test_no_host_is_in_what_others_read(matrix: Matrix) -> None:
    address = f"https://{SECRET}.corp:5000/{SECRET}/simple"
    sources = tuple(
        replace(
            source,
            upstream=address,
            mirror=address,
            sides=tuple(
                replace(side, address=address, served_by=f"{SECRET}.corp", detail=f"{address}: no connection")
                for side in source.sides
            ),
            items=tuple(replace(item, detail=f"{SECRET} says no") for item in source.items),
            news=(MirrorNews("Removed", CHECKED, address),),
        )
        for source in everything()
    )
    open_ = "".join(render_mirrors(both(matrix, sources)[0], kind, verbose=True) for kind in ("table", "json"))
    assert SECRET in open_  # its owner may read it
    closed = redacted(matrix, sources)
    for kind in CI_FORMATS:
        assert SECRET not in render(closed, kind)
    assert SECRET not in closed.snapshot.to_json()
    assert "<host1>" in closed.snapshot.to_json()


def test_redaction_changes_no_verdict(matrix: Matrix) -> None:
    fleet = [snapshot_of(L4), snapshot_of({**L4, "os": "ubuntu-24.04"})]
    for sources in (everything(), *((one,) for one in everything())):
        report, _ = both(matrix, sources, machines=fleet)
        others = redacted(matrix, sources, machines=fleet)
        assert [(item.code, item.severity) for item in others.findings] == [
            (item.code, item.severity) for item in report.findings
        ]
        assert others.verdict is report.verdict
