"""An authorization code: what it is bound to, that it serves once, and for how long."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from tests.e2e.conftest import Start
from tests.flows.authorization_server import SECRET, basic, document
from tests.flows.house import Browser as HouseBrowser
from tests.flows.house import House, parameters_of
from tests.support.browser import Browser
from tests.support.relying_party import (
    Answer,
    RelyingParty,
    administer,
    read_callback,
    read_claims,
    register,
    send,
)
from tests.support.serving import Serving, codegrant

OTHER = "https://app.example/other"


@pytest.fixture(scope="module")
def app(shared_server: Serving) -> RelyingParty:
    return register(shared_server, "app", "--redirect-uri", OTHER)


@pytest.fixture(scope="module")
def rival(shared_server: Serving) -> RelyingParty:
    """Another client of the same server."""
    return register(shared_server, "rival", redirect_uri="https://rival.example/callback")


@pytest.fixture(scope="module")
def browser(app: RelyingParty) -> Browser:
    """Alice's browser, in which she has logged in and agreed."""
    browser = app.new_browser()
    app.authorize(browser)
    return browser


def userinfo(app: RelyingParty, tokens: Answer) -> int:
    """Return the status that the access token gets at the userinfo endpoint."""
    headers = {"authorization": f"Bearer {tokens.json['access_token']}"}
    return send("GET", f"{app.issuer}/userinfo", headers=headers).status


def refused(answer: Answer) -> bool:
    return (answer.status, answer.error) == (400, "invalid_grant")


@pytest.mark.requirement("AS-CODE-01")
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"redirect_uri": OTHER}, id="another registered redirect URI"),
        pytest.param({"redirect_uri": "https://app.example/callback/"}, id="a slash more"),
        pytest.param({"redirect_uri": "https://rival.example/callback"}, id="a foreign one"),
        pytest.param({"code_verifier": "v" * 43}, id="another verifier"),
        pytest.param({"code_verifier": None}, id="no verifier"),
    ],
)
def test_a_code_is_bound_to_redirect_uri_and_challenge(
    app: RelyingParty, browser: Browser, changes: Mapping[str, str | None]
) -> None:
    code = app.authorize(browser)["code"]
    assert refused(app.token(code, **changes))
    assert app.token(code).status == 200


@pytest.mark.requirement("AS-CODE-01")
def test_a_code_is_bound_to_its_client(
    app: RelyingParty, rival: RelyingParty, browser: Browser
) -> None:
    code = app.authorize(browser)["code"]
    for stolen in ({}, {"redirect_uri": app.redirect_uri}, {"redirect_uri": None}):
        assert refused(rival.token(code, code_verifier=app.verifier, **stolen))
    assert app.token(code).status == 200


@pytest.mark.requirement("AS-CODE-01")
def test_a_code_stands_for_one_person_one_scope_and_one_nonce(
    shared_server: Serving, app: RelyingParty, browser: Browser
) -> None:
    people = {
        "alice": administer(shared_server, "users", "show", "alice")["sub"],
        "bob": shared_server.add_user("bob", "a builder's password"),
    }
    bobs = app.new_browser()
    for_bob = RelyingParty(
        app.issuer, app.client_id, app.secret, username="bob", password="a builder's password"
    )
    bob_code = for_bob.authorize(bobs, scope="openid", nonce="of bob")["code"]
    alice_code = app.authorize(browser, scope="openid email", nonce="of alice")["code"]

    # What else the token request says about them changes nothing.
    bob = for_bob.token(bob_code, scope="openid email", nonce="of alice").json
    alice = app.token(alice_code, scope="openid", sub=people["bob"]).json
    assert (bob["scope"], alice["scope"]) == ("openid", "openid email")
    for tokens, subject, nonce in (
        (bob, people["bob"], "of bob"),
        (alice, people["alice"], "of alice"),
    ):
        identity, access = read_claims(tokens["id_token"]), read_claims(tokens["access_token"])
        assert (identity["sub"], access["sub"], identity["nonce"]) == (subject, subject, nonce)


@pytest.mark.requirement("AS-CODE-02", "AS-CODE-03")
def test_a_second_redemption_is_refused_and_ends_the_tokens_of_the_first(
    app: RelyingParty, browser: Browser
) -> None:
    code = app.authorize(browser)["code"]
    neighbour = app.log_in(browser)
    first = app.token(code)
    assert (first.status, userinfo(app, first)) == (200, 200)
    assert refused(app.token(code))
    assert userinfo(app, first) == 401
    assert refused(app.token(code))
    assert userinfo(app, neighbour) == 200


