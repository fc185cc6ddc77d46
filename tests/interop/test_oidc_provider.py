"""oidc-provider (npm) as the server of our client and of our resource server."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import pytest

from codegrant import CodegrantError, ConfigurationError, OAuthError, Refused, TokenRejected
from codegrant.resource import AccessToken, AsyncResourceServer, ResourceServer
from tests.interop.conftest import AWKWARD_SECRET, METHODS
from tests.interop.oidc_provider_server import DevVisitor, describe_client, open_provider
from tests.support.application import Application
from tests.support.colours import Colour
from tests.support.node import Node

SCOPE = "openid profile email"
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA", "Ed25519")
API = "https://api.example/jwt/ES256"


def open_with(node: str, algorithms: tuple[str, ...]) -> Node:
    clients = [
        describe_client(f"{method}.{alg}", method, alg) for method in METHODS for alg in algorithms
    ]
    return open_provider(node, clients, algorithms)


@pytest.fixture(scope="module")
def issuer(node: str) -> Iterator[str]:
    with open_with(node, ALGORITHMS) as provider:
        yield str(provider.ready["issuer"])


Apply: TypeAlias = Callable[..., Application]


@pytest.fixture
def apply(colour: Colour, ca_file: str) -> Iterator[Apply]:
    """Makes applications of the provider's clients; changes are arguments of `Client`."""
    made: list[Application] = []

    def make(
        issuer: str, method: str = "client_secret_basic", alg: str = "RS256", **changes: Any
    ) -> Application:
        arguments = {
            "client_id": f"{method}.{alg}",
            "client_secret": None if method == "none" else AWKWARD_SECRET,
            "token_endpoint_auth_method": method,
            "scope": SCOPE,
            "ca_file": ca_file,
            **changes,
        }
        made.append(Application(colour, issuer, **arguments))
        return made[-1]

    yield make
    for application in made:
        application.close()


def header_of(token: str) -> dict[str, str]:
    raw = token.partition(".")[0]
    header: dict[str, str] = json.loads(urlsafe_b64decode(raw + "=" * (-len(raw) % 4)))
    return header


def refusal(app: Application, visitor: DevVisitor, **arguments: Any) -> CodegrantError:
    with pytest.raises(CodegrantError) as caught:
        app.log_in(visitor, **arguments)
    return caught.value


@pytest.mark.needs("node")
@pytest.mark.parametrize("method", METHODS)
def test_our_client_logs_in_and_reads_userinfo(issuer: str, apply: Apply, method: str) -> None:
    app = apply(issuer, method)
    tokens = app.log_in(DevVisitor(issuer))
    identity = tokens.verified_identity()
    assert (identity.issuer, identity.subject) == (issuer, "alice")
    assert identity.audience == (f"{method}.RS256",)
    assert tokens.scope == frozenset(SCOPE.split())
    info = app.userinfo(tokens)
    assert (info.sub, info.name, info.email) == ("alice", "Alice L", "alice@example.test")
    assert info.email_verified


@pytest.mark.needs("node")
@pytest.mark.parametrize("alg", ALGORITHMS)
def test_our_client_verifies_the_id_token_of_each_algorithm(
    issuer: str, apply: Apply, alg: str
) -> None:
    tokens = apply(issuer, alg=alg).log_in(DevVisitor(issuer))
    assert tokens.id_token is not None
    assert header_of(tokens.id_token.reveal())["alg"] == alg
    assert tokens.claims["sub"] == "alice"
    others = tuple({"RS256", "PS256", "ES256", "EdDSA"} - {alg, alg.replace("25519", "DSA")})
    error = refusal(apply(issuer, alg=alg, id_token_algs=others), DevVisitor(issuer))
    assert (type(error), error.code) == (TokenRejected, "algorithm_refused")


@pytest.mark.needs("node")
def test_a_provider_may_list_an_algorithm_by_its_newer_name_alone(node: str, apply: Apply) -> None:
    with open_with(node, ("RS256", "Ed25519")) as provider:
        issuer = str(provider.ready["issuer"])
        tokens = apply(issuer, alg="Ed25519").log_in(DevVisitor(issuer))
        assert tokens.claims["sub"] == "alice"


@pytest.mark.needs("node")
@pytest.mark.parametrize(
    ("method", "changes"),
    [
        pytest.param("client_secret_basic", {"client_secret": "w" * 43}, id="basic"),
        pytest.param("client_secret_post", {"client_secret": "w" * 43}, id="post"),
        pytest.param(
            "client_secret_basic",
            {"client_secret": None, "token_endpoint_auth_method": "none"},
            id="no secret",
        ),
    ],
)
def test_our_client_reads_that_it_did_not_prove_itself(
    issuer: str, apply: Apply, method: str, changes: Mapping[str, Any]
) -> None:
    for pushed, stage in ((None, "pushed_authorization"), (False, "token")):
        app = apply(issuer, method, pushed_requests=pushed, **changes)
        error = refusal(app, DevVisitor(issuer))
        assert isinstance(error, Refused)
        assert (error.error, error.status, error.stage) == ("invalid_client", 401, stage)


@pytest.mark.needs("node")
def test_our_client_reads_that_the_person_denied(issuer: str, apply: Apply) -> None:
    app = apply(issuer, "none")
    error = refusal(app, DevVisitor(issuer, denies=True))
    assert isinstance(error, Refused)
    assert (error.error, error.stage) == ("access_denied", "callback")
    assert app.log_in(DevVisitor(issuer)).claims["sub"] == "alice"


