"""Section E of the catalogue: rightly signed tokens that say something wrong."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256, sha384, sha512

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.attacks.places import (
    AtApi,
    AtClient,
    AtHint,
    AtUserinfo,
    Claims,
    Make,
    Place,
    forge,
    refuse,
)
from tests.attacks.steps import ask, code_of, document, redeem, refused, send, userinfo
from tests.flows.authorization_server import SECRET
from tests.flows.house import Browser, House
from tests.support.access_tokens import AUDIENCE, NOW, PaperApi
from tests.support.mock_provider import CLIENT_ID, b64
from tests.support.relying_party import read_claims

ISSUER = "https://issuer.example"
LEEWAY = 60


@pytest.fixture(params=["client", "api", "userinfo"])
def place(request: pytest.FixtureRequest) -> Place:
    """Every place that looks at all of a token's claims."""
    match request.param:
        case "client":
            return AtClient()
        case "api":
            return AtApi(request.getfixturevalue("api"))
        case _:
            return AtUserinfo(request.getfixturevalue("front"))


def with_claims(**changes: object) -> Make:
    """Sign changed claims rightly; None leaves one out."""

    def make(place: Place, claims: Claims) -> str:
        changed = {**claims, **changes}
        return forge(place.header, {k: v for k, v in changed.items() if v is not None}, place.sign)

    return make


def with_raw_claim(text: str) -> Make:
    """Sign the claims rightly, with one member replaced by JSON as it stands."""

    def make(place: Place, claims: Claims) -> str:
        name = text.partition('"')[2].partition('"')[0]
        kept = json.dumps({k: v for k, v in claims.items() if k != name})
        return forge(place.header, f"{kept[:-1]},{text}}}".encode(), place.sign)

    return make


def test_atk_124_an_issuer_that_looks_alike_is_another_one(place: Place) -> None:
    issuer = "https://issuer.test" if isinstance(place, AtUserinfo) else ISSUER
    host = issuer.removeprefix("https://")
    wrong: list[object] = [
        f"{issuer}.evil", f"{issuer}/", f"{issuer}/path", f"{issuer}#", f"{issuer}?", issuer[:-1],
        f" {issuer}", f"{issuer}\n", issuer.upper(), f"http://{host}", f"HTTPS://{host}",
        f"https://{host}:443", f"https://evil@{host}", f"https://evil.test/{issuer}",
        f"https://{host}.", host, "", "https", [issuer], {"0": issuer}, 1, True, None,
        f"{issuer} https://evil.test", issuer.replace("i", "\u0456"),
    ]  # fmt: skip
    refuse(place, {f"iss {text!r}": with_claims(iss=text) for text in wrong})


@pytest.mark.parametrize("kind", ["client", "api"])
def test_atk_124_an_audience_that_contains_ours_is_another_one(kind: str, api: PaperApi) -> None:
    place = AtClient() if kind == "client" else AtApi(api)
    own = CLIENT_ID if kind == "client" else AUDIENCE
    wrong: list[object] = [
        f"{own}x", f"x{own}", own[:-1], own[1:], own.upper(), f"{own}/", f" {own}", f"{own} other",
        f"{own},other", "*", "", [], [f"{own}x"], ["other"], [own[:-1], own[-1]], [[own]],
        {"0": own}, {own: True}, 1, True, None, [own, 5], [own, None], [own, [own]],
    ]  # fmt: skip
    refuse(place, {f"aud {text!r}": with_claims(aud=text) for text in wrong})
    assert place.takes(with_claims(aud=[own]))


@pytest.mark.parametrize("kind", ["client", "api"])
def test_atk_125_a_token_for_somebody_else_is_not_for_us(kind: str, api: PaperApi) -> None:
    place = AtClient() if kind == "client" else AtApi(api)
    other = "other" if kind == "client" else "https://other.example"
    cases: dict[str, Make] = {
        "other": with_claims(aud=other),
        "others": with_claims(aud=[other, "third"]),
        "none": with_claims(aud=None),
        "issuer": with_claims(aud=ISSUER),
        "other, our name elsewhere": with_claims(aud=other, client_id=AUDIENCE, resource=AUDIENCE),
    }
    if kind == "client":
        cases |= {
            "several, no azp": with_claims(aud=[CLIENT_ID, other]),
            "azp of another": with_claims(azp=other),
            "several, azp of another": with_claims(aud=[CLIENT_ID, other], azp=other),
            "only azp": with_claims(aud=other, azp=CLIENT_ID),
            "azp no text": with_claims(azp=[CLIENT_ID]),
        }
        assert place.takes(with_claims(azp=CLIENT_ID))
    else:
        assert place.takes(with_claims(aud=[other, AUDIENCE]))
    refuse(place, cases)


