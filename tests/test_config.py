"""The configuration: what may stand in it, where it is found, and which place wins."""

from __future__ import annotations

import os
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trtdoctor.config import KEYS, MAX_BYTES, ConfigError, ConfigFile, file_of, find, settle
from trtdoctor.config.file import parse
from trtdoctor.matrix import load
from trtdoctor.rules import RULES
from trtdoctor.versions import Version
from trtdoctor.waivers import Waiver

WHOLE = """\
require = ["tensorrt>=10.3,<11", "gpu.memory>=16GiB"]
goal = ["build"]
fail-on = "unknown"
select = ["DRV", "GPU1", "trt101"]
ignore = "TOL"
canary = "never"
overlay = ["site.yaml", "/opt/rows.yaml"]
matrix = ">=2026.11"
matrix-digest = "AA"
against = "trtdoctor-plan.yaml"
[[waiver]]  # the first
code = "trt601"
component = "tensorrt"
version = "==8.5.*"
reason = "no network in the cell"
who = "line 4"
expires = 2027-03-31

[[waiver]]
code = "GPU101"
component = "gpu"
reason = "on purpose"
who = "line 5"
expires = "2026-12-31"

[policy]
channel = "stable"
min-age-days = 14
allow = ["tensorrt>=10.13,<12", "torch~=2.9"]
deny = ["image:*-igpu", {what = "tensorrt==10.14.*", reason = "INC-231"}]
install = "pip"
keep = ["driver", "Python"]
max-lag-days = 30
prereleases = false

[[mirror]]
id = "corp"
kind = "oci"
upstream = "https://nvcr.io/nvidia/tensorrt"
mirror = "registry.example:5000/ngc/nvidia/tensorrt"
tags = ["*-py3"]
token-env = "CORP_TOKEN"
ca-file = "corp.pem"

[[mirror]]
id = "site"
kind = "status"
mirror = "http://mirrors.example/static/tunasync.json"
job = "pypi"
verify-tls = false
""".replace("AA", "AB" * 32)


def read(text: str, name: str = "trtdoctor.toml") -> ConfigFile:
    return parse(text.encode(), name, f"/project/{name}")


def complaint(text: str, name: str = "trtdoctor.toml") -> str:
    with pytest.raises(ConfigError) as caught:
        read(text, name)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 300
    return message


# -- reading -----------------------------------------------------------------------------------------------------------


def test_everything_that_can_be_set_is_read_with_its_line() -> None:
    found = {item.key: item for item in read(WHOLE).values}
    assert set(found) == set(KEYS)
    assert found["require"].values == ("tensorrt>=10.3,<11", "gpu.memory>=16GiB")
    assert found["select"].values == ("DRV", "GPU1", "TRT101")
    assert found["ignore"].values == ("TOL",)
    assert found["overlay"].values == ("/project/site.yaml", "/opt/rows.yaml")
    assert found["matrix-digest"].values == ("ab" * 32,)
    assert found["against"].values == ("/project/trtdoctor-plan.yaml",)
    flat = [item.where for item in found.values() if not item.key.startswith("policy.")]
    assert flat == [f"trtdoctor.toml:{line}" for line in range(1, 11)]


def test_a_policy_is_read_with_its_lines() -> None:
    found = [item for item in read(WHOLE).values if item.key.startswith("policy.")]
    assert [item.where for item in found] == [f"trtdoctor.toml:{line}" for line in range(27, 35)]
    policy = settle({}, {}, read(WHOLE)).policy
    assert (policy.channel, policy.min_age_days, policy.install, policy.max_lag_days) == ("stable", 14, "pip", 30)
    assert policy.keep == ("driver", "python")
    assert [clause.text for clause in policy.allow] == ["tensorrt>=10.13,<12", "package:torch~=2.9"]
    assert [clause.text for clause in policy.deny] == ["image:*-igpu", "tensorrt==10.14.* (INC-231)"]
    assert not policy.prereleases
    assert policy.refuses("tensorrt", Version("10.14.1")) == "denied by tensorrt==10.14.* (INC-231)"
    assert policy.refuses("tensorrt", Version("8.6.1")) == "not allowed by tensorrt>=10.13,<12"
    assert policy.refuses("tensorrt", Version("10")) is None  # it may be one that is allowed
    assert policy.refuses("cudnn", Version("9.1")) is None
    assert policy.refuses_image("26.07-py3-igpu") == "denied by image:*-igpu"


