"""A client with a key, in both colours: what it signs, for whom, and how often."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from codegrant import (
    CodegrantError,
    ConfigurationError,
    Refused,
    Secret,
    ServerMetadata,
    UsageError,
)
from codegrant.jose import PrivateKey
from tests.flows.conftest import MakeApplication
from tests.support.application import Application, Clock
from tests.support.mock_provider import (
    ASSERTION_TYPE,
    CLIENT_ID,
    CLIENT_SECRET,
    Lie,
    Received,
    as_json,
)
from tests.support.other_grants import GrantsProvider, watch_pauses

KEYS = {alg: PrivateKey.generate(alg) for alg in ("ES256", "RS256", "PS256", "EdDSA")}
KEY = KEYS["ES256"]
PEM = KEY.to_pem().decode()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider(clock: Clock) -> Iterator[GrantsProvider]:
    provider = GrantsProvider()
    provider.clock = clock
    provider.client_jwk = KEY.public.to_jwk()
    describe(provider)
    yield provider
    provider.close()


def describe(provider: GrantsProvider, **changes: object) -> None:
    """Publish what a provider publishes that takes assertions, with changes."""
    provider.metadata = Lie(
        {
            "device_authorization_endpoint": f"{provider.issuer}/device",
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS256", "PS256", "ES256"],
            **changes,
        }
    )


@pytest.fixture
def sign(make_app: MakeApplication, clock: Clock) -> Callable[..., Application]:
    """Make applications that have a key and no secret."""

    def make(provider: GrantsProvider | ServerMetadata, **arguments: Any) -> Application:
        given = {"client_secret": None, "private_key": PEM, "clock": clock, **arguments}
        return make_app(provider, **given)

    return make


def posted(provider: GrantsProvider) -> list[Received]:
    return [request for request in provider.received if request.method == "POST"]


def refused(app: Application, provider: GrantsProvider) -> CodegrantError:
    with pytest.raises(CodegrantError) as caught:
        app.log_in(provider)
    return caught.value


@pytest.mark.requirement("CL-TOK-14")
def test_every_endpoint_gets_an_assertion_of_its_own_for_the_issuer(
    sign: Callable[..., Application], provider: GrantsProvider, clock: Clock
) -> None:
    app = sign(provider)
    client: Any = app.client
    tokens = app.refresh(app.log_in(provider))
    app.colour.wait(client.exchange_token(tokens.access_token))
    app.colour.wait(client.client_credentials(scope="read"))
    login = app.colour.wait(client.start_device_login(scope="read"))
    watch_pauses(app, clock, [])
    provider.decisions = ["authorization_pending"]
    app.colour.wait(client.finish_device_login(login))
    app.revoke(tokens)

    requests = posted(provider)
    assert [request.path for request in requests] == [
        *["/token"] * 4, "/device", "/token", "/token", "/revoke"
    ]  # fmt: skip
    assert len(provider.assertions) == len(requests), "all held"
    for header, claims in provider.assertions:
        assert header == {"alg": "ES256", "typ": "client-authentication+jwt"}
        assert claims.keys() == {"iss", "sub", "aud", "jti", "iat", "exp"}
        assert (claims["iss"], claims["sub"]) == (CLIENT_ID, CLIENT_ID)
        assert claims["aud"] == provider.issuer
        assert int(str(claims["exp"])) - int(str(claims["iat"])) == 60
    assert len({claims["jti"] for _, claims in provider.assertions}) == len(requests)
    for request in requests:
        assert request.form["client_id"] == CLIENT_ID
        assert "authorization" not in request.headers
        assert "client_secret" not in request.form


@pytest.mark.requirement("CL-TOK-14")
@pytest.mark.parametrize(
    "audience",
    [
        pytest.param("/token", id="the token endpoint"),
        pytest.param("/", id="the issuer with a slash"),
        pytest.param("x", id="another issuer"),
    ],
)
def test_a_server_that_wants_another_audience_refuses_and_is_told_of_the_one_way_out(
    sign: Callable[..., Application],
    provider: GrantsProvider,
    audience: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    provider.assertion_audience = provider.issuer + audience
    error = refused(sign(provider), provider)
    assert isinstance(error, Refused)
    assert (error.error, error.facts["method"]) == ("invalid_client", "private_key_jwt")
    assert "dangerously_use_token_endpoint_as_audience" in error.hint

    caplog.set_level(logging.WARNING)
    app = sign(provider, dangerously_use_token_endpoint_as_audience=True)
    if audience == "/token":
        app.refresh(app.log_in(provider))
        assert {claims["aud"] for _, claims in provider.assertions} == {f"{provider.issuer}/token"}
    else:
        refused(app, provider)
    told = [record.getMessage() for record in caplog.records]
    assert sum("assertions are made" in line for line in told) == 1, "once, however many are made"


@pytest.mark.parametrize("alg", KEYS)
def test_the_algorithm_is_the_one_of_the_key(
    sign: Callable[..., Application], provider: GrantsProvider, alg: str
) -> None:
    describe(provider, token_endpoint_auth_signing_alg_values_supported=[alg])
    provider.client_jwk = KEYS[alg].public.to_jwk()
    sign(provider, private_key=KEYS[alg].to_pem().decode()).log_in(provider)
    (header, _) = provider.assertions[0]
    assert header["alg"] == alg


def test_of_an_rsa_key_the_server_chooses_the_algorithm(
    sign: Callable[..., Application], provider: GrantsProvider
) -> None:
    pem = KEYS["RS256"].to_pem().decode()
    for listed, alg in ((["RS256"], "RS256"), (["RS256", "PS256"], "PS256"), (None, "RS256")):
        describe(provider, token_endpoint_auth_signing_alg_values_supported=listed)
        provider.client_jwk = {**KEYS["RS256"].public.to_jwk(), "alg": alg}
        sign(provider, private_key=pem).log_in(provider)
        assert provider.assertions[-1][0]["alg"] == alg


def test_the_key_may_be_a_file_a_text_a_secret_or_made_by_the_program(
    sign: Callable[..., Application], provider: GrantsProvider, tmp_path: Path
) -> None:
    file = tmp_path / "client.pem"
    file.write_text(PEM)
    for key in (file, str(file), PEM, Secret(PEM)):
        assert sign(provider, private_key=key).log_in(provider).claims["sub"] == "person-1"
        assert "kid" not in provider.assertions[-1][0]
    sign(provider, private_key=KEY).log_in(provider)
    assert provider.assertions[-1][0]["kid"] == KEY.kid
    sign(provider, private_key=PEM, private_key_id="at-the-server").log_in(provider)
    assert provider.assertions[-1][0]["kid"] == "at-the-server"


@pytest.mark.parametrize(
    ("listed", "configured", "signs"),
    [
        pytest.param(["client_secret_basic", "private_key_jwt"], None, True, id="both listed"),
        pytest.param(["client_secret_basic"], None, False, id="the secret alone listed"),
        pytest.param(None, None, False, id="nothing listed, which means basic"),
        pytest.param(None, "private_key_jwt", True, id="named"),
        pytest.param(["private_key_jwt"], "client_secret_basic", False, id="named otherwise"),
    ],
)
def test_of_a_key_and_a_secret_one_is_used_and_never_both(
    sign: Callable[..., Application],
    provider: GrantsProvider,
    listed: list[str] | None,
    configured: str | None,
    signs: bool,
) -> None:
    describe(provider, token_endpoint_auth_methods_supported=listed)
    if not signs:
        provider.client_jwk = None
    app = sign(provider, client_secret=CLIENT_SECRET, token_endpoint_auth_method=configured)
    app.log_in(provider)
    (request,) = posted(provider)
    assert ("client_assertion" in request.form) == signs
    assert ("authorization" in request.headers) != signs
    assert "client_secret" not in request.form


@pytest.mark.parametrize(
    ("published", "error", "told"),
    [
        pytest.param(
            {"token_endpoint_auth_methods_supported": ["client_secret_basic"]},
            ConfigurationError,
            "a client with a key can use private_key_jwt",
            id="no such method",
        ),
        pytest.param(
            {"token_endpoint_auth_signing_alg_values_supported": ["PS256", "EdDSA"]},
            ConfigurationError,
            "it signs with ES256, and the server takes PS256, EdDSA",
            id="no such algorithm",
        ),
    ],
)
def test_a_server_that_cannot_verify_it_is_sent_nothing(
    sign: Callable[..., Application],
    provider: GrantsProvider,
    published: dict[str, object],
    error: type[CodegrantError],
    told: str,
) -> None:
    describe(provider, **published)
    refusal = refused(sign(provider), provider)
    assert isinstance(refusal, error)
    assert told in refusal.message
    assert posted(provider) == []
    describe(provider)
    sign(provider).log_in(provider)


def test_a_server_without_an_issuer_gets_no_assertion_that_would_be_good_anywhere(
    sign: Callable[..., Application], provider: GrantsProvider
) -> None:
    def described(issuer: str = "") -> ServerMetadata:
        return ServerMetadata(
            issuer=issuer,
            authorization_endpoint=f"{provider.issuer}/authorize",
            token_endpoint=f"{provider.issuer}/token",
        )

    provider.callback = Lie({"iss": None})
    refusal = refused(sign(described(), scope="read"), provider)
    assert (type(refusal), refusal.code) == (UsageError, "no_audience")
    assert posted(provider) == []
    sign(described(provider.issuer), scope="read").log_in(provider)
    provider.assertion_audience = f"{provider.issuer}/token"
    overriding = sign(described(), scope="read", dangerously_use_token_endpoint_as_audience=True)
    overriding.log_in(provider)


def test_another_key_than_the_registered_one_proves_nothing(
    sign: Callable[..., Application], provider: GrantsProvider
) -> None:
    error = refused(sign(provider, private_key=PrivateKey.generate("ES256")), provider)
    assert isinstance(error, Refused)
    assert (error.error, error.status) == ("invalid_client", 401)
    assert "private_key_jwt" in error.hint
    sign(provider).log_in(provider)


def test_neither_key_nor_assertion_is_told(
    sign: Callable[..., Application], provider: GrantsProvider, caplog: pytest.LogCaptureFixture
) -> None:
    def repeat(request: Received) -> Any:
        said = request.form["client_assertion"]
        return as_json({"error": "invalid_client", "error_description": f"bad: {said}"}, 400)

    caplog.set_level(logging.DEBUG)
    provider.routes["/token"] = repeat
    app = sign(provider)
    error = refused(app, provider)
    (request,) = posted(provider)
    assert request.form["client_assertion_type"] == ASSERTION_TYPE
    told = f"{error} {error!r} {error.__dict__} {app.client!r} {app.client.flows.config!r}"
    told += caplog.text
    assert "bad: ***" in told
    for secret in (*request.form["client_assertion"].split("."), PEM.split("\n")[1]):
        assert secret not in told


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(json.dumps(KEY.public.to_jwk()), id="a public key"),
        pytest.param("/no/such/file.pem", id="no file"),
        pytest.param(PEM.replace("PRIVATE", "PUBLIC"), id="broken PEM"),
    ],
)
def test_a_key_that_cannot_sign_is_refused_when_the_client_is_made(
    sign: Callable[..., Application], provider: GrantsProvider, source: str
) -> None:
    with pytest.raises(ConfigurationError, match=r"^private_key: "):
        sign(provider, private_key=source)
    assert provider.received == []
    sign(provider, private_key=PEM).log_in(provider)
