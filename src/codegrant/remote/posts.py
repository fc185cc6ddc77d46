"""Posts that a client authenticates. Layer: remote, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from codegrant.errors import ConfigurationError
from codegrant.flow import Flow
from codegrant.http import Headers, Request, Response
from codegrant.jose import sign_jwt
from codegrant.messages.client_authentication import build_client_authentication
from codegrant.messages.json import JsonValue
from codegrant.messages.parameters import build_query
from codegrant.providers import SignedSecret
from codegrant.remote.fetch import send
from codegrant.secret import Secret

if TYPE_CHECKING:
    from codegrant.remote.client_assertion import ClientKey

__all__ = ["METHODS", "ClientAuthentication", "authenticated_post", "choose_method"]

METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")
SIGNED_SECRET_LIFETIME = 300
"""Seconds."""

_Pairs: TypeAlias = tuple[tuple[str, str], ...]
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientAuthentication:
    """How one client shows who it is at one server.

    Attributes:
        client_id: as registered.
        method: one of `METHODS`.
        secret: for the two methods with a secret.
        key: for `private_key_jwt`.
        audience: whom an assertion is for: the server's issuer.
        algs: which algorithms the server lists for assertions; empty when it does not say.
        supported: which methods it lists, for the hints of errors.
        guarded: whether it must live at public addresses.
        signed_secret: what `secret` is made from anew for each request, at a provider that
            wants a JWT in its place.
        headers: that every request to this server has.
    """

    client_id: str
    method: str
    secret: Secret | None = None
    key: ClientKey | None = None
    audience: str = ""
    algs: tuple[str, ...] = ()
    supported: tuple[str, ...] = ()
    guarded: bool = False
    signed_secret: SignedSecret | None = None
    headers: tuple[tuple[str, str], ...] = ()
    _standing: list[tuple[Headers, _Pairs]] = field(
        default_factory=list["tuple[Headers, _Pairs]"], init=False, compare=False, repr=False
    )

    def standing(self) -> tuple[Headers, _Pairs]:
        """Return the header and the form fields that are the same in every post; made once.

        Raises:
            UsageError: see `build_client_authentication`.
        """
        if not self._standing:
            self._standing.append(_fields(self, self.secret, None))
        return self._standing[0]

    def secrets(self, *others: Secret | None) -> list[Secret]:
        """Return the secret, if there is one, and what else a request holds, for its errors."""
        basic: Secret | None = None
        if self.method == "client_secret_basic" and self.secret is not None:
            sent = self.standing()[0].get("authorization")
            basic = Secret(sent.removeprefix("Basic "))
        return [secret for secret in (*others, self.secret, basic) if secret is not None]


def choose_method(
    configured: str | None,
    *,
    secret: Secret | None,
    key: ClientKey | None,
    supported: Sequence[str],
) -> str:
    """Return how to authenticate at a token endpoint; never by trying.

    Args:
        configured: what the program named, or `None`.
        secret: the client's secret, or `None`.
        key: the client's key, or `None`; without either it is a public client.
        supported: the server's `token_endpoint_auth_methods_supported`; empty means
            `client_secret_basic`.

    Raises:
        ConfigurationError: the server takes no method that this client can use.

    RFC 6749 §2.3; RFC 8414 §2. A key goes first where the server lists it, since it never
    travels; then basic: form fields end in logs more often.
    """
    if configured is not None:
        return configured
    usable: list[str] = []
    if key is not None:
        usable += ["private_key_jwt"]
    if secret is not None:
        usable += ["client_secret_basic", "client_secret_post"]
    if not usable:
        return "none"
    if not supported:
        return "private_key_jwt" if secret is None else "client_secret_basic"
    for method in usable:
        if method in supported:
            return method
    has = "a key and a secret" if key and secret else "a key" if key else "a secret"
    raise ConfigurationError(
        f"token_endpoint_auth_method: the server takes {', '.join(supported)}, and a client with "
        f"{has} can use {' or '.join(usable)}",
        hint="name the method explicitly if the server's metadata is wrong",
    )


def authenticated_post(
    url: str,
    form: Iterable[tuple[str, str]],
    *,
    client: ClientAuthentication,
    stage: str,
    now: int,
    headers: Sequence[tuple[str, str]] = (),
) -> Flow[Response]:
    """Post `form` as the client and return the answer, whatever its status.

    Args:
        url: of the endpoint.
        form: the request, without the client's authentication.
        client: how it authenticates.
        stage: for the errors.
        now: epoch seconds.
        headers: further ones.

    Raises:
        UsageError, ConfigurationError: no assertion can be made for this server.
        TransportError: the answer did not come.
    """
    assertion: Secret | None = None
    if client.method == "private_key_jwt" and client.key is not None:
        from codegrant.remote.client_assertion import client_assertion

        assertion = yield from client_assertion(
            client.key,
            client_id=client.client_id,
            audience=client.audience,
            algs=client.algs,
            now=now,
        )
    if client.signed_secret is not None:
        signed = assertion = _sign_secret(client.signed_secret, client.client_id, now)
        fields, auth_form = _fields(client, signed, None)
    elif assertion is not None:
        fields, auth_form = _fields(client, client.secret, assertion)
    else:
        fields, auth_form = client.standing()
    request = Request(
        method="POST",
        url=url,
        headers=Headers([*fields.pairs(), *headers]) if headers else fields,
        body=build_query([*form, *auth_form]).encode(),
    )
    response = yield from send(request, stage=stage, guarded=client.guarded)
    return response if assertion is None else _without(response, assertion)


def _fields(
    client: ClientAuthentication, secret: Secret | None, assertion: Secret | None
) -> tuple[Headers, _Pairs]:
    """Return the header and the form fields of a post besides its own form."""
    auth_headers, auth_form = build_client_authentication(
        client.method, client.client_id, secret, assertion
    )
    common = [("accept", "application/json"), ("content-type", _FORM)]
    return Headers([*common, *client.headers, *auth_headers]), tuple(auth_form)


def _sign_secret(source: SignedSecret, client_id: str, now: int) -> Secret:
    """Return a client secret that is good for a few minutes."""
    claims: dict[str, JsonValue] = {
        "iss": source.issuer,
        "iat": now,
        "exp": now + SIGNED_SECRET_LIFETIME,
        "aud": source.audience,
        "sub": client_id,
    }
    return Secret(sign_jwt(source.key, claims, typ=""))


def _without(response: Response, assertion: Secret) -> Response:
    """Return the answer with a mask for the assertion, should it repeat it in an error."""
    text, mask = assertion.reveal(), "***"
    fields = [(name, value.replace(text, mask)) for name, value in response.headers.pairs()]
    body = response.body.replace(text.encode(), mask.encode())
    return replace(response, headers=Headers(fields), body=body)
