"""NVIDIA's repositories for apt: what the matrix claims is held against lists that others recorded."""

from __future__ import annotations

import re
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT
from trtdoctor.matrix import Matrix, Row, apt
from trtdoctor.versions import Answer, Version
from trtdoctor.yamlfile import parse

FILES = sorted((ROOT / "tests" / "data" / "apt").glob("*.yaml"))
LISTS: list[dict[str, Any]] = [parse(path.read_bytes()) for path in FILES]
"""``page``: a whole repository on one day. ``versions``: every version of its packages. ``closure``: what apt installed
together. ``seen``: some of what is there."""
OF_TENSORRT = re.compile(
    r"(libnvinfer|libnvonnxparsers|libnvparsers|tensorrt|python3-libnvinfer|uff-|graphsurgeon|onnx-g).*"
)


def three(text: str) -> tuple[int, ...]:
    return Version.parse(text.partition("-")[0]).parts[:3]


def lists(*kinds: str) -> list[Any]:
    return [pytest.param(item, id=path.stem) for path, item in zip(FILES, LISTS, strict=True) if item["kind"] in kinds]


def builds(matrix: Matrix) -> list[Row]:
    return matrix.rows("apt", "tensorrt")


def strings(row: Row) -> set[str]:
    return {str(row.get("apt").value), *(row.get("also").value or ())}


def runtime(row: Row) -> str:
    return f"libnvinfer{Version.parse(row.key).major}"


def test_the_lists_are_of_repositories_that_the_matrix_has(matrix: Matrix) -> None:
    names = {row.key for row in matrix.rows("apt", "repositories")}
    assert len({item["repository"] for item in LISTS}) >= 6
    assert {item["repository"] for item in LISTS} <= names
    for row in (*builds(matrix), *matrix.rows("apt", "cudnn"), *matrix.rows("apt", "cuda")):
        assert {*row.get("seen").value, *(row.get("absent").value or ())} <= names, row


@pytest.mark.parametrize("page", lists("page"))
def test_a_whole_page_has_just_what_the_matrix_claims(matrix: Matrix, page: dict[str, Any]) -> None:
    """Up to the newest release on the page, a build is claimed for that repository if and only if it is there."""
    there = set(page["packages"]["libnvinfer8"])
    newest = max(map(three, there))
    older = [row for row in builds(matrix) if Version.parse(row.key).parts <= newest]
    assert len(older) > 10
    for row in older:
        claimed = page["repository"] in row.get("seen").value
        assert claimed == bool(strings(row) & there), row
    assert set().union(*map(strings, older)) >= there


def test_every_recorded_tensorrt_is_in_the_matrix_with_its_repository(matrix: Matrix) -> None:
    checked = 0
    pairs = [(item["repository"], *pair) for item in LISTS for pair in item["packages"].items()]
    for repository, name, versions in pairs:
        if not re.fullmatch(r"libnvinfer\d+|tensorrt", name):
            continue
        for version in versions:
            key = "meta" if name == "tensorrt" else "apt"
            found = [
                row
                for row in builds(matrix)
                if version in {row.get(key).value, *(row.get("also").value or ())}
                or (row.get("meta").value == "same" and version == row.get("apt").value)
            ]
            assert len(found) == 1, (name, version)
            assert repository in found[0].get("seen").value, (name, version)
            checked += 1
    assert checked > 30


@pytest.mark.parametrize("item", lists("page", "versions"))
def test_what_is_said_to_be_absent_is_absent(matrix: Matrix, item: dict[str, Any]) -> None:
    there = {version for name in item["packages"] if OF_TENSORRT.fullmatch(name) for version in item["packages"][name]}
    absent = [row for row in builds(matrix) if item["repository"] in (row.get("absent").value or ())]
    assert absent
    for row in absent:
        assert not {row.get("apt").value, row.get("meta").value} & there, row


