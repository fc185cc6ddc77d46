"""Section C of the catalogue: codes, PKCE, and who may call the token endpoint."""

from __future__ import annotations

import hmac
import json
import math
from collections import Counter
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from codegrant.rules.pkce import challenge_of
from codegrant.secret import digest_of
from codegrant.server.administration import AddClient, UpdateClient
from codegrant.server.records import ClientRecord
from tests.attacks.steps import (
    MORE_CLIENTS,
    R2,
    B,
    R,
    SecondHouse,
    ask,
    code_of,
    document,
    pass_pages,
    post,
    redeem,
    refused,
    send,
    sign_in,
    token_form,
    userinfo,
)
from tests.flows.authorization_server import CALLBACK, SECRET, VERIFIER, basic
from tests.flows.house import FORM_TYPE, Browser, House
from tests.support.relying_party import read_claims

OLD = ClientRecord(
    client_id="old",
    secret_digest=digest_of(SECRET),
    redirect_uris=(R,),
    require_pkce=False,
    skip_consent=True,
)
WITHOUT_PKCE = {"code_challenge": None, "code_challenge_method": None}


def error_at_client(browser: Browser, **changes: str | None) -> str:
    """Return the error that an authorization request of client r leads to, without a code."""
    query = dict(parse_qsl(urlsplit(send(browser, **changes).headers.get("location")).query))
    assert "code" not in query
    return query["error"]


# --- PKCE ---


@pytest.mark.parametrize(
    ("client_id", "uri"),
    [("r", R), ("a", CALLBACK), ("native", "http://127.0.0.1/cb"), ("trusted", None)],
)
def test_atk_057_a_request_from_which_the_challenge_was_taken_is_refused(
    alice: Browser, client_id: str, uri: str | None
) -> None:
    at = {"client_id": client_id, "redirect_uri": uri or "https://trusted.test/cb"}
    for changes in (
        WITHOUT_PKCE,
        {"code_challenge": None},
        {"code_challenge": ""},
        {"code_challenge": "", "code_challenge_method": ""},
        {"code_challenge": "x" * 42},
        {"code_challenge": "x" * 44},
        {"code_challenge": "x" * 42 + "="},
        {"code_challenge": "x" * 42 + "+"},
    ):
        assert error_at_client(alice, **at, **changes) == "invalid_request"
    assert "code=" in pass_pages(alice, ask(alice, **at)).url


def test_atk_057_a_code_without_a_challenge_takes_no_verifier(house: House, alice: Browser) -> None:
    assert house.perform(AddClient(OLD))
    auth = ("old", SECRET)
    for verifier in (VERIFIER, "x" * 43, "~" * 128):
        code = code_of(ask(alice, client_id="old", **WITHOUT_PKCE))
        answer = redeem(house, code, auth=auth, code_verifier=verifier)
        assert refused(answer) == "invalid_grant"
        assert redeem(house, code, auth=auth, code_verifier=None).status == 200
    # Waived is not switched off: who sends a challenge is held to it.
    code = code_of(ask(alice, client_id="old"))
    assert refused(redeem(house, code, auth=auth, code_verifier=None)) == "invalid_grant"
    assert redeem(house, code, auth=auth).status == 200


@pytest.mark.parametrize(
    "verifier",
    [
        None,
        "",
        VERIFIER[:-1],
        VERIFIER + "x",
        VERIFIER.upper(),
        f"{VERIFIER} ",
        f" {VERIFIER}",
        f"{VERIFIER}\n",
        f"{VERIFIER}=",
        challenge_of(VERIFIER),
        "x" * 42,
        "x" * 129,
        "é" * 43,
        "null",
        "undefined",
    ],
)
def test_atk_058_a_code_with_a_challenge_opens_to_its_verifier_alone(
    house: House, alice: Browser, verifier: str | None
) -> None:
    code = code_of(ask(alice))
    assert refused(redeem(house, code, code_verifier=verifier)) in {
        "invalid_grant",
        "invalid_request",
    }
    twice = [*token_form(code).items(), ("code_verifier", verifier or "x")]
    body = urlencode([(name, value) for name, value in twice if value])
    assert refused(post(house, "/token", body, [basic("r", SECRET)])) == "invalid_request"
    in_query = urlencode({"code_verifier": VERIFIER})
    form = token_form(code, code_verifier=None)
    answer = post(house, "/token", form, [basic("r", SECRET)], query=in_query)
    assert refused(answer) == "invalid_request"
    assert redeem(house, code).status == 200


