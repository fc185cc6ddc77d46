"""The token endpoint: one code, one answer, and every way to be refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from codegrant.errors import StoreError
from codegrant.jose import half_hash
from codegrant.secret import digest_of
from codegrant.server.keys import PublishedKeys
from codegrant.server.records import ResourceRecord
from tests.flows.authorization_server import (
    ALICE,
    CALLBACK,
    FORM,
    ISSUER,
    NOW,
    SECRET,
    VERIFIER,
    Bench,
    basic,
    document,
)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def claims(bench: Bench, token: str, *, typ: str, alg: str) -> Mapping[str, object]:
    """Return the claims of a token that a published key verifies."""
    published: PublishedKeys = bench.run(bench.server.keys.published(bench.now))
    jwt = published.verify(token)
    assert (jwt.typ, jwt.alg) == (typ, alg)
    return jwt.claims


def test_a_code_becomes_an_access_token_and_an_id_token(bench: Bench) -> None:
    answer = bench.token(bench.code(scope="openid email"))
    assert answer.status == 200
    assert answer.headers.get("cache-control") == "no-store"
    assert answer.headers.get("pragma") == "no-cache"
    tokens = document(answer)
    assert tokens.keys() == {"access_token", "token_type", "expires_in", "scope", "id_token"}
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 300)
    assert tokens["scope"] == "openid email"
    access = claims(bench, tokens["access_token"], typ="at+jwt", alg="ES256")
    (grant,) = bench.store.grants.values()
    assert len(str(access["jti"])) == 22
    assert access == {
        "iss": ISSUER,
        "sub": ALICE.subject,
        "aud": ISSUER,
        "client_id": "a",
        "exp": NOW + 300,
        "iat": NOW,
        "jti": access["jti"],
        "scope": "openid email",
        "auth_time": NOW - 50,
        "amr": ["pwd"],
        "grant_id": grant.grant_id,
    }
    assert claims(bench, tokens["id_token"], typ="JWT", alg="RS256") == {
        "iss": ISSUER,
        "sub": ALICE.subject,
        "aud": "a",
        "exp": NOW + 300,
        "iat": NOW,
        "auth_time": NOW - 50,
        "amr": ["pwd"],
        "nonce": "the nonce",
        "sid": "sid-1",
        "at_hash": half_hash("RS256", tokens["access_token"]),
    }
    assert bench.event_names()[-1] == "code_redeemed"


def test_without_openid_there_is_no_id_token(bench: Bench) -> None:
    tokens = document(bench.token(bench.code(scope="email")))
    assert "id_token" not in tokens
    assert tokens["scope"] == "email"


def test_without_a_nonce_there_is_none(bench: Bench) -> None:
    tokens = document(bench.token(bench.code(nonce=None)))
    assert "nonce" not in claims(bench, tokens["id_token"], typ="JWT", alg="RS256")


def test_no_answer_holds_challenge_or_verifier(bench: Bench) -> None:
    body = bench.token(bench.code()).body.decode()
    (code,) = bench.store.codes.values()
    assert code.code_challenge not in body
    assert VERIFIER not in body


@pytest.mark.parametrize("alg", ["RS256", "ES256", "PS256", "EdDSA"])
def test_the_id_token_is_signed_as_registered(bench: Bench, alg: str) -> None:
    bench.change_client("a", id_token_signed_response_alg=alg)
    tokens = document(bench.token(bench.code()))
    claims(bench, tokens["id_token"], typ="JWT", alg=alg)


@pytest.mark.parametrize("alg", ["none", "HS256", "RS512", ""])
def test_an_algorithm_that_is_not_ours_becomes_rs256(bench: Bench, alg: str) -> None:
    bench.change_client("a", id_token_signed_response_alg=alg)
    tokens = document(bench.token(bench.code()))
    claims(bench, tokens["id_token"], typ="JWT", alg="RS256")


def test_requested_claims_are_in_the_id_token_as_far_as_the_scope_goes(bench: Bench) -> None:
    wanted = {"id_token": {"email": None, "name": {"essential": True}, "sub": None, "foo": None}}
    code = bench.code(scope="openid email", claims=json.dumps(wanted))
    token = document(bench.token(code))["id_token"]
    identity = claims(bench, token, typ="JWT", alg="RS256")
    assert identity["email"] == "alice@test"
    assert "name" not in identity
    assert "email_verified" not in identity


def test_an_opaque_access_token_is_stored_by_its_digest(bench: Bench) -> None:
    opaque = Bench(access_format="opaque")
    token = document(opaque.token(opaque.code()))["access_token"]
    (record,) = opaque.store.access_tokens.values()
    assert record.digest == digest_of(token)
    assert record.expires_at == NOW + 300
    assert "." in document(bench.token(bench.code()))["access_token"]


@pytest.mark.parametrize("access_format", ["jwt", "opaque"])
def test_a_resource_has_the_last_word_on_the_format(bench: Bench, access_format: str) -> None:
    api = "https://api.test"
    bench.store.resources[api] = ResourceRecord(
        audience=api,
        resource_id="api",
        access_format="jwt" if access_format == "jwt" else "opaque",
    )
    bench.change_client("a", audiences=(api,))
    token = document(bench.token(bench.code()))["access_token"]
    assert ("." in token) == (access_format == "jwt")


def test_a_grant_that_was_revoked_meanwhile_gives_no_opaque_token() -> None:
    bench = Bench(access_format="opaque")
    code = bench.code()
    redeem = bench.store.on_redeem_code

    def redeem_and_lose(effect: object) -> object:
        redeemed = redeem(effect)  # type: ignore[arg-type]
        for grant_id, grant in bench.store.grants.items():
            bench.store.grants[grant_id] = replace(grant, revoked_at=NOW)
        return redeemed

    bench.store.on_redeem_code = redeem_and_lose  # type: ignore[method-assign,assignment]
    answer = bench.token(code)
    assert (answer.status, document(answer)["error"]) == (400, "invalid_grant")
    assert bench.reason() == "grant revoked meanwhile"


def test_the_redirect_uri_may_be_left_out_with_pkce(bench: Bench) -> None:
    assert bench.token(bench.code(), redirect_uri=None).status == 200


@pytest.mark.parametrize(
    ("changes", "error", "reason"),
    [
        ({"code": None}, "invalid_request", None),
        ({"code": ""}, "invalid_request", None),
        ({"code": "unknown"}, "invalid_grant", "unknown"),
        ({"redirect_uri": "https://a.test/other?x=1"}, "invalid_grant", "wrong_redirect_uri"),
        ({"redirect_uri": CALLBACK + "/"}, "invalid_grant", "wrong_redirect_uri"),
        ({"code_verifier": None}, "invalid_grant", "missing_verifier"),
        ({"code_verifier": ""}, "invalid_grant", "missing_verifier"),
        ({"code_verifier": VERIFIER[:-1] + "x"}, "invalid_grant", "wrong_verifier"),
        ({"code_verifier": "a" * 42}, "invalid_grant", None),
        ({"code_verifier": "a" * 129}, "invalid_grant", None),
        ({"code_verifier": "a" * 42 + "+"}, "invalid_grant", None),
        ({"resource": "https://api.test"}, "invalid_target", None),
        ({"resource": "/relative"}, "invalid_target", None),
        ({"grant_type": None}, "invalid_request", None),
        ({"grant_type": ""}, "invalid_request", None),
        ({"grant_type": "password"}, "unsupported_grant_type", None),
        ({"grant_type": "authorization_code "}, "unsupported_grant_type", None),
        ({"grant_type": "Authorization_Code"}, "unsupported_grant_type", None),
        ({"grant_type": "refresh_token"}, "invalid_request", "missing_parameter"),
        ({"grant_type": "client_credentials"}, "unauthorized_client", None),
    ],
)
def test_a_wrong_request_is_refused_and_leaves_the_code_alone(
    bench: Bench, changes: Mapping[str, str | None], error: str, reason: str | None
) -> None:
    code = bench.code()
    refused = bench.token(code, form=changes)
    assert refused.status == 400
    assert document(refused)["error"] == error
    assert refused.headers.get("cache-control") == "no-store"
    if reason is not None:
        assert bench.reason() == reason
    assert bench.event_names()[-1] == "token_refused"
    assert bench.token(code).status == 200


def test_every_refused_code_looks_the_same(bench: Bench) -> None:
    used, foreign = bench.code(), bench.code()
    bench.token(used)
    bodies = {
        bench.token("unknown").body,
        bench.token(used).body,
        bench.token(bench.code(), redirect_uri="https://a.test/other?x=1").body,
        bench.token(
            foreign, auth=None, client_id="b", client_secret=SECRET, redirect_uri=None
        ).body,
    }
    assert len(bodies) == 1


def test_a_foreign_client_is_refused_and_does_not_spoil_the_code(bench: Bench) -> None:
    code = bench.code()
    answer = bench.token(code, auth=None, client_id="b", client_secret=SECRET)
    assert document(answer)["error"] == "invalid_grant"
    assert bench.reason() == "wrong_client"
    assert bench.token(code).status == 200


def test_a_second_redemption_revokes_the_grant(bench: Bench) -> None:
    code = bench.code()
    assert bench.token(code).status == 200
    assert document(bench.token(code))["error"] == "invalid_grant"
    (grant,) = bench.store.grants.values()
    assert grant.revoked_at == NOW
    assert bench.event_names()[-3:] == ["code_replayed", "grant_revoked", "token_refused"]


@pytest.mark.parametrize(
    "changes",
    [{"code_verifier": VERIFIER[:-1] + "x"}, {"redirect_uri": "https://a.test/other?x=1"}],
    ids=["wrong verifier", "wrong redirect URI"],
)
def test_a_replay_that_is_itself_wrong_revokes_nothing(
    bench: Bench, changes: Mapping[str, str]
) -> None:
    code = bench.code()
    bench.token(code)
    assert bench.token(code, form=changes).status == 400
    assert bench.token(code, auth=("a", "wrong")).status == 401
    (grant,) = bench.store.grants.values()
    assert grant.revoked_at is None


def test_after_five_wrong_verifiers_the_code_is_dead(bench: Bench) -> None:
    code = bench.code()
    for _ in range(5):
        bench.token(code, code_verifier="x" * 43)
    assert bench.token(code).status == 400
    assert bench.reason() == "too_many_verifiers"


@pytest.mark.parametrize(("after", "status"), [(59, 200), (60, 400), (3600, 400)])
def test_a_code_expires(bench: Bench, after: int, status: int) -> None:
    code = bench.code()
    bench.now += after
    assert bench.token(code).status == status


def test_a_verifier_without_a_challenge_is_refused(bench: Bench) -> None:
    bench.change_client("a", require_pkce=False)
    code = bench.code(code_challenge=None, code_challenge_method=None)
    assert document(bench.token(code))["error"] == "invalid_grant"
    assert bench.reason() == "unexpected_verifier"
    assert bench.token(code, code_verifier=None, redirect_uri=None).status == 400
    assert bench.token(code, code_verifier=None).status == 200


@pytest.mark.parametrize("enabled", [None, False], ids=["gone", "disabled"])
def test_a_person_who_is_no_longer_there_gets_nothing(bench: Bench, enabled: bool | None) -> None:
    code = bench.code()
    if enabled is None:
        bench.people.clear()
    else:
        bench.people[ALICE.subject] = replace(ALICE, enabled=False)
    assert document(bench.token(code))["error"] == "invalid_grant"
    assert bench.reason() == "person disabled"
    (grant,) = bench.store.grants.values()
    assert grant.revoked_at == NOW


def test_a_living_grant_answers_for_its_person_where_the_host_ends_grants(bench: Bench) -> None:
    bench.server.host = replace(bench.server.host, ends_grants=True)
    code, another = bench.code(), bench.code()
    bench.people.clear()
    assert bench.token(code).status == 200
    for grant_id, grant in bench.store.grants.items():
        bench.store.grants[grant_id] = replace(grant, revoked_at=NOW)
    assert document(bench.token(another))["error"] == "invalid_grant"
    assert bench.reason() == "revoked"


@pytest.mark.parametrize("enabled", [None, False], ids=["gone", "disabled"])
def test_whose_claims_are_asked_for_must_be_there_all_the_same(
    bench: Bench, enabled: bool | None
) -> None:
    bench.server.host = replace(bench.server.host, ends_grants=True)
    code = bench.code(scope="openid email", claims='{"id_token":{"email":null}}')
    if enabled is None:
        bench.people.clear()
    else:
        bench.people[ALICE.subject] = replace(ALICE, enabled=False)
    assert document(bench.token(code))["error"] == "invalid_grant"
    assert bench.reason() == "person disabled"
    (grant,) = bench.store.grants.values()
    assert grant.revoked_at == NOW


def test_a_client_that_lost_the_grant_type_is_refused(bench: Bench) -> None:
    code = bench.code()
    bench.change_client("a", grant_types=("refresh_token",))
    assert document(bench.token(code))["error"] == "unauthorized_client"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_any_other_method_is_not_allowed(bench: Bench, method: str) -> None:
    code = bench.code()
    form = urlencode({"grant_type": "authorization_code", "code": code})
    answer = bench.send(method, "/token", query=form, headers=[basic("a", SECRET)])
    assert (answer.status, answer.headers.get("allow")) == (405, "POST")


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/x-www-form-urlencoded", 200),
        ("application/x-www-form-urlencoded; charset=UTF-8", 200),
        ("Application/X-WWW-Form-Urlencoded;charset=utf-8", 200),
        ("application/x-www-form-urlencoded; charset=latin-1", 400),
        ("application/json", 400),
        ("multipart/form-data; boundary=x", 400),
        ("text/plain", 400),
        ("", 400),
    ],
)
def test_only_a_form_is_read(bench: Bench, content_type: str, status: int) -> None:
    code = bench.code()
    form = {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER}
    headers = [("content-type", content_type), basic("a", SECRET)]
    answer = bench.send("POST", "/token", body=urlencode(form), headers=headers)
    assert answer.status == status


@pytest.mark.parametrize("query", ["client_secret=x", "code=x", "foo=bar"])
def test_nothing_is_taken_from_the_query(bench: Bench, query: str) -> None:
    form = {"grant_type": "authorization_code", "code": bench.code(), "code_verifier": VERIFIER}
    headers = [FORM, basic("a", SECRET)]
    answer = bench.send("POST", "/token", query=query, body=urlencode(form), headers=headers)
    assert (answer.status, document(answer)["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("name", ["code", "grant_type", "client_id", "redirect_uri", "foo"])
def test_a_repeated_parameter_is_refused(bench: Bench, name: str) -> None:
    form = {
        "grant_type": "authorization_code",
        "code": bench.code(),
        "code_verifier": VERIFIER,
        "redirect_uri": CALLBACK,
        "client_id": "a",
        "foo": "1",
    }
    assert bench.token_raw(urlencode(form)).status == 200
    twice = urlencode([*form.items(), (name, form[name])])
    answer = bench.token_raw(twice)
    assert (answer.status, document(answer)["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"code=%ff%fe", 400),
        (b"code=%00", 400),
        (b"code=\xff\xfe", 400),
        (b"grant_type=%zz", 400),
        (b"", 400),
        (b"&" * 5000, 400),
        (b"code=" + b"x" * 70_000, 413),
        (b"&".join(b"p%d=1" % n for n in range(5000)), 400),
    ],
    ids=["no UTF-8", "NUL", "raw", "bad escape", "empty", "ampersands", "large", "many"],
)
def test_bad_bytes_are_refused_and_never_a_failure(bench: Bench, body: bytes, status: int) -> None:
    answer = bench.token_raw(body)
    assert answer.status == status
    assert document(answer)["error"] == "invalid_request"


def test_error_text_keeps_to_the_allowed_characters(bench: Bench) -> None:
    answer = bench.token_raw(urlencode({"grant_type": 'päss"word\\'}))
    allowed = {chr(c) for c in range(0x20, 0x7F)} - {'"', "\\"}
    assert set(document(answer)["error_description"]) <= allowed


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("store_busy", 503, "temporarily_unavailable"),
        ("store_full", 503, "temporarily_unavailable"),
        ("store_failed", 500, "server_error"),
    ],
)
@pytest.mark.parametrize("effect", ["FindCaller", "RedeemCode"])
def test_a_failing_store_is_json_without_a_cause(
    bench: Bench, code: str, status: int, error: str, effect: str
) -> None:
    good = bench.code()
    bench.store.broken[effect] = StoreError("disk on fire at /var/lib", code=code)
    answer = bench.token(good)
    assert (answer.status, document(answer)["error"]) == (status, error)
    assert b"fire" not in answer.body
    assert bench.event_names()[-1] == "request_failed"
    del bench.store.broken[effect]
    assert bench.token(good).status == 200


def test_events_hold_no_secret(bench: Bench) -> None:
    code = bench.code()
    body = document(bench.token(code))
    bench.token(code)
    bench.token(code, auth=("a", "a guess at it"))
    told = repr(bench.store.events)
    secrets = [code, SECRET, VERIFIER, "a guess at it", body["access_token"], body["id_token"]]
    assert not [secret for secret in secrets if secret in told]


def test_other_origins_may_call_it_without_credentials(bench: Bench) -> None:
    origin = ("origin", "https://app.test")
    for answer in (bench.token(bench.code(), headers=[origin]), bench.token("x", headers=[origin])):
        assert answer.headers.get("access-control-allow-origin") == "*"
        assert "access-control-allow-credentials" not in answer.headers
    answer = bench.send("OPTIONS", "/token", headers=[origin])
    assert answer.status == 204
    assert answer.headers.get("access-control-allow-methods") == "POST"
