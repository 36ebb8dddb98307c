"""How a registry wants to be asked: its challenge is read, a token is fetched, kept in memory alone, and renewed.

Sources: the token flow of the distribution project, measured with Debian's docker-registry; what is particular about
nvcr.io (a challenge without service and scope, an answer that is not called JSON, a key that goes with a fixed account
name, a token that cannot be renewed by the newest challenge) as public clients tell it. nvcr.io was never seen live.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from trtdoctor.lazyre import pattern
from trtdoctor.net.credentials import Login, bearer
from trtdoctor.net.http import Answer, Client, NetError
from trtdoctor.net.words import without_addresses
from trtdoctor.record import record

if TYPE_CHECKING:
    from requests.auth import AuthBase

_LONGEST = 8192
_MOST_CHALLENGES = 16
_MOST_BYTES = 256 << 10
_USUAL_SECONDS = 60.0
"""How long a token is good for whose service does not say so."""
_MOST_SECONDS = 3600.0
_MOST_TURNS = 6
"""Tokens that are over as soon as they come are not fetched for ever."""

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SPACE = pattern(r"[\s,]*")
_PARAMETER = pattern(rf'(?P<name>{_WORD})\s*=\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^\s,"]*))', re.DOTALL)
_SCHEME = pattern(rf"(?P<scheme>{_WORD})(?=[\s,]|$)")
_OTHER = pattern(r"[^\s,]+")
_TOKEN = pattern(r"[\x21-\x7e]{1,65536}")


@record
class Challenge:
    """One way in which a server wants to be asked."""

    scheme: str
    """In lower case: ``bearer``, ``basic``."""
    parameters: dict[str, str]
    """Names in lower case."""


def parse(text: str) -> tuple[Challenge, ...]:
    """The challenges of a ``WWW-Authenticate`` header, in their order; what is none is passed over.

    Values may be quoted and then hold commas and ``=``; some servers leave out the commas between parameters.
    """
    text = text[:_LONGEST]
    found: list[Challenge] = []
    place = _end(_SPACE, text, 0)
    while place < len(text) and len(found) <= _MOST_CHALLENGES:
        parameter = _PARAMETER.match(text, place)
        scheme = None if parameter else _SCHEME.match(text, place)
        if parameter and found:
            quoted = parameter["quoted"]
            value = _unquoted(quoted) if quoted is not None else parameter["plain"]
            found[-1].parameters.setdefault(parameter["name"].lower(), value)
        if scheme:
            found.append(Challenge(scheme["scheme"].lower(), {}))
        if not parameter and not scheme and text[place] == '"':
            break  # a quotation without an end
        here = parameter or scheme or _OTHER.match(text, place)
        place = _end(_SPACE, text, here.end() if here else place + 1)
    return tuple(found[:_MOST_CHALLENGES])


def _end(expression: Any, text: str, place: int) -> int:
    match = expression.match(text, place)
    end: int = match.end() if match else place
    return end


def _unquoted(text: str) -> str:
    parts = iter(text)
    return "".join(next(parts, "") if character == "\\" else character for character in parts)


class Access:
    """Asks a registry for one repository, with what it wants to see. May be used from several threads at once.

    Nothing is sent before the registry asks for it, except a token that the user named for it.
    """

    def __init__(self, client: Client, base: str, repository: str, login: Login | None, account: str | None) -> None:
        """``account`` is the name that goes with a token at this registry's token service; None for none."""
        self._client = client
        self._base = base
        self._scope = f"repository:{repository}:pull"
        self._lock = threading.Lock()
        self._serial = 0
        self._login = login
        self._auth: AuthBase | None = None
        self._ends = float("inf")
        self._secrets: set[str] = {secret for secret in (login.password, login.token) if secret} if login else set()
        self.challenge: Challenge | None = None
        """The one that answered a question without credentials; the only kind that is ever followed."""
        self.problem: str | None = None
        """Why there is no token, in words."""
        if login is not None and login.token:
            if account is not None:
                self._login = Login(login.origin, account, login.token)
            else:
                self._auth = login.auth()

    def ask(self, call: Callable[[AuthBase | None], Answer]) -> Answer:
        """What ``call`` answers when it is given what the registry wants; a 401 in the end where that was not enough.

        A token that is refused is dropped and the question repeated without it: the challenge that comes with the
        refusal may name a service that knows nothing of us (nvcr.io does so once a token is over). Raises
        :class:`NetError`.
        """
        made = False
        for _ in range(_MOST_TURNS):
            auth, serial = self._current()
            answer = call(auth)
            if answer.status != 401 or answer.redirected:
                return answer
            if auth is not None and made:
                return answer  # it was made a moment ago
            if auth is not None:
                self._drop(serial)
            elif self._follow(answer, serial):
                made = True
            else:
                break
        return answer

    def holds_secret(self, text: str) -> bool:
        """Whether a text from outside repeats one of our secrets."""
        return any(secret in text for secret in list(self._secrets))

    def _current(self) -> tuple[AuthBase | None, int]:
        """What to show now, and its number; a token that is over is made anew from the first challenge."""
        with self._lock:
            if time.monotonic() >= self._ends:
                self._auth, self._ends = None, float("inf")
                if self.challenge is not None:
                    self._answer(self.challenge)
                self._serial += 1
            return self._auth, self._serial

    def _drop(self, serial: int) -> None:
        with self._lock:
            if serial == self._serial:
                self._auth, self._ends = None, float("inf")
                self._serial += 1

    def _follow(self, answer: Answer, serial: int) -> bool:
        """Whether there is something to show now."""
        with self._lock:
            if serial != self._serial:
                return self._auth is not None  # another thread was here before
            known = {item.scheme: item for item in reversed(parse(answer.headers.get("www-authenticate", "")))}
            self.challenge = known.get("bearer") or known.get("basic")
            self._serial += 1
            return self.challenge is not None and self._answer(self.challenge)

    def _answer(self, challenge: Challenge) -> bool:
        if challenge.scheme == "bearer":
            return self._fetch(challenge)
        if self._login is None or self._login.token:
            self.problem = "it wants a name and a password"
            return False
        self._auth = self._login.auth()
        return True

    def _fetch(self, challenge: Challenge) -> bool:
        realm, wrong = _realm(challenge.parameters.get("realm", ""), self._base)
        if wrong is not None:
            self.problem = wrong
            return False
        login = self._login if self._login is not None and not self._login.token else None
        url = _with_query(realm, challenge.parameters.get("service"), challenge.parameters.get("scope") or self._scope)
        try:
            answer = self._client.get(url, most=_MOST_BYTES, auth=login.auth() if login else None)
        except NetError as error:
            self.problem = f"its token service gave no answer ({without_addresses(str(error))})"
            return False
        if answer.status != 200:
            who = "who we say to be" if login else "us without a login"
            refused = answer.status in (400, 401, 403)
            self.problem = f"its token service refuses {who}" if refused else f"its token service says {answer.status}"
            return False
        token, seconds = _token(answer)
        if token is None:
            self.problem = "its token service gave no token"
            return False
        self._secrets.add(token)
        self._auth, self.problem = bearer(token), None
        self._ends = time.monotonic() + seconds - min(10.0, seconds / 10)
        return True


