"""Family PYT: wheels for this Python and platform, glibc, placeholders."""

from __future__ import annotations

import pytest

from tests.rules.making import declared, judged, live, of_family, only, package, tensorrt
from trtdoctor.findings import Severity


def test_no_wheel_for_this_python() -> None:
    report = declared(
        os="ubuntu-22.04", arch="x86_64", tensorrt=[{"version": "8.6.1.post1", "from": "pip"}], python="3.12"
    )
    found = only(report, "PYT101")
    assert found.severity is Severity.ERROR
    assert "python" in found.components
    assert "3.12" in found.title
    assert found.fix[0].text == "python3 -m pip uninstall -y tensorrt tensorrt-bindings tensorrt-libs"
    assert " tensorrt-cu12==10.16.1.11 " in found.fix[1].text, "the next major up, not the newest"


@pytest.mark.parametrize("python", ["3.11", "3.10.4", "3.8"])
def test_a_python_with_wheels(python: str) -> None:
    report = declared(os="linux", arch="x86_64", tensorrt=[{"version": "8.6.1", "from": "pip"}], python=python)
    assert of_family(report, "PYT") == []


@pytest.mark.parametrize("origin", ["apt", "tar", "container", "unknown"])
def test_other_installations_need_no_wheel(origin: str) -> None:
    report = declared(os="linux", arch="x86_64", tensorrt=[{"version": "8.6.1", "from": origin}], python="3.12")
    assert of_family(report, "PYT") == []


def test_a_python_known_by_its_major_alone_is_no_error() -> None:
    report = declared(os="linux", arch="x86_64", tensorrt=[{"version": "8.6.1", "from": "pip"}], python="3")
    assert of_family(report, "PYT") == []


def test_a_partial_version_is_an_error_only_where_all_releases_agree() -> None:
    # Python 3.13: 10.13 has wheels for it, 10.0 had not.
    report = declared(os="linux", arch="x86_64", tensorrt=[{"version": "10", "from": "pip"}], python="3.13")
    assert of_family(report, "PYT") == []
    report = declared(os="linux", arch="x86_64", tensorrt=[{"version": "10", "from": "pip"}], python="3.6")
    assert of_family(report, "PYT") == ["PYT101"]


def test_installed_files_need_no_wheel_any_more() -> None:
    directory = "/venv/lib/python3.12/site-packages/tensorrt_libs"
    snapshot = live(
        *tensorrt("10.0.1", directory, origin="pip"),
        packages=(
            package("tensorrt-cu12", "10.0.1"),
            package("tensorrt-cu12-bindings", "10.0.1", libraries=True),
            package("tensorrt-cu12-libs", "10.0.1", libraries=True),
        ),
        python="3.14.0",
    )
    assert of_family(judged(snapshot), "PYT") == []


def test_a_stub_under_a_python_without_wheels_is_told_once() -> None:
    snapshot = live(packages=(package("tensorrt", "8.6.1.post1"),), python="3.12.3")
    assert of_family(judged(snapshot), "PYT", "TRT") == ["PYT101"]


def test_no_wheel_for_windows() -> None:
    report = declared(os="windows", arch="x86_64", tensorrt=[{"version": "8.6.1", "from": "pip"}], python="3.9")
    found = only(report, "PYT104")
    assert found.severity is Severity.ERROR
    assert "os" in found.components
    assert "PYT101" not in of_family(report, "PYT")


def test_windows_without_architecture_is_enough() -> None:
    assert of_family(declared(os="windows", tensorrt=[{"version": "8.6.1", "from": "pip"}]), "PYT") == ["PYT104"]


def test_no_wheel_on_musl_macos_and_power() -> None:
    wheel = [{"version": "10.9.0", "from": "pip-cu12"}]
    assert of_family(declared(os="macos-14", tensorrt=wheel), "PYT") == ["PYT104"]
    assert of_family(declared(os="linux", arch="ppc64le", tensorrt=wheel), "PYT") == ["PYT104"]
    musl = live(packages=(package("tensorrt", "10.9.0"),), distribution="alpine", libc="musl", glibc=None)
    assert of_family(judged(musl), "PYT") == ["PYT104"]
    by_pip = [{"version": "10.9.0", "from": "pip-cu12"}]
    said = declared(os="alpine-3.19", arch="x86_64", python="3.11", tensorrt=by_pip)
    assert of_family(said, "PYT") == ["PYT104"]