@pytest.mark.parametrize("page", lists("page"))
def test_names_begin_and_end_where_the_matrix_says(matrix: Matrix, page: dict[str, Any]) -> None:
    packages = page["packages"]
    names = {row.key.format(major=8): row for row in matrix.rows("apt", "packages")}
    assert {name for name in packages if OF_TENSORRT.fullmatch(name)} <= set(names)
    for version in packages["libnvinfer8"]:
        for name, row in names.items():
            first = three(str(row.get("first").value))
            expected = first <= three(version)
            had = any(three(found) == three(version) for found in packages.get(name, ()))
            assert had == expected, (name, version)


def test_every_recorded_name_is_known(matrix: Matrix) -> None:
    known = {row.key.format(major=major) for row in matrix.rows("apt", "packages") for major in (8, 10, 11)}
    known |= {row.key.format(cuda=cuda) for row in matrix.rows("apt", "cudnn_packages") for cuda in (11, 12, 13)}
    for item in LISTS:
        for name in item["packages"]:
            if OF_TENSORRT.fullmatch(name) or name.startswith("libcudnn"):
                assert name in known


@pytest.mark.parametrize("item", lists("closure"))
def test_what_is_named_is_what_apt_installed(matrix: Matrix, item: dict[str, Any]) -> None:
    """What apt resolved for the three -dev packages is just ``run`` and ``build``."""
    recorded = {f"{name}={versions[0]}" for name, versions in item["packages"].items() if OF_TENSORRT.fullmatch(name)}
    (version,) = item["packages"]["libnvinfer10"]
    flavour = f"cu{version.split('+cuda')[1].partition('.')[0]}"
    found = apt.install(matrix, Version.parse(version.partition("-")[0]), flavour, ["run", "build"])
    assert found is not None
    assert {package.pinned for package in found} == recorded
    place = next(row for row in matrix.rows("apt", "repositories") if row.key == item["repository"])
    assert apt.offers(matrix, place, Version.parse(version.partition("-")[0]), flavour).answer is Answer.YES


@pytest.mark.parametrize("table", ["cudnn", "cuda"])
def test_claims_for_cudnn_and_cuda_are_backed_by_a_list_both_ways(matrix: Matrix, table: str) -> None:
    recorded: dict[str, set[str]] = {}
    for item in LISTS:
        for name, versions in item["packages"].items():
            pattern = r"libcudnn[89](-cuda-\d+)?" if table == "cudnn" else r"cuda-(toolkit|libraries)-\d+-\d+"
            if re.fullmatch(pattern, name):
                for version in versions:
                    recorded.setdefault(version, set()).add(item["repository"])
    key = "apt" if table == "cudnn" else "toolkit"
    for row in matrix.rows("apt", table):
        version = str(row.get(key).value)
        assert set(row.get("seen").value) == recorded.get(version, set()), (row, version)
        for other in row.get("also").value or ():
            recorded.pop(other)
        recorded.pop(version, None)
    assert set(recorded) <= {"11.0.1-1"}  # CUDA 11.0 RC, no toolkit of cuda.yaml


def test_the_parts_of_cuda_stand_in_the_lists(matrix: Matrix) -> None:
    recorded = {(name, version) for item in LISTS for name, found in item["packages"].items() for version in found}
    names = {"cudart": "cuda-cudart-{}", "cublas": "libcublas-{}", "nvrtc": "cuda-nvrtc-{}"}
    checked = 0
    for row, (key, name) in product(matrix.rows("apt", "cuda"), names.items()):
        fact = row.get(key)
        if fact.known and fact.certainty in ("measured", "official"):
            assert (name.format("-".join(row.key.split(".")[:2])), fact.value) in recorded, (row, key)
            checked += 1
    assert checked > 80


