"""The table for people."""

from __future__ import annotations

import pytest

from tests.conftest import AS_OF
from trtdoctor.declared import snapshot_of
from trtdoctor.findings import Severity
from trtdoctor.judge import judge
from trtdoctor.matrix import Matrix
from trtdoctor.redaction import redact
from trtdoctor.render import render
from trtdoctor.snapshot import Copy, Interpreter, ProbeOutcome, Snapshot

DEEP = "/srv/with/a/path/of/many/parts/that/is/longer/than/any/column/could/be/lib"
FOUND = Snapshot(
    interpreters=(Interpreter(path=f"{DEEP}/python", version="3.11", chosen_by="PATH"),),
    copies=(Copy("cudnn", name="libcudnn", version="9.1.0", how="file-name", path=f"{DEEP}/libcudnn.so.9"),),
    probes=(
        ProbeOutcome("host", "ok", None, 0.1),
        ProbeOutcome("packages", "skipped", "no program"),
        ProbeOutcome("python", "partial", "the interpreter could not be asked: timed-out, no answer within 8 s"),
    ),
)


def shown(matrix: Matrix, *, verbose: bool = False, color: bool = False) -> list[str]:
    return render(judge(FOUND, matrix, as_of=AS_OF), "table", verbose=verbose, color=color).splitlines()


def test_what_could_not_be_looked_at_is_said_without_being_asked(matrix: Matrix) -> None:
    plain = " ".join(" ".join(shown(matrix)).split())
    assert "probe python partial: the interpreter could not be asked: timed-out, no answer within 8 s" in plain
    assert "probe host" not in plain
    assert "probe packages" not in plain
    every = " ".join(shown(matrix, verbose=True))
    assert "probe host ok (0.1 s)" in every
    assert every.count("probe python") == 1


def test_columns_stand_under_each_other_within_80(matrix: Matrix) -> None:
    lines = shown(matrix)
    start = next(number for number, line in enumerate(lines) if line.startswith("component"))
    rule = lines[start + 1]
    assert set(rule) == {"-", " "}
    gaps = [number for number, sign in enumerate(rule) if sign == " "]
    for line in lines[start : lines.index("", start)]:
        assert len(line) <= 80
        assert all(line[gap : gap + 1] in ("", " ") for gap in gaps), line


def test_a_path_is_broken_behind_a_slash(matrix: Matrix) -> None:
    cells = [line[line.index("/") :].split()[0] for line in shown(matrix) if line.startswith("cudnn") and "/" in line]
    assert cells
    assert cells[0].endswith("/")


def test_colour_changes_nothing_but_colour(matrix: Matrix) -> None:
    import re

    painted = shown(matrix, color=True)
    assert any("\x1b[" in line for line in painted)
    assert [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in painted] == shown(matrix)


@pytest.mark.parametrize("kind", ["table", "markdown"])
def test_steps_that_mend_several_findings_stand_once(kind: str, matrix: Matrix) -> None:
    environment = {
        "os": "ubuntu-22.04",
        "arch": "x86_64",
        "python": "3.12",
        "gpus": [{"name": "RTX 5090"}],
        "driver": "550.54.14",
        "tensorrt": [{"version": "10.7", "from": "pip-cu12"}],
    }
    report = judge(redact(snapshot_of(environment)), matrix, as_of=AS_OF)
    mended = [item for item in report.findings if item.severity is Severity.ERROR]
    assert len(mended) == 2
    assert mended[0].fix
    assert mended[0].fix == mended[1].fix, "JSON has them whole"
    text = render(report, kind)
    assert text.count(mended[0].fix[-1].text) == 1
    assert text.count(f"as for {mended[0].code}, above") == 1
