"""Bluesky: every request is pushed, every token bound, and each server has nonces of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from codegrant import CodegrantError, Refused, ResponseRejected, UsageError, provider
from codegrant.testing.personas import Person
from tests.flows.providers.conftest import MakeSite
from tests.support.personas import Site, find_facts, make_persona
from tests.support.proofs import header_of

API = find_facts("bluesky").userinfo


def paths(site: Site) -> list[str]:
    return [urlsplit(request.url).path for request in site.persona.requests]


def count(site: Site, end: str) -> int:
    return sum(path.endswith(end) for path in paths(site))


def test_the_address_shows_nothing_of_the_request(make: MakeSite) -> None:
    site = make("bluesky")
    login = site.start()
    assert set(parse_qs(urlsplit(login.url).query)) == {"client_id", "request_uri"}
    tokens = site.finish(site.persona.authorize(login.url), login)
    assert site.identity(tokens).subject == "did:plc:583231"
    assert site.identity(tokens).issuer == "https://bsky.social"
    assert [path for path in paths(site) if "jwks" in path] == []  # no ID token is to be verified


def test_one_key_goes_through_all_of_a_login(make: MakeSite) -> None:
    site = make("bluesky")
    tokens = site.log_in()
    assert site.call(tokens, "GET", f"{API}?page=2").status_code == 200
    newer = site.refresh(tokens)
    assert site.call(newer, "GET", API).status_code == 200
    assert newer.dpop_key == tokens.dpop_key is not None
    proofs = [r.headers.get("dpop") for r in site.persona.requests if "dpop" in r.headers]
    assert len(set(proofs)) == len(proofs) >= 5
    keys = [header_of(proof)["jwk"] for proof in proofs]
    assert keys.count(keys[0]) == len(keys)


def test_each_server_s_nonce_costs_one_request_and_no_more(make: MakeSite) -> None:
    site = make("bluesky")
    tokens = site.log_in()
    assert count(site, "/par") == 2  # refused, and with the nonce
    assert count(site, "/token") == 1  # it is known by then
    for _ in range(3):
        assert site.call(tokens, "GET", API).status_code == 200
    assert count(site, "getSession") == 4
    site.persona.change_nonces()
    assert site.call(tokens, "GET", API).status_code == 200
    assert count(site, "getSession") == 6
    site.refresh(tokens)
    assert count(site, "/token") == 3


def test_a_token_is_worth_nothing_with_another_key(make: MakeSite) -> None:
    site = make("bluesky")
    tokens, other = site.log_in(), site.log_in()
    stolen = replace(tokens, dpop_key=other.dpop_key, refresh_token=None)
    assert site.call(stolen, "GET", API).status_code == 401
    bearer = replace(tokens, dpop_key=None, token_type="Bearer", refresh_token=None)
    assert site.call(bearer, "GET", API).status_code == 401
    with pytest.raises(Refused) as caught:
        site.refresh(replace(tokens, dpop_key=other.dpop_key))
    assert caught.value.error == "invalid_grant"
    assert site.call(tokens, "GET", API).status_code == 200


def test_a_client_that_does_not_bind_is_turned_away(make: MakeSite) -> None:
    with pytest.raises(Refused) as caught:
        make("bluesky", replace(provider("bluesky"), dpop=False)).log_in()
    assert (caught.value.error, caught.value.stage) == (
        "invalid_dpop_proof",
        "pushed_authorization",
    )
    assert make("bluesky").log_in().token_type == "DPoP"


def test_a_client_that_does_not_push_is_turned_away(make: MakeSite) -> None:
    with pytest.raises(UsageError) as caught:
        make("bluesky", pushed_requests=False).log_in()
    assert caught.value.code == "pushed_requests_required"
    site = make("bluesky")
    login = site.start()
    plain = f"{login.url.partition('?')[0]}?client_id=client-1&response_type=code"
    assert "error=invalid_request" in site.persona.authorize(plain)
    assert "code=" in site.persona.authorize(login.url)
    assert "error=invalid_request" in site.persona.authorize(login.url)  # it was for once


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"plain_issuer": "https://evil.example"}, "iss_mismatch", id="another issuer"),
        pytest.param({"iss": False}, "iss_missing", id="a callback without its issuer"),
        pytest.param({"token_type": "Bearer"}, "token_type_unknown", id="a bearer token"),
    ],
)
def test_what_bluesky_would_never_say_is_refused(
    make: MakeSite, changes: dict[str, Any], code: str
) -> None:
    site = make("bluesky")
    login = site.start()
    site.persona.facts = replace(site.persona.facts, **changes)
    with pytest.raises(CodegrantError) as caught:
        site.finish(site.persona.authorize(login.url), login)
    assert caught.value.code == code


def test_a_refresh_that_names_somebody_else_is_refused(make: MakeSite) -> None:
    site = make("bluesky")
    tokens = site.log_in()
    site.persona.person = Person(number=99)
    site.persona.move_grants()
    with pytest.raises(ResponseRejected) as caught:
        site.refresh(tokens)
    assert (caught.value.code, caught.value.stage) == ("sub_mismatch", "refresh")


def test_a_refresh_that_names_nobody_is_of_the_same_person(make: MakeSite) -> None:
    site = make(replace(find_facts("bluesky"), tells_again=False))
    newer = site.refresh(site.log_in())
    assert "sub" in newer.extra
    assert site.identity(newer).subject == "did:plc:583231"


def test_a_login_that_names_nobody_identifies_nobody(make: MakeSite) -> None:
    site = make(replace(find_facts("bluesky"), in_token=lambda _: {}))
    with pytest.raises(ResponseRejected) as caught:
        site.identity(site.log_in())
    assert caught.value.code == "sub_missing"


def test_a_server_of_somebody_s_own_is_named_by_its_address(make: MakeSite) -> None:
    named = provider("bluesky", base_url="https://pds.home.example")
    assert named.server == named.issuer == "https://pds.home.example"
    there = make_persona("bluesky", variables={"base_url": "https://pds.home.example"})
    site = make("bluesky", named, persona=there)
    assert site.identity(site.log_in()).issuer == "https://pds.home.example"
