"""Revocation and introspection over HTTP, between two worker processes: what ends ends at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.browser import Browser
from tests.support.relying_party import (
    Answer,
    RelyingParty,
    administer,
    basic,
    read_claims,
    register,
    send,
    send_form,
)
from tests.support.serving import Serving

API = "https://api.example"
SCOPE = "openid email offline_access read"
INACTIVE = b'{"active":false}'


@pytest.fixture(scope="module", params=["jwt", "opaque"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Serving]:
    """A server of two processes that knows alice."""
    environment = {"CODEGRANT_TOKENS_ACCESS_FORMAT": request.param}
    folder = tmp_path_factory.mktemp("server")
    with Serving(folder, "--workers", "2", environment=environment).start() as running:
        running.add_user()
        yield running


@pytest.fixture(scope="module")
def api(server: Serving) -> RelyingParty:
    """A resource server; it authenticates as a client does."""
    added = administer(server, "resources", "add", API, "--id", "api", "--scope", "read")
    return RelyingParty(server.issuer, "api", added["client_secret"])


@pytest.fixture(scope="module")
def app(server: Serving, api: RelyingParty) -> RelyingParty:
    assert api.secret
    options = ("--skip-consent", "--scope", SCOPE, "--audience", API)
    return register(server, "app", *options, scope=SCOPE)


@pytest.fixture(scope="module")
def rival(server: Serving) -> RelyingParty:
    return register(server, "rival", "--skip-consent", scope="openid offline_access")


@pytest.fixture(scope="module")
def browser(app: RelyingParty) -> Browser:
    """Alice's browser, in which she has logged in."""
    browser = app.new_browser()
    app.authorize(browser)
    return browser


@pytest.fixture
def tokens(app: RelyingParty, browser: Browser) -> dict[str, Any]:
    answer: dict[str, Any] = app.log_in(browser, resource=API).json
    return answer


def active(party: RelyingParty, token: str) -> bool:
    """Return whether both processes call a token active; they must agree."""
    answers = {party.introspect(token).body for _ in range(4)}
    assert len(answers) == 1
    (body,) = answers
    assert body == INACTIVE or json.loads(body)["active"] is True
    return body != INACTIVE


def is_done(answer: Answer) -> bool:
    return (answer.status, answer.body) == (200, b"")


@pytest.mark.requirement("AS-INT-04", "AS-INT-05")
def test_client_and_resource_server_are_told_the_same(
    app: RelyingParty, api: RelyingParty, rival: RelyingParty, tokens: Any
) -> None:
    token = tokens["access_token"]
    answer = app.introspect(token)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json == api.introspect(token).json
    told = answer.json
    assert told["active"] is True
    assert told["scope"] == tokens["scope"]
    assert told["exp"] - told["iat"] == tokens["expires_in"]
    assert told["sub"] == read_claims(tokens["id_token"])["sub"]
    assert (told["client_id"], told["aud"], told["iss"]) == ("app", API, app.issuer)
    assert told["token_type"] == tokens["token_type"]
    assert rival.introspect(token).body == INACTIVE


@pytest.mark.requirement("AS-REV-07", "AS-UI-07", "RS-JAT-07")
def test_a_revoked_access_token_is_dead_in_every_process(
    app: RelyingParty, api: RelyingParty, tokens: Any
) -> None:
    token = tokens["access_token"]
    assert active(api, token)
    assert app.userinfo(token) == 200
    assert is_done(app.revoke(token))
    assert not active(api, token)
    assert not active(app, token)
    assert {app.userinfo(token) for _ in range(4)} == {401}
    # Whoever verifies a JWT without asking learns of it when the token expires: soon.
    assert tokens["expires_in"] <= 300


@pytest.mark.requirement("AS-REV-05", "AS-REV-06")
def test_a_refresh_token_takes_everything_an_access_token_itself(
    app: RelyingParty, api: RelyingParty, browser: Browser, tokens: Any
) -> None:
    neighbour = app.log_in(browser, resource=API).json
    younger = app.refresh(tokens["refresh_token"]).json
    assert is_done(app.revoke(tokens["access_token"]))
    assert active(app, younger["refresh_token"])
    assert active(api, younger["access_token"])
    assert is_done(app.revoke(younger["refresh_token"]))
    assert not active(app, younger["refresh_token"])
    assert not active(api, younger["access_token"])
    assert app.refresh(younger["refresh_token"]).error == "invalid_grant"
    assert active(api, neighbour["access_token"])
    assert active(app, neighbour["refresh_token"])


