"""The catalogue of NVIDIA's registry: when a tag was pushed there. Asked as a guest.

Source: ``ngcsdk`` 4.37.0, NVIDIA's own package. Never seen live: the form of its dates is not known, so one that is no
ISO 8601 counts for nothing.
"""

from __future__ import annotations

from typing import Any

from trtdoctor.mirror.times import iso, parse
from trtdoctor.net.http import Client, NetError
from trtdoctor.net.words import without_addresses

_PAGE = 100
_MOST_PAGES = 100
_BYTES = 5 << 20


class CatalogueError(ValueError):
    """The catalogue gave nothing that could be used; the message is one line."""


def pushed(client: Client, api: str, repository: str) -> dict[str, str]:
    """When each tag of ``nvidia/tensorrt`` (or ``org/team/name``) was pushed, by tag. Raises :class:`CatalogueError`.

    ``api``: the address of the interface, ``https://api.ngc.nvidia.com``.
    """
    if repository.count("/") not in (1, 2):
        raise CatalogueError("it has images by organisation, team and name alone")
    found: dict[str, str] = {}
    for page in range(_MOST_PAGES):
        url = f"{api}/v2/repos/{repository}/images?page-size={_PAGE}&page-number={page}"
        document = _document(client, url)
        listed = document.get("images")
        if not isinstance(listed, list):
            raise CatalogueError("its answer lists no images")
        for image in listed:
            _add(found, image)
        about = document.get("paginationInfo")
        total = about.get("totalPages") if isinstance(about, dict) else None
        if not listed or (page + 1 >= total if isinstance(total, int) else len(listed) < _PAGE):
            break
    return found


def _add(found: dict[str, str], image: Any) -> None:
    if not isinstance(image, dict) or not isinstance(image.get("tag"), str):
        return
    for name in ("pushedDate", "updatedDate"):
        said = image.get(name)
        moment = parse(said) if isinstance(said, str) else None
        if moment is not None:
            found.setdefault(image["tag"], iso(moment))
            return


def _document(client: Client, url: str) -> dict[str, Any]:
    try:
        answer = client.get(url, most=_BYTES, accept="application/json", keep=True)
        document = answer.json() if answer.status == 200 else None
    except NetError as error:
        raise CatalogueError(without_addresses(str(error))) from None
    except ValueError:
        raise CatalogueError("its answer is no JSON") from None
    if answer.status != 200:
        raise CatalogueError(f"it answered {answer.status}")
    if not isinstance(document, dict):
        raise CatalogueError("its answer is no JSON object")
    return document