def test_what_is_inferred_lies_between_what_was_seen(matrix: Matrix) -> None:
    rows = builds(matrix)
    inferred = [row for row in rows if row.get("apt").certainty == "inferred"]
    assert inferred
    for row in inferred:
        like = [item for item in rows if item.text("flavour") == row.text("flavour") and item.get("apt").known]
        seen = [three(item.key) for item in like if item.get("apt").certainty != "inferred"]
        official = row.text("flavour") == "cu10"  # these NVIDIA's own Dockerfiles spell out
        assert official or min(seen) < three(row.key) < max(seen), row
    for row in matrix.rows("apt", "cudnn"):
        if row.get("apt").certainty == "inferred":
            measured = [
                three(item.key) for item in matrix.rows("apt", "cudnn") if item.get("apt").certainty != "inferred"
            ]
            assert min(measured) < three(row.key) < max(measured)


def test_the_suffix_is_the_cuda_of_the_build_and_the_build_is_a_package(matrix: Matrix) -> None:
    """tensorrt.yaml says with which CUDA a build was made; 8.x up to 8.5.3 leaves the last part of the version out."""
    releases = {row.key: row for row in matrix.rows("tensorrt", "releases")}
    checked = 0
    for row in builds(matrix):
        release, version = releases[row.key], row.text("apt")
        if version is None:
            continue
        upstream, _, suffix = version.partition("-1+cuda")
        built = release.get("builds", str(row.text("flavour")), "built_with")
        if built.known and built.value is not None:
            assert suffix == built.value, row
        meta = row.text("meta")
        whole = upstream if meta in ("same", "none") else str(meta).partition("-")[0]
        packages = release.get("packages").value
        if isinstance(packages, list):
            assert any(text == whole or text.startswith(f"{whole}.") for text in packages), row
        assert (upstream.count(".") == 2) == (three(upstream) <= (8, 5, 3)), row
        checked += 1
    assert checked > 60


def test_the_repository_for_a_system(matrix: Matrix) -> None:
    place = apt.repository(matrix, "ubuntu", "24.04", "aarch64")
    assert place is not None
    assert place.key == "ubuntu2404-sbsa"
    host = "https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2404/sbsa"
    assert apt.address(matrix, place).value == f"{host}/"
    assert apt.address(matrix, place, "keyring").value == f"{host}/cuda-keyring_1.1-1_all.deb"
    assert apt.address(matrix, place, "key").value == f"{host}/3bf863cc.pub"
    assert str(apt.address(matrix, place, "list").value).endswith(f" {host}/ /")
    with pytest.raises(KeyError):
        apt.address(matrix, place, "value")
    for distribution, release, machine in (
        ("ubuntu", "24.10", "x86_64"),
        ("debian", "12", "ppc64le"),
        ("fedora", "42", "amd64"),
    ):
        assert apt.repository(matrix, distribution, release, machine) is None


def test_every_repository_has_a_key_with_a_fingerprint(matrix: Matrix) -> None:
    for place in matrix.rows("apt", "repositories"):
        found = apt.fingerprint(matrix, place)
        assert found is not None
        assert str(found.value).endswith(str(place.text("key")).upper())
        assert "{" not in "".join(
            str(apt.address(matrix, place, what).value) for what in ("repository", "keyring", "key", "list")
        )


@pytest.mark.parametrize(
    ("release", "flavour", "version", "meta"),
    [
        ("8.5.3", "cu11", "8.5.3-1+cuda11.8", "8.5.3.1-1+cuda11.8"),
        ("8.5.3.1", "cu11", "8.5.3-1+cuda11.8", "8.5.3.1-1+cuda11.8"),
        ("8.5.3.2", "cu11", None, None),
        ("8.2.5", "cu11", "8.2.5-1+cuda11.4", None),
        ("8.6.1", "cu12", "8.6.1.6-1+cuda12.0", "8.6.1.6-1+cuda12.0"),
        ("10.3.0.26", "cu12", "10.3.0.26-1+cuda12.5", "10.3.0.26-1+cuda12.5"),
        ("10.3.0.30", "cu12", None, None),
        ("10.13", "cu12", None, None),
        ("9.3.0", "cu12", None, None),
        ("11.4.0", "cu13", None, None),
        ("10.13.3", "cu11", None, None),
    ],
)
def test_versions_of_tensorrt(
    matrix: Matrix, release: str, flavour: str, version: str | None, meta: str | None
) -> None:
    found = [find(matrix, Version.parse(release), flavour) for find in (apt.tensorrt, apt.tensorrt_meta)]
    assert [fact and fact.value for fact in found] == [version, meta]


