"""Requests that carry a proof of possession, and the nonces of the servers. Layer: client, no I/O.

A server may want a nonce of its own in every proof. It says so by refusing a request, which is
then sent once more with that nonce, and never a third time. RFC 9449 §8, §9.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from codegrant.client.tokens import Tokens
from codegrant.errors import ConfigurationError, MessageError
from codegrant.flow import Flow, RandomBytes, ask
from codegrant.http import Headers, Request, Response
from codegrant.jose import PrivateKey
from codegrant.messages.json import parse_object
from codegrant.messages.metadata import ServerMetadata
from codegrant.remote.fetch import send
from codegrant.remote.posts import ClientAuthentication, authenticated_post
from codegrant.rules.dpop import ALGS, build_proof, choose_alg, find_nonce, proof_origin
from codegrant.secret import Secret

__all__ = [
    "ProofNonces",
    "challenges_for",
    "make_key",
    "post",
    "proof_alg",
    "send_proven",
    "send_with_token",
]

R = TypeVar("R")

_JTI_BYTES = 16
_REMEMBERED_ORIGINS = 256


class ProofNonces:
    """The nonce that each origin wants in a proof; safe to share between threads and tasks.

    Two servers that share a login have a nonce each, so the authorization server's never
    goes to an API. RFC 9449 §8, §9.
    """

    __slots__ = ("_by_origin",)

    def __init__(self) -> None:
        self._by_origin: dict[str, str] = {}

    def find(self, url: str) -> str:
        """Return the nonce for a request to `url`; empty when its origin asked for none."""
        return self._by_origin.get(proof_origin(url), "")

    def note(self, url: str, nonce: str) -> None:
        """Remember what the origin of `url` wants in the next proof."""
        origin = proof_origin(url)
        if origin not in self._by_origin and len(self._by_origin) >= _REMEMBERED_ORIGINS:
            self._by_origin = {}  # what is forgotten costs one request more
        self._by_origin[origin] = nonce

    def __repr__(self) -> str:
        return f"ProofNonces({len(self._by_origin)} origins)"


def proof_alg(metadata: ServerMetadata) -> str:
    """Return what proofs are signed with at this server.

    Raises:
        ConfigurationError: `no_dpop_alg`, the server verifies no proof that we can sign.

    RFC 9449 §5.1.
    """
    alg = choose_alg(metadata.dpop_signing_alg_values_supported)
    if alg is None:
        raise ConfigurationError(
            f"dpop: proofs are signed with {' or '.join(ALGS)}, and the server takes neither",
            code="no_dpop_alg",
            hint="leave dpop out at this server",
        )
    return alg


def make_key(metadata: ServerMetadata) -> PrivateKey:
    """Return a new key for tokens that no login stands behind.

    Raises:
        ConfigurationError: see `proof_alg`.
    """
    return PrivateKey.generate(proof_alg(metadata))


def send_proven(
    nonces: ProofNonces,
    key: PrivateKey,
    *,
    method: str,
    url: str,
    clock: Callable[[], float],
    access_token: Secret | None,
    send: Callable[[str], Flow[R]],
    nonces_of: Callable[[R], Sequence[str]],
    wants_nonce: Callable[[R], bool],
) -> Flow[R]:
    """Send a request with a proof; once more when it is refused for want of another nonce.

    Args:
        nonces: of the origins.
        key: that the token is bound to, or will be.
        method: of the request.
        url: of the request.
        clock: returns epoch seconds: a refusal may come long after a large body was begun.
        access_token: that the request carries; `None` at a token endpoint.
        send: sends it with this proof, and returns the answer.
        nonces_of: the `DPoP-Nonce` fields of an answer.
        wants_nonce: whether an answer says so, and the request can be repeated.

    RFC 9449 §8, §9.
    """

    def attempt(nonce: str) -> Flow[tuple[R, str]]:
        jti = yield from ask(RandomBytes(_JTI_BYTES))
        now = int(clock())
        proof = build_proof(
            key, method=method, url=url, jti=jti, now=now, access_token=access_token, nonce=nonce
        )
        answer = yield from send(proof)
        wanted = find_nonce(nonces_of(answer)) or ""
        if wanted:
            nonces.note(url, wanted)
        return answer, wanted

    nonce = nonces.find(url)
    answer, wanted = yield from attempt(nonce)
    if wanted not in {"", nonce} and wants_nonce(answer):
        # Not what is noted by now: the late answer to another request may have an older one.
        answer, _ = yield from attempt(wanted)
    return answer


def post(
    nonces: ProofNonces,
    key: PrivateKey | None,
    url: str,
    form: Sequence[tuple[str, str]],
    *,
    client: ClientAuthentication,
    stage: str,
    now: int,
) -> Flow[Response]:
    """Post `form` as the client, with a proof of `key` if there is one.

    Returns the answer, whatever its status. Raises as `authenticated_post` does.

    RFC 9449 §5, §8, §10.1.
    """
    if key is None:
        return (yield from authenticated_post(url, form, client=client, stage=stage, now=now))

    def send_with(proof: str) -> Flow[Response]:
        # A client assertion is good for one request, as the proof is: both are made anew.
        headers = [("dpop", proof)]
        return authenticated_post(url, form, client=client, stage=stage, now=now, headers=headers)

    return (
        yield from send_proven(
            nonces,
            key,
            method="POST",
            url=url,
            clock=lambda: now,
            access_token=None,
            send=send_with,
            nonces_of=_nonces_of,
            wants_nonce=_names_nonce,
        )
    )


def send_with_token(
    request: Request, tokens: Tokens, nonces: ProofNonces, *, now: int, stage: str, guarded: bool
) -> Flow[Response]:
    """Send a request with the access token of `tokens`, and the proof that it may need.

    Returns the answer, whatever its status.

    Raises:
        TransportError: the answer did not come.

    RFC 6750 §2.1; RFC 9449 §7.1, §9.
    """
    token, key = tokens.access_token, tokens.dpop_key
    if key is None:
        signed = _with(request, ("authorization", f"Bearer {token.reveal()}"))
        return (yield from send(signed, stage=stage, guarded=guarded))

    def send_with(proof: str) -> Flow[Response]:
        signed = _with(request, ("authorization", f"DPoP {token.reveal()}"), ("dpop", proof))
        return send(signed, stage=stage, guarded=guarded)

    return (
        yield from send_proven(
            nonces,
            key,
            method=request.method,
            url=request.url,
            clock=lambda: now,
            access_token=token,
            send=send_with,
            nonces_of=_nonces_of,
            wants_nonce=_challenges_for_nonce,
        )
    )


def challenges_for(status: int, challenge: str, error: str) -> bool:
    """Return whether a 401 names this error in a challenge for an access token.

    Args:
        status: of the answer.
        challenge: its `WWW-Authenticate` field, or fields in one line; empty for none.
        error: e.g. `invalid_token`.

    RFC 6750 §3; RFC 9449 §7.1.
    """
    if status != 401:
        return False
    from codegrant.messages.bearer import parse_challenges

    try:
        found = parse_challenges(challenge)
    except MessageError:
        return False
    return any(
        one.scheme.lower() in {"bearer", "dpop"} and one.params.get("error") == error
        for one in found
    )


def _with(request: Request, *headers: tuple[str, str]) -> Request:
    return replace(request, headers=Headers([*request.headers.pairs(), *headers]))


def _nonces_of(response: Response) -> Sequence[str]:
    return response.headers.get_all("dpop-nonce")


def _challenges_for_nonce(response: Response) -> bool:
    challenge = response.headers.get("www-authenticate")
    return challenges_for(response.status, challenge, "use_dpop_nonce")


def _names_nonce(response: Response) -> bool:
    """Return whether an endpoint refused a proof for want of a nonce. RFC 9449 §8."""
    if response.status not in {400, 401}:
        return False
    try:
        return parse_object(response.body).get("error") == "use_dpop_nonce"
    except MessageError:
        return False
