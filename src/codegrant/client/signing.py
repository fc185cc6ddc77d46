"""How a request to an API gets its token, and what a refusal says. Layer: client, no I/O.

A bearer token is a header and no more. A token that is bound to a key goes with a proof for
that one request. RFC 6750, RFC 9449.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from codegrant.client.proofs import ProofNonces, challenges_for, send_proven
from codegrant.client.tokens import Tokens
from codegrant.flow import Effect, Flow, ask

__all__ = ["ApiRequest", "ApiResponse", "Exchange", "is_refusal", "send_signed", "sign"]


class _Fields(Protocol):
    def __setitem__(self, key: str, value: str, /) -> None: ...


class _Answered(Protocol):
    def get(self, key: str, default: str, /) -> str: ...


class ApiRequest(Protocol):
    """A request, as every library has it."""

    @property
    def headers(self) -> _Fields:
        """Its header fields, by name."""
        ...

    @property
    def method(self) -> str | None:
        """As it is sent."""
        ...

    @property
    def url(self) -> object:
        """Its text is the whole address."""
        ...


class ApiResponse(Protocol):
    """A response, as every library has it."""

    @property
    def status_code(self) -> int:
        """Three digits. RFC 9110 §15."""
        ...

    @property
    def headers(self) -> _Answered:
        """Its header fields, by name; repeated ones in one line."""
        ...


class Exchange(Effect[ApiResponse]):
    """Let the HTTP library send the request."""

    __slots__ = ("request",)

    def __init__(self, request: ApiRequest) -> None:
        self.request: ApiRequest = request


def sign(request: ApiRequest, tokens: Tokens) -> None:
    """Put a bearer token into the header. RFC 6750 §2.1."""
    request.headers["authorization"] = f"Bearer {tokens.access_token.reveal()}"


def send_signed(
    request: ApiRequest,
    tokens: Tokens,
    nonces: ProofNonces,
    clock: Callable[[], float],
    rewind: Callable[[], bool],
) -> Flow[ApiResponse]:
    """Send `request` with its token; once more when the API wants a nonce in the proof.

    Args:
        request: of the HTTP library.
        tokens: whose access token goes along.
        nonces: of the origins.
        clock: returns epoch seconds.
        rewind: makes the request ready to be sent once more; False if it cannot be.

    RFC 9449 §7.1, §9.
    """
    key = tokens.dpop_key
    if key is None:
        sign(request, tokens)
        return (yield from ask(Exchange(request)))
    token = tokens.access_token

    def send(proof: str) -> Flow[ApiResponse]:
        request.headers["authorization"] = f"DPoP {token.reveal()}"
        request.headers["dpop"] = proof
        return ask(Exchange(request))

    return (
        yield from send_proven(
            nonces,
            key,
            method=request.method or "",
            url=str(request.url),
            clock=clock,
            access_token=token,
            send=send,
            nonces_of=_nonces_of,
            wants_nonce=lambda response: _says(response, "use_dpop_nonce") and rewind(),
        )
    )


def is_refusal(response: ApiResponse, *, bare: bool) -> bool:
    """Return whether the API says that the token itself is no good. RFC 6750 §3.1, RFC 9449 §7.1.

    With `bare` it says so by the status alone.
    """
    if response.status_code != 401 or bare:
        return response.status_code == 401
    return _says(response, "invalid_token")


def _nonces_of(response: ApiResponse) -> list[str]:
    found = response.headers.get("dpop-nonce", "")
    return [found] if found else []


def _says(response: ApiResponse, error: str) -> bool:
    challenge = response.headers.get("www-authenticate", "")
    return challenges_for(response.status_code, challenge, error)
