"""A client for servers that may be slow, broken or hostile.

Each question is bounded in time, size, redirections and tries; a server that asks for patience (``Retry-After``) gets
it, within what is left of the time. Credentials go only to the host that they are for, never along a redirection.
"""

from __future__ import annotations

import email.utils
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import field
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from trtdoctor.net.gates import Gates
from trtdoctor.net.sessions import Sessions
from trtdoctor.net.words import host_of, is_here, reason, shown
from trtdoctor.record import record
from trtdoctor.text import clean

if TYPE_CHECKING:
    from requests.auth import AuthBase
    from typing_extensions import Self

    from trtdoctor.net.cache import Cache

CONNECT_SECONDS = 5.0
READ_SECONDS = 30.0
TRIES = 4
REDIRECTS = 5
PATIENCE_SECONDS = 60.0
"""No server is waited for longer at a time, whatever it asks for."""
TRY_AGAIN = (429, 500, 502, 503, 504)
AT_ONCE = 4
"""Requests of one client that are under way to one host at a time."""
_REDIRECTED = (301, 302, 303, 307, 308)
_CHUNK = 65536
_PACKINGS = ("", "identity", "gzip", "x-gzip", "deflate")
"""How bodies may be packed: of others, and of one packing around another, a few bytes can become gigabytes."""


class NetError(ValueError):
    """No answer that could be used; the message is one line without secrets."""

    def __init__(self, message: str, kind: str = "unreachable") -> None:
        super().__init__(message)
        self.kind = kind
        """``unreachable`` (no connection, no time left), ``hostile`` (a limit was broken)."""


@record
class Answer:
    """What a server answered, whole."""

    url: str
    """The address that was asked, as it may be shown."""
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    host: str
    """Who gave it, after redirections."""
    redirected: bool = False
    """Whether that is another host than the one that was asked."""
    cached: bool = False
    """Whether the server said that what we had is still right (304)."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Addresses of the ``Link`` header by their relation, absolute."""
    base: str = ""
    """The address that gave it, after redirections: what its links are relative to. Not to be shown."""

    @property
    def kind(self) -> str:
        """The media type, in lower case, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the server wants shown to people (``Warning: 299``)."""
        text = self.headers.get("warning", "")
        _, quote, rest = text.partition('"')
        return (clean(rest.rpartition('"')[0], 200),) if quote and text.lstrip().startswith("299") else ()

    def json(self) -> Any:
        """The body as JSON, whatever type the server says. Raises ValueError when it is none."""
        import json

        try:
            return json.loads(self.body)
        except RecursionError:
            raise ValueError("nested too deep") from None


