"""`revoke`: tokens that nobody shall use any more, in both colours."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from codegrant import (
    CodegrantError,
    LoginRequired,
    Refused,
    ResponseRejected,
    Tokens,
    TransportError,
    UsageError,
)
from tests.flows.conftest import MakeApplication
from tests.support.application import Application
from tests.support.colours import Colour
from tests.support.mock_provider import (
    BROKEN,
    HUGE,
    Answer,
    Lie,
    MockProvider,
    Received,
    as_json,
    html,
    redirect,
)


def revocations(provider: MockProvider) -> list[Received]:
    return [request for request in provider.received if request.path == "/revoke"]


def refused(app: Application, tokens: Tokens) -> CodegrantError:
    with pytest.raises(CodegrantError) as caught:
        app.revoke(tokens)
    return caught.value


@pytest.mark.requirement("CL-TOK-12")
def test_the_refresh_token_is_revoked_and_without_one_the_access_token(
    app: Application, provider: MockProvider
) -> None:
    tokens = app.log_in(provider)
    assert tokens.refresh_token is not None
    app.revoke(tokens)
    provider.token = Lie({"refresh_token": None})
    bare = app.log_in(provider)
    app.revoke(bare)
    first, second = revocations(provider)
    assert first.form == {
        "token": tokens.refresh_token.reveal(),
        "token_type_hint": "refresh_token",
    }
    assert second.form == {"token": bare.access_token.reveal(), "token_type_hint": "access_token"}
    assert {(r.method, r.target) for r in (first, second)} == {("POST", "/revoke")}
    assert first.headers["authorization"].startswith("Basic ")


def test_what_became_of_the_tokens_is_revoked(app: Application, provider: MockProvider) -> None:
    old = app.log_in(provider)
    new = app.refresh(old)
    assert new.refresh_token is not None
    app.revoke(old)
    assert revocations(provider)[0].form["token"] == new.refresh_token.reveal()


def test_revoked_tokens_are_not_refreshed(app: Application, provider: MockProvider) -> None:
    tokens = app.log_in(provider)
    app.revoke(tokens)
    with pytest.raises(LoginRequired) as caught:
        app.refresh(tokens)
    assert caught.value.code == "tokens_revoked"
    assert provider.sent("refresh_token") == []


def test_nor_are_those_that_became_the_revoked_ones(
    app: Application, provider: MockProvider
) -> None:
    old = app.log_in(provider)
    app.revoke(app.refresh(old))
    with pytest.raises(LoginRequired) as caught:
        app.refresh(old)
    assert caught.value.code == "tokens_revoked"
    assert len(provider.sent("refresh_token")) == 1


def test_a_refresh_that_races_with_a_revocation_leaves_no_live_token(
    provider: MockProvider,
) -> None:
    app = Application(Colour("sync"), provider)
    arrived, go_on, truth = threading.Event(), threading.Event(), provider.routes["/token"]

    def slow(request: Any) -> Answer:
        answer = truth(request)
        arrived.set()
        go_on.wait()
        return answer

    tokens = app.log_in(provider)
    provider.routes["/token"] = slow
    with ThreadPoolExecutor(1) as pool:
        refresh = pool.submit(app.refresh, tokens)
        arrived.wait()
        app.revoke(tokens)
        go_on.set()
        with pytest.raises(LoginRequired) as caught:
            refresh.result()
    assert caught.value.code == "tokens_revoked"
    assert provider.refresh_tokens == {}
    assert len(revocations(provider)) == 2
    app.close()


@pytest.mark.parametrize(
    ("listed", "secret", "sends"),
    [
        pytest.param({}, True, "basic", id="as at the token endpoint"),
        pytest.param(
            {"revocation_endpoint_auth_methods_supported": ["client_secret_post"]},
            True,
            "post",
            id="as listed",
        ),
        pytest.param({}, False, "none", id="a public client"),
    ],
)
def test_the_client_shows_who_it_is(
    make_app: MakeApplication,
    provider: MockProvider,
    listed: dict[str, object],
    secret: bool,
    sends: str,
) -> None:
    provider.metadata = Lie(listed)
    app = make_app(provider) if secret else make_app(provider, client_secret=None)
    app.revoke(app.log_in(provider))
    (request,) = revocations(provider)
    assert ("authorization" in request.headers) == (sends == "basic")
    assert ("client_secret" in request.form) == (sends == "post")
    assert ("client_id" in request.form) == (sends != "basic")


def test_a_server_without_the_endpoint_is_told_apart(
    app: Application, provider: MockProvider
) -> None:
    provider.metadata = Lie({"revocation_endpoint": None})
    tokens = app.log_in(provider)
    error = refused(app, tokens)
    assert isinstance(error, UsageError)
    assert (error.code, error.stage) == ("no_revocation", "revoke")
    assert app.refresh(tokens).access_token != tokens.access_token


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        pytest.param(
            as_json({"error": "unsupported_token_type"}, 400),
            Refused,
            "unsupported_token_type",
            id="unsupported_token_type",
        ),
        pytest.param(
            as_json({"error": "invalid_client"}, 401),
            Refused,
            "invalid_client",
            id="invalid_client",
        ),
        pytest.param(
            Answer(503, b"", [("retry-after", "7")]),
            TransportError,
            "server_unavailable",
            id="503",
        ),
        pytest.param(Answer(429, b""), TransportError, "server_unavailable", id="429"),
        pytest.param(Answer(500, b""), ResponseRejected, "server_failed", id="500"),
        pytest.param(html(404), ResponseRejected, "not_json", id="a page"),
        pytest.param(
            redirect("https://x.example/"), ResponseRejected, "redirect_refused", id="a redirect"
        ),
        pytest.param(BROKEN._replace(status=400), ResponseRejected, "not_json", id="half an error"),
        pytest.param(HUGE, TransportError, "too_large", id="10 MB"),
    ],
)
def test_what_was_not_revoked_is_told_and_still_good(
    app: Application, provider: MockProvider, answer: Answer, kind: type[CodegrantError], code: str
) -> None:
    tokens, truth = app.log_in(provider), provider.routes["/revoke"]
    provider.routes["/revoke"] = lambda _: answer
    error = refused(app, tokens)
    assert type(error) is kind
    assert (error.code, error.stage) == (code, "revoke")
    assert ("7 s" in error.hint) == (answer.status == 503)
    assert tokens.refresh_token is not None
    assert tokens.refresh_token.reveal() not in f"{error} {error.facts}"
    tokens = app.refresh(tokens)
    provider.routes["/revoke"] = truth
    app.revoke(tokens)


def test_a_server_that_does_not_answer_has_revoked_nothing(
    make_app: MakeApplication, provider: MockProvider
) -> None:
    app = make_app(provider, timeout=0.3)
    tokens, truth = app.log_in(provider), provider.routes["/revoke"]
    provider.routes["/revoke"] = provider.hang
    error = refused(app, tokens)
    assert isinstance(error, TransportError)
    assert (error.code, error.stage) == ("timeout", "revoke")
    tokens = app.refresh(tokens)
    provider.routes["/revoke"] = truth
    app.revoke(tokens)
    assert provider.refresh_tokens == {}


@pytest.mark.parametrize(
    "answer", [Answer(200, b"ok"), Answer(204, b""), as_json({"error": "odd"}), html()]
)
def test_any_body_of_a_success_is_fine(
    app: Application, provider: MockProvider, answer: Answer
) -> None:
    tokens = app.log_in(provider)
    provider.routes["/revoke"] = lambda _: answer
    app.revoke(tokens)