def test_packages_by_what_is_wanted(matrix: Matrix) -> None:
    def names(release: str, *wants: str) -> list[str] | None:
        return apt.tensorrt_packages(matrix, Version.parse(release), wants)

    assert names("10.9.0", "run") == ["libnvinfer10", "libnvinfer-plugin10", "libnvonnxparsers10"]
    assert names("11.0.0", "lean") == ["libnvinfer-lean11"]
    assert names("8.5.3", "lean") is None
    assert names("8.2.5", "trtexec") is None
    assert "libnvinfer-bin" in (names("8.4.1", "trtexec") or ())
    assert "libnvinfer-safe-headers-dev" in (names("10.16.1", "build") or ())
    assert "libnvinfer-safe-headers-dev" not in (names("10.15.1", "build") or ())
    assert "libnvparsers8" in (names("8.6.1", "python") or ())
    assert names("8.6.1", "run", "dispatch", "trtexec") == names("8.6.1", "trtexec")
    with pytest.raises(KeyError):
        names("10.9.0", "everything")


def test_what_is_named_holds_all_that_it_needs(matrix: Matrix) -> None:
    for row, want in product(builds(matrix), apt.WANTS):
        release = Version.parse(row.key)
        named = apt.tensorrt_packages(matrix, release, [want]) or []
        assert len(named) == len(set(named))
        for name in named:
            needed = apt.needs(matrix, name, release)
            assert needed is None or set(needed.value) <= set(named), (name, row.key)
    assert apt.needs(matrix, "libnvinfer-bin", Version.parse("8.6.0.12")) is not None
    assert apt.needs(matrix, "libnvinfer-bin", Version.parse("8.6.1")) is None


def test_what_repositories_offer(matrix: Matrix) -> None:
    def answer(distribution: str, release: str, machine: str, version: str, flavour: str) -> Answer:
        place = apt.repository(matrix, distribution, release, machine)
        assert place is not None
        return apt.offers(matrix, place, Version.parse(version), flavour).answer

    assert answer("ubuntu", "20.04", "x86_64", "8.4.2", "cu11") is Answer.YES
    assert answer("ubuntu", "20.04", "x86_64", "8.4.2", "cu10") is Answer.NO
    assert answer("ubuntu", "20.04", "aarch64", "8.0.3", "cu11") is Answer.NO
    assert answer("ubuntu", "20.04", "x86_64", "10.16.1", "cu12") is Answer.NO  # the last one there is older
    assert answer("ubuntu", "24.04", "x86_64", "10.12.0", "cu12") is Answer.UNKNOWN
    assert answer("debian", "12", "x86_64", "10.9.0", "cu12") is Answer.UNKNOWN
    assert answer("ubuntu", "24.04", "x86_64", "12.0.0", "cu14") is Answer.UNKNOWN


