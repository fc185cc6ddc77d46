from __future__ import annotations

import logging

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from codegrant.errors import CodegrantError, MetadataRejected, TransportError
from codegrant.flow import Flow
from codegrant.http import Headers, Response, Send
from codegrant.jose import KeySet
from codegrant.remote.effects import SingleFlight
from codegrant.remote.key_sets import RemoteKeySet
from tests.support.mock_provider import public_jwk
from tests.support.scripted import Script, json_response

NOW = 1_800_000_000
HOUR = 3600
URI = "https://issuer.example/jwks"
DOWN = TransportError("no connection", code="connect_failed")
KEY = ec.generate_private_key(ec.SECP256R1())


def published(*kids: str) -> Response:
    return json_response({"keys": [public_jwk(KEY, kid) for kid in kids]})


def test_keys_are_fetched_once_and_again_when_no_longer_fresh() -> None:
    script, keys = Script({URI: published("a")}), RemoteKeySet(URI)
    assert (keys.fetched_at, keys.fresh_until) == (0, 0)
    for later, fetches in ((0, 1), (HOUR - 1, 1), (HOUR, 2)):
        assert "a" in script.run(keys.find("a", NOW + later)).kids
        assert len(script.sent) == fetches
    assert (keys.fetched_at, keys.fresh_until) == (NOW + HOUR, NOW + 2 * HOUR)


def test_a_new_kid_is_fetched_at_once() -> None:
    script, keys = Script({URI: published("a")}), RemoteKeySet(URI)
    script.run(keys.find("a", NOW))
    script.answers[URI] = published("a", "b")
    assert "b" in script.run(keys.find("b", NOW + 1)).kids
    assert len(script.sent) == 2


@pytest.mark.requirement("CL-META-03")
def test_a_hundred_unknown_kids_cause_one_further_fetch_a_minute() -> None:
    script, keys = Script({URI: published("a")}), RemoteKeySet(URI)
    for n in range(100):
        assert f"x{n}" not in script.run(keys.find(f"x{n}", NOW + n % 60)).kids
        assert "a" in script.run(keys.find("a", NOW + n % 60)).kids
    assert len(script.sent) == 2
    script.answers[URI] = published("a", "b")
    assert "b" in script.run(keys.find("b", NOW + 61)).kids
    assert len(script.sent) == 3


def test_a_token_without_kid_takes_the_copy_and_can_ask_for_a_newer_one() -> None:
    script, keys = Script({URI: published("a")}), RemoteKeySet(URI)
    for _ in range(3):
        script.run(keys.find(None, NOW))
    assert len(script.sent) == 1
    for _ in range(3):
        script.run(keys.refresh(NOW))
    assert len(script.sent) == 2


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(DOWN, id="down"),
        pytest.param(Response(status=503), id="503"),
        pytest.param(Response(status=404), id="404"),
        pytest.param(Response(status=200, body=b"<html>"), id="a page"),
    ],
)
def test_old_keys_serve_through_an_outage(answer: Response | Exception) -> None:
    script, keys = Script({URI: published("a")}), RemoteKeySet(URI)
    script.run(keys.find("a", NOW))
    script.answers[URI] = answer
    for later in (HOUR, HOUR + 1, HOUR + 60):
        assert "a" in script.run(keys.find("a", NOW + later)).kids
    assert len(script.sent) == 3
    assert [report.fields["endpoint"] for report in script.reports] == [URI, URI]


def test_old_keys_do_not_serve_for_ever() -> None:
    script, keys = Script({URI: published("a")}), RemoteKeySet(URI)
    script.run(keys.find("a", NOW))
    script.answers[URI] = DOWN
    last = NOW + 7 * 24 * HOUR - 1
    assert "a" in script.run(keys.find("a", last)).kids
    for later in (1, 2, 59):  # within the minute of that attempt
        for ask in (keys.find("a", last + later), keys.refresh(last + later)):
            with pytest.raises(TransportError):
                script.run(ask)
    script.answers[URI] = published("a")
    assert "a" in script.run(keys.find("a", last + 59)).kids