def test_mirrors_are_read_with_their_line() -> None:
    corp, site = read(WHOLE).mirrors
    assert (corp.id, corp.kind, corp.tags, corp.token_env) == ("corp", "oci", ("*-py3",), "CORP_TOKEN")
    assert corp.mirror == "https://registry.example:5000/ngc/nvidia/tensorrt"
    assert (corp.ca_file, corp.stated_at, corp.verify_tls) == ("/project/corp.pem", "trtdoctor.toml:36", True)
    assert (site.mirror, site.job, site.verify_tls) == ("http://mirrors.example/static/tunasync.json", "pypi", False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("policy = 3", "trtdoctor.toml:1: policy: wanted a table, [policy]"),
        ("[policy]\nchanel = 'lts'", "trtdoctor.toml:2: unknown key 'chanel'; did you mean channel?"),
        ("[policy]\nchannel = 'fast'", "trtdoctor.toml:2: policy.channel: 'fast' is not one of latest, stable, lts"),
        ("[policy]\nmin-age-days = -1", "trtdoctor.toml:2: policy.min-age-days: '-1' is no number of days"),
        ("[policy]\ndeny = ['tensorrt=10']", "did you mean ==?"),
        ("[policy]\ndeny = [{what = 'tensorrt'}]", "trtdoctor.toml:2: policy.deny: wanted text or a list of texts"),
        ("[policy]\nkeep = ['dri ver']", "'dri ver' is no component"),
        ("[[mirror]]\nid = 'x'", "trtdoctor.toml:1: this mirror does not say kind, mirror"),
        ("[[mirror]]\nid = 'x'\nkind = 'ocl'\nmirror = 'a.example'", "kind: unknown 'ocl'; did you mean oci?"),
        ("[[mirror]]\nid = 'x'\nkind = 'oci'\nmirror = 'https://u:s3cret@a.example/x'", "no credentials in an address"),
        ("[[mirror]]\nid = 'x'\nkind = 'oci'\nmirror = 'a b'", "'a b' is no address"),
        ("[[mirror]]\nid = 'x'\nkind = 'oci'\nmirror = 'a.example'\ntags = 3", "mirror: tags: wanted text or a list"),
        ("[[mirror]]\nid = 'x'\nkind = 'oci'\nmirror = 'a.example'\ntoken-env = 'a-b'", "never a secret"),
        ("mirror = 3", "trtdoctor.toml:1: mirror: wanted tables, [[mirror]]"),
    ],
)
def test_a_bad_policy_or_mirror_is_one_line(text: str, said: str) -> None:
    message = complaint(text)
    assert said in message
    assert "s3cret" not in message


def test_waivers_are_read_with_their_line() -> None:
    first, second = read(WHOLE).waivers
    assert first == Waiver(
        "TRT601", "tensorrt", "==8.5.*", "no network in the cell", "line 4", "2027-03-31", "trtdoctor.toml:11"
    )
    assert (second.version, second.expires, second.stated_at) == (None, "2026-12-31", "trtdoctor.toml:19")


def test_the_table_of_a_pyproject_is_the_same() -> None:
    text = re.sub(r"(?m)^(\[+)(\w+)", r"\1tool.trtdoctor.\2", WHOLE)
    head = "[project]\nname = 'x'\nignore = 1\n\n[tool.trtdoctor]\n"
    found, plain = read(f"{head}{text}", "pyproject.toml"), read(WHOLE)
    assert [(item.key, item.values) for item in found.values] == [(item.key, item.values) for item in plain.values]
    assert [item.where for item in found.values][:2] == ["pyproject.toml:6", "pyproject.toml:7"]
    assert [item.stated_at for item in found.waivers] == ["pyproject.toml:16", "pyproject.toml:24"]
    assert [item.where for item in found.values][-1] == "pyproject.toml:39"
    assert [item.stated_at for item in found.mirrors] == ["pyproject.toml:41", "pyproject.toml:50"]
    assert "has no [tool.trtdoctor]" in complaint("[project]\nname = 'x'\n", "pyproject.toml")


