"""Refresh tokens and client credentials over HTTP: what a client sees, and what ends them."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from tests.e2e.conftest import Start
from tests.support.browser import Browser
from tests.support.relying_party import (
    Answer,
    RelyingParty,
    administer,
    administration_error,
    read_callback,
    read_claims,
    register,
    send,
    send_form,
)
from tests.support.serving import Serving
from tests.support.waiting import wait_until

OFFLINE = "openid profile offline_access"
BOOKS = "https://books.example/api"
TOOLS = "https://tools.example"


@pytest.fixture(scope="module")
def app(shared_server: Serving) -> RelyingParty:
    return register(shared_server, "app", scope=OFFLINE)


@pytest.fixture(scope="module")
def rival(shared_server: Serving) -> RelyingParty:
    """Another client of the same server."""
    callback = "https://rival.example/callback"
    return register(shared_server, "rival", redirect_uri=callback, scope=OFFLINE)


@pytest.fixture(scope="module")
def browser(app: RelyingParty) -> Browser:
    """Alice's browser, in which she has logged in and agreed."""
    browser = app.new_browser()
    app.authorize(browser)
    return browser


def refused(answer: Answer, error: str = "invalid_grant") -> bool:
    assert answer.headers["cache-control"] == "no-store"
    return (answer.status, answer.error) == (400, error)


def refreshed(app: RelyingParty, tokens: Answer, **changes: str) -> Answer:
    """Return the answer of a refresh, which must succeed."""
    answer = app.refresh(tokens.json["refresh_token"], **changes)
    assert answer.status == 200, answer
    return answer


def alive(app: RelyingParty, tokens: Answer) -> bool:
    status = app.userinfo(tokens.json["access_token"])
    assert status in {200, 401}
    return status == 200


@pytest.mark.requirement("AS-RT-01")
def test_a_refresh_token_is_its_client_s_alone(
    app: RelyingParty, rival: RelyingParty, browser: Browser
) -> None:
    tokens = app.log_in(browser)
    token = tokens.json["refresh_token"]
    guess = RelyingParty(app.issuer, app.client_id, "not the secret")
    nobody = RelyingParty(app.issuer, app.client_id)
    for _ in range(2):
        assert refused(rival.refresh(token))
        assert guess.refresh(token).status == nobody.refresh(token).status == 401
    newest = refreshed(app, tokens)
    # The one that was rotated is nothing to them either.
    assert refused(rival.refresh(token))
    assert guess.refresh(token).status == 401
    assert alive(app, newest)
    refreshed(app, newest)


@pytest.mark.requirement("AS-RT-02", "AS-RT-03")
def test_a_refresh_narrows_and_never_widens(app: RelyingParty, browser: Browser) -> None:
    tokens = app.log_in(browser)
    for wider in (f"{OFFLINE} email", "email", f"{OFFLINE} admin"):
        assert refused(app.refresh(tokens.json["refresh_token"], scope=wider), "invalid_scope")
    narrow = refreshed(app, tokens, scope="openid")
    assert narrow.json["scope"] == read_claims(narrow.json["access_token"])["scope"] == "openid"
    full = refreshed(app, narrow)
    assert full.json["scope"] == read_claims(full.json["access_token"])["scope"] == OFFLINE


@pytest.mark.requirement("AS-RT-02", "AS-RES-03")
def test_a_refresh_is_for_the_granted_resource_alone(
    shared_server: Serving, browser: Browser
) -> None:
    for audience, name in ((BOOKS, "books"), (TOOLS, "tools")):
        administer(shared_server, "resources", "add", audience, "--id", name, "--scope", name)
    party = register(
        shared_server,
        *("reader", "--skip-consent", "--audience", BOOKS, "--audience", TOOLS),
        *("--scope", f"{OFFLINE} books tools"),
        scope=f"{OFFLINE} books",
    )
    tokens = party.log_in(browser, resource=BOOKS)
    for other in (TOOLS, "https://unknown.example", f"{BOOKS}/", "/api"):
        answer = party.refresh(tokens.json["refresh_token"], resource=other)
        assert refused(answer, "invalid_target")
    answer = party.refresh(tokens.json["refresh_token"], scope="tools")
    assert refused(answer, "invalid_scope")
    for changes in ({"resource": BOOKS}, {}):
        tokens = refreshed(party, tokens, **changes)
        assert read_claims(tokens.json["access_token"])["aud"] == BOOKS


