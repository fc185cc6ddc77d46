"""`AuthorizationServer`: one issuer, as flows from a request to a response.

One value is one issuer and one database. It holds settings, the host's answers, the key
ring and the parsed signing keys; people, clients and grants are read anew for every
request. Layer: server, no I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from codegrant.errors import CodegrantError, OAuthError
from codegrant.flow import Flow, ask
from codegrant.http import Headers, Request, Response
from codegrant.rules.issuer import oauth_authorization_server_url, openid_configuration_url
from codegrant.sealing import KeyRing
from codegrant.server.answers import (
    AtApi,
    AtPage,
    as_oauth_error,
    method_not_allowed,
    preflight,
    render_error,
)
from codegrant.server.authorize import answer_authorization
from codegrant.server.effects import Emit
from codegrant.server.events import Event
from codegrant.server.host import Host
from codegrant.server.introspection import answer_introspection
from codegrant.server.jwks import answer_jwks
from codegrant.server.keys import SigningKeys
from codegrant.server.metadata import answer_metadata, build_metadata
from codegrant.server.policy import Policy
from codegrant.server.revocation import answer_revocation
from codegrant.server.token import answer_token
from codegrant.server.userinfo import answer_userinfo

__all__ = ["AuthorizationServer"]


_API = AtApi()


@dataclass(frozen=True, slots=True)
class _Route:
    """An endpoint: its methods, its flow, and where its errors are shown.

    Attributes:
        place: None where a person is in front of a browser.
    """

    methods: tuple[str, ...]
    answer: Callable[[AuthorizationServer, Request, int], Flow[Response]]
    place: AtApi | None = _API

    @property
    def cors(self) -> bool:
        """Whether pages of other origins may call it."""
        return self.place is not None and self.place.cors


# Only servers introspect, with a secret that no page may have: that needs no CORS.
_ENDPOINTS: Mapping[str, _Route] = {
    "authorize": _Route(("GET", "POST"), answer_authorization, place=None),
    "token": _Route(("POST",), answer_token),
    "userinfo": _Route(("GET", "POST"), answer_userinfo, AtApi(bearer=True)),
    "revoke": _Route(("POST",), answer_revocation),
    "introspect": _Route(("POST",), answer_introspection, AtApi(cors=False)),
    "jwks": _Route(("GET", "HEAD"), answer_jwks),
}
_METADATA = _Route(("GET", "HEAD"), answer_metadata)


class AuthorizationServer:
    """An authorization server and OpenID provider, headless.

    Args:
        policy: the operator's settings; `policy.issuer` is the one identity.
        host: who is logged in, and what they agreed to.
        key_ring: seals private keys and derives the key of the pages' forms.
    """

    def __init__(self, policy: Policy, host: Host, key_ring: KeyRing) -> None:
        self.policy = policy
        self.host = host
        self.key_ring = key_ring
        self.keys: SigningKeys = SigningKeys(policy, key_ring)
        self.metadata: bytes = build_metadata(policy)
        routes = {f"{policy.path}/{name}": route for name, route in _ENDPOINTS.items()}
        for url in (
            openid_configuration_url(policy.issuer),
            oauth_authorization_server_url(policy.issuer),
        ):
            routes[urlsplit(url).path] = _METADATA
        self._routes = routes

    def __repr__(self) -> str:
        return f"AuthorizationServer({self.policy.issuer!r})"

    def handles(self, path: str) -> bool:
        """Return whether `path`, counted from the root of the origin, is an endpoint here."""
        return path in self._routes

    def prepare(self, now: int) -> Flow[None]:
        """Make sure that the signing keys exist, before the first request needs them."""
        yield from self.keys.published(now)

    def respond(self, request: Request, now: int) -> Flow[Response]:
        """Return the answer to `request`, whatever it is.

        Args:
            request: `path` is percent-decoded and counted from the root of the origin.
            now: epoch seconds.

        Raises:
            Nothing of ours: every CodegrantError becomes an answer.
        """
        route = self._routes.get(request.path)
        if route is None:
            return Response(status=404, headers=Headers((("cache-control", "no-store"),)))
        if request.method not in route.methods:
            methods = ", ".join(route.methods)
            if request.method == "OPTIONS" and route.cors:
                return preflight(methods)
            return method_not_allowed(methods, cors=route.cors)
        try:
            return (yield from route.answer(self, request, now))
        except CodegrantError as error:
            refused = as_oauth_error(error)
            if refused.status >= 500:
                yield from self.report_failure(refused, request, now)
            if route.place is None:
                return self.error_page(refused, request)
            return render_error(refused, route.place)

    def error_page(self, error: CodegrantError, request: Request) -> Response:
        """Return the page for an error that may not go to the client."""
        return render_error(as_oauth_error(error), AtPage(self.host.error_page, request))

    def report_failure(self, error: OAuthError, request: Request, now: int) -> Flow[None]:
        """Emit that a request failed through no fault of its sender."""
        facts: dict[str, str | int] = {
            "endpoint": request.path,
            "status": error.status,
            "reason": error.reason,
        }
        yield from ask(Emit(Event("request_failed", now, facts)))
