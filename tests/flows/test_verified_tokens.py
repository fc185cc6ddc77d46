"""What a resource server remembers and fetches, effect by effect, and when it forgets."""

from __future__ import annotations

from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from codegrant.errors import TransportError
from codegrant.http import Response
from tests.support.access_tokens import NOW, PaperApi
from tests.support.scripted import json_response

HOUR = 3600
DOWN = TransportError("no connection", code="connect_failed")


def test_a_repeated_token_needs_nothing_of_the_outside_world() -> None:
    api = PaperApi()
    token = api.issuer.mint(NOW)
    assert not api.is_remembered(token)
    first = api.verify(token)
    assert api.flows.find_verified(token, NOW + 1) is first
    assert next_effect(api, token) is None
    assert next_effect(api, api.issuer.mint(NOW, header={"kid": "k1x"}, key=key())) is not None


def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def next_effect(api: PaperApi, token: str) -> object:
    """Return the first effect of verifying a token; None when there is none."""
    flow = api.flows.verify_token(token, NOW)
    try:
        return next(flow)
    except StopIteration:
        return None
    finally:
        flow.close()


@pytest.mark.requirement("RS-JAT-04")
def test_a_token_is_remembered_until_it_expires() -> None:
    api = PaperApi()
    token = api.issuer.mint(NOW, exp=NOW + 100)
    api.verify(token)
    assert api.is_remembered(token, NOW + 99)
    assert not api.is_remembered(token, NOW + 100)
    assert api.verify(token, NOW + 159).jti == "token-1"
    api.refuse_as_invalid(token, "token_expired", NOW + 160)


def test_a_token_is_remembered_until_the_keys_are_no_longer_fresh() -> None:
    api = PaperApi()
    token = api.issuer.mint(NOW, exp=NOW + 9 * HOUR)
    api.verify(token)
    assert api.is_remembered(token, NOW + HOUR - 1)
    assert not api.is_remembered(token, NOW + HOUR)
    api.issuer.keys = {"k2": key()}
    api.refuse_as_invalid(token, "unknown_key", NOW + HOUR)


@pytest.mark.parametrize("later", [0, 1, 59, 60])
def test_a_token_is_forgotten_as_soon_as_the_keys_are_fetched_again(later: int) -> None:
    api = PaperApi()
    token = api.issuer.mint(NOW)
    api.verify(token)
    withdrawn = api.issuer.keys.pop("k1")
    api.issuer.keys["k2"] = key()
    assert api.is_remembered(token, NOW + later)
    api.verify(api.issuer.mint(NOW, header={"kid": "k2"}), NOW + later)
    assert not api.is_remembered(token, NOW + later)
    api.refuse_as_invalid(token, "unknown_key", NOW + later)
    api.refuse_as_invalid(api.issuer.mint(NOW, key=withdrawn), "unknown_key", NOW + later)


def test_a_token_is_forgotten_when_the_keys_move_to_another_address() -> None:
    api = PaperApi()
    token = api.issuer.mint(NOW, exp=NOW + 9 * HOUR)
    api.verify(token)
    api.issuer.publish_at("https://issuer.example/new-jwks")
    api.issuer.keys = {"k2": key()}
    api.verify(api.issuer.mint(NOW + HOUR, header={"kid": "k2"}), NOW + HOUR)
    assert not api.is_remembered(token, NOW + HOUR)
    api.refuse_as_invalid(token, "unknown_key", NOW + HOUR)


def test_nothing_that_was_refused_is_remembered() -> None:
    api = PaperApi()
    token = api.issuer.mint(NOW, key=key())
    for _ in range(2):
        api.refuse_as_invalid(token, "bad_signature")
        assert not api.is_remembered(token)


def test_each_resource_server_remembers_for_itself() -> None:
    one, other = PaperApi(), PaperApi()
    token = one.issuer.mint(NOW)
    one.verify(token)
    other.issuer.keys["k1"] = key()
    assert not other.is_remembered(token)
    other.refuse_as_invalid(token, "bad_signature")


def test_keys_that_were_fetched_again_during_a_verification_do_not_vouch_for_it() -> None:
    api = PaperApi()
    api.verify(api.issuer.mint(NOW))
    api.issuer.keys["k2"] = key()
    token = api.issuer.mint(NOW, header={"kid": "k2"}, jti="slow")
    flow = api.flows.verify_token(token, NOW)
    keys = api.script.perform(next(flow))
    api.issuer.keys = {"k3": key()}
    api.verify(api.issuer.mint(NOW, header={"kid": "k3"}), NOW + 60)
    with pytest.raises(StopIteration) as ended:
        flow.send(keys)  # the answer of a minute ago
    assert ended.value.value.jti == "slow"
    assert not api.is_remembered(token, NOW + 60)
    api.refuse_as_invalid(token, "unknown_key", NOW + 60)


# Keys that change, and keys out of reach.


def test_a_new_key_is_fetched_when_the_first_token_of_it_arrives() -> None:
    api = PaperApi()
    api.verify(api.issuer.mint(NOW))
    api.issuer.keys["k2"] = key()
    assert api.verify(api.issuer.mint(NOW, header={"kid": "k2"}), NOW + 1).jti == "token-1"
    assert api.issuer.key_fetches == 2


