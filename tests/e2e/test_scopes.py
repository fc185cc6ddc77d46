"""Scopes: their syntax, what a client may have, and what a person agreed to."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.support.browser import Browser
from tests.support.relying_party import (
    Change,
    RelyingParty,
    administer,
    read_callback,
    read_claims,
    register,
    send,
)
from tests.support.serving import Serving


class World(NamedTuple):
    """One server and the browser in which alice is logged in.

    Attributes:
        trusted: registered for `openid email reports`, asked for nothing.
        asking: registered for the same, asks every time.
    """

    server: Serving
    alice: Browser
    trusted: RelyingParty
    asking: RelyingParty


@pytest.fixture(scope="module")
def world(shared_server: Serving) -> World:
    scope = ("--scope", "openid email reports")
    trusted = register(shared_server, "trusted", "--skip-consent", *scope, scope="openid")
    alice = trusted.new_browser()
    trusted.authorize(alice)
    asking = register(
        shared_server,
        *("asking", "--public", "--native", *scope),
        redirect_uri="http://127.0.0.1/cb",
        scope="openid",
    )
    return World(shared_server, alice, trusted, asking)


def granted(party: RelyingParty, browser: Browser, **changes: Change) -> str:
    """Return the scope of the token response, which the access token must agree with."""
    token = party.log_in(browser, **changes).json
    assert read_claims(token["access_token"])["scope"] == token["scope"]
    scope: str = token["scope"]
    return scope


def refused(party: RelyingParty, browser: Browser, **changes: Change) -> str:
    """Return the error that the client gets in place of a code."""
    callback = read_callback(party.open(browser, **changes).location)
    assert "code" not in callback
    return callback["error"]


@pytest.mark.requirement("AS-SCP-01")
@pytest.mark.parametrize(
    "scope",
    [
        pytest.param('openid a"b', id="quote"),
        pytest.param("openid a\\b", id="backslash"),
        pytest.param("openid\temail", id="tab"),
        pytest.param("openid\nemail", id="line end"),
        pytest.param("openid\u00a0email", id="no-break space"),
        pytest.param("openid ünï", id="beyond ASCII"),
        pytest.param(" ", id="a space"),
        pytest.param(" ".join(f"s{number}" for number in range(200)), id="200 tokens"),
    ],
)
def test_a_malformed_scope_is_refused(world: World, scope: str) -> None:
    assert refused(world.trusted, world.alice, scope=scope) == "invalid_scope"
    assert granted(world.trusted, world.alice, scope="openid email") == "openid email"


@pytest.mark.requirement("AS-SCP-01", "AS-SCP-02")
@pytest.mark.parametrize("scope", ["OPENID", "Reports", "openid,email", "openid+email"])
def test_scope_tokens_are_case_sensitive_and_parted_by_spaces(world: World, scope: str) -> None:
    assert refused(world.trusted, world.alice, scope=scope) == "invalid_scope"
    assert granted(world.trusted, world.alice, scope="openid reports") == "openid reports"


@pytest.mark.requirement("AS-SCP-01")
def test_every_character_that_a_token_may_have_is_taken(world: World) -> None:
    token = "".join(map(chr, [0x21, *range(0x23, 0x5C), *range(0x5D, 0x7F)]))
    party = register(world.server, "characters", "--skip-consent", f"--scope={token}", scope=token)
    assert granted(party, world.alice) == token


@pytest.mark.requirement("AS-SCP-02")
@pytest.mark.parametrize(
    ("asked", "given"),
    [
        pytest.param("openid admin", "openid", id="one too many"),
        pytest.param("admin email openid profile", "email openid", id="two too many"),
        pytest.param("openid offline_access", "openid", id="offline_access"),
    ],
)
def test_scope_outside_the_registration_is_dropped(world: World, asked: str, given: str) -> None:
    assert granted(world.trusted, world.alice, scope=asked) == given
    page = world.asking.open(world.alice, scope=asked)
    shown = page.text_of("scopes") and page.text
    for token in ("admin", "profile", "offline_access"):
        assert f"<code>{token}</code>" not in shown
    callback = read_callback(world.alice.allow(page).location)
    assert world.asking.token(callback["code"]).json["scope"] == given


@pytest.mark.requirement("AS-SCP-02")
@pytest.mark.parametrize("scope", ["admin", "profile", "admin profile", "openid2"])
def test_nothing_but_foreign_scope_is_refused(world: World, scope: str) -> None:
    assert refused(world.trusted, world.alice, scope=scope) == "invalid_scope"
    both = f"{scope} email"
    assert granted(world.trusted, world.alice, scope=both) == "email"


@pytest.mark.requirement("AS-SCP-02")
def test_a_dropped_scope_opens_nothing(world: World) -> None:
    token = world.trusted.log_in(world.alice, scope="openid profile").json
    assert "name" not in read_claims(token["id_token"])
    answer = send(
        "GET",
        f"{world.server.issuer}/userinfo",
        headers={"authorization": f"Bearer {token['access_token']}"},
    )
    assert answer.status == 200
    assert answer.json.keys() == {"sub"}


@pytest.mark.requirement("AS-SCP-02")
def test_a_scope_that_is_taken_away_counts_at_once(world: World) -> None:
    party = register(world.server, "shrinking", "--scope", "email reports", scope="email reports")
    page = party.open(world.alice)
    assert "reports" in page.text
    administer(world.server, "clients", "update", "shrinking", "--scope", "email")
    stale = world.alice.allow(page)
    assert (stale.status, stale.header("location")) == (403, "")
    assert granted(party, world.alice) == "email"


@pytest.mark.requirement("AS-SCP-03")
@pytest.mark.parametrize("sent", [None, ""])
def test_without_scope_the_default_of_the_client_counts(world: World, sent: Change) -> None:
    assert refused(world.trusted, world.alice, scope=sent) == "invalid_scope"
    name = "default-empty" if sent == "" else "default-absent"
    party = register(
        world.server,
        *(name, "--skip-consent", "--scope", "openid email reports"),
        *("--default-scope", "email reports"),
    )
    assert granted(party, world.alice, scope=sent) == "email reports"
    assert granted(party, world.alice, scope="openid") == "openid"


@pytest.mark.requirement("AS-SCP-04")
@pytest.mark.parametrize(
    "extra",
    [
        pytest.param([("scope", "openid email reports")], id="scope"),
        pytest.param([("scopes", "email"), ("scopes", "reports")], id="scopes"),
        pytest.param([("request", "openid email"), ("client_id", "trusted")], id="others"),
        pytest.param([("redirect_uri", "https://evil.example/")], id="redirect_uri"),
    ],
)
def test_a_field_added_to_the_consent_form_widens_nothing(
    world: World, extra: list[tuple[str, str]]
) -> None:
    page = world.asking.open(world.alice, scope="openid")
    form = page.form
    assert {name for name, _ in form.fields} == {"transaction", "csrf"}
    answer = world.alice.post(form.action, [*form.fields, *extra, ("decision", "allow")])
    assert answer.location.startswith("http://127.0.0.1/cb?")
    token = world.asking.token(read_callback(answer.location)["code"]).json
    assert token["scope"] == "openid"
    assert read_claims(token["access_token"])["scope"] == "openid"


@pytest.mark.requirement("AS-SCP-04")
def test_a_form_of_one_transaction_allows_no_other(world: World) -> None:
    small = world.asking.open(world.alice, scope="openid")
    large = world.asking.open(world.alice, scope="openid email reports")
    transaction = dict(large.form.fields)["transaction"]
    csrf = dict(small.form.fields)["csrf"]
    answer = world.alice.post(
        large.form.action,
        [("transaction", transaction), ("csrf", csrf), ("decision", "allow")],
    )
    assert (answer.status, answer.header("location")) == (403, "")
    callback = read_callback(world.alice.allow(small).location)
    assert world.asking.token(callback["code"]).json["scope"] == "openid"


@pytest.mark.requirement("AS-SCP-04")
def test_consent_to_less_is_asked_again_for_more(world: World) -> None:
    party = register(world.server, "growing", scope="openid")
    assert granted(party, world.alice) == "openid"
    more = party.open(world.alice, scope="openid email")
    assert more.has("consent-allow")
    world.alice.submit(more, button="consent-deny")
    assert refused(party, world.alice, scope="openid email", prompt="none") == "consent_required"
    assert granted(party, world.alice, prompt="none") == "openid"


@pytest.mark.requirement("AS-SCP-05")
@pytest.mark.parametrize(
    "asked",
    [
        pytest.param("openid email", id="plain"),
        pytest.param("email openid", id="other order"),
        pytest.param("openid openid email", id="twice"),
        pytest.param("openid email openid email", id="both twice"),
        pytest.param(" openid  email ", id="more spaces"),
    ],
)
def test_order_and_repetition_change_nothing(world: World, asked: str) -> None:
    assert set(granted(world.trusted, world.alice, scope=asked).split(" ")) == {"openid", "email"}
    assert len(granted(world.trusted, world.alice, scope=asked).split(" ")) == 2
    party = register(world.server, f"ordered-{asked.replace(' ', '_')}", scope="openid email")
    assert party.open(world.alice).has("consent-allow")
    party.log_in(world.alice)
    assert "code" in party.authorize(world.alice, scope=asked, prompt="none")