@pytest.mark.requirement("AS-RT-04")
def test_the_tokens_of_a_public_client_rotate(shared_server: Serving) -> None:
    spa = register(shared_server, "spa", "--public", scope=OFFLINE)
    tokens, seen = spa.log_in(), set[str]()
    for _ in range(4):
        seen.add(tokens.json["refresh_token"])
        tokens = refreshed(spa, tokens)
    assert len(seen | {tokens.json["refresh_token"]}) == 5
    # It proves nothing, but it has to be named.
    form = [("grant_type", "refresh_token"), ("refresh_token", tokens.json["refresh_token"])]
    assert send_form(spa.token_endpoint, form).status == 401
    refreshed(spa, tokens)


def test_a_lost_answer_is_given_again(app: RelyingParty, browser: Browser) -> None:
    """The default grace of thirty seconds."""
    first = app.log_in(browser)
    answers = [refreshed(app, first) for _ in range(3)]
    assert len({one.json["refresh_token"] for one in answers}) == 1
    assert len({one.json["access_token"] for one in answers}) == 3
    assert all(alive(app, one) for one in answers)
    newest = refreshed(app, answers[0])
    assert refused(app.refresh(first.json["refresh_token"]))
    assert alive(app, newest)
    refreshed(app, newest)


@pytest.mark.requirement("AS-RT-05", "CO-LOG-03", "AS-CODE-03")
@pytest.mark.parametrize("access_format", ["jwt", "opaque"])
def test_without_a_grace_reuse_and_replay_end_the_grant(start: Start, access_format: str) -> None:
    server = start(
        environment={
            "CODEGRANT_REFRESH_GRACE_SECONDS": "0",
            "CODEGRANT_TOKENS_ACCESS_FORMAT": access_format,
        }
    )
    server.add_user()
    app = register(server, "app", scope=OFFLINE)
    browser = app.new_browser()
    neighbour = app.log_in(browser)

    first = app.log_in(browser)
    second = refreshed(app, first)
    assert (alive(app, first), alive(app, second)) == (True, True)
    assert refused(app.refresh(first.json["refresh_token"]))
    assert (alive(app, first), alive(app, second)) == (False, False)
    assert refused(app.refresh(second.json["refresh_token"]))
    for line in (
        r"codegrant\.events refresh_token_reused client_id=app subject=\S+ grant_id=\S+",
        r"codegrant\.events grant_revoked .*refresh token reuse",
    ):
        wait_until(lambda line=line: re.search(line, server.log))  # type: ignore[misc]

    code = app.authorize(browser)["code"]
    replayed = app.token(code)
    assert refused(app.token(code))
    assert not alive(app, replayed)
    assert refused(app.refresh(replayed.json["refresh_token"]))

    assert alive(app, neighbour)
    refreshed(app, neighbour)


@pytest.mark.requirement("AS-RT-07")
def test_the_lifetimes_of_the_settings_are_honoured(start: Start) -> None:
    """Seconds would have to pass; what is stored says the same. Edges: `test_refresh_limits`."""
    server = start(
        environment={
            "CODEGRANT_LIFETIMES_REFRESH_IDLE": "100",
            "CODEGRANT_LIFETIMES_REFRESH_ABSOLUTE": "150",
        }
    )
    server.add_user()
    app = register(server, "app", scope=OFFLINE)
    tokens = refreshed(app, app.log_in())
    with closing(sqlite3.connect(server.folder / "codegrant.db")) as database:
        rows = database.execute(
            "SELECT created_at, expires_at, ends_at FROM refresh_tokens WHERE rotated_at IS NULL"
        ).fetchall()
        ((created_at, expires_at, ends_at),) = rows
        assert expires_at == created_at + 100
        assert created_at + 140 < ends_at <= created_at + 150
        # The same as if this long had passed.
        with database:
            database.execute("UPDATE refresh_tokens SET expires_at = expires_at - 101")
    assert refused(app.refresh(tokens.json["refresh_token"]))
    assert alive(app, tokens)


