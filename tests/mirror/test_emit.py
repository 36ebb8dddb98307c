"""What is emitted for each tool, read back by real parsers: exactly the items, and what must be known of the tool."""

from __future__ import annotations

import configparser
import json
import random
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.mirror.items import DIGEST, deb, debs, dist, everything, image, stack
from tests.mirror.needs import program
from tests.mirror.sync_schemas import HARBOR, REGSYNC
from trtdoctor import __version__
from trtdoctor.config.mirrors import Mirror
from trtdoctor.mirror.emit import TOOLS, EmitOptions, emit
from trtdoctor.mirror.emit.bandersnatch import wheels
from trtdoctor.mirror.emit.harbor import MOST_FILTERS, destination
from trtdoctor.mirror.emit.head import LICENCE, policy_digest
from trtdoctor.mirror.emit.names import EmitError
from trtdoctor.mirror.emit.pip_download import tag_options
from trtdoctor.policy import Policy, parse_clause

PLAIN = EmitOptions()
SHELLCHECK = Path(sys.executable).with_name("shellcheck")
GLIBC = "manylinux_2_17_x86_64"
NEAR = ["26.10-py3", "26x10-py3", "26.10-py3-igpu", "126.10-py3", "26.10-py31", "26.07-py3", "26.09-py3", "latest"]
"""Tags that a careless expression would take too."""


def commands(script: str) -> list[list[str]]:
    """The words of each line of a shell script that is no comment."""
    return [shlex.split(line) for line in script.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize("tool", TOOLS)
def test_the_same_items_give_the_same_text(tool: str) -> None:
    items = everything()
    text = emit(tool, items, PLAIN)
    for seed in range(5):
        random.Random(seed).shuffle(items)
        assert emit(tool, [*items, *items[:3]], PLAIN) == text
    assert text.endswith("\n")
    assert text.isascii()
    assert f"trtdoctor {__version__}" in text
    assert f"policy {policy_digest(Policy())}" in text
    assert all(word not in text.lower() for word in ("password", "token"))
    if tool != "harbor":
        assert text.startswith(f"# trtdoctor {__version__}: mirror sync-config --tool {tool}, policy ")
        assert text.count(LICENCE) == 1


def test_the_digest_of_a_policy_is_that_of_all_it_says() -> None:
    policies = [
        Policy(),
        Policy(channel="stable"),
        Policy(min_age_days=3),
        Policy(deny=(parse_clause("tensorrt==10.14.0.*"),)),
        Policy(deny=(parse_clause("tensorrt==10.14.0.* # INC-231"),)),
        Policy(allow=(parse_clause("tensorrt==10.14.0.*"),)),
    ]
    digests = [policy_digest(policy) for policy in policies]
    assert len(set(digests)) == len(digests)
    assert digests[3] == policy_digest(Policy(deny=(parse_clause("tensorrt==10.14.0.*"),)))


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if tool not in ("regsync", "harbor", "bandersnatch")])
def test_scripts_are_scripts(tool: str) -> None:
    options = replace(PLAIN, tag_template="{repository}-{month}-{digest12}")
    script = emit(tool, everything(), options)
    subprocess.run([program("bash"), "-n"], input=script, text=True, check=True)
    subprocess.run([SHELLCHECK, "--shell=sh", "-"], input=script, text=True, check=True)


# -- skopeo ------------------------------------------------------------------------------------------------------------


def test_skopeo_sync() -> None:
    other = image(
        project="nvidia/cuda", upstream="https://nvcr.io", mirror="https://registry.corp.example:5000/ngc/x/cuda"
    )
    text = emit("skopeo", [image("26.10"), image("26.07-py3", why="the newest that fits")], PLAIN)
    assert yaml.safe_load(text) == {"nvcr.io": {"images": {"nvidia/tensorrt": ["26.07-py3", "26.10"]}}}
    assert "--all --preserve-digests" in text
    assert "sync.yml registry.corp.example:5000/ngc/nvidia\n" in text
    assert "Without --scoped" in text
    assert f'- "26.07-py3"  # {DIGEST}, the newest that fits\n' in text
    one = emit("skopeo", [image(platforms=("linux/arm64/v8",))], PLAIN)
    assert "# skopeo --override-os linux --override-arch arm64 --override-variant v8 sync --preserve-digests" in one
    apart = emit("skopeo", [image(), other], PLAIN)  # two destinations: one run of sync has one
    assert [words[-3] for words in commands(apart) if words[0] == "skopeo"] == [
        "docker://registry.corp.example:5000/ngc/nvidia/tensorrt:26.10-py3",
        "docker://registry.corp.example:5000/ngc/x/cuda:26.10-py3",
    ]