WAIVER = '[[waiver]]\ncode = "TRT601"\ncomponent = "tensorrt"\nreason = "r"\nwho = "w"\nexpires = 2027-03-31\n'


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("fail_on = 'error'", 1, "did you mean fail-on?"),
        ("\n\nrequirements = []", 3, "did you mean require?"),
        ("selct = ['DRV']", 1, "did you mean select?"),
        ("colour = 1", 1, "known: require, goal"),
        ("[waivers]\n", None, "did you mean waiver?"),
        ("fail-on = 'fatal'", 1, "error, warning, unknown, never"),
        ("fail-on = ['error']", 1, "wanted text"),
        ("select = [1]", 1, "wanted text or a list"),
        ("select = ['XYZ']", 1, "no rule code"),
        ("ignore = ['']", 1, "wanted text"),
        ("require = ['tensorrt=>10']", 1, "did you mean >=?"),
        ("require = ['tensort>=10']", 1, "did you mean tensorrt"),
        ("matrix = '2026.11'", 1, "specifier"),
        ("matrix = ','", 1, "specifier"),
        ("matrix-digest = 'abc'", 1, "64 hexadecimal digits"),
        ("canary = 'maybe'", 1, "auto, always, never"),
        ("overlay = 3", 1, "wanted text"),
        ('overlay = "\\u200b"', 1, "wanted text"),
        ("a = 1\nb = [1,\nc = 3", 3, "not TOML"),
        ("fail-on = 'error'\nfail-on = 'error'", 2, "not TOML"),
        ("waiver = 'all'", 1, "wanted tables"),
        ("[waiver]\ncode = 'TRT601'", None, "[[waiver]]"),
        (WAIVER.replace('who = "w"\n', ""), 1, "does not say who"),
        (WAIVER.replace("expires = 2027-03-31\n", "until = 2027-03-31\n"), 6, "did you mean expires?"),
        (WAIVER.replace("2027-03-31", "'never'"), 6, "wanted a day"),
        (WAIVER.replace("2027-03-31", "2027-03-31T10:00:00"), 6, "wanted a day"),
        (WAIVER.replace("2027-03-31", "true"), 6, "wanted a day"),
        (WAIVER.replace("TRT601", "TRT6011"), 2, "did you mean TRT601?"),
        (WAIVER.replace("TRT601", "TRT"), 2, "no rule 'TRT'"),
        (WAIVER.replace('"tensorrt"', '"tensorrt 8"'), 3, "no component"),
        (WAIVER + "version = '8.5'\n", 7, "specifier"),
        (WAIVER + "versoin = '==8.5'\n", 7, "did you mean version?"),
        (WAIVER + WAIVER.replace('"r"', '" "'), 10, "wanted text"),
        (WAIVER.replace('"r"', '"\\u200b"'), 4, "wanted text"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(text: str, line: int | None, says: str) -> None:
    message = complaint(text)
    assert message.startswith(f"trtdoctor.toml:{line}: " if line else "trtdoctor.toml")
    assert says in message


def test_bytes_that_are_no_text_are_told_with_their_line() -> None:
    with pytest.raises(ConfigError, match=r"trtdoctor\.toml:2: not UTF-8"):
        parse(b"fail-on = 'error'\n\xff", "trtdoctor.toml", "/x/trtdoctor.toml")


@given(st.text(max_size=200))
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_no_text_makes_anything_but_a_configuration_or_one_line(text: str) -> None:
    try:
        parse(text.encode("utf-8", "surrogatepass"), "trtdoctor.toml", "/x/trtdoctor.toml")
    except ConfigError as error:
        assert "\n" not in str(error)


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=30)


def quoted(text: str) -> str:
    import json

    return json.dumps(text, ensure_ascii=False)  # a JSON string is a basic string of TOML


