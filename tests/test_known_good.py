"""Known good and known bad, generated from the matrix: a new row is covered when it is added.

NVIDIA's images and JetPacks and the releases of Torch-TensorRT, each with its own components and a driver and a GPU
that its notes allow, get no error; a TensorRT release with a GPU, a driver or a Python below its floor gets the right
code.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from trtdoctor.declared import snapshot_of
from trtdoctor.findings import Report, Severity
from trtdoctor.judge import judge
from trtdoctor.matrix import Matrix, Row, cuda, load, tensorrt
from trtdoctor.versions import Answer, Version, within

AS_OF = date(2026, 11, 22)
MATRIX = load()
BOARDS = {"3.0": "Tesla K10", "6.0": "Tesla P100", "7.0": "Tesla V100", "7.5": "Tesla T4", "8.0": "A100-SXM4-80GB"}
"""A data-centre board for each floor that images have."""


def report(**environment: Any) -> Report:
    return judge(snapshot_of(environment), MATRIX, as_of=AS_OF)


def errors(found: Report) -> list[str]:
    return [f"{item.code} {item.title}" for item in found.findings if item.severity is Severity.ERROR]


def codes(found: Report, *families: str) -> set[str]:
    return {item.code for item in found.findings if item.code.startswith(families)}


# -- known good -------------------------------------------------------------------------------------------------------

IMAGES = MATRIX.rows("containers", "images")
JETPACKS = MATRIX.rows("jetpack", "jetpacks")
TORCH_TENSORRT = MATRIX.rows("frameworks", "torch_tensorrt")


def whole(text: str) -> str:
    """A driver of a branch that is surely not below it: R580 is 580.9999 here, 460.32.03 stays."""
    return text if "." in text else f"{text}.9999"


def driver_of(row: Row) -> str:
    """The least driver that the notes of an image allow; the floor of its CUDA where they name none."""
    fact = row.get("driver", "needed", "minimum_branch")
    if fact.known:
        return whole(str(fact.value))
    floor = cuda.major_floor(MATRIX, Version.parse(str(row.get("cuda").value)), "linux")
    assert floor is not None, row.key
    return str(floor.value)


def image_gpu(row: Row) -> dict[str, Any]:
    """A data-centre GPU that the image serves: the T4, which every image since 19.02 names."""
    floor = Version.parse(row.text("compute_capabilities", "minimum") or "7.5")
    capability = "7.5" if floor.parts <= (7, 5) else str(floor)
    return {"name": BOARDS[capability]}


def contents(row: Row, *, architecture: str = "x86_64") -> dict[str, Any]:
    found: dict[str, Any] = {"os": f"ubuntu-{row.text('ubuntu')}", "arch": architecture}
    for component in ("tensorrt", "cuda", "cudnn", "cublas"):
        key = "tensorrt_sbsa" if component == "tensorrt" and architecture == "aarch64" else component
        version = row.text(key) or row.text(component)
        if version is not None:
            found[component] = [{"version": version, "from": "container"}]
    python = row.text("python")
    return {**found, "python": python} if python else found


@pytest.mark.parametrize("row", IMAGES, ids=lambda row: row.key)
def test_an_image_with_its_own_contents_gets_no_error(row: Row) -> None:
    container = {"image": f"{row.text('image')}:{row.text('tag')}", "gpu_access": True}
    stated = {
        "driver": driver_of(row),
        "gpus": [image_gpu(row)],
        "container": container,
        "wants": ["build", "run", "python"],
    }
    assert errors(report(**contents(row), **stated)) == []
    # The name alone says what is inside.
    assert errors(report(os="linux", arch="x86_64", **stated)) == []


@pytest.mark.parametrize("row", [row for row in IMAGES if "tensorrt_sbsa" in row], ids=lambda row: row.key)
def test_an_image_for_arm_servers_gets_no_error(row: Row) -> None:
    container = {"image": f"{row.text('image')}:{row.text('tag')}", "gpu_access": True}
    driver = driver_of(row)
    gpu = {"name": "NVIDIA GH200 480GB"} if Version.parse(row.text("month") or "0").parts >= (23, 6) else None
    found = report(
        **contents(row, architecture="aarch64"), driver=driver, gpus=[gpu or {"name": "Tesla T4"}], container=container
    )
    assert errors(found) == []


ALLOWED = [
    (row, str(branch))
    for row in IMAGES
    for branch in (row.get("driver", "needed", "compat_branches").value or ())
    if isinstance(row.get("driver", "needed", "compat_branches").value, list)
]


@pytest.mark.parametrize(("row", "branch"), ALLOWED, ids=[f"{row.key} on {branch}" for row, branch in ALLOWED])
def test_an_image_on_an_older_driver_that_its_notes_allow_gets_no_error(row: Row, branch: str) -> None:
    container = {"image": f"{row.text('image')}:{row.text('tag')}", "gpu_access": True}
    found = report(**contents(row), driver=whole(branch), gpus=[image_gpu(row)], container=container)
    assert errors(found) == []


def module_name(row: Row) -> str:
    return f"Jetson {row.get('modules').value[0]}"


@pytest.mark.parametrize("row", [row for row in JETPACKS if row.text("tensorrt")], ids=lambda row: row.key)
@pytest.mark.parametrize("stated", [True, False], ids=["stated", "by its number"])
def test_a_jetpack_gets_no_error(row: Row, stated: bool) -> None:
    environment: dict[str, Any] = {
        "os": f"jetpack-{row.text('jetpack')}",
        "arch": "aarch64",
        "tensorrt": [{"version": row.text("tensorrt"), "from": "jetpack"}],
        "wants": ["build", "run", "python"],
    }
    if stated:
        for component in ("cuda", "cudnn", "cublas"):
            if row.text(component):
                environment[component] = [{"version": row.text(component), "from": "jetpack"}]
        environment["python"] = row.text("python")
    for capability in row.get("compute_capabilities").value:
        found = report(**environment, gpus=[{"name": module_name(row), "compute_capability": capability}])
        assert errors(found) == []


def newest_release(specifier: str) -> str | None:
    """The newest package of TensorRT that a pin takes; of one release the last, which mends the ones before."""
    for row in tensorrt.all_releases(MATRIX):
        packages = row.get("packages").value
        for package in reversed(packages) if isinstance(packages, list) else ():
            if within(Version.parse(package), specifier) is Answer.YES:
                return str(package)
    return None


@pytest.mark.parametrize("row", TORCH_TENSORRT, ids=lambda row: row.key)
def test_a_torch_tensorrt_with_what_it_pins_gets_no_error(row: Row) -> None:
    flavour = row.text("flavour") or "cu12"
    floor = cuda.major_floor(MATRIX, Version.parse(flavour[2:]), "linux")
    packages = {"torch-tensorrt": row.key}
    pin = row.text("requires", "torch")
    if pin:
        packages["torch"] = next(part.lstrip("=>") for part in pin.split(",") if part.startswith((">=", "==")))
    environment: dict[str, Any] = {"os": "ubuntu-22.04", "arch": "x86_64", "packages": packages}
    serves = row.text("serves")
    release = newest_release(serves) if serves else None
    if release is not None:
        environment["tensorrt"] = [{"version": release, "from": f"pip-{flavour}"}]
    pythons = row.get("python").value
    if isinstance(pythons, list):
        environment["python"] = f"3.{pythons[0][3:]}"
    found = report(**environment, gpus=[{"name": "Tesla T4"}], driver=str(floor.value) if floor else "580.95.05")
    assert errors(found) == []


# -- known bad --------------------------------------------------------------------------------------------------------

RELEASES = [row for row in tensorrt.all_releases(MATRIX) if row.text("status") in ("ga", "early-access")]
BUILDS = [(row, flavour) for row in RELEASES for flavour in tensorrt.flavours(row) if flavour.startswith("cu")]


def named(builds: list[tuple[Row, str]]) -> list[str]:
    return [f"{row.key}-{flavour}" for row, flavour in builds]


def served(row: Row, flavour: str) -> list[str]:
    """Compute capabilities that a build serves or may serve on Linux x86-64; empty when that is not known."""
    table = row.get("builds", flavour, "compute_capabilities", "linux-x86_64").value
    if not isinstance(table, dict) or not isinstance(table.get("supported"), list):
        return []
    return [*table["supported"], *(table.get("unconfirmed") or ())]


def has_floor(flavour: str) -> bool:
    """Whether one driver floor holds for the whole CUDA major."""
    major = cuda.major(MATRIX, Version.parse(flavour[2:]))
    return major is not None and major.get("minor_version_compatibility").value is True


def has_wheels(row: Row, flavour: str) -> bool:
    wheels = row.get("builds", flavour, "wheels").value
    return isinstance(wheels, dict) and any("x86_64" in tag for tag in wheels)


SERVING = [(row, flavour) for row, flavour in BUILDS if served(row, flavour)]
FLOORED = [(row, flavour) for row, flavour in BUILDS if has_floor(flavour)]
WHEELED = [(row, flavour) for row, flavour in BUILDS if has_wheels(row, flavour)]


def installed(row: Row, flavour: str) -> dict[str, Any]:
    return {"tensorrt": [{"version": row.key, "from": f"pip-{flavour}"}], "os": "ubuntu-22.04", "arch": "x86_64"}


@pytest.mark.parametrize(("row", "flavour"), SERVING, ids=named(SERVING))
def test_a_gpu_below_the_floor(row: Row, flavour: str) -> None:
    floor = min(Version.parse(item).parts for item in served(row, flavour))
    older = [item.key for item in MATRIX.rows("cuda", "architectures") if Version.parse(item.key).parts < floor]
    assert older, floor
    found = report(**installed(row, flavour), gpus=[{"name": "an older GPU", "compute_capability": older[0]}])
    assert "GPU201" in codes(found, "GPU"), errors(found)
    assert found.verdict.value == "broken"


@pytest.mark.parametrize(("row", "flavour"), FLOORED, ids=named(FLOORED))
def test_a_driver_below_the_floor_of_its_cuda(row: Row, flavour: str) -> None:
    floor = cuda.major_floor(MATRIX, Version.parse(flavour[2:]), "linux")
    assert floor is not None
    found = report(**installed(row, flavour), driver=f"{Version.parse(str(floor.value)).major - 1}.10.01")
    assert "DRV201" in codes(found, "DRV"), errors(found)
    assert found.verdict.value == "broken"


@pytest.mark.parametrize(("row", "flavour"), WHEELED, ids=named(WHEELED))
def test_a_python_without_a_wheel(row: Row, flavour: str) -> None:
    found = report(**installed(row, flavour), python="3.5")
    assert "PYT101" in codes(found, "PYT"), errors(found)
    assert found.verdict.value == "broken"


def test_the_matrix_generates_enough() -> None:
    """A floor, so that a renamed key does not silently leave nothing to test."""
    assert len(IMAGES) > 150
    assert len(ALLOWED) > 300
    assert len(JETPACKS) > 15
    assert len(TORCH_TENSORRT) >= 20
    assert len(SERVING) > 60
    assert len(FLOORED) > 50
    assert len(WHEELED) > 30


def test_the_matrix_is_the_one_under_test() -> None:
    assert isinstance(MATRIX, Matrix)
    assert MATRIX.overlays == ()