def test_atk_058_nobody_guesses_a_verifier_by_trying(house: House, alice: Browser) -> None:
    code = code_of(ask(alice))
    for number in range(5):
        answer = redeem(house, code, code_verifier=f"{number:043d}")
        assert refused(answer) == "invalid_grant"
    assert refused(redeem(house, code)) == "invalid_grant"
    assert redeem(house, code_of(ask(alice))).status == 200


@pytest.mark.parametrize("method", ["plain", "PLAIN", None, "", "s256", "S256 ", "S512", "none"])
def test_atk_060_a_challenge_that_is_its_own_verifier_is_refused(
    house: House, alice: Browser, method: str | None
) -> None:
    for challenge in (VERIFIER, challenge_of(VERIFIER)):
        changes = {"code_challenge": challenge, "code_challenge_method": method}
        assert error_at_client(alice, **changes) == "invalid_request"
    metadata = document(post(house, "/.well-known/openid-configuration", "", method="GET"))
    assert metadata["code_challenge_methods_supported"] == ["S256"]
    # A challenge taken for a verifier does not open itself.
    code = code_of(ask(alice, code_challenge=VERIFIER[:43]))
    assert refused(redeem(house, code, code_verifier=VERIFIER[:43])) == "invalid_grant"
    assert code_of(ask(alice))


# --- one code, once, for one client ---


@pytest.mark.parametrize("access_format", ["jwt", "opaque"])
def test_atk_064_a_second_redemption_ends_what_the_first_one_gave(access_format: str) -> None:
    house = SecondHouse(access_format=access_format)
    alice = sign_in(Browser(house))
    code = code_of(ask(alice, scope="openid email offline_access"))
    first = document(redeem(house, code))
    other = document(redeem(house, code_of(ask(alice))))
    assert userinfo(house, first["access_token"]).status == 200
    assert refused(redeem(house, code)) == "invalid_grant"
    assert userinfo(house, first["access_token"]).status == 401
    assert refused(redeem(house, code)) == "invalid_grant"
    if "refresh_token" in first:
        form = {"grant_type": "refresh_token", "refresh_token": first["refresh_token"]}
        answer = post(house, "/token", form, [basic("r", SECRET)])
        assert refused(answer) == "invalid_grant"
    assert userinfo(house, other["access_token"]).status == 200
    house.close()


def test_atk_064_somebody_who_only_found_a_used_code_cannot_end_anything(
    house: House, alice: Browser
) -> None:
    code = code_of(ask(alice))
    token = document(redeem(house, code))["access_token"]
    for answer in (
        redeem(house, code, auth=("b", SECRET)),
        redeem(house, code, auth=("r", "wrong" * 8)),
        redeem(house, code, auth=None, client_id="native"),
        redeem(house, code, code_verifier="x" * 43),
        redeem(house, code, redirect_uri=R2),
        redeem(house, f"{code}x"),
        redeem(house, code.swapcase()),
    ):
        assert refused(answer) in {"invalid_grant", "invalid_client"}
        assert userinfo(house, token).status == 200
    assert refused(redeem(house, code)) == "invalid_grant"
    assert userinfo(house, token).status == 401


def test_atk_069_a_stolen_code_is_of_no_use_in_another_login(house: House, alice: Browser) -> None:
    verifier = "another-verifier-of-forty-three-characters-x"
    victim = code_of(ask(alice))
    attacker = sign_in(Browser(house, peer="198.51.100.1"), "bob")
    mine = code_of(ask(attacker, code_challenge=challenge_of(verifier), nonce="theirs"))
    # The attacker's session at the application has its own verifier.
    assert refused(redeem(house, victim, code_verifier=verifier)) == "invalid_grant"
    assert refused(redeem(house, mine)) == "invalid_grant"
    for auth, client_id in ((("b", SECRET), None), (("a", SECRET), None), (None, "native")):
        answer = redeem(house, victim, auth=auth, client_id=client_id)
        assert refused(answer) == "invalid_grant"
        answer = redeem(house, victim, auth=auth, client_id=client_id, redirect_uri=None)
        assert refused(answer) == "invalid_grant"
    assert document(redeem(house, victim))["access_token"]
    assert document(redeem(house, mine, code_verifier=verifier))["access_token"]


