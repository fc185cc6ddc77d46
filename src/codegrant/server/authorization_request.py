"""The checks of an authorization request, as an ordered table. Layer: server, no I/O.

`resolve_target` comes first: which client, and where to. Only when both are known good may
any later error be redirected. `judge_request` then runs `REQUEST_CHECKS` and settles scope,
audience and the rest; what it returns is the only thing that a code can be issued for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from codegrant.errors import MessageError, OAuthError
from codegrant.flow import Flow, ask
from codegrant.messages.authorization import AuthorizationRequest
from codegrant.messages.parameters import Parameters
from codegrant.rules.pkce import check_challenge
from codegrant.rules.prompt import parse_max_age, parse_prompt
from codegrant.rules.redirect_uri import match_redirect_uri
from codegrant.rules.resource_indicator import single_resource
from codegrant.rules.scope import allowed_scope, parse_scope
from codegrant.server.audience import resolve_audience
from codegrant.server.claims import ClaimsRequest, parse_claims
from codegrant.server.effects import FindClient
from codegrant.server.id_token_hint import verify_id_token_hint
from codegrant.server.records import ClientRecord, Transaction

if TYPE_CHECKING:
    from codegrant.server.server import AuthorizationServer

__all__ = [
    "REQUEST_CHECKS",
    "CheckedAuthorization",
    "Target",
    "judge_request",
    "judge_transaction",
    "resolve_target",
    "stored_request",
]

# No request can set it: only parameters that we know are stored.
_HINTED_SUBJECT = "id_token_hint: sub"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A client and a redirect URI of its own: errors may go there.

    Attributes:
        redirect_uri_sent: whether the request named it, or it is the only registered one.
        state: as sent, once; None when absent or repeated.
    """

    client: ClientRecord
    redirect_uri: str
    redirect_uri_sent: bool
    state: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedAuthorization:
    """An authorization request that passed every check, for the client as it is now.

    Attributes:
        request: the message as sent.
        scope: what may be granted at most: requested, registered, fit for the audience.
        requested_scope: what was asked for, the client's default when nothing was.
        audience: of the access tokens (D19).
        subject: the one person that the request is about (`id_token_hint`, or `claims`);
            empty for anybody.
        essential_acr: authentication contexts of which one must be reached; empty for any.
    """

    client: ClientRecord
    request: AuthorizationRequest
    redirect_uri: str
    redirect_uri_sent: bool
    scope: tuple[str, ...]
    requested_scope: tuple[str, ...]
    audience: str
    prompt: frozenset[str]
    max_age: int | None
    claims: ClaimsRequest
    subject: str
    essential_acr: tuple[str, ...]


def resolve_target(parameters: Parameters) -> Flow[Target]:
    """Return the client and the redirect URI of a request, both known good.

    Checked in this order: `client_id` present and once, client known and enabled,
    `redirect_uri` once, registered, or omitted where that is allowed.

    Raises:
        MessageError: `client_id` or `redirect_uri` is repeated.
        OAuthError: any other of these; never redirectable.

    RFC 6749 §3.1.2, §4.1.2.1.
    """
    client_id = parameters.single("client_id")
    redirect_uri = parameters.single("redirect_uri")
    if client_id is None:
        raise _page_error("client_id is missing")
    client = yield from ask(FindClient(client_id))
    if client is None:
        raise _page_error("this application is not known here", reason="client unknown")
    if not client.enabled:
        raise _page_error("this application is not known here", reason="client disabled")
    return Target(
        client=client,
        redirect_uri=_resolve_redirect_uri(redirect_uri, client, parameters),
        redirect_uri_sent=redirect_uri is not None,
        state=_single_state(parameters),
    )


def _single_state(parameters: Parameters) -> str | None:
    """Return `state` for an error that is yet to be found; None when it occurs twice."""
    try:
        return parameters.single("state")
    except MessageError:
        return None