@given(
    st.lists(
        st.sampled_from(["tensorrt>=10.3,<11", "driver>=535", "canary", "precision:fp8"]), unique=True, max_size=4
    ),
    st.lists(st.sampled_from(sorted({rule.code for rule in RULES})), max_size=5),
    st.sampled_from(["error", "warning", "unknown", "never"]),
    st.lists(
        st.tuples(
            st.sampled_from(sorted({rule.code for rule in RULES})),
            st.sampled_from(["tensorrt", "gpu", "package:torch"]),
            st.none() | st.sampled_from(["==8.5.*", ">=10,<11"]),
            TEXTS,
            TEXTS,
            st.dates(date(2000, 1, 1), date(2099, 1, 1)),
        ),
        max_size=4,
    ),
)
def test_what_is_written_is_what_is_read(
    require: list[str], ignore: list[str], fail_on: str, waivers: list[tuple[Any, ...]]
) -> None:
    lines = [f"require = [{', '.join(map(quoted, require))}]", f"ignore = {ignore!r}", f"fail-on = '{fail_on}'"]
    for code, component, version, reason, who, expires in waivers:
        lines += ["[[waiver]]", f"code = '{code}'", f"component = '{component}'"]
        lines += [f"version = '{version}'"] if version else []
        lines += [f"reason = {quoted(reason)}", f"who = {quoted(who)}", f"expires = {expires}"]
    found = read("\n".join(lines))
    values = {item.key: item.values for item in found.values}
    assert values == {"require": tuple(require), "ignore": tuple(ignore), "fail-on": (fail_on,)}
    assert len(found.waivers) == len(waivers)
    for item, (code, component, version, _, _, expires) in zip(found.waivers, waivers, strict=True):
        assert (item.code, item.component, item.version) == (code, component, version)
        assert item.expires == expires.isoformat()
        assert item.reason
        line = int((item.stated_at or "").rpartition(":")[2])
        assert lines[line - 1] == "[[waiver]]"


def test_secrets_and_controls_do_not_get_in() -> None:
    text = WAIVER.replace('"r"', '"see https://user:hunter2@wiki/x?token=abc \\u001b[31m\\u202e ok"')
    reason = read(text).waivers[0].reason
    assert "hunter2" not in reason
    assert "abc" not in reason
    assert reason.isprintable()


# -- which place wins --------------------------------------------------------------------------------------------------


def test_the_strongest_place_wins_and_says_so() -> None:
    file = read("fail-on = 'warning'\nselect = ['DRV']\ngoal = ['run']")
    config = settle({}, {}, None)
    assert {item.origin for item in config.settings} == {"default"}
    assert config.one("fail-on") == "error"
    environ = {"TRTDOCTOR_FAIL_ON": "never", "TRTDOCTOR_SELECT": "gpu1, trt", "TRTDOCTOR_GOAL": " "}
    config = settle({}, environ, file)
    said = {item.key: (item.values, item.origin, item.where) for item in config.settings}
    assert said["fail-on"] == (("never",), "environment", "TRTDOCTOR_FAIL_ON")
    assert said["select"] == (("GPU1", "TRT"), "environment", "TRTDOCTOR_SELECT")
    assert said["goal"] == (("run",), "file", "trtdoctor.toml:3")
    config = settle({"fail-on": ("unknown",)}, environ, file)
    assert (config.one("fail-on"), config.where("fail-on")) == ("unknown", None)