def _realm(said: str, base: str) -> tuple[str, str | None]:
    """The address of a token service, and why it must not be asked: what we know never travels in the open."""
    try:
        address = urljoin(f"{base}/", said)
        parts = urlsplit(address)
        named = bool(said and parts.hostname) and parts.username is None
    except ValueError:
        return "", "its challenge names no token service"
    if parts.scheme not in ("http", "https") or not named:
        return "", "its challenge names no token service"
    if parts.scheme == "http" and base.startswith("https:"):
        return "", "its challenge names a token service without TLS"
    return address, None


def _with_query(realm: str, service: str | None, scope: str) -> str:
    """A realm may have a query of its own, and one that names the scope already."""
    parts = urlsplit(realm)
    said = parse_qsl(parts.query, keep_blank_values=True)
    more = [(name, value) for name, value in (("service", service), ("scope", scope)) if value]
    said += [(name, value) for name, value in more if name not in dict(said)]
    return urlunsplit((parts.scheme, parts.netloc, parts.path, urlencode(said, safe=":/,"), ""))


def _token(answer: Answer) -> tuple[str | None, float]:
    """The token and for how many seconds it is good; read as JSON whatever the server calls it."""
    try:
        document = answer.json()
    except ValueError:
        return None, 0.0
    if not isinstance(document, dict):
        return None, 0.0
    token, said = document.get("token") or document.get("access_token"), document.get("expires_in")
    seconds = _USUAL_SECONDS
    if isinstance(said, (int, float)) and not isinstance(said, bool) and said > 0:
        seconds = max(1.0, min(float(said), _MOST_SECONDS))
    return (token if isinstance(token, str) and _TOKEN.fullmatch(token) else None), seconds