def _resolve_redirect_uri(
    redirect_uri: str | None, client: ClientRecord, parameters: Parameters
) -> str:
    """Return the redirect URI to use. RFC 6749 §3.1.2.3, RFC 9700 §2.1, OIDC Core §3.1.2.1."""
    registered = client.redirect_uris
    if redirect_uri is not None:
        native = client.application_type == "native"
        if not match_redirect_uri(redirect_uri, registered, native=native):
            raise _page_error(
                "the redirect_uri is not registered for this application",
                reason="redirect_uri not registered",
            )
        return redirect_uri
    scopes = tuple(filter(None, parameters.all("scope"))) or client.default_scope
    if any("openid" in text.split(" ") for text in scopes):
        raise _page_error("redirect_uri is missing, which OpenID Connect requires")
    if len(registered) != 1:
        raise _page_error("redirect_uri is missing, and the application has not exactly one")
    return registered[0]


def check_request_objects(request: AuthorizationRequest, _: ClientRecord) -> None:
    """Check that the request is in plain parameters. OIDC Core §3.1.2.6."""
    for name in ("request", "request_uri", "registration"):
        if getattr(request, name) is not None:
            raise OAuthError(f"{name}_not_supported", f"{name} is not supported")


def check_response_type(request: AuthorizationRequest, _: ClientRecord) -> None:
    """Check that a code is asked for: no implicit, no hybrid flow. RFC 9700 §2.1.2."""
    if request.response_type is None:
        raise OAuthError("invalid_request", "response_type is missing")
    if request.response_type != "code":
        raise OAuthError("unsupported_response_type", "response_type must be code")


def check_response_mode(request: AuthorizationRequest, _: ClientRecord) -> None:
    """Check that the answer goes into the query. OAuth 2.0 Multiple Response Types §2.1."""
    if request.response_mode not in {None, "query"}:
        raise OAuthError("invalid_request", "response_mode must be query")


def check_grant_type(_: AuthorizationRequest, client: ClientRecord) -> None:
    """Check that the client is registered for the code grant. RFC 6749 §4.1.2.1."""
    if "authorization_code" not in client.grant_types:
        raise OAuthError("unauthorized_client", "the client may not use the code grant")


def check_pkce(request: AuthorizationRequest, client: ClientRecord) -> None:
    """Check the PKCE challenge; only a confidential client can be without one (D2, D12)."""
    if request.code_challenge is not None:
        check_challenge(request.code_challenge, request.code_challenge_method)
    elif request.code_challenge_method is not None:
        raise OAuthError("invalid_request", "code_challenge_method without code_challenge")
    elif client.require_pkce or client.is_public:
        raise OAuthError("invalid_request", "code_challenge is missing (PKCE, RFC 7636)")


def check_prompt(request: AuthorizationRequest, _: ClientRecord) -> None:
    """Check `prompt` and `max_age`. OIDC Core §3.1.2.1."""
    if request.prompt is not None:
        parse_prompt(request.prompt)
    if request.max_age is not None:
        parse_max_age(request.max_age)


def check_resource_indicator(request: AuthorizationRequest, client: ClientRecord) -> None:
    """Check that at most one resource is named, one that the client may use (D19). RFC 8707 §2."""
    resource = single_resource(request.resource)
    if resource is not None and resource not in client.audiences:
        raise OAuthError("invalid_target", "the resource is not known for this client")


def check_scope(request: AuthorizationRequest, client: ClientRecord) -> None:
    """Check that something is left of the scope once the registration is applied (D10)."""
    _registered_scope(request, client)


def check_claims(request: AuthorizationRequest, _: ClientRecord) -> None:
    """Check the form of the `claims` parameter. OIDC Core §5.5."""
    if request.claims is not None:
        parse_claims(request.claims)


RequestCheck: TypeAlias = Callable[[AuthorizationRequest, ClientRecord], None]

REQUEST_CHECKS: tuple[RequestCheck, ...] = (
    check_request_objects,
    check_response_type,
    check_response_mode,
    check_grant_type,
    check_pkce,
    check_prompt,
    check_resource_indicator,
    check_scope,
    check_claims,
)
"""In this order; the first that fails is the answer, at the client's redirect URI."""