def test_atk_070_a_code_lives_as_long_as_it_says_and_not_longer(
    house: House, alice: Browser
) -> None:
    lifetime = house.policy.code_lifetime
    assert lifetime <= 600
    codes = [code_of(ask(alice)) for _ in range(3)]
    house.now += lifetime - 1
    assert redeem(house, codes[0]).status == 200
    house.now += 1
    assert refused(redeem(house, codes[1])) == "invalid_grant"
    house.now += 3600
    assert refused(redeem(house, codes[2])) == "invalid_grant"
    for seconds in (0, -1, 601, 10**9):
        with pytest.raises(Exception, match="code_lifetime"):
            SecondHouse(code_lifetime=seconds)


def entropy_of(texts: list[str]) -> float:
    """Return an estimate of the bits that differ from text to text, character by character."""
    bits = 0.0
    for column in zip(*texts, strict=False):
        counts = Counter(column)
        bits -= sum(n / len(texts) * math.log2(n / len(texts)) for n in counts.values())
    return bits


def test_atk_072_nothing_about_a_code_or_token_can_be_foreseen(
    house: House, alice: Browser
) -> None:
    drawn: dict[str, list[str]] = {"code": [], "jti": [], "transaction": [], "csrf": []}
    for number in range(200):
        house.now += number % 2
        drawn["code"].append(code_of(ask(alice)))
        page = alice.start(prompt="consent")
        drawn["transaction"].append(page.inputs["transaction"])
        drawn["csrf"].append(page.inputs["csrf"])
    for code in drawn["code"][-30:]:
        token = document(redeem(house, code))["access_token"]
        drawn["jti"].append(read_claims(token)["jti"])
    for name, texts in drawn.items():
        assert len(set(texts)) == len(texts) >= 30, name
        assert len({text[0] for text in texts}) > 1, name
        assert len({text[-1] for text in texts}) > 1, name
        assert texts != sorted(texts), name
        if len(texts) == 200:
            assert entropy_of(texts) >= 128, name
    halves = {code[:16] for code in drawn["code"]}, {code[-16:] for code in drawn["code"]}
    assert [len(half) for half in halves] == [200, 200]


# --- how the token endpoint is called ---


def test_atk_073_the_token_endpoint_takes_a_posted_form_and_nothing_else(
    house: House, alice: Browser
) -> None:
    code = code_of(ask(alice))
    form = {name: value for name, value in token_form(code).items() if value}
    query, auth = urlencode(form), basic("r", SECRET)
    with_secret = urlencode({**form, "client_id": "r", "client_secret": SECRET})
    boundary = "".join(
        f'--x\r\ncontent-disposition: form-data; name="{k}"\r\n\r\n{v}\r\n' for k, v in form.items()
    )
    attempts = [
        post(house, "/token", "", [auth], query=query, method="GET"),
        post(house, "/token", "", [], query=with_secret, method="GET"),
        post(house, "/token", "", [], query=with_secret),
        post(house, "/token", query, [auth], query="x=1"),
        post(house, "/token", "", [auth], query=query),
        post(house, "/token", json.dumps(form), [auth, ("content-type", "application/json")]),
        post(house, "/token", query, [auth, ("content-type", "text/plain")]),
        post(house, "/token", query, [auth, ("content-type", "")]),
        post(house, "/token", query, [auth, FORM_TYPE, ("content-type", "application/json")]),
        post(
            house, "/token", query,
            [auth, ("content-type", "application/x-www-form-urlencoded; charset=utf-16")],
        ),
        post(
            house, "/token", f"{boundary}--x--\r\n",
            [auth, ("content-type", "multipart/form-data; boundary=x")],
        ),
        *(
            post(house, "/token", query, [auth, FORM_TYPE], method=method)
            for method in ("PUT", "PATCH", "DELETE", "HEAD", "QUERY", "post")
        ),
        post(house, "/token", query, [auth, ("x-http-method-override", "POST")], method="GET"),
        post(house, "/token/", query, [auth]),
        post(house, "//token", query, [auth]),
    ]  # fmt: skip
    for answer in attempts:
        assert answer.status in {400, 404, 405, 415}
        assert b"access_token" not in answer.body
    assert redeem(house, code).status == 200


