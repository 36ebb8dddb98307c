"""Messages explained: the right family for each line, causes before consequences, and never an invented one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import AS_OF, ROOT, SHARED
from trtdoctor.declared import environment_of, snapshot_of
from trtdoctor.explain import Explanation, Facts, explain_log, explain_number, numbers
from trtdoctor.explain.prefixes import message_of, plain_line
from trtdoctor.explain.redaction import redact
from trtdoctor.matrix import Matrix, failures, load
from trtdoctor.matrix.needles import needles_of
from trtdoctor.render import render_explanation
from trtdoctor.rules import RULES

ROWS = load(ROOT / "matrix").rows("failures", "failures")
SAMPLES = [(row.key, str(text)) for row in ROWS for text in row.get("samples").value]
PREFIXES = (
    "",
    "[TensorRT] ERROR: ",
    "[12/24/2022-10:15:59] [E] [TRT] 2: [virtualMemoryBuffer.cpp::resizePhysical::145] ",
    "[11/22/2026-10:15:59] [TRT] [E] ",
    "ERROR: ",
    "2026-11-22 10:15:59.123456789 [E:onnxruntime:, inference_session.cc:1935 operator()] ",
    "E1122 10:15:59.123456 1234 model_lifecycle.cc:654] ",
    "triton-1  | ",
    "2026-11-22T10:15:59.000000000Z stderr F ",
    "#12 34.56 ",
    "\x1b[1;31mERROR:torch_tensorrt:\x1b[0m ",
    "WARNING: [Torch-TensorRT] - ",
)


def told(matrix: Matrix, text: str | bytes, facts: Facts | None = None) -> Explanation:
    """What a text of some lines means, as a log."""
    return explain_log(matrix, [text if isinstance(text, bytes) else text.encode()], as_of=AS_OF, facts=facts)


def stated(matrix: Matrix, *settings: str) -> Facts:
    return Facts(snapshot_of(environment_of(settings)), matrix, AS_OF)


def ids(found: Explanation) -> list[str | None]:
    return [match.family for match in found.matches]


@pytest.mark.parametrize(("family", "sample"), SAMPLES, ids=lambda text: str(text)[:40])
def test_each_sample_is_told_by_its_own_family_whatever_the_logger(family: str, sample: str, matrix: Matrix) -> None:
    for prefix in PREFIXES:
        assert ids(told(matrix, prefix + sample + "\n")) == [family], prefix


@pytest.mark.parametrize("prefix", PREFIXES[1:-1])
def test_prefixes_are_taken_off(prefix: str) -> None:
    assert message_of(plain_line(prefix + "Could not do it")) == "Could not do it"


def test_a_prefix_alone_stays() -> None:
    assert message_of("[TRT] [E]") == "[TRT] [E]"
    assert plain_line("\x1b[31m red \x1b[0m\r") == "red"


def test_versions_come_out_of_the_text_and_into_the_answer(matrix: Matrix) -> None:
    (match,) = told(
        matrix,
        "[TRT] [E] 6: The engine plan file is not compatible with this version of TensorRT, "
        "expecting library version 8.6.1.6 got 8.5.3.1, please rebuild.",
    ).matches
    assert match.versions == {"expecting": "8.6.1.6", "got": "8.5.3.1"}
    assert match.says == "TensorRT 8.6.1.6 was asked to load a plan of 8.5.3.1."
    assert match.blames == "environment"
    assert match.sources[0].url is not None


LOG = """\
[TRT] [W] TensorRT was linked against cuDNN 8.9.0 but loaded cuDNN 8.7.0
[TRT] [E] Error Code 10: Internal Error (Could not find any implementation for node x.)
AttributeError: 'NoneType' object has no attribute 'create_execution_context'
[TRT] [W] Requested amount of GPU memory (1024 bytes) could not be allocated.
[TRT] [W] Requested amount of GPU memory (1024 bytes) could not be allocated.
Segmentation fault (core dumped)
"""


def test_the_cause_comes_before_what_follows_from_it(matrix: Matrix) -> None:
    found = told(matrix, LOG)
    assert ids(found) == [
        "gpu-oom-build",
        "no-implementation-for-node",
        "driver-segfault-regression",
        "engine-none-attribute",
        "cudnn-linked-vs-loaded",
    ]
    by_id = {match.family: match for match in found.matches}
    assert by_id["no-implementation-for-node"].follows == ("gpu-oom-build",)
    assert by_id["engine-none-attribute"].symptom
    assert by_id["cudnn-linked-vs-loaded"].blames == "harmless"
    assert (by_id["gpu-oom-build"].line, by_id["gpu-oom-build"].count) == (4, 2)
    assert by_id["driver-segfault-regression"].line == 6
    assert found.asked.lines == 6
    assert found.code == 0


def test_without_its_cause_nothing_follows(matrix: Matrix) -> None:
    (match,) = told(matrix, "Internal error: could not find any implementation for node conv0").matches
    assert match.follows == ()


@pytest.mark.parametrize("text", ["the quick brown fox", "Error: frobnication of the gizmo failed", "zzzz"])
def test_what_nothing_is_known_of_gets_no_cause(text: str, matrix: Matrix) -> None:
    found = explain_log(matrix, [text.encode()], kind="text", name=text, as_of=AS_OF)
    assert found.matches == ()
    assert found.code == 1
    shown = render_explanation(found, "table")
    assert "nothing is known of this text" in shown
    assert "cause" not in shown


def test_the_nearest_families_are_named_as_no_more_than_near(matrix: Matrix) -> None:
    text = "engine plan library version not compatible, rebuild"
    found = explain_log(matrix, [text.encode()], kind="text", name=text, as_of=AS_OF)
    assert found.matches == ()
    assert "engine" in found.near[0].family
    assert "none of them is known to be it" in render_explanation(found, "table")


def test_a_log_names_lines_that_look_like_errors_and_that_nobody_knows(matrix: Matrix) -> None:
    found = told(matrix, "fine\nValueError: frobnication\nError rate 5\n[E] [TRT] gizmo\n")
    assert [(item.line, item.text) for item in found.unexplained] == [(2, "ValueError: frobnication"), (4, "gizmo")]
    assert found.code == 1
    assert told(matrix, "all is well\n").code == 0
    assert told(matrix, "").code == 0
    many = told(matrix, "".join(f"ValueError: {number}\n" for number in range(100_000)))
    assert len(many.unexplained) == 12


# -- numbers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("803", [("cuda", "cuda-803-driver-userland-mismatch")]),
        ("error 803", [("cuda", "cuda-803-driver-userland-mismatch")]),
        ("0x323", [("cuda", "cuda-803-driver-userland-mismatch")]),
        ("CUDA error: 35", [("cuda", "cuda-init-35-driver-too-old")]),
        ("cudaErrorNoKernelImageForDevice", [("cuda", "no-kernel-image")]),
        ("cudaerrornokernelimagefordevice", [("cuda", "no-kernel-image")]),
        ("CUDA_ERROR_NO_BINARY_FOR_GPU", [("cuda", "no-kernel-image")]),
        ("nvml 18", [("nvml", "nvml-driver-library-mismatch")]),
        ("48", [("cuda", "no-kernel-image")]),
        ("CUDNN_STATUS_SUBLIBRARY_VERSION_MISMATCH", [("cudnn", "cudnn-sublibrary-mismatch")]),
        ("kFAILED_INITIALIZATION", [("tensorrt", None)]),
        ("CUDA_ERROR_ILLEGAL_ADDRESS", [("cuda", None)]),
        ("54321", []),
        ("cudaErrorOfMyOwn", []),
    ],
)
def test_numbers_and_names_alone(text: str, wanted: list[tuple[str, str | None]], matrix: Matrix) -> None:
    known = numbers.asked_for(matrix, text)
    assert known is not None
    found = explain_number(matrix, text, known, as_of=AS_OF)
    got = [(match.error.library, match.family) for match in found.matches if match.error]
    assert got[: len(wanted)] == wanted
    assert found.code == (0 if wanted else 1)


def test_a_number_that_several_libraries_have_is_told_for_each(matrix: Matrix) -> None:
    known = numbers.asked_for(matrix, "3") or ()
    assert {item.number.library for item in known} == {"cuda", "nvml", "cudnn", "tensorrt"}


def test_every_name_stands_for_a_number_and_every_family_of_a_number_is_there(matrix: Matrix) -> None:
    families = {family.id for family in failures.families(matrix)}
    for name in numbers.names(matrix):
        known = numbers.asked_for(matrix, name)
        assert known, name
        assert all(item.family is None or item.family in families for item in known)


def test_numbers_agree_with_what_errors_says_of_them(matrix: Matrix) -> None:
    for library in ("cuda", "nvml"):
        for row in matrix.rows("errors", library):
            known = numbers.by_code(matrix, int(row.get("code").value), library)
            assert row.key in {name for item in known for name in item.number.names}, row.key


def test_a_line_with_an_error_that_no_family_knows_is_told_by_its_number(matrix: Matrix) -> None:
    (match,) = told(matrix, "[TRT] [E] 1: Cuda failure: 700 (an illegal memory access was encountered)").matches
    assert match.family is None
    assert match.error is not None
    assert match.error.names == ("CUDA_ERROR_ILLEGAL_ADDRESS", "cudaErrorIllegalAddress")
    assert match.blames == "maybe"
    assert told(matrix, "step 803 of 999, 35 done, CUDA 12.8 in use").matches == ()


# -- with facts --------------------------------------------------------------------------------------------------------


def test_which_cause_applies_here(matrix: Matrix) -> None:
    facts = stated(matrix, "driver=470.82.01", "tensorrt=10.9.0,from=pip-cu12", "gpu=Tesla T4")
    (match,) = told(matrix, "CUDA initialization failure with error: 35", facts).matches
    assert match.here is not None
    assert match.here.verdict == "applies"
    assert match.here.applies[0].code == "DRV201"
    said = " ".join(match.here.facts)
    assert "driver 470.82.01 serves CUDA 11.4 at most" in said
    assert "TensorRT 10.9.0 (cu12) is built for CUDA 12" in said
    assert "fix" in render_explanation(told(matrix, "CUDA initialization failure with error: 35", facts), "table")


def test_a_cause_that_is_not_here_is_not_invented(matrix: Matrix) -> None:
    good = stated(matrix, "driver=580.95.05", "tensorrt=10.9.0,from=pip-cu12", "gpu=Tesla T4", "os=ubuntu-22.04")
    (match,) = told(matrix, "CUDA initialization failure with error: 35", good).matches
    assert match.here is not None
    assert match.here.verdict == "not-found"
    assert match.here.applies == ()
    (match,) = told(matrix, "CUDA initialization failure with error: 35", stated(matrix, "gpu=Tesla T4")).matches
    assert match.here is not None
    assert match.here.verdict == "unknown"
    assert any("driver" in text for text in match.here.unknowns)


def test_a_log_of_another_tensorrt_is_told_as_that(matrix: Matrix) -> None:
    text = "not compatible with this version of TensorRT, expecting library version 8.6.1.6 got 8.5.3.1"
    (match,) = told(matrix, text, stated(matrix, "tensorrt=10.9.0")).matches
    assert match.here is not None
    assert any("8.6.1.6" in fact and "another environment" in fact for fact in match.here.facts)
    (match,) = told(matrix, text, stated(matrix, "tensorrt=8.6")).matches
    assert match.here is not None
    assert not any("another environment" in fact for fact in match.here.facts)


def test_the_catalogue_names_rules_that_are_there(matrix: Matrix) -> None:
    codes = {rule.code for rule in RULES}
    for family in failures.families(matrix):
        assert set(family.rules) <= codes, family.id


def test_no_family_follows_from_itself(matrix: Matrix) -> None:
    follows = {family.id: family.follows for family in failures.families(matrix)}

    def behind(name: str, seen: tuple[str, ...] = ()) -> None:
        assert name not in seen, seen
        for other in follows[name]:
            behind(other, (*seen, name))

    for name in follows:
        behind(name)


# -- reading -----------------------------------------------------------------------------------------------------------


PATTERNS = [pattern for family in failures.families(load(ROOT / "matrix")) for pattern in family.patterns]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_a_pattern_matches_holds_one_of_its_needles(data: st.DataObject) -> None:
    pattern = data.draw(st.sampled_from(PATTERNS))
    needles = needles_of(pattern.pattern)
    assert needles
    text = data.draw(st.from_regex(pattern, fullmatch=True))
    assert any(needle in text for needle in needles), (pattern.pattern, text)


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("abc", {"abc"}),
        ("ab?cd", {"cd"}),
        ("a(?:bcd|efg)h", {"bcd", "efg"}),
        (r"a\.b\(c", {"a.b(c"}),
        (r"[ab]cde+f", {"cde"}),
        ("(?:ab)?cd{2}x", {"cd"}),
        ("ab|c?", set()),
        ("(?=ab)cd", set()),
        ("(?i)abc", set()),
        (r"(a)\1", set()),
        ("ab)", set()),
        ("(ab", set()),
        (r"[]a]bc", {"bc"}),
    ],
)
def test_needles(pattern: str, wanted: set[str]) -> None:
    assert needles_of(pattern) == wanted


@given(st.text(max_size=60))
def test_any_pattern_can_be_asked_for_its_needles(pattern: str) -> None:
    assert isinstance(needles_of(pattern), frozenset)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, len(LOG)), max_size=12))
def test_how_a_log_comes_in_pieces_changes_nothing(cuts: list[int]) -> None:
    matrix, whole = load(ROOT / "matrix"), LOG.encode()
    places = sorted({0, len(whole), *cuts})
    pieces = [whole[start:end] for start, end in pairwise(places)]
    assert explain_log(matrix, pieces, as_of=AS_OF) == told(matrix, whole)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.one_of(st.binary(max_size=300), st.sampled_from([text.encode() for _, text in SAMPLES])), max_size=8)
)
def test_any_bytes_can_be_read(pieces: list[bytes]) -> None:
    found = explain_log(load(ROOT / "matrix"), pieces, as_of=AS_OF)
    for kind in ("table", "json"):
        render_explanation(found, kind, verbose=True)
    assert found.asked.bytes >= 0


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_powershell_writes_its_logs_in_utf_16(encoding: str, matrix: Matrix) -> None:
    mark = {"utf-16": b"", "utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}[encoding]
    content = mark + LOG.replace("\n", "\r\n").encode(encoding)
    pieces = [content[start : start + 7] for start in range(0, len(content), 7)]
    assert ids(explain_log(matrix, pieces, as_of=AS_OF)) == ids(told(matrix, LOG))


def test_carriage_returns_of_a_progress_bar_part_lines(matrix: Matrix) -> None:
    found = told(matrix, b" 10%|#   |\r 99%|### |\rCUDA failure 35: x\r\nmore\r\n")
    assert [(match.family, match.text) for match in found.matches] == [
        ("cuda-init-35-driver-too-old", "CUDA failure 35: x")
    ]


def test_a_message_deep_in_one_long_line_is_found(matrix: Matrix) -> None:
    line = b'{"log": "' + b"x" * 3_000_000 + b"\\nCUDA failure 35: driver too old" + b"y" * 3_000_000 + b'"}'
    found = explain_log(matrix, [line], as_of=AS_OF)
    assert ids(found) == ["cuda-init-35-driver-too-old"]
    assert len(found.matches[0].text or "") <= 400


def endless(size: int) -> Iterator[bytes]:
    for number in range(size // 1_000_000):
        yield b"".join(b"%d %d error 802x Error: of nobody %d\n" % (number, line, line) for line in range(25_000))


def test_a_log_that_is_nothing_but_near_misses_is_read_in_bounded_time(matrix: Matrix) -> None:
    started = time.process_time()
    found = explain_log(matrix, endless(3_000_000), as_of=AS_OF)
    assert found.matches == ()
    assert time.process_time() - started < 20


def test_memory_stays_bounded_however_long_the_log(tmp_path: Path) -> None:
    log = tmp_path / "big.log"
    with log.open("wb") as stream:
        for number in range(40):
            stream.write(b"%06d " % number + b"[TRT] [V] Tactic: 0x0000000000000000 Time: 0.035\n" * 20_000)
        stream.write(b"z" * 20_000_000 + b"\n[TRT] [E] Error Code 2: OutOfMemory\n")
    script = (
        "import sys; from trtdoctor.cli import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0], file=sys.stderr)"
    )
    command = [sys.executable, "-c", script, "explain", str(log), "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert [match["family"] for match in json.loads(done.stdout)["matches"]] == ["gpu-oom-build"]
    assert int(done.stderr.split()[-1]) < 100 * 1024


# -- the answer --------------------------------------------------------------------------------------------------------


def test_the_answer_fits_its_schema(matrix: Matrix) -> None:
    schema = json.loads((ROOT / "trtdoctor" / "schemas" / "explain.schema.json").read_text("utf-8"))
    facts = stated(matrix, "driver=470.82.01", "tensorrt=10.9.0,from=pip-cu12", "gpu=Tesla T4")
    for text in (LOG, "CUDA failure 35\nCUDA_ERROR_ILLEGAL_ADDRESS", "ValueError: engine plan of another", ""):
        for found in (told(matrix, text, facts), redact(told(matrix, text, facts)), told(matrix, text)):
            jsonschema.validate(json.loads(render_explanation(found, "json")), schema)
    known = numbers.asked_for(matrix, "3") or ()
    jsonschema.validate(explain_number(matrix, "3", known, as_of=AS_OF).to_plain(), schema)


def test_redaction_leaves_versions_and_libraries_alone(matrix: Matrix) -> None:
    text = (
        "ImportError: libnvinfer.so.8: cannot open shared object file\n"
        "File /home/secret/lib/x.so is empty, not checked\nValueError: secret\n"
    )
    found = redact(explain_log(matrix, [text.encode()], name="/home/secret/log", as_of=AS_OF))
    for kind in ("table", "json"):
        assert "secret" not in render_explanation(found, kind, verbose=True)
    assert found.matches[0].versions == {"lib": "libnvinfer", "major": "8"}
    assert found.matches[0].says is not None
    assert found.matches[1].versions == {}


@pytest.mark.skipif(not (SHARED / "incidents").is_dir(), reason="needs ../shared/incidents")
def test_reported_incidents_are_explained(matrix: Matrix) -> None:
    from benchmarks import explain as benchmark
    from trtdoctor.yamlfile import parse

    result = benchmark.run(parse(benchmark.CASES.read_bytes()), matrix)
    assert result.incidents >= 60
    assert result.share >= 0.9, result.missed
    assert result.blamed_share <= 0.05, result.blamed


def test_the_benchmark_gives_grep_the_same_alternatives(matrix: Matrix, tmp_path: Path) -> None:
    from benchmarks import explain as benchmark

    (tmp_path / "patterns").write_text(benchmark.joined(matrix))
    (tmp_path / "samples").write_text("".join(f"{text}\n" for _, text in SAMPLES) + "nothing of it\n")
    command = ["grep", "-c", "-E", "-f", "patterns", "samples"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert int(done.stdout) == len(SAMPLES), done.stderr


def test_the_page_of_messages_lists_every_family(matrix: Matrix) -> None:
    page = (ROOT / "docs" / "failures.md").read_text("utf-8")
    assert re.findall(r"^## (\S+)$", page, re.MULTILINE) == [family.id for family in failures.families(matrix)]