def judge_request(
    server: AuthorizationServer,
    target: Target,
    parameters: Parameters,
    now: int,
    *,
    hinted_subject: str = "",
) -> Flow[CheckedAuthorization]:
    """Return the request as checked, for this client and redirect URI.

    Args:
        hinted_subject: whom an `id_token_hint` named that was verified before and is not in
            `parameters` any more; empty for nobody.

    Raises:
        MessageError: a parameter is repeated.
        OAuthError: the first of `REQUEST_CHECKS` that fails, an unknown resource, a scope
            of which nothing is left, or an `id_token_hint` that does not hold.
    """
    client = target.client
    request = AuthorizationRequest.parse(parameters)
    for check in REQUEST_CHECKS:
        check(request, client)
    requested, registered = _registered_scope(request, client)
    audience, scope = yield from resolve_audience(
        server, client, single_resource(request.resource), registered
    )
    claims = parse_claims(request.claims) if request.claims is not None else ClaimsRequest()
    hinted = hinted_subject
    if request.id_token_hint is not None:
        hinted = yield from verify_id_token_hint(
            server, request.id_token_hint, client.client_id, now
        )
    if hinted and claims.subject and claims.subject != hinted:
        raise OAuthError("invalid_request", "id_token_hint and claims name different people")
    return CheckedAuthorization(
        client=client,
        request=request,
        redirect_uri=target.redirect_uri,
        redirect_uri_sent=target.redirect_uri_sent,
        scope=scope,
        requested_scope=requested,
        audience=audience,
        prompt=parse_prompt(request.prompt) if request.prompt is not None else frozenset(),
        max_age=parse_max_age(request.max_age) if request.max_age is not None else None,
        claims=claims,
        subject=hinted or claims.subject,
        essential_acr=_reachable_acr(claims, server.policy.acr_values),
    )


def stored_request(checked: CheckedAuthorization) -> tuple[tuple[str, str], ...]:
    """Return a request as a transaction keeps it: of an `id_token_hint` only whom it names."""
    pairs = tuple(replace(checked.request, id_token_hint=None).build())
    if checked.request.id_token_hint is None:
        return pairs
    return (*pairs, (_HINTED_SUBJECT, checked.subject))


def judge_transaction(
    server: AuthorizationServer, transaction: Transaction, now: int
) -> Flow[CheckedAuthorization]:
    """Return the request of a transaction, judged anew for the client as it is now.

    Raises:
        OAuthError: it would no longer pass.
    """
    hinted = dict(transaction.request).get(_HINTED_SUBJECT, "")
    parameters = Parameters(pair for pair in transaction.request if pair[0] != _HINTED_SUBJECT)
    try:
        target = yield from resolve_target(parameters)
        return (yield from judge_request(server, target, parameters, now, hinted_subject=hinted))
    except MessageError as error:
        raise OAuthError("invalid_request", error.message, redirectable=False) from None


def _registered_scope(
    request: AuthorizationRequest, client: ClientRecord
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the requested scope and what the registration leaves of it (D10).

    `offline_access` is left out for a client that gets no refresh token (D18): nobody is
    asked for an access that there is not. OIDC Core §11.
    """
    asked = None if request.scope is None else parse_scope(request.scope)
    allowed = client.scope
    if "refresh_token" not in client.grant_types:
        allowed = tuple(token for token in allowed if token != "offline_access")
    left = allowed_scope(asked, allowed=allowed, default=client.default_scope)
    return (left if asked is None else asked), left


def _reachable_acr(claims: ClaimsRequest, supported: tuple[str, ...]) -> tuple[str, ...]:
    """Return the essential contexts that can be reached. OIDC Core §5.5.1.1."""
    if not claims.essential_acr:
        return ()
    reachable = tuple(acr for acr in claims.essential_acr if acr in supported)
    if not reachable:
        raise OAuthError(
            "unmet_authentication_requirements", "no demanded authentication can be reached"
        )
    return reachable


def _page_error(description: str, *, reason: str = "") -> OAuthError:
    """Return an error that is never redirected."""
    return OAuthError("invalid_request", description, reason=reason, redirectable=False)
