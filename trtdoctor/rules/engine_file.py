"""What a file that is given as an engine really is, and what has happened to it."""

from __future__ import annotations

from collections.abc import Iterable

from trtdoctor.findings import Severity
from trtdoctor.matrix import engines
from trtdoctor.rules.base import Context, Problem, rule
from trtdoctor.rules.common import advice
from trtdoctor.rules.engine_words import found, rebuild, subject
from trtdoctor.snapshot import Engine

_OTHERS = {
    "onnx": ("an ONNX model", "Build an engine from it first: trtexec --onnx=MODEL --saveEngine=ENGINE."),
    "zip": ("a zip archive, as PyTorch writes them", "Export the model and build an engine from it."),
    "gzip": ("compressed with gzip", "Unpack it first."),
    "hdf5": ("an HDF5 file, as Keras writes them", "Export the model to ONNX and build an engine from it."),
    "elf": ("a program or a shared library", "Name the engine, not the library that goes with it."),
    "html": ("a web page", "Download the file itself: this is the page that stands in front of it."),
    "text": ("a text file", "Name the engine itself."),
    "empty": ("empty", "Build the engine again: whatever wrote it did not get to its end."),
}
_CHANGES = {
    "line-ends": "its line feeds were turned into other line ends",
    "utf-8": "it was read as text and written as UTF-8",
    "replaced": "bytes that are no text were replaced",
    "utf-16": "it was written as UTF-16 text",
}


@rule("ENG201", "engine-is-lfs-pointer", severity=Severity.ERROR, components=("engine",))
def engine_is_lfs_pointer(context: Context) -> Iterable[Problem]:
    """The file is the pointer that Git LFS leaves where the real file was not fetched.

    Why it matters: It is a text of some 130 bytes; every loader says that the magic tag does not match.

    Example: A repository that was cloned without git-lfs, or an archive that GitHub made of it.

    How to fix: git lfs pull, in the repository.

    Sources: lidar_ai_solution_271
    """
    for engine in _files(context):
        if engine.kind == "lfs-pointer":
            yield Problem(
                Severity.ERROR,
                f"{subject(engine)} is a Git LFS pointer, not the engine",
                breaks="Deserializing gives None: magic tag does not match.",
                facts=(found(engine),),
                sources=(engines.rule(context.matrix, "begins-like-a-plan"),),
                remedy=advice("engine", "Fetch the file that it points to: git lfs pull, in its repository."),
            )


@rule("ENG202", "engine-is-no-engine", severity=Severity.ERROR, components=("engine",))
def engine_is_no_engine(context: Context) -> Iterable[Problem]:
    """The file that is given as an engine is something else, or begins like nothing that is known.

    Why it matters: A runtime wants a plan that begins with its tag. An ONNX model, a checkpoint or a saved web page
    under the name of an engine fails with "magic tag does not match".

    Example: trtexec --loadEngine=model.onnx; a download that saved the page of the file instead of the file.

    How to fix: Build an engine from the model. A file that begins like nothing known may be encrypted, or have
    something in front of it that its own program takes off.

    Sources: lidar_ai_solution_271, ultralytics_3080
    """
    rule_of = engines.rule(context.matrix, "begins-like-a-plan")
    for engine in _files(context):
        if engine.kind in _OTHERS:
            what, remedy = _OTHERS[engine.kind]
            yield Problem(
                Severity.ERROR,
                f"{subject(engine)} is no engine: it is {what}",
                breaks="Deserializing gives None: magic tag does not match.",
                facts=(found(engine),),
                sources=(rule_of,),
                remedy=advice("engine", remedy),
            )
        elif engine.kind == "unknown":
            yield Problem(
                Severity.WARNING,
                f"{subject(engine)} does not begin like an engine",
                breaks="TensorRT's own loaders refuse it: magic tag does not match.",
                detail="A program of its own may know how to read it: it may be encrypted, or have something in front.",
                facts=(found(engine),),
                sources=(rule_of,),
                remedy=advice("engine", "Take off what stands in front of it, or build it again."),
            )
        elif engine.kind == "unreadable":
            context.unknown("engine", "a file that can be read", f"{subject(engine)} cannot be read", "ls -l FILE")


