"""``trtdoctor libs`` for people: the table and the tree."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import AS_OF
from tests.loadings import (
    SITE,
    SYSTEM_CUDNN_FILE,
    TORCH_CUDNN,
    copy,
    loaded,
    not_found,
    nvinfer,
    torch_cudnn,
    two_cudnns,
)
from tests.render.test_hostile_text import HOSTILE, check_text, filled
from trtdoctor.findings import Finding, Severity
from trtdoctor.matrix import Matrix, load
from trtdoctor.render import render_libs
from trtdoctor.resolution import resolve
from trtdoctor.snapshot import Loading, SearchEntry, Snapshot

WIDE = "/opt/" + "x" * 100 + "/lib"


def shown(matrix: Matrix, found: Snapshot, *findings: Finding, **how: bool) -> str:
    """The text without what the rules say of it, so that no new rule changes these tests."""
    return render_libs(replace(resolve(found, matrix, as_of=AS_OF), findings=findings), "table", **how)


def words(text: str) -> str:
    return " ".join(text.split())


def test_two_cudnns_each_with_who_gets_it(matrix: Matrix) -> None:
    text = shown(matrix, two_cudnns())
    block = text[text.index("\nlibcudnn\n") :]
    block = words(block[: block.index("\n\n")])
    assert "9.19.0 <site>/nvidia/cudnn/lib (nvidia-cudnn-cu12 9.19.0)" in block
    assert "torch and torch then tensorrt: RUNPATH" in block
    assert "9.14.0 /usr/lib/x86_64-linux-gnu (libcudnn9-cuda-12 9.14.0)" in block
    assert "tensorrt and tensorrt then torch: ld.so.cache, on use" in block
    assert "loses" not in block


def test_an_order_of_imports_that_changes_nothing_is_not_shown(matrix: Matrix) -> None:
    alike = tuple(Loading(name, loaded=(nvinfer(),)) for name in ("tensorrt", "torch, tensorrt"))
    text = shown(matrix, two_cudnns(loadings=alike))
    assert "then" not in text
    assert "tensorrt: preloaded" in text


def test_a_copy_that_nobody_gets_loses(matrix: Matrix) -> None:
    text = shown(matrix, two_cudnns(loadings=(Loading("torch", loaded=(torch_cudnn(),)),)))
    assert "9.14.0 /usr/lib/x86_64-linux-gnu (libcudnn9-cuda-12 9.14.0) loses to <site>/nvidia/cudnn/lib" in words(text)
    assert text.index("9.19.0") < text.index("9.14.0"), "the winner stands first"


def test_findings_stand_below_as_in_check(matrix: Matrix) -> None:
    finding = Finding("LDR999", "odd", Severity.WARNING, ("cudnn",), "Two of them", breaks="Nothing much.")
    for how in ({}, {"tree": True}):
        text = shown(matrix, two_cudnns(), finding, **how)
        assert text.startswith("libraries: 4 libraries in 5 files, 4 importers, nothing missing (1 warning)\n")
        assert "\n\nwarning LDR999 Two of them\n  breaks   Nothing much.\n\ntrtdoctor " in text


def test_a_plain_machine_reads_at_a_glance(matrix: Matrix) -> None:
    parts = ("libnvinfer", "libnvinfer_plugin", "libnvonnxparser")
    subs = ("libcudnn", "libcudnn_ops", "libcudnn_cnn", "libcudnn_adv", "libcudnn_graph")
    place = "/usr/lib/x86_64-linux-gnu"
    copies = (
        *(copy("tensorrt", name, "10.9.0", f"{place}/{name}.so.10", owner="libnvinfer10 10.9.0") for name in parts),
        *(copy("cudnn", name, "9.9.0", f"{place}/{name}.so.9", owner="libcudnn9 9.9.0") for name in subs),
    )
    got = tuple(
        loaded(item.name or "", item.path or "", step="ld.so.cache", lazy=item.name in subs[1:]) for item in copies
    )
    found = Snapshot(
        copies=copies, loadings=(Loading("tensorrt", loaded=got), Loading("tensorrt", "import", "observed"))
    )
    found = replace(
        found, loadings=(found.loadings[0], replace(found.loadings[1], loaded=tuple(x for x in got if not x.lazy)))
    )
    text = shown(matrix, found)
    assert "libnvinfer, libnvinfer_plugin, libnvonnxparser\n" in text
    assert "libcudnn, libcudnn_graph, libcudnn_ops and 2 more\n" in text
    assert text.startswith("libraries: 8 libraries in 8 files, 1 importer, nothing missing (no findings)\n")
    assert len(text.splitlines()) < 20
    verbose = shown(matrix, found, verbose=True)
    assert "\nlibcudnn_graph\n" in verbose
    assert "1000 bytes" in verbose


def test_what_is_not_as_predicted_is_said_in_the_line(matrix: Matrix) -> None:
    found = two_cudnns(
        loadings=(
            Loading("torch", loaded=(torch_cudnn(),)),
            Loading(
                "torch", method="observed", loaded=(loaded("libcudnn", SYSTEM_CUDNN_FILE, soname="libcudnn.so.9"),)
            ),
            Loading("tensorrt", loaded=(nvinfer(),)),
            Loading("tensorrt", method="observed", loaded=(loaded("libcublas", "/opt/x/libcublas.so.12"),)),
        )
    )
    for text in (words(shown(matrix, found)), words(shown(matrix, found, tree=True))):
        assert "3 not as predicted" in text
        assert "seen in the process, predicted was <site>/nvidia/cudnn/lib/libcudnn.so.9" in text
        assert "preloaded, predicted but not seen" in text
        assert "seen in the process, not predicted" in text


MISSING: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "libcudnn.so.8: not found; needed by <site>/tensorrt_libs/libnvinfer.so.10"),
    ({"problem": "not-elf", "path": "/x/f"}, "libcudnn.so.8: /x/f is no ELF file"),
    ({"problem": "symbol-version", "path": "/x/f", "detail": "GLIBC_2.38"}, "/x/f needs GLIBC_2.38, which is not here"),
    ({"problem": "undefined-symbol", "path": "/x/f", "detail": "_Zx"}, "/x/f has the undefined symbol _Zx"),
    ({"problem": "dependency", "path": "/x/f", "detail": "libq.so.1"}, "/x/f needs libq.so.1, which fails"),
    ({"problem": "something-new", "detail": "odd"}, "libcudnn.so.8: something-new odd"),
    ({"lazy": True}, "not found, on use"),
    ({"problem": "{path}", "detail": "{detail}"}, "{path} {detail}"),
)


@pytest.mark.parametrize(("values", "says"), MISSING, ids=lambda value: str(value)[:30])
def test_what_is_missing_says_why_and_for_whom(matrix: Matrix, values: dict[str, Any], says: str) -> None:
    lacking = Loading("tensorrt", outcome="failed", loaded=(nvinfer(),), missing=(not_found(**values),))
    found = two_cudnns(loadings=(lacking, replace(lacking, importer="trtexec", kind="program")))
    text = words(shown(matrix, found))
    assert says in text
    assert "for tensorrt and trtexec" in text
    assert text.startswith("libraries: 4 libraries in 5 files, 2 importers, 1 missing")
    assert "tensorrt: would fail" in text
    assert "libcudnn.so.8 => " in shown(matrix, found, tree=True)


def test_a_failure_without_a_word_is_called_that(matrix: Matrix) -> None:
    quiet = Loading("tensorrt", loaded=(nvinfer(),), missing=(not_found(swallowed=True),))
    assert "whoever asks goes on without it" in words(shown(matrix, two_cudnns(loadings=(quiet,))))
    assert "and nobody says so" in words(shown(matrix, two_cudnns(loadings=(quiet,)), tree=True))


@pytest.mark.parametrize(
    ("predicted", "observed", "says"),
    [
        ("ok", None, "x: would load"),
        ("failed", None, "x: would fail"),
        ("unknown", None, "x: nobody knows how it opens its libraries"),
        ("ok", "ok", "x: loads"),
        ("unknown", "ok", "x: loads"),
        ("failed", "ok", "x: loads (predicted to fail)"),
        ("ok", "failed", "x: fails: ImportError: boom (predicted to load)"),
        ("failed", "failed", "x: fails: ImportError: boom"),
        ("ok", "crashed", "x: crashes: ImportError: boom (predicted to load)"),
        ("ok", "timed-out", "x: does not come to an end: ImportError: boom (predicted to load)"),
        (None, "novel", "x: novel: ImportError: boom"),
    ],
)
def test_how_each_importer_went(matrix: Matrix, predicted: str | None, observed: str | None, says: str) -> None:
    ways = []
    if predicted:
        ways.append(Loading("x", outcome=predicted))
    if observed:
        ways.append(Loading("x", method="observed", outcome=observed, error="ImportError: boom"))
    lines = shown(matrix, two_cudnns(loadings=tuple(ways))).splitlines()
    assert f"  {says}" in lines


def test_the_search_path_is_listed_in_order(matrix: Matrix) -> None:
    entries = (
        SearchEntry(position=0, path="", state="relative"),
        SearchEntry(position=1, path="/a", libraries=1),
        SearchEntry(position=2, path="/b", libraries=0),
        SearchEntry(position=3, path="/c", state="missing"),
        SearchEntry(variable="PATH", position=0, path="C:\\x"),
    )
    text = shown(matrix, two_cudnns(search_entries=entries))
    part = text[text.index("\nLD_LIBRARY_PATH\n") :].splitlines()[1:9]
    assert part == [
        "LD_LIBRARY_PATH",
        "  (empty: the current directory): relative",
        "  /a: 1 library of the stack",
        "  /b: no library of the stack",
        "  /c: missing",
        "",
        "PATH",
        "  C:\\x: not looked into",
    ]


def test_the_tree_hangs_each_library_under_the_file_that_needed_it(matrix: Matrix) -> None:
    cublas = loaded("libcublas", "/a/libcublas.so.12", step="rpath", entry="$ORIGIN/../lib", needed_by=TORCH_CUDNN)
    lines = shown(
        matrix, two_cudnns(loadings=(Loading("torch", owner="torch 2.7.1", loaded=(torch_cudnn(), cublas)),)), tree=True
    ).splitlines()
    start = lines.index("torch (torch 2.7.1): would load")
    flat = [line for line in lines[start:] if "=>" in line or "torch_cuda" in line]
    assert flat[0] == "  <site>/torch/lib/libtorch_cuda.so"
    assert flat[1].startswith("    libcudnn.so.9 =>")
    assert flat[2] == "      libcublas.so.12 => /a/libcublas.so.12 (RPATH $ORIGIN/../lib)"


def test_a_circle_and_a_long_chain_come_to_an_end(matrix: Matrix) -> None:
    circle = (
        loaded("libcudnn", "/a/libcudnn.so.9", needed_by="/b/libcudnn.so.9"),
        loaded("libcudnn", "/b/libcudnn.so.9", needed_by="/a/libcudnn.so.9"),
    )
    chain = tuple(
        loaded("libnvinfer", f"/c/libnvinfer.so.{number}", needed_by=f"/c/libnvinfer.so.{number - 1}")
        for number in range(1, 3000)
    )
    text = shown(matrix, two_cudnns(loadings=(Loading("x", loaded=(*circle, *chain)),)), tree=True)
    assert text.count(" => ") + text.count(" =>\n") == 2 + 2999
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("how", [{}, {"verbose": True}, {"tree": True}], ids=str)
def test_lines_fit_80_columns(matrix: Matrix, how: dict[str, bool]) -> None:
    deep = loaded("libcublas", f"{WIDE}/libcublas.so.12", step="ld_library_path", entry=WIDE, needed_by=f"{WIDE}/a.so")
    found = two_cudnns()
    found = replace(
        found,
        loadings=(*found.loadings, Loading("y", loaded=(deep,), missing=(not_found(needed_by=f"{WIDE}/b.so"),))),
        search_entries=(SearchEntry(path=WIDE),),
        notes=("a note " * 30,),
    )
    lines = shown(matrix, found, **how).splitlines()
    assert [line for line in lines if len(line) > 80] == []
    assert not any(line != line.rstrip() for line in lines)


def test_colour_changes_nothing_but_colour(matrix: Matrix) -> None:
    found = two_cudnns(loadings=(Loading("torch", outcome="failed", loaded=(torch_cudnn(),), missing=(not_found(),)),))
    for how in ({}, {"tree": True}):
        painted = shown(matrix, found, color=True, **how)
        assert "\x1b[" in painted
        plain = "\n".join(line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", painted).split("\n"))
        assert plain == shown(matrix, found, **how)
        assert "\x1b" not in shown(matrix, found, **how)


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_hostile_text_is_carried_harmlessly(matrix: Matrix, text: str) -> None:
    lacking = Loading("torch", method="observed", outcome="failed", error="x", missing=(not_found(),))
    plain = two_cudnns(loadings=(*two_cudnns().loadings, lacking)).to_plain()
    document = filled(plain, text)
    for got, kept in zip(document["loadings"], plain["loadings"], strict=True):
        got["method"] = kept["method"]  # one with an unknown method is not shown at all
    libs = resolve(Snapshot.from_json(json.dumps(document)), matrix, as_of=AS_OF)
    assert libs.importers
    for how in ({}, {"verbose": True}, {"tree": True}):
        check_text(render_libs(libs, "table", **how))
    made = render_libs(libs, "json")
    check_text(made)
    assert json.loads(made) == json.loads(json.dumps(libs.to_plain()))


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=120), st.text(max_size=120))
def test_any_name_can_be_shown(path: str, name: str) -> None:
    document = two_cudnns().to_plain()
    document["loadings"] = [
        {
            "importer": name,
            "loaded": [{"library": "libcudnn", "path": path, "needed_by": name}],
            "missing": [{"name": path}],
        }
    ]
    document["copies"][0]["version"] = name
    document["copies"][1]["path"] = document["copies"][1]["realpath"] = path
    libs = resolve(Snapshot.from_json(json.dumps(document)), load(), as_of=AS_OF)
    for how in ({}, {"verbose": True}, {"tree": True}):
        check_text(render_libs(libs, "table", **how))


def test_the_packages_directory_stands_once_and_whole_with_v(matrix: Matrix) -> None:
    assert shown(matrix, two_cudnns()).count(SITE) == 1
    assert f"  <site>   {SITE}\n" in shown(matrix, two_cudnns())
    assert "<site>" not in shown(matrix, two_cudnns(), verbose=True)
    few = two_cudnns(copies=(), loadings=(Loading("tensorrt", loaded=(nvinfer(),)),))
    assert "<site>" not in shown(matrix, few)


def test_the_packages_directory_is_that_of_the_python_in_question(matrix: Matrix) -> None:
    other = "/other/lib/python3.12/site-packages/nvidia/cudnn/lib"
    strangers = [loaded("libcudnn_ops", f"{other}/libcudnn_ops.so.9", needed_by=f"{other}/{n}.so") for n in range(30)]
    found = two_cudnns()
    found = replace(
        found, loadings=(*found.loadings, *(Loading(f"m{n}", loaded=(one,)) for n, one in enumerate(strangers)))
    )
    assert f"  <site>   {SITE}\n" in shown(matrix, found)


def test_a_long_search_path_is_cut_and_equal_entries_stand_once(matrix: Matrix) -> None:
    entries = [SearchEntry(position=number, path="/a", libraries=1) for number in range(500)]
    entries += [SearchEntry(position=500 + number, path=f"/none{number}", state="missing") for number in range(100)]
    text = shown(matrix, two_cudnns(search_entries=tuple(entries)))
    assert text.count("/a: 1 library of the stack") == 1
    assert "/none5: missing" in text
    assert "/none99" not in text
    assert "  and 61 more\n" in text


def test_a_path_that_leads_upwards_is_shown_straight(matrix: Matrix) -> None:
    upwards = loaded("libcudnn", "/a/b/../c/libcudnn.so.9", realpath="/a/c/libcudnn.so.9.1")
    below = loaded("libcudnn_ops", "/a/c/libcudnn_ops.so.9", needed_by="/a/b/../c/libcudnn.so.9", lazy=True)
    text = shown(matrix, two_cudnns(loadings=(Loading("x", loaded=(upwards, below)),)), tree=True)
    assert "  libcudnn.so.9 => /a/c/libcudnn.so.9.1 (step unknown)\n    libcudnn_ops.so.9 => " in text
    assert "/../" not in text


def test_what_only_lacks_something_missing_is_left_to_the_tree(matrix: Matrix) -> None:
    chain = (not_found(), not_found("libx.so", problem="dependency", detail="libcudnn.so.8", path="/x/libx.so"))
    found = two_cudnns(loadings=(Loading("tensorrt", outcome="failed", missing=chain),))
    assert "libx.so" not in shown(matrix, found)
    assert "1 missing" in shown(matrix, found)
    assert "libx.so => /x/libx.so needs libcudnn.so.8, which fails" in shown(matrix, found, tree=True)
    lone = two_cudnns(loadings=(Loading("tensorrt", outcome="failed", missing=chain[1:]),))
    assert "libx.so: /x/libx.so needs libcudnn.so.8, which fails" in shown(matrix, lone)


def test_libraries_missing_for_one_reason_share_a_line(matrix: Matrix) -> None:
    several = tuple(not_found(name) for name in ("liba.so.1", "libb.so.1"))
    text = words(shown(matrix, two_cudnns(loadings=(Loading("tensorrt", missing=several),))))
    assert "liba.so.1, libb.so.1: not found; needed by " in text


def test_what_others_load_is_not_told_when_only_one_was_asked_for(matrix: Matrix) -> None:
    libs = resolve(two_cudnns(), matrix, as_of=AS_OF, complete=False)
    assert "loaded by none" not in render_libs(libs, "table")
    assert "loaded by none" in shown(matrix, two_cudnns())