def test_unknown_kids_cause_one_fetch_a_minute() -> None:
    api = PaperApi()
    api.verify(api.issuer.mint(NOW))
    for n in range(20):
        api.refuse_as_invalid(
            api.issuer.mint(NOW, header={"kid": f"x{n}"}, key=key()), "unknown_key", NOW + n
        )
    assert api.issuer.key_fetches == 2


def test_a_token_without_kid_gets_the_new_keys_after_one_failure() -> None:
    api = PaperApi()
    nameless: dict[str, object] = {"kid": None}
    assert api.verify(api.issuer.mint(NOW, header=nameless)).jti == "token-1"
    api.issuer.keys = {"k1": key()}
    assert api.verify(api.issuer.mint(NOW, header=nameless, jti="t2")).jti == "t2"
    assert api.issuer.key_fetches == 2
    for n in range(5):
        api.refuse_as_invalid(
            api.issuer.mint(NOW, header=nameless, key=key()), "bad_signature", NOW + n
        )
    assert api.issuer.key_fetches == 2


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(DOWN, "connect_failed", id="down"),
        pytest.param(Response(status=503), "server_unavailable", id="503"),
        pytest.param(Response(status=404), "keys_unavailable", id="404"),
        pytest.param(Response(status=200, body=b"<html>"), "malformed_json", id="a page"),
    ],
)
def test_without_keys_nothing_is_let_in_and_nobody_is_blamed(
    answer: Response | Exception, code: str
) -> None:
    api = PaperApi()
    good = api.script.answers[api.issuer.jwks_uri]
    api.script.answers[api.issuer.jwks_uri] = answer
    error = api.refuse(api.issuer.mint(NOW))
    assert (error.error, error.status) == ("temporarily_unavailable", 503)
    assert error.facts["code"] == code
    api.script.answers[api.issuer.jwks_uri] = good
    assert api.verify(api.issuer.mint(NOW), NOW + 5).jti == "token-1"


@pytest.mark.parametrize("document", ["metadata", "keys"])
def test_without_keys_a_failed_attempt_counts_for_a_moment(document: str) -> None:
    api = PaperApi()
    metadata = "https://issuer.example/.well-known/openid-configuration"
    url = metadata if document == "metadata" else api.issuer.jwks_uri
    good, api.script.answers[url] = api.script.answers[url], DOWN
    for second in (0, 0, 1, 4):
        error = api.refuse(api.issuer.mint(NOW, jti=f"t{second}"), NOW + second)
        assert (error.status, error.facts["code"]) == (503, "connect_failed")
        assert api.script.urls.count(url) == 1
    api.refuse(api.issuer.mint(NOW), NOW + 5)
    assert api.script.urls.count(url) == 2
    api.refuse(api.issuer.mint(NOW), NOW + 4)  # a clock that was set back holds nobody up
    assert api.script.urls.count(url) == 3
    api.script.answers[url] = good
    assert api.verify(api.issuer.mint(NOW), NOW + 10).jti == "token-1"


def test_an_issuer_without_keys_is_a_failure_of_the_issuer() -> None:
    api = PaperApi()
    url = "https://issuer.example/.well-known/openid-configuration"
    issuer = api.issuer.issuer
    api.script.answers[url] = json_response({"issuer": issuer, "token_endpoint": f"{issuer}/t"})
    error = api.refuse(api.issuer.mint(NOW))
    assert (error.status, error.facts["code"]) == (503, "no_keys")


def test_old_keys_serve_through_an_outage() -> None:
    api = PaperApi()
    token = api.issuer.mint(NOW, exp=NOW + 9 * HOUR)
    api.verify(token)
    for url in list(api.script.answers):
        api.script.answers[url] = DOWN
    for later in (HOUR, 2 * HOUR):
        assert api.verify(token, NOW + later).jti == "token-1"
        assert api.is_remembered(token, NOW + later + 59), "until the next attempt"
        assert not api.is_remembered(token, NOW + later + 60)
    assert api.refuse(
        api.issuer.mint(NOW + 8 * 24 * HOUR), NOW + 8 * 24 * HOUR
    ).status == 503  # fmt: skip


def test_in_an_outage_a_token_is_remembered_no_longer_than_the_old_keys_serve() -> None:
    api = PaperApi()
    week = 7 * 24 * HOUR
    api.verify(api.issuer.mint(NOW))
    for url in list(api.script.answers):
        api.script.answers[url] = DOWN
    token = api.issuer.mint(NOW + week)
    api.verify(token, NOW + week - 1)
    assert api.is_remembered(token, NOW + week - 1)
    assert not api.is_remembered(token, NOW + week)
    assert api.refuse(token, NOW + week).status == 503


def test_a_token_is_kept_by_its_digest_only() -> None:
    api = PaperApi()
    token = api.issuer.mint(NOW)
    api.verify(token)
    kept = repr(api.flows._verified._entries)
    assert token not in kept
    assert repr(sha256(token.encode()).digest()) in kept