@pytest.mark.needs("node")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param({"prompt": "none"}, "login_required", id="nobody is logged in"),
        pytest.param({"resource": "https://unknown.example/"}, "invalid_target", id="no such API"),
    ],
)
def test_our_client_reads_what_is_refused_at_once(
    issuer: str, apply: Apply, arguments: Mapping[str, str], expected: str
) -> None:
    app = apply(issuer, pushed_requests=False)
    error = refusal(app, DevVisitor(issuer), **arguments)
    assert isinstance(error, Refused)
    assert (error.error, error.stage) == (expected, "callback")


@pytest.mark.needs("node")
def test_our_client_reads_that_a_code_came_twice(issuer: str, apply: Apply) -> None:
    first, second = apply(issuer), apply(issuer)
    login = first.start()
    callback = DevVisitor(issuer).authorize(login.url)
    tokens = first.finish(callback, login)
    with pytest.raises(Refused) as caught:
        second.finish(callback, login)
    assert (caught.value.error, caught.value.status) == ("invalid_grant", 400)
    with pytest.raises(Refused) as revoked:
        first.userinfo(tokens)
    assert (revoked.value.error, revoked.value.status) == ("invalid_token", 401)


class Api:
    """Our resource server, in either colour."""

    def __init__(self, colour: Colour, issuer: str, audience: str, ca_file: str) -> None:
        self.colour = colour
        kind = AsyncResourceServer if colour.is_async else ResourceServer
        self.server: ResourceServer | AsyncResourceServer = kind(issuer, audience, ca_file=ca_file)

    def verify(self, raw_token: str, *scope: str) -> AccessToken:
        return self.colour.wait(self.server.verify(raw_token, scope))

    def refusal(self, raw_token: str, *scope: str) -> OAuthError:
        with pytest.raises(OAuthError) as caught:
            self.verify(raw_token, *scope)
        return caught.value

    def close(self) -> None:
        if isinstance(self.server, AsyncResourceServer):
            self.colour.finish(self.server.aclose())
        else:
            self.server.close()


Trust: TypeAlias = Callable[[str, str], Api]


@pytest.fixture
def trust(colour: Colour, ca_file: str) -> Iterator[Trust]:
    """Makes resource servers that trust an issuer, for an audience."""
    made: list[Api] = []

    def make(issuer: str, audience: str) -> Api:
        made.append(Api(colour, issuer, audience, ca_file))
        return made[-1]

    yield make
    for api in made:
        api.close()


@pytest.mark.needs("node")
@pytest.mark.requirement("RS-JAT-02")
@pytest.mark.parametrize("alg", ["ES256", "RS256", "PS256", "EdDSA", "Ed25519"])
def test_our_resource_server_verifies_an_access_token_for_its_audience(
    issuer: str, apply: Apply, trust: Trust, alg: str
) -> None:
    audience = f"https://api.example/jwt/{alg}"
    app = apply(issuer)
    tokens = app.log_in(DevVisitor(issuer), scope="openid read", resource=audience)
    raw = tokens.access_token.reveal()
    assert header_of(raw)["typ"] == "at+jwt"
    api = trust(issuer, audience)
    token = api.verify(raw, "read")
    assert (token.issuer, token.subject) == (issuer, "alice")
    assert (token.client_id, token.audience) == ("client_secret_basic.RS256", (audience,))
    assert token.scope == {"read"}
    assert api.refusal(raw, "read", "admin").error == "insufficient_scope"
    # The same token at another API of the same issuer.
    refused = trust(issuer, "https://api.example/jwt/other").refusal(raw)
    assert (refused.error, refused.status) == ("invalid_token", 401)
    assert "audience_mismatch" in refused.reason


@pytest.mark.needs("node")
@pytest.mark.requirement("RS-JAT-01", "RS-JAT-03")
def test_our_resource_server_takes_nothing_else_for_an_access_token(
    issuer: str, apply: Apply, trust: Trust
) -> None:
    app = apply(issuer)
    tokens = app.log_in(DevVisitor(issuer), scope="openid read", resource=API)
    raw = tokens.access_token.reveal()
    opaque = app.log_in(
        DevVisitor(issuer), scope="openid read", resource="https://api.example/opaque"
    ).access_token.reveal()
    assert tokens.id_token is not None
    api = trust(issuer, API)
    head, payload, signature = raw.split(".")
    forged = f"{head}.{payload}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"
    # An ID token of a client whose id is the audience would pass, if its type did not tell.
    by_type = trust(issuer, "client_secret_basic.RS256")
    for refused, reason in (
        (api.refusal(opaque), "malformed"),
        (api.refusal(forged), "signature"),
        (by_type.refusal(tokens.id_token.reveal()), "wrong_token_type"),
        (trust("http://127.0.0.1:9", API).refusal(raw), "issuer_mismatch"),
    ):
        assert (refused.error, refused.status) == ("invalid_token", 401)
        assert reason in refused.reason
    assert api.verify(raw).subject == "alice"


@pytest.mark.needs("node")
def test_an_audience_is_mandatory(issuer: str, trust: Trust) -> None:
    with pytest.raises(ConfigurationError, match="audience"):
        trust(issuer, "")
