"""The userinfo endpoint, seen from the client. Layer: client, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from codegrant.client.configuration import ClientConfig
from codegrant.client.proofs import send_with_token
from codegrant.client.tokens import Tokens
from codegrant.errors import UsageError
from codegrant.flow import Flow
from codegrant.http import Headers, Request, Response
from codegrant.providers import UserShape
from codegrant.remote.posts import authenticated_post
from codegrant.rules.metadata import VerifiedServer
from codegrant.rules.userinfo import judge_userinfo_response

__all__ = ["UserInfo", "ask_userinfo", "fetch_userinfo"]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserInfo:
    """What the server says about the person who logged in.

    Attributes:
        sub: who; equal to the ID token's. With the issuer it is the key of an account;
            an e-mail address never is.
        claims: all members of the answer, `sub` included.
    """

    sub: str
    claims: Mapping[str, object] = field(repr=False)

    @property
    def name(self) -> str | None:
        """The `name` claim, if it is a text."""
        return self._text("name")

    @property
    def preferred_username(self) -> str | None:
        """The `preferred_username` claim, if it is a text: a label, neither unique nor stable."""
        return self._text("preferred_username")

    @property
    def email(self) -> str | None:
        """The `email` claim, if it is a text; see `email_verified`."""
        return self._text("email")

    @property
    def email_verified(self) -> bool:
        """Whether the server vouches for `email`: only for a literal `true`."""
        return self.claims.get("email_verified") is True

    @property
    def picture(self) -> str | None:
        """The `picture` claim, if it is a text: an address that the server was told."""
        return self._text("picture")

    def _text(self, name: str) -> str | None:
        value = self.claims.get(name)
        return value if isinstance(value, str) else None


def fetch_userinfo(
    config: ClientConfig, server: VerifiedServer, tokens: Tokens, now: int
) -> Flow[UserInfo]:
    """Return the claims of the person whose tokens they are.

    Raises:
        UsageError: the tokens identify nobody, or the server has no such endpoint.
        Refused: the endpoint answered with an OAuth error, e.g. `invalid_token`.
        ResponseRejected: the answer must not be used, e.g. it is about somebody else.
        TransportError: the answer did not come.

    OpenID Connect Core §5.3.
    """
    subject = tokens.verified_identity().subject
    url = server.metadata.userinfo_endpoint
    if not url:
        raise UsageError("userinfo: the server has no userinfo_endpoint", code="no_userinfo")
    response = yield from ask_userinfo(config, server, tokens, url, now)
    body = judge_userinfo_response(
        response,
        expected_subject=subject,
        endpoint=url,
        secrets=[tokens.access_token],
        provider=config.provider,
    )
    return UserInfo(sub=body.sub, claims=body.claims)


def ask_userinfo(
    config: ClientConfig, server: VerifiedServer, tokens: Tokens, url: str, now: int
) -> Flow[Response]:
    """Return the answer of a userinfo endpoint, whatever its status.

    Args:
        config: of the client.
        server: of which `url` is an endpoint.
        tokens: of the person.
        url: of the endpoint, or of a known provider's endpoint that adds to it.
        now: epoch seconds.

    Raises:
        TransportError: the answer did not come.

    RFC 6750 §2.1; the catalogue for providers with ways of their own.
    """
    shape = UserShape() if config.provider is None else config.provider.user
    if shape.token_in_form:
        form = [("token", tokens.access_token.reveal())]
        client = config.authentication_at(server.metadata)
        return (yield from authenticated_post(url, form, client=client, stage="userinfo", now=now))
    request = Request(
        method=shape.method,
        url=url,
        headers=Headers([("accept", "application/json"), *config.api_headers]),
    )
    guarded = config.guarded
    return (
        yield from send_with_token(
            request, tokens, config.nonces, now=now, stage="userinfo", guarded=guarded
        )
    )