@rule("ENG203", "engine-truncated", severity=Severity.ERROR, components=("engine",))
def engine_truncated(context: Context) -> Iterable[Problem]:
    """The plan is shorter (or longer) than its header says.

    Why it matters: A copy that broke off, a full disk, a build that was ended while it wrote. The runtime reads behind
    the end of what it was given, or says that the file is corrupt.

    Example: A plan of 34,709,711 bytes of which 33,554,432 arrived.

    How to fix: Copy it again and compare digests, or build it again.

    Sources: plan_861, engine_measured, rtx_measured
    """
    for engine in _files(context):
        if engine.problem not in ("truncated", "longer"):
            continue
        short = engine.problem == "truncated"
        stated = f"{engine.stated_bytes} of {engine.size} bytes" if engine.stated_bytes else f"{engine.size} bytes"
        if short:
            title = f"{subject(engine)} is cut off: {engine.size} bytes"
            title += f" of {engine.stated_bytes}" if engine.stated_bytes else ", not even a header"
        else:
            title = f"{subject(engine)} has more than its header says: {stated} are the plan"
        surely = short and engine.problem_is_sure is not False
        yield Problem(
            Severity.ERROR if surely else Severity.WARNING,
            title,
            breaks="Deserializing fails or crashes." if short else "What is behind the plan is not part of it.",
            detail="" if engine.problem_is_sure else "Where its length stands is known of other releases only.",
            facts=(found(engine),),
            sources=(engines.rule(context.matrix, "whole"),),
            remedy=rebuild("Copy it again and compare the digests, or build it again."),
        )


@rule("ENG204", "engine-changed-as-text", severity=Severity.ERROR, components=("engine",))
def engine_changed_as_text(context: Context) -> Iterable[Problem]:
    """The plan went through something that took it for text.

    Why it matters: FTP in text mode, a shell that redirects as UTF-16, a program that reads with an encoding: bytes
    are changed all over the file, and nothing brings them back.

    Example: open(path, "r", errors="replace") somewhere between the builder and the file.

    How to fix: Copy it as binary, from where it was built.

    Sources: lidar_ai_solution_271
    """
    for engine in _files(context):
        if engine.problem in _CHANGES:
            yield Problem(
                Severity.ERROR,
                f"{subject(engine)} was changed on its way: {_CHANGES[engine.problem]}",
                breaks="Deserializing fails: version, lengths and weights are no longer what was written.",
                facts=(found(engine),),
                sources=(engines.rule(context.matrix, "begins-like-a-plan"),),
                remedy=advice("engine", "Copy the engine again as a binary file from where it was built."),
            )


@rule("ENG205", "engine-with-metadata-in-front", severity=Severity.WARNING, components=("engine",))
def engine_with_metadata(context: Context) -> Iterable[Problem]:
    """The plan has the metadata of Ultralytics in front of it, which only Ultralytics takes off.

    Why it matters: TensorRT's own loaders want the plan to begin with the first byte.

    Example: yolo export format=engine, then trtexec --loadEngine or a C++ program of one's own.

    How to fix: Load it with Ultralytics, or cut off four bytes and as many as they say.

    Sources: ultralytics_export, ultralytics_3080
    """
    row = next(iter(context.matrix.rows("engines", "wrappers")), None)
    for engine in _files(context):
        if engine.wrapper is not None and row is not None:
            outside = context.wants("trtexec", "cpp", "triton", "polygraphy", "onnxruntime")
            yield Problem(
                Severity.WARNING if outside else Severity.INFO,
                f"{subject(engine)} has the metadata of Ultralytics in front of the plan",
                breaks="Ultralytics loads it; trtexec and TensorRT itself refuse it: magic tag does not match.",
                facts=(found(engine),),
                sources=(engines.rule(context.matrix, "begins-like-a-plan"), row.get("text")),
                remedy=advice("engine", "Load it with Ultralytics, or cut the metadata off for other loaders."),
            )


@rule("ENG206", "engine-is-not-the-stamped-one", severity=Severity.WARNING, components=("engine",))
def engine_is_not_the_stamped_one(context: Context) -> Iterable[Problem]:
    """The sidecar beside the engine speaks of another file, or cannot be read.

    Why it matters: The engine was built anew, or was exchanged, after it was stamped. What the sidecar says of GPU and
    flags is not believed.

    Example: A build script that overwrites model.engine and leaves model.engine.trtdoctor.json as it was.

    How to fix: trtdoctor engine stamp FILE, at the end of each build.

    Sources: https://github.com/NVIDIA/TensorRT/issues/4233
    """
    words = {
        "stale": "is not the file that its sidecar was written for",
        "contradicts": "has a sidecar that says otherwise than its own header",
        "unreadable": "has a sidecar that cannot be read",
    }
    for engine in _files(context):
        if engine.sidecar in words:
            yield Problem(
                Severity.WARNING,
                f"{subject(engine)} {words[engine.sidecar]}",
                breaks="Nothing of what the sidecar says is used: the engine may be another one than you think.",
                facts=(found(engine),),
                remedy=advice("engine", "Stamp it again where it was built: trtdoctor engine stamp FILE."),
            )


def _files(context: Context) -> Iterable[Engine]:
    return (engine for engine in context.snapshot.engines if engine.path is not None)