@pytest.mark.requirement("AS-CODE-04")
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"code_verifier": "v" * 43}, id="wrong verifier"),
        pytest.param({"code_verifier": None}, id="no verifier"),
        pytest.param({"code_verifier": "short"}, id="malformed verifier"),
        pytest.param({"redirect_uri": OTHER}, id="wrong redirect URI"),
        pytest.param({"resource": "https://api.example"}, id="wrong resource"),
        pytest.param({"grant_type": "password"}, id="wrong grant type"),
    ],
)
def test_a_replay_that_is_itself_wrong_revokes_nothing(
    app: RelyingParty, browser: Browser, changes: Mapping[str, str | None]
) -> None:
    code = app.authorize(browser)["code"]
    tokens = app.token(code)
    assert app.token(code, **changes).status == 400
    assert userinfo(app, tokens) == 200
    assert refused(app.token(code))
    assert userinfo(app, tokens) == 401


@pytest.mark.requirement("AS-CODE-04")
def test_a_replay_by_somebody_else_revokes_nothing(
    app: RelyingParty, rival: RelyingParty, browser: Browser
) -> None:
    code = app.authorize(browser)["code"]
    tokens = app.token(code)
    guess = RelyingParty(app.issuer, app.client_id, "not the secret", verifier=app.verifier)
    assert guess.token(code).status == 401
    assert refused(rival.token(code, redirect_uri=app.redirect_uri, code_verifier=app.verifier))
    assert RelyingParty(app.issuer, app.client_id, verifier=app.verifier).token(code).status == 401
    assert userinfo(app, tokens) == 200


def race(app: RelyingParty, code: str, racers: int = 20) -> Sequence[Answer]:
    """Redeem a code many times at once."""
    barrier = Barrier(racers)

    def redeem(_: int) -> Answer:
        barrier.wait()
        return app.token(code)

    with ThreadPoolExecutor(racers) as pool:
        return list(pool.map(redeem, range(racers)))


@pytest.fixture(params=["1", "2"], ids=["one worker", "two workers"])
def racing(request: pytest.FixtureRequest, start: Start) -> Serving:
    """A server of one or several processes that knows alice."""
    server = start("--workers", request.param)
    server.add_user()
    return server


@pytest.mark.requirement("AS-CODE-05")
def test_of_twenty_redemptions_at_once_one_succeeds(racing: Serving) -> None:
    app = register(racing, "app")
    browser = app.new_browser()
    neighbour = app.log_in(browser)
    for _ in range(3):
        answers = race(app, app.authorize(browser)["code"])
        won = [answer for answer in answers if answer.status == 200]
        assert len(won) == 1
        assert all(refused(answer) for answer in answers if answer not in won)
        # The others were replays.
        assert userinfo(app, won[0]) == 401
    assert userinfo(app, neighbour) == 200


@pytest.fixture
def house() -> Iterator[House]:
    """A server in this process, whose clock the test sets."""
    with closing(House()) as house:
        yield house


