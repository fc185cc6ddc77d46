"""From the start of a login to its callback: what goes out, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from codegrant import (
    CallbackRejected,
    CodegrantError,
    ConfigurationError,
    KeyRing,
    MetadataRejected,
    PendingLogin,
    Refused,
    ServerMetadata,
    StateError,
    TransportError,
    UsageError,
)
from tests.flows.conftest import MakeApplication
from tests.support.application import REDIRECT_URI, Application
from tests.support.mock_provider import CLIENT_ID, Lie, MockProvider, b64

RING = KeyRing(["r" * 32])


def query_of(url: str) -> dict[str, str]:
    pairs = parse_qs(urlsplit(url).query, strict_parsing=True)
    assert all(len(values) == 1 for values in pairs.values())
    return {name: values[0] for name, values in pairs.items()}


def refused(app: Application, callback_url: str, login: PendingLogin) -> CodegrantError:
    with pytest.raises(CodegrantError) as caught:
        app.finish(callback_url, login)
    return caught.value


@pytest.mark.requirement("CL-FLOW-01", "CL-FLOW-04")
def test_every_login_asks_for_a_code_with_a_challenge_state_and_nonce_of_its_own(
    app: Application, provider: MockProvider
) -> None:
    logins = [app.start() for _ in range(20)]
    for login in logins:
        query = query_of(login.url)
        verifier = login.code_verifier.reveal()
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        assert query["code_challenge"] == b64(sha256(verifier.encode()).digest())
        assert query["client_id"] == CLIENT_ID
        assert query["redirect_uri"] == REDIRECT_URI
        assert (query["state"], query["nonce"]) == (login.state, login.nonce)
        assert len({query["state"], query["nonce"], verifier, query["code_challenge"]}) == 4
    secrets = {s for x in logins for s in (x.state, x.nonce, x.code_verifier.reveal())}
    assert len(secrets) == 60
    assert all(len(secret) == 43 for secret in secrets)
    app.finish(provider.authorize(logins[0].url), logins[0])
    # The verifier went to the token endpoint and into no URL whatever.
    told = [*(x.url for x in logins), *(request.target for request in provider.received)]
    assert not any(x.code_verifier.reveal() in url for x in logins for url in told)
    assert logins[0].code_verifier.reveal() in provider.received[-2].body.decode()


@pytest.mark.requirement("CL-FLOW-02")
def test_a_provider_without_s256_is_refused_unless_configured(
    make_app: MakeApplication, provider: MockProvider, caplog: pytest.LogCaptureFixture
) -> None:
    for methods in (None, ["plain"]):
        provider.metadata = Lie({"code_challenge_methods_supported": methods})
        with pytest.raises(MetadataRejected) as caught:
            make_app(provider).start()
        assert "S256" in str(caught.value)
        allowed = make_app(provider, dangerously_allow_missing_pkce_support=True)
        assert query_of(allowed.start().url)["code_challenge_method"] == "S256"
        assert "S256" in caplog.text
    provider.metadata = Lie()
    assert make_app(provider).start().url


def test_a_callback_of_another_browser_is_refused_before_any_token_request(
    app: Application, provider: MockProvider
) -> None:
    mine, theirs = app.start(), app.start()
    callback = provider.authorize(theirs.url)
    error = refused(app, callback, mine)
    assert isinstance(error, StateError)
    assert error.code == "state_mismatch"
    assert provider.count("/token") == 0
    assert app.finish(callback, theirs).claims["sub"] == "person-1"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param({"state": None}, "state_missing", id="no state"),
        pytest.param({"state": ""}, "state_missing", id="empty state"),
        pytest.param({"state": "other"}, "state_mismatch", id="other state"),
        pytest.param({"state": "other", "error": "access_denied", "code": None},
                     "state_mismatch", id="an error with another state"),
    ],
)  # fmt: skip
def test_no_state_and_another_state_are_refused(
    app: Application, provider: MockProvider, change: dict[str, object], code: str
) -> None:
    provider.callback = Lie(change)
    login = app.start()
    error = refused(app, provider.authorize(login.url), login)
    assert isinstance(error, StateError)
    assert error.code == code
    assert error.hint
    assert provider.count("/token") == 0


def test_a_callback_is_good_for_one_token_request(app: Application, provider: MockProvider) -> None:
    login = app.start()
    callback = provider.authorize(login.url)
    app.finish(callback, login)
    error = refused(app, callback, login)
    assert isinstance(error, StateError)
    assert error.code == "state_already_used"
    again = PendingLogin.open(login.seal(RING), RING)
    assert refused(app, callback, again).code == "state_already_used"
    assert provider.count("/token") == 1


def test_a_login_expires(make_app: MakeApplication, provider: MockProvider) -> None:
    times = {"now": 1_800_000_000.0}
    app = make_app(provider, clock=lambda: times["now"])
    login = app.start()
    callback = provider.authorize(login.url)
    times["now"] += 601
    error = refused(app, callback, login)
    assert isinstance(error, StateError)
    assert error.code == "state_expired"
    assert provider.count("/token") == 0


def test_a_sealed_login_is_finished_by_another_process(
    make_app: MakeApplication, provider: MockProvider
) -> None:
    first, second = make_app(provider), make_app(provider)
    login = first.start(scope="openid", return_to="/deep")
    sealed = login.seal(RING)
    opened = PendingLogin.open(sealed, RING)
    assert opened.return_to == "/deep"
    assert second.finish(provider.authorize(login.url), opened).claims["sub"] == "person-1"


@pytest.mark.parametrize("field", ["issuer", "client_id", "token_endpoint"])
def test_a_login_of_one_provider_is_not_finished_at_another(
    app: Application, provider: MockProvider, field: str
) -> None:
    login = app.start()
    callback = provider.authorize(login.url)
    foreign = replace(login, provider=login.provider._replace(**{field: "https://other.example"}))
    error = refused(app, callback, foreign)
    assert isinstance(error, StateError)
    assert error.code == "state_other_provider"
    assert provider.count("/token") == 0
    assert app.finish(callback, login).claims["sub"] == "person-1"


def test_the_code_of_one_provider_never_reaches_another(
    make_app: MakeApplication, provider: MockProvider
) -> None:
    attacker = MockProvider()
    honest_app, attacker_app = make_app(provider), make_app(attacker)
    login = attacker_app.start()
    # The attacker sends the browser on to the honest provider, with the attacker's state.
    stolen = honest_app.start().url.replace(query_of(honest_app.start().url)["state"], "x")
    query = query_of(provider.authorize(stolen))
    callback = (
        f"{REDIRECT_URI}?code={query['code']}&state={login.state}&iss={quote(provider.issuer)}"
    )
    assert isinstance(refused(attacker_app, callback, login), CallbackRejected)
    assert attacker.count("/token") == provider.count("/token") == 0
    attacker.close()


@pytest.mark.requirement("CL-FLOW-07")
@pytest.mark.parametrize("advertised", [True, False, None])
@pytest.mark.parametrize(
    "iss",
    [
        pytest.param(None, id="none"),
        pytest.param("", id="empty"),
        pytest.param("https://evil.example", id="another"),
        pytest.param("{issuer}/", id="slash"),
        pytest.param("{issuer}x", id="longer"),
    ],
)
def test_iss_is_compared_and_required_where_it_is_advertised(
    app: Application, provider: MockProvider, advertised: bool | None, iss: str | None
) -> None:
    provider.metadata = Lie({"authorization_response_iss_parameter_supported": advertised})
    provider.callback = Lie({"iss": iss and iss.format(issuer=provider.issuer)})
    login = app.start()
    callback = provider.authorize(login.url)
    if not iss and not advertised:
        assert app.finish(callback, login).claims["sub"] == "person-1"
        return
    error = refused(app, callback, login)
    assert isinstance(error, CallbackRejected)
    assert not isinstance(error, StateError)
    assert error.hint
    assert provider.count("/token") == 0
    provider.callback = Lie()
    login = app.start()
    assert app.finish(provider.authorize(login.url), login).claims["sub"] == "person-1"


@pytest.mark.requirement("CL-FLOW-08")
def test_an_error_is_told_only_after_state_and_iss_and_without_markup(
    app: Application, provider: MockProvider
) -> None:
    lie: dict[str, object] = {
        "code": None,
        "error": "access_denied",
        "error_description": 'no <script>alert("1")</script>\r\nSet-Cookie: a=b',
    }
    for change in ({"state": "other"}, {"iss": "https://evil.example"}, {"iss": None}):
        provider.callback = Lie({**lie, **change})
        login = app.start()
        error = refused(app, provider.authorize(login.url), login)
        assert isinstance(error, CallbackRejected)
        assert "script" not in str(error)
    provider.callback = Lie(lie)
    login = app.start()
    told = refused(app, provider.authorize(login.url), login)
    assert isinstance(told, Refused)
    assert (told.error, told.stage, told.status) == ("access_denied", "callback", 0)
    assert not set(told.description) & set('"\\\r\n')
    assert provider.count("/token") == 0


@pytest.mark.requirement("CL-FLOW-09")
@pytest.mark.parametrize(
    "more",
    [
        pytest.param("code=b", id="second code"),
        pytest.param("code={code}", id="same code twice"),
        pytest.param("state=b", id="second state"),
        pytest.param("state={state}", id="same state twice"),
        pytest.param("iss=b", id="second iss"),
        pytest.param("error=access_denied", id="code and error"),
        pytest.param("code=", id="second code, empty"),
        pytest.param("a=%zz", id="bad escape"),
        pytest.param("a=%ff", id="not UTF-8"),
    ],
)
def test_a_repeated_parameter_or_code_and_error_are_refused(
    app: Application, provider: MockProvider, more: str
) -> None:
    login = app.start()
    callback = provider.authorize(login.url)
    query = query_of(callback)
    error = refused(app, f"{callback}&{more.format(**query)}", login)
    assert isinstance(error, CallbackRejected)
    assert provider.count("/token") == 0
    assert query["code"] not in f"{error} {error!r} {error.facts}"
    assert app.finish(f"{callback}&unknown=parameter", login).claims["sub"] == "person-1"


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("", id="empty"),
        pytest.param(REDIRECT_URI, id="no query"),
        pytest.param("code=a&state=b", id="only the query"),
        pytest.param("https://[::1/callback?code=a&state=b", id="no URL"),
        pytest.param(f"{REDIRECT_URI}#code=a&state=b", id="fragment"),
        pytest.param(f"{REDIRECT_URI}#?code=a&state=b", id="fragment with a question mark"),
    ],
)
def test_what_is_no_callback_is_refused(app: Application, provider: MockProvider, url: str) -> None:
    error = refused(app, url, app.start())
    assert isinstance(error, CallbackRejected)
    assert error.hint


@pytest.mark.parametrize("end", ["#_=_", "#code=b&state=b", "\n", "  ", "&"])
def test_what_follows_the_query_does_no_harm(
    app: Application, provider: MockProvider, end: str
) -> None:
    login = app.start()
    assert app.finish(f"{provider.authorize(login.url)}{end}", login).claims["sub"] == "person-1"


def test_an_empty_code_is_refused(app: Application, provider: MockProvider) -> None:
    provider.callback = Lie({"code": ""})
    login = app.start()
    assert isinstance(refused(app, provider.authorize(login.url), login), CallbackRejected)
    assert provider.count("/token") == 0


def test_all_that_a_program_asks_for_reaches_the_provider(app: Application) -> None:
    query = query_of(
        app.start(
            redirect_uri="https://app.example/other",
            scope=["openid", "email"],
            prompt="login consent",
            max_age=0,
            login_hint="person@example.test",
            acr_values=["high", "low"],
            ui_locales="de en",
            claims={"id_token": {"email": None}},
            extra={"audience": "https://api.example/ä b"},
        ).url
    )
    assert query["redirect_uri"] == "https://app.example/other"
    assert query["scope"] == "openid email"
    assert query["prompt"] == "login consent"
    assert query["max_age"] == "0"
    assert query["login_hint"] == "person@example.test"
    assert query["acr_values"] == "high low"
    assert query["ui_locales"] == "de en"
    assert json.loads(query["claims"]) == {"id_token": {"email": None}}
    assert query["audience"] == "https://api.example/ä b"


def test_several_resources_are_several_parameters(app: Application) -> None:
    url = app.start(resource=["https://a.example", "https://b.example"]).url
    assert parse_qs(urlsplit(url).query)["resource"] == ["https://a.example", "https://b.example"]


@pytest.mark.parametrize(
    ("asked", "repeated"),
    [
        pytest.param("https://a.example", "https://a.example", id="one"),
        pytest.param((), None, id="none"),
        # An access token is for one API, and the client does not know which to choose.
        pytest.param(["https://a.example", "https://b.example"], None, id="two"),
    ],
)
def test_the_resource_is_repeated_in_the_token_request(
    app: Application, provider: MockProvider, asked: str | list[str], repeated: str | None
) -> None:
    login = app.start(resource=asked)
    reopened = PendingLogin.open(login.seal(RING), RING)
    assert reopened.resource == login.resource
    app.finish(provider.authorize(login.url), reopened)
    (request,) = (request for request in provider.received if request.path == "/token")
    assert request.form.get("resource") == repeated


def test_the_query_of_the_authorization_endpoint_stays(
    app: Application, provider: MockProvider
) -> None:
    provider.metadata = Lie({"authorization_endpoint": f"{provider.issuer}/authorize?tenant=a%20b"})
    url = app.start().url
    assert url.startswith(f"{provider.issuer}/authorize?tenant=a%20b&")
    assert query_of(url)["client_id"] == CLIENT_ID


@pytest.mark.parametrize(
    ("listed", "scope"),
    [
        (["openid", "profile", "email"], "openid profile email"),
        (["openid", "offline_access", "profile", "email"], "openid profile email offline_access"),
        (["openid"], "openid"),
        (None, "openid profile email"),
        (["read"], None),
    ],
)
def test_the_default_scope_is_what_the_provider_lists(
    app: Application, provider: MockProvider, listed: list[str] | None, scope: str | None
) -> None:
    provider.metadata = Lie({"scopes_supported": listed})
    assert query_of(app.start().url).get("scope") == scope


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"redirect_uri": "/callback"}, id="relative redirect URI"),
        pytest.param({"redirect_uri": f"{REDIRECT_URI}#f"}, id="redirect URI with fragment"),
        pytest.param({"scope": 'a"b'}, id="bad scope"),
        pytest.param({"scope": ["a b"]}, id="scope with a space"),
        pytest.param({"max_age": -1}, id="negative max_age"),
        pytest.param({"extra": {"state": "mine"}}, id="own state"),
        pytest.param({"extra": {"code_challenge_method": "plain"}}, id="own challenge method"),
        pytest.param({"extra": {"response_type": "token"}}, id="own response type"),
    ],
)
def test_a_request_that_does_not_fit_is_the_programs_fault(
    app: Application, arguments: dict[str, Any]
) -> None:
    with pytest.raises(UsageError):
        app.start(**arguments)


def test_a_redirect_uri_is_needed(make_app: MakeApplication, provider: MockProvider) -> None:
    with pytest.raises(UsageError, match="redirect_uri"):
        make_app(provider, redirect_uri=None).start()


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"client_id": ""}, "client_id"),
        ({"client_id": " app"}, "client_id"),
        ({"client_secret": ""}, "client_secret"),
        ({"client_secret": None, "token_endpoint_auth_method": "client_secret_post"}, "secret"),
        ({"token_endpoint_auth_method": "none"}, "client_secret"),
        ({"token_endpoint_auth_method": "client_secret_jwt"}, "token_endpoint_auth_method"),
        ({"leeway": 61}, "leeway"),
        ({"leeway": 0}, "leeway"),
        ({"timeout": 0}, "timeout"),
        ({"login_lifetime": 10**6}, "login_lifetime"),
        ({"api_origins": "https://api.example"}, "api_origins"),
        ({"api_origins": ["https://api.example/path"]}, "api_origins"),
        ({"api_origins": ["http://api.example"]}, "api_origins"),
        ({"id_token_algs": ["none"]}, "id_token_algs"),
        ({"id_token_algs": ["HS256"]}, "id_token_algs"),
    ],
)
def test_a_wrong_setting_is_named_at_once(
    make_app: MakeApplication, provider: MockProvider, arguments: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigurationError, match=named):
        make_app(provider, **arguments)
    assert provider.received == []


def test_a_provider_that_is_down_stops_no_application_from_starting(
    make_app: MakeApplication, provider: MockProvider
) -> None:
    app = make_app(provider)
    issuer, routes = provider.issuer, provider.routes.copy()
    provider.routes.clear()
    with pytest.raises(MetadataRejected):
        app.start()
    provider.routes.update(routes)
    assert app.start().provider.issuer == issuer
    gone = make_app("http://127.0.0.1:9")
    with pytest.raises(TransportError, match=r"127\.0\.0\.1:9"):
        gone.start()


def test_a_server_described_by_hand_gives_tokens_without_identity(
    make_app: MakeApplication, provider: MockProvider
) -> None:
    server = ServerMetadata(
        issuer=provider.issuer,
        authorization_endpoint=f"{provider.issuer}/authorize",
        token_endpoint=f"{provider.issuer}/token",
    )
    app = make_app(server, scope="read")
    query = query_of(app.start().url)
    assert query["scope"] == "read"
    assert "nonce" not in query
    assert "code_challenge" in query
    tokens = app.log_in(provider)
    assert (tokens.identity, tokens.id_token) == (None, None)
    assert tokens.scope == {"read"}
    assert provider.paths() == ["/token"]
    with pytest.raises(UsageError, match="who logged in"):
        _ = tokens.claims
    with pytest.raises(UsageError, match="jwks_uri"):
        app.start(scope="openid")


def test_a_described_server_with_keys_identifies_the_person(
    make_app: MakeApplication, provider: MockProvider
) -> None:
    server = ServerMetadata(
        issuer=provider.issuer,
        authorization_endpoint=f"{provider.issuer}/authorize",
        token_endpoint=f"{provider.issuer}/token",
        jwks_uri=f"{provider.issuer}/jwks",
    )
    assert make_app(server).log_in(provider, scope="openid").claims["sub"] == "person-1"
    assert provider.paths() == ["/token", "/jwks"]


@pytest.mark.parametrize("url", ["http://server.example/token", "javascript:alert(1)", "token"])
def test_a_described_server_has_safe_addresses(make_app: MakeApplication, url: str) -> None:
    with pytest.raises(CodegrantError):
        make_app(
            ServerMetadata(
                issuer="https://server.example",
                authorization_endpoint="https://server.example/authorize",
                token_endpoint=url,
            )
        )


@pytest.mark.requirement("CL-META-01")
@pytest.mark.parametrize(
    "path", ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"]
)
def test_metadata_of_another_issuer_is_refused_on_each_path(
    make_app: MakeApplication, provider: MockProvider, path: str
) -> None:
    document = provider.routes.pop("/.well-known/openid-configuration")
    provider.routes[path] = document
    for issuer in ("https://evil.example", f"{provider.issuer}/", None):
        provider.metadata = Lie({"issuer": issuer})
        with pytest.raises(MetadataRejected):
            make_app(provider).start()
    provider.metadata = Lie()
    assert make_app(provider).start().provider.issuer == provider.issuer


@pytest.mark.requirement("CL-META-02")
@pytest.mark.parametrize(
    "member", ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"]
)
def test_endpoints_are_https_or_loopback(
    make_app: MakeApplication, provider: MockProvider, member: str
) -> None:
    for url in ("javascript:alert(1)", "file:///etc/passwd", "http://issuer.example/x", "/x"):
        provider.metadata = Lie({member: url})
        with pytest.raises(MetadataRejected):
            make_app(provider).start()
    provider.metadata = Lie()
    assert make_app(provider).start().url


def test_an_untrusted_issuer_on_this_machine_is_refused(
    make_app: MakeApplication, provider: MockProvider
) -> None:
    with pytest.raises(TransportError) as caught:
        make_app(provider, untrusted_issuer=True).start()
    assert caught.value.code == "address_refused"
    assert provider.received == []
