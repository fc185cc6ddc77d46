"""`refresh`: new tokens for old ones, in both colours, at a real provider that may lie."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from codegrant import (
    AsyncClient,
    CodegrantError,
    LoginRequired,
    Refused,
    ResponseRejected,
    Secret,
    ServerMetadata,
    TokenRejected,
    Tokens,
    TransportError,
    UsageError,
)
from tests.flows.conftest import MakeApplication
from tests.support.application import Application, Clock
from tests.support.mock_provider import (
    BROKEN,
    CLIENT_ID,
    CLIENT_SECRET,
    HUGE,
    Answer,
    Lie,
    MockProvider,
    as_json,
    html,
    redirect,
)
from tests.support.waiting import wait_until

OFFLINE = "openid profile email"


def refused(app: Application, tokens: Tokens) -> CodegrantError:
    with pytest.raises(CodegrantError) as caught:
        app.refresh(tokens)
    return caught.value


def refresh_token(tokens: Tokens) -> str:
    assert tokens.refresh_token is not None
    return tokens.refresh_token.reveal()


@pytest.mark.requirement("CL-TOK-07")
def test_a_refresh_token_is_replaced_by_the_one_that_the_server_returns(
    app: Application, provider: MockProvider
) -> None:
    old = app.log_in(provider)
    new = app.refresh(old)
    assert refresh_token(new) != refresh_token(old)
    assert new.access_token != old.access_token
    assert (new.scope, new.missing_scope) == (old.scope, frozenset())
    assert new.verified_identity().subject == old.verified_identity().subject
    assert new.verified_identity().nonce == old.verified_identity().nonce
    assert (new.issuer, new.client_id) == (old.issuer, old.client_id)
    assert app.userinfo(new).sub == "person-1"
    third = app.refresh(new)
    assert [form["refresh_token"] for form in provider.sent("refresh_token")] == [
        refresh_token(old),
        refresh_token(new),
    ]
    assert third.expires_at == third.received_at + 300


def test_a_refresh_token_is_kept_when_the_server_returns_none(
    app: Application, provider: MockProvider
) -> None:
    old = app.log_in(provider)
    provider.refreshed = Lie({"refresh_token": None})
    kept = provider.refresh_tokens[refresh_token(old)]
    new = app.refresh(old)
    assert refresh_token(new) == refresh_token(old)
    provider.refresh_tokens[refresh_token(old)] = kept
    assert app.refresh(new).access_token not in {old.access_token, new.access_token}


def test_the_request_is_the_clients_and_names_the_one_resource_of_the_login(
    app: Application, provider: MockProvider
) -> None:
    app.refresh(app.log_in(provider, resource="https://api.example"))
    app.refresh(app.log_in(provider, resource=["https://a.example", "https://b.example"]))
    one, several = provider.sent("refresh_token")
    assert set(one) == {"grant_type", "refresh_token", "resource"}
    assert one["resource"] == "https://api.example"
    assert set(several) == {"grant_type", "refresh_token"}
    request = provider.received[-1]
    assert (request.method, request.target) == ("POST", "/token")
    assert request.headers["authorization"].startswith("Basic ")


@pytest.mark.requirement("CL-TOK-07")
def test_ten_at_once_send_one_refresh(app: Application, provider: MockProvider) -> None:
    old = app.log_in(provider)
    client = app.client
    if isinstance(client, AsyncClient):

        async def ten() -> list[Tokens]:
            return await asyncio.gather(*(client.refresh(old) for _ in range(10)))

        found: list[Tokens] = app.colour.wait(ten())
    else:
        with ThreadPoolExecutor(10) as pool:
            found = list(pool.map(client.refresh, [old] * 10))
    assert len(provider.sent("refresh_token")) == 1
    assert len({tokens.access_token.reveal() for tokens in found}) == 1
    # Nor does one who comes late send it again.
    assert app.refresh(old) is found[0]
    assert len(provider.sent("refresh_token")) == 1
    assert app.refresh(found[0]) is not found[0]
    assert app.refresh(old) is not found[0]
    assert len(provider.sent("refresh_token")) == 2


def test_two_event_loops_send_one_refresh(provider: MockProvider) -> None:
    client = AsyncClient(
        provider.issuer,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        redirect_uri="https://app.example/callback",
    )
    arrived, together = threading.Event(), threading.Barrier(3)
    truth = provider.routes["/token"]

    async def log_in() -> Tokens:
        async with client:
            login = await client.start_login()
            return await client.finish_login(provider.authorize(login.url), login)

    async def refresh() -> Tokens:
        await asyncio.to_thread(together.wait)
        async with client:
            return await client.refresh(old)

    def slow(request: Any) -> Answer:
        arrived.wait()
        return truth(request)

    old = asyncio.run(log_in())
    provider.routes["/token"] = slow
    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(asyncio.run, refresh()) for _ in range(3)]
        wait_until(lambda: provider.count("/token") == 2)
        arrived.set()
        found = [future.result() for future in running]
    assert found[0] is found[1] is found[2]
    assert len(provider.sent("refresh_token")) == 1


@pytest.mark.requirement("CL-TOK-08")
@pytest.mark.parametrize("status", [200, 400, 401, 403])
def test_an_invalid_grant_asks_for_a_login(
    app: Application, provider: MockProvider, status: int
) -> None:
    tokens = app.log_in(provider)
    truth = provider.routes["/token"]
    body = {"error": "invalid_grant", "error_description": f"gone: {refresh_token(tokens)}"}
    provider.routes["/token"] = lambda _: as_json(body, status)
    error = refused(app, tokens)
    assert isinstance(error, LoginRequired)
    assert (error.error, error.code, error.stage) == ("invalid_grant", "invalid_grant", "refresh")
    assert "log in again" in error.hint
    assert refresh_token(tokens) not in f"{error} {error.facts} {error.description}"
    for other in ("invalid_client", "unauthorized_client", "invalid_scope", "slow_down"):
        provider.routes["/token"] = lambda _, other=other: as_json({"error": other}, 400)  # type: ignore[misc]
        error = refused(app, tokens)
        assert isinstance(error, Refused)
        assert not isinstance(error, LoginRequired)
    provider.routes["/token"] = truth
    assert app.refresh(tokens).access_token != tokens.access_token


def test_without_a_refresh_token_nothing_is_sent(app: Application, provider: MockProvider) -> None:
    provider.token = Lie({"refresh_token": None})
    tokens = app.log_in(provider)
    before = len(provider.received)
    error = refused(app, tokens)
    assert isinstance(error, LoginRequired)
    assert error.code == "no_refresh_token"
    assert "offline_access" in error.hint
    assert len(provider.received) == before


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        pytest.param(Answer(500, b"oops"), ResponseRejected, "server_failed", id="500"),
        pytest.param(Answer(502, b""), ResponseRejected, "server_failed", id="502"),
        pytest.param(html(503), ResponseRejected, "server_failed", id="503"),
        pytest.param(
            as_json({"error": "invalid_grant"}, 500),
            Refused,
            "invalid_grant",
            id="500, invalid_grant",
        ),
        pytest.param(
            as_json({"error": "temporarily_unavailable"}, 503),
            Refused,
            "temporarily_unavailable",
            id="503, an error",
        ),
        pytest.param(html(), ResponseRejected, "not_json", id="a page"),
        pytest.param(Answer(200, b""), ResponseRejected, "not_json", id="nothing"),
        pytest.param(as_json({}), ResponseRejected, "malformed_token_response", id="no token"),
        pytest.param(
            as_json({"access_token": "a", "token_type": "mac"}),
            ResponseRejected,
            "token_type_unknown",
            id="another type",
        ),
        pytest.param(
            Answer(200, b'{"access_token":"a","token_type":"Bearer","access_token":"b"}'),
            ResponseRejected,
            "malformed_token_response",
            id="twice a token",
        ),
        pytest.param(
            redirect("https://x.example/"), ResponseRejected, "redirect_refused", id="307"
        ),
        pytest.param(BROKEN, ResponseRejected, "malformed_token_response", id="half of it"),
        pytest.param(HUGE, TransportError, "too_large", id="10 MB"),
    ],
)
def test_an_answer_that_is_none_costs_no_token(
    app: Application, provider: MockProvider, answer: Answer, kind: type[CodegrantError], code: str
) -> None:
    tokens = app.log_in(provider)
    truth = provider.routes["/token"]
    provider.routes["/token"] = lambda _: answer
    error = refused(app, tokens)
    assert type(error) is kind
    assert (error.code, error.stage) == (code, "refresh")
    provider.routes["/token"] = truth
    assert app.refresh(tokens).access_token != tokens.access_token


def test_a_server_that_does_not_answer_costs_no_token(
    make_app: MakeApplication, provider: MockProvider
) -> None:
    app = make_app(provider, timeout=0.3)
    tokens, truth = app.log_in(provider), provider.routes["/token"]
    provider.routes["/token"] = provider.hang
    error = refused(app, tokens)
    assert isinstance(error, TransportError)
    assert (error.code, error.stage) == ("timeout", "refresh")
    provider.routes["/token"] = truth
    assert app.refresh(tokens).access_token != tokens.access_token


@pytest.mark.requirement("CL-TOK-09")
def test_a_scope_that_a_refresh_narrows_is_reported(
    app: Application, provider: MockProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="codegrant.client")
    tokens = app.log_in(provider, scope=OFFLINE)
    provider.refreshed = Lie({"scope": None})
    same = app.refresh(tokens)
    assert (same.scope, same.missing_scope) == (tokens.scope, frozenset())
    assert "missing_scope" not in caplog.text
    provider.refreshed = Lie({"scope": "openid email"})
    less = app.refresh(same)
    assert less.scope == {"openid", "email"}
    assert less.missing_scope == {"profile"}
    assert "missing_scope='profile'" in caplog.text
    provider.refreshed = Lie({"scope": None})
    still = app.refresh(less)
    assert still.scope == {"openid", "email"}
    assert still.missing_scope == {"profile"}


@pytest.mark.requirement("CL-TOK-10")
def test_tokens_of_another_issuer_or_client_are_refused_before_anything_is_sent(
    make_app: MakeApplication, provider: MockProvider
) -> None:
    app, other = make_app(provider), MockProvider(path="/other")
    tokens = app.log_in(provider)
    moved = make_app(other)  # the configuration names another issuer now
    renamed = make_app(provider, client_id="other-app")
    for stranger, foreign in [
        (moved, tokens),
        (renamed, tokens),
        (app, replace(tokens, issuer=f"{provider.issuer}/")),
        (app, replace(tokens, issuer="")),
        (app, replace(tokens, client_id="APP")),
    ]:
        before = len(provider.received)
        calls: list[Callable[[], object]] = [
            lambda s=stranger, t=foreign: s.refresh(t),  # type: ignore[misc]
            lambda s=stranger, t=foreign: s.revoke(t),  # type: ignore[misc]
            lambda s=stranger, t=foreign: s.userinfo(t),  # type: ignore[misc]
            lambda s=stranger, t=foreign: s.get(t, f"{provider.origin}/userinfo"),  # type: ignore[misc]
        ]
        for call in calls:
            with pytest.raises(UsageError) as caught:
                call()
            assert caught.value.code == "foreign_tokens"
        assert len(provider.received) == before
    assert other.received == []
    assert app.refresh(tokens).issuer == provider.issuer
    other.close()


@pytest.mark.requirement("CL-TOK-10")
def test_a_server_that_renames_itself_gets_no_refresh_token(
    make_app: MakeApplication, provider: MockProvider
) -> None:
    tokens = make_app(provider).log_in(provider)
    later = make_app(provider)  # as after a restart
    elsewhere = MockProvider()
    for lie in ({"issuer": elsewhere.issuer}, {"issuer": f"{provider.issuer}/"}):
        provider.metadata = Lie({**lie, "token_endpoint": f"{elsewhere.issuer}/token"})
        assert refused(later, tokens).code == "issuer_mismatch"
    assert elsewhere.received == []
    assert provider.sent("refresh_token") == []
    provider.metadata = Lie()
    assert later.refresh(tokens).access_token != tokens.access_token
    elsewhere.close()


@pytest.mark.requirement("CL-TOK-10")
def test_a_server_without_an_issuer_is_known_by_its_token_endpoint(
    make_app: MakeApplication, provider: MockProvider
) -> None:
    other = MockProvider()

    def described(one: MockProvider) -> ServerMetadata:
        return ServerMetadata(
            authorization_endpoint=f"{one.issuer}/authorize", token_endpoint=f"{one.issuer}/token"
        )

    app = make_app(described(provider))
    provider.callback = Lie({"iss": None})
    tokens = app.log_in(provider)
    assert tokens.issuer == ""
    error = refused(make_app(described(other)), tokens)
    assert (type(error), error.code) == (UsageError, "foreign_tokens")
    assert other.received == []
    assert app.refresh(tokens).token_endpoint == f"{provider.issuer}/token"
    other.close()


@pytest.mark.requirement("CL-IDT-09")
@pytest.mark.parametrize(
    ("claims", "code"),
    [
        pytest.param({"sub": "person-2"}, "subject_mismatch", id="sub"),
        pytest.param({"sub": "PERSON-1"}, "subject_mismatch", id="sub, another case"),
        pytest.param({"iss": "https://as.example"}, "issuer_mismatch", id="iss"),
        pytest.param({"aud": "other"}, "audience_mismatch", id="aud"),
        pytest.param({"aud": [CLIENT_ID, "other"]}, "audience_untrusted", id="aud, more"),
        pytest.param({"azp": CLIENT_ID}, "azp_mismatch", id="azp, which was not there"),
        pytest.param({"nonce": "another"}, "nonce_mismatch", id="nonce"),
        pytest.param({"auth_time": 1_700_000_000}, "auth_time_mismatch", id="auth_time"),
        pytest.param({"exp": 1_700_000_000}, "token_expired", id="exp"),
        pytest.param({"at_hash": "A" * 22}, "at_hash_mismatch", id="at_hash"),
        pytest.param({"sub": None}, "claim_missing", id="no sub"),
    ],
)
def test_an_id_token_of_a_refresh_continues_the_login_or_is_refused(
    app: Application, provider: MockProvider, claims: dict[str, object], code: str
) -> None:
    tokens = app.log_in(provider)
    provider.refreshed_claims = Lie(claims)
    error = refused(app, tokens)
    assert isinstance(error, TokenRejected)
    assert (error.code, error.stage) == (code, "id_token")
    again = app.log_in(provider)
    nonce: object = again.verified_identity().nonce
    changes: list[dict[str, object]] = [{}, {"auth_time": None}, {"nonce": nonce}, {"email": "x"}]
    for fine in changes:
        provider.refreshed_claims = Lie(fine)
        new = app.refresh(again)
        assert new.verified_identity().auth_time == again.verified_identity().auth_time
        assert new.id_token != again.id_token
        again = new


@pytest.mark.requirement("CL-IDT-09")
def test_an_id_token_of_a_refresh_is_signed_by_the_issuer(
    app: Application, provider: MockProvider
) -> None:
    tokens, honest = app.log_in(provider), provider.make_id_token
    forger = MockProvider()
    provider.make_id_token = forger.sign
    assert isinstance(refused(app, tokens), TokenRejected)
    provider.make_id_token = honest
    tokens = app.log_in(provider)
    provider.refreshed = Lie({"id_token": "no.jwt"})
    assert isinstance(refused(app, tokens), CodegrantError)
    forger.close()


def test_a_refresh_without_an_id_token_keeps_the_identity(
    app: Application, provider: MockProvider
) -> None:
    tokens = app.log_in(provider)
    provider.refreshed = Lie({"id_token": None})
    new = app.refresh(tokens)
    assert (new.identity, new.id_token) == (tokens.identity, tokens.id_token)


def test_plain_oauth_takes_no_identity_from_a_refresh(
    app: Application, provider: MockProvider
) -> None:
    tokens = app.log_in(provider, scope="profile")
    provider.refreshed = Lie({"id_token": provider.sign({"sub": "person-2"})})
    new = app.refresh(tokens)
    assert (new.identity, new.id_token) == (None, None)


def test_without_keys_the_refresh_token_is_not_spent(
    make_app: MakeApplication, provider: MockProvider
) -> None:
    tokens = make_app(provider).log_in(provider)
    later, truth = make_app(provider), provider.routes["/jwks"]
    provider.routes["/jwks"] = lambda _: Answer(503, b"")
    assert isinstance(refused(later, tokens), TransportError)
    assert provider.sent("refresh_token") == []
    provider.routes["/jwks"] = truth
    assert later.refresh(tokens).identity is not None


def test_the_lifetime_of_new_tokens_counts_from_the_refresh(
    make_app: MakeApplication, provider: MockProvider
) -> None:
    clock = Clock()
    app = make_app(provider, clock=clock)
    tokens = app.log_in(provider)
    clock.ahead = 50
    provider.refreshed = Lie({"expires_in": "60"})
    new = app.refresh(tokens)
    assert new.received_at - tokens.received_at in {50, 51, 52}
    assert new.expires_at == new.received_at + 60


def test_a_cancelled_refresh_loses_no_token(provider: MockProvider) -> None:
    arrived, go_on = threading.Event(), threading.Event()
    truth = provider.routes["/token"]

    def slow(request: Any) -> Answer:
        arrived.set()
        go_on.wait()
        return truth(request)

    async def main() -> tuple[Tokens, Tokens]:
        async with AsyncClient(
            provider.issuer,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            redirect_uri="https://app.example/callback",
        ) as client:
            login = await client.start_login()
            tokens = await client.finish_login(provider.authorize(login.url), login)
            provider.routes["/token"] = slow
            first = asyncio.create_task(client.refresh(tokens))
            await asyncio.to_thread(arrived.wait)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            second = asyncio.create_task(client.refresh(tokens))
            await asyncio.sleep(0)
            go_on.set()
            return tokens, await second

    old, new = asyncio.run(main())
    assert new.access_token != old.access_token
    assert len(provider.sent("refresh_token")) == 1


def test_no_secret_of_a_refresh_is_told(
    app: Application, provider: MockProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    old = app.log_in(provider)
    new = app.refresh(old)
    app.revoke(new)
    assert isinstance(refused(app, replace(old, access_token=Secret("x"))), LoginRequired)
    told = f"{caplog.text} {old!r} {new!r} {[r.__dict__ for r in caplog.records]}"
    assert "tokens refreshed" in told
    assert "tokens revoked" in told
    assert not [secret for secret in [*provider.minted, CLIENT_SECRET] if secret in told]
