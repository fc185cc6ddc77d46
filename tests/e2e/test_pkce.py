"""Proof Key for Code Exchange between a real server and a relying party written by hand."""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import NamedTuple

import pytest

from tests.support.browser import Browser
from tests.support.relying_party import (
    Change,
    RelyingParty,
    administration_error,
    challenge_of,
    read_callback,
    register,
)
from tests.support.serving import Serving

# RFC 7636, appendix B.
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
NONE: dict[str, Change] = {"code_challenge": None, "code_challenge_method": None}


class World(NamedTuple):
    """One server; alice is logged in and asked for nothing.

    Attributes:
        waived: a confidential client that need not send a challenge.
    """

    server: Serving
    alice: Browser
    confidential: RelyingParty
    public: RelyingParty
    waived: RelyingParty

    def party(self, name: str) -> RelyingParty:
        party: RelyingParty = getattr(self, name)
        return party


@pytest.fixture(scope="module")
def world(shared_server: Serving) -> World:
    confidential = register(shared_server, "confidential", "--skip-consent")
    alice = confidential.new_browser()
    confidential.authorize(alice)
    return World(
        shared_server,
        alice,
        confidential,
        register(shared_server, "public", "--public", "--skip-consent"),
        register(shared_server, "waived", "--skip-consent", "--no-require-pkce"),
    )


@pytest.mark.requirement("AS-PKCE-01", "AS-PKCE-04")
@pytest.mark.parametrize("client", ["confidential", "public", "waived"])
def test_the_verifier_opens_the_challenge(world: World, client: str) -> None:
    party = world.party(client)
    assert challenge_of(VERIFIER) == CHALLENGE
    code = party.authorize(world.alice, code_challenge=CHALLENGE)["code"]
    wrong = party.token(code)
    assert (wrong.status, wrong.error) == (400, "invalid_grant")
    assert party.token(code, code_verifier=VERIFIER).status == 200


@pytest.mark.requirement("AS-PKCE-02", "AS-PKCE-03")
@pytest.mark.parametrize("client", ["public", "confidential"])
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(NONE, id="no parameter"),
        pytest.param({"code_challenge": None}, id="method alone"),
        pytest.param({"code_challenge": ""}, id="empty"),
        pytest.param({"code_challenge": "", "code_challenge_method": ""}, id="both empty"),
        pytest.param({**NONE, "nonce": "n"}, id="nonce in its place"),
        pytest.param({**NONE, "Code_Challenge": CHALLENGE}, id="other case"),
    ],
)
def test_a_request_without_a_challenge_is_refused(
    world: World, client: str, changes: dict[str, Change]
) -> None:
    party = world.party(client)
    page = party.open(world.alice, **changes)
    assert page.location.startswith(f"{party.redirect_uri}?")
    refused = read_callback(page.location)
    assert refused["error"] == "invalid_request"
    assert refused["state"] == party.state
    assert "code" not in refused
    assert "code" in party.authorize(world.alice)


@pytest.mark.requirement("AS-PKCE-02", "AS-PKCE-03")
def test_the_challenge_is_waived_for_a_named_confidential_client_only(world: World) -> None:
    code = world.waived.authorize(world.alice, **NONE)["code"]
    assert world.waived.token(code, code_verifier=None).status == 200
    for arguments in (
        ("clients", "update", "public", "--no-require-pkce"),
        ("clients", "update", "waived", "--auth-method", "none"),
    ):
        error = administration_error(world.server, *arguments)
        assert error.startswith("no-require-pkce: ")
    refused = read_callback(world.waived.open(world.alice, code_challenge=None).location)
    assert refused["error"] == "invalid_request"