@pytest.mark.requirement("AS-RT-08")
@pytest.mark.parametrize("what", ["disable", "passwd"])
def test_what_ends_a_person_s_access_ends_their_refresh_tokens(
    shared_server: Serving, app: RelyingParty, browser: Browser, what: str
) -> None:
    name = f"person-{what}"
    shared_server.add_user(name, "a good password")
    theirs = RelyingParty(
        app.issuer,
        app.client_id,
        app.secret,
        scope=OFFLINE,
        username=name,
        password="a good password",
    )
    tokens, neighbour = theirs.log_in(), app.log_in(browser)
    tokens = refreshed(theirs, tokens)
    assert alive(theirs, tokens)
    if what == "disable":
        administer(shared_server, "users", "disable", name)
    else:
        shared_server.run("users", "passwd", name, "--password-stdin", stdin="another password\n")
    assert refused(theirs.refresh(tokens.json["refresh_token"]))
    assert not alive(theirs, tokens)
    if what == "disable":
        administer(shared_server, "users", "enable", name)
        assert refused(theirs.refresh(tokens.json["refresh_token"]))
    assert alive(app, refreshed(app, neighbour))


def test_a_client_that_is_disabled_waits(shared_server: Serving, browser: Browser) -> None:
    party = register(shared_server, "waiting", scope=OFFLINE)
    tokens = party.log_in(browser)
    administer(shared_server, "clients", "update", "waiting", "--disabled")
    answer = party.refresh(tokens.json["refresh_token"])
    assert (answer.status, answer.error) == (401, "invalid_client")
    administer(shared_server, "clients", "update", "waiting", "--enabled")
    tokens = refreshed(party, tokens)
    administer(shared_server, "clients", "update", "waiting", "--grant", "authorization_code")
    assert refused(party.refresh(tokens.json["refresh_token"]), "unauthorized_client")


@pytest.mark.requirement("AS-RT-09")
def test_no_credential_stands_for_another(app: RelyingParty, browser: Browser) -> None:
    tokens, code = app.log_in(browser), app.authorize(browser)["code"]
    assert app.userinfo(tokens.json["refresh_token"]) == 401
    for foreign in (tokens.json["access_token"], tokens.json["id_token"], code):
        assert refused(app.refresh(foreign))
    assert refused(app.token(tokens.json["refresh_token"]))
    assert alive(app, refreshed(app, tokens))
    assert app.token(code).status == 200


@pytest.mark.requirement("AS-RT-10")
def test_offline_access_needs_consent(shared_server: Serving, app: RelyingParty) -> None:
    asked = register(shared_server, "asked", scope="openid profile")
    browser = app.new_browser()
    assert "refresh_token" not in asked.log_in(browser).json
    # More than what was agreed to: the person sees it, and may say no.
    page = asked.open(browser, scope=OFFLINE)
    assert page.has("consent-allow")
    denied = browser.submit(page, button="consent-deny")
    assert read_callback(denied.location)["error"] == "access_denied"
    quiet = asked.open(browser, scope=OFFLINE, prompt="none")
    assert read_callback(quiet.location)["error"] == "consent_required"
    assert "refresh_token" not in asked.log_in(browser).json
    assert "refresh_token" in asked.log_in(browser, scope=OFFLINE).json
    assert "refresh_token" not in asked.log_in(browser).json
    # A remembered consent counts.
    again = asked.open(browser, scope=OFFLINE, prompt="none")
    assert "refresh_token" in asked.token(read_callback(again.location)["code"]).json
    unregistered = register(
        shared_server, "unregistered", "--grant", "authorization_code", "--skip-consent"
    )
    assert "refresh_token" not in unregistered.log_in(browser, scope=OFFLINE).json


@pytest.mark.requirement("AS-RT-11")
def test_the_id_token_of_a_refresh_tells_of_the_same_login(
    app: RelyingParty, browser: Browser
) -> None:
    tokens = app.log_in(browser)
    first = read_claims(tokens.json["id_token"])
    second = read_claims(refreshed(app, tokens).json["id_token"])
    for name in ("iss", "sub", "aud", "auth_time", "amr", "sid"):
        assert second[name] == first[name]
    assert (first["nonce"], second.get("nonce")) == (app.nonce, None)
    assert second["at_hash"] != first["at_hash"]
    assert second["iat"] >= first["iat"]


