"""oidc-provider (npm) as the server of a client with a key, and of requests pushed and signed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlsplit

import pytest

from codegrant import CodegrantError, Refused
from codegrant.jose import PrivateKey
from codegrant.resource import ResourceServer
from tests.interop.conftest import AWKWARD_SECRET
from tests.interop.oidc_provider_server import DevVisitor, describe_client, open_provider
from tests.support.application import Application
from tests.support.colours import Colour

API = "https://api.example/jwt/ES256"
KEYS = {alg: PrivateKey.generate(alg) for alg in ("ES256", "RS256", "PS256", "EdDSA")}


def with_key(alg: str) -> dict[str, object]:
    """Return a client that authenticates with a key. OpenID Connect Registration §2."""
    client = describe_client(f"key.{alg}", "private_key_jwt")
    del client["client_secret"]
    client["grant_types"] = ["authorization_code", "refresh_token", "client_credentials"]
    return {**client, "jwks": {"keys": [KEYS[alg].public.to_jwk()]}}


@pytest.fixture(scope="module")
def issuer(node: str) -> Iterator[str]:
    signing = {
        **describe_client("signing", "client_secret_basic"),
        "jwks": {"keys": [KEYS["ES256"].public.to_jwk()]},
        "require_signed_request_object": True,
    }
    pushing = {
        **describe_client("pushing", "client_secret_basic"),
        "require_pushed_authorization_requests": True,
    }
    clients = [*(with_key(alg) for alg in KEYS), signing, pushing]
    with open_provider(node, clients, ["RS256"]) as provider:
        yield str(provider.ready["issuer"])


Apply: TypeAlias = Callable[..., Application]


@pytest.fixture
def apply(colour: Colour, ca_file: str, issuer: str) -> Iterator[Apply]:
    """Makes applications; changes are arguments of `Client`."""
    made: list[Application] = []

    def make(client_id: str, **changes: Any) -> Application:
        given = {"client_id": client_id, "client_secret": None, "scope": "openid email", **changes}
        made.append(Application(colour, issuer, ca_file=ca_file, **given))
        return made[-1]

    yield make
    for application in made:
        application.close()


def refusal(app: Application, visitor: DevVisitor, **arguments: Any) -> CodegrantError:
    with pytest.raises(CodegrantError) as caught:
        app.log_in(visitor, **arguments)
    return caught.value


@pytest.mark.needs("node")
@pytest.mark.requirement("CL-TOK-14")
@pytest.mark.parametrize("alg", KEYS)
def test_a_client_with_a_key_logs_in_and_refreshes(issuer: str, apply: Apply, alg: str) -> None:
    # In a JWK an RSA key has the one algorithm that is registered.
    app = apply(f"key.{alg}", private_key=KEYS[alg])
    client: Any = app.client
    tokens = app.log_in(DevVisitor(issuer), scope="openid offline_access", prompt="consent")
    assert tokens.verified_identity().subject == "alice"
    again = app.refresh(tokens)
    assert not again.is_same(tokens)
    own = app.colour.wait(client.client_credentials(scope="read", resource=API))
    assert own.scope == {"read"}
    app.revoke(again)
    for changes in (
        {"private_key": PrivateKey.generate(alg)},
        {"private_key": KEYS[alg], "private_key_id": "another-name"},
    ):
        error = refusal(apply(f"key.{alg}", **changes), DevVisitor(issuer))
        assert isinstance(error, Refused)
        assert (error.error, error.status) == ("invalid_client", 401)


@pytest.mark.needs("node")
@pytest.mark.requirement("CL-FLOW-13")
def test_a_client_whose_requests_must_be_pushed(issuer: str, apply: Apply) -> None:
    app = apply("pushing", client_secret=AWKWARD_SECRET)
    login = app.start()
    front = parse_qsl(urlsplit(login.url).query)
    assert [name for name, _ in front] == ["client_id", "request_uri"]
    callback = DevVisitor(issuer).authorize(login.url)
    assert app.finish(callback, login).verified_identity().subject == "alice"
    assert login.url_expires_at is not None
    assert 0 < login.url_expires_at - login.started_at <= 60

    plain = apply("pushing", client_secret=AWKWARD_SECRET, pushed_requests=False)
    error = refusal(plain, DevVisitor(issuer))
    assert isinstance(error, Refused)
    assert (error.error, error.stage) == ("invalid_request", "callback")
    refused = refusal(app, DevVisitor(issuer), resource="https://unknown.example/")
    assert isinstance(refused, Refused)
    assert (refused.error, refused.stage) == ("invalid_target", "pushed_authorization")


@pytest.mark.needs("node")
@pytest.mark.parametrize("pushed", [None, False])
def test_a_client_whose_requests_must_be_signed(
    issuer: str, apply: Apply, pushed: bool | None
) -> None:
    given: dict[str, Any] = {"client_secret": AWKWARD_SECRET, "pushed_requests": pushed}
    given["token_endpoint_auth_method"] = "client_secret_basic"
    app = apply("signing", signed_requests=True, private_key=KEYS["ES256"], **given)
    asked: dict[str, Any] = {"max_age": 600, "claims": {"id_token": {"email": None}}}
    tokens = app.log_in(DevVisitor(issuer), scope="openid", **asked)
    assert tokens.claims["email"] == "alice@example.test"
    several = app.start(scope="openid read", resource=[API, "https://api.example/opaque"])
    assert several.resource == (API, "https://api.example/opaque")
    DevVisitor(issuer).authorize(several.url)

    error = refusal(apply("signing", **given), DevVisitor(issuer))
    assert isinstance(error, Refused)
    assert error.error == "invalid_request"
    if pushed is None:
        stranger = PrivateKey.generate("ES256")
        forged = apply("signing", signed_requests=True, private_key=stranger, **given)
        error = refusal(forged, DevVisitor(issuer))
        assert isinstance(error, Refused)
        assert (error.error, error.stage) == ("invalid_request_object", "pushed_authorization")


@pytest.mark.needs("node")
@pytest.mark.requirement("CL-FLOW-14")
def test_the_tokens_of_a_client_are_for_its_api(issuer: str, apply: Apply) -> None:
    app = apply("pushing", client_secret=AWKWARD_SECRET, resource=API)
    tokens = app.log_in(DevVisitor(issuer), scope="openid read")
    with closing(ResourceServer(issuer, API)) as api:
        assert api.verify(tokens.access_token.reveal(), ["read"]).subject == "alice"
    other = app.log_in(
        DevVisitor(issuer), scope="openid read", resource="https://api.example/jwt/RS256"
    )
    with closing(ResourceServer(issuer, API)) as api, pytest.raises(CodegrantError):
        api.verify(other.access_token.reveal(), ["read"])
