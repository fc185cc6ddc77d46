"""OpenID Connect over the wire: what the way through HTTP, cookies and addresses could spoil."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest

from tests.support.browser import Browser, Page
from tests.support.relying_party import (
    Answer,
    RelyingParty,
    administration_error,
    read_callback,
    read_claims,
    register,
    send,
    send_form,
)
from tests.support.serving import Serving

BOB = "a builder's password"
SCOPE = "openid profile email address phone offline_access"


@pytest.fixture(scope="module")
def app(shared_server: Serving) -> RelyingParty:
    """A client that nobody is asked about, at a server that knows alice and bob."""
    shared_server.add_user("bob", BOB, "--email", "bob@people.test", "--name", "Bob <B>")
    return register(shared_server, "app", "--skip-consent", "--scope", SCOPE)


@pytest.fixture(scope="module")
def asking(app: RelyingParty, shared_server: Serving) -> RelyingParty:
    """A client that people are asked about."""
    return register(shared_server, "asking", "--name", "The Asking App", "--scope", SCOPE)


@pytest.fixture
def alice(app: RelyingParty) -> Browser:
    """A browser in which alice has logged in."""
    browser = app.new_browser()
    app.authorize(browser)
    return browser


def as_bob(app: RelyingParty) -> RelyingParty:
    return RelyingParty(app.issuer, app.client_id, app.secret, username="bob", password=BOB)


def userinfo(app: RelyingParty, token: str, method: str = "GET") -> Answer:
    return send(method, f"{app.issuer}/userinfo", headers={"authorization": f"Bearer {token}"})


def by_post(app: RelyingParty, browser: Browser, **changes: str | None) -> Page:
    """Send the authorization request as a form, as a page of the client's would."""
    return browser.post(f"{app.issuer}/authorize", app.authorization_request(**changes))


@pytest.mark.requirement("AS-OIDC-02", "AS-OIDC-03", "AS-OIDC-19")
@pytest.mark.parametrize("alg", ["RS256", "ES256", "PS256", "EdDSA"])
def test_a_foreign_library_verifies_the_id_token(shared_server: Serving, alg: str) -> None:
    party = register(shared_server, f"signed-{alg}", "--skip-consent", "--id-token-alg", alg)
    token = party.log_in().json["id_token"]
    document = send("GET", f"{party.issuer}/.well-known/openid-configuration").json
    keys = jwt.PyJWKSet.from_dict(send("GET", document["jwks_uri"]).json)
    key = next(key for key in keys.keys if key.key_id == jwt.get_unverified_header(token)["kid"])

    def verify(audience: str, issuer: str) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[alg],
            audience=audience,
            issuer=issuer,
            options={"require": ["iss", "sub", "aud", "exp", "iat", "auth_time"]},
        )
        return claims

    claims = verify(party.client_id, party.issuer)
    assert claims["nonce"] == party.nonce
    assert 0 < claims["exp"] - claims["iat"] <= 300
    assert claims.get("azp", party.client_id) == party.client_id
    for wrong in (("app", party.issuer), (party.client_id, f"{party.issuer}/")):
        with pytest.raises(jwt.InvalidTokenError):
            verify(*wrong)


@pytest.mark.requirement("AS-OIDC-18")
def test_none_is_registered_for_nobody(shared_server: Serving, app: RelyingParty) -> None:
    error = administration_error(
        shared_server,
        *("clients", "add", "unsigned", "--redirect-uri", "https://a.example/"),
        *("--id-token-alg", "none"),
    )
    assert error.startswith("id-token-alg: ")
    header = jwt.get_unverified_header(app.log_in().json["id_token"])
    assert header["alg"] == "RS256"


@pytest.mark.requirement("AS-OIDC-04")
@pytest.mark.parametrize(
    "nonce",
    ["plain", " %20+&=#?/ ", 'a "quoted" \\ <b>', "tab\tline\n", "é東京😀\u202e", "n" * 4000],
)
@pytest.mark.parametrize("demand", [None, "login"])
def test_a_nonce_survives_the_way(
    app: RelyingParty, alice: Browser, nonce: str, demand: str | None
) -> None:
    answer = app.log_in(alice, nonce=nonce, prompt=demand)
    assert read_claims(answer.json["id_token"])["nonce"] == nonce
    assert "nonce" not in read_claims(app.log_in(alice, nonce=None).json["id_token"])


