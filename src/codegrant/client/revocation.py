"""Making tokens worthless at the server that issued them. Layer: client, no I/O. RFC 7009."""

from __future__ import annotations

from codegrant.client.configuration import ClientConfig
from codegrant.client.tokens import Tokens
from codegrant.errors import TransportError, UsageError
from codegrant.flow import Flow
from codegrant.http import Response
from codegrant.messages.revocation import RevocationRequest
from codegrant.remote.posts import authenticated_post
from codegrant.rules.answers import refuse_answer
from codegrant.rules.metadata import VerifiedServer

__all__ = ["revoke_tokens"]


def revoke_tokens(
    config: ClientConfig, server: VerifiedServer, tokens: Tokens, now: int
) -> Flow[None]:
    """Revoke the refresh token, and with it the login; without one the access token.

    Raises:
        UsageError: `no_revocation`, the server has no such endpoint.
        Refused: the server answered with an OAuth error, e.g. `unsupported_token_type`.
        ResponseRejected: its answer is none.
        TransportError: `server_unavailable`, it cannot answer now; or the answer did not
            come. The tokens must be taken to be alive.

    RFC 7009 §2.
    """
    metadata = server.metadata
    url = metadata.revocation_endpoint
    if not url:
        raise UsageError(
            "revoke: the server has no revocation_endpoint",
            code="no_revocation",
            stage="revoke",
            hint="forget the tokens; the access token ends by itself",
        )
    # RFC 8414 §2: basic when it is left out. What works at the token endpoint is likelier.
    client = config.authentication_at(metadata, metadata.revocation_endpoint_auth_methods_supported)
    refresh_token = tokens.refresh_token
    request = RevocationRequest(
        token=tokens.access_token if refresh_token is None else refresh_token,
        token_type_hint="access_token" if refresh_token is None else "refresh_token",
    )
    response = yield from authenticated_post(
        url, request.build(), client=client, stage="revoke", now=now
    )
    if response.status in {200, 204}:  # the body says nothing: RFC 7009 §2.2
        return
    if response.status in {429, 503}:
        raise _unavailable(response, url)
    raise refuse_answer(
        response,
        stage="revoke",
        endpoint=url,
        method=client.method,
        supported=client.supported,
        secrets=client.secrets(request.token),
    )


def _unavailable(response: Response, url: str) -> TransportError:
    """Return the error for a server that asks to be left alone for a while. RFC 7009 §2.2.1."""
    after = response.headers.get("retry-after")
    wait = f" after {after} s" if after.isascii() and after.isdigit() and len(after) < 7 else ""
    return TransportError(
        f"{url} answered {response.status}",
        code="server_unavailable",
        stage="revoke",
        hint=f"the tokens are still alive; try again{wait or ' later'}",
        facts={"endpoint": url, "status": response.status},
    )
