"""The userinfo endpoint over the wire: who may ask, what is told, and what ends it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.e2e.conftest import Start
from tests.support.browser import Browser
from tests.support.raw_http import FORM, RawAnswer, send_raw
from tests.support.relying_party import (
    Answer,
    RelyingParty,
    administer,
    basic,
    read_claims,
    register,
    send,
)
from tests.support.serving import Serving

SCOPE = "openid profile email address phone read"


@pytest.fixture(scope="module")
def app(shared_server: Serving) -> RelyingParty:
    return register(shared_server, "app", "--scope", SCOPE, "--skip-consent")


@pytest.fixture(scope="module")
def browser(app: RelyingParty) -> Browser:
    """Alice's browser, in which she has logged in."""
    browser = app.new_browser()
    app.authorize(browser)
    return browser


def token_for(app: RelyingParty, browser: Browser, scope: str = "openid") -> str:
    return str(app.log_in(browser, scope=scope).json["access_token"])


def userinfo(
    app: RelyingParty, token: str, method: str = "GET", more: Mapping[str, str] | None = None
) -> Answer:
    headers = {"authorization": f"Bearer {token}", **(more or {})}
    return send(method, f"{app.issuer}/userinfo", headers=headers)


def is_invalid(answer: Answer) -> bool:
    """Return whether it says `invalid_token` as RFC 6750 §3 has it."""
    assert answer.headers["cache-control"] == "no-store"
    challenge = answer.headers["www-authenticate"]
    return answer.status == 401 and challenge.startswith('Bearer error="invalid_token"')


@pytest.mark.requirement("AS-UI-01")
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_it_answers_get_and_post(app: RelyingParty, browser: Browser, method: str) -> None:
    token = token_for(app, browser)
    answer = userinfo(app, token, method)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    form = {"content-type": FORM[1]}
    assert userinfo(app, token, "POST", form).status == 200
    for other in ("PUT", "PATCH", "DELETE", "HEAD"):
        assert userinfo(app, token, other).status == 405
    assert send(method, f"{app.issuer}/userinfo").status == 401


@pytest.mark.requirement("AS-UI-02")
def test_a_token_without_openid_is_not_enough(app: RelyingParty, browser: Browser) -> None:
    answer = userinfo(app, token_for(app, browser, "profile email"))
    assert answer.status == 403
    assert answer.headers["www-authenticate"].startswith('Bearer error="insufficient_scope"')
    assert b"alice" not in answer.body
    assert userinfo(app, token_for(app, browser, "openid email")).status == 200


@pytest.mark.requirement("AS-UI-03")
def test_the_subject_is_that_of_the_id_token(
    shared_server: Serving, app: RelyingParty, browser: Browser
) -> None:
    shared_server.add_user("bob", "a builder's password")
    bob = RelyingParty(
        app.issuer, app.client_id, app.secret, username="bob", password="a builder's password"
    )
    subjects: list[str] = []
    for scope in ("openid", "openid email", "openid profile email address phone"):
        for tokens in (app.log_in(browser, scope=scope).json, bob.log_in(scope=scope).json):
            told = userinfo(app, tokens["access_token"]).json
            assert told["sub"] == read_claims(tokens["id_token"])["sub"]
            subjects.append(told["sub"])
    assert len(set(subjects)) == 2
    assert subjects[::2] == [subjects[0]] * 3


@pytest.mark.requirement("AS-UI-05")
def test_what_is_not_known_is_left_out(
    shared_server: Serving, app: RelyingParty, browser: Browser
) -> None:
    shared_server.add_user(
        "dora", "an explorer's password", "--name", "Dora", "--email", "d@e.test"
    )
    dora = RelyingParty(
        app.issuer, app.client_id, app.secret, username="dora", password="an explorer's password"
    )
    known = userinfo(app, dora.log_in(scope=SCOPE).json["access_token"]).json
    bare = userinfo(app, token_for(app, browser, SCOPE)).json
    assert (known["name"], known["email"], known["email_verified"]) == ("Dora", "d@e.test", False)
    for told in (known, bare):
        assert not [name for name, value in told.items() if value in (None, "", [], {})]
    assert not {"name", "email", "email_verified", "address", "phone_number"} & bare.keys()
    assert bare["preferred_username"] == "alice"


@pytest.mark.requirement("AS-UI-06")
def test_no_credentials_are_a_challenge_without_an_error(
    app: RelyingParty, browser: Browser
) -> None:
    for headers in ({}, {"authorization": basic(app.client_id, app.secret)}):
        answer = send("GET", f"{app.issuer}/userinfo", headers=headers)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.body == b""
    lower = {"authorization": f"bearer {token_for(app, browser)}"}
    assert send("GET", f"{app.issuer}/userinfo", headers=lower).status == 200


