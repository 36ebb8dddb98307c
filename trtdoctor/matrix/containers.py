"""What the matrix says of NVIDIA's container images: what is inside, and which driver they ask for."""

from __future__ import annotations

from trtdoctor.lazyre import pattern
from trtdoctor.matrix.load import Matrix
from trtdoctor.matrix.rows import Row

REGISTRY = "nvcr.io/nvidia"
"""Where the images of the matrix live."""

# "docker://nvcr.io/nvidia/tensorrt:24.08-py3@sha256:…", "nvcr.io#nvidia/pytorch:24.08-py3" (enroot), "tensorrt:24.08"
_REFERENCE = pattern(
    r"(?:docker://)?(?:(?:nvcr\.io[/#])?nvidia/)?(?P<repository>[a-z0-9-]+):(?P<tag>[A-Za-z0-9_.-]{1,128})"
    r"(?:@[a-z0-9]+:[0-9a-fA-F]+)?"
)
_MONTH = pattern(r"\d\d\.\d\d")
_PLAIN = "-py3"


def find(matrix: Matrix, image_reference: str) -> Row | None:
    """The image that a reference names; None for another registry, repository or tag than the matrix has.

    Registry and namespace may be left out, a digest plays no part, and a bare month means its ``-py3`` image:
    ``nvcr.io/nvidia/tensorrt:24.08-py3``, ``tensorrt:24.08-py3@sha256:…`` and ``tensorrt:24.08`` are the same row.
    """
    match = _REFERENCE.fullmatch(image_reference.strip())
    if match is None:
        return None
    tag = match["tag"] + (_PLAIN if _MONTH.fullmatch(match["tag"]) else "")
    return _images(matrix).get(f"{match['repository']}:{tag}")


def months(matrix: Matrix, repository: str) -> tuple[str, ...]:
    """The months (``"24.08"``) that the matrix knows of a repository (``"tensorrt"``), newest first.

    Counted are the plain images; a flavour such as trtllm can have months of its own.
    """
    name = repository.removeprefix("docker://").removeprefix(REGISTRY + "/")
    rows = [row for key, row in _images(matrix).items() if key.startswith(f"{name}:")]
    return tuple(row.text("month") or "" for row in rows if row.text("tag") == _plain_tag(row))


def _plain_tag(row: Row) -> str:
    return (row.text("month") or "") + _PLAIN


def _images(matrix: Matrix) -> dict[str, Row]:
    return matrix.remember("containers", lambda: {row.key: row for row in matrix.rows("containers", "images")})