class Visitor:
    """Alice in a browser of hers, and application `a` that she agreed to."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.browser = HouseBrowser(house)
        consent = self.browser.log_in(self.browser.start())
        self.browser.submit(consent, "consent-allow")

    def code(self) -> str:
        return parameters_of(self.browser.start())["code"]

    def redeem(self, code: str) -> tuple[int, str]:
        """Return status and error of the token request."""
        body = (
            f"grant_type=authorization_code&code={code}"
            "&code_verifier=a-code-verifier-of-forty-three-characters-ok"
        )
        headers = dict([basic("a", SECRET)])
        answer = HouseBrowser(self.house).send("POST", "/token", body, headers)
        return answer.status, str(document(answer).get("error", ""))


@pytest.mark.requirement("AS-CODE-06")
@pytest.mark.parametrize(
    ("settings", "lifetime"),
    [
        pytest.param({}, 60, id="default"),
        pytest.param({"code_lifetime": 1}, 1, id="shortest"),
        pytest.param({"code_lifetime": 600}, 600, id="longest"),
    ],
)
def test_a_code_expires(settings: Mapping[str, Any], lifetime: int) -> None:
    with closing(House(**settings)) as house:
        visitor = Visitor(house)
        early, late, too_late = visitor.code(), visitor.code(), visitor.code()
        house.now += lifetime - 1
        assert visitor.redeem(early) == (200, "")
        house.now += 1
        assert visitor.redeem(late) == (400, "invalid_grant")
        house.now += 86_400
        assert visitor.redeem(too_late) == (400, "invalid_grant")


@pytest.mark.requirement("AS-CODE-06")
def test_nobody_can_set_a_lifetime_of_more_than_ten_minutes(tmp_path: Path) -> None:
    config = tmp_path / "codegrant.toml"
    for seconds in ("601", "0"):
        config.write_text(f"[lifetimes]\ncode = {seconds}\n")
        stopped = codegrant("serve", "--port", "0", "--config", str(config), folder=tmp_path)
        assert stopped.status == 1
        assert re.search(rf"lifetimes.*code.*{seconds}.*600", stopped.error), stopped.error
    config.write_text("[lifetimes]\ncode = 600\n")
    assert codegrant("config", "check", "--config", str(config), folder=tmp_path).status == 0


@pytest.mark.requirement("AS-CODE-07")
def test_a_code_cannot_be_guessed(house: House) -> None:
    visitor = Visitor(house)
    codes = [visitor.code() for _ in range(1000)]
    assert len(set(codes)) == 1000
    # 32 bytes in base64url; 22 characters would be 128 bits.
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{43}", code) for code in codes)
    # No position is ever the same, and no code resembles the one before.
    assert all(len({code[at] for code in codes}) > 16 for at in range(42))
    last = codes[-1]
    for guess in (last[:-1], last[1:], last + "A", last.swapcase(), last[::-1]):
        assert visitor.redeem(guess) == (400, "invalid_grant")
    assert visitor.redeem(last) == (200, "")


@pytest.mark.requirement("AS-CODE-08")
def test_a_person_who_is_disabled_meanwhile_gets_no_tokens(
    shared_server: Serving, app: RelyingParty, browser: Browser
) -> None:
    shared_server.add_user("carol", "a singer's password")
    carol = RelyingParty(
        app.issuer, app.client_id, app.secret, username="carol", password="a singer's password"
    )
    hers = carol.new_browser()
    before = carol.log_in(hers)
    code, neighbour = carol.authorize(hers)["code"], app.authorize(browser)["code"]
    administer(shared_server, "users", "disable", "carol")
    assert refused(carol.token(code))
    assert userinfo(app, before) == 401
    assert app.token(neighbour).status == 200
    # The code does not come back with the person.
    administer(shared_server, "users", "enable", "carol")
    assert refused(carol.token(code))
    assert carol.log_in().status == 200


@pytest.mark.requirement("AS-CODE-08")
def test_a_client_that_is_disabled_meanwhile_gets_no_tokens(
    shared_server: Serving, app: RelyingParty
) -> None:
    doomed = register(shared_server, "doomed")
    browser = doomed.new_browser()
    before = doomed.log_in(browser)
    code, neighbour = doomed.authorize(browser)["code"], app.authorize()["code"]
    administer(shared_server, "clients", "update", "doomed", "--disabled")
    answer = doomed.token(code)
    assert (answer.status, answer.error) == (401, "invalid_client")
    assert userinfo(doomed, before) == 401
    assert doomed.open(browser).status == 400
    assert app.token(neighbour).status == 200
    administer(shared_server, "clients", "update", "doomed", "--enabled")
    assert doomed.log_in(browser).status == 200


@pytest.mark.requirement("AS-CODE-09")
def test_no_page_and_no_cache_shows_a_code(app: RelyingParty) -> None:
    browser = app.new_browser()
    login = app.open(browser, prompt="consent")
    wrong = browser.log_in(login, password="guessed")
    consent = browser.log_in(login)
    out = browser.allow(consent)
    codes = [read_callback(out.location)["code"], app.authorize(browser)["code"]]
    pages = [
        login,
        wrong,
        consent,
        browser.get(f"{app.issuer}/account"),
        browser.get(f"{app.issuer}/logout"),
        app.open(browser, client_id="nobody"),
        browser.get(f"{app.issuer}/nothing-here"),
        out,
    ]
    assert [page.status for page in pages] == [200, 400, 200, 200, 200, 400, 404, 303]
    for page in pages:
        assert page.header("referrer-policy") == "no-referrer"
        assert page.header("cache-control") == "no-store"
        assert not [code for code in codes if code in page.text]
    # What is public may be kept.
    assert "max-age" in send("GET", f"{app.issuer}/jwks").headers["cache-control"]


def test_after_five_wrong_verifiers_the_code_is_dead(app: RelyingParty, browser: Browser) -> None:
    four, five = app.authorize(browser)["code"], app.authorize(browser)["code"]
    for _ in range(4):
        assert refused(app.token(four, code_verifier="v" * 43))
        assert refused(app.token(five, code_verifier="v" * 43))
    assert refused(app.token(five, code_verifier="v" * 43))
    assert app.token(four).status == 200
    assert refused(app.token(five))


def test_a_code_outlives_a_server_that_is_killed(start: Start) -> None:
    server = start()
    server.add_user()
    app = register(server, "app")
    browser = app.new_browser()
    before = app.log_in(browser)
    code, spent = app.authorize(browser)["code"], app.authorize(browser)["code"]
    assert app.token(spent).status == 200
    assert server.stop(signal.SIGKILL).status == -signal.SIGKILL

    again = start(port=int(server.issuer.rpartition(":")[2]))
    assert again.issuer == server.issuer
    assert userinfo(app, before) == 200
    assert app.token(code).status == 200
    assert refused(app.token(spent))
    # The session and the consent are still there as well.
    assert app.open(browser).status == 303