@pytest.mark.requirement("AS-PKCE-04")
@pytest.mark.parametrize("client", ["confidential", "public", "waived"])
@pytest.mark.parametrize(
    ("verifier", "errors"),
    [
        pytest.param(None, {"invalid_grant", "invalid_request"}, id="omitted"),
        pytest.param("", {"invalid_grant", "invalid_request"}, id="empty"),
        pytest.param(secrets.token_urlsafe(32), {"invalid_grant"}, id="wrong"),
        pytest.param(CHALLENGE, {"invalid_grant"}, id="the challenge itself"),
        pytest.param(VERIFIER.swapcase(), {"invalid_grant"}, id="other case"),
        pytest.param(f"{VERIFIER}A", {"invalid_grant"}, id="one character more"),
        pytest.param([VERIFIER, VERIFIER], {"invalid_request"}, id="twice"),
        pytest.param([secrets.token_urlsafe(32), VERIFIER], {"invalid_request"}, id="wrong first"),
    ],
)
def test_nothing_but_the_verifier_opens_the_challenge(
    world: World, client: str, verifier: Change, errors: set[str]
) -> None:
    party = world.party(client)
    code = party.authorize(world.alice, code_challenge=CHALLENGE)["code"]
    refused = party.token(code, code_verifier=verifier)
    assert refused.status == 400
    assert refused.error in errors
    assert "access_token" not in refused.json
    assert party.token(code, code_verifier=VERIFIER).status == 200


@pytest.mark.requirement("AS-PKCE-05")
@pytest.mark.parametrize("verifier", [VERIFIER, secrets.token_urlsafe(64)])
def test_a_verifier_without_a_challenge_is_refused(world: World, verifier: str) -> None:
    code = world.waived.authorize(world.alice, **NONE)["code"]
    refused = world.waived.token(code, code_verifier=verifier)
    assert (refused.status, refused.error) == (400, "invalid_grant")
    code = world.waived.authorize(world.alice, **NONE)["code"]
    assert world.waived.token(code, code_verifier=None).status == 200


@pytest.mark.requirement("AS-PKCE-06")
@pytest.mark.parametrize("client", ["confidential", "public", "waived"])
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"code_challenge_method": None}, id="omitted"),
        pytest.param({"code_challenge_method": ""}, id="empty"),
        pytest.param({"code_challenge_method": "plain"}, id="plain"),
        pytest.param(
            {"code_challenge_method": "plain", "code_challenge": VERIFIER}, id="plain verifier"
        ),
        pytest.param({"code_challenge_method": "s256"}, id="other case"),
        pytest.param({"code_challenge_method": "S256 plain"}, id="two in one"),
        pytest.param({"code_challenge_method": "S512"}, id="another"),
        pytest.param({"code_challenge_method": " S256"}, id="space before"),
    ],
)
def test_no_other_method_than_s256_is_taken(
    world: World, client: str, changes: dict[str, Change]
) -> None:
    party = world.party(client)
    refused = read_callback(party.open(world.alice, **changes).location)
    assert refused["error"] == "invalid_request"
    assert "code" not in refused
    assert "code" in party.authorize(world.alice)


@pytest.mark.requirement("AS-PKCE-07")
@pytest.mark.parametrize(
    "verifier",
    [
        pytest.param("a" * 42, id="42 characters"),
        pytest.param("a" * 129, id="129 characters"),
        pytest.param("a" * 42 + "+", id="plus"),
        pytest.param("a" * 42 + "/", id="slash"),
        pytest.param("a" * 42 + "=", id="equals sign"),
        pytest.param("a" * 42 + " ", id="space"),
        pytest.param("a" * 42 + "%", id="percent sign"),
        pytest.param("a" * 42 + "\n", id="line end"),
        pytest.param("a" * 42 + "ä", id="umlaut"),
        pytest.param("a" * 42 + "\u0661", id="digit beyond ASCII"),
    ],
)
def test_a_malformed_verifier_is_refused_though_its_digest_fits(
    world: World, verifier: str
) -> None:
    party = world.confidential
    code = party.authorize(world.alice, code_challenge=challenge_of(verifier))["code"]
    refused = party.token(code, code_verifier=verifier)
    assert (refused.status, refused.error) == (400, "invalid_grant")


