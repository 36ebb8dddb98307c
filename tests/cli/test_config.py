"""``trtdoctor config``, and what a configuration does to the other commands, as users type them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.cli.run import ROOT, Ran, complains, run

SNAPSHOTS = ROOT / "tests" / "data" / "snapshots"
GOOD, BROKEN = SNAPSHOTS / "h200-trt853.json", SNAPSHOTS / "h200-trt853-no-sublibraries.json"
DAY = ("--as-of", "2026-11-22")
WAIVER = """
[[waiver]]
code = "DNN106"
component = "cudnn"
version = "==8.6.*"
reason = "our networks need no such part"
who = "line 4"
expires = 2026-12-31
"""


def here(place: Path, *arguments: str, **environ: str) -> Ran:
    """The program, run in ``place``."""
    return run(*arguments, stdin=None, seconds=60, cwd=place, **environ)


def configured(place: Path, text: str, *arguments: str, **environ: str) -> Ran:
    (place / "trtdoctor.toml").write_text(text)
    return here(place, *arguments, **environ)


def report(ran: Ran) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(ran.out)
    jsonschema.validate(loaded, schema("report"))
    return loaded


def schema(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "trtdoctor" / "schemas" / f"{name}.schema.json").read_text())
    return loaded


# -- trtdoctor config --------------------------------------------------------------------------------------------------


def test_config_shows_each_setting_and_where_it_is_from(tmp_path: Path) -> None:
    text = "fail-on = 'unknown'\nselect = ['DNN', 'TRT']\nrequire = ['driver>=535']\n" + WAIVER
    below = tmp_path / "below"
    below.mkdir()
    (tmp_path / "trtdoctor.toml").write_text(text)
    ran = here(below, "config", "--require", "gpu.count>=1", TRTDOCTOR_SELECT="DNN")
    assert ran.code == 0
    assert ran.err == ""
    flat = re.sub(r" +", " ", ran.out)
    assert "configuration: ../trtdoctor.toml" in flat
    assert "fail-on unknown ../trtdoctor.toml:1" in flat
    assert "select DNN environment,\n TRTDOCTOR_SELECT" in flat
    assert "require driver>=535 ../trtdoctor.toml:3" in flat
    assert "require gpu.count>=1 command line" in flat
    assert "canary auto default" in flat
    assert "waiver DNN106 on cudnn ==8.6.*: our networks need no such part (line 4," in flat
    assert all(len(line) <= 80 for line in ran.out.splitlines())


def test_config_in_json_fits_its_schema(tmp_path: Path) -> None:
    document = json.loads(configured(tmp_path, "fail-on = 'never'\n" + WAIVER, "config", "--format", "json").out)
    jsonschema.validate(document, schema("config"))
    said = {item["key"]: item for item in document["settings"]}
    assert said["fail-on"] == {"key": "fail-on", "values": ["never"], "origin": "file", "where": "trtdoctor.toml:1"}
    assert document["waivers"][0]["stated_at"] == "trtdoctor.toml:3"
    none = json.loads(here(tmp_path, "config", "--no-config", "--format", "json").out)
    assert (none["file"], none["waivers"]) == (None, [])


def test_an_expired_waiver_is_shown_as_such(tmp_path: Path) -> None:
    ran = configured(tmp_path, WAIVER.replace("2026-12-31", "2020-01-01"), "config")
    assert "expired on 2020-01-01" in " ".join(ran.out.split())


@pytest.mark.parametrize(
    ("arguments", "environ", "says"),
    [
        (["--config", "absent.toml"], {}, "absent.toml: No such file"),
        (["--config", "x.toml", "--no-config"], {}, "exclude each other"),
        (["--fail-on", "fatal"], {}, "fatal"),
        (["--select", "XYZ"], {}, "no rule code"),
        (["--require", "tensort"], {}, "did you mean tensorrt"),
        ([], {"TRTDOCTOR_FAIL_ON": "fatal"}, "TRTDOCTOR_FAIL_ON"),
        ([], {"TRTDOCTOR_CONFIG": "absent.toml"}, "absent.toml: No such file"),
    ],
)
def test_bad_usage_gets_one_line(arguments: list[str], environ: dict[str, str], says: str, tmp_path: Path) -> None:
    assert says in complains(here(tmp_path, "config", *arguments, **environ))


@pytest.mark.parametrize("command", [["config"], ["check", "--snapshot", str(GOOD)], ["lint-deps", "x.txt"]])
def test_a_bad_file_stops_every_command_with_one_line(command: list[str], tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("tensorrt==10.9.0.34\n")
    line = complains(configured(tmp_path, "\nfail_on = 'error'", *command))
    assert "trtdoctor.toml:2: unknown key 'fail_on'; did you mean fail-on?" in line


# -- check -------------------------------------------------------------------------------------------------------------


def test_check_goes_by_the_nearest_file_unless_told_otherwise(tmp_path: Path) -> None:
    text = "ignore = ['DNN']"
    assert configured(tmp_path, text, "check", "--snapshot", str(BROKEN), *DAY).code == 0
    assert here(tmp_path, "check", "--snapshot", str(BROKEN), *DAY, "--no-config").code == 1
    assert here(tmp_path, "check", "--snapshot", str(BROKEN), *DAY, "--ignore", "TRT").code == 1
    assert here(tmp_path, "check", "--snapshot", str(BROKEN), *DAY, TRTDOCTOR_IGNORE="TRT").code == 1
    (tmp_path / "other.toml").write_text("fail-on = 'never'")
    assert here(tmp_path, "check", "--snapshot", str(BROKEN), *DAY, "--config", "other.toml").code == 0
    assert here(tmp_path, "check", "--snapshot", str(BROKEN), *DAY, TRTDOCTOR_CONFIG="other.toml").code == 0


def test_the_report_names_the_file_that_it_went_by(tmp_path: Path) -> None:
    ran = configured(tmp_path, "", "check", "--snapshot", str(GOOD), *DAY)
    assert ran.out.endswith("configuration trtdoctor.toml\n")
    made = report(here(tmp_path, "check", "--snapshot", str(GOOD), *DAY, "--format", "json"))
    assert made["configuration"] == "trtdoctor.toml"
    elsewhere = here(Path("/"), "check", "--snapshot", str(GOOD), *DAY, "--config", str(tmp_path / "trtdoctor.toml"))
    assert elsewhere.out.endswith(f"configuration {str(tmp_path)[1:]}/trtdoctor.toml\n")
    aside = tmp_path / "aside"
    aside.mkdir()
    (tmp_path / "sites").mkdir()
    (tmp_path / "sites" / "x.toml").write_text("")
    named = here(aside, "check", "--snapshot", str(GOOD), *DAY, "--config", "../sites/x.toml")
    assert named.out.endswith("configuration x.toml\n")


def test_waived_findings_are_one_line_each_and_do_not_count(tmp_path: Path) -> None:
    ran = configured(tmp_path, WAIVER, "check", "--snapshot", str(BROKEN), *DAY, "--fail-on", "unknown")
    assert ran.code == 0
    assert ran.out.startswith("ready: ")
    flat = " ".join(ran.out.split())
    assert "waived DNN106 cuDNN 8.6.0.163 lacks libcudnn_adv_infer and 5 more parts: our networks need" in flat
    assert "1 waived" in ran.out
    made = report(here(tmp_path, "check", "--snapshot", str(BROKEN), *DAY, "--format", "json"))
    waived = [item for item in made["findings"] if item["waived"]]
    assert [item["code"] for item in waived] == ["DNN106"]
    assert made["counts"]["error"] == 0


def test_an_expired_waiver_does_not_help(tmp_path: Path) -> None:
    ran = configured(tmp_path, WAIVER, "check", "--snapshot", str(BROKEN), "--as-of", "2027-01-01")
    assert ran.code == 1
    assert "POL103" in ran.out


def test_who_waived_is_left_out_where_people_are(tmp_path: Path) -> None:
    """The recorded snapshot is a redacted one; a plain one names who."""
    document = json.loads(BROKEN.read_text())
    document["redacted"] = False
    (tmp_path / "plain.json").write_text(json.dumps(document))
    assert "by line 4" in configured(tmp_path, WAIVER, "check", "--snapshot", "plain.json", *DAY).out.replace("\n", " ")
    for extra in (["--redact"], ["--format", "sarif"], ["--format", "markdown"], ["--format", "junit"]):
        assert "line 4" not in here(tmp_path, "check", "--snapshot", "plain.json", *DAY, *extra).out


def test_requirements_of_the_file_and_of_the_command_line_add_up(tmp_path: Path) -> None:
    text = "require = ['tensorrt>=10']"
    check = ("check", "--snapshot", str(GOOD), *DAY, "--require", "driver>=999")
    ran = configured(tmp_path, text, *check, TRTDOCTOR_REQUIRE="canary")
    assert ran.code == 1
    assert "tensorrt>=10 is required" in ran.out
    assert "driver>=999 is required" in ran.out
    assert "canary" in ran.out


def test_a_goal_of_the_file_gives_way_to_what_the_facts_are_for(tmp_path: Path) -> None:
    text = "goal = ['fp16']"
    stated = ("check", "--set", "tensorrt=10.9.0", "--format", "json")
    assert report(configured(tmp_path, text, *stated))["goal"] == ["fp16"]
    assert report(here(tmp_path, *stated, "--set", "wants=run"))["goal"] == ["run"]
    assert report(here(tmp_path, *stated, "--set", "wants=run", "--goal", "int8"))["goal"] == ["int8"]
    assert "trtdoctor.toml:1: no such goal 'fp61'" in complains(configured(tmp_path, "goal = ['fp61']", *stated))


def test_overlays_lie_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "site.yaml").write_text(
        "schema: trtdoctor-matrix-overlay/1\nname: lab\ncertainty: measured\n"
        "forbid:\n- {component: tensorrt, versions: '==8.5.*', reason: nobody supports it}\n"
    )
    below = tmp_path / "below"
    below.mkdir()
    (tmp_path / "trtdoctor.toml").write_text("overlay = ['rows/site.yaml']")
    ran = here(below, "check", "--snapshot", str(GOOD), *DAY)
    assert ran.code == 1
    assert "forbidden by overlay lab" in ran.out
    (tmp_path / "trtdoctor.toml").write_text("overlay = ['absent.yaml']")
    assert "absent.yaml" in complains(here(below, "check", "--snapshot", str(GOOD)))


def test_a_matrix_that_will_not_do_stops_the_check(tmp_path: Path) -> None:
    line = complains(configured(tmp_path, "\nmatrix = '>=2099.1'", "check", "--snapshot", str(GOOD)))
    assert "trtdoctor.toml:2: wants a matrix >=2099.1, this is 2026." in line
    assert "matrix update" in line
    assert configured(tmp_path, "matrix = '>=2026.1'", "check", "--snapshot", str(GOOD), *DAY).code == 0


def test_a_pinned_digest_is_what_matrix_update_insists_on(tmp_path: Path) -> None:
    bundle = tmp_path / "matrix.tar.gz"
    made = run("matrix", "bundle", "-o", str(bundle))
    assert made.code == 0, made.err
    import hashlib

    digest = hashlib.sha256(bundle.read_bytes()).hexdigest()
    home = {"XDG_DATA_HOME": str(tmp_path / "data")}
    bad = configured(tmp_path, f"matrix-digest = '{'0' * 64}'", "matrix", "update", "matrix.tar.gz", **home)
    assert "SHA-256" in complains(bad)
    assert not (tmp_path / "data").exists()
    right = configured(tmp_path, f"matrix-digest = '{digest}'", "matrix", "update", "matrix.tar.gz", **home)
    assert right.code == 0, right.err
    over = ("matrix", "update", "matrix.tar.gz", "--sha256", "0" * 64)
    assert "SHA-256" in complains(here(tmp_path, *over, **home))


# -- lint-deps ---------------------------------------------------------------------------------------------------------


def test_lint_deps_goes_by_threshold_codes_and_waivers(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("tensorrt\n")
    lint = ("lint-deps", "requirements.txt", *DAY)
    assert configured(tmp_path, "fail-on = 'warning'", *lint).code == 1
    assert configured(tmp_path, "fail-on = 'warning'\nignore = ['PYT105', 'TRT']", *lint).code == 0
    waiver = WAIVER.replace("DNN106", "PYT105").replace('"cudnn"', '"tensorrt"').replace('version = "==8.6.*"\n', "")
    ran = configured(tmp_path, "fail-on = 'warning'\nignore = ['TRT']\n" + waiver + WAIVER, *lint)
    assert ran.code == 0, ran.out
    assert "waived PYT105" in ran.out
    assert "POL104" not in ran.out  # the other is for machines
    (tmp_path / "requirements.txt").write_text("flask\n")
    assert here(tmp_path, *lint).out == "nothing of the stack is named here\n"
