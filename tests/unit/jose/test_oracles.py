"""Two other libraries agree with us on random tokens: what each signs, and what none accepts."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from functools import cache

import jwt as pyjwt
import pytest
from joserfc import jws as joserfc_jws
from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key

from codegrant.errors import TokenRejected
from codegrant.jose import KeySet, parse_jwt, sign_jwt, verify_signature
from codegrant.jose.base64url import decode, encode
from codegrant.messages.json import JsonValue

from .samples import ALGS, PUBLISHED, VECTORS, private_key

# The oracles warn of algorithms that their authors like less.
pytestmark = pytest.mark.filterwarnings("ignore")

ROUNDS = 12


@cache
def _joserfc_key(alg: str) -> Key:
    return import_key({**VECTORS["keys"][PUBLISHED[alg]]})


@cache
def _pyjwt_key(alg: str, *, private: bool) -> pyjwt.PyJWK:
    jwk = VECTORS["keys"][PUBLISHED[alg]] if private else private_key(alg).public.to_jwk()
    return pyjwt.PyJWK({**jwk, "alg": alg})


def _random_text(source: random.Random) -> str:
    return "".join(source.choices('abcABC019 -_"\\/\n\tüß漢😀', k=source.randrange(24)))


def _random_value(source: random.Random, depth: int = 0) -> JsonValue:
    kind = source.randrange(6 if depth > 2 else 8)
    if kind == 6:
        return [_random_value(source, depth + 1) for _ in range(source.randrange(4))]
    if kind == 7:
        return {
            _random_text(source): _random_value(source, depth + 1)
            for _ in range(source.randrange(4))
        }
    scalars: list[JsonValue] = [None, True, False, _random_text(source)]
    return [*scalars, source.randrange(-(2**70), 2**70), source.uniform(-1e9, 1e9)][kind]


def _random_claims(source: random.Random) -> dict[str, JsonValue]:
    # Prefixed, so that no oracle judges a registered claim.
    names = [f"x{number}{_random_text(source)}" for number in range(source.randrange(8))]
    return {name: _random_value(source) for name in names}


def _ours(alg: str, token: str) -> dict[str, JsonValue]:
    jwt = parse_jwt(token)
    assert jwt.alg == alg
    keys = KeySet([private_key(alg).public])
    return verify_signature(jwt, keys.find(jwt.kid, jwt.alg)).claims


def _joserfc(alg: str, token: str) -> dict[str, JsonValue]:
    token_object = joserfc_jws.deserialize_compact(token, _joserfc_key(alg), algorithms=[alg])
    claims: dict[str, JsonValue] = json.loads(token_object.payload)
    return claims


def _pyjwt(alg: str, token: str) -> dict[str, JsonValue]:
    return pyjwt.decode(token, _pyjwt_key(alg, private=False), algorithms=[alg])


def _joserfc_signs(alg: str, header: dict[str, str], claims: dict[str, JsonValue]) -> str:
    payload = json.dumps(claims).encode()
    signed = {"alg": alg, **header}
    return joserfc_jws.serialize_compact(signed, payload, _joserfc_key(alg), algorithms=[alg])


def _pyjwt_signs(alg: str, header: dict[str, str], claims: dict[str, JsonValue]) -> str:
    return pyjwt.encode(claims, _pyjwt_key(alg, private=True), algorithm=alg, headers={**header})


@pytest.mark.parametrize("alg", ALGS)
@pytest.mark.parametrize("verify", [_joserfc, _pyjwt], ids=["joserfc", "PyJWT"])
def test_what_we_sign_they_verify(
    alg: str, verify: Callable[[str, str], dict[str, JsonValue]]
) -> None:
    source = random.Random(f"ours {alg}")
    for _ in range(ROUNDS):
        claims = _random_claims(source)
        token = sign_jwt(private_key(alg), claims, typ=source.choice(["", "JWT", "at+jwt"]))
        assert verify(alg, token) == claims == _ours(alg, token)


@pytest.mark.parametrize("alg", ALGS)
@pytest.mark.parametrize("sign", [_joserfc_signs, _pyjwt_signs], ids=["joserfc", "PyJWT"])
def test_what_they_sign_we_verify(
    alg: str, sign: Callable[[str, dict[str, str], dict[str, JsonValue]], str]
) -> None:
    source = random.Random(f"theirs {alg}")
    for _ in range(ROUNDS):
        claims = _random_claims(source)
        header = source.choice([{}, {"kid": private_key(alg).kid}])
        assert _ours(alg, sign(alg, {**header, "typ": "JWT"}, claims)) == claims


def _mutations(source: random.Random, token: str) -> list[str]:
    """Tokens that differ from `token` in the octets of one segment."""
    mutated: list[str] = []
    segments = [decode(segment) for segment in token.split(".")]
    for number, octets in enumerate(segments):
        position = source.randrange(len(octets))
        flipped = bytearray(octets)
        flipped[position] ^= 1 << source.randrange(8)
        for changed in (bytes(flipped), octets[:-1], octets + b"\0", octets[::-1], b""):
            parts = [*segments[:number], changed, *segments[number + 1 :]]
            mutated.append(".".join(map(encode, parts)))
    one, other, third = token.split(".")
    return [
        *mutated,
        f"{one}.{other}",
        f"{token}.AAAA",
        f"{other}.{one}.{third}",
        f"{one}..{third}",
    ]


@pytest.mark.parametrize("alg", ALGS)
def test_all_three_refuse_the_same_mutations(alg: str) -> None:
    source = random.Random(f"mutations {alg}")
    for _ in range(ROUNDS):
        token = sign_jwt(private_key(alg), {"x": _random_text(source)}, typ="JWT")
        for mutated in _mutations(source, token):
            with pytest.raises(TokenRejected):
                _ours(alg, mutated)
            with pytest.raises((JoseError, ValueError)):
                _joserfc(alg, mutated)
            with pytest.raises(pyjwt.PyJWTError):
                _pyjwt(alg, mutated)


@pytest.mark.parametrize("alg", ALGS)
def test_all_three_know_a_key_by_the_same_thumbprint(alg: str) -> None:
    assert _joserfc_key(alg).thumbprint() == private_key(alg).public.thumbprint


@pytest.mark.parametrize("alg", ALGS)
def test_they_read_the_key_set_that_we_publish(alg: str) -> None:
    published = json.loads(KeySet([private_key(alg).public]).to_json())
    token = sign_jwt(private_key(alg), {"x": 1}, typ="JWT")
    their_keys = pyjwt.PyJWKSet.from_dict(published)
    assert pyjwt.decode(token, their_keys[private_key(alg).kid], algorithms=[alg]) == {"x": 1}
    key = import_key(published["keys"][0])
    assert joserfc_jws.deserialize_compact(token, key, algorithms=[alg]).payload == b'{"x":1}'