def test_atk_125_a_hint_for_another_client_is_no_hint(house: House, alice: Browser) -> None:
    for client_id, uri in (("b", "https://b.test/cb"), ("trusted", "https://trusted.test/cb")):
        code = code_of(ask(alice, client_id=client_id, redirect_uri=uri), uri)
        answer = redeem(house, code, auth=(client_id, SECRET), redirect_uri=uri)
        hint = document(answer)["id_token"]
        where = send(alice, id_token_hint=hint, prompt="none").headers.get("location")
        assert "error=invalid_request" in where
        own = send(alice, client_id=client_id, redirect_uri=uri, id_token_hint=hint)
        assert "code=" in own.headers.get("location")


def test_atk_126_the_keys_of_one_issuer_serve_for_no_other() -> None:
    api = PaperApi("https://a.example", "https://b.example")
    a, b = api.issuers
    b.keys["k2"] = ec.generate_private_key(ec.SECP256R1())
    shared = b.keys["k2"]
    assert api.verify(a.mint(NOW)).issuer == a.issuer
    assert api.verify(b.mint(NOW, jti="b")).issuer == b.issuer
    assert api.verify(b.mint(NOW, header={"kid": "k2"})).issuer == b.issuer
    for token in (
        a.mint(NOW, key=b.keys["k1"]),
        a.mint(NOW, key=shared, header={"kid": "k2"}),
        a.mint(NOW, key=shared, header={"kid": None}),
        b.mint(NOW, key=a.keys["k1"]),
        b.mint(NOW, iss=a.issuer),
        a.mint(NOW, iss=b.issuer),
        a.mint(NOW, iss=[a.issuer, b.issuer]),
    ):
        assert api.refuse(token).error == "invalid_token"
    # An issuer that is no longer configured is nobody, however well it signs.
    only_a = PaperApi("https://a.example")
    stranger = PaperApi("https://b.example").issuer
    only_a.script.answers |= stranger.script.answers
    assert only_a.refuse(stranger.mint(NOW)).error == "invalid_token"
    assert not [url for url in only_a.script.urls if "b.example" in url]
    assert only_a.verify(only_a.issuer.mint(NOW))


def test_atk_126_a_client_believes_its_own_provider_alone() -> None:
    mine, theirs = AtClient(), AtClient()

    def by_other(place: Place, claims: Claims) -> str:
        return forge(theirs.header, claims, theirs.sign)

    def of_other(place: Place, claims: Claims) -> str:
        return forge(mine.header, {**claims, "iss": "https://other.example"}, mine.sign)

    refuse(mine, {"signed by another": by_other, "of another": of_other})


