"""Addresses and failures of the net, in words that hold no secret."""

from __future__ import annotations

from urllib.parse import urlsplit

from trtdoctor.lazyre import pattern
from trtdoctor.text import clean

LONGEST = 700
"""Characters of an address: those of a host and of the longest repository, and some more."""
_LEADING = pattern(r"^[A-Za-z][A-Za-z0-9+.-]{0,30}://\S*: ")
_ADDRESS = pattern(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://\S+")


def shown(url: str) -> str:
    """An address without user info and query, for messages and facts: it can still be asked."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "an address that is none"
    return clean(f"{parts.scheme}://{_name(parts.hostname)}{port}{parts.path}", LONGEST)


def host_of(url: str) -> str:
    """Host and port, as credentials and limits are kept by; the port is left out where it is the scheme's own."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    name = _name(parts.hostname).lower()
    return name if port in (None, usual) else f"{name}:{port}"


def _name(host: str | None) -> str:
    """A host as addresses have it: of IPv6 in brackets, or nobody could tell its end from a port."""
    return f"[{host}]" if host and ":" in host else host or ""


def is_here(host: str) -> bool:
    """Whether a host is this very machine."""
    import ipaddress

    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def reason(error: Exception) -> str:
    """What went wrong on the net, without addresses that may hold a password."""
    import requests

    words = (
        (requests.exceptions.SSLError, "its certificate is not trusted"),
        (requests.exceptions.ConnectTimeout, "no connection in time"),
        (requests.exceptions.Timeout, "no answer in time"),
        (requests.exceptions.ProxyError, "the proxy gives no connection"),
        (requests.exceptions.ConnectionError, "no connection"),
        (ValueError, "it gives an address that is none"),
    )
    return next((text for kind, text in words if isinstance(error, kind)), type(error).__name__)


def without_addresses(message: str) -> str:
    """What went wrong without where: for facts, which may be shown to those who need not know a site's hosts."""
    return _ADDRESS.sub("another address", _LEADING.sub("", message))
