"""What a client believes of an ID token and of userinfo: lies of a provider, one by one."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from codegrant import (
    CodegrantError,
    MetadataRejected,
    Refused,
    ResponseRejected,
    TokenRejected,
    Tokens,
    UsageError,
)
from tests.flows.conftest import MakeApplication
from tests.support.application import Application
from tests.support.mock_provider import (
    CLIENT_ID,
    Lie,
    Listener,
    MockProvider,
    as_json,
    b64,
    encode_jwt,
    half_hash,
    html,
    public_jwk,
    redirect,
)

HOUR = 3600


def rejected(app: Application, provider: MockProvider, **arguments: Any) -> CodegrantError:
    with pytest.raises(CodegrantError) as caught:
        app.log_in(provider, **arguments)
    return caught.value


def accepted(app: Application, provider: MockProvider, **arguments: Any) -> Tokens:
    tokens = app.log_in(provider, **arguments)
    assert tokens.verified_identity().subject == "person-1"
    return tokens


def now() -> int:
    return int(time.time())


def test_a_true_id_token_is_believed(app: Application, provider: MockProvider) -> None:
    tokens = accepted(app, provider)
    identity = tokens.verified_identity()
    assert identity.issuer == provider.issuer
    assert identity.audience == (CLIENT_ID,)
    assert identity.claims["email"] == tokens.claims["email"] == "person@example.test"
    assert provider.paths() == ["/.well-known/openid-configuration", "/token", "/jwks"]


def hs256(secret: bytes, claims: dict[str, object]) -> str:
    parts = (
        f"{b64(json.dumps({'alg': 'HS256', 'kid': 'k1'}).encode())}."
        f"{b64(json.dumps(claims).encode())}"
    )
    return f"{parts}.{b64(hmac.digest(secret, parts.encode(), 'sha256'))}"


def rsa_as_hmac(fmt: PublicFormat, encoding: Encoding) -> Callable[[MockProvider], Any]:
    def make(provider: MockProvider) -> Callable[[dict[str, object]], str]:
        key = rsa.generate_private_key(65537, 2048)
        provider.keys["k1"] = key
        secret = key.public_key().public_bytes(encoding, fmt)
        return lambda claims: hs256(secret, claims)

    return make


def other_signer(provider: MockProvider) -> Callable[[dict[str, object]], str]:
    stranger = ec.generate_private_key(ec.SECP256R1())
    return lambda claims: encode_jwt({"alg": "ES256", "kid": "k1"}, claims, stranger)


def altered(provider: MockProvider) -> Callable[[dict[str, object]], str]:
    def make(claims: dict[str, object]) -> str:
        head, _, signature = provider.sign(claims).split(".")
        return f"{head}.{b64(json.dumps({**claims, 'sub': 'admin'}).encode())}.{signature}"

    return make


def encoded(header: dict[str, object]) -> Callable[[MockProvider], Any]:
    def make(provider: MockProvider) -> Callable[[dict[str, object]], str]:
        return lambda claims: encode_jwt(header, claims, provider.keys["k1"])

    return make


@pytest.mark.requirement("CL-IDT-01")
@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda _: lambda c: encode_jwt({"alg": "none"}, c, None), id="none"),
        pytest.param(lambda _: lambda c: encode_jwt({"alg": "NoNe"}, c, None), id="NoNe"),
        pytest.param(
            lambda p: lambda c: encode_jwt({"alg": "none"}, c, p.keys["k1"]), id="none, signed"
        ),
        pytest.param(
            rsa_as_hmac(PublicFormat.SubjectPublicKeyInfo, Encoding.PEM), id="HS256, SPKI PEM"
        ),
        pytest.param(rsa_as_hmac(PublicFormat.PKCS1, Encoding.DER), id="HS256, PKCS1 DER"),
        pytest.param(
            lambda p: lambda c: hs256(json.dumps(public_jwk(p.keys["k1"], "k1")).encode(), c),
            id="HS256, the JWK",
        ),
        pytest.param(lambda _: lambda c: hs256(b"", c), id="HS256, empty key"),
        pytest.param(other_signer, id="another key"),
        pytest.param(altered, id="altered claims"),
        pytest.param(encoded({"alg": "RS256", "kid": "k1"}), id="another alg than the key's"),
        pytest.param(encoded({"alg": "ES384", "kid": "k1"}), id="an alg we do not speak"),
        pytest.param(encoded({"kid": "k1"}), id="no alg"),
        pytest.param(encoded({"alg": "ES256", "kid": "k2"}), id="unknown kid"),
        pytest.param(lambda p: lambda c: p.sign(c).rpartition(".")[0] + ".", id="no signature"),
        pytest.param(lambda p: lambda c: p.sign(c) + "AA", id="longer signature"),
        pytest.param(lambda p: lambda c: p.sign(c) + ".x", id="four parts"),
        pytest.param(lambda _: lambda _: "not-a-token", id="no JWT"),
    ],
)
def test_a_signature_that_does_not_hold_is_refused(
    app: Application, provider: MockProvider, forge: Callable[[MockProvider], Any]
) -> None:
    provider.make_id_token = forge(provider)
    error = rejected(app, provider)
    assert isinstance(error, TokenRejected)
    assert error.stage == "id_token"
    provider.make_id_token = provider.sign
    accepted(app, provider)


def test_only_configured_algorithms_sign(make_app: MakeApplication, provider: MockProvider) -> None:
    assert isinstance(
        rejected(make_app(provider, id_token_algs=["RS256"]), provider), TokenRejected
    )
    accepted(make_app(provider, id_token_algs=["ES256"]), provider)


def test_only_algorithms_of_the_metadata_sign(
    make_app: MakeApplication, provider: MockProvider
) -> None:
    provider.metadata = Lie({"id_token_signing_alg_values_supported": ["RS256", "HS256", "none"]})
    assert isinstance(rejected(make_app(provider), provider), TokenRejected)
    provider.keys["k1"] = rsa.generate_private_key(65537, 2048)
    accepted(make_app(provider), provider)


def test_a_rotated_key_is_fetched_during_the_login(
    app: Application, provider: MockProvider
) -> None:
    accepted(app, provider)
    provider.keys["k2"] = ec.generate_private_key(ec.SECP256R1())
    provider.signing_kid = "k2"
    accepted(app, provider)
    assert provider.count("/jwks") == 2


def test_a_rotated_key_without_kid_is_fetched_as_well(
    app: Application, provider: MockProvider
) -> None:
    provider.header = Lie({"kid": None})
    accepted(app, provider)
    provider.keys["k1"] = ec.generate_private_key(ec.SECP256R1())
    accepted(app, provider)
    assert provider.count("/jwks") == 2


@pytest.mark.requirement("CL-IDT-10")
@pytest.mark.parametrize("member", ["jwk", "jku", "x5u", "x5c", "crit", "b64", "zip"])
def test_a_header_brings_neither_key_nor_rules(
    app: Application, provider: MockProvider, member: str
) -> None:
    attacker, listener = ec.generate_private_key(ec.SECP256R1()), Listener()
    listener.routes["/jwks"] = lambda _: as_json({"keys": [public_jwk(attacker, "k1")]})
    brought: dict[str, object] = {
        "jwk": public_jwk(attacker, "k1"),
        "jku": f"{listener.origin}/jwks",
        "x5u": f"{listener.origin}/jwks",
        "x5c": ["MIIB"],
        "crit": ["exp"],
        "b64": False,
        "zip": "DEF",
    }
    header = {"alg": "ES256", "kid": "k1", member: brought[member]}
    # Signed by the attacker's own key, and by the true one: the member alone refuses it.
    for key in (attacker, provider.keys["k1"]):
        provider.make_id_token = lambda claims, key=key: encode_jwt(header, claims, key)  # type: ignore[misc]
        assert isinstance(rejected(app, provider), TokenRejected)
    assert listener.received == []
    provider.make_id_token = provider.sign
    accepted(app, provider)
    listener.close()


@pytest.mark.requirement("CL-FLOW-05")
@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"nonce": None}, id="none"),
        pytest.param({"nonce": ""}, id="empty"),
        pytest.param({"nonce": "other"}, id="other"),
        pytest.param({"nonce": None, "nonce_supported": False}, id="told to be unsupported"),
        pytest.param({"nonce": True}, id="no text"),
    ],
)
def test_the_nonce_must_come_back(
    app: Application, provider: MockProvider, change: dict[str, object]
) -> None:
    provider.claims = Lie(change)
    assert isinstance(rejected(app, provider), TokenRejected)
    provider.claims = Lie({"nonce_supported": False})
    accepted(app, provider)


@pytest.mark.requirement("CL-IDT-02")
@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"iss": "{issuer}/"}, id="issuer with slash"),
        pytest.param({"iss": "{issuer}x"}, id="issuer, longer"),
        pytest.param({"iss": "http://127.0.0.1"}, id="issuer, a prefix"),
        pytest.param({"iss": "https://evil.example"}, id="issuer, another"),
        pytest.param({"aud": "other"}, id="another audience"),
        pytest.param({"aud": [CLIENT_ID, "other"]}, id="a further audience"),
        pytest.param({"aud": [CLIENT_ID, "other"], "azp": CLIENT_ID}, id="further, with azp"),
        pytest.param({"aud": []}, id="no audience"),
        pytest.param({"aud": f"{CLIENT_ID} "}, id="audience with space"),
        pytest.param({"aud": {CLIENT_ID: 1}}, id="audience as object"),
        pytest.param({"azp": "other"}, id="another azp"),
        pytest.param({"azp": ["app"]}, id="azp as list"),
    ],
)
def test_issuer_audience_and_azp_are_exactly_ours(
    app: Application, provider: MockProvider, change: dict[str, object]
) -> None:
    provider.claims = Lie(
        {k: v.format(issuer=provider.issuer) if k == "iss" else v for k, v in change.items()}  # type: ignore[attr-defined]
    )
    assert isinstance(rejected(app, provider), TokenRejected)
    provider.claims = Lie({"aud": [CLIENT_ID], "azp": CLIENT_ID})
    accepted(app, provider)


@pytest.mark.requirement("CL-IDT-03")
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda: {"exp": now() - 61}, id="expired"),
        pytest.param(lambda: {"exp": 0}, id="expired long ago"),
        pytest.param(lambda: {"iat": now() + 75}, id="from the future"),
        pytest.param(lambda: {"nbf": now() + 75}, id="not yet"),
        pytest.param(lambda: {"exp": str(now() + HOUR)}, id="text"),
        pytest.param(lambda: {"exp": True}, id="bool"),
        pytest.param(lambda: {"exp": 1e308}, id="1e308"),
        pytest.param(lambda: {"exp": float("nan")}, id="NaN"),
        pytest.param(lambda: {"exp": float("inf")}, id="infinity"),
        pytest.param(lambda: {"exp": -1}, id="negative"),
        pytest.param(lambda: {"exp": [now() + HOUR]}, id="list"),
        pytest.param(lambda: {"iat": "now"}, id="iat, text"),
        pytest.param(lambda: {"nbf": False}, id="nbf, bool"),
    ],
)
def test_times_are_numbers_and_hold_within_a_minute(
    app: Application, provider: MockProvider, change: Callable[[], dict[str, object]]
) -> None:
    provider.claims = Lie(change())
    error = rejected(app, provider)
    assert isinstance(error, TokenRejected)
    provider.claims = Lie({"exp": now() - 30, "iat": now() + 30, "nbf": now() + 30})
    accepted(app, provider)


@pytest.mark.requirement("CL-IDT-04")
@pytest.mark.parametrize("at_hash", ["other", "", half_hash("another token"), 5, None, "{right}="])
def test_an_at_hash_fits_the_access_token(
    app: Application, provider: MockProvider, at_hash: object
) -> None:
    if at_hash is None:
        provider.claims = Lie({"at_hash": None})
        accepted(app, provider)  # it may be missing
        return
    provider.claims = Lie({"at_hash": at_hash})
    assert isinstance(rejected(app, provider), TokenRejected)
    provider.claims = Lie()
    accepted(app, provider)


@pytest.mark.requirement("CL-IDT-05")
@pytest.mark.parametrize(
    ("asked", "change"),
    [
        pytest.param({"max_age": 60}, lambda: {"auth_time": None}, id="no auth_time"),
        pytest.param({"max_age": 60}, lambda: {"auth_time": now() - 200}, id="too long ago"),
        pytest.param({"max_age": 60}, lambda: {"auth_time": str(now())}, id="a text"),
        pytest.param({"max_age": 0}, lambda: {"auth_time": now() - 90}, id="max_age of zero"),
        pytest.param(
            {"acr_values": "high", "acr_essential": True}, lambda: {"acr": None}, id="no acr"
        ),
        pytest.param(
            {"acr_values": "high", "acr_essential": True}, lambda: {"acr": "low"}, id="low acr"
        ),
    ],
)
def test_a_login_is_as_fresh_and_as_strong_as_was_asked(
    app: Application,
    provider: MockProvider,
    asked: dict[str, object],
    change: Callable[[], dict[str, object]],
) -> None:
    provider.claims = Lie(change())
    assert isinstance(rejected(app, provider, **asked), TokenRejected)
    provider.claims = Lie({"auth_time": now(), "acr": "high"})
    accepted(app, provider)
    accepted(app, provider, **asked)


@pytest.mark.requirement("CL-IDT-06")
@pytest.mark.parametrize("claim", ["iss", "sub", "aud", "exp", "iat"])
def test_a_required_claim_that_is_missing_or_of_another_type_is_refused(
    app: Application, provider: MockProvider, claim: str
) -> None:
    wrong: list[object] = [None, {}, [5], True, ""]
    for value in wrong:
        provider.claims = Lie({claim: value})
        assert isinstance(rejected(app, provider), TokenRejected)
    provider.claims = Lie()
    accepted(app, provider)


@pytest.mark.parametrize("value", [None, "", 5])
def test_openid_without_id_token_is_refused(
    app: Application, provider: MockProvider, value: object
) -> None:
    provider.token = Lie({"id_token": value})
    error = rejected(app, provider)
    assert isinstance(error, ResponseRejected)
    if not value:
        assert error.code == "id_token_missing"
    provider.token = Lie()
    accepted(app, provider)


def test_an_id_token_that_cannot_be_true_causes_no_fetch_of_keys(
    app: Application, provider: MockProvider
) -> None:
    for change in ({"iss": "https://evil.example"}, {"aud": "other"}, {"exp": 0}, {"nonce": "x"}):
        provider.claims = Lie(dict(change))
        rejected(app, provider)
    provider.claims = Lie()
    provider.make_id_token = lambda c: encode_jwt({"alg": "none"}, c, None)
    rejected(app, provider)
    assert provider.count("/jwks") == 0


def test_a_key_set_that_redirects_is_refused(app: Application, provider: MockProvider) -> None:
    truth, listener = provider.routes["/jwks"], Listener()
    provider.routes["/jwks"] = lambda _: redirect(f"{listener.origin}/jwks")
    assert isinstance(rejected(app, provider), MetadataRejected)
    assert listener.received == []
    provider.routes["/jwks"] = truth
    accepted(app, provider)
    listener.close()


def test_userinfo_is_about_the_person_who_logged_in(
    app: Application, provider: MockProvider
) -> None:
    info = app.userinfo(accepted(app, provider))
    assert (info.sub, info.email, info.email_verified) == (
        "person-1",
        "person@example.test",
        False,
    )
    assert "person@example.test" not in repr(info)


@pytest.mark.requirement("CL-IDT-07")
@pytest.mark.parametrize("sub", ["person-2", "", None, "person-1 ", 5, ["person-1"]])
def test_userinfo_about_somebody_else_is_discarded(
    app: Application, provider: MockProvider, sub: object
) -> None:
    tokens = accepted(app, provider)
    provider.userinfo = Lie({"sub": sub})
    with pytest.raises(ResponseRejected) as caught:
        app.userinfo(tokens)
    assert caught.value.stage == "userinfo"
    assert "person" not in str(caught.value).replace("person's", "")
    provider.userinfo = Lie({"email_verified": True})
    assert app.userinfo(tokens).email_verified


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(html(), ResponseRejected, id="a page"),
        pytest.param(as_json({"error": "invalid_token"}, 401), Refused, id="refused"),
        pytest.param(as_json(["person-1"]), ResponseRejected, id="a list"),
    ],
)
def test_userinfo_that_is_none_is_a_typed_error(
    app: Application, provider: MockProvider, answer: Any, kind: type[CodegrantError]
) -> None:
    tokens = accepted(app, provider)
    provider.routes["/userinfo"] = lambda _: answer
    with pytest.raises(kind):
        app.userinfo(tokens)


@pytest.mark.parametrize(
    ("token_says", "userinfo_says", "verified"),
    [
        pytest.param(True, None, False, id="the ID token alone"),
        pytest.param(True, False, False, id="userinfo says no"),
        pytest.param(None, True, True, id="userinfo alone"),
        pytest.param(False, True, True, id="the ID token speaks of no address"),
    ],
)
def test_an_address_is_verified_by_who_names_it(
    app: Application,
    provider: MockProvider,
    token_says: object,
    userinfo_says: object,
    verified: bool,
) -> None:
    provider.claims = Lie({"email": None, "email_verified": token_says})
    provider.userinfo = Lie({"email_verified": userinfo_says})
    tokens = app.log_in(provider, scope="openid email")
    found = app.identity(tokens)
    assert (found.email, found.email_verified) == ("person@example.test", verified)


def test_tokens_of_another_client_or_issuer_are_not_sent(
    app: Application, make_app: MakeApplication, provider: MockProvider
) -> None:
    tokens = accepted(app, provider)
    attacker = MockProvider()
    for other in (make_app(attacker), make_app(provider, client_id="other")):
        with pytest.raises(UsageError, match="another"):
            other.userinfo(tokens)
        with pytest.raises(UsageError, match="another"):
            other.client.api(tokens)
    assert attacker.received == []
    attacker.close()


@pytest.mark.requirement("CL-IDT-08")
def test_an_account_is_issuer_and_subject_and_no_email_address(
    make_app: MakeApplication, provider: MockProvider
) -> None:
    other_issuer = MockProvider()
    app, other_app = make_app(provider), make_app(other_issuer)
    accounts: dict[tuple[str, str], int] = {}

    def account_of(tokens: Tokens) -> int:
        identity = tokens.verified_identity()
        assert identity.claims["email"] == "person@example.test"
        return accounts.setdefault((identity.issuer, identity.subject), len(accounts))

    first = account_of(app.log_in(provider))
    provider.subject = "person-2"
    second = account_of(app.log_in(provider))
    provider.subject = "person-1"
    third = account_of(other_app.log_in(other_issuer))
    assert account_of(app.log_in(provider)) == first
    assert len({first, second, third}) == 3
    other_issuer.close()