def test_a_fetch_that_was_cancelled_does_not_keep_the_next_in_line_from_fetching() -> None:
    script, keys = Script({URI: published("a")}), RemoteKeySet(URI)
    script.run(keys.find("a", NOW))
    script.answers[URI] = published("a", "b")
    flight = next(keys.find("b", NOW + 1))
    assert isinstance(flight, SingleFlight)
    cancelled: Flow[KeySet] = flight.start()
    assert isinstance(next(cancelled), Send)
    cancelled.close()
    assert "b" in script.run(keys.find("b", NOW + 1)).kids
    script.run(keys.find("c", NOW + 1))  # the minute began with the answer to "b"
    assert len(script.sent) == 2


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(DOWN, TransportError, id="down"),
        pytest.param(Response(status=503), TransportError, id="503"),
        pytest.param(Response(status=404), MetadataRejected, id="404"),
        pytest.param(
            Response(status=307, headers=Headers([("location", "https://evil.example/")])),
            MetadataRejected,
            id="redirect",
        ),
        pytest.param(Response(status=200, body=b"<html>"), MetadataRejected, id="a page"),
        pytest.param(Response(status=200, body=b"[]"), MetadataRejected, id="no object"),
        pytest.param(Response(status=200, body=b'{"keys": 1}'), MetadataRejected, id="no list"),
        pytest.param(
            Response(status=200, body=b'{"keys":[' + b"{}," * 100 + b"{}]}"),
            MetadataRejected,
            id="too many",
        ),
    ],
)
def test_without_a_copy_what_is_no_key_set_is_an_error(
    answer: Response | Exception, kind: type[CodegrantError]
) -> None:
    script, keys = Script({URI: answer}), RemoteKeySet(URI)
    with pytest.raises(kind):
        script.run(keys.find("a", NOW))
    assert script.urls == [URI]
    script.answers[URI] = published("a")
    assert "a" in script.run(keys.find("a", NOW)).kids


def test_a_guarded_key_set_is_fetched_with_guard() -> None:
    script = Script({URI: published("a")})
    script.run(RemoteKeySet(URI, guarded=True).find("a", NOW))
    assert script.sent[0].guarded


def test_keys_that_are_left_out_are_reported_with_each_fetch() -> None:
    weak = public_jwk(KEY, "b") | {"crv": "P-384"}
    both = json_response({"keys": [public_jwk(KEY, "a"), weak, {"kty": "oct", "k": "AA"}]})
    script, keys = Script({URI: both}), RemoteKeySet(URI)
    assert script.run(keys.find("a", NOW)).kids == {"a"}
    (report,) = script.reports
    assert (report.level, report.fields) == (logging.INFO, {"endpoint": URI})
    assert "keys[1]: " in report.event
    assert "keys[2]: " in report.event
    script.answers[URI] = published("a")
    script.run(keys.find("a", NOW + HOUR))
    assert len(script.reports) == 1, "a set of good keys is nothing to report"


def test_a_failed_attempt_counts_for_as_long_as_was_asked_for() -> None:
    script, keys = Script({URI: DOWN}), RemoteKeySet(URI, failure_holds=5)
    for later, fetches in ((0, 1), (0, 1), (4, 1), (5, 2), (4, 3)):
        with pytest.raises(TransportError) as refused:
            script.run(keys.find("a", NOW + later))
        assert refused.value.code == "connect_failed"
        assert len(script.sent) == fetches
    script.answers[URI] = published("a")
    assert "a" in script.run(keys.find("a", NOW + 9)).kids


def test_one_who_is_told_of_an_earlier_failure_gets_an_error_of_his_own() -> None:
    script, keys = Script({URI: DOWN}), RemoteKeySet(URI, failure_holds=5)
    errors: list[TransportError] = []
    for _ in range(3):
        with pytest.raises(TransportError) as refused:
            script.run(keys.find("a", NOW))
        errors.append(refused.value)
    assert len({id(error) for error in errors}) == 3
    assert {str(error) for error in errors} == {str(errors[0])}


def test_it_is_known_until_when_nothing_must_be_fetched() -> None:
    script, keys = Script({URI: published("a")}), RemoteKeySet(URI)
    assert keys.serves_until == 0
    script.run(keys.find("a", NOW))
    assert keys.serves_until == NOW + HOUR
    script.answers[URI] = DOWN
    script.run(keys.find("a", NOW + HOUR))
    assert keys.serves_until == NOW + HOUR + 60
    week = 7 * 24 * HOUR
    script.run(keys.find("a", NOW + week - 1))
    assert keys.serves_until == NOW + week