class Client:
    """One run's connections. May be used from several threads at once; a context manager."""

    def __init__(
        self,
        seconds: float,
        *,
        kept: Cache | None = None,
        verify: bool | str = True,
        verify_at: Mapping[str, bool | str] | None = None,
        at_once: int = AT_ONCE,
        gates: Gates | None = None,
        connect: float = CONNECT_SECONDS,
        read: float = READ_SECONDS,
    ) -> None:
        """``seconds`` is all the time that there is; ``verify`` is False, True, or a file of authorities.

        ``verify_at`` says otherwise for single hosts and for those below them (``nvidia.com``). ``gates`` are shared
        by clients that may ask the same host.
        """
        self.ends = time.monotonic() + seconds
        self.kept = kept
        self.verify = verify
        self._verify_at = dict(verify_at or {})
        self.counts: Counter[str] = Counter()
        """Requests by method, and ``bytes`` received in bodies."""
        self._timeouts = (connect, read)
        self._gates = Gates(at_once)
        self._shared = gates
        self._lock = threading.Lock()
        self._sessions = Sessions(loose=False in (verify, *self._verify_at.values()))
        self._known: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give every connection back."""
        self._sessions.close()

    @property
    def left(self) -> float:
        """Seconds that are left; at least 0."""
        return max(0.0, self.ends - time.monotonic())

    def verification(self, url: str) -> bool | str:
        """How the certificate of a host is checked: True, not at all (False), or by a file of authorities."""
        host = urlsplit(url).hostname or ""
        parts = host.lower().split(".")
        names = (".".join(parts[number:]) for number in range(len(parts)))
        return next((self._verify_at[name] for name in names if name in self._verify_at), self.verify)

    @property
    def requests(self) -> int:
        """How many requests were made so far, redirections and repetitions among them."""
        return sum(number for name, number in self.counts.items() if name != "bytes")

    def get(
        self,
        url: str,
        *,
        most: int,
        accept: str = "*/*",
        auth: AuthBase | None = None,
        headers: Mapping[str, str] | None = None,
        keep: bool = False,
        tries: int = TRIES,
    ) -> Answer:
        """The answer to GET, its body at most ``most`` bytes. Raises :class:`NetError`.

        ``keep``: whether the answer may be kept and asked for again by its validators; never for what holds a secret.
        """
        known = self.kept.find(url, accept) if keep and self.kept is not None else None
        asked = {"accept": accept, **(headers or {}), **(known.validators if known else {})}
        with self.open("GET", url, auth=auth, headers=asked, tries=tries) as (answer, final):
            if answer.status_code == 304 and known is not None:
                return _answer(url, final, known.status, known.headers, known.body, cached=True)
            body = self._body(answer, url, most)
            found = {name.lower(): value for name, value in answer.headers.items()}
            if keep and self.kept is not None and answer.status_code == 200:
                self.kept.keep(url, accept, found, body)
            return _answer(url, final, answer.status_code, found, body)

    def head(
        self,
        url: str,
        *,
        accept: str = "*/*",
        auth: AuthBase | None = None,
        headers: Mapping[str, str] | None = None,
        tries: int = TRIES,
    ) -> Answer:
        """The answer to HEAD. Raises :class:`NetError`."""
        asked = {"accept": accept, **(headers or {})}
        with self.open("HEAD", url, auth=auth, headers=asked, tries=tries) as (answer, final):
            answer.raw.drain_conn()  # there is no body, but only a connection that was read from is used again
            found = {name.lower(): value for name, value in answer.headers.items()}
            return _answer(url, final, answer.status_code, found, b"")

    @contextmanager
    def open(
        self,
        method: str,
        url: str,
        *,
        auth: AuthBase | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
        tries: int = TRIES,
        follow: bool = True,
    ) -> Iterator[tuple[Any, str]]:
        """The answer of requests, its body unread, and the address that gave it. Raises :class:`NetError`.

        A status of ``TRY_AGAIN`` is tried again; what still has one after ``tries`` is given as it is, and so is a
        redirection where none is to be followed.
        """
        redirects = REDIRECTS if follow else None
        for turn in range(tries):
            last = turn + 1 == tries
            with self._sessions.lent() as session:
                answer, final = self._follow(
                    session, method, url, auth, dict(headers or {}), data, redirects, last=last
                )
                if answer is None:
                    continue
                try:
                    wait = _patience(answer.headers.get("retry-after"), turn)
                    if answer.status_code not in TRY_AGAIN or last or wait > min(PATIENCE_SECONDS, self.left):
                        yield answer, final
                        return
                finally:
                    answer.close()
            time.sleep(wait)

    @contextmanager
    def stream(
        self, url: str, *, most: int, auth: AuthBase | None = None, headers: Mapping[str, str] | None = None
    ) -> Iterator[tuple[Answer, Iterator[bytes]]]:
        """The answer to GET without its body, and the body as it comes: the file itself, as it lies on the server.

        Raises :class:`NetError`, also while the body is read: for more than ``most`` bytes, or for one that breaks off.
        """
        asked = {"accept": "*/*", "accept-encoding": "identity", **(headers or {})}
        with self.open("GET", url, auth=auth, headers=asked) as (answer, final):
            found = {name.lower(): value for name, value in answer.headers.items()}
            parts = self._parts(answer, url, most, decode=False)
            yield _answer(url, final, answer.status_code, found, b""), parts

    def _follow(
        self,
        session: Any,
        method: str,
        url: str,
        auth: AuthBase | None,
        headers: dict[str, str],
        data: bytes | None,
        redirects: int | None,
        *,
        last: bool,
    ) -> tuple[Any, str]:
        """Along redirections; None where there was no connection and it is worth another try."""
        start = url
        for _ in range((redirects or 0) + 1):
            if urlsplit(url).scheme not in ("http", "https"):
                raise NetError(f"{shown(url)}: only http and https are asked", "hostile")
            with self._turn(url, start):
                answer = self._sent(session, method, url, auth, headers, data, last=last)
            if answer is None:
                return None, url
            if answer.status_code == 407:
                answer.close()
                raise NetError(f"{shown(start)}: the proxy wants a login, or another one (407)")
            place = answer.headers.get("location")
            if answer.status_code not in _REDIRECTED or not place or redirects is None:
                return answer, url
            answer.close()
            following = _joined(url, place)
            if url.startswith("https:") and not following.startswith("https:"):
                raise NetError(f"{shown(start)}: it redirects from https to {shown(following)}", "hostile")
            if host_of(following) != host_of(url):
                auth = None
                headers = {name: value for name, value in headers.items() if name.lower() != "authorization"}
            url = following
        raise NetError(f"{shown(start)}: more than {REDIRECTS} redirections", "hostile")

    def _sent(
        self,
        session: Any,
        method: str,
        url: str,
        auth: AuthBase | None,
        headers: Mapping[str, str],
        data: bytes | None,
        *,
        last: bool,
    ) -> Any:
        """The answer to one request; None as for :meth:`_follow`."""
        import requests

        self._count(method, 1)
        seconds = self.left + 0.1
        try:
            asked = requests.Request(
                method, url, headers=headers, data=data, auth=auth if auth is not None else _nobody()
            )
            return session.send(
                session.prepare_request(asked),
                timeout=(min(self._timeouts[0], seconds), min(self._timeouts[1], seconds)),
                allow_redirects=False,
                **self._settings(session, url),
            )
        except (requests.exceptions.SSLError, requests.exceptions.InvalidURL) as error:
            raise NetError(f"{shown(url)}: {reason(error)}") from None
        except (requests.RequestException, OSError, ValueError) as error:
            if last or self.left <= 1:
                raise NetError(f"{shown(url)}: {reason(error)}") from None
            time.sleep(0.1)
            return None

    def _body(self, answer: Any, url: str, most: int) -> bytes:
        """All of it. Raises :class:`NetError` for one that is too long, too slow, or breaks off."""
        return b"".join(self._parts(answer, url, most))

    def _parts(self, answer: Any, url: str, most: int, *, decode: bool = True) -> Iterator[bytes]:
        import requests
        from urllib3.exceptions import HTTPError

        total = 0
        packing = str(answer.headers.get("content-encoding") or "").strip().lower()
        if decode and packing not in _PACKINGS:
            raise NetError(f"{shown(url)}: the answer is packed in a way that was not asked for", "hostile")
        try:
            # read1 gives what has come: who sends a byte a second must not be waited for until a block is full.
            while part := answer.raw.read1(_CHUNK, decode_content=decode):
                total += len(part)
                self._count("bytes", len(part))
                if total > most:
                    raise NetError(f"{shown(url)}: the answer is longer than {_size(most)}", "hostile")
                if self.left <= 0:
                    raise NetError(f"{shown(url)}: the answer did not end in time")
                yield part
        except (requests.RequestException, HTTPError, OSError) as error:
            raise NetError(f"{shown(url)}: the answer broke off ({reason(error)})") from None

    @contextmanager
    def _turn(self, url: str, start: str) -> Iterator[None]:
        """Wait until a request to the host of ``url`` may go out. Raises :class:`NetError` where time ends before."""
        with ExitStack() as stack:
            for gates in filter(None, (self._gates, self._shared)):
                if not stack.enter_context(gates.through(url, self.left)):
                    raise NetError(f"{shown(start)}: no time left")
            if self.left <= 0:
                raise NetError(f"{shown(start)}: no time left")
            yield

    def _settings(self, session: Any, url: str) -> dict[str, Any]:
        """What the environment says of a host (proxies, authorities): read once, it is long in the reading."""
        place = urlsplit(url)
        key = f"{place.scheme}://{place.netloc}"
        found = self._known.get(key)
        if found is None:
            found = session.merge_environment_settings(url, {}, True, self.verification(url), None)
            if is_here(place.hostname or ""):
                found["proxies"] = {}  # no proxy is the way to this machine itself, and none need see what goes there
            self._known[key] = found
        return found

    def _count(self, name: str, number: int) -> None:
        with self._lock:
            self.counts[name] += number


@cache
def _nobody() -> AuthBase:
    """No credentials; without one requests would take those of netrc, in place of a header of ours too."""
    from requests.auth import AuthBase

    class Nobody(AuthBase):
        def __call__(self, request: Any) -> Any:
            return request

    return Nobody()


def _answer(
    url: str, final: str, status: int, headers: Mapping[str, str], body: bytes, *, cached: bool = False
) -> Answer:
    from requests.utils import parse_header_links

    links: dict[str, str] = {}
    for item in parse_header_links(headers.get("link", "")) if "link" in headers else ():
        if "rel" in item and "url" in item:
            links.setdefault(item["rel"], _joined(final, item["url"]))
    host = host_of(final)
    return Answer(shown(url), status, headers, body, host, host != host_of(url), cached, links, final)


def _joined(base: str, address: str) -> str:
    """An address that a server gave, absolute; empty for one that is none."""
    try:
        return urljoin(base, address)
    except ValueError:
        return ""


def _patience(text: str | None, turn: int) -> float:
    """Seconds to wait before another try: what the server asks for, else a back-off from half a second on."""
    if text:
        if text.strip().isdecimal():
            return float(min(int(text.strip()), 86400))
        try:
            return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
        except (TypeError, ValueError, OverflowError):
            pass
    return 0.5 * float(2**turn)


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count >> 10} KiB"
