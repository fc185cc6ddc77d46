"""oidc-provider (npm) as the server of a client whose tokens are bound to a key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeAlias

import jwt
import pytest

from codegrant import CodegrantError, Refused, Tokens
from codegrant.jose import PrivateKey
from tests.interop.conftest import AWKWARD_SECRET
from tests.interop.oidc_provider_server import DevVisitor, describe_client, enter, open_provider
from tests.support.application import Application, Clock
from tests.support.colours import Colour
from tests.support.other_grants import DEVICE, watch_pauses

API = "https://api.example/jwt/ES256"
KEY = PrivateKey.generate("ES256")

Apply: TypeAlias = Callable[..., Application]


@pytest.fixture(scope="module")
def issuer(node: str) -> Iterator[str]:
    bound: dict[str, object] = {
        "dpop_bound_access_tokens": True,
        "grant_types": ["authorization_code", "refresh_token", "client_credentials", DEVICE],
    }
    confidential = {**describe_client("confidential", "client_secret_basic"), **bound}
    public = {
        **describe_client("public", "none"),
        **bound,
        "grant_types": ["authorization_code", "refresh_token"],
        "require_pushed_authorization_requests": True,
    }
    fapi = {
        **describe_client("fapi", "private_key_jwt", "ES256"),
        **bound,
        "jwks": {"keys": [KEY.public.to_jwk()]},
        "require_pushed_authorization_requests": True,
    }
    del fapi["client_secret"]
    with open_provider(node, [confidential, public, fapi], ["RS256", "ES256"]) as provider:
        yield str(provider.ready["issuer"])


@pytest.fixture
def apply(colour: Colour, ca_file: str, issuer: str) -> Iterator[Apply]:
    """Makes applications; changes are arguments of `Client`."""
    made: list[Application] = []

    def make(client_id: str, issuer: str = issuer, **changes: Any) -> Application:
        given = {
            "client_id": client_id,
            "client_secret": AWKWARD_SECRET if client_id == "confidential" else None,
            "scope": "openid offline_access",
            "dpop": True,
            **changes,
        }
        made.append(Application(colour, issuer, ca_file=ca_file, **given))
        return made[-1]

    yield make
    for application in made:
        application.close()


def log_in(app: Application, issuer: str, **arguments: Any) -> Tokens:
    return app.log_in(DevVisitor(issuer), **{"prompt": "consent", **arguments})


@pytest.mark.needs("node")
@pytest.mark.requirement("CL-TOK-13", "CL-LO-04")
@pytest.mark.parametrize(
    ("client_id", "pushed"),
    [("confidential", None), ("confidential", False), ("public", None), ("fapi", None)],
)
def test_a_login_is_bound_from_its_first_request_to_its_refresh(
    issuer: str, apply: Apply, client_id: str, pushed: bool | None
) -> None:
    by_name = {"private_key": KEY, "profile": "fapi2"} if client_id == "fapi" else {}
    app = apply(client_id, pushed_requests=pushed, **by_name)
    tokens = log_in(app, issuer)
    assert (tokens.token_type, tokens.verified_identity().subject) == ("DPoP", "alice")
    assert app.userinfo(tokens).sub == "alice"
    again = app.refresh(tokens)
    assert again.dpop_key == tokens.dpop_key
    assert app.userinfo(again).sub == "alice"
    # Its userinfo endpoint is an API as well.
    assert app.get(again, f"{issuer}/me").json()["sub"] == "alice"


@pytest.mark.needs("node")
def test_a_client_signs_under_the_newer_name_of_eddsa_where_no_other_is_listed(
    node: str, apply: Apply
) -> None:
    """Its assertions, its signed request and its proofs."""
    key = PrivateKey.generate("EdDSA")
    described = {
        **describe_client("newer", "private_key_jwt", "ES256"),
        "dpop_bound_access_tokens": True,
        "jwks": {"keys": [{**key.public.to_jwk(), "alg": "Ed25519"}]},
        "require_signed_request_object": True,
    }
    del described["client_secret"]
    with open_provider(node, [described], ["ES256"], ["Ed25519"]) as provider:
        issuer = str(provider.ready["issuer"])
        app = apply("newer", issuer=issuer, private_key=key, signed_requests=True, profile="fapi2")
        tokens = log_in(app, issuer)
        assert (tokens.token_type, tokens.verified_identity().subject) == ("DPoP", "alice")
        assert app.userinfo(app.refresh(tokens)).sub == "alice"


@pytest.mark.needs("node")
def test_the_access_token_names_the_key(issuer: str, apply: Apply) -> None:
    app = apply("confidential")
    client: Any = app.client
    tokens = log_in(app, issuer, scope="openid read", resource=API)
    own = app.colour.wait(client.client_credentials(scope="read", resource=API))
    for each in (tokens, own):
        assert each.dpop_key is not None
        claims = jwt.decode(each.access_token.reveal(), options={"verify_signature": False})
        assert claims["cnf"] == {"jkt": each.dpop_key.public.thumbprint}


@pytest.mark.needs("node")
def test_without_the_key_nothing_of_it_is_worth_anything(issuer: str, apply: Apply) -> None:
    app = apply("public")
    tokens = log_in(app, issuer)
    other = replace(tokens, dpop_key=PrivateKey.generate("ES256"))
    for stolen in (other, replace(tokens, dpop_key=None)):
        with pytest.raises(Refused) as caught:
            app.userinfo(stolen)
        assert caught.value.error in {"invalid_token", "invalid_dpop_proof", "invalid_request"}
    with pytest.raises(CodegrantError):
        app.refresh(other)


@pytest.mark.needs("node")
@pytest.mark.parametrize("pushed", [None, False])
def test_a_code_is_bound_to_the_key_that_its_request_named(
    issuer: str, apply: Apply, pushed: bool | None
) -> None:
    app = apply("confidential", pushed_requests=pushed)
    login = app.start()
    callback = DevVisitor(issuer).authorize(login.url)
    with pytest.raises(Refused) as caught:
        apply("confidential", dpop=False).finish(callback, login)
    assert caught.value.error == "invalid_grant"
    login = app.start()
    assert app.finish(DevVisitor(issuer).authorize(login.url), login).token_type == "DPoP"


@pytest.mark.needs("node")
def test_a_login_on_another_device_is_bound_too(issuer: str, apply: Apply) -> None:
    clock = Clock()
    app = apply("confidential", clock=clock)
    watch_pauses(app, clock, [])
    client: Any = app.client
    login = app.colour.wait(client.start_device_login(scope="openid"))
    enter(issuer, login)
    tokens: Tokens = app.colour.wait(client.finish_device_login(login))
    assert app.userinfo(tokens).sub == "alice"
    with pytest.raises(Refused):
        app.userinfo(replace(tokens, dpop_key=None))


@pytest.mark.needs("node")
def test_a_client_that_must_bind_its_tokens_says_so(issuer: str, apply: Apply) -> None:
    app = apply("confidential", dpop=False)
    with pytest.raises(Refused) as caught:
        app.log_in(DevVisitor(issuer))
    assert caught.value.stage in {"token", "pushed_authorization"}
