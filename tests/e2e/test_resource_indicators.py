"""The audience of an access token: `resource` at both endpoints (D19)."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.support.browser import Browser
from tests.support.relying_party import (
    Change,
    RelyingParty,
    administer,
    administration_error,
    read_callback,
    read_claims,
    register,
    send,
)
from tests.support.serving import Serving

BOOKS = "https://books.example/api"
TOOLS = "https://tools.example"
ELSEWHERE = "https://elsewhere.example"


class World(NamedTuple):
    """One server with three APIs, and the browser in which alice is logged in.

    Attributes:
        party: may use BOOKS, its first audience, and TOOLS.
        alone: may use none.
    """

    server: Serving
    alice: Browser
    party: RelyingParty
    alone: RelyingParty


@pytest.fixture(scope="module")
def world(shared_server: Serving) -> World:
    for audience, name, scope in (
        (BOOKS, "books", "read write openid"),
        (TOOLS, "tools", "turn"),
        (ELSEWHERE, "elsewhere", "read"),
    ):
        administer(shared_server, "resources", "add", audience, "--id", name, "--scope", scope)
    scope = "openid email read write turn general"
    options = ("--skip-consent", "--scope", scope)
    party = register(
        shared_server,
        *("party", *options, "--audience", BOOKS, "--audience", TOOLS),
        scope="openid",
    )
    alone = register(shared_server, "alone", *options, scope="openid")
    alice = party.new_browser()
    party.authorize(alice)
    return World(shared_server, alice, party, alone)


def audience_and_scope(party: RelyingParty, browser: Browser, **changes: Change) -> tuple[str, str]:
    """Return what the access token is for and what it allows."""
    token = party.log_in(browser, **changes).json
    claims = read_claims(token["access_token"])
    assert claims["scope"] == token["scope"]
    return claims["aud"], claims["scope"]


@pytest.mark.requirement("AS-RES-01")
@pytest.mark.parametrize(
    "resource",
    [
        pytest.param("/api", id="relative"),
        pytest.param("books.example/api", id="no scheme"),
        pytest.param("//books.example/api", id="no scheme but slashes"),
        pytest.param(f"{BOOKS}#part", id="fragment"),
        pytest.param(f"{BOOKS}#", id="empty fragment"),
        pytest.param("https:", id="nothing after the scheme"),
        pytest.param(f"{BOOKS} {TOOLS}", id="two in one"),
        pytest.param([BOOKS, "/api"], id="a good one and a relative one"),
    ],
)
def test_a_resource_that_is_no_absolute_uri_is_an_invalid_target(
    world: World, resource: Change
) -> None:
    refused = read_callback(world.party.open(world.alice, resource=resource).location)
    assert refused["error"] == "invalid_target"
    assert (refused["state"], refused["iss"]) == (world.party.state, world.server.issuer)
    code = world.party.authorize(world.alice, resource=BOOKS)["code"]
    at_token = world.party.token(code, resource=resource)
    assert (at_token.status, at_token.error) == (400, "invalid_target")
    assert world.party.token(code, resource=BOOKS).status == 200


@pytest.mark.requirement("AS-RES-01")
def test_resource_may_be_repeated_as_long_as_it_is_the_same(world: World) -> None:
    code = world.party.authorize(world.alice, resource=[TOOLS, TOOLS])["code"]
    token = world.party.token(code, resource=[TOOLS, TOOLS])
    assert read_claims(token.json["access_token"])["aud"] == TOOLS
    refused = read_callback(world.party.open(world.alice, resource=[BOOKS, TOOLS]).location)
    assert refused["error"] == "invalid_target"
    code = world.party.authorize(world.alice, resource=TOOLS)["code"]
    at_token = world.party.token(code, resource=[TOOLS, BOOKS])
    assert (at_token.status, at_token.error) == (400, "invalid_target")
    assert world.party.token(code).status == 200


@pytest.mark.requirement("AS-RES-02")
@pytest.mark.parametrize(
    "resource",
    [
        pytest.param("https://unknown.example", id="unknown"),
        pytest.param(ELSEWHERE, id="not the client's"),
        pytest.param(f"{BOOKS}/", id="slash at the end"),
        pytest.param("https://BOOKS.example/api", id="host in other case"),
        pytest.param("https://books.example:443/api", id="default port"),
        pytest.param("https://books.example", id="shorter path"),
        pytest.param(f"{BOOKS}/more", id="longer path"),
        pytest.param(f"{BOOKS}?x=1", id="query"),
        pytest.param("http://books.example/api", id="http"),
    ],
)
@pytest.mark.parametrize("prompt", [None, "none", "login"])
def test_a_resource_that_the_client_may_not_use_is_an_invalid_target(
    world: World, resource: str, prompt: Change
) -> None:
    page = world.party.open(world.alice, resource=resource, prompt=prompt)
    assert read_callback(page.location)["error"] == "invalid_target"
    assert audience_and_scope(world.party, world.alice, resource=BOOKS) == (BOOKS, "openid")


@pytest.mark.requirement("AS-RES-02")
def test_a_resource_that_is_removed_is_unknown_at_once(world: World) -> None:
    short = "https://short.example"
    administer(world.server, "resources", "add", short, "--id", "short")
    party = register(world.server, "short-lived", "--skip-consent", "--audience", short)
    assert audience_and_scope(party, world.alice, resource=short)[0] == short
    administer(world.server, "resources", "remove", short)
    refused = read_callback(party.open(world.alice, resource=short).location)
    assert refused["error"] == "invalid_target"
    other = administration_error(world.server, "resources", "show", short)
    assert other.startswith("resource: ")


@pytest.mark.requirement("AS-RES-03")
@pytest.mark.parametrize(
    ("granted", "asked"),
    [
        pytest.param(BOOKS, TOOLS, id="another one of the client's"),
        pytest.param(BOOKS, ELSEWHERE, id="one of nobody's here"),
        pytest.param(TOOLS, f"{TOOLS}/", id="slash at the end"),
        pytest.param(None, TOOLS, id="another than the first by default"),
        pytest.param(BOOKS, "https://unknown.example", id="unknown"),
    ],
)
def test_the_token_endpoint_gives_no_other_resource_than_was_granted(
    world: World, granted: Change, asked: str
) -> None:
    code = world.party.authorize(world.alice, resource=granted)["code"]
    refused = world.party.token(code, resource=asked)
    assert (refused.status, refused.error) == (400, "invalid_target")
    assert "access_token" not in refused.json
    # As every other refusal that no verifier was guessed in, it leaves the code alone.
    token = world.party.token(code, resource=granted)
    assert read_claims(token.json["access_token"])["aud"] == (granted or BOOKS)


@pytest.mark.requirement("AS-RES-03")
@pytest.mark.parametrize(
    ("resource", "audience"),
    [
        pytest.param(BOOKS, BOOKS, id="the first"),
        pytest.param(TOOLS, TOOLS, id="the second"),
        pytest.param(None, BOOKS, id="none named"),
    ],
)
def test_the_audience_is_one_resource(world: World, resource: Change, audience: str) -> None:
    found = audience_and_scope(world.party, world.alice, resource=resource)
    assert found == (audience, "openid")
    code = world.party.authorize(world.alice, resource=resource)["code"]
    assert world.party.token(code, resource=audience).status == 200


@pytest.mark.requirement("AS-RES-03")
def test_without_any_audience_the_issuer_is_the_audience(world: World) -> None:
    found = audience_and_scope(world.alone, world.alice)
    assert found == (world.server.issuer, "openid")
    for resource in (BOOKS, world.server.issuer):
        refused = read_callback(world.alone.open(world.alice, resource=resource).location)
        assert refused["error"] == "invalid_target"


@pytest.mark.requirement("AS-RES-03")
@pytest.mark.parametrize(
    ("resource", "asked", "given"),
    [
        pytest.param(BOOKS, "read write turn", "read write", id="scope of the other"),
        pytest.param(TOOLS, "read write turn", "turn", id="scope of the first"),
        pytest.param(None, "turn read", "read", id="none named"),
        pytest.param(BOOKS, "openid email turn", "openid email", id="the issuer's go with any"),
        pytest.param(TOOLS, "openid email turn", "openid email turn", id="openid that BOOKS lists"),
        pytest.param(TOOLS, "general turn", "general turn", id="scope of no resource"),
    ],
)
def test_a_scope_of_a_resource_is_granted_only_for_it(
    world: World, resource: Change, asked: str, given: str
) -> None:
    found = audience_and_scope(world.party, world.alice, resource=resource, scope=asked)
    assert found == (resource or BOOKS, given)


@pytest.mark.requirement("AS-RES-03")
def test_nothing_but_the_scope_of_another_resource_is_refused(world: World) -> None:
    for party, changes in (
        (world.party, {"resource": TOOLS, "scope": "read"}),
        (world.party, {"resource": BOOKS, "scope": "turn"}),
        (world.alone, {"scope": "read turn"}),
    ):
        refused = read_callback(party.open(world.alice, **changes).location)
        assert refused["error"] == "invalid_scope"


def test_userinfo_takes_a_token_for_any_audience_with_openid(world: World) -> None:
    url = f"{world.server.issuer}/userinfo"
    for scope, status in (("openid turn", 200), ("turn", 403)):
        token = world.party.log_in(world.alice, resource=TOOLS, scope=scope).json["access_token"]
        answer = send("GET", url, headers={"authorization": f"Bearer {token}"})
        assert answer.status == status


def test_the_consent_page_names_the_resource(world: World) -> None:
    party = register(
        world.server,
        *("named", "--scope", "openid turn", "--audience", BOOKS, "--audience", TOOLS),
        scope="openid turn",
    )
    page = party.open(world.alice, resource=TOOLS)
    assert page.has("consent-allow")
    assert TOOLS in page.text
    assert BOOKS not in page.text