@pytest.mark.requirement("AS-OIDC-07")
def test_a_silent_request_is_answered_without_a_page(
    app: RelyingParty, asking: RelyingParty, alice: Browser
) -> None:
    for page in (app.open(alice, prompt="none"), by_post(app, alice, prompt="none")):
        assert "code" in read_callback(page.location)
    stranger = app.new_browser()
    for party, browser, error in (
        (app, stranger, "login_required"),
        (asking, alice, "consent_required"),
    ):
        for page in (party.open(browser, prompt="none"), by_post(party, browser, prompt="none")):
            assert page.status == 303
            refused = read_callback(page.location)
            assert refused == {
                "error": error,
                "error_description": refused["error_description"],
                "state": party.state,
                "iss": party.issuer,
            }


@pytest.mark.requirement("AS-OIDC-08", "AS-OIDC-20")
@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("prompt", "none login", "invalid_request"),
        ("prompt", "create", "invalid_request"),
        ("max_age", "-1", "invalid_request"),
        ("max_age", "1 ", "invalid_request"),
        ("claims", "{", "invalid_request"),
        ("id_token_hint", "a.b.c", "invalid_request"),
        ("request", "e30.e30.", "request_not_supported"),
        ("request_uri", "https://app.example/request.jwt", "request_uri_not_supported"),
        ("registration", "{}", "registration_not_supported"),
    ],
)
def test_what_is_not_served_is_refused_at_the_client(
    app: RelyingParty, alice: Browser, name: str, value: str, error: str
) -> None:
    for page in (app.open(alice, **{name: value}), by_post(app, alice, **{name: value})):
        refused = read_callback(page.location)
        assert refused["error"] == error
        assert (refused["state"], refused["iss"]) == (app.state, app.issuer)
    assert "code" in read_callback(app.open(alice, **{name: ""}).location)


@pytest.mark.requirement("AS-OIDC-06", "AS-OIDC-09")
@pytest.mark.parametrize("demand", [{"prompt": "login"}, {"max_age": "0"}])
def test_a_demanded_login_is_one(app: RelyingParty, alice: Browser, demand: dict[str, str]) -> None:
    before = read_claims(app.log_in(alice).json["id_token"])
    for page in (app.open(alice, **demand), by_post(app, alice, **demand)):
        assert page.has("login-submit")
        callback = read_callback(app.pass_pages(alice, page).location)
        after = read_claims(app.token(callback["code"]).json["id_token"])
        assert after["sid"] != before["sid"]
        assert after["auth_time"] >= before["auth_time"]
    assert "code" in read_callback(app.open(alice, max_age="600").location)


@pytest.mark.requirement("AS-OIDC-10")
def test_bob_who_takes_over_has_nothing_of_alice(app: RelyingParty, alice: Browser) -> None:
    hers = app.log_in(alice).json
    his = as_bob(app).log_in(alice, prompt="login").json
    mine, yours = read_claims(hers["id_token"]), read_claims(his["id_token"])
    assert mine["sub"] != yours["sub"]
    assert mine["sid"] != yours["sid"]
    assert userinfo(app, hers["access_token"]).json["sub"] == mine["sub"]
    assert userinfo(app, his["access_token"]).json["sub"] == yours["sub"]


@pytest.mark.requirement("AS-OIDC-15", "AS-OIDC-16")
def test_a_hint_names_a_person_and_must_be_genuine(app: RelyingParty, alice: Browser) -> None:
    own = app.log_in(alice).json["id_token"]
    bobs = as_bob(app).log_in(app.new_browser()).json["id_token"]
    assert "code" in read_callback(app.open(alice, prompt="none", id_token_hint=own).location)
    refused = read_callback(app.open(alice, prompt="none", id_token_hint=bobs).location)
    assert refused["error"] == "login_required"
    assert app.open(alice, id_token_hint=bobs).has("login-submit")
    forged = f"{bobs.rpartition('.')[0]}.{own.rpartition('.')[2]}"
    refused = read_callback(app.open(alice, prompt="none", id_token_hint=forged).location)
    assert refused["error"] == "invalid_request"


