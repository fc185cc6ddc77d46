"""The proofs that a persona takes, and those that it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from codegrant.http import Headers, Request, Response
from codegrant.jose import PrivateKey
from codegrant.rules.dpop import build_proof
from codegrant.secret import Secret
from codegrant.testing.personas.binding import ProofJudge
from codegrant.testing.personas.judging import Refusal

NOW = 1_800_000_000
URL = "https://api.example/orders/7"
TOKEN = "an-access-token"
KEY = PrivateKey.generate("ES256")


def nonce_of(judge: ProofJudge, url: str = URL) -> str:
    answer = judge.announce(Request(method="GET", url=url), Response(status=200))
    return answer.headers.get("dpop-nonce")


def request(*proofs: str, method: str = "GET", url: str = URL) -> Request:
    return Request(method=method, url=url, headers=Headers([("dpop", one) for one in proofs]))


def proof(judge: ProofJudge, key: PrivateKey = KEY, **changes: Any) -> str:
    given: dict[str, Any] = {
        "method": "GET",
        "url": URL,
        "jti": b"j" * 16,
        "now": NOW,
        "access_token": Secret(TOKEN),
        "nonce": nonce_of(judge),
        **changes,
    }
    return build_proof(key, **given)


def foreign(judge: ProofJudge, claims: dict[str, Any], header: dict[str, Any]) -> str:
    """Return a proof that PyJWT makes of what is given."""
    private = ec.generate_private_key(ec.SECP256R1())
    jwk = ECAlgorithm.to_jwk(private.public_key(), as_dict=True)
    whole = {"jti": "j" * 22, "htm": "GET", "htu": URL, "iat": NOW, "nonce": nonce_of(judge)}
    return jwt.encode(
        {k: v for k, v in {**whole, **claims}.items() if v is not None},
        private,
        algorithm="ES256",
        headers={"typ": "dpop+jwt", "jwk": jwk, **header},
    )


def error(judge: ProofJudge, asked: Request, token: str = TOKEN) -> tuple[str, int]:
    with pytest.raises(Refusal) as caught:
        judge.judge(asked, token)
    return caught.value.error, caught.value.status


@pytest.fixture
def judge() -> ProofJudge:
    return ProofJudge(lambda: NOW)


def test_a_proof_holds_once_and_names_its_key(judge: ProofJudge) -> None:
    asked = request(proof(judge))
    assert judge.judge(asked, TOKEN) == KEY.public.thumbprint
    assert error(judge, asked) == ("invalid_dpop_proof", 401)
    assert judge.judge(request(proof(judge, jti=b"k" * 16)), TOKEN) == KEY.public.thumbprint
    at_endpoint = proof(judge, jti=b"l" * 16, access_token=None)
    assert judge.judge(request(at_endpoint)) == KEY.public.thumbprint


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"method": "POST"}, id="another method"),
        pytest.param({"url": "https://api.example/orders/8"}, id="another path"),
        pytest.param({"url": "https://other.example/orders/7"}, id="another host"),
        pytest.param({"now": NOW - 61}, id="old"),
        pytest.param({"now": NOW + 61}, id="of the future"),
        pytest.param({"access_token": Secret("another-token")}, id="another token"),
        pytest.param({"access_token": None}, id="no token"),
    ],
)
def test_a_proof_of_another_request_is_refused(judge: ProofJudge, changes: dict[str, Any]) -> None:
    assert error(judge, request(proof(judge, **changes))) == ("invalid_dpop_proof", 401)


def test_a_proof_of_a_token_is_none_at_an_endpoint_without(judge: ProofJudge) -> None:
    assert error(judge, request(proof(judge)), "") == ("invalid_dpop_proof", 400)


def test_without_the_nonce_of_its_origin_the_nonce_is_asked_for(judge: ProofJudge) -> None:
    others = nonce_of(judge, "https://other.example/")
    for nonce in ("", "made-up", others):
        refused = request(proof(judge, nonce=nonce))
        assert error(judge, refused) == ("use_dpop_nonce", 401)
    old = request(proof(judge))
    judge.change_nonces()
    assert error(judge, old) == ("use_dpop_nonce", 401)
    assert judge.judge(request(proof(judge)), TOKEN)  # what was refused has spent nothing


def test_two_proofs_or_none_are_no_proof(judge: ProofJudge) -> None:
    for proofs in ((), (proof(judge), proof(judge, jti=b"k" * 16))):
        assert error(judge, request(*proofs)) == ("invalid_dpop_proof", 401)


@pytest.mark.parametrize(
    ("claims", "header"),
    [
        pytest.param({}, {"typ": "JWT"}, id="another kind of JWT"),
        pytest.param({}, {"kid": "k"}, id="a further member"),
        pytest.param({}, {"jwk": KEY.public.to_jwk()}, id="somebody else's key"),
        pytest.param({}, {"jwk": {"kty": "oct", "k": "AAAA"}}, id="a symmetric key"),
        pytest.param({}, {"jwk": "none"}, id="a key that is none"),
        pytest.param({"iat": None}, {}, id="no time"),
        pytest.param({"jti": None}, {}, id="no jti"),
        pytest.param({"jti": 7}, {}, id="a jti that is a number"),
        pytest.param({"htu": f"{URL}?page=2"}, {}, id="an address with its query"),
    ],
)
def test_what_is_no_proof_is_refused(
    judge: ProofJudge, claims: dict[str, Any], header: dict[str, Any]
) -> None:
    assert judge.judge(request(foreign(judge, {}, {})))
    assert error(judge, request(foreign(judge, claims, header)), "") == ("invalid_dpop_proof", 400)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda text: "", id="empty"),
        pytest.param(lambda text: text[:-8] + "AAAAAAAA", id="another signature"),
        pytest.param(lambda text: text.rpartition(".")[0] + ".", id="no signature"),
        pytest.param(lambda text: text + ".x", id="four parts"),
        pytest.param(lambda text: "x." + text.partition(".")[2], id="a header that is none"),
    ],
)
def test_a_spoiled_proof_is_refused(judge: ProofJudge, spoil: Callable[[str], str]) -> None:
    whole = proof(judge)
    assert error(judge, request(spoil(whole))) == ("invalid_dpop_proof", 401)
    assert judge.judge(request(whole), TOKEN)


def test_another_algorithm_is_refused(judge: ProofJudge) -> None:
    other = PrivateKey.generate("EdDSA")
    assert error(judge, request(proof(judge, other))) == ("invalid_dpop_proof", 401)


def test_an_answer_keeps_its_headers(judge: ProofJudge) -> None:
    plain = Response(status=200, headers=Headers([("x-one", "1")]))
    answer = judge.announce(request(), plain)
    assert answer.headers.get("x-one") == "1"
    assert replace(answer, headers=plain.headers) == plain