@pytest.mark.parametrize(
    "more",
    [
        {"mirror": "https://registry.corp.example:5000/ngc/nvidia/trt"},  # another last part
        {"platforms": ("linux/arm64",)},  # beside one that is wanted whole
        {"upstream": "https://other.example/nvidia/tensorrt", "version": "26.07-py3"},  # two sources, one name
    ],
)
def test_skopeo_copies_one_by_one_where_sync_would_do_something_else(more: dict[str, Any]) -> None:
    script = emit("skopeo", [image("26.11-py3"), image(**more)], PLAIN)
    found = [words for words in commands(script) if words[0] == "skopeo"]
    assert len(found) == 2
    assert all(f"@{DIGEST}" in words[-4] for words in found)
    assert all("--preserve-digests" in words for words in found)
    assert ["--all" in words for words in found].count(False) == (1 if "platforms" in more else 0)


def test_images_that_would_get_one_name_are_refused() -> None:
    items = [image(), image("26.10-py3-igpu", digest="sha256:" + "0" * 64)]
    with pytest.raises(EmitError, match="would both be"):
        emit("skopeo", items, replace(PLAIN, tag_template="{month}"))
    assert "26.10-a1a1a1a1a1a1" in emit("skopeo", items, replace(PLAIN, tag_template="{month}-{digest12}"))


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{tag}-{}", "unknown field ''"),
        ("{tags}", r"did you mean \{tag\}"),
        ("{tag", "a brace stands alone"),
        ("{tag}}", "a brace stands alone"),
        ("{tag.__class__}", "unknown field"),
        ("-{tag}", "is no tag"),
        ("{repository}/{tag}", "is no tag"),
        ("{tag} {month}", "is no tag"),
        ("$(id){tag}", "is no tag"),
        ("{tag}" * 20, "is no tag"),
        ("x" * 600, "longer than 512"),
    ],
)
def test_templates_that_give_no_tag(template: str, problem: str) -> None:
    with pytest.raises(EmitError, match=problem):
        emit("skopeo", [image()], replace(PLAIN, tag_template=template))


def test_a_template_whose_field_a_tag_has_not() -> None:
    with pytest.raises(EmitError, match=r"\{month\}: nvidia/tensorrt:latest has none"):
        emit("skopeo", [image("latest")], replace(PLAIN, tag_template="{month}"))
    with pytest.raises(EmitError, match=r"\{digest12\}"):
        emit("skopeo", [image(digest=None)], replace(PLAIN, tag_template="{digest12}"))


def test_what_is_not_protected_is_loud() -> None:
    mirror = Mirror("corp", "oci", "https://registry.corp.example:5000", verify_tls=False)
    text = emit("skopeo", [image()], replace(PLAIN, mirrors=(mirror,)))
    assert "--dest-tls-verify=false" in text
    assert "registry.corp.example:5000 is NOT checked" in text
    opened = emit("skopeo", [image(upstream="http://10.0.0.1:5000/nvidia/tensorrt")], PLAIN)
    assert yaml.safe_load(opened)["10.0.0.1:5000"]["tls-verify"] is False
    assert "10.0.0.1:5000 is asked without TLS" in opened
    assert "dest-tls-verify" not in opened


# -- regsync -----------------------------------------------------------------------------------------------------------


def regsync(*items: Any, **more: Any) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(emit("regsync", items, replace(PLAIN, **more)))
    jsonschema.validate(document, REGSYNC)
    return document


def test_regsync() -> None:
    document = regsync(*everything())
    assert "creds" not in document
    whole, chosen = document["sync"]
    assert whole["source"] == chosen["source"] == "nvcr.io/nvidia/tensorrt"
    assert whole["target"] == "registry.corp.example:5000/ngc/nvidia/tensorrt"
    assert chosen["platforms"] == ["linux/amd64", "linux/arm64"]
    taken = [tag for tag in NEAR for entry in whole["tags"]["allow"] if re.search(f"^{entry}$", tag)]
    assert taken == ["26.10-py3", "26.07-py3"]  # as regsync anchors each entry
    assert regsync(image(platforms=("linux/arm64",)))["sync"][0]["platform"] == "linux/arm64"


def test_regsync_gives_other_names_image_by_image() -> None:
    (one,) = regsync(image(), tag_template="{repository}-{tag}")["sync"]
    assert one == {
        "source": f"nvcr.io/nvidia/tensorrt@{DIGEST}",
        "target": "registry.corp.example:5000/ngc/nvidia/tensorrt:nvidia-tensorrt-26.10-py3",
        "type": "image",
    }