def test_a_platform_with_wheels_or_unknown_platform_is_no_finding() -> None:
    wheel = [{"version": "10.9.0", "from": "pip-cu12"}]
    assert of_family(declared(os="windows-11", arch="x86_64", tensorrt=wheel), "PYT") == []
    assert of_family(declared(tensorrt=wheel), "PYT") == []
    assert of_family(declared(tensorrt=[{"version": "8.6.1", "from": "pip"}]), "PYT") == []


def test_glibc_below_the_wheels() -> None:
    wheel = [{"version": "10.9.0", "from": "pip-cu12"}]
    found = only(declared(os="centos-7", arch="x86_64", glibc="2.17", tensorrt=wheel, python="3.9"), "PYT102")
    assert found.severity is Severity.ERROR
    assert "2.28" in found.title
    assert found.components[0] == "glibc"


@pytest.mark.parametrize("glibc", ["2.28", "2.31", "2.39"])
def test_glibc_at_the_floor(glibc: str) -> None:
    wheel = [{"version": "10.9.0", "from": "pip-cu12"}]
    report = declared(os="linux", arch="x86_64", glibc=glibc, tensorrt=wheel, python="3.9")
    assert of_family(report, "PYT") == []


def test_glibc_of_other_installations_is_judged_by_the_release() -> None:
    old = {"os": "centos-7", "arch": "x86_64", "glibc": "2.17"}
    assert of_family(declared(**old, tensorrt=[{"version": "8.0.1.6", "from": "tar"}]), "PYT") == []
    assert of_family(declared(**old, tensorrt=[{"version": "10.9.0", "from": "tar"}]), "PYT") == ["PYT102"]
    assert of_family(declared(**old, tensorrt=[{"version": "9.1.0", "from": "tar"}]), "PYT") == []  # not known


def test_the_placeholder_instead_of_tensorrt() -> None:
    snapshot = live(packages=(package("nvidia-tensorrt", "99.0.0"),))
    report = judged(snapshot)
    found = only(report, "PYT103")
    assert found.severity is Severity.ERROR
    assert of_family(report, "TRT") == []


def test_the_placeholder_beside_a_whole_tensorrt_is_a_warning() -> None:
    directory = "/venv/lib/python3.12/site-packages/tensorrt_libs"
    snapshot = live(
        *tensorrt("10.16.1", directory, origin="pip", flavour="cu13"),
        packages=(
            package("nvidia-tensorrt", "99.0.0"),
            package("tensorrt-cu13-bindings", "10.16.1.11", libraries=True),
            package("tensorrt-cu13-libs", "10.16.1.11", libraries=True),
        ),
    )
    assert only(judged(snapshot), "PYT103").severity is Severity.WARNING


def test_the_old_name_with_libraries_is_only_told() -> None:
    directory = "/venv/lib/python3.8/site-packages/tensorrt"
    snapshot = live(
        *tensorrt("8.4.1", directory, origin="pip", flavour="cu11"),
        packages=(package("nvidia-tensorrt", "8.4.1.5", libraries=True),),
        python="3.8.10",
    )
    assert only(judged(snapshot), "PYT103").severity is Severity.INFO


def test_real_wheels_are_no_placeholders() -> None:
    snapshot = live(
        *tensorrt("10.16.1", "/venv/lib/python3.12/site-packages/tensorrt_libs", origin="pip"),
        packages=(
            package("nvidia-cuda-runtime", "13.0.96", libraries=True),
            package("tensorrt-cu13-bindings", "10.16.1.11", libraries=True),
            package("tensorrt-cu13-libs", "10.16.1.11", libraries=True),
        ),
    )
    assert of_family(judged(snapshot), "PYT") == []
