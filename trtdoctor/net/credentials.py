"""Who we are to a host: named environment variables, then docker's or podman's configuration, then netrc.

What is found stays in memory; nothing of it is ever printed, and no helper program is started.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from trtdoctor.net.words import host_of

if TYPE_CHECKING:
    from requests.auth import AuthBase

_MOST = 1 << 20


class CredentialsError(ValueError):
    """A variable that was named is not set; the message names the variable, never a value."""


class Login:
    """Name and password, or a token. Never shows what it holds."""

    __slots__ = ("origin", "password", "token", "username")

    def __init__(self, origin: str, username: str = "", password: str = "", token: str = "") -> None:
        """``origin`` is where it was found, for a message."""
        self.origin = origin
        self.username = username
        self.password = password
        self.token = token

    def __repr__(self) -> str:
        return f"Login(from {self.origin})"

    def auth(self) -> AuthBase:
        """As requests takes it: Basic, or Bearer for a token alone."""
        from requests.auth import HTTPBasicAuth

        return bearer(self.token) if self.token else HTTPBasicAuth(self.username, self.password)


def bearer(token: str) -> AuthBase:
    """``Authorization: Bearer`` as an object: a mere header would be replaced by what netrc has."""
    made: AuthBase = _bearer_class()(token)
    return made


@cache
def _bearer_class() -> Any:
    from requests.auth import AuthBase

    class Bearer(AuthBase):
        def __init__(self, token: str) -> None:
            self._token = token

        def __call__(self, request: Any) -> Any:
            request.headers["Authorization"] = f"Bearer {self._token}"
            return request

    return Bearer


def find(
    url: str,
    environ: Mapping[str, str],
    *,
    username_env: str | None = None,
    password_env: str | None = None,
    token_env: str | None = None,
) -> Login | None:
    """The login for the host of ``url``; None for nobody in particular.

    Raises :class:`CredentialsError` when a variable is named and not set.
    """
    if token_env or username_env or password_env:
        values = {name: _variable(environ, name) for name in (token_env, username_env, password_env) if name}
        if token_env:
            return Login(f"${token_env}", token=values[token_env])
        return Login(
            f"${username_env or password_env}", values.get(username_env or "", ""), values.get(password_env or "", "")
        )
    return _from_docker(url, environ) or _from_netrc(url, environ)


def of_address(url: str) -> tuple[str, Login | None]:
    """An address without its user info, and the login that was in it: pip's settings may hold such ones."""
    from urllib.parse import unquote, urlsplit, urlunsplit

    parts = urlsplit(url)
    info, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, None
    username, _, password = info.partition(":")
    bare = urlunsplit((parts.scheme, host, parts.path, parts.query, parts.fragment))
    return bare, Login("its address", unquote(username), unquote(password))


def _variable(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise CredentialsError(f"the environment variable {name}, which is to hold a credential, is not set")
    return value


def _from_docker(url: str, environ: Mapping[str, str]) -> Login | None:
    home = environ.get("HOME", "")
    named = environ.get("DOCKER_CONFIG") or (os.path.join(home, ".docker") if home else "")
    places = [os.path.join(named, "config.json")] if named else []
    if environ.get("REGISTRY_AUTH_FILE"):
        places.insert(0, environ["REGISTRY_AUTH_FILE"])
    if environ.get("XDG_RUNTIME_DIR"):
        places.append(os.path.join(environ["XDG_RUNTIME_DIR"], "containers", "auth.json"))
    host = host_of(url)
    for place in places:
        document = _json(place)
        known = document.get("auths") if isinstance(document, dict) else None
        for name, entry in known.items() if isinstance(known, dict) else ():
            whole = name if "://" in str(name) else f"https://{name}"
            if host_of(whole) == host and isinstance(entry, dict) and (login := _login(entry)) is not None:
                return login
    return None


def _login(entry: dict[str, Any]) -> Login | None:
    try:
        plain = base64.b64decode(str(entry.get("auth") or ""), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
    username, colon, password = plain.partition(":")
    return Login("docker configuration", username, password) if colon and username else None


def _json(path: str) -> Any:
    try:
        with open(path, "rb") as stream:
            return json.loads(stream.read(_MOST))
    except (OSError, ValueError, RecursionError):
        return None


def _from_netrc(url: str, environ: Mapping[str, str]) -> Login | None:
    """As requests would read it, for this host alone; the file's ``default`` is for everybody, so for nobody here."""
    from netrc import NetrcParseError, netrc
    from urllib.parse import urlsplit

    place = environ.get("NETRC") or os.path.join(environ.get("HOME", "") or os.sep, ".netrc")
    try:
        hosts = netrc(place).hosts
    except (OSError, NetrcParseError, UnicodeDecodeError, ValueError):
        return None
    found = hosts.get(urlsplit(url).hostname or "")
    return Login("netrc", found[0] or "", found[2] or "") if found else None
