"""What can be had from one side: never "missing" where nobody could tell."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from tests.mirror.facts import BUILDS, apt, cu12, cu13, debs, inside, oci, pypi, tag, wheel_of
from trtdoctor.matrix import Matrix
from trtdoctor.mirror_facts import MirrorFile, MirrorItem, MirrorSource
from trtdoctor.obtainable import HeldStack, Obtainable
from trtdoctor.versions import Answer

NEW, OLD = "11.4.0.106", "10.16.1.11"
LIBS = ("tensorrt-cu13-libs", NEW)
FULL = (*cu13(NEW), *BUILDS)


def first(source: MirrorSource, matrix: Matrix, side: str = "mirror", **wanted: str) -> HeldStack:
    return Obtainable([source], matrix, side).stacks(**wanted)[0]


def judged(source: MirrorSource, matrix: Matrix, name: str, version: str, **wanted: str) -> tuple[Answer, str]:
    found = Obtainable([source], matrix).distribution(name, version, **wanted)
    assert found.reason
    return found.answer, found.word


# -- Python ------------------------------------------------------------------------------------------------------------


def test_a_whole_stack(matrix: Matrix) -> None:
    stack = first(pypi(FULL, FULL), matrix, python="3.12", platform="linux-x86_64", glibc="2.35")
    assert stack.complete is Answer.YES
    assert (stack.release, stack.flavour, stack.short) == ("11.4.0", "cu13", "TensorRT 11.4.0 (pip, CUDA 13)")
    assert [part.name for part in stack.parts if part.own] == [
        "tensorrt",
        "tensorrt-cu13",
        "tensorrt-cu13-bindings",
        "tensorrt-cu13-libs",
    ]
    assert {part.name for part in stack.parts if not part.own} == {"wheel-stub", "setuptools", "wheel"}
    assert stack.released == "2026-10-08T10:00:00Z"
    assert stack.elsewhere == ("tensorrt-cu13-libs",)  # its wheel comes from NVIDIA's own index
    assert first(pypi(FULL, FULL, own_wheels=False), matrix).elsewhere == ()


def test_a_stub_without_its_wheel_is_no_stack(matrix: Matrix) -> None:
    source = pypi(FULL, FULL, wheels=(), own_wheels=False)
    stack = first(source, matrix)
    assert stack.complete is Answer.NO
    assert stack.missing[:2] == (wheel_of(*LIBS), wheel_of(*LIBS, "win_amd64"))
    assert first(source, matrix, python="3.12", platform="linux-x86_64").missing == (wheel_of(*LIBS),)
    assert judged(source, matrix, *LIBS) == (Answer.NO, "stub-only")
    assert first(source, matrix, "upstream").complete is Answer.YES


def test_the_wheel_itself_on_the_mirror_makes_up_for_the_stub(matrix: Matrix) -> None:
    source = pypi(FULL, FULL, wheels=())
    (item,) = [one for one in source.items if one.project == LIBS[0]]
    own = replace(item, state="same", files=(*item.files, MirrorFile(wheel_of(*LIBS), 1, on="mirror")))
    source = replace(source, items=tuple(own if one is item else one for one in source.items))
    assert judged(source, matrix, *LIBS) == (Answer.YES, "held")
    assert judged(source, matrix, *LIBS, platform="linux-x86_64") == (Answer.YES, "held")
    # And what builds take plays no part for it.
    bare = replace(source, items=tuple(one for one in source.items if one.project != "wheel-stub"))
    assert judged(bare, matrix, *LIBS) == (Answer.YES, "held")


@pytest.mark.parametrize("need", ["wheel-stub", "setuptools", "wheel"])
def test_what_builds_take_must_be_there(matrix: Matrix, need: str) -> None:
    here = [pin for pin in FULL if pin[0] != need]
    stack = first(pypi(FULL, here), matrix)
    assert stack.complete is Answer.NO
    assert len(stack.missing) == 1
    assert need.replace("-", "_") in stack.missing[0]


def test_what_builds_take_is_left_out_where_nobody_looked_for_it(matrix: Matrix) -> None:
    assert first(pypi(cu13(NEW), cu13(NEW)), matrix).complete is Answer.YES
    # Asked for and on neither side: it is not there.
    asked = pypi(cu13(NEW), cu13(NEW), asked=("wheel-stub", *(name for name, _ in cu13(NEW))))
    assert first(asked, matrix).complete is Answer.NO


def test_a_part_that_is_missing_is_named_by_its_file(matrix: Matrix) -> None:
    stack = first(pypi(FULL, [pin for pin in FULL if pin != LIBS]), matrix)
    assert stack.complete is Answer.NO
    assert stack.missing == ("tensorrt_cu13_libs-11.4.0.106.tar.gz",)
    assert stack.name == "tensorrt-cu13 11.4.0.106"


@pytest.mark.parametrize(
    ("wanted", "answer"),
    [
        ({"python": "3.12", "platform": "linux-x86_64"}, Answer.YES),
        ({"python": "3.14", "platform": "linux-x86_64", "glibc": "2.28"}, Answer.YES),
        ({"python": "3.12", "platform": "linux-x86_64", "glibc": "2.27"}, Answer.NO),
        ({"python": "3.15", "platform": "linux-x86_64"}, Answer.NO),
        ({"platform": "linux-aarch64"}, Answer.YES),
        ({"platform": "linux-aarch64", "glibc": "2.31"}, Answer.NO),
        ({"platform": "linux-ppc64le"}, Answer.NO),
        ({"python": "3.10", "platform": "windows-arm64"}, Answer.NO),
        ({"python": "3.11", "platform": "windows-arm64"}, Answer.YES),
        ({"python": "3.6"}, Answer.YES),  # older than what files are recorded for: nobody knows
        ({"python": "nonsense"}, Answer.YES),
    ],
)
def test_a_wheel_of_the_bindings_must_fit(matrix: Matrix, wanted: dict[str, str], answer: Answer) -> None:
    source = pypi(FULL, FULL)
    assert judged(source, matrix, "tensorrt-cu13-bindings", NEW, **wanted)[0] is answer


def test_files_that_the_mirror_left_out_do_not_count(matrix: Matrix) -> None:
    source = pypi(FULL, FULL, lacking=("manylinux_2_35_aarch64.whl",))
    assert first(source, matrix, platform="linux-x86_64").complete is Answer.YES
    stack = first(source, matrix, python="3.12", platform="linux-aarch64")
    assert stack.complete is Answer.NO
    assert "tensorrt_cu13_bindings-11.4.0.106-cp312-none-manylinux_2_35_aarch64.whl" in stack.missing
    assert not any("cp311" in name for name in stack.missing)


def test_a_side_that_could_not_be_asked_lacks_nothing(matrix: Matrix) -> None:
    down = pypi(FULL, None)
    assert judged(down, matrix, *LIBS) == (Answer.UNKNOWN, "no-answer")
    assert first(down, matrix).complete is Answer.UNKNOWN
    assert first(down, matrix, "upstream").complete is Answer.YES
    alone = pypi(None, FULL)
    assert first(alone, matrix).complete is Answer.YES
    assert Obtainable([alone], matrix, "upstream").distribution(*LIBS).answer is Answer.UNKNOWN
    wheels_down = pypi(FULL, FULL, wheels=(), states={"wheels": "unreachable"})
    items = tuple(
        replace(one, state="unknown", files=tuple(file for file in one.files if "wheels" not in file.on))
        if one.project == LIBS[0]
        else one
        for one in wheels_down.items
    )
    assert judged(replace(wheels_down, items=items), matrix, *LIBS) == (Answer.UNKNOWN, "no-answer")
    assert first(replace(wheels_down, items=items), matrix).complete is Answer.UNKNOWN


def test_what_nobody_looked_at_is_not_missing(matrix: Matrix) -> None:
    source = pypi(FULL, FULL)
    assert judged(source, matrix, "torch", "2.11.0") == (Answer.UNKNOWN, "not-asked")
    assert judged(source, matrix, "tensorrt-cu13-libs", "10.13.2.6") == (Answer.UNKNOWN, "not-asked")  # older than all
    assert judged(source, matrix, "tensorrt-cu13-libs", "11.5.0b1") == (Answer.UNKNOWN, "not-asked")
    assert judged(source, matrix, "tensorrt-cu13-libs", "11.5.0.1") == (Answer.NO, "missing")
    assert judged(source, matrix, "tensorrt-cu13-libs", "no version") == (Answer.UNKNOWN, "not-asked")
    assert Obtainable([oci()], matrix).distribution(*LIBS).word == "not-asked"
    unsure = replace(source, items=(MirrorItem("tensorrt-cu13-libs", "tensorrt-cu13-libs"),))
    assert judged(unsure, matrix, *LIBS) == (Answer.UNKNOWN, "no-answer")


def test_a_file_that_is_not_upstreams_is_not_vouched_for(matrix: Matrix) -> None:
    source = pypi(FULL, FULL)
    items = tuple(replace(one, state="differs") if one.project == LIBS[0] else one for one in source.items)
    assert judged(replace(source, items=items), matrix, *LIBS) == (Answer.UNKNOWN, "differs")


def test_any_of_several_mirrors_will_do(matrix: Matrix) -> None:
    one, two = pypi(FULL, cu13(NEW)), pypi(FULL, BUILDS, id="other")
    assert first(one, matrix).complete is Answer.NO
    both = Obtainable([one, two], matrix)
    assert both.stacks()[0].complete is Answer.YES
    assert both.distribution(*LIBS).answer is Answer.YES


def test_releases_are_newest_first_and_each_flavour_apart(matrix: Matrix) -> None:
    every = (*FULL, *cu12(NEW), *cu13("10.14.1.48"), *cu13("10.14.1.48.post1"), *cu13(OLD))
    stacks = Obtainable([pypi(every, every)], matrix).stacks()
    assert [(stack.version, stack.flavour) for stack in stacks] == [
        (NEW, "cu13"),
        (NEW, "cu12"),
        (OLD, "cu13"),
        ("10.14.1.48.post1", "cu13"),
        ("10.14.1.48", "cu13"),
    ]


def test_a_release_that_the_matrix_does_not_know_is_taken_for_one_like_the_newest(matrix: Matrix) -> None:
    pins = (*cu13("11.9.0.1"), *BUILDS)
    stack = first(pypi(pins, pins[:-4]), matrix)
    assert stack.release == "11.9.0"
    assert [part.name for part in stack.parts if part.own] == [name for name, _ in cu13("1")]


def test_an_old_release_needs_cudnn_and_the_cuda_runtime(matrix: Matrix) -> None:
    own = (("tensorrt", "8.6.0"),)
    beside = (("nvidia-cuda-runtime-cu12", "12.9.79"), ("nvidia-cudnn-cu12", "8.9.7.29"))
    stack = first(pypi((*own, *beside), (*own, beside[0])), matrix)
    assert stack.complete is Answer.NO
    assert any("cudnn" in name for name in stack.missing)
    assert first(pypi((*own, *beside), (*own, *beside)), matrix).complete is Answer.YES


def test_it_is_quick(matrix: Matrix) -> None:
    """The planner asks hundreds of times."""
    every = [
        (name, version)
        for name in ("tensorrt-cu12", "tensorrt-cu12-bindings", "tensorrt-cu12-libs")
        for version in ("10.13.2.6", "10.13.3.9", "10.14.1.48", "10.15.1.29", "10.16.0.72", OLD, "11.0.0.114", NEW)
    ]
    found = Obtainable([pypi(every, every)], matrix)
    begun = time.perf_counter()
    for _ in range(50):
        for pin in every:
            found.distribution(*pin, python="3.12", platform="linux-x86_64", glibc="2.35")
    assert time.perf_counter() - begun < 1


# -- images ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "platform", "answer", "word"),
    [
        (tag("26.10-py3"), None, Answer.YES, "held"),
        (tag("26.10-py3"), "linux/arm64", Answer.YES, "held"),
        (tag("26.10-py3"), "windows/amd64", Answer.NO, "no-platform"),
        (tag("26.10-py3", "missing"), None, Answer.NO, "missing"),
        (tag("26.10-py3", "listed-not-held"), None, Answer.NO, "missing"),
        (tag("26.10-py3", "missing-platform", missing=("linux/arm64",)), "linux-aarch64", Answer.NO, "no-platform"),
        (tag("26.10-py3", "missing-platform", missing=("linux/arm64",)), "linux-x86_64", Answer.YES, "held"),
        (tag("26.10-py3", "missing-platform", missing=("linux/arm64",)), "jetson", Answer.NO, "no-platform"),
        (tag("26.10-py3", "gone-upstream"), None, Answer.YES, "held"),
        (tag("26.10-py3", "unknown", mirror_digest=None), None, Answer.UNKNOWN, "no-answer"),
    ],
)
def test_images(matrix: Matrix, item: MirrorItem, platform: str | None, answer: Answer, word: str) -> None:
    found = Obtainable([oci(item)], matrix).image("nvidia/tensorrt", "26.10-py3", platform)
    assert (found.answer, found.word) == (answer, word)


@pytest.mark.parametrize(
    ("reference", "answer"),
    [
        ("nvcr.io/nvidia/tensorrt:26.10-py3", Answer.YES),
        ("docker://nvcr.io/nvidia/tensorrt:26.10-py3@sha256:" + "1" * 64, Answer.YES),
        ("registry.example:5000/ngc/nvidia/tensorrt:26.10-py3", Answer.YES),
        ("nvidia/tensorrt:26.10-py3", Answer.YES),
        ("nvidia/tensorrt:24.08-py3", Answer.NO),  # tags of just this form are looked at
        ("nvidia/tensorrt:24.08-py3-igpu", Answer.UNKNOWN),
        ("nvidia/tensorrt:latest", Answer.UNKNOWN),
        ("nvidia/pytorch:26.10-py3", Answer.UNKNOWN),
        ("other.example/nvidia/tensorrt:26.10-py3", Answer.UNKNOWN),
        ("", Answer.UNKNOWN),
    ],
)
def test_an_image_by_any_of_its_names(matrix: Matrix, reference: str, answer: Answer) -> None:
    assert Obtainable([oci(tag("26.10-py3"))], matrix).image(reference).answer is answer


def test_images_as_stacks(matrix: Matrix) -> None:
    source = oci(
        tag("26.10-py3", components=inside(tensorrt="11.3.0.99", cuda="13.2.0")),
        tag("26.09-py3", "missing"),
        tag("24.08-py3"),
        tag("26.09-py3-igpu"),
    )
    found = Obtainable([source], matrix).stacks(("image",))
    assert [(stack.name, stack.release, stack.flavour) for stack in found if stack.line.endswith(" py3")] == [
        ("nvidia/tensorrt:26.10-py3", "11.3.0", "cu13"),
        ("nvidia/tensorrt:24.08-py3", "10.3.0", "cu12"),  # by the matrix
    ]
    assert [stack.line for stack in found].count("nvidia/tensorrt py3-igpu") == 1
    upstream = Obtainable([source], matrix, "upstream").stacks(("image",))
    assert "nvidia/tensorrt:26.09-py3" in [stack.name for stack in upstream]


def test_an_image_that_differs_is_not_taken_for_upstreams(matrix: Matrix) -> None:
    source = oci(tag("24.08-py3", "differs", components=inside("upstream", tensorrt="10.3.0.26")))
    assert Obtainable([source], matrix).stacks(("image",))[0].release is None


# -- apt ---------------------------------------------------------------------------------------------------------------

DEB = "10.16.1.11-1+cuda13.2"


def test_packages(matrix: Matrix) -> None:
    found = Obtainable([apt(*debs(DEB, but={"libnvinfer-plugin10": "missing"}))], matrix)
    assert found.apt("libnvinfer10", DEB).answer is Answer.YES
    assert found.apt("libnvinfer-plugin10", DEB).answer is Answer.NO
    assert found.apt("libnvinfer10", "10.9.0.34-1+cuda12.8").answer is Answer.NO
    assert found.apt("tensorrt", DEB).answer is Answer.UNKNOWN
    assert Obtainable([], matrix).apt("libnvinfer10", DEB).answer is Answer.UNKNOWN
    (stack,) = found.stacks()
    assert (stack.release, stack.flavour, stack.complete) == ("10.16.1", "cu13", Answer.NO)
    assert stack.missing == (f"libnvinfer-plugin10_{DEB}_amd64.deb",)
    assert stack.short == "TensorRT 10.16.1 (apt, CUDA 13)"


def test_a_whole_stack_of_packages(matrix: Matrix) -> None:
    older = debs("10.9.0.34-1+cuda12.8", "missing")
    found = Obtainable([apt(*debs(DEB), *older)], matrix)
    assert [(stack.version, stack.complete) for stack in found.stacks()] == [("10.16.1.11", Answer.YES)]
    assert len(Obtainable([apt(*debs(DEB), *older)], matrix, "upstream").stacks()) == 2


def test_an_apt_repository_in_the_middle_of_a_sync_lacks_nothing_for_sure(matrix: Matrix) -> None:
    items = [replace(item, state="unknown", evidence=None, files=()) for item in debs(DEB)]
    found = Obtainable([apt(*items, states={"mirror": "inconsistent"})], matrix)
    assert found.apt("libnvinfer10", DEB).answer is Answer.UNKNOWN
    assert found.apt("libnvinfer99", "1").answer is Answer.UNKNOWN
    assert found.stacks()[0].complete is Answer.UNKNOWN


def test_an_old_release_needs_a_cudnn_for_its_cuda(matrix: Matrix) -> None:
    text = "8.6.1.6-1+cuda12.0"
    cudnn = [
        MirrorItem(f"libcudnn8 {version}", "libcudnn8", version, state, "listed")
        for version, state in (("8.9.7.29-1+cuda11.8", "same"), ("8.9.7.29-1+cuda12.2", "missing"))
    ]
    names = ("libnvinfer8", "libnvinfer-plugin8", "libnvinfer-vc-plugin8", "libnvonnxparsers8", "libnvparsers8")
    own = [MirrorItem(f"{name} {text}", name, text, "same", "listed") for name in names]
    stack = Obtainable([apt(*own, *cudnn)], matrix).stacks()[0]
    assert stack.complete is Answer.NO
    assert stack.missing == ("libcudnn8>=8.9",) or "libcudnn8" in stack.missing[0]


def test_nothing_is_known_without_sources(matrix: Matrix) -> None:
    empty = Obtainable([], matrix)
    assert empty.stacks() == ()
    assert not empty.covers("pip")
    with pytest.raises(KeyError):
        Obtainable([], matrix, "middle")