@pytest.mark.requirement("AS-UI-06")
def test_a_bad_token_is_told_apart_from_none(app: RelyingParty, browser: Browser) -> None:
    callback = app.authorize(browser)
    tokens = app.token(callback["code"]).json
    good = tokens["access_token"]
    bad = [callback["code"], tokens["id_token"], app.secret, good[:-1], good + "x", "x", "a.b.c"]
    assert [is_invalid(userinfo(app, token)) for token in bad] == [True] * len(bad)
    assert userinfo(app, good).status == 200


def ask(app: RelyingParty, *headers: tuple[str, str], query: str = "", body: str = "") -> RawAnswer:
    method = "POST" if body else "GET"
    return send_raw(app.issuer, method, f"/userinfo{query}", headers, body.encode())


@pytest.mark.requirement("AS-UI-06")
def test_a_malformed_request_is_an_invalid_request(app: RelyingParty, browser: Browser) -> None:
    token = token_for(app, browser)
    header, pair = ("authorization", f"Bearer {token}"), f"access_token={token}"
    refused = [
        ask(app, query=f"?{pair}"),
        ask(app, header, query=f"?{pair}"),
        ask(app, FORM, body=pair),
        ask(app, FORM, header, body=pair),
        ask(app, header, header),
        ask(app, ("authorization", "Bearer ")),
        ask(app, ("authorization", f'Bearer "{token}"')),
        ask(app, ("authorization", f"Bearer {token} {token}")),
        ask(app, ("authorization", f"Bearer {'x' * 20_000}")),
    ]
    for answer in refused:
        assert answer.status == 400
        assert 'error="invalid_request"' in answer.header("www-authenticate")
    assert ask(app, header).status == 200


def test_other_origins_may_ask_without_cookies(app: RelyingParty, browser: Browser) -> None:
    origin = {"origin": "https://spa.example"}
    preflight = send(
        "OPTIONS",
        f"{app.issuer}/userinfo",
        headers={
            **origin,
            "access-control-request-method": "GET",
            "access-control-request-headers": "authorization",
        },
    )
    assert preflight.status == 204
    assert "authorization" in preflight.headers["access-control-allow-headers"].lower()
    answers = [
        userinfo(app, token_for(app, browser), "GET", origin),
        userinfo(app, "x", "GET", origin),
    ]
    assert [answer.status for answer in answers] == [200, 401]
    for answer in (preflight, *answers):
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
    # A page of another origin can read the challenge.
    assert "www-authenticate" in answers[1].headers["access-control-expose-headers"].lower()


def test_a_session_cookie_proves_nothing_here(app: RelyingParty, browser: Browser) -> None:
    assert browser.get(f"{app.issuer}/userinfo").status == 401
    assert userinfo(app, token_for(app, browser)).status == 200


@pytest.mark.parametrize("access_format", ["jwt", "opaque"])
def test_what_an_operator_ends_ends_at_once(start: Start, access_format: str) -> None:
    server = start("--workers", "2", environment={"CODEGRANT_TOKENS_ACCESS_FORMAT": access_format})
    server.add_user()
    server.add_user("bob", "a builder's password")
    app, other = register(server, "app"), register(server, "other")
    bob = RelyingParty(
        app.issuer, app.client_id, app.secret, username="bob", password="a builder's password"
    )
    alices, bobs = app.log_in().json["access_token"], bob.log_in().json["access_token"]
    others = other.log_in().json["access_token"]
    assert [userinfo(app, t).status for t in (alices, bobs, others)] == [200, 200, 200]

    administer(server, "users", "disable", "alice")
    # Each of the two processes says so, whichever is asked.
    assert all(is_invalid(userinfo(app, alices)) for _ in range(8))
    assert all(is_invalid(userinfo(app, others)) for _ in range(8))
    assert userinfo(app, bobs).status == 200

    administer(server, "clients", "update", "app", "--disabled")
    assert all(is_invalid(userinfo(app, bobs)) for _ in range(8))
    administer(server, "clients", "update", "app", "--enabled")
    assert userinfo(app, bobs).status == 200
    administer(server, "clients", "remove", "app")
    assert all(is_invalid(userinfo(app, bobs)) for _ in range(8))


def test_a_changed_registration_counts_at_once(start: Start) -> None:
    server = start("--workers", "2")
    server.add_user()
    app = register(server, "app", "--skip-consent")
    browser = app.new_browser()
    app.log_in(browser)
    moved = "https://app.example/moved"
    administer(server, "clients", "update", "app", "--redirect-uri", moved, "--scope", "openid")
    assert [app.open(browser).status for _ in range(8)] == [400] * 8
    answer = RelyingParty(app.issuer, "app", app.secret, moved).log_in(browser)
    assert answer.json["scope"] == "openid"
    rotated = administer(server, "clients", "rotate-secret", "app")["client_secret"]
    old, new = (RelyingParty(app.issuer, "app", secret, moved) for secret in (app.secret, rotated))
    assert [old.token("x").status for _ in range(8)] == [401] * 8
    assert new.log_in(browser).status == 200
