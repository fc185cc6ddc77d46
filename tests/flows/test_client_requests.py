"""Authorization requests that are pushed or signed, in both colours: what the browser carries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from codegrant import (
    CodegrantError,
    ConfigurationError,
    Refused,
    ResponseRejected,
    ServerMetadata,
    TransportError,
    UsageError,
)
from codegrant.jose import PrivateKey
from tests.flows.conftest import MakeApplication
from tests.support.application import REDIRECT_URI, Application, Clock
from tests.support.mock_provider import (
    CLIENT_ID,
    Answer,
    Lie,
    Received,
    as_json,
    html,
    redirect,
)
from tests.support.other_grants import GrantsProvider
from tests.support.request_provider import PAR, RequestProvider

KEY = PrivateKey.generate("ES256")
PEM = KEY.to_pem().decode()


@pytest.fixture
def provider() -> Iterator[RequestProvider]:
    provider = RequestProvider()
    yield provider
    provider.close()


def front_of(url: str) -> list[tuple[str, str]]:
    return parse_qsl(urlsplit(url).query)


def pushes(provider: RequestProvider) -> list[Received]:
    return [request for request in provider.received if request.path == "/par"]


def refused(app: Application, **arguments: Any) -> CodegrantError:
    with pytest.raises(CodegrantError) as caught:
        app.start(**arguments)
    return caught.value


@pytest.mark.requirement("CL-FLOW-13")
@pytest.mark.parametrize("required", [True, False])
def test_a_request_is_pushed_and_the_browser_brings_its_name_alone(
    make_app: MakeApplication, provider: RequestProvider, required: bool
) -> None:
    provider.describe(require_pushed_authorization_requests=required)
    app = make_app(provider)
    login = app.start(login_hint="person@example.test", resource=["https://a.test", "urn:b"])
    (pushed,) = pushes(provider)
    assert pushed.method == "POST"
    assert pushed.headers["authorization"].startswith("Basic ")
    asked = parse_qsl(pushed.body.decode())
    assert [value for name, value in asked if name == "resource"] == ["https://a.test", "urn:b"]
    form = pushed.form
    assert (form["client_id"], form["redirect_uri"]) == (CLIENT_ID, REDIRECT_URI)
    assert (form["state"], form["code_challenge_method"]) == (login.state, "S256")
    assert form["login_hint"] == "person@example.test"
    assert "client_secret" not in form
    (name, request_uri) = front_of(login.url)[1]
    assert front_of(login.url) == [("client_id", CLIENT_ID), ("request_uri", request_uri)]
    assert name == "request_uri"
    assert app.finish(provider.authorize(login.url), login).claims["sub"] == "person-1"


@pytest.mark.requirement("CL-FLOW-13")
def test_a_program_may_insist_on_it_or_do_without(
    make_app: MakeApplication, provider: RequestProvider
) -> None:
    plain = make_app(provider, pushed_requests=False)
    plain.log_in(provider)
    assert pushes(provider) == []
    assert dict(provider.fronts[0])["response_type"] == "code"

    provider.describe(require_pushed_authorization_requests=True)
    error = refused(make_app(provider, pushed_requests=False))
    assert (type(error), error.code) == (UsageError, "pushed_requests_required")

    for published, insists in (
        ({PAR: None}, True),
        ({PAR: None, "require_pushed_authorization_requests": True}, None),
    ):
        provider.describe(**published)
        error = refused(make_app(provider, pushed_requests=insists))
        assert (type(error), error.code) == (UsageError, "no_pushed_requests")
    assert pushes(provider) == []

    provider.describe()
    make_app(provider, pushed_requests=True).log_in(provider)
    assert len(pushes(provider)) == 1


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        pytest.param({}, {"client_id"}, id="basic"),
        pytest.param(
            {"token_endpoint_auth_method": "client_secret_post"},
            {"client_id", "client_secret"},
            id="post",
        ),
        pytest.param({"client_secret": None}, {"client_id"}, id="public"),
        pytest.param(
            {
                "client_secret": None,
                "private_key": PEM,
                "token_endpoint_auth_method": "private_key_jwt",
            },
            {"client_id", "client_assertion", "client_assertion_type"},
            id="key",
        ),
    ],
)
def test_a_pushed_request_is_authenticated_as_a_token_request_and_names_the_client_once(
    make_app: MakeApplication,
    provider: RequestProvider,
    arguments: dict[str, Any],
    names: set[str],
) -> None:
    if "private_key" in arguments:
        provider.client_jwk = KEY.public.to_jwk()
    make_app(provider, **arguments).log_in(provider)
    (pushed,) = pushes(provider)
    pairs = parse_qsl(pushed.body.decode())
    assert sum(name == "client_id" for name, _ in pairs) == 1
    assert names == {name for name, _ in pairs if name.startswith("client_")}


@pytest.mark.requirement("CL-TOK-14")
def test_the_assertion_of_a_pushed_request_is_for_the_issuer(
    make_app: MakeApplication, provider: RequestProvider
) -> None:
    provider.client_jwk = KEY.public.to_jwk()
    method = "private_key_jwt"
    app = make_app(provider, client_secret=None, private_key=PEM, token_endpoint_auth_method=method)
    app.log_in(provider)
    pushed, exchanged = (claims for _, claims in provider.assertions)
    assert pushed["aud"] == exchanged["aud"] == provider.issuer
    assert pushed["jti"] != exchanged["jti"]
    provider.assertion_audience = f"{provider.issuer}/par"
    error = refused(app)
    assert isinstance(error, Refused)
    assert (error.error, error.stage) == ("invalid_client", "pushed_authorization")


def test_how_long_the_address_is_good_is_told(
    make_app: MakeApplication, provider: RequestProvider
) -> None:
    clock = Clock()
    app = make_app(provider, clock=clock)
    for seconds in (1, 90, "600"):
        provider.pushed = Lie({"expires_in": seconds})
        login = app.start()
        assert login.url_expires_at == login.started_at + int(seconds)
    provider.describe(**{PAR: None})
    assert make_app(provider).start().url_expires_at is None


@pytest.mark.parametrize(
    ("changes", "status", "told"),
    [
        pytest.param({"request_uri": None}, 201, "request_uri: the member is missing", id="none"),
        pytest.param({"request_uri": 7}, 201, "request_uri: the member is no text", id="number"),
        pytest.param({"request_uri": ""}, 201, "request_uri: the member is no text", id="empty"),
        pytest.param({"request_uri": "no-uri"}, 201, "is no URI", id="no scheme"),
        pytest.param({"request_uri": "urn:a b"}, 201, "is no URI", id="a space"),
        pytest.param({"request_uri": "urn:\r\nx"}, 201, "is no URI", id="a line"),
        pytest.param({"request_uri": "urn:" + "a" * 1025}, 201, "is no URI", id="too long"),
        pytest.param({"expires_in": None}, 201, "expires_in: the member is missing", id="no end"),
        pytest.param({"expires_in": 0}, 201, "it is not positive", id="over already"),
        pytest.param({"expires_in": -5}, 201, "expires_in", id="negative"),
        pytest.param({"expires_in": "soon"}, 201, "expires_in", id="no number"),
        pytest.param({"expires_in": True}, 201, "expires_in", id="a boolean"),
        pytest.param({}, 200, "the status is 200, not 201", id="another status"),
    ],
)
def test_an_answer_that_stands_for_no_request_is_not_used(
    make_app: MakeApplication,
    provider: RequestProvider,
    changes: dict[str, object],
    status: int,
    told: str,
) -> None:
    provider.pushed, provider.pushed_status = Lie(changes), status
    app = make_app(provider)
    error = refused(app)
    assert isinstance(error, ResponseRejected)
    assert (error.code, error.stage) == ("malformed_pushed_response", "pushed_authorization")
    assert told in error.message
    provider.pushed, provider.pushed_status = Lie(), 201
    app.log_in(provider)


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        pytest.param(
            as_json({"error": "invalid_request"}, 400), Refused, "invalid_request", id="400"
        ),
        pytest.param(
            as_json({"error": "invalid_client"}, 401), Refused, "invalid_client", id="401"
        ),
        pytest.param(as_json({"error": "slow_down"}, 429), Refused, "slow_down", id="429"),
        pytest.param(as_json({"error": "x"}, 200), Refused, "x", id="an error with 200"),
        pytest.param(as_json({"error": "x"}, 201), Refused, "x", id="an error with 201"),
        pytest.param(html(201), ResponseRejected, "not_json", id="a page with 201"),
        pytest.param(html(404), ResponseRejected, "not_json", id="a page"),
        pytest.param(Answer(500, b""), ResponseRejected, "server_failed", id="500"),
        pytest.param(
            redirect("https://evil.test/"), ResponseRejected, "redirect_refused", id="307"
        ),
        pytest.param(
            Answer(201, b"[" * 100, [("content-type", "application/json")]),
            ResponseRejected,
            "not_json",
            id="no object",
        ),
        pytest.param(
            Answer(201, b"{" + b" " * 2_000_000, []), TransportError, "too_large", id="2 MB"
        ),
    ],
)
def test_an_answer_that_is_no_success_is_judged_as_at_the_token_endpoint(
    make_app: MakeApplication,
    provider: RequestProvider,
    answer: Answer,
    kind: type[CodegrantError],
    code: str,
) -> None:
    provider.routes["/par"] = lambda _: answer
    error = refused(make_app(provider))
    assert isinstance(error, kind)
    assert (error.code, error.stage) == (code, "pushed_authorization")


def test_no_error_repeats_what_was_pushed(
    make_app: MakeApplication, provider: RequestProvider
) -> None:
    def repeat(request: Received) -> Answer:
        said = f"state {request.form['state']} nonce {request.form['nonce']}"
        return as_json({"error": "invalid_request", "error_description": said}, 400)

    provider.routes["/par"] = repeat
    error = refused(make_app(provider))
    (pushed,) = pushes(provider)
    assert "state *** nonce ***" in str(error)
    assert pushed.form["state"] not in str(error)


# Signed requests.


@pytest.fixture
def sign(make_app: MakeApplication, provider: RequestProvider) -> Callable[..., Application]:
    """Make applications that sign with a key and authenticate with a secret."""
    provider.request_jwk = KEY.public.to_jwk()

    def make(**arguments: Any) -> Application:
        return make_app(provider, **{"private_key": PEM, "signed_requests": True, **arguments})

    return make


@pytest.mark.requirement("CL-FLOW-13")
@pytest.mark.parametrize("pushed", [True, False])
def test_a_signed_request_holds_all_and_nothing_stands_beside_it(
    sign: Callable[..., Application], provider: RequestProvider, pushed: bool
) -> None:
    app = sign(pushed_requests=pushed)
    login = app.start(
        scope="openid read",
        max_age=60,
        claims={"id_token": {"acr": {"essential": True}}},
        resource=["https://a.test", "urn:b"],
        extra={"color": "blue"},
    )
    provider.claims = Lie({"acr": "1"})
    app.finish(provider.authorize(login.url), login)
    ((header, claims),) = provider.objects
    assert header == {"alg": "ES256", "typ": "oauth-authz-req+jwt"}
    assert (claims["iss"], claims["aud"]) == (CLIENT_ID, provider.issuer)
    assert "sub" not in claims
    assert claims["exp"] - claims["iat"] == 300
    assert (claims["client_id"], claims["response_type"]) == (CLIENT_ID, "code")
    assert (claims["redirect_uri"], claims["scope"]) == (REDIRECT_URI, "openid read")
    assert (claims["state"], claims["code_challenge_method"]) == (login.state, "S256")
    assert claims["max_age"] == 60
    assert claims["claims"] == {"id_token": {"acr": {"essential": True}}}
    assert claims["resource"] == ["https://a.test", "urn:b"]
    assert claims["color"] == "blue"
    if pushed:
        (request,) = pushes(provider)
        assert request.form.keys() == {"client_id", "request"}
    else:
        assert [name for name, _ in provider.fronts[0]] == [
            "client_id", "response_type", "scope", "request"
        ]  # fmt: skip
        assert dict(provider.fronts[0])["scope"] == "openid"
        assert login.url_expires_at == login.started_at + 300


def test_without_openid_the_browser_brings_client_and_request_alone(
    sign: Callable[..., Application], provider: RequestProvider
) -> None:
    sign(pushed_requests=False, scope="read").log_in(provider)
    assert [name for name, _ in provider.fronts[0]] == ["client_id", "request"]


def test_no_two_signed_requests_are_the_same(
    sign: Callable[..., Application], provider: RequestProvider
) -> None:
    app = sign()
    for _ in range(2):
        app.log_in(provider)
    assert len({claims["jti"] for _, claims in provider.objects}) == 2


def test_a_server_that_requires_signed_requests_gets_them(
    sign: Callable[..., Application], make_app: MakeApplication, provider: RequestProvider
) -> None:
    provider.describe(require_signed_request_object=True)
    sign(signed_requests=False).log_in(provider)
    assert len(provider.objects) == 1
    error = refused(make_app(provider))
    assert (type(error), error.code) == (ConfigurationError, "signed_requests_required")
    assert len(pushes(provider)) == 1


def test_the_algorithm_of_a_signed_request_is_one_that_the_server_lists(
    sign: Callable[..., Application], provider: RequestProvider
) -> None:
    rsa = PrivateKey.generate("RS256")
    listed = "request_object_signing_alg_values_supported"
    for algs, chosen in ((["none", "RS256"], "RS256"), (["none", "PS256", "RS256"], "PS256")):
        provider.describe(**{listed: algs})
        provider.request_jwk = {**rsa.public.to_jwk(), "alg": chosen}
        sign(private_key=rsa.to_pem().decode()).log_in(provider)
        assert provider.objects[-1][0]["alg"] == chosen
    provider.describe(**{listed: ["none", "HS256"]})
    error = refused(sign())
    assert isinstance(error, ConfigurationError)
    assert "it signs with ES256, and the server takes none, HS256" in error.message
    assert listed in error.hint


def test_a_signed_request_is_for_an_issuer(
    make_app: MakeApplication, provider: RequestProvider
) -> None:
    server = ServerMetadata(
        authorization_endpoint=f"{provider.issuer}/authorize",
        token_endpoint=f"{provider.issuer}/token",
    )
    error = refused(make_app(server, private_key=PEM, signed_requests=True, scope="read"))
    assert (type(error), error.code) == (UsageError, "no_audience")


def test_no_parameter_of_the_program_becomes_a_claim_of_the_signature(
    sign: Callable[..., Application], provider: RequestProvider
) -> None:
    for name in ("aud", "exp", "sub"):
        error = refused(sign(), extra={name: "x"})
        assert (type(error), error.code) == (UsageError, "own_parameter")
    assert pushes(provider) == []


def test_signing_needs_a_key_when_the_client_is_made(make_app: MakeApplication) -> None:
    with pytest.raises(ConfigurationError, match=r"^private_key: signed_requests needs one"):
        make_app("https://as.example", signed_requests=True)


# Resource indicators.


@pytest.mark.requirement("CL-FLOW-14")
def test_the_apis_of_a_client_are_named_with_everything_that_asks_for_a_token(
    make_app: MakeApplication,
) -> None:
    provider, api = GrantsProvider(), "https://api.example/v1"
    app = make_app(provider, resource=api)
    client: Any = app.client
    login = app.start(scope="openid")
    assert ("resource", api) in front_of(login.url)
    tokens = app.finish(provider.authorize(login.url), login)
    assert tokens.resource == app.refresh(tokens).resource == (api,)
    own = app.colour.wait(client.client_credentials(scope="read"))
    assert own.resource == (api,)
    assert app.colour.wait(client.start_device_login(scope="read")).resource == (api,)
    for path, kind in (
        ("/token", "authorization_code"),
        ("/token", "refresh_token"),
        ("/token", "client_credentials"),
        ("/device", None),
    ):
        (request,) = (
            r for r in provider.received if r.path == path and r.form.get("grant_type") == kind
        )
        assert request.form["resource"] == api

    # A call that names others means those.
    assert ("resource", "urn:b") in front_of(app.start(resource="urn:b").url)
    assert ("resource", api) not in front_of(app.start(resource="urn:b").url)
    other = app.colour.wait(client.client_credentials(audience="b"))
    assert (other.resource, other.audience) == ((), ("b",))
    plain = make_app(provider)
    assert "resource" not in dict(front_of(plain.start().url))
    provider.close()


@pytest.mark.requirement("CL-FLOW-14")
@pytest.mark.parametrize(
    "resource", ["api", "https://api.example/#part", ["https://a.example", ""], "https:", "/v1"]
)
def test_what_names_no_api_is_refused_when_the_client_is_made(
    make_app: MakeApplication, provider: RequestProvider, resource: Any
) -> None:
    with pytest.raises(ConfigurationError, match=r"^resource: "):
        make_app(provider, resource=resource)
    fine = make_app(provider, resource=["https://a.example", "urn:b"])
    pairs = front_of(fine.start().url)
    assert [name for name, _ in pairs] == ["client_id", "request_uri"]
    assert [v for n, v in parse_qsl(pushes(provider)[0].body.decode()) if n == "resource"] == [
        "https://a.example", "urn:b"
    ]  # fmt: skip
