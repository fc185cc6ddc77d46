from __future__ import annotations

from urllib.parse import quote_from_bytes, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

import codegrant.server
from codegrant.errors import UsageError
from tests.flows.authorization_server import (
    ISSUER,
    Bench,
    authorization_parameters,
    document,
)

DOCUMENTS = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")


@pytest.mark.parametrize(
    ("issuer", "openid", "oauth"),
    [
        ("https://h.test", *DOCUMENTS),
        ("https://h.test/t1", f"/t1{DOCUMENTS[0]}", f"{DOCUMENTS[1]}/t1"),
        ("http://127.0.0.1:8080/t1/t2", f"/t1/t2{DOCUMENTS[0]}", f"{DOCUMENTS[1]}/t1/t2"),
    ],
)
def test_both_documents_have_their_address(issuer: str, openid: str, oauth: str) -> None:
    bench = Bench(issuer=issuer)
    answers = [bench.send("GET", path) for path in (openid, oauth)]
    assert [answer.status for answer in answers] == [200, 200]
    assert document(answers[0]) == document(answers[1])
    assert document(answers[0])["issuer"] == issuer
    assert answers[0].headers.get("access-control-allow-origin") == "*"


@pytest.mark.parametrize(
    "path",
    [
        *("/", "", "/t1", "/t1/x", "/authorize", "/token", "/revoke", "/introspect", "/jwks"),
        *(DOCUMENTS[0], f"/t1{DOCUMENTS[1]}"),
    ],
)
def test_a_path_issuer_answers_nowhere_else(path: str) -> None:
    bench = Bench(issuer="https://h.test/t1")
    assert bench.send("GET", path).status == 404
    assert not bench.server.handles(path)
    assert bench.send("GET", "/t1/jwks").status == 200


@pytest.mark.parametrize("path", ["/token", "/userinfo", "/revoke", "/jwks", *DOCUMENTS])
def test_a_preflight_is_answered_where_programs_call(path: str) -> None:
    answer = Bench().send("OPTIONS", path, headers=[("origin", "https://app.test")])
    assert answer.status == 204
    assert answer.headers.get("access-control-allow-origin") == "*"
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("path", ["/authorize", "/introspect", "/login", "/unknown"])
def test_a_preflight_is_not_answered_anywhere_else(path: str) -> None:
    answer = Bench().send("OPTIONS", path, headers=[("origin", "https://app.test")])
    assert answer.status in {404, 405}
    assert not any(name.startswith("access-control") for name, _ in answer.headers.pairs())


def test_an_error_of_ours_becomes_an_answer() -> None:
    bench = Bench()
    bench.store.broken["FindCaller"] = UsageError("a fault in the host")
    answer = bench.token("code")
    assert answer.status == 500
    assert document(answer)["error"] == "server_error"
    assert b"fault" not in answer.body


HOSTILE = st.lists(
    st.tuples(
        st.sampled_from(
            [name for name, _ in authorization_parameters()]
            + ["grant_type", "code", "code_verifier", "client_secret", "claims", "prompt"]
            + ["max_age", "resource", "id_token_hint", "request", "unknown"]
        ),
        st.one_of(
            st.text(max_size=50),
            st.sampled_from([*dict(authorization_parameters()).values(), "none", "a", ""]),
        ),
    ),
    max_size=12,
)


@given(pairs=HOSTILE, raw=st.binary(max_size=60), post=st.booleans())
def test_no_input_is_a_failure_or_leads_astray(
    pairs: list[tuple[str, str]], raw: bytes, *, post: bool
) -> None:
    bench = Bench()
    bench.agree()
    good = urlencode([*authorization_parameters(), *pairs], errors="replace")
    for query in (urlencode(pairs, errors="replace"), good, f"{good}&{quote_from_bytes(raw)}"):
        answer = bench.authorize_raw(query, method="POST" if post else "GET")
        assert answer.status in {303, 400, 413}
        if answer.status == 303:
            assert answer.headers.get("location").startswith(("https://a.test/", ISSUER))
        assert bench.token_raw(query).status in {400, 401}
    assert bench.token_raw(raw).status in {400, 401}
    assert bench.send("GET", "/userinfo", query=raw.decode("latin-1")).status in {400, 401}


def test_the_public_names_are_there_and_no_others() -> None:
    for name in codegrant.server.__all__:
        assert getattr(codegrant.server, name).__name__ == name
    assert set(codegrant.server.__all__) <= set(dir(codegrant.server))
    with pytest.raises(AttributeError, match="Manager"):
        _ = codegrant.server.Manager


def test_the_server_prints_its_issuer_alone() -> None:
    assert repr(Bench().server) == "AuthorizationServer('https://issuer.test')"