@pytest.mark.parametrize(
    "name", ["grant_type", "code", "redirect_uri", "code_verifier", "client_id", "client_secret"]
)
def test_atk_073_nor_a_form_that_says_anything_twice(
    house: House, alice: Browser, name: str
) -> None:
    code = code_of(ask(alice))
    good = {name: value for name, value in token_form(code).items() if value}
    headers = [basic("r", SECRET)]
    if name.startswith("client_"):
        good, headers = {**good, "client_id": "r", "client_secret": SECRET}, []
        assert house.perform(
            UpdateClient(replace(MORE_CLIENTS[0], token_endpoint_auth_method="client_secret_post"))
        )
    for value in (good[name], "other"):
        for pairs in ([*good.items(), (name, value)], [(name, value), *good.items()]):
            answer = post(house, "/token", urlencode(pairs), headers)
            assert refused(answer) == "invalid_request"
    assert post(house, "/token", good, headers).status == 200


def test_atk_074_a_client_that_says_who_it_is_in_two_ways_is_nobody(
    house: House, alice: Browser
) -> None:
    code = code_of(ask(alice))
    a, b = basic("r", SECRET), basic("b", SECRET)
    assertion = {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": "x.y.z",
    }
    attempts = [
        redeem(house, code, client_id="b", client_secret=SECRET),
        redeem(house, code, client_id="r", client_secret=SECRET),
        redeem(house, code, client_secret=SECRET),
        redeem(house, code, client_id="b"),
        redeem(house, code, client_id="R"),
        redeem(house, code, client_id="native"),
        redeem(house, code, form=assertion),
        redeem(house, code, auth=None, client_id="r", client_secret=SECRET, form=assertion),
        redeem(house, code, auth=None, client_id="r", form=assertion),
        redeem(house, code, client_assertion_type=assertion["client_assertion_type"]),
        redeem(house, code, auth=None, headers=[a, b]),
        redeem(house, code, auth=None, headers=[b, a]),
        redeem(house, code, auth=None, headers=[a, a]),
        redeem(house, code, auth=None, headers=[a, ("authorization", "Bearer x")]),
        redeem(house, code, auth=None, headers=[(a[0], f"{a[1]}, {b[1]}")]),
        redeem(house, code, auth=None, headers=[(a[0], a[1].replace("Basic", "Bearer"))]),
        redeem(house, code, auth=None, headers=[("authorization", "Basic")], client_id="r"),
        redeem(house, code, auth=None, headers=[("authorization", "")], client_id="native"),
        redeem(house, code, auth=None, client_id="r", client_secret=SECRET),
        redeem(house, code, auth=None, client_id="r"),
        redeem(house, code, auth=None),
    ]
    for number, answer in enumerate(attempts):
        assert refused(answer) in {"invalid_request", "invalid_client"}, number
    assert redeem(house, code, client_id="r").status == 200


def test_atk_077_no_client_uses_a_grant_that_it_is_not_registered_for(
    house: House, alice: Browser
) -> None:
    code = code_of(ask(alice))
    r = MORE_CLIENTS[0]
    assert house.perform(UpdateClient(replace(r, grant_types=("refresh_token",))))
    assert refused(redeem(house, code)) == "unauthorized_client"
    assert error_at_client(alice) == "unauthorized_client"
    assert house.perform(UpdateClient(replace(r, grant_types=("authorization_code",))))
    for grant_type in ("client_credentials", "refresh_token", "password", "implicit"):
        form = {"grant_type": grant_type, "refresh_token": "x" * 43}
        answer = post(house, "/token", form, [basic("r", SECRET)])
        assert refused(answer) in {"unauthorized_client", "unsupported_grant_type"}
        public = post(house, "/token", {**form, "client_id": "native"})
        assert refused(public) in {
            "unauthorized_client", "unsupported_grant_type", "invalid_client", "invalid_grant",
        }  # fmt: skip
    assert redeem(house, code).status == 200