@pytest.mark.requirement("AS-RT-12")
def test_refresh_tokens_cannot_be_guessed_or_read_from_the_database(
    shared_server: Serving, app: RelyingParty, browser: Browser
) -> None:
    tokens = app.log_in(browser)
    texts = [tokens.json["refresh_token"]]
    for _ in range(20):
        tokens = refreshed(app, tokens)
        texts.append(tokens.json["refresh_token"])
    assert len(set(texts)) == 21
    # 240 bits that are new in each of them, and 144 that its family shares.
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{64}", text) for text in texts)
    assert len({text[:24] for text in texts}) == 1
    assert all(len({text[at] for text in texts}) > 4 for at in range(24, 63))
    stored = b"".join(file.read_bytes() for file in shared_server.folder.glob("codegrant.db*"))
    for text in texts:
        for part in (text, text[:24], text[24:]):
            assert part.encode() not in stored
    found = _columns(shared_server, "refresh_tokens") + _columns(shared_server, "grants")
    for value in {value for value in found if isinstance(value, str) and value}:
        assert refused(app.refresh(value))
        assert app.userinfo(value) in {400, 401}
    assert alive(app, refreshed(app, tokens))


def _columns(server: Serving, table: str) -> list[Any]:
    """Return every value of a table, digests as text too."""
    with closing(sqlite3.connect(server.folder / "codegrant.db")) as database:
        rows = database.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608
    values = [value for row in rows for value in row]
    return values + [value.hex() for value in values if isinstance(value, bytes)]


@pytest.fixture(scope="module")
def robot(shared_server: Serving) -> RelyingParty:
    """A client that acts for itself."""
    registered = administer(
        shared_server,
        *("clients", "add", "robot", "--grant", "client_credentials"),
        *("--scope", "openid profile offline_access run"),
    )
    return RelyingParty(shared_server.issuer, "robot", registered["client_secret"])


def for_itself(party: RelyingParty, **more: str) -> Answer:
    """Send a client credentials request."""
    form = [("grant_type", "client_credentials"), ("scope", "run"), *more.items()]
    if not party.secret:
        form.append(("client_id", party.client_id))
    return send_form(party.token_endpoint, form, party.authentication())


@pytest.mark.requirement("AS-CC-03")
def test_a_client_gets_an_access_token_for_itself(robot: RelyingParty) -> None:
    answer = for_itself(robot)
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert answer.json["scope"] == "run"
    wide = send_form(
        robot.token_endpoint,
        [("grant_type", "client_credentials"), ("scope", f"{OFFLINE} run")],
        robot.authentication(),
    )
    assert wide.json["scope"] == "run"
    assert wide.json.keys() == answer.json.keys()


@pytest.mark.requirement("AS-CC-01", "AS-CC-02")
def test_a_client_acts_for_itself_only_with_a_secret_and_when_registered(
    shared_server: Serving, app: RelyingParty, robot: RelyingParty
) -> None:
    assert refused(for_itself(app), "unauthorized_client")
    guess = RelyingParty(robot.issuer, robot.client_id, "not the secret")
    assert for_itself(guess).status == 401
    assert for_itself(RelyingParty(robot.issuer, robot.client_id)).status == 401
    public = register(shared_server, "public", "--public")
    assert refused(for_itself(public), "unauthorized_client")
    error = administration_error(
        shared_server, "clients", "update", "public", "--grant", "client_credentials"
    )
    assert error == "grant: a public client has no credentials of its own"
    assert for_itself(robot).status == 200


@pytest.mark.requirement("AS-CC-04")
def test_the_subject_of_a_client_is_nobody_s(
    shared_server: Serving, app: RelyingParty, robot: RelyingParty, browser: Browser
) -> None:
    token = for_itself(robot).json["access_token"]
    claims, persons = read_claims(token), read_claims(app.log_in(browser).json["access_token"])
    assert claims["sub"] == claims["client_id"] == "robot"
    assert persons["sub"].startswith("person-")
    assert not persons.keys() - {"sub"} <= claims.keys()
    for client_id in (persons["sub"], "person-", "PERSON-x"):
        error = administration_error(
            shared_server,
            *("clients", "add", client_id, "--grant", "client_credentials", "--scope", "run"),
        )
        assert "belong to people" in error
    headers = {"authorization": f"Bearer {token}"}
    assert send("GET", f"{robot.issuer}/userinfo", headers=headers).status in {401, 403}