@pytest.mark.requirement("AS-PKCE-07")
@pytest.mark.parametrize(
    "verifier",
    [
        pytest.param("a" * 43, id="43 characters"),
        pytest.param("a" * 128, id="128 characters"),
        pytest.param("AZaz09-._~" * 5, id="every kind of character"),
    ],
)
def test_every_wellformed_verifier_is_taken(world: World, verifier: str) -> None:
    party = world.confidential
    code = party.authorize(world.alice, code_challenge=challenge_of(verifier))["code"]
    assert party.token(code, code_verifier=verifier).status == 200


@pytest.mark.requirement("AS-PKCE-08")
@pytest.mark.parametrize(
    "challenge",
    [
        pytest.param(f"{CHALLENGE}=", id="padded"),
        pytest.param(CHALLENGE[:-1], id="42 characters"),
        pytest.param(f"{CHALLENGE}A", id="44 characters"),
        pytest.param(f"{CHALLENGE[:-1]}+", id="plus"),
        pytest.param(f"{CHALLENGE[:-1]}/", id="slash"),
        pytest.param(f"{CHALLENGE[:-1]}N", id="bits left over"),
        pytest.param(f"{CHALLENGE[:-1]}\n", id="line end"),
        pytest.param(f"{CHALLENGE[:-1]}é", id="beyond ASCII"),
        pytest.param(hashlib.sha256(VERIFIER.encode()).hexdigest(), id="hexadecimal"),
        pytest.param(base64.b64encode(VERIFIER.encode()).decode(), id="base64 of the verifier"),
    ],
)
def test_a_malformed_challenge_is_refused(world: World, challenge: str) -> None:
    refused = read_callback(world.public.open(world.alice, code_challenge=challenge).location)
    assert refused["error"] == "invalid_request"
    assert "code" in world.public.authorize(world.alice, code_challenge=CHALLENGE)


@pytest.mark.requirement("AS-PKCE-09")
def test_the_challenge_belongs_to_one_code(world: World) -> None:
    party = world.confidential
    other = secrets.token_urlsafe(32)
    first = party.authorize(world.alice, code_challenge=CHALLENGE)["code"]
    second = party.authorize(world.alice, code_challenge=challenge_of(other))["code"]
    for code, verifier in ((first, other), (second, VERIFIER)):
        refused = party.token(code, code_verifier=verifier)
        assert (refused.status, refused.error) == (400, "invalid_grant")
    assert party.token(first, code_verifier=VERIFIER).status == 200
    assert party.token(second, code_verifier=other).status == 200


@pytest.mark.requirement("AS-PKCE-09")
def test_the_challenge_is_in_no_answer(world: World) -> None:
    party = register(world.server, "quiet")
    browser = party.new_browser()
    login = party.open(browser, code_challenge=CHALLENGE)
    consent = browser.log_in(login)
    redirect = browser.allow(consent)
    code = read_callback(redirect.location)["code"]
    token = party.token(code, code_verifier=VERIFIER)
    assert token.status == 200
    for answer in (login.text, consent.text, login.url, consent.url, redirect.location):
        assert CHALLENGE not in answer
    assert redirect.text == ""
    parts = [part for name in ("access_token", "id_token") for part in token.json[name].split(".")]
    decoded = b"".join(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts)
    for secret in (CHALLENGE.encode(), VERIFIER.encode()):
        assert secret not in token.body
        assert secret not in decoded


@pytest.mark.requirement("AS-PKCE-10")
@pytest.mark.parametrize("client", ["confidential", "public"])
def test_after_five_wrong_verifiers_the_code_is_dead(world: World, client: str) -> None:
    party = world.party(client)
    alive = party.authorize(world.alice)["code"]
    dead = party.authorize(world.alice)["code"]
    answers = [party.token(alive, code_verifier=secrets.token_urlsafe(32)) for _ in range(4)]
    answers += [party.token(dead, code_verifier=secrets.token_urlsafe(32)) for _ in range(5)]
    assert {(answer.status, answer.error) for answer in answers} == {(400, "invalid_grant")}
    assert party.token(alive).status == 200
    too_late = party.token(dead)
    assert (too_late.status, too_late.json) == (400, answers[0].json)
