"""One repository of a container registry, asked as the OCI distribution specification says. Reading only.

Sources: opencontainers/distribution-spec, and the answers of Debian's docker-registry 2.8.2 as measured. Whatever a
server does becomes a :class:`RegistryError`, or a :class:`Look` that says what is not known; no layer is fetched.
"""

from __future__ import annotations

import hashlib
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from trtdoctor.lazyre import pattern
from trtdoctor.mirror.challenge import Access
from trtdoctor.net.credentials import Login
from trtdoctor.net.http import TRIES, Answer, Client, NetError
from trtdoctor.net.words import without_addresses
from trtdoctor.record import record
from trtdoctor.text import clean

MOST_TAGS = 20_000
ACCEPT = (
    "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
)
"""Without all of them docker-registry answers that a tag which it has is not known."""
_LIST_BYTES, _DOCUMENT_BYTES = 5 << 20, 1 << 20
_MOST_PAGES = 200
_NAME = pattern(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = pattern(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = pattern(r"sha256:[0-9a-f]{64}")
_NOBODYS = "sha256:" + "0" * 64
"""A digest that no manifest has: a registry says so, a pull-through mirror asks its upstream."""
_CODES = frozenset(
    ("BLOB_UNKNOWN", "DENIED", "DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN", "MANIFEST_INVALID", "MANIFEST_UNKNOWN")
    + ("NAME_INVALID", "NAME_UNKNOWN", "PAGINATION_NUMBER_INVALID", "TOOMANYREQUESTS", "UNAUTHORIZED", "UNKNOWN")
    + ("UNSUPPORTED",)
)


class RegistryError(ValueError):
    """No answer that could be used; the message is one line without secrets."""

    def __init__(self, message: str, state: str, status: int | None = None) -> None:
        super().__init__(message)
        self.state = state
        """As :attr:`MirrorSide.state`: ``unreachable``, ``denied``, ``absent``, ``other-kind``, ``hostile``."""
        self.status = status
        """Of the answer; None where there was none, or where it was 200."""


@record
class Tags:
    """The tags of a repository."""

    names: tuple[str, ...] = ()
    complete: bool = True
    """False when there are more, or may be."""
    notes: tuple[str, ...] = ()
    host: str = ""
    """Who listed them, when that is another host than the one that was asked."""
    warnings: tuple[str, ...] = ()
    server: str = ""
    """What the server calls itself."""


@record
class Look:
    """What is known of one tag at one registry."""

    state: str = "unasked"
    """``there``, ``not-there``, ``unknown``, ``unasked``."""
    digest: str | None = None
    detail: str | None = None
    """Why it is unknown."""
    as_of: str | None = None
    """When it was seen, where that was not now."""
    host: str = ""
    """Who answered, when that is another host than the one that was asked."""


class Registry:
    """A repository at a registry. May be used from several threads at once."""

    def __init__(self, client: Client, address: str, login: Login | None = None, account: str | None = None) -> None:
        """``address`` with scheme and repository: ``https://nvcr.io/nvidia/tensorrt``; ValueError when it has none.

        ``account``: see :class:`Access`.
        """
        parts = urlsplit(address)
        self.repository = parts.path.strip("/").removeprefix("v2/")
        if not _NAME.fullmatch(self.repository) or len(self.repository) > 255:
            raise ValueError(f"{clean(address, 120)}: wanted the address of a repository: HOST/NAME, without a tag")
        self.base = f"{parts.scheme}://{parts.netloc}"
        self.access = Access(client, self.base, self.repository, login, account)
        self.login = login
        self.client = client

    def tags(self) -> Tags:
        """Every tag that is listed, in the server's order. Raises :class:`RegistryError` when there is no list."""
        path, names, notes = f"/v2/{self.repository}/tags/list", [], list[str]()
        seen, strange, first = set[str](), 0, None
        address = path
        while True:
            seen.add(address)
            try:
                answer = self._get(address, _LIST_BYTES, "application/json")
                page = self._page(answer)
            except RegistryError as error:
                if first is None:
                    raise
                notes.append(f"its list of tags broke off: {error}")
                break
            first = first or answer
            good = [name for name in page if isinstance(name, str) and _TAG.fullmatch(name)]
            strange += len(page) - len(good)
            names += good
            following = _next(answer, path)
            if following is None and "next" in answer.links:
                notes.append("its list of tags goes on at an address that is none")
            if following is None or len(names) > MOST_TAGS or len(seen) >= _MOST_PAGES or following in seen:
                if following is not None:
                    notes.append(f"its list of tags goes on, and was read up to {min(len(names), MOST_TAGS)} tags")
                break
            address = following
        complete = not notes
        if strange:
            notes.append(f"it lists {strange} names that no tag can have; they were left out")
        return Tags(
            tuple(dict.fromkeys(names[:MOST_TAGS])),
            complete and len(names) <= MOST_TAGS,
            tuple(notes),
            first.host if first.redirected else "",
            tuple(text for text in first.warnings if not self.access.holds_secret(text)),
            clean(first.headers.get("server", ""), 60),
        )

    def look(self, tag: str, *, tries: int = TRIES) -> Look:
        """What the registry says of a tag's manifest, without fetching it."""
        path = f"/v2/{self.repository}/manifests/{tag}"
        if not _TAG.fullmatch(tag):
            return Look("not-there")
        try:
            answer = self.access.ask(
                lambda auth: self.client.head(self.base + path, accept=ACCEPT, auth=auth, tries=tries)
            )
            host = answer.host if answer.redirected else ""
            if answer.status == 200:
                digest = answer.headers.get("docker-content-digest", "")
                if not _DIGEST.fullmatch(digest):  # old servers do not say it
                    digest = self.manifest(tag)[0]
                return Look("there", digest, host=host)
        except (NetError, RegistryError) as error:
            return Look("unknown", detail=without_addresses(str(error)))
        if answer.status == 404:
            return Look("not-there", host=host)
        return Look("unknown", detail=str(self._refusal(answer)))

    def manifest(self, reference: str) -> tuple[str, dict[str, Any]]:
        """The digest and the document of a manifest or an index, by tag or digest. Raises :class:`RegistryError`.

        What a digest was asked for has it, or is refused as ``hostile``.
        """
        return self._document(f"/v2/{self.repository}/manifests/{reference}", ACCEPT, reference)

    def configuration(self, digest: str) -> dict[str, Any]:
        """The configuration of an image: labels, environment, platform. Raises :class:`RegistryError`."""
        return self._document(f"/v2/{self.repository}/blobs/{digest}", "*/*", digest)[1]

    def holds_layer(self, digest: str) -> bool | None:
        """Whether it has a layer, which is not fetched; None when it does not say.

        A pull-through mirror gets the layer from its upstream now, and keeps it (measured).
        """
        url = f"{self.base}/v2/{self.repository}/blobs/{digest}"
        if not _DIGEST.fullmatch(digest):
            return None
        try:
            answer = self.access.ask(lambda auth: self.client.head(url, auth=auth))
        except NetError:
            return None
        return {200: True, 404: False}.get(answer.status)

    def pulls_through(self) -> tuple[bool | None, bool | None]:
        """Whether it gets from an upstream what it is asked for, and whether it reaches that now; None: it cannot tell.

        Measured with docker-registry 2.8.2: a registry knows that it has no manifest of a certain digest (404); as a
        pull-through mirror it answers 500 and repeats what its upstream says, or that there is no connection.
        Nothing is stored by it.
        """
        url = f"{self.base}/v2/{self.repository}/manifests/{_NOBODYS}"
        try:
            answer = self.access.ask(
                lambda auth: self.client.get(url, most=_DOCUMENT_BYTES, accept=ACCEPT, auth=auth, tries=1)
            )
        except NetError:
            return None, None
        if answer.status == 404:
            return False, None
        errors = _errors(answer)
        if answer.status != 500 or not errors or errors[0].get("code") != "UNKNOWN":
            return None, None
        detail = errors[0].get("detail")
        return True, isinstance(detail, dict) and bool(detail.get("errors"))

    def catalogued(self) -> bool | None:
        """Whether its catalogue has the repository; None when there is none to see.

        docker-registry lists a repository there when it holds one of its layers (measured).
        """
        try:
            answer = self._get("/v2/_catalog?n=1000", _LIST_BYTES, "application/json")
            document = answer.json()
        except ValueError:  # a RegistryError is one, and so is what is no JSON
            return None
        listed = document.get("repositories") if isinstance(document, dict) else None
        if not isinstance(listed, list):
            return None
        return True if self.repository in listed else None if "next" in answer.links else False

    def is_registry(self) -> bool:
        """Whether what answers at the host is a registry at all, whatever it says of the repository."""
        try:
            answer = self.access.ask(lambda auth: self.client.get(f"{self.base}/v2/", most=_DOCUMENT_BYTES, auth=auth))
        except NetError:
            return False
        said = "docker-distribution-api-version" in answer.headers or self.access.challenge is not None
        return said or (answer.status in (200, 401) and "json" in answer.kind)

    def _document(self, path: str, accept: str, reference: str) -> tuple[str, dict[str, Any]]:
        by_digest = _DIGEST.fullmatch(reference) is not None
        if not by_digest and not _TAG.fullmatch(reference):
            raise RegistryError("it names something by what is neither a tag nor a digest", "hostile")
        kept = self.client.kept
        body = kept.content(reference) if by_digest and kept is not None else None
        known = body is not None
        if body is None:
            body = self._get(path, _DOCUMENT_BYTES, accept).body
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        if by_digest and digest != reference:
            raise RegistryError("what it gave has another digest than the one that was asked for", "hostile")
        document = _json(body)
        if by_digest and kept is not None and not known:
            kept.keep_content(digest, body)
        return digest, document

    def _get(self, path: str, most: int, accept: str) -> Answer:
        """The answer where that is 200. Raises :class:`RegistryError`."""
        try:
            answer = self.access.ask(
                lambda auth: self.client.get(self.base + path, most=most, accept=accept, auth=auth)
            )
        except NetError as error:
            raise RegistryError(without_addresses(str(error)), error.kind) from None
        if answer.status != 200:
            raise self._refusal(answer)
        return answer

    def _refusal(self, answer: Answer) -> RegistryError:
        """What a status other than 200 means. The server's own words are not repeated: they may hold anything."""
        codes = [code for code in (str(entry.get("code")) for entry in _errors(answer)) if code in _CODES]
        said = f"it answered {answer.status}{f' ({codes[0]})' if codes else ''}"
        if answer.status in (401, 403):
            why, state = f": {self.access.problem or 'no access with what we have'}", "denied"
        elif answer.status == 404 and (codes or "docker-distribution-api-version" in answer.headers):
            why, state = "", "absent"
        else:
            why, state = "", "unreachable" if answer.status == 429 or answer.status >= 500 else "other-kind"
        return RegistryError(said + why, state, answer.status)

    def _page(self, answer: Answer) -> list[Any]:
        """The names on a page. Raises :class:`RegistryError` for what is no list of tags: a proxy's error page."""
        listed = _json(answer.body, answer.kind).get("tags", "none")
        if listed is None:
            return []
        if not isinstance(listed, list):
            raise RegistryError("its answer has no list of tags", "other-kind")
        return listed


def _json(body: bytes, kind: str = "") -> dict[str, Any]:
    """An object of JSON. Raises :class:`RegistryError`."""
    import json

    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        what = f" but {clean(kind, 40)}" if kind and "json" not in kind else ""
        raise RegistryError(f"its answer is no JSON{what}", "other-kind") from None
    if not isinstance(document, dict):
        raise RegistryError("its answer is no JSON object", "other-kind")
    return document


def _errors(answer: Answer) -> list[dict[str, Any]]:
    try:
        found = answer.json().get("errors")
    except (ValueError, AttributeError):
        return []
    return [entry for entry in found[:20] if isinstance(entry, dict)] if isinstance(found, list) else []


def _next(answer: Answer, path: str) -> str | None:
    """Path and query of the next page; None when there is none.

    It is asked at the same place: of a link that leads elsewhere only what it says of where to go on counts.
    """
    address = answer.links.get("next")
    if address is None:
        return None
    try:
        query = parse_qsl(urlsplit(address).query)
    except ValueError:
        return None
    return f"{path}?{urlencode(query)}" if query else None
