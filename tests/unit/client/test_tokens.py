from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from dataclasses import asdict, replace

import pytest

from codegrant.client.tokens import Tokens
from codegrant.errors import SealBroken, UsageError
from codegrant.jose import PrivateKey
from codegrant.sealing import KeyRing
from codegrant.secret import Secret
from tests.unit.client.samples import NOW, TOKENS

RING = KeyRing(["r" * 32])
BARE = Tokens(
    access_token=Secret("s3cret"), token_type="Bearer", expires_at=None, scope=frozenset()
)


@pytest.mark.parametrize(
    "tokens",
    [
        pytest.param(TOKENS, id="of an OpenID login"),
        pytest.param(BARE, id="of plain OAuth 2"),
        pytest.param(replace(TOKENS, refresh_token=None), id="without a refresh token"),
        pytest.param(replace(TOKENS, identity=None, id_token=None), id="without an identity"),
        pytest.param(replace(TOKENS, extra={}), id="with nothing further"),
        pytest.param(replace(TOKENS, dpop_key=PrivateKey.generate("ES256")), id="bound to a key"),
        pytest.param(replace(BARE, access_token=Secret('"\\\n\U0001f511')), id="of odd text"),
    ],
)
def test_tokens_that_were_sealed_open_to_themselves(tokens: Tokens) -> None:
    sealed = tokens.seal(RING)
    opened = Tokens.open(sealed, RING)
    assert opened == tokens
    assert opened.extra == tokens.extra
    if tokens.identity is not None:
        assert opened.claims == tokens.claims
        assert opened.verified_identity().amr == ("pwd", "otp")
    assert "s3cret" not in sealed
    assert tokens.seal(RING) != sealed


def test_the_key_of_bound_tokens_signs_as_before() -> None:
    for alg in ("ES256", "EdDSA", "Ed25519"):
        key = PrivateKey.generate(alg)
        opened = Tokens.open(replace(TOKENS, dpop_key=key).seal(RING), RING).dpop_key
        assert opened is not None
        assert (opened, opened.spelling) == (key, alg)


def test_tokens_that_were_sealed_when_they_had_fewer_members_are_bearer_tokens() -> None:
    purpose = "codegrant client tokens 1"
    values = json.loads(RING.open(purpose, replace(TOKENS, resource=()).seal(RING)))
    for name in ("resource", "grant_type", "audience", "dpop_key"):
        del values[name]
    opened = Tokens.open(RING.seal(purpose, json.dumps(values).encode()), RING)
    assert opened == replace(TOKENS, resource=())
    assert opened.dpop_key is None


@pytest.mark.parametrize("copy_of", [pickle.dumps, copy.deepcopy, asdict])
def test_the_key_of_bound_tokens_is_not_copied_by_accident(
    copy_of: Callable[[Tokens], object],
) -> None:
    with pytest.raises(TypeError):
        copy_of(replace(TOKENS, dpop_key=PrivateKey.generate("ES256")))


def test_a_new_key_opens_what_the_old_one_sealed_and_seals_alone() -> None:
    rotated = KeyRing(["n" * 32, "r" * 32])
    assert Tokens.open(TOKENS.seal(RING), rotated) == TOKENS
    with pytest.raises(SealBroken) as refused:
        Tokens.open(TOKENS.seal(rotated), RING)
    assert refused.value.code == "seal_unknown_key"


@pytest.mark.parametrize("at", [0, 10, 30, 60, -1])
def test_an_altered_seal_does_not_open(at: int) -> None:
    sealed = TOKENS.seal(RING)
    changed = list(sealed)
    changed[at] = "A" if changed[at] != "A" else "B"
    with pytest.raises(SealBroken):
        Tokens.open("".join(changed), RING)


def test_what_was_sealed_for_another_purpose_is_no_tokens() -> None:
    for purpose in ("codegrant client pending login 1", "codegrant client tokens 2", ""):
        with pytest.raises(SealBroken):
            Tokens.open(RING.seal(purpose, b"{}"), RING)


def test_without_an_id_token_nobody_is_identified() -> None:
    assert TOKENS.claims["sub"] == "person-1"
    assert TOKENS.verified_identity().subject == "person-1"
    for ask in (BARE.verified_identity, lambda: BARE.claims):
        with pytest.raises(UsageError) as refused:
            ask()
        assert refused.value.code == "no_identity"
        assert "openid" in refused.value.hint


def test_no_token_is_shown() -> None:
    assert "s3cret" not in f"{TOKENS!r} {TOKENS}"
    assert str(NOW + 300) in repr(TOKENS)
