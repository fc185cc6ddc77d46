"""Posts that a client authenticates. Layer: remote, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from codegrant.errors import ConfigurationError
from codegrant.flow import Flow
from codegrant.http import Headers, Request, Response
from codegrant.messages.client_authentication import build_client_authentication
from codegrant.messages.parameters import build_query
from codegrant.remote.fetch import send
from codegrant.secret import Secret

__all__ = ["METHODS", "authenticated_post", "choose_method"]

METHODS = ("client_secret_basic", "client_secret_post", "none")
_FORM = "application/x-www-form-urlencoded"


def choose_method(configured: str | None, secret: Secret | None, supported: Sequence[str]) -> str:
    """Return how to authenticate at a token endpoint; never by trying.

    Args:
        configured: what the program named, or `None`.
        secret: the client's secret, or `None` for a public client.
        supported: the server's `token_endpoint_auth_methods_supported`; empty means
            `client_secret_basic`.

    Raises:
        ConfigurationError: the server takes no method that this client can use.

    RFC 6749 §2.3; RFC 8414 §2. Basic goes first: form fields end in logs more often.
    """
    if configured is not None:
        return configured
    if secret is None:
        return "none"
    for method in ("client_secret_basic", "client_secret_post"):
        if method in (supported or METHODS):
            return method
    raise ConfigurationError(
        f"token_endpoint_auth_method: the server takes {', '.join(supported)}, and a client with "
        "a secret can use client_secret_basic or client_secret_post",
        hint="name the method explicitly if the server's metadata is wrong",
    )


def authenticated_post(
    url: str,
    form: Iterable[tuple[str, str]],
    *,
    method: str,
    client_id: str,
    secret: Secret | None,
    stage: str,
    guarded: bool = False,
) -> Flow[Response]:
    """Post `form` as the client and return the answer, whatever its status.

    Raises:
        TransportError: the answer did not come.
    """
    auth_headers, auth_form = build_client_authentication(method, client_id, secret)
    request = Request(
        method="POST",
        url=url,
        headers=Headers([("accept", "application/json"), ("content-type", _FORM), *auth_headers]),
        body=build_query([*form, *auth_form]).encode(),
    )
    return (yield from send(request, stage=stage, guarded=guarded))
