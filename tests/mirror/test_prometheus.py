"""The metrics, parsed by Prometheus' own client library."""

from __future__ import annotations

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from tests.mirror.places import NOW, source
from trtdoctor.mirror.prometheus import text_of
from trtdoctor.mirror.state import State
from trtdoctor.mirror_facts import MirrorItem, MirrorSide, MirrorSource
from trtdoctor.times import iso

AT = NOW.timestamp()


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Name and values of labels to value; parsing checks names, escapes and that every family is there once."""
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families)
    assert all(family.type == "gauge" and family.documentation for family in families)
    found = {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}
    assert len(found) == sum(len(family.samples) for family in families)
    return found


def test_what_is_known_is_there_with_its_labels() -> None:
    sides = (MirrorSide("upstream"), MirrorSide("mirror", state="unreachable", synced=iso(NOW)), MirrorSide("mirror"))
    corp = source({"a": "same", "b": "missing", "c": "missing"}, name="corp", sides=sides, requests=7)
    job = MirrorItem("pypi", "pypi", None, "present", sync="failed", mirrored=iso(NOW))
    tuna = MirrorSource("tuna", "status", checked=iso(NOW), sides=(MirrorSide("status"),), items=(job,))
    state = State(taken=iso(NOW), sources=(corp, tuna), since={"corp": iso(NOW)}, late={"corp": iso(NOW)})
    found = samples(text_of(state, ["corp", "tuna", "absent"], lags={"corp": 86400.4}, matrix="2026.11.0"))
    assert found["trtdoctor_mirror_run_timestamp_seconds",] == AT
    assert found["trtdoctor_mirror_up", "corp", "oci", "upstream"] == 1
    assert found["trtdoctor_mirror_up", "corp", "oci", "mirror"] == 0
    assert found["trtdoctor_mirror_items", "corp", "oci", "missing"] == 2
    assert found["trtdoctor_mirror_items", "corp", "oci", "differs"] == 0
    assert found["trtdoctor_mirror_lag_seconds", "corp"] == 86400
    assert found["trtdoctor_mirror_late", "corp"] == 1
    assert found["trtdoctor_mirror_requests", "corp", "oci"] == 7
    assert found["trtdoctor_mirror_synced_timestamp_seconds", "corp", "oci", "mirror"] == AT
    assert found["trtdoctor_mirror_job_state", "tuna", "pypi", "failed"] == 1
    assert found["trtdoctor_mirror_job_success_timestamp_seconds", "tuna", "pypi"] == AT
    assert found["trtdoctor_mirror_first_look_timestamp_seconds", "corp", "oci"] == AT
    assert not any(key[1:2] == ("absent",) for key in found)
    assert ("trtdoctor_mirror_lag_seconds", "tuna") not in found
    assert ("trtdoctor_mirror_late", "tuna") not in found


def test_any_text_is_a_value_of_a_label() -> None:
    evil = 'a"} 1\n# TYPE x counter\nx{y="\\ \x1b[2J\u202e'
    job = MirrorItem(evil, evil, sync="success")
    made = replace(source({evil: "same"}, name=evil), items=(job, job), sides=(MirrorSide(evil),))
    text = text_of(State(taken="", sources=(made,)), [evil, evil], lags={evil: 0.5}, matrix=evil)
    assert len([line for line in text.splitlines() if line.startswith("# TYPE x")]) == 0
    assert text.replace("\n", "").isprintable()
    found = {key[0] for key in samples(text_of(State(sources=(made,)), [evil], lags={}, matrix=evil))}
    assert "trtdoctor_mirror_job_state" in found


def test_nothing_known_is_still_a_whole_file() -> None:
    found = samples(text_of(State(), [], lags={}, matrix="2026.11.0"))
    assert [key[0] for key in found] == ["trtdoctor_mirror_info"]