def test_cudnn_and_cuda(matrix: Matrix) -> None:
    def cudnn(version: str, flavour: str, *wants: str) -> list[str] | None:
        found = apt.cudnn(matrix, Version.parse(version), flavour, wants or ("run",))
        return found if found is None else [package.pinned for package in found]

    assert cudnn("8.9.7", "cu12") == ["libcudnn8=8.9.7.29-1+cuda12.2"]
    assert cudnn("8.9.7.29", "cu11", "run", "build") == [
        "libcudnn8=8.9.7.29-1+cuda11.8",
        "libcudnn8-dev=8.9.7.29-1+cuda11.8",
    ]
    assert cudnn("9.8.0", "cu12", "build") == ["libcudnn9-cuda-12=9.8.0.87-1", "libcudnn9-dev-cuda-12=9.8.0.87-1"]
    assert "libcudnn9-headers-cuda-12=9.10.2.21-1" in (cudnn("9.10.2", "cu12", "build") or ())
    assert cudnn("9.10.2", "cu13") is None  # there is no such build
    assert cudnn("9.12.0.99", "cu13") is None
    assert cudnn("9.28.0", "cu13") is None  # not seen in a repository

    def pinned(package: apt.Package | None) -> str | None:
        return package.pinned if package is not None else None

    place = apt.repository(matrix, "ubuntu", "24.04", "x86_64")
    assert pinned(apt.toolkit(matrix, Version.parse("12.8"))) == "cuda-toolkit-12-8=12.8.2-1"
    assert pinned(apt.toolkit(matrix, Version.parse("12.8"), place)) == "cuda-toolkit-12-8=12.8.1-1"  # as seen there
    assert pinned(apt.libraries(matrix, Version.parse("11.8.0"))) == "cuda-libraries-11-8=11.8.0-1"
    assert [package.pinned for package in apt.cuda_runtime(matrix, Version.parse("12.5.1"))] == [
        "cuda-cudart-12-5=12.5.82-1",
        "libcublas-12-5=12.5.3.2-1",
        "cuda-nvrtc-12-5=12.5.82-1",
    ]
    assert [package.name for package in apt.cuda_runtime(matrix, Version.parse("12.4.1"))] == [
        "cuda-cudart-12-4",
        "libcublas-12-4",
    ]
    for cuda in ("12", "12.7", "99.1"):
        assert apt.toolkit(matrix, Version.parse(cuda)) is None
        assert apt.cuda_runtime(matrix, Version.parse(cuda)) == []


def test_driver_packages(matrix: Matrix) -> None:
    def name(distribution: str, *, server: bool = False, modules: bool = False) -> object:
        found = apt.driver(matrix, "580", distribution, server=server, open_modules=modules)
        return found and found.value

    assert name("ubuntu", server=True, modules=True) == "nvidia-driver-580-server-open"
    assert name("ubuntu") == "nvidia-driver-580"
    assert name("debian", modules=True) == name("debian", server=True, modules=True) == "nvidia-open-580"
    assert name("debian") == "cuda-drivers-580"
    pins = [apt.driver_pin(matrix, branch, "debian", open_modules=True) for branch in ("580", "570", "x")]
    assert [fact and fact.value for fact in pins] == ["nvidia-driver-pinning-580", None, None]
    assert apt.driver_pin(matrix, "580", "ubuntu", open_modules=True) is None


def test_every_rule_and_form_has_its_source(matrix: Matrix) -> None:
    assert {"name-everything", "three-parts", "before-8.4.1"} <= {row.key for row in matrix.rows("apt", "rules")}
    for row in matrix.rows("apt", "rules"):
        assert all(matrix.source_url(source) for source in row.get("text").sources)


versions = st.lists(st.integers(0, 40), min_size=1, max_size=5).map(
    lambda parts: Version.parse(".".join(map(str, parts)))
)


@given(versions, st.sampled_from(["cu10", "cu11", "cu12", "cu13", "", "$(x)"]), st.sets(st.sampled_from(apt.WANTS)))
def test_any_version_is_answered(version: Version, flavour: str, wants: set[str]) -> None:
    from trtdoctor.matrix import load

    matrix = load(ROOT / "matrix")
    for package in apt.install(matrix, version, flavour, wants) or ():
        assert re.fullmatch(r"[a-z0-9-]+=\d[0-9.]*-1\+cuda\d+\.\d", package.pinned)
    for package in apt.cudnn(matrix, version, flavour, wants) or ():
        assert re.fullmatch(r"[a-z0-9-]+=\d[0-9.]*-1(\+cuda\d+\.\d)?", package.pinned)
    assert all(package.version.known for package in apt.cuda_runtime(matrix, version))
