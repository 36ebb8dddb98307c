"""What holds for every plan, over what people reported and what is put together at random: one computation for all."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

from tests.conftest import AS_OF, ROOT
from tests.plan.asking import Environment, environments, errors_in, every, question
from trtdoctor.declared import snapshot_of
from trtdoctor.findings import Fix
from trtdoctor.matrix import Matrix, apt, artefacts, distributions, drivers, frameworks, load
from trtdoctor.plan.agreement import requirements
from trtdoctor.plan.model import KINDS, Plan, weight
from trtdoctor.plan.search import order, search
from trtdoctor.versions import Answer, Version, within
from trtdoctor.yamlfile import parse

APT = [parse(path.read_bytes()) for path in sorted((ROOT / "tests" / "data" / "apt").glob("*.yaml"))]
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:/+~=_-]*")
"""A name or a version as it stands in a command: nothing that a shell would take for more than a word."""


@lru_cache(maxsize=1)
def plans() -> list[tuple[str, Environment, Plan]]:
    """Every plan with the environment that it is for."""
    return [(name, environment, plan) for name, (environment, report) in every().items() for plan in report.plans]


def steps(kind: str = "shell") -> Iterator[tuple[str, Plan, Fix]]:
    for name, _, plan in plans():
        for step in plan.commands:
            if step.kind == kind:
                yield name, plan, step


def test_there_are_plans_to_look_at() -> None:
    ways = {plan.install for _, _, plan in plans()}
    assert len(plans()) >= 350
    assert ways == {"keep", "pip", "apt", "container", "jetpack", "archive"}
    kinds = {change.kind for _, _, plan in plans() for change in plan.changes}
    assert kinds >= {
        "pip",
        "apt",
        "container",
        "driver",
        "rebuild-engine",
        "change-code",
        "jetpack",
        "archive",
        "python",
    }


# -- what comes out ----------------------------------------------------------------------------------------------------


def test_the_result_of_every_plan_passes_check() -> None:
    for name, _, plan in plans():
        tolerated = {text.split()[0] for text in plan.warnings if text.endswith("(stays)")}
        assert set(errors_in(plan.environment)) <= tolerated, f"{name}: {plan.title}"


def test_nothing_fits_only_where_a_reason_is_given() -> None:
    for name, (_, report) in every().items():
        assert bool(report.plans) != (report.impossible is not None), name
        if report.impossible is not None:
            assert report.impossible.reasons, name
    without = [name for name, (_, report) in every().items() if not report.plans]
    assert len(without) <= len(environments()) / 10, without


def test_best_first() -> None:
    for name, (_, report) in every().items():
        costs = [plan.cost for plan in report.plans]
        assert costs == sorted(costs), name


def test_what_nothing_asks_for_does_not_change() -> None:
    for name, (environment, report) in every().items():
        if report.plans and not report.broken and environment.get("tensorrt"):
            assert report.plans[0].changes == (), name
            assert report.plans[0].commands == (), name
        for plan in report.plans:
            assert bool(plan.changes) == bool(plan.commands), f"{name}: {plan.title}"


def test_what_is_told_of_a_change_is_what_happens() -> None:
    for name, environment, plan in plans():
        moved = {change.component.removeprefix("package:"): change for change in plan.changes}
        assert all(change.kind in KINDS and change.after != change.before for change in plan.changes), name
        assert plan.cost >= weight(plan.changes), name
        if "driver" in moved and moved["driver"].kind == "driver":
            assert plan.environment["driver"] == moved["driver"].after
        elif plan.install != "jetpack":
            assert plan.environment.get("driver") == environment.get("driver"), f"{name}: {plan.title}"
        if plan.install not in ("container", "jetpack"):
            before = question(environment).environment.get("packages", {})
            gone = [item for item in before if item not in plan.environment.get("packages", {})]
            assert all(item in moved or item.startswith("tensorrt") for item in gone), f"{name}: {plan.title}"
        for text in plan.kept:
            assert text.split()[0] not in moved, f"{name}: {plan.title}: {text}"


def test_a_driver_is_one_that_the_matrix_knows_and_serves_every_gpu(matrix: Matrix) -> None:
    known = {row.text("newest") for row in drivers.branches(matrix)} | {row.key for row in drivers.branches(matrix)}
    seen = 0
    for name, _, plan in plans():
        for change in plan.changes:
            if change.kind != "driver" or change.after is None:
                continue
            seen += 1
            version = Version.parse(change.after)
            assert change.after in known or drivers.branch_of(matrix, version) is not None, name
            for capability in question(plan.environment).capabilities:
                assert drivers.serves(matrix, version, capability).answer is not Answer.NO, name
            if plan.driver_floor is not None:
                assert version.at_least(Version.parse(plan.driver_floor)) is Answer.YES, f"{name}: {plan.title}"
    assert seen >= 40


# -- versions ----------------------------------------------------------------------------------------------------------


def known_to_the_matrix(matrix: Matrix, name: str, version: str) -> bool:
    if version in artefacts.versions(matrix, name):
        return True
    rows = frameworks.rows(matrix, name)
    if any(row.key == version.partition("+")[0] for row in rows):
        return True
    nested = [text for row in matrix.rows("artefacts", "artefacts") for text in row.get("nested").value or ()]
    if f"{name.replace('-', '_')}=={version}" in nested:
        return True
    wheel = [row for row in matrix.rows("wheels", "wheels") if name in row.get("distributions").value]
    return any(version in row.get("versions").value for row in wheel)


def test_every_pin_is_a_version_that_the_matrix_knows(matrix: Matrix) -> None:
    pairs = {pin for name, environment, plan in plans() for pin in plan.pins if pin not in given(environment)}
    assert len(pairs) >= 40
    for name, version in pairs:
        assert known_to_the_matrix(matrix, name, version), f"{name}=={version}"
        assert distributions.identify(matrix, name) is not None or frameworks.rows(matrix, name), name


def given(environment: Environment) -> set[tuple[str, str]]:
    """What is there already: another Python gets it again."""
    return set(environment.get("packages", {}).items())


def test_pins_and_commands_are_of_one_mind() -> None:
    for name, plan, step in steps():
        words = shlex.split(step.text)
        if words[1:4] == ["-m", "pip", "install"] and "--force-reinstall" not in words:
            told = {tuple(word.split("==")) for word in words[4:] if "==" in word}
            assert told == {pin for pin in plan.pins if "+" not in pin[1]}, f"{name}: {step.text}"
            assert all("==" in word or word.startswith(("-", "https://")) for word in words[4:]), step.text


def test_what_frameworks_require_of_the_pins_beside_them_holds(matrix: Matrix) -> None:
    """What the resolver of pip would refuse is in no plan."""
    seen = 0
    for name, _, plan in plans():
        pins = dict(plan.pins)
        for framework, version in pins.items():
            row = (
                frameworks.row(matrix, framework, Version.parse(version))
                if frameworks.rows(matrix, framework)
                else None
            )
            for other, specifier in requirements(row, version) if row is not None else ():
                if other in pins:
                    seen += 1
                    held = within(Version.parse(pins[other]), specifier)
                    assert held is not Answer.NO, f"{name}: {framework} {version}: {other}=={pins[other]}: {specifier}"
    assert seen >= 1


def test_the_recorded_requirements_of_every_pin_hold_and_are_pinned(matrix: Matrix) -> None:
    """Of distributions of the stack nothing that a pin requires is left to the resolver."""
    seen = 0
    for pins in {plan.pins for _, _, plan in plans() if plan.install == "pip"}:
        named = dict(pins)
        for name, version in pins:
            for text in artefacts.requires(matrix, name, version) or ():
                head, _, marker = text.partition(";")
                match = re.fullmatch(r"\s*([A-Za-z0-9._-]+)(?:\[[^\]]*\])?\s*\(?([<>=!~][^()]*)?\)?\s*", head)
                spec = distributions.identify(matrix, match[1]) if match else None
                if match is None or "extra" in marker or spec is None:
                    continue
                other = distributions.normalise(match[1])
                seen += 1
                assert other in named, f"{name}=={version} requires {text}, which no pin names"
                assert not match[2] or within(Version.parse(named[other]), match[2].strip()) is not Answer.NO, text
    assert seen >= 50


def test_an_image_is_one_that_the_matrix_has(matrix: Matrix) -> None:
    known = {f"{row.text('image')}:{row.text('tag')}" for row in matrix.rows("containers", "images")}
    images = {plan.environment["container"]["image"] for _, _, plan in plans() if plan.install == "container"}
    assert len(images) >= 10
    assert images <= known


def test_every_debian_package_was_seen_or_is_in_the_matrix_with_its_source(matrix: Matrix) -> None:
    recorded = {(name, version) for item in APT for name, versions in item["packages"].items() for version in versions}
    claimed: dict[str, str] = {}
    for row in (*matrix.rows("apt", "tensorrt"), *matrix.rows("apt", "cudnn")):
        claimed[str(row.get("apt").value)] = row.get("apt").certainty
    for row in matrix.rows("apt", "cuda"):
        claimed |= {str(row.get(key).value): row.get(key).certainty for key in row.names() if row.get(key).known}
    pairs = {pair for _, _, plan in plans() for pair in plan.apt}
    assert len(pairs) >= 30
    seen = [pair for pair in pairs if pair in recorded]
    assert len(seen) >= 10
    for name, version in pairs - set(seen):
        assert claimed.get(version) in ("official", "measured", "secondary", "inferred"), f"{name}={version}"


def test_packages_of_one_source_are_all_named() -> None:
    """apt takes its highest version of what is not named, and then fails."""
    for name, _, plan in plans():
        if plan.install == "apt":
            row = [version for package, version in plan.apt if package.startswith("libnvinfer")]
            assert len(set(row)) == 1, name
            release = Version.parse(row[0].partition("-")[0])
            build = next(item for item in (f"cu{major}" for major in (10, 11, 12, 13)) if f"+cuda{item[2:]}" in row[0])
            wanted = apt.tensorrt(load(), Version.parse(release.short(3)), build)
            assert wanted is not None
            assert wanted.value == row[0], name


# -- commands ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def lines() -> list[str]:
    return sorted({step.text for _, _, step in steps()})


def test_every_command_is_a_line_that_bash_reads() -> None:
    assert len(lines()) >= 120
    assert all("\n" not in line for line in lines())
    done = subprocess.run(["bash", "-n"], input="\n".join(lines()), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    checked = subprocess.run(
        [str(Path(sys.executable).parent / "shellcheck"), "--shell=bash", "-"],
        input="\n".join(lines()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout[:2000]


FORMS = {
    "install": r"\S*python\S* -m pip install( --\S+( https://\S+)?)*( \S+==\S+)+",
    "repair": r"\S*python\S* -m pip install --no-cache-dir --force-reinstall .*",
    "uninstall": r"\S*python\S* -m pip uninstall -y( [a-z0-9-]+)+",
    "venv": r"(python3\.\d+|py -3\.\d+) -m venv \.venv",
    "get": r"curl -fsSL -o cuda-keyring\.deb https://developer\.download\.nvidia\.com/\S+\.deb",
    "dpkg": r"dpkg -i \./cuda-keyring\.deb",
    "update": r"apt-get update",
    "apt": r"apt-get install -y --allow-downgrades --allow-change-held-packages( \S+=\S+)+",
    "driver": r"apt-get install -y nvidia-driver-\d{3}(-server)?(-open)?",
    "hold": r"apt-mark hold( [a-z0-9.+-]+)+",
    "pull": r"docker pull nvcr\.io/nvidia/\S+",
    "build": r"printf '%s\\n' 'FROM nvcr\.io/nvidia/\S+' 'RUN python3 -m pip install .+' \| docker build -t \S+ -",
    "run": r"docker run --rm (--gpus all|--runtime nvidia) \S+ (nvidia-smi|trtexec --help)",
    "unset": r"unset LD_LIBRARY_PATH|export LD_LIBRARY_PATH=\S+",
}
ROOT_ONLY = ("dpkg", "update", "apt", "driver", "hold")


def form(line: str) -> str:
    found = [name for name, pattern in FORMS.items() if re.fullmatch(pattern, line)]
    assert found, f"a command of no form that is known to do no harm when it runs twice: {line}"
    return found[0]


def test_every_command_can_be_run_twice_and_names_what_it_takes() -> None:
    """Each is of a form that does the same again: an exact version, a hold, an option that overwrites."""
    seen = {form(line) for line in lines()}
    assert seen >= {"install", "uninstall", "venv", "get", "dpkg", "update", "apt", "driver", "hold", "pull", "run"}
    for line in lines():
        for word in shlex.split(line):
            assert (
                word in ("|", "-", "./cuda-keyring.deb", "%s\\n") or WORD.fullmatch(word.lstrip("-.")) or " " in word
            ), line


def test_root_and_a_new_start_are_said_where_they_are_needed() -> None:
    for name, _, step in steps():
        if "ld_library_path" not in step.text.lower():
            assert step.needs_root == (form(step.text) in ROOT_ONLY), f"{name}: {step.text}"
        assert step.needs_reboot == step.text.startswith("apt-get install -y nvidia-driver"), f"{name}: {step.text}"
    for name, _, plan in plans():
        if any(change.kind in ("driver", "jetpack") for change in plan.changes):
            assert any(step.needs_reboot for step in plan.commands), f"{name}: {plan.title}"


def test_what_needs_a_new_start_comes_first_and_the_engine_last() -> None:
    for name, _, plan in plans():
        places = [number for number, step in enumerate(plan.commands) if step.needs_reboot]
        others = [form(step.text) for step in plan.commands[: max(places, default=0)] if step.kind == "shell"]
        assert set(others) <= {"update"}, f"{name}: {plan.title}: {others}"
        if any(change.kind == "rebuild-engine" for change in plan.changes):
            assert plan.commands[-1].kind == "manual", name
            assert "ngine" in plan.commands[-1].text, name


def test_what_is_held_is_what_was_installed() -> None:
    for name, plan, step in steps():
        if form(step.text) == "hold":
            assert step.text.split()[2:] == [package for package, _ in plan.apt], name


# -- the search itself -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("every", [True, False])
@pytest.mark.parametrize("name", ["made 0", "made 7", "made 21", "made 42", "made 52", "made 79"])
def test_the_order_is_the_documented_one(name: str, every: bool) -> None:
    """Cost, new warnings, the CUDA that is there, what is confirmed, support life, the newest: each only for ties."""
    asked = question(environments()[name])
    found = search(asked, top=12, most=120, every=every).candidates
    ranks = [order(asked, item.weighed.build if item.weighed else None, item, item.cost) for item in found]
    assert ranks == sorted(ranks)
    assert len(found) >= 2


def test_a_search_takes_nothing_from_another() -> None:
    """Answers are the same however often and in whatever order they are asked."""
    for name in ("made 3", "made 11", "made 50"):
        environment, report = every()[name]
        again = question(snapshot_of(environment))
        from trtdoctor.plan.answer import answer

        assert answer(again, top=3).to_plain() == report.to_plain(), name
        assert again.as_of == AS_OF
