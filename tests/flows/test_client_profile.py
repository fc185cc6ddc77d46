"""The profile `fapi2`: what it turns on, and what it refuses beside what it takes; both colours.

FAPI 2.0 Security Profile §5.3.3, §5.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from codegrant import (
    CallbackRejected,
    CodegrantError,
    ConfigurationError,
    ResponseRejected,
    ServerMetadata,
    TokenRejected,
    UsageError,
)
from codegrant.jose import PrivateKey
from tests.flows.conftest import MakeApplication
from tests.support.application import Application
from tests.support.mock_provider import CLIENT_SECRET, Lie
from tests.support.proving_provider import ProvingProvider
from tests.support.request_provider import PAR

KEYS = {alg: PrivateKey.generate(alg) for alg in ("ES256", "RS256")}


@pytest.fixture
def provider() -> Iterator[ProvingProvider]:
    provider = ProvingProvider()
    provider.client_jwk = {
        name: str(value) for name, value in KEYS["ES256"].public.to_jwk().items()
    }
    provider.describe(token_endpoint_auth_methods_supported=["private_key_jwt"])
    yield provider
    provider.close()


@pytest.fixture
def make(make_app: MakeApplication, provider: ProvingProvider) -> Callable[..., Application]:
    def make(**changes: Any) -> Application:
        given = {"client_secret": None, "private_key": KEYS["ES256"], "profile": "fapi2"}
        return make_app(provider, **{**given, **changes})

    return make


@pytest.mark.requirement("CL-LO-04")
def test_one_name_turns_all_of_it_on(
    make: Callable[..., Application], provider: ProvingProvider
) -> None:
    app = make()
    login = app.start()
    assert [name for name, _ in parse_qsl(urlsplit(login.url).query)] == [
        "client_id", "request_uri",
    ]  # fmt: skip
    tokens = app.finish(provider.authorize(login.url), login)
    assert (tokens.token_type, tokens.verified_identity().subject) == ("DPoP", "person-1")
    (asked,) = provider.requests
    assert (asked["code_challenge_method"], asked["response_type"]) == ("S256", "code")
    assert len(provider.assertions) == 2  # pushed, and exchanged
    assert {claims["aud"] for _, claims in provider.assertions} == {provider.issuer}
    assert app.refresh(tokens).token_type == "DPoP"


@pytest.mark.requirement("CL-LO-04")
@pytest.mark.parametrize("profile", ["fapi2", None])
def test_a_callback_names_its_issuer_whatever_the_metadata_says(
    make: Callable[..., Application], provider: ProvingProvider, profile: str | None
) -> None:
    provider.describe(
        token_endpoint_auth_methods_supported=["private_key_jwt"],
        authorization_response_iss_parameter_supported=None,
    )
    provider.callback = Lie({"iss": None})
    app = make(profile=profile, dpop=True)
    if profile is None:
        assert app.log_in(provider).verified_identity().subject == "person-1"
        return
    with pytest.raises(CallbackRejected) as caught:
        app.log_in(provider)
    assert caught.value.code == "iss_missing"
    assert provider.count("/token") == 0
    provider.callback = Lie()
    assert app.log_in(provider).verified_identity().subject == "person-1"


@pytest.mark.requirement("CL-LO-04")
def test_a_server_that_cannot_do_it_is_not_used(
    make: Callable[..., Application], provider: ProvingProvider
) -> None:
    signs = {"token_endpoint_auth_methods_supported": ["private_key_jwt"]}
    cases: list[tuple[dict[str, object], str]] = [
        ({PAR: None}, "no_pushed_requests"),
        ({"dpop_signing_alg_values_supported": ["RS256"]}, "no_dpop_alg"),
        ({"code_challenge_methods_supported": ["plain"]}, "pkce_not_supported"),
        ({"token_endpoint_auth_methods_supported": ["client_secret_basic"]}, "configuration_error"),
        ({"token_endpoint_auth_signing_alg_values_supported": ["RS256"]}, "configuration_error"),
    ]
    for changes, code in cases:
        provider.describe(**{**signs, **changes})
        with pytest.raises(CodegrantError) as caught:
            make().start()
        assert caught.value.code == code
    assert provider.count("/par") == 0
    provider.describe(**signs)
    assert make().start().url


@pytest.mark.requirement("CL-LO-04")
def test_an_answer_that_falls_short_of_it_is_refused(
    make: Callable[..., Application], provider: ProvingProvider
) -> None:
    app = make()
    provider.kind = "Bearer"
    with pytest.raises(ResponseRejected) as bearer:
        app.log_in(provider)
    assert bearer.value.code == "token_type_unknown"
    provider.kind = "DPoP"
    provider.keys["rsa"] = generate_private_key(65_537, 2048)
    provider.signing_kid = "rsa"  # RS256, which the metadata lists
    with pytest.raises(TokenRejected) as weak:
        make().log_in(provider)
    assert weak.value.code == "algorithm_refused"
    plain = make(profile=None, dpop=True)
    assert plain.log_in(provider).verified_identity().subject == "person-1"
    provider.signing_kid = "k1"
    assert app.log_in(provider).verified_identity().subject == "person-1"


@pytest.mark.requirement("CL-LO-04")
@pytest.mark.parametrize(
    ("changes", "argument"),
    [
        pytest.param({"private_key": None}, "private_key", id="a public client"),
        pytest.param(
            {"private_key": None, "client_secret": CLIENT_SECRET}, "private_key", id="a secret"
        ),
        pytest.param({"client_secret": CLIENT_SECRET}, "private_key", id="a secret beside the key"),
        pytest.param({"private_key": KEYS["RS256"]}, "private_key", id="RS256"),
        pytest.param(
            {"token_endpoint_auth_method": "none"}, "token_endpoint_auth_method", id="no method"
        ),
        pytest.param({"pushed_requests": False}, "pushed_requests", id="not pushed"),
        pytest.param({"id_token_algs": ["ES256", "RS256"]}, "id_token_algs", id="RS256 ID tokens"),
        pytest.param(
            {"dangerously_allow_missing_pkce_support": True},
            "dangerously_allow_missing_pkce_support",
            id="without S256",
        ),
        pytest.param(
            {"dangerously_use_token_endpoint_as_audience": True},
            "dangerously_use_token_endpoint_as_audience",
            id="a wide audience",
        ),
        pytest.param({"redirect_uri": "http://app.example/cb"}, "redirect_uri", id="no TLS"),
        pytest.param({"profile": "fapi1"}, "profile", id="no such profile"),
    ],
)
def test_an_argument_against_it_is_refused_at_once(
    make: Callable[..., Application], changes: dict[str, Any], argument: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make(**changes)
    assert caught.value.message.startswith(f"{argument}: ")
    if argument not in {"profile", "redirect_uri"}:
        assert caught.value.code == "profile_not_met"


@pytest.mark.requirement("CL-LO-04")
def test_a_server_is_one_that_says_itself_what_it_does(
    make_app: MakeApplication, provider: ProvingProvider
) -> None:
    given = {"client_secret": None, "private_key": KEYS["ES256"], "profile": "fapi2"}
    described = ServerMetadata(
        issuer=provider.issuer,
        authorization_endpoint=f"{provider.issuer}/authorize",
        token_endpoint=f"{provider.issuer}/token",
    )
    for server in (described, "yahoo", "github"):
        with pytest.raises(ConfigurationError) as caught:
            make_app(server, **given)
        assert caught.value.code == "profile_not_met"
        assert caught.value.message.startswith("server: ")
    assert make_app("google", **given).client.flows.config.dpop


@pytest.mark.requirement("CL-LO-04")
def test_a_redirect_uri_of_one_login_is_held_to_it_too(
    make: Callable[..., Application], provider: ProvingProvider
) -> None:
    app = make(redirect_uri=None)
    for refused in ("http://app.example/cb", "com.example.app:/cb"):
        with pytest.raises(UsageError):
            app.start(redirect_uri=refused)
    assert provider.count("/par") == 0
    for fine in ("https://app.example/cb", "http://127.0.0.1:5000/cb"):
        assert app.start(redirect_uri=fine).url
    assert make(profile=None, dpop=True).start(redirect_uri="http://app.example/cb").url


def test_what_it_takes_beside_them(make: Callable[..., Application]) -> None:
    for fine in (
        {"pushed_requests": True},
        {"id_token_algs": ["PS256"]},
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"redirect_uri": "http://127.0.0.1:5000/callback"},
        {"signed_requests": True},
    ):
        assert make(**fine).client.flows.config.dpop
