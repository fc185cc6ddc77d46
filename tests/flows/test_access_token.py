"""The resource server's flow, effect by effect: which tokens hold, and what that takes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from codegrant.errors import OAuthError, UsageError
from codegrant.flow import ask
from codegrant.http import Headers, Request
from codegrant.resource import ResourceFlows
from codegrant.resource.verification import ResourceConfig
from codegrant.server.effects import RevokeGrant
from tests.flows.authorization_server import ISSUER, Bench, document
from tests.support.access_tokens import (
    AUDIENCE,
    HEADER,
    NOW,
    PaperApi,
    access_token,
    access_token_claims,
)
from tests.support.mock_provider import b64, encode_jwt
from tests.support.scripted import Script


def test_the_first_token_fetches_metadata_and_keys_and_the_next_nothing() -> None:
    api = PaperApi()
    assert api.verify(api.issuer.mint(NOW)).subject == "person-1"
    fetched = [
        "https://issuer.example/.well-known/openid-configuration",
        "https://issuer.example/jwks",
    ]
    assert api.script.urls == fetched
    assert api.verify(api.issuer.mint(NOW, jti="token-2")).jti == "token-2"
    assert api.script.urls == fetched


# What can be told to be wrong without a key.
@pytest.mark.requirement("RS-JAT-01", "RS-JAT-02", "RS-JAT-04")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"header": {"typ": "JWT"}}, "wrong_token_type", id="an ID token"),
        pytest.param({"header": {"typ": None}}, "wrong_token_type", id="no type"),
        pytest.param({"iss": "https://evil.example"}, "issuer_mismatch", id="another issuer"),
        pytest.param({"iss": "https://issuer.example/"}, "issuer_mismatch", id="issuer and slash"),
        pytest.param({"iss": 1}, "issuer_mismatch", id="issuer is a number"),
        pytest.param({"iss": None}, "issuer_mismatch", id="no issuer"),
        pytest.param({"aud": "https://b.example"}, "audience_mismatch", id="another API's"),
        pytest.param({"aud": None}, "claim_missing", id="no audience"),
        pytest.param({"exp": NOW - 60}, "token_expired", id="expired"),
        pytest.param({"exp": str(NOW + 300)}, "claim_malformed", id="exp is a text"),
        pytest.param({"exp": None}, "claim_missing", id="no exp"),
        pytest.param({"cnf": {"jkt": "x"}}, "token_bound", id="bound to a key"),
        pytest.param({"header": {"alg": "none"}}, "algorithm_refused", id="unsigned"),
        pytest.param({"header": {"alg": "HS256"}}, "algorithm_refused", id="HMAC"),
        pytest.param({"header": {"alg": "ES512"}}, "algorithm_refused", id="no algorithm of ours"),
        pytest.param({"header": {"crit": ["exp"]}}, "forbidden_header", id="crit"),
        pytest.param(
            {"header": {"jku": "https://evil.example/jwks"}}, "forbidden_header", id="jku"
        ),
    ],
)
def test_a_token_that_cannot_hold_causes_no_fetch(changes: dict[str, Any], code: str) -> None:
    api = PaperApi()
    api.refuse_as_invalid(api.issuer.mint(NOW, **changes), code)
    assert api.script.urls == []
    assert api.verify(api.issuer.mint(NOW)).audience == (AUDIENCE,)


@pytest.mark.requirement("RS-BR-09", "RS-BR-05")
@pytest.mark.parametrize(
    ("token", "code"),
    [
        pytest.param("", "malformed_token", id="empty"),
        pytest.param("opaque", "malformed_token", id="opaque"),
        pytest.param("a.b", "malformed_token", id="two segments"),
        pytest.param("a.b.c", "malformed_token", id="no base64url"),
        pytest.param("a.b.c.d.e", "malformed_token", id="encrypted"),
        pytest.param("ä.ö.\ud800", "malformed_token", id="no ASCII"),
        pytest.param("." * 2000, "malformed_token", id="dots"),
        pytest.param("a" * 16_385, "too_large", id="a character too long"),
        pytest.param("a" * (1 << 20), "too_large", id="a mebibyte"),
    ],
)
def test_what_is_no_jwt_is_refused_at_once(token: str, code: str) -> None:
    api = PaperApi()
    api.refuse_as_invalid(token, code)
    assert api.script.urls == []


@pytest.mark.requirement("RS-JAT-03")
def test_the_signature_must_be_of_a_key_that_the_issuer_publishes() -> None:
    api = PaperApi()
    good = api.issuer.mint(NOW)
    other_key = ec.generate_private_key(ec.SECP256R1())
    signed_by_another = api.issuer.mint(NOW, key=other_key)
    head, payload, signature = good.split(".")
    more = access_token_claims(api.issuer.issuer, NOW, scope="profile read admin")
    for forged, code in [
        (signed_by_another, "bad_signature"),
        (f"{head}.{b64(json.dumps(more).encode())}.{signature}", "bad_signature"),
        (f"{head}.{payload}.{b64(bytes(64))}", "bad_signature"),
        (f"{head}.{payload}.", "bad_signature"),
        (api.issuer.mint(NOW, header={"kid": "k2"}, key=other_key), "unknown_key"),
        (api.issuer.mint(NOW, header={"alg": "RS256"}), "unknown_key"),
        (api.issuer.mint(NOW, header={"kid": 1}, key=other_key), "malformed_token"),
    ]:
        api.refuse_as_invalid(forged, code)
    assert api.verify(good).jti == "token-1"


@pytest.mark.requirement("RS-JAT-03")
@pytest.mark.parametrize("form", ["pem", "der", "point"])
def test_a_public_key_is_never_the_secret_of_an_hmac(form: str) -> None:
    api = PaperApi()
    public = api.issuer.keys["k1"].public_key()
    secret = {
        "pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "point": public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
    }[form]
    for alg in ("HS256", "hs256", "ES256"):
        claims = access_token_claims(api.issuer.issuer, NOW)
        unsigned = encode_jwt({**HEADER, "alg": alg}, claims, None)
        mac = hmac.HMAC(secret, hashes.SHA256())
        mac.update(unsigned.rstrip(".").encode())
        token = f"{unsigned.rstrip('.')}.{b64(mac.finalize())}"
        assert api.refuse(token).error == "invalid_token"
    assert api.verify(api.issuer.mint(NOW)).jti == "token-1"


@pytest.mark.requirement("RS-JAT-03")
def test_each_key_verifies_its_own_algorithm_only() -> None:
    api = PaperApi()
    api.issuer.keys["r"] = rsa.generate_private_key(65537, 2048)
    assert api.verify(api.issuer.mint(NOW, header={"alg": "RS256", "kid": "r"})).jti == "token-1"
    for alg in ("ES256", "PS256", "EdDSA"):
        code = api.refuse(api.issuer.mint(NOW, header={"alg": alg, "kid": "r"})).facts["code"]
        assert code in {"unknown_key", "bad_signature"}


@pytest.mark.requirement("RS-JAT-05")
def test_each_issuers_tokens_hold_with_its_own_keys_only() -> None:
    api = PaperApi("https://a.example", "https://b.example")
    a, b = api.issuers
    a.keys["ka"], b.keys["kb"] = a.keys.pop("k1"), b.keys.pop("k1")
    for issuer, kid in ((a, "ka"), (b, "kb")):
        token = api.verify(issuer.mint(NOW, header={"kid": kid}))
        assert token.issuer == issuer.issuer
    forged = a.mint(NOW, header={"kid": "kb"}, key=b.keys["kb"])
    api.refuse_as_invalid(forged, "unknown_key")
    api.refuse_as_invalid(a.mint(NOW, header={"kid": None}, key=b.keys["kb"]), "bad_signature")
    b.keys["ka"] = b.keys["kb"]  # the same name does not help either
    api.refuse_as_invalid(a.mint(NOW, header={"kid": "ka"}, key=b.keys["ka"]), "bad_signature")


@pytest.mark.requirement("RS-JAT-05")
def test_the_keys_are_those_of_the_claimed_issuers_own_metadata() -> None:
    api = PaperApi("https://a.example", "https://a.example/tenant")
    root, tenant = api.issuers
    api.script.answers["https://a.example/.well-known/openid-configuration"] = api.script.answers[
        "https://a.example/tenant/.well-known/openid-configuration"
    ]
    error = api.refuse(root.mint(NOW))
    assert (error.error, error.status) == ("temporarily_unavailable", 503)
    assert error.facts["code"] == "issuer_mismatch"
    assert api.verify(tenant.mint(NOW)).issuer == "https://a.example/tenant"


@pytest.mark.requirement("RS-BR-05", "RS-BR-08")
def test_scope_is_judged_for_fresh_and_for_remembered_tokens_alike() -> None:
    api = PaperApi()
    token = api.issuer.mint(NOW, scope="profile read-all")
    for _ in range(2):
        error = api.refuse(token, NOW, "read")
        assert (error.error, error.status) == ("insufficient_scope", 403)
        assert error.facts["scope"] == "read"
        assert api.verify(token, NOW, "read-all", "profile").jti == "token-1"
    with pytest.raises(UsageError):
        api.script.run(api.flows.verify_token(token, NOW, "profile"))


@pytest.mark.requirement("RS-JAT-06")
def test_a_persons_api_refuses_what_a_client_got_for_itself() -> None:
    api = PaperApi()
    of_client = api.issuer.mint(NOW, sub="app")
    for _ in range(2):
        error = api.refuse(of_client, NOW, "read", person=True)
        assert (error.error, error.status) == ("insufficient_scope", 403)
        assert not api.verify(of_client, NOW, "read").is_for_person
    assert api.verify(api.issuer.mint(NOW), NOW, "read", person=True).is_for_person


def bearer(token: str, **more: Any) -> Request:
    headers = Headers([("authorization", f"Bearer {token}")])
    return Request(method="GET", url="https://api.example/x", headers=headers, **more)


def test_a_request_is_judged_by_its_header() -> None:
    api = PaperApi()
    token = api.issuer.mint(NOW)
    verified = api.script.run(api.flows.verify_request(bearer(token), NOW, ["read"], person=True))
    assert verified.jti == "token-1"
    with pytest.raises(OAuthError) as caught:
        api.script.run(api.flows.verify_request(bearer(token, query="access_token=x"), NOW))
    assert caught.value.error == "invalid_request"


# What a resource server can know of revocation: nothing, until the token ends.


@pytest.mark.requirement("RS-JAT-07")
def test_a_token_ends_with_its_lifetime_and_the_leeway_at_the_latest() -> None:
    api = PaperApi(leeway=5)
    token = api.issuer.mint(NOW, exp=NOW + 300)
    assert api.verify(token, NOW + 304).jti == "token-1"
    api.refuse_as_invalid(token, "token_expired", NOW + 305)
    strict = PaperApi(leeway=0)
    token = strict.issuer.mint(NOW, exp=NOW + 300)
    assert strict.verify(token, NOW + 299).jti == "token-1"
    strict.refuse_as_invalid(token, "token_expired", NOW + 300)


@pytest.mark.requirement("RS-JAT-07")
def test_what_is_revoked_ends_at_the_issuer_at_once_and_here_within_the_bound() -> None:
    bench = Bench()
    token = document(bench.token(bench.code()))["access_token"]
    script = Script()
    for path in ("/.well-known/openid-configuration", "/jwks"):
        script.answers[f"{ISSUER}{path}"] = bench.send("GET", path)
    flows = ResourceFlows(ResourceConfig(issuers=(ISSUER,), audience=ISSUER, leeway=10))

    def at_the_issuer() -> int:
        header = ("authorization", f"Bearer {token}")
        return bench.send("GET", "/userinfo", headers=[header]).status

    verified = script.run(flows.verify_token(token, NOW))
    assert (at_the_issuer(), verified.expires_at) == (200, NOW + 300)
    bench.run(ask(RevokeGrant(str(verified.claims["grant_id"]), NOW)))
    assert at_the_issuer() == 401
    assert script.run(flows.verify_token(token, NOW + 309)) == verified
    with pytest.raises(OAuthError) as caught:
        script.run(flows.verify_token(token, NOW + 310))
    assert caught.value.error == "invalid_token"


def test_a_token_of_an_issuer_without_a_slash_is_of_no_other() -> None:
    api = PaperApi("https://a.example/", "https://a.example")
    with_slash, without = api.issuers
    token = access_token(without.issuer, with_slash.keys["k1"], NOW)
    assert api.refuse(token).error == "invalid_token"