def test_requirements_and_overlays_add_up() -> None:
    file = read("require = ['driver>=535']\noverlay = ['a.yaml']")
    environ = {"TRTDOCTOR_REQUIRE": "tensorrt>=10.3,<11; canary", "TRTDOCTOR_OVERLAY": f"/b.yaml{os.pathsep}/c.yaml"}
    config = settle({"require": ("gpu.count>=2", "driver>=535"), "overlay": ("/d.yaml",)}, environ, file)
    assert config.all("require") == ("driver>=535", "tensorrt>=10.3,<11", "canary", "gpu.count>=2")
    assert config.all("overlay") == ("/project/a.yaml", "/b.yaml", "/c.yaml", "/d.yaml")
    assert config.all("overlay", "file") == ("/project/a.yaml",)


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("TRTDOCTOR_FAIL_ON", "errors", "is not one of"),
        ("TRTDOCTOR_SELECT", "DRV,XYZ", "'XYZ' is no rule code"),
        ("TRTDOCTOR_REQUIRE", "tensorrt>=10;trt", "did you mean tensorrt"),
        ("TRTDOCTOR_CANARY", "yes", "is not one of"),
    ],
)
def test_a_bad_variable_is_told_by_name(variable: str, value: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        settle({}, {variable: value}, None)
    assert str(caught.value).startswith(f"{variable}: ")
    assert says in str(caught.value)


def test_only_what_the_asker_uses_is_read_from_the_environment() -> None:
    config = settle({}, {"TRTDOCTOR_SELECT": "XYZ"}, None, ("fail-on",))
    assert [item.key for item in config.settings] == ["fail-on"]


# -- where it is found -------------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a directory below, and nothing above that is a configuration."""
    below = tmp_path / "project" / "src" / "deep"
    below.mkdir(parents=True)
    return tmp_path / "project"


def test_the_nearest_file_upwards_is_taken(project: Path) -> None:
    deep = str(project / "src" / "deep")
    assert find(deep) is None
    (project / "trtdoctor.toml").write_text("")
    assert find(deep) == str(project / "trtdoctor.toml")
    (project / "src" / "pyproject.toml").write_text("[tool.ruff]\n# trtdoctor has no table here\n")
    assert find(deep) == str(project / "trtdoctor.toml")
    (project / "src" / "pyproject.toml").write_text("[tool.trtdoctor]\n")
    assert find(deep) == str(project / "src" / "pyproject.toml")
    (project / "src" / "trtdoctor.toml").write_text("")
    assert find(deep) == str(project / "src" / "trtdoctor.toml")


@pytest.mark.parametrize(
    "text",
    [
        "[tool.trtdoctor]\nfail-on = 'never'",
        "[tool]\ntrtdoctor.fail-on = 'never'",
        "tool.trtdoctor.fail-on = 'never'",
        "tool = {trtdoctor = {fail-on = 'never'}}",
        "[ tool . 'trtdoctor' ]\nfail-on = 'never'",
        '["tool"]\n"trtdoctor" = {fail-on = "never"}',
    ],
)
def test_the_table_of_a_pyproject_is_found_however_it_is_written(
    text: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "pyproject.toml").write_text(text)
    monkeypatch.chdir(project / "src")
    found = file_of(None, {})
    assert found is not None
    assert [(item.key, item.values) for item in found.values] == [("fail-on", ("never",))]
    assert found.path == "../pyproject.toml"


def test_a_pyproject_that_is_no_toml_is_told_only_where_it_may_have_a_table(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    (project / "pyproject.toml").write_text("[project\nname = 'trtdoctor'")
    assert file_of(None, {}) is None
    (project / "pyproject.toml").write_text("[tool.trtdoctor]\nfail-on = ")
    with pytest.raises(ConfigError, match=r"pyproject\.toml:2: not TOML"):
        file_of(None, {})


def test_what_another_user_left_in_a_shared_directory_is_not_taken(project: Path) -> None:
    shared = project / "shared"
    (shared / "mine").mkdir(parents=True)
    (shared / "trtdoctor.toml").write_text("")
    shared.chmod(0o1777)
    assert find(str(shared / "mine")) == str(shared / "trtdoctor.toml")  # ours
    if os.geteuid() != 0:
        pytest.skip("only root can make a file somebody else's")
    os.chown(shared / "trtdoctor.toml", 12345, 12345)
    assert find(str(shared / "mine")) is None


def test_no_file_and_strange_files_are_no_configuration(project: Path) -> None:
    (project / "trtdoctor.toml").mkdir()
    os.mkfifo(project / "src" / "trtdoctor.toml")
    (project / "src" / "deep" / "trtdoctor.toml").symlink_to("nowhere")
    assert find(str(project / "src" / "deep")) is None


def test_a_named_file_must_be_there_and_sound(tmp_path: Path) -> None:
    huge = tmp_path / "huge.toml"
    huge.write_bytes(b"#" * (MAX_BYTES + 1))
    for name, says in (("absent.toml", "No such file"), (".", "directory"), ("huge.toml", "1 MiB")):
        with pytest.raises(ConfigError, match=says):
            file_of(str(tmp_path / name), {})
    (tmp_path / "site.toml").write_text("fail-on = 'never'")
    named = file_of(str(tmp_path / "site.toml"), {})
    assert named == file_of(None, {"TRTDOCTOR_CONFIG": str(tmp_path / "site.toml")})
    assert named is not None
    assert named.path == "site.toml"  # reports name no directories of the user's


def test_a_working_directory_that_is_gone_has_no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert file_of(None, {}) is None


def test_overlays_of_the_file_lie_beneath_those_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two", "three"):
        (tmp_path / f"{name}.yaml").write_text(
            f"schema: trtdoctor-matrix-overlay/1\nname: {name}\ncertainty: measured\n"
            f"forbid:\n- {{component: driver, versions: '<1', reason: {name}}}\n"
        )
    monkeypatch.setenv("TRTDOCTOR_OVERLAY", str(tmp_path / "two.yaml"))
    matrix = load(None, [tmp_path / "three.yaml"], beneath=[tmp_path / "one.yaml"])
    assert [item.partition("@")[0] for item in matrix.overlays] == ["one", "two", "three"]