@pytest.mark.requirement("AS-OIDC-17")
@pytest.mark.parametrize(
    "hint", ['"><script>alert(1)</script>', "{{7*7}}", "é東京😀", "alice" * 2048], ids=range(4)
)
def test_a_login_hint_is_text_in_its_field(app: RelyingParty, hint: str) -> None:
    page = app.open(app.new_browser(), login_hint=hint, display="<b>", ui_locales="'\"><i>")
    (form,) = page.forms
    assert dict(form.fields)["username"] == hint
    assert "<script" not in page.text
    assert "<i>" not in page.text


@pytest.mark.requirement("AS-UI-08", "AS-UI-04", "AS-UI-09")
def test_claims_by_name_and_by_scope(app: RelyingParty) -> None:
    bob = as_bob(app)
    browser = app.new_browser()
    claims = json.dumps({
        "id_token": {"email": {"essential": True}, "name": None, "phone_number": None},
        "userinfo": {"email_verified": None, "address": {"essential": True}},
    })  # fmt: skip
    answer = bob.log_in(browser, scope="openid email", claims=claims).json
    told = read_claims(answer["id_token"])
    assert told["email"] == "bob@people.test"
    assert not {"name", "phone_number"} & told.keys()
    for method in ("GET", "POST"):
        person = userinfo(app, answer["access_token"], method).json
        assert person == {
            "sub": told["sub"],
            "email": "bob@people.test",
            "email_verified": False,
        }
    answer = bob.log_in(browser, scope="openid profile").json
    person = userinfo(app, answer["access_token"]).json
    assert person["name"] == "Bob <B>"
    assert "email" not in person


@pytest.mark.requirement("AS-UI-08", "AS-OIDC-13")
def test_claims_out_of_bounds_never_break_the_server(app: RelyingParty, alice: Browser) -> None:
    for claims in ("[" * 4000, '{"a":' * 1000 + "1" + "}" * 1000):
        refused = read_callback(app.open(alice, claims=claims).location)
        assert refused["error"] == "invalid_request"
    for claims in ("[" * 5000, "x" * 65_536):
        assert by_post(app, alice, claims=claims).status in {303, 400, 413}
    acr = json.dumps({"id_token": {"acr": {"essential": True, "values": ["phr"]}}})
    refused = read_callback(app.open(alice, claims=acr).location)
    assert refused["error"] == "unmet_authentication_requirements"
    assert "code" in read_callback(app.open(alice, acr_values="phr").location)


@pytest.mark.requirement("AS-UI-07")
def test_nothing_but_a_live_access_token_opens_userinfo(app: RelyingParty, alice: Browser) -> None:
    code = app.authorize(alice, scope="openid offline_access")["code"]
    assert userinfo(app, code).status == 401
    tokens = app.token(code).json
    for kind in ("id_token", "refresh_token"):
        for method in ("GET", "POST"):
            answer = userinfo(app, tokens[kind], method)
            assert answer.status == 401
            assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert userinfo(app, tokens["access_token"]).status == 200
    form = [("token", tokens["access_token"])]
    revoked = send_form(f"{app.issuer}/revoke", form, app.authentication())
    assert revoked.status == 200
    assert userinfo(app, tokens["access_token"]).status == 401


@pytest.mark.requirement("AS-JAT-05")
def test_a_refresh_is_no_login(app: RelyingParty, alice: Browser) -> None:
    first = app.log_in(alice, scope="openid offline_access").json
    app.log_in(alice, prompt="login")
    form = [("grant_type", "refresh_token"), ("refresh_token", first["refresh_token"])]
    second = send_form(app.token_endpoint, form, app.authentication()).json
    before, after = read_claims(first["access_token"]), read_claims(second["access_token"])
    assert before["jti"] != after["jti"]
    for name in ("sub", "auth_time", "amr"):
        assert before[name] == after[name]
    assert "acr" not in before.keys() | after.keys()
