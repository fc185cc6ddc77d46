"""The userinfo endpoint: whose token, which claims, and what ends it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from codegrant.errors import StoreError
from codegrant.http import Response
from codegrant.jose import PrivateKey, sign_jwt
from codegrant.server.keys import open_key
from codegrant.server.records import ResourceRecord
from tests.flows.authorization_server import (
    ALICE,
    FORM,
    ISSUER,
    KEY_RING,
    NOW,
    Bench,
    document,
    first_keys,
)


@pytest.fixture(params=["jwt", "opaque"])
def bench(request: pytest.FixtureRequest) -> Bench:
    return Bench(access_format=request.param)


@pytest.fixture
def jwt_bench() -> Bench:
    return Bench()


def access_token(bench: Bench, scope: str = "openid") -> str:
    token: str = document(bench.token(bench.code(scope=scope)))["access_token"]
    return token


def userinfo(
    bench: Bench, token: str, *, method: str = "GET", more: Sequence[tuple[str, str]] = ()
) -> Response:
    headers = [("authorization", f"Bearer {token}"), *more]
    return bench.send(method, "/userinfo", headers=headers)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_bearer_of_the_token_learns_who_it_is(bench: Bench, method: str) -> None:
    answer = userinfo(bench, access_token(bench), method=method)
    assert answer.status == 200
    assert document(answer) == {"sub": ALICE.subject}
    assert answer.headers.get("cache-control") == "no-store"
    assert answer.headers.get("access-control-allow-origin") == "*"


@pytest.mark.parametrize(
    ("scope", "claims"),
    [
        ("openid", {}),
        ("openid profile", {"name": "Alice"}),
        ("openid email", {"email": "alice@test", "email_verified": False}),
        ("openid offline_access", {}),
    ],
)
def test_each_scope_opens_its_claims_and_no_more(
    bench: Bench, scope: str, claims: dict[str, object]
) -> None:
    answer = userinfo(bench, access_token(bench, scope))
    assert document(answer) == {"sub": ALICE.subject, **claims}


def test_the_audience_does_not_matter_here(bench: Bench) -> None:
    api = "https://api.test"
    bench.store.resources[api] = ResourceRecord(audience=api, resource_id="api")
    bench.change_client("a", audiences=(api,))
    assert userinfo(bench, access_token(bench)).status == 200


def test_a_token_without_openid_is_not_enough(bench: Bench) -> None:
    answer = userinfo(bench, access_token(bench, "email"))
    assert answer.status == 403
    assert 'error="insufficient_scope"' in answer.headers.get("www-authenticate")


def test_no_token_is_a_challenge_without_an_error(bench: Bench) -> None:
    answer = bench.send("GET", "/userinfo")
    assert answer.status == 401
    assert answer.headers.get("www-authenticate").startswith("Bearer")
    assert "error" not in answer.headers.get("www-authenticate")


def assert_invalid(answer: Response) -> None:
    assert answer.status == 401
    assert 'error="invalid_token"' in answer.headers.get("www-authenticate")
    assert b"alice" not in answer.body


@pytest.mark.parametrize("after", [300, 301, 86_400])
def test_an_expired_token_is_refused(bench: Bench, after: int) -> None:
    token = access_token(bench)
    bench.now += 299
    assert userinfo(bench, token).status == 200
    bench.now = NOW + after
    assert_invalid(userinfo(bench, token))


def test_a_token_of_a_revoked_grant_is_refused(bench: Bench) -> None:
    token = access_token(bench)
    for grant_id, grant in bench.store.grants.items():
        bench.store.grants[grant_id] = replace(grant, revoked_at=NOW)
    assert_invalid(userinfo(bench, token))


def test_a_token_of_a_lost_grant_is_refused(bench: Bench) -> None:
    token = access_token(bench)
    bench.store.grants.clear()
    assert_invalid(userinfo(bench, token))


def test_a_replayed_code_ends_the_first_token(bench: Bench) -> None:
    code = bench.code()
    token = document(bench.token(code))["access_token"]
    assert userinfo(bench, token).status == 200
    bench.token(code)
    assert_invalid(userinfo(bench, token))


def test_a_disabled_person_is_refused(bench: Bench) -> None:
    token = access_token(bench)
    bench.people[ALICE.subject] = replace(ALICE, enabled=False)
    assert_invalid(userinfo(bench, token))
    bench.people.clear()
    assert_invalid(userinfo(bench, token))


def test_a_disabled_client_is_refused(bench: Bench) -> None:
    token = access_token(bench)
    bench.change_client("a", enabled=False)
    assert_invalid(userinfo(bench, token))
    bench.store.clients.clear()
    assert_invalid(userinfo(bench, token))


def test_a_denied_token_is_refused_and_its_neighbour_is_not(jwt_bench: Bench) -> None:
    token, neighbour = access_token(jwt_bench), access_token(jwt_bench)
    published = jwt_bench.run(jwt_bench.server.keys.published(NOW))
    jwt_bench.store.denied.add(str(published.verify(token).claims["jti"]))
    assert_invalid(userinfo(jwt_bench, token))
    assert userinfo(jwt_bench, neighbour).status == 200


def test_other_tokens_are_no_access_tokens(bench: Bench) -> None:
    code = bench.code()
    tokens = document(bench.token(code))
    for other in (tokens["id_token"], code, bench.code(), "a.b.c", "x"):
        assert_invalid(userinfo(bench, other))


def forged(**changes: object) -> str:
    """Return an access token of our own ES256 key with other claims."""
    claims = {
        "iss": ISSUER,
        "sub": ALICE.subject,
        "aud": ISSUER,
        "client_id": "a",
        "exp": NOW + 300,
        "iat": NOW,
        "jti": "jti",
        "scope": "openid",
        "grant_id": "grant",
    } | changes
    key = open_key(KEY_RING, first_keys()[1])
    return sign_jwt(key, {n: v for n, v in claims.items() if v is not None}, typ="at+jwt")  # type: ignore[misc]


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"iss": "https://other.test"}, id="issuer"),
        pytest.param({"sub": "person-2"}, id="another person"),
        pytest.param({"client_id": "b"}, id="another client"),
        pytest.param({"grant_id": "other"}, id="another grant"),
        pytest.param({"grant_id": None}, id="no grant"),
        pytest.param({"exp": None}, id="no exp"),
        pytest.param({"exp": "never"}, id="exp no number"),
        pytest.param({"aud": None}, id="no audience"),
        pytest.param({"aud": [ISSUER, 5]}, id="audience list"),
        pytest.param({"scope": "email"}, id="no openid"),
    ],
)
def test_every_claim_of_a_signed_token_counts(jwt_bench: Bench, changes: dict[str, object]) -> None:
    access_token(jwt_bench)
    (grant,) = jwt_bench.store.grants.values()
    jwt_bench.store.grants = {"grant": replace(grant, grant_id="grant")}
    assert userinfo(jwt_bench, forged()).status == 200
    assert userinfo(jwt_bench, forged(**changes)).status in {401, 403}


def test_a_token_that_a_client_has_for_itself_is_about_nobody(jwt_bench: Bench) -> None:
    own = {"sub": "a", "grant_id": None}
    answer = userinfo(jwt_bench, forged(**own))
    assert answer.status == 403
    assert 'error="insufficient_scope"' in answer.headers.get("www-authenticate")
    assert_invalid(userinfo(jwt_bench, forged(**own, client_id="b")))
    assert_invalid(userinfo(jwt_bench, forged(**own | {"sub": ALICE.subject})))


def test_an_opaque_token_that_is_bound_to_a_key_is_no_bearer() -> None:
    bench = Bench(access_format="opaque")
    token = access_token(bench)
    assert userinfo(bench, token).status == 200
    ((digest, record),) = bench.store.access_tokens.items()
    bench.store.access_tokens[digest] = replace(record, cnf="thumbprint")
    assert_invalid(userinfo(bench, token))


def test_a_token_of_a_foreign_key_is_refused(jwt_bench: Bench) -> None:
    token = access_token(jwt_bench)
    published = jwt_bench.run(jwt_bench.server.keys.published(NOW))
    copied = sign_jwt(PrivateKey.generate("ES256"), published.verify(token).claims, typ="at+jwt")
    assert_invalid(userinfo(jwt_bench, copied))


def test_a_token_in_the_query_or_the_body_is_refused(bench: Bench) -> None:
    token = access_token(bench)
    query = f"access_token={token}"
    assert bench.send("GET", "/userinfo", query=query).status in {400, 401}
    assert bench.send("POST", "/userinfo", body=query, headers=[FORM]).status in {400, 401}
    header = ("authorization", f"Bearer {token}")
    assert bench.send("GET", "/userinfo", query=query, headers=[header]).status == 400


def test_two_headers_are_refused(bench: Bench) -> None:
    token = access_token(bench)
    answer = userinfo(bench, token, more=[("authorization", f"Bearer {token}")])
    assert answer.status == 400


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_any_other_method_is_not_allowed(bench: Bench, method: str) -> None:
    answer = userinfo(bench, access_token(bench), method=method)
    assert (answer.status, answer.headers.get("allow")) == (405, "GET, POST")


def test_a_failing_store_is_no_invalid_token(bench: Bench) -> None:
    token = access_token(bench)
    bench.store.broken["FindStanding"] = StoreError("busy", code="store_busy")
    answer = userinfo(bench, token)
    assert answer.status == 503
    assert document(answer)["error"] == "temporarily_unavailable"
    assert int(answer.headers.get("retry-after")) > 0


def test_a_huge_token_is_refused_at_once(bench: Bench) -> None:
    access_token(bench)
    for huge in ("x" * 1_000_000, "." * 100_000, "a." * 100_000):
        assert userinfo(bench, huge).status in {400, 401, 413, 431}
