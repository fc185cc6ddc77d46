"""Sections B, F and G of the catalogue: what a browser brings to the server and takes away."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from codegrant.http import Response
from codegrant.secret import digest_of
from codegrant.server.effects import FindTransaction
from tests.attacks.steps import (
    ISSUER,
    PROBE,
    R,
    address,
    ask,
    code_of,
    document,
    error_page,
    pass_pages,
    post,
    redeem,
    refused,
    send,
    tokens,
    userinfo,
)
from tests.flows.authorization_server import CALLBACK, SECRET, authorization_parameters
from tests.flows.house import PASSWORDS, Browser, House, read_page
from tests.support.mock_provider import Listener, encode_jwt
from tests.support.relying_party import read_claims


@pytest.fixture
def listener() -> Iterator[Listener]:
    """Somebody who notes every request that comes, on loopback."""
    listener = Listener()
    yield listener
    listener.close()


def error_of(answer: Response, at: str = R) -> str:
    """Return the error with which a browser is sent to the client, without a code."""
    assert answer.status == 303, (answer.status, answer.body)
    where = answer.headers.get("location")
    assert where.startswith(f"{at}?"), where
    pairs = parse_qsl(urlsplit(where).query, keep_blank_values=True)
    assert len(dict(pairs)) == len(pairs)
    assert "code" not in dict(pairs)
    return dict(pairs)["error"]


@pytest.mark.parametrize("mode", ["form_post", "fragment", "web_message", "query.jwt", "FORM_POST"])
@pytest.mark.parametrize("state", [PROBE, "'-alert(1)-'", "</form><form action=//evil.test>"])
def test_atk_045_a_state_never_becomes_part_of_a_page(
    front: Browser, mode: str, state: str
) -> None:
    changes = {"response_mode": mode, "state": state, "scope": "openid"}
    for prompt in (None, "none", "login"):
        answer = send(front, **changes, prompt=prompt)
        assert error_of(answer) == "invalid_request"
        assert not answer.body
        where = answer.headers.get("location")
        assert dict(parse_qsl(urlsplit(where).query))["state"] == state
        assert not set(where) & set("<>\"'")
    for page in (front.start(state=state), ask(front, state=state, client_id="nobody")):
        assert state not in page.text
        assert PROBE not in page.text
    assert code_of(ask(front, state=state))
    assert code_of(ask(front, state=state, response_mode="query"))


@pytest.mark.parametrize(
    "name",
    ["client_id", "redirect_uri", "scope", "login_hint", "prompt", "claims", "resource", "nonce"],
)
def test_atk_045_nor_does_any_other_parameter(front: Browser, name: str) -> None:
    for answer in (
        front.send("GET", address(**{name: PROBE})),
        front.send("POST", "/authorize", address(**{name: PROBE}).partition("?")[2]),
    ):
        assert b"<script" not in answer.body
        assert not set(answer.headers.get("location")) & set("<>\"'")
        if answer.body:
            page = read_page(answer)
            assert "script" not in {tag for tag, _ in page.tags}


def everything(house: House) -> list[tuple[str, Response]]:
    """Return one answer of each kind that the front channel has."""
    browser = Browser(house)
    seen: list[tuple[str, Response]] = []

    def note(name: str, answer: Response) -> Response:
        seen.append((name, answer))
        return answer

    query = urlencode(authorization_parameters(state="marker-state"))
    to_login = note("request", browser.send("GET", f"/authorize?{query}"))
    note("request by POST", browser.send("POST", "/authorize", query))
    where = to_login.headers.get("location")
    page = read_page(note("login", browser.send("GET", where)))
    page.url = where
    note("wrong password", browser.post(page, "login-submit", {"username": "x", "password": "y"}))
    fields = {"username": "alice", "password": PASSWORDS["alice"]}
    where = note("logged in", browser.post(page, "login-submit", fields)).headers.get("location")
    page = read_page(note("consent", browser.send("GET", where)))
    note("code", browser.post(page, "consent-allow"))
    note("code at once", browser.send("GET", address()))
    note("error at the client", browser.send("GET", address(response_type="token")))
    note("error page", browser.send("GET", address(client_id="nobody")))
    note("account", browser.send("GET", "/account"))
    note("logout", browser.send("GET", "/logout"))
    note("unknown", browser.send("GET", "/unknown"))
    return seen


def test_atk_048_no_address_leaks_to_where_somebody_goes_next(house: House) -> None:
    for name, answer in everything(house):
        assert answer.headers.get_all("referrer-policy") == ("no-referrer",), name
        if not answer.body:
            continue
        page = read_page(answer)
        for url in page.addresses:
            assert url.startswith(("/", "data:image/svg+xml,")), (name, url)
            assert not url.startswith("//"), (name, url)
        assert "refresh" not in {given.get("http-equiv", "").lower() for _, given in page.tags}
        assert "marker-state" not in page.text


def test_atk_049_what_is_secret_is_not_kept_on_the_way(house: House) -> None:
    answers = everything(house)
    code = next(a for name, a in answers if name == "code at once").headers.get("location")
    code = dict(parse_qsl(urlsplit(code).query))["code"]
    good = redeem(house, code)
    answers += [
        ("tokens", good),
        ("replay", redeem(house, code)),
        ("unknown client", redeem(house, "x", auth=("nobody", SECRET))),
        ("userinfo", userinfo(house, document(good)["access_token"])),
        ("no token", userinfo(house, "x")),
        ("GET of the token endpoint", post(house, "/token", "", method="GET")),
    ]
    for name, answer in answers:
        assert answer.headers.get_all("cache-control") == ("no-store",), name
        assert not answer.headers.get("etag"), name
        assert not answer.headers.get("expires"), name
    assert sum(bool(answer.headers.get("set-cookie")) for _, answer in answers) == 3
    # What everybody may see is kept.
    assert "max-age" in post(house, "/jwks", "", method="GET").headers.get("cache-control")


def test_atk_050_requests_without_end_leave_a_bounded_number_behind(house: House) -> None:
    flood = Browser(house, peer="198.51.100.1")
    waiting = ask(victim := Browser(house, peer="192.0.2.77"))
    query = address(state="x" * 500).partition("?")[2]
    ids: list[str] = []
    for number in range(1100):
        if number % 2:
            answer = flood.send("POST", "/authorize", query)
        else:
            answer = flood.send("GET", f"/authorize?{query}")
        assert answer.status == 303
        ids.append(answer.headers.get("location").partition("=")[2])
        assert not flood.cookies
    kept = [bool(house.perform(FindTransaction(digest_of(i), house.now))) for i in ids]
    assert 0 < sum(kept) <= 1000
    # The oldest go first; nobody is refused, and nobody else's sign-in goes with them.
    assert not any(kept[:100])
    assert kept[-1]
    assert ask(Browser(house, peer="198.51.100.1")).status == 200
    assert post(house, "/.well-known/openid-configuration", "", method="GET").status == 200
    assert code_of(victim.log_in(waiting))
    assert "request_failed" not in house.event_names()


def test_atk_050_ten_thousand_tabs_are_not_kept_in_the_cookies(
    house: House, browser: Browser
) -> None:
    page = ask(browser)
    for _ in range(40):
        page = ask(browser)
        assert len(browser.cookies) <= 12
    assert sum(len(k) + len(v) for k, v in browser.cookies.items()) < 3000
    assert code_of(browser.log_in(page))


@pytest.mark.parametrize(
    "scope",
    [
        "openid admin",
        "openid read admin",
        "openid READ",
        "openid read:all",
        "openid profile address",
        "openid phone",
        "openid  admin",
        " openid admin ",
    ],
)
def test_atk_052_no_scope_is_granted_that_is_not_registered(
    house: House, alice: Browser, scope: str
) -> None:
    allowed = {"openid", "profile", "email", "offline_access", "read"}
    answer = tokens(house, alice, scope=scope)
    expected = allowed.intersection(scope.split())
    assert set(answer["scope"].split()) == expected
    assert set(read_claims(answer["access_token"])["scope"].split()) == expected
    assert "admin" not in json.dumps(read_claims(answer["id_token"]))
    # A scope with the code is no scope.
    code = code_of(ask(alice))
    assert document(redeem(house, code, scope="openid admin"))["scope"] == "openid"


@pytest.mark.parametrize(
    "scope",
    ["admin", "read\tadmin", "read\nadmin", 'read"', "re\\ad", "ädmin"],
)
def test_atk_052_nothing_or_nonsense_as_scope_is_refused(front: Browser, scope: str) -> None:
    assert error_of(send(front, scope=scope)) == "invalid_scope"
    pairs = [*authorization_parameters(client_id="r", redirect_uri=R), ("scope", "read")]
    assert error_of(front.send("GET", f"/authorize?{urlencode(pairs)}")) == "invalid_request"
    assert code_of(ask(front, scope="read"))


@pytest.mark.parametrize("origin", ["https://evil.test", "null", "https://client.test", ISSUER])
def test_atk_055_another_origin_reads_nothing_with_the_persons_cookies(
    house: House, alice: Browser, origin: str
) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "x"}
    waiting = alice.start()
    for path in (address(), waiting.url, "/login", "/consent", "/account", "/logout", "/none"):
        for method in ("GET", "POST", "OPTIONS"):
            more = asked if method == "OPTIONS" else {}
            answer = alice.send(method, path, headers={"origin": origin, **more})
            names = {name for name, _ in answer.headers.pairs()}
            assert not {name for name in names if name.startswith("access-control-")}, path
    token = tokens(house, alice)["access_token"]
    for path in ("/token", "/userinfo", "/jwks", "/.well-known/openid-configuration"):
        for method in ("GET", "POST", "OPTIONS"):
            headers = {"origin": origin, "authorization": f"Bearer {token}", **asked}
            answer = alice.send(method, path, headers=headers)
            assert answer.headers.get("access-control-allow-origin") in {"*", ""}
            assert not answer.headers.get("access-control-allow-credentials")
    # Cookies are worth nothing where other origins may read.
    assert alice.send("GET", "/userinfo", headers={"origin": origin}).status == 401
    assert userinfo(house, token).headers.get("access-control-allow-origin") == "*"


NESTED = '{"id_token":' * 300 + "null" + "}" * 300


@pytest.mark.parametrize(
    "claims",
    [
        "[]",
        '"x"',
        "null",
        "5",
        "true",
        "{",
        "{}x",
        '{"id_token":5}',
        '{"id_token":[]}',
        '{"id_token":"name"}',
        '{"userinfo":true}',
        '{"id_token":{"name":5}}',
        '{"id_token":{"sub":{"value":5}}}',
        '{"id_token":{"sub":{"values":"x"}}}',
        '{"id_token":{"acr":{"values":[1],"essential":true}}}',
        '{"id_token":{"name":{"essential":"yes"}}}',
        '{"id_token":{},"id_token":{}}',
        '{"id_token":{"name":NaN}}',
        '{"id_token":{"name":1e999}}',
        "\ufeff{}",
        '{"id_token":{"\\ud800":null}}',
        pytest.param("[" * 5000, id="5000 brackets"),
        pytest.param('{"a":' * 800, id="800 braces"),
        pytest.param(NESTED, id="300 objects"),
        pytest.param("1" * 5000, id="a number of 5000 digits"),
    ],
)
def test_atk_056_claims_of_an_unexpected_shape_are_refused(front: Browser, claims: str) -> None:
    assert error_of(send(front, claims=claims)) == "invalid_request"
    assert error_of(send(front, claims=claims, prompt="none")) == "invalid_request"
    assert "request_failed" not in front.house.event_names()
    assert code_of(ask(front, claims='{"id_token":{"name":null},"userinfo":{"x":{}}}'))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_age", "-1"),
        ("max_age", "1e3"),
        ("max_age", "٣"),
        ("max_age", "9" * 4400),
        ("max_age", "0x10"),
        ("prompt", "none login"),
        ("prompt", "[]"),
        ("response_type", "null"),
        ("code_challenge", "[]"),
        ("resource", "{}"),
        ("id_token_hint", "{}"),
        ("id_token_hint", "..."),
    ],
)
def test_atk_056_so_is_any_other_parameter(front: Browser, name: str, value: str) -> None:
    assert error_of(send(front, **{name: value}))
    assert "request_failed" not in front.house.event_names()
    assert code_of(ask(front, max_age="9999"))


def test_atk_132_every_answer_at_the_client_names_its_issuer(house: House, alice: Browser) -> None:
    metadata = document(post(house, "/.well-known/openid-configuration", "", method="GET"))
    assert metadata["authorization_response_iss_parameter_supported"] is True
    login = {"username": "alice", "password": PASSWORDS["alice"]}
    hinted = json.dumps({"id_token": {"sub": {"value": "person-bob"}}})
    essential = json.dumps({"id_token": {"acr": {"essential": True, "values": ["x"]}}})
    denied = alice.start(prompt="consent")
    hinted_page = ask(alice, claims=hinted)
    answers = [
        send(alice),
        send(alice, state=None),
        alice.post(alice.start(prompt="consent"), "consent-allow"),
        alice.post(denied, "consent-deny"),
        alice.post(hinted_page, "login-submit", login),
        send(alice, response_type="token"),
        send(alice, response_type=None),
        send(alice, response_mode="fragment"),
        send(alice, scope="admin"),
        send(alice, prompt="none login"),
        send(Browser(house), prompt="none"),
        alice.send(
            "GET", f"/authorize?{urlencode(authorization_parameters(prompt='none', scope='read'))}"
        ),
        send(alice, claims=essential),
        send(alice, claims="["),
        send(alice, request="x"),
        send(alice, resource="https://unknown.test"),
        send(alice, code_challenge=None, code_challenge_method=None),
        send(alice, id_token_hint="x.y.z"),
        send(alice, max_age="x"),
        alice.send("GET", f"{address()}&scope=read"),
    ]
    errors = set()
    for answer in answers:
        where = answer.headers.get("location")
        assert where.startswith((f"{R}?", f"{CALLBACK}?")), (where, answer.status)
        pairs = parse_qsl(urlsplit(where).query)
        assert [value for name, value in pairs if name == "iss"] == [metadata["issuer"]]
        errors.add(dict(pairs).get("error", "code"))
    assert len(errors) >= 9, errors


@pytest.mark.parametrize("name", ["request_uri", "request", "registration"])
def test_atk_149_no_address_in_a_request_is_ever_fetched(
    front: Browser, listener: Listener, name: str
) -> None:
    for value in (
        f"{listener.origin}/x",
        f"{listener.origin}/x#hash",
        f"http://localhost:{listener.port}/x",
        f"http://[::ffff:127.0.0.1]:{listener.port}/x",
        "file:///etc/passwd",
        "urn:ietf:params:oauth:request_uri:guessed",
        json.dumps({"jwks_uri": listener.origin}),
    ):
        for prompt in (None, "none"):
            assert error_of(send(front, **{name: value}, prompt=prompt)) == f"{name}_not_supported"
        by_post = front.send("POST", "/authorize", address(**{name: value}).partition("?")[2])
        assert error_of(by_post) == f"{name}_not_supported"
        # Nor when nothing else says who asks.
        alone = front.send("GET", f"/authorize?{urlencode({'client_id': 'r', name: value})}")
        assert error_page(alone) == "invalid_request"
    assert not listener.received
    assert code_of(ask(front))


def test_atk_150_an_address_as_client_id_is_an_unknown_client_and_not_fetched(
    house: House, alice: Browser, listener: Listener
) -> None:
    for client_id in (
        f"{listener.origin}/client.json",
        f"http://localhost:{listener.port}/client.json",
        f"{ISSUER}/client.json",
        "https://169.254.169.254/client",
    ):
        assert error_page(send(alice, client_id=client_id)) == "invalid_request"
        assert refused(redeem(house, "x", auth=(client_id, SECRET)), 401) == "invalid_client"
        public = redeem(house, "x", auth=None, client_id=client_id)
        assert refused(public, 401) == "invalid_client"
    parameters = {
        "sector_identifier_uri": listener.origin,
        "logo_uri": listener.origin,
        "jwks_uri": listener.origin,
        "client_metadata": listener.origin,
    }
    assert code_of(pass_pages(alice, ask(alice, **parameters)))
    assert not listener.received


def test_atk_156_a_signed_request_overrides_nothing_and_is_overridden_by_nothing(
    house: House, alice: Browser
) -> None:
    inner = {"client_id": "r", "redirect_uri": R, "state": "inner", "code_challenge": "x" * 43}
    for header in ({"alg": "none"}, {"alg": "HS256", "typ": "oauth-authz-req+jwt"}):
        token = encode_jwt(header, inner, None)
        without: tuple[dict[str, str | None], ...] = (
            {},
            {"state": None},
            {"code_challenge": None},
            {"response_type": None},
        )
        for changes in without:
            answer = send(alice, request=token, **changes)
            assert error_of(answer) == "request_not_supported"
            assert "inner" not in answer.headers.get("location")
        # The client is the one outside, or nobody.
        others: tuple[dict[str, str | None], ...] = (
            {"client_id": None},
            {"redirect_uri": None},
            {"client_id": "b"},
        )
        for other in others:
            assert error_page(send(alice, request=token, **other)) == "invalid_request"
    assert code_of(ask(alice))
