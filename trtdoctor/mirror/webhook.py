"""Changes sent to an address: one POST of JSON, over TLS or to this very machine, and never along a redirection.

The address itself may be a secret (chat services put a key into its path), so no message names more than its host.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from trtdoctor.mirror.change import Change
from trtdoctor.net.words import host_of, is_here, without_addresses
from trtdoctor.record import record
from trtdoctor.text import clean

SCHEMA = "trtdoctor-mirror-changes/1"
SECONDS = 30.0
MOST = 100
"""So many changes go into one message; the rest goes into further ones."""


_NO_MENTIONS = str.maketrans({"<": "(", ">": ")", "@": "(at)", "&": "+"})


class WebhookError(ValueError):
    """The address cannot be used, or it did not take the message; one line without secrets."""

    def __init__(self, message: str, taken: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.taken = tuple(taken)
        """Ids of the changes that it took before that."""


@record
class Webhook:
    """Where changes are sent to."""

    url: str
    token: str | None = None
    """Sent as ``Authorization: Bearer``."""

    @property
    def target(self) -> str:
        """The name that a state knows it by: a digest, as the address may be a secret."""
        return "webhook " + hashlib.sha256(self.url.encode("utf-8", "replace")).hexdigest()[:16]

    @property
    def host(self) -> str:
        """What messages name it by."""
        return clean(host_of(self.url), 100)


def of_options(
    url: str | None, url_env: str | None, token_env: str | None, environ: Mapping[str, str]
) -> Webhook | None:
    """The webhook of a command line; None where there is none. Raises :class:`WebhookError`."""
    if url is not None and url_env is not None:
        raise WebhookError("--webhook and --webhook-env exclude each other")
    if url_env is not None:
        url = _variable(environ, url_env)
    if url is None:
        if token_env is not None:
            raise WebhookError("--webhook-token-env needs --webhook or --webhook-env")
        return None
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if not host or any(ord(letter) <= 32 or ord(letter) == 127 for letter in url):
        raise WebhookError("the webhook is no address")
    if parts.username is not None or parts.password is not None:
        raise WebhookError("no credentials in the address of a webhook: name a variable with --webhook-token-env")
    if parts.scheme != "https" and not (parts.scheme == "http" and is_here(host)):
        raise WebhookError(f"the webhook at {clean(host, 100)}: wanted https (http only to this machine itself)")
    return Webhook(url, _variable(environ, token_env) if token_env is not None else None)


def _variable(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "")
    if not value:
        raise WebhookError(f"the environment variable {clean(name, 60)}, named for the webhook, is not set")
    return value


def send(webhook: Webhook, changes: Sequence[Change], *, at: str, seconds: float = SECONDS) -> tuple[str, ...]:
    """Send the changes; the ids of those that were taken, in their order.

    Servers that are busy are tried again within ``seconds``. Raises :class:`WebhookError` for one that does not take
    them all.
    """
    from trtdoctor.net.credentials import bearer
    from trtdoctor.net.http import Client, NetError

    taken: list[str] = []
    auth = bearer(webhook.token) if webhook.token else None
    with Client(seconds) as client:
        for start in range(0, len(changes), MOST):
            part = changes[start : start + MOST]
            body = json.dumps(document(part, at)).encode("ascii")
            headers = {"content-type": "application/json", "accept": "*/*"}
            try:
                with client.open("POST", webhook.url, auth=auth, headers=headers, data=body, follow=False) as (
                    answer,
                    _,
                ):
                    status = answer.status_code
            except NetError as error:
                raise _refused(webhook, without_addresses(str(error)), taken) from None
            if not 200 <= status < 300:
                raise _refused(webhook, f"HTTP {status}", taken)
            taken += [change.id for change in part]
    return tuple(taken)


def _refused(webhook: Webhook, why: str, taken: Sequence[str]) -> WebhookError:
    return WebhookError(f"the webhook at {webhook.host} did not take the changes ({clean(why, 120)})", taken)


def document(changes: Sequence[Change], at: str) -> dict[str, Any]:
    """The message. ``text`` is what chat services show; what they would take for a mention is spelt otherwise."""
    from trtdoctor import __version__

    lines = [f"{change.source}: {change.text}".translate(_NO_MENTIONS) for change in changes]
    return {
        "schema": SCHEMA,
        "program": f"trtdoctor {__version__}",
        "at": at,
        "text": "\n".join(lines),
        "changes": [change.to_plain() for change in changes],
    }