def test_regsync_reads_logins_from_the_variables_that_are_named() -> None:
    mirror = Mirror("corp", "oci", "x", username_env="REG_USER", password_env="REG_PASS", upstream_token_env="NGC_KEY")
    document = regsync(image(), mirrors=(mirror,), accounts=(("nvcr.io", "$oauthtoken"),))
    assert document["creds"] == [
        {"registry": "nvcr.io", "user": "$oauthtoken", "pass": '{{env "NGC_KEY"}}'},
        {"registry": "registry.corp.example:5000", "user": '{{env "REG_USER"}}', "pass": '{{env "REG_PASS"}}'},
    ]
    assert regsync(image(mirror="http://10.0.0.1/x/y"))["creds"] == [{"registry": "10.0.0.1", "tls": "disabled"}]


# -- Harbor ------------------------------------------------------------------------------------------------------------


def harbor(*items: Any, **more: Any) -> list[dict[str, Any]]:
    document: list[dict[str, Any]] = json.loads(emit("harbor", items, replace(PLAIN, **more)))
    jsonschema.validate(document, HARBOR)
    return document


def expanded(value: str) -> list[str]:
    """The tags that a pattern of Harbor's stands for: ``{a,b}`` is either."""
    assert not set(value) & set("*?[]\\")
    return value.strip("{}").split(",") if value.startswith("{") else [value]


def test_harbor() -> None:
    other = image("26.10-py3", project="nvidia/pytorch", upstream="https://nvcr.io/nvidia/pytorch")
    other = replace(other, mirror="https://registry.corp.example:5000/ngc/nvidia/pytorch")
    policies = harbor(image("26.07-py3"), image(), other, registry_id=3)
    values = [[filter_["value"] for filter_ in policy["filters"]] for policy in policies]
    assert values == [["nvidia/pytorch", "26.10-py3", "image"], ["nvidia/tensorrt", "{26.07-py3,26.10-py3}", "image"]]
    assert {(policy["src_registry"]["id"], policy["dest_namespace"]) for policy in policies} == {(3, "ngc")}
    assert len({policy["name"] for policy in policies}) == 2
    assert [tag for tag in NEAR if tag in expanded(values[1][1])] == ["26.10-py3", "26.07-py3"]


def test_a_filter_of_harbor_is_not_longer_than_its_column() -> None:
    tags = [f"{year}.{month:02}-py3" for year in range(20, 40) for month in range(1, 13)]
    policies = harbor(*map(image, tags))
    assert [tag for policy in policies for tag in expanded(policy["filters"][1]["value"])] == tags
    assert all(len(json.dumps(policy["filters"])) <= MOST_FILTERS for policy in policies)
    assert len({policy["name"] for policy in policies}) == len(policies) > 2


@pytest.mark.parametrize(
    ("source", "target", "wanted"),
    [  # the table in the comment above replaceNamespace, src/controller/replication/flow/stage.go
        ("a/b/c/image", "n/a/b/c/image", ("n", 0)),
        ("a/b/c/image", "n/b/c/image", ("n", 1)),
        ("a/b/c/image", "n/c/image", ("n", 2)),
        ("a/b/c/image", "n/image", ("n", 3)),
        ("nvidia/tensorrt", "ngc/mirror/tensorrt", ("ngc/mirror", 1)),
        ("nvidia/tensorrt", "nvidia/tensorrt", ("nvidia", 1)),
    ],
)
def test_where_harbor_puts_it(source: str, target: str, wanted: tuple[str, int]) -> None:
    assert destination(source, target) == wanted


def test_names_of_policies_are_plain() -> None:
    (policy,) = harbor(image(upstream="https://nvcr.io/v2/a.b/c__d--e", mirror="https://x.example/y/c__d--e"))
    assert policy["name"].startswith("trtdoctor-a-b-c-d-e-")
    assert policy["filters"][0]["value"] == "a.b/c__d--e"


def test_what_harbor_cannot_do_is_refused() -> None:
    with pytest.raises(EmitError, match="cannot put nvidia/tensorrt at ngc/trt"):
        harbor(image(mirror="https://registry.corp.example:5000/ngc/trt"))
    with pytest.raises(EmitError, match="cannot give images other tags"):
        harbor(image(), tag_template="{month}")


# -- bandersnatch ------------------------------------------------------------------------------------------------------


