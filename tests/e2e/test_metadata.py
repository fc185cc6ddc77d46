"""What a server says of itself, at an issuer without a path and at one with a path."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support.relying_party import (
    Answer,
    RelyingParty,
    administration_error,
    free_port,
    read_callback,
    read_claims,
    register,
    send,
    send_form,
)
from tests.support.serving import Serving

REQUIRED = {
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "jwks_uri",
    "response_types_supported",
    "subject_types_supported",
    "id_token_signing_alg_values_supported",
}


@pytest.fixture(scope="module", params=["", "/tenant/one"], ids=["root", "path"])
def serving(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    """Return a server that knows alice, its issuer without and with a path."""
    arguments: tuple[str, ...] = ()
    port = 0
    if request.param:
        port = free_port()
        arguments = ("--issuer", f"http://127.0.0.1:{port}{request.param}")
    folder = tmp_path_factory.mktemp("metadata")
    with Serving(folder, *arguments, port=port).start() as running:
        assert running.issuer.endswith(request.param)
        running.add_user()
        yield running


@pytest.fixture(scope="module")
def party(serving: Serving) -> RelyingParty:
    """Return a confidential client that nobody has to be asked about."""
    return register(serving, "web", "--skip-consent")


def openid_url(issuer: str) -> str:
    return f"{issuer}/.well-known/openid-configuration"


def oauth_url(issuer: str) -> str:
    parts = urlsplit(issuer)
    root = f"{parts.scheme}://{parts.netloc}"
    return f"{root}/.well-known/oauth-authorization-server{parts.path}"


def read(url: str, **headers: str) -> dict[str, Any]:
    answer = send("GET", url, headers=headers)
    assert answer.status == 200, answer
    document: dict[str, Any] = answer.json
    return document


@pytest.mark.requirement("AS-META-01", "AS-META-02")
def test_both_documents_stand_where_the_issuer_says(serving: Serving) -> None:
    for url in (oauth_url(serving.issuer), openid_url(serving.issuer)):
        answer = send("GET", url)
        assert answer.status == 200
        assert answer.headers["content-type"] == "application/json"
        assert answer.json["issuer"] == serving.issuer
        assert send("HEAD", url).status == 200
        assert send("POST", url).status == 405
        assert send("GET", f"{url}/").status == 404


@pytest.mark.requirement("AS-META-01", "AS-META-02")
def test_a_path_has_its_documents_at_no_other_address(serving: Serving) -> None:
    parts = urlsplit(serving.issuer)
    root = f"{parts.scheme}://{parts.netloc}"
    elsewhere = (
        [
            f"{root}/.well-known/openid-configuration",
            f"{root}/.well-known/oauth-authorization-server",
            f"{root}/.well-known/openid-configuration{parts.path}",
            f"{serving.issuer}/.well-known/oauth-authorization-server",
        ]
        if parts.path
        else [f"{root}/tenant/one/.well-known/openid-configuration"]
    )
    assert [send("GET", url).status for url in elsewhere] == [404] * len(elsewhere)


@pytest.mark.requirement("AS-META-03", "AS-META-07")
def test_the_issuer_is_the_same_text_everywhere(serving: Serving, party: RelyingParty) -> None:
    issuers = [read(url(serving.issuer))["issuer"] for url in (oauth_url, openid_url)]
    browser = party.new_browser()
    callback = party.authorize(browser)
    token = party.token(callback["code"]).json
    issuers += [
        callback["iss"],
        read_claims(token["id_token"])["iss"],
        read_claims(token["access_token"])["iss"],
    ]
    assert issuers == [serving.issuer] * 5
    parts = urlsplit(serving.issuer)
    assert (parts.scheme, parts.hostname, parts.query, parts.fragment) == (
        *("http", "127.0.0.1"),
        *("", ""),
    )


@pytest.mark.requirement("AS-META-03")
@pytest.mark.parametrize(
    "issuer",
    [
        pytest.param("http://issuer.example", id="http elsewhere"),
        pytest.param("http://127.0.0.1:{port}/?a=b", id="query"),
        pytest.param("http://127.0.0.1:{port}/#part", id="fragment"),
    ],
)
def test_no_server_starts_as_another_kind_of_issuer(
    issuer: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    port = free_port()
    server = Serving(
        tmp_path_factory.mktemp("refused"), "--issuer", issuer.format(port=port), port=port
    )
    with pytest.raises(AssertionError, match="codegrant: issuer: "):
        server.start()


@pytest.mark.requirement("AS-META-04", "AS-META-05")
def test_the_documents_are_complete_and_agree(serving: Serving) -> None:
    oauth, openid = read(oauth_url(serving.issuer)), read(openid_url(serving.issuer))
    for document in (oauth, openid):
        assert document.keys() >= REQUIRED
        assert not list(empty_members(document))
        assert document["response_types_supported"] == ["code"]
        assert document["subject_types_supported"] == ["public"]
        assert "RS256" in document["id_token_signing_alg_values_supported"]
        assert "none" not in document["id_token_signing_alg_values_supported"]
    shared = oauth.keys() & openid.keys()
    assert {name: oauth[name] for name in shared} == {name: openid[name] for name in shared}


def test_an_empty_member_would_be_seen() -> None:
    assert list(empty_members({"a": [], "b": {"c": None}, "d": [False], "e": {}})) == [
        *("a", "b.c", "e"),
    ]


def empty_members(value: Any, name: str = "") -> Iterator[str]:
    """Yield the name of each member that is null or has no elements. RFC 8414 §3.2."""
    if value is None or (isinstance(value, list | dict) and not value):
        yield name
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from empty_members(each, f"{name}.{key}".removeprefix("."))
    elif isinstance(value, list):
        for each in value:
            yield from empty_members(each, name)


@pytest.mark.requirement("AS-META-06")
def test_s256_is_advertised_and_plain_fails(serving: Serving, party: RelyingParty) -> None:
    assert read(openid_url(serving.issuer))["code_challenge_methods_supported"] == ["S256"]
    browser = party.new_browser()
    assert "code" in party.authorize(browser)
    refused = read_callback(party.open(browser, code_challenge_method="plain").location)
    assert refused["error"] == "invalid_request"
    assert "code" not in refused


@pytest.mark.requirement("AS-META-07")
def test_every_redirect_to_the_client_carries_iss(serving: Serving, party: RelyingParty) -> None:
    document = read(openid_url(serving.issuer))
    assert document["authorization_response_iss_parameter_supported"] is True
    asking = register(serving, "asking")
    browser = party.new_browser()
    granted = party.authorize(browser)
    refused = read_callback(party.open(browser, response_type="token").location)
    silent = read_callback(asking.open(browser, prompt="none").location)
    denied = asking.open(browser)
    denied = browser.submit(denied, button="consent-deny")
    answers = [granted, refused, silent, read_callback(denied.location)]
    assert [answer.get("error") for answer in answers] == [
        *(None, "unsupported_response_type", "consent_required", "access_denied"),
    ]
    assert [answer["iss"] for answer in answers] == [document["issuer"]] * 4


@pytest.mark.requirement("AS-META-08")
def test_each_advertised_authentication_method_works_and_no_other(serving: Serving) -> None:
    advertised = read(openid_url(serving.issuer))["token_endpoint_auth_methods_supported"]
    for method in advertised:
        party = register(serving, f"auth-{method}", "--skip-consent", "--auth-method", method)
        assert party.log_in().json["token_type"] == "Bearer"
    known = {
        *("client_secret_basic", "client_secret_post", "none"),
        *("client_secret_jwt", "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"),
    }
    for method in known - set(advertised):
        error = administration_error(
            serving,
            *("clients", "add", "refused", "--redirect-uri", "https://a.example/"),
            *("--auth-method", method),
        )
        assert error.startswith("auth-method: ")


@pytest.mark.requirement("AS-META-08", "AS-META-09", "AS-CA-01")
@pytest.mark.parametrize("endpoint", ["revocation_endpoint", "introspection_endpoint"])
def test_each_method_works_at_the_endpoints_that_name_it(serving: Serving, endpoint: str) -> None:
    document = read(openid_url(serving.issuer))
    url, advertised = document[endpoint], document[f"{endpoint}_auth_methods_supported"]
    for method in ("client_secret_basic", "client_secret_post", "none"):
        party = register(serving, f"{endpoint}-{method}", "--skip-consent", "--auth-method", method)
        token = party.log_in().json["access_token"]
        ask = party.revoke if endpoint.startswith("revocation") else party.introspect
        answer = ask(token)
        assert (answer.status == 200) == (method in advertised)
        if method not in advertised:
            assert (answer.status, answer.error) == (401, "invalid_client")
        without = send_form(url, [("token", token)])
        assert (without.status, without.error) == (401, "invalid_client")
    assert send("POST", url).status == 400
    assert send("GET", url).status == 405


@pytest.mark.requirement("AS-META-08")
@pytest.mark.parametrize("kind", ["client_secret_jwt", "private_key_jwt"])
def test_a_client_assertion_is_no_authentication_here(
    serving: Serving, party: RelyingParty, kind: str
) -> None:
    code = party.authorize()["code"]
    header, claims = {"alg": "HS256"}, {"iss": "web", "sub": "web", "aud": serving.issuer}
    assertion = ".".join(
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()
        for part in (header, claims, {"signed": kind})
    )
    fields = party.token_request(
        code,
        client_id="web",
        client_assertion=assertion,
        client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    )
    refused = send_form(party.token_endpoint, fields)
    assert (refused.status, refused.error) in {(401, "invalid_client"), (400, "invalid_request")}
    assert party.token(code).status == 200


@pytest.mark.requirement("AS-META-08")
def test_each_advertised_grant_type_works_and_no_other(
    serving: Serving, party: RelyingParty
) -> None:
    advertised = set(read(openid_url(serving.issuer))["grant_types_supported"])
    assert "authorization_code" in advertised
    browser = party.new_browser()
    code = party.authorize(browser)["code"]
    known = {
        *("authorization_code", "refresh_token", "client_credentials", "password", "implicit"),
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    }
    for grant_type in known - advertised:
        refused = party.token(code, grant_type=grant_type)
        assert (refused.status, refused.error) == (400, "unsupported_grant_type"), grant_type
    assert party.token(code).status == 200


@pytest.mark.requirement("AS-META-08")
def test_each_advertised_response_type_and_mode_works_and_no_other(
    serving: Serving, party: RelyingParty
) -> None:
    document = read(openid_url(serving.issuer))
    browser = party.new_browser()
    party.authorize(browser)
    for mode in document["response_modes_supported"]:
        assert "code" in party.authorize(browser, response_mode=mode)
    modes = {"query", "fragment", "form_post", "web_message", "jwt", "query.jwt", "form_post.jwt"}
    for mode in modes - set(document["response_modes_supported"]):
        refused = read_callback(party.open(browser, response_mode=mode).location)
        assert refused["error"] == "invalid_request", mode
    types = {"code", "token", "id_token", "code token", "code id_token", "id_token token", "none"}
    for kind in types - set(document["response_types_supported"]):
        refused = read_callback(party.open(browser, response_type=kind).location)
        assert refused["error"] == "unsupported_response_type", kind


@pytest.mark.requirement("AS-META-08")
def test_each_advertised_signature_is_made_and_no_other_registered(serving: Serving) -> None:
    document = read(openid_url(serving.issuer))
    for algorithm in document["id_token_signing_alg_values_supported"]:
        party = register(serving, f"alg-{algorithm}", "--skip-consent", "--id-token-alg", algorithm)
        token = party.log_in().json["id_token"]
        raw = token.split(".")[0]
        header = json.loads(base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)))
        assert header["alg"] == algorithm
        keys = read(document["jwks_uri"])["keys"]
        assert [key["alg"] for key in keys if key["kid"] == header["kid"]] == [algorithm]
    for algorithm in ("none", "HS256", "RS1", "ES512"):
        error = administration_error(
            serving,
            *("clients", "add", "refused", "--redirect-uri", "https://a.example/"),
            *("--id-token-alg", algorithm),
        )
        assert error.startswith("id-token-alg: ")


@pytest.mark.requirement("AS-META-08")
def test_each_advertised_scope_is_granted(serving: Serving) -> None:
    document = read(openid_url(serving.issuer))
    scope = " ".join(document["scopes_supported"])
    party = register(serving, "scopes", "--skip-consent", "--scope", scope, scope=scope)
    assert party.log_in().json["scope"] == scope


@pytest.mark.requirement("AS-META-10")
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"host": "evil.test"}, id="host"),
        pytest.param({"x-forwarded-host": "evil.test"}, id="x-forwarded-host"),
        pytest.param({"x-forwarded-proto": "https"}, id="x-forwarded-proto"),
        pytest.param({"forwarded": "host=evil.test;proto=https"}, id="forwarded"),
        pytest.param({"x-forwarded-prefix": "/evil"}, id="x-forwarded-prefix"),
        pytest.param({"x-original-url": "/evil", "x-rewrite-url": "/evil"}, id="rewritten"),
    ],
)
def test_no_header_of_a_request_moves_an_address(
    serving: Serving, party: RelyingParty, headers: dict[str, str]
) -> None:
    for url in (openid_url(serving.issuer), oauth_url(serving.issuer)):
        assert read(url, **headers) == read(url)
    pages = send("GET", party.authorize_url(), headers=headers)
    assert pages.status == 303
    assert pages.location.startswith(f"{serving.issuer}/login?transaction=")


@pytest.mark.requirement("AS-META-11")
def test_every_endpoint_is_below_the_issuer_and_without_fragment(serving: Serving) -> None:
    document = read(openid_url(serving.issuer))
    urls = [value for name, value in document.items() if name.endswith(("_endpoint", "_uri"))]
    assert len(urls) >= 4
    for url in urls:
        parts = urlsplit(url)
        assert parts.scheme == "http"
        assert parts.hostname == "127.0.0.1"
        assert not parts.query
        assert "#" not in url
        assert url.startswith(f"{serving.issuer}/")
        assert send("POST", url).status != 404


def cors(answer: Answer) -> list[str]:
    return [name for name in answer.headers if name.startswith("access-control-")]


PREFLIGHT = {
    "origin": "https://spa.example",
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization, content-type",
}


@pytest.mark.requirement("AS-META-12")
@pytest.mark.parametrize(
    "name",
    [
        *("metadata", "jwks_uri"),
        *("token_endpoint", "userinfo_endpoint", "revocation_endpoint"),
    ],
)
def test_what_programs_call_other_origins_may_call(serving: Serving, name: str) -> None:
    document = read(openid_url(serving.issuer))
    url = document.get(name, openid_url(serving.issuer))
    preflight = send("OPTIONS", url, headers=PREFLIGHT)
    assert preflight.status == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in preflight.headers
    method = "POST" if name.endswith("_endpoint") else "GET"
    assert method in preflight.headers["access-control-allow-methods"]
    answer = send(method, url, headers={"origin": "https://spa.example"})
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.requirement("AS-META-12")
def test_introspection_needs_a_secret_and_no_page_of_another_origin(serving: Serving) -> None:
    url = read(openid_url(serving.issuer))["introspection_endpoint"]
    preflight = send("OPTIONS", url, headers=PREFLIGHT)
    assert (preflight.status, cors(preflight)) == (405, [])
    party = register(serving, "introspecting", "--skip-consent")
    token = party.log_in().json["access_token"]
    origin = {"origin": "https://spa.example"}
    good = {**origin, **party.authentication()}
    answers = [send_form(url, [("token", token)], headers) for headers in (good, origin)]
    assert [answer.status for answer in answers] == [200, 401]
    assert [cors(answer) for answer in answers] == [[], []]


@pytest.mark.requirement("AS-META-12")
@pytest.mark.parametrize("page", ["authorize", "login", "consent", "logout", "account"])
def test_what_a_person_sees_no_other_origin_may_read(
    serving: Serving, party: RelyingParty, page: str
) -> None:
    url = party.authorize_url() if page == "authorize" else f"{serving.issuer}/{page}"
    assert not cors(send("OPTIONS", url, headers=PREFLIGHT))
    for method in ("GET", "POST", "PUT"):
        assert not cors(send(method, url, headers={"origin": "https://spa.example"}))