def test_atk_079_a_secret_is_compared_as_a_whole_and_as_its_digest(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[tuple[int, int]] = []
    real = hmac.compare_digest

    def noting(one: bytes, other: bytes) -> bool:
        compared.append((len(one), len(other)))
        return real(one, other)

    monkeypatch.setattr("codegrant.secret.hmac.compare_digest", noting)
    flipped = chr(ord(SECRET[0]) ^ 1)
    wrong = {
        "first": flipped + SECRET[1:],
        "last": SECRET[:-1] + chr(ord(SECRET[-1]) ^ 1),
        "prefix": SECRET[:10],
        "longer": SECRET + "x",
        "one": "x",
        "huge": "x" * 3000,
    }
    kinds: list[list[type]] = []
    for number, secret in enumerate(wrong.values()):
        for client_id in ("r", "nobody"):
            compared.clear()
            house.effects.clear()
            answer = redeem(house, "x", auth=(client_id, secret), peer=f"192.0.2.{100 + number}")
            assert refused(answer, 401) == "invalid_client"
            assert compared == [(32, 32)], (client_id, secret)
            kinds.append([type(effect) for effect in house.effects])
    assert kinds == kinds[:1] * len(kinds)
    assert refused(redeem(house, "x"), 400) == "invalid_grant"


def test_atk_080_guessing_a_client_secret_ends_after_a_few(house: House, alice: Browser) -> None:
    code, other = code_of(ask(alice)), code_of(ask(alice, client_id="b", redirect_uri=B), B)
    statuses = []
    for number in range(100):
        auth = ("r", f"guess {number}")
        headers = [("x-forwarded-for", f"203.0.113.{number}")]
        answer = redeem(house, "x", auth=auth, headers=headers, peer="198.51.100.1")
        statuses.append(answer.status)
    assert statuses == [401] * 10 + [429] * 90
    assert redeem(house, code, peer="198.51.100.1").status == 429
    in_form = {"client_id": "r", "client_secret": SECRET}
    assert redeem(house, code, auth=None, peer="198.51.100.1", form=in_form).status == 429
    # Other clients are served, and the same one from elsewhere.
    good = redeem(house, other, auth=("b", SECRET), redirect_uri=B, peer="198.51.100.1")
    assert good.status == 200
    assert redeem(house, code).status == 200


def test_atk_080_nor_does_it_help_to_go_from_client_to_client(house: House) -> None:
    for number in range(house.policy.limits.source_failures):
        auth = (f"client{number}", SECRET)
        assert redeem(house, "x", auth=auth, peer="198.51.100.1").status == 401
    assert redeem(house, "x", peer="198.51.100.1").status == 429
    assert refused(redeem(house, "x", peer="198.51.100.2")) == "invalid_grant"


@pytest.mark.parametrize(
    "grant_type",
    [
        "authorization_code ",
        " authorization_code",
        "AUTHORIZATION_CODE",
        "authorization_code\n",
        "authorization_code\u200b",
        "authorization code",
        "authorization_code,refresh_token",
        "authorization_code refresh_token",
        "authorization_c\u043ede",
        "urn:ietf:params:oauth:grant-type:authorization_code",
        "password",
        "implicit",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:device_code",
        "__class__",
        "null",
        "x" * 10_000,
        "",
        None,
    ],
)
def test_atk_085_an_unknown_grant_type_is_no_other_one(
    house: House, alice: Browser, grant_type: str | None
) -> None:
    code = code_of(ask(alice))
    extra = {"assertion": "x" * 10_000, "username": "alice", "password": "wonderland"}
    answer = redeem(house, code, grant_type=grant_type, form=extra)
    wanted = "unsupported_grant_type" if grant_type else "invalid_request"
    assert refused(answer, 400) == wanted
    assert redeem(house, code).status == 200


def test_atk_086_no_token_is_exchanged_for_another(house: House, alice: Browser) -> None:
    answer = document(redeem(house, code_of(ask(alice, scope="openid email"))))
    kind = "urn:ietf:params:oauth:token-type:"
    for token, name in (
        (answer["access_token"], "access_token"),
        (answer["id_token"], "id_token"),
        (answer["access_token"], "jwt"),
        ("x" * 10_000, "refresh_token"),
    ):
        for grant in ("token-exchange", "jwt-bearer", "saml2-bearer"):
            form = {
                "grant_type": f"urn:ietf:params:oauth:grant-type:{grant}",
                "subject_token": token,
                "subject_token_type": f"{kind}{name}",
                "requested_token_type": f"{kind}access_token",
                "assertion": token,
                "audience": "https://api.example",
                "scope": "openid email read admin",
            }
            for headers in ([basic("r", SECRET)], [basic("b", SECRET)]):
                refusal = refused(post(house, "/token", form, headers), 400)
                assert refusal == "unsupported_grant_type"
    assert userinfo(house, answer["access_token"]).status == 200