def test_bandersnatch() -> None:
    text = emit("bandersnatch", stack(), PLAIN)
    parsed = configparser.ConfigParser(delimiters="=")
    parsed.read_string(text)
    assert parsed["plugins"]["enabled"].split() == ["allowlist_project", "allowlist_release"]
    assert parsed["allowlist"]["packages"].split() == [
        "tensorrt==11.4.0.106",
        "tensorrt-cu13-bindings==11.4.0.106",
        "tensorrt-cu13-libs==11.4.0.106",
        "wheel-stub==0.5.0",
    ]
    assert "The master of idx: https://index.example\n" in text
    assert "mirrors a stub, not the wheel" in text
    listed = wheels(stack(), PLAIN).splitlines()[3:]
    name = "tensorrt_cu13_libs-11.4.0.106-py2.py3-none-manylinux_2_28_x86_64.whl"
    assert listed == [f"https://pypi.nvidia.com/tensorrt-cu13-libs/{name} {'c3' * 32} 15508"]


def test_a_wheel_alone_is_nothing_for_bandersnatch() -> None:
    (item,) = (item for item in stack() if item.origin)
    parsed = configparser.ConfigParser(delimiters="=")
    parsed.read_string(emit("bandersnatch", [item], PLAIN))
    assert parsed["allowlist"]["packages"] == ""
    assert "- -\n" in wheels([replace(item, files=((item.files[0][0], None, None),))], PLAIN)


# -- pip ---------------------------------------------------------------------------------------------------------------


def test_pip_download_takes_the_wheel_and_not_the_stub() -> None:
    script = emit("pip-download", stack(), PLAIN)
    lines = [words for words in commands(script) if words[:1] == ["python3"]]
    assert len(lines) == 4
    assert all("--no-deps" in words and "--require-hashes" in words for words in lines)
    by_index = {words[words.index("--index-url") + 1] for words in lines}
    assert by_index == {"https://index.example/simple/", "https://pypi.nvidia.com/"}
    assert "# left out: tensorrt_cu13_libs-11.4.0.106.tar.gz: a stub: the wheel itself is fetched" in script
    assert f"tensorrt-cu13-libs==11.4.0.106 --hash=sha256:{'c3' * 32}\n" in script
    alone = [item for item in stack() if not item.origin]
    assert "pip would fetch the wheel" in emit("pip-download", alone, replace(PLAIN, stubs=("tensorrt-cu13-libs",)))


def test_pip_download_says_what_it_cannot_verify() -> None:
    script = emit("pip-download", [dist("tensorrt", "11.4.0.106", "tensorrt-11.4.0.106.tar.gz", sha256=None)], PLAIN)
    assert "is not verified" in script
    assert "--require-hashes" not in script
    assert "nobody says which files it has" in emit("pip-download", [dist("tensorrt", "11.4.0.106")], PLAIN)


@pytest.mark.parametrize(
    ("tags", "wanted"),
    [
        ("py2.py3-none-any", "--implementation py --python-version 3 --abi none --platform any"),
        ("cp312-cp312-win_amd64", "--implementation cp --python-version 3.12 --abi cp312 --platform win_amd64"),
        ("cp39-abi3-linux_aarch64", "--implementation cp --python-version 3.9 --abi abi3 --platform linux_aarch64"),
        (
            f"1-cp310-none-{GLIBC}.manylinux2014_x86_64",
            f"--implementation cp --python-version 3.10 --abi none --platform {GLIBC} --platform manylinux2014_x86_64",
        ),
    ],
)
def test_the_tags_of_a_wheel_as_options_of_pip(tags: str, wanted: str) -> None:
    assert shlex.join(tag_options(f"tensorrt_cu13_bindings-11.4.0.106-{tags}.whl")) == wanted


@pytest.mark.parametrize("name", ["x.whl", "x-1-py-none-any.whl", "x-1-any-none-any.whl"])
def test_a_wheel_with_strange_tags(name: str) -> None:
    with pytest.raises(EmitError, match="no wheel"):
        tag_options(name)


# -- aptly -------------------------------------------------------------------------------------------------------------


def test_aptly() -> None:
    script = emit("aptly", debs(), PLAIN)
    (line,) = [words for words in commands(script) if "create" in words]
    at = line.index("create")
    of_version = "Version (= 10.16.1.11-1+cuda13.2), Architecture"
    terms = [f"(Name (= libnvinfer10), {of_version} (= amd64))"]
    terms += [f"(Name (= tensorrt), {of_version} (= {name}))" for name in ("all", "amd64")]
    assert line[at + 1 : at + 6] == [
        "-architectures=amd64",
        f"-filter={' | '.join(terms)}",
        line[at + 3],
        "https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2204/x86_64/",
        "./;",
    ]
    assert re.fullmatch(r"trtdoctor-apt-[0-9a-f]{8}", line[at + 3])
    assert "ignore-signatures" not in script
    usual = deb("tensorrt", "1.0-1", upstream="https://deb.example/debian/dists/stable/main")
    assert " https://deb.example/debian/ stable main; }" in emit("aptly", [usual], PLAIN)
