"""Files of engines for people: a head each, what it says of itself, what is wrong with it, what it does not tell."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from trtdoctor.engine_report import EngineFile, EngineReport
from trtdoctor.findings import Unknown, Verdict
from trtdoctor.render.parts import Paint, finding_lines, foot, labelled
from trtdoctor.snapshot import Engine
from trtdoctor.text import harmless

_KINDS = {
    "timing-cache": "timing cache of TensorRT",
    "calibration-cache": "INT8 calibration cache",
    "archive": "archive of TensorRT: a plan from before 8.5, or a timing cache",
    "lfs-pointer": "Git LFS pointer",
    "onnx": "ONNX model",
    "zip": "zip archive",
    "gzip": "gzip archive",
    "hdf5": "HDF5 file",
    "elf": "program or shared library",
    "html": "web page",
    "text": "text",
    "empty": "empty file",
    "unreadable": "cannot be read",
    "unknown": "nothing that is known",
}
_VERDICTS = {
    Verdict.READY: ("ok", "loads here"),
    Verdict.AT_RISK: ("warning", "may not load here"),
    Verdict.BROKEN: ("error", "does not load here"),
    Verdict.UNKNOWN: ("unknown", "too little is known to say whether it loads here"),
}
_CACHES = ("timing-cache", "calibration-cache")
_SIDECARS = {
    "verified": "of this very file",
    "unverified": "not compared with the file",
    "stale": "of another file: not used",
    "contradicts": "says otherwise than the header: not used",
    "unreadable": "cannot be read",
}


def render(report: EngineReport, *, verbose: bool = False, color: bool = False) -> str:
    """The whole text, with a final newline."""
    paint = Paint(color)
    lines: list[str] = []
    for item in report.files:
        lines += [*_file(item, report, paint, verbose), ""]
    lines += [*_scanned(report)]
    lines += [*foot(report.program, report.matrix, report.as_of, paint)]
    return "\n".join(harmless(line.rstrip()) for line in lines) + "\n"


def _file(item: EngineFile, report: EngineReport, paint: Paint, verbose: bool) -> Iterator[str]:
    engine = item.engine
    yield paint("bold", engine.path or "engine")
    yield from labelled("what", _what(engine), paint)
    if item.verdict is not None:
        style, words = _VERDICTS[item.verdict]
        if engine.kind in _CACHES and item.verdict is Verdict.READY:
            words = "made for what is here"
        yield f"  {paint('bold', 'verdict'.ljust(9))}{paint(style, item.verdict.prose)}: {words}"
    yield from _says(engine, report.as_of, paint)
    for finding in item.findings:
        yield from (f"  {line}" for line in finding_lines(finding, paint, verbose))
    for unknown in item.unknown:
        yield from labelled("unknown", _unknown(unknown), paint)


def _what(engine: Engine) -> str:
    """The kind of a file, and whose it is."""
    size = f", {engine.size} bytes" if engine.size is not None else ""
    if engine.kind == "plan":
        name = "engine of TensorRT for RTX" if engine.product == "rtx" else "engine of TensorRT"
        layout = f", layout {engine.layout}" if engine.layout else ""
        return f"{name} {engine.tensorrt or 'of unknown release'}{layout}{size}"
    made = f" of TensorRT {engine.tensorrt}" if engine.tensorrt else ""
    calibrator = f" ({engine.calibrator})" if engine.calibrator else ""
    return f"{_KINDS.get(engine.kind or '', engine.kind or 'engine')}{made}{calibrator}{size}"


def _says(engine: Engine, as_of: str, paint: Paint) -> Iterator[str]:
    """What header and sidecar say, one line each."""
    if engine.stated_bytes is not None and engine.stated_bytes != engine.size and engine.wrapper is None:
        yield from labelled("length", f"{engine.stated_bytes} bytes by its header", paint)
    if engine.wrapper:
        yield from labelled("in front", f"metadata of {engine.wrapper}", paint)
    if engine.compute_capabilities is not None:
        more = " and others that have no name" if engine.other_capabilities else ""
        yield from labelled("for", f"compute capability {', '.join(engine.compute_capabilities) or '-'}{more}", paint)
    built = [
        engine.gpu or "",
        f"compute capability {engine.compute_capability}" if engine.compute_capability else "",
        f"{engine.multiprocessors} multiprocessors" if engine.multiprocessors else "",
    ]
    if any(built):
        note = " (inferred: no document says where it stands)" if engine.inferred else ""
        yield from labelled("built on", ", ".join(filter(None, built)) + note, paint)
    if engine.serialization is not None:
        yield from labelled("format", f"serialization version {engine.serialization}", paint)
    flags = [
        f"{name.replace('_', ' ')}: {_word(value)}"
        for name in ("system", "version_compatible", "hardware_compatibility", "weights_stripped", "precision")
        if (value := getattr(engine, name)) is not None
    ]
    if flags:
        yield from labelled("flags", "; ".join(flags), paint)
    if engine.kind in _CACHES and engine.modified:
        yield from labelled("age", f"{_age(engine.modified, as_of)} (of {engine.modified})", paint)
    if engine.sidecar:
        yield from labelled("sidecar", _SIDECARS.get(engine.sidecar, engine.sidecar), paint)


def _word(value: object) -> str:
    return {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)


def _age(day: str, as_of: str) -> str:
    try:
        days = (date.fromisoformat(as_of) - date.fromisoformat(day)).days
    except ValueError:
        return "unknown"
    return f"{days} days" if days != 1 else "1 day"


def _unknown(unknown: Unknown) -> str:
    return f"{unknown.needed}: {unknown.why} ({unknown.how_to_tell})"


def _scanned(report: EngineReport) -> Iterator[str]:
    scanned = report.scanned
    if scanned is None:
        return
    what = f"{len(report.files)} engine or cache files among {scanned.files}"
    lost = f"; {scanned.unreadable} could not be read" if scanned.unreadable else ""
    yield what + lost + ("" if scanned.complete else "; the search was given up: too many files, or too slow")
