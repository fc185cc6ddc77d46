"""The client credentials grant on the real store: for confidential clients, about nobody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest

from codegrant.http import Response
from codegrant.secret import digest_of
from codegrant.server.administration import AddClient, RemoveClient
from codegrant.server.effects import FindAccessToken
from codegrant.server.records import ClientRecord
from tests.flows.authorization_server import ISSUER, NOW, SECRET, document
from tests.flows.token_bench import API, TokenBench, claims_of, open_bench

OTHER = "https://other.test"
ROBOT = ClientRecord(
    client_id="robot",
    secret_digest=digest_of(SECRET),
    grant_types=("client_credentials",),
    scope=("openid", "profile", "offline_access", "read", "write", "turn", "free"),
    audiences=(API, OTHER),
)


@pytest.fixture(params=["jwt", "opaque"])
def bench(request: pytest.FixtureRequest) -> Iterator[TokenBench]:
    with open_bench(access_format=request.param) as opened:
        opened.add_resource(API, ("read", "write"))
        opened.add_resource(OTHER, ("turn",))
        assert opened.perform(AddClient(ROBOT))
        yield opened


def ask(
    bench: TokenBench, *, auth: tuple[str, str] | None = ("robot", SECRET), **form: str | None
) -> Response:
    pairs = {"grant_type": "client_credentials", "scope": "read"} | form
    body = urlencode([(name, value) for name, value in pairs.items() if value is not None])
    return bench.token_raw(body, auth=auth)


def error_of(answer: Response) -> tuple[int, str]:
    return answer.status, document(answer).get("error", "")


@pytest.mark.requirement("AS-CC-03", "AS-CC-04")
def test_a_client_gets_an_access_token_and_nothing_else(bench: TokenBench) -> None:
    answer = ask(bench, scope="read openid profile offline_access")
    tokens = document(answer)
    assert answer.headers.get("cache-control") == "no-store"
    assert tokens.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert (tokens["token_type"], tokens["expires_in"], tokens["scope"]) == ("Bearer", 300, "read")
    if "." in tokens["access_token"]:
        claims = claims_of(tokens["access_token"])
        jti = claims["jti"]
        assert claims == {
            "iss": ISSUER,
            "sub": "robot",
            "aud": API,
            "client_id": "robot",
            "exp": NOW + 300,
            "iat": NOW,
            "jti": jti,
            "scope": "read",
        }
    else:
        found = bench.perform(FindAccessToken(digest_of(tokens["access_token"]), NOW))
        assert (found.subject, found.client_id, found.grant_id) == ("robot", "robot", "")
        assert (found.audience, found.scope) == (API, ("read",))
    assert bench.facts("client_token_issued") == {
        "client_id": "robot",
        "scope": "read",
        "audience": API,
    }


@pytest.mark.requirement("AS-CC-04")
def test_the_token_is_nobody_s_at_userinfo(bench: TokenBench) -> None:
    token = document(ask(bench))["access_token"]
    assert bench.status(token) in {401, 403}
    assert bench.status(bench.log_in("openid")["access_token"]) == 200


@pytest.mark.requirement("AS-CC-01")
@pytest.mark.parametrize("secret", [None, SECRET], ids=["no secret", "a secret it does not have"])
def test_a_public_client_is_refused(bench: TokenBench, secret: str | None) -> None:
    bench.change_client("p", grant_types=("client_credentials",), scope=("read",))
    answer = ask(bench, auth=None, client_id="p", client_secret=secret)
    expected = (400, "unauthorized_client") if secret is None else (401, "invalid_client")
    assert error_of(answer) == expected
    assert ask(bench).status == 200


@pytest.mark.requirement("AS-CC-01")
@pytest.mark.parametrize(
    "auth",
    [
        pytest.param(("robot", "wrong"), id="wrong secret"),
        pytest.param(("nobody", SECRET), id="unknown client"),
        pytest.param(None, id="no authentication"),
    ],
)
def test_a_client_must_prove_itself(bench: TokenBench, auth: tuple[str, str] | None) -> None:
    named = {"client_id": "robot"} if auth is None else {}
    assert error_of(ask(bench, auth=auth, **named)) == (401, "invalid_client")
    assert ask(bench).status == 200


@pytest.mark.requirement("AS-CC-02")
def test_only_a_client_registered_for_it_may(bench: TokenBench) -> None:
    assert error_of(ask(bench, auth=("a", SECRET))) == (400, "unauthorized_client")
    grants = ("authorization_code", "client_credentials")
    bench.change_client("a", grant_types=grants, audiences=(API,))
    assert ask(bench, auth=("a", SECRET)).status == 200
    bench.change_client("robot", grant_types=("authorization_code", "refresh_token"))
    assert error_of(ask(bench)) == (400, "unauthorized_client")


@pytest.mark.parametrize(
    ("scope", "default", "granted"),
    [
        pytest.param("read", (), "read", id="one"),
        pytest.param("write read", (), "write read", id="two, as asked"),
        pytest.param("read admin", (), "read", id="one that it may not have"),
        pytest.param("read openid", (), "read", id="one about a person"),
        pytest.param("read turn", (), "read", id="one of another resource"),
        pytest.param("read free", (), "read free", id="one of no resource"),
        pytest.param(None, ("write",), "write", id="default"),
        pytest.param("", ("write",), "write", id="empty"),
        pytest.param(None, ("openid", "write"), "write", id="default with openid"),
        pytest.param(None, (), None, id="no default"),
        pytest.param(None, ("openid", "profile"), None, id="default of a person alone"),
        pytest.param("openid profile offline_access", (), None, id="about a person alone"),
        pytest.param("admin", (), None, id="not registered"),
        pytest.param("turn", (), None, id="of another resource alone"),
        pytest.param('re"ad', (), None, id="malformed"),
    ],
)
def test_the_scope_is_what_the_client_may_have(
    bench: TokenBench, scope: str | None, default: tuple[str, ...], granted: str | None
) -> None:
    bench.change_client("robot", default_scope=default)
    answer = ask(bench, scope=scope)
    if granted is None:
        assert error_of(answer) == (400, "invalid_scope")
    else:
        assert document(answer)["scope"] == granted


@pytest.mark.parametrize(
    ("resource", "scope", "audience"),
    [
        pytest.param(None, "read", API, id="the first"),
        pytest.param(API, "read", API, id="named"),
        pytest.param(OTHER, "turn", OTHER, id="the second"),
        pytest.param("https://unknown.test", "read", None, id="unknown"),
        pytest.param(ISSUER, "read", None, id="the issuer"),
        pytest.param(f"{API}/", "read", None, id="a slash more"),
        pytest.param("/api", "read", None, id="relative"),
        pytest.param(f"{API}#x", "read", None, id="fragment"),
    ],
)
def test_the_audience_is_one_that_the_client_may_name(
    bench: TokenBench, resource: str | None, scope: str, audience: str | None
) -> None:
    answer = ask(bench, resource=resource, scope=scope)
    if audience is None:
        assert error_of(answer) == (400, "invalid_target")
    else:
        assert answer.status == 200
        assert bench.facts("client_token_issued")["audience"] == audience


def test_a_client_without_an_audience_gets_the_issuer_s(bench: TokenBench) -> None:
    bench.change_client("robot", audiences=())
    assert ask(bench, scope="free").status == 200
    assert bench.facts("client_token_issued")["audience"] == ISSUER
    assert error_of(ask(bench, scope="free", resource=API)) == (400, "invalid_target")


def test_two_resources_are_too_many(bench: TokenBench) -> None:
    form = [("grant_type", "client_credentials"), ("scope", "read")]
    same = [*form, ("resource", API), ("resource", API)]
    assert bench.token_raw(urlencode(same), auth=("robot", SECRET)).status == 200
    two = [*form, ("resource", API), ("resource", OTHER)]
    assert error_of(bench.token_raw(urlencode(two), auth=("robot", SECRET))) == (
        400,
        "invalid_target",
    )


@pytest.mark.parametrize("gone", ["disabled", "removed"])
def test_a_client_that_is_gone_gets_nothing(bench: TokenBench, gone: str) -> None:
    assert ask(bench).status == 200
    if gone == "disabled":
        bench.change_client("robot", enabled=False)
    else:
        assert bench.perform(RemoveClient("robot"))
    assert error_of(ask(bench)) == (401, "invalid_client")


def test_no_token_of_a_person_is_made_from_it(bench: TokenBench) -> None:
    """What belongs to other grants says nothing here."""
    tokens: dict[str, Any] = document(ask(bench, code="x", refresh_token="y", username="alice"))
    assert tokens.keys() == {"access_token", "token_type", "expires_in", "scope"}
    as_refresh = bench.refresh(tokens["access_token"])
    assert error_of(as_refresh) == (400, "invalid_grant")