@pytest.mark.requirement("AS-REV-01", "AS-REV-02", "AS-REV-03")
def test_who_asks_for_what_is_not_theirs_changes_nothing(
    app: RelyingParty, rival: RelyingParty, tokens: Any
) -> None:
    for kind in ("access_token", "refresh_token"):
        assert is_done(rival.revoke(tokens[kind]))
        assert active(app, tokens[kind])
        nobody = RelyingParty(app.issuer, app.client_id).revoke(tokens[kind])
        assert (nobody.status, nobody.error) == (401, "invalid_client")
        assert active(app, tokens[kind])
    assert is_done(app.revoke("nobody has seen this"))
    missing = app.revoke("")
    assert (missing.status, missing.error) == (400, "invalid_request")
    wrong_hint = {"access_token": "refresh_token", "refresh_token": "access_token"}
    for kind, hint in wrong_hint.items():
        assert is_done(app.revoke(tokens[kind], token_type_hint=hint))
        assert not active(app, tokens[kind])


@pytest.mark.requirement("AS-REV-08")
def test_an_id_token_cannot_be_revoked(app: RelyingParty, tokens: Any) -> None:
    answer = app.revoke(tokens["id_token"])
    assert (answer.status, answer.error) == (400, "unsupported_token_type")


@pytest.mark.requirement("AS-INT-01", "AS-INT-02")
def test_introspection_is_for_those_who_have_a_secret(
    server: Serving, app: RelyingParty, tokens: Any
) -> None:
    token = tokens["access_token"]
    public = register(server, "public", "--public")
    guesses = [
        RelyingParty(app.issuer, "app"),
        RelyingParty(app.issuer, "api"),
        public,
        RelyingParty(app.issuer, "public", "any secret"),
        RelyingParty(app.issuer, "public", "any secret", method="client_secret_post"),
        RelyingParty(app.issuer, "app", "not the secret"),
        RelyingParty(app.issuer, API, "not the secret"),
    ]
    for party in guesses:
        answer = party.introspect(token)
        assert (answer.status, answer.error) == (401, "invalid_client")
    missing = app.introspect("")
    assert (missing.status, missing.error) == (400, "invalid_request")
    url = f"{app.issuer}/introspect"
    assert send("GET", f"{url}?token={token}", headers=app.authentication()).status == 405
    bearer = send_form(url, [("token", token)], {"authorization": f"Bearer {token}"})
    assert bearer.status == 401
    assert active(app, token)


@pytest.mark.requirement("AS-INT-03", "AS-INT-06", "AS-RT-09")
def test_a_refresh_token_is_no_access_token(
    app: RelyingParty, api: RelyingParty, tokens: Any
) -> None:
    refresh_token = tokens["refresh_token"]
    assert app.userinfo(refresh_token) == 401
    assert not active(api, refresh_token)
    assert "token_type" not in app.introspect(refresh_token).json
    for text in ("x", "a.b.c", tokens["access_token"] + "x", tokens["id_token"], app.secret):
        assert not active(app, text)
        assert not active(api, text)
    assert app.refresh(tokens["access_token"]).error == "invalid_grant"
    assert active(app, refresh_token)
    assert active(api, tokens["access_token"])


def test_what_an_operator_ends_is_inactive_at_once(
    server: Serving, api: RelyingParty, app: RelyingParty, browser: Browser
) -> None:
    token = app.log_in(browser, resource=API).json["access_token"]
    assert active(api, token)
    administer(server, "resources", "update", API, "--scope", "read write")
    assert active(api, token)
    fresh = administer(server, "resources", "rotate-secret", API)["client_secret"]
    assert api.introspect(token).status == 401
    api.secret = fresh
    assert active(api, token)


def test_the_command_line_gives_a_resource_server_what_it_needs(server: Serving) -> None:
    secret = "a secret that was brought along, 32 characters"
    server.run(
        *("resources", "add", "https://brought.example", "--id", "brought", "--secret-stdin"),
        stdin=f"{secret}\n",
    )
    body = [("token", "x")]
    url = f"{server.issuer}/introspect"
    answer = send_form(url, body, {"authorization": basic("brought", secret)})
    assert (answer.status, answer.body) == (200, INACTIVE)
    # At the token endpoint it is nobody.
    form = [("grant_type", "client_credentials")]
    token = send_form(f"{server.issuer}/token", form, {"authorization": basic("brought", secret)})
    assert (token.status, token.error) == (401, "invalid_client")


@pytest.mark.requirement("AS-INT-07")
def test_guessing_tokens_is_limited_over_all_processes(
    server: Serving, app: RelyingParty, api: RelyingParty, tokens: Any
) -> None:
    guessing = register(server, "guessing", "--skip-consent")
    answers = [guessing.introspect(f"guess {number}") for number in range(101)]
    assert [answer.status for answer in answers[:100]] == [200] * 100
    assert answers[100].status == 429
    assert 0 < int(answers[100].headers["retry-after"]) <= 300
    assert active(app, tokens["access_token"])
    assert active(api, tokens["access_token"])
    assert api.introspect("a guess").body == INACTIVE