def half(text: str, digest: object = sha256) -> str:
    value: bytes = digest(text.encode()).digest()  # type: ignore[operator]
    return b64(value[: len(value) // 2])


def test_atk_127_a_hash_that_does_not_fit_its_token_is_not_passed_over() -> None:
    token, code = "an-access-token", "c"
    wrong: list[object] = [
        half("another"), half(token)[:-1], half(token) + "=", half(token).lower(),
        b64(sha256(token.encode()).digest()), half(token, sha384), half(token, sha512),
        sha256(token.encode()).hexdigest()[:32], "", token, 5, True, [half(token)], {},
        {"S256": half(token)},
    ]  # fmt: skip
    place = AtClient()
    cases = {f"at_hash {text!r}": with_claims(at_hash=text) for text in wrong}
    cases |= {
        f"c_hash {text!r}": with_claims(c_hash=text) for text in (half("x"), half(token), "", 5)
    }
    cases["null"] = with_raw_claim('"at_hash":null')
    refuse(place, cases)
    assert place.takes(with_claims(at_hash=half(token), c_hash=half(code)))
    assert place.takes(with_claims(at_hash=None))


def test_atk_128_a_token_does_not_switch_off_its_own_check() -> None:
    place = AtClient()
    switches: Mapping[str, object] = {
        "nonce_supported": False,
        "nonce_required": False,
        "skip_nonce": True,
        "alg": "none",
        "verified": True,
    }
    wrong: list[object] = [None, "", "wrong", 0, False, [], {}]
    cases = {
        f"{name}, nonce {nonce!r}": with_claims(**{name: value}, nonce=nonce)
        for name, value in switches.items()
        for nonce in wrong
    }
    cases |= {
        "null": with_raw_claim('"nonce":null'),
        "list": lambda place, claims: forge(
            place.header, {**claims, "nonce": [claims["nonce"]]}, place.sign
        ),
        "longer": lambda place, claims: forge(
            place.header, {**claims, "nonce": f"{claims['nonce']}x"}, place.sign
        ),
        "another case": lambda place, claims: forge(
            place.header, {**claims, "nonce": str(claims["nonce"]).swapcase()}, place.sign
        ),
        "no at_hash asked, no nonce": with_claims(nonce_supported=False, nonce=None, at_hash=None),
    }
    refuse(place, cases)
    assert place.takes(with_claims(nonce_supported=False))


@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
def test_atk_129_a_time_is_a_sane_number(place: Place, name: str) -> None:
    texts = [
        '"-1"', "-1", "true", "false", '"9e99"', "1e400", "-1e400", "1e99", "9" * 400, "[]", "{}",
        '""', '"2030-01-01"', "[1900000000]", '{"t":1900000000}', '"1900000000"', "null",
    ]  # fmt: skip
    refuse(place, {f"{name} {text[:20]}": with_raw_claim(f'"{name}":{text}') for text in texts})


def test_atk_129_clocks_may_differ_by_a_minute_and_no_more(place: Place) -> None:
    now = place.now if isinstance(place, AtClient) else NOW

    def shifted(**seconds: int) -> Make:
        def make(place: Place, claims: Claims) -> str:
            at = int(str(claims["iat"]))
            return with_claims(**{name: at + by for name, by in seconds.items()})(place, claims)

        return make

    assert now >= NOW
    cases = {
        "expired": shifted(exp=-LEEWAY - 1),
        "expired at the minute": shifted(exp=-LEEWAY),
        "not yet": shifted(nbf=3600),
        "not yet, just so": shifted(nbf=LEEWAY + 1),
        "issued in a year": shifted(iat=31_536_000, exp=31_536_300),
        "issued soon": shifted(iat=LEEWAY + 1),
        "long ago and expired": shifted(iat=-7200, exp=-7000),
        "ends before it begins": shifted(nbf=200, exp=100),
    }
    refuse(place, cases)
    assert place.takes(shifted(nbf=-1))


def test_atk_105_neither_a_code_nor_any_other_secret_is_an_access_token(
    house: House, alice: Browser
) -> None:
    api = PaperApi("https://issuer.test")
    unused = code_of(ask(alice))
    used = code_of(ask(alice, scope="openid offline_access"))
    answer = document(redeem(house, used))
    strangers = [
        unused,
        used,
        answer["id_token"],
        str(alice.session_cookie),
        next(value for value in alice.cookies.values()),
        read_claims(answer["access_token"])["jti"],
        read_claims(answer["access_token"])["grant_id"],
        answer["access_token"] + "x",
        answer["access_token"].rpartition(".")[0] + ".",
        "x" * 43,
    ]
    if "refresh_token" in answer:
        strangers.append(answer["refresh_token"])
    for token in strangers:
        assert refused(userinfo(house, token), 401) == "invalid_token"
        assert api.refuse(token).status == 401
    assert userinfo(house, answer["access_token"]).status == 200
    # And an access token is no code and no refresh token.
    for form in ({"code": answer["access_token"]}, {"code": answer["id_token"]}):
        assert refused(redeem(house, **form)) == "invalid_grant"


@pytest.mark.parametrize(
    "typ",
    ["logout+jwt", "dpop+jwt", "secevent+jwt", "token-introspection+jwt", "oauth-authz-req+jwt",
     "client-authentication+jwt", "at+jwt", "JWT", "", "application/at+jwt+x"],
)  # fmt: skip
def test_atk_106_a_token_of_one_kind_is_no_other_kind(
    front: Browser, api: PaperApi, typ: str
) -> None:
    events: dict[str, object] = {"http://schemas.openid.net/event/backchannel-logout": {}}

    def of_kind(place: Place, claims: Claims) -> str:
        header = {**place.header, "typ": typ}
        return forge(header, {**claims, "events": events}, place.sign)

    places = (AtClient(), AtApi(api), AtUserinfo(front), AtHint(front))
    for place in places:
        own = str(place.header["typ"])
        if typ == own or (own == "JWT" and typ == ""):
            assert place.takes(of_kind)
        else:
            refuse(place, {typ: of_kind})


@pytest.mark.parametrize(
    ("scope", "told"),
    [
        ("openid", {"sub"}),
        ("openid email", {"sub", "email", "email_verified"}),
        ("openid offline_access read", {"sub"}),
    ],
)
def test_atk_107_userinfo_tells_no_more_than_the_scope_opens(
    house: House, alice: Browser, scope: str, told: set[str]
) -> None:
    wanted = '{"userinfo":{"email":{"essential":true},"name":null,"password_hash":null}}'
    for claims in (None, wanted):
        code = code_of(ask(alice, scope=scope, claims=claims))
        answer = document(redeem(house, code))
        said = document(userinfo(house, answer["access_token"]))
        assert said.keys() <= told
        assert said["sub"] == "person-alice"
        assert "email" in said or "email" not in told
        id_token = read_claims(answer["id_token"])
        assert not {"email", "name", "password_hash", "username"} & (id_token.keys() - told)
    # The request decides at the front door; a query at userinfo opens nothing more.
    headers = {"authorization": f"Bearer {answer['access_token']}"}
    for query in ("scope=openid+profile+email", "claims=%7B%22name%22%3Anull%7D", "schema=all"):
        said = document(alice.send("GET", f"/userinfo?{query}", headers=headers))
        assert said.keys() <= told
    without = document(redeem(house, code_of(ask(alice, scope="email"))))
    assert userinfo(house, without["access_token"]).status == 403


def test_atk_110_a_token_in_the_address_is_refused(
    house: House, alice: Browser, api: PaperApi
) -> None:
    token = document(redeem(house, code_of(ask(alice))))["access_token"]
    in_header = {"authorization": f"Bearer {token}"}
    form = {"content-type": "application/x-www-form-urlencoded"}
    body = f"access_token={token}"
    for method in ("GET", "POST"):
        for answer in (
            alice.send(method, f"/userinfo?access_token={token}"),
            alice.send(method, f"/userinfo?access_token={token}", headers=in_header),
            alice.send(method, "/userinfo?access_token=", headers=in_header),
            alice.send(method, f"/userinfo?%61ccess_token={token}", headers=in_header),
            alice.send(method, f"/userinfo?x=1&access_token={token}"),
        ):
            assert answer.status in {400, 401}, (method, answer.status)
            assert b"person-alice" not in answer.body
    for answer in (
        alice.send("POST", "/userinfo", body, {**form, **in_header}),
        alice.send("POST", "/userinfo", f"{body}&{body}", form),
        alice.send("GET", "/userinfo", body, form),
        alice.send("POST", "/userinfo", body.replace("a", "%61", 1), {**form, **in_header}),
        alice.send("POST", "/userinfo", body, {"content-type": "text/plain"}),
        alice.send("GET", "/userinfo", headers={"cookie": f"access_token={token}"}),
        alice.send("GET", "/userinfo", headers={"x-access-token": token}),
        alice.send("GET", "/userinfo", headers={"authorization": f"Bearer {token} {token}"}),
        alice.send("GET", "/userinfo", headers={"authorization": f"Token {token}"}),
        alice.send("GET", "/userinfo", headers={"authorization": token}),
        alice.send("GET", "/userinfo", headers={"authorization": f"Bearer,{token}"}),
    ):
        assert answer.status in {400, 401}, answer
    assert userinfo(house, token).status == 200


def test_atk_159_a_token_bound_to_a_key_is_no_bearer_token(api: PaperApi, front: Browser) -> None:
    bindings: list[object] = [
        {"jkt": "x" * 43}, {"x5t#S256": "x" * 43}, {"jwk": {"kty": "EC"}}, {"kid": "x"},
        {}, [], "", 0,
    ]  # fmt: skip
    for place in (AtApi(api), AtUserinfo(front)):
        cases = {f"cnf {cnf}": with_claims(cnf=cnf) for cnf in bindings}
        refuse(place, {**cases, "null": with_raw_claim('"cnf":null')})
